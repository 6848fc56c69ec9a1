using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>ICMP errors, and finding the socket before the route.</content>
public static partial class TcpIpv4
{
    private static readonly Action<SkBuff> SockEdemux = static skb => skb.Sk!.SockPut();

    /// <summary>
    /// Finds the connection before the route is looked up, since it knows the route; packet at the IP header.
    /// </summary>
    [Linux("tcp_v4_early_demux")]
    public static int TcpV4EarlyDemux(SkBuff skb)
    {
        if (skb.PktType != PACKET_HOST)
            return 0;
        Iphdr iph = skb.IpHdr;
        int headerLength = iph.HeaderLength;
        if (!skb.PskbMayPull(headerLength + Tcphdr.Size))
            return 0;
        iph = skb.IpHdr;
        Tcphdr th = new(skb.Data[headerLength..]);
        if (th.HeaderLength < Tcphdr.Size)
            return 0;
        SockCommon? found = InetHashtables.InetLookupEstablished(
            skb.Dev!.Net, iph.Saddr, th.Source, iph.Daddr, th.Dest, skb.SkbIif);
        if (found is TcpSock tp)
        {
            skb.Sk = tp;
            skb.Destructor = SockEdemux;
            if (tp.SkRxDst is { } dst && tp.SkRxDstIfindex == skb.SkbIif && dst.Check())
                skb.Dst = dst;
        }
        else if (found != null)
        {
            InetHashtables.SockGenPut(found);
        }

        return 0;
    }

    /// <summary>
    /// An ICMP error came for a segment that this host sent. A connection outlives it (RFC 1122 section 4.2.3.9): it is
    /// noted, and becomes the reason when the connection times out; only a connection attempt ends at once.
    /// </summary>
    /// <param name="skb">The ICMP message; data at the IP header that it quotes.</param>
    /// <param name="info">MTU for fragmentation needed.</param>
    /// <returns>0, or -ENOENT when nobody sent such a segment.</returns>
    [Linux("tcp_v4_err")]
    public static int TcpV4Err(SkBuff skb, uint info)
    {
        NetNamespace net = skb.Dev!.Net;
        Iphdr iph = new(skb.Data);
        ReadOnlySpan<byte> quoted = skb.Data[iph.HeaderLength..];
        ushort source = BinaryPrimitives.ReadUInt16BigEndian(quoted);
        ushort dest = BinaryPrimitives.ReadUInt16BigEndian(quoted[2..]);
        uint seq = BinaryPrimitives.ReadUInt32BigEndian(quoted[4..]);
        int type = skb.IcmpHdr.Type;
        int code = skb.IcmpHdr.Code;
        SockCommon? found = InetHashtables.InetLookupEstablished(net, iph.Daddr, dest, iph.Saddr, source, skb.SkbIif);
        switch (found)
        {
            case null:
                net.Ipv4.IcmpStatistics.Inc(IcmpMib.InErrors);
                return -ENOENT;
            case TcpTimewaitSock tw:
                tw.InetTwskPut();
                return 0;
            case TcpRequestSock req:
                TcpReqErr(req, seq, type is ICMP_PARAMETERPROB or ICMP_TIME_EXCEEDED
                    || (type == ICMP_DEST_UNREACH && code is ICMP_NET_UNREACH or ICMP_HOST_UNREACH));
                return 0;
        }

        TcpSock tp = (TcpSock)found;
        tp.BhLockSock();
        ErrLocked(tp, skb, seq, type, code, info, dest, iph.HeaderLength);
        tp.BhUnlockSock();
        tp.SockPut();
        return 0;
    }

    /// <summary>An ICMP error for a SYN-ACK: the request goes away without a word.</summary>
    [Linux("tcp_req_err")]
    public static void TcpReqErr(TcpRequestSock req, uint seq, bool abort)
    {
        Sock listener = req.RskListener!;
        if (seq != req.SntIsn)
        {
            listener.SkNet.Ipv4.NetStatistics.Inc(LinuxMib.OutOfWindowIcmps);
        }
        else if (abort)
        {
            InetConnectionSockOps.InetCskReqskQueueDrop(listener, req);
            Tcp.TcpListendrop(listener);
        }

        req.ReqskPut();
    }

    private static void ErrLocked(
        TcpSock tp, SkBuff skb, uint seq, int type, int code, uint info, ushort dport, int payloadOffset)
    {
        bool owned = tp.SockOwnedByUser;
        if (owned && !(type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED))
            tp.NetIncStats(LinuxMib.LockDroppedIcmps);
        if (tp.SkState == TCP_CLOSE)
            return;
        if (tp.MinTtl != 0 && OuterTtl(skb) < tp.MinTtl)
        {
            tp.NetIncStats(LinuxMib.TCPMinTTLDrop);
            return;
        }

        if (tp.SkState != TCP_LISTEN && !TcpSeq.Between(seq, tp.SndUna, tp.SndNxt))
        {
            tp.NetIncStats(LinuxMib.OutOfWindowIcmps);
            return;
        }

        int err = ErrnoOf(tp, skb, seq, type, code, info, owned);
        if (err == 0)
            return;
        if (tp.SkState is TCP_SYN_SENT or TCP_SYN_RECV)
        {
            IpSockglue.IpIcmpError(tp, skb, err, dport, info, payloadOffset);
            if (!owned)
                TcpInput.TcpDoneWithError(tp, err);
            else
                tp.SkErrSoft = err;
            return;
        }

        if (!owned && tp.Test(InetFlags.Recverr))
        {
            tp.SkErr = err;
            tp.SkErrorReport(tp);
        }
        else
        {
            tp.SkErrSoft = err;
        }
    }

    // 0 where there is nothing to report.
    private static int ErrnoOf(TcpSock tp, SkBuff skb, uint seq, int type, int code, uint info, bool owned)
    {
        switch (type)
        {
            case ICMP_REDIRECT:
                if (!owned)
                    Route.Ipv4SkRedirect(skb, tp);
                return 0;
            case ICMP_PARAMETERPROB:
                return EPROTO;
            case ICMP_TIME_EXCEEDED:
                return EHOSTUNREACH;
            case ICMP_DEST_UNREACH when code == ICMP_FRAG_NEEDED:
                FragNeeded(tp, info, owned);
                return 0;
            case ICMP_DEST_UNREACH when code <= NR_ICMP_UNREACH:
                // RFC 6069: an unreachable network is no congestion, so the backoff is taken back.
                if (code is ICMP_NET_UNREACH or ICMP_HOST_UNREACH)
                    TcpInput.TcpLdRtoRevert(tp, seq);
                return Icmp.IcmpErrConvert(code).Errno;
            default:
                return 0;
        }
    }

    // RFC 1191.
    private static void FragNeeded(TcpSock tp, uint info, bool owned)
    {
        if (tp.SkState == TCP_LISTEN)
            return;
        Volatile.Write(ref tp.MtuInfo, (int)info);
        if (!owned)
            TcpV4MtuReduced(tp);
        else
            TcpTimer.Defer(tp, TcpTsqFlags.MtuReducedDeferred);
    }

    private static byte OuterTtl(SkBuff skb) => skb.IpHdr.Ttl;
}
