using System.Net;
using System.Net.Sockets;

namespace Linnet.Tests.Networks;

public sealed class PublishedPortTests : IAsyncDisposable
{
    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(60);

    private readonly Network network = new();
    private readonly Host web;
    private readonly Host door;
    private readonly PublishedPort port;

    public PublishedPortTests()
    {
        web = network.AddHost("web");
        door = network.AddHost("door");
        network.Connect(web, "10.0.0.1/24", door, "10.0.0.2/24");
        port = PublishedPort.Open(new IPEndPoint(IPAddress.Loopback, 0), door, new IPEndPoint(web.Address, 80));
    }

    public async ValueTask DisposeAsync()
    {
        await port.DisposeAsync();
        network.Dispose();
    }

    [Fact]
    public async Task Each_direction_ends_by_itself()
    {
        using LinnetSocket listener = web.Listen(80);
        using TcpClient outside = await ConnectAsync();
        using LinnetSocket inside = await listener.AcceptAsync().AsTask().WaitAsync(Patience);
        NetworkStream stream = outside.GetStream();
        await stream.WriteAsync("question"u8.ToArray());
        outside.Client.Shutdown(SocketShutdown.Send);
        using LinnetStream inner = inside.GetStream();
        using StreamReader reader = new(inner);
        Assert.Equal("question", await reader.ReadToEndAsync().WaitAsync(Patience));
        await inner.WriteAsync("answer"u8.ToArray());
        inner.CompleteWrites();
        using StreamReader back = new(stream);
        Assert.Equal("answer", await back.ReadToEndAsync().WaitAsync(Patience));
    }

    [Fact]
    public async Task Megabytes_arrive_whole_on_many_connections()
    {
        const int Connections = 8;
        byte[] data = new byte[2_000_000];
        new Random(5).NextBytes(data);
        using LinnetSocket listener = web.Listen(80);
        Task serving = Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => SendAllAsync(listener, data)));
        byte[][] received = await Task.WhenAll(Enumerable.Range(0, Connections).Select(_ => ReadAllAsync())).WaitAsync(Patience);
        await serving.WaitAsync(Patience);
        Assert.All(received, got => Assert.True(data.AsSpan().SequenceEqual(got)));
    }

    [Fact]
    public async Task Who_does_not_read_stops_who_writes()
    {
        using LinnetSocket listener = web.Listen(80);
        using TcpClient outside = await ConnectAsync();
        using LinnetSocket inside = await listener.AcceptAsync().AsTask().WaitAsync(Patience);

        // More than all buffers on the way hold.
        byte[] data = new byte[256 << 20];
        Task<int> write = inside.SendAsync(data).AsTask();
        Assert.True(await ReadOneAsync(outside).WaitAsync(Patience) > 0);
        Assert.False(write.IsCompleted);

        // Who reads on lets it go on.
        Task read = outside.GetStream().CopyToAsync(Stream.Null);
        Assert.Equal(data.Length, await write.WaitAsync(Patience));
        inside.Shutdown(SocketShutdown.Send);
        await read.WaitAsync(Patience);
    }

    [Fact]
    public async Task A_port_that_nobody_serves_is_a_reset_outside()
    {
        // The reset may be there before the connect has returned.
        var thrown = await Assert.ThrowsAnyAsync<Exception>(async () =>
        {
            using TcpClient outside = await ConnectAsync();
            await ReadOneAsync(outside).WaitAsync(Patience);
        });
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(thrown.InnerException ?? thrown).SocketErrorCode);
    }

    [Fact]
    public async Task A_reset_inside_is_a_reset_outside()
    {
        using LinnetSocket listener = web.Listen(80);
        using TcpClient outside = await ConnectAsync();
        LinnetSocket inside = await listener.AcceptAsync().AsTask().WaitAsync(Patience);
        inside.LingerState = new LingerOption(true, 0);
        inside.Dispose();
        var thrown = await Assert.ThrowsAnyAsync<Exception>(
            async () => await ReadOneAsync(outside).WaitAsync(Patience));
        Assert.Equal(SocketError.ConnectionReset, Assert.IsType<SocketException>(thrown.InnerException ?? thrown).SocketErrorCode);
    }

    private static Task<int> ReadOneAsync(TcpClient client) => client.GetStream().ReadAsync(new byte[1]).AsTask();

    private static async Task SendAllAsync(LinnetSocket listener, byte[] data)
    {
        using LinnetSocket socket = await listener.AcceptAsync();
        await socket.SendAsync(data);
    }

    private async Task<TcpClient> ConnectAsync()
    {
        TcpClient client = new();
        await client.ConnectAsync(port.EndPoint);
        return client;
    }

    private async Task<byte[]> ReadAllAsync()
    {
        using TcpClient client = await ConnectAsync();
        using MemoryStream all = new();
        await client.GetStream().CopyToAsync(all);
        return all.ToArray();
    }
}
