using System.Globalization;

namespace Linnet.Cli.Watch;

/// <summary>Numbers in few letters.</summary>
internal static class Quantity
{
    private const string Units = "kMGTPE";

    /// <summary>A count in at most five letters: <c>999</c>, <c>1.2k</c>, <c>34M</c>.</summary>
    public static string Of(double count)
    {
        if (!double.IsFinite(count) || count < 0)
            return "-";
        if (count < 1000)
            return Math.Floor(count).ToString(CultureInfo.InvariantCulture);
        int unit = -1;
        for (; count >= 999.5 && unit < Units.Length - 1; unit++)
            count /= 1000;
        return count.ToString(count < 9.95 ? "F1" : "F0", CultureInfo.InvariantCulture) + Units[unit];
    }

    /// <summary>Bytes in a second.</summary>
    public static string Rate(double? bytes) => bytes is { } known ? Of(known) : "-";

    /// <summary>A time: <c>12.3ms</c>.</summary>
    public static string Of(TimeSpan time) => time.TotalMilliseconds switch
    {
        < 1 => time.TotalMicroseconds.ToString("F0", CultureInfo.InvariantCulture) + "us",
        < 1000 => time.TotalMilliseconds.ToString("F1", CultureInfo.InvariantCulture) + "ms",
        _ => time.TotalSeconds.ToString("F1", CultureInfo.InvariantCulture) + "s",
    };
}
