using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// The states of loss recovery. Open: nothing unusual. Disorder: duplicate ACKs or SACKs, perhaps reordering. CWR: the
/// window is being reduced without loss. Recovery: fast retransmit (RFC 6582, RFC 6675). Loss: a timeout (RFC 5681 3.1).
/// </content>
public static partial class TcpInput
{
    /// <summary>An ACK that is not just good news: decides what is lost and which state follows.</summary>
    [Linux("tcp_fastretrans_alert")]
    private static void TcpFastretransAlert(
        TcpSock tp, uint priorSndUna, int numDupack, ref int ackFlag, ref Rexmit rexmit)
    {
        int flag = ackFlag;
        bool doLost = numDupack != 0 || (flag & FLAG_DATA_SACKED) != 0 && TcpForceFastRetransmit(tp);
        if (tp.PacketsOut == 0 && tp.SackedOut != 0)
            tp.SackedOut = 0;
        if ((flag & FLAG_ECE) != 0)
            tp.PriorSsthresh = 0;
        if (TcpCheckSackReneging(tp, ref ackFlag))
            return;
        TcpOutput.TcpVerifyLeftOut(tp);
        if (tp.IcskCaState == TCP_CA_Open)
            tp.RetransStamp = 0;
        else if (!TcpSeq.Before(tp.SndUna, tp.HighSeq) && LeaveState(tp))
            return;

        bool fastRexmit = false;
        switch (tp.IcskCaState)
        {
            case TCP_CA_Recovery:
                if (!StayInRecovery(tp, ref ackFlag, priorSndUna, numDupack, ref doLost))
                    return;
                break;
            case TCP_CA_Loss:
                TcpProcessLoss(tp, flag, numDupack, ref rexmit);
                if (tp.IcskCaState != TCP_CA_Loss)
                    TcpUpdateRtoTime(tp);
                TcpIdentifyPacketLoss(tp, ref ackFlag);
                if (tp.IcskCaState != TCP_CA_Open && (ackFlag & FLAG_LOST_RETRANS) == 0)
                    return;
                goto default;
            default:
                if (!MayEnterRecovery(tp, ref ackFlag, numDupack))
                    return;
                fastRexmit = true;
                break;
        }

        if (!tp.TcpIsRack && doLost)
            TcpUpdateScoreboard(tp, fastRexmit);
        rexmit = Rexmit.Lost;
    }

    // All that was outstanding when the state began is acknowledged. Returns whether there is nothing more to do.
    private static bool LeaveState(TcpSock tp)
    {
        switch (tp.IcskCaState)
        {
            case TCP_CA_CWR:
                // Something beyond has to be acknowledged, for CWR to have reached the receiver.
                if (tp.SndUna != tp.HighSeq)
                {
                    TcpEndCwndReduction(tp);
                    TcpSetCaState(tp, TCP_CA_Open);
                }

                return false;
            case TCP_CA_Recovery:
                if (tp.TcpIsReno)
                    tp.SackedOut = 0;
                if (TcpTryUndoRecovery(tp))
                    return true;
                TcpEndCwndReduction(tp);
                return false;
            default:
                return false;
        }
    }

    // Returns whether lost segments should be looked for and sent.
    private static bool StayInRecovery(
        TcpSock tp, ref int ackFlag, uint priorSndUna, int numDupack, ref bool doLost)
    {
        int flag = ackFlag;
        if ((flag & FLAG_SND_UNA_ADVANCED) == 0)
        {
            if (tp.TcpIsReno)
                TcpAddRenoSack(tp, numDupack);
        }
        else if (TcpTryUndoPartial(tp, priorSndUna, ref doLost))
        {
            return false;
        }

        if (TcpTryUndoDsack(tp))
            TcpTryToOpen(tp, flag);
        TcpIdentifyPacketLoss(tp, ref ackFlag);
        if (tp.IcskCaState == TCP_CA_Recovery)
            return true;
        if (!TcpTimeToRecover(tp))
            return false;

        // The undone recovery was followed by a real loss.
        TcpEnterRecovery(tp, (flag & FLAG_ECE) != 0);
        return true;
    }

    private static bool MayEnterRecovery(TcpSock tp, ref int ackFlag, int numDupack)
    {
        int flag = ackFlag;
        if (tp.TcpIsReno)
        {
            if ((flag & FLAG_SND_UNA_ADVANCED) != 0)
                tp.SackedOut = 0;
            TcpAddRenoSack(tp, numDupack);
        }

        if (tp.IcskCaState <= TCP_CA_Disorder)
            TcpTryUndoDsack(tp);
        TcpIdentifyPacketLoss(tp, ref ackFlag);
        if (!TcpTimeToRecover(tp))
        {
            TcpTryToOpen(tp, flag);
            return false;
        }

        if (ProbeWasLost(tp))
            return false;
        TcpEnterRecovery(tp, (flag & FLAG_ECE) != 0);
        return true;
    }

    /// <summary>
    /// Whether enough speaks for a loss: something is marked, or without RACK three duplicate ACKs came (RFC 5681 3.2).
    /// </summary>
    [Linux("tcp_time_to_recover")]
    private static bool TcpTimeToRecover(TcpSock tp) =>
        tp.LostOut != 0 || !tp.TcpIsRack && tp.SackedOut + 1 > tp.Reordering;

    private static bool TcpForceFastRetransmit(TcpSock tp) =>
        TcpSeq.After(TcpHighestSackSeq(tp), tp.SndUna + tp.Reordering * (uint)tp.MssCache);

    /// <summary>Begins fast recovery (RFC 6582 3.2 step 2).</summary>
    [Linux("tcp_enter_recovery")]
    internal static void TcpEnterRecovery(TcpSock tp, bool eceAck)
    {
        if (!TcpAnyRetransDone(tp))
            tp.RetransStamp = 0;
        tp.NetIncStats(tp.TcpIsReno ? LinuxMib.TCPRenoRecovery : LinuxMib.TCPSackRecovery);
        tp.PriorSsthresh = 0;
        TcpInitUndo(tp);
        if (!tp.TcpInCwndReduction)
        {
            if (!eceAck)
                tp.PriorSsthresh = tp.TcpCurrentSsthresh;
            TcpInitCwndReduction(tp);
        }

        TcpSetCaState(tp, TCP_CA_Recovery);
    }

    /// <summary>A timeout: all that is outstanding counts as lost, and the window starts from one segment (RFC 5681 3.1).</summary>
    [Linux("tcp_enter_loss")]
    public static void TcpEnterLoss(TcpSock tp)
    {
        bool newRecovery = tp.IcskCaState < TCP_CA_Recovery;
        TcpTimeoutMarkLost(tp);

        // The threshold is lowered once for each window of data.
        if (tp.IcskCaState <= TCP_CA_Disorder || !TcpSeq.After(tp.HighSeq, tp.SndUna)
            || tp.IcskCaState == TCP_CA_Loss && tp.IcskRetransmits == 0)
        {
            tp.PriorSsthresh = tp.TcpCurrentSsthresh;
            tp.PriorCwnd = tp.SndCwnd;
            tp.SndSsthresh = tp.IcskCaOps.Ssthresh(tp);
            tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.Loss);
            TcpInitUndo(tp);
        }

        tp.TcpSndCwndSet(tp.TcpPacketsInFlight + 1);
        tp.SndCwndCnt = 0;
        tp.SndCwndStamp = tp.TcpClockCache;

        // Duplicate ACKs did not help: the network does not reorder as much as was thought.
        uint reordering = (uint)tp.Ipv4.SysctlTcpReordering;
        if (tp.IcskCaState <= TCP_CA_Disorder && tp.SackedOut >= reordering)
            tp.Reordering = Math.Min(tp.Reordering, reordering);
        TcpSetCaState(tp, TCP_CA_Loss);
        tp.HighSeq = tp.SndNxt;
        TcpEcnQueueCwr(tp);
        tp.TlpHighSeq = 0;

        // RFC 5682 2.1: not while another recovery goes on, but for repeated timeouts of the same segment.
        tp.Frto = tp.Ipv4.SysctlTcpFrto != 0 && (newRecovery || tp.IcskRetransmits != 0)
            && tp.IcskMtup.ProbeSize == 0;
    }

    [Linux("tcp_timeout_mark_lost")]
    private static void TcpTimeoutMarkLost(TcpSock tp)
    {
        SkBuff? head = tp.RtxQueue.First;
        bool reneg = head != null && (head.TcpCb.Sacked & TCPCB_SACKED_ACKED) != 0;
        if (reneg)
        {
            // What was sacked and is now asked for again cannot be relied on (RFC 2018 8).
            tp.NetIncStats(LinuxMib.TCPSACKReneging);
            tp.SackedOut = 0;
            tp.IsSackReneg = true;
        }
        else if (tp.TcpIsReno)
        {
            tp.SackedOut = 0;
        }

        for (int i = 0; i < tp.RtxQueue.Count; i++)
        {
            SkBuff skb = tp.RtxQueue[i];
            if (reneg)
            {
                skb.TcpCb.Sacked &= unchecked((byte)~TCPCB_SACKED_ACKED);
            }
            else if (tp.TcpIsRack && skb != head && TcpRecovery.TcpRackSkbTimeout(tp, skb, 0) > 0)
            {
                // Sent so lately that it may well be under way.
                continue;
            }

            TcpMarkSkbLost(tp, skb);
        }

        TcpOutput.TcpVerifyLeftOut(tp);
        tp.TcpClearAllRetransHints();
    }

    /// <summary>An ACK in state Loss: F-RTO (RFC 5682) finds out whether the timeout was wrong.</summary>
    [Linux("tcp_process_loss")]
    private static void TcpProcessLoss(TcpSock tp, int flag, int numDupack, ref Rexmit rexmit)
    {
        bool recovered = !TcpSeq.Before(tp.SndUna, tp.HighSeq);
        if ((flag & FLAG_SND_UNA_ADVANCED) != 0 && TcpTryUndoLoss(tp, frtoUndo: false))
            return;
        if (tp.Frto)
        {
            if ((flag & FLAG_ORIG_SACK_ACKED) != 0 && TcpTryUndoLoss(tp, frtoUndo: true))
                return;
            if (TcpSeq.After(tp.SndNxt, tp.HighSeq))
            {
                // New data was sent, and the next ACK is a duplicate: the loss was real (step 3.a).
                if ((flag & FLAG_DATA_SACKED) != 0 || numDupack != 0)
                    tp.Frto = false;
            }
            else if ((flag & FLAG_SND_UNA_ADVANCED) != 0 && !recovered)
            {
                tp.HighSeq = tp.SndNxt;

                // Step 2.b: new data instead of retransmissions, if there is any.
                if (!tp.TcpWriteQueueEmpty && TcpSeq.After(tp.TcpWndEnd, tp.SndNxt))
                {
                    rexmit = Rexmit.New;
                    return;
                }

                tp.Frto = false;
            }
        }

        if (recovered)
        {
            TcpTryUndoRecovery(tp);
            return;
        }

        if (tp.TcpIsReno)
        {
            if (TcpSeq.After(tp.SndNxt, tp.HighSeq) && numDupack != 0)
                TcpAddRenoSack(tp, numDupack);
            else if ((flag & FLAG_SND_UNA_ADVANCED) != 0)
                tp.SackedOut = 0;
        }

        rexmit = Rexmit.Lost;
    }

    [Linux("tcp_try_to_open")]
    private static void TcpTryToOpen(TcpSock tp, int flag)
    {
        TcpOutput.TcpVerifyLeftOut(tp);
        if (!TcpAnyRetransDone(tp))
            tp.RetransStamp = 0;
        if ((flag & FLAG_ECE) != 0)
            TcpEnterCwr(tp);
        if (tp.IcskCaState != TCP_CA_CWR)
            TcpTryKeepOpen(tp);
    }

    [Linux("tcp_try_keep_open")]
    private static void TcpTryKeepOpen(TcpSock tp)
    {
        byte state = TCP_CA_Open;
        if (tp.TcpLeftOut != 0 || TcpAnyRetransDone(tp))
            state = TCP_CA_Disorder;
        if (tp.IcskCaState == state)
            return;
        TcpSetCaState(tp, state);
        tp.HighSeq = tp.SndNxt;
    }

    private static void TcpSetCaState(TcpSock tp, byte state) => TcpCong.TcpSetCaState(tp, state);

    // Time spent in recoveries from timeouts (RFC 4898, TCP_INFO).
    private static void TcpUpdateRtoTime(TcpSock tp)
    {
        if (tp.RtoStamp == 0)
            return;
        tp.TotalRtoTime += tp.TcpTimeStampTs - tp.RtoStamp;
        tp.RtoStamp = 0;
    }

    /// <summary>Whether something outstanding was ever retransmitted.</summary>
    private static bool TcpAnyRetransDone(TcpSock tp) =>
        tp.RetransOut != 0 || tp.RtxQueue.First is { } head && (head.TcpCb.Sacked & TCPCB_EVER_RETRANS) != 0;
}
