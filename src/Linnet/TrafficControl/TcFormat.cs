using System.Globalization;

namespace Linnet;

/// <summary>Values as <c>tc</c> prints them.</summary>
internal static class TcFormat
{
    private static readonly string[] RateUnits = ["", "K", "M", "G", "T"];

    /// <summary>A rate, as <c>1500Kbit</c>.</summary>
    public static string Rate(ulong bitsPerSecond)
    {
        int unit = 0;
        while (unit < RateUnits.Length - 1 && bitsPerSecond >= 1000
            && (bitsPerSecond % 1000 == 0 || bitsPerSecond >= 1000 * 1000))
        {
            bitsPerSecond /= 1000;
            unit++;
        }

        return $"{bitsPerSecond.ToString(CultureInfo.InvariantCulture)}{RateUnits[unit]}bit";
    }

    /// <summary>A size, as <c>32Mb</c>.</summary>
    public static string Size(long bytes)
    {
        double mega = Math.Round(bytes / (1024.0 * 1024));
        if (bytes >= 1024 * 1024 && Math.Abs(mega * 1024 * 1024 - bytes) < 1024)
            return $"{mega.ToString(CultureInfo.InvariantCulture)}Mb";
        double kilo = Math.Round(bytes / 1024.0);
        return bytes >= 1024 && Math.Abs(kilo * 1024 - bytes) < 16
            ? $"{kilo.ToString(CultureInfo.InvariantCulture)}Kb" : $"{bytes.ToString(CultureInfo.InvariantCulture)}b";
    }

    /// <summary>A time in whole microseconds, as <c>5ms</c>.</summary>
    public static string Time(TimeSpan time)
    {
        double us = Math.Floor(time.TotalMicroseconds);
        return us >= 1e6 ? Three(us / 1e6) + "s" : us >= 1e3 ? Three(us / 1e3) + "ms" : Three(us) + "us";
    }

    /// <summary>A time in nanoseconds, as <c>12.5us</c>.</summary>
    public static string Time64(TimeSpan time)
    {
        double ns = time.Ticks * 100.0;
        return ns >= 1e9 ? Three(ns / 1e9) + "s" : ns >= 1e6 ? Three(ns / 1e6) + "ms" : ns >= 1e3 ? Three(ns / 1e3) + "us"
            : ns.ToString(CultureInfo.InvariantCulture) + "ns";
    }

    /// <summary>A share, as <c>12.5%</c>.</summary>
    public static string Percent(double share) => G(share * 100, 6) + "%";

    private static string Three(double value) => G(value, 3);

    // printf's %g: so many digits that mean something, no zeros at the end.
    private static string G(double value, int digits)
    {
        if (value == 0)
            return "0";
        int exponent = (int)Math.Floor(Math.Log10(Math.Abs(value)));
        if (exponent < -4 || exponent >= digits)
            return value.ToString("0." + new string('#', digits - 1) + "e+00", CultureInfo.InvariantCulture);
        return Math.Round(value, Math.Clamp(digits - 1 - exponent, 0, 15))
            .ToString("0." + new string('#', Math.Max(1, digits - 1 - exponent)), CultureInfo.InvariantCulture);
    }
}
