using System.Numerics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The timers of a connection. A timer that fires while the socket is owned leaves a bit, and the owner does its work at
/// release (<see cref="TcpReleaseCb"/>). A pending timer holds a reference to the socket, which its handler gives back.
/// </summary>
[LinuxFile("net/ipv4/tcp_timer.c")]
public static partial class TcpTimer
{
    private const int TCP_THIN_LINEAR_RETRIES = 6;

    private static readonly Action<object> WriteTimer = TcpWriteTimer;
    private static readonly Action<object> DelackTimer = TcpDelackTimer;
    private static readonly Action<object> KeepaliveTimer = TcpKeepaliveTimer;

    /// <summary>Makes the timers of a new socket.</summary>
    [Linux("tcp_init_xmit_timers")]
    public static void TcpInitXmitTimers(TcpSock tp)
    {
        tp.InetCskInitXmitTimers(WriteTimer, DelackTimer, KeepaliveTimer);
        tp.CompressedAckTimer = new TimerList(tp.Machine.Timers, CompressedAckTimer, tp);
    }

    /// <summary>A time in µs as timers take it: whole milliseconds, rounded up, in ns (<c>usecs_to_jiffies</c>).</summary>
    internal static long UsecsToJiffies(long us) => (us + 999) / 1000 * Clock.NsecPerMsec;

    /// <summary>A SYN-ACK timed out.</summary>
    [Linux("tcp_syn_ack_timeout")]
    public static void TcpSynAckTimeout(RequestSock req) => req.SkcNet.Ipv4.NetStatistics.Inc(LinuxMib.TCPTimeouts);

    /// <summary>Does what timers left for the owner of the socket; called with the spin lock held.</summary>
    [Linux("tcp_release_cb", "net/ipv4/tcp_output.c")]
    public static void TcpReleaseCb(TcpSock tp)
    {
        TcpTsqFlags flags = tp.TsqFlags;
        if (flags == TcpTsqFlags.None && !tp.AckDeferred)
            return;
        tp.TsqFlags = TcpTsqFlags.None;
        if ((flags & TcpTsqFlags.TsqDeferred) != 0)
        {
            TcpOutput.TcpTsqWrite(tp);
            tp.SockPut();
        }

        if ((flags & TcpTsqFlags.WriteTimerDeferred) != 0)
        {
            TcpWriteTimerHandler(tp);
            tp.SockPut();
        }

        if ((flags & TcpTsqFlags.DelackTimerDeferred) != 0)
        {
            TcpDelackTimerHandler(tp);
            tp.SockPut();
        }

        if ((flags & TcpTsqFlags.MtuReducedDeferred) != 0)
        {
            tp.IcskAfOps.MtuReduced(tp);
            tp.SockPut();
        }

        if (tp.AckDeferred)
        {
            tp.AckDeferred = false;
            if (tp.InetCskAckScheduled)
                TcpOutput.TcpSendAck(tp);
        }
    }

    /// <summary>Leaves work for the owner of the socket; takes a reference with it. Called with the spin lock held.</summary>
    public static void Defer(TcpSock tp, TcpTsqFlags work)
    {
        if ((tp.TsqFlags & work) != 0)
            return;
        tp.TsqFlags |= work;
        tp.SockHold();
    }

    // --- delayed ACKs ---

    [Linux("tcp_delack_timer")]
    private static void TcpDelackTimer(object data)
    {
        var tp = (TcpSock)data;
        tp.BhLockSock();
        if (!tp.SockOwnedByUser)
        {
            TcpDelackTimerHandler(tp);
        }
        else
        {
            tp.NetIncStats(LinuxMib.DelayedACKLocked);
            Defer(tp, TcpTsqFlags.DelackTimerDeferred);
        }

        tp.BhUnlockSock();
        tp.SockPut();
    }

    [Linux("tcp_delack_timer_handler")]
    private static void TcpDelackTimerHandler(TcpSock tp)
    {
        if ((1 << tp.SkcState & (TCPF_CLOSE | TCPF_LISTEN)) != 0)
            return;
        if (tp.CompressedAck != 0)
        {
            TcpOutput.TcpMstampRefresh(tp);
            TcpInput.TcpSackCompressSendAck(tp);
            return;
        }

        if ((tp.IcskAck.Pending & InetConnectionSock.ICSK_ACK_TIMER) == 0)
            return;
        TcpOutput.TcpMstampRefresh(tp);
        if (tp.IcskAck.Timeout > tp.TcpClockCache)
        {
            tp.SkResetTimer(tp.IcskDelackTimer!, tp.IcskAck.Timeout);
            return;
        }

        tp.IcskAck.Pending &= unchecked((byte)~InetConnectionSock.ICSK_ACK_TIMER);
        if (!tp.InetCskAckScheduled)
            return;
        if (!tp.InetCskInPingpongMode)
        {
            // The segment that the ACK waited for is slower than was thought.
            tp.IcskAck.Ato = Math.Min(tp.IcskAck.Ato << 1, tp.IcskRto);
        }
        else
        {
            // No answer came for the ACK to ride on.
            tp.InetCskExitPingpongMode();
            tp.IcskAck.Ato = TCP_ATO_MIN;
        }

        TcpOutput.TcpSendAck(tp);
        tp.NetIncStats(LinuxMib.DelayedACKs);
    }

    // --- retransmission and window probes ---

    [Linux("tcp_write_timer")]
    private static void TcpWriteTimer(object data)
    {
        var tp = (TcpSock)data;
        if (tp.IcskPending == 0)
        {
            tp.SockPut();
            return;
        }

        tp.BhLockSock();
        if (!tp.SockOwnedByUser)
            TcpWriteTimerHandler(tp);
        else
            Defer(tp, TcpTsqFlags.WriteTimerDeferred);
        tp.BhUnlockSock();
        tp.SockPut();
    }

    [Linux("tcp_write_timer_handler")]
    private static void TcpWriteTimerHandler(TcpSock tp)
    {
        if ((1 << tp.SkcState & (TCPF_CLOSE | TCPF_LISTEN)) != 0 || tp.IcskPending == 0)
            return;
        TcpOutput.TcpMstampRefresh(tp);
        if (tp.IcskTimeout > tp.TcpClockCache)
        {
            // Deferred since it was armed.
            tp.SkResetTimer(tp.IcskRetransmitTimer!, tp.IcskTimeout);
            return;
        }

        switch (tp.IcskPending)
        {
            // These two look at what the timer was for when they arm it again.
            case InetConnectionSock.ICSK_TIME_REO_TIMEOUT:
                TcpRecovery.TcpRackReoTimeout(tp);
                break;
            case InetConnectionSock.ICSK_TIME_LOSS_PROBE:
                TcpOutput.TcpSendLossProbe(tp);
                break;
            case InetConnectionSock.ICSK_TIME_RETRANS:
                tp.IcskPending = 0;
                TcpRetransmitTimer(tp);
                break;
            case InetConnectionSock.ICSK_TIME_PROBE0:
                tp.IcskPending = 0;
                TcpProbeTimer(tp);
                break;
            default:
                Bug.On(true);
                break;
        }
    }

    /// <summary>The oldest segment was not acknowledged in time (RFC 6298 5.4 to 5.6).</summary>
    [Linux("tcp_retransmit_timer")]
    private static void TcpRetransmitTimer(TcpSock tp)
    {
        if (tp.PacketsOut == 0)
            return;
        SkBuff? skb = tp.RtxQueue.First;
        Bug.On(skb == null);
        if (tp.SndWnd == 0 && !tp.SockFlag(SockFlags.Dead)
            && (1 << tp.SkcState & (TCPF_SYN_SENT | TCPF_SYN_RECV)) == 0)
        {
            // The peer took its window back. What is sent again serves as a probe: that alone ends no connection.
            uint since = tp.RetransStamp != 0 ? tp.RetransStamp : (uint)(skb.Tstamp / Clock.NsecPerMsec);
            if (TcpRtxProbe0TimedOut(tp, tp.TcpTimeStampTs - since))
            {
                TcpWriteErr(tp);
                return;
            }

            TcpInput.TcpEnterLoss(tp);
            TcpOutput.TcpRetransmitSkb(tp, skb, 1);
            SkDstReset(tp);
            BackOff(tp);
            return;
        }

        tp.NetIncStats(LinuxMib.TCPTimeouts);
        if (TcpWriteTimeout(tp))
            return;
        if (tp.IcskRetransmits == 0)
            CountFirstTimeout(tp);
        TcpInput.TcpEnterLoss(tp);
        TcpUpdateRtoStats(tp);
        if (TcpOutput.TcpRetransmitSkb(tp, tp.RtxQueue.First!, 1) > 0)
        {
            // Local resources were short, which says nothing about the path.
            tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, TCP_RESOURCE_PROBE_INTERVAL);
            return;
        }

        BackOff(tp);
    }

    private static void BackOff(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        if (tp.SkcState == TCP_ESTABLISHED && (tp.ThinLto || ipv4.SysctlTcpThinLinearTimeouts)
            && TcpStreamIsThin(tp) && tp.IcskRetransmits <= TCP_THIN_LINEAR_RETRIES)
        {
            tp.IcskBackoff = 0;
            tp.IcskRto = Math.Clamp(tp.TcpSetRtoCore, tp.TcpRtoMin, tp.TcpRtoMax);
        }
        else if (tp.SkcState != TCP_SYN_SENT || tp.TotalRto > ipv4.SysctlTcpSynLinearTimeouts)
        {
            if (tp.IcskBackoff < byte.MaxValue)
                tp.IcskBackoff++;
            tp.IcskRto = Math.Min(tp.IcskRto << 1, tp.TcpRtoMax);
        }

        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, TcpClampRtoToUserTimeout(tp));
        if (RetransmitsTimedOut(tp, ipv4.SysctlTcpRetries1 + 1, 0))
            SkDstReset(tp);
    }

    private static bool TcpStreamIsThin(TcpSock tp) => tp.PacketsOut < 4 && !tp.TcpInInitialSlowstart;

    private static void CountFirstTimeout(TcpSock tp)
    {
        LinuxMib? mib = tp.IcskCaState switch
        {
            TCP_CA_Recovery => tp.TcpIsSack ? LinuxMib.TCPSackRecoveryFail : LinuxMib.TCPRenoRecoveryFail,
            TCP_CA_Loss => LinuxMib.TCPLossFailures,
            _ when tp.IcskCaState == TCP_CA_Disorder || tp.SackedOut != 0 =>
                tp.TcpIsSack ? LinuxMib.TCPSackFailures : LinuxMib.TCPRenoFailures,
            _ => null,
        };
        if (mib is { } counter)
            tp.NetIncStats(counter);
    }

    [Linux("tcp_update_rto_stats")]
    private static void TcpUpdateRtoStats(TcpSock tp)
    {
        if (tp.IcskRetransmits == 0)
        {
            tp.TotalRtoRecoveries++;
            tp.RtoStamp = tp.TcpTimeStampTs;
        }

        if (tp.IcskRetransmits < byte.MaxValue)
            tp.IcskRetransmits++;
        tp.TotalRto++;
    }

    /// <summary>The peer's window is closed and a probe is due (RFC 9293 3.8.6.1).</summary>
    [Linux("tcp_probe_timer")]
    private static void TcpProbeTimer(TcpSock tp)
    {
        if (tp.PacketsOut != 0 || tp.TcpSendHead == null)
        {
            tp.IcskProbesOut = 0;
            tp.IcskProbesTstamp = 0;
            return;
        }

        // A peer that answers probes may keep its window closed for ever, unless the user set a limit (RFC 5482).
        if (tp.IcskProbesTstamp == 0)
        {
            tp.IcskProbesTstamp = tp.TcpClockCache;
        }
        else if (tp.IcskUserTimeout != 0
            && tp.TcpClockCache - tp.IcskProbesTstamp >= tp.IcskUserTimeout * Clock.NsecPerMsec)
        {
            TcpWriteErr(tp);
            return;
        }

        int maxProbes = tp.Ipv4.SysctlTcpRetries2;
        if (tp.SockFlag(SockFlags.Dead))
        {
            bool alive = Math.Min(tp.IcskRto << Math.Min(tp.IcskBackoff, (byte)20), tp.TcpRtoMax) < tp.TcpRtoMax;
            maxProbes = TcpOrphanRetries(tp, alive);
            if (!alive && tp.IcskBackoff >= maxProbes)
            {
                TcpWriteErr(tp);
                return;
            }

            if (TcpOutOfResources(tp, doReset: true))
                return;
        }

        if (tp.IcskProbesOut >= maxProbes)
            TcpWriteErr(tp);
        else
            TcpOutput.TcpSendProbe0(tp);
    }

    // --- giving up ---

    /// <summary>The next timeout, shortened so that <c>TCP_USER_TIMEOUT</c> is kept.</summary>
    [Linux("tcp_clamp_rto_to_user_timeout")]
    private static long TcpClampRtoToUserTimeout(TcpSock tp)
    {
        uint userTimeout = tp.IcskUserTimeout;
        if (userTimeout == 0)
            return tp.IcskRto;
        int remaining = (int)(userTimeout - (tp.TcpTimeStampTs - tp.RetransStamp));
        return remaining <= 0 ? Clock.NsecPerMsec : Math.Min(tp.IcskRto, remaining * Clock.NsecPerMsec);
    }

    /// <summary>The next window probe, shortened in the same way.</summary>
    [Linux("tcp_clamp_probe0_to_user_timeout")]
    internal static long TcpClampProbe0ToUserTimeout(TcpSock tp, long when)
    {
        uint userTimeout = tp.IcskUserTimeout;
        if (userTimeout == 0 || tp.IcskProbesTstamp == 0)
            return when;
        long elapsed = Math.Max(tp.TcpClockCache - tp.IcskProbesTstamp, 0);
        return Math.Min(Math.Max(userTimeout * Clock.NsecPerMsec - elapsed, TCP_TIMEOUT_MIN), when);
    }

    /// <summary>The connection is given up: -ETIMEDOUT, or what ICMP said meanwhile.</summary>
    [Linux("tcp_write_err")]
    private static void TcpWriteErr(TcpSock tp)
    {
        TcpInput.TcpDoneWithError(tp, tp.SkErrSoft != 0 ? tp.SkErrSoft : ETIMEDOUT);
        tp.NetIncStats(LinuxMib.TCPAbortOnTimeout);
    }

    /// <summary>Ends a connection without a socket when memory or its patience is short.</summary>
    [Linux("tcp_out_of_resources")]
    private static bool TcpOutOfResources(TcpSock tp, bool doReset)
    {
        int shift = 0;
        if (tp.TcpClockCache - tp.Lsndtime > 2 * tp.TcpRtoMax || !doReset)
            shift++;
        if (tp.SkErrSoft != 0)
            shift++;
        if (!Tcp.TcpCheckOom(tp, shift))
            return false;
        if (tp.TcpClockCache - tp.Lsndtime <= TCP_TIMEWAIT_LEN || tp.SndWnd == 0 && tp.PacketsOut == 0)
            doReset = true;
        if (doReset)
            TcpOutput.TcpSendActiveReset(tp);
        Tcp.TcpDone(tp);
        tp.NetIncStats(LinuxMib.TCPAbortOnMemory);
        return true;
    }

    [Linux("tcp_orphan_retries")]
    private static int TcpOrphanRetries(TcpSock tp, bool alive)
    {
        int retries = tp.Ipv4.SysctlTcpOrphanRetries;
        if (tp.SkErrSoft != 0 && !alive)
            retries = 0;
        return retries == 0 && alive ? 8 : retries;
    }

    /// <summary>A timeout that repeats may mean that large packets do not get through: tries smaller ones (RFC 4821).</summary>
    [Linux("tcp_mtu_probing")]
    private static void TcpMtuProbing(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        if (ipv4.SysctlTcpMtuProbing == 0)
            return;
        if (!tp.IcskMtup.Enabled)
        {
            tp.IcskMtup.Enabled = true;
            tp.IcskMtup.ProbeTimestamp = tp.TcpClockCache;
        }
        else
        {
            int mss = TcpOutput.TcpMtuToMss(tp, tp.IcskMtup.SearchLow) >> 1;
            mss = Math.Min(ipv4.SysctlTcpBaseMss, mss);
            mss = Math.Max(Math.Max(mss, ipv4.SysctlTcpMtuProbeFloor), ipv4.SysctlTcpMinSndMss);
            tp.IcskMtup.SearchLow = TcpOutput.TcpMssToMtu(tp, mss);
        }

        TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
    }

    /// <summary>How long so many timeouts with exponential backoff take, in ns.</summary>
    [Linux("tcp_model_timeout")]
    private static long TcpModelTimeout(TcpSock tp, int boundary, long rtoBase)
    {
        int linear = BitOperations.Log2((ulong)(tp.TcpRtoMax / rtoBase));
        return boundary <= linear
            ? ((2L << boundary) - 1) * rtoBase
            : ((2L << linear) - 1) * rtoBase + (boundary - linear) * tp.TcpRtoMax;
    }

    /// <summary>Whether retransmitting has gone on for longer than allowed.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="boundary">Allowed number of timeouts, of the smallest duration.</param>
    /// <param name="timeout">Allowed time in ms, which takes precedence; 0 for none.</param>
    [Linux("retransmits_timed_out")]
    private static bool RetransmitsTimedOut(TcpSock tp, int boundary, uint timeout)
    {
        if (tp.IcskRetransmits == 0)
            return false;
        if (timeout == 0)
        {
            bool handshake = (1 << tp.SkcState & (TCPF_SYN_SENT | TCPF_SYN_RECV)) != 0;
            long model = TcpModelTimeout(tp, boundary, handshake ? TCP_TIMEOUT_INIT : TCP_RTO_MIN);
            timeout = (uint)Math.Min(model / Clock.NsecPerMsec, int.MaxValue);
        }

        return (int)(tp.TcpTimeStampTs - tp.RetransStamp - timeout) >= 0;
    }

    /// <summary>Decides about a connection whose segment timed out.</summary>
    /// <returns>True when it was given up.</returns>
    [Linux("tcp_write_timeout")]
    private static bool TcpWriteTimeout(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        bool expired = false;
        int retryUntil;
        if ((1 << tp.SkcState & (TCPF_SYN_SENT | TCPF_SYN_RECV)) != 0)
        {
            if (tp.IcskRetransmits != 0)
                tp.SkDstCache?.NegativeAdvice(tp);
            retryUntil = tp.IcskSynRetries != 0 ? tp.IcskSynRetries : ipv4.SysctlTcpSynRetries;
            int most = tp.SkcState == TCP_SYN_SENT ? retryUntil + ipv4.SysctlTcpSynLinearTimeouts : retryUntil;
            expired = tp.IcskRetransmits >= most;
        }
        else
        {
            if (RetransmitsTimedOut(tp, ipv4.SysctlTcpRetries1, 0))
            {
                TcpMtuProbing(tp);
                tp.SkDstCache?.NegativeAdvice(tp);
            }

            retryUntil = ipv4.SysctlTcpRetries2;
            if (tp.SockFlag(SockFlags.Dead))
            {
                bool alive = tp.IcskRto < tp.TcpRtoMax;
                retryUntil = TcpOrphanRetries(tp, alive);
                if (TcpOutOfResources(tp, alive || !RetransmitsTimedOut(tp, retryUntil, 0)))
                    return true;
            }
        }

        expired |= RetransmitsTimedOut(tp, retryUntil, tp.IcskUserTimeout);
        if (!expired)
        {
            // Another hash may lead along another path.
            if (SkRethinkTxhash(tp))
            {
                if (tp.TimeoutRehash < ushort.MaxValue)
                    tp.TimeoutRehash++;
                tp.NetIncStats(LinuxMib.TcpTimeoutRehash);
            }

            return false;
        }

        TcpWriteErr(tp);
        return true;
    }

    // A peer that shrank its window and then fell silent for long.
    [Linux("tcp_rtx_probe0_timed_out")]
    private static bool TcpRtxProbe0TimedOut(TcpSock tp, uint rtxDelta)
    {
        long timeout = tp.TcpRtoMax * 2;
        if (tp.IcskUserTimeout != 0)
            timeout = Math.Min(timeout, tp.IcskUserTimeout * Clock.NsecPerMsec);
        return tp.IcskTimeout - tp.RcvTstamp > timeout && rtxDelta * Clock.NsecPerMsec > timeout;
    }

    private static bool SkRethinkTxhash(TcpSock tp)
    {
        if (tp.SkTxhash == 0 || tp.SkTxrehash == SOCK_TXREHASH_DISABLED)
            return false;
        tp.SkSetTxhash();
        return true;
    }

    private static void SkDstReset(TcpSock tp) => tp.SkDstCache = null;
}
