using System.Text;

namespace Linnet.Kernel.Trace;

/// <summary>The map "Linux symbol, here" as a page.</summary>
public static class SymbolMap
{
    /// <summary>The text of <c>docs/symbols.md</c>.</summary>
    public static string Markdown()
    {
        var text = new StringBuilder();
        text.Append("# Linux's functions, and where they are here\n\n");
        text.Append("Made from the `[Linux]` attributes by `./linnet symbols > docs/symbols.md`; a test holds it to the code.\n\n");
        text.Append("""
            A method is called as the symbol in Pascal case, without leading underscores; where that would be taken (`sock_create`,
            `__sock_create`), the inner one ends in `Core`, and one whose caller holds the lock may end in `Locked`. A method of a
            struct's class leaves out what the type says already (`skb_clone` is `SkBuff.Clone`), and so does a slot of an operations
            table (`sock_no_bind` is `ProtoOps.Bind`), whose overrides are named as the slot is. The body of a `SYSCALL_DEFINE` has the
            system call's name.

            """.ReplaceLineEndings("\n"));
        foreach (IGrouping<string, TracePoint> file in TracePoint.All.GroupBy(p => p.File).OrderBy(g => g.Key, StringComparer.Ordinal))
        {
            text.Append($"\n## {file.Key}\n\n| symbol | here | file |\n|---|---|---|\n");
            IEnumerable<string> rows = file.OrderBy(p => p.Symbol, StringComparer.Ordinal).ThenBy(p => p.Type, StringComparer.Ordinal)
                .Select(Row).Distinct();
            foreach (string row in rows)
                text.Append(row);
        }

        return text.ToString();
    }

    private static string Row(TracePoint point)
    {
        string type = point.Type[(point.Type.LastIndexOf('.') + 1)..];
        string source = point.SourceFile.Length == 0
            ? ""
            : $"[{point.SourceFile}](../src/Linnet.Kernel/{point.SourceFile})";
        return $"| `{point.Symbol}` | `{type}.{point.Method}` | {source} |\n";
    }
}
