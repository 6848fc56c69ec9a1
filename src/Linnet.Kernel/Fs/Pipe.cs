using System.Numerics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Fs;

/// <summary>One piece of data in a pipe (<c>struct pipe_buffer</c>); it holds a reference to its page.</summary>
[LinuxStruct("pipe_buffer")]
public struct PipeBuffer
{
    /// <summary>The memory.</summary>
    public Page Page;

    /// <summary>Where in the page the data begins.</summary>
    public int Offset;

    /// <summary>Bytes of data.</summary>
    public int Len;

    /// <summary><see cref="FlagPacket"/>, <see cref="FlagCanMerge"/>.</summary>
    public int Flags;

    /// <summary>The piece is a packet: one read takes it whole and drops what does not fit.</summary>
    public const int FlagPacket = 0x08;

    /// <summary>A later write may be added to the page.</summary>
    public const int FlagCanMerge = 0x10;

    /// <summary>The data.</summary>
    public readonly ReadOnlySpan<byte> Data => Page.Span(Offset, Len);
}

/// <summary>A pipe (<c>struct pipe_inode_info</c>): a ring of pieces of data between two files.</summary>
[LinuxStruct("pipe_inode_info")]
[LinuxFile("fs/pipe.c")]
public sealed partial class Pipe
{
    /// <summary>Bytes of one piece.</summary>
    public const int PageSize = 4096;

    /// <summary>Pieces that a pipe holds unless told otherwise (<c>PIPE_DEF_BUFFERS</c>).</summary>
    public const int DefaultBuffers = 16;

    // The least that a user beyond the soft limit still gets (PIPE_MIN_DEF_BUFFERS).
    private const int MinDefaultBuffers = 2;

    private readonly Machine machine;
    private readonly UserStruct user;

    // Guards all below. Never held while waiting. The wait queues are woken after it is released.
    private readonly Lock mutex = new();
    private PipeBuffer[] bufs;
    private uint head;
    private uint tail;
    private int maxUsage;
    private int readers = 1;
    private int writers = 1;

    // Somebody polls: an edge-triggered epoll wants to hear of every write, not only of the first into an empty pipe.
    private bool pollUsage;

    private Pipe(Machine machine, UserStruct user, int slots)
    {
        this.machine = machine;
        this.user = user;
        maxUsage = slots;
        bufs = new PipeBuffer[RingSize(slots)];
        Ino = PipeLimits.Of(machine).NextIno();
    }

    /// <summary>The number of the pipe's inode.</summary>
    public long Ino { get; }

    /// <summary>Readers, and pollers for data.</summary>
    public WaitQueueHead RdWait { get; } = new();

    /// <summary>Writers, and pollers for room.</summary>
    public WaitQueueHead WrWait { get; } = new();

    internal FasyncStruct FasyncReaders { get; } = new();

    internal FasyncStruct FasyncWriters { get; } = new();

    /// <summary>Bytes of capacity (<c>F_GETPIPE_SZ</c>).</summary>
    public int Size
    {
        get
        {
            lock (mutex)
                return maxUsage * PageSize;
        }
    }

    /// <summary>Bytes in the pipe (<c>FIONREAD</c>).</summary>
    public int Readable
    {
        get
        {
            lock (mutex)
            {
                int count = 0;
                for (uint i = tail; i != head; i++)
                    count += Slot(i).Len;
                return count;
            }
        }
    }

    private bool IsEmptyLocked => head == tail;

    private bool IsFullLocked => head - tail >= (uint)maxUsage;

    /// <summary>Makes a pipe for the calling task's user.</summary>
    /// <returns>The pipe, or null when the user has as much pipe memory as is allowed.</returns>
    [Linux("alloc_pipe_info")]
    internal static Pipe? AllocPipeInfo(Machine machine)
    {
        PipeLimits limits = PipeLimits.Of(machine);
        UserStruct user = UserStruct.Current(machine);
        int slots = DefaultBuffers;
        if ((long)slots * PageSize > limits.PipeMaxSize && !Capable(CAP_SYS_RESOURCE))
            slots = (int)(limits.PipeMaxSize / PageSize);
        long used = Interlocked.Add(ref user.PipeBufs, slots);
        if (limits.BeyondSoft(used) && PipeIsUnprivilegedUser())
        {
            used = Interlocked.Add(ref user.PipeBufs, MinDefaultBuffers - slots);
            slots = MinDefaultBuffers;
        }

        if (limits.BeyondHard(used) && PipeIsUnprivilegedUser())
        {
            Interlocked.Add(ref user.PipeBufs, -slots);
            return null;
        }

        return new Pipe(machine, user, slots);
    }

    /// <summary>Reads what is there now.</summary>
    /// <returns>Bytes, 0 when nobody writes any more, -EAGAIN when the pipe is empty, or -EFAULT.</returns>
    internal long ReadSome(ref IovIter to)
    {
        long ret = 0;
        bool wakeWriter = false;
        lock (mutex)
        {
            while (to.Count > 0 && !IsEmptyLocked)
            {
                ref PipeBuffer buf = ref Slot(tail);
                int chars = (int)Math.Min(buf.Len, to.Count);
                int copied = to.CopyTo(buf.Page.Span(buf.Offset, chars));
                if (copied < chars)
                {
                    // What could be copied of this piece stays in the pipe too: Linux reports none of it.
                    if (ret == 0)
                        ret = -EFAULT;
                    break;
                }

                ret += chars;
                buf.Offset += chars;
                buf.Len -= chars;
                bool packet = (buf.Flags & PipeBuffer.FlagPacket) != 0;
                if (packet || buf.Len == 0)
                {
                    wakeWriter |= IsFullLocked;
                    ReleaseTailLocked();
                }

                if (packet)
                    break;
            }

            if (ret == 0)
                ret = writers == 0 ? 0 : -EAGAIN;
        }

        if (wakeWriter)
            WakeWriters();
        return ret;
    }

    /// <summary>Writes what fits now.</summary>
    /// <param name="from">The data.</param>
    /// <param name="packet">Whether each page of it is a packet (<c>O_DIRECT</c>).</param>
    /// <returns>Bytes, -EAGAIN when the pipe is full, -EPIPE when nobody reads, or -EFAULT.</returns>
    internal long WriteSome(ref IovIter from, bool packet)
    {
        long ret = 0;
        bool wakeReader;
        lock (mutex)
        {
            if (readers == 0)
                return -EPIPE;
            wakeReader = IsEmptyLocked || pollUsage;
            int chars = (int)(from.Count & (PageSize - 1));
            if (chars != 0 && !IsEmptyLocked && MergeLocked(ref from, chars, ref ret))
                goto done;
            while (from.Count > 0)
            {
                if (IsFullLocked)
                {
                    if (ret == 0)
                        ret = -EAGAIN;
                    break;
                }

                if (!AppendPageLocked(ref from, packet, ref ret))
                    break;
            }

        done:;
        }

        if (ret > 0 && wakeReader)
            WakeReaders();
        return ret;
    }

    // The odd bytes of a write go behind the last one's if they fit whole, so that small writes do not use a page each.
    // Returns whether the write is over.
    private bool MergeLocked(ref IovIter from, int chars, ref long ret)
    {
        ref PipeBuffer buf = ref Slot(head - 1);
        int end = buf.Offset + buf.Len;
        if ((buf.Flags & PipeBuffer.FlagCanMerge) == 0 || end + chars > PageSize)
            return false;
        int copied = from.CopyFrom(buf.Page.Span(end, chars));
        if (copied < chars)
        {
            ret = -EFAULT;
            return true;
        }

        buf.Len += chars;
        ret += chars;
        return from.Count == 0;
    }

    private bool AppendPageLocked(ref IovIter from, bool packet, ref long ret)
    {
        Page page = machine.Pages.Rent(PageSize);
        int wanted = (int)Math.Min(PageSize, from.Count);
        int copied = from.CopyFrom(page.Span(0, wanted));
        if (copied < wanted)
        {
            page.Put();
            if (ret == 0)
                ret = -EFAULT;
            return false;
        }

        AddLocked(new PipeBuffer
        {
            Page = page,
            Len = copied,
            Flags = packet ? PipeBuffer.FlagPacket : PipeBuffer.FlagCanMerge,
        });
        ret += copied;
        return true;
    }

    private void AddLocked(in PipeBuffer buf) => Slot(head++) = buf;

    private void ReleaseTailLocked()
    {
        Slot(tail).Page.Put();
        Slot(tail++) = default;
    }

    private ref PipeBuffer Slot(uint index) => ref bufs[index & (uint)(bufs.Length - 1)];

    // One slot more than data is allowed in, for a piece that a splice could not deliver and puts back.
    private static int RingSize(int slots) => (int)BitOperations.RoundUpToPowerOf2((uint)slots + 1);

    private void WakeReaders()
    {
        RdWait.WakeUp(EPOLLIN | EPOLLRDNORM);
        FasyncReaders.KillFasync(SIGIO, POLL_IN);
    }

    private void WakeWriters()
    {
        WrWait.WakeUp(EPOLLOUT | EPOLLWRNORM);
        FasyncWriters.KillFasync(SIGIO, POLL_OUT);
    }

    private static bool Capable(int capability) => Cpu.This.Task?.Capable(capability) != false;

    [Linux("pipe_is_unprivileged_user")]
    private static bool PipeIsUnprivilegedUser() => !Capable(CAP_SYS_RESOURCE) && !Capable(CAP_SYS_ADMIN);
}

/// <summary>The limits of pipes on a machine (<c>/proc/sys/fs/pipe-*</c>).</summary>
public sealed class PipeLimits
{
    private static readonly StateSlot<PipeLimits> Slot = new();
    private long lastIno;

    private PipeLimits()
    {
    }

    /// <summary>Largest size, in bytes, that a task without CAP_SYS_RESOURCE can give a pipe (<c>fs.pipe-max-size</c>).</summary>
    public long PipeMaxSize { get; set; } = 1024 * 1024;

    /// <summary>Pages beyond which an unprivileged user only gets small pipes; 0 for no limit (<c>fs.pipe-user-pages-soft</c>).</summary>
    public long PipeUserPagesSoft { get; set; } = 16 * 1024;

    /// <summary>Pages beyond which an unprivileged user gets no pipe; 0 for no limit (<c>fs.pipe-user-pages-hard</c>).</summary>
    public long PipeUserPagesHard { get; set; }

    /// <summary>The limits of a machine.</summary>
    public static PipeLimits Of(Machine machine) => Slot.OfOrNew(machine.Slots, 0, static _ => new PipeLimits());

    internal bool BeyondSoft(long pages) => PipeUserPagesSoft != 0 && pages > PipeUserPagesSoft;

    internal bool BeyondHard(long pages) => PipeUserPagesHard != 0 && pages > PipeUserPagesHard;

    internal long NextIno() => Interlocked.Increment(ref lastIno);
}
