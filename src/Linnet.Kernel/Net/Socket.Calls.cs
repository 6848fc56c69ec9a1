using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>The calls on a socket's descriptor that carry no message.</content>
public sealed partial class Socket
{
    private const int StorageSize = SockaddrStorage.Size;

    /// <summary>The <c>bind</c> call (<c>__sys_bind</c>).</summary>
    [Linux("__sys_bind")]
    public static int SysBind(int fd, Sockptr umyaddr, int addrlen)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        Span<byte> address = stackalloc byte[StorageSize];
        err = MoveAddrToKernel(umyaddr, addrlen, address);
        if (err >= 0)
            err = SysBindSocket(sock, address[..addrlen]);
        file.Fput();
        return err;
    }

    [Linux("__sys_bind_socket")]
    private static int SysBindSocket(Socket sock, ReadOnlySpan<byte> address)
    {
        int err = Lsm.SecuritySocketBind(sock, address);
        return err != 0 ? err : sock.Ops!.Bind(sock, address);
    }

    /// <summary>The <c>listen</c> call (<c>__sys_listen</c>); the backlog is cut to <c>net.core.somaxconn</c>.</summary>
    [Linux("__sys_listen")]
    public static int SysListen(int fd, int backlog)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        err = SysListenSocket(sock, backlog);
        file.Fput();
        return err;
    }

    [Linux("__sys_listen_socket")]
    private static int SysListenSocket(Socket sock, int backlog)
    {
        int somaxconn = sock.Sk!.SkNet.NetnsCore.SysctlSomaxconn;
        // A negative backlog is a large one.
        if ((uint)backlog > (uint)somaxconn)
            backlog = somaxconn;
        int err = Lsm.SecuritySocketListen(sock, backlog);
        return err != 0 ? err : sock.Ops!.Listen(sock, backlog);
    }

    /// <summary>The <c>accept4</c> call (<c>__sys_accept4</c>); waits unless the file is O_NONBLOCK.</summary>
    /// <returns>The new connection's descriptor, or a negative errno.</returns>
    [Linux("__sys_accept4")]
    public static int SysAccept4(int fd, Sockptr upeerSockaddr, Sockptr upeerAddrlen, int flags)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        int ret = SysAccept4File(file, upeerSockaddr, upeerAddrlen, flags);
        file.Fput();
        return ret;
    }

    [Linux("__sys_accept4_file")]
    private static int SysAccept4File(File file, Sockptr upeerSockaddr, Sockptr upeerAddrlen, int flags)
    {
        if ((flags & ~SockTypeFlags) != 0)
            return -EINVAL;
        FilesStruct files = TaskStruct.Current.Files;
        int newfd = files.GetUnusedFdFlags(flags);
        if (newfd < 0)
            return newfd;
        int err = DoAccept(file, upeerSockaddr, upeerAddrlen, flags, file.FFlags, out File? newfile);
        if (err < 0)
        {
            files.PutUnusedFd(newfd);
            return err;
        }

        files.FdInstall(newfd, newfile!);
        return newfd;
    }

    /// <summary>Accepts a connection into a new file (<c>do_accept</c>).</summary>
    /// <param name="file">The listening socket's file.</param>
    /// <param name="upeerSockaddr">Where the peer's address goes; null for nowhere.</param>
    /// <param name="upeerAddrlen">Its length, in and out.</param>
    /// <param name="flags">Flags of the new file.</param>
    /// <param name="fileFlags">Flags of the call: with O_NONBLOCK it does not wait.</param>
    /// <param name="newfile">The new connection's file, or null.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("do_accept")]
    public static int DoAccept(
        File file, Sockptr upeerSockaddr, Sockptr upeerAddrlen, int flags, int fileFlags, out File? newfile)
    {
        newfile = null;
        Socket? sock = SockFromFile(file);
        if (sock == null)
            return -ENOTSOCK;
        Socket newsock = SockAlloc(sock.Machine);
        newsock.Type = sock.Type;
        newsock.Ops = sock.Ops;
        // The listener holds its module, so that another reference is there for the taking.
        Bug.On(!Module.TryModuleGet(newsock.Ops!.Owner));
        int err = SockAllocFile(newsock, flags, out File? made);
        if (err < 0)
            return err;
        err = Lsm.SecuritySocketAccept(sock, newsock);
        if (err == 0)
            err = SocketWait.Accept(sock, newsock, fileFlags);
        if (err >= 0 && !upeerSockaddr.IsNull)
            err = TellPeer(newsock, upeerSockaddr, upeerAddrlen);
        if (err < 0)
        {
            made!.Fput();
            return err;
        }

        newfile = made;
        return 0;
    }

    /// <summary>The <c>connect</c> call (<c>__sys_connect</c>); waits unless the file is O_NONBLOCK.</summary>
    [Linux("__sys_connect")]
    public static int SysConnect(int fd, Sockptr uservaddr, int addrlen)
    {
        File? file = TaskStruct.Current.Files.Fget(fd);
        if (file == null)
            return -EBADF;
        Span<byte> address = stackalloc byte[StorageSize];
        int err = MoveAddrToKernel(uservaddr, addrlen, address);
        if (err >= 0)
            err = SysConnectFile(file, address[..addrlen], 0);
        file.Fput();
        return err;
    }

    /// <summary>Connects the socket of a file (<c>__sys_connect_file</c>); waits unless it or the call is O_NONBLOCK.</summary>
    [Linux("__sys_connect_file")]
    public static int SysConnectFile(File file, ReadOnlySpan<byte> address, int fileFlags)
    {
        Socket? sock = SockFromFile(file);
        if (sock == null)
            return -ENOTSOCK;
        int err = Lsm.SecuritySocketConnect(sock, address);
        return err != 0 ? err : SocketWait.Connect(sock, address, file.FFlags | fileFlags);
    }

    /// <summary>The <c>getsockname</c> call (<c>__sys_getsockname</c>).</summary>
    [Linux("__sys_getsockname")]
    public static int SysGetsockname(int fd, Sockptr usockaddr, Sockptr usockaddrLen) =>
        Getname(fd, usockaddr, usockaddrLen, peer: 0);

    /// <summary>The <c>getpeername</c> call (<c>__sys_getpeername</c>).</summary>
    [Linux("__sys_getpeername")]
    public static int SysGetpeername(int fd, Sockptr usockaddr, Sockptr usockaddrLen) =>
        Getname(fd, usockaddr, usockaddrLen, peer: 1);

    /// <summary>The <c>setsockopt</c> call (<c>__sys_setsockopt</c>).</summary>
    [Linux("__sys_setsockopt")]
    public static int SysSetsockopt(int fd, int level, int optname, Sockptr optval, int optlen)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        err = DoSockSetsockopt(sock, level, optname, optval, optlen);
        file.Fput();
        return err;
    }

    /// <summary>Sets an option of a socket (<c>do_sock_setsockopt</c>).</summary>
    [Linux("do_sock_setsockopt")]
    public static int DoSockSetsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen)
    {
        if (optlen < 0)
            return -EINVAL;
        int err = Lsm.SecuritySocketSetsockopt(sock, level, optname);
        if (err != 0)
            return err;
        ProtoOps ops = sock.Ops!;
        err = level == SOL_SOCKET && !ops.HandlesSocketLevel
            ? Sock.SockSetsockopt(sock, level, optname, optval, optlen)
            : ops.Setsockopt(sock, level, optname, optval, optlen);
        CountUnknownOption(sock, err, level, optname);
        return err;
    }

    /// <summary>The <c>getsockopt</c> call (<c>__sys_getsockopt</c>).</summary>
    [Linux("__sys_getsockopt")]
    public static int SysGetsockopt(int fd, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        err = DoSockGetsockopt(sock, level, optname, optval, optlen);
        file.Fput();
        return err;
    }

    /// <summary>Reads an option of a socket (<c>do_sock_getsockopt</c>).</summary>
    [Linux("do_sock_getsockopt")]
    public static int DoSockGetsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        int err = Lsm.SecuritySocketGetsockopt(sock, level, optname);
        if (err != 0)
            return err;
        err = level == SOL_SOCKET
            ? Sock.SkGetsockopt(sock.Sk!, level, optname, optval, optlen)
            : sock.Ops!.Getsockopt(sock, level, optname, optval, optlen);
        CountUnknownOption(sock, err, level, optname);
        return err;
    }

    /// <summary>The <c>shutdown</c> call (<c>__sys_shutdown</c>).</summary>
    [Linux("__sys_shutdown")]
    public static int SysShutdown(int fd, int how)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        err = SysShutdownSock(sock, how);
        file.Fput();
        return err;
    }

    [Linux("__sys_shutdown_sock")]
    private static int SysShutdownSock(Socket sock, int how)
    {
        int err = Lsm.SecuritySocketShutdown(sock, how);
        return err != 0 ? err : sock.Ops!.Shutdown(sock, how);
    }

    /// <summary>Copies an address out of the caller's memory (<c>move_addr_to_kernel</c>).</summary>
    /// <param name="uaddr">Where it is.</param>
    /// <param name="ulen">Its length in bytes, 0 to 128.</param>
    /// <param name="kaddr">Room for 128 bytes.</param>
    /// <returns>0, -EINVAL or -EFAULT.</returns>
    [Linux("move_addr_to_kernel")]
    internal static int MoveAddrToKernel(Sockptr uaddr, int ulen, Span<byte> kaddr)
    {
        if (ulen is < 0 or > StorageSize)
            return -EINVAL;
        return ulen == 0 ? 0 : uaddr.CopyFrom(kaddr[..ulen]);
    }

    /// <summary>
    /// Copies an address into the caller's memory (<c>move_addr_to_user</c>): as much as there is room for, while the length
    /// says how long it is.
    /// </summary>
    /// <returns>0, -EINVAL for a negative room, or -EFAULT.</returns>
    [Linux("move_addr_to_user")]
    internal static int MoveAddrToUser(ReadOnlySpan<byte> kaddr, Sockptr uaddr, Sockptr ulen)
    {
        Bug.On(kaddr.Length > StorageSize);
        if (ulen.Get(out int len) < 0)
            return -EFAULT;
        len = Math.Min(len, kaddr.Length);
        if (len < 0)
            return -EINVAL;
        if (ulen.Put(kaddr.Length) < 0)
            return -EFAULT;
        return uaddr.CopyTo(kaddr[..len]);
    }

    private static int Getname(int fd, Sockptr usockaddr, Sockptr usockaddrLen, int peer)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        err = peer == 0 ? Lsm.SecuritySocketGetsockname(sock) : Lsm.SecuritySocketGetpeername(sock);
        if (err == 0)
        {
            Span<byte> address = stackalloc byte[StorageSize];
            err = sock.Ops!.Getname(sock, address, peer);
            if (err >= 0)
                err = MoveAddrToUser(address[..err], usockaddr, usockaddrLen);
        }

        file.Fput();
        return err;
    }

    // A connection that ended before its peer could be told is one that was never accepted.
    private static int TellPeer(Socket newsock, Sockptr upeerSockaddr, Sockptr upeerAddrlen)
    {
        Span<byte> address = stackalloc byte[StorageSize];
        int len = newsock.Ops!.Getname(newsock, address, peer: 2);
        return len < 0 ? -ECONNABORTED : MoveAddrToUser(address[..len], upeerSockaddr, upeerAddrlen);
    }

    private static void CountUnknownOption(Socket sock, int err, int level, int optname)
    {
        if (err is -ENOPROTOOPT or -EOPNOTSUPP)
            sock.Machine.Unsupported.Add(RequestKind.SocketOption, level, optname);
    }
}
