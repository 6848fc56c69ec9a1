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
        tos &= IPTOS_TOS_MASK;
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
            return IpHandleMartianSource(net, dev, daddr, saddr, -EINVAL);
        if (Ipv4Addr.IsLbcast(daddr) || (saddr == 0 && daddr == 0))
            return BroadcastInput(skb, saddr, tos, dev, inDev, default);
        if (Ipv4Addr.IsZeronet(saddr) || Ipv4Addr.IsZeronet(daddr))
            return IpHandleMartianSource(net, dev, daddr, saddr, -EINVAL);
        if ((Ipv4Addr.IsLoopback(daddr) || Ipv4Addr.IsLoopback(saddr)) && (dev.Flags & IFF_LOOPBACK) == 0
            && !inDev.OrConf(Ipv4Devconf.RouteLocalnet))
            return IpHandleMartianSource(net, dev, daddr, saddr, -EINVAL);

        Flowi4 fl4 = new()
        {
            Flowi4Iif = dev.Ifindex,
            Flowi4Mark = skb.Mark,
            Flowi4Tos = tos,
            Daddr = daddr,
            Saddr = saddr,
        };
        int err = IpFib.FibLookup(net, in fl4, out FibResult res);
        if (err != 0)
            return NoRoute(skb, inDev, forwarding: Forwards(inDev), err);
        if (res.Type == RTN_BROADCAST)
        {
            if (inDev.AndConf(Ipv4Devconf.BcForwarding))
                return MkrouteInput(skb, in res, inDev, daddr, saddr, tos);
            return BroadcastInput(skb, saddr, tos, dev, inDev, in res);
        }

        if (res.Type == RTN_LOCAL)
        {
            err = FibFrontend.FibValidateSource(net, skb, saddr, daddr, tos, Flowi4.LOOPBACK_IFINDEX, dev, inDev);
            if (err < 0)
                return IpHandleMartianSource(net, dev, daddr, saddr, err);
            LocalInput(skb, 0, in res);
            return 0;
        }

        if (!Forwards(inDev))
            return NoRoute(skb, inDev, forwarding: false, -EHOSTUNREACH);
        if (res.Type != RTN_UNICAST)
            return IpHandleMartianSource(net, dev, daddr, saddr, -EINVAL);
        return MkrouteInput(skb, in res, inDev, daddr, saddr, tos);
    }

    private static bool Forwards(InDevice inDev) => inDev.Cnf[Ipv4Devconf.Forwarding] != 0;

    private static int BroadcastInput(SkBuff skb, uint saddr, byte tos, NetDevice dev, InDevice inDev, in FibResult res)
    {
        if (skb.Protocol != ETH_P_IP)
            return -EINVAL;
        if (!Ipv4Addr.IsZeronet(saddr))
        {
            int err = FibFrontend.FibValidateSource(dev.Net, skb, saddr, 0, tos, 0, dev, inDev);
            if (err < 0)
                return IpHandleMartianSource(dev.Net, dev, skb.IpHdr.Daddr, saddr, err);
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

    // The packet gets a route that answers with an error, as the sender is to be told.
    private static int NoRoute(SkBuff skb, InDevice inDev, bool forwarding, int err)
    {
        NetDevice dev = inDev.Dev;
        if (!forwarding)
        {
            // Not a router: dropped without a word (RFC 1122 section 3.2.1.3), counted as a wrong address.
            err = -EHOSTUNREACH;
        }

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

    [Linux("__mkroute_input")]
    private static int MkrouteInput(SkBuff skb, in FibResult res, InDevice inDev, uint daddr, uint saddr, byte tos)
    {
        NetNamespace net = inDev.Dev.Net;
        FibNh nh = res.Nhc!;
        NetDevice outDev = nh.NhDev!;
        int err = FibFrontend.FibValidateSource(net, skb, saddr, daddr, tos, outDev.Ifindex, inDev.Dev, inDev);
        if (err < 0)
            return IpHandleMartianSource(net, inDev.Dev, daddr, saddr, err);
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

    [Linux("ip_handle_martian_source")]
    private static int IpHandleMartianSource(NetNamespace net, NetDevice dev, uint daddr, uint saddr, int err)
    {
        if (InDevice.Get(dev)?.OrConf(Ipv4Devconf.LogMartians) == true)
        {
            net.Machine.Log.Write(
                LogLevel.Warning,
                $"IPv4: martian source {Ipv4Addr.Text(daddr)} from {Ipv4Addr.Text(saddr)}, on dev {dev.Name}");
        }

        return err;
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
            if (code >= 0 && ipv4.ErrorLimits.Allow(skb.IpHdr.Saddr, ipv4.Net.Machine.Clock.Jiffies))
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

/// <summary>
/// How many "unreachable" messages each sender still gets: a token a second, at most five at once, as Linux keeps in its
/// inet peers (<c>error_cost</c>, <c>error_burst</c>).
/// </summary>
internal sealed class PeerRateLimits(int capacity)
{
    private const int Cost = Clock.Hz;
    private const int Burst = 5 * Clock.Hz;

    private readonly Dictionary<uint, (long Tokens, long Last)> peers = [];

    /// <summary>Whether one more message may go to <paramref name="peer"/> now.</summary>
    public bool Allow(uint peer, long now) => Allow(peer, now, Cost, Burst);

    /// <summary>The same with a cost (ms for each message) and a burst (ms) of the caller's.</summary>
    public bool Allow(uint peer, long now, long cost, long burst)
    {
        lock (peers)
        {
            if (!peers.TryGetValue(peer, out (long Tokens, long Last) state))
            {
                // A flood from invented addresses must not take memory without end: old peers are forgotten all at once.
                if (peers.Count >= capacity)
                    peers.Clear();
                state = (burst, now);
            }

            long tokens = Math.Min(state.Tokens + now - state.Last, burst);
            bool allowed = tokens >= cost;
            peers[peer] = (allowed ? tokens - cost : tokens, now);
            return allowed;
        }
    }
}
