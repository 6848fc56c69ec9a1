using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Connections leave to later ones with the same peer what they learned of the path: RTT, window, reordering (RFC 9040).
/// </summary>
[LinuxFile("net/ipv4/tcp_metrics.c")]
public static class TcpMetrics
{
    /// <summary>
    /// A connection begins with what is remembered. A longer RTT than the handshake's makes the first timeout longer; without
    /// any, as the handshake was retransmitted, it is 3 s (RFC 6298 5.7).
    /// </summary>
    [Linux("tcp_init_metrics")]
    public static void TcpInitMetrics(TcpSock tp)
    {
        // What the handshake lost says nothing.
        tp.SndSsthresh = TCP_INFINITE_SSTHRESH;
        uint rttUs = 0;
        if (Get(tp, create: false) is { } tm)
        {
            if (tm.IsLocked(TcpMetric.Cwnd))
                tp.SndCwndClamp = tm[TcpMetric.Cwnd];
            uint ssthresh = tp.Ipv4.SysctlTcpNoSsthreshMetricsSave ? 0 : tm[TcpMetric.Ssthresh];
            if (ssthresh != 0)
                tp.SndSsthresh = Math.Min(ssthresh, tp.SndCwndClamp);
            if (tm[TcpMetric.Reordering] != 0)
                tp.Reordering = tm[TcpMetric.Reordering];
            rttUs = tm[TcpMetric.Rtt];
        }

        if (rttUs > tp.SrttUs)
        {
            long rtt = rttUs / 8000 * Clock.NsecPerMsec;
            tp.IcskRto = rtt + Math.Max(2 * rtt, tp.TcpRtoMin);
        }
        else if (tp.SrttUs == 0)
        {
            tp.RttvarUs = (uint)(TCP_TIMEOUT_FALLBACK / Clock.NsecPerUsec);
            tp.MdevUs = tp.MdevMaxUs = tp.RttvarUs;
            tp.IcskRto = TCP_TIMEOUT_FALLBACK;
        }
    }

    /// <summary>A connection ends in order: what it learned is remembered.</summary>
    [Linux("tcp_update_metrics")]
    public static void TcpUpdateMetrics(TcpSock tp)
    {
        if (tp.Ipv4.SysctlTcpNoMetricsSave)
            return;
        if (tp.IcskBackoff != 0 || tp.SrttUs == 0)
        {
            // It found out nothing, perhaps because nothing comes back any more.
            if (Get(tp, create: false) is { } known && !known.IsLocked(TcpMetric.Rtt))
                known[TcpMetric.Rtt] = 0;
            return;
        }

        if (Get(tp, create: true) is not { } tm)
            return;
        UpdateRtt(tp, tm);
        UpdateWindow(tp, tm);
        tm.Stamp = tp.Machine.Clock.Jiffies;
    }

    // A longer RTT is taken as it is, a shorter one counts an eighth: too long a timeout is better than too short a one.
    private static void UpdateRtt(TcpSock tp, TcpMetricsBlock tm)
    {
        long m = (long)tm[TcpMetric.Rtt] - tp.SrttUs;
        if (!tm.IsLocked(TcpMetric.Rtt))
            tm[TcpMetric.Rtt] = m <= 0 ? tp.SrttUs : tm[TcpMetric.Rtt] - (uint)(m >> 3);
        if (tm.IsLocked(TcpMetric.Rttvar))
            return;
        uint deviation = (uint)Math.Max(Math.Abs(m) >> 1, tp.MdevUs);
        uint var = tm[TcpMetric.Rttvar];
        tm[TcpMetric.Rttvar] = deviation >= var ? deviation : var - ((var - deviation) >> 2);
    }

    private static void UpdateWindow(TcpSock tp, TcpMetricsBlock tm)
    {
        uint cwnd = tm[TcpMetric.Cwnd];
        if (tp.TcpInInitialSlowstart)
        {
            Raise(tp, tm, tp.SndCwnd >> 1);
            Set(tm, TcpMetric.Cwnd, Math.Max(cwnd, tp.SndCwnd));
        }
        else if (!tp.TcpInSlowStart && tp.IcskCaState == TCP_CA_Open)
        {
            // The window can be relied on.
            if (!tp.Ipv4.SysctlTcpNoSsthreshMetricsSave)
                Set(tm, TcpMetric.Ssthresh, Math.Max(tp.SndCwnd >> 1, tp.SndSsthresh));
            Set(tm, TcpMetric.Cwnd, (cwnd + tp.SndCwnd) >> 1);
        }
        else
        {
            Set(tm, TcpMetric.Cwnd, (cwnd + tp.SndSsthresh) >> 1);
            Raise(tp, tm, tp.SndSsthresh);
            if (tm[TcpMetric.Reordering] < tp.Reordering && tp.Reordering != (uint)tp.Ipv4.SysctlTcpReordering)
                Set(tm, TcpMetric.Reordering, tp.Reordering);
        }
    }

    // A threshold that is remembered only grows while slow start is not over.
    private static void Raise(TcpSock tp, TcpMetricsBlock tm, uint ssthresh)
    {
        uint known = tm[TcpMetric.Ssthresh];
        if (!tp.Ipv4.SysctlTcpNoSsthreshMetricsSave && known != 0 && ssthresh > known)
            Set(tm, TcpMetric.Ssthresh, ssthresh);
    }

    private static void Set(TcpMetricsBlock tm, TcpMetric metric, uint value)
    {
        if (!tm.IsLocked(metric))
            tm[metric] = value;
    }

    private static TcpMetricsBlock? Get(TcpSock tp, bool create) =>
        tp.SkDstCache is not { } dst
            ? null
            : tp.Ipv4.TcpMetrics.Get(tp.InetSaddr, tp.SkcDaddr, dst, tp.Machine.Clock.Jiffies, create);
}
