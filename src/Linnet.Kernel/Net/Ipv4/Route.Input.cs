using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Routes of packets that came in.</content>
public static partial class Route
{
    /// <summary>Finds where a packet that came in goes, and leaves the route in the packet.</summary>
    /// <returns>
    /// 0, -EINVAL for addresses that cannot be on the wire, -EXDEV when the reverse path differs, -EHOSTUNREACH where
    /// this host does not forward.
    /// </returns>
    [Linux("ip_route_input", "include/net/route.h")]
    public static int IpRouteInput(SkBuff skb, uint daddr, uint saddr, byte tos, NetDevice dev)
    {
        tos &= Flowi4.INET_DSCP_MASK;
        return Ipv4Addr.IsMulticast(daddr)
            ? IpRouteInputMc(skb, daddr, saddr, tos, dev)
            : IpRouteInputSlow(skb, daddr, saddr, tos, dev);
    }

    [Linux("ip_route_input_mc")]
    private static int IpRouteInputMc(SkBuff skb, uint daddr, uint saddr, byte tos, NetDevice dev)
    {
        if (InDevice.Get(dev) is not { } inDev)
            return -EINVAL;
        if (!Igmp.IpCheckMcRcu(inDev, daddr, saddr, skb.IpHdr.Protocol))
            return -EINVAL;
        if (Ipv4Addr.IsMulticast(saddr) || Ipv4Addr.IsLbcast(saddr) || skb.Protocol != ETH_P_IP)
            return -EINVAL;
        if (Ipv4Addr.IsLoopback(saddr) && !inDev.OrConf(Ipv4Devconf.RouteLocalnet))
            return -EINVAL;
        if (Ipv4Addr.IsZeronet(saddr))
        {
            if (!Ipv4Addr.IsLocalMulticast(daddr) && skb.IpHdr.Protocol != IPPROTO_IGMP)
                return -EINVAL;
        }
        else
        {
            int err = FibFrontend.FibValidateSource(dev.Net, skb, saddr, 0, tos, 0, dev, inDev);
            if (err < 0)
                return err;
        }

        skb.Dst = new Rtable(dev.Net.LoopbackDev, Rtable.RTCF_MULTICAST | Rtable.RTCF_LOCAL, RTN_MULTICAST)
        {
            RtIsInput = true,
            RtIif = dev.Ifindex,
            OutputKind = RtOutput.RtBug,
        };
        return 0;
    }

    [Linux("ip_route_input_slow")]
    private static int IpRouteInputSlow(SkBuff skb, uint daddr, uint saddr, byte tos, NetDevice dev)
    {
        NetNamespace net = dev.Net;
        if (InDevice.Get(dev) is not { } inDev)
            return -EINVAL;
        if (Ipv4Addr.IsMulticast(saddr) || Ipv4Addr.IsLbcast(saddr))
            return IpHandleMartianSource(skb, inDev, daddr, saddr, -EINVAL);
        if (Ipv4Addr.IsLbcast(daddr) || (saddr == 0 && daddr == 0))
            return BroadcastInput(skb, daddr, saddr, tos, inDev, default);
        if (Ipv4Addr.IsZeronet(saddr))
            return IpHandleMartianSource(skb, inDev, daddr, saddr, -EINVAL);
        if (Ipv4Addr.IsZeronet(daddr))
            return MartianDestination(inDev, daddr, saddr);
        if ((dev.Flags & IFF_LOOPBACK) == 0 && !inDev.OrConf(Ipv4Devconf.RouteLocalnet))
        {
            if (Ipv4Addr.IsLoopback(daddr))
                return MartianDestination(inDev, daddr, saddr);
            if (Ipv4Addr.IsLoopback(saddr))
                return IpHandleMartianSource(skb, inDev, daddr, saddr, -EINVAL);
        }

        Flowi4 fl4 = new()
        {
            Flowi4Iif = dev.Ifindex,
            Flowi4Mark = skb.Mark,
            Flowi4Tos = tos,
            Daddr = daddr,
            Saddr = saddr,
        };
        Fib4RulesEarlyFlowDissect(net, skb, ref fl4);
        int err = IpFib.FibLookup(net, in fl4, out FibResult res);
        if (err != 0)
            return NoRoute(skb, inDev, Forwards(inDev) ? err : -EHOSTUNREACH);
        if (res.Type == RTN_BROADCAST)
        {
            return inDev.AndConf(Ipv4Devconf.BcForwarding)
                ? IpMkrouteInput(skb, ref res, inDev, daddr, saddr, tos)
                : BroadcastInput(skb, daddr, saddr, tos, inDev, in res);
        }

        if (res.Type == RTN_LOCAL)
        {
            err = FibFrontend.FibValidateSource(net, skb, saddr, daddr, tos, 0, dev, inDev);
            if (err < 0)
                return IpHandleMartianSource(skb, inDev, daddr, saddr, err);
            LocalInput(skb, 0, in res);
            return 0;
        }

        if (!Forwards(inDev))
            return NoRoute(skb, inDev, -EHOSTUNREACH);
        return res.Type != RTN_UNICAST
            ? MartianDestination(inDev, daddr, saddr)
            : IpMkrouteInput(skb, ref res, inDev, daddr, saddr, tos);
    }

    /// <summary>Where policy rules ask for them, the flow gets the packet's protocol and ports.</summary>
    /// <returns>Whether they were asked for.</returns>
    [Linux("fib4_rules_early_flow_dissect", "include/net/ip_fib.h")]
    internal static bool Fib4RulesEarlyFlowDissect(NetNamespace net, SkBuff skb, ref Flowi4 fl4)
    {
        // ARP asks for routes too; there is no packet to look into then.
        if (!net.Ipv4.FibRules.RequireFldissect || skb.Protocol != ETH_P_IP)
            return false;
        FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: true, out FlowKeys keys);
        fl4.Flowi4Proto = keys.IpProto;
        fl4.FlSport = keys.Sport;
        fl4.FlDport = keys.Dport;
        return true;
    }

    private static bool Forwards(InDevice inDev) => inDev.Cnf[Ipv4Devconf.Forwarding] != 0;

    private static int BroadcastInput(SkBuff skb, uint daddr, uint saddr, byte tos, InDevice inDev, in FibResult res)
    {
        NetDevice dev = inDev.Dev;
        if (skb.Protocol != ETH_P_IP)
            return -EINVAL;
        if (!Ipv4Addr.IsZeronet(saddr))
        {
            int err = FibFrontend.FibValidateSource(dev.Net, skb, saddr, 0, tos, 0, dev, inDev);
            if (err < 0)
                return IpHandleMartianSource(skb, inDev, daddr, saddr, err);
        }

        FibResult broadcast = res with { Type = RTN_BROADCAST };
        LocalInput(skb, Rtable.RTCF_BROADCAST, in broadcast);
        return 0;
    }

    private static void LocalInput(SkBuff skb, uint flags, in FibResult res)
    {
        NetDevice dev = skb.Dev!;
        FibNh? nh = res.Nhc;
        if (nh?.RthInput is { } cached && cached.Check() && cached.RtIif == dev.Ifindex)
        {
            skb.Dst = cached;
            return;
        }

        Rtable rt = new(dev.Net.LoopbackDev, flags | Rtable.RTCF_LOCAL, res.Type)
        {
            RtIsInput = true,
            RtIif = dev.Ifindex,
            OutputKind = RtOutput.RtBug,
        };
        if (nh != null)
            nh.RthInput = rt;
        skb.Dst = rt;
    }

    // The packet gets a route that answers with an error, as the sender is to be told. A host that is no router drops it
    // without a word (RFC 1122 section 3.2.1.3).
    private static int NoRoute(SkBuff skb, InDevice inDev, int err)
    {
        NetDevice dev = inDev.Dev;
        skb.Dst = new Rtable(dev.Net.LoopbackDev, 0, RTN_UNREACHABLE)
        {
            RtIsInput = true,
            RtIif = dev.Ifindex,
            InputKind = RtInput.Error,
            OutputKind = RtOutput.RtBug,
            Error = err,
        };
        return 0;
    }

    [Linux("ip_mkroute_input")]
    private static int IpMkrouteInput(SkBuff skb, ref FibResult res, InDevice inDev, uint daddr, uint saddr, byte tos)
    {
        if (res.Fi!.Nhs.Length > 1 && skb.Protocol == ETH_P_IP)
            FibSemantics.FibSelectMultipath(inDev.Dev.Net, ref res, FibMultipathHash(inDev.Dev.Net, default, skb), 0);
        return MkrouteInput(skb, in res, inDev, daddr, saddr, tos);
    }

    [Linux("__mkroute_input")]
    private static int MkrouteInput(SkBuff skb, in FibResult res, InDevice inDev, uint daddr, uint saddr, byte tos)
    {
        NetNamespace net = inDev.Dev.Net;
        FibNh nh = res.Nhc!;
        NetDevice outDev = nh.NhDev!;
        int err = FibFrontend.FibValidateSource(net, skb, saddr, daddr, tos, outDev.Ifindex, inDev.Dev, inDev);
        if (err < 0)
            return IpHandleMartianSource(skb, inDev, daddr, saddr, err);
        bool back = outDev == inDev.Dev;
        if (skb.Protocol == ETH_P_IP)
        {
            // The sender is on this link too and could have sent it there itself.
            if (back && err > 0 && inDev.OrConf(Ipv4Devconf.SendRedirects)
                && (inDev.OrConf(Ipv4Devconf.SharedMedia) || Devinet.InetAddrOnlink(inDev, saddr, nh.NhGw)))
                skb.IpCb.Flags |= InetSkbParm.IPSKB_DOREDIRECT;
        }
        else if (back && !inDev.OrConf(Ipv4Devconf.ProxyArpPvlan))
        {
            // For ARP: who asks reaches the address on this link without us.
            return -EINVAL;
        }

        FibNhException? fnhe = nh.Exceptions.Find(net, daddr);
        Rtable? cached = fnhe != null ? fnhe.RthInput : nh.RthInput;
        if (cached != null && cached.Check() && cached.RtIif == inDev.Dev.Ifindex)
        {
            skb.Dst = cached;
            return 0;
        }

        Rtable rt = new(outDev, 0, res.Type)
        {
            RtIsInput = true,
            RtIif = inDev.Dev.Ifindex,
            InputKind = RtInput.Forward,
        };
        RtSetNexthop(rt, daddr, in res, fnhe);
        if (fnhe != null)
            fnhe.RthInput = rt;
        else
            nh.RthInput = rt;
        skb.Dst = rt;
        return 0;
    }

    private static int MartianDestination(InDevice inDev, uint daddr, uint saddr)
    {
        LogMartian(inDev, "destination", daddr, saddr);
        return -EINVAL;
    }

    [Linux("ip_handle_martian_source")]
    private static int IpHandleMartianSource(SkBuff skb, InDevice inDev, uint daddr, uint saddr, int err)
    {
        // ARP looks for a route with whatever it was told.
        if (skb.Protocol == ETH_P_IP)
            LogMartian(inDev, "source", daddr, saddr);
        return err;
    }

    private static void LogMartian(InDevice inDev, string what, uint daddr, uint saddr)
    {
        NetDevice dev = inDev.Dev;
        NetnsIpv4 ipv4 = dev.Net.Ipv4;
        if (!inDev.OrConf(Ipv4Devconf.LogMartians) || !ipv4.MessageLimit.Allow(ipv4.Net.Machine.Clock.Jiffies))
            return;
        ipv4.Net.Machine.Log.Write(
            LogLevel.Warning,
            $"IPv4: martian {what} {Ipv4Addr.Text(daddr)} from {Ipv4Addr.Text(saddr)}, on dev {dev.Name}");
    }

    /// <summary>A packet that cannot be delivered: the sender is told, unless it asks too often. Takes over the packet.</summary>
    [Linux("ip_error")]
    internal static int IpError(SkBuff skb)
    {
        NetDevice dev = skb.Dev!;
        NetnsIpv4 ipv4 = dev.Net.Ipv4;
        InDevice? inDev = InDevice.Get(dev);
        int error = skb.Dst!.Error;
        if (inDev != null && !Forwards(inDev))
        {
            ipv4.IpStatistics.Inc(error == -ENETUNREACH ? IpstatsMib.InNoRoutes : IpstatsMib.InAddrErrors);
        }
        else if (inDev != null)
        {
            int code = error switch
            {
                -EHOSTUNREACH => ICMP_HOST_UNREACH,
                -ENETUNREACH => ICMP_NET_UNREACH,
                -EACCES => ICMP_PKT_FILTERED,
                _ => -1,
            };
            if (code == ICMP_NET_UNREACH)
                ipv4.IpStatistics.Inc(IpstatsMib.InNoRoutes);
            if (code >= 0 && ipv4.ErrorLimits.Allow(
                skb.IpHdr.Saddr, ipv4.Net.Machine.Clock.Jiffies, ipv4.SysctlIpRtErrorCost, ipv4.SysctlIpRtErrorBurst))
                Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, code, 0);
        }

        skb.Free();
        return 0;
    }

    /// <summary>A packet for this host was sent by the route that it came in by.</summary>
    [Linux("ip_rt_bug")]
    internal static int IpRtBug(SkBuff skb)
    {
        skb.Free();
        return 0;
    }
}
