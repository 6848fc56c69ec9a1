using System.Net;
using System.Net.Sockets;
using Linnet.Kernel;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net;
using File = Linnet.Kernel.Fs.File;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet;

/// <summary>
/// The system calls of a task: the BSD socket calls, and those on descriptors that go with them, as a C program makes them.
/// A call returns what Linux's returns: a result of 0 or more, or a negative errno.
/// </summary>
/// <remarks>
/// A call blocks where Linux's would; in virtual time only threads of the simulation may block. A descriptor with
/// <c>O_NONBLOCK</c>, or <c>MSG_DONTWAIT</c>, makes a call return -EAGAIN instead. The calls whose names end with <c>Async</c>
/// wait without a thread. Addresses are sockaddrs, as bytes; <see cref="SockaddrIn.Write"/> writes one.
/// </remarks>
public sealed unsafe partial class Syscalls
{
    internal Syscalls(Host host, TaskStruct task)
    {
        Host = host;
        Task = task;
    }

    /// <summary>The host that the task is on.</summary>
    public Host Host { get; }

    /// <summary>The task.</summary>
    public TaskStruct Task { get; }

    /// <summary>Makes a socket: <c>socket(family, type, protocol)</c>.</summary>
    /// <returns>A descriptor or a negative errno.</returns>
    public int Socket(int family, int type, int protocol)
    {
        using KernelEntry entry = Task.Enter();
        return (int)SocketSyscalls.Socket(family, type, protocol);
    }

    /// <summary>Makes two sockets that are connected to each other: <c>socketpair</c>.</summary>
    public int Socketpair(int family, int type, int protocol, out int fd1, out int fd2)
    {
        int* pair = stackalloc int[2];
        using KernelEntry entry = Task.Enter();
        int err = (int)SocketSyscalls.Socketpair(family, type, protocol, (ulong)pair);
        (fd1, fd2) = err < 0 ? (-1, -1) : (pair[0], pair[1]);
        return err;
    }

    /// <summary>Gives a socket a local address: <c>bind</c>.</summary>
    public int Bind(int fd, ReadOnlySpan<byte> addr)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* a = addr)
            return (int)SocketSyscalls.Bind(fd, (ulong)a, addr.Length);
    }

    /// <summary>Begins to listen: <c>listen</c>.</summary>
    public int Listen(int fd, int backlog)
    {
        using KernelEntry entry = Task.Enter();
        return (int)SocketSyscalls.Listen(fd, backlog);
    }

    /// <summary>Accepts a connection: <c>accept(fd, NULL, NULL)</c>.</summary>
    /// <returns>A descriptor or a negative errno.</returns>
    public int Accept(int fd) => Accept4(fd, 0);

    /// <summary>Accepts a connection: <c>accept4(fd, NULL, NULL, flags)</c>.</summary>
    /// <param name="fd">A listening socket.</param>
    /// <param name="flags"><c>SOCK_NONBLOCK</c>, <c>SOCK_CLOEXEC</c></param>
    /// <returns>A descriptor or a negative errno.</returns>
    public int Accept4(int fd, int flags)
    {
        using KernelEntry entry = Task.Enter();
        return (int)Interrupted(SocketSyscalls.Accept4(fd, 0, 0, flags));
    }

    /// <summary>Accepts a connection: <c>accept4(fd, addr, addrlen, flags)</c>.</summary>
    /// <param name="fd">A listening socket.</param>
    /// <param name="addr">Takes the peer's address.</param>
    /// <param name="addrlen">Room for it; the address's whole length afterwards.</param>
    /// <param name="flags"><c>SOCK_NONBLOCK</c>, <c>SOCK_CLOEXEC</c></param>
    public int Accept4(int fd, Span<byte> addr, ref int addrlen, int flags)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* a = addr)
        fixed (int* length = &addrlen)
            return (int)Interrupted(SocketSyscalls.Accept4(fd, (ulong)a, (ulong)length, flags));
    }

    /// <summary>Connects: <c>connect</c>.</summary>
    public int Connect(int fd, ReadOnlySpan<byte> addr)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* a = addr)
            return (int)Interrupted(SocketSyscalls.Connect(fd, (ulong)a, addr.Length));
    }

    /// <summary>The local address: <c>getsockname</c>.</summary>
    public int Getsockname(int fd, Span<byte> addr, ref int addrlen)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* a = addr)
        fixed (int* length = &addrlen)
            return (int)SocketSyscalls.Getsockname(fd, (ulong)a, (ulong)length);
    }

    /// <summary>The peer's address: <c>getpeername</c>.</summary>
    public int Getpeername(int fd, Span<byte> addr, ref int addrlen)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* a = addr)
        fixed (int* length = &addrlen)
            return (int)SocketSyscalls.Getpeername(fd, (ulong)a, (ulong)length);
    }

    /// <summary>Sets an option: <c>setsockopt</c>.</summary>
    public int Setsockopt(int fd, int level, int optname, ReadOnlySpan<byte> optval)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* value = optval)
            return (int)SocketSyscalls.Setsockopt(fd, level, optname, (ulong)value, optval.Length);
    }

    /// <summary>Sets an option whose value is an <c>int</c>: <c>setsockopt</c>.</summary>
    public int Setsockopt(int fd, int level, int optname, int optval) =>
        Setsockopt(fd, level, optname, new ReadOnlySpan<byte>(&optval, sizeof(int)));

    /// <summary>Reads an option: <c>getsockopt</c>.</summary>
    public int Getsockopt(int fd, int level, int optname, Span<byte> optval, ref int optlen)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* value = optval)
        fixed (int* length = &optlen)
            return (int)SocketSyscalls.Getsockopt(fd, level, optname, (ulong)value, (ulong)length);
    }

    /// <summary>Reads an option whose value is an <c>int</c>: <c>getsockopt</c>.</summary>
    public int Getsockopt(int fd, int level, int optname, out int optval)
    {
        int value = 0, length = sizeof(int);
        int err = Getsockopt(fd, level, optname, new Span<byte>(&value, sizeof(int)), ref length);
        optval = value;
        return err;
    }

    /// <summary>Shuts one or both halves: <c>shutdown</c>.</summary>
    /// <param name="fd">A socket.</param>
    /// <param name="how"><c>SHUT_RD</c>, <c>SHUT_WR</c> or <c>SHUT_RDWR</c></param>
    public int Shutdown(int fd, int how)
    {
        using KernelEntry entry = Task.Enter();
        return (int)SocketSyscalls.Shutdown(fd, how);
    }

    /// <summary>Sends: <c>send</c>.</summary>
    /// <returns>Bytes sent or a negative errno.</returns>
    public long Send(int fd, ReadOnlySpan<byte> buf, int flags) => Sendto(fd, buf, flags, []);

    /// <summary>Sends to an address: <c>sendto</c>.</summary>
    /// <returns>Bytes sent or a negative errno.</returns>
    public long Sendto(int fd, ReadOnlySpan<byte> buf, int flags, ReadOnlySpan<byte> addr)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = buf, a = addr)
            return Interrupted(SocketSyscalls.Sendto(fd, (ulong)data, (ulong)buf.Length, flags, (ulong)a, addr.Length));
    }

    /// <summary>Receives: <c>recv</c>.</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    public long Recv(int fd, Span<byte> buf, int flags)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = buf)
            return Interrupted(SocketSyscalls.Recvfrom(fd, (ulong)data, (ulong)buf.Length, flags, 0, 0));
    }

    /// <summary>Receives and tells from whom: <c>recvfrom</c>.</summary>
    /// <param name="fd">A socket.</param>
    /// <param name="buf">Takes the data.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <param name="addr">Takes the sender's address.</param>
    /// <param name="addrlen">Room for it; the address's whole length afterwards.</param>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    public long Recvfrom(int fd, Span<byte> buf, int flags, Span<byte> addr, ref int addrlen)
    {
        using KernelEntry entry = Task.Enter();
        fixed (byte* data = buf, a = addr)
        fixed (int* length = &addrlen)
        {
            return Interrupted(SocketSyscalls.Recvfrom(
                fd, (ulong)data, (ulong)buf.Length, flags, (ulong)a, (ulong)length));
        }
    }

    /// <summary>Sends a message: <c>sendmsg</c>.</summary>
    /// <param name="fd">A socket.</param>
    /// <param name="msg">The message; what its pointers lead to is pinned memory of the caller's.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <returns>Bytes sent or a negative errno.</returns>
    public long Sendmsg(int fd, in UserMsghdr msg, int flags)
    {
        using KernelEntry entry = Task.Enter();
        fixed (UserMsghdr* m = &msg)
            return Interrupted(SocketSyscalls.Sendmsg(fd, (ulong)m, (uint)flags));
    }

    /// <summary>Receives a message: <c>recvmsg</c>.</summary>
    /// <param name="fd">A socket.</param>
    /// <param name="msg">The message; what its pointers lead to is pinned memory of the caller's. Lengths and flags are updated.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    public long Recvmsg(int fd, ref UserMsghdr msg, int flags)
    {
        using KernelEntry entry = Task.Enter();
        fixed (UserMsghdr* m = &msg)
            return Interrupted(SocketSyscalls.Recvmsg(fd, (ulong)m, (uint)flags));
    }

    /// <summary>Makes a socket.</summary>
    /// <exception cref="LinnetSocketException">The family, type or protocol is not known, or not allowed.</exception>
    public LinnetSocket CreateSocket(AddressFamily addressFamily, SocketType socketType, ProtocolType protocolType = 0)
    {
        int family = addressFamily switch
        {
            AddressFamily.InterNetwork => AF_INET,
            AddressFamily.InterNetworkV6 => AF_INET6,
            AddressFamily.Unix => AF_UNIX,
            AddressFamily.Packet => AF_PACKET,
            _ => (int)addressFamily,
        };
        int fd = Socket(family, (int)socketType | SOCK_CLOEXEC, (int)protocolType);
        return fd >= 0 ? new LinnetSocket(this, fd) : throw new LinnetSocketException(-fd);
    }

    /// <summary>A sockaddr of an end point, for calls that take addresses.</summary>
    public static byte[] Sockaddr(IPEndPoint endPoint)
    {
        Span<byte> bytes = stackalloc byte[SockaddrIn6.Size];
        return bytes[..SocketAddresses.Write(endPoint, bytes)].ToArray();
    }

    // Not held: who uses the file takes a reference, and finds it gone when it was closed meanwhile.
    internal (File File, KernelSocket Socket) Lookup(int fd)
    {
        using KernelEntry entry = Task.Enter();
        int err = KernelSocket.SockfdLookup(fd, out File file, out KernelSocket socket);
        if (err < 0)
            throw new LinnetSocketException(-err);
        file.Fput();
        return (file, socket);
    }

    // A program with a handler for the signal, and without SA_RESTART, sees this.
    private static long Interrupted(long result) => result == -ERESTARTSYS ? -EINTR : result;
}
