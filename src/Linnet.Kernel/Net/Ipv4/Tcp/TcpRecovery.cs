using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Loss detection by time, RACK (RFC 8985): a packet is lost when one that was sent later is delivered and the packet has
/// been out for longer than a round trip and the reordering window. That holds for retransmissions as for originals.
/// </summary>
[LinuxFile("net/ipv4/tcp_recovery.c")]
public static class TcpRecovery
{
    /// <summary><c>tcp_recovery</c>: losses are found by RACK.</summary>
    public const int TCP_RACK_LOSS_DETECTION = 1;

    /// <summary><c>tcp_recovery</c>: the reordering window does not grow by duplicate SACKs.</summary>
    public const int TCP_RACK_STATIC_REO_WND = 2;

    /// <summary><c>tcp_recovery</c>: three sacked segments do not end the reordering window.</summary>
    public const int TCP_RACK_NO_DUPTHRESH = 4;

    /// <summary>Recoveries after which a grown reordering window is forgotten (RFC 8985 section 6.2 step 4).</summary>
    public const int TCP_RACK_RECOVERY_THRESH = 16;

    /// <summary>Of two packets, whether the first was sent later: by time, and at the same time by sequence.</summary>
    public static bool TcpSkbSentAfter(long t1, long t2, uint seq1, uint seq2) =>
        t1 > t2 || t1 == t2 && TcpSeq.After(seq1, seq2);

    /// <summary>Something was delivered: notes it when it was sent later than all that was before (step 2).</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="sacked">The packet's scoreboard before the delivery.</param>
    /// <param name="endSeq">Its end.</param>
    /// <param name="xmitTime">When it was sent last, ns.</param>
    [Linux("tcp_rack_advance")]
    public static void TcpRackAdvance(TcpSock tp, byte sacked, uint endSeq, long xmitTime)
    {
        long xmitUs = xmitTime / Clock.NsecPerUsec;
        uint rttUs = (uint)Math.Max(0, tp.TcpMstamp - xmitUs);

        // Sooner than a round trip after its retransmission: it was the original that was delivered.
        if (rttUs < tp.TcpMinRtt && (sacked & TCPCB_RETRANS) != 0)
            return;
        tp.Rack.Advanced = true;
        tp.Rack.RttUs = rttUs;
        if (TcpSkbSentAfter(xmitUs, tp.Rack.Mstamp, endSeq, tp.Rack.EndSeq))
        {
            tp.Rack.Mstamp = xmitUs;
            tp.Rack.EndSeq = endSeq;
        }
    }

    /// <summary>Marks what is lost, and arms the timer for what may only be late (step 5).</summary>
    /// <returns>Whether the timer runs for that.</returns>
    [Linux("tcp_rack_mark_lost")]
    public static bool TcpRackMarkLost(TcpSock tp)
    {
        if (!tp.Rack.Advanced)
            return false;
        tp.Rack.Advanced = false;
        long timeout = TcpRackDetectLoss(tp);
        if (timeout == 0)
            return false;
        long when = TcpTimer.UsecsToJiffies(timeout + TCP_TIMEOUT_MIN / Clock.NsecPerUsec);
        tp.InetCskResetXmitTimer(
            InetConnectionSock.ICSK_TIME_REO_TIMEOUT, tp.TcpClockCache, when, tp.IcskRto);
        return true;
    }

    /// <summary>Time for which a packet may still be waited for, µs; not positive when it is lost.</summary>
    internal static long TcpRackSkbTimeout(TcpSock tp, SkBuff skb, uint reoWnd) =>
        tp.Rack.RttUs + reoWnd - Math.Max(0, tp.TcpMstamp - skb.Tstamp / Clock.NsecPerUsec);

    /// <summary>The reordering window is over for some packets: they are lost.</summary>
    [Linux("tcp_rack_reo_timeout")]
    internal static void TcpRackReoTimeout(TcpSock tp)
    {
        uint lost = tp.Lost;
        uint priorInflight = tp.TcpPacketsInFlight;
        TcpRackDetectLoss(tp);
        if (priorInflight != tp.TcpPacketsInFlight)
        {
            if (tp.IcskCaState != TCP_CA_Recovery)
            {
                TcpInput.TcpEnterRecovery(tp, eceAck: false);
                if (!tp.IcskCaOps.HasCongControl)
                    TcpInput.TcpCwndReduction(tp, 1, (int)(tp.Lost - lost), 0);
            }

            TcpOutput.TcpXmitRetransmitQueue(tp);
        }

        if (tp.IcskPending != InetConnectionSock.ICSK_TIME_RETRANS)
            TcpInput.TcpRearmRto(tp);
    }

    /// <summary>
    /// Adjusts the reordering window: a duplicate SACK, at most one each round trip, makes it a quarter of the smallest RTT
    /// longer; it goes back after 16 recoveries without.
    /// </summary>
    [Linux("tcp_rack_update_reo_wnd")]
    public static void TcpRackUpdateReoWnd(TcpSock tp, in RateSample rs)
    {
        if ((tp.Ipv4.SysctlTcpRecovery & TCP_RACK_STATIC_REO_WND) != 0 || rs.PriorDelivered == 0)
            return;
        ref TcpRack rack = ref tp.Rack;
        if (TcpSeq.Before(rs.PriorDelivered, rack.LastDelivered))
            rack.DsackSeen = false;
        if (rack.DsackSeen)
        {
            rack.ReoWndSteps = (byte)Math.Min(byte.MaxValue, rack.ReoWndSteps + 1);
            rack.DsackSeen = false;
            rack.LastDelivered = tp.Delivered;
            rack.ReoWndPersist = TCP_RACK_RECOVERY_THRESH;
        }
        else if (rack.ReoWndPersist == 0)
        {
            rack.ReoWndSteps = 1;
        }
    }

    /// <summary>Without SACK: the first segment is lost when recovery begins and after each partial ACK (RFC 6582 3.2).</summary>
    [Linux("tcp_newreno_mark_lost")]
    public static void TcpNewrenoMarkLost(TcpSock tp, bool sndUnaAdvanced)
    {
        byte state = tp.IcskCaState;
        if (!(state < TCP_CA_Recovery && tp.SackedOut >= tp.Reordering)
            && !(state == TCP_CA_Recovery && sndUnaAdvanced))
        {
            return;
        }

        SkBuff skb = tp.RtxQueue.First!;
        if ((skb.TcpCb.Sacked & TCPCB_LOST) != 0)
            return;
        int mss = skb.TcpMss;
        if (skb.TcpPcount > 1 && skb.Len > mss)
            TcpOutput.TcpFragment(tp, skb, mss, mss, sent: true);
        TcpInput.TcpMarkSkbLost(tp, skb);
    }

    // In the order of transmission, up to the first packet that was sent behind all that is delivered. Returns the longest
    // time that is left for any of them, µs; 0 for none.
    [Linux("tcp_rack_detect_loss")]
    private static long TcpRackDetectLoss(TcpSock tp)
    {
        long reoTimeout = 0;
        uint reoWnd = TcpRackReoWnd(tp);
        SkBuff? next;
        for (SkBuff? skb = tp.TsortedSentQueue.First; skb != null; skb = next)
        {
            next = skb.Next;
            ref TcpSkbCb tcb = ref skb.TcpCb;

            // Lost already, and waits to be sent again.
            if ((tcb.Sacked & (TCPCB_LOST | TCPCB_SACKED_RETRANS)) == TCPCB_LOST)
                continue;
            if (!TcpSkbSentAfter(tp.Rack.Mstamp, skb.Tstamp / Clock.NsecPerUsec, tp.Rack.EndSeq, tcb.EndSeq))
                break;
            long remaining = TcpRackSkbTimeout(tp, skb, reoWnd);
            if (remaining <= 0)
            {
                TcpInput.TcpMarkSkbLost(tp, skb);
                tp.TsortedUnlink(skb);
            }
            else
            {
                reoTimeout = Math.Max(reoTimeout, remaining);
            }
        }

        return reoTimeout;
    }

    // How much later than in order a packet may be delivered, µs. Zero while no reordering was seen, once there is a
    // recovery or the classic threshold of three segments is reached.
    [Linux("tcp_rack_reo_wnd")]
    private static uint TcpRackReoWnd(TcpSock tp)
    {
        if (tp.ReordSeen == 0)
        {
            if (tp.IcskCaState >= TCP_CA_Recovery)
                return 0;
            if (tp.SackedOut >= tp.Reordering && (tp.Ipv4.SysctlTcpRecovery & TCP_RACK_NO_DUPTHRESH) == 0)
                return 0;
        }

        return Math.Min((tp.TcpMinRtt >> 2) * tp.Rack.ReoWndSteps, tp.SrttUs >> 3);
    }
}
