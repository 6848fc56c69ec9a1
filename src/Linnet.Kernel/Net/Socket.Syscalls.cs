using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <summary>
/// The system calls of sockets (the <c>SYSCALL_DEFINE</c>s of <c>net/socket.c</c>): numbers in, a descriptor, a count or a
/// negative errno out. Pointers lead into the memory of the current task.
/// </summary>
[LinuxFile("net/socket.c")]
public static class SocketSyscalls
{
    // Bytes of arguments of each call of socketcall, at eight bytes an argument.
    private static ReadOnlySpan<byte> Nargs =>
        [0, 3, 3, 3, 2, 3, 3, 3, 4, 4, 4, 6, 6, 2, 5, 5, 3, 3, 4, 5, 4];

    /// <summary><c>socket(family, type, protocol)</c></summary>
    [Linux("__x64_sys_socket")]
    public static long Socket(int family, int type, int protocol) => Net.Socket.SysSocket(family, type, protocol);

    /// <summary><c>socketpair(family, type, protocol, sv)</c></summary>
    [Linux("__x64_sys_socketpair")]
    public static long Socketpair(int family, int type, int protocol, ulong usockvec) =>
        Net.Socket.SysSocketpair(family, type, protocol, Uaccess.User(usockvec));

    /// <summary><c>bind(fd, addr, addrlen)</c></summary>
    [Linux("__x64_sys_bind")]
    public static long Bind(int fd, ulong umyaddr, int addrlen) => Net.Socket.SysBind(fd, Uaccess.User(umyaddr), addrlen);

    /// <summary><c>listen(fd, backlog)</c></summary>
    [Linux("__x64_sys_listen")]
    public static long Listen(int fd, int backlog) => Net.Socket.SysListen(fd, backlog);

    /// <summary><c>accept4(fd, addr, addrlen, flags)</c></summary>
    [Linux("__x64_sys_accept4")]
    public static long Accept4(int fd, ulong upeerSockaddr, ulong upeerAddrlen, int flags) =>
        Net.Socket.SysAccept4(fd, Uaccess.User(upeerSockaddr), Uaccess.User(upeerAddrlen), flags);

    /// <summary><c>accept(fd, addr, addrlen)</c></summary>
    [Linux("__x64_sys_accept")]
    public static long Accept(int fd, ulong upeerSockaddr, ulong upeerAddrlen) =>
        Net.Socket.SysAccept4(fd, Uaccess.User(upeerSockaddr), Uaccess.User(upeerAddrlen), 0);

    /// <summary><c>connect(fd, addr, addrlen)</c></summary>
    [Linux("__x64_sys_connect")]
    public static long Connect(int fd, ulong uservaddr, int addrlen) =>
        Net.Socket.SysConnect(fd, Uaccess.User(uservaddr), addrlen);

    /// <summary><c>getsockname(fd, addr, addrlen)</c></summary>
    [Linux("__x64_sys_getsockname")]
    public static long Getsockname(int fd, ulong usockaddr, ulong usockaddrLen) =>
        Net.Socket.SysGetsockname(fd, Uaccess.User(usockaddr), Uaccess.User(usockaddrLen));

    /// <summary><c>getpeername(fd, addr, addrlen)</c></summary>
    [Linux("__x64_sys_getpeername")]
    public static long Getpeername(int fd, ulong usockaddr, ulong usockaddrLen) =>
        Net.Socket.SysGetpeername(fd, Uaccess.User(usockaddr), Uaccess.User(usockaddrLen));

    /// <summary><c>sendto(fd, buff, len, flags, addr, addrlen)</c></summary>
    [Linux("__x64_sys_sendto")]
    public static long Sendto(int fd, ulong buff, ulong len, int flags, ulong addr, int addrLen) =>
        Net.Socket.SysSendto(fd, Uaccess.User(buff), len, flags, Uaccess.User(addr), addrLen);

    /// <summary><c>recvfrom(fd, buff, size, flags, addr, addrlen)</c></summary>
    [Linux("__x64_sys_recvfrom")]
    public static long Recvfrom(int fd, ulong ubuf, ulong size, int flags, ulong addr, ulong addrLen) =>
        Net.Socket.SysRecvfrom(fd, Uaccess.User(ubuf), size, flags, Uaccess.User(addr), Uaccess.User(addrLen));

    /// <summary><c>setsockopt(fd, level, optname, optval, optlen)</c></summary>
    [Linux("__x64_sys_setsockopt")]
    public static long Setsockopt(int fd, int level, int optname, ulong optval, int optlen) =>
        Net.Socket.SysSetsockopt(fd, level, optname, Uaccess.User(optval), optlen);

    /// <summary><c>getsockopt(fd, level, optname, optval, optlen)</c></summary>
    [Linux("__x64_sys_getsockopt")]
    public static long Getsockopt(int fd, int level, int optname, ulong optval, ulong optlen) =>
        Net.Socket.SysGetsockopt(fd, level, optname, Uaccess.User(optval), Uaccess.User(optlen));

    /// <summary><c>shutdown(fd, how)</c></summary>
    [Linux("__x64_sys_shutdown")]
    public static long Shutdown(int fd, int how) => Net.Socket.SysShutdown(fd, how);

    /// <summary><c>sendmsg(fd, msg, flags)</c></summary>
    [Linux("__x64_sys_sendmsg")]
    public static long Sendmsg(int fd, ulong msg, uint flags) => Net.Socket.SysSendmsg(fd, Uaccess.User(msg), flags);

    /// <summary><c>sendmmsg(fd, mmsg, vlen, flags)</c></summary>
    [Linux("__x64_sys_sendmmsg")]
    public static long Sendmmsg(int fd, ulong mmsg, uint vlen, uint flags) =>
        Net.Socket.SysSendmmsg(fd, Uaccess.User(mmsg), vlen, flags);

    /// <summary><c>recvmsg(fd, msg, flags)</c></summary>
    [Linux("__x64_sys_recvmsg")]
    public static long Recvmsg(int fd, ulong msg, uint flags) => Net.Socket.SysRecvmsg(fd, Uaccess.User(msg), flags);

    /// <summary><c>recvmmsg(fd, mmsg, vlen, flags, timeout)</c></summary>
    [Linux("__x64_sys_recvmmsg")]
    public static long Recvmmsg(int fd, ulong mmsg, uint vlen, uint flags, ulong timeout) =>
        Net.Socket.SysRecvmmsg(fd, Uaccess.User(mmsg), vlen, flags, Uaccess.User(timeout));

    /// <summary><c>socketcall(call, args)</c>: all of the above through one number, arguments in memory.</summary>
    /// <param name="call"><c>SYS_SOCKET</c> and so on.</param>
    /// <param name="args">The arguments, eight bytes each.</param>
    [Linux("__x64_sys_socketcall")]
    public static long Socketcall(int call, ulong args)
    {
        if (call is < 1 or > SYS_SENDMMSG)
            return -EINVAL;
        Span<ulong> a = stackalloc ulong[6];
        a.Clear();
        if (Uaccess.User(args).CopyFrom(System.Runtime.InteropServices.MemoryMarshal.AsBytes(a[..Nargs[call]])) < 0)
            return -EFAULT;
        return Dispatch(call, a);
    }

    /// <summary>Bytes of the arguments of <paramref name="call"/>, at <paramref name="size"/> bytes an argument.</summary>
    internal static int ArgumentBytes(int call, int size) => Nargs[call] * size;

    private static long Dispatch(int call, ReadOnlySpan<ulong> a) => call switch
    {
        SYS_SOCKET => Socket((int)a[0], (int)a[1], (int)a[2]),
        SYS_BIND => Bind((int)a[0], a[1], (int)a[2]),
        SYS_CONNECT => Connect((int)a[0], a[1], (int)a[2]),
        SYS_LISTEN => Listen((int)a[0], (int)a[1]),
        SYS_ACCEPT => Accept4((int)a[0], a[1], a[2], 0),
        SYS_GETSOCKNAME => Getsockname((int)a[0], a[1], a[2]),
        SYS_GETPEERNAME => Getpeername((int)a[0], a[1], a[2]),
        SYS_SOCKETPAIR => Socketpair((int)a[0], (int)a[1], (int)a[2], a[3]),
        SYS_SEND => Sendto((int)a[0], a[1], a[2], (int)a[3], 0, 0),
        SYS_SENDTO => Sendto((int)a[0], a[1], a[2], (int)a[3], a[4], (int)a[5]),
        SYS_RECV => Recvfrom((int)a[0], a[1], a[2], (int)a[3], 0, 0),
        SYS_RECVFROM => Recvfrom((int)a[0], a[1], a[2], (int)a[3], a[4], a[5]),
        SYS_SHUTDOWN => Shutdown((int)a[0], (int)a[1]),
        SYS_SETSOCKOPT => Setsockopt((int)a[0], (int)a[1], (int)a[2], a[3], (int)a[4]),
        SYS_GETSOCKOPT => Getsockopt((int)a[0], (int)a[1], (int)a[2], a[3], a[4]),
        SYS_SENDMSG => Sendmsg((int)a[0], a[1], (uint)a[2]),
        SYS_SENDMMSG => Sendmmsg((int)a[0], a[1], (uint)a[2], (uint)a[3]),
        SYS_RECVMSG => Recvmsg((int)a[0], a[1], (uint)a[2]),
        SYS_RECVMMSG => Recvmmsg((int)a[0], a[1], (uint)a[2], (uint)a[3], a[4]),
        _ => Accept4((int)a[0], a[1], a[2], (int)a[3]),
    };
}
