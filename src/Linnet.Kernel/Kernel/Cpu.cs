namespace Linnet.Kernel;

/// <summary>Work that runs when the current thread leaves the kernel or waits, with no lock held (a softirq or tasklet).</summary>
public abstract class SoftirqAction
{
    internal SoftirqAction? NextPending;
    internal bool IsPending;

    /// <summary>Does the work; may raise itself or others again.</summary>
    protected internal abstract void Run();
}

/// <summary>
/// Work that a call left for its end (Linux's <c>task_work</c>): done by the thread when it leaves the kernel, still as its task,
/// with no lock held. It may wait.
/// </summary>
public abstract class TaskWork
{
    internal TaskWork? NextWork;

    /// <summary>Does the work.</summary>
    protected internal abstract void RunTaskWork();
}

/// <summary>
/// What Linux keeps for each CPU, here for each thread that enters the kernel: the current task, the softirqs that it
/// raised, and the caches that subsystems keep for it. Work raised by a thread runs on that thread, in the order in which
/// it was raised, when the thread leaves the kernel or is about to wait.
/// </summary>
public sealed class Cpu
{
    [ThreadStatic]
    private static Cpu? current;

    private SoftirqAction? firstPending;
    private SoftirqAction? lastPending;
    private TaskWork? firstWork;

    private Cpu()
    {
    }

    /// <summary>The calling thread's CPU.</summary>
    public static Cpu This => current ??= new Cpu();

    /// <summary>The task that runs in the kernel on this CPU, or null in a timer or at a device's edge.</summary>
    public TaskStruct? Task { get; internal set; }

    /// <summary>The machine that runs on this CPU, or null outside of any.</summary>
    public Machine? Machine { get; internal set; }

    /// <summary>How many calls into the kernel are on this thread's stack.</summary>
    public int Depth { get; internal set; }

    /// <summary>Whether a softirq runs on this CPU right now.</summary>
    public bool InSoftirq { get; private set; }

    /// <summary>What subsystems keep for this CPU.</summary>
    public SlotTable Slots { get; } = new();

    /// <summary>Has <paramref name="action"/> run when this thread leaves the kernel (<c>raise_softirq</c>).</summary>
    public void Raise(SoftirqAction action)
    {
        Bug.On(Depth == 0);
        if (action.IsPending)
            return;
        action.IsPending = true;
        if (lastPending != null)
            lastPending.NextPending = action;
        else
            firstPending = action;
        lastPending = action;
    }

    /// <summary>Has <paramref name="work"/> done when this thread leaves the kernel (<c>task_work_add</c>).</summary>
    public void AddTaskWork(TaskWork work)
    {
        Bug.On(Depth == 0 || InSoftirq);
        work.NextWork = firstWork;
        firstWork = work;
    }

    /// <summary>Does what was left for the end of the call (<c>task_work_run</c>); no lock may be held.</summary>
    public void RunTaskWork()
    {
        while (firstWork is { } work)
        {
            firstWork = work.NextWork;
            work.NextWork = null;
            work.RunTaskWork();
        }
    }

    /// <summary>Runs all that is pending, and what that raises, to the end (<c>do_softirq</c>).</summary>
    public void RunSoftirqs()
    {
        if (firstPending == null || InSoftirq)
            return;
        InSoftirq = true;
        try
        {
            while (firstPending is { } action)
            {
                firstPending = action.NextPending;
                if (firstPending == null)
                    lastPending = null;
                action.NextPending = null;
                action.IsPending = false;
                action.Run();
            }
        }
        finally
        {
            InSoftirq = false;
        }
    }
}

/// <summary>
/// A stay in the kernel on the calling thread: entered with <see cref="Machine.Enter"/> or <see cref="TaskStruct.Enter"/>;
/// its end runs the softirqs that the stay raised. Stays nest; the outermost of a machine runs the softirqs.
/// </summary>
public readonly ref struct KernelEntry
{
    private readonly Cpu cpu;
    private readonly TaskStruct? outerTask;
    private readonly Machine? outerMachine;

    internal KernelEntry(Machine machine, TaskStruct? task)
    {
        cpu = Cpu.This;
        outerTask = cpu.Task;
        outerMachine = cpu.Machine;
        cpu.Task = task;
        cpu.Machine = machine;
        cpu.Depth++;
    }

    /// <summary>Leaves the kernel.</summary>
    public void Dispose()
    {
        if (cpu.Depth == 1)
        {
            cpu.RunTaskWork();
            cpu.RunSoftirqs();
        }

        cpu.Depth--;
        cpu.Task = outerTask;
        cpu.Machine = outerMachine;
    }
}
