using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Which segments are acceptable (RFC 9293 section 3.10.7.4, first to fourth; RFC 5961; RFC 7323), and what the others are
/// answered with.
/// </content>
public static partial class TcpInput
{
    private enum Verdict
    {
        Accept,
        Discard,
        Challenge,
        Reset,
    }

    /// <summary>Checks timestamp, sequence number, RST and SYN of a segment.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The segment; freed unless it is acceptable.</param>
    /// <param name="th">Its header.</param>
    /// <param name="synInerr">Whether a SYN counts as an error in the protocol's counters.</param>
    /// <returns>Whether it is acceptable.</returns>
    [Linux("tcp_validate_incoming")]
    public static bool TcpValidateIncoming(TcpSock tp, SkBuff skb, Tcphdr th, bool synInerr)
    {
        switch (Judge(tp, skb, th))
        {
            case Verdict.Accept:
                return true;
            case Verdict.Reset:
                TcpReset(tp);
                break;
            case Verdict.Challenge:
                if (synInerr)
                    tp.Ipv4.TcpStatistics.Inc(TcpMib.InErrs);
                tp.NetIncStats(LinuxMib.TCPSYNChallenge);
                TcpSendChallengeAck(tp);
                break;
        }

        skb.Free();
        return false;
    }

    private static Verdict Judge(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;

        // RFC 7323 section 5.3, R1; a reset is taken all the same.
        if (TcpFastParseOptions(tp, skb, th) && tp.RxOpt.SawTstamp && TcpPawsDiscard(tp, skb) && !th.Rst)
        {
            if (th.Syn)
                return Verdict.Challenge;
            tp.NetIncStats(LinuxMib.PAWSEstab);
            if (!TcpOowRateLimited(tp.SkNet, skb, LinuxMib.TCPACKSkippedPAWS, ref tp.LastOowAckTime))
                TcpSendDupack(tp, skb);
            return Verdict.Discard;
        }

        if (!TcpSequence(tp, cb.Seq, cb.EndSeq, out bool beyond))
            return JudgeOutOfWindow(tp, skb, th, beyond);
        if (th.Rst)
            return JudgeReset(tp, skb);
        if (!th.Syn)
            return Verdict.Accept;

        // RFC 5961 section 4.2. The SYN-ACK of a simultaneous open is what was waited for.
        bool crossedSyn = tp.SkState == TCP_SYN_RECV && tp.SkSocket != null && th.Ack && cb.Seq + 1 == cb.EndSeq
            && cb.Seq + 1 == tp.RcvNxt && cb.AckSeq == tp.SndNxt;
        return crossedSyn ? Verdict.Accept : Verdict.Challenge;
    }

    private static Verdict JudgeOutOfWindow(TcpSock tp, SkBuff skb, Tcphdr th, bool beyond)
    {
        if (th.Rst)
            return TcpResetCheck(tp, skb) ? Verdict.Reset : Verdict.Discard;
        if (th.Syn)
            return Verdict.Challenge;
        if (beyond)
            tp.NetIncStats(LinuxMib.BeyondWindow);
        if (!TcpOowRateLimited(tp.SkNet, skb, LinuxMib.TCPACKSkippedSeq, ref tp.LastOowAckTime))
            TcpSendDupack(tp, skb);
        return Verdict.Discard;
    }

    // RFC 5961 section 3.2: only a reset at exactly the next sequence number counts, or at what SACK said came last.
    private static Verdict JudgeReset(TcpSock tp, SkBuff skb)
    {
        uint seq = skb.TcpCb.Seq;
        if (seq == tp.RcvNxt || TcpResetCheck(tp, skb))
            return Verdict.Reset;
        if (tp.TcpIsSack && tp.RxOpt.NumSacks > 0)
        {
            uint rightmost = tp.SelectiveAcks[0].EndSeq;
            for (int i = 1; i < tp.RxOpt.NumSacks; i++)
            {
                if (TcpSeq.After(tp.SelectiveAcks[i].EndSeq, rightmost))
                    rightmost = tp.SelectiveAcks[i].EndSeq;
            }

            if (seq == rightmost)
                return Verdict.Reset;
        }

        TcpSendChallengeAck(tp);
        return Verdict.Discard;
    }

    /// <summary>Whether any of a segment lies in the receive window (RFC 9293 section 3.4).</summary>
    [Linux("tcp_sequence")]
    private static bool TcpSequence(TcpSock tp, uint seq, uint endSeq, out bool beyond)
    {
        beyond = false;
        if (TcpSeq.Before(endSeq, tp.RcvWup))
            return false;
        uint limit = tp.RcvNxt + tp.TcpReceiveWindow;
        if (!TcpSeq.After(endSeq, limit))
            return true;

        // What sticks out of the window is taken only by a reader who has nothing left to read.
        beyond = TcpSeq.After(seq, limit) || !tp.SkReceiveQueue.IsEmpty;
        return !beyond;
    }

    // After a FIN a peer may reset with the sequence number before it.
    [Linux("tcp_reset_check")]
    private static bool TcpResetCheck(TcpSock tp, SkBuff skb) =>
        skb.TcpCb.Seq == tp.RcvNxt - 1 && tp.SkState is TCP_CLOSE_WAIT or TCP_LAST_ACK or TCP_CLOSING;

    /// <summary>A valid reset came: the connection is gone, with an error for the user.</summary>
    [Linux("tcp_reset")]
    public static void TcpReset(TcpSock tp)
    {
        int err;
        switch (tp.SkState)
        {
            case TCP_SYN_SENT:
                err = ECONNREFUSED;
                break;
            case TCP_CLOSE_WAIT:
                err = EPIPE;
                break;
            case TCP_CLOSE:
                return;
            default:
                err = ECONNRESET;
                break;
        }

        TcpDoneWithError(tp, err);
    }

    /// <summary>Ends the connection with an error for the user; nothing is sent.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="err">A positive errno.</param>
    [Linux("tcp_done_with_error")]
    public static void TcpDoneWithError(TcpSock tp, int err)
    {
        tp.SkErr = err;
        Tcp.TcpWriteQueuePurge(tp);
        Tcp.TcpDone(tp);
        if (!tp.SockFlag(SockFlags.Dead))
            tp.SkErrorReport(tp);
    }

    /// <summary>
    /// Whether an answer to a segment that is out of the window has to wait, so that two ends that disagree do not keep each
    /// other busy.
    /// </summary>
    /// <param name="net">The namespace.</param>
    /// <param name="skb">The segment; one with data is always answered.</param>
    /// <param name="counter">Counts what was not answered.</param>
    /// <param name="lastOowAckTime">When the last answer was sent, ms; 0 for never.</param>
    [Linux("tcp_oow_rate_limited")]
    public static bool TcpOowRateLimited(NetNamespace net, SkBuff skb, LinuxMib counter, ref uint lastOowAckTime)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (cb.Seq != cb.EndSeq && (cb.TcpFlags & TCPHDR_SYN) == 0)
            return false;
        return TcpOowRateLimitedCore(net, counter, ref lastOowAckTime);
    }

    /// <summary>Asks the peer to confirm what it seems to have sent (RFC 5961 section 3.2): within limits a second.</summary>
    [Linux("tcp_send_challenge_ack")]
    public static void TcpSendChallengeAck(TcpSock tp)
    {
        if (TcpOowRateLimitedCore(tp.SkNet, LinuxMib.TCPACKSkippedChallenge, ref tp.LastOowAckTime))
            return;
        if (!tp.Ipv4.TakeChallengeAck(tp.Machine))
            return;
        tp.NetIncStats(LinuxMib.TCPChallengeACK);
        TcpOutput.TcpSendAck(tp);
    }

    /// <summary>Tells the sender of an unacceptable segment where we are, and what of it came twice.</summary>
    [Linux("tcp_send_dupack")]
    public static void TcpSendDupack(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (cb.EndSeq != cb.Seq && TcpSeq.Before(cb.Seq, tp.RcvNxt))
        {
            tp.NetIncStats(LinuxMib.DelayedACKLost);
            TcpEnterQuickackMode(tp, TCP_MAX_QUICKACKS);
            TcpDsackSet(tp, cb.Seq, TcpSeq.After(cb.EndSeq, tp.RcvNxt) ? tp.RcvNxt : cb.EndSeq);
        }

        TcpOutput.TcpSendAck(tp);
    }

    /// <summary>Counts a segment that came for a connection (<c>tcp_segs_in</c>).</summary>
    public static void TcpSegsIn(TcpSock tp, SkBuff skb)
    {
        uint segments = (uint)Math.Max(1, skb.GsoSegs);
        tp.SegsIn += segments;
        if (skb.Len > skb.Tcphdr.HeaderLength)
            tp.DataSegsIn += segments;
    }

    private static bool TcpOowRateLimitedCore(NetNamespace net, LinuxMib counter, ref uint lastOowAckTime)
    {
        uint now = (uint)net.Machine.Clock.Jiffies;
        if (lastOowAckTime != 0)
        {
            int elapsed = (int)(now - lastOowAckTime);
            if (elapsed >= 0 && elapsed < net.Ipv4.SysctlTcpInvalidRatelimit)
            {
                net.Ipv4.NetStatistics.Inc(counter);
                return true;
            }
        }

        // Zero stands for never.
        lastOowAckTime = Math.Max(now, 1);
        return false;
    }
}

/// <content>The budget of challenge ACKs.</content>
public sealed partial class NetnsIpv4
{
    private Spinlock challengeGuard;
    private long challengeSecond = -1;
    private int challengesLeft;

    /// <summary>
    /// Takes one of the challenge ACKs that a second has; how many it has is random about the sysctl, so that nobody can learn
    /// from their number what other connections did (CVE-2016-5696).
    /// </summary>
    internal bool TakeChallengeAck(Machine machine)
    {
        int limit = SysctlTcpChallengeAckLimit;
        if (limit == int.MaxValue)
            return true;
        long second = machine.Clock.Now / Clock.NsecPerSec;
        challengeGuard.Lock();
        if (second != challengeSecond)
        {
            challengeSecond = second;
            int half = (limit + 1) >> 1;
            challengesLeft = half + (int)machine.Random.NextBelow((uint)Math.Max(limit, 1));
        }

        bool taken = challengesLeft > 0;
        if (taken)
            challengesLeft--;
        challengeGuard.Unlock();
        return taken;
    }
}
