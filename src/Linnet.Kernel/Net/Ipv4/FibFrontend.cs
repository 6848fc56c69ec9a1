using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Looking up routes in all tables (<c>net/ip_fib.h</c>).</summary>
[LinuxFile("include/net/ip_fib.h")]
public static class IpFib
{
    /// <summary>Next hops over devices without a link are found too (<c>FIB_LOOKUP_IGNORE_LINKSTATE</c>).</summary>
    public const int FIB_LOOKUP_IGNORE_LINKSTATE = 2;

    /// <summary>
    /// Finds the route for a flow: as the policy rules say, or, as long as nobody changed these, in the local table, the main
    /// one, and the default one.
    /// </summary>
    /// <returns>0, the negative errno of the route's type or of a rule, or -ENETUNREACH.</returns>
    [Linux("fib_lookup")]
    public static int FibLookup(NetNamespace net, in Flowi4 flp, out FibResult res, int flags = 0)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        int err;
        if (ipv4.FibRules.HasCustomRules)
        {
            err = ipv4.FibRules.FibRulesLookup(in flp, flags, out res);
            return err == -ESRCH ? -ENETUNREACH : err;
        }

        err = LookupMerged(ipv4, in flp, out res, flags);
        if (err == -EAGAIN && ipv4.FibDefault is { } last)
            err = last.Lookup(in flp, out res, flags);
        return err == -EAGAIN ? -ENETUNREACH : err;
    }

    /// <summary>A lookup in the table of local addresses, which is one with the main table until there are rules.</summary>
    internal static int LookupLocal(NetnsIpv4 ipv4, in Flowi4 flp, out FibResult res) =>
        ipv4.FibRules.HasCustomRules ? ipv4.FibLocal.Lookup(in flp, out res, 0) : LookupMerged(ipv4, in flp, out res, 0);

    // Linux keeps both tables in one trie then: the longer prefix wins, and of equal ones the local table's.
    private static int LookupMerged(NetnsIpv4 ipv4, in Flowi4 flp, out FibResult res, int flags)
    {
        int err = ipv4.FibLocal.Lookup(in flp, out res, flags);
        if (res.Fi == null || res.Prefixlen < 32)
        {
            int mainErr = ipv4.FibMain.Lookup(in flp, out FibResult main, flags);
            if (main.Fi != null && (res.Fi == null || res.Prefixlen < main.Prefixlen))
            {
                res = main;
                err = mainErr;
            }
        }

        res.Table = ipv4.FibMain;
        return err;
    }
}

/// <summary>Users' view of the routes: adding, deleting, kinds of addresses, validation of sources.</summary>
[LinuxFile("net/ipv4/fib_frontend.c")]
public static partial class FibFrontend
{
    /// <summary>Adds a route (<c>ip route add</c>).</summary>
    /// <returns>0, -EEXIST, -ENETUNREACH (the gateway is not on a link), -ENODEV, -ENETDOWN, or -EINVAL.</returns>
    [Linux("inet_rtm_newroute")]
    public static int InetRtmNewroute(NetNamespace net, FibConfig cfg, NlInfo info = default)
    {
        lock (net.Ipv4.AddressLock)
        {
            int err = FibTableInsert(net, cfg, info);
            if (err < 0)
                return err;
            // Source validation then has to look in full.
            if (cfg.Type == RTN_LOCAL)
                net.Ipv4.FibHasCustomLocalRoutes = true;
        }

        Route.RtCacheFlush(net);
        return 0;
    }

    /// <summary>Deletes a route (<c>ip route del</c>): the first that has all that <paramref name="cfg"/> names.</summary>
    /// <returns>0 or -ESRCH.</returns>
    [Linux("inet_rtm_delroute")]
    public static int InetRtmDelroute(NetNamespace net, FibConfig cfg, NlInfo info = default)
    {
        lock (net.Ipv4.AddressLock)
        {
            int err = FibTableDelete(net, cfg, info);
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
        if (IpFib.LookupLocal(net.Ipv4, in fl4, out FibResult res) != 0)
            return RTN_UNICAST;
        return dev == null || FibSemantics.FibInfoNhUsesDev(res.Fi!, dev) ? res.Type : RTN_UNICAST;
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
            Flowi4 fl4 = new()
            {
                Flowi4Iif = Flowi4.LOOPBACK_IFINDEX,
                Daddr = source,
                Flowi4Tos = (byte)(skb.IpHdr.Tos & Flowi4.INET_DSCP_MASK),
                Flowi4Mark = InDevice.Get(dev)?.OrConf(Ipv4Devconf.SrcValidMark) == true ? skb.Mark : 0,
            };
            if (IpFib.FibLookup(dev.Net, in fl4, out FibResult res) == 0 && res.Nhc?.NhDev != null)
                return FibSemantics.FibResultPrefsrc(in res);
        }
        else
        {
            scope = RT_SCOPE_LINK;
        }

        return Devinet.InetSelectAddr(dev, source, scope);
    }
}
