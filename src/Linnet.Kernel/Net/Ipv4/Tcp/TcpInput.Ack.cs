using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>What an acknowledgment does to the sending side.</content>
public static partial class TcpInput
{
    /// <summary>The segment carries data.</summary>
    public const int FLAG_DATA = 0x01;

    /// <summary>The ACK changed the window.</summary>
    public const int FLAG_WIN_UPDATE = 0x02;

    /// <summary>It acknowledged new data.</summary>
    public const int FLAG_DATA_ACKED = 0x04;

    /// <summary>Some of which was retransmitted.</summary>
    public const int FLAG_RETRANS_DATA_ACKED = 0x08;

    /// <summary>It acknowledged our SYN.</summary>
    public const int FLAG_SYN_ACKED = 0x10;

    /// <summary>It sacked new data.</summary>
    public const int FLAG_DATA_SACKED = 0x20;

    /// <summary>It carries ECE.</summary>
    public const int FLAG_ECE = 0x40;

    /// <summary>It shows that a retransmission was lost.</summary>
    public const int FLAG_LOST_RETRANS = 0x80;

    /// <summary>The segment was not predicted: its window has to be looked at.</summary>
    public const int FLAG_SLOWPATH = 0x100;

    /// <summary>Data that was never retransmitted was (s)acked (F-RTO).</summary>
    public const int FLAG_ORIG_SACK_ACKED = 0x200;

    /// <summary>SND.UNA advanced.</summary>
    public const int FLAG_SND_UNA_ADVANCED = 0x400;

    /// <summary>It carries a duplicate-SACK block.</summary>
    public const int FLAG_DSACKING_ACK = 0x800;

    /// <summary>The retransmission timer has to be armed anew.</summary>
    public const int FLAG_SET_XMIT_TIMER = 0x1000;

    /// <summary>The peer withdrew a SACK.</summary>
    public const int FLAG_SACK_RENEGING = 0x2000;

    /// <summary>The segment's timestamp is to be noted once its ACK proves acceptable.</summary>
    public const int FLAG_UPDATE_TS_RECENT = 0x4000;

    /// <summary>No challenge ACK for an ACK that is far too old: the caller answers.</summary>
    public const int FLAG_NO_CHALLENGE_ACK = 0x8000;

    /// <summary>The ACK was probably a delayed one.</summary>
    public const int FLAG_ACK_MAYBE_DELAYED = 0x10000;

    /// <summary>The duplicate SACK is of a tail loss probe.</summary>
    public const int FLAG_DSACK_TLP = 0x20000;

    private const int FLAG_ACKED = FLAG_DATA_ACKED | FLAG_SYN_ACKED;
    private const int FLAG_NOT_DUP = FLAG_DATA | FLAG_WIN_UPDATE | FLAG_ACKED;
    private const int FLAG_CA_ALERT = FLAG_DATA_SACKED | FLAG_ECE | FLAG_DSACKING_ACK;
    private const int FLAG_FORWARD_PROGRESS = FLAG_ACKED | FLAG_DATA_SACKED;

    // enum tcp_ca_ack_event_flags
    private const uint CA_ACK_SLOWPATH = 1;
    private const uint CA_ACK_WIN_UPDATE = 2;
    private const uint CA_ACK_ECE = 4;

    private enum Rexmit
    {
        None,
        Lost,
        New,
    }

    // What the SACK blocks of one ACK showed (struct tcp_sacktag_state).
    private struct SacktagState
    {
        public long FirstSackt;
        public long LastSackt;
        public uint Reord;
        public uint SackDelivered;
        public int Flag;
        public RateSample Rate;
    }

    /// <summary>Processes the acknowledgment of a segment (RFC 9293 3.10.7.4, fifth check; RFC 5961 5).</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The segment; it stays the caller's.</param>
    /// <param name="flag"><c>FLAG_*</c> that the caller knows.</param>
    /// <returns>1 when it was acceptable, 0 when it was old, -1 when the segment has to be dropped.</returns>
    [Linux("tcp_ack")]
    public static int TcpAck(TcpSock tp, SkBuff skb, int flag)
    {
        uint priorSndUna = tp.SndUna;
        uint ack = skb.TcpCb.AckSeq;
        SacktagState sack = new() { Reord = tp.SndNxt };
        if (TcpSeq.Before(ack, priorSndUna))
            return OldAck(tp, skb, flag, ack, ref sack);
        if (TcpSeq.After(ack, tp.SndNxt))
        {
            // RFC 5961 5.2 has an ACK of what was never sent answered, like one that is far too old.
            if ((flag & FLAG_NO_CHALLENGE_ACK) == 0)
                TcpSendChallengeAck(tp);
            return -1;
        }

        if (TcpSeq.After(ack, priorSndUna))
        {
            flag |= FLAG_SND_UNA_ADVANCED;
            tp.IcskRetransmits = 0;
        }

        bool isSackReneg = tp.IsSackReneg;
        uint priorDelivered = tp.Delivered;
        uint priorLost = tp.Lost;
        uint priorPackets = tp.PacketsOut;
        uint priorFack = tp.TcpIsSack ? TcpHighestSackSeq(tp) : tp.SndUna;
        sack.Rate.PriorInFlight = tp.TcpPacketsInFlight;
        if ((flag & FLAG_UPDATE_TS_RECENT) != 0)
            TcpReplaceTsRecent(tp, skb.TcpCb.Seq);
        flag |= AdvanceWindow(tp, skb, flag, priorSndUna, ref sack);
        TcpEcnAcceptCwr(tp, skb);

        // Something got through: what ICMP said before does not count any more.
        tp.SkErrSoft = 0;
        tp.IcskProbesOut = 0;
        tp.RcvTstamp = tp.TcpClockCache;
        Rexmit rexmit = Rexmit.None;
        if (priorPackets == 0)
        {
            if ((flag & FLAG_DSACKING_ACK) != 0)
            {
                TcpFastretransAlert(tp, priorSndUna, 0, ref flag, ref rexmit);
                TcpNewlyDelivered(tp, priorDelivered, flag);
            }

            TcpInAckEvent(tp, flag);
            TcpAckProbe(tp);
            if (tp.TlpHighSeq != 0)
                TcpProcessTlpAck(tp, ack, flag);
            return 1;
        }

        flag |= TcpCleanRtxQueue(tp, skb, priorFack, priorSndUna, ref sack);
        TcpRecovery.TcpRackUpdateReoWnd(tp, in sack.Rate);
        TcpInAckEvent(tp, flag);
        if (tp.TlpHighSeq != 0)
            TcpProcessTlpAck(tp, ack, flag);
        if (TcpAckIsDubious(tp, flag))
        {
            bool duplicate = (flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DSACKING_ACK)) == 0;

            // Several that were joined in the backlog count each.
            int numDupack = !duplicate ? 0 : (flag & FLAG_DATA) != 0 ? 1 : Math.Max(1, skb.GsoSegs);
            TcpFastretransAlert(tp, priorSndUna, numDupack, ref flag, ref rexmit);
        }

        if ((flag & FLAG_SET_XMIT_TIMER) != 0)
            TcpSetXmitTimer(tp);
        if ((flag & FLAG_FORWARD_PROGRESS) != 0 || (flag & FLAG_NOT_DUP) == 0)
            tp.SkDstCache?.ConfirmNeigh(skb);
        uint delivered = TcpNewlyDelivered(tp, priorDelivered, flag);
        sack.Rate.IsAckDelayed = (flag & FLAG_ACK_MAYBE_DELAYED) != 0;
        TcpRate.TcpRateGen(tp, delivered, tp.Lost - priorLost, isSackReneg, ref sack.Rate);
        TcpCongControl(tp, ack, delivered, flag, in sack.Rate);
        TcpXmitRecovery(tp, rexmit);
        return 1;
    }

    // An ACK of what was acknowledged before. Its SACK blocks may still be news; far too old ones are challenged
    // (RFC 5961 5.2): a blind attacker cannot know the window.
    private static int OldAck(TcpSock tp, SkBuff skb, int flag, uint ack, ref SacktagState sack)
    {
        uint maxWindow = (uint)Math.Min(tp.MaxWindow, tp.BytesAcked);
        if (TcpSeq.Before(ack, tp.SndUna - maxWindow))
        {
            if ((flag & FLAG_NO_CHALLENGE_ACK) == 0)
                TcpSendChallengeAck(tp);
            return -1;
        }

        if (skb.TcpCb.Sacked != 0 && tp.TcpIsSack)
        {
            uint priorDelivered = tp.Delivered;
            Rexmit rexmit = Rexmit.None;
            flag |= TcpSacktagWriteQueue(tp, skb, tp.SndUna, ref sack);
            TcpFastretransAlert(tp, tp.SndUna, 0, ref flag, ref rexmit);
            TcpNewlyDelivered(tp, priorDelivered, flag);
            TcpXmitRecovery(tp, rexmit);
        }

        return 0;
    }

    // Takes in acknowledgment, window and SACK blocks.
    private static int AdvanceWindow(TcpSock tp, SkBuff skb, int flag, uint priorSndUna, ref SacktagState sack)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if ((flag & (FLAG_SLOWPATH | FLAG_SND_UNA_ADVANCED)) == FLAG_SND_UNA_ADVANCED)
        {
            // The window is the predicted one.
            tp.TcpUpdateWl(tcb.Seq);
            TcpSndUnaUpdate(tp, tcb.AckSeq);
            tp.NetIncStats(LinuxMib.TCPHPAcks);
            return FLAG_WIN_UPDATE;
        }

        int found = 0;
        if (tcb.Seq != tcb.EndSeq)
            found |= FLAG_DATA;
        else
            tp.NetIncStats(LinuxMib.TCPPureAcks);
        found |= TcpAckUpdateWindow(tp, skb);
        if (tcb.Sacked != 0 && tp.TcpIsSack)
        {
            found |= TcpSacktagWriteQueue(tp, skb, priorSndUna, ref sack);
            CountDelivered(tp, sack.SackDelivered);
        }

        if (TcpEcnRcvEcnEcho(tp, skb.Tcphdr))
            found |= FLAG_ECE;
        return found;
    }

    // RFC 9293 3.10.7.4: only segments that are not older than the one that set the window may change it.
    private static bool TcpMayUpdateWindow(TcpSock tp, uint ack, uint ackSeq, uint nwin) =>
        TcpSeq.After(ack, tp.SndUna) || TcpSeq.After(ackSeq, tp.SndWl1)
        || ackSeq == tp.SndWl1 && (nwin > tp.SndWnd || nwin == 0);

    private static void TcpSndUnaUpdate(TcpSock tp, uint ack)
    {
        tp.BytesAcked += ack - tp.SndUna;
        tp.SndUna = ack;
    }

    [Linux("tcp_ack_update_window")]
    private static int TcpAckUpdateWindow(TcpSock tp, SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        ref TcpSkbCb tcb = ref skb.TcpCb;
        int flag = 0;
        uint nwin = th.Window;
        if (!th.Syn)
            nwin <<= tp.RxOpt.SndWscale;
        if (TcpMayUpdateWindow(tp, tcb.AckSeq, tcb.Seq, nwin))
        {
            flag = FLAG_WIN_UPDATE;
            tp.TcpUpdateWl(tcb.Seq);
            if (tp.SndWnd != nwin)
            {
                tp.SndWnd = nwin;
                tp.PredFlags = 0;
                tp.TcpFastPathCheck();
                if (!tp.TcpWriteQueueEmpty)
                    TcpOutput.TcpSlowStartAfterIdleCheck(tp);
                if (nwin > tp.MaxWindow)
                {
                    tp.MaxWindow = nwin;
                    TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
                }
            }
        }

        TcpSndUnaUpdate(tp, tcb.AckSeq);
        return flag;
    }

    /// <summary>Tells congestion control of an ACK.</summary>
    [Linux("tcp_in_ack_event")]
    private static void TcpInAckEvent(TcpSock tp, int flag)
    {
        uint ackFlags = (flag & FLAG_WIN_UPDATE) != 0 ? CA_ACK_WIN_UPDATE : 0;
        if ((flag & FLAG_SLOWPATH) != 0)
            ackFlags |= CA_ACK_SLOWPATH | ((flag & FLAG_ECE) != 0 ? CA_ACK_ECE : 0);
        tp.IcskCaOps.InAckEvent(tp, ackFlags);
    }

    private static bool TcpAckIsDubious(TcpSock tp, int flag) =>
        (flag & FLAG_NOT_DUP) == 0 || (flag & FLAG_CA_ALERT) != 0 || tp.IcskCaState != TCP_CA_Open;

    private static void CountDelivered(TcpSock tp, uint delivered) => tp.Delivered += delivered;

    private static uint TcpNewlyDelivered(TcpSock tp, uint priorDelivered, int flag)
    {
        uint delivered = tp.Delivered - priorDelivered;
        tp.Ipv4.NetStatistics.Add(LinuxMib.TCPDelivered, delivered);
        if ((flag & FLAG_ECE) != 0)
        {
            tp.DeliveredCe += delivered;
            tp.Ipv4.NetStatistics.Add(LinuxMib.TCPDeliveredCE, delivered);
        }

        return delivered;
    }

    /// <summary>An ACK came while nothing was outstanding: a closed window may have opened.</summary>
    [Linux("tcp_ack_probe")]
    private static void TcpAckProbe(TcpSock tp)
    {
        if (tp.TcpSendHead is not { } head)
            return;
        if (!TcpSeq.After(head.TcpCb.EndSeq, tp.TcpWndEnd))
        {
            tp.IcskBackoff = 0;
            tp.IcskProbesTstamp = 0;
            tp.InetCskClearXmitTimer();
            return;
        }

        long when = TcpTimer.TcpClampProbe0ToUserTimeout(tp, tp.TcpProbe0When(tp.TcpRtoMax));
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_PROBE0, when);
    }

    /// <summary>Arms the retransmission timer for the oldest segment, or stops it (RFC 6298 5.2, 5.3).</summary>
    [Linux("tcp_rearm_rto")]
    public static void TcpRearmRto(TcpSock tp)
    {
        if (tp.PacketsOut == 0)
        {
            tp.InetCskClearXmitTimer();
            return;
        }

        long rto = tp.IcskRto;

        // Time that passed with another timer in place of this one counts.
        if (tp.IcskPending is InetConnectionSock.ICSK_TIME_REO_TIMEOUT or InetConnectionSock.ICSK_TIME_LOSS_PROBE)
            rto = TcpTimer.UsecsToJiffies(Math.Max(tp.TcpRtoDelta / Clock.NsecPerUsec, 1));
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, rto + TcpOutput.TcpPacingDelay(tp));
    }

    /// <summary>Arms the timer anew: for a tail loss probe, or else for the retransmission timeout.</summary>
    [Linux("tcp_set_xmit_timer")]
    private static void TcpSetXmitTimer(TcpSock tp)
    {
        if (!TcpOutput.TcpScheduleLossProbe(tp, advancingRto: true))
            TcpRearmRto(tp);
    }

    /// <summary>
    /// Finds out whether the tail loss probe has repaired a loss, which no recovery was begun for (RFC 8985 section 7.4).
    /// </summary>
    [Linux("tcp_process_tlp_ack")]
    private static void TcpProcessTlpAck(TcpSock tp, uint ack, int flag)
    {
        if (TcpSeq.Before(ack, tp.TlpHighSeq))
            return;
        if (!tp.TlpRetrans || (flag & FLAG_DSACK_TLP) != 0)
        {
            // New data, or both the original and the probe have arrived: nothing was lost.
            tp.TlpHighSeq = 0;
        }
        else if (TcpSeq.After(ack, tp.TlpHighSeq))
        {
            // No duplicate was reported until here: the probe was needed, and the window is reduced for the loss.
            TcpInitCwndReduction(tp);
            TcpSetCaState(tp, TCP_CA_CWR);
            TcpEndCwndReduction(tp);
            TcpTryKeepOpen(tp);
            tp.NetIncStats(LinuxMib.TCPLossProbeRecovery);
        }
        else if ((flag & (FLAG_SND_UNA_ADVANCED | FLAG_NOT_DUP | FLAG_DATA_SACKED)) == 0)
        {
            // A duplicate ACK without SACK blocks stands for the duplicate.
            tp.TlpHighSeq = 0;
        }
    }

    /// <summary>Sends what the ACK has made room for: lost segments, or new ones that find out whether there was a loss.</summary>
    [Linux("tcp_xmit_recovery")]
    private static void TcpXmitRecovery(TcpSock tp, Rexmit rexmit)
    {
        if (rexmit == Rexmit.None || tp.SkState == TCP_SYN_SENT)
            return;
        if (rexmit == Rexmit.New)
        {
            TcpOutput.TcpPushPendingFramesCore(tp, TcpOutput.TcpCurrentMss(tp), TCP_NAGLE_OFF);
            if (TcpSeq.After(tp.SndNxt, tp.HighSeq))
                return;
            tp.Frto = false;
        }

        TcpOutput.TcpXmitRetransmitQueue(tp);
    }

    /// <summary>Sends what windows allow by now, and tells writers of room in the send buffer.</summary>
    [Linux("tcp_data_snd_check")]
    public static void TcpDataSndCheck(TcpSock tp)
    {
        TcpOutput.TcpPushPendingFrames(tp);
        TcpCheckSpace(tp);
    }
}
