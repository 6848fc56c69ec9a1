using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>One file watched by one epoll instance (<c>struct epitem</c>).</summary>
/// <param name="ep">The instance.</param>
[LinuxStruct("epitem")]
internal sealed class Epitem(Eventpoll ep)
{
    /// <summary>The instance.</summary>
    public readonly Eventpoll Ep = ep;

    /// <summary>The file; no reference is held: the item goes when the file does.</summary>
    public File File = null!;

    /// <summary>The descriptor that the file was added by.</summary>
    public int Fd;

    /// <summary>What is wanted, and what the program gets back. Guarded by the instance's lock.</summary>
    public EpollEvent Event;

    // The ready list, guarded by the instance's lock; the list of a running scan by its mutex.
    public Epitem? RdlNext;
    public Epitem? RdlPrev;
    public bool IsLinked;

    // Became ready while a scan ran (ovflist).
    public Epitem? OvflNext;
    public bool IsInOvflist;

    // The file's other watchers (fllink), guarded by the file's EpLock.
    public Epitem? FileNext;

    // The instance's items that wait to be used again.
    public Epitem? FreeNext;

    /// <summary>The queues that the item is in; kept for the next use of the item.</summary>
    public EppollEntry? Pwqlist;
}

/// <summary>An item's place in one of its file's queues (<c>struct eppoll_entry</c>).</summary>
[LinuxStruct("eppoll_entry")]
internal sealed class EppollEntry(Epitem item) : WaitQueueEntry
{
    /// <summary>The item's next place.</summary>
    public EppollEntry? NextEntry;

    protected internal override bool Wake(uint key) => item.Ep.PollCallback(item, key);
}

/// <summary>A list of items through their ready links (<c>rdllist</c>, <c>txlist</c>).</summary>
internal struct EpitemList
{
    public Epitem? First;
    private Epitem? last;

    public readonly bool IsEmpty => First == null;

    public void AddTail(Epitem item)
    {
        Bug.On(item.IsLinked);
        item.IsLinked = true;
        item.RdlPrev = last;
        item.RdlNext = null;
        if (last != null)
            last.RdlNext = item;
        else
            First = item;
        last = item;
    }

    public void AddHead(Epitem item)
    {
        Bug.On(item.IsLinked);
        item.IsLinked = true;
        item.RdlPrev = null;
        item.RdlNext = First;
        if (First != null)
            First.RdlPrev = item;
        else
            last = item;
        First = item;
    }

    public void Remove(Epitem item)
    {
        Bug.On(!item.IsLinked);
        item.IsLinked = false;
        if (item.RdlPrev != null)
            item.RdlPrev.RdlNext = item.RdlNext;
        else
            First = item.RdlNext;
        if (item.RdlNext != null)
            item.RdlNext.RdlPrev = item.RdlPrev;
        else
            last = item.RdlPrev;
        item.RdlNext = item.RdlPrev = null;
    }

    /// <summary>Puts all of <paramref name="other"/> before what is here.</summary>
    public void SpliceHead(ref EpitemList other)
    {
        if (other.First == null)
            return;
        other.last!.RdlNext = First;
        if (First != null)
            First.RdlPrev = other.last;
        else
            last = other.last;
        First = other.First;
        other = default;
    }
}
