using System.Net;
using System.Net.Sockets;
using System.Text;
using Linnet.Testing;

namespace Linnet.Tests.Sockets;

public class LinnetStreamTests
{
    [Fact]
    public void Bytes_arrive_in_both_directions()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                await client.WriteAsync("ping"u8.ToArray());
                Assert.Equal("ping", await ReadTextAsync(server, 4));
                await server.WriteAsync("pong"u8.ToArray());
                Assert.Equal("pong", await ReadTextAsync(client, 4));
            }
        });
    }

    [Fact]
    public void A_megabyte_arrives_whole_though_the_reader_is_slow()
    {
        using TwoHosts net = new();
        byte[] sent = new byte[1_000_003];
        new Random(7).NextBytes(sent);
        byte[] received = new byte[sent.Length];
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                Task write = WriteAsync(client, sent);
                int length = 0;
                for (int n; (n = await server.ReadAsync(received.AsMemory(length, Math.Min(7919, received.Length - length)))) > 0;)
                {
                    length += n;
                    await Task.Delay(TimeSpan.FromMilliseconds(1), net.Network.TimeProvider);
                }

                await write;
                Assert.Equal(sent.Length, length);
            }
        });
        Assert.Equal(sent, received);

        static async Task WriteAsync(LinnetStream stream, byte[] data)
        {
            await stream.WriteAsync(data);
            stream.CompleteWrites();
        }
    }

    [Fact]
    public void The_end_of_the_stream_leaves_the_other_direction_open()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            await using (server)
            {
                client.CompleteWrites();
                Assert.Equal(0, await server.ReadAsync(new byte[10]));
                await server.WriteAsync("still here"u8.ToArray());
                Assert.Equal("still here", await ReadTextAsync(client, 10));
            }
        });
    }

    [Fact]
    public void Blocking_reads_and_writes_work_on_threads()
    {
        using TwoHosts net = new();
        string got = "";
        using LinnetSocket listener = net.One.Listen(80);
        net.Simulation.Start("server", () =>
        {
            using LinnetStream stream = listener.Accept().GetStream();
            using StreamReader reader = new(stream);
            got = reader.ReadToEnd();
        });
        net.Simulation.Start("client", () =>
        {
            using LinnetSocket socket = net.Other.CreateSocket(AddressFamily.InterNetwork, SocketType.Stream);
            socket.Connect(net.At(80));
            using LinnetStream stream = socket.GetStream();
            stream.Write("over there"u8);
        });
        net.Simulation.RunUntil(() => got.Length > 0, TimeSpan.FromMinutes(1));
        Assert.Equal("over there", got);
    }

    [Fact]
    public void A_reset_is_an_IOException_with_the_socket_error_inside()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            await using (client)
            {
                ValueTask<int> read = client.ReadAsync(new byte[10]);
                server.Socket.LingerState = new LingerOption(true, 0);
                server.Dispose();
                var thrown = await Assert.ThrowsAsync<IOException>(async () => await read);
                var inner = Assert.IsType<LinnetSocketException>(thrown.InnerException);
                Assert.Equal(SocketError.ConnectionReset, inner.SocketErrorCode);
                Assert.Equal(104, inner.Errno);
            }
        });
    }

    [Fact]
    public void A_line_reader_of_the_framework_reads_from_it()
    {
        using TwoHosts net = new();
        net.Run(async () =>
        {
            (LinnetStream client, LinnetStream server) = await net.ConnectAsync();
            using StreamReader reader = new(server, Encoding.UTF8);
            await using StreamWriter writer = new(client, new UTF8Encoding(false)) { NewLine = "\n" };
            await writer.WriteLineAsync("one");
            await writer.WriteLineAsync("two");
            await writer.FlushAsync();
            Assert.Equal("one", await reader.ReadLineAsync());
            Assert.Equal("two", await reader.ReadLineAsync());
        });
    }

    private static async Task<string> ReadTextAsync(Stream stream, int length)
    {
        byte[] buffer = new byte[length];
        await stream.ReadExactlyAsync(buffer);
        return Encoding.ASCII.GetString(buffer);
    }
}
