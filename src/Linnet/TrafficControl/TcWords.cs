using System.Globalization;

namespace Linnet;

/// <summary>Words of a <c>tc</c> command that make no sense; the message is what tc prints.</summary>
internal sealed class TcWordException(string message) : Exception(message)
{
    /// <summary>A word that takes a value was given twice.</summary>
    public static TcWordException Twice(string key, string value) =>
        new($"Error: duplicate \"{key}\": \"{value}\" is the second value.");

    /// <summary>A value that is none.</summary>
    public static TcWordException Illegal(string key) => new($"Illegal \"{key}\"");
}

/// <summary>The words of a <c>tc</c> command one after the other, and the values that tc reads from them.</summary>
internal sealed class TcWords(IReadOnlyList<string> words)
{
    private static readonly (string Suffix, double BitsPerSecond)[] RateUnits =
    [
        ("bit", 1), ("kibit", 1024), ("kbit", 1e3), ("mibit", 1024 * 1024), ("mbit", 1e6), ("gibit", 1024.0 * 1024 * 1024), ("gbit", 1e9),
        ("tibit", 1024.0 * 1024 * 1024 * 1024), ("tbit", 1e12), ("bps", 8), ("kibps", 8 * 1024), ("kbps", 8e3), ("mibps", 8 * 1024 * 1024),
        ("mbps", 8e6), ("gibps", 8.0 * 1024 * 1024 * 1024), ("gbps", 8e9), ("tibps", 8.0 * 1024 * 1024 * 1024 * 1024), ("tbps", 8e12),
    ];

    private int at;

    /// <summary>The word that comes next; null after the last.</summary>
    public string? Peek => at < words.Count ? words[at] : null;

    /// <summary>Takes a word.</summary>
    /// <exception cref="TcWordException">There is none.</exception>
    public string Next() =>
        at < words.Count ? words[at++] : throw new TcWordException("Command line is not complete. Try option \"help\"");

    /// <summary>Takes a word if it is this one.</summary>
    public bool Skip(string word)
    {
        if (Peek != word)
            return false;
        at++;
        return true;
    }

    /// <summary>Takes a whole number.</summary>
    public long Number(string key, long least, long most) =>
        long.TryParse(Next(), NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long number)
        && number >= least && number <= most ? number : throw TcWordException.Illegal(key);

    /// <summary>Takes a whole number that fits an int.</summary>
    public int Int(string key, int least = 0, int most = int.MaxValue) => (int)Number(key, least, most);

    /// <summary>Takes a time, <c>100ms</c>: without unit in microseconds.</summary>
    public TimeSpan Time(string key) => TryTime(Next(), out TimeSpan time) ? time : throw TcWordException.Illegal(key);

    /// <summary>Takes a rate, <c>1mbit</c>: without unit in bits a second.</summary>
    /// <returns>Bits a second.</returns>
    public double Rate(string key)
    {
        string text = Next();
        if (!Split(text, out double number, out string unit) || number < 0)
            throw TcWordException.Illegal(key);
        if (unit.Length == 0)
            return number;
        foreach ((string suffix, double bits) in RateUnits)
        {
            if (unit.Equals(suffix, StringComparison.OrdinalIgnoreCase))
                return number * bits;
        }

        throw TcWordException.Illegal(key);
    }

    /// <summary>Takes a size, <c>32kb</c>: without unit in bytes.</summary>
    public long Size(string key)
    {
        if (!Split(Next(), out double number, out string unit) || number < 0)
            throw TcWordException.Illegal(key);
        double factor = unit.ToLowerInvariant() switch
        {
            "" or "b" => 1,
            "kb" or "k" => 1024,
            "mb" or "m" => 1024 * 1024,
            "gb" or "g" => 1024 * 1024 * 1024,
            "kbit" => 1024 / 8.0,
            "mbit" => 1024 * 1024 / 8.0,
            "gbit" => 1024 * 1024 * 1024 / 8.0,
            _ => throw TcWordException.Illegal(key),
        };
        return (long)(number * factor);
    }

    /// <summary>Takes a size that may be followed by that of cells, <c>1600/8</c>.</summary>
    public long SizeAndCell(string key)
    {
        string text = Peek ?? "";
        int slash = text.IndexOf('/', StringComparison.Ordinal);
        if (slash < 0)
            return Size(key);
        at++;
        return new TcWords([text[..slash]]).Size(key);
    }

    /// <summary>Takes a share, <c>25%</c>; without sign a share of 1 percent, as tc has it.</summary>
    /// <returns>From 0 to 1.</returns>
    public double Percent(string key) =>
        TryPercent(Next(), out double share) ? share : throw TcWordException.Illegal(key);

    /// <summary>Takes a share if a number comes next.</summary>
    public double? OptionalPercent(string key) => NextIsNumber ? Percent(key) : null;

    /// <summary>Whether a number comes next.</summary>
    public bool NextIsNumber => Peek is { Length: > 0 } word && (char.IsAsciiDigit(word[0]) || word[0] == '.');

    /// <summary>Reads a time.</summary>
    public static bool TryTime(string text, out TimeSpan time)
    {
        time = default;
        if (!Split(text, out double number, out string unit) || number < 0)
            return false;
        double? seconds = unit.ToLowerInvariant() switch
        {
            "" or "us" or "usec" or "usecs" => 1e-6,
            "s" or "sec" or "secs" => 1,
            "ms" or "msec" or "msecs" => 1e-3,
            "ns" or "nsec" or "nsecs" => 1e-9,
            _ => null,
        };
        if (seconds == null || number * seconds > TimeSpan.MaxValue.TotalSeconds / 2)
            return false;
        time = TimeSpan.FromTicks((long)Math.Round(number * seconds.Value * TimeSpan.TicksPerSecond));
        return true;
    }

    private static bool TryPercent(string text, out double share)
    {
        share = 0;
        if (!Split(text, out double number, out string unit))
            return false;
        share = number / 100;
        return unit is "" or "%" && share is >= 0 and <= 1;
    }

    private static bool Split(string text, out double number, out string unit)
    {
        int end = 0;
        while (end < text.Length && (char.IsAsciiDigit(text[end]) || text[end] is '.' or '-'))
            end++;
        unit = text[end..];
        return double.TryParse(
            text.AsSpan(0, end), NumberStyles.AllowDecimalPoint | NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out number);
    }
}
