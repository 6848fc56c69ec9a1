using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// Makes the script's calls and checks what they return. A call that the script says blocks is made by a second thread of the
/// program, and the script goes on meanwhile; there is one such call at a time.
/// </summary>
/// <param name="run">The run.</param>
internal sealed partial class CallRunner(ScriptRun run)
{
    /// <summary>How long other calls wait for one that blocks.</summary>
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(1);

    /// <summary>
    /// What a call costs, in microseconds. On a real machine calls take time, and scripts were written there: what follows a call after a
    /// millisecond follows what the call did after a bit more than that.
    /// </summary>
    private const long CallCost = 5;

    private readonly DescriptorTable descriptors = new();
    private PendingCall? pending;

    /// <summary>The descriptors that the script has open.</summary>
    public DescriptorTable Descriptors => descriptors;

    /// <summary>Files that <c>open</c> finds, by the name that the script has for them.</summary>
    public Func<string, byte[]?> FindFile { get; init; } = _ => null;

    /// <summary>Makes the call of the running event.</summary>
    public void Run(SyscallAction call)
    {
        bool isIdle = AwaitIdle();
        TimedEvent of = run.Current;
        if (call.EndUsecs == null)
        {
            run.WaitForEvent("system call start");
            Perform(of, call, run.Bed.Caller);
            run.Bed.WaitUntil(run.Bed.NowUsecs + CallCost);
            return;
        }

        if (!isIdle)
            throw Failure(of, call, "blocking system call while another blocking system call is already in progress");
        run.WaitForEvent("system call start");
        PendingCall mine = new(of, call);
        pending = mine;
        run.Bed.Simulation.Start($"packetdrill {call.Name}", () => RunBlocking(mine));
        run.Bed.Simulation.RunReady();
        ThrowIfFailed();
    }

    /// <summary>Throws when a call that blocked has ended otherwise than written.</summary>
    public void ThrowIfFailed()
    {
        if (pending is { IsDone: true, Failure: var failure })
        {
            pending = null;
            if (failure != null)
                throw failure;
        }
    }

    /// <summary>Whether a call is under way.</summary>
    public bool IsBusy => pending is { IsDone: false };

    /// <summary>Waits for the call that blocks, and throws when it does not end soon.</summary>
    public void Finish()
    {
        if (!AwaitIdle())
            throw run.Failure(pending!.Event, "runtime error: exiting while a blocking system call is in progress");
    }

    private bool AwaitIdle()
    {
        if (IsBusy)
            run.Bed.WaitFor(() => !IsBusy, Patience);
        ThrowIfFailed();
        return pending == null;
    }

    private void RunBlocking(PendingCall mine)
    {
        try
        {
            Call call = Perform(mine.Event, mine.Spec, run.Bed.Blocker);
            long end = mine.Spec.EndUsecs!.Value + mine.Event.OffsetUsecs;
            run.CheckTime(
                mine.Event, EventTimeKind.Relative, end, end, call.EndedAt, mine.Event.Usecs, "system call return");
        }
        catch (ScriptException e)
        {
            mine.Failure = e;
        }

        mine.IsDone = true;
    }

    private Call Perform(TimedEvent of, SyscallAction spec, Kernel.TaskStruct task)
    {
        Call call = new(run, spec, task, descriptors);
        try
        {
            Make(call);
        }
        catch (CallFailure e) when (run.Options.NonFatalSyscall)
        {
            run.Warnings.Add(Failure(of, spec, e.Message).Message);
        }
        catch (CallFailure e)
        {
            throw Failure(of, spec, e.Message);
        }
        catch (SimulationDeadlockException)
        {
            throw Failure(of, spec, "it waits for something that will never happen");
        }
        finally
        {
            call.Free();
        }

        return call;
    }

    private void Make(Call call)
    {
        if (!TryMakeSocketCall(call) && !TryMakeDataCall(call) && !TryMakeFileCall(call))
            throw new CallFailure($"Unknown system call: '{call.Spec.Name}'");
    }

    private ScriptException Failure(TimedEvent of, SyscallAction call, string message) =>
        run.Failure(of, $"runtime error in {call.Name} call: {message}");

    private sealed class PendingCall(TimedEvent of, SyscallAction spec)
    {
        public TimedEvent Event { get; } = of;

        public SyscallAction Spec { get; } = spec;

        public bool IsDone { get; set; }

        public ScriptException? Failure { get; set; }
    }
}
