using System.Runtime.InteropServices;

namespace Linnet.Packetdrill.Code;

/// <summary>The names that code knows: constants, and the fields of a snapshot.</summary>
internal static class CodeNames
{
    private static readonly (string Name, int Value)[] Constants =
    [
        ("TCP_ESTABLISHED", TCP_ESTABLISHED), ("TCP_SYN_SENT", TCP_SYN_SENT), ("TCP_SYN_RECV", TCP_SYN_RECV),
        ("TCP_FIN_WAIT1", TCP_FIN_WAIT1), ("TCP_FIN_WAIT2", TCP_FIN_WAIT2), ("TCP_TIME_WAIT", TCP_TIME_WAIT),
        ("TCP_CLOSE", TCP_CLOSE), ("TCP_CLOSE_WAIT", TCP_CLOSE_WAIT), ("TCP_LAST_ACK", TCP_LAST_ACK),
        ("TCP_LISTEN", TCP_LISTEN), ("TCP_CLOSING", TCP_CLOSING),
        ("TCP_CA_Open", TCP_CA_Open), ("TCP_CA_Disorder", TCP_CA_Disorder), ("TCP_CA_CWR", TCP_CA_CWR),
        ("TCP_CA_Recovery", TCP_CA_Recovery), ("TCP_CA_Loss", TCP_CA_Loss),
        ("TCPI_OPT_TIMESTAMPS", TCPI_OPT_TIMESTAMPS), ("TCPI_OPT_SACK", TCPI_OPT_SACK), ("TCPI_OPT_WSCALE", TCPI_OPT_WSCALE),
        ("TCPI_OPT_ECN", TCPI_OPT_ECN), ("TCPI_OPT_ECN_SEEN", TCPI_OPT_ECN_SEEN), ("TCPI_OPT_SYN_DATA", TCPI_OPT_SYN_DATA),
        ("TCPI_OPT_USEC_TS", TCPI_OPT_USEC_TS), ("TCPI_OPT_TFO_CHILD", TCPI_OPT_TFO_CHILD),
    ];

    private static readonly string[] MemInfo =
        ["RMEM_ALLOC", "RCVBUF", "WMEM_ALLOC", "SNDBUF", "FWD_ALLOC", "WMEM_QUEUED", "OPTMEM", "BACKLOG", "DROPS"];

    /// <summary>Sets every name to what the snapshot says.</summary>
    public static void SetAll(CodeProgram program, CodeSnapshot snapshot)
    {
        foreach ((string name, int value) in Constants)
            program.Set(name, (Int128)value);

        // A kernel may know fewer fields than this one; the others read as zero, as in the buffer that packetdrill clears first.
        Span<byte> bytes = stackalloc byte[Marshal.SizeOf<TcpInfo>()];
        bytes.Clear();
        snapshot.TcpInfo[..Math.Min(snapshot.TcpInfo.Length, bytes.Length)].CopyTo(bytes);
        foreach ((string name, ulong value) in Fields(MemoryMarshal.Read<TcpInfo>(bytes)))
            program.Set("tcpi_" + name, (Int128)value);

        for (int i = 0; i < MemInfo.Length && i < snapshot.MemInfo.Length; i++)
            program.Set("SK_MEMINFO_" + MemInfo[i], (Int128)snapshot.MemInfo[i]);
    }

    private static IEnumerable<(string Name, ulong Value)> Fields(TcpInfo i) =>
        [.. StateFields(i), .. SegmentFields(i), .. RateFields(i), .. CountFields(i), .. EcnFields(i)];

    private static (string Name, ulong Value)[] StateFields(in TcpInfo i) =>
    [
        ("state", i.TcpiState), ("ca_state", i.TcpiCaState), ("retransmits", i.TcpiRetransmits), ("probes", i.TcpiProbes),
        ("backoff", i.TcpiBackoff), ("options", i.TcpiOptions),
        ("snd_wscale", (ulong)i.TcpiWscale & 15), ("rcv_wscale", (ulong)i.TcpiWscale >> 4),
        ("delivery_rate_app_limited", (ulong)i.TcpiAppLimitedFastopen & 1),
        ("fastopen_client_fail", (ulong)(i.TcpiAppLimitedFastopen >> 1) & 3),
        ("rto", i.TcpiRto), ("ato", i.TcpiAto), ("snd_mss", i.TcpiSndMss), ("rcv_mss", i.TcpiRcvMss),
    ];

    private static (string Name, ulong Value)[] SegmentFields(in TcpInfo i) =>
    [
        ("unacked", i.TcpiUnacked), ("sacked", i.TcpiSacked), ("lost", i.TcpiLost), ("retrans", i.TcpiRetrans),
        ("fackets", i.TcpiFackets), ("last_data_sent", i.TcpiLastDataSent), ("last_ack_sent", i.TcpiLastAckSent),
        ("last_data_recv", i.TcpiLastDataRecv), ("last_ack_recv", i.TcpiLastAckRecv), ("pmtu", i.TcpiPmtu),
        ("rcv_ssthresh", i.TcpiRcvSsthresh), ("rtt", i.TcpiRtt), ("rttvar", i.TcpiRttvar),
        ("snd_ssthresh", i.TcpiSndSsthresh), ("snd_cwnd", i.TcpiSndCwnd), ("advmss", i.TcpiAdvmss),
        ("reordering", i.TcpiReordering), ("rcv_rtt", i.TcpiRcvRtt), ("rcv_space", i.TcpiRcvSpace),
        ("total_retrans", i.TcpiTotalRetrans),
    ];

    private static (string Name, ulong Value)[] RateFields(in TcpInfo i) =>
    [
        ("pacing_rate", i.TcpiPacingRate), ("max_pacing_rate", i.TcpiMaxPacingRate), ("bytes_acked", i.TcpiBytesAcked),
        ("bytes_received", i.TcpiBytesReceived), ("segs_out", i.TcpiSegsOut), ("segs_in", i.TcpiSegsIn),
        ("notsent_bytes", i.TcpiNotsentBytes), ("min_rtt", i.TcpiMinRtt), ("data_segs_in", i.TcpiDataSegsIn),
        ("data_segs_out", i.TcpiDataSegsOut), ("delivery_rate", i.TcpiDeliveryRate), ("busy_time", i.TcpiBusyTime),
        ("rwnd_limited", i.TcpiRwndLimited), ("sndbuf_limited", i.TcpiSndbufLimited),
    ];

    private static (string Name, ulong Value)[] CountFields(in TcpInfo i) =>
    [
        ("delivered", i.TcpiDelivered), ("delivered_ce", i.TcpiDeliveredCe), ("bytes_sent", i.TcpiBytesSent),
        ("bytes_retrans", i.TcpiBytesRetrans), ("dsack_dups", i.TcpiDsackDups), ("reord_seen", i.TcpiReordSeen),
        ("rcv_ooopack", i.TcpiRcvOoopack), ("snd_wnd", i.TcpiSndWnd), ("rcv_wnd", i.TcpiRcvWnd), ("rehash", i.TcpiRehash),
        ("total_rto", i.TcpiTotalRto), ("total_rto_recoveries", i.TcpiTotalRtoRecoveries),
        ("total_rto_time", i.TcpiTotalRtoTime),
    ];

    private static (string Name, ulong Value)[] EcnFields(in TcpInfo i) =>
    [
        ("received_ce", i.TcpiReceivedCe), ("delivered_e1_bytes", i.TcpiDeliveredE1Bytes),
        ("delivered_e0_bytes", i.TcpiDeliveredE0Bytes), ("delivered_ce_bytes", i.TcpiDeliveredCeBytes),
        ("received_e1_bytes", i.TcpiReceivedE1Bytes), ("received_e0_bytes", i.TcpiReceivedE0Bytes),
        ("received_ce_bytes", i.TcpiReceivedCeBytes), ("accecn_fail_mode", i.TcpiAccecnFailMode),
        ("accecn_opt_seen", i.TcpiAccecnOptSeen),
    ];
}
