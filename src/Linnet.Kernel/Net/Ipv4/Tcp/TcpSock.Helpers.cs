using System.Numerics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The small rules of include/net/tcp.h.</content>
public sealed partial class TcpSock
{
    /// <summary>Milliseconds since boot as of the last refresh (<c>tcp_jiffies32</c>).</summary>
    public uint TcpJiffies32 => (uint)(TcpClockCache / Clock.NsecPerMsec);

    /// <summary>The value of our timestamp option (<c>tcp_time_stamp_ts</c>): ms.</summary>
    public uint TcpTimeStampTs => (uint)(TcpMstamp / 1000);

    /// <summary>The flow hash of the socket's namespace counters.</summary>
    public NetnsIpv4 Ipv4 => SkcNet.Ipv4;

    // --- sequence space and packet counts ---

    /// <summary>Segments that left the network as far as is known (<c>tcp_left_out</c>).</summary>
    public uint TcpLeftOut => SackedOut + LostOut;

    /// <summary>Segments in the network (<c>tcp_packets_in_flight</c>).</summary>
    public uint TcpPacketsInFlight => PacketsOut - TcpLeftOut + RetransOut;

    /// <summary>End of the peer's window (<c>tcp_wnd_end</c>).</summary>
    public uint TcpWndEnd => SndUna + SndWnd;

    /// <summary>Whether SACK was not agreed on (<c>tcp_is_reno</c>).</summary>
    public bool TcpIsReno => !RxOpt.SackOk;

    /// <summary>Whether SACK was agreed on (<c>tcp_is_sack</c>).</summary>
    public bool TcpIsSack => RxOpt.SackOk;

    /// <summary>The next packet to send, or null (<c>tcp_send_head</c>).</summary>
    public SkBuff? TcpSendHead => SkWriteQueue.First;

    /// <summary>Whether the next packet to send is the only one not sent (<c>tcp_skb_is_last</c>).</summary>
    public bool TcpSkbIsLast(SkBuff skb) => SkWriteQueue.Last == skb;

    /// <summary>Oldest packet that was sent and is not acknowledged (<c>tcp_rtx_queue_head</c>).</summary>
    public SkBuff? TcpRtxQueueHead => RtxQueue.First;

    /// <summary>Whether everything that was sent is acknowledged (<c>tcp_rtx_queue_empty</c>).</summary>
    public bool TcpRtxQueueEmpty => RtxQueue.IsEmpty;

    /// <summary>Whether everything that was written is sent (<c>tcp_write_queue_empty</c>: compares sequence numbers).</summary>
    public bool TcpWriteQueueEmpty => WriteSeq == SndNxt;

    /// <summary>Whether everything that was written is acknowledged (<c>tcp_rtx_and_write_queues_empty</c>).</summary>
    public bool TcpRtxAndWriteQueuesEmpty => RtxQueue.IsEmpty && SkWriteQueue.IsEmpty;

    // --- congestion ---

    /// <summary>Whether the window grows exponentially (<c>tcp_in_slow_start</c>).</summary>
    public bool TcpInSlowStart => SndCwnd < SndSsthresh;

    /// <summary>Whether no loss was seen yet (<c>tcp_in_initial_slowstart</c>).</summary>
    public bool TcpInInitialSlowstart => SndSsthresh >= TCP_INFINITE_SSTHRESH;

    /// <summary>Whether the window is being reduced (<c>tcp_in_cwnd_reduction</c>).</summary>
    public bool TcpInCwndReduction => (1 << IcskCaState & (TCPF_CA_CWR | TCPF_CA_Recovery)) != 0;

    /// <summary>The threshold to return to after an idle time (<c>tcp_current_ssthresh</c>).</summary>
    public uint TcpCurrentSsthresh =>
        TcpInCwndReduction ? SndSsthresh : Math.Max(SndSsthresh, (SndCwnd >> 1) + (SndCwnd >> 2));

    /// <summary>Whether the congestion window limits the flow (<c>tcp_is_cwnd_limited</c>).</summary>
    public bool TcpIsCwndLimited => IsCwndLimited || TcpInSlowStart && SndCwnd < 2 * MaxPacketsOut;

    /// <summary>Sets the congestion window; 0 is a bug (<c>tcp_snd_cwnd_set</c>).</summary>
    public void TcpSndCwndSet(uint value)
    {
        Bug.On((int)value <= 0);
        SndCwnd = value;
    }

    // --- the receive window ---

    /// <summary>How much of our window the peer has left (<c>tcp_receive_window</c>).</summary>
    public uint TcpReceiveWindow => (uint)Math.Max(0, (int)(RcvWup + RcvWnd - RcvNxt));

    /// <summary>How much payload fits in so much memory (<c>tcp_win_from_space</c>).</summary>
    public int TcpWinFromSpace(int space) => (int)((long)space * ScalingRatio >> 8);

    /// <summary>How much memory so much payload needs (<c>tcp_space_from_win</c>).</summary>
    public int TcpSpaceFromWin(int win) => (int)Math.Min(((long)win << 8) / ScalingRatio, int.MaxValue);

    /// <summary>Payload that fits in the free part of the receive buffer (<c>tcp_space</c>).</summary>
    public int TcpSpace => TcpWinFromSpace(SkRcvbuf - BacklogLen - Volatile.Read(ref SkRmemAlloc));

    /// <summary>Payload that fits in the whole receive buffer (<c>tcp_full_space</c>).</summary>
    public int TcpFullSpace => TcpWinFromSpace(SkRcvbuf);

    /// <summary>Takes the advertised window back where memory is short (<c>tcp_adjust_rcv_ssthresh</c>).</summary>
    public void TcpAdjustRcvSsthresh() => RcvSsthresh = Math.Min(RcvSsthresh, 4U * Advmss);

    /// <summary>Whether memory of TCP is short (<c>tcp_under_memory_pressure</c>).</summary>
    public bool TcpUnderMemoryPressure => SkUnderMemoryPressure;

    /// <summary>Has segments with these flags and window take the fast path (<c>__tcp_fast_path_on</c>).</summary>
    public void TcpFastPathOnCore(uint sndWnd) =>
        PredFlags = ((uint)TcpHeaderLen << 26) | ((uint)TCPHDR_ACK << 16) | sndWnd;

    /// <summary>Turns the fast path on (<c>tcp_fast_path_on</c>).</summary>
    public void TcpFastPathOn() => TcpFastPathOnCore(SndWnd >> RxOpt.SndWscale);

    /// <summary>Turns the fast path on when nothing speaks against it (<c>tcp_fast_path_check</c>).</summary>
    public void TcpFastPathCheck()
    {
        if (OutOfOrderQueue.IsEmpty && RcvWnd != 0 && Volatile.Read(ref SkRmemAlloc) < SkRcvbuf && UrgData == 0)
            TcpFastPathOn();
    }

    /// <summary>The window is updated first by segment <paramref name="seq"/> (<c>tcp_init_wl</c>).</summary>
    public void TcpInitWl(uint seq) => SndWl1 = seq;

    /// <summary>The window was updated by segment <paramref name="seq"/> (<c>tcp_update_wl</c>).</summary>
    public void TcpUpdateWl(uint seq) => SndWl1 = seq;

    // --- times ---

    /// <summary>Smallest RTT seen lately, µs (<c>tcp_min_rtt</c>).</summary>
    public uint TcpMinRtt => RttMin.Value;

    /// <summary>The timeout without backoff as RFC 6298 has it, in ns (<c>__tcp_set_rto</c>); whole milliseconds.</summary>
    public long TcpSetRtoCore => ((SrttUs >> 3) + (long)RttvarUs + 999) / 1000 * Clock.NsecPerMsec;

    /// <summary>Time left until the oldest packet times out, ns (<c>tcp_rto_delta_us</c>); negative when it has.</summary>
    public long TcpRtoDelta
    {
        get
        {
            SkBuff skb = RtxQueue.First!;
            return skb.Tstamp + IcskRto - TcpClockCache;
        }
    }

    /// <summary>First interval of zero-window probes, ns (<c>tcp_probe0_base</c>).</summary>
    public long TcpProbe0Base => Math.Max(IcskRto, TCP_RTO_MIN);

    /// <summary>Present interval of zero-window probes, ns (<c>tcp_probe0_when</c>).</summary>
    public long TcpProbe0When(long maxWhen)
    {
        int backoff = Math.Min(BitOperations.Log2((ulong)(TCP_RTO_MAX / TCP_RTO_MIN)) + 1, IcskBackoff);
        return Math.Min(TcpProbe0Base << backoff, maxWhen);
    }

    /// <summary>Idle time until the first keepalive, ns (<c>keepalive_time_when</c>).</summary>
    public long KeepaliveTimeWhen =>
        KeepaliveTime != 0 ? KeepaliveTime : Ipv4.SysctlTcpKeepaliveTime * Clock.NsecPerSec;

    /// <summary>Time between keepalives, ns (<c>keepalive_intvl_when</c>).</summary>
    public long KeepaliveIntvlWhen =>
        KeepaliveIntvl != 0 ? KeepaliveIntvl : Ipv4.SysctlTcpKeepaliveIntvl * Clock.NsecPerSec;

    /// <summary>Unanswered keepalives that end the connection (<c>keepalive_probes</c>).</summary>
    public int KeepaliveProbesMax => KeepaliveProbes != 0 ? KeepaliveProbes : Ipv4.SysctlTcpKeepaliveProbes;

    /// <summary>Time since something came from the peer, ns (<c>keepalive_time_elapsed</c>).</summary>
    public long KeepaliveTimeElapsed(long now) => Math.Min(now - IcskAck.Lrcvtime, now - RcvTstamp);

    /// <summary>How long FIN_WAIT2 lasts without a socket, ns (<c>tcp_fin_time</c>).</summary>
    public long TcpFinTime
    {
        get
        {
            long finTimeout = Linger2 != 0 ? Linger2 : Ipv4.SysctlTcpFinTimeout * Clock.NsecPerSec;
            return Math.Max(finTimeout, (IcskRto << 2) - (IcskRto >> 1));
        }
    }

    /// <summary>Largest retransmission timeout, ns (<c>tcp_rto_max</c>).</summary>
    public long TcpRtoMax => IcskRtoMax != 0 ? IcskRtoMax : TCP_RTO_MAX;

    /// <summary>Smallest retransmission timeout, ns: the route's where it fixes one (<c>tcp_rto_min</c>).</summary>
    public long TcpRtoMin =>
        SkDstCache is { } dst && dst.MetricLocked(RTAX_RTO_MIN) ? dst.Metric(RTAX_RTO_MIN) * Clock.NsecPerMsec
        : IcskRtoMin != 0 ? IcskRtoMin : TCP_RTO_MIN;

    /// <summary>Has the retransmission timer fire (<c>tcp_reset_xmit_timer</c>), reckoned from the cached time.</summary>
    /// <param name="what"><c>ICSK_TIME_*</c></param>
    /// <param name="when">Time from now, ns; at least a millisecond.</param>
    public void TcpResetXmitTimer(byte what, long when) =>
        InetCskResetXmitTimer(what, TcpClockCache, Math.Max(when, Clock.NsecPerMsec), TcpRtoMax);

    /// <summary>Makes sure that a closed window is probed (<c>tcp_check_probe_timer</c>).</summary>
    public void TcpCheckProbeTimer()
    {
        if (PacketsOut == 0 && IcskPending == 0)
            TcpResetXmitTimer(ICSK_TIME_PROBE0, TcpProbe0Base + TcpOutput.TcpPacingDelay(this));
    }

    /// <summary>Sequence number behind what the reader may still miss of urgent data (<c>tcp_urg_mode</c>).</summary>
    public bool TcpUrgMode => SndUna != SndUp;

    // --- PAWS (RFC 7323 5) ---

    /// <summary>Whether a timestamp is not older than what was seen (<c>tcp_paws_check</c>).</summary>
    public static bool TcpPawsCheck(in TcpOptionsReceived rxOpt, int pawsWin, long nowSeconds)
    {
        if ((int)(rxOpt.TsRecent - rxOpt.RcvTsval) <= pawsWin)
            return true;

        // An idle connection outlives its timestamps (RFC 7323 5.5).
        if (nowSeconds >= rxOpt.TsRecentStamp + TCP_PAWS_24DAYS)
            return true;

        // A zero is what hosts send that do not keep state for the echo; many SYN cookies did.
        return rxOpt.TsRecent == 0;
    }

    /// <summary>Whether a segment has to be refused for its timestamp (<c>tcp_paws_reject</c>).</summary>
    public static bool TcpPawsReject(in TcpOptionsReceived rxOpt, bool rst, long nowSeconds)
    {
        if (TcpPawsCheck(rxOpt, 0, nowSeconds))
            return false;

        // A reset is taken after a while all the same: the peer has perhaps rebooted, and its clock with it.
        return !(rst && nowSeconds >= rxOpt.TsRecentStamp + TCP_PAWS_MSL);
    }

    // --- send buffer ---

    /// <summary>Written bytes that were not sent once (<c>notsent_bytes</c>).</summary>
    public uint NotsentBytes => WriteSeq - SndNxt;

    /// <summary>Most written, not sent bytes for which the socket counts as writable (<c>tcp_notsent_lowat</c>).</summary>
    public uint TcpNotsentLowat => NotsentLowat != 0 ? NotsentLowat : Ipv4.SysctlTcpNotsentLowat;

    /// <summary>Whether a writer may queue more (<c>tcp_stream_memory_free</c>).</summary>
    /// <param name="wake">1 to ask whether a sleeper should be woken: that wants more room.</param>
    public bool TcpStreamMemoryFree(int wake) =>
        SkWmemQueued < SkSndbuf && NotsentBytes << wake < TcpNotsentLowat;

    /// <summary>Frees a packet of the send or retransmission queue (<c>tcp_wmem_free_skb</c>).</summary>
    public void TcpWmemFreeSkb(SkBuff skb)
    {
        SkWmemQueued -= skb.Truesize;
        SkMemUncharge(skb.Truesize);
        skb.Free();
    }

    /// <summary>Takes a packet out of the retransmission queue and frees it (<c>tcp_rtx_queue_unlink_and_free</c>).</summary>
    public void TcpRtxQueueUnlinkAndFree(SkBuff skb)
    {
        RtxQueue.Remove(skb);
        TsortedUnlink(skb);
        TcpWmemFreeSkb(skb);
    }

    // --- counters ---

    /// <summary>Counts an event of group TcpExt (<c>NET_INC_STATS</c>).</summary>
    public void NetIncStats(LinuxMib counter) => Ipv4.NetStatistics.Inc(counter);
}
