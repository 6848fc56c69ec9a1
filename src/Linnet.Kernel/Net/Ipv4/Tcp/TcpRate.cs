using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Samples of the delivery rate (draft-ietf-ccwg-bbr, delivery rate estimation); times in µs.</summary>
[LinuxFile("net/ipv4/tcp_rate.c")]
public static class TcpRate
{
    /// <summary>A packet is sent: notes what was delivered by then.</summary>
    [Linux("tcp_rate_skb_sent")]
    public static void TcpRateSkbSent(TcpSock tp, SkBuff skb)
    {
        // Whatever was outstanding does not count for a flow that starts anew.
        if (tp.PacketsOut == 0)
        {
            tp.FirstTxMstamp = skb.Tstamp / Clock.NsecPerUsec;
            tp.DeliveredMstamp = tp.FirstTxMstamp;
        }

        ref TcpSkbCb tcb = ref skb.TcpCb;
        tcb.TxFirstTxMstamp = tp.FirstTxMstamp;
        tcb.TxDeliveredMstamp = tp.DeliveredMstamp;
        tcb.TxDelivered = tp.Delivered;
        tcb.TxIsAppLimited = tp.AppLimited != 0;
    }

    /// <summary>A packet was delivered: of those of one ACK, the sample is of the one that was sent last.</summary>
    [Linux("tcp_rate_skb_delivered")]
    public static void TcpRateSkbDelivered(TcpSock tp, SkBuff skb, ref RateSample rs)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if (tcb.TxDeliveredMstamp == 0)
            return;
        long sent = skb.Tstamp / Clock.NsecPerUsec;
        if (rs.PriorDelivered == 0 || sent > tp.FirstTxMstamp
            || sent == tp.FirstTxMstamp && TcpSeq.After(tcb.EndSeq, rs.LastEndSeq))
        {
            rs.PriorDelivered = tcb.TxDelivered;
            rs.PriorMstamp = tcb.TxDeliveredMstamp;
            rs.IsAppLimited = tcb.TxIsAppLimited;
            rs.IsRetrans = (tcb.Sacked & TCPCB_RETRANS) != 0;
            rs.LastEndSeq = tcb.EndSeq;

            // The sampled window of sending begins with the packet that was sent first.
            tp.FirstTxMstamp = sent;
            rs.IntervalUs = sent - tcb.TxFirstTxMstamp;
        }

        // A sacked packet is not counted again when it is acknowledged.
        if ((tcb.Sacked & TCPCB_SACKED_ACKED) != 0)
            tcb.TxDeliveredMstamp = 0;
    }

    /// <summary>The ACK is processed: finishes the sample.</summary>
    [Linux("tcp_rate_gen")]
    public static void TcpRateGen(TcpSock tp, uint delivered, uint lost, bool isSackReneg, ref RateSample rs)
    {
        if (tp.AppLimited != 0 && TcpSeq.After(tp.Delivered, tp.AppLimited))
            tp.AppLimited = 0;
        if (delivered != 0)
            tp.DeliveredMstamp = tp.TcpMstamp;
        rs.AckedSacked = delivered;
        rs.Losses = (int)lost;
        if (rs.PriorMstamp == 0 || isSackReneg)
        {
            rs.Delivered = -1;
            rs.IntervalUs = -1;
            return;
        }

        rs.Delivered = (int)(tp.Delivered - rs.PriorDelivered);

        // The longer of the sending and the ACK phase: either may be compressed.
        long ackUs = tp.TcpMstamp - rs.PriorMstamp;
        rs.IntervalUs = Math.Max(rs.IntervalUs, ackUs);
        if (rs.IntervalUs < tp.TcpMinRtt)
        {
            rs.IntervalUs = -1;
            return;
        }

        if (!rs.IsAppLimited
            || (ulong)rs.Delivered * tp.RateIntervalUs >= (ulong)tp.RateDelivered * (ulong)rs.IntervalUs)
        {
            tp.RateDelivered = (uint)rs.Delivered;
            tp.RateIntervalUs = (uint)Math.Min(rs.IntervalUs, uint.MaxValue);
            tp.RateAppLimited = rs.IsAppLimited;
        }
    }

    /// <summary>The application has nothing more to send: notes it when that, not the network, limits the flow.</summary>
    [Linux("tcp_rate_check_app_limited")]
    public static void TcpRateCheckAppLimited(TcpSock tp)
    {
        if (tp.WriteSeq - tp.SndNxt < tp.MssCache
            && Volatile.Read(ref tp.SkWmemAlloc) < SkBuff.TruesizeOf(1)
            && tp.TcpPacketsInFlight < tp.SndCwnd
            && tp.LostOut <= tp.RetransOut)
        {
            tp.AppLimited = Math.Max(tp.Delivered + tp.TcpPacketsInFlight, 1);
        }
    }
}
