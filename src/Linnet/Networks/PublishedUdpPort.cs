using System.Collections.Concurrent;
using System.Net;
using System.Net.Sockets;

namespace Linnet;

/// <summary>
/// A UDP port of the computer that Linnet runs on, whose datagrams are carried on to a server in a network, and its answers
/// back: each sender outside has a socket of its own on a host of the network, until nothing went either way for a minute.
/// </summary>
public sealed class PublishedUdpPort : IPublishedPort
{
    private const int LargestDatagram = 65536;
    private const int MostSenders = 4096;

    private static readonly TimeSpan IdleLimit = TimeSpan.FromMinutes(1);

    private readonly Socket outside;
    private readonly Host from;
    private readonly IPEndPoint to;
    private readonly CancellationTokenSource stop = new();
    private readonly ConcurrentDictionary<IPEndPoint, Sender> senders = [];
    private readonly Task carrying;

    private PublishedUdpPort(Socket outside, Host from, IPEndPoint to)
    {
        this.outside = outside;
        this.from = from;
        this.to = to;
        carrying = CarryInAsync();
    }

    /// <inheritdoc/>
    public IPEndPoint EndPoint => (IPEndPoint)outside.LocalEndPoint!;

    /// <inheritdoc/>
    public bool IsIdle => outside.Available == 0 && senders.Values.All(sender => sender.Socket.Available == 0);

    /// <summary>How many senders are known at the moment.</summary>
    public int Senders => senders.Count;

    /// <summary>Opens the port.</summary>
    /// <param name="at">Where the computer receives; port 0 is a free one.</param>
    /// <param name="from">The host of the network that sends on.</param>
    /// <param name="to">The server, in the network.</param>
    /// <exception cref="SocketException">The computer refused the address or port.</exception>
    public static PublishedUdpPort Open(IPEndPoint at, Host from, IPEndPoint to)
    {
        Socket outside = new(at.AddressFamily, SocketType.Dgram, ProtocolType.Udp);
        try
        {
            outside.Bind(at);
            return new PublishedUdpPort(outside, from, to);
        }
        catch
        {
            outside.Dispose();
            throw;
        }
    }

    /// <summary>Closes the port and forgets who sent.</summary>
    public async ValueTask DisposeAsync()
    {
        await stop.CancelAsync();
        await carrying;
        outside.Dispose();
        await Task.WhenAll(senders.Values.Select(sender => sender.Answering));
        stop.Dispose();
    }

    private async Task CarryInAsync()
    {
        byte[] buffer = new byte[LargestDatagram];
        IPEndPoint any = new(outside.AddressFamily == AddressFamily.InterNetwork ? IPAddress.Any : IPAddress.IPv6Any, 0);
        while (true)
        {
            try
            {
                SocketReceiveFromResult got = await outside.ReceiveFromAsync(buffer, SocketFlags.None, any, stop.Token);
                if (SenderOf((IPEndPoint)got.RemoteEndPoint) is not { } sender)
                    continue;
                sender.Idle.CancelAfter(IdleLimit);
                await sender.Socket.SendAsync(buffer.AsMemory(0, got.ReceivedBytes), stop.Token);
            }
            catch (OperationCanceledException)
            {
                return;
            }
            catch (Exception e) when (e is SocketException or ObjectDisposedException)
            {
                // What could not be carried is lost, as datagrams may be.
            }
        }
    }

    // Null when there are too many.
    private Sender? SenderOf(IPEndPoint client)
    {
        if (senders.TryGetValue(client, out Sender? known))
            return known;
        if (senders.Count >= MostSenders)
            return null;
        LinnetSocket socket = from.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        socket.Connect(to);
        Sender sender = new(socket, CancellationTokenSource.CreateLinkedTokenSource(stop.Token));
        senders[client] = sender;
        sender.Answering = CarryOutAsync(client, sender);
        return sender;
    }

    private async Task CarryOutAsync(IPEndPoint client, Sender sender)
    {
        byte[] buffer = new byte[LargestDatagram];
        while (!sender.Idle.IsCancellationRequested)
        {
            try
            {
                sender.Idle.CancelAfter(IdleLimit);
                int length = await sender.Socket.ReceiveAsync(buffer, sender.Idle.Token);
                await outside.SendToAsync(buffer.AsMemory(0, length), SocketFlags.None, client, stop.Token);
            }
            catch (Exception e) when (e is SocketException or OperationCanceledException)
            {
                // The server's port is closed, say, and may open; or this ends.
            }
        }

        senders.TryRemove(new(client, sender));
        sender.Socket.Dispose();
        sender.Idle.Dispose();
    }

    private sealed class Sender(LinnetSocket socket, CancellationTokenSource idle)
    {
        public LinnetSocket Socket => socket;

        public CancellationTokenSource Idle => idle;

        public Task Answering { get; set; } = Task.CompletedTask;
    }
}
