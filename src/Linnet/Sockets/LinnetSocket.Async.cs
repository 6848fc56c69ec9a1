using System.Net;
using System.Runtime.CompilerServices;

namespace Linnet;

/// <content>The calls that wait without a thread.</content>
public sealed partial class LinnetSocket
{
    /// <summary>Waits for a connection and accepts it (<c>accept4</c>).</summary>
    /// <param name="cancellation">Ends the wait.</param>
    [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder<>))]
    public async ValueTask<LinnetSocket> AcceptAsync(CancellationToken cancellation = default) =>
        new(Syscalls, await Awaitable().Accept(Caller(FailureStyle.SocketException), SOCK_CLOEXEC, cancellation)
            .ConfigureAwait(false));

    /// <summary>Connects (<c>connect</c>).</summary>
    /// <param name="remoteEndPoint">The peer.</param>
    /// <param name="cancellation">Ends the wait; the attempt itself goes on until the socket is closed.</param>
    public ValueTask ConnectAsync(EndPoint remoteEndPoint, CancellationToken cancellation = default)
    {
        Span<byte> address = stackalloc byte[SockaddrIn6.Size];
        int length = SocketAddresses.Write(remoteEndPoint, address);
        return Void(Awaitable().Connect(Caller(FailureStyle.SocketException), address[..length], cancellation));
    }

    /// <summary>Sends; on a stream it ends when all was taken into the send buffer.</summary>
    /// <param name="buffer">What to send; must not change until the call ends.</param>
    /// <param name="cancellation">Ends the wait; part of a stream's data may have been sent then.</param>
    /// <returns>Bytes sent.</returns>
    public ValueTask<int> SendAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellation = default) =>
        SendAsync(buffer, FailureStyle.SocketException, cancellation);

    /// <summary>Receives what there is, or waits for something.</summary>
    /// <param name="buffer">Where to; with no room the call ends when something can be read.</param>
    /// <param name="cancellation">Ends the wait.</param>
    /// <returns>Bytes received; 0 at the end of a stream.</returns>
    public ValueTask<int> ReceiveAsync(Memory<byte> buffer, CancellationToken cancellation = default) =>
        ReceiveAsync(buffer, FailureStyle.SocketException, cancellation);

    /// <summary>Sends to an address (<c>sendto</c>).</summary>
    public ValueTask<int> SendToAsync(
        ReadOnlyMemory<byte> buffer, EndPoint remoteEndPoint, CancellationToken cancellation = default)
    {
        Span<byte> address = stackalloc byte[SockaddrIn6.Size];
        int length = SocketAddresses.Write(remoteEndPoint, address);
        return Awaitable().Send(
            Caller(FailureStyle.SocketException), buffer, MSG_NOSIGNAL, address[..length], cancellation);
    }

    /// <summary>Receives, and tells from whom (<c>recvfrom</c>).</summary>
    public async ValueTask<(int ReceivedBytes, IPEndPoint? RemoteEndPoint)> ReceiveFromAsync(
        Memory<byte> buffer, CancellationToken cancellation = default)
    {
        SenderAddress sender = new();
        int received = await Awaitable().Receive(
            Caller(FailureStyle.SocketException), buffer, 0, cancellation, sender).ConfigureAwait(false);
        return (received, sender.EndPoint);
    }

    internal ValueTask<int> SendAsync(ReadOnlyMemory<byte> buffer, FailureStyle style, CancellationToken cancellation) =>
        Awaitable().Send(Caller(style), buffer, MSG_NOSIGNAL, [], cancellation);

    internal ValueTask<int> ReceiveAsync(Memory<byte> buffer, FailureStyle style, CancellationToken cancellation) =>
        Awaitable().Receive(Caller(style), buffer, 0, cancellation);

    internal static ValueTask Void(ValueTask<int> operation)
    {
        if (!operation.IsCompletedSuccessfully)
            return Await(operation);
        operation.GetAwaiter().GetResult();
        return default;

        [AsyncMethodBuilder(typeof(PoolingAsyncValueTaskMethodBuilder))]
        static async ValueTask Await(ValueTask<int> pending) => await pending.ConfigureAwait(false);
    }

    private SocketAwaitable Awaitable()
    {
        ObjectDisposedException.ThrowIf(IsClosed, this);
        return Host.Network.Awaitables.Rent();
    }

    private Caller Caller(FailureStyle style) => new(Syscalls.Task, file, socket, style, this);
}
