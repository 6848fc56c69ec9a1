using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The receive buffer: what it takes in, how it and the window grow, and when ACKs are sent.</content>
public static partial class TcpInput
{
    // Flags beside which a short segment says nothing about the sender's MSS (TCP_REMNANT).
    private const int RemnantFlags = TCPHDR_FIN | TCPHDR_URG | TCPHDR_SYN | TCPHDR_PSH;

    /// <summary>Data came in order: estimates the peer's MSS, the time between segments, and grows the window.</summary>
    [Linux("tcp_event_data_recv")]
    public static void TcpEventDataRecv(TcpSock tp, SkBuff skb)
    {
        tp.InetCskScheduleAck();
        TcpMeasureRcvMss(tp, skb);
        TcpRcvRttMeasure(tp);
        ref IcskAck ack = ref tp.IcskAck;
        long now = tp.TcpClockCache;
        if (ack.Ato == 0)
        {
            // The first data: the sender is in slow start, so ACKs should come fast.
            TcpIncrQuickack(tp, TCP_MAX_QUICKACKS);
            ack.Ato = TCP_ATO_MIN;
        }
        else
        {
            long interval = now - ack.Lrcvtime;
            if (interval <= TCP_ATO_MIN / 2)
                ack.Ato = (ack.Ato >> 1) + TCP_ATO_MIN / 2;
            else if (interval < ack.Ato)
                ack.Ato = Math.Min((ack.Ato >> 1) + interval, tp.IcskRto);
            else if (interval > tp.IcskRto)
                TcpIncrQuickack(tp, TCP_MAX_QUICKACKS);
        }

        ack.Lrcvtime = now;
        TcpDataEcnCheck(tp, skb);
        if (skb.Len >= 128)
            TcpGrowWindow(tp, skb);
    }

    /// <summary>A guess at the peer's MSS before it sent anything.</summary>
    [Linux("tcp_initialize_rcv_mss")]
    public static void TcpInitializeRcvMss(TcpSock tp)
    {
        uint hint = Math.Min(tp.Advmss, (uint)tp.MssCache);
        hint = Math.Min(hint, tp.RcvWnd / 2);
        hint = Math.Min(hint, TCP_MSS_DEFAULT);
        tp.IcskAck.RcvMss = (int)Math.Max(hint, TCP_MIN_MSS);
    }

    [Linux("tcp_measure_rcv_mss")]
    private static void TcpMeasureRcvMss(TcpSock tp, SkBuff skb)
    {
        ref IcskAck ack = ref tp.IcskAck;
        int lastSegSize = ack.LastSegSize;
        ack.LastSegSize = 0;
        int len = skb.GsoSize != 0 ? skb.GsoSize : skb.Len;
        if (len >= ack.RcvMss)
        {
            if (len != ack.RcvMss)
                UpdateScalingRatio(tp, skb);
            ack.RcvMss = Math.Min(len, tp.Advmss);

            // A full segment with PSH ends a write: nothing may follow that an ACK could wait for.
            if ((skb.TcpCb.TcpFlags & TCPHDR_PSH) != 0)
                ack.Pending |= InetConnectionSock.ICSK_ACK_PUSHED;
            return;
        }

        // With options that vary in length, header and payload together are what stays the same.
        Tcphdr th = skb.Tcphdr;
        len += th.HeaderLength;
        if (len >= TCP_MSS_DEFAULT + Tcphdr.Size
            || len >= TCP_MIN_MSS + Tcphdr.Size && (th.Flags & RemnantFlags) == 0)
        {
            len -= tp.TcpHeaderLen;
            ack.LastSegSize = len;
            if (len == lastSegSize)
            {
                ack.RcvMss = len;
                return;
            }
        }

        if ((ack.Pending & InetConnectionSock.ICSK_ACK_PUSHED) != 0)
            ack.Pending |= InetConnectionSock.ICSK_ACK_PUSHED2;
        ack.Pending |= InetConnectionSock.ICSK_ACK_PUSHED;
    }

    // How much of the memory that packets take is payload decides what window the buffer stands for.
    private static void UpdateScalingRatio(TcpSock tp, SkBuff skb)
    {
        byte ratio = (byte)Math.Clamp(((long)skb.Len << 8) / Math.Max(1, skb.Truesize), 1, 255);
        if (ratio == tp.ScalingRatio)
            return;
        tp.ScalingRatio = ratio;
        if ((tp.SkUserlocks & SockUserLocks.Rcvbuf) == 0)
            tp.WindowClamp = (uint)tp.TcpWinFromSpace(tp.SkRcvbuf);
    }

    [Linux("tcp_grow_window")]
    private static void TcpGrowWindow(TcpSock tp, SkBuff skb)
    {
        long room = Math.Min(tp.WindowClamp, tp.TcpSpace) - (long)tp.RcvSsthresh;
        if (room <= 0)
            return;
        if (tp.TcpUnderMemoryPressure)
        {
            tp.TcpAdjustRcvSsthresh();
            return;
        }

        int incr = tp.TcpWinFromSpace(skb.Truesize) <= skb.Len ? 2 * tp.Advmss : TcpGrowWindowCore(tp, skb);
        if (incr == 0)
            return;
        incr = Math.Max(incr, 2 * skb.Len);
        tp.RcvSsthresh += (uint)Math.Min(room, incr);
        tp.IcskAck.Quick |= 1;
    }

    // Packets with much overhead are welcome as long as the window is a small part of the buffer.
    [Linux("__tcp_grow_window")]
    private static int TcpGrowWindowCore(TcpSock tp, SkBuff skb)
    {
        int truesize = tp.TcpWinFromSpace(skb.Truesize) >> 1;
        int window = tp.TcpWinFromSpace(tp.Ipv4.SysctlTcpRmem[2]) >> 1;
        while (tp.RcvSsthresh <= (uint)window)
        {
            if (truesize <= skb.Len)
                return 2 * tp.IcskAck.RcvMss;
            truesize >>= 1;
            window >>= 1;
        }

        return 0;
    }

    /// <summary>Something was read: grows the buffer when the reader takes more than it holds in a round trip (DRS).</summary>
    [Linux("tcp_rcv_space_adjust")]
    public static void TcpRcvSpaceAdjust(TcpSock tp)
    {
        TcpOutput.TcpMstampRefresh(tp);
        long time = tp.TcpMstamp - tp.RcvqSpace.Time;
        if (tp.RcvRttEst.RttUs == 0 || time < tp.RcvRttEst.RttUs >> 3)
            return;

        // What was read, less what came meanwhile and is not read yet.
        int copied = (int)(tp.CopiedSeq - tp.RcvqSpace.Seq - (tp.RcvNxt - tp.CopiedSeq));
        if (copied > (int)tp.RcvqSpace.Space)
        {
            tp.RcvqSpace.Space = (uint)copied;
            TcpRcvbufGrow(tp);
        }

        tp.RcvqSpace.Seq = tp.CopiedSeq;
        tp.RcvqSpace.Time = tp.TcpMstamp;
    }

    [Linux("tcp_rcvbuf_grow")]
    private static void TcpRcvbufGrow(TcpSock tp)
    {
        if (!tp.Ipv4.SysctlTcpModerateRcvbuf || (tp.SkUserlocks & SockUserLocks.Rcvbuf) != 0)
            return;

        // Room for twice as much, so that a sender in slow start is not held up, and for what waits out of order.
        long window = (long)tp.RcvqSpace.Space << 1;
        if (tp.OutOfOrderQueue.Last is { } last)
            window += last.TcpCb.EndSeq - tp.RcvNxt;
        int rcvbuf = Math.Min(tp.TcpSpaceFromWin((int)Math.Min(window, int.MaxValue)), tp.Ipv4.SysctlTcpRmem[2]);
        if (rcvbuf <= tp.SkRcvbuf)
            return;
        tp.SkRcvbuf = rcvbuf;
        tp.WindowClamp = (uint)tp.TcpWinFromSpace(rcvbuf);
    }

    // --- memory ---

    /// <summary>Charges the memory of a packet to the socket, throwing out what is out of order where it must.</summary>
    /// <returns>False when there is no room.</returns>
    [Linux("tcp_try_rmem_schedule")]
    private static bool TcpTryRmemSchedule(TcpSock tp, SkBuff skb, int size)
    {
        if (tp.SkRmemAlloc <= tp.SkRcvbuf && tp.SkRmemSchedule(size))
            return true;
        if (!TcpPruneQueue(tp, skb))
            return false;
        while (!tp.SkRmemSchedule(size))
        {
            if (!TcpPruneOfoQueue(tp, skb))
                return false;
        }

        return true;
    }

    [Linux("tcp_prune_queue")]
    private static bool TcpPruneQueue(TcpSock tp, SkBuff incoming)
    {
        tp.NetIncStats(LinuxMib.PruneCalled);
        if (tp.SkRmemAlloc >= tp.SkRcvbuf)
            TcpClampWindow(tp);
        else if (tp.TcpUnderMemoryPressure)
            tp.TcpAdjustRcvSsthresh();
        if (tp.SkRmemAlloc <= tp.SkRcvbuf)
            return true;
        TcpCollapseOfoQueue(tp);
        TcpCollapse(tp, ref tp.SkReceiveQueue, tp.CopiedSeq, tp.RcvNxt);
        if (tp.SkRmemAlloc <= tp.SkRcvbuf)
            return true;

        // Copying did not help: what can be sent again goes.
        TcpPruneOfoQueue(tp, incoming);
        if (tp.SkRmemAlloc <= tp.SkRcvbuf)
            return true;
        tp.NetIncStats(LinuxMib.RcvPruned);
        tp.PredFlags = 0;
        return false;
    }

    /// <summary>Throws out the segments farthest ahead, an eighth of the buffer at a time; they will be sent again.</summary>
    [Linux("tcp_prune_ofo_queue")]
    private static bool TcpPruneOfoQueue(TcpSock tp, SkBuff incoming)
    {
        bool pruned = false;
        int goal = tp.SkRcvbuf >> 3;
        while (tp.OutOfOrderQueue.Last is { } skb && !TcpSeq.After(incoming.TcpCb.Seq, skb.TcpCb.Seq))
        {
            pruned = true;
            goal -= skb.Truesize;
            tp.OutOfOrderQueue.RemoveAt(tp.OutOfOrderQueue.Count - 1);
            skb.Free();
            if (goal > 0)
                continue;
            if (tp.SkRmemAlloc <= tp.SkRcvbuf && !tp.TcpUnderMemoryPressure)
                break;
            goal = tp.SkRcvbuf >> 3;
        }

        if (!pruned)
            return false;
        tp.NetIncStats(LinuxMib.OfoPruned);

        // What was promised by SACK is withdrawn (RFC 2018 section 8).
        if (tp.RxOpt.SackOk)
            TcpSackReset(tp);
        return true;
    }

    [Linux("tcp_clamp_window")]
    private static void TcpClampWindow(TcpSock tp)
    {
        tp.IcskAck.Quick = 0;
        int most = tp.Ipv4.SysctlTcpRmem[2];
        if (tp.SkRcvbuf < most && (tp.SkUserlocks & SockUserLocks.Rcvbuf) == 0 && !tp.TcpUnderMemoryPressure)
            tp.SkRcvbuf = Math.Max(tp.SkRcvbuf, Math.Min(tp.SkRmemAlloc, most));
        if (tp.SkRmemAlloc > tp.SkRcvbuf)
            tp.RcvSsthresh = Math.Min(tp.WindowClamp, 2U * tp.Advmss);
    }

    // --- when to acknowledge ---

    /// <summary>Sends an ACK now or later, when one is due (RFC 9293 section 3.8.6.3).</summary>
    [Linux("tcp_ack_snd_check")]
    public static void TcpAckSndCheck(TcpSock tp)
    {
        if (tp.InetCskAckScheduled)
            TcpAckSndCheckCore(tp, ofoPossible: true);
    }

    /// <summary>Sends an ACK at once for the second full segment, in quick mode, or when told to; later otherwise.</summary>
    [Linux("__tcp_ack_snd_check")]
    public static void TcpAckSndCheckCore(TcpSock tp, bool ofoPossible)
    {
        bool secondFull = tp.RcvNxt - tp.RcvWup > (uint)tp.IcskAck.RcvMss
            && (tp.RcvNxt - tp.CopiedSeq < (uint)tp.SkRcvlowat || TcpOutput.TcpSelectWindowCore(tp) >= tp.RcvWnd);
        if (secondFull || TcpInQuickackMode(tp) || (tp.IcskAck.Pending & InetConnectionSock.ICSK_ACK_NOW) != 0)
        {
            // For all of the backlog one is enough.
            if (tp.SockOwnedByUser && tp.Ipv4.SysctlTcpBacklogAckDefer)
                tp.AckDeferred = true;
            else
                TcpOutput.TcpSendAck(tp);
        }
        else if (!ofoPossible || tp.OutOfOrderQueue.IsEmpty)
        {
            TcpOutput.TcpSendDelayedAck(tp);
        }
        else if (!CompressAck(tp))
        {
            TcpOutput.TcpSendAck(tp);
        }
    }

    // The ACK of data out of order: the first three go at once, as they start fast retransmit; of those behind one goes each
    // twentieth of a round trip, at most so many later.
    private static bool CompressAck(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        if (!tp.TcpIsSack || tp.CompressedAck >= ipv4.SysctlTcpCompSackNr)
            return false;
        if (tp.CompressedAckRcvNxt != tp.RcvNxt)
        {
            tp.CompressedAckRcvNxt = tp.RcvNxt;
            tp.DupAckCounter = 0;
        }

        if (tp.DupAckCounter < TCP_FASTRETRANS_THRESH)
        {
            tp.DupAckCounter++;
            return false;
        }

        tp.CompressedAck++;
        if (tp.CompressedAckTimer!.Pending)
            return true;
        uint rttUs = tp.RcvRttEst.RttUs;
        if (tp.SrttUs != 0 && tp.SrttUs < rttUs)
            rttUs = tp.SrttUs;
        long delay = Math.Min(ipv4.SysctlTcpCompSackDelayNs, rttUs * (Clock.NsecPerUsec >> 3) / 20);

        // Nothing else is due that it could go along with: it takes all of its slack.
        tp.SkResetTimer(tp.CompressedAckTimer, tp.Machine.Clock.Now + delay + ipv4.SysctlTcpCompSackSlackNs);
        return true;
    }

    /// <summary>Sends the ACK that stands for those that were held back.</summary>
    [Linux("tcp_sack_compress_send_ack")]
    internal static void TcpSackCompressSendAck(TcpSock tp)
    {
        if (tp.CompressedAck == 0)
            return;
        tp.SkStopTimer(tp.CompressedAckTimer!);

        // One is sent: it was not saved.
        tp.Ipv4.NetStatistics.Add(LinuxMib.TCPAckCompressed, tp.CompressedAck - 1);
        tp.CompressedAck = 0;
        TcpOutput.TcpSendAck(tp);
    }

    /// <summary>Whether ACKs are sent at once for now (<c>tcp_in_quickack_mode</c>).</summary>
    public static bool TcpInQuickackMode(TcpSock tp) =>
        (tp.IcskAck.Quick != 0 && !tp.InetCskInPingpongMode) || tp.SkDstCache is { } dst && dst.Metric(RTAX_QUICKACK) != 0;

    /// <summary>Has the next ACKs be sent at once, up to <paramref name="maxQuickacks"/>.</summary>
    [Linux("tcp_enter_quickack_mode")]
    public static void TcpEnterQuickackMode(TcpSock tp, int maxQuickacks)
    {
        TcpIncrQuickack(tp, maxQuickacks);
        tp.InetCskExitPingpongMode();
        tp.IcskAck.Ato = TCP_ATO_MIN;
    }

    private static void TcpIncrQuickack(TcpSock tp, int maxQuickacks)
    {
        uint quickacks = tp.RcvWnd / (2 * (uint)Math.Max(1, tp.IcskAck.RcvMss));
        if (quickacks == 0)
            quickacks = 2;
        quickacks = Math.Min(quickacks, (uint)maxQuickacks);
        if (quickacks > tp.IcskAck.Quick)
            tp.IcskAck.Quick = (byte)quickacks;
    }
}
