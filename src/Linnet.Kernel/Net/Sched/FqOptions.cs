using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>Options of <see cref="Fq"/>; the defaults are Linux's. Rates are in bytes a second.</summary>
public sealed record FqOptions : QdiscOptions
{
    /// <summary>How many bands of priority there are.</summary>
    public const int BandCount = 3;

    /// <inheritdoc/>
    public override string Id => "fq";

    /// <summary>Most packets that each band holds.</summary>
    public int Limit { get; init; } = 10000;

    /// <summary>Most packets of one flow.</summary>
    public int FlowLimit { get; init; } = 100;

    /// <summary>Bytes that a flow may send in a round; 0 for two packets of the device's.</summary>
    public int Quantum { get; init; }

    /// <summary>Bytes that a flow that begins may send at first; 0 for ten packets of the device's.</summary>
    public int InitialQuantum { get; init; }

    /// <summary>Whether flows are held to the rates of their sockets and to <see cref="MaxRate"/>.</summary>
    public bool Pacing { get; init; } = true;

    /// <summary>Fastest rate of any flow; null for none.</summary>
    public ulong? MaxRate { get; init; }

    /// <summary>Flows that are paced no faster than this get no burst after a pause.</summary>
    public ulong LowRateThreshold { get; init; } = 550_000 / 8;

    /// <summary>How long a flow is idle before it gets its quantum again; whole milliseconds.</summary>
    public TimeSpan RefillDelay { get; init; } = TimeSpan.FromMilliseconds(40);

    /// <summary>Packets of no socket are spread over this number of flows, less one: a mask.</summary>
    public uint OrphanMask { get; init; } = 1023;

    /// <summary>How many buckets flows are found by: a power of two, to 262144.</summary>
    public int Buckets { get; init; } = 1024;

    /// <summary>Packets that left this much later than they should have are marked (RFC 3168); null for never.</summary>
    public TimeSpan? CeThreshold { get; init; }

    /// <summary>By how much the timer for packets that wait may be late, to do more at a time.</summary>
    public TimeSpan TimerSlack { get; init; } = TimeSpan.FromMicroseconds(10);

    /// <summary>How far in the future a packet's time may be.</summary>
    public TimeSpan Horizon { get; init; } = TimeSpan.FromSeconds(10);

    /// <summary>Whether packets beyond the horizon are dropped; otherwise they get the time of the horizon.</summary>
    public bool HorizonDrop { get; init; } = true;

    /// <summary>The bands of the 16 priorities.</summary>
    public IReadOnlyList<byte> Priomap { get; init; } = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

    /// <summary>Bytes that each band may send in a round; at least 16384.</summary>
    public IReadOnlyList<int> Weights { get; init; } = [589824, 196608, 65536];

    /// <inheritdoc/>
    public override string? Validate()
    {
        if (Limit < 0 || FlowLimit < 0)
            return "a limit cannot be negative";
        if (Quantum is < 0 or > 1 << 20 || InitialQuantum < 0)
            return "the quantum must be from 1 to 1048576 bytes";
        if (Buckets is < 2 or > 1 << 18 || !int.IsPow2(Buckets))
            return "the number of buckets must be a power of two from 2 to 262144";
        if (RefillDelay < TimeSpan.Zero || CeThreshold < TimeSpan.Zero || TimerSlack < TimeSpan.Zero || Horizon < TimeSpan.Zero)
            return "a time cannot be negative";
        if (Priomap.Count != TC_PRIO_MAX + 1 || Priomap.Any(band => band >= BandCount))
            return "each of the 16 priorities has a band from 0 to 2";
        return Weights.Count != BandCount || Weights.Any(weight => weight < 16384)
            ? "each of the 3 bands has a weight of at least 16384 bytes" : null;
    }

    /// <summary>Whether two say the same; lists are compared by what they hold.</summary>
    public bool Equals(FqOptions? other) =>
        other != null && EqualValues(other) && Priomap.SequenceEqual(other.Priomap) && Weights.SequenceEqual(other.Weights);

    /// <inheritdoc/>
    public override int GetHashCode() => HashCode.Combine(Limit, FlowLimit, Quantum, InitialQuantum, MaxRate, OrphanMask, Buckets);

    private bool EqualValues(FqOptions other) =>
        (Limit, FlowLimit, Quantum, InitialQuantum, Pacing, MaxRate, LowRateThreshold)
            == (other.Limit, other.FlowLimit, other.Quantum, other.InitialQuantum, other.Pacing, other.MaxRate, other.LowRateThreshold)
        && (RefillDelay, OrphanMask, Buckets, CeThreshold, TimerSlack, Horizon, HorizonDrop)
            == (other.RefillDelay, other.OrphanMask, other.Buckets, other.CeThreshold, other.TimerSlack, other.Horizon, other.HorizonDrop);
}

/// <summary>What an <see cref="Fq"/> did (<c>tc_fq_qd_stats</c>).</summary>
public readonly record struct FqStats
{
    /// <summary>Flows that it knows.</summary>
    public int Flows { get; init; }

    /// <summary>Those of them that have no packets.</summary>
    public int InactiveFlows { get; init; }

    /// <summary>Those of them whose next packet may not go yet.</summary>
    public int ThrottledFlows { get; init; }

    /// <summary>Flows that were forgotten.</summary>
    public long GcFlows { get; init; }

    /// <summary>Packets that went through without a queue of their flow's.</summary>
    public long FastpathPackets { get; init; }

    /// <summary>How often a flow had to wait.</summary>
    public long Throttled { get; init; }

    /// <summary>Packets dropped as their flow had too many.</summary>
    public long FlowsPlimit { get; init; }

    /// <summary>Packets that were so long at their rate that the pause after them was cut to a second.</summary>
    public long PktsTooLong { get; init; }

    /// <summary>Packets marked as they were late.</summary>
    public long CeMark { get; init; }

    /// <summary>Packets dropped as their time was too far in the future.</summary>
    public long HorizonDrops { get; init; }

    /// <summary>Packets whose time was brought forward to the horizon.</summary>
    public long HorizonCaps { get; init; }

    /// <summary>Packets dropped as their band was full.</summary>
    public long BandDrops { get; init; }
}
