using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Taking acknowledged segments off the retransmission queue.</content>
public static partial class TcpInput
{
    // What is learned on the way through the queue.
    private struct CleanState
    {
        public long FirstAckt;
        public long LastAckt;
        public uint Reord;
        public uint PktsAcked;
        public bool FullyAcked;
        public int Flag;
    }

    /// <summary>Frees what lies before SND.UNA, counts it, and measures the RTT by it.</summary>
    /// <returns><c>FLAG_*</c></returns>
    [Linux("tcp_clean_rtx_queue")]
    private static int TcpCleanRtxQueue(
        TcpSock tp, SkBuff ackSkb, uint priorFack, uint priorSndUna, ref SacktagState sack)
    {
        uint priorSacked = tp.SackedOut;
        CleanState state = new() { Reord = tp.SndNxt, FullyAcked = true, Flag = sack.Flag };
        while (tp.RtxQueue.First is { } skb && AckHead(tp, skb, ref state, ref sack))
        {
            TcpAckTstamp(tp, skb, priorSndUna);
            if (!state.FullyAcked)
                break;
            if (skb == tp.RetransmitSkbHint)
                tp.RetransmitSkbHint = null;
            if (skb == tp.LostSkbHint)
                tp.LostSkbHint = null;
            tp.TcpRtxQueueUnlinkAndFree(skb);
        }

        SkBuff? left = tp.RtxQueue.First;
        if (left == null)
            TcpOutput.TcpChronoStop(tp, TcpChronoType.Busy);
        else if ((left.TcpCb.Sacked & TCPCB_SACKED_ACKED) != 0)
            state.Flag |= FLAG_SACK_RENEGING;
        if (TcpSeq.Between(tp.SndUp, priorSndUna, tp.SndUna))
            tp.SndUp = tp.SndUna;

        bool rttUpdate = MeasureAck(tp, priorSndUna, priorSacked, ref state, ref sack, out long sackRttUs, out long caRttUs);
        if ((state.Flag & FLAG_ACKED) != 0)
            CountAcked(tp, priorFack, priorSacked, ref state);
        else if (left != null && rttUpdate && sackRttUs >= 0 && sackRttUs > ElapsedUs(tp, left.Tstamp))
            state.Flag |= FLAG_SET_XMIT_TIMER;
        if (tp.IcskMtup.ProbeSize != 0 && !TcpSeq.After(tp.MtuProbeSeqEnd, tp.SndUna))
            TcpMtupProbeSuccess(tp);
        if (tp.IcskCaOps.WantsPktsAcked)
        {
            tp.IcskCaOps.PktsAcked(
                tp,
                new AckSample
                {
                    PktsAcked = state.PktsAcked,
                    RttUs = caRttUs,
                    InFlight = sack.Rate.PriorInFlight,
                });
        }

        return state.Flag;
    }

    // The first packet of the queue: counts what of it is acknowledged; false when nothing is.
    private static bool AckHead(TcpSock tp, SkBuff skb, ref CleanState state, ref SacktagState sack)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        uint startSeq = tcb.Seq;
        byte sacked = tcb.Sacked;
        uint acked;
        if (TcpSeq.After(tcb.EndSeq, tp.SndUna))
        {
            if (tcb.TcpGsoSegs == 1 || !TcpSeq.After(tp.SndUna, tcb.Seq))
                return false;
            acked = TcpTsoAcked(tp, skb);
            if (acked == 0)
                return false;
            state.FullyAcked = false;
        }
        else
        {
            acked = tcb.TcpGsoSegs;
        }

        if ((sacked & TCPCB_RETRANS) != 0)
        {
            if ((sacked & TCPCB_SACKED_RETRANS) != 0)
                tp.RetransOut -= acked;
            state.Flag |= FLAG_RETRANS_DATA_ACKED;
        }
        else if ((sacked & TCPCB_SACKED_ACKED) == 0)
        {
            state.LastAckt = skb.Tstamp;
            if (state.FirstAckt == 0)
                state.FirstAckt = skb.Tstamp;
            if (TcpSeq.Before(startSeq, state.Reord))
                state.Reord = startSeq;
            if (!TcpSeq.After(tcb.EndSeq, tp.HighSeq))
                state.Flag |= FLAG_ORIG_SACK_ACKED;
        }

        if ((sacked & TCPCB_SACKED_ACKED) != 0)
        {
            tp.SackedOut -= acked;
        }
        else if (tp.TcpIsSack)
        {
            CountDelivered(tp, acked);
            if (!TcpSkbSpuriousRetrans(tp, skb))
                TcpRecovery.TcpRackAdvance(tp, sacked, tcb.EndSeq, skb.Tstamp);
        }

        if ((sacked & TCPCB_LOST) != 0)
            tp.LostOut -= acked;
        tp.PacketsOut -= acked;
        state.PktsAcked += acked;
        TcpRate.TcpRateSkbDelivered(tp, skb, ref sack.Rate);

        // A SYN is not data: slow start must not begin a packet early.
        if ((tcb.TcpFlags & TCPHDR_SYN) == 0)
        {
            state.Flag |= FLAG_DATA_ACKED;
        }
        else
        {
            state.Flag |= FLAG_SYN_ACKED;
            tp.RetransStamp = 0;
        }

        return true;
    }

    // The byte that the sender wanted to know of was acknowledged now.
    [Linux("tcp_ack_tstamp")]
    private static void TcpAckTstamp(TcpSock tp, SkBuff skb, uint priorSndUna)
    {
        if (!skb.TcpCb.TxstampAck || TcpSeq.Before(skb.Tskey, priorSndUna) || !TcpSeq.Before(skb.Tskey, tp.SndUna))
            return;
        TxTimestamp.SkbTstampTx(skb, tp, SCM_TSTAMP_ACK);
    }

    // Segments of a large packet that are acknowledged are cut off.
    [Linux("tcp_tso_acked")]
    private static uint TcpTsoAcked(TcpSock tp, SkBuff skb)
    {
        uint before = skb.TcpCb.TcpGsoSegs;
        TcpOutput.TcpTrimHead(tp, skb, (int)(tp.SndUna - skb.TcpCb.Seq));
        return before - skb.TcpCb.TcpGsoSegs;
    }

    private static bool MeasureAck(
        TcpSock tp, uint priorSndUna, uint priorSacked, ref CleanState state, ref SacktagState sack,
        out long sackRttUs, out long caRttUs)
    {
        long seqRttUs = -1;
        sackRttUs = caRttUs = -1;

        // A retransmission among them: it is not known which transmission was acknowledged (Karn, RFC 6298 3).
        if (state.FirstAckt != 0 && (state.Flag & FLAG_RETRANS_DATA_ACKED) == 0)
        {
            seqRttUs = ElapsedUs(tp, state.FirstAckt);
            caRttUs = ElapsedUs(tp, state.LastAckt);
            if (state.PktsAcked == 1 && state.FullyAcked && priorSacked == 0
                && tp.SndUna - priorSndUna < (uint)tp.MssCache && sack.Rate.PriorDelivered + 1 == tp.Delivered
                && (state.Flag & (FLAG_CA_ALERT | FLAG_SYN_ACKED)) == 0)
            {
                state.Flag |= FLAG_ACK_MAYBE_DELAYED;
            }
        }

        if (sack.FirstSackt != 0)
        {
            sackRttUs = ElapsedUs(tp, sack.FirstSackt);
            caRttUs = ElapsedUs(tp, sack.LastSackt);
        }

        return TcpAckUpdateRtt(tp, state.Flag, seqRttUs, sackRttUs, caRttUs, ref sack.Rate);
    }

    private static void CountAcked(TcpSock tp, uint priorFack, uint priorSacked, ref CleanState state)
    {
        state.Flag |= FLAG_SET_XMIT_TIMER;
        if (tp.TcpIsSack)
        {
            // A hole that was never retransmitted was filled: the network reordered.
            if (TcpSeq.Before(state.Reord, priorFack))
                TcpCheckSackReordering(tp, state.Reord, ts: false);
            tp.LostCntHint -= Math.Min(tp.LostCntHint, (int)(priorSacked - tp.SackedOut));
            return;
        }

        TcpRemoveRenoSacks(tp, state.PktsAcked);

        // Without SACK an ACK of a retransmission hides whether originals arrived.
        if ((state.Flag & FLAG_RETRANS_DATA_ACKED) != 0)
            state.Flag &= ~FLAG_ORIG_SACK_ACKED;
    }

    private static long ElapsedUs(TcpSock tp, long since) => Math.Max(0, tp.TcpMstamp - since / Clock.NsecPerUsec);
}
