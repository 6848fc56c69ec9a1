using System.Globalization;
using System.Net;
using System.Net.Sockets;

namespace Linnet.Kernel.Security;

/// <summary>Reads policy files: a line is a verdict followed by what it applies to.</summary>
internal sealed class PolicyParser(string fileName)
{
    // The longest name that a task has.
    private const int LongestComm = 15;

    // Nothing else has an address when it is asked for.
    private const PolicyOperation Addressless = PolicyOperation.Create;

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
            List<Word> words = Split(raw.Split('#', 2)[0]);
            if (words.Count > 0)
                ParseLine(words);
        }

        if (errors.Count > 0)
            throw new PolicySyntaxException(errors);
        return new Policy(rules, fallback ?? new PolicyRule { Name = "default", Line = 0, Allows = true });
    }

    private static List<Word> Split(string content)
    {
        List<Word> words = [];
        for (int i = 0; i < content.Length; i++)
        {
            if (char.IsWhiteSpace(content[i]))
                continue;
            int start = i;
            while (i < content.Length && !char.IsWhiteSpace(content[i]))
                i++;
            words.Add(new Word(content[start..i], start + 1));
        }

        return words;
    }

    private void ParseLine(List<Word> words)
    {
        switch (words[0].Text)
        {
            case "default":
                ParseDefault(words);
                break;
            case "allow" or "deny":
                ParseRule(words[0].Text == "allow", words.Skip(1));
                break;
            default:
                Error(words[0], $"a line begins with allow, deny or default, not with '{words[0].Text}'");
                break;
        }
    }

    private void ParseDefault(List<Word> words)
    {
        if (fallback != null)
            Error(words[0], $"there is a default already, in line {fallback.Line}");
        int errno = EACCES;
        string verdict = words.Count > 1 ? words[1].Text : "";
        bool valid = words.Count is 2 or 3 && verdict is "allow" or "deny";
        if (valid && words.Count == 3)
            valid = verdict == "deny" && words[2].Text.StartsWith("errno=", StringComparison.Ordinal) && TryErrno(words[2].Text[6..], out errno);
        if (!valid)
            Error(words[^1], "expected 'default allow' or 'default deny [errno=NAME]'");
        fallback = new PolicyRule { Name = $"default ({fileName}:{line})", Line = line, Allows = verdict == "allow", Errno = errno };
    }

    private void ParseRule(bool allows, IEnumerable<Word> words)
    {
        Dictionary<string, Word> fields = new(StringComparer.Ordinal);
        Dictionary<string, Word> given = new(StringComparer.Ordinal);
        foreach (Word word in words)
        {
            int equals = word.Text.IndexOf('=', StringComparison.Ordinal);
            if (equals <= 0 || equals == word.Text.Length - 1)
                Error(word, $"expected key=value, not '{word.Text}'");
            else if (!fields.TryAdd(word.Text[..equals], word.From(equals + 1)))
                Error(word, $"{word.Text[..equals]} is given twice; several values are written with commas between them");
            else
                given[word.Text[..equals]] = word;
        }

        PolicyRule rule = new()
        {
            Line = line,
            Allows = allows,
            Name = Take(fields, "name")?.Text ?? $"{fileName}:{line}",
            Errno = ParseErrno(Take(fields, "errno"), allows),
            Hosts = Take(fields, "host")?.Text.Split(','),
            Programs = Programs(Take(fields, "program")),
            Paths = Take(fields, "path")?.Text.Split(','),
            Families = Numbers(Take(fields, "family"), "family", PolicyWords.Families, NPROTO - 1),
            Types = Numbers(Take(fields, "type"), "type", PolicyWords.Types, SOCK_MAX - 1),
            Protocols = Numbers(Take(fields, "protocol"), "protocol", PolicyWords.Protocols, IPPROTO_MAX - 1),
            Addresses = Prefixes(Take(fields, "address")),
            Ports = PortRanges(Take(fields, "port")),
            Operations = ParseOperations(Take(fields, "operation")),
        };
        foreach (string unknown in fields.Keys)
        {
            Error(given[unknown], $"unknown key '{unknown}'; known are host, program, path, family, type, protocol, address, port,"
                + " operation, errno, name");
        }

        if (rule.Addresses != null || rule.Ports != null)
            CheckAddressed(rule, given);
        rules.Add(rule);
    }

    // A rule that can never match is not what was meant.
    private void CheckAddressed(PolicyRule rule, Dictionary<string, Word> given)
    {
        if ((rule.Operations & ~Addressless) == PolicyOperation.None && given.TryGetValue("operation", out Word operation))
            Error(operation, "a socket has no address or port when it is made; write operation=bind or operation=connect");
    }

    private static Word? Take(Dictionary<string, Word> fields, string key) =>
        fields.Remove(key, out Word value) ? value : null;

    private string[]? Programs(Word? value)
    {
        if (value == null)
            return null;
        foreach (Word part in value.Value.Parts())
        {
            if (part.Text.Length > LongestComm && !part.Text.Contains('*', StringComparison.Ordinal))
                Error(part, $"'{part.Text}' is longer than a program's name, which has {LongestComm} characters; write '{part.Text[..LongestComm]}', or path=");
        }

        return value.Value.Text.Split(',');
    }

    private int ParseErrno(Word? value, bool allows)
    {
        if (value is not { } word)
            return EACCES;
        if (allows)
            Error(word, "errno belongs to deny: what is allowed has none");
        if (!TryErrno(word.Text, out int errno))
            Error(word, $"'{word.Text}' is no errno; use a name like EPERM");
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

    private int[]? Numbers(Word? value, string key, Dictionary<string, int> names, int largest)
    {
        if (value == null)
            return null;
        List<int> numbers = [];
        foreach (Word part in value.Value.Parts())
        {
            if (names.TryGetValue(part.Text, out int number))
                numbers.Add(number);
            else if (int.TryParse(part.Text, NumberStyles.None, CultureInfo.InvariantCulture, out number) && number <= largest)
                numbers.Add(number);
            else
                Error(part, $"'{part.Text}' is no {key}; use a number up to {largest} or one of {string.Join(", ", names.Keys)}");
        }

        return [.. numbers];
    }

    private AddressPrefix[]? Prefixes(Word? value)
    {
        if (value == null)
            return null;
        List<AddressPrefix> prefixes = [];
        foreach (Word part in value.Value.Parts())
        {
            if (TryPrefix(part.Text, out AddressPrefix prefix))
                prefixes.Add(prefix);
            else
                Error(part, $"'{part.Text}' is no address or prefix; write 192.0.2.1, 10.0.0.0/8 or 2001:db8::/32, with no bits beyond the prefix");
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

    private (int First, int Last)[]? PortRanges(Word? value)
    {
        if (value == null)
            return null;
        List<(int First, int Last)> ranges = [];
        foreach (Word part in value.Value.Parts())
        {
            string[] ends = part.Text.Split('-', 2);
            if (TryPort(ends[0], out int first) && TryPort(ends[^1], out int last) && first <= last)
                ranges.Add((first, last));
            else
                Error(part, $"'{part.Text}' is no port or range of ports; write 80 or 8000-8999, up to 65535");
        }

        return [.. ranges];
    }

    private static bool TryPort(string text, out int port) =>
        int.TryParse(text, NumberStyles.None, CultureInfo.InvariantCulture, out port) && port <= ushort.MaxValue;

    private PolicyOperation ParseOperations(Word? value)
    {
        if (value == null)
            return PolicyOperation.All;
        PolicyOperation operations = PolicyOperation.None;
        foreach (Word part in value.Value.Parts())
        {
            if (PolicyWords.Operations.TryGetValue(part.Text, out PolicyOperation operation))
                operations |= operation;
            else
                Error(part, $"'{part.Text}' is no operation; use one of {string.Join(", ", PolicyWords.Operations.Keys)}");
        }

        return operations;
    }

    private void Error(Word word, string message) => errors.Add($"{fileName}:{line}:{word.Column}: {message}");

    // A piece of a line, and where it begins, from 1.
    private readonly record struct Word(string Text, int Column)
    {
        public Word From(int start) => new(Text[start..], Column + start);

        public IEnumerable<Word> Parts()
        {
            int start = 0;
            foreach (string part in Text.Split(','))
            {
                yield return new Word(part, Column + start);
                start += part.Length + 1;
            }
        }
    }
}
