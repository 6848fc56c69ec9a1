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

        return new Refusal(node.Call, unwound);
    }
}
