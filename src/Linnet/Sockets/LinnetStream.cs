namespace Linnet;

/// <summary>
/// A stream over a connection, as <see cref="System.Net.Sockets.NetworkStream"/> is: reading returns 0 when the peer has shut
/// its side, failures are <see cref="IOException"/>s around a <see cref="LinnetSocketException"/>.
/// </summary>
/// <param name="socket">A connected stream socket.</param>
/// <param name="ownsSocket">Whether disposing of the stream closes the socket.</param>
public sealed class LinnetStream(LinnetSocket socket, bool ownsSocket = true) : Stream
{
    private bool disposed;

    /// <summary>The socket.</summary>
    public LinnetSocket Socket => socket;

    /// <inheritdoc/>
    public override bool CanRead => !disposed;

    /// <inheritdoc/>
    public override bool CanWrite => !disposed;

    /// <inheritdoc/>
    public override bool CanSeek => false;

    /// <inheritdoc/>
    public override long Length => throw new NotSupportedException();

    /// <inheritdoc/>
    public override long Position
    {
        get => throw new NotSupportedException();
        set => throw new NotSupportedException();
    }

    /// <summary>Shuts the sending side, so that the peer reads the end of the stream (<c>shutdown(SHUT_WR)</c>).</summary>
    public void CompleteWrites() => socket.Shutdown(System.Net.Sockets.SocketShutdown.Send);

    /// <inheritdoc/>
    public override int Read(Span<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        try
        {
            return socket.Receive(buffer);
        }
        catch (LinnetSocketException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public override int Read(byte[] buffer, int offset, int count) => Read(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override ValueTask<int> ReadAsync(Memory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return socket.ReceiveAsync(buffer, FailureStyle.IOException, cancellationToken);
    }

    /// <inheritdoc/>
    public override Task<int> ReadAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        ReadAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override void Write(ReadOnlySpan<byte> buffer)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        try
        {
            while (!buffer.IsEmpty)
                buffer = buffer[socket.Send(buffer)..];
        }
        catch (LinnetSocketException e)
        {
            throw new IOException(e.Message, e);
        }
    }

    /// <inheritdoc/>
    public override void Write(byte[] buffer, int offset, int count) => Write(buffer.AsSpan(offset, count));

    /// <inheritdoc/>
    public override ValueTask WriteAsync(ReadOnlyMemory<byte> buffer, CancellationToken cancellationToken = default)
    {
        ObjectDisposedException.ThrowIf(disposed, this);
        return buffer.IsEmpty
            ? default
            : LinnetSocket.Void(socket.SendAsync(buffer, FailureStyle.IOException, cancellationToken));
    }

    /// <inheritdoc/>
    public override Task WriteAsync(byte[] buffer, int offset, int count, CancellationToken cancellationToken) =>
        WriteAsync(buffer.AsMemory(offset, count), cancellationToken).AsTask();

    /// <inheritdoc/>
    public override void Flush()
    {
    }

    /// <inheritdoc/>
    public override Task FlushAsync(CancellationToken cancellationToken) => Task.CompletedTask;

    /// <inheritdoc/>
    public override long Seek(long offset, SeekOrigin origin) => throw new NotSupportedException();

    /// <inheritdoc/>
    public override void SetLength(long value) => throw new NotSupportedException();

    /// <inheritdoc/>
    protected override void Dispose(bool disposing)
    {
        if (disposing && !disposed && ownsSocket)
            socket.Dispose();
        disposed = true;
        base.Dispose(disposing);
    }
}
