using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>grep [-EFqvciwxnos] [-e PATTERN]... PATTERN [FILE...]</c></summary>
internal static class GrepCommand
{
    private static readonly TimeSpan Timeout = TimeSpan.FromSeconds(5);

    public static int Run(CommandCall call)
    {
        HashSet<char> flags = [.. call.Name switch { "egrep" => "E", "fgrep" => "F", _ => "" }];
        List<string> patterns = [];
        List<string> files = [];
        Read(call, flags, patterns, files);

        Regex regex = Compile(call, flags, patterns);
        int matches = 0;
        bool isMissing = false;
        bool named = files.Count > 1;
        foreach (string file in files.Count == 0 ? ["-"] : files)
        {
            foreach (string text in TextCommands.Inputs(call, [file], () => isMissing = true))
                matches += Search(call, flags, regex, text, named ? file + ":" : "");
        }
        return matches > 0 && (!isMissing || flags.Contains('q')) ? 0 : isMissing ? 2 : 1;
    }

    private static void Read(CommandCall call, HashSet<char> flags, List<string> patterns, List<string> files)
    {
        for (int i = 0; i < call.Arguments.Length; i++)
        {
            string argument = call.Arguments[i];
            if (argument == "-e" && i + 1 < call.Arguments.Length)
                patterns.Add(call.Arguments[++i]);
            else if (argument.Length > 1 && argument[0] == '-')
            {
                foreach (char flag in argument.AsSpan(1))
                    flags.Add("EFqvciwxnos".Contains(flag) ? flag : throw call.Unsupported($"-{flag}"));
            }
            else if (patterns.Count == 0)
                patterns.Add(argument);
            else
                files.Add(argument);
        }
        if (patterns.Count == 0)
            throw call.Unsupported("a call without a pattern");
    }

    private static int Search(CommandCall call, HashSet<char> flags, Regex regex, string text, string prefix)
    {
        int matches = 0;
        int number = 0;
        foreach (string line in TextCommands.Lines(text))
        {
            number++;
            if (regex.IsMatch(line) == flags.Contains('v'))
                continue;
            matches++;
            if (flags.Contains('q') || flags.Contains('c'))
                continue;
            string where = flags.Contains('n') ? string.Create(CultureInfo.InvariantCulture, $"{prefix}{number}:") : prefix;
            if (!flags.Contains('o'))
                call.Print(where + line);
            else if (!flags.Contains('v'))
            {
                foreach (Match match in regex.Matches(line).Where(match => match.Length > 0))
                    call.Print(where + match.Value);
            }
        }
        if (flags.Contains('c') && !flags.Contains('q'))
            call.Print(string.Create(CultureInfo.InvariantCulture, $"{prefix}{matches}"));
        return matches;
    }

    private static Regex Compile(CommandCall call, HashSet<char> flags, List<string> patterns)
    {
        IEnumerable<string> parts = patterns.Select(pattern =>
            flags.Contains('F') ? Regex.Escape(pattern) : Translate(pattern, flags.Contains('E')));
        string joined = "(?:" + string.Join('|', parts) + ")";
        if (flags.Contains('w'))
            joined = $@"(?<!\w){joined}(?!\w)";
        if (flags.Contains('x'))
            joined = $"^{joined}$";
        try
        {
            return new Regex(
                joined, RegexOptions.CultureInvariant | (flags.Contains('i') ? RegexOptions.IgnoreCase : 0), Timeout);
        }
        catch (ArgumentException)
        {
            throw call.Unsupported($"the pattern '{string.Join('|', patterns)}'");
        }
    }

    /// <summary>POSIX's expressions in .NET's notation. In basic ones the backslash turns operators on; in extended ones off.</summary>
    private static string Translate(string pattern, bool extended)
    {
        StringBuilder result = new();
        for (int i = 0; i < pattern.Length; i++)
        {
            char c = pattern[i];
            bool escaped = c == '\\' && i + 1 < pattern.Length;
            if (escaped)
                c = pattern[++i];
            if (c == '[' && !escaped)
            {
                int end = BracketEnd(pattern, i);
                result.Append(TranslateBracket(pattern[i..end]));
                i = end - 1;
            }
            else if ("+?|(){}".Contains(c))
                result.Append(escaped == extended ? "\\" + c : c);
            else if (escaped && c is '<' or '>')
                result.Append("\\b");
            else if (escaped)
                result.Append(char.IsAsciiLetterOrDigit(c) ? "\\" + c : Regex.Escape(c.ToString()));
            else
                result.Append(".*^$".Contains(c) ? c.ToString() : Regex.Escape(c.ToString()));
        }
        return result.ToString();
    }

    private static int BracketEnd(string pattern, int start)
    {
        int i = start + 1;
        if (i < pattern.Length && pattern[i] == '^')
            i++;
        if (i < pattern.Length && pattern[i] == ']')
            i++;
        while (i < pattern.Length && pattern[i] != ']')
            i += pattern[i..].StartsWith("[:", StringComparison.Ordinal) && pattern.IndexOf(":]", i, StringComparison.Ordinal) is var e and > 0
                ? e + 2 - i : 1;
        return Math.Min(i + 1, pattern.Length);
    }

    private static string TranslateBracket(string bracket) => bracket
        .Replace("\\", "\\\\", StringComparison.Ordinal)
        .Replace("[:space:]", "\\s", StringComparison.Ordinal)
        .Replace("[:blank:]", " \\t", StringComparison.Ordinal)
        .Replace("[:digit:]", "0-9", StringComparison.Ordinal)
        .Replace("[:alpha:]", "A-Za-z", StringComparison.Ordinal)
        .Replace("[:alnum:]", "A-Za-z0-9", StringComparison.Ordinal)
        .Replace("[:xdigit:]", "A-Fa-f0-9", StringComparison.Ordinal);
}
