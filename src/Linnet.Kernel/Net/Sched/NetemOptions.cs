namespace Linnet.Kernel.Net.Sched;

/// <summary>How the time that a packet is delayed varies.</summary>
public enum DelayDistribution
{
    /// <summary>Evenly between delay - jitter and delay + jitter.</summary>
    Uniform,

    /// <summary>Normally, with the jitter as standard deviation.</summary>
    Normal,
}

/// <summary>
/// What a <see cref="Netem"/> does to the packets of a device; in tc-netem's terms. Probabilities are from 0 to 1, and so are
/// correlations: how much of each random number is that of the packet before.
/// </summary>
public sealed record NetemOptions
{
    /// <summary>Time by which packets are delayed.</summary>
    public TimeSpan Delay { get; init; }

    /// <summary>By how much the delay varies.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Correlation of the delays.</summary>
    public double DelayCorrelation { get; init; }

    /// <summary>How the delay varies.</summary>
    public DelayDistribution Distribution { get; init; }

    /// <summary>Probability that a packet is lost.</summary>
    public double Loss { get; init; }

    /// <summary>Correlation of the losses.</summary>
    public double LossCorrelation { get; init; }

    /// <summary>Losses in bursts, instead of <see cref="Loss"/>; null for none.</summary>
    public GilbertElliott? Bursts { get; init; }

    /// <summary>Probability that a packet is sent twice.</summary>
    public double Duplicate { get; init; }

    /// <summary>Probability that a packet is sent at once, and so overtakes those that are delayed.</summary>
    public double Reorder { get; init; }

    /// <summary>Only every so many packets one is a candidate for <see cref="Reorder"/>; at least 1.</summary>
    public int Gap { get; init; } = 1;

    /// <summary>Probability that one bit of a packet is flipped.</summary>
    public double Corrupt { get; init; }

    /// <summary>Bits a second; 0 for no limit.</summary>
    public long Rate { get; init; }

    /// <summary>Most packets that are held; those that come when as many wait are dropped.</summary>
    public int Limit { get; init; } = 1000;

    /// <summary>Says what is wrong with the options; null for nothing.</summary>
    public string? Validate()
    {
        (string Name, double Value)[] fractions =
        [
            (nameof(DelayCorrelation), DelayCorrelation), (nameof(Loss), Loss), (nameof(LossCorrelation), LossCorrelation),
            (nameof(Duplicate), Duplicate), (nameof(Reorder), Reorder), (nameof(Corrupt), Corrupt),
        ];
        foreach ((string name, double value) in fractions)
        {
            if (value is not (>= 0 and <= 1))
                return $"{name} must be between 0 and 1";
        }

        if (Delay < TimeSpan.Zero || Jitter < TimeSpan.Zero)
            return "a delay cannot be negative";
        if (Rate < 0)
            return "a rate cannot be negative";
        if (Limit < 1)
            return "the limit must be at least 1 packet";
        if (Gap < 1)
            return "the gap must be at least 1";
        return Reorder > 0 && Delay == TimeSpan.Zero ? "reordering needs a delay that packets can overtake" : null;
    }
}

/// <summary>
/// Losses by the Gilbert-Elliott model: a link that is good or bad, and loses with a probability of its own in each state.
/// </summary>
/// <param name="ToBad">Probability, at each packet, that a good link turns bad (p).</param>
/// <param name="ToGood">Probability that a bad link turns good (r).</param>
/// <param name="LossInBad">Probability that a packet is lost while bad (1-h).</param>
/// <param name="LossInGood">Probability that a packet is lost while good (1-k).</param>
public sealed record GilbertElliott(double ToBad, double ToGood, double LossInBad = 1, double LossInGood = 0);
