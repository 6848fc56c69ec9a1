using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.IpRoute;

/// <summary>Ends a command.</summary>
internal sealed class IpCommandException(int exitCode, string message) : Exception(message)
{
    /// <summary>Exit status of <c>ip</c>.</summary>
    public int ExitCode { get; } = exitCode;

    /// <summary>The kernel refused.</summary>
    public static void ThrowIfFailed(int result)
    {
        if (result < 0)
            throw new IpCommandException(2, $"RTNETLINK answers: {Errno.Describe(result)}");
    }

    public static IpCommandException Garbage(string word) =>
        new(255, $"Error: either \"to\" is duplicate, or \"{word}\" is a garbage.");

    public static IpCommandException Wrong(string word, string why) =>
        new(255, $"Error: argument \"{word}\" is wrong: {why}");
}

/// <summary>What a command prints, and the options that say how.</summary>
internal sealed class IpOutput
{
    private readonly StringBuilder text = new();

    /// <summary>Also what goes without saying (<c>-details</c>).</summary>
    public bool Details { get; private set; }

    /// <summary>Each record on a line (<c>-oneline</c>).</summary>
    public bool OneLine { get; private set; }

    /// <summary>A short table (<c>-brief</c>).</summary>
    public bool Brief { get; private set; }

    /// <summary>Between the lines of a record.</summary>
    public string LineBreak => OneLine ? "\\" : "\n";

    public void Apply(string option, IpWords words)
    {
        string name = option.StartsWith("--", StringComparison.Ordinal) ? option[1..] : option;
        if (name == "-4" || name == "-0")
            return;
        if (IpWords.Abbreviates(name, "-details"))
            Details = true;
        else if (IpWords.Abbreviates(name, "-oneline"))
            OneLine = true;
        else if (IpWords.Abbreviates(name, "-brief") || name == "-br")
            Brief = true;
        else if (name is "-f" or "-family")
            RequireInet(words);
        else
            throw new IpCommandException(255, $"Option \"{option}\" is unknown, try \"ip -help\".");
    }

    public IpOutput Write(string piece)
    {
        text.Append(piece);
        return this;
    }

    public override string ToString() => text.ToString();

    private static void RequireInet(IpWords words)
    {
        words.Skip();
        if (words.Peek is not ("inet" or "4"))
            throw new IpCommandException(255, $"Error: argument \"{words.Peek}\" is wrong: invalid protocol family");
    }
}

/// <summary>The words of a command, read one by one, with iproute2's ways to write numbers and addresses.</summary>
internal sealed class IpWords(IReadOnlyList<string> words)
{
    private int at;

    /// <summary>Whether there is another word.</summary>
    public bool More => at < words.Count;

    /// <summary>The next word, or null.</summary>
    public string? Peek => More ? words[at] : null;

    /// <summary>Whether <paramref name="word"/> is <paramref name="full"/> or a beginning of it (<c>matches</c>).</summary>
    public static bool Abbreviates(string word, string full) =>
        word.Length > 0 && full.StartsWith(word, StringComparison.Ordinal);

    public void Skip() => at++;

    /// <summary>The next word, which has to be there.</summary>
    public string Next() =>
        More ? words[at++] : throw new IpCommandException(255, "Command line is not complete. Try option \"help\"");

    /// <summary>Takes the next word if it is the given one.</summary>
    public bool Take(string word)
    {
        if (Peek != word)
            return false;
        Skip();
        return true;
    }

    public uint NextUint(string what) =>
        TryUint(Next(), out uint value) ? value : throw IpCommandException.Wrong(words[at - 1], $"\"{what}\" value is invalid");

    public byte NextByte(string what)
    {
        uint value = NextUint(what);
        return value <= byte.MaxValue ? (byte)value : throw IpCommandException.Wrong(words[at - 1], $"\"{what}\" value is invalid");
    }

    public bool NextOnOff()
    {
        string word = Next();
        return word switch
        {
            "on" => true,
            "off" => false,
            _ => throw new IpCommandException(255, $"Error: argument of \"{words[at - 2]}\" must be \"on\" or \"off\", not \"{word}\""),
        };
    }

    /// <summary>An address.</summary>
    public uint NextAddress()
    {
        string word = Next();
        if (TryAddress(word, complete: true, out uint addr))
            return addr;
        throw new IpCommandException(1, $"Error: inet address is expected rather than \"{word}\".");
    }

    /// <summary>A prefix: <c>10.0.0.0/8</c>, <c>10/8</c>, <c>10.0.0.1</c>, <c>default</c>, <c>any</c>.</summary>
    public (uint Address, int Length) NextPrefix()
    {
        string word = Next();
        return TryPrefix(word, out uint addr, out int length)
            ? (addr, length)
            : throw new IpCommandException(1, $"Error: any valid prefix is expected rather than \"{word}\".");
    }

    /// <summary>The devices that <c>show</c> is to show: one by its name, those that are up, or all.</summary>
    public IEnumerable<NetDevice> TakeShown(NetNamespace net)
    {
        NetDevice? only = null;
        bool upOnly = false;
        while (More)
        {
            if (Take("up"))
                upOnly = true;
            else if (Take("dev") || only == null)
                only = NextDevice(net);
            else
                throw IpCommandException.Garbage(Next());
        }

        return net.Devices.All.Where(dev => (only == null || dev == only) && (!upOnly || dev.IsUp));
    }

    /// <summary>A device by name.</summary>
    public NetDevice NextDevice(NetNamespace net)
    {
        string name = Next();
        return net.Devices.DevGetByName(name) ?? throw new IpCommandException(1, $"Cannot find device \"{name}\"");
    }

    /// <summary>A link address, as <c>02:00:00:00:00:01</c>.</summary>
    public byte[] NextLinkAddress(int length)
    {
        string word = Next();
        string[] parts = word.Split(':');
        byte[] bytes = new byte[parts.Length];
        for (int i = 0; i < parts.Length; i++)
        {
            if (!byte.TryParse(parts[i], NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out bytes[i]))
                throw new IpCommandException(1, $"\"{word}\" is invalid lladdr.");
        }

        return bytes.Length == length ? bytes : throw new IpCommandException(2, "RTNETLINK answers: Invalid argument");
    }

    public static bool TryPrefix(string word, out uint addr, out int length)
    {
        addr = 0;
        length = 0;
        if (word is "default" or "any" or "all")
            return true;
        int slash = word.IndexOf('/');
        string address = slash < 0 ? word : word[..slash];
        if (!TryAddress(address, complete: slash < 0 && false, out addr))
            return false;
        if (slash < 0)
        {
            length = 32;
            return true;
        }

        string rest = word[(slash + 1)..];
        if (TryUint(rest, out uint bits) && bits <= 32)
        {
            length = (int)bits;
            return true;
        }

        // A mask instead of a length.
        if (!TryAddress(rest, complete: true, out uint mask) || (~mask & (~mask + 1)) != 0)
            return false;
        length = System.Numerics.BitOperations.PopCount(mask);
        return true;
    }

    /// <summary>A number as <c>strtoul</c> reads it: decimal, <c>0x</c> or octal.</summary>
    public static bool TryUint(string word, out uint value)
    {
        value = 0;
        if (word.StartsWith("0x", StringComparison.OrdinalIgnoreCase))
            return uint.TryParse(word.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out value);
        if (word.Length < 2 || word[0] != '0')
            return uint.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        ulong octal = 0;
        foreach (char digit in word)
        {
            octal = octal << 3 | (uint)(digit - '0');
            if (digit is < '0' or > '7' || octal > uint.MaxValue)
                return false;
        }

        value = (uint)octal;
        return true;
    }

    // Missing bytes at the end are 0: 10.1 is 10.1.0.0.
    private static bool TryAddress(string word, bool complete, out uint addr)
    {
        addr = 0;
        string[] parts = word.Split('.');
        if (parts.Length > 4 || (complete && parts.Length != 4))
            return false;
        for (int i = 0; i < parts.Length; i++)
        {
            if (!byte.TryParse(parts[i], NumberStyles.None, CultureInfo.InvariantCulture, out byte part))
                return false;
            addr |= (uint)part << (24 - 8 * i);
        }

        return true;
    }

    /// <summary>An address or a prefix as <c>ip</c> prints it.</summary>
    public static string Text(uint addr, int length = 32) =>
        length == 32 ? Ipv4Addr.Text(addr) : length == 0 && addr == 0 ? "default" : $"{Ipv4Addr.Text(addr)}/{length}";

    /// <summary>A link address as <c>ip</c> prints it.</summary>
    public static string Text(ReadOnlySpan<byte> linkAddress)
    {
        StringBuilder text = new();
        foreach (byte part in linkAddress)
            text.Append(text.Length == 0 ? "" : ":").Append(part.ToString("x2", CultureInfo.InvariantCulture));
        return text.ToString();
    }
}
