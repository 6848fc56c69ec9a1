using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;

namespace Linnet.Kernel.Arch.X86;

/// <summary>
/// The call boundary: a program's system call as x86-64 makes it, a number and six registers in, one register out. What is
/// behind a number is in the subsystem's own file; a number that Linnet lacks answers -ENOSYS and is counted in
/// <see cref="Machine.Unsupported"/>.
/// </summary>
public static class SyscallTable
{
    // Errnos from here on are between the kernel and its boundary: "interrupted, do it again".
    private const int MaxErrno = 511;
    private const int LastRestart = 516;

    /// <summary>Makes a system call as <paramref name="task"/>; waits where the call waits.</summary>
    /// <param name="task">The caller; pointers lead into its memory.</param>
    /// <param name="nr">The number, <c>__NR_*</c>.</param>
    /// <param name="arguments">Up to six arguments.</param>
    /// <returns>The result, or a negative errno; an interrupted call answers -EINTR.</returns>
    public static long Invoke(TaskStruct task, int nr, params ReadOnlySpan<ulong> arguments)
    {
        Span<ulong> a = stackalloc ulong[6];
        a.Clear();
        arguments.CopyTo(a);
        using KernelEntry entry = task.Enter();
        if (!Dispatch(task, nr, a, out long ret))
        {
            task.Machine.Unsupported.Add(RequestKind.Syscall, nr);
            return -ENOSYS;
        }

        return AtBoundary(ret);
    }

    /// <summary>What a program sees of a result: an errno that asks for a restart becomes -EINTR.</summary>
    internal static long AtBoundary(long ret) => ret is < -MaxErrno and >= -LastRestart ? -EINTR : ret;

    private static bool Dispatch(TaskStruct task, int nr, ReadOnlySpan<ulong> a, out long ret)
    {
        long? result = Connections(nr, a) ?? Messages(nr, a) ?? Tasks(task, nr, a);
        ret = result ?? -ENOSYS;
        return result != null || FsSyscalls.TryInvoke(nr, a, out ret);
    }

    private static long? Connections(int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_socket => SocketSyscalls.Socket((int)a[0], (int)a[1], (int)a[2]),
        __NR_socketpair => SocketSyscalls.Socketpair((int)a[0], (int)a[1], (int)a[2], a[3]),
        __NR_bind => SocketSyscalls.Bind((int)a[0], a[1], (int)a[2]),
        __NR_listen => SocketSyscalls.Listen((int)a[0], (int)a[1]),
        __NR_accept => SocketSyscalls.Accept((int)a[0], a[1], a[2]),
        __NR_accept4 => SocketSyscalls.Accept4((int)a[0], a[1], a[2], (int)a[3]),
        __NR_connect => SocketSyscalls.Connect((int)a[0], a[1], (int)a[2]),
        __NR_getsockname => SocketSyscalls.Getsockname((int)a[0], a[1], a[2]),
        __NR_getpeername => SocketSyscalls.Getpeername((int)a[0], a[1], a[2]),
        __NR_shutdown => SocketSyscalls.Shutdown((int)a[0], (int)a[1]),
        __NR_setsockopt => SocketSyscalls.Setsockopt((int)a[0], (int)a[1], (int)a[2], a[3], (int)a[4]),
        __NR_getsockopt => SocketSyscalls.Getsockopt((int)a[0], (int)a[1], (int)a[2], a[3], a[4]),
        _ => null,
    };

    private static long? Messages(int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_sendto => SocketSyscalls.Sendto((int)a[0], a[1], a[2], (int)a[3], a[4], (int)a[5]),
        __NR_recvfrom => SocketSyscalls.Recvfrom((int)a[0], a[1], a[2], (int)a[3], a[4], a[5]),
        __NR_sendmsg => SocketSyscalls.Sendmsg((int)a[0], a[1], (uint)a[2]),
        __NR_recvmsg => SocketSyscalls.Recvmsg((int)a[0], a[1], (uint)a[2]),
        __NR_sendmmsg => SocketSyscalls.Sendmmsg((int)a[0], a[1], (uint)a[2], (uint)a[3]),
        __NR_recvmmsg => SocketSyscalls.Recvmmsg((int)a[0], a[1], (uint)a[2], (uint)a[3], a[4]),
        _ => null,
    };

    private static long? Tasks(TaskStruct task, int nr, ReadOnlySpan<ulong> a) => nr switch
    {
        __NR_getpid or __NR_gettid => task.Pid,
        __NR_getuid => task.Cred.Uid,
        __NR_geteuid => task.Cred.Euid,
        __NR_getgid => task.Cred.Gid,
        __NR_getegid => task.Cred.Egid,
        __NR_unshare => Fork.KsysUnshare(task, a[0]),
        __NR_setns => Nsfs.Setns(task, (int)a[0], (int)a[1]),
        _ => null,
    };
}
