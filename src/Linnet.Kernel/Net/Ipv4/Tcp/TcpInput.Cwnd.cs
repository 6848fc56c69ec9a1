using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The congestion window: growth, and reduction in proportion to what is delivered (RFC 6937).</content>
public static partial class TcpInput
{
    /// <summary>First congestion window, in segments: what the route says (<c>RTAX_INITCWND</c>), or ten (RFC 6928).</summary>
    [Linux("tcp_init_cwnd")]
    public static uint TcpInitCwnd(TcpSock tp)
    {
        uint cwnd = tp.SkDstCache?.Metric(RTAX_INITCWND) ?? 0;
        return Math.Min(cwnd != 0 ? cwnd : TCP_INIT_CWND, tp.SndCwndClamp);
    }

    /// <summary>Reduces the window without a loss: a local queue is full, or ECN says so (RFC 3168).</summary>
    [Linux("tcp_enter_cwr")]
    public static void TcpEnterCwr(TcpSock tp)
    {
        tp.PriorSsthresh = 0;
        if (tp.IcskCaState >= TCP_CA_CWR)
            return;
        tp.UndoMarker = 0;
        TcpInitCwndReduction(tp);
        TcpSetCaState(tp, TCP_CA_CWR);
    }

    [Linux("tcp_init_cwnd_reduction")]
    private static void TcpInitCwndReduction(TcpSock tp)
    {
        tp.HighSeq = tp.SndNxt;
        tp.TlpHighSeq = 0;
        tp.SndCwndCnt = 0;
        tp.PriorCwnd = tp.SndCwnd;
        tp.PrrDelivered = 0;
        tp.PrrOut = 0;
        tp.SndSsthresh = tp.IcskCaOps.Ssthresh(tp);
        TcpEcnQueueCwr(tp);
    }

    /// <summary>Proportional rate reduction: how much may be sent for what this ACK showed to be delivered.</summary>
    [Linux("tcp_cwnd_reduction")]
    internal static void TcpCwndReduction(TcpSock tp, uint newlyAckedSacked, int newlyLost, int flag)
    {
        if ((int)newlyAckedSacked <= 0 || tp.PriorCwnd == 0)
            return;
        int delta = (int)(tp.SndSsthresh - tp.TcpPacketsInFlight);
        int sndcnt;
        tp.PrrDelivered += newlyAckedSacked;
        if (delta < 0)
        {
            ulong dividend = (ulong)tp.SndSsthresh * tp.PrrDelivered + tp.PriorCwnd - 1;
            sndcnt = (int)(dividend / tp.PriorCwnd) - (int)tp.PrrOut;
        }
        else
        {
            // RFC 6937's slow-start bound, when nothing more was found to be lost; otherwise one for one.
            sndcnt = Math.Max((int)(tp.PrrDelivered - tp.PrrOut), (int)newlyAckedSacked);
            if ((flag & FLAG_SND_UNA_ADVANCED) != 0 && newlyLost == 0)
                sndcnt++;
            sndcnt = Math.Min(delta, sndcnt);
        }

        // The first retransmission always goes.
        sndcnt = Math.Max(sndcnt, tp.PrrOut != 0 ? 0 : 1);
        tp.TcpSndCwndSet(Math.Max(1, tp.TcpPacketsInFlight + (uint)sndcnt));
    }

    [Linux("tcp_end_cwnd_reduction")]
    private static void TcpEndCwndReduction(TcpSock tp)
    {
        if (tp.IcskCaOps.HasCongControl)
            return;
        if (tp.SndSsthresh < TCP_INFINITE_SSTHRESH && (tp.IcskCaState == TCP_CA_CWR || tp.UndoMarker != 0))
        {
            tp.TcpSndCwndSet(tp.SndSsthresh);
            tp.SndCwndStamp = tp.TcpClockCache;
        }

        tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.CompleteCwr);
    }

    /// <summary>Sets congestion window and pacing rate after an ACK.</summary>
    [Linux("tcp_cong_control")]
    private static void TcpCongControl(TcpSock tp, uint ack, uint ackedSacked, int flag, in RateSample rs)
    {
        if (tp.IcskCaOps.HasCongControl)
        {
            tp.IcskCaOps.CongControl(tp, ack, flag, in rs);
            return;
        }

        if (tp.TcpInCwndReduction)
        {
            TcpCwndReduction(tp, ackedSacked, rs.Losses, flag);
        }
        else if (TcpMayRaiseCwnd(tp, flag))
        {
            tp.IcskCaOps.CongAvoid(tp, ack, ackedSacked);
            tp.SndCwndStamp = tp.TcpClockCache;
        }

        TcpUpdatePacingRate(tp);
    }

    // Where much is reordered, delivery out of order counts too.
    private static bool TcpMayRaiseCwnd(TcpSock tp, int flag) =>
        (flag & (tp.Reordering > tp.Ipv4.SysctlTcpReordering ? FLAG_FORWARD_PROGRESS : FLAG_DATA_ACKED)) != 0;

    /// <summary>What the window amounts to in bytes a second; it bounds the size of packets.</summary>
    [Linux("tcp_update_pacing_rate")]
    public static void TcpUpdatePacingRate(TcpSock tp)
    {
        ulong rate = (ulong)tp.MssCache * (1_000_000 / 100 << 3);
        bool slowStart = tp.SndCwnd < tp.SndSsthresh / 2;
        rate *= (ulong)(slowStart ? tp.Ipv4.SysctlTcpPacingSsRatio : tp.Ipv4.SysctlTcpPacingCaRatio);
        rate *= Math.Max(tp.SndCwnd, tp.PacketsOut);
        if (tp.SrttUs != 0)
            rate /= tp.SrttUs;
        tp.SkPacingRate = Math.Min(rate, tp.SkMaxPacingRate);
    }
}
