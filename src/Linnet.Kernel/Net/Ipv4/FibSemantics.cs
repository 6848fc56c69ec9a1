using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What routes mean: types, next hops, and what happens to them when devices and addresses come and go.</summary>
[LinuxFile("net/ipv4/fib_semantics.c")]
public static partial class FibSemantics
{
    /// <summary>For each route type: the error that it stands for, and the nearest scope that it may have.</summary>
    internal static readonly (int Error, byte Scope)[] FibProps =
    [
        (0, RT_SCOPE_NOWHERE),              // RTN_UNSPEC
        (0, RT_SCOPE_UNIVERSE),             // RTN_UNICAST
        (0, RT_SCOPE_HOST),                 // RTN_LOCAL
        (0, RT_SCOPE_LINK),                 // RTN_BROADCAST
        (0, RT_SCOPE_LINK),                 // RTN_ANYCAST
        (0, RT_SCOPE_UNIVERSE),             // RTN_MULTICAST
        (-EINVAL, RT_SCOPE_UNIVERSE),       // RTN_BLACKHOLE
        (-EHOSTUNREACH, RT_SCOPE_UNIVERSE), // RTN_UNREACHABLE
        (-EACCES, RT_SCOPE_UNIVERSE),       // RTN_PROHIBIT
        (-EAGAIN, RT_SCOPE_UNIVERSE),       // RTN_THROW
        (-EINVAL, RT_SCOPE_NOWHERE),        // RTN_NAT
        (-EINVAL, RT_SCOPE_NOWHERE),        // RTN_XRESOLVE
    ];

    /// <summary>Checks a route and makes, or finds, what it shares with others. The lock of addresses is held.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("fib_create_info")]
    internal static int FibCreateInfo(NetNamespace net, FibConfig cfg, out FibInfo? info)
    {
        info = null;
        byte scope = cfg.Scope ?? DefaultScope(cfg);
        if (cfg.Type > RTN_MAX || FibProps[cfg.Type].Scope > scope)
            return -EINVAL;
        if ((cfg.Flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0)
            return -EINVAL;
        int err = IpMetricsConvert(cfg.Metrics, out RouteMetrics metrics);
        if (err < 0)
            return err;
        err = FibGetNhs(cfg, out FibNh[] nhs);
        if (err < 0)
            return err;
        err = CheckNexthops(net, cfg, scope, nhs, out uint flags);
        if (err < 0)
            return err;
        if (cfg.Prefsrc != 0 && FibProps[cfg.Type].Error == 0 && !FibValidPrefsrc(net, cfg, cfg.Prefsrc))
            return -EINVAL;
        FibInfo made = new()
        {
            FibScope = scope,
            FibProtocol = cfg.Protocol,
            FibType = cfg.Type,
            FibPriority = cfg.Priority,
            FibPrefsrc = cfg.Prefsrc,
            FibTbId = cfg.Table,
            FibFlags = cfg.Flags | flags,
            FibMetrics = metrics,
            Nhs = nhs,
        };
        FibRebalance(made);
        info = net.Ipv4.FibInfos.Share(made);
        return 0;
    }

    /// <summary>The source address that a route gives packets that have none (<c>fib_result_prefsrc</c>).</summary>
    [Linux("fib_result_prefsrc")]
    public static uint FibResultPrefsrc(in FibResult res)
    {
        if (res.Fi!.FibPrefsrc != 0)
            return res.Fi.FibPrefsrc;
        FibNh nh = res.Nhc!;
        return Devinet.InetSelectAddr(nh.NhDev!, nh.NhGw, res.Fi.FibScope);
    }

    /// <summary>Whether one of the next hops of a route is on a device (<c>fib_info_nh_uses_dev</c>).</summary>
    public static bool FibInfoNhUsesDev(FibInfo fi, NetDevice dev)
    {
        foreach (FibNh nh in fi.Nhs)
        {
            if (nh.NhDev == dev)
                return true;
        }

        return false;
    }

    /// <summary>Whether a route has the priority and next hops that are said (<c>fib_nh_match</c>).</summary>
    [Linux("fib_nh_match")]
    internal static bool FibNhMatch(FibConfig cfg, FibInfo fi)
    {
        if (cfg.Priority != 0 && cfg.Priority != fi.FibPriority)
            return false;
        if (cfg.Oif != 0 || cfg.Gw != 0)
            return (cfg.Oif == 0 || fi.Nh.NhOif == cfg.Oif) && (cfg.Gw == 0 || fi.Nh.NhGw == cfg.Gw);
        if (cfg.Mp is not { } hops)
            return true;
        for (int i = 0; i < hops.Count; i++)
        {
            if (i >= fi.Nhs.Length || (hops[i].Oif != 0 && hops[i].Oif != fi.Nhs[i].NhOif)
                || (hops[i].Gw != 0 && hops[i].Gw != fi.Nhs[i].NhGw))
                return false;
        }

        return true;
    }

    /// <summary>Whether a route has the metrics that are said (<c>fib_metrics_match</c>).</summary>
    [Linux("fib_metrics_match")]
    internal static bool FibMetricsMatch(FibConfig cfg, FibInfo fi)
    {
        for (int metric = RTAX_MTU; metric <= RTAX_MAX; metric++)
        {
            if (cfg.Metrics[metric] != 0 && cfg.Metrics[metric] != fi.FibMetrics[metric])
                return false;
        }

        return true;
    }

    /// <summary>Whether a next hop is a gateway's address on a device, for redirects (<c>ip_fib_check_default</c>).</summary>
    [Linux("ip_fib_check_default")]
    internal static bool IpFibCheckDefault(uint gw, NetDevice dev)
    {
        lock (dev.Net.Ipv4.AddressLock)
        {
            return dev.Net.Ipv4.FibInfos.All.Any(fi => Array.Exists(
                fi.Nhs, nh => nh.NhDev == dev && nh.NhGw == gw && (nh.NhFlags & RTNH_F_DEAD) == 0));
        }
    }

    private static byte DefaultScope(FibConfig cfg) => cfg.Type switch
    {
        RTN_LOCAL or RTN_NAT => RT_SCOPE_HOST,
        RTN_BROADCAST or RTN_ANYCAST => RT_SCOPE_LINK,
        RTN_MULTICAST => RT_SCOPE_LINK,
        RTN_UNICAST => (byte)(cfg.Gw == 0 && cfg.Mp == null ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
        _ => RT_SCOPE_UNIVERSE,
    };

    // The MTU leaves room for a total length of 16 bits, the MSS for the two headers.
    [Linux("ip_metrics_convert", "net/ipv4/metrics.c")]
    private static int IpMetricsConvert(RouteMetrics given, out RouteMetrics metrics)
    {
        const uint LargestMtu = 65535 - 15;
        const uint LargestAdvmss = 65535 - 40;
        metrics = given;
        if ((given[RTAX_FEATURES] & ~(uint)RTAX_FEATURE_MASK) != 0)
            return -EINVAL;
        if (given[RTAX_MTU] <= LargestMtu && given[RTAX_ADVMSS] <= LargestAdvmss && given[RTAX_HOPLIMIT] <= 255)
            return 0;
        uint[] values = [.. Enumerable.Range(0, RTAX_MAX + 1).Select(i => given[i])];
        values[RTAX_MTU] = Math.Min(values[RTAX_MTU], LargestMtu);
        values[RTAX_ADVMSS] = Math.Min(values[RTAX_ADVMSS], LargestAdvmss);
        values[RTAX_HOPLIMIT] = Math.Min(values[RTAX_HOPLIMIT], 255);
        metrics = RouteMetrics.From(values);
        return 0;
    }

    [Linux("fib_valid_prefsrc")]
    private static bool FibValidPrefsrc(NetNamespace net, FibConfig cfg, uint prefsrc)
    {
        if (cfg.Type == RTN_LOCAL && cfg.Dst != 0 && prefsrc == cfg.Dst)
            return true;
        if (InetAddrTypeIn(net, cfg.Table, prefsrc) == RTN_LOCAL)
            return true;
        return FibFrontend.InetAddrType(net, prefsrc) == RTN_LOCAL;
    }

    // What an address is to a table of its own (inet_addr_type_table).
    private static int InetAddrTypeIn(NetNamespace net, uint table, uint addr)
    {
        if (table is RT_TABLE_MAIN or RT_TABLE_LOCAL || net.Ipv4.FibGetTable(table) is not { } tb)
            return RTN_UNICAST;
        Flowi4 fl4 = new() { Daddr = addr };
        return tb.Lookup(in fl4, out FibResult res, 0) == 0 ? res.Type : RTN_UNICAST;
    }
}
