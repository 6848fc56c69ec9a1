using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>How the time that a packet is delayed varies.</summary>
public enum DelayDistribution
{
    /// <summary>Evenly between delay - jitter and delay + jitter.</summary>
    Uniform,

    /// <summary>Normally, with the jitter as standard deviation.</summary>
    Normal,

    /// <summary>As Pareto's distribution: most packets a little early, some very late.</summary>
    Pareto,

    /// <summary>A quarter normally, and three quarters as Pareto's distribution.</summary>
    ParetoNormal,
}

/// <summary>
/// What a <see cref="Netem"/> does to the packets of a device; in tc-netem's terms. Probabilities are from 0 to 1, and so are
/// correlations: how much of each random number is that of the packet before.
/// </summary>
public sealed record NetemOptions : QdiscOptions
{
    /// <inheritdoc/>
    public override string Id => "netem";

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

    /// <summary>Losses by a model of four states, instead of <see cref="Loss"/>; null for none.</summary>
    public LossStates? States { get; init; }

    /// <summary>Whether packets whose sender can hear of it are marked (RFC 3168) where they would be lost.</summary>
    public bool Ecn { get; init; }

    /// <summary>Probability that a packet is sent twice.</summary>
    public double Duplicate { get; init; }

    /// <summary>Correlation of the duplicates.</summary>
    public double DuplicateCorrelation { get; init; }

    /// <summary>Probability that a packet is sent at once, and so overtakes those that are delayed.</summary>
    public double Reorder { get; init; }

    /// <summary>Correlation of those that overtake.</summary>
    public double ReorderCorrelation { get; init; }

    /// <summary>Only every so many packets one is a candidate for <see cref="Reorder"/>; at least 1.</summary>
    public int Gap { get; init; } = 1;

    /// <summary>Probability that one bit of a packet is flipped.</summary>
    public double Corrupt { get; init; }

    /// <summary>Correlation of the flips.</summary>
    public double CorruptCorrelation { get; init; }

    /// <summary>Bits a second; 0 for no limit.</summary>
    public long Rate { get; init; }

    /// <summary>Bytes that are added to each packet for <see cref="Rate"/>, as of headers of other links; may be negative.</summary>
    public int PacketOverhead { get; init; }

    /// <summary>Bytes of a cell, when the link of <see cref="Rate"/> sends whole cells; 0 when it does not.</summary>
    public int CellSize { get; init; }

    /// <summary>Bytes that are added to each cell; may be negative.</summary>
    public int CellOverhead { get; init; }

    /// <summary>Packets leave in slots only, as on wireless links; null for at any time.</summary>
    public NetemSlots? Slots { get; init; }

    /// <summary>Most packets that are held; those that come when as many wait are dropped.</summary>
    public int Limit { get; init; } = 1000;

    /// <summary>What chance begins with: the same seed loses the same packets, as in Linux. Null for a random one.</summary>
    public ulong? Seed { get; init; }

    /// <summary>
    /// Delay, loss, duplication and limit have to be said again when anything is changed, since tc always sends them; the rest stays.
    /// </summary>
    public override QdiscOptions ForChange() => this with
    {
        Delay = default,
        Jitter = default,
        Loss = 0,
        Bursts = null,
        States = null,
        Duplicate = 0,
        Reorder = 0,
        Gap = 1,
        Limit = 1000,
    };

    /// <inheritdoc/>
    public override string? Validate()
    {
        (string Name, double Value)[] fractions =
        [
            (nameof(DelayCorrelation), DelayCorrelation), (nameof(Loss), Loss), (nameof(LossCorrelation), LossCorrelation),
            (nameof(Duplicate), Duplicate), (nameof(DuplicateCorrelation), DuplicateCorrelation), (nameof(Reorder), Reorder),
            (nameof(ReorderCorrelation), ReorderCorrelation), (nameof(Corrupt), Corrupt),
            (nameof(CorruptCorrelation), CorruptCorrelation),
        ];
        foreach ((string name, double value) in fractions)
        {
            if (value is not (>= 0 and <= 1))
                return $"{name} must be between 0 and 1";
        }

        if (Delay < TimeSpan.Zero || Jitter < TimeSpan.Zero)
            return "a delay cannot be negative";
        if (Rate < 0 || CellSize < 0)
            return "a rate and a cell's size cannot be negative";
        if (CellSize > 0 && CellSize + CellOverhead <= 0)
            return "a cell must take time";
        if (Limit < 1)
            return "the limit must be at least 1 packet";
        if (Gap < 1)
            return "the gap must be at least 1";
        if (Bursts != null && States != null)
            return "there is one model of loss at a time";
        if (Reorder > 0 && Delay == TimeSpan.Zero)
            return "reordering needs a delay that packets can overtake";
        return Bursts?.Validate() ?? States?.Validate() ?? Slots?.Validate();
    }
}

/// <summary>
/// Losses by the Gilbert-Elliott model: a link that is good or bad, and loses with a probability of its own in each state.
/// </summary>
/// <param name="ToBad">Probability, at each packet, that a good link turns bad (p).</param>
/// <param name="ToGood">Probability that a bad link turns good (r).</param>
/// <param name="LossInBad">Probability that a packet is lost while bad (1-h).</param>
/// <param name="LossInGood">Probability that a packet is lost while good (1-k).</param>
public sealed record GilbertElliott(double ToBad, double ToGood, double LossInBad = 1, double LossInGood = 0)
{
    internal string? Validate() =>
        ToBad is >= 0 and <= 1 && ToGood is >= 0 and <= 1 && LossInBad is >= 0 and <= 1 && LossInGood is >= 0 and <= 1
            ? null : "the probabilities of the Gilbert-Elliott model must be between 0 and 1";
}

/// <summary>
/// Losses by a model of four states: 1 packets arrive, 4 one is lost alone, 3 packets of a burst are lost, 2 packets arrive
/// within the burst.
/// </summary>
/// <param name="P13">Probability that a burst begins.</param>
/// <param name="P31">Probability that a burst ends.</param>
/// <param name="P32">Probability that a packet arrives within the burst.</param>
/// <param name="P23">Probability that losses go on after it.</param>
/// <param name="P14">Probability that a packet is lost alone.</param>
public sealed record LossStates(double P13, double P31, double P32 = 0, double P23 = 1, double P14 = 0)
{
    internal string? Validate() =>
        P13 is >= 0 and <= 1 && P31 is >= 0 and <= 1 && P32 is >= 0 and <= 1 && P23 is >= 0 and <= 1 && P14 is >= 0 and <= 1
            ? null : "the probabilities of the loss states must be between 0 and 1";
}

/// <summary>When packets may leave a <see cref="Netem"/>: all that are ready then, at the begin of each slot.</summary>
public sealed record NetemSlots
{
    /// <summary>Shortest time from one slot to the next.</summary>
    public TimeSpan MinDelay { get; init; }

    /// <summary>Longest time from one slot to the next.</summary>
    public TimeSpan MaxDelay { get; init; }

    /// <summary>How the time varies around <see cref="MinDelay"/> with <see cref="Jitter"/>; null for evenly to <see cref="MaxDelay"/>.</summary>
    public DelayDistribution? Distribution { get; init; }

    /// <summary>By how much it varies, with a <see cref="Distribution"/>.</summary>
    public TimeSpan Jitter { get; init; }

    /// <summary>Most packets in a slot; 0 for any number.</summary>
    public int MaxPackets { get; init; }

    /// <summary>Most bytes in a slot, the last packet apart; 0 for any number.</summary>
    public int MaxBytes { get; init; }

    internal string? Validate()
    {
        if (MinDelay < TimeSpan.Zero || Jitter < TimeSpan.Zero || MaxPackets < 0 || MaxBytes < 0)
            return "nothing about slots is negative";
        return Distribution == null && MaxDelay < MinDelay ? "the longest delay of slots cannot be below the shortest" : null;
    }
}
