using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The settings of TCP and of local ports that are honoured, under Linux's paths.</summary>
internal static class TcpSysctl
{
    /// <summary>Registers the settings of a new namespace.</summary>
    public static void Register(NetNamespace net)
    {
        SysctlTable table = net.Sysctl;
        NetnsIpv4 ipv4 = net.Ipv4;
        Setup(table, ipv4);
        Ends(table, ipv4);
        Options(table, ipv4);
        Timers(table, ipv4);
        Recovery(table, ipv4);
        Output(table, ipv4);
        Memory(table, ipv4);
        Ports(table, ipv4);
        Congestion(table, net);
    }

    private static void Setup(SysctlTable table, NetnsIpv4 ipv4)
    {
        Int(table, "tcp_syn_retries", () => ipv4.SysctlTcpSynRetries, v => ipv4.SysctlTcpSynRetries = v, 1, 127);
        Int(table, "tcp_synack_retries", () => ipv4.SysctlTcpSynackRetries, v => ipv4.SysctlTcpSynackRetries = v, 0, 255);
        Int(table, "tcp_syn_linear_timeouts", () => ipv4.SysctlTcpSynLinearTimeouts, v => ipv4.SysctlTcpSynLinearTimeouts = v, 0, 255);
        Int(table, "tcp_syncookies", () => ipv4.SysctlTcpSyncookies, v => ipv4.SysctlTcpSyncookies = v, 0, 255);
        Int(table, "tcp_max_syn_backlog", () => ipv4.SysctlMaxSynBacklog, v => ipv4.SysctlMaxSynBacklog = v);
        Bool(table, "tcp_abort_on_overflow", () => ipv4.SysctlTcpAbortOnOverflow, v => ipv4.SysctlTcpAbortOnOverflow = v);
        Bool(table, "tcp_reflect_tos", () => ipv4.SysctlTcpReflectTos, v => ipv4.SysctlTcpReflectTos = v);
    }

    private static void Ends(SysctlTable table, NetnsIpv4 ipv4)
    {
        TcpMachine machine = ipv4.TcpMachine;
        Int(table, "tcp_fin_timeout", () => ipv4.SysctlTcpFinTimeout, v => ipv4.SysctlTcpFinTimeout = v);
        Int(table, "tcp_orphan_retries", () => ipv4.SysctlTcpOrphanRetries, v => ipv4.SysctlTcpOrphanRetries = v, 0, 255);
        Int(table, "tcp_max_orphans", () => machine.SysctlTcpMaxOrphans, v => machine.SysctlTcpMaxOrphans = v);
        Int(table, "tcp_max_tw_buckets", () => ipv4.TcpDeathRow.SysctlMaxTwBuckets, v => ipv4.TcpDeathRow.SysctlMaxTwBuckets = v);
        Int(table, "tcp_tw_reuse", () => ipv4.SysctlTcpTwReuse, v => ipv4.SysctlTcpTwReuse = v, 0, 2);
        Int(table, "tcp_tw_reuse_delay", () => ipv4.SysctlTcpTwReuseDelay, v => ipv4.SysctlTcpTwReuseDelay = v, 1, int.MaxValue);
        Bool(table, "tcp_rfc1337", () => ipv4.SysctlTcpRfc1337, v => ipv4.SysctlTcpRfc1337 = v);
    }

    private static void Options(SysctlTable table, NetnsIpv4 ipv4)
    {
        Bool(table, "tcp_window_scaling", () => ipv4.SysctlTcpWindowScaling, v => ipv4.SysctlTcpWindowScaling = v);
        Int(table, "tcp_timestamps", () => ipv4.SysctlTcpTimestamps, v => ipv4.SysctlTcpTimestamps = v, 0, 255);
        Bool(table, "tcp_sack", () => ipv4.SysctlTcpSack, v => ipv4.SysctlTcpSack = v);
        Int(table, "tcp_ecn", () => ipv4.SysctlTcpEcn, v => ipv4.SysctlTcpEcn = v, 0, 2);
        Int(table, "tcp_ecn_fallback", () => ipv4.SysctlTcpEcnFallback ? 1 : 0, v => ipv4.SysctlTcpEcnFallback = v != 0, 0, 1);
        Bool(table, "tcp_stdurg", () => ipv4.SysctlTcpStdurg, v => ipv4.SysctlTcpStdurg = v);
        Int(table, "tcp_min_snd_mss", () => ipv4.SysctlTcpMinSndMss, v => ipv4.SysctlTcpMinSndMss = v, 48, 65535);
        Int(table, "tcp_app_win", () => ipv4.SysctlTcpAppWin, v => ipv4.SysctlTcpAppWin = v, 0, 31);
        Bool(table, "tcp_moderate_rcvbuf", () => ipv4.SysctlTcpModerateRcvbuf, v => ipv4.SysctlTcpModerateRcvbuf = v);
        Bool(
            table, "tcp_workaround_signed_windows", () => ipv4.SysctlTcpWorkaroundSignedWindows,
            v => ipv4.SysctlTcpWorkaroundSignedWindows = v);
    }

    private static void Timers(SysctlTable table, NetnsIpv4 ipv4)
    {
        Int(table, "tcp_keepalive_time", () => ipv4.SysctlTcpKeepaliveTime, v => ipv4.SysctlTcpKeepaliveTime = v);
        Int(table, "tcp_keepalive_intvl", () => ipv4.SysctlTcpKeepaliveIntvl, v => ipv4.SysctlTcpKeepaliveIntvl = v);
        Int(table, "tcp_keepalive_probes", () => ipv4.SysctlTcpKeepaliveProbes, v => ipv4.SysctlTcpKeepaliveProbes = v, 0, 255);
        Int(table, "tcp_retries1", () => ipv4.SysctlTcpRetries1, v => ipv4.SysctlTcpRetries1 = v, 0, 255);
        Int(table, "tcp_retries2", () => ipv4.SysctlTcpRetries2, v => ipv4.SysctlTcpRetries2 = v, 0, 255);
        Int(table, "tcp_rto_min_us", () => ipv4.SysctlTcpRtoMinUs, v => ipv4.SysctlTcpRtoMinUs = v, 1, int.MaxValue);
        Int(table, "tcp_rto_max_ms", () => ipv4.SysctlTcpRtoMaxMs, v => ipv4.SysctlTcpRtoMaxMs = v, 1000, 120_000);
        Int(table, "tcp_invalid_ratelimit", () => ipv4.SysctlTcpInvalidRatelimit, v => ipv4.SysctlTcpInvalidRatelimit = v);
        Int(table, "tcp_challenge_ack_limit", () => ipv4.SysctlTcpChallengeAckLimit, v => ipv4.SysctlTcpChallengeAckLimit = v);
    }

    private static void Recovery(SysctlTable table, NetnsIpv4 ipv4)
    {
        Bool(table, "tcp_dsack", () => ipv4.SysctlTcpDsack, v => ipv4.SysctlTcpDsack = v);
        table.Register("net.ipv4.tcp_comp_sack_delay_ns", new SysctlInt(
            () => ipv4.SysctlTcpCompSackDelayNs, v => ipv4.SysctlTcpCompSackDelayNs = v, 0, long.MaxValue));
        table.Register("net.ipv4.tcp_comp_sack_slack_ns", new SysctlInt(
            () => ipv4.SysctlTcpCompSackSlackNs, v => ipv4.SysctlTcpCompSackSlackNs = v, 0, long.MaxValue));
        Int(table, "tcp_comp_sack_nr", () => ipv4.SysctlTcpCompSackNr, v => ipv4.SysctlTcpCompSackNr = v, 0, 255);
        Bool(table, "tcp_backlog_ack_defer", () => ipv4.SysctlTcpBacklogAckDefer, v => ipv4.SysctlTcpBacklogAckDefer = v);
        Bool(table, "tcp_no_metrics_save", () => ipv4.SysctlTcpNoMetricsSave, v => ipv4.SysctlTcpNoMetricsSave = v);
        Bool(
            table, "tcp_no_ssthresh_metrics_save", () => ipv4.SysctlTcpNoSsthreshMetricsSave,
            v => ipv4.SysctlTcpNoSsthreshMetricsSave = v);
        Int(table, "tcp_recovery", () => ipv4.SysctlTcpRecovery, v => ipv4.SysctlTcpRecovery = v, 0, 255);
        Int(table, "tcp_early_retrans", () => ipv4.SysctlTcpEarlyRetrans, v => ipv4.SysctlTcpEarlyRetrans = v, 0, 4);
        Int(table, "tcp_frto", () => ipv4.SysctlTcpFrto, v => ipv4.SysctlTcpFrto = v, 0, 255);
        Int(table, "tcp_reordering", () => ipv4.SysctlTcpReordering, v => ipv4.SysctlTcpReordering = v);
        Int(table, "tcp_max_reordering", () => ipv4.SysctlTcpMaxReordering, v => ipv4.SysctlTcpMaxReordering = v);
        Int(table, "tcp_min_rtt_wlen", () => ipv4.SysctlTcpMinRttWlen, v => ipv4.SysctlTcpMinRttWlen = v, 0, 86400);
        Bool(
            table, "tcp_thin_linear_timeouts", () => ipv4.SysctlTcpThinLinearTimeouts, v => ipv4.SysctlTcpThinLinearTimeouts = v);
        Int(table, "tcp_mtu_probing", () => ipv4.SysctlTcpMtuProbing, v => ipv4.SysctlTcpMtuProbing = v, 0, 255);
        Int(table, "tcp_base_mss", () => ipv4.SysctlTcpBaseMss, v => ipv4.SysctlTcpBaseMss = v);
        table.Register("net.ipv4.tcp_probe_interval", new SysctlInt(
            () => ipv4.SysctlTcpProbeInterval, v => ipv4.SysctlTcpProbeInterval = (uint)v, 0, uint.MaxValue));
        Int(table, "tcp_probe_threshold", () => ipv4.SysctlTcpProbeThreshold, v => ipv4.SysctlTcpProbeThreshold = v);
        Int(table, "tcp_mtu_probe_floor", () => ipv4.SysctlTcpMtuProbeFloor, v => ipv4.SysctlTcpMtuProbeFloor = v, 48, 65535);
    }

    private static void Output(SysctlTable table, NetnsIpv4 ipv4)
    {
        Bool(table, "tcp_slow_start_after_idle", () => ipv4.SysctlTcpSlowStartAfterIdle, v => ipv4.SysctlTcpSlowStartAfterIdle = v);
        Bool(table, "tcp_retrans_collapse", () => ipv4.SysctlTcpRetransCollapse, v => ipv4.SysctlTcpRetransCollapse = v);
        Int(table, "tcp_tso_win_divisor", () => ipv4.SysctlTcpTsoWinDivisor, v => ipv4.SysctlTcpTsoWinDivisor = v, 0, 255);
        Int(table, "tcp_min_tso_segs", () => ipv4.SysctlTcpMinTsoSegs, v => ipv4.SysctlTcpMinTsoSegs = v, 1, 255);
        Int(table, "tcp_tso_rtt_log", () => ipv4.SysctlTcpTsoRttLog, v => ipv4.SysctlTcpTsoRttLog = v, 0, 255);
        Int(table, "tcp_limit_output_bytes", () => ipv4.SysctlTcpLimitOutputBytes, v => ipv4.SysctlTcpLimitOutputBytes = v);
        Int(table, "tcp_autocorking", () => ipv4.SysctlTcpAutocorking ? 1 : 0, v => ipv4.SysctlTcpAutocorking = v != 0, 0, 1);
        Int(table, "tcp_pacing_ss_ratio", () => ipv4.SysctlTcpPacingSsRatio, v => ipv4.SysctlTcpPacingSsRatio = v, 0, 1000);
        Int(table, "tcp_pacing_ca_ratio", () => ipv4.SysctlTcpPacingCaRatio, v => ipv4.SysctlTcpPacingCaRatio = v, 0, 1000);
        Int(table, "tcp_pingpong_thresh", () => ipv4.SysctlTcpPingpongThresh, v => ipv4.SysctlTcpPingpongThresh = v, 1, 255);
        Bool(table, "tcp_shrink_window", () => ipv4.SysctlTcpShrinkWindow, v => ipv4.SysctlTcpShrinkWindow = v);
        table.Register("net.ipv4.tcp_notsent_lowat", new SysctlInt(
            () => ipv4.SysctlTcpNotsentLowat, v => ipv4.SysctlTcpNotsentLowat = (uint)v, 0, uint.MaxValue));
    }

    private static void Memory(SysctlTable table, NetnsIpv4 ipv4)
    {
        table.Register("net.ipv4.tcp_rmem", Sizes(() => ipv4.SysctlTcpRmem, v => ipv4.SysctlTcpRmem = v));
        table.Register("net.ipv4.tcp_wmem", Sizes(() => ipv4.SysctlTcpWmem, v => ipv4.SysctlTcpWmem = v));
        ProtoMemory memory = ipv4.TcpMachine.Memory;
        table.Register("net.ipv4.tcp_mem", new SysctlInts(
            () => [.. memory.Limits],
            values =>
            {
                memory.Limits = values;
                return 0;
            }));
    }

    private static void Ports(SysctlTable table, NetnsIpv4 ipv4)
    {
        table.Register("net.ipv4.ip_local_port_range", new SysctlInts(
            () => [(ushort)ipv4.IpLocalPortRange, ipv4.IpLocalPortRange >> 16],
            values => SetPortRange(ipv4, values)));
        Int(table, "ip_unprivileged_port_start", () => ipv4.SysctlIpProtSock, v => ipv4.SysctlIpProtSock = v, 0, 65535);
        Bool(table, "ip_autobind_reuse", () => ipv4.SysctlIpAutobindReuse, v => ipv4.SysctlIpAutobindReuse = v);
        table.Register("net.ipv4.ip_local_reserved_ports", new SysctlString(
            () => PortSet.Format(ipv4.IpLocalReservedPorts), text => SetReserved(ipv4, text)));
    }

    private static void Congestion(SysctlTable table, NetNamespace net)
    {
        Machine machine = net.Machine;
        table.Register("net.ipv4.tcp_congestion_control", new SysctlString(
            () => TcpCong.TcpGetDefaultCongestionControl(net), name => TcpCong.TcpSetDefaultCongestionControl(net, name)));
        table.Register("net.ipv4.tcp_available_congestion_control", new SysctlString(
            () => TcpCong.TcpGetAvailableCongestionControl(machine), null));
        table.Register("net.ipv4.tcp_allowed_congestion_control", new SysctlString(
            () => TcpCong.TcpGetAllowedCongestionControl(machine),
            names => TcpCong.TcpSetAllowedCongestionControl(machine, names)));
    }

    // Low and high may not be of the same parity for the search to be even, but that only costs a warning in Linux.
    private static int SetPortRange(NetnsIpv4 ipv4, long[] range)
    {
        if (range[0] is < 1 or > 65535 || range[1] is < 1 or > 65535 || range[1] < range[0]
            || range[0] < ipv4.SysctlIpProtSock)
        {
            return -EINVAL;
        }

        Volatile.Write(ref ipv4.IpLocalPortRange, (uint)range[1] << 16 | (uint)range[0]);
        return 0;
    }

    private static int SetReserved(NetnsIpv4 ipv4, string text)
    {
        if (!PortSet.TryParse(text, out ulong[]? ports))
            return -EINVAL;
        Volatile.Write(ref ipv4.IpLocalReservedPorts, ports);
        return 0;
    }

    private static SysctlInts Sizes(Func<int[]> get, Action<int[]> set) => new(
        () => [.. get().Select(v => (long)v)],
        values =>
        {
            if (values.Any(v => v is < 1 or > int.MaxValue))
                return -EINVAL;
            set([.. values.Select(v => (int)v)]);
            return 0;
        });

    private static void Int(
        SysctlTable table, string name, Func<int> get, Action<int> set, int min = int.MinValue, int max = int.MaxValue) =>
        table.Register("net.ipv4." + name, new SysctlInt(() => get(), v => set((int)v), min, max));

    private static void Bool(SysctlTable table, string name, Func<bool> get, Action<bool> set) =>
        table.Register("net.ipv4." + name, new SysctlInt(() => get() ? 1 : 0, v => set(v != 0), 0, 255));
}

/// <summary>Sets of ports as <c>ip_local_reserved_ports</c> writes them: <c>80,8000-8010</c>.</summary>
internal static class PortSet
{
    private const int Ports = 65536;

    /// <summary>The set as text; empty for none.</summary>
    public static string Format(ulong[]? set)
    {
        List<string> ranges = [];
        for (int port = 0; set != null && port < Ports; port++)
        {
            if (!Contains(set, port))
                continue;
            int first = port;
            while (port + 1 < Ports && Contains(set, port + 1))
                port++;
            ranges.Add(first == port ? $"{first}" : $"{first}-{port}");
        }

        return string.Join(',', ranges);
    }

    /// <summary>Reads a set.</summary>
    /// <param name="text">The text.</param>
    /// <param name="set">The set; null when it is empty.</param>
    public static bool TryParse(string text, out ulong[]? set)
    {
        set = null;
        foreach (string part in text.Split(',', StringSplitOptions.RemoveEmptyEntries | StringSplitOptions.TrimEntries))
        {
            string[] ends = part.Split('-');
            int last = 0;
            if (ends.Length > 2 || !TryParsePort(ends[0], out int first) || (ends.Length == 2 && !TryParsePort(ends[1], out last)))
                return false;
            last = ends.Length == 2 ? last : first;
            if (last < first)
                return false;
            set ??= new ulong[Ports / 64];
            for (int port = first; port <= last; port++)
                set[port >> 6] |= 1UL << (port & 63);
        }

        return true;
    }

    private static bool Contains(ulong[] set, int port) => (set[port >> 6] >> (port & 63) & 1) != 0;

    private static bool TryParsePort(string text, out int port) =>
        int.TryParse(text, System.Globalization.NumberStyles.None, System.Globalization.CultureInfo.InvariantCulture, out port)
        && port < Ports;
}
