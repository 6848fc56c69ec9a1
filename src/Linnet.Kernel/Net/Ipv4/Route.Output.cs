using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Route entries for packets that go out, that come in, and what is learned of paths.</summary>
[LinuxFile("net/ipv4/route.c")]
public static partial class Route
{
    /// <summary>Index of every namespace's loopback device.</summary>
    public const int LOOPBACK_IFINDEX = Flowi4.LOOPBACK_IFINDEX;

    /// <summary>Finds the route of a flow for a socket, after which the flow's addresses are filled in.</summary>
    /// <returns>0, or a negative errno (-ENETUNREACH, -EHOSTUNREACH, -EACCES, -EINVAL, -ENODEV).</returns>
    [Linux("ip_route_output_flow")]
    public static int IpRouteOutputFlow(NetNamespace net, ref Flowi4 flp4, Sock? sk, out Rtable? rt) =>
        IpRouteOutputKeyHash(net, ref flp4, out rt);

    /// <summary>Finds the route of a flow, after which the flow's addresses are filled in (<c>ip_route_output_key</c>).</summary>
    public static int IpRouteOutputKey(NetNamespace net, ref Flowi4 flp4, out Rtable? rt) =>
        IpRouteOutputKeyHash(net, ref flp4, out rt);

    /// <summary>
    /// Finds the route of a socket that connects: first by the destination alone where the source is not known yet, then
    /// with both (<c>ip_route_connect</c>).
    /// </summary>
    [Linux("ip_route_connect", "include/net/route.h")]
    public static int IpRouteConnect(
        ref Flowi4 fl4, uint dst, uint src, int oif, byte protocol, ushort sport, ushort dport, Sock sk, out Rtable? rt)
    {
        InetSock inet = (InetSock)sk;
        byte flags = inet.Test(InetFlags.Transparent) ? Flowi4.FLOWI_FLAG_ANYSRC : (byte)0;
        fl4 = Flowi4.InitOutput(
            oif, sk.SkMark, IpSockRtTos(inet), IpSockRtScope(inet), protocol, flags, dst, src, dport, sport, sk.SkUid);
        if (dst == 0 || src == 0)
        {
            int err = IpRouteOutputKey(sk.SkNet, ref fl4, out rt);
            if (err < 0)
                return err;
            fl4.UpdateOutput(oif, fl4.Daddr, fl4.Saddr);
        }

        return IpRouteOutputFlow(sk.SkNet, ref fl4, sk, out rt);
    }

    /// <summary>The route may be another once the ports are known (<c>ip_route_newports</c>).</summary>
    [Linux("ip_route_newports", "include/net/route.h")]
    public static int IpRouteNewports(
        ref Flowi4 fl4, ref Rtable? rt, ushort origSport, ushort origDport, ushort sport, ushort dport, Sock sk)
    {
        if (sport == origSport && dport == origDport)
            return 0;
        fl4.FlDport = dport;
        fl4.FlSport = sport;
        fl4.UpdateOutput(sk.SkcBoundDevIf, fl4.Daddr, fl4.Saddr);
        return IpRouteOutputFlow(sk.SkNet, ref fl4, sk, out rt);
    }

    /// <summary>Type of service that a socket's routes are looked up with (<c>ip_sock_rt_tos</c>).</summary>
    public static byte IpSockRtTos(InetSock inet) => (byte)(inet.Tos & Flowi4.INET_DSCP_MASK);

    /// <summary>How far a socket's destinations may be: on the link with <c>SO_DONTROUTE</c> (<c>ip_sock_rt_scope</c>).</summary>
    public static byte IpSockRtScope(InetSock inet) =>
        inet.SockFlag(SockFlags.Localroute) ? (byte)RT_SCOPE_LINK : (byte)RT_SCOPE_UNIVERSE;

    /// <summary>The address of this host that a packet leaves by (<c>ip_rt_get_source</c>).</summary>
    [Linux("ip_rt_get_source")]
    internal static uint IpRtGetSource(SkBuff skb)
    {
        Rtable rt = (Rtable)skb.Dst!;
        Iphdr iph = skb.IpHdr;
        if (!rt.RtIsInput)
            return iph.Saddr;
        NetNamespace net = rt.Dev.Net;
        Flowi4 fl4 = new()
        {
            Daddr = iph.Daddr,
            Saddr = iph.Saddr,
            Flowi4Tos = (byte)(iph.Tos & Flowi4.INET_DSCP_MASK),
            Flowi4Oif = rt.Dev.Ifindex,
            Flowi4Iif = skb.Dev!.Ifindex,
            Flowi4Mark = skb.Mark,
        };
        return IpFib.FibLookup(net, in fl4, out FibResult res) == 0
            ? FibSemantics.FibResultPrefsrc(in res)
            : Devinet.InetSelectAddr(rt.Dev, rt.Nexthop(iph.Daddr), RT_SCOPE_UNIVERSE);
    }

    /// <summary>Finds the way of a packet that this host sends, or would get by <paramref name="iif"/> (<c>ip route get</c>).</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="fl4">The flow; filled in.</param>
    /// <param name="iif">The device that the packet would come in by; null for an own one.</param>
    /// <param name="rt">The way.</param>
    /// <param name="res">The route that leads there, as far as there is one.</param>
    /// <param name="flags"><c>RTCF_*</c> of the way.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("inet_rtm_getroute")]
    public static int InetRtmGetroute(
        NetNamespace net, ref Flowi4 fl4, NetDevice? iif, out Rtable? rt, out FibResult res, out uint flags)
    {
        int err;
        flags = 0;
        Flowi4 asked = fl4;
        if (iif == null)
        {
            err = IpRouteOutputKey(net, ref fl4, out rt);
        }
        else
        {
            SkBuff skb = NewProbe(net, in fl4, iif);
            err = IpRouteInput(skb, fl4.Daddr, fl4.Saddr, fl4.Flowi4Tos, iif) < 0 ? -EINVAL : 0;
            rt = skb.Dst as Rtable;
            skb.Dst = null;
            if ((skb.IpCb.Flags & InetSkbParm.IPSKB_DOREDIRECT) != 0)
                flags |= Rtable.RTCF_DOREDIRECT;
            skb.Free();
            if (err == 0 && rt!.Error != 0)
                err = rt.Error;
        }

        asked.Flowi4Iif = iif?.Ifindex ?? Flowi4.LOOPBACK_IFINDEX;
        // Of some destinations no table is asked.
        bool far = iif == null && asked.Flowi4Oif != 0 && !Ipv4Addr.IsLocalMulticast(asked.Daddr);
        bool one = asked.Daddr != 0 && !Ipv4Addr.IsLbcast(asked.Daddr) && (far || !Ipv4Addr.IsMulticast(asked.Daddr));
        bool asks = one || (iif == null && asked is { Daddr: not 0, Flowi4Oif: 0, Saddr: 0 });
        res = default;
        if (asks && IpFib.FibLookup(net, in asked, out res) != 0)
            res = default;
        flags |= rt?.RtFlags ?? 0;
        return err;
    }

    // A packet with the headers that rules and hashes look at.
    private static SkBuff NewProbe(NetNamespace net, in Flowi4 fl4, NetDevice iif)
    {
        SkBuff skb = net.SkbPool.Alloc(Iphdr.Size + 8);
        skb.ResetNetworkHeader();
        Span<byte> packet = skb.Put(Iphdr.Size + 8);
        packet.Clear();
        _ = new Iphdr(packet)
        {
            VersionIhl = 0x45,
            Tos = fl4.Flowi4Tos,
            TotLen = (ushort)packet.Length,
            Protocol = fl4.Flowi4Proto,
            Saddr = fl4.Saddr,
            Daddr = fl4.Daddr,
        };
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(packet[Iphdr.Size..], fl4.FlSport);
        System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(packet[(Iphdr.Size + 2)..], fl4.FlDport);
        skb.Dev = iif;
        skb.Protocol = ETH_P_IP;
        skb.Mark = fl4.Flowi4Mark;
        return skb;
    }

    /// <summary>Makes all route entries obsolete (<c>rt_cache_flush</c>).</summary>
    [Linux("rt_cache_flush")]
    public static void RtCacheFlush(NetNamespace net) => net.Ipv4.BumpRtGenid();

    [Linux("ip_route_output_key_hash")]
    private static int IpRouteOutputKeyHash(NetNamespace net, ref Flowi4 fl4, out Rtable? rt)
    {
        int origOif = fl4.Flowi4Oif;
        rt = null;
        fl4.Flowi4Iif = Flowi4.LOOPBACK_IFINDEX;
        NetDevice? devOut = null;
        if (fl4.Saddr != 0)
        {
            int err = CheckSource(net, ref fl4, ref devOut);
            if (err < 0)
                return err;
            if (devOut != null)
                return MkrouteOutput(net, default, ref fl4, origOif, devOut, 0, out rt);
        }

        if (fl4.Flowi4Oif != 0)
        {
            devOut = net.Devices.DevGetByIndex(fl4.Flowi4Oif);
            if (devOut == null)
                return -ENODEV;
            if (!devOut.IsUp || InDevice.Get(devOut) == null)
                return -ENETUNREACH;
            ChooseSourceOf(devOut, ref fl4);
            if (Ipv4Addr.IsLocalMulticast(fl4.Daddr) || Ipv4Addr.IsLbcast(fl4.Daddr) || fl4.Flowi4Proto == IPPROTO_IGMP)
                return MkrouteOutput(net, default, ref fl4, origOif, devOut, 0, out rt);
        }

        if (fl4.Daddr == 0)
        {
            // Any destination is this host.
            fl4.Daddr = fl4.Saddr;
            if (fl4.Daddr == 0)
                fl4.Daddr = fl4.Saddr = INADDR_LOOPBACK;
            fl4.Flowi4Oif = Flowi4.LOOPBACK_IFINDEX;
            FibResult here = new() { Type = RTN_LOCAL };
            return MkrouteOutput(net, in here, ref fl4, origOif, net.LoopbackDev, Rtable.RTCF_LOCAL, out rt);
        }

        return LookupOutput(net, ref fl4, origOif, devOut, out rt);
    }

    // A source that the caller chose has to be ours, and can say by which device a group or the limited broadcast is meant.
    private static int CheckSource(NetNamespace net, ref Flowi4 fl4, ref NetDevice? devOut)
    {
        if (Ipv4Addr.IsMulticast(fl4.Saddr) || Ipv4Addr.IsLbcast(fl4.Saddr))
            return -EINVAL;
        if (fl4.Flowi4Oif == 0 && (Ipv4Addr.IsMulticast(fl4.Daddr) || Ipv4Addr.IsLbcast(fl4.Daddr)))
        {
            devOut = Devinet.IpDevFind(net, fl4.Saddr);
            if (devOut == null)
                return -ENETUNREACH;
            fl4.Flowi4Oif = devOut.Ifindex;
            return 0;
        }

        if ((fl4.Flowi4Flags & Flowi4.FLOWI_FLAG_ANYSRC) == 0 && Devinet.IpDevFind(net, fl4.Saddr) == null)
            return -ENETUNREACH;
        return 0;
    }

    private static void ChooseSourceOf(NetDevice dev, ref Flowi4 fl4)
    {
        if (fl4.Saddr != 0)
            return;
        if (Ipv4Addr.IsLocalMulticast(fl4.Daddr) || Ipv4Addr.IsLbcast(fl4.Daddr) || fl4.Flowi4Proto == IPPROTO_IGMP)
            fl4.Saddr = Devinet.InetSelectAddr(dev, 0, RT_SCOPE_LINK);
        else if (Ipv4Addr.IsMulticast(fl4.Daddr))
            fl4.Saddr = Devinet.InetSelectAddr(dev, 0, fl4.Flowi4Scope);
        else if (fl4.Daddr == 0)
            fl4.Saddr = Devinet.InetSelectAddr(dev, 0, RT_SCOPE_HOST);
    }

    private static int LookupOutput(NetNamespace net, ref Flowi4 fl4, int origOif, NetDevice? devOut, out Rtable? rt)
    {
        rt = null;
        int err = IpFib.FibLookup(net, in fl4, out FibResult res);
        if (err < 0)
        {
            if (fl4.Flowi4Oif == 0)
                return err;
            // Without a route, a destination is taken to be on the link of the device that was asked for.
            if (fl4.Saddr == 0)
                fl4.Saddr = Devinet.InetSelectAddr(devOut!, 0, RT_SCOPE_LINK);
            res = new FibResult { Type = RTN_UNICAST };
            return MkrouteOutput(net, in res, ref fl4, origOif, devOut!, 0, out rt);
        }

        if (res.Type == RTN_LOCAL)
        {
            if (fl4.Saddr == 0)
                fl4.Saddr = res.Fi!.FibPrefsrc != 0 ? res.Fi.FibPrefsrc : fl4.Daddr;
            // Packets to oneself go over the loopback device, unless the address is that of a link-local-only setup.
            fl4.Flowi4Oif = Flowi4.LOOPBACK_IFINDEX;
            return MkrouteOutput(net, in res, ref fl4, origOif, net.LoopbackDev, Rtable.RTCF_LOCAL, out rt);
        }

        FibSemantics.FibSelectPath(net, ref res, ref fl4, skb: null);
        NetDevice dev = res.Nhc!.NhDev!;
        fl4.Flowi4Oif = dev.Ifindex;
        return MkrouteOutput(net, in res, ref fl4, origOif, dev, 0, out rt);
    }

    [Linux("__mkroute_output")]
    private static int MkrouteOutput(
        NetNamespace net, in FibResult res, ref Flowi4 fl4, int origOif, NetDevice devOut, uint flags, out Rtable? rt)
    {
        rt = null;
        if (InDevice.Get(devOut) is not { } inDev)
            return -EINVAL;
        bool loopback = (devOut.Flags & IFF_LOOPBACK) != 0;
        if (Ipv4Addr.IsLoopback(fl4.Saddr) && !loopback && !inDev.OrConf(Ipv4Devconf.RouteLocalnet))
            return -EINVAL;
        byte type = res.Type;
        if (Ipv4Addr.IsLbcast(fl4.Daddr))
            type = RTN_BROADCAST;
        else if (Ipv4Addr.IsMulticast(fl4.Daddr))
            type = RTN_MULTICAST;
        else if (Ipv4Addr.IsZeronet(fl4.Daddr))
            return -EINVAL;
        if (loopback)
            flags |= Rtable.RTCF_LOCAL;

        FibInfo? fi = res.Fi;
        bool cache = fi != null;
        if (type == RTN_BROADCAST)
        {
            flags |= Rtable.RTCF_BROADCAST | Rtable.RTCF_LOCAL;
            cache = false;
            fi = null;
        }
        else if (type == RTN_MULTICAST)
        {
            flags |= Rtable.RTCF_MULTICAST;
            if (loopback || Igmp.IpCheckMcRcu(inDev, fl4.Daddr, fl4.Saddr, fl4.Flowi4Proto))
                flags |= Rtable.RTCF_LOCAL;
            cache = false;
            if (res.Prefixlen < 4)
                fi = null;
        }
        else if (type == RTN_LOCAL && origOif != 0 && origOif != devOut.Ifindex)
        {
            cache = false;
        }

        rt = fi == null
            ? NewOutput(devOut, flags, type, origOif)
            : CachedOutput(net, in res, in fl4, devOut, flags, type, origOif, cache);
        return 0;
    }

    private static Rtable CachedOutput(
        NetNamespace net, in FibResult res, in Flowi4 fl4, NetDevice devOut, uint flags, byte type, int origOif, bool cache)
    {
        FibNh nh = res.Nhc!;
        FibNhException? fnhe = nh.Exceptions.Find(net, fl4.Daddr);
        if (cache)
        {
            Rtable? cached = fnhe != null ? fnhe.RthOutput : nh.RthOutput;
            if (cached != null && cached.Check() && cached.RtIif == origOif)
                return cached;
        }

        Rtable rt = NewOutput(devOut, flags, type, origOif);
        RtSetNexthop(rt, fl4.Daddr, in res, fnhe);
        // Flows that asked for a device get entries of their own when they alternate with flows that did not.
        if (cache && fnhe != null)
            fnhe.RthOutput = rt;
        else if (cache)
            nh.RthOutput = rt;
        return rt;
    }

    private static Rtable NewOutput(NetDevice dev, uint flags, byte type, int origOif)
    {
        const uint Many = Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST;
        // What goes out by the loopback device comes back by itself.
        bool loopback = (dev.Flags & IFF_LOOPBACK) != 0;
        bool copyHere = (flags & Many) != 0 && (flags & Rtable.RTCF_LOCAL) != 0;
        return new Rtable(dev, flags, type)
        {
            RtIif = origOif,
            OutputKind = !loopback && (copyHere || type == RTN_MULTICAST) ? RtOutput.IpMcOutput : RtOutput.IpOutput,
        };
    }

    /// <summary>Gives an entry its gateway, its metrics, and what was learned of the path.</summary>
    [Linux("rt_set_nexthop")]
    private static void RtSetNexthop(Rtable rt, uint daddr, in FibResult res, FibNhException? fnhe)
    {
        FibNh nh = res.Nhc!;
        if (nh.NhGw != 0 && nh.NhScope == RT_SCOPE_LINK)
        {
            rt.RtGw4 = nh.NhGw;
            rt.RtUsesGateway = true;
        }

        rt.Metrics = res.Fi!.FibMetrics;
        fnhe?.Bind(rt, daddr);
    }
}
