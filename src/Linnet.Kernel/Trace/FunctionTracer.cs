using System.ComponentModel;

namespace Linnet.Kernel.Trace;

/// <summary>
/// What the woven calls of traced functions report to. Nothing here is called by hand: a method becomes traced by its
/// <see cref="LinuxAttribute"/>, and a <see cref="TraceSession"/> receives the calls.
/// </summary>
[EditorBrowsable(EditorBrowsableState.Never)]
public static class FunctionTracer
{
    /// <summary>Whether any session is active: all that a traced function reads when none is.</summary>
    internal static bool Enabled;

    [ThreadStatic]
    private static ThreadState? state;

    private static ThreadState State => state ??= new ThreadState();

    /// <summary>Whether the call at hand goes through the reporting twin, rather than into the function itself.</summary>
    internal static bool Intercept(int point)
    {
        ThreadState thread = State;
        if (thread.Busy)
            return false;
        bool passes = thread.LetThrough == point;
        thread.LetThrough = -1;
        return !passes;
    }

    /// <summary>Says that the next call of the function on this thread is the twin's own.</summary>
    internal static void LetThrough(int point) => State.LetThrough = point;

    /// <summary>Begins the record of a call, or returns null where no session wants it.</summary>
    internal static TraceCall? Begin(int point)
    {
        Cpu cpu = Cpu.This;
        TraceCall? caller = State.Current;
        TraceSession[] sessions = TraceSession.WantedBy(cpu, caller);
        return sessions.Length == 0 ? null : new TraceCall(TracePoint.All[point], cpu, sessions, caller);
    }

    /// <summary>All arguments are in the record.</summary>
    internal static void Entered(TraceCall? call)
    {
        if (call == null)
            return;
        call.BeginOutputs();
        State.Current = call;
        Quietly(call, static (session, c) => session.Sink.Entered(c));
    }

    /// <summary>Result and outputs are in the record.</summary>
    internal static void Left(TraceCall? call)
    {
        ThreadState thread = State;
        thread.LetThrough = -1;
        if (call == null)
            return;
        thread.Current = call.Parent;
        call.End();
        Quietly(call, static (session, c) => session.Sink.Left(c));
    }

    /// <summary>The function ended with an exception, which is a bug in Linnet or a broken assertion.</summary>
    internal static void Threw(TraceCall? call, Exception exception)
    {
        if (call != null)
            call.Exception = exception.GetType().Name;
        Left(call);
    }

    internal static ReadOnlySpan<byte> ReadOnly(Span<byte> bytes) => bytes;

    /// <summary>Formats a value; functions that this calls are not traced.</summary>
    internal static T Quietly<T>(Func<T> action)
    {
        ThreadState thread = State;
        bool before = thread.Busy;
        thread.Busy = true;
        try
        {
            return action();
        }
        finally
        {
            thread.Busy = before;
        }
    }

    private static void Quietly(TraceCall call, Action<TraceSession, TraceCall> action)
    {
        ThreadState thread = State;
        thread.Busy = true;
        try
        {
            foreach (TraceSession session in call.Sessions)
                session.Deliver(action, call);
        }
        finally
        {
            thread.Busy = false;
        }
    }

    private sealed class ThreadState
    {
        // The innermost call that is being recorded.
        public TraceCall? Current;

        // The function whose next call is the twin's.
        public int LetThrough = -1;

        // The tracer itself is at work.
        public bool Busy;
    }
}
