using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Kernel.Security;

/// <summary>Reads policy files: a line is a verdict followed by what it applies to.</summary>
internal sealed class PolicyParser(string fileName)
{
    private static readonly Dictionary<string, int> FamilyNames = new(StringComparer.Ordinal)
    {
        ["unix"] = AF_UNIX,
        ["inet"] = AF_INET,
        ["inet6"] = AF_INET6,
        ["netlink"] = AF_NETLINK,
        ["packet"] = AF_PACKET,
        ["vsock"] = AF_VSOCK,
    };

    private static readonly Dictionary<string, int> TypeNames = new(StringComparer.Ordinal)
    {
        ["stream"] = SOCK_STREAM,
        ["dgram"] = SOCK_DGRAM,
        ["raw"] = SOCK_RAW,
        ["seqpacket"] = SOCK_SEQPACKET,
        ["rdm"] = SOCK_RDM,
    };

    private static readonly Dictionary<string, int> ProtocolNames = new(StringComparer.Ordinal)
    {
        ["icmp"] = IPPROTO_ICMP,
        ["tcp"] = IPPROTO_TCP,
        ["udp"] = IPPROTO_UDP,
        ["icmpv6"] = IPPROTO_ICMPV6,
        ["sctp"] = IPPROTO_SCTP,
        ["udplite"] = IPPROTO_UDPLITE,
        ["mptcp"] = IPPROTO_MPTCP,
    };

    private static readonly Dictionary<string, PolicyOperation> OperationNames = new(StringComparer.Ordinal)
    {
        ["create"] = PolicyOperation.Create,
        ["bind"] = PolicyOperation.Bind,
        ["connect"] = PolicyOperation.Connect,
        ["listen"] = PolicyOperation.Listen,
        ["accept"] = PolicyOperation.Accept,
        ["send"] = PolicyOperation.Send,
        ["receive"] = PolicyOperation.Receive,
        ["all"] = PolicyOperation.All,
    };

    private readonly List<string> errors = [];
    private readonly List<PolicyRule> rules = [];
    private PolicyRule? fallback;
    private int line;

    /// <summary>Reads the whole text, to the end also when there are errors.</summary>
    public Policy Parse(string text)
    {
        foreach (string raw in text.Split('\n'))
        {
            line++;
            string content = raw.Split('#', 2)[0].Trim();
            if (content.Length > 0)
                ParseLine(content.Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries));
        }

        if (errors.Count > 0)
            throw new PolicySyntaxException(errors);
        return new Policy(rules, fallback ?? new PolicyRule { Name = "default", Line = 0, Allows = true });
    }

    private void ParseLine(string[] words)
    {
        switch (words[0])
        {
            case "default":
                ParseDefault(words);
                break;
            case "allow" or "deny":
                ParseRule(words[0] == "allow", words.AsSpan(1));
                break;
            default:
                Error($"a line begins with allow, deny or default, not with '{words[0]}'");
                break;
        }
    }

    private void ParseDefault(string[] words)
    {
        if (fallback != null)
            Error($"there is a default already, in line {fallback.Line}");
        int errno = EACCES;
        bool valid = words.Length is 2 or 3 && words[1] is "allow" or "deny";
        if (valid && words.Length == 3)
            valid = words[1] == "deny" && words[2].StartsWith("errno=", StringComparison.Ordinal) && TryErrno(words[2][6..], out errno);
        if (!valid)
            Error("expected 'default allow' or 'default deny [errno=NAME]'");
        fallback = new PolicyRule { Name = "default", Line = line, Allows = words.Length > 1 && words[1] == "allow", Errno = errno };
    }

    private void ParseRule(bool allows, ReadOnlySpan<string> words)
    {
        Dictionary<string, string> fields = new(StringComparer.Ordinal);
        foreach (string word in words)
        {
            int equals = word.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == word.Length - 1)
                Error($"expected key=value, not '{word}'");
            else if (!fields.TryAdd(word[..equals], word[(equals + 1)..]))
                Error($"{word[..equals]} is given twice; several values are written with commas between them");
        }

        PolicyRule rule = new()
        {
            Line = line,
            Allows = allows,
            Name = Take(fields, "name") ?? $"{fileName}:{line}",
            Errno = ParseErrno(Take(fields, "errno"), allows),
            Programs = Take(fields, "program")?.Split(','),
            Paths = Take(fields, "path")?.Split(','),
            Families = Numbers(Take(fields, "family"), "family", FamilyNames, NPROTO - 1),
            Types = Numbers(Take(fields, "type"), "type", TypeNames, SOCK_MAX - 1),
            Protocols = Numbers(Take(fields, "protocol"), "protocol", ProtocolNames, IPPROTO_MAX - 1),
            Addresses = Prefixes(Take(fields, "address")),
            Ports = PortRanges(Take(fields, "port")),
            Operations = ParseOperations(Take(fields, "operation")),
        };
        foreach (string unknown in fields.Keys)
            Error($"unknown key '{unknown}'; known are program, path, family, type, protocol, address, port, operation, errno, name");
        rules.Add(rule);
    }

    private static string? Take(Dictionary<string, string> fields, string key) =>
        fields.Remove(key, out string? value) ? value : null;

    private int ParseErrno(string? text, bool allows)
    {
        if (text == null)
            return EACCES;
        if (allows)
            Error("errno belongs to deny: what is allowed has none");
        if (!TryErrno(text, out int errno))
            Error($"'{text}' is no errno; use a name like EPERM");
        return errno;
    }

    private static bool TryErrno(string text, out int errno)
    {
        errno = EACCES;
        if (int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
        {
            errno = number;
            return number is > 0 and < 512;
        }

        for (int candidate = 1; candidate < 512; candidate++)
        {
            if (Uapi.Errno.Name(candidate) != text)
                continue;
            errno = candidate;
            return true;
        }

        return false;
    }

    private int[]? Numbers(string? text, string key, Dictionary<string, int> names, int largest)
    {
        if (text == null)
            return null;
        List<int> numbers = [];
        foreach (string part in text.Split(','))
        {
            if (names.TryGetValue(part, out int number))
                numbers.Add(number);
            else if (int.TryParse(part, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= largest)
                numbers.Add(number);
            else
                Error($"'{part}' is no {key}; use a number up to {largest} or one of {string.Join(", ", names.Keys)}");
        }

        return [.. numbers];
    }

    private AddressPrefix[]? Prefixes(string? text)
    {
        if (text == null)
            return null;
        List<AddressPrefix> prefixes = [];
        foreach (string part in text.Split(','))
        {
            if (TryPrefix(part, out AddressPrefix prefix))
                prefixes.Add(prefix);
            else
                Error($"'{part}' is no address or prefix; write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32, with no bits beyond the prefix");
        }

        return [.. prefixes];
    }

    private static bool TryPrefix(string text, out AddressPrefix prefix)
    {
        prefix = default;
        string[] halves = text.Split('/', 2);
        if (!IPAddress.TryParse(halves[0], out IPAddress? address))
            return false;
        bool isV4 = address.AddressFamily == AddressFamily.InterNetwork;
        // The short forms "10" and "10.1" mean other addresses than people expect.
        if (isV4 && halves[0].Count(c => c == '.') != 3)
            return false;
        int width = isV4 ? 32 : 128;
        int bits = width;
        if (halves.Length == 2
            && (!int.TryParse(halves[1], NumberStyles.None, CultureInfo.InvariantCulture, out bits) || bits > width))
            return false;
        if (HasBitsBeyond(address, bits))
            return false;
        prefix = new AddressPrefix(address, bits);
        return true;
    }

    // 10.0.0.1/8 says two things at once; which of them is meant is not for the parser to guess.
    private static bool HasBitsBeyond(IPAddress address, int bits)
    {
        byte[] bytes = address.GetAddressBytes();
        for (int bit = bits; bit < bytes.Length * 8; bit++)
        {
            if ((bytes[bit / 8] & (0x80 >> (bit % 8))) != 0)
                return true;
        }

        return false;
    }

    private (int First, int Last)[]? PortRanges(string? text)
    {
        if (text == null)
            return null;
        List<(int First, int Last)> ranges = [];
        foreach (string part in text.Split(','))
        {
            string[] ends = part.Split('-', 2);
            if (TryPort(ends[0], out int first) && TryPort(ends[^1], out int last) && first <= last)
                ranges.Add((first, last));
            else
                Error($"'{part}' is no port or range of ports; write 80 or 8000-8999, up to 65535");
        }

        return [.. ranges];
    }

    private static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= ushort.MaxValue;

    private PolicyOperation ParseOperations(string? text)
    {
        if (text == null)
            return PolicyOperation.All;
        PolicyOperation operations = PolicyOperation.None;
        foreach (string part in text.Split(','))
        {
            if (OperationNames.TryGetValue(part, out PolicyOperation operation))
                operations |= operation;
            else
                Error($"'{part}' is no operation; use one of {string.Join(", ", OperationNames.Keys)}");
        }

        return operations;
    }

    private void Error(string message) => errors.Add($"{fileName}:{line}: {message}");
}
