using System.Globalization;
using System.Text.RegularExpressions;

namespace Linnet.Packetdrill.Commands;

/// <summary>
/// <c>nstat [-a] [-n] [-s] [-r] [-z] [PATTERN...]</c>: what the counters of <c>/proc/net/snmp</c> and <c>/proc/net/netstat</c> gained
/// since it was called last.
/// </summary>
internal static class NstatCommand
{
    // Settings and states among the counters, of which a difference says nothing; nstat hides them, too.
    private static readonly string[] NoCounters =
        ["IpForwarding", "IpDefaultTTL", "TcpRtoAlgorithm", "TcpRtoMin", "TcpRtoMax", "TcpMaxConn", "TcpCurrEstab"];

    public static int Run(CommandCall call)
    {
        HashSet<char> flags = [];
        List<Regex> patterns = [];
        foreach (string argument in call.Arguments)
        {
            if (argument is ['-', '-', ..])
                flags.Add(LongFlag(call, argument));
            else if (argument is ['-', ..])
                flags.UnionWith(argument[1..].Select(c => "ansrz".Contains(c) ? c : throw call.Unsupported($"-{c}")));
            else
                patterns.Add(Glob(argument));
        }

        Dictionary<string, long> history = call.Host.NstatHistory;
        if (flags.Contains('r'))
            history.Clear();
        List<(string Name, long Value)> counters = [.. Read(call.Host.Files)];
        if (!flags.Contains('n'))
            Print(call, flags, patterns, counters);
        if (!flags.Contains('s'))
        {
            foreach ((string name, long value) in counters)
                history[name] = value;
        }
        return 0;
    }

    private static void Print(CommandCall call, HashSet<char> flags, List<Regex> patterns, List<(string Name, long Value)> counters)
    {
        call.Print("#kernel");
        foreach ((string name, long value) in counters)
        {
            long shown = flags.Contains('a') ? value : value - call.Host.NstatHistory.GetValueOrDefault(name);
            bool isHidden = (shown == 0 || NoCounters.Contains(name)) && !flags.Contains('z');
            if (!isHidden && (patterns.Count == 0 || patterns.Exists(pattern => pattern.IsMatch(name))))
                call.Print(string.Create(CultureInfo.InvariantCulture, $"{name,-32}{shown,-16}{0.0,6:0.0}"));
        }
    }

    /// <summary>The files have lines in pairs: a group and its names, the same group and its values.</summary>
    private static IEnumerable<(string Name, long Value)> Read(TestFiles files)
    {
        foreach (string file in (string[])["/proc/net/snmp", "/proc/net/netstat"])
        {
            if (!files.TryRead(file, out string text))
                continue;
            string[] lines = [.. TextCommands.Lines(text)];
            for (int i = 0; i + 1 < lines.Length; i += 2)
            {
                string[] names = lines[i].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                string[] values = lines[i + 1].Split(' ', StringSplitOptions.RemoveEmptyEntries);
                for (int j = 1; j < names.Length && j < values.Length; j++)
                    yield return (names[0].TrimEnd(':') + names[j], long.Parse(values[j], CultureInfo.InvariantCulture));
            }
        }
    }

    private static char LongFlag(CommandCall call, string argument) => argument switch
    {
        "--ignore" => 'a',
        "--nooutput" => 'n',
        "--noupdate" => 's',
        "--reset" => 'r',
        "--zeros" => 'z',
        _ => throw call.Unsupported(argument),
    };

    private static Regex Glob(string pattern) => new(
        "^" + Regex.Escape(pattern).Replace(@"\*", ".*", StringComparison.Ordinal).Replace(@"\?", ".", StringComparison.Ordinal) + "$",
        RegexOptions.CultureInvariant);
}
