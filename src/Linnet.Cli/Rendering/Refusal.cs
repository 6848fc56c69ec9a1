using Linnet.Kernel.Trace;

namespace Linnet.Cli.Rendering;

/// <summary>Where a call was refused, and what was undone after that.</summary>
/// <param name="Where">The innermost function that returned the error.</param>
/// <param name="Unwound">What its callers called from then on, in order.</param>
internal sealed record Refusal(TraceCall Where, IReadOnlyList<TraceCall> Unwound)
{
    /// <summary>Finds it in the trace of a call.</summary>
    /// <param name="roots">The trace.</param>
    /// <param name="errno">What the call ended with, positive.</param>
    /// <returns>Null where no traced function ended with that error.</returns>
    public static Refusal? Find(IEnumerable<TraceNode> roots, int errno)
    {
        TraceNode? node = roots.LastOrDefault(n => n.Call.Errno == errno && !n.Call.InSoftirq);
        if (node == null)
            return null;
        List<TraceCall> unwound = [];
        while (node.Children.LastOrDefault(n => n.Call.Errno == errno) is { } inner)
        {
            // Inner functions undo before outer ones.
            unwound.InsertRange(0, node.Children.SkipWhile(n => n != inner).Skip(1).Select(n => n.Call));
            node = inner;
        }

        // The innermost function undoes its own steps, too; what gives something back is known by its name.
        unwound.InsertRange(0, node.Children.Select(n => n.Call).Where(c => c.Errno == 0 && GivesBack(c.Point.Symbol)));
        return new Refusal(node.Call, unwound);
    }

    private static bool GivesBack(string symbol) =>
        symbol.Split('_').Any(word => word is "release" or "put" or "free" or "fput" or "kfree" or "destroy" or "unhash");
}
