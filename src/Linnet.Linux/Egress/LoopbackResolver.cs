using System.Net;
using System.Net.Sockets;

namespace Linnet.Linux;

/// <summary>
/// Answers DNS on a host's own loopback, where the computer's <c>/etc/resolv.conf</c> sends programs: what goes there never
/// comes by the gateway.
/// </summary>
internal sealed class LoopbackResolver : IDisposable
{
    private const int DnsPort = 53;
    private const int LargestQuery = 65536;

    private readonly List<LinnetSocket> sockets = [];
    private readonly CancellationTokenSource stop = new();
    private readonly Gateway gateway;

    public LoopbackResolver(Host host, Gateway gateway)
    {
        this.gateway = gateway;
        foreach (IPAddress server in OutsideResolver.ReadServers().Where(IPAddress.IsLoopback))
        {
            LinnetSocket datagrams = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
            datagrams.Bind(new IPEndPoint(server, DnsPort));
            LinnetSocket connections = host.Listen(DnsPort, server);
            sockets.AddRange([datagrams, connections]);
            _ = AnswerAsync(datagrams);
            _ = AcceptAsync(connections);
        }
    }

    public void Dispose()
    {
        stop.Cancel();
        foreach (LinnetSocket socket in sockets)
            socket.Dispose();
    }

    private async Task AnswerAsync(LinnetSocket socket)
    {
        byte[] buffer = new byte[LargestQuery];
        while (!stop.IsCancellationRequested)
        {
            try
            {
                (int length, IPEndPoint? client) = await socket.ReceiveFromAsync(buffer, stop.Token);
                byte[] query = buffer[..length];
                _ = Task.Run(async () =>
                {
                    if (await gateway.Names.AnswerAsync(query, gateway.AllowsOutside, streamed: false, stop.Token) is { } answer)
                        await socket.SendToAsync(answer, client!, stop.Token);
                });
            }
            catch (SocketException)
            {
                // An asker who is gone again.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }

    private async Task AcceptAsync(LinnetSocket listener)
    {
        while (!stop.IsCancellationRequested)
        {
            try
            {
                LinnetSocket connection = await listener.AcceptAsync(stop.Token);
                _ = Task.Run(async () =>
                {
                    await using LinnetStream stream = connection.GetStream();
                    await gateway.Names.ServeAsync(stream, gateway.AllowsOutside, stop.Token);
                });
            }
            catch (SocketException)
            {
                // It was reset before it was accepted.
            }
            catch (Exception e) when (e is OperationCanceledException or ObjectDisposedException)
            {
                return;
            }
        }
    }
}
