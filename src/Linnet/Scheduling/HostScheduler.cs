using Linnet.Kernel;

namespace Linnet;

/// <summary>
/// Runs machines in real time: queued work on the thread pool, threads as threads, timers on one thread of the
/// scheduler's own.
/// </summary>
public sealed class HostScheduler : Scheduler, IDisposable
{
    private const long NeverWakes = long.MaxValue;

    // Guards the machines, an array that is replaced and never changed, and the timer thread's sleep.
    private readonly object gate = new();
    private TimerBase[] machines = [];

    // When the timer thread looks again, a timestamp of the clock; long.MinValue while it is awake.
    private long wakesAt = NeverWakes;
    private Thread? timerThread;
    private bool stopped;

    /// <summary>The clock: the host's.</summary>
    public TimeProvider TimeProvider { get; } = TimeProvider.System;

    private long Now => (long)(TimeProvider.GetTimestamp() * (1e9 / TimeProvider.TimestampFrequency));

    /// <inheritdoc/>
    public override void Queue(IThreadPoolWorkItem work) => ThreadPool.UnsafeQueueUserWorkItem(work, preferLocal: false);

    /// <inheritdoc/>
    public override void Start(string name, Action body)
    {
        Thread thread = new(() => body()) { IsBackground = true, Name = name };
        thread.UnsafeStart();
    }

    /// <summary>Stops the timers. Threads that wait in a machine go on waiting.</summary>
    public void Dispose()
    {
        Thread? thread;
        lock (gate)
        {
            stopped = true;
            thread = timerThread;
            Monitor.PulseAll(gate);
        }

        if (thread != Thread.CurrentThread)
            thread?.Join();
    }

    /// <inheritdoc/>
    protected override ThreadWaiter CreateWaiter() =>
        Futex.IsSupported ? new FutexThreadWaiter() : new MonitorThreadWaiter();

    /// <inheritdoc/>
    protected override void TimerArmed(TimerBase timers, long deadline)
    {
        // Most deadlines lie behind the one that the timer thread sleeps for already.
        long due = Now + deadline - timers.Machine.Clock.Now;
        if (due >= Volatile.Read(ref wakesAt) && Volatile.Read(ref machines).AsSpan().Contains(timers))
            return;
        lock (gate)
        {
            if (!machines.AsSpan().Contains(timers))
                Volatile.Write(ref machines, [.. machines, timers]);
            if (due >= wakesAt || stopped)
                return;
            Volatile.Write(ref wakesAt, due);
            if (timerThread == null)
            {
                timerThread = new Thread(RunTimers) { IsBackground = true, Name = "linnet timers" };
                timerThread.UnsafeStart();
            }

            Monitor.PulseAll(gate);
        }
    }

    private void RunTimers()
    {
        while (WaitForDeadline())
        {
            foreach (TimerBase timers in Volatile.Read(ref machines))
                timers.RunTimers();
        }
    }

    // Sleeps in whole milliseconds, as timers of a kernel with HZ=1000 do; never shorter than asked for.
    private bool WaitForDeadline()
    {
        lock (gate)
        {
            // Timers that are armed from here on compare with what is found now, or wait for the lock.
            Volatile.Write(ref wakesAt, NeverWakes);
            long next = NextDeadline();
            Volatile.Write(ref wakesAt, Math.Min(next, wakesAt));
            while (!stopped)
            {
                long left = wakesAt == NeverWakes ? NeverWakes : wakesAt - Now;
                if (left <= 0)
                    return true;
                long milliseconds = left == NeverWakes ? Timeout.Infinite : Math.Min((left + 999_999) / 1_000_000, int.MaxValue);
                Monitor.Wait(gate, (int)milliseconds);
            }

            return false;
        }
    }

    private long NextDeadline()
    {
        long next = NeverWakes;
        foreach (TimerBase timers in machines)
        {
            if (timers.NextExpiry is { } expiry)
                next = Math.Min(next, Now + expiry - timers.Machine.Clock.Now);
        }

        return next;
    }
}
