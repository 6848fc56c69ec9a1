using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Tail loss probes (RFC 8985 section 7): when no ACK comes for two round trips, one segment, new or the last again, draws
/// one; loss of a flight's end is then repaired by SACK, not by a timeout.
/// </content>
public static partial class TcpOutput
{
    // tcp_early_retrans: both values that leave probes on; early retransmit (RFC 5827) itself is gone from Linux.
    private const int EarlyRetransTlp = 3;
    private const int EarlyRetransTlpOld = 4;

    /// <summary>Arms the timer for a probe in place of the retransmission timeout, when one may help.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="advancingRto">The timeout is reckoned from now, as SND.UNA has advanced; otherwise from the oldest segment.</param>
    [Linux("tcp_schedule_loss_probe")]
    public static bool TcpScheduleLossProbe(TcpSock tp, bool advancingRto)
    {
        if (tp.Ipv4.SysctlTcpEarlyRetrans is not (EarlyRetransTlp or EarlyRetransTlpOld)
            || tp.PacketsOut == 0 || !tp.TcpIsSack || tp.IcskCaState is not (TCP_CA_Open or TCP_CA_CWR))
        {
            return false;
        }

        long timeout = TCP_TIMEOUT_INIT;
        if (tp.SrttUs != 0)
        {
            // A lone segment may have its ACK delayed.
            long us = tp.SrttUs >> 2;
            us += (tp.PacketsOut == 1 ? tp.TcpRtoMin : TCP_TIMEOUT_MIN) / Clock.NsecPerUsec;
            timeout = TcpTimer.UsecsToJiffies(us);
        }

        long rto = advancingRto ? tp.IcskRto : tp.TcpRtoDelta;
        if (rto > 0)
            timeout = Math.Min(timeout, rto);
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_LOSS_PROBE, timeout + TcpPacingDelay(tp));
        return true;
    }

    /// <summary>The time for a probe has come: sends new data, or the last segment again; one for each episode.</summary>
    [Linux("tcp_send_loss_probe")]
    internal static void TcpSendLossProbe(TcpSock tp)
    {
        if (tp.TlpHighSeq == 0 && SendProbe(tp))
        {
            tp.TlpHighSeq = tp.SndNxt;
            tp.NetIncStats(LinuxMib.TCPLossProbes);

            // The timeout is reckoned from the probe.
            tp.IcskPending = 0;
        }

        TcpInput.TcpRearmRto(tp);
    }

    private static bool SendProbe(TcpSock tp)
    {
        int mss = TcpCurrentMss(tp);
        tp.TlpRetrans = false;
        if (tp.TcpSendHead is { } head && TcpSndWndTest(tp, head, mss))
        {
            uint before = tp.PacketsOut;
            TcpWriteXmit(tp, mss, TCP_NAGLE_OFF, pushOne: 2);
            return tp.PacketsOut > before;
        }

        if (tp.RtxQueue.Last is not { } skb)
            return false;
        int pcount = skb.TcpPcount;
        if (pcount > 1 && skb.Len > (pcount - 1) * mss)
        {
            if (TcpFragment(tp, skb, (pcount - 1) * mss, mss, sent: true) != 0)
                return false;
            skb = tp.RtxQueue.Last;
        }

        if (TcpRetransmitSkbCore(tp, skb, 1) != 0)
            return false;
        tp.TlpRetrans = true;
        return true;
    }
}
