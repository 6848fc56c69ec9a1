using System.Collections.Immutable;

namespace Linnet.Packetdrill.Reporting;

/// <summary>A script of a suite, and how it went.</summary>
/// <param name="Path">The file, as it was named.</param>
/// <param name="Mode">Which of the three ways of running it: <c>v4</c>, <c>m46</c> or <c>v6</c>.</param>
/// <param name="Result">How it went; a script that cannot be read has only an error.</param>
/// <param name="Elapsed">How long the run took, of real time.</param>
public sealed record SuiteEntry(string Path, string Mode, RunResult Result, TimeSpan Elapsed)
{
    /// <summary>Whether the script went as written.</summary>
    public bool Passed => Result.Passed;

    /// <summary>The first line of the failure, without the file's name; empty for a script that passed.</summary>
    public string Failure
    {
        get
        {
            string first = (Result.Error ?? "").Split('\n', 2)[0].Trim();
            return first.StartsWith(Path, StringComparison.Ordinal) ? "line " + first[Path.Length..].TrimStart(':') : first;
        }
    }

    /// <summary>The name that tables of results use for a way of running.</summary>
    public static string ModeOf(IpVersion version) => version switch
    {
        IpVersion.Ipv4 => "v4",
        IpVersion.Ipv4MappedIpv6 => "m46",
        _ => "v6",
    };
}

/// <summary>What a kernel makes of a script: a row of a table that was measured on real ones.</summary>
/// <param name="Script">The end of the script's path.</param>
/// <param name="Mode"><c>v4</c>, <c>m46</c> or <c>v6</c>.</param>
/// <param name="Passes">For each kernel of the table, whether the script passes.</param>
/// <param name="Cause">Why not, where it does not; or empty.</param>
public sealed record ExpectedResult(string Script, string Mode, ImmutableArray<bool> Passes, string Cause)
{
    /// <summary>Whether any kernel passes it.</summary>
    public bool AnyPasses => Passes.Contains(true);
}
