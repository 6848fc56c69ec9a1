using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sending again.</content>
public static partial class TcpOutput
{
    /// <summary>Sends a packet of the retransmission queue again and counts it as retransmitted.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The packet; cut when it is longer than may be sent.</param>
    /// <param name="segs">Most segments to send.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tcp_retransmit_skb")]
    internal static int TcpRetransmitSkb(TcpSock tp, SkBuff skb, int segs)
    {
        int err = TcpRetransmitSkbCore(tp, skb, segs);
        if (err == 0)
        {
            skb.TcpCb.Sacked |= TCPCB_RETRANS;
            tp.RetransOut += skb.TcpCb.TcpGsoSegs;
        }

        // Even when the device refused, an undo has to know when it was tried.
        if (tp.RetransStamp == 0)
            tp.RetransStamp = TcpSkbTimestampTs(skb);
        if (tp.UndoRetrans < 0)
            tp.UndoRetrans = 0;
        tp.UndoRetrans += skb.TcpCb.TcpGsoSegs;
        return err;
    }

    [Linux("__tcp_retransmit_skb")]
    internal static int TcpRetransmitSkbCore(TcpSock tp, SkBuff skb, int segs)
    {
        // Whether a probe arrived cannot be told any more.
        tp.IcskMtup.ProbeSize = 0;
        TrimAcked(tp, skb);
        if (tp.IcskAfOps.RebuildHeader(tp) != 0)
            return -EHOSTUNREACH;
        int curMss = TcpCurrentMss(tp);
        int availWnd = (int)(tp.TcpWndEnd - skb.TcpCb.Seq);

        // A window that was taken back keeps its data, but for one segment that serves as a probe (RFC 9293 3.8.6.1).
        if (availWnd <= 0)
        {
            if (skb.TcpCb.Seq != tp.SndUna)
                return -EAGAIN;
            availWnd = curMss;
        }

        int len = curMss * segs;
        if (len > availWnd)
        {
            len = availWnd - availWnd % curMss;
            if (len == 0)
                len = availWnd;
        }

        if (skb.Len > len)
        {
            if (TcpFragment(tp, skb, len, curMss, sent: true) != 0)
                return -ENOMEM;
        }
        else
        {
            int before = skb.TcpCb.TcpGsoSegs;
            TcpAdjustPcount(tp, skb, before - TcpSetSkbTsoSegs(skb, curMss));
            availWnd = Math.Min(availWnd, curMss);
            if (skb.Len < availWnd)
                TcpRetransTryCollapse(tp, skb, availWnd);
        }

        TcpEcnClearSyn(tp, skb);
        return SendAgain(tp, skb);
    }

    // The part that the peer has acknowledged meanwhile is not sent again.
    private static void TrimAcked(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if (!TcpSeq.Before(tcb.Seq, tp.SndUna))
            return;
        if ((tcb.TcpFlags & TCPHDR_SYN) != 0)
        {
            tcb.TcpFlags &= unchecked((ushort)~TCPHDR_SYN);
            tcb.Seq++;
            if (!TcpSeq.Before(tcb.Seq, tp.SndUna))
                return;
        }

        Bug.On(TcpSeq.Before(tcb.EndSeq, tp.SndUna));
        TcpTrimHead(tp, skb, (int)(tp.SndUna - tcb.Seq));
    }

    private static int SendAgain(TcpSock tp, SkBuff skb)
    {
        int segs = skb.TcpCb.TcpGsoSegs;
        tp.Ipv4.TcpStatistics.Add(TcpMib.RetransSegs, segs);
        if ((skb.TcpCb.TcpFlags & TCPHDR_SYN) != 0)
            tp.NetIncStats(LinuxMib.TCPSynRetrans);
        tp.TotalRetrans += (uint)segs;
        tp.BytesRetrans += (uint)skb.Len;
        int err = TcpTransmitSkb(tp, skb, cloneIt: true);
        if (err == 0)
            tp.TsortedMoveTail(skb);
        else if (err != -EBUSY)
            tp.Ipv4.NetStatistics.Add(LinuxMib.TCPRetransFail, segs);

        // Its send time is new whether it left or not: it gives no RTT sample (Karn).
        skb.TcpCb.Sacked |= TCPCB_EVER_RETRANS;
        return err;
    }

    /// <summary>
    /// Sends lost segments again, as far as the congestion window allows. The first time through, holes before the last
    /// segment that is known to have arrived are found by their lost bits.
    /// </summary>
    [Linux("tcp_xmit_retransmit_queue")]
    internal static void TcpXmitRetransmitQueue(TcpSock tp)
    {
        if (tp.PacketsOut == 0)
            return;
        SkBuff? head = tp.RtxQueue.First;
        int index = tp.RetransmitSkbHint is { } hint ? tp.RtxQueue.IndexOf(hint) : 0;
        int maxSegs = TcpTsoSegs(tp, TcpCurrentMss(tp));
        bool rearm = false;
        bool holeFound = false;
        for (; index < tp.RtxQueue.Count; index++)
        {
            SkBuff skb = tp.RtxQueue[index];
            if (TcpPacingCheck(tp))
                break;
            if (!holeFound)
                tp.RetransmitSkbHint = skb;
            int segs = (int)(tp.SndCwnd - tp.TcpPacketsInFlight);
            if (segs <= 0 || tp.RetransOut >= tp.LostOut)
                break;
            byte sacked = skb.TcpCb.Sacked;
            if ((sacked & TCPCB_LOST) == 0)
            {
                holeFound |= (sacked & (TCPCB_SACKED_RETRANS | TCPCB_SACKED_ACKED)) == 0;
                continue;
            }

            if ((sacked & (TCPCB_SACKED_ACKED | TCPCB_SACKED_RETRANS)) != 0)
                continue;
            if (TcpSmallQueueCheck(tp, skb, 1) || TcpRetransmitSkb(tp, skb, Math.Min(segs, maxSegs)) != 0)
                break;
            uint sent = skb.TcpCb.TcpGsoSegs;
            tp.Ipv4.NetStatistics.Add(
                tp.IcskCaState != TCP_CA_Loss ? LinuxMib.TCPFastRetrans : LinuxMib.TCPSlowStartRetrans, sent);
            if (tp.TcpInCwndReduction)
                tp.PrrOut += sent;
            rearm |= skb == head && tp.IcskPending != InetConnectionSock.ICSK_TIME_REO_TIMEOUT;
        }

        if (rearm)
            tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, tp.IcskRto + TcpPacingDelay(tp));
    }
}
