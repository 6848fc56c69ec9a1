using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <content><c>tbf</c></content>
internal static partial class TcQdisc
{
    private static List<Func<TbfOptions, TbfOptions>> Tbf(TcWords words)
    {
        TbfOptions read = new();
        TimeSpan? latency = null;
        bool limited = false;
        while (words.Peek is { } word)
        {
            words.Next();
            switch (word)
            {
                case "limit":
                    if (limited || latency != null)
                        throw new TcWordException("tbf: specifying both \"latency\" and \"limit/mpu\" is not allowed");
                    read = read with { Limit = words.Size(word) };
                    limited = true;
                    break;
                case "latency":
                    if (limited || latency != null)
                        throw new TcWordException("tbf: specifying both \"latency\" and \"limit/mpu\" is not allowed");
                    latency = words.Time(word);
                    break;
                default:
                    read = TbfWord(read, word, words);
                    break;
            }
        }

        if (read.Rate == 0)
            throw new TcWordException("tbf: the \"rate\" parameter is mandatory.");
        if (read.Burst == 0)
            throw new TcWordException("tbf: the \"burst\" parameter is mandatory.");
        if (read.PeakRate != 0 && read.PeakBurst == 0)
            throw new TcWordException("tbf: when \"peakrate\" is specified, \"mtu\" must also be specified.");
        if (!limited && latency == null)
            throw new TcWordException("tbf: either \"limit\" or \"latency\" is required.");
        if (latency is { } wait)
            read = read with { Limit = read.LimitFor(wait) };
        return [_ => read];
    }

    private static TbfOptions TbfWord(TbfOptions read, string word, TcWords words)
    {
        switch (word)
        {
            case "burst" or "buffer" or "maxburst":
                return read with { Burst = (int)Math.Min(int.MaxValue, words.SizeAndCell(word)) };
            case "mtu" or "minburst":
                return read with { PeakBurst = (int)Math.Min(int.MaxValue, words.SizeAndCell(word)) };
            case "mpu":
                return read with { Mpu = (int)Math.Min(int.MaxValue, words.Size(word)) };
            case "rate":
                return read with { Rate = (ulong)(words.Rate(word) / 8) };
            case "peakrate":
                return read with { PeakRate = (ulong)(words.Rate(word) / 8) };
            case "overhead":
                return read with { Overhead = words.Int(word) };
            case "linklayer":
                return read with
                {
                    LinkLayer = words.Next() switch
                    {
                        "ethernet" => LinkLayer.Ethernet,
                        "atm" or "adsl" => LinkLayer.Atm,
                        _ => throw TcWordException.Illegal(word),
                    },
                };
            default:
                throw new TcWordException($"tbf: unknown parameter \"{word}\"");
        }
    }
}
