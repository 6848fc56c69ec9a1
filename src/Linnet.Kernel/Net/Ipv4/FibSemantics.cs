using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What routes mean: types, next hops, and what happens to them when devices and addresses come and go.</summary>
[LinuxFile("net/ipv4/fib_semantics.c")]
public static class FibSemantics
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
        FibNh nh = new() { NhOif = cfg.Oif, NhGw = cfg.Gw, NhFlags = cfg.Flags };
        int err = CheckNexthop(net, cfg, scope, nh);
        if (err < 0)
            return err;
        if (cfg.Prefsrc != 0 && !FibValidPrefsrc(net, cfg, cfg.Prefsrc))
            return -EINVAL;
        FibInfo made = new()
        {
            FibScope = scope,
            FibProtocol = cfg.Protocol,
            FibType = cfg.Type,
            FibPriority = cfg.Priority,
            FibPrefsrc = cfg.Prefsrc,
            FibTbId = cfg.Table,
            FibMetrics = Limit(cfg.Metrics),
            Nhs = [nh],
        };
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

    /// <summary>Whether the next hop of a route is on a device (<c>fib_info_nh_uses_dev</c>).</summary>
    public static bool FibInfoNhUsesDev(FibInfo fi, NetDevice dev) => fi.Nh.NhDev == dev;

    /// <summary>The next hops over a device that went down do not work any more (<c>fib_sync_down_dev</c>).</summary>
    /// <returns>How many routes died.</returns>
    [Linux("fib_sync_down_dev")]
    internal static int FibSyncDownDev(NetDevice dev, bool force)
    {
        int died = 0;
        foreach (FibInfo fi in dev.Net.Ipv4.FibInfos.All)
        {
            // Routes to local addresses stay while the device is only down, so that the host still answers for them.
            if (fi.Nh.NhDev != dev || fi.Dead || (fi.FibScope == RT_SCOPE_HOST && !force))
                continue;
            fi.Nh.NhFlags |= RTNH_F_DEAD;
            fi.Dead = true;
            died++;
        }

        return died;
    }

    /// <summary>Routes with a preferred source that is local no more die (<c>fib_sync_down_addr</c>).</summary>
    [Linux("fib_sync_down_addr")]
    internal static int FibSyncDownAddr(NetDevice dev, uint local)
    {
        int died = 0;
        if (local == 0)
            return 0;
        foreach (FibInfo fi in dev.Net.Ipv4.FibInfos.All)
        {
            if (fi.FibPrefsrc != local || fi.Dead)
                continue;
            fi.Dead = true;
            died++;
        }

        return died;
    }

    /// <summary>Path MTUs that were learned over a device may be wrong after its MTU changed (<c>fib_sync_mtu</c>).</summary>
    [Linux("fib_sync_mtu")]
    internal static void FibSyncMtu(NetDevice dev)
    {
        lock (dev.Net.Ipv4.AddressLock)
        {
            foreach (FibInfo fi in dev.Net.Ipv4.FibInfos.All)
            {
                if (fi.Nh.NhDev == dev)
                    fi.Nh.Exceptions.Clear();
            }
        }
    }

    private static byte DefaultScope(FibConfig cfg) => cfg.Type switch
    {
        RTN_LOCAL or RTN_NAT => RT_SCOPE_HOST,
        RTN_BROADCAST or RTN_ANYCAST => RT_SCOPE_LINK,
        RTN_MULTICAST => RT_SCOPE_LINK,
        RTN_UNICAST => (byte)(cfg.Gw == 0 ? RT_SCOPE_LINK : RT_SCOPE_UNIVERSE),
        _ => RT_SCOPE_UNIVERSE,
    };

    // fib_metrics_match's ranges: the MTU leaves room for a total length of 16 bits, the MSS for the two headers.
    private static RouteMetrics Limit(RouteMetrics given)
    {
        const uint LargestMtu = 65535 - 15;
        const uint LargestAdvmss = 65535 - 40;
        if (given[RTAX_MTU] <= LargestMtu && given[RTAX_ADVMSS] <= LargestAdvmss && given[RTAX_HOPLIMIT] <= 255)
            return given;
        uint[] values = [.. Enumerable.Range(0, RTAX_MAX + 1).Select(i => given[i])];
        return new RouteMetrics
        {
            [RTAX_LOCK] = values[RTAX_LOCK],
            [RTAX_MTU] = Math.Min(values[RTAX_MTU], LargestMtu),
            [RTAX_WINDOW] = values[RTAX_WINDOW],
            [RTAX_RTT] = values[RTAX_RTT],
            [RTAX_RTTVAR] = values[RTAX_RTTVAR],
            [RTAX_SSTHRESH] = values[RTAX_SSTHRESH],
            [RTAX_CWND] = values[RTAX_CWND],
            [RTAX_ADVMSS] = Math.Min(values[RTAX_ADVMSS], LargestAdvmss),
            [RTAX_REORDERING] = values[RTAX_REORDERING],
            [RTAX_HOPLIMIT] = Math.Min(values[RTAX_HOPLIMIT], 255),
            [RTAX_INITCWND] = values[RTAX_INITCWND],
            [RTAX_FEATURES] = values[RTAX_FEATURES],
            [RTAX_RTO_MIN] = values[RTAX_RTO_MIN],
            [RTAX_INITRWND] = values[RTAX_INITRWND],
            [RTAX_QUICKACK] = values[RTAX_QUICKACK],
        };
    }

    private static int CheckNexthop(NetNamespace net, FibConfig cfg, byte scope, FibNh nh)
    {
        if (FibProps[cfg.Type].Error != 0)
            return cfg.Gw != 0 || cfg.Oif != 0 ? -EINVAL : 0;
        if (cfg.Type is not (RTN_UNICAST or RTN_LOCAL or RTN_BROADCAST or RTN_ANYCAST or RTN_MULTICAST))
            return -EINVAL;
        if (scope > RT_SCOPE_HOST)
            return -EINVAL;
        if (scope == RT_SCOPE_HOST)
        {
            // A local address: the gateway makes no sense.
            if (cfg.Gw != 0)
                return -EINVAL;
            nh.NhScope = RT_SCOPE_NOWHERE;
            nh.NhDev = net.Devices.DevGetByIndex(cfg.Oif);
            return nh.NhDev == null ? -ENODEV : 0;
        }

        return cfg.Gw != 0 ? FibCheckNhV4Gw(net, nh, scope) : FibCheckNhNongw(net, nh);
    }

    [Linux("fib_check_nh_v4_gw")]
    private static int FibCheckNhV4Gw(NetNamespace net, FibNh nh, byte scope)
    {
        if ((nh.NhFlags & RTNH_F_ONLINK) != 0)
            return CheckOnlink(net, nh, scope);
        Flowi4 fl4 = new()
        {
            Daddr = nh.NhGw,
            Flowi4Scope = (byte)Math.Max(scope + 1, RT_SCOPE_LINK),
            Flowi4Oif = nh.NhOif,
            Flowi4Iif = Flowi4.LOOPBACK_IFINDEX,
        };
        int err = IpFib.FibLookup(net, in fl4, out FibResult res);
        if (err < 0)
            return err;
        if (res.Type is not (RTN_UNICAST or RTN_LOCAL))
            return -EINVAL;
        if (res.Nhc?.NhDev is not { } dev)
            return -EINVAL;
        nh.NhScope = res.Scope;
        nh.NhOif = dev.Ifindex;
        nh.NhDev = dev;
        return dev.IsUp ? 0 : -ENETDOWN;
    }

    private static int CheckOnlink(NetNamespace net, FibNh nh, byte scope)
    {
        if (scope >= RT_SCOPE_LINK)
            return -EINVAL;
        if (net.Devices.DevGetByIndex(nh.NhOif) is not { } dev)
            return -ENODEV;
        if (!dev.IsUp)
            return -ENETDOWN;
        if (FibFrontend.InetAddrTypeDevTable(net, dev, nh.NhGw) != RTN_UNICAST)
            return -EINVAL;
        nh.NhDev = dev;
        nh.NhScope = RT_SCOPE_LINK;
        return 0;
    }

    [Linux("fib_check_nh_nongw")]
    private static int FibCheckNhNongw(NetNamespace net, FibNh nh)
    {
        if ((nh.NhFlags & (RTNH_F_PERVASIVE | RTNH_F_ONLINK)) != 0)
            return -EINVAL;
        if (net.Devices.DevGetByIndex(nh.NhOif) is not { } dev || InDevice.Get(dev) == null)
            return -ENODEV;
        if (!dev.IsUp)
            return -ENETDOWN;
        nh.NhDev = dev;
        nh.NhScope = RT_SCOPE_HOST;
        return 0;
    }

    [Linux("fib_valid_prefsrc")]
    private static bool FibValidPrefsrc(NetNamespace net, FibConfig cfg, uint prefsrc)
    {
        if (cfg.Type == RTN_LOCAL && cfg.Dst != 0 && prefsrc == cfg.Dst)
            return true;
        return FibFrontend.InetAddrType(net, prefsrc) == RTN_LOCAL;
    }
}
