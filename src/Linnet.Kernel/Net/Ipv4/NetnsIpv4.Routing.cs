using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Addresses, routes and neighbours.</content>
public sealed partial class NetnsIpv4
{
    private FibTable[] fibTables = [];
    private int rtGenid;

    /// <summary>Settings that hold for all devices (<c>net.ipv4.conf.all</c>).</summary>
    public Ipv4DevconfTable DevconfAll { get; } = new();

    /// <summary>Settings that new devices start with (<c>net.ipv4.conf.default</c>).</summary>
    public Ipv4DevconfTable DevconfDflt { get; } = new();

    /// <summary>The neighbours (<c>arp_tbl</c>).</summary>
    public ArpTable ArpTbl { get; private set; } = null!;

    /// <summary>Local addresses of all devices; replaced whole.</summary>
    internal Dictionary<uint, InIfaddr> LocalAddresses { get; set => Volatile.Write(ref field, value); } = [];

    /// <summary>Taken to change addresses or routes (what Linux's rtnl lock is for here). Outermost of all locks of IPv4.</summary>
    internal Lock AddressLock { get; } = new();

    /// <summary>Route entries of an older generation are not used any more (<c>rt_genid</c>).</summary>
    internal int RtGenid => Volatile.Read(ref rtGenid);

    /// <summary>Guards the path MTU exceptions of all next hops (<c>fnhe_lock</c>).</summary>
    internal Lock FnheLock { get; } = new();

    /// <summary>Next hop descriptions in use, for sharing; guarded by <see cref="AddressLock"/>.</summary>
    internal FibInfoTable FibInfos { get; } = new();

    /// <summary>A route in the local table was not made for an address, so that source validation has to look in full.</summary>
    internal bool FibHasCustomLocalRoutes { get; set; }

    /// <summary>The tables in the order in which they are looked in: local, main, default.</summary>
    internal ReadOnlySpan<FibTable> FibTables => Volatile.Read(ref fibTables);

    /// <summary>The routing table with a number, or null.</summary>
    public FibTable? FibGetTable(uint id)
    {
        foreach (FibTable table in FibTables)
        {
            if (table.Id == id)
                return table;
        }

        return null;
    }

    /// <summary>All routing tables, in the order of their numbers.</summary>
    public IReadOnlyList<FibTable> FibAllTables() => [.. FibTables.ToArray().OrderBy(table => table.Id)];

    /// <summary>Makes all cached route entries obsolete (<c>rt_genid_bump_ipv4</c>).</summary>
    internal void BumpRtGenid() => Interlocked.Increment(ref rtGenid);

    partial void InitRouting()
    {
        fibTables = [new FibTable(RT_TABLE_LOCAL), new FibTable(RT_TABLE_MAIN), new FibTable(RT_TABLE_DEFAULT)];
        ArpTbl = new ArpTable(Net);
        rtGenid = (int)(Net.Machine.Random.NextU32() & 0xffff);
        InitSysctlDefaults();
    }
}
