using System.Net;
using System.Net.Sockets;

namespace Linnet;

/// <summary>
/// A port of the computer that Linnet runs on, whose connections are carried on to a server in a network: each one becomes a
/// TCP connection of Linnet's, from a host of the network. Data, ends of streams and resets go both ways; who reads slowly
/// slows down who writes.
/// </summary>
public sealed class PublishedPort : IPublishedPort
{
    private const int Backlog = 512;

    private static readonly TimeSpan RetryAccept = TimeSpan.FromMilliseconds(50);

    private readonly Socket listener;
    private readonly Host from;
    private readonly IPEndPoint to;
    private readonly CancellationTokenSource stop = new();
    private readonly Lock gate = new();
    private readonly HashSet<Task> relays = [];
    private Task accepting = Task.CompletedTask;

    private PublishedPort(Socket listener, Host from, IPEndPoint to)
    {
        this.listener = listener;
        this.from = from;
        this.to = to;
    }

    /// <inheritdoc/>
    public IPEndPoint EndPoint => (IPEndPoint)listener.LocalEndPoint!;

    /// <inheritdoc/>
    public bool IsIdle => Connections == 0;

    /// <summary>How many connections are carried at the moment.</summary>
    public int Connections
    {
        get
        {
            lock (gate)
                return relays.Count;
        }
    }

    /// <summary>Opens the port.</summary>
    /// <param name="at">Where the computer listens; port 0 is a free one.</param>
    /// <param name="from">The host of the network that connects.</param>
    /// <param name="to">The server, in the network.</param>
    /// <exception cref="SocketException">The computer refused the address or port.</exception>
    public static PublishedPort Open(IPEndPoint at, Host from, IPEndPoint to)
    {
        Socket listener = new(at.AddressFamily, SocketType.Stream, ProtocolType.Tcp);
        try
        {
            listener.Bind(at);
            listener.Listen(Backlog);
        }
        catch
        {
            listener.Dispose();
            throw;
        }

        PublishedPort port = new(listener, from, to);
        port.accepting = port.AcceptAsync();
        return port;
    }

    /// <summary>Closes the port and the connections that are carried.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        listener.Dispose();
        await accepting;
        Task[] left;
        lock (gate)
            left = [.. relays];
        await Task.WhenAll(left);
        stop.Dispose();
    }

    private async Task AcceptAsync()
    {
        while (!stop.IsCancellationRequested)
        {
            Socket outside;
            try
            {
                outside = await listener.AcceptAsync(stop.Token);
            }
            catch (Exception e) when (stop.IsCancellationRequested && e is OperationCanceledException or ObjectDisposedException or SocketException)
            {
                return;
            }
            catch (SocketException)
            {
                // The peer is gone already, or descriptors ran out: others may still come.
                await Task.Delay(RetryAccept);
                continue;
            }

            Keep(RelayAsync(outside));
        }
    }

    private void Keep(Task relay)
    {
        lock (gate)
            relays.Add(relay);
        relay.ContinueWith(
            ended =>
            {
                lock (gate)
                    relays.Remove(ended);
            },
            CancellationToken.None, TaskContinuationOptions.ExecuteSynchronously, TaskScheduler.Default);
    }

    private async Task RelayAsync(Socket outside)
    {
        using Socket outer = outside;
        using LinnetSocket inner = from.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
        try
        {
            await inner.ConnectAsync(to, stop.Token);
        }
        catch (Exception e) when (e is SocketException or OperationCanceledException)
        {
            StreamRelay.Break(outer, inner);
            return;
        }

        await StreamRelay.RunAsync(outer, inner, stop.Token);
    }
}
