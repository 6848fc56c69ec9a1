using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary>The metrics of routes in words.</summary>
internal static class IpRouteMetrics
{
    // In the order of their numbers, which is that of ip's output.
    private static readonly (int Metric, string Name)[] Names =
    [
        (RTAX_MTU, "mtu"), (RTAX_WINDOW, "window"), (RTAX_RTT, "rtt"), (RTAX_RTTVAR, "rttvar"), (RTAX_SSTHRESH, "ssthresh"),
        (RTAX_CWND, "cwnd"), (RTAX_ADVMSS, "advmss"), (RTAX_REORDERING, "reordering"), (RTAX_HOPLIMIT, "hoplimit"),
        (RTAX_INITCWND, "initcwnd"), (RTAX_FEATURES, "features"), (RTAX_RTO_MIN, "rto_min"), (RTAX_INITRWND, "initrwnd"),
        (RTAX_QUICKACK, "quickack"), (RTAX_CC_ALGO, "congctl"), (RTAX_FASTOPEN_NO_COOKIE, "fastopen_no_cookie"),
    ];

    /// <summary>Reads the value of a metric, with <c>lock</c> before it where that is allowed.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="word">The word that was read before.</param>
    /// <param name="words">What follows.</param>
    /// <param name="values">Where the value goes, by number.</param>
    /// <returns>Whether the word is the name of a metric.</returns>
    public static bool TryRead(NetNamespace net, string word, IpWords words, uint[] values)
    {
        int index = Array.FindIndex(Names, entry => entry.Name == word);
        if (index < 0)
            return false;
        int metric = Names[index].Metric;
        if (metric is not (RTAX_FEATURES or RTAX_RTO_MIN or RTAX_QUICKACK or RTAX_FASTOPEN_NO_COOKIE)
            && words.Take("lock"))
            values[RTAX_LOCK] |= 1u << metric;
        values[metric] = metric switch
        {
            RTAX_FEATURES => NextFeatures(words),
            RTAX_RTT or RTAX_RTTVAR or RTAX_RTO_MIN => NextTime(words, metric),
            RTAX_QUICKACK or RTAX_FASTOPEN_NO_COOKIE => NextBool(words, word),
            RTAX_CC_ALGO => NextCongestionControl(net, words, values),
            RTAX_HOPLIMIT => words.NextByte(word),
            _ => words.NextUint(word),
        };
        // What is called the least timeout always holds against what is measured.
        if (metric == RTAX_RTO_MIN)
            values[RTAX_LOCK] |= 1u << RTAX_RTO_MIN;
        return true;
    }

    /// <summary>The metrics as <c>ip route</c> prints them, a space behind each word.</summary>
    public static void Print(NetNamespace net, RouteMetrics metrics, IpOutput output)
    {
        foreach ((int metric, string name) in Names)
        {
            bool locked = (metrics[RTAX_LOCK] & 1u << metric) != 0;
            uint value = metrics[metric];
            if (value == 0 && !locked)
                continue;
            output.Write(name).Write(" ");
            if (locked)
                output.Write("lock ");
            string text = metric == RTAX_CC_ALGO ? TcpCong.TcpCaGetNameByKey(net.Machine, value) ?? "" : Text(metric, value);
            output.Write(text).Write(" ");
        }
    }

    private static string Text(int metric, uint value)
    {
        switch (metric)
        {
            case RTAX_FEATURES:
                uint rest = value & ~(uint)RTAX_FEATURE_ECN;
                string ecn = (value & RTAX_FEATURE_ECN) != 0 ? "ecn" : "";
                return rest == 0 ? ecn : $"{ecn}{(ecn.Length > 0 ? " " : "")}0x{rest:x}";
            case RTAX_RTT:
                return Milliseconds(value / 8.0);
            case RTAX_RTTVAR:
                return Milliseconds(value / 4.0);
            case RTAX_RTO_MIN:
                return Milliseconds(value);
            default:
                return value.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static string Milliseconds(double value) => value >= 1000
        ? (value / 1000).ToString("0.######", CultureInfo.InvariantCulture) + "s"
        : ((uint)value).ToString(CultureInfo.InvariantCulture) + "ms";

    // Without a unit the number is what the kernel keeps: eighths or quarters of milliseconds.
    private static uint NextTime(IpWords words, int metric)
    {
        string word = words.Next();
        int digits = word.AsSpan().IndexOfAnyExcept("0123456789.");
        string unit = digits < 0 ? "" : word[digits..];
        double factor = unit switch
        {
            "" or "ms" or "msec" or "msecs" => 1,
            "s" or "sec" or "secs" => 1000,
            _ => throw IpCommandException.Wrong(word, "\"rtt\" value is invalid"),
        };
        if (!double.TryParse(digits < 0 ? word : word[..digits], NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out double value))
            throw IpCommandException.Wrong(word, "\"rtt\" value is invalid");
        double scale = unit.Length == 0 ? 1 : metric switch { RTAX_RTT => 8, RTAX_RTTVAR => 4, _ => 1 };
        return (uint)Math.Ceiling(value * factor * scale);
    }

    private static uint NextFeatures(IpWords words)
    {
        uint features = 0;
        while (words.Take("ecn"))
            features |= RTAX_FEATURE_ECN;
        return features != 0 ? features : throw IpCommandException.Wrong(words.Peek ?? "", "\"features\" value not valid");
    }

    // A control that needs ECN has the route ask for it.
    private static uint NextCongestionControl(NetNamespace net, IpWords words, uint[] values)
    {
        uint key = TcpCong.TcpCaGetKeyByName(net.Machine, words.Next(), out bool ecn);
        if (key == TcpCong.TCP_CA_UNSPEC)
            IpCommandException.ThrowIfFailed(-EINVAL);
        if (ecn)
            values[RTAX_FEATURES] |= RTAX_FEATURE_ECN;
        return key;
    }

    private static uint NextBool(IpWords words, string what)
    {
        uint value = words.NextUint(what);
        return value <= 1 ? value : throw IpCommandException.Wrong(value.ToString(CultureInfo.InvariantCulture), $"\"{what}\" value should be 0 or 1");
    }
}
