using System.Runtime.InteropServices;
using Linnet.Kernel;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>The memory of a program of the host's, where the pointers of its calls lead.</summary>
/// <param name="pid">A thread of it.</param>
internal sealed unsafe class RemoteMemory(int pid) : MmStruct
{
    private const int PageSize = 4096;

    /// <inheritdoc/>
    public override int CopyFromUser(Span<byte> destination, ulong address)
    {
        fixed (byte* bytes = destination)
            return Copy(bytes, address, destination.Length, write: false);
    }

    /// <inheritdoc/>
    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        fixed (byte* bytes = source)
            return Copy(bytes, address, source.Length, write: true);
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
        if (n >= 0 || Marshal.GetLastPInvokeError() != EFAULT)
            return n;
        nuint toPageEnd = PageSize - (nuint)(address % PageSize);
        if (toPageEnd >= (nuint)length)
            return n;
        here.Length = there.Length = toPageEnd;
        return Call(&here, &there, write);
    }

    private nint Call(HostIovec* here, HostIovec* there, bool write) =>
        write ? ProcessVmWritev(pid, here, 1, there, 1, 0) : ProcessVmReadv(pid, here, 1, there, 1, 0);
}
