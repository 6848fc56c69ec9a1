using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>
/// Sockets without descriptors, for code inside of the kernel (and for users of the library): what Linux's file systems
/// and protocols use. Security modules are asked where Linux asks them.
/// </content>
public sealed partial class Socket
{
    /// <summary>Binds a socket (<c>kernel_bind</c>).</summary>
    [Linux("kernel_bind")]
    public static int KernelBind(Socket sock, ReadOnlySpan<byte> addr) => sock.Ops!.Bind(sock, addr);

    /// <summary>Begins to listen (<c>kernel_listen</c>); the backlog is not cut to <c>net.core.somaxconn</c>.</summary>
    [Linux("kernel_listen")]
    public static int KernelListen(Socket sock, int backlog) => sock.Ops!.Listen(sock, backlog);

    /// <summary>Accepts a connection (<c>kernel_accept</c>); waits unless <paramref name="flags"/> has O_NONBLOCK.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("kernel_accept")]
    public static int KernelAccept(Socket sock, out Socket? newsock, int flags)
    {
        newsock = null;
        int err = KernelAcceptPrepare(sock, out Socket made);
        if (err < 0)
            return err;
        err = SocketWait.Accept(sock, made, flags);
        if (err < 0)
        {
            SockRelease(made);
            return err;
        }

        newsock = made;
        return 0;
    }

    /// <summary>
    /// Makes the socket that a connection is accepted into, with the listener's type and operations, for a caller that
    /// runs <see cref="SocketOperation.Accept"/> itself and releases it if that fails.
    /// </summary>
    /// <returns>0 or a negative errno.</returns>
    public static int KernelAcceptPrepare(Socket sock, out Socket newsock)
    {
        int err = SockCreateLite(sock.Machine, sock.Sk!.SkcFamily, sock.Type, sock.Sk.SkProtocol, out Socket? made);
        newsock = made!;
        if (err < 0)
            return err;
        newsock.Ops = sock.Ops;
        Bug.On(!Module.TryModuleGet(newsock.Ops!.Owner));
        return 0;
    }

    /// <summary>Connects (<c>kernel_connect</c>); waits unless <paramref name="flags"/> has O_NONBLOCK.</summary>
    [Linux("kernel_connect")]
    public static int KernelConnect(Socket sock, ReadOnlySpan<byte> addr, int flags) =>
        SocketWait.Connect(sock, addr, flags);

    /// <summary>Writes the local address (<c>kernel_getsockname</c>).</summary>
    /// <returns>Its length, or a negative errno.</returns>
    [Linux("kernel_getsockname")]
    public static int KernelGetsockname(Socket sock, Span<byte> addr) => sock.Ops!.Getname(sock, addr, 0);

    /// <summary>Writes the peer's address (<c>kernel_getpeername</c>).</summary>
    /// <returns>Its length, or a negative errno.</returns>
    [Linux("kernel_getpeername")]
    public static int KernelGetpeername(Socket sock, Span<byte> addr) => sock.Ops!.Getname(sock, addr, 1);

    /// <summary>Sends a message (<c>kernel_sendmsg</c>); waits unless its flags have MSG_DONTWAIT.</summary>
    [Linux("kernel_sendmsg")]
    public static long KernelSendmsg(Socket sock, MsgHdr msg) => SockSendmsg(sock, msg);

    /// <summary>Receives a message (<c>kernel_recvmsg</c>); waits unless <paramref name="flags"/> have MSG_DONTWAIT.</summary>
    [Linux("kernel_recvmsg")]
    public static long KernelRecvmsg(Socket sock, MsgHdr msg, int flags) => SockRecvmsg(sock, msg, flags);

    /// <summary>Shuts one or both halves (<c>kernel_sock_shutdown</c>).</summary>
    [Linux("kernel_sock_shutdown")]
    public static int KernelSockShutdown(Socket sock, int how) => sock.Ops!.Shutdown(sock, how);

    /// <summary>Sets an option (<c>kernel_setsockopt</c>); <paramref name="optval"/> is read while the call runs.</summary>
    public static unsafe int KernelSetsockopt(Socket sock, int level, int optname, ReadOnlySpan<byte> optval)
    {
        fixed (byte* value = optval)
            return DoSockSetsockopt(sock, level, optname, Sockptr.Kernel(value), optval.Length);
    }

    /// <summary>Reads an option (<c>kernel_getsockopt</c>).</summary>
    /// <returns>The value's length, or a negative errno.</returns>
    public static unsafe int KernelGetsockopt(Socket sock, int level, int optname, Span<byte> optval)
    {
        int length = optval.Length;
        fixed (byte* value = optval)
        {
            int err = DoSockGetsockopt(sock, level, optname, Sockptr.Kernel(value), Sockptr.Kernel(&length));
            return err < 0 ? err : length;
        }
    }
}
