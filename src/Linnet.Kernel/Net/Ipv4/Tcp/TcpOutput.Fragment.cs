using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Cutting and joining packets of the send and retransmission queues; payload is shared, not copied.</content>
public static partial class TcpOutput
{
    /// <summary>Cuts a packet in two; the second is queued behind the first.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The packet, in the write or retransmission queue.</param>
    /// <param name="len">Payload that stays in it.</param>
    /// <param name="mssNow">Payload of a full segment.</param>
    /// <param name="sent">Whether it is in the retransmission queue.</param>
    /// <returns>0, or -ENOMEM when the queue is far larger than the send buffer allows.</returns>
    [Linux("tcp_fragment")]
    internal static int TcpFragment(TcpSock tp, SkBuff skb, int len, int mssNow, bool sent)
    {
        Bug.On(len > skb.Len);

        // Peers must not be able to make us cut a queue into countless pieces (CVE-2019-11478).
        long limit = tp.SkSndbuf + 2L * SkBuff.TruesizeOf(65536);
        if (sent && tp.SkWmemQueued >> 1 > limit && skb != tp.RtxQueue.First && skb != tp.RtxQueue.Last)
        {
            tp.NetIncStats(LinuxMib.TCPWqueueTooBig);
            return -ENOMEM;
        }

        SkBuff buff = AllocSegment(tp);
        tp.SkWmemQueued += buff.Truesize;
        tp.SkMemCharge(buff.Truesize);
        int moved = skb.Len - len;
        buff.Truesize += moved;
        skb.Truesize -= moved;

        ref TcpSkbCb from = ref skb.TcpCb;
        ref TcpSkbCb to = ref buff.TcpCb;
        to = from;
        to.Seq = from.Seq + (uint)len;
        from.EndSeq = to.Seq;
        from.TcpFlags &= unchecked((ushort)~(TCPHDR_FIN | TCPHDR_PSH));
        from.Eor = false;
        to.TxstampAck = false;
        skb.Split(buff, len);
        buff.IsZerocopy = skb.IsZerocopy;
        TcpFragmentTstamp(skb, buff);
        buff.Tstamp = skb.Tstamp;
        buff.IpSummed = ChecksumState.Partial;

        int oldFactor = from.TcpGsoSegs;
        TcpSetSkbTsoSegs(skb, mssNow);
        TcpSetSkbTsoSegs(buff, mssNow);

        // What was sent is counted in segments; cutting may have changed how many they are.
        if (!TcpSeq.Before(tp.SndNxt, to.EndSeq))
            TcpAdjustPcount(tp, skb, oldFactor - from.TcpGsoSegs - to.TcpGsoSegs);
        if (!sent)
        {
            tp.SkWriteQueue.QueueAfter(skb, buff);
            return 0;
        }

        tp.RtxQueue.Insert(tp.RtxQueue.IndexOf(skb) + 1, buff);
        if (tp.IsTsorted(skb))
            tp.TsortedSentQueue.QueueAfter(skb, buff);
        return 0;
    }

    /// <summary>
    /// Fills a packet up from the next one of the write queue, for a window that takes more than the packet holds: whoever
    /// writes in small pieces gets large packets too.
    /// </summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The packet.</param>
    /// <param name="amount">Bytes that it may grow by; not positive for none.</param>
    [Linux("tcp_grow_skb")]
    private static void TcpGrowSkb(TcpSock tp, SkBuff skb, int amount)
    {
        if (amount <= 0 || tp.SkWriteQueue.Last == skb)
            return;
        SkBuff next = skb.Next!;
        if (skb.TcpCb.Eor || (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0 || next.Len == 0)
            return;
        int length = Math.Min(amount, next.Len);
        if (!next.ShiftTo(skb, length))
            return;
        skb.TcpCb.EndSeq += (uint)length;
        next.TcpCb.Seq += (uint)length;
        if (next.Len != 0)
            return;

        // Its FIN, PSH and end of record go over too.
        skb.TcpCb.EndSeq = next.TcpCb.EndSeq;
        skb.TcpCb.TcpFlags |= next.TcpCb.TcpFlags;
        skb.TcpCb.Eor = next.TcpCb.Eor;
        TcpSkbCollapseTstamp(skb, next);
        tp.SkWriteQueue.Unlink(next);
        tp.TcpWmemFreeSkb(next);
    }

    private static bool TcpHasTxTstamp(SkBuff skb) =>
        skb.TcpCb.TxstampAck || (skb.TxFlags & TxTimestamp.SKBTX_ANY_TSTAMP) != 0;

    /// <summary>A packet was cut: its stamp goes with the byte that it is of.</summary>
    [Linux("tcp_fragment_tstamp")]
    private static void TcpFragmentTstamp(SkBuff skb, SkBuff second)
    {
        if (!TcpHasTxTstamp(skb) || TcpSeq.Before(skb.Tskey, second.TcpCb.Seq))
            return;
        second.TxFlags |= (byte)(skb.TxFlags & TxTimestamp.SKBTX_ANY_TSTAMP);
        skb.TxFlags &= unchecked((byte)~TxTimestamp.SKBTX_ANY_TSTAMP);
        (skb.Tskey, second.Tskey) = (second.Tskey, skb.Tskey);
        second.TcpCb.TxstampAck = skb.TcpCb.TxstampAck;
        skb.TcpCb.TxstampAck = false;
    }

    /// <summary>A packet took another in: also its stamp.</summary>
    [Linux("tcp_skb_collapse_tstamp")]
    internal static void TcpSkbCollapseTstamp(SkBuff skb, SkBuff next)
    {
        if (!TcpHasTxTstamp(next))
            return;
        skb.TxFlags |= (byte)(next.TxFlags & TxTimestamp.SKBTX_ANY_TSTAMP);
        skb.Tskey = next.Tskey;
        skb.TcpCb.TxstampAck |= next.TcpCb.TxstampAck;
    }

    /// <summary>Takes acknowledged bytes off the beginning of a packet of the retransmission queue.</summary>
    [Linux("tcp_trim_head")]
    internal static void TcpTrimHead(TcpSock tp, SkBuff skb, int len)
    {
        int inFrags = Math.Max(0, len - skb.HeadLen);
        skb.TrimHead(len);
        ref TcpSkbCb tcb = ref skb.TcpCb;
        tcb.Seq += (uint)len;
        skb.Truesize -= inFrags;
        tp.SkWmemQueued -= inFrags;
        tp.SkMemUncharge(inFrags);
        if (tcb.TcpGsoSegs > 1)
            TcpSetSkbTsoSegs(skb, tcb.TcpGsoSize);
    }

    /// <summary>A packet stands for fewer segments than it did: all counters follow.</summary>
    [Linux("tcp_adjust_pcount")]
    private static void TcpAdjustPcount(TcpSock tp, SkBuff skb, int decr)
    {
        if (decr == 0)
            return;
        byte sacked = skb.TcpCb.Sacked;
        tp.PacketsOut -= (uint)decr;
        if ((sacked & TCPCB_SACKED_ACKED) != 0)
            tp.SackedOut -= (uint)decr;
        if ((sacked & TCPCB_SACKED_RETRANS) != 0)
            tp.RetransOut -= (uint)decr;
        if ((sacked & TCPCB_LOST) != 0)
            tp.LostOut -= (uint)decr;

        // Without SACK the count is an estimate by duplicate ACKs.
        if (tp.TcpIsReno && decr > 0)
            tp.SackedOut -= Math.Min(tp.SackedOut, (uint)decr);
        TcpVerifyLeftOut(tp);
    }

    internal static void TcpVerifyLeftOut(TcpSock tp) =>
        System.Diagnostics.Debug.Assert(tp.TcpLeftOut <= tp.PacketsOut, "more segments left the network than were sent");

    /// <summary>Puts what follows a small packet into it, so that a retransmission fills its segment (RFC 9293 3.8.6).</summary>
    [Linux("tcp_retrans_try_collapse")]
    private static void TcpRetransTryCollapse(TcpSock tp, SkBuff to, int space)
    {
        if (!tp.Ipv4.SysctlTcpRetransCollapse || (to.TcpCb.TcpFlags & TCPHDR_SYN) != 0)
            return;
        space -= to.Len;
        while (tp.RtxQueue.Next(to) is { } skb && TcpCanCollapse(skb) && !to.TcpCb.Eor)
        {
            space -= skb.Len;
            if (space < 0 || TcpSeq.After(skb.TcpCb.EndSeq, tp.TcpWndEnd) || !TcpCollapseRetrans(tp, to, skb))
                break;
        }
    }

    private static bool TcpCanCollapse(SkBuff skb) =>
        skb.TcpCb.TcpGsoSegs <= 1 && (skb.TcpCb.Sacked & TCPCB_SACKED_ACKED) == 0
        && (skb.TcpCb.TcpFlags & TCPHDR_SYN) == 0;

    [Linux("tcp_collapse_retrans")]
    private static bool TcpCollapseRetrans(TcpSock tp, SkBuff skb, SkBuff next)
    {
        Bug.On(skb.TcpPcount != 1 || next.TcpPcount != 1);
        if (!skb.TryCoalesce(next, out _))
            return false;

        ref TcpSkbCb tcb = ref skb.TcpCb;
        ref TcpSkbCb from = ref next.TcpCb;
        tcb.EndSeq = from.EndSeq;
        tcb.TcpFlags |= from.TcpFlags;
        tcb.Sacked |= (byte)(from.Sacked & TCPCB_EVER_RETRANS);
        tcb.Eor = from.Eor;
        TcpSkbCollapseTstamp(skb, next);

        // The memory stays charged: it moved from one packet to the other.
        int moved = next.Truesize - SkBuff.TruesizeOverhead;
        if (moved > 0)
        {
            skb.Truesize += moved;
            next.Truesize -= moved;
        }

        if (next == tp.RetransmitSkbHint)
            tp.RetransmitSkbHint = skb;
        TcpAdjustPcount(tp, next, next.TcpPcount);
        tp.TcpRtxQueueUnlinkAndFree(next);
        return true;
    }

    // A packet for the queues, without payload; its header is made on the copy that is sent.
    private static SkBuff AllocSegment(TcpSock tp)
    {
        SkBuff skb = tp.SkNet.SkbPool.Alloc(MAX_TCP_HEADER);
        skb.Reserve(MAX_TCP_HEADER);
        return skb;
    }
}
