using Linnet.Kernel.Net;

namespace Linnet.Kernel.Arch.X86;

/// <summary>
/// The call boundary of 32-bit programs (<c>int 0x80</c>): their own numbers, arguments of four bytes. The socket calls go
/// through <c>socketcall</c>; files are read, written and closed.
/// </summary>
public static class Ia32SyscallTable
{
    private const int NrRead = 3;
    private const int NrWrite = 4;
    private const int NrClose = 6;
    private const int NrSocketcall = 102;

    /// <summary>Makes a system call of the 32-bit interface as <paramref name="task"/>.</summary>
    /// <param name="task">The caller; pointers lead into the lowest 4 GiB of its memory.</param>
    /// <param name="nr">The number in the i386 table.</param>
    /// <param name="a0">The first argument.</param>
    /// <param name="a1">The second.</param>
    /// <param name="a2">The third.</param>
    /// <returns>The result, or a negative errno; -ENOSYS for what Linnet lacks, which is counted.</returns>
    public static long Invoke(TaskStruct task, int nr, uint a0, uint a1 = 0, uint a2 = 0)
    {
        switch (nr)
        {
            case NrRead:
                return SyscallTable.Invoke(task, __NR_read, a0, a1, a2);
            case NrWrite:
                return SyscallTable.Invoke(task, __NR_write, a0, a1, a2);
            case NrClose:
                return SyscallTable.Invoke(task, __NR_close, a0);
            case NrSocketcall:
                using (task.Enter())
                    return SyscallTable.AtBoundary(Compat.CompatSysSocketcall((int)a0, a1));
            default:
                task.Machine.Unsupported.Add(RequestKind.Syscall, nr, text: "i386");
                return -ENOSYS;
        }
    }
}
