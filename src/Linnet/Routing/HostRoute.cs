using System.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>What a route does with packets; Linux's numbers (<c>RTN_*</c>).</summary>
public enum RouteKind : byte
{
    /// <summary>They are sent to a next hop.</summary>
    Unicast = 1,

    /// <summary>They are for this host.</summary>
    Local = 2,

    /// <summary>They are for all hosts of a link.</summary>
    Broadcast = 3,

    /// <summary>They are for a group.</summary>
    Multicast = 5,

    /// <summary>They are dropped without a word; own ones fail with <c>EINVAL</c>.</summary>
    Blackhole = 6,

    /// <summary>Their senders get an ICMP host unreachable; own ones fail with <c>EHOSTUNREACH</c>.</summary>
    Unreachable = 7,

    /// <summary>Their senders get an ICMP communication prohibited; own ones fail with <c>EACCES</c>.</summary>
    Prohibit = 8,

    /// <summary>The lookup goes on with the next rule.</summary>
    Throw = 9,
}

/// <summary>Where a route sends packets.</summary>
/// <param name="Gateway">The next router; null when the destination is on the link.</param>
/// <param name="Interface">Name of the interface; null for the one that the gateway is on.</param>
public sealed record RouteNextHop(IPAddress? Gateway = null, string? Interface = null)
{
    /// <summary>Share of the flows among several next hops, 1 to 256.</summary>
    public int Weight { get; init; } = 1;

    /// <summary>Whether the gateway is taken to be on the link, whatever the addresses say.</summary>
    public bool IsOnLink { get; init; }
}

/// <summary>A route.</summary>
public sealed record HostRoute
{
    /// <summary>The network that it leads to; <c>0.0.0.0/0</c> is the default route.</summary>
    public required IPNetworkAddress Destination { get; init; }

    /// <summary>What happens to packets.</summary>
    public RouteKind Kind { get; init; } = RouteKind.Unicast;

    /// <summary>Where packets go; flows are divided among several. None for routes that lead nowhere.</summary>
    public IReadOnlyList<RouteNextHop> NextHops { get; init; } = [];

    /// <summary>Number of the table: 254 main, 255 local, 253 default, or any other.</summary>
    public uint Table { get; init; } = RT_TABLE_MAIN;

    /// <summary>Order among routes to the same network; the lowest wins.</summary>
    public uint Metric { get; init; }

    /// <summary>Type of service that the route is for; 0 for all.</summary>
    public byte TypeOfService { get; init; }

    /// <summary>Source address for packets that have none yet; null for the interface's.</summary>
    public IPAddress? Source { get; init; }

    /// <summary>Largest packet in bytes; null for the interface's.</summary>
    public int? Mtu { get; init; }

    /// <summary>Whether path MTU discovery must not change <see cref="Mtu"/>.</summary>
    public bool IsMtuLocked { get; init; }

    /// <summary>The MSS that TCP advertises, in bytes; null for what the MTU allows.</summary>
    public int? AdvertisedMss { get; init; }

    /// <summary>TCP's first congestion window in segments; null for ten.</summary>
    public int? InitialWindow { get; init; }

    internal FibConfig ToConfig(NetNamespace net, int flags)
    {
        uint[] metrics = new uint[RTAX_MAX + 1];
        metrics[RTAX_LOCK] = IsMtuLocked ? 1u << RTAX_MTU : 0;
        metrics[RTAX_MTU] = (uint)(Mtu ?? 0);
        metrics[RTAX_ADVMSS] = (uint)(AdvertisedMss ?? 0);
        metrics[RTAX_INITCWND] = (uint)(InitialWindow ?? 0);
        FibConfig cfg = new()
        {
            Dst = SocketAddresses.ToHostOrder(Destination.Address),
            DstLen = Destination.PrefixLength,
            Type = (byte)Kind,
            Table = Table,
            Priority = Metric,
            Tos = TypeOfService,
            Prefsrc = Source == null ? 0 : SocketAddresses.ToHostOrder(Source),
            Metrics = RouteMetrics.From(metrics),
            NlFlags = flags,
        };
        FibNexthopConfig[] hops = [.. NextHops.Select(hop => ToConfig(net, hop))];
        return hops.Length switch
        {
            0 => cfg,
            1 => cfg with { Gw = hops[0].Gw, Oif = hops[0].Oif, Flags = hops[0].Flags },
            _ => cfg with { Mp = hops },
        };
    }

    internal static HostRoute From(uint table, uint prefix, int length, FibAlias alias)
    {
        FibInfo fi = alias.Info;
        return new HostRoute
        {
            Destination = new IPNetworkAddress(SocketAddresses.FromHostOrder(prefix), length),
            Kind = (RouteKind)alias.Type,
            NextHops = [.. fi.Nhs.Where(nh => nh.NhDev != null).Select(From)],
            Table = table,
            Metric = fi.FibPriority,
            TypeOfService = alias.Tos,
            Source = fi.FibPrefsrc == 0 ? null : SocketAddresses.FromHostOrder(fi.FibPrefsrc),
            Mtu = Known(fi.FibMetrics[RTAX_MTU]),
            IsMtuLocked = fi.FibMetrics.MtuLocked,
            AdvertisedMss = Known(fi.FibMetrics[RTAX_ADVMSS]),
            InitialWindow = Known(fi.FibMetrics[RTAX_INITCWND]),
        };
    }

    private static int? Known(uint metric) => metric == 0 ? null : (int)metric;

    private static RouteNextHop From(FibNh nh) => new(nh.NhGw == 0 ? null : SocketAddresses.FromHostOrder(nh.NhGw), nh.NhDev!.Name)
    {
        Weight = nh.NhWeight,
        IsOnLink = (nh.NhFlags & RTNH_F_ONLINK) != 0,
    };

    private static FibNexthopConfig ToConfig(NetNamespace net, RouteNextHop hop) => new()
    {
        Gw = hop.Gateway == null ? 0 : SocketAddresses.ToHostOrder(hop.Gateway),
        Oif = hop.Interface == null ? 0 : HostRoutes.IndexOf(net, hop.Interface),
        Weight = hop.Weight,
        Flags = hop.IsOnLink ? (uint)RTNH_F_ONLINK : 0,
    };
}
