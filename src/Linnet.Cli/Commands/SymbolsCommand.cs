using System.CommandLine;
using Linnet.Kernel.Trace;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet symbols</c>: the map from Linux's functions to Linnet's, docs/symbols.md.</summary>
internal static class SymbolsCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string?> name = new("SYMBOL")
        {
            Description = "Only symbols that contain this text.",
            Arity = ArgumentArity.ZeroOrOne,
        };
        Command command = new("symbols", "Show where each function of Linux's is found in Linnet, as Markdown.") { name };
        command.SetAction(parsed =>
        {
            string? part = parsed.GetValue(name);
            if (part == null)
            {
                terminal.Output.Write(SymbolMap.Markdown());
                return 0;
            }

            List<TracePoint> found = [.. TracePoint.All.Where(p => p.Symbol.Contains(part, StringComparison.OrdinalIgnoreCase))];
            if (found.Count == 0)
                throw new FailureException($"no function of Linnet's is the counterpart of a symbol with '{part}'");
            foreach (TracePoint point in found.OrderBy(p => p.Symbol, StringComparer.Ordinal))
            {
                terminal.Write(new Line().Add(point.Symbol, Ink.Strong).Add("  " + point.File, Ink.Faint)
                    .Add($"  {point.Type[(point.Type.LastIndexOf('.') + 1)..]}.{point.Method}")
                    .Add($"  src/Linnet.Kernel/{point.SourceFile}:{point.SourceLine}", Ink.Faint));
            }

            return 0;
        });
        return command;
    }
}
