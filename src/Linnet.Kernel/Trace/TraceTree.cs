namespace Linnet.Kernel.Trace;

/// <summary>A call and the calls that it made.</summary>
/// <param name="call">The call.</param>
public sealed class TraceNode(TraceCall call)
{
    private readonly List<TraceNode> children = [];

    /// <summary>The call.</summary>
    public TraceCall Call { get; } = call;

    /// <summary>What it called, in order.</summary>
    public IReadOnlyList<TraceNode> Children => children;

    /// <summary>This node and all below it, in the order of the calls.</summary>
    public IEnumerable<TraceNode> Walk()
    {
        yield return this;
        foreach (TraceNode child in children)
        {
            foreach (TraceNode node in child.Walk())
                yield return node;
        }
    }

    internal void Add(TraceNode child) => children.Add(child);
}

/// <summary>Keeps the calls of a session as trees.</summary>
public sealed class TraceTree : ITraceSink
{
    private readonly Lock gate = new();
    private readonly Dictionary<TraceCall, TraceNode> open = [];
    private List<TraceNode> roots = [];

    /// <summary>The outermost calls so far, in order.</summary>
    public IReadOnlyList<TraceNode> Roots
    {
        get
        {
            lock (gate)
                return [.. roots];
        }
    }

    /// <summary>Takes the trees that were recorded since the last time.</summary>
    public IReadOnlyList<TraceNode> Take()
    {
        lock (gate)
        {
            List<TraceNode> taken = roots;
            roots = [];
            return taken;
        }
    }

    /// <inheritdoc/>
    public void Entered(TraceCall call)
    {
        var node = new TraceNode(call);
        lock (gate)
        {
            // A call around this one may have been made for somebody whom the session does not watch.
            TraceNode? parent = null;
            for (TraceCall? outer = call.Parent; outer != null && parent == null; outer = outer.Parent)
                open.TryGetValue(outer, out parent);
            if (parent != null)
                parent.Add(node);
            else
                roots.Add(node);
            open[call] = node;
        }
    }

    /// <inheritdoc/>
    public void Left(TraceCall call)
    {
        lock (gate)
            open.Remove(call);
    }
}
