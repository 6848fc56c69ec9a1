using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Next hops: whether they can be reached, and what becomes of them with their devices.</content>
public static partial class FibSemantics
{
    private const int MostWeight = 256;

    /// <summary>Whether routes over a device are left alone while it has no link (<c>ip_ignore_linkdown</c>).</summary>
    internal static bool IpIgnoreLinkdown(NetDevice? dev) =>
        dev != null && InDevice.Get(dev)?.OrConf(Ipv4Devconf.IgnoreRoutesWithLinkdown) == true;

    /// <summary>Next hops over a device that lost its link, went down or goes away do not work any more.</summary>
    /// <param name="dev">The device.</param>
    /// <param name="what"><see cref="NetdevEvent.Change"/>, <see cref="NetdevEvent.Down"/> or <see cref="NetdevEvent.Unregister"/>.</param>
    /// <param name="force">Local addresses too; otherwise they stay, so that the host still answers for them.</param>
    /// <returns>How many routes have no next hop left.</returns>
    [Linux("fib_sync_down_dev")]
    internal static int FibSyncDownDev(NetDevice dev, NetdevEvent what, bool force)
    {
        int died = 0;
        uint flags = what == NetdevEvent.Change ? RTNH_F_LINKDOWN : (uint)(RTNH_F_LINKDOWN | RTNH_F_DEAD);
        foreach (FibInfo fi in dev.Net.Ipv4.FibInfos.All)
        {
            if (!FibInfoNhUsesDev(fi, dev))
                continue;
            int dead = 0;
            foreach (FibNh nh in fi.Nhs)
            {
                if ((nh.NhFlags & RTNH_F_DEAD) != 0)
                {
                    dead++;
                }
                else if (nh.NhDev == dev && (force || nh.NhScope != RT_SCOPE_NOWHERE))
                {
                    nh.NhFlags |= flags;
                    dead++;
                }

                if (what == NetdevEvent.Unregister && nh.NhDev == dev)
                {
                    dead = fi.Nhs.Length;
                    break;
                }
            }

            if (dead == fi.Nhs.Length)
            {
                fi.FibFlags |= flags;
                died++;
            }

            FibRebalance(fi);
        }

        return died;
    }

    /// <summary>Next hops over a device that came up, or has its link back, work again (<c>fib_sync_up</c>).</summary>
    [Linux("fib_sync_up")]
    internal static void FibSyncUp(NetDevice dev, uint flags)
    {
        if (!dev.IsUp)
            return;
        if ((flags & RTNH_F_DEAD) != 0 && dev.IsRunning)
            flags |= RTNH_F_LINKDOWN;
        foreach (FibInfo fi in dev.Net.Ipv4.FibInfos.All)
        {
            if (!FibInfoNhUsesDev(fi, dev))
                continue;
            int alive = 0;
            foreach (FibNh nh in fi.Nhs)
            {
                if ((nh.NhFlags & flags) == 0)
                {
                    alive++;
                }
                else if (nh.NhDev == dev && InDevice.Get(dev) != null)
                {
                    alive++;
                    nh.NhFlags &= ~flags;
                }
            }

            if (alive > 0)
                fi.FibFlags &= ~flags;
            FibRebalance(fi);
        }
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
            if (fi.FibPrefsrc != local || fi.FibTbId != RT_TABLE_MAIN || fi.Dead)
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
                foreach (FibNh nh in fi.Nhs)
                {
                    if (nh.NhDev == dev)
                        nh.Exceptions.Clear();
                }
            }
        }
    }

    [Linux("fib_get_nhs")]
    private static int FibGetNhs(FibConfig cfg, out FibNh[] nhs)
    {
        nhs = [new FibNh { NhOif = cfg.Oif, NhGw = cfg.Gw, NhFlags = cfg.Flags }];
        if (cfg.Mp is not { } hops)
            return 0;
        if (hops.Count == 0)
            return -EINVAL;
        nhs = new FibNh[hops.Count];
        for (int i = 0; i < nhs.Length; i++)
        {
            FibNexthopConfig hop = hops[i];
            if ((hop.Flags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0 || hop.Weight is < 1 or > MostWeight)
                return -EINVAL;
            nhs[i] = new FibNh { NhOif = hop.Oif, NhGw = hop.Gw, NhFlags = hop.Flags, NhWeight = hop.Weight };
        }

        // A gateway or a device beside several next hops has to be that of the first.
        bool same = (cfg.Oif == 0 || nhs[0].NhOif == cfg.Oif) && (cfg.Gw == 0 || nhs[0].NhGw == cfg.Gw);
        return same ? 0 : -EINVAL;
    }

    private static int CheckNexthops(NetNamespace net, FibConfig cfg, byte scope, FibNh[] nhs, out uint flags)
    {
        flags = 0;
        if (FibProps[cfg.Type].Error != 0)
            return cfg.Gw != 0 || cfg.Oif != 0 || cfg.Mp != null ? -EINVAL : 0;
        if (cfg.Type is not (RTN_UNICAST or RTN_LOCAL or RTN_BROADCAST or RTN_ANYCAST or RTN_MULTICAST))
            return -EINVAL;
        if (scope > RT_SCOPE_HOST)
            return -EINVAL;
        if (scope == RT_SCOPE_HOST)
        {
            // A local address: several ways or a gateway make no sense.
            if (nhs.Length != 1 || nhs[0].NhGw != 0)
                return -EINVAL;
            nhs[0].NhScope = RT_SCOPE_NOWHERE;
            nhs[0].NhDev = net.Devices.DevGetByIndex(cfg.Oif);
            return nhs[0].NhDev == null ? -ENODEV : 0;
        }

        foreach (FibNh nh in nhs)
        {
            int err = nh.NhGw != 0 ? FibCheckNhV4Gw(net, nh, cfg.Table, scope) : FibCheckNhNongw(net, nh);
            if (err < 0)
                return err;
        }

        if (Array.TrueForAll(nhs, nh => (nh.NhFlags & RTNH_F_LINKDOWN) != 0))
            flags |= RTNH_F_LINKDOWN;
        return 0;
    }

    /// <summary>A gateway has to be on a link: found by a route of a narrower scope than the new one.</summary>
    [Linux("fib_check_nh_v4_gw")]
    private static int FibCheckNhV4Gw(NetNamespace net, FibNh nh, uint table, byte scope)
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
        FibResult res = default;
        int err = -EAGAIN;
        if (table != RT_TABLE_MAIN && net.Ipv4.FibGetTable(table) is { } own)
            err = own.Lookup(in fl4, out res, IpFib.FIB_LOOKUP_IGNORE_LINKSTATE);
        // Links are in the other tables, as a rule.
        if (err != 0)
            err = IpFib.FibLookup(net, in fl4, out res, IpFib.FIB_LOOKUP_IGNORE_LINKSTATE);
        if (err < 0)
            return err;
        if (res.Type is not (RTN_UNICAST or RTN_LOCAL) || res.Nhc?.NhDev is not { } dev)
            return -EINVAL;
        nh.NhScope = res.Scope;
        nh.NhOif = dev.Ifindex;
        nh.NhDev = dev;
        NoteCarrier(nh, dev);
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
        NoteCarrier(nh, dev);
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
        NoteCarrier(nh, dev);
        nh.NhDev = dev;
        nh.NhScope = RT_SCOPE_HOST;
        return 0;
    }

    private static void NoteCarrier(FibNh nh, NetDevice dev)
    {
        if (!dev.IsRunning)
            nh.NhFlags |= RTNH_F_LINKDOWN;
    }
}
