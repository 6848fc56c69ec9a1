using System.Globalization;
using System.Numerics;

namespace Linnet.Kernel.Trace.Beauty;

/// <summary>Names for the numbers of one kind: those of a header's constants that share a prefix.</summary>
internal sealed class NameTable
{
    private readonly Dictionary<long, string> names = [];

    /// <summary>Takes the constants of a header; of several names for a number, the first that is declared.</summary>
    /// <param name="header">Class under <c>Uapi/</c>.</param>
    /// <param name="prefix">What their names begin with.</param>
    /// <param name="from">The first of them, where the prefix is shared by several kinds; null for the header's first.</param>
    /// <param name="to">The last of them; null for the header's last.</param>
    /// <param name="except">Names with the prefix that are of another kind.</param>
    public NameTable(string header, string prefix, string? from = null, string? to = null, params string[] except)
    {
        bool isInside = from == null;
        foreach (UapiConstant constant in UapiConstants.All)
        {
            if (constant.Header != header)
                continue;
            isInside |= constant.Name == from;
            if (isInside && constant.Name.StartsWith(prefix, StringComparison.Ordinal) && !except.Contains(constant.Name))
                names.TryAdd(constant.Value, constant.Name);
            if (constant.Name == to)
                isInside = false;
        }
    }

    /// <summary>The name of a number, or the number.</summary>
    public string Name(long value) => names.GetValueOrDefault(value) ?? value.ToString(CultureInfo.InvariantCulture);

    /// <summary>The name of a number, or null.</summary>
    public string? Find(long value) => names.GetValueOrDefault(value);

    /// <summary>The names of the bits of a number, joined with <c>|</c>; what has none in hexadecimal.</summary>
    public string Flags(long value)
    {
        if (value == 0)
            return names.GetValueOrDefault(0) ?? "0";
        if (names.TryGetValue(value, out string? exact))
            return exact;
        List<string> parts = [];
        for (ulong rest = (ulong)value; rest != 0; rest &= rest - 1)
        {
            ulong bit = 1UL << BitOperations.TrailingZeroCount(rest);
            parts.Add(names.GetValueOrDefault((long)bit) ?? "0x" + bit.ToString("x", CultureInfo.InvariantCulture));
        }

        return string.Join('|', parts);
    }
}
