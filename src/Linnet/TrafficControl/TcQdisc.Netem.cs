using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <content><c>netem</c></content>
internal static partial class TcQdisc
{
    private static List<Func<NetemOptions, NetemOptions>> Netem(TcWords words)
    {
        List<Func<NetemOptions, NetemOptions>> changes = [];
        bool gap = false;
        bool reorder = false;
        bool delay = false;
        while (words.Peek is { } word)
        {
            words.Next();
            gap |= word == "gap";
            reorder |= word == "reorder";
            delay |= word is "delay" or "latency";
            changes.Add(NetemWord(word, words));
        }

        if (reorder && !delay)
            throw new TcWordException("reordering not possible without specifying some delay");
        if (gap && !reorder)
            throw new TcWordException("gap specified without reorder probability");
        return changes;
    }

    private static Func<NetemOptions, NetemOptions> NetemWord(string word, TcWords words)
    {
        switch (word)
        {
            case "limit":
                int limit = words.Int(word);
                return o => o with { Limit = limit };
            case "latency" or "delay":
                return NetemDelay(words);
            case "loss" or "drop":
                return NetemLoss(words);
            case "ecn":
                return o => o with { Ecn = true };
            case "reorder" or "corrupt" or "duplicate":
                return NetemChanceWord(word, words);
            case "gap":
                int gap = Math.Max(1, words.Int(word));
                return o => o with { Gap = gap };
            case "distribution":
                DelayDistribution distribution = NetemDistributionName(words);
                return o => o with { Distribution = distribution };
            case "rate":
                return NetemRate(words);
            case "slot":
                return NetemSlot(words);
            case "seed":
                ulong seed = ulong.TryParse(words.Next(), out ulong number) ? number : throw TcWordException.Illegal(word);
                return o => o with { Seed = seed };
            default:
                throw new TcWordException($"What is \"{word}\"?");
        }
    }

    private static Func<NetemOptions, NetemOptions> NetemDelay(TcWords words)
    {
        TimeSpan delay = words.Time("latency");
        TimeSpan jitter = words.NextIsNumber ? words.Time("latency") : default;
        double? correlation = words.OptionalPercent("latency");
        return o => o with { Delay = delay, Jitter = jitter, DelayCorrelation = correlation ?? o.DelayCorrelation };
    }

    private static Func<NetemOptions, NetemOptions> NetemLoss(TcWords words)
    {
        if (words.Skip("state"))
        {
            double p13 = words.Percent("loss p13");
            double p31 = words.OptionalPercent("loss p31") ?? 1 - p13;
            double p32 = words.OptionalPercent("loss p32") ?? 0;
            double p23 = words.OptionalPercent("loss p23") ?? 1;
            double p14 = words.OptionalPercent("loss p14") ?? 0;
            LossStates states = new(p13, p31, p32, p23, p14);
            return o => o with { Loss = 0, Bursts = null, States = states };
        }

        if (words.Skip("gemodel"))
        {
            double p = words.Percent("loss gemodel p");
            double r = words.OptionalPercent("loss gemodel r") ?? 1 - p;
            double lossInBad = words.OptionalPercent("loss gemodel 1-h") ?? 1;
            double lossInGood = words.OptionalPercent("loss gemodel 1-k") ?? 0;
            GilbertElliott model = new(p, r, lossInBad, lossInGood);
            return o => o with { Loss = 0, Bursts = model, States = null };
        }

        words.Skip("random");
        if (!words.NextIsNumber)
            throw new TcWordException($"loss: unknown model \"{words.Peek}\"");
        double loss = words.Percent("loss");
        double? correlation = words.OptionalPercent("loss");
        return o => o with { Loss = loss, LossCorrelation = correlation ?? o.LossCorrelation, Bursts = null, States = null };
    }

    private static Func<NetemOptions, NetemOptions> NetemChanceWord(string word, TcWords words)
    {
        double share = words.Percent(word);
        double? correlation = words.OptionalPercent(word);
        return o => word switch
        {
            "reorder" => o with { Reorder = share, ReorderCorrelation = correlation ?? 0 },
            "corrupt" => o with { Corrupt = share, CorruptCorrelation = correlation ?? 0 },
            _ => o with { Duplicate = share, DuplicateCorrelation = correlation ?? o.DuplicateCorrelation },
        };
    }

    private static Func<NetemOptions, NetemOptions> NetemRate(TcWords words)
    {
        long rate = (long)Math.Min(long.MaxValue, words.Rate("rate"));
        int overhead = 0;
        int cellSize = 0;
        int cellOverhead = 0;
        if (NextIsInteger(words))
            overhead = words.Int("rate", int.MinValue);
        if (NextIsInteger(words))
            cellSize = words.Int("rate");
        if (NextIsInteger(words))
            cellOverhead = words.Int("rate", int.MinValue);
        return o => o with { Rate = rate, PacketOverhead = overhead, CellSize = cellSize, CellOverhead = cellOverhead };
    }

    private static Func<NetemOptions, NetemOptions> NetemSlot(TcWords words)
    {
        NetemSlots slots;
        if (words.Skip("distribution"))
        {
            DelayDistribution distribution = NetemDistributionName(words);
            TimeSpan delay = words.Time("slot distribution");
            slots = new NetemSlots { Distribution = distribution, MinDelay = delay, Jitter = words.Time("slot distribution") };
        }
        else
        {
            TimeSpan min = words.Time("slot");
            slots = new NetemSlots { MinDelay = min, MaxDelay = words.NextIsNumber ? words.Time("slot") : min };
        }

        while (words.Peek is "packets" or "bytes")
        {
            slots = words.Next() == "packets"
                ? slots with { MaxPackets = words.Int("packets") } : slots with { MaxBytes = words.Int("bytes") };
        }

        return o => o with { Slots = slots };
    }

    private static DelayDistribution NetemDistributionName(TcWords words) => words.Next() switch
    {
        "uniform" => DelayDistribution.Uniform,
        "normal" => DelayDistribution.Normal,
        "pareto" => DelayDistribution.Pareto,
        "paretonormal" => DelayDistribution.ParetoNormal,
        var name => throw new TcWordException($"cannot find distribution \"{name}\""),
    };

    private static bool NextIsInteger(TcWords words) => words.NextIsNumber || words.Peek is ['-', >= '0' and <= '9', ..];
}
