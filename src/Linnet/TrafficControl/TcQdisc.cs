using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <summary>The words of each queueing discipline; each reads them as its part of iproute2's <c>tc</c>.</summary>
internal static partial class TcQdisc
{
    /// <summary>Reads a discipline's words.</summary>
    /// <returns>What makes its options from the defaults, or from those that are changed.</returns>
    public static Func<QdiscOptions, QdiscOptions> Parse(string kind, TcWords words) => kind switch
    {
        "pfifo" => Set(Fifo<PfifoOptions>(words, limit => o => o with { Limit = (int)limit }, sized: false)),
        "bfifo" => Set(Fifo<BfifoOptions>(words, limit => o => o with { Limit = limit }, sized: true)),
        "pfifo_head_drop" =>
            Set(Fifo<PfifoHeadDropOptions>(words, limit => o => o with { Limit = (int)limit }, sized: false)),
        "fq_codel" => Set(FqCodel(words)),
        "fq" => Set(Fq(words)),
        "tbf" => Set(Tbf(words)),
        "netem" => Set(Netem(words)),
        _ => throw new TcWordException($"Unknown qdisc \"{kind}\", hence option \"{words.Peek}\" is unparsable"),
    };

    // A kernel that is asked to change a discipline to another kind says so by itself.
    private static Func<QdiscOptions, QdiscOptions> Set<T>(List<Func<T, T>> changes)
        where T : QdiscOptions =>
        options => options is T own ? changes.Aggregate(own, (o, change) => change(o)) : options;

    private static List<Func<T, T>> Fifo<T>(TcWords words, Func<long, Func<T, T>> limit, bool sized)
    {
        List<Func<T, T>> changes = [];
        while (words.Peek != null)
        {
            if (!words.Skip("limit"))
                throw What("fifo", words);
            changes.Add(limit(sized ? words.Size("limit") : words.Int("limit")));
        }

        return changes;
    }

    private static List<Func<FqCodelOptions, FqCodelOptions>> FqCodel(TcWords words)
    {
        List<Func<FqCodelOptions, FqCodelOptions>> changes = [];
        while (words.Peek is { } word)
        {
            words.Next();
            changes.Add(FqCodelWord(word, words));
        }

        return changes;
    }

    private static Func<FqCodelOptions, FqCodelOptions> FqCodelWord(string word, TcWords words)
    {
        switch (word)
        {
            case "ecn" or "noecn":
                return o => o with { Ecn = word == "ecn" };
            case "limit" or "flows" or "quantum" or "drop_batch":
                int number = words.Int(word);
                return o => word switch
                {
                    "limit" => o with { Limit = number },
                    "flows" => o with { Flows = number },
                    "quantum" => o with { Quantum = number },
                    _ => o with { DropBatch = number },
                };
            case "target" or "interval" or "ce_threshold":
                TimeSpan time = words.Time(word);
                return o => word switch
                {
                    "target" => o with { Target = time },
                    "interval" => o with { Interval = time },
                    _ => o with { CeThreshold = time },
                };
            case "memory_limit":
                int size = (int)Math.Min(int.MaxValue, words.Size(word));
                return o => o with { MemoryLimit = size };
            default:
                throw new TcWordException($"What is \"{word}\"?");
        }
    }

    private static List<Func<FqOptions, FqOptions>> Fq(TcWords words)
    {
        List<Func<FqOptions, FqOptions>> changes = [];
        while (words.Peek is { } word)
        {
            words.Next();
            changes.Add(FqWord(word, words));
        }

        return changes;
    }

    private static Func<FqOptions, FqOptions> FqWord(string word, TcWords words)
    {
        switch (word)
        {
            case "pacing" or "nopacing":
                return o => o with { Pacing = word == "pacing" };
            case "horizon_drop" or "horizon_cap":
                return o => o with { HorizonDrop = word == "horizon_drop" };
            case "limit" or "flow_limit" or "buckets" or "orphan_mask":
                long number = words.Number(word, 0, word == "orphan_mask" ? uint.MaxValue : int.MaxValue);
                return o => word switch
                {
                    "limit" => o with { Limit = (int)number },
                    "flow_limit" => o with { FlowLimit = (int)number },
                    "buckets" => o with { Buckets = (int)number },
                    _ => o with { OrphanMask = (uint)number },
                };
            case "maxrate" or "low_rate_threshold":
                ulong rate = (ulong)(words.Rate(word) / 8);
                return o => word == "maxrate" ? o with { MaxRate = rate } : o with { LowRateThreshold = rate };
            case "quantum" or "initial_quantum":
                int size = (int)Math.Min(int.MaxValue, words.Size(word));
                return o => word == "quantum" ? o with { Quantum = size } : o with { InitialQuantum = size };
            case "refill_delay" or "ce_threshold" or "timer_slack" or "horizon":
                TimeSpan time = words.Time(word);
                return o => word switch
                {
                    "refill_delay" => o with { RefillDelay = time },
                    "ce_threshold" => o with { CeThreshold = time },
                    "timer_slack" => o with { TimerSlack = time },
                    _ => o with { Horizon = time },
                };
            case "bands":
                return Bands(words);
            case "weights":
                int[] weights = [.. Enumerable.Range(0, FqOptions.BandCount).Select(_ => words.Int("weights"))];
                return o => o with { Weights = weights };
            default:
                throw new TcWordException($"What is \"{word}\"?");
        }
    }

    private static Func<FqOptions, FqOptions> Bands(TcWords words)
    {
        if (words.Int("bands") != FqOptions.BandCount || !words.Skip("priomap"))
            throw TcWordException.Illegal("bands");
        byte[] priomap = [.. Enumerable.Range(0, 16).Select(_ => (byte)words.Int("priomap", 0, FqOptions.BandCount))];
        return o => o with { Priomap = priomap };
    }

    private static TcWordException What(string kind, TcWords words) => new($"{kind}: unknown parameter \"{words.Peek}\"");
}
