using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>
/// The queues that one caller of <c>poll</c> or <c>select</c> waits in (<c>struct poll_wqueues</c>). It is reusable:
/// <see cref="Freewait"/> leaves the queues and keeps the entries. What happens on a wake-up is the heir's to say: a thread is
/// signalled, a pending ValueTask is queued for completion.
/// </summary>
[LinuxStruct("poll_wqueues")]
[LinuxFile("fs/select.c")]
public abstract class PollWqueues : PollTable
{
    private Entry[] entries = [];
    private int count;

    /// <summary>Whether <see cref="PollWait"/> registers; turned off once something was found ready.</summary>
    public bool Registers { get; set; } = true;

    /// <inheritdoc/>
    public override void PollWait(File? file, WaitQueueHead queue)
    {
        if (!Registers)
            return;
        if (count == entries.Length)
            Grow();
        Entry entry = entries[count++];
        entry.File = file?.Get();
        entry.Events = Key;
        queue.Add(entry);
    }

    /// <summary>Leaves all queues.</summary>
    [Linux("poll_freewait")]
    public void Freewait()
    {
        for (int i = count - 1; i >= 0; i--)
        {
            Entry entry = entries[i];
            entry.Queue?.Remove(entry);
            entry.File?.Fput();
            entry.File = null;
        }

        count = 0;
        Registers = true;
    }

    /// <summary>
    /// Something happened to one of the files. Called with the queue's lock held, from any context: it must neither block
    /// nor call back into files.
    /// </summary>
    protected internal abstract void Triggered();

    private void Grow()
    {
        int old = entries.Length;
        Array.Resize(ref entries, Math.Max(old * 2, 8));
        for (int i = old; i < entries.Length; i++)
            entries[i] = new Entry(this);
    }

    [LinuxStruct("poll_table_entry")]
    private sealed class Entry(PollWqueues owner) : WaitQueueEntry
    {
        public File? File;

        protected internal override bool Wake(uint key)
        {
            owner.Triggered();
            return true;
        }
    }
}

/// <summary>The queues that a parked thread waits in.</summary>
/// <param name="waiter">The thread's waiter.</param>
internal sealed class ThreadPollWqueues(ThreadWaiter waiter) : PollWqueues
{
    protected internal override void Triggered() => waiter.Signal();
}
