namespace Linnet.Kernel.Trace;

/// <summary>Receives the calls of traced functions while a session is active.</summary>
/// <remarks>Calls of one session come one at a time, on the threads that make them, maybe with kernel locks held.</remarks>
public interface ITraceSink
{
    /// <summary>A function was called; its arguments are known.</summary>
    void Entered(TraceCall call);

    /// <summary>A function returned, or ended with an exception.</summary>
    void Left(TraceCall call);
}

/// <summary>Turns values into text when they are recorded.</summary>
public abstract class TraceFormatter
{
    /// <summary>A number; unsigned ones are widened without sign.</summary>
    public abstract string Integer(TraceCall call, TraceParameter parameter, long value);

    /// <summary>An object, a boxed struct or a boxed enum.</summary>
    public abstract string Object(TraceCall call, TraceParameter parameter, object? value);

    /// <summary>Bytes: the first of them, and how many there were.</summary>
    public abstract string Bytes(TraceCall call, TraceParameter parameter, ReadOnlySpan<byte> bytes, int length);

    /// <summary>What a system call that has returned left where one of its arguments points.</summary>
    /// <returns>Null where that says nothing.</returns>
    public virtual string? Written(TraceCall call, TraceParameter parameter, Sockptr pointer) => null;
}

/// <summary>A stretch of time in which calls of traced functions are recorded, from <see cref="Start"/> to Dispose.</summary>
public sealed class TraceSession : IDisposable
{
    private static readonly Lock Gate = new();
    private static TraceSession[] active = [];
    private readonly Lock delivery = new();
    private readonly Machine? machine;
    private readonly TaskStruct? task;

    private readonly bool onlyOutermost;

    private TraceSession(ITraceSink sink, TraceFormatter formatter, Machine? machine, TaskStruct? task, bool onlyOutermost)
    {
        this.onlyOutermost = onlyOutermost;
        Sink = sink;
        Formatter = formatter;
        this.machine = machine;
        this.task = task;
    }

    internal ITraceSink Sink { get; }

    internal TraceFormatter Formatter { get; }

    /// <summary>Begins to record.</summary>
    /// <param name="sink">Where the calls go.</param>
    /// <param name="formatter">What prints the values; <c>Beautifier.Instance</c> prints them as perf does.</param>
    /// <param name="machine">Only calls in this machine; null for those of all machines.</param>
    /// <param name="task">Only calls made for this task; null for those of all tasks, and of none.</param>
    /// <param name="onlyOutermost">Whether calls are of no interest that others make which are recorded.</param>
    public static TraceSession Start(
        ITraceSink sink, TraceFormatter formatter, Machine? machine = null, TaskStruct? task = null, bool onlyOutermost = false)
    {
        var session = new TraceSession(sink, formatter, machine, task, onlyOutermost);
        lock (Gate)
        {
            active = [.. active, session];
            FunctionTracer.Enabled = true;
        }

        return session;
    }

    /// <summary>Ends the recording; calls that are under way are reported to their end.</summary>
    public void Dispose()
    {
        lock (Gate)
        {
            active = [.. active.Where(s => s != this)];
            FunctionTracer.Enabled = active.Length > 0;
        }
    }

    internal static TraceSession[] WantedBy(Cpu cpu, TraceCall? caller)
    {
        TraceSession[] sessions = Volatile.Read(ref active);
        foreach (TraceSession session in sessions)
        {
            if (!session.Wants(cpu, caller))
                return Array.FindAll(sessions, s => s.Wants(cpu, caller));
        }

        return sessions;
    }

    internal void Deliver(Action<TraceSession, TraceCall> action, TraceCall call)
    {
        lock (delivery)
            action(this, call);
    }

    private bool Wants(Cpu cpu, TraceCall? caller)
    {
        if ((machine != null && cpu.Machine != machine) || (task != null && cpu.Task != task))
            return false;
        if (!onlyOutermost)
            return true;
        for (TraceCall? outer = caller; outer != null; outer = outer.Parent)
        {
            if (Array.IndexOf(outer.Sessions, this) >= 0)
                return false;
        }

        return true;
    }
}
