using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>Options of <see cref="FqCodel"/>; the defaults are Linux's.</summary>
public sealed record FqCodelOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "fq_codel";

    /// <summary>Most packets that it holds.</summary>
    public int Limit { get; init; } = 10240;

    /// <summary>How many queues flows are spread over, 1 to 65536; fixed once the discipline is made.</summary>
    public int Flows { get; init; } = 1024;

    /// <summary>Bytes that a flow may send in a round; at least 256, or 0 for one packet of the device's.</summary>
    public int Quantum { get; init; }

    /// <summary>How long packets may wait.</summary>
    public TimeSpan Target { get; init; } = TimeSpan.FromMilliseconds(5);

    /// <summary>How long they have to have waited longer before one is dropped; the worst round trip of the flows.</summary>
    public TimeSpan Interval { get; init; } = TimeSpan.FromMilliseconds(100);

    /// <summary>Packets that waited longer than this are marked, at once and apart from the law; null for never.</summary>
    public TimeSpan? CeThreshold { get; init; }

    /// <summary>Whether packets whose sender can hear of it are marked instead of dropped (RFC 3168).</summary>
    public bool Ecn { get; init; } = true;

    /// <summary>Most bytes of memory (<c>truesize</c>) of the packets that it holds.</summary>
    public int MemoryLimit { get; init; } = 32 << 20;

    /// <summary>Most packets that are dropped from the longest queue at a time when a limit is exceeded.</summary>
    public int DropBatch { get; init; } = 64;

    /// <inheritdoc/>
    public override string? Validate()
    {
        if (Flows is < 1 or > 65536)
            return "there are from 1 to 65536 flows";
        if (Limit < 0 || MemoryLimit < 0)
            return "a limit cannot be negative";
        if (Quantum != 0 && Quantum is < 256 or > 1 << 20)
            return "the quantum must be from 256 to 1048576 bytes";
        if (DropBatch < 1)
            return "at least one packet is dropped at a time";
        return Target < TimeSpan.Zero || Interval <= TimeSpan.Zero || CeThreshold < TimeSpan.Zero ? "a time cannot be negative" : null;
    }
}

/// <summary>What an <see cref="FqCodel"/> did (<c>tc_fq_codel_qd_stats</c>).</summary>
public readonly record struct FqCodelStats
{
    /// <summary>Bytes of the largest packet.</summary>
    public int MaxPacket { get; init; }

    /// <summary>Packets dropped as there were too many.</summary>
    public long DropOverlimit { get; init; }

    /// <summary>Packets marked instead of dropped.</summary>
    public long EcnMark { get; init; }

    /// <summary>How often a flow that had nothing queued began.</summary>
    public long NewFlowCount { get; init; }

    /// <summary>Flows that are new.</summary>
    public int NewFlowsLen { get; init; }

    /// <summary>Other flows that have packets.</summary>
    public int OldFlowsLen { get; init; }

    /// <summary>Packets marked as they waited longer than the threshold.</summary>
    public long CeMark { get; init; }

    /// <summary>Bytes of memory of the packets that wait.</summary>
    public int MemoryUsage { get; init; }

    /// <summary>Packets dropped as they took too much memory.</summary>
    public long DropOvermemory { get; init; }
}
