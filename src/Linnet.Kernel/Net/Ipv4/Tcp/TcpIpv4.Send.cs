using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Segments that are sent without a full socket, and the family's part in those that have one.</content>
public static partial class TcpIpv4
{
    private const int CheckOffset = 16;

    /// <summary>Answers a segment with a reset (RFC 9293 section 3.10.7.1); the segment stays the caller's.</summary>
    /// <param name="sk">The socket, TIME_WAIT socket or listener that it came for, or null.</param>
    /// <param name="skb">The segment, its header at the transport offset.</param>
    [Linux("tcp_v4_send_reset")]
    public static void TcpV4SendReset(SockCommon? sk, SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        if (th.Rst)
            return;
        // Without a socket nothing says that the packet was really for this host.
        if (sk == null && skb.Dst is Rtable { RtType: not RTN_LOCAL })
            return;
        NetNamespace net = sk?.SkcNet ?? skb.Dev!.Net;
        Span<byte> reply = stackalloc byte[Tcphdr.Size];
        reply.Clear();
        Tcphdr rth = new(reply) { Source = th.Dest, Dest = th.Source, Doff = Tcphdr.Size / 4 };
        if (th.Ack)
        {
            rth.Seq = th.AckSeq;
            rth.Flags = TCPHDR_RST;
        }
        else
        {
            rth.Flags = TCPHDR_RST | TCPHDR_ACK;
            rth.AckSeq = skb.TcpCb.EndSeq;
        }

        bool transparent = sk is InetSock inet ? inet.Test(InetFlags.Transparent) : sk is InetTimewaitSock { TwTransparent: true };
        uint mark = sk switch { InetTimewaitSock tw => tw.TwMark, Sock full => full.SkMark, _ => 0 };
        Reply(net, skb, reply, sk?.SkcBoundDevIf ?? 0, skb.IpHdr.Tos, transparent, mark, (sk as Sock)?.SkUid ?? net.UserNs.Owner);
        net.Ipv4.TcpStatistics.Inc(TcpMib.OutSegs);
        net.Ipv4.TcpStatistics.Inc(TcpMib.OutRsts);
    }

    /// <summary>Answers a segment for a request that is not acceptable.</summary>
    [Linux("tcp_v4_reqsk_send_ack")]
    internal static void TcpV4ReqskSendAck(Sock sk, SkBuff skb, TcpRequestSock req)
    {
        uint seq = sk.SkState == TCP_LISTEN ? req.SntIsn + 1 : TcpSock.Of(sk).SndNxt;
        uint tsval = (uint)sk.Machine.Clock.Jiffies + req.TsOff;
        TcpV4SendAck(
            sk.SkNet, skb, seq, req.RcvNxt, TcpMinisocks.TcpSynackWindow(req) >> req.RcvWscale, tsval, req.TsRecent,
            0, req.NoSrccheck, skb.IpHdr.Tos, req.IrMark);
    }

    /// <summary>Fills in what a device needs to finish the checksum (<c>tcp_v4_send_check</c>).</summary>
    internal static void TcpV4SendCheck(SkBuff skb, uint saddr, uint daddr)
    {
        Span<byte> header = skb.TransportHeaderSpan;
        ushort pseudo = (ushort)~Checksum.CsumTcpudpMagic(saddr, daddr, skb.Len, IPPROTO_TCP, 0);
        BinaryPrimitives.WriteUInt16BigEndian(header[CheckOffset..], pseudo);
        skb.IpSummed = ChecksumState.Partial;
        skb.CsumStart = skb.TransportHeader;
        skb.CsumOffset = CheckOffset;
    }

    /// <summary>Sends a SYN-ACK for a request.</summary>
    [Linux("tcp_v4_send_synack")]
    internal static int TcpV4SendSynack(TcpSock sk, DstEntry? dst, TcpRequestSock req, TcpSynackType type)
    {
        Flowi4 fl4 = default;
        dst ??= InetConnectionSockOps.InetCskRouteReq(sk, ref fl4, req);
        if (dst == null)
            return -1;
        SkBuff skb = TcpOutput.TcpMakeSynack(sk, dst, req, type);
        TcpV4SendCheck(skb, req.SkcRcvSaddr, req.SkcDaddr);
        byte tos = sk.Tos;
        if (sk.Ipv4.SysctlTcpReflectTos)
            tos = (byte)((req.SynTos & ~3) | (tos & 3));
        int err = IpOutput.IpBuildAndSendPkt(skb, sk, req.SkcRcvSaddr, req.SkcDaddr, req.IreqOpt, tos);
        // A full device queue is not the connection's fault (net_xmit_eval).
        return err == 2 ? 0 : err;
    }

    [Linux("tcp_v4_timewait_ack")]
    private static void TcpV4TimewaitAck(TcpTimewaitSock tw, SkBuff skb)
    {
        uint tsval = (uint)tw.SkcNet.Machine.Clock.Jiffies + tw.TwTsOffset;
        bool timestamps = tw.TwTsRecentStamp != 0;
        TcpV4SendAck(
            tw.SkcNet, skb, tw.TwSndNxt, tw.TwRcvNxt, tw.TwRcvWnd >> tw.TwRcvWscale, tsval,
            timestamps ? tw.TwTsRecent : 0, tw.SkcBoundDevIf, tw.TwTransparent, tw.TwTos, tw.TwMark);
        tw.InetTwskPut();
    }

    // tsecr 0 leaves the timestamp option out.
    [Linux("tcp_v4_send_ack")]
    private static void TcpV4SendAck(
        NetNamespace net, SkBuff skb, uint seq, uint ack, uint win, uint tsval, uint tsecr, int oif, bool transparent,
        byte tos, uint mark)
    {
        Span<byte> buffer = stackalloc byte[Tcphdr.Size + TCPOLEN_TSTAMP_ALIGNED];
        buffer.Clear();
        int length = Tcphdr.Size;
        if (tsecr != 0)
        {
            BinaryPrimitives.WriteUInt32BigEndian(
                buffer[Tcphdr.Size..], TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP);
            BinaryPrimitives.WriteUInt32BigEndian(buffer[(Tcphdr.Size + 4)..], tsval);
            BinaryPrimitives.WriteUInt32BigEndian(buffer[(Tcphdr.Size + 8)..], tsecr);
            length = buffer.Length;
        }

        Tcphdr th = skb.Tcphdr;
        Tcphdr reply = new(buffer)
        {
            Source = th.Dest,
            Dest = th.Source,
            Doff = length / 4,
            Seq = seq,
            AckSeq = ack,
            Window = (ushort)win,
            Flags = TCPHDR_ACK,
        };
        Reply(net, skb, buffer[..length], oif, tos, transparent, mark, net.UserNs.Owner);
        net.Ipv4.TcpStatistics.Inc(TcpMib.OutSegs);
    }

    private static void Reply(
        NetNamespace net, SkBuff skb, ReadOnlySpan<byte> segment, int oif, byte tos, bool transparent, uint mark, uint uid)
    {
        Iphdr iph = skb.IpHdr;
        IpReplyArg arg = new()
        {
            Iov = segment,
            Csum = Checksum.CsumTcpudpNofold(iph.Daddr, iph.Saddr, segment.Length, IPPROTO_TCP, 0),
            Csumoffset = CheckOffset,
            Flags = transparent ? 1 : 0,
            BoundDevIf = oif,
            Tos = (byte)(tos & ~EcnBits.INET_ECN_MASK),
            Uid = uid,
            Mark = mark,
        };
        IpOutput.IpSendUnicastReply(net, skb, default, iph.Saddr, iph.Daddr, arg);
    }
}

/// <summary>IPv4's answers to what TCP asks of the network layer (<c>ipv4_specific</c>).</summary>
[LinuxStruct("ipv4_specific")]
public sealed class Ipv4Specific : InetConnectionSockAfOps
{
    /// <summary>The operations.</summary>
    public static readonly Ipv4Specific Instance = new();

    private Ipv4Specific()
    {
    }

    /// <inheritdoc/>
    public override int NetHeaderLen => Iphdr.Size;

    /// <inheritdoc/>
    public override int SockaddrLen => SockaddrIn.Size;

    /// <inheritdoc/>
    public override int QueueXmit(Sock sk, SkBuff skb) => IpOutput.IpQueueXmit(sk, skb, ref TcpSock.Of(sk).Cork.Fl);

    /// <inheritdoc/>
    public override void SendCheck(Sock sk, SkBuff skb) =>
        TcpIpv4.TcpV4SendCheck(skb, ((InetSock)sk).InetSaddr, sk.SkcDaddr);

    /// <inheritdoc/>
    public override int RebuildHeader(Sock sk) => InetConnectionSockOps.InetSkRebuildHeader((InetSock)sk);

    /// <inheritdoc/>
    public override void SkRxDstSet(Sock sk, SkBuff skb)
    {
        if (skb.Dst is not { } dst)
            return;
        sk.SkRxDst = dst;
        TcpSock.Of(sk).SkRxDstIfindex = skb.SkbIif;
    }

    /// <inheritdoc/>
    public override int ConnRequest(Sock sk, SkBuff skb) => TcpIpv4.TcpV4ConnRequest(TcpSock.Of(sk), skb);

    /// <inheritdoc/>
    public override Sock? SynRecvSock(
        Sock sk, SkBuff skb, RequestSock req, DstEntry? dst, RequestSock? reqUnhash, out bool ownReq) =>
        TcpIpv4.TcpV4SynRecvSock(TcpSock.Of(sk), skb, TcpRequestSock.Of(req), dst, reqUnhash, out ownReq);

    /// <inheritdoc/>
    public override int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) =>
        IpSockglue.IpSetsockopt((InetSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        IpSockglue.IpGetsockopt((InetSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override void MtuReduced(Sock sk) => TcpIpv4.TcpV4MtuReduced(TcpSock.Of(sk));
}
