using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What a reply without a socket of its own is sent with (<c>struct ip_reply_arg</c>).</summary>
[LinuxStruct("ip_reply_arg")]
public ref struct IpReplyArg
{
    /// <summary>Transport header and data.</summary>
    public ReadOnlySpan<byte> Iov;

    /// <summary>Partial sum of the pseudo header.</summary>
    public uint Csum;

    /// <summary>Where in <see cref="Iov"/> the checksum belongs, in bytes; -1 for nowhere.</summary>
    public int Csumoffset;

    /// <summary><c>IP_REPLY_ARG_NOSRCCHECK</c> (1): the source need not be an address of this host.</summary>
    public int Flags;

    /// <summary>Index of the device to leave by; 0 for any.</summary>
    public int BoundDevIf;

    /// <summary>Type of service.</summary>
    public byte Tos;

    /// <summary>User that the reply belongs to.</summary>
    public uint Uid;

    /// <summary>Packet mark.</summary>
    public uint Mark;

    /// <summary>TTL; 0 for the route's.</summary>
    public byte Ttl;
}

/// <summary>From transport protocols to devices.</summary>
[LinuxFile("net/ipv4/ip_output.c")]
public static partial class IpOutput
{
    /// <summary>Free bytes that packets are made with for the link header (<c>LL_MAX_HEADER</c>).</summary>
    public const int LlMaxHeader = 48;

    /// <summary>Has IPv4 follow the devices of a machine that boots.</summary>
    [Linux("ip_init")]
    public static void IpInit(Machine machine) => Devinet.DevinetInit(machine);

    /// <summary>
    /// Sends a packet of a connected socket (<c>ip_queue_xmit</c>); its data begins at the transport header. Takes over
    /// the packet.
    /// </summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or a negative errno.</returns>
    public static int IpQueueXmit(Sock sk, SkBuff skb, ref Flowi4 fl) => IpQueueXmitCore(sk, skb, ref fl, ((InetSock)sk).Tos);

    /// <summary>The same with a type of service of the caller's.</summary>
    [Linux("__ip_queue_xmit")]
    public static int IpQueueXmitCore(Sock sk, SkBuff skb, ref Flowi4 fl4, byte tos)
    {
        InetSock inet = (InetSock)sk;
        NetNamespace net = sk.SkNet;
        IpOptionsRcu? inetOpt = inet.InetOpt;
        if (RouteOf(inet, skb, ref fl4, tos, inetOpt) is not { } rt)
        {
            net.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            skb.Free();
            return -EHOSTUNREACH;
        }

        int optlen = inetOpt?.Opt.Optlen ?? 0;
        skb.Push(Iphdr.Size + optlen);
        skb.ResetNetworkHeader();
        Iphdr iph = skb.IpHdr;
        skb.IpCb = default;
        WriteHead(iph, optlen, tos, IpSelectTtl(inet, rt), (byte)sk.SkProtocol, fl4.Saddr, fl4.Daddr);
        if (IpDontFragment(inet, rt) && !skb.IgnoreDf)
            iph.FragOff = IP_DF;
        if (optlen != 0)
            IpOptions.IpOptionsBuild(skb, inetOpt!, sk.SkcDaddr, rt);
        IpSelectIdentSegs(net, skb, sk, Math.Max(skb.GsoSegs, 1));
        skb.Priority = sk.SkPriority;
        skb.Mark = sk.SkMark;
        return IpLocalOut(net, sk, skb);
    }

    /// <summary>
    /// Adds a header and sends (<c>ip_build_and_send_pkt</c>): for SYN-ACKs, whose socket is not connected. The packet has
    /// its route; its data begins at the transport header. Takes over the packet.
    /// </summary>
    [Linux("ip_build_and_send_pkt")]
    public static int IpBuildAndSendPkt(SkBuff skb, Sock sk, uint saddr, uint daddr, IpOptionsRcu? opt, byte tos)
    {
        InetSock inet = (InetSock)sk;
        Rtable rt = (Rtable)skb.Dst!;
        NetNamespace net = sk.SkNet;
        int optlen = opt?.Opt.Optlen ?? 0;
        skb.Push(Iphdr.Size + optlen);
        skb.ResetNetworkHeader();
        Iphdr iph = skb.IpHdr;
        skb.IpCb = default;
        uint to = opt != null && opt.Opt.Srr != 0 ? opt.Opt.Faddr : daddr;
        WriteHead(iph, optlen, tos, IpSelectTtl(inet, rt), (byte)sk.SkProtocol, saddr, to);
        if (IpDontFragment(inet, rt))
            iph.FragOff = IP_DF;
        else if (sk.SkProtocol == IPPROTO_TCP)
            iph.Id = (ushort)net.Machine.Random.NextU32();
        else
            IpSelectIdentCore(net, iph, 1);
        if (optlen != 0)
            IpOptions.IpOptionsBuild(skb, opt!, daddr, rt);
        skb.Priority = sk.SkPriority;
        if (skb.Mark == 0)
            skb.Mark = sk.SkMark;
        return IpLocalOut(net, sk, skb);
    }

    /// <summary>
    /// Answers a packet on behalf of no particular socket (<c>ip_send_unicast_reply</c>): RSTs, and ACKs in TIME_WAIT and
    /// SYN_RECV. Such answers are never fragmented (DF, identification 0).
    /// </summary>
    /// <param name="net">The namespace.</param>
    /// <param name="skb">The packet that is answered; stays the caller's.</param>
    /// <param name="sopt">Its options.</param>
    /// <param name="daddr">Where the answer goes.</param>
    /// <param name="saddr">Where it comes from.</param>
    /// <param name="arg">Its content.</param>
    [Linux("ip_send_unicast_reply")]
    public static void IpSendUnicastReply(
        NetNamespace net, SkBuff skb, in IpOptions sopt, uint daddr, uint saddr, in IpReplyArg arg)
    {
        IpOptionsRcu? opt = sopt.Optlen != 0 ? IpOptions.IpOptionsEcho(net, skb, in sopt) : null;
        byte protocol = skb.IpHdr.Protocol;
        uint mark = arg.Mark != 0 ? arg.Mark : net.Ipv4.SysctlFwmarkReflect ? skb.Mark : 0;
        Flowi4 fl4 = Flowi4.InitOutput(
            arg.BoundDevIf, mark, (byte)(arg.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, protocol,
            (arg.Flags & 1) != 0 ? Flowi4.FLOWI_FLAG_ANYSRC : (byte)0,
            opt is { Opt.Srr: not 0 } ? opt.Opt.Faddr : daddr, saddr, 0, 0, arg.Uid);
        if (Route.IpRouteOutputKey(net, ref fl4, out Rtable? rt) < 0)
            return;
        byte ttl = arg.Ttl != 0 ? arg.Ttl : (byte)rt!.Hoplimit;
        SkBuff reply = NewReply(net, rt!, in fl4, opt, daddr, arg.Iov.Length, arg.Tos, ttl, protocol);
        _ = reply.IpHdr with { FragOff = IP_DF };
        Span<byte> payload = reply.Put(arg.Iov.Length);
        arg.Iov.CopyTo(payload);
        if (arg.Csumoffset >= 0)
        {
            ushort check = Checksum.CsumFold(Checksum.CsumAdd(Checksum.CsumPartial(payload, 0), arg.Csum));
            System.Buffers.Binary.BinaryPrimitives.WriteUInt16BigEndian(payload[arg.Csumoffset..], check);
        }

        reply.Mark = mark;
        IpLocalOut(net, null, reply);
    }

    /// <summary>
    /// A packet that the kernel sends by itself: with route and IP header, and room for <paramref name="length"/> bytes
    /// behind it, which are the caller's to add. With a source route, <paramref name="daddr"/> is its end.
    /// </summary>
    internal static SkBuff NewReply(
        NetNamespace net, Rtable rt, in Flowi4 fl4, IpOptionsRcu? opt, uint daddr, int length, byte tos, byte ttl, byte protocol)
    {
        int optlen = opt?.Opt.Optlen ?? 0;
        SkBuff skb = net.SkbPool.Alloc(LlMaxHeader + Iphdr.Size + optlen + length);
        skb.Reserve(LlMaxHeader);
        skb.ResetNetworkHeader();
        skb.Put(Iphdr.Size + optlen);
        skb.ResetTransportHeader(Iphdr.Size + optlen);
        skb.Dst = rt;
        skb.IpCb = default;
        WriteHead(skb.IpHdr, optlen, tos, ttl, protocol, fl4.Saddr, fl4.Daddr);
        if (opt != null)
            IpOptions.IpOptionsBuild(skb, opt, daddr, rt);
        return skb;
    }

    /// <summary>Sends a packet with its IP header to where its route leads (<c>ip_local_out</c>). Takes over the packet.</summary>
    [Linux("ip_local_out")]
    public static int IpLocalOut(NetNamespace net, Sock? sk, SkBuff skb)
    {
        IpLocalOutCore(net, skb);
        return skb.Dst!.Output(net, sk, skb);
    }

    /// <summary>Fills in length and checksum of the header (<c>__ip_local_out</c>).</summary>
    [Linux("__ip_local_out")]
    public static void IpLocalOutCore(NetNamespace net, SkBuff skb)
    {
        net.Ipv4.IpStatistics.Inc(IpstatsMib.OutRequests);
        Iphdr iph = skb.IpHdr;
        iph.TotLen = (ushort)(skb.Len > ushort.MaxValue ? 0 : skb.Len);
        iph.SendCheck();
        skb.Protocol = ETH_P_IP;
    }

    /// <summary>Sends by the route's device (<c>ip_output</c>).</summary>
    [Linux("ip_output")]
    internal static int Output(NetNamespace net, Sock? sk, SkBuff skb)
    {
        skb.Dev = skb.Dst!.Dev;
        skb.Protocol = ETH_P_IP;
        return IpFinishOutput(net, sk, skb);
    }

    /// <summary>Sends to several: this host gets a copy when it is one of them (<c>ip_mc_output</c>).</summary>
    [Linux("ip_mc_output")]
    internal static int IpMcOutput(NetNamespace net, Sock? sk, SkBuff skb)
    {
        Rtable rt = (Rtable)skb.Dst!;
        skb.Dev = rt.Dev;
        skb.Protocol = ETH_P_IP;
        if ((rt.RtFlags & Rtable.RTCF_MULTICAST) != 0)
        {
            bool loop = sk is not InetSock inet || inet.Test(InetFlags.McLoop);
            if (loop && (rt.RtFlags & Rtable.RTCF_LOCAL) != 0)
                DevLoopbackXmit(skb.Clone());
            // Groups with TTL 0 stay on this host (RFC 1112 section 6.1).
            if (skb.IpHdr.Ttl == 0)
            {
                skb.Free();
                return 0;
            }
        }

        if ((rt.RtFlags & Rtable.RTCF_BROADCAST) != 0)
            DevLoopbackXmit(skb.Clone());
        return IpFinishOutput(net, sk, skb);
    }

    [Linux("dev_loopback_xmit", "net/core/dev.c")]
    private static void DevLoopbackXmit(SkBuff skb)
    {
        skb.ResetMacHeader();
        skb.PktType = PACKET_LOOPBACK;
        if (skb.IpSummed == ChecksumState.None)
            skb.IpSummed = ChecksumState.Unnecessary;
        Dev.NetifRx(skb);
    }

    [Linux("ip_finish_output")]
    private static int IpFinishOutput(NetNamespace net, Sock? sk, SkBuff skb)
    {
        int mtu = IpSkbDstMtu(sk, skb);
        if (skb.IsGso)
            return IpFinishOutputGso(net, sk, skb, mtu);
        if (skb.Len > mtu || skb.IpCb.FragMaxSize != 0)
            return IpFragment(net, sk, skb, mtu);
        return IpFinishOutput2(net, skb);
    }

    // Segments that fit are cut by the device or just before it. Where they do not fit, which forwarding into a smaller MTU
    // brings about, they are cut here and each is fragmented or refused.
    [Linux("ip_finish_output_gso")]
    private static int IpFinishOutputGso(NetNamespace net, Sock? sk, SkBuff skb, int mtu)
    {
        int headers = skb.TransportHeader - skb.NetworkHeader + InetGsoTransportHeader(skb);
        if (headers + skb.GsoSize <= mtu)
            return IpFinishOutput2(net, skb);
        SkBuff? segments = Gso.SkbGsoSegment(skb, NetdevFeatures.None);
        skb.Free();
        if (segments == null)
            return -ENOMEM;
        int ret = 0;
        while (segments is { } segment)
        {
            segments = segment.Next;
            segment.Next = null;
            int err = IpFragment(net, sk, segment, mtu);
            if (err != 0 && ret == 0)
                ret = err;
        }

        return ret;
    }

    private static int InetGsoTransportHeader(SkBuff skb) =>
        (skb.GsoType & GsoType.UdpL4) != 0 ? 8 : (skb.TransportHeaderSpan[12] >> 4) * 4;

    [Linux("ip_finish_output2")]
    private static int IpFinishOutput2(NetNamespace net, SkBuff skb)
    {
        Rtable rt = (Rtable)skb.Dst!;
        NetDevice dev = rt.Dev;
        SnmpMib<IpstatsMib> stats = net.Ipv4.IpStatistics;
        if (rt.RtType == RTN_MULTICAST)
        {
            stats.Inc(IpstatsMib.OutMcastPkts);
            stats.Add(IpstatsMib.OutMcastOctets, skb.Len);
        }
        else if (rt.RtType == RTN_BROADCAST)
        {
            stats.Inc(IpstatsMib.OutBcastPkts);
            stats.Add(IpstatsMib.OutBcastOctets, skb.Len);
        }

        stats.Inc(IpstatsMib.OutTransmits);
        stats.Add(IpstatsMib.OutOctets, skb.Len);
        if (skb.Headroom < dev.HardHeaderLen)
            skb.EnsureWritableHead((dev.HardHeaderLen + 15) & ~15);
        uint nexthop = rt.RtGw4 != 0 ? rt.RtGw4 : skb.IpHdr.Daddr;
        if (Arp.IpNeighGw4(dev, nexthop) is { } neigh)
            return neigh.Output(skb);
        skb.Free();
        return -EINVAL;
    }

    // ---- rules that several senders share ----

    /// <summary>Whether DF is to be set (<c>ip_dont_fragment</c>).</summary>
    public static bool IpDontFragment(InetSock inet, DstEntry dst) =>
        inet.Pmtudisc == IP_PMTUDISC_DO
        || (inet.Pmtudisc == IP_PMTUDISC_WANT && !(dst is Rtable rt ? rt.MtuLocked : dst.MetricLocked(RTAX_MTU)));

    /// <summary>Whether a socket takes path MTUs from ICMP messages (<c>ip_sk_accept_pmtu</c>).</summary>
    public static bool IpSkAcceptPmtu(InetSock inet) => inet.Pmtudisc is not (IP_PMTUDISC_INTERFACE or IP_PMTUDISC_OMIT);

    /// <summary>Whether a socket sends by the path MTU rather than the device's (<c>ip_sk_use_pmtu</c>).</summary>
    public static bool IpSkUsePmtu(InetSock inet) => inet.Pmtudisc < IP_PMTUDISC_PROBE;

    /// <summary>Whether a socket's packets are fragmented here although they have DF (<c>ip_sk_ignore_df</c>).</summary>
    public static bool IpSkIgnoreDf(InetSock inet) => inet.Pmtudisc is < IP_PMTUDISC_DO or IP_PMTUDISC_OMIT;

    /// <summary>TTL of a socket's unicast packets (<c>ip_select_ttl</c>).</summary>
    public static byte IpSelectTtl(InetSock inet, Rtable rt) => inet.UcTtl >= 0 ? (byte)inet.UcTtl : (byte)rt.Hoplimit;

    /// <summary>
    /// Chooses the identification of a packet and its segments (RFC 6864): a connected socket counts; a packet that cannot
    /// be fragmented needs none; others take it from a counter that is shared by hash of addresses.
    /// </summary>
    public static void IpSelectIdentSegs(NetNamespace net, SkBuff skb, Sock? sk, int segs)
    {
        Iphdr iph = skb.IpHdr;
        if (sk is InetSock inet && inet.SkcDaddr != 0)
            iph.Id = (ushort)ReserveIdent(inet, segs);
        else if ((iph.FragOff & IP_DF) != 0 && !skb.IgnoreDf)
            iph.Id = 0;
        else
            IpSelectIdentCore(net, iph, segs);
    }

    // TCP sends with the socket locked, so that nobody else counts; datagram sockets send without.
    private static int ReserveIdent(InetSock inet, int segs)
    {
        if (inet.SkProtocol != IPPROTO_TCP)
            return Interlocked.Add(ref inet.InetId, segs) - segs;
        int ident = inet.InetId;
        inet.InetId = ident + segs;
        return ident;
    }

    /// <summary>Takes an identification from the counters that are shared by hash (<c>__ip_select_ident</c>).</summary>
    public static void IpSelectIdentCore(NetNamespace net, Iphdr iph, int segs) =>
        iph.Id = net.Ipv4.IpIdents.Reserve(iph.Daddr, iph.Saddr, iph.Protocol, segs);

    private static int IpSkbDstMtu(Sock? sk, SkBuff skb)
    {
        const int IpMaxMtu = 0xFFFF;
        Rtable rt = (Rtable)skb.Dst!;
        if (sk is InetSock inet && !IpSkUsePmtu(inet))
            return Math.Min(rt.Dev.Mtu, IpMaxMtu);
        return (skb.IpCb.Flags & InetSkbParm.IPSKB_FORWARDED) != 0 ? IpForward.MtuOf(rt) : rt.Mtu;
    }

    private static Rtable? RouteOf(InetSock inet, SkBuff skb, ref Flowi4 fl4, byte tos, IpOptionsRcu? opt)
    {
        if (skb.Dst is not Rtable rt)
        {
            DstEntry? cached = inet.SkDstCache;
            if (cached is Rtable known && known.Check())
            {
                rt = known;
            }
            else
            {
                uint daddr = opt != null && opt.Opt.Srr != 0 ? opt.Opt.Faddr : inet.SkcDaddr;
                fl4 = Flowi4.InitOutput(
                    inet.SkcBoundDevIf, inet.SkMark, (byte)(tos & Flowi4.INET_DSCP_MASK), Route.IpSockRtScope(inet),
                    (byte)inet.SkProtocol, inet.Test(InetFlags.Transparent) ? Flowi4.FLOWI_FLAG_ANYSRC : (byte)0,
                    daddr, inet.InetSaddr, inet.SkcDport, inet.InetSport, inet.SkUid);
                if (Route.IpRouteOutputFlow(inet.SkNet, ref fl4, inet, out Rtable? found) < 0)
                    return null;
                rt = found!;
                inet.SkSetupCaps(rt);
            }

            skb.Dst = rt;
        }

        if (fl4.Daddr == 0)
        {
            fl4.Daddr = inet.SkcDaddr;
            fl4.Saddr = inet.InetSaddr;
        }

        return opt != null && opt.Opt.IsStrictroute && rt.RtUsesGateway ? null : rt;
    }

    private static void WriteHead(Iphdr iph, int optlen, byte tos, byte ttl, byte protocol, uint saddr, uint daddr)
    {
        iph.VersionIhl = (byte)(0x45 + (optlen >> 2));
        iph.Tos = tos;
        iph.TotLen = 0;
        iph.Id = 0;
        iph.FragOff = 0;
        iph.Ttl = ttl;
        iph.Protocol = protocol;
        iph.Saddr = saddr;
        iph.Daddr = daddr;
    }
}
