using System.Net;
using System.Net.Sockets;

namespace Linnet.Tests.Networks;

public sealed class PublishedUdpPortTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Network network = new();
    private readonly Host server;
    private readonly PublishedUdpPort port;

    public PublishedUdpPortTests()
    {
        server = network.AddHost("server");
        Host door = network.AddHost("door");
        network.Connect(server, "10.0.0.1/24", door, "10.0.0.2/24");
        port = PublishedUdpPort.Open(new IPEndPoint(IPAddress.Loopback, 0), door, new IPEndPoint(server.Address, 53));
    }

    public async ValueTask DisposeAsync()
    {
        await port.DisposeAsync();
        network.Dispose();
    }

    [Fact]
    public async Task Each_sender_gets_its_own_answers()
    {
        using LinnetSocket inner = server.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        inner.Bind(new IPEndPoint(IPAddress.Any, 53));
        _ = EchoAsync(inner);
        Socket[] senders = [.. Enumerable.Range(0, 10).Select(_ => new Socket(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp))];
        byte[] buffer = new byte[100];
        for (byte i = 0; i < senders.Length; i++)
        {
            await senders[i].ConnectAsync(port.EndPoint);
            await senders[i].SendAsync((byte[])[i, i], SocketFlags.None);
        }

        for (byte i = 0; i < senders.Length; i++)
        {
            int length = await senders[i].ReceiveAsync(buffer, SocketFlags.None).WaitAsync(Patience);
            Assert.Equal([i, i], buffer[..length]);
            senders[i].Dispose();
        }

        Assert.Equal(senders.Length, port.Senders);
    }

    [Fact]
    public async Task A_closed_port_in_the_network_does_not_end_it()
    {
        using Socket sender = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        await sender.ConnectAsync(port.EndPoint);
        await sender.SendAsync("lost"u8.ToArray(), SocketFlags.None);
        using LinnetSocket inner = server.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        inner.Bind(new IPEndPoint(IPAddress.Any, 53));
        _ = EchoAsync(inner);
        byte[] buffer = new byte[100];
        Task<int> answer = sender.ReceiveAsync(buffer, SocketFlags.None);

        // The refusal of the first may still meet the second, as on a connected socket of Linux's.
        for (int i = 0; i < 2; i++)
            await sender.SendAsync("heard"u8.ToArray(), SocketFlags.None);
        await answer.WaitAsync(Patience);
    }

    private static async Task EchoAsync(LinnetSocket socket)
    {
        byte[] buffer = new byte[100];
        try
        {
            while (true)
            {
                (int length, IPEndPoint? from) = await socket.ReceiveFromAsync(buffer);
                await socket.SendToAsync(buffer.AsMemory(0, length), from!);
            }
        }
        catch (Exception e) when (e is ObjectDisposedException or SocketException)
        {
            // The test is over.
        }
    }
}
