using System.Net;
using System.Net.Sockets;
using System.Text;
using Linnet.Testing;

namespace Linnet.Tests.Sockets;

public class LinnetSocketTests
{
    [Fact]
    public void Ends_know_their_addresses()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                Assert.Equal(net.At(80), client.Socket.RemoteEndPoint);
                Assert.Equal(net.At(80), server.Socket.LocalEndPoint);
                Assert.Equal(client.Socket.LocalEndPoint, server.Socket.RemoteEndPoint);
                Assert.Equal(net.Other.Address, client.Socket.LocalEndPoint!.Address);
                Assert.Equal(AddressFamily.InterNetwork, client.Socket.AddressFamily);
                Assert.Equal(SocketType.Stream, client.Socket.SocketType);
                Assert.Equal(ProtocolType.Tcp, client.Socket.ProtocolType);
            }
        });
    }

    [Fact]
    public void A_port_that_nobody_listens_on_refuses()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            var thrown = await Assert.ThrowsAsync<LinnetSocketException>(async () => await net.Other.ConnectAsync(net.At(81)));
            Assert.Equal(SocketError.ConnectionRefused, thrown.SocketErrorCode);
            Assert.Equal(111, thrown.Errno);
        });
    }

    [Fact]
    public void A_host_that_is_not_there_cannot_be_reached()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            IPEndPoint nobody = new(IPAddress.Parse("10.0.0.99"), 80);
            var thrown = await Assert.ThrowsAsync<LinnetSocketException>(async () => await net.Other.ConnectAsync(nobody));
            Assert.Equal(SocketError.HostUnreachable, thrown.SocketErrorCode);
        });
    }

    [Fact]
    public void A_network_without_a_route_cannot_be_reached()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            IPEndPoint far = new(IPAddress.Parse("198.51.100.1"), 80);
            var thrown = await Assert.ThrowsAsync<LinnetSocketException>(async () => await net.Other.ConnectAsync(far));
            Assert.Equal(SocketError.NetworkUnreachable, thrown.SocketErrorCode);
        });
    }

    [Fact]
    public void Datagrams_keep_their_boundaries_and_senders()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            using LinnetSocket receiver = net.One.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
            receiver.Bind(net.At(5000));
            using LinnetSocket sender = net.Other.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
            await sender.SendToAsync("first"u8.ToArray(), net.At(5000));
            await sender.SendToAsync("second"u8.ToArray(), net.At(5000));
            byte[] buffer = new byte[100];
            (int length, IPEndPoint? from) = await receiver.ReceiveFromAsync(buffer);
            Assert.Equal("first", Encoding.ASCII.GetString(buffer, 0, length));
            Assert.Equal(net.Other.Address, from!.Address);
            Assert.Equal(sender.LocalEndPoint!.Port, from.Port);
            (length, _) = await receiver.ReceiveFromAsync(buffer);
            Assert.Equal("second", Encoding.ASCII.GetString(buffer, 0, length));
        });
    }

    [Fact]
    public void A_receive_that_waits_is_cancelled()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                using CancellationTokenSource patience = new(TimeSpan.FromSeconds(3), net.Network.TimeProvider);
                await Assert.ThrowsAnyAsync<OperationCanceledException>(
                    async () => await server.Socket.ReceiveAsync(new byte[1], patience.Token));
                Assert.Equal(3, net.Simulation.Elapsed.TotalSeconds);

                // The connection is as good as before.
                await client.WriteAsync("x"u8.ToArray());
                Assert.Equal(1, await server.Socket.ReceiveAsync(new byte[10]));
            }
        });
    }

    [Fact]
    public void Cancelling_before_the_call_does_nothing_else()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            using LinnetSocket listener = net.One.Listen(80);
            await Assert.ThrowsAnyAsync<OperationCanceledException>(
                async () => await listener.AcceptAsync(new CancellationToken(canceled: true)));
        });
    }

    [Fact]
    public void Closing_ends_calls_that_wait()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            LinnetSocket listener = net.One.Listen(80);
            Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
            Assert.False(accept.IsCompleted);
            listener.Dispose();
            var thrown = await Assert.ThrowsAsync<LinnetSocketException>(() => accept);
            Assert.Equal(SocketError.OperationAborted, thrown.SocketErrorCode);
            Assert.Throws<ObjectDisposedException>(() => listener.Listen());
        });
    }

    [Fact]
    public void Many_connections_wait_at_once()
    {
        const int Count = 200;
        using TwoHosts net = new();
        int answered = 0;
        net.Run(async () =>
        {
            using LinnetSocket listener = net.One.Listen(80);
            Task serve = ServeAsync(listener);
            Task[] clients = [.. Enumerable.Range(0, Count).Select(ClientAsync)];
            await Task.WhenAll(clients);
            await serve;
        });
        Assert.Equal(Count, answered);

        async Task ServeAsync(LinnetSocket listener)
        {
            for (int i = 0; i < Count; i++)
                _ = EchoAsync(await listener.AcceptAsync());
        }

        static async Task EchoAsync(LinnetSocket socket)
        {
            using LinnetStream stream = socket.GetStream();
            await stream.CopyToAsync(stream);
        }

        async Task ClientAsync(int i)
        {
            await using LinnetStream stream = await net.Other.ConnectAsync(net.At(80));
            byte[] message = Encoding.ASCII.GetBytes($"number {i}");
            await stream.WriteAsync(message);
            stream.CompleteWrites();
            using MemoryStream back = new();
            await stream.CopyToAsync(back);
            if (back.ToArray().AsSpan().SequenceEqual(message))
                answered++;
        }
    }

    [Fact]
    public void Waiting_allocates_nothing_in_the_steady_state()
    {
        using TwoHosts net = new();
        long allocated = long.MaxValue;
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                byte[] there = new byte[64], back = new byte[64];
                for (int round = 0; round < 3; round++)
                {
                    long before = GC.GetAllocatedBytesForCurrentThread();
                    for (int i = 0; i < 100; i++)
                    {
                        // The read begins first, so that it waits.
                        ValueTask<int> read = server.Socket.ReceiveAsync(back);
                        await client.Socket.SendAsync(there);
                        await read;
                    }

                    allocated = (GC.GetAllocatedBytesForCurrentThread() - before) / 100;
                }
            }
        });

        // What is left is the simulation's: a posted continuation for each wait.
        Assert.InRange(allocated, 0, 200);
    }
}
