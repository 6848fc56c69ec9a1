using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Taking back reductions that turn out to be wrong: by timestamps (RFC 3522, Eifel) and duplicate SACKs.</content>
public static partial class TcpInput
{
    private static void TcpInitUndo(TcpSock tp)
    {
        tp.UndoMarker = tp.SndUna;

        // What is still under way may be reported as a duplicate later, a tail loss probe too.
        tp.UndoRetrans = (int)tp.RetransOut;
        if (tp.TlpHighSeq != 0 && tp.TlpRetrans)
            tp.UndoRetrans++;
        if (tp.UndoRetrans == 0)
            tp.UndoRetrans = -1;
    }

    // The ACK was caused by a segment that was sent before then.
    private static bool TcpTsoptEcrBefore(TcpSock tp, uint when) =>
        tp.RxOpt.SawTstamp && tp.RxOpt.RcvTsecr != 0 && TcpSeq.Before(tp.RxOpt.RcvTsecr, when);

    // What is acknowledged is not the retransmission, which was sent later.
    private static bool TcpSkbSpuriousRetrans(TcpSock tp, SkBuff skb) =>
        (skb.TcpCb.Sacked & TCPCB_RETRANS) != 0 && TcpTsoptEcrBefore(tp, TcpOutput.TcpSkbTimestampTs(skb));

    // The ACK is older than the first retransmission; or there was none yet, and that is why there is no stamp. But the stamp is
    // also cleared at the end of a recovery without SACK, and by the ACK of a SYN.
    private static bool TcpPacketDelayed(TcpSock tp)
    {
        if (tp.RetransStamp != 0)
            return TcpTsoptEcrBefore(tp, tp.RetransStamp);
        return (tp.TcpIsSack || TcpSeq.Before(tp.SndUna, tp.HighSeq)) && tp.SkState != TCP_SYN_SENT;
    }

    private static bool TcpMayUndo(TcpSock tp) =>
        tp.UndoMarker != 0 && (tp.UndoRetrans == 0 || TcpPacketDelayed(tp));

    [Linux("tcp_undo_cwnd_reduction")]
    private static void TcpUndoCwndReduction(TcpSock tp, bool unmarkLoss)
    {
        if (unmarkLoss)
        {
            for (int i = 0; i < tp.RtxQueue.Count; i++)
                tp.RtxQueue[i].TcpCb.Sacked &= unchecked((byte)~TCPCB_LOST);
            tp.LostOut = 0;
            tp.TcpClearAllRetransHints();
        }

        if (tp.PriorSsthresh != 0)
        {
            tp.TcpSndCwndSet(tp.IcskCaOps.UndoCwnd(tp));
            if (tp.PriorSsthresh > tp.SndSsthresh)
            {
                tp.SndSsthresh = tp.PriorSsthresh;
                TcpEcnWithdrawCwr(tp);
            }
        }

        tp.SndCwndStamp = tp.TcpClockCache;
        tp.UndoMarker = 0;

        // What was taken back may be lost all the same.
        tp.Rack.Advanced = true;
    }

    // Without SACK, duplicate ACKs of the old window may still be on their way and must not start a new recovery
    // (RFC 6582 4.1): the state stays until something beyond it is acknowledged.
    [Linux("tcp_is_non_sack_preventing_reopen")]
    private static bool TcpIsNonSackPreventingReopen(TcpSock tp)
    {
        if (tp.SndUna != tp.HighSeq || !tp.TcpIsReno)
            return false;
        if (!TcpAnyRetransDone(tp))
            tp.RetransStamp = 0;
        return true;
    }

    /// <summary>Recovery is over.</summary>
    /// <returns>True when the state has to stay for now.</returns>
    [Linux("tcp_try_undo_recovery")]
    private static bool TcpTryUndoRecovery(TcpSock tp)
    {
        if (TcpMayUndo(tp))
        {
            tp.NetIncStats(tp.IcskCaState == TCP_CA_Loss ? LinuxMib.TCPLossUndo : LinuxMib.TCPFullUndo);
            TcpUndoCwndReduction(tp, unmarkLoss: false);
        }
        else if (tp.Rack.ReoWndPersist != 0)
        {
            tp.Rack.ReoWndPersist--;
        }

        if (TcpIsNonSackPreventingReopen(tp))
            return true;
        TcpSetCaState(tp, TCP_CA_Open);
        tp.IsSackReneg = false;
        return false;
    }

    /// <summary>All retransmissions were reported as duplicates: nothing had been lost.</summary>
    [Linux("tcp_try_undo_dsack")]
    private static bool TcpTryUndoDsack(TcpSock tp)
    {
        if (tp.UndoMarker == 0 || tp.UndoRetrans != 0)
            return false;
        tp.Rack.ReoWndPersist = (byte)Math.Min(TcpRecovery.TCP_RACK_RECOVERY_THRESH, tp.Rack.ReoWndPersist + 1);
        TcpUndoCwndReduction(tp, unmarkLoss: false);
        tp.NetIncStats(LinuxMib.TCPDSACKUndo);
        return true;
    }

    /// <summary>Takes a timeout back when the ACK is of an original segment.</summary>
    [Linux("tcp_try_undo_loss")]
    private static bool TcpTryUndoLoss(TcpSock tp, bool frtoUndo)
    {
        if (!frtoUndo && !TcpMayUndo(tp))
            return false;
        TcpUndoCwndReduction(tp, unmarkLoss: true);
        tp.NetIncStats(LinuxMib.TCPLossUndo);
        if (frtoUndo)
            tp.NetIncStats(LinuxMib.TCPSpuriousRTOs);
        tp.IcskRetransmits = 0;
        if (TcpIsNonSackPreventingReopen(tp))
            return true;
        if (frtoUndo || tp.TcpIsSack)
        {
            TcpSetCaState(tp, TCP_CA_Open);
            tp.IsSackReneg = false;
        }

        return true;
    }

    /// <summary>A partial ACK in recovery: a late original may have filled the hole.</summary>
    /// <returns>True when no more should be marked or sent again.</returns>
    [Linux("tcp_try_undo_partial")]
    private static bool TcpTryUndoPartial(TcpSock tp, uint priorSndUna, ref bool doLost)
    {
        if (tp.UndoMarker == 0 || !TcpPacketDelayed(tp))
        {
            doLost = TcpForceFastRetransmit(tp);
            return false;
        }

        TcpCheckSackReordering(tp, priorSndUna, ts: true);
        if (tp.RetransOut != 0)
            return true;
        if (!TcpAnyRetransDone(tp))
            tp.RetransStamp = 0;
        TcpUndoCwndReduction(tp, unmarkLoss: true);
        tp.NetIncStats(LinuxMib.TCPPartialUndo);
        TcpTryKeepOpen(tp);
        return false;
    }
}
