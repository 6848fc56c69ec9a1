using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <content>Pieces of data as a whole: put in and taken out by splice, and the size of the ring.</content>
public sealed partial class Pipe
{
    /// <summary>How many pieces fit now.</summary>
    public int FreeSlots
    {
        get
        {
            lock (mutex)
                return Math.Max(maxUsage - (int)(head - tail), 0);
        }
    }

    internal bool HasReaders => Volatile.Read(ref readers) != 0;

    internal bool HasWriters => Volatile.Read(ref writers) != 0;

    internal bool IsEmpty
    {
        get
        {
            lock (mutex)
                return IsEmptyLocked;
        }
    }

    internal bool IsFull
    {
        get
        {
            lock (mutex)
                return IsFullLocked;
        }
    }

    /// <summary>Copies data in, as far as there is room (what a <c>splice_read</c> does that cannot give its pages away).</summary>
    /// <returns>Bytes taken; fewer than given when the pipe is full, or -EPIPE when nobody reads.</returns>
    public int Append(ReadOnlySpan<byte> data)
    {
        int taken = 0;
        while (taken < data.Length)
        {
            int n = Math.Min(data.Length - taken, PageSize);
            Page page = machine.Pages.Rent(PageSize);
            data.Slice(taken, n).CopyTo(page.Span(0, n));
            int err = AppendPage(page, 0, n);
            if (err < 0)
            {
                page.Put();
                return taken > 0 || err == -EAGAIN ? taken : err;
            }

            taken += n;
        }

        return taken;
    }

    /// <summary>Puts a page in, whose reference the pipe takes over on success; its data must not change any more.</summary>
    /// <returns>0, -EAGAIN when the pipe is full, -EPIPE when nobody reads.</returns>
    public int AppendPage(Page page, int offset, int length)
    {
        lock (mutex)
        {
            if (readers == 0)
                return -EPIPE;
            if (IsFullLocked)
                return -EAGAIN;
            AddLocked(new PipeBuffer { Page = page, Offset = offset, Len = length });
        }

        WakeReaders();
        return 0;
    }

    /// <summary>Takes the first piece out, or the beginning of it; the caller owns its page.</summary>
    /// <param name="limit">Bytes at most.</param>
    /// <param name="taken">The piece.</param>
    /// <returns>Whether there was one.</returns>
    public bool TryTake(int limit, out PipeBuffer taken)
    {
        bool wasFull;
        lock (mutex)
        {
            taken = default;
            if (IsEmptyLocked)
                return false;
            ref PipeBuffer first = ref Slot(tail);
            taken = first;
            if (first.Len > limit)
            {
                taken.Len = limit;
                taken.Flags &= ~PipeBuffer.FlagCanMerge;
                first.Offset += limit;
                first.Len -= limit;
                first.Page.Get();
                return true;
            }

            wasFull = IsFullLocked;
            Slot(tail++) = default;
        }

        if (wasFull)
            WakeWriters();
        return true;
    }

    /// <summary>Returns a piece that was taken and not used to where it was; its page belongs to the pipe again.</summary>
    public void PutBack(in PipeBuffer piece)
    {
        lock (mutex)
        {
            if (head - tail == (uint)bufs.Length)
                ResizeRing(bufs.Length);
            Slot(--tail) = piece;
            Slot(tail).Flags &= ~PipeBuffer.FlagCanMerge;
        }

        RdWait.WakeUp(EPOLLIN | EPOLLRDNORM);
    }

    /// <summary>Refers to the data of this pipe in another, leaving it here too (<c>tee</c>).</summary>
    /// <returns>Bytes, or 0.</returns>
    [Linux("link_pipe", "fs/splice.c")]
    internal long LinkPipe(Pipe to, long length)
    {
        long linked = 0;
        for (uint i = 0; linked < length; i++)
        {
            PipeBuffer copy;
            lock (mutex)
            {
                if (i >= head - tail)
                    break;
                ref PipeBuffer buf = ref Slot(tail + i);

                // From now on two pipes show the page: nothing may be added to it.
                buf.Flags &= ~PipeBuffer.FlagCanMerge;
                copy = buf;
                copy.Page.Get();
            }

            copy.Len = (int)Math.Min(copy.Len, length - linked);
            if (to.AppendPage(copy.Page, copy.Offset, copy.Len) < 0)
            {
                copy.Page.Put();
                break;
            }

            linked += copy.Len;
        }

        return linked;
    }

    /// <summary>Changes the capacity (<c>F_SETPIPE_SZ</c>).</summary>
    /// <param name="size">Bytes wanted; rounded up to a power of two of pages.</param>
    /// <returns>The new capacity in bytes, -EINVAL, -EPERM beyond the limits, or -EBUSY when more data is in the pipe.</returns>
    [Linux("pipe_set_size")]
    internal long SetSize(uint size)
    {
        PipeLimits limits = PipeLimits.Of(machine);
        uint rounded = RoundPipeSize(size);
        int slots = (int)(rounded / PageSize);
        if (slots == 0)
            return -EINVAL;
        lock (mutex)
        {
            if (slots > maxUsage && rounded > limits.PipeMaxSize && !Capable(CAP_SYS_RESOURCE))
                return -EPERM;
            long used = Interlocked.Add(ref user.PipeBufs, slots - maxUsage);
            if (slots > maxUsage && (limits.BeyondHard(used) || limits.BeyondSoft(used)) && PipeIsUnprivilegedUser())
            {
                Interlocked.Add(ref user.PipeBufs, maxUsage - slots);
                return -EPERM;
            }

            if ((uint)slots < head - tail)
            {
                Interlocked.Add(ref user.PipeBufs, maxUsage - slots);
                return -EBUSY;
            }

            ResizeRing(slots);
            maxUsage = slots;
        }

        WrWait.WakeUp(EPOLLOUT | EPOLLWRNORM);
        return (long)slots * PageSize;
    }

    // At least a page; nothing beyond 2 GiB.
    [Linux("round_pipe_size")]
    private static uint RoundPipeSize(uint size) => size switch
    {
        > 1U << 31 => 0,
        < PageSize => PageSize,
        _ => BitOperations.RoundUpToPowerOf2(size),
    };

    [Linux("pipe_resize_ring")]
    private void ResizeRing(int slots)
    {
        PipeBuffer[] grown = new PipeBuffer[RingSize(slots)];
        uint count = head - tail;
        for (uint i = 0; i < count; i++)
            grown[i] = Slot(tail + i);
        bufs = grown;
        tail = 0;
        head = count;
    }

    private void Release()
    {
        lock (mutex)
        {
            while (!IsEmptyLocked)
                ReleaseTailLocked();
            Interlocked.Add(ref user.PipeBufs, -maxUsage);
        }
    }
}
