namespace Linnet.Kernel.Fs;

/// <summary>What a thread needs to wait in the calls of this folder, made once and used again by each of its calls.</summary>
internal sealed class FsThread
{
    private static readonly StateSlot<FsThread> Slot = new();

    /// <summary>Room for the pieces of a vectored call.</summary>
    public Iovec[] Iovecs = new Iovec[UIO_FASTIOV];

    /// <summary>Room for the descriptors of <c>poll</c>.</summary>
    public Pollfd[] Pollfds = new Pollfd[16];

    private readonly Machine machine;
    private readonly TimerList timer;

    // The next that is free on the same thread.
    private FsThread? nextFree;

    private FsThread(Machine machine)
    {
        this.machine = machine;
        Waiter = machine.ThreadWaiter;
        Wait = new ExclusiveWait(Waiter);
        Poll = new ThreadPollWqueues(Waiter);
        timer = new TimerList(machine.Timers, static waiter => ((ThreadWaiter)waiter).Signal(), Waiter);
    }

    /// <summary>The thread's waiter.</summary>
    public ThreadWaiter Waiter { get; }

    /// <summary>The thread's place in a queue that wakes one waiter at a time.</summary>
    public ExclusiveWait Wait { get; }

    /// <summary>The queues that the thread's <c>poll</c> or <c>select</c> waits in.</summary>
    public ThreadPollWqueues Poll { get; }

    /// <summary>Takes one that is free on the calling thread: calls nest, and a thread that waits may run others.</summary>
    public static FsThread Rent(Machine machine)
    {
        SlotTable slots = Cpu.This.Slots;
        FsThread? thread = Slot.Find(slots);
        if (thread?.machine != machine || thread.Waiter != machine.ThreadWaiter)
            return new FsThread(machine);
        Slot.Set(slots, thread.nextFree);
        thread.nextFree = null;
        return thread;
    }

    /// <summary>Gives it back.</summary>
    public void Return()
    {
        SlotTable slots = Cpu.This.Slots;
        FsThread? free = Slot.Find(slots);
        nextFree = free?.machine == machine ? free : null;
        Slot.Set(slots, this);
    }

    /// <summary>Parks the thread until it is woken or <paramref name="deadline"/> (ns since boot) has come.</summary>
    /// <returns>Whether there is time left.</returns>
    public bool ScheduleUntil(long deadline)
    {
        if (deadline == Deadline.Never)
        {
            Waiter.Schedule();
            return true;
        }

        if (machine.Clock.Now >= deadline)
            return false;
        timer.Mod(deadline);
        Waiter.Schedule();
        timer.Delete();
        return machine.Clock.Now < deadline;
    }
}

/// <summary>
/// A thread in a queue that wakes one waiter at a time. A wake-up that comes while another is still on its way goes to the
/// next in the queue, as when Linux takes a woken task out of it.
/// </summary>
/// <param name="waiter">The thread's waiter.</param>
internal sealed class ExclusiveWait(ThreadWaiter waiter) : WaitQueueEntry
{
    private bool woken;

    /// <summary>Whether a wake-up has come since <see cref="Prepare"/>.</summary>
    public bool Woken => Volatile.Read(ref woken);

    /// <summary>Makes the entry ready to be added to a queue, or to be woken once more in it.</summary>
    public void Prepare()
    {
        Exclusive = true;
        Volatile.Write(ref woken, false);
    }

    protected internal override bool Wake(uint key)
    {
        if (woken)
            return false;
        Volatile.Write(ref woken, true);
        waiter.Signal();
        return true;
    }
}

/// <summary>Times at which calls give up, in nanoseconds since boot.</summary>
internal static class Deadline
{
    /// <summary>No limit.</summary>
    public const long Never = long.MaxValue;

    /// <summary>Do not wait at all.</summary>
    public const long Immediately = long.MinValue;

    /// <summary>The deadline of a timeout that begins now.</summary>
    public static long After(Machine machine, long nanoseconds)
    {
        if (nanoseconds <= 0)
            return Immediately;
        long now = machine.Clock.Now;
        return nanoseconds >= Never - now ? Never : now + nanoseconds;
    }

    /// <summary>The deadline of a timeout in milliseconds, of which negative ones mean for ever.</summary>
    public static long AfterMsec(Machine machine, int milliseconds) =>
        milliseconds < 0 ? Never : After(machine, milliseconds * Clock.NsecPerMsec);

    /// <summary>Whether the time is one that Linux takes (<c>timespec64_valid</c>).</summary>
    public static bool IsValid(Timespec time) => time.TvSec >= 0 && (ulong)time.TvNsec < Clock.NsecPerSec;

    /// <summary>The deadline of a valid timeout that begins now.</summary>
    public static long After(Machine machine, Timespec time) =>
        time.TvSec >= Never / Clock.NsecPerSec - 1 ? Never : After(machine, time.TvSec * Clock.NsecPerSec + time.TvNsec);

    /// <summary>What is left until the deadline; nothing once it has passed.</summary>
    public static Timespec Remaining(Machine machine, long deadline)
    {
        if (deadline == Immediately)
            return default;
        long left = Math.Max(deadline - machine.Clock.Now, 0);
        return new Timespec { TvSec = left / Clock.NsecPerSec, TvNsec = left % Clock.NsecPerSec };
    }
}
