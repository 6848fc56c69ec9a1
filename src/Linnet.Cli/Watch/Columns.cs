using System.Text;
using Spectre.Console.Rendering;

namespace Linnet.Cli.Watch;

/// <summary>A column of a table.</summary>
/// <param name="Title">What stands above it.</param>
/// <param name="Rank">Columns of a high rank go first when there is no room for all.</param>
/// <param name="IsNumber">Whether it stands to the right.</param>
/// <param name="Text">What a row has in it.</param>
internal sealed record Column<T>(string Title, int Rank, bool IsNumber, Func<T, string> Text);

/// <summary>Tables that are no wider than they may be.</summary>
internal static class Columns
{
    private const int Between = 1;

    /// <summary>Lines for rows, with a heading: at most so many, which say how many rows there is no room for.</summary>
    /// <param name="rows">The rows.</param>
    /// <param name="columns">The columns.</param>
    /// <param name="width">Cells in a line.</param>
    /// <param name="height">Lines, with the heading.</param>
    public static IEnumerable<Line> Draw<T>(IReadOnlyList<T> rows, IReadOnlyList<Column<T>> columns, int width, int height)
    {
        if (height <= 0)
            yield break;
        int shown = rows.Count < height ? rows.Count : Math.Max(0, height - 2);
        string[][] cells = [.. rows.Take(shown).Select(row => columns.Select(column => Clean(column.Text(row))).ToArray())];
        int[] widths = [.. columns.Select((column, i) => cells.Select(row => Cells(row[i])).Append(column.Title.Length).Max())];
        List<int> kept = Fit(columns, widths, width);
        yield return Cut(new Line().Add(Join([.. columns.Select(column => column.Title)]), Ink.Faint), width);
        foreach (string[] row in cells)
            yield return Cut(new Line().Add(Join(row)), width);
        if (shown < rows.Count && height > 1)
            yield return Cut(new Line().Add($"… {rows.Count - shown} more", Ink.Faint), width);

        string Join(string[] row)
        {
            StringBuilder text = new();
            foreach (int i in kept)
            {
                string fill = new(' ', Math.Max(0, widths[i] - Cells(row[i])));
                text.Append(text.Length == 0 ? "" : new string(' ', Between)).Append(columns[i].IsNumber ? fill + row[i] : row[i] + fill);
            }

            return text.ToString().TrimEnd();
        }
    }

    /// <summary>The line, without what goes beyond the width.</summary>
    public static Line Cut(Line line, int width)
    {
        Line cut = new();
        int left = width;
        foreach ((string text, Ink ink) in line.Pieces)
        {
            string clean = Clean(text);
            if (Cells(clean) <= left)
            {
                cut.Add(clean, ink);
                left -= Cells(clean);
                continue;
            }

            StringBuilder part = new();
            foreach (Rune rune in clean.EnumerateRunes())
            {
                int cells = Cells(rune.ToString());
                if (cells > left)
                    break;
                part.Append(rune);
                left -= cells;
            }

            cut.Add(part.ToString(), ink);
            break;
        }

        return cut;
    }

    /// <summary>A text without what would move the cursor: escape sequences and control characters.</summary>
    public static string Clean(string text)
    {
        if (!text.AsSpan().ContainsAnyInRange('\0', '\x1f') && !text.AsSpan().ContainsAnyInRange('\x7f', '\x9f'))
            return text;
        StringBuilder clean = new();
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] == '\e')
                i = EndOfEscape(text, i);
            else if (text[i] == '\t')
                clean.Append("    ");
            else if (!char.IsControl(text[i]))
                clean.Append(text[i]);
        }

        return clean.ToString();
    }

    /// <summary>How many cells of a terminal a text takes.</summary>
    public static int Cells(string text) => System.Text.Ascii.IsValid(text) ? text.Length : new Segment(text).CellCount();

    // ESC [ parameters letter; ESC ] text BEL; ESC and a character.
    private static int EndOfEscape(string text, int at)
    {
        if (at + 1 >= text.Length)
            return at;
        if (text[at + 1] == ']')
            return text.IndexOf('\a', at) is var bell and >= 0 ? bell : text.Length - 1;
        if (text[at + 1] != '[')
            return at + 1;
        int end = at + 2;
        while (end < text.Length && text[end] is < '@' or > '~')
            end++;
        return Math.Min(end, text.Length - 1);
    }

    private static List<int> Fit<T>(IReadOnlyList<Column<T>> columns, int[] widths, int width)
    {
        List<int> kept = [.. Enumerable.Range(0, columns.Count)];
        while (kept.Count > 1 && kept.Sum(i => widths[i] + Between) - Between > width)
            kept.Remove(kept.MaxBy(i => columns[i].Rank));
        return kept;
    }
}
