using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Which segments are lost: by duplicate ACKs (NewReno) or by SACK (RFC 6675).</content>
public static partial class TcpInput
{
    /// <summary>Forgets what was retransmitted, for a connection that begins or ends.</summary>
    [Linux("tcp_clear_retrans")]
    public static void TcpClearRetrans(TcpSock tp)
    {
        tp.RetransOut = 0;
        tp.LostOut = 0;
        tp.UndoMarker = 0;
        tp.UndoRetrans = -1;
        tp.SackedOut = 0;
        tp.RtoStamp = 0;
        tp.TotalRto = 0;
        tp.TotalRtoRecoveries = 0;
        tp.TotalRtoTime = 0;
    }

    /// <summary>
    /// The path takes smaller packets than were sent (ICMP): what is too large counts as lost and goes again at once. That
    /// says nothing about congestion.
    /// </summary>
    [Linux("tcp_simple_retransmit")]
    public static void TcpSimpleRetransmit(TcpSock tp)
    {
        int mss = TcpOutput.TcpCurrentMss(tp);
        for (int i = 0; i < tp.RtxQueue.Count; i++)
        {
            SkBuff skb = tp.RtxQueue[i];
            int segment = skb.TcpPcount == 1 ? skb.Len : skb.TcpMss;
            if (segment > mss)
                TcpMarkSkbLost(tp, skb);
        }

        tp.LostSkbHint = null;
        if (tp.LostOut == 0)
            return;
        if (tp.TcpIsReno)
            TcpLimitRenoSacked(tp);
        TcpOutput.TcpVerifyLeftOut(tp);
        if (tp.IcskCaState != TCP_CA_Loss)
        {
            tp.HighSeq = tp.SndNxt;
            tp.SndSsthresh = tp.TcpCurrentSsthresh;
            tp.PriorSsthresh = 0;
            tp.UndoMarker = 0;
            TcpSetCaState(tp, TCP_CA_Loss);
        }

        TcpOutput.TcpXmitRetransmitQueue(tp);
    }

    /// <summary>Counts a packet as lost; one that was retransmitted, as lost again.</summary>
    [Linux("tcp_mark_skb_lost")]
    internal static void TcpMarkSkbLost(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if ((tcb.Sacked & TCPCB_SACKED_ACKED) != 0)
            return;

        // Where the search for what to retransmit begins.
        if (tp.RetransmitSkbHint == null ? tp.RetransOut >= tp.LostOut : TcpSeq.Before(tcb.Seq, tp.RetransmitSkbHint.TcpCb.Seq))
            tp.RetransmitSkbHint = skb;
        if ((tcb.Sacked & TCPCB_LOST) == 0)
        {
            tp.LostOut += tcb.TcpGsoSegs;
            tcb.Sacked |= TCPCB_LOST;
            tp.Lost += tcb.TcpGsoSegs;
        }
        else if ((tcb.Sacked & TCPCB_SACKED_RETRANS) != 0)
        {
            tcb.Sacked &= unchecked((byte)~TCPCB_SACKED_RETRANS);
            tp.RetransOut -= tcb.TcpGsoSegs;
            tp.Ipv4.NetStatistics.Add(LinuxMib.TCPLostRetransmit, tcb.TcpGsoSegs);
            tp.Lost += tcb.TcpGsoSegs;
        }
    }

    /// <summary>Finds out what is lost: with SACK by time, without by duplicate and partial ACKs.</summary>
    [Linux("tcp_identify_packet_loss")]
    private static void TcpIdentifyPacketLoss(TcpSock tp, ref int ackFlag)
    {
        if (tp.TcpRtxQueueEmpty)
            return;
        if (tp.TcpIsReno)
        {
            TcpRecovery.TcpNewrenoMarkLost(tp, (ackFlag & FLAG_SND_UNA_ADVANCED) != 0);
        }
        else if (tp.TcpIsRack)
        {
            uint priorRetrans = tp.RetransOut;
            if (TcpRecovery.TcpRackMarkLost(tp))
                ackFlag &= ~FLAG_SET_XMIT_TIMER;
            if (priorRetrans > tp.RetransOut)
                ackFlag |= FLAG_LOST_RETRANS;
        }
    }

    /// <summary>With SACK: marks what lies so far below sacked data that it cannot just be late.</summary>
    [Linux("tcp_update_scoreboard")]
    private static void TcpUpdateScoreboard(TcpSock tp, bool fastRexmit)
    {
        if (!tp.TcpIsSack)
            return;
        int sackedUpto = (int)(tp.SackedOut - tp.Reordering);
        if (sackedUpto >= 0)
            TcpMarkHeadLost(tp, sackedUpto, markHead: false);
        else if (fastRexmit)
            TcpMarkHeadLost(tp, 1, markHead: true);
    }

    // Marks until more than so many segments were found to be sacked. The search goes on where it ended.
    [Linux("tcp_mark_head_lost")]
    private static void TcpMarkHeadLost(TcpSock tp, int packets, bool markHead)
    {
        int index = 0;
        int sacked = 0;
        if (tp.LostSkbHint is { } hint)
        {
            if (markHead && TcpSeq.After(hint.TcpCb.Seq, tp.SndUna))
                return;
            index = tp.RtxQueue.IndexOf(hint);
            sacked = tp.LostCntHint;
        }

        for (; index < tp.RtxQueue.Count; index++)
        {
            SkBuff skb = tp.RtxQueue[index];
            tp.LostSkbHint = skb;
            tp.LostCntHint = sacked;
            if ((skb.TcpCb.Sacked & TCPCB_SACKED_ACKED) != 0)
                sacked += skb.TcpPcount;
            if (sacked > packets)
                break;
            if ((skb.TcpCb.Sacked & TCPCB_LOST) == 0)
                TcpMarkSkbLost(tp, skb);
            if (markHead)
                break;
        }

        TcpOutput.TcpVerifyLeftOut(tp);
    }

    // --- duplicate ACKs in place of SACKs ---

    // There is at least one hole: not everything can have arrived.
    private static bool TcpLimitRenoSacked(TcpSock tp)
    {
        uint holes = Math.Min(Math.Max(tp.LostOut, 1), tp.PacketsOut);
        if (tp.SackedOut + holes <= tp.PacketsOut)
            return false;
        tp.SackedOut = tp.PacketsOut - holes;
        return true;
    }

    // More duplicate ACKs than segments were outstanding: the network reorders or duplicates.
    [Linux("tcp_check_reno_reordering")]
    private static void TcpCheckRenoReordering(TcpSock tp, uint addend)
    {
        if (!TcpLimitRenoSacked(tp))
            return;
        tp.Reordering = Math.Min(tp.PacketsOut + addend, (uint)tp.Ipv4.SysctlTcpMaxReordering);
        tp.ReordSeen++;
        tp.NetIncStats(LinuxMib.TCPRenoReorder);
    }

    /// <summary>Each duplicate ACK stands for a segment that has arrived out of order.</summary>
    [Linux("tcp_add_reno_sack")]
    private static void TcpAddRenoSack(TcpSock tp, int numDupack)
    {
        if (numDupack == 0)
            return;
        uint priorSacked = tp.SackedOut;
        tp.SackedOut += (uint)numDupack;
        TcpCheckRenoReordering(tp, 0);
        int delivered = (int)(tp.SackedOut - priorSacked);
        if (delivered > 0)
            CountDelivered(tp, (uint)delivered);
        TcpOutput.TcpVerifyLeftOut(tp);
    }

    /// <summary>An ACK fills a hole: one segment was the hole, the others had been counted by duplicate ACKs.</summary>
    [Linux("tcp_remove_reno_sacks")]
    private static void TcpRemoveRenoSacks(TcpSock tp, uint acked)
    {
        if (acked > 0)
        {
            CountDelivered(tp, (uint)Math.Max((int)(acked - tp.SackedOut), 1));
            tp.SackedOut -= Math.Min(tp.SackedOut, acked - 1);
        }

        TcpCheckRenoReordering(tp, acked);
        TcpOutput.TcpVerifyLeftOut(tp);
    }
}
