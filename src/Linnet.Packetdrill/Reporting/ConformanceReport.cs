using System.Globalization;
using System.Text;

namespace Linnet.Packetdrill.Reporting;

/// <summary>How a script's result compares with that of real kernels.</summary>
public enum Conformance
{
    /// <summary>It passes here and on a kernel, or its result there is not known.</summary>
    Pass,

    /// <summary>It passes here and on no kernel.</summary>
    PassOnlyHere,

    /// <summary>It fails here and passes on a kernel, or its result there is not known.</summary>
    Fail,

    /// <summary>It fails here as it does on all kernels.</summary>
    FailEverywhere,
}

/// <summary>A table of a suite's results, beside what real kernels make of the same scripts.</summary>
/// <param name="entries">The results.</param>
/// <param name="expected">What is known of real kernels, or null.</param>
public sealed class ConformanceReport(IReadOnlyList<SuiteEntry> entries, ExpectedResults? expected)
{
    private const int MaxFailure = 160;

    /// <summary>Scripts that do not pass though a kernel passes them, or of which nothing is known.</summary>
    public int Failed => entries.Count(entry => Judge(entry) == Conformance.Fail);

    /// <summary>Compares a result.</summary>
    public Conformance Judge(SuiteEntry entry)
    {
        bool passesThere = expected?.Find(entry.Path, entry.Mode)?.AnyPasses ?? true;
        return entry.Passed
            ? passesThere ? Conformance.Pass : Conformance.PassOnlyHere
            : passesThere ? Conformance.Fail : Conformance.FailEverywhere;
    }

    /// <summary>The summary's lines.</summary>
    public IEnumerable<string> Summary()
    {
        yield return Invariant($"{entries.Count} scripts: {entries.Count(e => e.Passed)} passed, {entries.Count(e => !e.Passed)} failed");
        if (expected is null)
            yield break;
        int attainable = entries.Count(entry => expected.Find(entry.Path, entry.Mode)?.AnyPasses == true);
        int attained = entries.Count(entry => entry.Passed && expected.Find(entry.Path, entry.Mode)?.AnyPasses == true);
        yield return Invariant($"of the {attainable} that {string.Join(" or ", expected.Kernels)} passes, {attained} pass here");
    }

    /// <summary>A row for a terminal: result, script, virtual time, the first line of the failure.</summary>
    /// <param name="entry">The result.</param>
    /// <param name="width">How wide the column of the scripts' names is.</param>
    public string Row(SuiteEntry entry, int width)
    {
        string verdict = Judge(entry) switch
        {
            Conformance.Pass => "pass",
            Conformance.PassOnlyHere => "pass (not on Linux)",
            Conformance.FailEverywhere => "fail (as on Linux)",
            _ => "FAIL",
        };
        string row = Invariant($"{verdict,-5} {entry.Path.PadRight(width)} {entry.Result.VirtualTime.TotalSeconds,9:0.000} s");
        return entry.Passed ? row : $"{row}  {Shorten(entry.Failure)}";
    }

    /// <summary>The results as a page: a summary by directory, then every script. It says nothing that differs from run to run.</summary>
    /// <param name="root">The directory that the scripts' names are relative to.</param>
    public string Markdown(string root)
    {
        StringBuilder page = new();
        page.Append("| Directory | Scripts |");
        foreach (string kernel in expected?.Kernels ?? [])
            page.Append($" {kernel} |");
        page.Append(" Linnet |\n|---|---|").Append(string.Concat(Enumerable.Repeat("---|", (expected?.Kernels.Length ?? 0) + 1))).Append('\n');
        foreach (IGrouping<string, SuiteEntry> directory in entries.GroupBy(entry => DirectoryOf(entry, root)).OrderBy(g => g.Key, StringComparer.Ordinal))
            AppendDirectory(page, $"`{directory.Key}`", [.. directory]);
        AppendDirectory(page, "**all**", entries);

        page.Append("\n| Script |");
        foreach (string kernel in expected?.Kernels ?? [])
            page.Append($" {kernel} |");
        page.Append(" Linnet | Remark |\n|---|").Append(string.Concat(Enumerable.Repeat("---|", (expected?.Kernels.Length ?? 0) + 2))).Append('\n');
        foreach (SuiteEntry entry in entries)
            AppendScript(page, entry, root);
        return page.ToString();
    }

    private void AppendDirectory(StringBuilder page, string name, IReadOnlyList<SuiteEntry> among)
    {
        page.Append(CultureInfo.InvariantCulture, $"| {name} | {among.Count} |");
        for (int i = 0; i < (expected?.Kernels.Length ?? 0); i++)
            page.Append(CultureInfo.InvariantCulture, $" {among.Count(e => expected!.Find(e.Path, e.Mode)?.Passes[i] == true)} |");
        page.Append(CultureInfo.InvariantCulture, $" {among.Count(e => e.Passed)} |\n");
    }

    private void AppendScript(StringBuilder page, SuiteEntry entry, string root)
    {
        ExpectedResult? known = expected?.Find(entry.Path, entry.Mode);
        page.Append(CultureInfo.InvariantCulture, $"| `{NameOf(entry, root)}` |");
        for (int i = 0; i < (expected?.Kernels.Length ?? 0); i++)
            page.Append(known is null ? " |" : known.Passes[i] ? " pass |" : " fail |");
        List<string> remarks = [];
        if (!entry.Passed)
            remarks.Add(Shorten(entry.Failure));
        if (known is { Cause.Length: > 0 })
            remarks.Add($"Linux: {known.Cause}");
        page.Append(entry.Passed ? " pass |" : " **fail** |");
        page.Append(' ').Append(string.Join("; ", remarks).Replace("|", "\\|", StringComparison.Ordinal)).Append(" |\n");
    }

    private static string NameOf(SuiteEntry entry, string root) => Path.GetRelativePath(root, entry.Path).Replace('\\', '/');

    private static string DirectoryOf(SuiteEntry entry, string root) =>
        Path.GetDirectoryName(NameOf(entry, root)) is { Length: > 0 } name ? name.Replace('\\', '/') : ".";

    private static string Shorten(string text) => text.Length > MaxFailure ? text[..MaxFailure] + "…" : text;

    private static string Invariant(FormattableString text) => text.ToString(CultureInfo.InvariantCulture);
}
