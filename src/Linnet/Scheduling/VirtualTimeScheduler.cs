using System.Runtime.ExceptionServices;
using Linnet.Kernel;

namespace Linnet;

/// <summary>
/// Runs machines in virtual time, one step after another, so that a run repeats exactly: threads take turns, queued work
/// runs in the order in which it was queued, and when nothing can run the clock jumps to the next timer. Nothing runs
/// except inside one of the <c>Run</c> methods, on behalf of their caller.
/// </summary>
/// <remarks>
/// Threads started with <see cref="Start(string, Action)"/> are real threads of which exactly one runs at a time; they
/// switch only where they wait in a machine. Async code started with <see cref="Start(string, Func{Task})"/> runs on the
/// driving thread and comes back to it after each <c>await</c>; it must take its time from <see cref="TimeProvider"/>.
/// Work that leaves for the thread pool (<c>Task.Run</c>) runs in real time, outside of the simulation.
/// </remarks>
public sealed partial class VirtualTimeScheduler : Scheduler, IDisposable
{
    // Guards the queue, the threads' states and the lists below. A leaf lock.
    private readonly Lock gate = new();
    private readonly Queue<object> runQueue = new();
    private readonly List<SimulatedThread> threads = [];
    private readonly List<TimerBase> machines = [];
    private readonly List<Exception> failures = [];
    private readonly List<string> programs = [];
    private readonly VirtualTimeProvider time;
    private readonly SimulationContext context;

    // Released by the thread that holds the baton when the next step is the driver's.
    private readonly SemaphoreSlim driverBaton = new(0);
    private Thread? driver;
    private bool stepwise;
    private bool ending;

    /// <summary>Makes a scheduler whose clock stands at <paramref name="start"/>.</summary>
    /// <param name="start">What the wall clock says at first; the beginning of 2026 when not given.</param>
    public VirtualTimeScheduler(DateTimeOffset? start = null)
    {
        time = new VirtualTimeProvider(this, start ?? new DateTimeOffset(2026, 1, 1, 0, 0, 0, TimeSpan.Zero));
        context = new SimulationContext(this);
    }

    /// <summary>The virtual clock; give it to machines, and to whatever takes a <see cref="System.TimeProvider"/>.</summary>
    public TimeProvider TimeProvider => time;

    /// <summary>Where async code of the simulation continues after an <c>await</c>.</summary>
    public SynchronizationContext SynchronizationContext => context;

    /// <summary>Virtual time since the scheduler was made.</summary>
    public TimeSpan Elapsed => TimeSpan.FromTicks(time.Now / 100);

    /// <summary>Whether the caller runs inside of the simulation: on one of its threads, or in work that it runs.</summary>
    public bool IsInside => SimulatedThread.Current?.Scheduler == this || driver == Thread.CurrentThread;

    /// <inheritdoc/>
    public override void Queue(IThreadPoolWorkItem work)
    {
        lock (gate)
            runQueue.Enqueue(work);
    }

    /// <inheritdoc/>
    public override void Start(string name, Action body)
    {
        ObjectDisposedException.ThrowIf(ending, this);
        SimulatedThread thread = new(this, name, body);
        lock (gate)
        {
            threads.Add(thread);
            runQueue.Enqueue(thread);
        }
    }

    /// <summary>Starts async code; what it throws is thrown by the <c>Run</c> method that is running.</summary>
    /// <param name="name">The program's name, for the report of a deadlock.</param>
    /// <param name="body">The program.</param>
    /// <returns>Ends with the program, and fails as it does.</returns>
    public Task Start(string name, Func<Task> body)
    {
        TaskCompletionSource completion = new();
        lock (gate)
            programs.Add(name);
        context.Post(_ => RunProgram(name, body, completion), null);
        return completion.Task;
    }

    /// <summary>Runs until nothing can happen any more: nothing is runnable and no timer is armed.</summary>
    /// <exception cref="SimulationDeadlockException">A thread or a program still waits.</exception>
    public void Run()
    {
        RunToEnd();
        if (Waiting() is { Count: > 0 } waiting)
            throw new SimulationDeadlockException(waiting);
    }

    /// <summary>Runs until nothing can happen any more, also when threads or programs still wait.</summary>
    public void RunToEnd()
    {
        using Driving driving = Drive();
        do
            RunReady();
        while (AdvanceToNextTimer(long.MaxValue));
    }

    /// <summary>Runs what can run without time passing.</summary>
    public void RunReady()
    {
        using Driving driving = Drive();
        while (Step())
        {
        }
    }

    /// <summary>Runs for <paramref name="duration"/> of virtual time.</summary>
    /// <param name="duration">Zero or more; the clock then stands exactly that much later.</param>
    public void RunFor(TimeSpan duration)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.Zero);
        using Driving driving = Drive();
        long end = time.Now + duration.Ticks * 100;
        do
            RunReady();
        while (AdvanceToNextTimer(end));
        time.Now = end;
    }

    /// <summary>
    /// Runs for <paramref name="duration"/> of virtual time, but not what is due at its very end: what the caller does next comes
    /// before that.
    /// </summary>
    /// <param name="duration">Zero or more; the clock then stands exactly that much later.</param>
    public void RunUpTo(TimeSpan duration)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(duration, TimeSpan.Zero);
        using Driving driving = Drive();
        long end = time.Now + duration.Ticks * 100;
        do
            RunReady();
        while (AdvanceToNextTimer(end - 1));
        time.Now = end;
    }

    /// <summary>Runs until <paramref name="done"/> holds; it is asked after each step.</summary>
    /// <param name="done">Whether to stop; must not change anything.</param>
    /// <param name="limit">How much virtual time it may take; no limit when not given.</param>
    /// <exception cref="SimulationDeadlockException">It will never hold, because nothing can happen any more.</exception>
    /// <exception cref="TimeoutException">The limit was reached.</exception>
    public void RunUntil(Func<bool> done, TimeSpan? limit = null)
    {
        using Driving driving = Drive();
        bool outerStepwise = stepwise;
        stepwise = true;
        try
        {
            long end = limit is { } l ? time.Now + l.Ticks * 100 : long.MaxValue;
            while (!done())
            {
                if (Step() || AdvanceToNextTimer(end))
                    continue;
                if (NextTimer() != null)
                    throw new TimeoutException($"not reached within {limit} of virtual time");
                throw new SimulationDeadlockException(Waiting());
            }
        }
        finally
        {
            stepwise = outerStepwise;
        }
    }

    /// <summary>Runs async code to its end, and everything else meanwhile.</summary>
    /// <param name="main">The program.</param>
    /// <param name="limit">How much virtual time it may take; no limit when not given.</param>
    /// <exception cref="SimulationDeadlockException">It waits for something that will never happen.</exception>
    public void Run(Func<Task> main, TimeSpan? limit = null)
    {
        Task program = Start("main", main);
        RunUntil(() => program.IsCompleted, limit);
    }

    /// <summary>Runs async code to its end, and everything else meanwhile.</summary>
    /// <param name="main">The program.</param>
    /// <param name="limit">How much virtual time it may take; no limit when not given.</param>
    /// <returns>What the program returned.</returns>
    /// <exception cref="SimulationDeadlockException">It waits for something that will never happen.</exception>
    public T Run<T>(Func<Task<T>> main, TimeSpan? limit = null)
    {
        T result = default!;
        Run(async () => { result = await main(); }, limit);
        return result;
    }

    /// <summary>
    /// Ends the simulation: threads that still wait are unwound by an exception, work that is still queued is dropped.
    /// </summary>
    public void Dispose()
    {
        using Driving driving = Drive();
        SimulatedThread[] left;
        lock (gate)
        {
            ending = true;
            runQueue.Clear();
            left = [.. threads];
        }

        foreach (SimulatedThread thread in left)
            thread.Unwind();
    }

    /// <summary>Takes what threads and programs threw and no <c>Run</c> method has thrown yet.</summary>
    public IReadOnlyList<Exception> TakeFailures()
    {
        lock (gate)
        {
            Exception[] taken = [.. failures];
            failures.Clear();
            return taken;
        }
    }

    /// <inheritdoc/>
    protected override void TimerArmed(TimerBase timers, long deadline)
    {
        lock (gate)
        {
            if (!machines.Contains(timers))
                machines.Add(timers);
        }
    }

    /// <inheritdoc/>
    protected override ThreadWaiter CreateWaiter() =>
        SimulatedThread.Current is { } thread && thread.Scheduler == this
            ? new SimulatedWaiter(thread)
            : new DriverWaiter(this);

    // One step: a thread's turn or one piece of work.
    private bool Step()
    {
        object? item;
        lock (gate)
        {
            if (!runQueue.TryDequeue(out item))
                return false;
        }

        if (item is SimulatedThread thread)
        {
            thread.TakeTurn();
            driverBaton.Wait();
        }
        else
        {
            RunWork((IThreadPoolWorkItem)item);
        }

        ThrowFailure();
        return true;
    }

    // Continuations that did not ask for a context find none, so that they run inline, here, and not on the thread pool.
    private static void RunWork(IThreadPoolWorkItem work)
    {
        SynchronizationContext? outer = SynchronizationContext.Current;
        SynchronizationContext.SetSynchronizationContext(null);
        try
        {
            work.Execute();
        }
        finally
        {
            SynchronizationContext.SetSynchronizationContext(outer);
        }
    }

    private async void RunProgram(string name, Func<Task> body, TaskCompletionSource completion)
    {
        Exception? failure = null;
        try
        {
            await body();
        }
        catch (Exception e)
        {
            failure = e;
            Fail(e);
        }

        lock (gate)
            programs.Remove(name);
        if (failure == null)
        {
            completion.SetResult();
            return;
        }

        // The run reports it, so that nobody has to look at the task.
        completion.SetException(failure);
        _ = completion.Task.Exception;
    }

    private void Fail(Exception exception)
    {
        lock (gate)
            failures.Add(exception);
    }

    private void ThrowFailure()
    {
        Exception? first = null;
        lock (gate)
        {
            if (failures.Count > 0)
            {
                first = failures[0];
                failures.RemoveAt(0);
            }
        }

        if (first != null)
            ExceptionDispatchInfo.Throw(first);
    }

    private IReadOnlyList<string> Waiting()
    {
        lock (gate)
            return [.. threads.Select(thread => thread.Name), .. programs];
    }

    // The earliest deadline of all, on the scheduler's clock.
    private long? NextTimer()
    {
        long? next = time.NextDue;
        TimerBase[] bases;
        lock (gate)
            bases = [.. machines];
        foreach (TimerBase timers in bases)
        {
            if (timers.NextExpiry is { } expiry && (next == null || time.Now + expiry - timers.Machine.Clock.Now < next))
                next = time.Now + expiry - timers.Machine.Clock.Now;
        }

        return next;
    }

    // Sets the clock to the next deadline, if there is one that is not after end, and fires what is due then.
    private bool AdvanceToNextTimer(long end)
    {
        if (NextTimer() is not { } next || next > end)
            return false;
        time.Now = Math.Max(time.Now, next);
        TimerBase[] bases;
        lock (gate)
            bases = [.. machines];
        foreach (TimerBase timers in bases)
        {
            if (timers.NextExpiry <= timers.Machine.Clock.Now)
                timers.RunTimers();
        }

        time.QueueDue();
        return true;
    }

    private Driving Drive()
    {
        if (SimulatedThread.Current != null)
            throw new InvalidOperationException("a thread of the simulation cannot run the simulation");
        Thread me = Thread.CurrentThread;
        Thread? owner = Interlocked.CompareExchange(ref driver, me, null);
        if (owner != null && owner != me)
            throw new InvalidOperationException("another thread is running the simulation");
        return new Driving(this, owner == null);
    }

    private readonly ref struct Driving(VirtualTimeScheduler scheduler, bool outermost)
    {
        public void Dispose()
        {
            if (outermost)
                Volatile.Write(ref scheduler.driver, null);
        }
    }

    private sealed class SimulationContext(VirtualTimeScheduler scheduler) : SynchronizationContext
    {
        public override void Post(SendOrPostCallback d, object? state) =>
            scheduler.Queue(new Posted(this, d, state));

        public override void Send(SendOrPostCallback d, object? state)
        {
            if (!scheduler.IsInside)
                throw new NotSupportedException("only the simulation's own code can send to it");
            d(state);
        }

        public override SynchronizationContext CreateCopy() => this;
    }

    private sealed class Posted(SimulationContext context, SendOrPostCallback callback, object? state)
        : IThreadPoolWorkItem
    {
        // RunWork restores the context that was there before.
        public void Execute()
        {
            SynchronizationContext.SetSynchronizationContext(context);
            callback(state);
        }
    }
}
