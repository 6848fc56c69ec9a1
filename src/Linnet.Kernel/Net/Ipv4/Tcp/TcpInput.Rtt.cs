using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Round-trip times and the retransmission timeout (RFC 6298).</content>
public static partial class TcpInput
{
    /// <summary>Takes in a sample: SRTT with a gain of 1/8, deviation with 1/4, the latter never below the least timeout.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="rttUs">The sample, µs.</param>
    [Linux("tcp_rtt_estimator")]
    private static void TcpRttEstimator(TcpSock tp, long rttUs)
    {
        long m = rttUs;
        uint srtt = tp.SrttUs;
        uint rtoMinUs = (uint)(tp.TcpRtoMin / Clock.NsecPerUsec);
        if (srtt == 0)
        {
            srtt = (uint)(m << 3);
            tp.MdevUs = (uint)(m << 1);
            tp.RttvarUs = Math.Max(tp.MdevUs, rtoMinUs);
            tp.MdevMaxUs = tp.RttvarUs;
            tp.RttSeq = tp.SndNxt;
            tp.SrttUs = Math.Max(1, srtt);
            return;
        }

        m -= srtt >> 3;
        srtt = (uint)(srtt + m);
        if (m < 0)
        {
            // An RTT that falls is no reason for a longer timeout: its deviation counts an eighth.
            m = -m - (tp.MdevUs >> 2);
            if (m > 0)
                m >>= 3;
        }
        else
        {
            m -= tp.MdevUs >> 2;
        }

        tp.MdevUs = (uint)(tp.MdevUs + m);
        if (tp.MdevUs > tp.MdevMaxUs)
        {
            tp.MdevMaxUs = tp.MdevUs;
            if (tp.MdevMaxUs > tp.RttvarUs)
                tp.RttvarUs = tp.MdevMaxUs;
        }

        // It falls once for each window, however many samples a window gives.
        if (TcpSeq.After(tp.SndUna, tp.RttSeq))
        {
            if (tp.MdevMaxUs < tp.RttvarUs)
                tp.RttvarUs -= (tp.RttvarUs - tp.MdevMaxUs) >> 2;
            tp.RttSeq = tp.SndNxt;
            tp.MdevMaxUs = rtoMinUs;
        }

        tp.SrttUs = Math.Max(1, srtt);
    }

    /// <summary>Sets the retransmission timeout from the estimate (RFC 6298 2.3).</summary>
    [Linux("tcp_set_rto")]
    private static void TcpSetRto(TcpSock tp) => tp.IcskRto = Math.Min(tp.TcpSetRtoCore, tp.TcpRtoMax);

    /// <summary>Chooses the best sample that an ACK gives: its segments' own times, or the echoed timestamp.</summary>
    /// <returns>Whether there was one.</returns>
    [Linux("tcp_ack_update_rtt")]
    private static bool TcpAckUpdateRtt(
        TcpSock tp, int flag, long seqRttUs, long sackRttUs, long caRttUs, ref RateSample rs)
    {
        if (seqRttUs < 0)
            seqRttUs = sackRttUs;

        // RFC 7323 4.1: only when the left edge of the window advances.
        if (seqRttUs < 0 && tp.RxOpt.SawTstamp && tp.RxOpt.RcvTsecr != 0 && (flag & FLAG_ACKED) != 0)
            seqRttUs = caRttUs = TcpRttTsoptUs(tp, 1000);
        rs.RttUs = caRttUs;
        if (seqRttUs < 0)
            return false;
        TcpUpdateRttMin(tp, caRttUs, flag);
        TcpRttEstimator(tp, seqRttUs);
        TcpSetRto(tp);

        // RFC 6298 5.7: a backoff ends only with a valid sample.
        tp.IcskBackoff = 0;
        return true;
    }

    private static void TcpUpdateRttMin(TcpSock tp, long rttUs, int flag)
    {
        if ((flag & FLAG_ACK_MAYBE_DELAYED) != 0 && rttUs > tp.TcpMinRtt)
            return;
        uint window = (uint)tp.Ipv4.SysctlTcpMinRttWlen * 1000;
        tp.RttMin.RunningMin(window, tp.TcpJiffies32, rttUs > 0 ? (uint)rttUs : 1000);
    }

    // Time since the timestamp was sent that the peer echoes, µs; -1 when that cannot be.
    private static long TcpRttTsoptUs(TcpSock tp, long least)
    {
        uint delta = tp.TcpTimeStampTs - tp.RxOpt.RcvTsecr;
        if (delta >= int.MaxValue / 1000)
            return -1;
        return delta == 0 ? least : delta * 1000L;
    }

    /// <summary>A handshake is finished: the time that the SYN-ACK took is the first sample.</summary>
    [Linux("tcp_synack_rtt_meas")]
    public static void TcpSynackRttMeas(TcpSock tp, TcpRequestSock? req)
    {
        long rttUs = -1;
        if (req is { NumRetrans: 0, SntSynack: not 0 })
            rttUs = tp.Machine.Clock.Now / Clock.NsecPerUsec - req.SntSynack;
        RateSample rs = default;
        TcpAckUpdateRtt(tp, FLAG_SYN_ACKED, rttUs, -1, rttUs, ref rs);
    }

    /// <summary>An ICMP error says that the path is down: a backoff for its sake is taken back (RFC 6069).</summary>
    [Linux("tcp_ld_RTO_revert", "net/ipv4/tcp_ipv4.c")]
    public static void TcpLdRtoRevert(TcpSock tp, uint seq)
    {
        if (seq != tp.SndUna || tp.IcskRetransmits == 0 || tp.IcskBackoff == 0)
            return;
        if (tp.RtxQueue.First is not { } skb)
            return;
        tp.IcskBackoff--;
        long rto = tp.SrttUs != 0 ? tp.TcpSetRtoCore : TCP_TIMEOUT_INIT;
        tp.IcskRto = Math.Min(rto << tp.IcskBackoff, tp.TcpRtoMax);
        TcpOutput.TcpMstampRefresh(tp);
        long remaining = tp.IcskRto - (tp.TcpClockCache - skb.Tstamp);

        // When it is past already, the timer sends at once.
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, Math.Max(remaining, Clock.NsecPerMsec));
    }

    // --- the receiver's view ---

    private static void TcpRcvRttUpdate(TcpSock tp, uint sample, bool winDep)
    {
        uint old = tp.RcvRttEst.RttUs;
        long m = (long)sample << 3;
        if (old == 0 || m < old)
        {
            tp.RcvRttEst.RttUs = (uint)Math.Min(m, uint.MaxValue);
            return;
        }

        // A whole window may take long for want of data; and what waits unread says nothing about the network.
        if (winDep || tp.RcvNxt != tp.CopiedSeq)
            return;
        tp.RcvRttEst.RttUs = old - (old >> 3) + sample;
    }

    /// <summary>Without timestamps: the time that a whole window takes to come.</summary>
    [Linux("tcp_rcv_rtt_measure")]
    private static void TcpRcvRttMeasure(TcpSock tp)
    {
        if (tp.RcvRttEst.Time != 0)
        {
            if (TcpSeq.Before(tp.RcvNxt, tp.RcvRttEst.Seq))
                return;
            TcpRcvRttUpdate(tp, (uint)Math.Max(1, tp.TcpMstamp - tp.RcvRttEst.Time), winDep: true);
        }

        tp.RcvRttEst.Seq = tp.RcvNxt + tp.RcvWnd;
        tp.RcvRttEst.Time = tp.TcpMstamp;
    }

    /// <summary>With timestamps: the time since our ACK that a full segment answers.</summary>
    [Linux("tcp_rcv_rtt_measure_ts")]
    public static void TcpRcvRttMeasureTs(TcpSock tp, SkBuff skb)
    {
        if (tp.RxOpt.RcvTsecr == tp.RcvRttLastTsecr)
            return;
        tp.RcvRttLastTsecr = tp.RxOpt.RcvTsecr;
        if (skb.TcpCb.EndSeq - skb.TcpCb.Seq < (uint)tp.IcskAck.RcvMss)
            return;
        long delta = TcpRttTsoptUs(tp, 0);
        if (delta > 0)
            TcpRcvRttUpdate(tp, (uint)delta, winDep: false);
    }
}
