using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Metrics of a route (<c>RTAX_*</c>); 0 where none is set.</summary>
public sealed class RouteMetrics : IEquatable<RouteMetrics>
{
    /// <summary>A route without metrics.</summary>
    public static readonly RouteMetrics None = new();

    private readonly uint[] values = new uint[RTAX_MAX + 1];

    /// <summary>The metrics in an array, by number (<c>RTAX_*</c>).</summary>
    public static RouteMetrics From(ReadOnlySpan<uint> values)
    {
        RouteMetrics made = new();
        values.CopyTo(made.values);
        return made;
    }

    /// <summary>The metric with a number, <c>RTAX_*</c>.</summary>
    public uint this[int metric]
    {
        get => values[metric];
        init => values[metric] = value;
    }

    /// <summary>Whether path MTU discovery must not change the MTU (<c>ip route ... mtu lock</c>).</summary>
    public bool MtuLocked => (values[RTAX_LOCK] & 1 << RTAX_MTU) != 0;

    /// <inheritdoc/>
    public bool Equals(RouteMetrics? other) => other != null && values.AsSpan().SequenceEqual(other.values);

    /// <inheritdoc/>
    public override bool Equals(object? obj) => Equals(obj as RouteMetrics);

    /// <inheritdoc/>
    public override int GetHashCode()
    {
        HashCode hash = default;
        hash.AddBytes(MemoryMarshal.AsBytes<uint>(values));
        return hash.ToHashCode();
    }
}

/// <summary>One of several next hops of a route as a user describes it (<c>struct rtnexthop</c>).</summary>
[LinuxStruct("rtnexthop")]
public sealed record FibNexthopConfig
{
    /// <summary>Index of the device; 0 to find it by the gateway.</summary>
    public int Oif { get; init; }

    /// <summary>Gateway; 0 for none.</summary>
    public uint Gw { get; init; }

    /// <summary>Flags, <c>RTNH_F_ONLINK</c>.</summary>
    public uint Flags { get; init; }

    /// <summary>Share of the flows, 1 to 256.</summary>
    public int Weight { get; init; } = 1;
}

/// <summary>A route as a user describes it (<c>struct fib_config</c>).</summary>
[LinuxStruct("fib_config")]
public sealed record FibConfig
{
    /// <summary>Destination prefix; the bits behind its length have to be 0.</summary>
    public uint Dst { get; init; }

    /// <summary>Length of the prefix, 0 to 32.</summary>
    public int DstLen { get; init; }

    /// <summary>Type of service that the route is for; 0 for all.</summary>
    public byte Tos { get; init; }

    /// <summary>Table, <c>RT_TABLE_*</c>; 0 for the one that the type belongs in.</summary>
    public uint Table { get; init; }

    /// <summary>Who made the route, <c>RTPROT_*</c>.</summary>
    public byte Protocol { get; init; } = RTPROT_BOOT;

    /// <summary>Distance of the destination, <c>RT_SCOPE_*</c>; null for what type and gateway say.</summary>
    public byte? Scope { get; init; }

    /// <summary>What happens to packets, <c>RTN_*</c>.</summary>
    public byte Type { get; init; } = RTN_UNICAST;

    /// <summary>Order among routes to the same prefix; the lowest wins (<c>metric</c>).</summary>
    public uint Priority { get; init; }

    /// <summary>Index of the device; 0 to find it by the gateway.</summary>
    public int Oif { get; init; }

    /// <summary>Gateway; 0 for none.</summary>
    public uint Gw { get; init; }

    /// <summary>Several next hops; null for the one that <see cref="Gw"/> and <see cref="Oif"/> name.</summary>
    public IReadOnlyList<FibNexthopConfig>? Mp { get; init; }

    /// <summary>Source address for packets that have none; 0 for none.</summary>
    public uint Prefsrc { get; init; }

    /// <summary>Flags of the next hop, <c>RTNH_F_ONLINK</c>.</summary>
    public uint Flags { get; init; }

    /// <summary>Metrics.</summary>
    public RouteMetrics Metrics { get; init; } = RouteMetrics.None;

    /// <summary>What to do about routes that exist, <c>NLM_F_*</c>.</summary>
    public int NlFlags { get; init; } = NLM_F_CREATE | NLM_F_EXCL;
}

/// <summary>Where packets go: a gateway, or a link (<c>struct fib_nh</c>), with what was learned of paths over it.</summary>
[LinuxStruct("fib_nh_common")]
public sealed class FibNh
{
    private volatile Rtable? rthOutput;
    private volatile Rtable? rthInput;

    /// <summary>The device; null for routes that lead nowhere.</summary>
    public NetDevice? NhDev { get; internal set; }

    /// <summary>Index of the device.</summary>
    public int NhOif { get; internal set; }

    /// <summary>Gateway; 0 for none.</summary>
    public uint NhGw { get; internal set; }

    /// <summary>Share of the flows among several next hops, 1 to 256.</summary>
    public int NhWeight { get; internal set; } = 1;

    /// <summary>Scope of the gateway: <c>RT_SCOPE_LINK</c> when it is on the link.</summary>
    public byte NhScope { get; internal set; }

    /// <summary><c>RTNH_F_*</c></summary>
    public uint NhFlags { get; internal set; }

    /// <summary>Largest 31-bit flow hash that goes here; -1 for none (<c>fib_nh_upper_bound</c>).</summary>
    internal int NhUpperBound { get; set; }

    /// <summary>The route entry for packets that go out, shared by all flows without exceptions.</summary>
    internal Rtable? RthOutput
    {
        get => rthOutput;
        set => rthOutput = value;
    }

    /// <summary>The route entry for packets that came in.</summary>
    internal Rtable? RthInput
    {
        get => rthInput;
        set => rthInput = value;
    }

    /// <summary>What was learned of single destinations.</summary>
    internal FnheTable Exceptions { get; } = new();

    // Whether a flow may be sent here whatever the link's state (nh_comp).
    internal bool SameAs(FibNh other) =>
        NhDev == other.NhDev && NhOif == other.NhOif && NhGw == other.NhGw && NhScope == other.NhScope
        && NhWeight == other.NhWeight && ((NhFlags ^ other.NhFlags) & ~(uint)RTNH_COMPARE_MASK) == 0;
}

/// <summary>Everything of a route but its prefix; shared by the routes that have it in common (<c>struct fib_info</c>).</summary>
[LinuxStruct("fib_info")]
public sealed class FibInfo
{
    private volatile uint flags;

    /// <summary>Distance of the destination, <c>RT_SCOPE_*</c>.</summary>
    public byte FibScope { get; init; }

    /// <summary>Who made the route, <c>RTPROT_*</c>.</summary>
    public byte FibProtocol { get; init; }

    /// <summary>What happens to packets, <c>RTN_*</c>.</summary>
    public byte FibType { get; init; }

    /// <summary>Order among routes to the same prefix.</summary>
    public uint FibPriority { get; init; }

    /// <summary>Source address for packets that have none.</summary>
    public uint FibPrefsrc { get; init; }

    /// <summary>Table that the route was made for.</summary>
    public uint FibTbId { get; init; }

    /// <summary>Metrics.</summary>
    public RouteMetrics FibMetrics { get; init; } = RouteMetrics.None;

    /// <summary>The next hops; one at least.</summary>
    public FibNh[] Nhs { get; init; } = [new()];

    /// <summary>The first next hop.</summary>
    public FibNh Nh => Nhs[0];

    /// <summary><c>RTNH_F_*</c> of the route as a whole: what holds for all of its next hops.</summary>
    public uint FibFlags
    {
        get => flags;
        internal set => flags = value;
    }

    /// <summary>Whether its devices went down or its source address was taken away.</summary>
    public bool Dead
    {
        get => (flags & RTNH_F_DEAD) != 0;
        internal set => flags = value ? flags | RTNH_F_DEAD : flags & ~(uint)RTNH_F_DEAD;
    }

    /// <summary>How many routes share it; guarded by the lock of addresses.</summary>
    internal int Treeref { get; set; }

    internal int SharingHash => HashCode.Combine(FibScope, FibProtocol, FibType, FibPriority, FibPrefsrc, Nh.NhOif, Nh.NhGw);

    internal bool SameAs(FibInfo other)
    {
        if (FibScope != other.FibScope || FibProtocol != other.FibProtocol || FibType != other.FibType
            || FibPriority != other.FibPriority || FibPrefsrc != other.FibPrefsrc || FibTbId != other.FibTbId
            || !FibMetrics.Equals(other.FibMetrics) || ((flags ^ other.flags) & ~(uint)RTNH_COMPARE_MASK) != 0
            || Dead != other.Dead || Nhs.Length != other.Nhs.Length)
            return false;
        for (int i = 0; i < Nhs.Length; i++)
        {
            if (!Nhs[i].SameAs(other.Nhs[i]))
                return false;
        }

        return true;
    }
}

/// <summary>The <see cref="FibInfo"/>s in use, so that equal ones are shared. Guarded by the lock of addresses.</summary>
internal sealed class FibInfoTable
{
    private readonly Dictionary<int, List<FibInfo>> byHash = [];

    public IEnumerable<FibInfo> All => byHash.Values.SelectMany(list => list);

    /// <summary>The equal one that is in use already, or else this one, with a reference more (<c>fib_find_info</c>).</summary>
    public FibInfo Share(FibInfo info)
    {
        if (!byHash.TryGetValue(info.SharingHash, out List<FibInfo>? list))
            byHash.Add(info.SharingHash, list = []);
        FibInfo? same = list.Find(other => other.SameAs(info));
        if (same == null)
            list.Add(same = info);
        same.Treeref++;
        return same;
    }

    public void Release(FibInfo info)
    {
        if (--info.Treeref > 0)
            return;
        if (byHash.TryGetValue(info.SharingHash, out List<FibInfo>? list) && list.Remove(info) && list.Count == 0)
            byHash.Remove(info.SharingHash);
    }
}

/// <summary>A route to a prefix: one of possibly several (<c>struct fib_alias</c>).</summary>
/// <param name="info">All but the prefix.</param>
/// <param name="tos">Type of service that the route is for; 0 for all.</param>
/// <param name="type">What happens to packets, <c>RTN_*</c>.</param>
[LinuxStruct("fib_alias")]
public sealed class FibAlias(FibInfo info, byte tos, byte type)
{
    /// <summary>All but the prefix.</summary>
    public FibInfo Info { get; } = info;

    /// <summary>Type of service that the route is for; 0 for all.</summary>
    public byte Tos { get; } = tos;

    /// <summary>What happens to packets, <c>RTN_*</c>.</summary>
    public byte Type { get; } = type;

    /// <summary>Which of several default routes was chosen last; -1 for none (<c>fa_default</c>).</summary>
    internal volatile int Default = -1;
}

/// <summary>What a lookup found (<c>struct fib_result</c>).</summary>
[LinuxStruct("fib_result")]
public struct FibResult
{
    /// <summary>Prefix of the route.</summary>
    public uint Prefix;

    /// <summary>Length of the prefix.</summary>
    public int Prefixlen;

    /// <summary>What happens to packets, <c>RTN_*</c>.</summary>
    public byte Type;

    /// <summary>Distance of the destination, <c>RT_SCOPE_*</c>.</summary>
    public byte Scope;

    /// <summary>Type of service that the route is for; 0 for all.</summary>
    public byte Tos;

    /// <summary>The route; also set where a lookup answers with the error of the route.</summary>
    public FibInfo? Fi;

    /// <summary>The next hop.</summary>
    public FibNh? Nhc;

    /// <summary>The table.</summary>
    public FibTable? Table;

    /// <summary>The routes of the prefix.</summary>
    internal FibAlias[]? FaHead;
}
