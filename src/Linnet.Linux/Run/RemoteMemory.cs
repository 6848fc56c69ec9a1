using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>The memory of a program of the host's, where the pointers of its calls lead.</summary>
/// <remarks>
/// It is reached by the thread whose call is being made: the first thread may have ended before the others, and after an
/// <c>exec</c> the process's number is the next program's, but no other thread's is.
/// </remarks>
internal sealed unsafe class RemoteMemory : MmStruct
{
    private const int PageSize = 4096;

    /// <inheritdoc/>
    public override int CopyFromUser(Span<byte> destination, ulong address) =>
        CallMemory.OfThread.TryRead(this, destination, address) ? 0 : Read(destination, address);

    /// <inheritdoc/>
    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        if (CallMemory.OfThread.TryWrite(this, address, source))
            return 0;
        if (!HostProcess.IsCallerWaiting)
        {
            HostProcess.WriteLater(address, source);
            return 0;
        }

        fixed (byte* bytes = source)
            return Copy(bytes, address, source.Length, write: true);
    }

    /// <summary>Copies from the memory as it is now.</summary>
    /// <returns>How many bytes could not be copied.</returns>
    public int Read(Span<byte> destination, ulong address)
    {
        fixed (byte* bytes = destination)
            return Copy(bytes, address, destination.Length, write: false);
    }

    /// <summary>Writes to several places, with one call of the host's.</summary>
    /// <param name="source">What goes to all of them, one after the other.</param>
    /// <param name="places">The places.</param>
    /// <returns>Whether all of it was written.</returns>
    public bool Write(Span<byte> source, ReadOnlySpan<HostIovec> places)
    {
        if (!HostProcess.IsCallerWaiting)
        {
            foreach (HostIovec place in places)
            {
                HostProcess.WriteLater((ulong)place.Base, source[..(int)place.Length]);
                source = source[(int)place.Length..];
            }

            return true;
        }

        fixed (byte* bytes = source)
        fixed (HostIovec* there = places)
        {
            HostIovec here = new() { Base = bytes, Length = (nuint)source.Length };
            return ProcessVmWritev(HostProcess.CallingThread, &here, 1, there, (nuint)places.Length, 0) == source.Length;
        }
    }

    /// <summary>Reads a string, with one call of the host's.</summary>
    /// <param name="destination">Where to; at most a page.</param>
    /// <param name="address">Where it is.</param>
    /// <returns>Its length; -1 when it is longer than the room, or not all of it can be read.</returns>
    public int ReadString(Span<byte> destination, ulong address)
    {
        fixed (byte* bytes = destination)
        {
            // The host stops between pieces: where the next page is missing, the rest of this one still comes.
            nuint length = (nuint)destination.Length;
            nuint toPageEnd = Math.Min(PageSize - (nuint)(address % PageSize), length);
            HostIovec here = new() { Base = bytes, Length = length };
            HostIovec* there = stackalloc HostIovec[2];
            there[0] = new HostIovec { Base = (void*)address, Length = toPageEnd };
            there[1] = new HostIovec { Base = (void*)(address + toPageEnd), Length = length - toPageEnd };
            nint n = ProcessVmReadv(HostProcess.CallingThread, &here, 1, there, toPageEnd < length ? 2u : 1u, 0);
            return n <= 0 ? -1 : destination[..(int)n].IndexOf((byte)0);
        }
    }

    // The host copies whole pieces or nothing of them: where one fails, what lies before the bad page still counts.
    private int Copy(byte* local, ulong address, int length, bool write)
    {
        int copied = 0;
        while (copied < length)
        {
            nint n = Transfer(local + copied, address + (ulong)copied, length - copied, write);
            if (n <= 0)
                break;
            copied += (int)n;
        }

        return length - copied;
    }

    private nint Transfer(byte* local, ulong address, int length, bool write)
    {
        HostIovec here = new() { Base = local, Length = (nuint)length };
        HostIovec there = new() { Base = (void*)address, Length = (nuint)length };
        nint n = Call(&here, &there, write);
        if (n >= 0)
            return n;
        nuint toPageEnd = PageSize - (nuint)(address % PageSize);
        if (toPageEnd >= (nuint)length)
            return n;
        here.Length = there.Length = toPageEnd;
        return Call(&here, &there, write);
    }

    private nint Call(HostIovec* here, HostIovec* there, bool write) =>
        write
            ? ProcessVmWritev(HostProcess.CallingThread, here, 1, there, 1, 0)
            : ProcessVmReadv(HostProcess.CallingThread, here, 1, there, 1, 0);
}
