using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net;

/// <summary>
/// What one running call needs: a message, room for its pieces, a place in wait queues and a timeout. Kept by the thread
/// for its next call, so that calls allocate nothing; a call that waits takes a second one.
/// </summary>
internal sealed class SocketCall
{
    private static readonly StateSlot<Idle> Slot = new();

    private readonly Machine machine;
    private readonly ThreadWaiter waiter;
    private readonly TimerList timeout;

    // The next free one of the thread.
    private SocketCall? next;

    /// <summary>Room for the pieces of a vectored call.</summary>
    public Iovec[] Iovecs = new Iovec[UIO_FASTIOV];

    private SocketCall(Machine machine)
    {
        this.machine = machine;
        waiter = machine.ThreadWaiter;
        Entry = new WaitEntry(waiter);
        timeout = new TimerList(machine.Timers, static data => ((ThreadWaiter)data).Signal(), waiter);
    }

    /// <summary>The message.</summary>
    public MsgHdr Msg { get; } = new();

    /// <summary>The call's place in a wait queue.</summary>
    public WaitEntry Entry { get; }

    /// <summary>Takes the calling thread's; a call inside of a call (a thread that runs others while it waits) gets another.</summary>
    public static SocketCall Rent(Machine machine)
    {
        Idle idle = IdleOfThread();
        SocketCall? call = idle.Call;
        if (call == null || call.machine != machine || call.waiter != machine.ThreadWaiter)
            return new SocketCall(machine);
        idle.Call = call.next;
        call.next = null;
        return call;
    }

    /// <summary>Gives it back.</summary>
    public void Return()
    {
        Msg.Reset(default, 0);
        Idle idle = IdleOfThread();
        next = idle.Call?.machine == machine ? idle.Call : null;
        idle.Call = this;
    }

    /// <summary>Parks the thread until it is signalled or the deadline (ns since boot) has come.</summary>
    /// <returns>Whether there is time left.</returns>
    public bool ScheduleUntil(long deadline)
    {
        if (deadline == long.MaxValue)
        {
            waiter.Schedule();
            return true;
        }

        if (machine.Clock.Now >= deadline)
            return false;
        timeout.Mod(deadline);
        waiter.Schedule();
        timeout.Delete();
        return machine.Clock.Now < deadline;
    }

    private static Idle IdleOfThread()
    {
        SlotTable slots = Cpu.This.Slots;
        Idle? idle = Slot.Find(slots);
        if (idle == null)
            Slot.Set(slots, idle = new Idle());
        return idle;
    }

    private sealed class Idle
    {
        public SocketCall? Call;
    }

    /// <summary>A parked thread in the queue of a socket, told apart from its other reasons to wake.</summary>
    internal sealed class WaitEntry(ThreadWaiter waiter) : WaitQueueEntry
    {
        private volatile bool woken;

        /// <summary>Whether a wake-up came since <see cref="Prepare"/>.</summary>
        public bool Woken => woken;

        /// <summary>Makes the entry ready for the next wake-up.</summary>
        public void Prepare() => woken = false;

        protected internal override bool Wake(uint key)
        {
            // One that was woken already leaves an exclusive wake-up to the next in the queue.
            if (woken)
                return false;
            woken = true;
            waiter.Signal();
            return true;
        }
    }
}
