using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Looking up routes in all tables (<c>net/ip_fib.h</c>).</summary>
[LinuxFile("include/net/ip_fib.h")]
public static class IpFib
{
    /// <summary>Finds the route for a flow: in the local table, then the main one, then the default one.</summary>
    /// <returns>0, the negative errno of the route's type, or -ENETUNREACH.</returns>
    [Linux("fib_lookup")]
    public static int FibLookup(NetNamespace net, in Flowi4 flp, out FibResult res)
    {
        foreach (FibTable table in net.Ipv4.FibTables)
        {
            int err = table.Lookup(in flp, out res, 0);
            if (err == -EAGAIN)
                continue;
            res.Table = table;
            return err;
        }

        res = default;
        return -ENETUNREACH;
    }
}

/// <summary>Users' view of the routes: adding, deleting, kinds of addresses, validation of sources.</summary>
[LinuxFile("net/ipv4/fib_frontend.c")]
public static partial class FibFrontend
{
    /// <summary>Adds a route (<c>ip route add</c>).</summary>
    /// <returns>0, -EEXIST, -ENETUNREACH (the gateway is not on a link), -ENODEV, -ENETDOWN, or -EINVAL.</returns>
    [Linux("inet_rtm_newroute")]
    public static int InetRtmNewroute(NetNamespace net, FibConfig cfg)
    {
        lock (net.Ipv4.AddressLock)
        {
            int err = FibTableInsert(net, cfg);
            if (err < 0)
                return err;
            if (cfg.Type == RTN_LOCAL)
                net.Ipv4.FibHasCustomLocalRoutes = true;
        }

        Route.RtCacheFlush(net);
        return 0;
    }

    /// <summary>Deletes a route (<c>ip route del</c>): the first that has all that <paramref name="cfg"/> names.</summary>
    /// <returns>0 or -ESRCH.</returns>
    [Linux("inet_rtm_delroute")]
    public static int InetRtmDelroute(NetNamespace net, FibConfig cfg)
    {
        lock (net.Ipv4.AddressLock)
        {
            int err = FibTableDelete(net, cfg);
            if (err < 0)
                return err;
        }

        Route.RtCacheFlush(net);
        return 0;
    }

    /// <summary>What an address is to this host (<c>inet_addr_type</c>).</summary>
    /// <returns><c>RTN_LOCAL</c>, <c>RTN_BROADCAST</c>, <c>RTN_MULTICAST</c> or <c>RTN_UNICAST</c>.</returns>
    [Linux("inet_addr_type")]
    public static int InetAddrType(NetNamespace net, uint addr) => InetDevAddrTypeCore(net, null, addr);

    /// <summary>The same, as far as routes of one device know (<c>inet_dev_addr_type</c>).</summary>
    [Linux("inet_dev_addr_type")]
    public static int InetDevAddrType(NetNamespace net, NetDevice? dev, uint addr) => InetDevAddrTypeCore(net, dev, addr);

    /// <summary>The same for any device, in the table that a device uses (<c>inet_addr_type_dev_table</c>).</summary>
    public static int InetAddrTypeDevTable(NetNamespace net, NetDevice? dev, uint addr) =>
        InetDevAddrTypeCore(net, null, addr);

    [Linux("__inet_dev_addr_type")]
    private static int InetDevAddrTypeCore(NetNamespace net, NetDevice? dev, uint addr)
    {
        if (Ipv4Addr.IsZeronet(addr) || addr == INADDR_BROADCAST)
            return RTN_BROADCAST;
        if (Ipv4Addr.IsMulticast(addr))
            return RTN_MULTICAST;
        Flowi4 fl4 = new() { Daddr = addr };
        FibTable? table = net.Ipv4.FibGetTable(RT_TABLE_LOCAL);
        if (table == null || table.Lookup(in fl4, out FibResult res, 0) != 0)
            return RTN_UNICAST;
        return dev == null || dev == res.Nhc!.NhDev ? res.Type : RTN_UNICAST;
    }

    /// <summary>
    /// The address that an answer to a received packet should come from: the packet's destination, or, when it was sent
    /// to several, the one that a route back would choose (RFC 1122 section 3.2.1.3; <c>fib_compute_spec_dst</c>).
    /// </summary>
    [Linux("fib_compute_spec_dst")]
    public static uint FibComputeSpecDst(SkBuff skb)
    {
        NetDevice dev = skb.Dev!;
        const uint Local = Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST | Rtable.RTCF_LOCAL;
        if (skb.Dst is Rtable rt && (rt.RtFlags & Local) == Rtable.RTCF_LOCAL)
            return skb.IpHdr.Daddr;
        uint source = skb.IpHdr.Saddr;
        int scope = RT_SCOPE_UNIVERSE;
        if (!Ipv4Addr.IsZeronet(source))
        {
            Flowi4 fl4 = new() { Flowi4Iif = Flowi4.LOOPBACK_IFINDEX, Daddr = source, Flowi4Tos = (byte)(skb.IpHdr.Tos & IPTOS_TOS_MASK) };
            if (IpFib.FibLookup(dev.Net, in fl4, out FibResult res) == 0 && res.Nhc?.NhDev != null)
                return FibSemantics.FibResultPrefsrc(in res);
        }
        else
        {
            scope = RT_SCOPE_LINK;
        }

        return Devinet.InetSelectAddr(dev, source, scope);
    }

    /// <summary>Checks that a packet from <paramref name="src"/> may come in by <paramref name="dev"/> (RFC 3704).</summary>
    /// <returns>0, 1 when the sender is on the link, -EINVAL for a martian, or -EXDEV when the reverse path differs.</returns>
    [Linux("fib_validate_source")]
    public static int FibValidateSource(
        NetNamespace net, SkBuff skb, uint src, uint dst, byte tos, int oif, NetDevice dev, InDevice inDev)
    {
        int rpf = inDev.MaxConf(Ipv4Devconf.RpFilter);
        if (rpf == 0 && !net.Ipv4.FibHasCustomLocalRoutes && dev.Ifindex != oif)
        {
            if (inDev.OrConf(Ipv4Devconf.AcceptLocal))
                return 0;
            return Devinet.InetLookupIfaddr(net, src) != null ? -EINVAL : 0;
        }

        Flowi4 fl4 = new()
        {
            Flowi4Iif = oif != 0 ? oif : Flowi4.LOOPBACK_IFINDEX,
            Daddr = src,
            Saddr = dst,
            Flowi4Tos = tos,
            Flowi4Mark = inDev.OrConf(Ipv4Devconf.SrcValidMark) ? skb.Mark : 0,
        };
        if (IpFib.FibLookup(net, in fl4, out FibResult res) != 0)
            return rpf != 0 ? -EXDEV : 0;
        if (res.Type != RTN_UNICAST && (res.Type != RTN_LOCAL || !inDev.OrConf(Ipv4Devconf.AcceptLocal)))
            return -EINVAL;
        if (FibSemantics.FibInfoNhUsesDev(res.Fi!, dev))
            return res.Nhc!.NhScope >= RT_SCOPE_HOST ? 1 : 0;
        if (inDev.IfaList.Length == 0)
            return rpf != 0 ? -EXDEV : 0;
        if (rpf == 1)
            return -EXDEV;
        fl4.Flowi4Oif = dev.Ifindex;
        if (IpFib.FibLookup(net, in fl4, out res) != 0 || res.Type != RTN_UNICAST)
            return 0;
        return res.Nhc!.NhScope >= RT_SCOPE_HOST ? 1 : 0;
    }

    private static uint TableOf(FibConfig cfg)
    {
        if (cfg.Table != 0)
            return cfg.Table;
        return cfg.Type is RTN_LOCAL or RTN_BROADCAST or RTN_ANYCAST or RTN_NAT ? (uint)RT_TABLE_LOCAL : RT_TABLE_MAIN;
    }

    [Linux("fib_table_insert", "net/ipv4/fib_trie.c")]
    private static int FibTableInsert(NetNamespace net, FibConfig cfg)
    {
        cfg = cfg with { Table = TableOf(cfg) };
        if (net.Ipv4.FibGetTable(cfg.Table) is not { } table)
            return -EOPNOTSUPP;
        if (cfg.DstLen is < 0 or > 32 || (cfg.Dst & ~InIfaddr.InetMakeMask(cfg.DstLen)) != 0)
            return -EINVAL;
        int err = FibSemantics.FibCreateInfo(net, cfg, out FibInfo? fi);
        if (err < 0)
            return err;
        err = InsertAlias(net, table, cfg, fi!);
        if (err < 0)
            net.Ipv4.FibInfos.Release(fi!);
        return err;
    }

    // Routes of one prefix are ordered by type of service, most specific first, then by priority.
    private static int InsertAlias(NetNamespace net, FibTable table, FibConfig cfg, FibInfo fi)
    {
        List<FibAlias> list = [.. table.Find(cfg.Dst, cfg.DstLen)];
        FibAlias made = new(fi, cfg.Tos, cfg.Type);
        int first = list.FindIndex(fa => fa.Tos == cfg.Tos && fa.Info.FibPriority == fi.FibPriority);
        if (first >= 0)
        {
            if ((cfg.NlFlags & NLM_F_EXCL) != 0)
                return -EEXIST;
            if (list.Exists(fa => fa.Tos == cfg.Tos && fa.Type == cfg.Type && fa.Info == fi))
            {
                if ((cfg.NlFlags & NLM_F_REPLACE) == 0 || list[first].Info != fi)
                    return -EEXIST;
                net.Ipv4.FibInfos.Release(fi);
                return 0;
            }

            if ((cfg.NlFlags & NLM_F_REPLACE) != 0)
            {
                net.Ipv4.FibInfos.Release(list[first].Info);
                list[first] = made;
                table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
                return 0;
            }
        }

        if ((cfg.NlFlags & NLM_F_CREATE) == 0)
            return -ENOENT;
        bool append = (cfg.NlFlags & NLM_F_APPEND) != 0;
        int at = list.FindIndex(fa => fa.Tos < cfg.Tos
            || (fa.Tos == cfg.Tos && (append ? fa.Info.FibPriority > fi.FibPriority : fa.Info.FibPriority >= fi.FibPriority)));
        list.Insert(at < 0 ? list.Count : at, made);
        table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
        return 0;
    }

    [Linux("fib_table_delete", "net/ipv4/fib_trie.c")]
    private static int FibTableDelete(NetNamespace net, FibConfig cfg)
    {
        if (net.Ipv4.FibGetTable(TableOf(cfg)) is not { } table)
            return -ESRCH;
        List<FibAlias> list = [.. table.Find(cfg.Dst, cfg.DstLen)];
        int at = list.FindIndex(fa => fa.Tos == cfg.Tos
            && (cfg.Type == 0 || fa.Type == cfg.Type)
            && (cfg.Scope == null || fa.Info.FibScope == cfg.Scope)
            && (cfg.Prefsrc == 0 || fa.Info.FibPrefsrc == cfg.Prefsrc)
            && (cfg.Protocol == 0 || fa.Info.FibProtocol == cfg.Protocol)
            && (cfg.Priority == 0 || fa.Info.FibPriority == cfg.Priority)
            && (cfg.Oif == 0 || fa.Info.Nh.NhOif == cfg.Oif)
            && (cfg.Gw == 0 || fa.Info.Nh.NhGw == cfg.Gw));
        if (at < 0)
            return -ESRCH;
        net.Ipv4.FibInfos.Release(list[at].Info);
        list.RemoveAt(at);
        table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
        return 0;
    }

    // Routes that died are taken out.
    [Linux("fib_flush")]
    private static void FibFlush(NetNamespace net)
    {
        foreach (FibTable table in net.Ipv4.FibTables)
        {
            foreach (var prefix in table.Snapshot().GroupBy(route => (route.Prefix, route.Length)))
            {
                if (prefix.All(route => !route.Alias.Info.Dead))
                    continue;
                foreach (var route in prefix.Where(route => route.Alias.Info.Dead))
                    net.Ipv4.FibInfos.Release(route.Alias.Info);
                table.Replace(prefix.Key.Prefix, prefix.Key.Length,
                    [.. prefix.Select(route => route.Alias).Where(fa => !fa.Info.Dead)]);
            }
        }

        Route.RtCacheFlush(net);
    }
}
