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
        int copied = 0;
        fixed (byte* bytes = destination)
        {
            // The host copies whole pieces or nothing of them: where one fails, what lies before the bad page still counts.
            while (copied < destination.Length)
            {
                nint n = Transfer(bytes + copied, address + (ulong)copied, destination.Length - copied, write: false);
                if (n <= 0)
                    break;
                copied += (int)n;
            }
        }

        return destination.Length - copied;
    }

    /// <inheritdoc/>
    public override int CopyToUser(ulong address, ReadOnlySpan<byte> source)
    {
        int copied = 0;
        fixed (byte* bytes = source)
        {
            while (copied < source.Length)
            {
                nint n = Transfer(bytes + copied, address + (ulong)copied, source.Length - copied, write: true);
                if (n <= 0)
                    break;
                copied += (int)n;
            }
        }

        return source.Length - copied;
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
