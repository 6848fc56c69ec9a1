using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Wire;

/// <summary>Much data and many connections between Linnet and the host kernel, over a TAP device.</summary>
public class LoadTests
{
    private const int Connections = 1000;
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(40);

    [Theory]
    [InlineData("wget", "-q", "-T", "20", "-O")]
    [InlineData("curl", "-sS", "--max-time", "25", "-o")]
    public void A_large_file_is_fetched_from_linnet(string program, params string[] arguments)
    {
        using TapWire wire = new();
        byte[] body = RandomNumberGenerator.GetBytes(20_000_000);
        using LinnetSocket listener = wire.Linnet.Listen(80);
        _ = wire.Linnet.Start("httpd", _ => BodyServer.Serve(listener, body));
        string file = Path.GetTempFileName();
        try
        {
            wire.Kernel.Run(program, [.. arguments, file, $"http://{TapWire.LinnetAddress}/"]).ThrowIfFailed();
            Assert.Equal(SHA256.HashData(body), SHA256.HashData(File.ReadAllBytes(file)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("-n", "16M")]
    [InlineData("-n", "16M", "-R")]
    [InlineData("-n", "16M", "-P", "4")]
    [InlineData("-n", "16M", "-P", "4", "-R")]
    public async Task Iperf3_measures_linnet(params string[] arguments)
    {
        using TapWire wire = new();
        using Iperf3Server server = new(wire.Linnet);
        Task serving = wire.Linnet.Start("iperf3", _ => server.RunOnce());
        Task<HostNamespace.Result> client = Task.Run(
            () => wire.Kernel.Run("iperf3", ["-c", $"{TapWire.LinnetAddress}", "-J", .. arguments]));
        HostNamespace.Result result = await client.WaitAsync(Limit);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        await serving.WaitAsync(Limit);
        Assert.True(server.ClientBytes >= 16L << 20, $"{server.ClientBytes} bytes");

        // What Linnet sent may have been on its way still when the client stopped counting.
        Assert.True(server.Bytes >= server.ClientBytes, $"{server.Bytes} of {server.ClientBytes} bytes");
    }

    [Fact]
    public async Task The_kernel_holds_a_thousand_connections_to_linnet()
    {
        using TapWire wire = new();
        using LinnetSocket listener = wire.Linnet.Listen(7);
        Task serving = wire.Linnet.Start("echo", async _ =>
        {
            List<Task> running = [];
            for (int i = 0; i < Connections; i++)
                running.Add(Echo(await listener.AcceptAsync()));
            await Task.WhenAll(running);
        });
        Socket[] sockets = new Socket[Connections];
        wire.Kernel.Inside(() =>
        {
            for (int i = 0; i < Connections; i++)
                sockets[i] = new Socket(AddressFamily.InterNetwork, SocketType.Stream, ProtocolType.Tcp);
        });
        await Task.WhenAll(sockets.Select(async (socket, i) =>
        {
            await socket.ConnectAsync(TapWire.LinnetAddress, 7);
            await using NetworkStream stream = new(socket, ownsSocket: false);
            await Ask(stream, i);
        })).WaitAsync(Limit);
        foreach (Socket socket in sockets)
            socket.Dispose();
        await serving.WaitAsync(Limit);
    }

    [Fact]
    public async Task Linnet_holds_a_thousand_connections_to_the_kernel()
    {
        using TapWire wire = new();
        using TcpListener listener = BodyServer.ListenOnKernel(wire.Kernel, TapWire.KernelAddress, 7);
        Task serving = Task.Run(async () =>
        {
            List<Task> running = [];
            for (int i = 0; i < Connections; i++)
                running.Add(Echo((await listener.AcceptTcpClientAsync()).GetStream()));
            await Task.WhenAll(running);
        });
        await wire.Linnet.Start("clients", async _ =>
        {
            LinnetStream[] streams = await Task.WhenAll(Enumerable.Range(0, Connections).Select(
                _ => wire.Linnet.ConnectAsync(new IPEndPoint(TapWire.KernelAddress, 7)).AsTask()));
            await Task.WhenAll(streams.Select(Ask));
            foreach (LinnetStream stream in streams)
                stream.Dispose();
        }).WaitAsync(Limit);
        await serving.WaitAsync(Limit);
    }

    private static Task Echo(LinnetSocket socket) => Echo(socket.GetStream());

    private static async Task Echo(Stream stream)
    {
        await using Stream closed = stream;
        byte[] buffer = new byte[1000];
        for (int n; (n = await stream.ReadAsync(buffer)) > 0;)
            await stream.WriteAsync(buffer.AsMemory(0, n));
    }

    private static async Task Ask(Stream stream, int number)
    {
        byte[] sent = new byte[500];
        new Random(number).NextBytes(sent);
        byte[] received = new byte[sent.Length];
        await stream.WriteAsync(sent);
        await stream.ReadExactlyAsync(received);
        Assert.Equal(sent, received);
    }
}
