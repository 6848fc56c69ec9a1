using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// What a thread of the supervisor has of a program's memory while it makes one call for it. Each reach into another process costs
/// a system call of the host's, so small reads bring what lies around them, and writes of calls that end with them go together.
/// </summary>
internal sealed unsafe class CallMemory
{
    private const int BlockSize = 2048;
    private const int Blocks = 4;
    private const int PageSize = 4096;
    private const int LargestRead = 512;
    private const int StageSize = 1024;
    private const int MostWrites = 8;

    [ThreadStatic]
    private static CallMemory? ofThread;

    private readonly byte[] blocks = GC.AllocateUninitializedArray<byte>(Blocks * BlockSize, pinned: true);
    private readonly (RemoteMemory? Memory, ulong Start)[] known = new (RemoteMemory?, ulong)[Blocks];
    private readonly byte[] stage = GC.AllocateUninitializedArray<byte>(StageSize, pinned: true);
    private readonly HostIovec[] writes = GC.AllocateArray<HostIovec>(MostWrites, pinned: true);
    private RemoteMemory? stagedFor;
    private int staged;
    private int count;
    private uint unchanged;
    private int next;
    private bool isOpen;
    private bool defers;
    private bool failed;

    /// <summary>The calling thread's.</summary>
    public static CallMemory OfThread => ofThread ??= new CallMemory();

    /// <summary>A call begins: nothing is known of the program's memory.</summary>
    public void Begin()
    {
        isOpen = true;
        Array.Clear(known);
    }

    /// <summary>The call is over: what the memory holds now is unknown again.</summary>
    public void End() => isOpen = false;

    /// <summary>Keeps writes together until <see cref="Flush"/>; for calls on which a bad address has no effect but its error.</summary>
    public void Defer()
    {
        defers = isOpen;
        failed = false;
    }

    /// <summary>Makes the writes that were kept.</summary>
    /// <returns>Whether all addresses were good.</returns>
    public bool Flush()
    {
        WriteStaged();
        defers = false;
        return !failed;
    }

    /// <summary>Reads what a block holds, or may hold from now on. What was written and is kept counts as written.</summary>
    /// <returns>Whether it did; otherwise the memory itself is to be asked.</returns>
    public bool TryRead(RemoteMemory memory, Span<byte> destination, ulong address)
    {
        int offset = (int)(address % BlockSize);
        if (!isOpen || destination.Length > LargestRead || offset + destination.Length > BlockSize)
        {
            WriteStaged();
            return false;
        }

        int block = Find(memory, address - (ulong)offset);
        if (block < 0)
        {
            // Blocks are parts of pages: one that is not readable as a whole is not readable at all.
            block = next;
            known[block] = default;
            if (memory.Read(blocks.AsSpan(block * BlockSize, BlockSize), address - (ulong)offset) != 0)
            {
                WriteStaged();
                return false;
            }

            known[block] = (memory, address - (ulong)offset);
            Lay(block);
            next = (next + 1) % Blocks;
        }

        blocks.AsSpan(block * BlockSize + offset, destination.Length).CopyTo(destination);
        return true;
    }

    /// <summary>Keeps a write for later.</summary>
    /// <returns>Whether it did; otherwise it is to be made at once.</returns>
    public bool TryWrite(RemoteMemory memory, ulong address, ReadOnlySpan<byte> source)
    {
        if (!isOpen)
            return false;
        bool changes = source.IsEmpty || !Holds(memory, address, source);

        // What came before could not be written: the call fails there, and writes nothing more.
        if (defers && failed)
            return true;
        if (!defers || source.Length > StageSize - staged || count == MostWrites || (count > 0 && stagedFor != memory))
        {
            WriteStaged();
            Forget(address, source.Length);
            return false;
        }

        source.CopyTo(stage.AsSpan(staged));
        if (!changes)
            unchanged |= 1u << count;
        writes[count++] = new HostIovec { Base = (void*)address, Length = (nuint)source.Length };
        staged += source.Length;
        stagedFor = memory;
        for (int i = 0; i < Blocks && changes; i++)
        {
            if (known[i].Memory == memory)
                Lay(i, address, source);
            else
                Forget(i, address, source.Length);
        }

        return true;
    }

    private int Find(RemoteMemory memory, ulong start)
    {
        for (int i = 0; i < Blocks; i++)
        {
            if (known[i].Memory == memory && known[i].Start == start)
                return i;
        }

        return -1;
    }

    // What is known of the memory is what it will hold once the writes that are kept have been made.
    private void Lay(int block)
    {
        int from = 0;
        for (int i = 0; i < count; i++)
        {
            int length = (int)writes[i].Length;
            if (known[block].Memory == stagedFor)
                Lay(block, (ulong)writes[i].Base, stage.AsSpan(from, length));
            else
                Forget(block, (ulong)writes[i].Base, length);
            from += length;
        }
    }

    private void Lay(int block, ulong address, ReadOnlySpan<byte> bytes)
    {
        ulong start = known[block].Start;
        ulong from = Math.Max(start, address), to = Math.Min(start + BlockSize, address + (ulong)bytes.Length);
        if (from < to)
            bytes[(int)(from - address)..(int)(to - address)].CopyTo(blocks.AsSpan((block * BlockSize) + (int)(from - start)));
    }

    private void Forget(ulong address, int length)
    {
        for (int i = 0; i < Blocks; i++)
            Forget(i, address, length);
    }

    private void Forget(int block, ulong address, int length)
    {
        if (known[block].Memory != null && known[block].Start < address + (ulong)length && address < known[block].Start + BlockSize)
            known[block] = default;
    }

    // Whether the memory is known to hold these bytes already.
    private bool Holds(RemoteMemory memory, ulong address, ReadOnlySpan<byte> source)
    {
        int offset = (int)(address % BlockSize);
        int block = offset + source.Length <= BlockSize ? Find(memory, address - (ulong)offset) : -1;
        return block >= 0 && blocks.AsSpan((block * BlockSize) + offset, source.Length).SequenceEqual(source);
    }

    private void WriteStaged()
    {
        if (count == 0)
            return;
        if (unchanged != 0)
            DropUnchanged();
        failed |= !stagedFor!.Write(stage.AsSpan(0, staged), writes.AsSpan(0, count));
        count = staged = 0;
        unchanged = 0;
    }

    // A length that stays what it was need not be written, where a write to the same page tells whether it could have been.
    private void DropUnchanged()
    {
        uint made = ~unchanged;
        for (int i = 0; i < count; i++)
            made |= IsVouchedFor(i, made) ? 0 : 1u << i;
        int from = 0, kept = 0, to = 0, all = count;
        for (int i = 0; i < all; i++)
        {
            HostIovec write = writes[i];
            int length = (int)write.Length;
            if ((made & (1u << i)) != 0)
            {
                stage.AsSpan(from, length).CopyTo(stage.AsSpan(to));
                writes[kept++] = write;
                to += length;
            }

            from += length;
        }

        (count, staged) = (kept, to);
    }

    private bool IsVouchedFor(int index, uint made)
    {
        (ulong start, ulong end) = Range(writes[index]);
        bool isVouchedFor = false;
        for (int i = 0; i < count; i++)
        {
            (ulong first, ulong last) = Range(writes[i]);
            if (i == index || writes[i].Length == 0)
                continue;
            if (first <= end && start <= last)
                return false;
            isVouchedFor |= (made & (1u << i)) != 0 && first / PageSize <= start / PageSize && start / PageSize <= last / PageSize;
        }

        return isVouchedFor && start / PageSize == end / PageSize;
    }

    // The first byte and the last.
    private static (ulong Start, ulong End) Range(in HostIovec write) => ((ulong)write.Base, (ulong)write.Base + write.Length - 1);
}
