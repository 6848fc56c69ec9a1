using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The way of a segment from IP to its socket.</content>
public static partial class TcpIpv4
{
    /// <summary>
    /// A segment came for this host; its data begins at the TCP header. It is checked here, once: length, data offset and
    /// checksum; and every path that follows may rely on them. Takes over the packet.
    /// </summary>
    [Linux("tcp_v4_rcv")]
    public static int TcpV4Rcv(SkBuff skb)
    {
        NetNamespace net = skb.Dev!.Net;
        NetnsIpv4 ipv4 = net.Ipv4;
        if (skb.PktType != PACKET_HOST)
        {
            skb.Free();
            return 0;
        }

        ipv4.TcpStatistics.Inc(TcpMib.InSegs);
        if (!skb.PskbMayPull(Tcphdr.Size))
        {
            skb.Free();
            return 0;
        }

        skb.ResetTransportHeader();
        int headerLength = skb.Tcphdr.HeaderLength;
        if (headerLength < Tcphdr.Size)
        {
            ipv4.TcpStatistics.Inc(TcpMib.InErrs);
            skb.Free();
            return 0;
        }

        if (!skb.PskbMayPull(headerLength))
        {
            skb.Free();
            return 0;
        }

        if (!ChecksumIsRight(skb))
        {
            ipv4.TcpStatistics.Inc(TcpMib.InCsumErrors);
            ipv4.TcpStatistics.Inc(TcpMib.InErrs);
            skb.Free();
            return 0;
        }

        TcpV4FillCb(skb);
        return Deliver(net, skb);
    }

    /// <summary>Handles a segment for a full socket that is locked or owned. Takes over the packet.</summary>
    [Linux("tcp_v4_do_rcv")]
    public static int TcpV4DoRcv(TcpSock tp, SkBuff skb)
    {
        if (tp.SkState == TCP_ESTABLISHED)
        {
            if (tp.SkRxDst is { } dst && (tp.SkRxDstIfindex != skb.SkbIif || !dst.Check()))
                tp.SkRxDst = null;
            TcpInput.TcpRcvEstablished(tp, skb);
            return 0;
        }

        int reason;
        TcpSock answering = tp;
        if (tp.SkState == TCP_LISTEN)
        {
            Sock? nsk = TcpV4CookieCheck(tp, skb);
            if (nsk == null)
            {
                skb.Free();
                return 0;
            }

            if (nsk != tp)
            {
                answering = TcpSock.Of(nsk);
                reason = TcpMinisocks.TcpChildProcess(tp, answering, skb);
                return ResetUnless(reason == 0, answering, skb);
            }
        }

        reason = TcpInput.TcpRcvStateProcess(tp, skb);
        return ResetUnless(reason == 0, answering, skb);
    }

    /// <summary>
    /// Notes in the packet what the header says, in the form that the engine works with (<c>tcp_v4_fill_cb</c>).
    /// </summary>
    internal static void TcpV4FillCb(SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        byte dsfield = skb.IpHdr.Tos;
        ref TcpSkbCb cb = ref skb.TcpCb;
        int flags = th.Flags;
        cb = default;
        cb.Seq = th.Seq;
        cb.EndSeq = cb.Seq + (uint)(flags & TCPHDR_FIN) + (uint)((flags & TCPHDR_SYN) >> 1)
            + (uint)(skb.Len - th.HeaderLength);
        cb.AckSeq = th.AckSeq;
        cb.TcpFlags = (ushort)flags;
        cb.IpDsfield = dsfield;
        cb.HasRxtstamp = skb.Tstamp != 0;
    }

    private static int ResetUnless(bool fine, TcpSock tp, SkBuff skb)
    {
        if (fine)
            return 0;
        TcpV4SendReset(tp, skb);
        skb.Free();
        return 0;
    }

    private static bool ChecksumIsRight(SkBuff skb)
    {
        switch (skb.IpSummed)
        {
            case ChecksumState.None:
            case ChecksumState.Complete:
                Iphdr iph = skb.IpHdr;
                uint sum = skb.IpSummed == ChecksumState.Complete ? skb.Csum : skb.Checksum(0, skb.Len, 0);
                if (Checksum.CsumTcpudpMagic(iph.Saddr, iph.Daddr, skb.Len, IPPROTO_TCP, sum) != 0)
                    return false;
                skb.IpSummed = ChecksumState.Unnecessary;
                return true;
            default:
                return true;
        }
    }

    // Socket, request or TIME_WAIT: whatever has the four-tuple, then a listener.
    private static int Deliver(NetNamespace net, SkBuff skb)
    {
        while (true)
        {
            SockCommon? found = Lookup(net, skb);
            switch (found)
            {
                case null:
                    TcpV4SendReset(null, skb);
                    skb.Free();
                    return 0;
                case TcpTimewaitSock tw:
                    if (TimeWait(net, tw, skb, out TcpSock? listener))
                        return 0;
                    return Process(listener!, skb);
                case TcpRequestSock req:
                    if (NewSynRecv(req, skb, out TcpSock? again))
                        return 0;
                    if (again != null)
                        return Process(again, skb);
                    continue;
                default:
                    return Process((TcpSock)found, skb);
            }
        }
    }

    private static SockCommon? Lookup(NetNamespace net, SkBuff skb)
    {
        // Early demultiplexing found it already and took the reference.
        if (skb.Sk is { } early)
        {
            skb.Sk = null;
            skb.Destructor = null;
            return early;
        }

        Iphdr iph = skb.IpHdr;
        Tcphdr th = skb.Tcphdr;
        return InetHashtables.InetLookup(net, iph.Saddr, th.Source, iph.Daddr, th.Dest, skb.SkbIif);
    }

    // A full socket; the reference is given back.
    private static int Process(TcpSock tp, SkBuff skb)
    {
        if (tp.MinTtl != 0 && skb.IpHdr.Ttl < tp.MinTtl)
        {
            tp.NetIncStats(LinuxMib.TCPMinTTLDrop);
            return DropAndPut(tp, skb);
        }

        if (tp.SkFilterTrimCap(skb, skb.Tcphdr.HeaderLength) != 0)
            return DropAndPut(tp, skb);
        skb.Dev = null;
        if (tp.SkState == TCP_LISTEN)
        {
            TcpV4DoRcv(tp, skb);
            tp.SockPut();
            return 0;
        }

        tp.BhLockSock();
        TcpInput.TcpSegsIn(tp, skb);
        if (!tp.SockOwnedByUser)
        {
            TcpV4DoRcv(tp, skb);
        }
        else if (!TcpAddBacklog(tp, skb))
        {
            tp.BhUnlockSock();
            return DropAndPut(tp, skb);
        }

        tp.BhUnlockSock();
        tp.SockPut();
        return 0;
    }

    private static int DropAndPut(Sock sk, SkBuff skb)
    {
        Interlocked.Increment(ref sk.SkDrops);
        sk.SockPut();
        skb.Free();
        return 0;
    }

    // Returns whether the segment is done with; otherwise listener (with a reference) looks at it, or it is looked up
    // again.
    private static bool NewSynRecv(TcpRequestSock req, SkBuff skb, out TcpSock? listener)
    {
        TcpSock sk = TcpSock.Of(req.RskListener!);
        listener = null;
        if (sk.SkState != TCP_LISTEN)
        {
            InetConnectionSockOps.InetCskReqskQueueDropAndPut(sk, req);
            return false;
        }

        sk.SockHold();
        Sock? nsk = null;
        bool stolen = false;
        if (sk.SkFilterTrimCap(skb, skb.Tcphdr.HeaderLength) == 0)
            nsk = TcpMinisocks.TcpCheckReq(sk, skb, req, out stolen);
        if (nsk == null)
        {
            req.ReqskPut();
            if (stolen)
            {
                sk.SockPut();
                return false;
            }

            DropAndPut(sk, skb);
            return true;
        }

        if (nsk == sk)
        {
            req.ReqskPut();
            listener = sk;
            return false;
        }

        TcpSock child = TcpSock.Of(nsk);
        if (TcpMinisocks.TcpChildProcess(sk, child, skb) != 0)
        {
            TcpV4SendReset(child, skb);
            DropAndPut(sk, skb);
            return true;
        }

        sk.SockPut();
        return true;
    }

    // Returns whether the segment is done with; otherwise listener (with a reference) begins a new connection.
    private static bool TimeWait(NetNamespace net, TcpTimewaitSock tw, SkBuff skb, out TcpSock? listener)
    {
        listener = null;
        switch (TcpMinisocks.TcpTimewaitStateProcess(tw, skb, out uint isn))
        {
            case TcpTwStatus.Syn:
                Iphdr iph = skb.IpHdr;
                Tcphdr th = skb.Tcphdr;
                Sock? sk = InetHashtables.InetLookupListener(
                    net, iph.Saddr, th.Source, iph.Daddr, th.Dest, skb.SkbIif);
                if (sk != null)
                {
                    InetTimewaitSock.InetTwskDeschedulePut(tw);
                    skb.TcpCb.TcpTwIsn = isn;
                    listener = TcpSock.Of(sk);
                    return false;
                }

                TcpV4TimewaitAck(tw, skb);
                break;
            case TcpTwStatus.Ack:
                TcpV4TimewaitAck(tw, skb);
                break;
            case TcpTwStatus.Rst:
                TcpV4SendReset(tw, skb);
                InetTimewaitSock.InetTwskDeschedulePut(tw);
                break;
        }

        skb.Free();
        return true;
    }
}

/// <summary>TCP as IPv4 knows it.</summary>
public sealed class TcpProtocol : NetProtocol
{
    /// <summary>The handler.</summary>
    public static readonly TcpProtocol Instance = new();

    private TcpProtocol()
    {
    }

    /// <inheritdoc/>
    public override bool IcmpStrictTagValidation => true;

    /// <inheritdoc/>
    public override bool HasEarlyDemux => true;

    /// <inheritdoc/>
    public override int EarlyDemux(SkBuff skb) => TcpIpv4.TcpV4EarlyDemux(skb);

    /// <inheritdoc/>
    public override int Handler(SkBuff skb) => TcpIpv4.TcpV4Rcv(skb);

    /// <inheritdoc/>
    public override int ErrHandler(SkBuff skb, uint info) => TcpIpv4.TcpV4Err(skb, info);
}
