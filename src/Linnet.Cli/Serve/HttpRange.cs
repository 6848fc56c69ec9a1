using System.Globalization;

namespace Linnet.Cli.Serve;

/// <summary>The part of a file that a request asks for (RFC 9110, 14).</summary>
/// <param name="Offset">First byte.</param>
/// <param name="Length">Bytes.</param>
internal readonly record struct HttpRange(long Offset, long Length)
{
    /// <summary>Reads a Range field.</summary>
    /// <param name="field">The field's value, or null.</param>
    /// <param name="size">Bytes of the whole.</param>
    /// <param name="range">The part to send.</param>
    /// <returns>
    /// True for a part, false for a part that lies outside, null when the whole is to be sent: no field, one that is
    /// malformed, or several parts.
    /// </returns>
    public static bool? TryParse(string? field, long size, out HttpRange range)
    {
        range = new HttpRange(0, size);
        if (field == null || !field.StartsWith("bytes=", StringComparison.OrdinalIgnoreCase))
            return null;
        string[] ends = field["bytes=".Length..].Trim().Split('-');
        if (ends.Length != 2)
            return null;
        if (ends[0].Length == 0)
            return ParseSuffix(ends[1], size, ref range);
        if (!TryNumber(ends[0], out long first))
            return null;
        long last = size - 1;
        if (ends[1].Length > 0 && (!TryNumber(ends[1], out last) || last < first))
            return null;
        if (first >= size)
            return false;
        range = new HttpRange(first, Math.Min(last, size - 1) - first + 1);
        return true;
    }

    private static bool? ParseSuffix(string text, long size, ref HttpRange range)
    {
        if (!TryNumber(text, out long length))
            return null;
        if (length == 0 || size == 0)
            return false;
        length = Math.Min(length, size);
        range = new HttpRange(size - length, length);
        return true;
    }

    private static bool TryNumber(string text, out long number) =>
        long.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out number);
}
