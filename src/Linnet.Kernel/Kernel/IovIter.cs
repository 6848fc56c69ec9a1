using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// A position in the caller's scattered memory (<c>struct iov_iter</c>): data is copied from it (sending) or to it
/// (receiving), which moves it on. A mutable struct: pass it by reference.
/// </summary>
/// <remarks>Memory of this process has to be pinned while the iterator is in use.</remarks>
[LinuxStruct("iov_iter")]
[LinuxFile("lib/iov_iter.c")]
public struct IovIter
{
    private readonly MmStruct? mm;
    private readonly Iovec[]? segments;
    private Iovec current;
    private int segment;
    private long offset;

    /// <summary>An iterator over one piece of memory.</summary>
    /// <param name="buffer">Where it begins.</param>
    /// <param name="length">Bytes.</param>
    public IovIter(Sockptr buffer, long length)
    {
        mm = buffer.Mm;
        current = new Iovec { IovBase = buffer.Address, IovLen = (ulong)length };
        Count = length;
    }

    /// <summary>An iterator over several pieces of memory.</summary>
    /// <param name="mm">The address space of the pieces, or null for this process's own.</param>
    /// <param name="segments">The pieces; not changed, and kept while the iterator lives.</param>
    /// <param name="count">How many of <paramref name="segments"/> there are.</param>
    public IovIter(MmStruct? mm, Iovec[] segments, int count)
    {
        this.mm = mm;
        this.segments = segments;
        for (int i = 0; i < count; i++)
            Count += (long)segments[i].IovLen;
        if (count > 0)
            current = segments[0];
    }

    /// <summary>Bytes that are left.</summary>
    public long Count { get; private set; }

    /// <summary>Bytes that are left of the piece of memory that comes next.</summary>
    /// <param name="begins">Whether nothing of it was taken yet.</param>
    public int PieceLeft(out bool begins)
    {
        bool any = SkipEmpty();
        begins = any && offset == 0;
        return any ? Chunk(int.MaxValue) : 0;
    }

    /// <summary>Limits what is left to <paramref name="count"/> bytes (<c>iov_iter_truncate</c>).</summary>
    public void Truncate(long count) => Count = Math.Min(Count, count);

    /// <summary>Undoes a <see cref="Truncate"/> (<c>iov_iter_reexpand</c>).</summary>
    public void Reexpand(long count) => Count = count;

    /// <summary>Copies out of the caller's memory (<c>copy_from_iter</c>).</summary>
    /// <returns>Bytes copied; fewer than asked for where the memory ends or cannot be read.</returns>
    public int CopyFrom(Span<byte> destination)
    {
        int copied = 0;
        while (copied < destination.Length && Count > 0 && SkipEmpty())
        {
            int n = Chunk(destination.Length - copied);
            int moved = n - NotCopiedFrom(destination.Slice(copied, n));
            Step(moved);
            copied += moved;
            if (moved < n)
                break;
        }

        return copied;
    }

    /// <summary>Copies into the caller's memory (<c>copy_to_iter</c>).</summary>
    /// <returns>Bytes copied; fewer than given where the memory ends or cannot be written.</returns>
    public int CopyTo(ReadOnlySpan<byte> source)
    {
        int copied = 0;
        while (copied < source.Length && Count > 0 && SkipEmpty())
        {
            int n = Chunk(source.Length - copied);
            int moved = n - NotCopiedTo(source.Slice(copied, n));
            Step(moved);
            copied += moved;
            if (moved < n)
                break;
        }

        return copied;
    }

    /// <summary>Moves on without copying (<c>iov_iter_advance</c>).</summary>
    public void Advance(long bytes)
    {
        bytes = Math.Min(bytes, Count);
        while (bytes > 0 && SkipEmpty())
        {
            int n = Chunk((int)Math.Min(bytes, int.MaxValue));
            Step(n);
            bytes -= n;
        }
    }

    /// <summary>Moves back over bytes that were copied or passed (<c>iov_iter_revert</c>).</summary>
    public void Revert(long bytes)
    {
        Count += bytes;
        while (bytes > offset)
        {
            bytes -= offset;
            Bug.On(segment == 0);
            current = segments![--segment];
            offset = (long)current.IovLen;
        }

        offset -= bytes;
    }

    // A copy ends where the memory does, not where the piece began.
    private readonly int NotCopiedFrom(Span<byte> destination)
    {
        ulong address = current.IovBase + (ulong)offset;
        if (mm != null)
            return mm.CopyFromUser(destination, address);
        return new Sockptr(null, address).CopyFrom(destination) == 0 ? 0 : destination.Length;
    }

    private readonly int NotCopiedTo(ReadOnlySpan<byte> source)
    {
        ulong address = current.IovBase + (ulong)offset;
        if (mm != null)
            return mm.CopyToUser(address, source);
        return new Sockptr(null, address).CopyTo(source) == 0 ? 0 : source.Length;
    }

    private readonly int Chunk(int wanted) =>
        (int)Math.Min(Math.Min(wanted, (long)current.IovLen - offset), Count);

    private void Step(int bytes)
    {
        offset += bytes;
        Count -= bytes;
    }

    private bool SkipEmpty()
    {
        while (offset == (long)current.IovLen)
        {
            if (segments == null || segment + 1 >= segments.Length)
                return false;
            current = segments[++segment];
            offset = 0;
        }

        return true;
    }
}
