using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>Options of <see cref="Tbf"/>. Rates are in bytes a second.</summary>
public sealed record TbfOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "tbf";

    /// <summary>Rate in the long run; has to be given.</summary>
    public ulong Rate { get; init; }

    /// <summary>Bytes that may go at once after a pause; has to be given, and hold the largest packet.</summary>
    public int Burst { get; init; }

    /// <summary>Most bytes that wait. See <see cref="LimitFor"/>.</summary>
    public long Limit { get; init; }

    /// <summary>Rate within a burst; 0 for as fast as can be. Above <see cref="Rate"/>.</summary>
    public ulong PeakRate { get; init; }

    /// <summary>Bytes that may go at once at the peak rate (<c>mtu</c>, <c>minburst</c>).</summary>
    public int PeakBurst { get; init; }

    /// <summary>Bytes that are added to each packet, as of headers that the device adds.</summary>
    public int Overhead { get; init; }

    /// <summary>What the smallest packet counts, in bytes.</summary>
    public int Mpu { get; init; }

    /// <summary>How bytes are counted.</summary>
    public LinkLayer LinkLayer { get; init; }

    /// <summary>The limit with which no packet waits for longer than a time.</summary>
    /// <param name="latency">The longest wait.</param>
    public long LimitFor(TimeSpan latency)
    {
        long limit = (long)(Rate * latency.TotalSeconds) + Burst;
        return PeakRate == 0 ? limit : Math.Min(limit, (long)(PeakRate * latency.TotalSeconds) + PeakBurst);
    }

    /// <inheritdoc/>
    public override string? Validate()
    {
        if (Rate == 0)
            return "the rate must be more than 0";
        if (Burst <= 0)
            return "the burst must be more than 0 bytes";
        if (Limit is < 0 or > uint.MaxValue)
            return "the limit must be from 0 to 4294967295 bytes";
        if (Overhead is < 0 or > ushort.MaxValue || Mpu is < 0 or > ushort.MaxValue)
            return "the overhead and the smallest packet are from 0 to 65535 bytes";
        if (PeakRate != 0 && PeakRate <= Rate)
            return "the peak rate must be higher than the rate";
        return PeakRate != 0 && PeakBurst <= 0 ? "the burst at the peak rate must be more than 0 bytes" : null;
    }
}
