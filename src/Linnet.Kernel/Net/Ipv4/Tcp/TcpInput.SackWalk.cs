using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Marking packets of the retransmission queue as sacked. Neighbours that are sacked become one packet, so that the queue, and
/// with it the work for later ACKs, does not grow with what a peer makes up.
/// </content>
public static partial class TcpInput
{
    // Marks the packets of one block; large packets are cut at its ends.
    [Linux("tcp_sacktag_walk")]
    private static void TcpSacktagWalk(TcpSock tp, TcpSackBlock block, bool duplicate, ref SacktagState state)
    {
        int index = tp.RtxQueue.LowerBound(block.StartSeq);

        // The packet before may reach into the block.
        if (index > 0 && TcpSeq.After(tp.RtxQueue[index - 1].TcpCb.EndSeq, block.StartSeq))
            index--;
        while (index < tp.RtxQueue.Count)
        {
            SkBuff skb = tp.RtxQueue[index];
            if (!TcpSeq.Before(skb.TcpCb.Seq, block.EndSeq))
                break;
            tp.SackPacketsVisited++;

            // What was not eaten whole is looked at again: what is left of it is not covered, and that ends the walk.
            if (TcpShiftSkbData(tp, index, skb, block, duplicate, ref state))
                continue;
            int inSack = TcpMatchSkbToSack(tp, skb, block.StartSeq, block.EndSeq);
            if (inSack < 0)
                break;
            if (inSack > 0)
                TagWhole(tp, skb, duplicate, ref state);
            index++;
        }
    }

    /// <summary>Moves what of a packet is newly sacked to the packet before, which is sacked already.</summary>
    /// <returns>False when that cannot be; nothing is marked then.</returns>
    [Linux("tcp_shift_skb_data")]
    private static bool TcpShiftSkbData(
        TcpSock tp, int index, SkBuff skb, TcpSackBlock block, bool duplicate, ref SacktagState state)
    {
        int mss = SegmentLength(skb);
        int length = skb.Len;
        int pcount = skb.TcpPcount;
        if (!CanShift(tp, index, skb, block, duplicate, out SkBuff prev))
        {
            tp.NetIncStats(LinuxMib.TCPSackShiftFallback);
            return false;
        }

        if (TcpSeq.Before(block.EndSeq, skb.TcpCb.EndSeq))
        {
            // Less than a segment is not sacked.
            int covered = (int)(block.EndSeq - skb.TcpCb.Seq);
            if (pcount <= 1 || covered < mss)
                return false;
            pcount = covered / mss;
            length = pcount * mss;
        }

        if (!TcpSeq.After(skb.TcpCb.Seq + (uint)length, tp.SndUna)
            || !TcpShiftedSkb(tp, prev, skb, pcount, length, mss, duplicate, ref state))
        {
            tp.NetIncStats(LinuxMib.TCPSackShiftFallback);
            return false;
        }

        // The hole between two sacked packets is gone: they become one, too.
        SkBuff? next = index < tp.RtxQueue.Count ? tp.RtxQueue[index] : null;
        if (next != null && next != skb && IsPlainSacked(next) && TcpSkbCanCollapse(prev, next)
            && SegmentLength(next) == mss)
        {
            TcpShiftedSkb(tp, prev, next, next.TcpPcount, next.Len, mss, duplicate: false, ref state);
        }

        return true;
    }

    // Only segments of the same size are moved, and none that has a retransmission under way which is not lost.
    private static bool CanShift(
        TcpSock tp, int index, SkBuff skb, TcpSackBlock block, bool duplicate, out SkBuff prev)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        prev = null!;
        bool plainRetrans = !duplicate && (tcb.Sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) == TCPCB_SACKED_RETRANS;
        if (plainRetrans || index == 0 || skb.HeadLen != 0 || skb.Len == 0 || !TcpSeq.After(tcb.EndSeq, tp.SndUna)
            || TcpSeq.After(block.StartSeq, tcb.Seq))
        {
            return false;
        }

        prev = tp.RtxQueue[index - 1];
        return IsPlainSacked(prev) && TcpSkbCanCollapse(prev, skb) && SegmentLength(skb) == SegmentLength(prev);
    }

    [Linux("tcp_shifted_skb")]
    private static bool TcpShiftedSkb(
        TcpSock tp, SkBuff prev, SkBuff skb, int pcount, int length, int mss, bool duplicate, ref SacktagState state)
    {
        // The count of segments has 16 bits.
        if (prev.Len + length >= ushort.MaxValue * TCP_MIN_GSO_SIZE || prev.TcpPcount + pcount > ushort.MaxValue)
            return false;
        bool whole = length == skb.Len;
        if (!skb.ShiftTo(prev, length))
            return false;
        ref TcpSkbCb tcb = ref skb.TcpCb;
        ref TcpSkbCb to = ref prev.TcpCb;
        uint endSeq = whole ? tcb.EndSeq : tcb.Seq + (uint)length;
        TcpSacktagOne(tp, skb, endSeq, (uint)pcount, duplicate, ref state);
        TcpRate.TcpRateSkbDelivered(tp, skb, ref state.Rate);
        to.EndSeq = endSeq;
        to.TcpGsoSegs += (ushort)pcount;
        to.TcpGsoSize = (ushort)mss;
        to.Sacked |= (byte)(tcb.Sacked & TCPCB_EVER_RETRANS);
        if (skb == tp.LostSkbHint)
            tp.LostCntHint += pcount;
        if (!whole)
        {
            tcb.Seq = endSeq;
            tcb.TcpGsoSegs -= (ushort)pcount;
            if (tcb.TcpGsoSegs <= 1)
                tcb.TcpGsoSize = 0;
            tp.NetIncStats(LinuxMib.TCPSackShifted);
            return true;
        }

        if (skb == tp.RetransmitSkbHint)
            tp.RetransmitSkbHint = prev;
        if (skb == tp.LostSkbHint)
        {
            tp.LostSkbHint = prev;
            tp.LostCntHint -= prev.TcpPcount;
        }

        to.TcpFlags |= tcb.TcpFlags;
        to.Eor = tcb.Eor;
        TcpOutput.TcpSkbCollapseTstamp(prev, skb);
        to.TxDeliveredMstamp = 0;
        tp.TcpRtxQueueUnlinkAndFree(skb);
        tp.NetIncStats(LinuxMib.TCPSackMerged);
        return true;
    }

    private static bool IsPlainSacked(SkBuff skb) => (skb.TcpCb.Sacked & TCPCB_TAGBITS) == TCPCB_SACKED_ACKED;

    private static bool TcpSkbCanCollapse(SkBuff to, SkBuff from) => !to.TcpCb.Eor && from.HeadLen == 0 && from.Len != 0;

    private static int SegmentLength(SkBuff skb) => skb.TcpPcount == 1 ? skb.Len : skb.TcpMss;

    /// <summary>Whether a packet is covered by a block; cuts it when only some of its segments are.</summary>
    /// <returns>1, 0, or a negative number when nothing behind it is covered.</returns>
    [Linux("tcp_match_skb_to_sack")]
    private static int TcpMatchSkbToSack(TcpSock tp, SkBuff skb, uint startSeq, uint endSeq)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        bool inSack = !TcpSeq.After(startSeq, tcb.Seq);
        if (inSack && !TcpSeq.Before(endSeq, tcb.EndSeq))
            return 1;
        if (tcb.TcpGsoSegs <= 1 || !TcpSeq.After(tcb.EndSeq, startSeq))
            return 0;
        int mss = tcb.TcpGsoSize;
        int length = (int)(inSack ? endSeq - tcb.Seq : startSeq - tcb.Seq);
        if (length < mss)
        {
            if (inSack)
                return -1;
            length = mss;
        }
        else if (length > mss)
        {
            // Whole segments only: what is sacked in part stays unsacked.
            int rounded = length / mss * mss;
            if (!inSack && rounded < length)
                rounded += mss;
            length = rounded;
        }

        if (length >= skb.Len && !inSack)
            return 0;
        if (length < skb.Len && TcpOutput.TcpFragment(tp, skb, length, mss, sent: true) != 0)
            return -1;
        return inSack ? 1 : 0;
    }

    // A whole packet is covered.
    private static void TagWhole(TcpSock tp, SkBuff skb, bool duplicate, ref SacktagState state)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        bool isNew = (tcb.Sacked & TCPCB_SACKED_ACKED) == 0;
        tcb.Sacked = TcpSacktagOne(tp, skb, tcb.EndSeq, tcb.TcpGsoSegs, duplicate, ref state);
        if ((tcb.Sacked & TCPCB_SACKED_ACKED) == 0)
            return;
        tp.TsortedUnlink(skb);
        if (isNew)
            TcpRate.TcpRateSkbDelivered(tp, skb, ref state.Rate);
    }

    /// <summary>Counts a packet's beginning, up to <paramref name="endSeq"/>, as sacked.</summary>
    /// <returns>The scoreboard of that part.</returns>
    [Linux("tcp_sacktag_one")]
    private static byte TcpSacktagOne(
        TcpSock tp, SkBuff skb, uint endSeq, uint segments, bool duplicate, ref SacktagState state)
    {
        uint startSeq = skb.TcpCb.Seq;
        byte sacked = skb.TcpCb.Sacked;
        if (duplicate && (sacked & TCPCB_RETRANS) != 0)
        {
            if (tp.UndoMarker != 0 && tp.UndoRetrans > 0 && TcpSeq.After(endSeq, tp.UndoMarker))
                tp.UndoRetrans = Math.Max(0, tp.UndoRetrans - (int)segments);
            if ((sacked & TCPCB_SACKED_ACKED) != 0 && TcpSeq.Before(startSeq, state.Reord))
                state.Reord = startSeq;
        }

        if (!TcpSeq.After(endSeq, tp.SndUna))
            return sacked;
        if ((sacked & TCPCB_SACKED_ACKED) == 0)
        {
            TcpRecovery.TcpRackAdvance(tp, sacked, endSeq, skb.Tstamp);
            sacked = NewlySacked(tp, skb, endSeq, segments, ref state);
            if (TcpSeq.After(endSeq, tp.HighestSack))
                tp.HighestSack = endSeq;
        }

        // A retransmission whose duplicate is reported is not under way any more.
        if (duplicate && (sacked & TCPCB_SACKED_RETRANS) != 0)
        {
            sacked &= unchecked((byte)~TCPCB_SACKED_RETRANS);
            tp.RetransOut -= segments;
        }

        return sacked;
    }

    private static byte NewlySacked(TcpSock tp, SkBuff skb, uint endSeq, uint segments, ref SacktagState state)
    {
        uint startSeq = skb.TcpCb.Seq;
        byte sacked = skb.TcpCb.Sacked;
        if ((sacked & TCPCB_SACKED_RETRANS) != 0)
        {
            // One that is not taken for lost has its retransmission still on the way.
            if ((sacked & TCPCB_LOST) != 0)
            {
                sacked &= unchecked((byte)~(TCPCB_LOST | TCPCB_SACKED_RETRANS));
                tp.LostOut -= segments;
                tp.RetransOut -= segments;
            }
        }
        else
        {
            if ((sacked & TCPCB_RETRANS) == 0)
            {
                // An original that arrived behind later ones.
                if (TcpSeq.Before(startSeq, TcpHighestSackSeq(tp)) && TcpSeq.Before(startSeq, state.Reord))
                    state.Reord = startSeq;
                if (!TcpSeq.After(endSeq, tp.HighSeq))
                    state.Flag |= FLAG_ORIG_SACK_ACKED;
                if (state.FirstSackt == 0)
                    state.FirstSackt = skb.Tstamp;
                state.LastSackt = skb.Tstamp;
            }

            if ((sacked & TCPCB_LOST) != 0)
            {
                sacked &= unchecked((byte)~TCPCB_LOST);
                tp.LostOut -= segments;
            }
        }

        state.Flag |= FLAG_DATA_SACKED;
        tp.SackedOut += segments;
        state.SackDelivered += segments;
        if (tp.LostSkbHint != null && TcpSeq.Before(startSeq, tp.LostSkbHint.TcpCb.Seq))
            tp.LostCntHint += (int)segments;
        return (byte)(sacked | TCPCB_SACKED_ACKED);
    }
}
