using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Fs;
using File = Linnet.Kernel.Fs.File;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet;

/// <content>
/// The calls that can wait, as <see cref="ValueTask{TResult}"/>s: they wait whether the descriptor has <c>O_NONBLOCK</c> or
/// not. Closing the descriptor does not end them, as it does not end a blocking call; cancelling gives -ECANCELED.
/// </content>
public sealed partial class Syscalls
{
    /// <summary>Accepts a connection: <c>accept4(fd, NULL, NULL, flags)</c>.</summary>
    /// <returns>A descriptor or a negative errno.</returns>
    public ValueTask<int> Accept4Async(int fd, int flags = 0, CancellationToken cancellation = default) =>
        Find(fd, out File file, out KernelSocket socket) is var err and < 0
            ? new ValueTask<int>(err)
            : Awaitable().Accept(new Caller(Task, file, socket, FailureStyle.Errno), flags, cancellation);

    /// <summary>Connects: <c>connect</c>.</summary>
    /// <returns>0 or a negative errno.</returns>
    public ValueTask<int> ConnectAsync(int fd, ReadOnlySpan<byte> addr, CancellationToken cancellation = default) =>
        Find(fd, out File file, out KernelSocket socket) is var err and < 0
            ? new ValueTask<int>(err)
            : Awaitable().Connect(new Caller(Task, file, socket, FailureStyle.Errno), addr, cancellation);

    /// <summary>Sends: <c>send</c>; on a stream all of it.</summary>
    /// <returns>Bytes sent or a negative errno.</returns>
    public ValueTask<int> SendAsync(
        int fd, ReadOnlyMemory<byte> buf, int flags = 0, CancellationToken cancellation = default) =>
        Find(fd, out File file, out KernelSocket socket) is var err and < 0
            ? new ValueTask<int>(err)
            : Awaitable().Send(new Caller(Task, file, socket, FailureStyle.Errno), buf, flags, [], cancellation);

    /// <summary>Receives: <c>recv</c>.</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    public ValueTask<int> RecvAsync(int fd, Memory<byte> buf, int flags = 0, CancellationToken cancellation = default) =>
        Find(fd, out File file, out KernelSocket socket) is var err and < 0
            ? new ValueTask<int>(err)
            : Awaitable().Receive(new Caller(Task, file, socket, FailureStyle.Errno), buf, flags, cancellation);

    /// <summary>Waits until a socket is ready, as <c>poll</c> with one descriptor and no timeout does.</summary>
    /// <param name="fd">A socket.</param>
    /// <param name="events"><c>POLLIN</c> and so on; <c>POLLERR</c> and <c>POLLHUP</c> are always awaited too.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>The events that hold, or a negative errno.</returns>
    public ValueTask<int> PollAsync(int fd, uint events, CancellationToken cancellation = default) =>
        Find(fd, out File file, out KernelSocket socket) is var err and < 0
            ? new ValueTask<int>(err)
            : Awaitable().Poll(new Caller(Task, file, socket, FailureStyle.Errno), events, cancellation);

    private SocketAwaitable Awaitable() => Host.Network.Awaitables.Rent();

    // Not held: the call takes a reference of its own.
    private int Find(int fd, out File file, out KernelSocket socket)
    {
        using KernelEntry entry = Task.Enter();
        int err = KernelSocket.SockfdLookup(fd, out file, out socket);
        if (err >= 0)
            file.Fput();
        return err;
    }
}
