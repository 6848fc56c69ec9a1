namespace Linnet.Kernel.Net.Ipv4;

/// <content>TCP's settings (<c>net.ipv4.tcp_*</c>) with Linux's defaults; each is read anew where it matters.</content>
public sealed partial class NetnsIpv4
{
    // A machine of 8 GiB: what Linux scales by memory is scaled by that.
    private const int TcpEhashEntries = 131072;

    /// <summary>What TCP keeps for the whole machine.</summary>
    public TcpMachine TcpMachine { get; internal set; } = null!;

    /// <summary><c>tcp_syn_retries</c>: SYNs that are sent again.</summary>
    public int SysctlTcpSynRetries = 6;

    /// <summary><c>tcp_synack_retries</c>: SYN-ACKs that are sent again.</summary>
    public int SysctlTcpSynackRetries = 5;

    /// <summary><c>tcp_syn_linear_timeouts</c>: SYN timeouts before the backoff begins.</summary>
    public int SysctlTcpSynLinearTimeouts = 4;

    /// <summary><c>tcp_syncookies</c>: 0 never, 1 when the queue is full, 2 always.</summary>
    public int SysctlTcpSyncookies = 1;

    /// <summary><c>tcp_max_syn_backlog</c>: requests kept for each listener when cookies are off.</summary>
    public int SysctlMaxSynBacklog = TcpEhashEntries / 128;

    /// <summary><c>tcp_abort_on_overflow</c>: a full accept queue resets the peer.</summary>
    public bool SysctlTcpAbortOnOverflow;

    /// <summary><c>tcp_keepalive_time</c>, seconds.</summary>
    public int SysctlTcpKeepaliveTime = 7200;

    /// <summary><c>tcp_keepalive_intvl</c>, seconds.</summary>
    public int SysctlTcpKeepaliveIntvl = 75;

    /// <summary><c>tcp_keepalive_probes</c></summary>
    public int SysctlTcpKeepaliveProbes = 9;

    /// <summary><c>tcp_retries1</c>: timeouts until the route is doubted.</summary>
    public int SysctlTcpRetries1 = 3;

    /// <summary><c>tcp_retries2</c>: timeouts until the connection is given up.</summary>
    public int SysctlTcpRetries2 = 15;

    /// <summary><c>tcp_orphan_retries</c>: the same for connections without a socket; 0 for 8.</summary>
    public int SysctlTcpOrphanRetries;

    /// <summary><c>tcp_fin_timeout</c>, seconds.</summary>
    public int SysctlTcpFinTimeout = 60;

    /// <summary><c>tcp_tw_reuse</c>: 0 off, 1 on, 2 for loopback only.</summary>
    public int SysctlTcpTwReuse = 2;

    /// <summary><c>tcp_tw_reuse_delay</c>, ms.</summary>
    public int SysctlTcpTwReuseDelay = 1000;

    /// <summary><c>tcp_rfc1337</c>: resets do not end TIME_WAIT.</summary>
    public bool SysctlTcpRfc1337;

    /// <summary><c>tcp_stdurg</c>: the urgent pointer as RFC 1122 has it.</summary>
    public bool SysctlTcpStdurg;

    /// <summary><c>tcp_window_scaling</c></summary>
    public bool SysctlTcpWindowScaling = true;

    /// <summary><c>tcp_timestamps</c>: 0 off, 1 on with a random offset, 2 on without.</summary>
    public int SysctlTcpTimestamps = 1;

    /// <summary><c>tcp_sack</c></summary>
    public bool SysctlTcpSack = true;

    /// <summary><c>tcp_dsack</c></summary>
    public bool SysctlTcpDsack = true;

    /// <summary><c>tcp_ecn</c>: 0 off, 1 on, 2 when the peer asks. AccECN (3 to 5) is not there.</summary>
    public int SysctlTcpEcn = 2;

    /// <summary><c>tcp_ecn_fallback</c>: a SYN that is sent again does not offer ECN (RFC 3168 6.1.1.1).</summary>
    public bool SysctlTcpEcnFallback = true;

    /// <summary><c>tcp_comp_sack_delay_ns</c>: longest time for which ACKs of data out of order are held back.</summary>
    public long SysctlTcpCompSackDelayNs = Clock.NsecPerMsec;

    /// <summary><c>tcp_comp_sack_slack_ns</c>: how much later it may be.</summary>
    public long SysctlTcpCompSackSlackNs = 100 * Clock.NsecPerUsec;

    /// <summary><c>tcp_comp_sack_nr</c>: ACKs that one may stand for; 0 for none.</summary>
    public int SysctlTcpCompSackNr = 44;

    /// <summary><c>tcp_backlog_ack_defer</c>: one ACK for all segments of a backlog.</summary>
    public bool SysctlTcpBacklogAckDefer = true;

    /// <summary>What connections have learned of paths.</summary>
    public TcpMetricsTable TcpMetrics { get; } = new();

    /// <summary><c>tcp_no_metrics_save</c>: nothing is remembered.</summary>
    public bool SysctlTcpNoMetricsSave;

    /// <summary><c>tcp_no_ssthresh_metrics_save</c>: slow-start thresholds are not.</summary>
    public bool SysctlTcpNoSsthreshMetricsSave = true;

    /// <summary><c>tcp_recovery</c>: bits of <c>TCP_RACK_*</c>.</summary>
    public int SysctlTcpRecovery = TcpRecovery.TCP_RACK_LOSS_DETECTION;

    /// <summary><c>tcp_early_retrans</c>: 3 and 4 for tail loss probes.</summary>
    public int SysctlTcpEarlyRetrans = 3;

    /// <summary><c>tcp_reordering</c></summary>
    public int SysctlTcpReordering = 3;

    /// <summary><c>tcp_max_reordering</c></summary>
    public int SysctlTcpMaxReordering = 300;

    /// <summary><c>tcp_frto</c></summary>
    public int SysctlTcpFrto = 2;

    /// <summary><c>tcp_thin_linear_timeouts</c></summary>
    public bool SysctlTcpThinLinearTimeouts;

    /// <summary><c>tcp_slow_start_after_idle</c></summary>
    public bool SysctlTcpSlowStartAfterIdle = true;

    /// <summary><c>tcp_retrans_collapse</c></summary>
    public bool SysctlTcpRetransCollapse = true;

    /// <summary><c>tcp_app_win</c></summary>
    public int SysctlTcpAppWin = 31;

    /// <summary><c>tcp_moderate_rcvbuf</c></summary>
    public bool SysctlTcpModerateRcvbuf = true;

    /// <summary><c>tcp_shrink_window</c></summary>
    public bool SysctlTcpShrinkWindow;

    /// <summary><c>tcp_workaround_signed_windows</c></summary>
    public bool SysctlTcpWorkaroundSignedWindows;

    /// <summary><c>tcp_tso_win_divisor</c></summary>
    public int SysctlTcpTsoWinDivisor = 3;

    /// <summary><c>tcp_min_tso_segs</c></summary>
    public int SysctlTcpMinTsoSegs = 2;

    /// <summary><c>tcp_tso_rtt_log</c></summary>
    public int SysctlTcpTsoRttLog = 9;

    /// <summary><c>tcp_limit_output_bytes</c>: most that a connection has in queues and devices.</summary>
    public int SysctlTcpLimitOutputBytes = 4 * 1024 * 1024;

    /// <summary><c>tcp_autocorking</c>: small writes join while earlier ones wait in queues or devices.</summary>
    public bool SysctlTcpAutocorking = true;

    /// <summary><c>tcp_challenge_ack_limit</c>, a second.</summary>
    public int SysctlTcpChallengeAckLimit = int.MaxValue;

    /// <summary><c>tcp_invalid_ratelimit</c>, ms between answers to invalid segments.</summary>
    public int SysctlTcpInvalidRatelimit = 500;

    /// <summary><c>tcp_min_rtt_wlen</c>, seconds.</summary>
    public int SysctlTcpMinRttWlen = 300;

    /// <summary><c>tcp_pacing_ss_ratio</c>, percent.</summary>
    public int SysctlTcpPacingSsRatio = 200;

    /// <summary><c>tcp_pacing_ca_ratio</c>, percent.</summary>
    public int SysctlTcpPacingCaRatio = 120;

    /// <summary><c>tcp_notsent_lowat</c>, bytes.</summary>
    public uint SysctlTcpNotsentLowat = uint.MaxValue;

    /// <summary><c>tcp_pingpong_thresh</c></summary>
    public int SysctlTcpPingpongThresh = 1;

    /// <summary><c>tcp_mtu_probing</c>: 0 off, 1 on a black hole, 2 always.</summary>
    public int SysctlTcpMtuProbing;

    /// <summary><c>tcp_base_mss</c>, bytes.</summary>
    public int SysctlTcpBaseMss = 1024;

    /// <summary><c>tcp_mtu_probe_floor</c>, bytes.</summary>
    public int SysctlTcpMtuProbeFloor = 48;

    /// <summary><c>tcp_probe_interval</c>: seconds until an ended search begins again.</summary>
    public uint SysctlTcpProbeInterval = 600;

    /// <summary><c>tcp_probe_threshold</c>: range in bytes that is not worth a search.</summary>
    public int SysctlTcpProbeThreshold = 8;

    /// <summary><c>tcp_min_snd_mss</c>, bytes.</summary>
    public int SysctlTcpMinSndMss = 48;

    /// <summary><c>tcp_rto_min_us</c></summary>
    public int SysctlTcpRtoMinUs = 200_000;

    /// <summary><c>tcp_rto_max_ms</c></summary>
    public int SysctlTcpRtoMaxMs = 120_000;

    /// <summary><c>tcp_reflect_tos</c></summary>
    public bool SysctlTcpReflectTos;

    /// <summary><c>tcp_rmem</c>: least, default and largest receive buffer, bytes.</summary>
    public int[] SysctlTcpRmem = [4096, 131072, 32 * 1024 * 1024];

    /// <summary><c>tcp_wmem</c>: least, default and largest send buffer, bytes.</summary>
    public int[] SysctlTcpWmem = [4096, 16384, 4 * 1024 * 1024];

    /// <summary><c>tcp_congestion_control</c>: what new connections get.</summary>
    public TcpCongestionOps TcpCongestionControl = TcpReno.Instance;

    /// <summary>TIME_WAIT sockets (<c>tcp_death_row</c>).</summary>
    public readonly InetTimewaitDeathRow TcpDeathRow = new() { SysctlMaxTwBuckets = TcpEhashEntries / 2 };
}
