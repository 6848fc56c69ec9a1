namespace Linnet.Kernel;

/// <summary>
/// What runs the machine: the host gives one when it boots a machine. The kernel itself starts no thread and sleeps
/// nowhere; it asks the scheduler to park the calling thread, to run work later, and to call
/// <see cref="TimerBase.RunTimers"/> when a deadline is reached.
/// </summary>
public abstract class Scheduler
{
    /// <summary>Makes the waiter by which the calling thread is parked. Called once for each thread.</summary>
    protected internal abstract ThreadWaiter CreateWaiter();

    /// <summary>
    /// Runs <paramref name="work"/> soon, outside of all locks and not on the caller's stack. Work queued by one thread
    /// begins in the order in which it was queued.
    /// </summary>
    public abstract void Queue(IThreadPoolWorkItem work);

    /// <summary>Starts <paramref name="body"/> as a new thread of execution.</summary>
    /// <param name="name">The thread's name, for people.</param>
    /// <param name="body">Runs to its end on that thread.</param>
    public abstract void Start(string name, Action body);

    /// <summary>The earliest timer of <paramref name="timers"/> is now due at <paramref name="deadline"/>.</summary>
    /// <param name="timers">The timers whose earliest deadline changed.</param>
    /// <param name="deadline">Nanoseconds since boot.</param>
    protected internal abstract void TimerArmed(TimerBase timers, long deadline);
}

/// <summary>
/// One thread's place in wait queues, and the means to park it. Signals are not counted: a signal that comes before
/// <see cref="Park"/> makes the next <see cref="Park"/> return at once.
/// </summary>
public abstract class ThreadWaiter : WaitQueueEntry
{
    /// <summary>Blocks the thread until <see cref="Signal"/>; consumes the signal.</summary>
    protected abstract void Park();

    /// <summary>Ends the current or the next <see cref="Park"/>. Callable from any thread, with locks held.</summary>
    public abstract void Signal();

    /// <summary>Forgets a signal that nobody waited for.</summary>
    protected internal abstract void Reset();

    /// <summary>Runs what this thread still has to do (softirqs) and then parks it until it is signalled (<c>schedule</c>).</summary>
    public void Schedule()
    {
        Cpu cpu = Cpu.This;
        Bug.On(cpu.InSoftirq);
        cpu.RunSoftirqs();

        // A scheduler may run others on this very thread meanwhile; they are not inside of this call.
        (TaskStruct? task, Machine? machine, int depth) = (cpu.Task, cpu.Machine, cpu.Depth);
        (cpu.Task, cpu.Machine, cpu.Depth) = (null, null, 0);
        try
        {
            Park();
        }
        finally
        {
            (cpu.Task, cpu.Machine, cpu.Depth) = (task, machine, depth);
        }

        cpu.RunSoftirqs();
    }

    /// <inheritdoc/>
    protected internal override bool Wake(uint key)
    {
        Signal();
        return true;
    }
}
