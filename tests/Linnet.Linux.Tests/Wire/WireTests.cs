using System.Diagnostics;
using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Wire;

/// <summary>Linnet against the host kernel's own stack, over a TAP device.</summary>
public class WireTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    [Theory]
    [InlineData(56)]
    [InlineData(1472)]
    [InlineData(4000)]
    public void Kernel_pings_linnet(int size)
    {
        using TapWire wire = new();
        HostNamespace.Result ping = wire.Kernel.Run("ping", "-c", "3", "-i", "0.05", "-W", "5", "-s", $"{size}", $"{TapWire.LinnetAddress}");
        Assert.Contains("3 received", ping.Output);
    }

    [Fact]
    public void Curl_reads_from_a_server_on_linnet()
    {
        using TapWire wire = new();
        byte[] body = RandomNumberGenerator.GetBytes(3_000_000);
        using LinnetSocket listener = wire.Linnet.Listen(80);
        _ = wire.Linnet.Start("httpd", _ => ServeOnce(listener, body));
        string file = Path.GetTempFileName();
        try
        {
            wire.Kernel.Run("curl", "-sS", "--max-time", "25", "-o", file, $"http://{TapWire.LinnetAddress}/").ThrowIfFailed();
            Assert.Equal(SHA256.HashData(body), SHA256.HashData(File.ReadAllBytes(file)));
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Fact]
    public async Task Netcat_sends_to_linnet_and_gets_it_back()
    {
        using TapWire wire = new();
        using LinnetSocket listener = wire.Linnet.Listen(7);
        Task echo = wire.Linnet.Start("echo", async _ =>
        {
            using LinnetSocket connection = await listener.AcceptAsync();
            using LinnetStream stream = connection.GetStream();
            await stream.CopyToAsync(stream);
        });
        Process netcat = wire.Kernel.Start("nc", "-N", $"{TapWire.LinnetAddress}", "7");
        byte[] sent = RandomNumberGenerator.GetBytes(500_000);
        Task feed = Task.Run(() =>
        {
            netcat.StandardInput.BaseStream.Write(sent);
            netcat.StandardInput.Close();
        });
        byte[] received = await ReadAll(netcat.StandardOutput.BaseStream).WaitAsync(Limit);
        await feed.WaitAsync(Limit);
        Assert.Equal(SHA256.HashData(sent), SHA256.HashData(received));
        await echo.WaitAsync(Limit);
    }

    [Fact]
    public async Task Linnet_connects_to_netcat()
    {
        using TapWire wire = new();
        Process netcat = wire.Kernel.Start("nc", "-v", "-n", "-N", "-l", "9000");
        Assert.Contains("Listening", await netcat.StandardError.ReadLineAsync().WaitAsync(Limit));
        netcat.StandardInput.Write("from the kernel\n");
        netcat.StandardInput.Close();
        string answer = "";
        await wire.Linnet.Start("client", async _ =>
        {
            using LinnetStream stream = await wire.Linnet.ConnectAsync(new IPEndPoint(TapWire.KernelAddress, 9000));
            await stream.WriteAsync("from linnet\n"u8.ToArray());
            stream.Socket.Shutdown(SocketShutdown.Send);
            answer = Encoding.ASCII.GetString(await ReadAll(stream));
        }).WaitAsync(Limit);
        Assert.Equal("from the kernel\n", answer);
        Assert.Equal("from linnet\n", await netcat.StandardOutput.ReadToEndAsync().WaitAsync(Limit));
    }

    [Fact]
    public async Task Datagrams_cross_both_ways()
    {
        using TapWire wire = new();
        using LinnetSocket socket = wire.Linnet.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        socket.Bind(new IPEndPoint(IPAddress.Any, 5000));
        Process netcat = wire.Kernel.Start("nc", "-u", $"{TapWire.LinnetAddress}", "5000");
        netcat.StandardInput.Write("over\n");
        netcat.StandardInput.Flush();
        string received = "";
        await wire.Linnet.Start("peer", _ =>
        {
            byte[] buffer = new byte[2000];
            int n = socket.ReceiveFrom(buffer, out IPEndPoint? from);
            received = Encoding.ASCII.GetString(buffer, 0, n);
            socket.SendTo("and out\n"u8, from!);
        }).WaitAsync(Limit);
        Assert.Equal("over\n", received);
        Assert.Equal("and out", await netcat.StandardOutput.ReadLineAsync().WaitAsync(Limit));
    }

    [Fact]
    public async Task Nobody_listening_is_a_refusal_on_both_sides()
    {
        using TapWire wire = new();
        HostNamespace.Result curl = wire.Kernel.Run("curl", "-sS", "--max-time", "10", $"http://{TapWire.LinnetAddress}:81/");
        Assert.Equal(7, curl.ExitCode);
        await wire.Linnet.Start("client", async _ =>
        {
            LinnetSocketException refused = await Assert.ThrowsAsync<LinnetSocketException>(
                async () => await wire.Linnet.ConnectAsync(new IPEndPoint(TapWire.KernelAddress, 9001)));
            Assert.Equal(SocketError.ConnectionRefused, refused.SocketErrorCode);
        }).WaitAsync(Limit);
    }

    private static void ServeOnce(LinnetSocket listener, byte[] body)
    {
        using LinnetSocket connection = listener.Accept();
        byte[] request = new byte[4096];
        connection.Receive(request);
        connection.Send(Encoding.ASCII.GetBytes($"HTTP/1.0 200 OK\r\nContent-Length: {body.Length}\r\n\r\n"));
        connection.Send(body);
    }

    private static async Task<byte[]> ReadAll(Stream stream)
    {
        using MemoryStream all = new();
        await stream.CopyToAsync(all);
        return all.ToArray();
    }
}
