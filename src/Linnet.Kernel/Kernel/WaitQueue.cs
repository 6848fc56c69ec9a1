using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>Somebody who waits in a <see cref="WaitQueueHead"/>: a parked thread, a pending ValueTask, an epoll item.</summary>
[LinuxStruct("wait_queue_entry")]
public abstract class WaitQueueEntry
{
    internal WaitQueueEntry? Next;
    internal WaitQueueEntry? Prev;

    /// <summary>The queue that the entry is in, or null.</summary>
    public WaitQueueHead? Queue { get; internal set; }

    /// <summary>Poll mask of the events that the entry wants; zero for all.</summary>
    public uint Events { get; set; }

    /// <summary>At most one exclusive entry is woken at a time (<c>WQ_FLAG_EXCLUSIVE</c>).</summary>
    public bool Exclusive { get; set; }

    /// <summary>
    /// Called with the queue's lock held, from any context: it must neither block nor call back into sockets.
    /// </summary>
    /// <param name="key">Poll mask of what happened; zero when unknown.</param>
    /// <returns>Whether the entry took the wake-up; an exclusive entry that did ends the walk.</returns>
    protected internal abstract bool Wake(uint key);
}

/// <summary>A queue of waiters (<c>wait_queue_head_t</c>). Entries are linked into it; adding one allocates nothing.</summary>
[LinuxStruct("wait_queue_head")]
[LinuxFile("kernel/sched/wait.c")]
public sealed class WaitQueueHead
{
    // Guards the list and the links of its entries. A leaf lock: nothing is locked under it but a waiter's own state.
    private Spinlock guard;
    private WaitQueueEntry? first;
    private WaitQueueEntry? last;

    /// <summary>Whether anybody waits; exact only under the caller's own synchronisation (<c>waitqueue_active</c>).</summary>
    public bool Active => Volatile.Read(ref first) != null;

    /// <summary>
    /// Adds an entry: exclusive ones at the tail, others at the head, as Linux does. What the caller reads afterwards is
    /// no older than the entry's place in the queue.
    /// </summary>
    public void Add(WaitQueueEntry entry)
    {
        guard.Lock();
        Bug.On(entry.Queue != null);
        entry.Queue = this;
        if (entry.Exclusive)
        {
            entry.Prev = last;
            if (last != null)
                last.Next = entry;
            else
                first = entry;
            last = entry;
        }
        else
        {
            entry.Next = first;
            if (first != null)
                first.Prev = entry;
            else
                last = entry;
            first = entry;
        }

        guard.Unlock();
        // Whoever adds an entry looks next at what it waits for. That read must not pass the entry on its way to memory
        // (the barrier of set_current_state() in prepare_to_wait()).
        Interlocked.MemoryBarrier();
    }

    /// <summary>Removes an entry if it is in this queue.</summary>
    public void Remove(WaitQueueEntry entry)
    {
        guard.Lock();
        if (entry.Queue == this)
        {
            if (entry.Prev != null)
                entry.Prev.Next = entry.Next;
            else
                first = entry.Next;
            if (entry.Next != null)
                entry.Next.Prev = entry.Prev;
            else
                last = entry.Prev;
            entry.Next = entry.Prev = null;
            entry.Queue = null;
        }

        guard.Unlock();
    }

    /// <summary>Wakes everybody who wants <paramref name="key"/>, and at most one exclusive waiter.</summary>
    /// <param name="key">Poll mask of what happened; zero when unknown.</param>
    public void WakeUp(uint key = 0)
    {
        // A waiter adds itself and then looks at what it waits for; who changed that has to look for the waiter after the
        // change, or both miss each other (wq_has_sleeper). Add() has the other barrier of the pair.
        Interlocked.MemoryBarrier();
        if (Volatile.Read(ref first) == null)
            return;
        WakeUpLocked(key, exclusiveLimit: 1);
    }

    /// <summary>Wakes everybody who wants <paramref name="key"/>, exclusive or not.</summary>
    public void WakeUpAll(uint key = 0) => WakeUpLocked(key, int.MaxValue);

    private void WakeUpLocked(uint key, int exclusiveLimit)
    {
        guard.Lock();
        WaitQueueEntry? entry = first;
        while (entry != null)
        {
            WaitQueueEntry? next = entry.Next;
            bool wants = key == 0 || entry.Events == 0 || (entry.Events & key) != 0;
            if (wants && entry.Wake(key) && entry.Exclusive && --exclusiveLimit == 0)
                break;
            entry = next;
        }

        guard.Unlock();
    }
}
