using System.Collections.Immutable;

namespace Linnet.Packetdrill.Reporting;

/// <summary>
/// What real kernels make of scripts: a table with tabs between its columns, which are named in the first line: <c>script</c>,
/// <c>mode</c>, one for each kernel (named <c>kVERSION_any</c>; <c>False</c> for a failure) and <c>cause</c>.
/// </summary>
public sealed class ExpectedResults
{
    private readonly Dictionary<(string Name, string Mode), List<ExpectedResult>> rows = [];

    private ExpectedResults(ImmutableArray<string> kernels) => Kernels = kernels;

    /// <summary>The kernels, as <c>Linux 6.18</c>.</summary>
    public ImmutableArray<string> Kernels { get; }

    /// <summary>Reads a table.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static ExpectedResults Parse(string text)
    {
        string[] lines = text.Split('\n', StringSplitOptions.RemoveEmptyEntries);
        string[] columns = lines.Length > 0 ? lines[0].TrimEnd('\r').Split('\t') : [];
        if (columns is not ["script", "mode", .., "cause"])
            throw new FormatException("a table of expected results has the columns script, mode, one or more kernels, and cause");

        ExpectedResults results = new(
            [.. columns[2..^1].Select(column => "Linux " + column.TrimStart('k').Split('_')[0])]);
        foreach (string line in lines.Skip(1))
        {
            string[] cells = line.TrimEnd('\r').Split('\t');
            if (cells.Length != columns.Length)
                throw new FormatException($"this row has {cells.Length} columns instead of {columns.Length}: {line}");
            results.Add(new ExpectedResult(cells[0], cells[1], [.. cells[2..^1].Select(cell => cell != "False")], cells[^1]));
        }
        return results;
    }

    /// <summary>Finds what is known of a script.</summary>
    /// <param name="path">Its path, which ends as the table's does.</param>
    /// <param name="mode">How it is run.</param>
    public ExpectedResult? Find(string path, string mode)
    {
        string full = System.IO.Path.GetFullPath(path).Replace('\\', '/');
        return rows.GetValueOrDefault((full[(full.LastIndexOf('/') + 1)..], mode))?
            .Find(row => full.EndsWith("/" + row.Script, StringComparison.Ordinal));
    }

    private void Add(ExpectedResult row)
    {
        (string, string) key = (row.Script[(row.Script.LastIndexOf('/') + 1)..], row.Mode);
        if (!rows.TryGetValue(key, out List<ExpectedResult>? same))
            rows.Add(key, same = []);
        same.Add(row);
    }
}
