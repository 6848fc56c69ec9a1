using System.CommandLine;
using Linnet.Packetdrill;
using Linnet.Packetdrill.Reporting;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet packetdrill</c>: runs packetdrill scripts on Linnet, in virtual time.</summary>
internal static class PacketdrillCommand
{
    private const string About = """
        Run packetdrill scripts on Linnet, in virtual time.

        Options are packetdrill's own. FILE may be a directory: all *.pkt below it are run. The status is 0 when all scripts go as
        written. One that does not is named as packetdrill does, with its line, and followed by the functions that the stack went
        through since the event before.
        """;

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string[]> files = new("FILE") { Description = "Scripts, or directories of them.", Arity = ArgumentArity.OneOrMore };
        Option<bool> report = new("--report") { Description = "Print a table of all results instead of what went wrong." };
        Option<string?> expected = new("--expected")
        {
            Description = "With --report: compare with what real kernels make of the scripts.",
            HelpName = "FILE.tsv",
        };
        Option<string?> markdown = new("--markdown") { Description = "Write the table as Markdown, too.", HelpName = "FILE" };
        Option<int?> jobs = new("--jobs", "-j") { Description = "Run so many scripts at a time.", HelpName = "N" };
        Command command = new("packetdrill", About) { files, report, expected, markdown, jobs };
        List<Func<ParseResult, IEnumerable<OptionSetting>>> readers = AddOptions(command);
        command.SetAction(parsed =>
        {
            List<OptionSetting> options = [.. readers.SelectMany(read => read(parsed))];
            bool isV6 = options.Exists(option => option is { Name: "ip_version", Value: "ipv6" });
            int atATime = parsed.GetValue(jobs) ?? Environment.ProcessorCount;
            if (atATime < 1)
                throw new UsageException("--jobs is at least 1");
            SuiteRun run = new(terminal, FindScripts(parsed.GetValue(files)!, isV6), options, atATime);
            if (!parsed.GetValue(report) && parsed.GetValue(expected) == null && parsed.GetValue(markdown) == null)
                return Run(run);
            return Report(run, parsed.GetValue(expected), parsed.GetValue(markdown));
        });
        return command;
    }

    /// <summary>Packetdrill's options. Those that mean nothing here are known, so that it can be said why.</summary>
    private static List<Func<ParseResult, IEnumerable<OptionSetting>>> AddOptions(Command command)
    {
        List<Func<ParseResult, IEnumerable<OptionSetting>>> readers = [];
        foreach (OptionDescription description in PacketdrillOptions.Descriptions)
        {
            string name = description.Name;
            string[] aliases = name switch { "define" => ["-D"], "verbose" => ["-v"], _ => [] };
            if (description.Value == null)
            {
                Option<bool> flag = new("--" + name, aliases) { Description = description.About };
                command.Options.Add(flag);
                readers.Add(parsed => parsed.GetValue(flag) ? [new OptionSetting(name, null)] : []);
                continue;
            }
            Option<string[]> option = new("--" + name, aliases) { Description = description.About, HelpName = description.Value };
            command.Options.Add(option);
            readers.Add(parsed => (parsed.GetValue(option) ?? []).Select(value => new OptionSetting(name, value)));
        }
        foreach (string name in PacketdrillOptions.RefusedNames)
        {
            ArgumentArity arity = PacketdrillOptions.IsFlag(name) ? ArgumentArity.Zero : ArgumentArity.ExactlyOne;
            Option<string?> option = new("--" + name) { Hidden = true, Arity = arity };
            command.Options.Add(option);
            readers.Add(parsed => parsed.GetResult(option) == null ? [] : [new OptionSetting(name, parsed.GetValue(option))]);
        }
        return readers;
    }

    private static IReadOnlyList<string> FindScripts(string[] paths, bool isV6)
    {
        try
        {
            return ScriptSuite.Find(paths, isV6) is { Count: > 0 } found ? found : throw new FailureException("there are no scripts");
        }
        catch (FileNotFoundException e)
        {
            throw new FailureException(e.Message);
        }
    }

    private static int Run(SuiteRun run)
    {
        bool isVerbose = run.Options.Any(option => option.Name == "verbose");
        int status = 0;
        ScriptSuite.Run(run.Scripts, run.Options, run.Jobs, entry =>
        {
            status |= entry.Passed ? 0 : 1;
            Print(run.Terminal, entry, isVerbose);
        });
        return status;
    }

    private static void Print(Terminal terminal, SuiteEntry entry, bool isVerbose)
    {
        foreach (string line in entry.Result.Log)
            terminal.Write(line, Ink.Faint);
        foreach (string line in entry.Result.Printed)
            terminal.Write(line);
        foreach (string warning in entry.Result.Warnings)
            terminal.Error.WriteLine(warning);
        if (entry.Result.Error is { } error)
        {
            terminal.Error.WriteLine(error);
            if (entry.Result.Trace.Count > 0)
                terminal.Write("what led to it:", Ink.Accent);
            foreach (string line in entry.Result.Trace)
                terminal.Write("  " + line, Ink.Faint);
        }
        else if (isVerbose)
        {
            terminal.Write(new Line().Add(entry.Path + ": ").Add("passed", Ink.Good)
                .Add(FormattableString.Invariant($", {entry.Result.VirtualTime.TotalSeconds:0.000} s of virtual time"), Ink.Faint));
        }
    }

    private static int Report(SuiteRun run, string? expectedFile, string? markdownFile)
    {
        ExpectedResults? expected = ReadExpected(expectedFile);
        int width = run.Scripts.Max(path => path.Length);
        ConformanceReport rows = new([], expected);
        IReadOnlyList<SuiteEntry> entries = ScriptSuite.Run(run.Scripts, run.Options, run.Jobs, entry =>
            run.Terminal.Write(rows.Row(entry, width), entry.Passed ? Ink.Good : Ink.Bad));

        ConformanceReport report = new(entries, expected);
        foreach (string line in report.Summary())
            run.Terminal.Write(line, Ink.Strong);
        if (markdownFile != null)
            WritePage(markdownFile, report, run.Scripts);
        return report.Failed == 0 ? 0 : 1;
    }

    private static ExpectedResults? ReadExpected(string? file)
    {
        if (file == null)
            return null;
        try
        {
            return ExpectedResults.Parse(File.ReadAllText(file));
        }
        catch (Exception e) when (e is IOException or FormatException)
        {
            throw new FailureException($"cannot read {file}: {e.Message.TrimEnd('.')}");
        }
    }

    private static void WritePage(string file, ConformanceReport report, IReadOnlyList<string> scripts)
    {
        // The tables of a page that is there are replaced; the text around them is written by people.
        const string Begin = "<!-- results: written by `linnet packetdrill --markdown` -->\n";
        const string End = "<!-- end of results -->\n";
        string tables = Begin + report.Markdown(CommonDirectory(scripts)) + End;
        string page = File.Exists(file) ? File.ReadAllText(file) : "";
        int begin = page.IndexOf(Begin, StringComparison.Ordinal);
        int end = begin < 0 ? -1 : page.IndexOf(End, begin, StringComparison.Ordinal);
        File.WriteAllText(file, end < 0 ? page + tables : page[..begin] + tables + page[(end + End.Length)..]);
    }

    private static string CommonDirectory(IReadOnlyList<string> scripts)
    {
        string[] common = Path.GetFullPath(scripts[0]).Split('/')[..^1];
        foreach (string script in scripts)
        {
            string[] parts = Path.GetFullPath(script).Split('/')[..^1];
            int same = 0;
            while (same < common.Length && same < parts.Length && common[same] == parts[same])
                same++;
            common = common[..same];
        }
        return string.Join('/', common) + "/";
    }

    /// <summary>What is to be run, and where it is told.</summary>
    private sealed record SuiteRun(Terminal Terminal, IReadOnlyList<string> Scripts, IReadOnlyList<OptionSetting> Options, int Jobs);
}
