using System.Globalization;

namespace Linnet.Kernel;

/// <summary>
/// Settings by path (<c>/proc/sys</c>), as <c>net.ipv4.ip_forward</c>; machines and namespaces have a table each. Values
/// are text with one line feed at the end when read; a line feed is optional when written.
/// </summary>
/// <param name="parent">Where settings are looked for that this table does not have, or null.</param>
public sealed class SysctlTable(SysctlTable? parent = null)
{
    private readonly SortedDictionary<string, SysctlEntry> entries = new(StringComparer.Ordinal);

    /// <summary>All paths, sorted.</summary>
    public IReadOnlyList<string> Paths
    {
        get
        {
            lock (entries)
                return [.. entries.Keys.Concat(parent?.Paths ?? []).Distinct().Order(StringComparer.Ordinal)];
        }
    }

    /// <summary>Adds a setting, or replaces it.</summary>
    public void Register(string path, SysctlEntry entry)
    {
        lock (entries)
            entries[path] = entry;
    }

    /// <summary>Removes all settings whose path begins with <paramref name="prefix"/>.</summary>
    public void UnregisterAll(string prefix)
    {
        lock (entries)
        {
            foreach (string path in entries.Keys.Where(path => path.StartsWith(prefix, StringComparison.Ordinal)).ToArray())
                entries.Remove(path);
        }
    }

    /// <summary>Reads a setting.</summary>
    /// <param name="path">The path, with dots or slashes between its parts.</param>
    /// <param name="value">Its value as <c>/proc/sys</c> shows it.</param>
    /// <returns>0, or -ENOENT.</returns>
    public int Read(string path, out string value)
    {
        if (Find(path) is not { } entry)
        {
            value = "";
            return -ENOENT;
        }

        value = entry.Read() + "\n";
        return 0;
    }

    /// <summary>Writes a setting.</summary>
    /// <param name="path">The path, with dots or slashes between its parts.</param>
    /// <param name="value">The value, as it would be written to the file.</param>
    /// <returns>0, -ENOENT, -EACCES for one that cannot be written, or -EINVAL for a value that does not fit.</returns>
    public int Write(string path, string value)
    {
        if (Find(path) is not { } entry)
            return -ENOENT;
        return entry.ReadOnly ? -EACCES : entry.Write(value.Trim('\n', ' ', '\t', '\0'));
    }

    // With slashes, dots are part of a name: the name of a device may have one.
    private SysctlEntry? Find(string path)
    {
        string dotted = path.Replace('/', '.');
        lock (entries)
        {
            if (entries.TryGetValue(dotted, out SysctlEntry? entry))
                return entry;
        }

        return parent?.Find(path);
    }
}

/// <summary>One setting: its value as text.</summary>
public abstract class SysctlEntry
{
    /// <summary>Whether it can only be read.</summary>
    public virtual bool ReadOnly => false;

    /// <summary>The value, without a line feed.</summary>
    public abstract string Read();

    /// <summary>Sets the value.</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int Write(string value);
}

/// <summary>A whole number in a range (<c>proc_dointvec_minmax</c>).</summary>
/// <param name="get">Reads the value.</param>
/// <param name="set">Sets a value that is in the range.</param>
/// <param name="min">Least value.</param>
/// <param name="max">Largest value.</param>
public sealed class SysctlInt(Func<long> get, Action<long> set, long min = int.MinValue, long max = int.MaxValue) : SysctlEntry
{
    /// <inheritdoc/>
    public override string Read() => get().ToString(CultureInfo.InvariantCulture);

    /// <inheritdoc/>
    public override int Write(string value)
    {
        if (!SysctlNumber.TryParse(value, out long number) || number < min || number > max)
            return -EINVAL;
        set(number);
        return 0;
    }
}

/// <summary>Several whole numbers with tabs between them (<c>proc_dointvec</c> on an array).</summary>
/// <param name="get">Reads the values.</param>
/// <param name="set">Sets all values; answers 0 or a negative errno.</param>
public sealed class SysctlInts(Func<long[]> get, Func<long[], int> set) : SysctlEntry
{
    /// <inheritdoc/>
    public override string Read() => string.Join('\t', get().Select(v => v.ToString(CultureInfo.InvariantCulture)));

    /// <inheritdoc/>
    public override int Write(string value)
    {
        string[] words = value.Split((char[])[' ', '\t'], StringSplitOptions.RemoveEmptyEntries);
        long[] current = get();
        if (words.Length == 0 || words.Length > current.Length)
            return -EINVAL;
        for (int i = 0; i < words.Length; i++)
        {
            if (!SysctlNumber.TryParse(words[i], out current[i]))
                return -EINVAL;
        }

        return set(current);
    }
}

/// <summary>A text (<c>proc_dostring</c>).</summary>
/// <param name="get">Reads the value.</param>
/// <param name="set">Sets the value; answers 0 or a negative errno. Null for a value that can only be read.</param>
public sealed class SysctlString(Func<string> get, Func<string, int>? set) : SysctlEntry
{
    /// <inheritdoc/>
    public override bool ReadOnly => set == null;

    /// <inheritdoc/>
    public override string Read() => get();

    /// <inheritdoc/>
    public override int Write(string value) => set!(value);
}

/// <summary>Numbers as /proc/sys takes them: decimal, 0x hexadecimal or 0 octal, with a sign.</summary>
internal static class SysctlNumber
{
    public static bool TryParse(string text, out long number)
    {
        number = 0;
        bool negative = text.StartsWith('-');
        string digits = negative ? text[1..] : text;
        if (digits.Length == 0 || !char.IsAsciiDigit(digits[0]))
            return false;
        bool parsed = true;
        if (digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            parsed = long.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out number);
        else if (digits.Length > 1 && digits[0] == '0')
            parsed = TryParseOctal(digits, out number);
        else
            parsed = long.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out number);
        if (negative)
            number = -number;
        return parsed;
    }

    private static bool TryParseOctal(string digits, out long number)
    {
        number = 0;
        foreach (char digit in digits)
        {
            if (digit is < '0' or > '7' || number > long.MaxValue >> 3)
                return false;
            number = number << 3 | (uint)(digit - '0');
        }

        return true;
    }
}
