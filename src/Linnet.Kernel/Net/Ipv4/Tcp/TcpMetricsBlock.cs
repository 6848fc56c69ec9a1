using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What is remembered of the path between two addresses (<c>struct tcp_metrics_block</c>).</summary>
[LinuxStruct("tcp_metrics_block")]
[LinuxFile("net/ipv4/tcp_metrics.c")]
public sealed class TcpMetricsBlock(uint saddr, uint daddr)
{
    private Values values;

    /// <summary>Our address.</summary>
    public uint Saddr { get; } = saddr;

    /// <summary>The peer's address.</summary>
    public uint Daddr { get; } = daddr;

    /// <summary>When it was used last, ms since boot (<c>tcpm_stamp</c>).</summary>
    public long Stamp { get; set; }

    internal TcpMetricsBlock? Next { get; set; }

    /// <summary>The value of a metric; 0 where there is none.</summary>
    public ref uint this[TcpMetric metric] => ref values[(int)metric];

    /// <summary>Bits of the metrics that a route fixes.</summary>
    internal uint Locked { get; set; }

    /// <summary>Whether the route fixes a metric (<c>tcp_metric_locked</c>).</summary>
    public bool IsLocked(TcpMetric metric) => (Locked & 1u << (int)metric) != 0;

    [System.Runtime.CompilerServices.InlineArray(5)]
    private struct Values
    {
        private uint first;
    }
}

/// <summary>Numbers of the metrics (<c>enum tcp_metric_index</c>).</summary>
public enum TcpMetric
{
    /// <summary>RTT in µs, times 8.</summary>
    Rtt,

    /// <summary>Its deviation in µs, times 4.</summary>
    Rttvar,

    /// <summary>Slow-start threshold, segments.</summary>
    Ssthresh,

    /// <summary>Congestion window, segments.</summary>
    Cwnd,

    /// <summary>Degree of reordering, segments.</summary>
    Reordering,
}

/// <summary>
/// The paths that a namespace remembers (<c>tcp_metrics_hash</c>). A chain holds five; the one that was not used for longest
/// gives way.
/// </summary>
public sealed class TcpMetricsTable
{
    private const int Buckets = 1024;

    // TCP_METRICS_RECLAIM_DEPTH
    private const int ReclaimDepth = 5;

    // TCP_METRICS_TIMEOUT, ms
    private const long Timeout = 60 * 60 * 1000;

    private readonly Lock guard = new();
    private TcpMetricsBlock?[]? heads;

    /// <summary>Finds what is remembered of a path; or begins to remember it.</summary>
    /// <returns>Null when nothing is remembered and nothing is to be made.</returns>
    internal TcpMetricsBlock? Get(uint saddr, uint daddr, DstEntry dst, long now, bool create)
    {
        lock (guard)
        {
            if (heads == null)
            {
                if (!create)
                    return null;
                heads = new TcpMetricsBlock?[Buckets];
            }

            ref TcpMetricsBlock? head = ref heads[Bucket(daddr)];
            TcpMetricsBlock? oldest = null;
            int depth = 0;
            for (TcpMetricsBlock? block = head; block != null; block = block.Next, depth++)
            {
                if (block.Saddr == saddr && block.Daddr == daddr)
                {
                    if (now > block.Stamp + Timeout)
                        TakeFromRoute(block, dst, now);
                    return block;
                }

                if (oldest == null || block.Stamp < oldest.Stamp)
                    oldest = block;
            }

            if (!create)
                return null;
            if (depth > ReclaimDepth)
                Remove(ref head, oldest!);
            TcpMetricsBlock made = new(saddr, daddr) { Next = head };
            TakeFromRoute(made, dst, now);
            head = made;
            return made;
        }
    }

    /// <summary>Forgets all (<c>tcp_metrics_flush_all</c>).</summary>
    public void Flush()
    {
        lock (guard)
            heads = null;
    }

    private static int Bucket(uint daddr) => (int)(daddr * 0x61C88647u >> 22);

    private static void Remove(ref TcpMetricsBlock? head, TcpMetricsBlock which)
    {
        if (head == which)
        {
            head = which.Next;
            return;
        }

        for (TcpMetricsBlock block = head!; ; block = block.Next!)
        {
            if (block.Next != which)
                continue;
            block.Next = which.Next;
            return;
        }
    }

    // What the route says is where it begins (tcpm_suck_dst). Times of routes are in ms.
    private static void TakeFromRoute(TcpMetricsBlock block, DstEntry dst, long now)
    {
        block.Stamp = now;
        block.Locked = 0;
        Take(block, dst, TcpMetric.Rtt, RTAX_RTT, 1000);
        Take(block, dst, TcpMetric.Rttvar, RTAX_RTTVAR, 1000);
        Take(block, dst, TcpMetric.Ssthresh, RTAX_SSTHRESH, 1);
        Take(block, dst, TcpMetric.Cwnd, RTAX_CWND, 1);
        Take(block, dst, TcpMetric.Reordering, RTAX_REORDERING, 1);
    }

    private static void Take(TcpMetricsBlock block, DstEntry dst, TcpMetric metric, int ofRoute, uint unit)
    {
        block[metric] = dst.Metric(ofRoute) * unit;
        if (dst.MetricLocked(ofRoute))
            block.Locked |= 1u << (int)metric;
    }
}
