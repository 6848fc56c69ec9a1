using System.Net.Sockets;
using Linnet.Kernel.Uapi;

namespace Linnet;

/// <summary>
/// A call on a Linnet socket failed. <see cref="SocketException.SocketErrorCode"/> is what .NET's own sockets give for the
/// same failure on Linux.
/// </summary>
/// <param name="errno">The error, a positive <c>E*</c> number of Linux.</param>
public sealed class LinnetSocketException(int errno) : SocketException((int)SocketErrors.FromErrno(errno), Describe(errno))
{
    /// <summary>The error, a positive <c>E*</c> number of Linux.</summary>
    public int Errno { get; } = errno;

    private static string Describe(int errno) => $"{Kernel.Uapi.Errno.Describe(errno)} ({Kernel.Uapi.Errno.Name(errno)})";
}

/// <summary>Linux's error numbers as .NET's socket errors.</summary>
public static class SocketErrors
{
    /// <summary>The socket error that .NET gives on Linux for <paramref name="errno"/>.</summary>
    /// <param name="errno">A positive <c>E*</c> number; 0 is success.</param>
    public static SocketError FromErrno(int errno) => errno switch
    {
        0 => SocketError.Success,
        EACCES or EPERM => SocketError.AccessDenied,
        EADDRINUSE => SocketError.AddressAlreadyInUse,
        EADDRNOTAVAIL => SocketError.AddressNotAvailable,
        EAFNOSUPPORT => SocketError.AddressFamilyNotSupported,
        EAGAIN => SocketError.WouldBlock,
        EALREADY => SocketError.AlreadyInProgress,
        EBADF or ECANCELED => SocketError.OperationAborted,
        ECONNABORTED => SocketError.ConnectionAborted,
        ECONNREFUSED => SocketError.ConnectionRefused,
        ECONNRESET => SocketError.ConnectionReset,
        EDESTADDRREQ => SocketError.DestinationAddressRequired,
        EFAULT => SocketError.Fault,
        EHOSTDOWN => SocketError.HostDown,
        EHOSTUNREACH => SocketError.HostUnreachable,
        EINPROGRESS => SocketError.InProgress,
        EINTR => SocketError.Interrupted,
        EINVAL => SocketError.InvalidArgument,
        EISCONN => SocketError.IsConnected,
        EMFILE or ENFILE => SocketError.TooManyOpenSockets,
        EMSGSIZE => SocketError.MessageSize,
        ENETDOWN => SocketError.NetworkDown,
        ENETRESET => SocketError.NetworkReset,
        ENETUNREACH => SocketError.NetworkUnreachable,
        ENOBUFS or ENOMEM => SocketError.NoBufferSpaceAvailable,
        ENOENT => SocketError.AddressNotAvailable,
        ENOPROTOOPT => SocketError.ProtocolOption,
        ENOTCONN => SocketError.NotConnected,
        ENOTSOCK => SocketError.NotSocket,
        EOPNOTSUPP => SocketError.OperationNotSupported,
        EPFNOSUPPORT => SocketError.ProtocolFamilyNotSupported,
        EPIPE => SocketError.Shutdown,
        EPROTONOSUPPORT => SocketError.ProtocolNotSupported,
        EPROTOTYPE => SocketError.ProtocolType,
        ESHUTDOWN => SocketError.Disconnecting,
        ESOCKTNOSUPPORT => SocketError.SocketNotSupported,
        ETIMEDOUT => SocketError.TimedOut,
        _ => SocketError.SocketError,
    };
}
