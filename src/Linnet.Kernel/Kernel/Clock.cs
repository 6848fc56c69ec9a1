namespace Linnet.Kernel;

/// <summary>The machine's clocks, read from the time provider that it was booted with.</summary>
public sealed class Clock
{
    /// <summary>Nanoseconds in a second.</summary>
    public const long NsecPerSec = 1_000_000_000;

    /// <summary>Nanoseconds in a millisecond.</summary>
    public const long NsecPerMsec = 1_000_000;

    /// <summary>Nanoseconds in a microsecond.</summary>
    public const long NsecPerUsec = 1_000;

    /// <summary>Ticks of <see cref="Jiffies"/> in a second.</summary>
    public const int Hz = 1000;

    private readonly TimeProvider provider;
    private readonly long boot;
    private readonly double nsPerTick;

    internal Clock(TimeProvider provider)
    {
        this.provider = provider;
        boot = provider.GetTimestamp();
        nsPerTick = (double)NsecPerSec / provider.TimestampFrequency;
    }

    /// <summary>Nanoseconds since boot, monotonic (<c>ktime_get</c>).</summary>
    public long Now
    {
        get
        {
            long ticks = provider.GetTimestamp() - boot;
            return nsPerTick == 1.0 ? ticks : (long)(ticks * nsPerTick);
        }
    }

    /// <summary>Milliseconds since boot (<c>jiffies</c> at HZ=1000).</summary>
    public long Jiffies => Now / NsecPerMsec;

    /// <summary>Nanoseconds since 1970-01-01 UTC (<c>ktime_get_real</c>).</summary>
    public long RealNow => (provider.GetUtcNow() - DateTimeOffset.UnixEpoch).Ticks * 100;
}
