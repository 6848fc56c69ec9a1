using System.Diagnostics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// A timer (<c>struct timer_list</c>): calls <paramref name="function"/> with <paramref name="data"/> once, at or after its
/// expiry, with no lock held. Embedded in its owner and armed again and again without allocation.
/// </summary>
/// <param name="timers">The machine's timers.</param>
/// <param name="function">Called at expiry, in softirq context: it must not wait.</param>
/// <param name="data">What <paramref name="function"/> is called with.</param>
[LinuxStruct("timer_list")]
public sealed class TimerList(TimerBase timers, Action<object> function, object data)
{
    internal readonly Action<object> Function = function;
    internal readonly object Data = data;

    // Guarded by the base's lock. QueuedAt is the key in the heap; it lags behind Expires when the timer was only deferred.
    internal int HeapIndex = -1;
    internal long QueuedAt;
    internal ulong Sequence;

    /// <summary>Nanoseconds since boot at which the timer is due; meaningful while it is pending.</summary>
    public long Expires { get; internal set; }

    /// <summary>Whether the timer is armed and has not fired (<c>timer_pending</c>).</summary>
    public bool Pending => Volatile.Read(ref HeapIndex) >= 0;

    /// <summary>Arms the timer, or changes its expiry (<c>mod_timer</c>).</summary>
    /// <param name="expires">Nanoseconds since boot; a time that has passed fires at the next opportunity.</param>
    /// <returns>Whether it was pending.</returns>
    public bool Mod(long expires) => timers.Mod(this, expires);

    /// <summary>Disarms the timer; its function may still be running on another thread (<c>timer_delete</c>).</summary>
    /// <returns>Whether it was pending.</returns>
    public bool Delete() => timers.Delete(this);
}

/// <summary>
/// All timers of a machine, in the order of their expiry; those that are due at the same time fire in the order in which
/// they were armed. A four-ary heap: arming is O(log n), and deferring a pending timer (what every ACK does to the
/// retransmission timer) is O(1), because the heap is only put in order when the old key is reached.
/// </summary>
[LinuxFile("kernel/time/timer.c")]
public sealed class TimerBase
{
    private readonly Machine machine;

    // Guards all below, and the queue state of every timer. A leaf lock.
    private Spinlock guard;
    private TimerList[] heap = new TimerList[64];
    private int count;
    private ulong sequence;

    internal TimerBase(Machine machine) => this.machine = machine;

    /// <summary>The machine; deadlines are on its clock.</summary>
    public Machine Machine => machine;

    /// <summary>When the scheduler has to call <see cref="RunTimers"/> next: nanoseconds since boot, or null for never.</summary>
    public long? NextExpiry
    {
        get
        {
            guard.Lock();
            SettleFront();
            long? next = count > 0 ? heap[0].QueuedAt : null;
            guard.Unlock();
            return next;
        }
    }

    /// <summary>Fires every timer that is due, then the softirqs that they raised. Called by the scheduler.</summary>
    /// <returns>How many fired.</returns>
    public int RunTimers()
    {
        int fired = 0;
        using KernelEntry entry = machine.Enter();
        long now = machine.Clock.Now;
        while (PopDue(now) is { } timer)
        {
            timer.Function(timer.Data);
            Cpu.This.RunSoftirqs();
            fired++;
        }

        return fired;
    }

    internal bool Mod(TimerList timer, long expires)
    {
        guard.Lock();
        bool front = false;
        bool pending = timer.HeapIndex >= 0;
        timer.Expires = expires;
        if (timer.HeapIndex < 0)
        {
            timer.QueuedAt = expires;
            timer.Sequence = sequence++;
            if (count == heap.Length)
                Array.Resize(ref heap, count * 2);
            SiftUp(timer, count++);
            front = timer.HeapIndex == 0;
        }
        else if (expires < timer.QueuedAt)
        {
            timer.QueuedAt = expires;
            timer.Sequence = sequence++;
            SiftUp(timer, timer.HeapIndex);
            front = timer.HeapIndex == 0;
        }

        guard.Unlock();
        if (front)
            machine.Scheduler.TimerArmed(this, expires);
        return pending;
    }

    internal bool Delete(TimerList timer)
    {
        if (!timer.Pending)
            return false;
        guard.Lock();
        bool pending = timer.HeapIndex >= 0;
        if (pending)
            RemoveAt(timer.HeapIndex);
        guard.Unlock();
        return pending;
    }

    private TimerList? PopDue(long now)
    {
        guard.Lock();
        SettleFront();
        TimerList? due = count > 0 && heap[0].QueuedAt <= now ? heap[0] : null;
        if (due != null)
            RemoveAt(0);
        guard.Unlock();
        return due;
    }

    // Deferred timers move to where they belong once their old key has come to the front.
    private void SettleFront()
    {
        while (count > 0 && heap[0].Expires > heap[0].QueuedAt)
        {
            TimerList timer = heap[0];
            timer.QueuedAt = timer.Expires;
            timer.Sequence = sequence++;
            SiftDown(timer, 0);
        }
    }

    private void RemoveAt(int index)
    {
        TimerList removed = heap[index];
        TimerList moved = heap[--count];
        heap[count] = null!;
        Volatile.Write(ref removed.HeapIndex, -1);
        if (moved == removed)
            return;
        if (index > 0 && Before(moved, heap[(index - 1) >> 2]))
            SiftUp(moved, index);
        else
            SiftDown(moved, index);
    }

    private static bool Before(TimerList a, TimerList b) =>
        a.QueuedAt != b.QueuedAt ? a.QueuedAt < b.QueuedAt : a.Sequence < b.Sequence;

    private void SiftUp(TimerList timer, int index)
    {
        while (index > 0)
        {
            int parent = (index - 1) >> 2;
            if (!Before(timer, heap[parent]))
                break;
            Place(heap[parent], index);
            index = parent;
        }

        Place(timer, index);
    }

    private void SiftDown(TimerList timer, int index)
    {
        while (true)
        {
            int child = (index << 2) + 1;
            if (child >= count)
                break;
            int least = child;
            int end = Math.Min(child + 4, count);
            for (int other = child + 1; other < end; other++)
            {
                if (Before(heap[other], heap[least]))
                    least = other;
            }

            if (!Before(heap[least], timer))
                break;
            Place(heap[least], index);
            index = least;
        }

        Place(timer, index);
    }

    private void Place(TimerList timer, int index)
    {
        Debug.Assert(guard.IsLocked);
        heap[index] = timer;
        timer.HeapIndex = index;
    }
}
