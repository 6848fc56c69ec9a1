using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>What of the written data may be sent now.</content>
public static partial class TcpOutput
{
    // Most segments of one packet (GSO_MAX_SEGS).
    private const int GsoMaxSegs = 65535;

    // With tcp_tso_win_divisor off, a packet does not wait for more than this many segments of window.
    private const uint MaxTsoDeferred = 3;

    /// <summary>Sends what windows, Nagle and the congestion window allow of the queue.</summary>
    [Linux("__tcp_push_pending_frames")]
    public static void TcpPushPendingFramesCore(TcpSock tp, int curMss, byte nonagle)
    {
        // The connection may have ended while a writer waited for memory.
        if (tp.SkcState == TCP_CLOSE)
            return;
        if (TcpWriteXmit(tp, curMss, nonagle, pushOne: 0))
            tp.TcpCheckProbeTimer();
    }

    /// <summary>The same for whoever has changed a window (<c>tcp_push_pending_frames</c>).</summary>
    public static void TcpPushPendingFrames(TcpSock tp)
    {
        if (tp.TcpSendHead != null)
            TcpPushPendingFramesCore(tp, TcpCurrentMss(tp), tp.Nonagle);
    }

    /// <summary>Sends the first packet of the queue, which has to be full.</summary>
    [Linux("tcp_push_one")]
    public static void TcpPushOne(TcpSock tp, int mssNow) => TcpWriteXmit(tp, mssNow, TCP_NAGLE_PUSH, pushOne: 1);

    /// <summary>How many segments of <paramref name="mssNow"/> bytes a packet should hold.</summary>
    [Linux("tcp_tso_segs")]
    public static int TcpTsoSegs(TcpSock tp, int mssNow)
    {
        uint minTso = tp.IcskCaOps.MinTsoSegs(tp);
        if (minTso == 0)
            minTso = (uint)tp.Ipv4.SysctlTcpMinTsoSegs;
        return Math.Min(TcpTsoAutosize(tp, mssNow, (int)minTso), GsoMaxSegs);
    }

    /// <summary>An idle connection restarts with a small window (RFC 2861, <c>tcp_slow_start_after_idle_check</c>).</summary>
    public static void TcpSlowStartAfterIdleCheck(TcpSock tp)
    {
        if (tp.PacketsOut != 0 || !tp.Ipv4.SysctlTcpSlowStartAfterIdle || tp.IcskCaOps.HasCongControl)
            return;
        long idle = tp.Machine.Clock.Now / Clock.NsecPerMsec - tp.Lsndtime / Clock.NsecPerMsec;
        if (idle > tp.IcskRto / Clock.NsecPerMsec)
            TcpCwndRestart(tp, idle * Clock.NsecPerMsec);
    }

    /// <summary>The congestion window halves for each timeout that the flow was idle, down to the initial window.</summary>
    [Linux("tcp_cwnd_restart")]
    private static void TcpCwndRestart(TcpSock tp, long delta)
    {
        uint cwnd = tp.SndCwnd;
        uint restart = Math.Min(TcpInput.TcpInitCwnd(tp), cwnd);
        tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.CwndRestart);
        tp.SndSsthresh = tp.TcpCurrentSsthresh;
        while ((delta -= tp.IcskRto) > 0 && cwnd > restart)
            cwnd >>= 1;
        tp.TcpSndCwndSet(Math.Max(cwnd, restart));
        tp.SndCwndStamp = tp.Machine.Clock.Now;
        tp.SndCwndUsed = 0;
    }

    /// <summary>
    /// Sends packets of the write queue for as long as congestion window, the peer's window and Nagle's rule allow.
    /// </summary>
    /// <param name="tp">The connection.</param>
    /// <param name="mssNow">Payload of a full segment.</param>
    /// <param name="nonagle"><c>TCP_NAGLE_*</c> bits for the last packet.</param>
    /// <param name="pushOne">0 for all, 1 for one packet, 2 for one packet whatever the congestion window says.</param>
    /// <returns>True when nothing is in flight although there is data: the closed window has to be probed.</returns>
    [Linux("tcp_write_xmit")]
    internal static bool TcpWriteXmit(TcpSock tp, int mssNow, byte nonagle, int pushOne)
    {
        bool isCwndLimited = false;
        bool isRwndLimited = false;
        uint sentPkts = 0;
        TcpMstampRefresh(tp);
        if (pushOne == 0)
        {
            int probed = TcpMtuProbe(tp);
            if (probed == 0)
                return false;
            if (probed > 0)
                sentPkts = 1;
        }

        int maxSegs = TcpTsoSegs(tp, mssNow);
        while (tp.TcpSendHead is { } skb && !TcpPacingCheck(tp))
        {
            int cwndQuota = TcpCwndTest(tp);
            if (cwndQuota == 0)
            {
                if (pushOne != 2)
                    break;
                cwndQuota = 1;
            }

            cwndQuota = Math.Min(cwndQuota, maxSegs);
            TcpGrowSkb(tp, skb, cwndQuota * mssNow - skb.Len);
            int tsoSegs = TcpSetSkbTsoSegs(skb, mssNow);
            if (!TcpSndWndTest(tp, skb, mssNow))
            {
                isRwndLimited = true;
                break;
            }

            if (tsoSegs == 1)
            {
                if (!TcpNagleTest(tp, skb, mssNow, tp.TcpSkbIsLast(skb) ? nonagle : TCP_NAGLE_PUSH))
                    break;
            }
            else if (pushOne == 0 && TcpTsoShouldDefer(tp, skb, ref isCwndLimited, ref isRwndLimited, maxSegs))
            {
                break;
            }

            int limit = mssNow;
            if (tsoSegs > 1 && !tp.TcpUrgMode)
                limit = TcpMssSplitPoint(tp, skb, mssNow, cwndQuota, nonagle);
            if (skb.Len > limit && TcpFragment(tp, skb, limit, mssNow, sent: false) != 0)
                break;

            if (TcpSmallQueueCheck(tp, skb, 0))
                break;

            // A writer that waits for memory has left an empty packet.
            if (skb.TcpCb.EndSeq == skb.TcpCb.Seq)
                break;
            if (TcpTransmitSkb(tp, skb, cloneIt: true) != 0)
                break;
            TcpEventNewDataSent(tp, skb);
            TcpMinshallUpdate(tp, mssNow, skb);
            sentPkts += skb.TcpCb.TcpGsoSegs;
            if (pushOne != 0)
                break;
        }

        return FinishXmit(tp, sentPkts, isCwndLimited, isRwndLimited, isProbe: pushOne == 2);
    }

    private static bool FinishXmit(TcpSock tp, uint sentPkts, bool isCwndLimited, bool isRwndLimited, bool isProbe)
    {
        if (isRwndLimited)
            TcpChronoStart(tp, TcpChronoType.RwndLimited);
        else
            TcpChronoStop(tp, TcpChronoType.RwndLimited);
        isCwndLimited |= tp.TcpPacketsInFlight >= tp.SndCwnd;
        if (sentPkts != 0 || isCwndLimited)
            TcpCwndValidate(tp, isCwndLimited);
        if (sentPkts == 0)
            return tp.PacketsOut == 0 && !tp.TcpWriteQueueEmpty;
        if (tp.TcpInCwndReduction)
            tp.PrrOut += sentPkts;
        if (!isProbe)
            TcpScheduleLossProbe(tp, advancingRto: false);
        return false;
    }

    /// <summary>A packet of the write queue was sent for the first time: it moves to the retransmission queue.</summary>
    [Linux("tcp_event_new_data_sent")]
    private static void TcpEventNewDataSent(TcpSock tp, SkBuff skb)
    {
        uint priorPackets = tp.PacketsOut;
        ref TcpSkbCb tcb = ref skb.TcpCb;
        tp.SndNxt = tcb.EndSeq;
        tp.SkWriteQueue.Unlink(skb);
        tp.RtxQueue.Append(skb);
        tp.TsortedMoveTail(skb);
        tp.PacketsOut += tcb.TcpGsoSegs;
        if (priorPackets == 0 || tp.IcskPending == InetConnectionSock.ICSK_TIME_LOSS_PROBE)
            TcpInput.TcpRearmRto(tp);
        tp.Ipv4.NetStatistics.Add(LinuxMib.TCPOrigDataSent, tcb.TcpGsoSegs);
        TcpInput.TcpCheckSpace(tp);
    }

    /// <summary>Says how many segments a packet stands for (<c>tcp_set_skb_tso_segs</c>).</summary>
    internal static int TcpSetSkbTsoSegs(SkBuff skb, int mssNow)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if (skb.Len <= mssNow)
        {
            tcb.TcpGsoSize = 0;
            tcb.TcpGsoSegs = 1;
            return 1;
        }

        tcb.TcpGsoSize = (ushort)mssNow;
        tcb.TcpGsoSegs = (ushort)((skb.Len + mssNow - 1) / mssNow);
        return tcb.TcpGsoSegs;
    }

    // Segments that the congestion window has room for; never more than half of it at once.
    [Linux("tcp_cwnd_test")]
    private static int TcpCwndTest(TcpSock tp)
    {
        uint inFlight = tp.TcpPacketsInFlight;
        uint cwnd = tp.SndCwnd;
        return inFlight >= cwnd ? 0 : (int)Math.Min(Math.Max(cwnd >> 1, 1), cwnd - inFlight);
    }

    [Linux("tcp_snd_wnd_test")]
    private static bool TcpSndWndTest(TcpSock tp, SkBuff skb, int curMss)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        uint endSeq = skb.Len > curMss ? tcb.Seq + (uint)curMss : tcb.EndSeq;
        return !TcpSeq.After(endSeq, tp.TcpWndEnd);
    }

    /// <summary>
    /// Whether a segment that is not full may go: yes when nothing is in flight, or no small segment is (Minshall's form
    /// of RFC 896), when it ends the stream, or when Nagle's rule is off.
    /// </summary>
    [Linux("tcp_nagle_test")]
    private static bool TcpNagleTest(TcpSock tp, SkBuff skb, int curMss, byte nonagle)
    {
        if ((nonagle & TCP_NAGLE_PUSH) != 0)
            return true;
        if (tp.TcpUrgMode || (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0)
            return true;
        return !TcpNagleCheck(skb.Len < curMss, tp, nonagle);
    }

    private static bool TcpNagleCheck(bool partial, TcpSock tp, byte nonagle) =>
        partial && ((nonagle & TCP_NAGLE_CORK) != 0
            || nonagle == 0 && tp.PacketsOut != 0 && TcpMinshallCheck(tp));

    private static bool TcpMinshallCheck(TcpSock tp) =>
        TcpSeq.After(tp.SndSml, tp.SndUna) && !TcpSeq.After(tp.SndSml, tp.SndNxt);

    private static void TcpMinshallUpdate(TcpSock tp, int mssNow, SkBuff skb)
    {
        if (skb.Len < skb.TcpCb.TcpGsoSegs * mssNow)
            tp.SndSml = skb.TcpCb.EndSeq;
    }

    /// <summary>
    /// Whether a packet of several segments should wait to become larger: yes when an ACK that opens the window is about
    /// to come and the packet is far from what the window allows.
    /// </summary>
    [Linux("tcp_tso_should_defer")]
    private static bool TcpTsoShouldDefer(
        TcpSock tp, SkBuff skb, ref bool isCwndLimited, ref bool isRwndLimited, int maxSegs)
    {
        if (tp.IcskCaState >= TCP_CA_Recovery)
            return false;

        // Only a flow that is being written to right now gets a larger packet by waiting.
        if (tp.TcpClockCache - tp.TcpWstampNs > Clock.NsecPerMsec)
            return false;
        uint sendWin = tp.TcpWndEnd - skb.TcpCb.Seq;
        uint congWin = (tp.SndCwnd - tp.TcpPacketsInFlight) * (uint)tp.MssCache;
        uint limit = Math.Min(sendWin, congWin);
        if (limit >= (uint)(maxSegs * tp.MssCache))
            return false;
        if (!tp.TcpSkbIsLast(skb) && limit >= skb.Len)
            return false;
        int divisor = tp.Ipv4.SysctlTcpTsoWinDivisor;
        if (divisor != 0
            ? limit >= Math.Min(tp.SndWnd, tp.SndCwnd * (uint)tp.MssCache) / (uint)divisor
            : limit > MaxTsoDeferred * (uint)tp.MssCache)
        {
            return false;
        }

        if (tp.RtxQueue.First is not { } head)
            return false;

        // The next ACK comes in about half an RTT at the latest, or waiting does not pay.
        long age = tp.TcpClockCache - head.Tstamp;
        if (age - Clock.NsecPerUsec * (tp.SrttUs >> 4) < 0)
            return false;
        if (congWin < sendWin)
        {
            if (congWin <= skb.Len)
            {
                isCwndLimited = true;
                return true;
            }
        }
        else if (sendWin <= skb.Len)
        {
            isRwndLimited = true;
            return true;
        }

        ref TcpSkbCb tcb = ref skb.TcpCb;
        return (tcb.TcpFlags & TCPHDR_FIN) == 0 && !tcb.Eor;
    }

    [Linux("tcp_mss_split_point")]
    private static int TcpMssSplitPoint(TcpSock tp, SkBuff skb, int mssNow, int maxSegs, byte nonagle)
    {
        uint window = tp.TcpWndEnd - skb.TcpCb.Seq;
        uint maxLen = (uint)(mssNow * maxSegs);
        if (maxLen <= window && !tp.TcpSkbIsLast(skb))
            return (int)maxLen;
        uint needed = Math.Min((uint)skb.Len, window);
        if (maxLen <= needed)
            return (int)maxLen;

        // A last segment that is not full goes along only when it could go by itself.
        uint partial = needed % (uint)mssNow;
        return (int)(TcpNagleCheck(partial != 0, tp, nonagle) ? needed - partial : needed);
    }

    [Linux("tcp_tso_autosize")]
    private static int TcpTsoAutosize(TcpSock tp, int mssNow, int minTsoSegs)
    {
        ulong bytes = tp.SkPacingRate >> tp.SkPacingShift;

        // Near peers get larger packets: their ACKs are soon back.
        uint r = tp.TcpMinRtt >> tp.Ipv4.SysctlTcpTsoRttLog;
        if (r < 32)
            bytes += (uint)tp.SkGsoMaxSize >> (int)r;
        bytes = Math.Min(bytes, (ulong)tp.SkGsoMaxSize - 1 - MAX_TCP_HEADER);
        return (int)Math.Max(bytes / (uint)mssNow, (uint)minTsoSegs);
    }

    /// <summary>Notes whether the congestion window was used (RFC 7661); one that is not used decays.</summary>
    [Linux("tcp_cwnd_validate")]
    private static void TcpCwndValidate(TcpSock tp, bool isCwndLimited)
    {
        if (!TcpSeq.Before(tp.SndUna, tp.CwndUsageSeq) || isCwndLimited
            || !tp.IsCwndLimited && tp.PacketsOut > tp.MaxPacketsOut)
        {
            tp.IsCwndLimited = isCwndLimited;
            tp.MaxPacketsOut = tp.PacketsOut;
            tp.CwndUsageSeq = tp.SndNxt;
        }

        if (tp.TcpIsCwndLimited)
        {
            tp.SndCwndUsed = 0;
            tp.SndCwndStamp = tp.TcpClockCache;
            return;
        }

        tp.SndCwndUsed = Math.Max(tp.SndCwndUsed, tp.PacketsOut);
        if (tp.Ipv4.SysctlTcpSlowStartAfterIdle && tp.TcpClockCache - tp.SndCwndStamp >= tp.IcskRto
            && !tp.IcskCaOps.HasCongControl)
        {
            TcpCwndApplicationLimited(tp);
        }

        if (tp.TcpWriteQueueEmpty && tp.SkSocket != null && tp.SockFlag(SockFlags.Nospace)
            && (1 << tp.SkcState & (TCPF_ESTABLISHED | TCPF_CLOSE_WAIT)) != 0)
        {
            TcpChronoStart(tp, TcpChronoType.SndbufLimited);
        }
    }

    [Linux("tcp_cwnd_application_limited")]
    private static void TcpCwndApplicationLimited(TcpSock tp)
    {
        if (tp.IcskCaState == TCP_CA_Open && tp.SkSocket != null && !tp.SockFlag(SockFlags.Nospace))
        {
            uint used = Math.Max(tp.SndCwndUsed, TcpInput.TcpInitCwnd(tp));
            if (used < tp.SndCwnd)
            {
                tp.SndSsthresh = tp.TcpCurrentSsthresh;
                tp.TcpSndCwndSet((tp.SndCwnd + used) >> 1);
            }

            tp.SndCwndUsed = 0;
        }

        tp.SndCwndStamp = tp.TcpClockCache;
    }

    // --- what kept the flow busy (TCP_INFO) ---

    /// <summary>The flow is limited by something from now on.</summary>
    [Linux("tcp_chrono_start")]
    public static void TcpChronoStart(TcpSock tp, TcpChronoType type)
    {
        // A stronger reason takes precedence; it ends by itself.
        if (type > tp.ChronoType)
            ChronoSet(tp, type);
    }

    /// <summary>It is not limited by that any more.</summary>
    [Linux("tcp_chrono_stop")]
    public static void TcpChronoStop(TcpSock tp, TcpChronoType type)
    {
        if (tp.TcpRtxAndWriteQueuesEmpty)
            ChronoSet(tp, TcpChronoType.Unspec);
        else if (type == tp.ChronoType)
            ChronoSet(tp, TcpChronoType.Busy);
    }

    private static void ChronoSet(TcpSock tp, TcpChronoType type)
    {
        // Writers come here too, who have not looked at the clock.
        uint now = (uint)tp.Machine.Clock.Jiffies;
        TcpChronoType old = tp.ChronoType;
        if (old == type)
            return;
        if (old > TcpChronoType.Unspec)
            tp.ChronoStat[(int)old - 1] += now - tp.ChronoStart;
        tp.ChronoStart = now;
        tp.ChronoType = type;
    }
}
