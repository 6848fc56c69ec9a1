using System.Buffers;
using System.Net.Sockets;

namespace Linnet;

/// <summary>
/// Carries a TCP connection of the computer's on to one of Linnet's: data, ends of streams and resets go both ways; who reads
/// slowly slows down who writes.
/// </summary>
public static class StreamRelay
{
    private const int BufferBytes = 64 * 1024;

    /// <summary>Carries until both directions have ended, or one broke.</summary>
    /// <param name="outer">The computer's connection.</param>
    /// <param name="inner">Linnet's connection.</param>
    /// <param name="cancellation">Breaks both.</param>
    public static async Task RunAsync(Socket outer, LinnetSocket inner, CancellationToken cancellation)
    {
        try
        {
            outer.NoDelay = true;
            inner.NoDelay = true;
            Task there = PumpAsync(outer, inner, cancellation);
            Task back = PumpAsync(inner, outer, cancellation);

            // The first failure breaks the other direction too; an end of stream leaves it open.
            Task first = await Task.WhenAny(there, back);
            if (!first.IsCompletedSuccessfully)
                Break(outer, inner);
            await Task.WhenAll(there, back);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException or ObjectDisposedException)
        {
            Break(outer, inner);
        }
    }

    /// <summary>Resets both: each side is told as it would be if the other were its peer itself.</summary>
    public static void Break(Socket outer, LinnetSocket inner)
    {
        outer.Close(0);
        if (inner.IsClosed)
            return;
        inner.LingerState = new LingerOption(true, 0);
        inner.Dispose();
    }

    private static async Task PumpAsync(Socket source, LinnetSocket target, CancellationToken cancellation)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (int read; (read = await source.ReceiveAsync(buffer, SocketFlags.None, cancellation)) > 0;)
                await target.SendAsync(buffer.AsMemory(0, read), cancellation);
            target.Shutdown(SocketShutdown.Send);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }

    private static async Task PumpAsync(LinnetSocket source, Socket target, CancellationToken cancellation)
    {
        byte[] buffer = ArrayPool<byte>.Shared.Rent(BufferBytes);
        try
        {
            for (int read; (read = await source.ReceiveAsync(buffer, cancellation)) > 0;)
            {
                for (int sent = 0; sent < read;)
                    sent += await target.SendAsync(buffer.AsMemory(sent, read - sent), SocketFlags.None, cancellation);
            }

            target.Shutdown(SocketShutdown.Send);
        }
        finally
        {
            ArrayPool<byte>.Shared.Return(buffer);
        }
    }
}
