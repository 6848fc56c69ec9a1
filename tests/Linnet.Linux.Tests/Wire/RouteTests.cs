using System.Diagnostics;
using System.Net.Sockets;
using System.Security.Cryptography;
using System.Text.Json.Nodes;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Wire;

/// <summary>Ways through and to Linnet, as the host kernel's own tools see them: a router on Linnet between two namespaces.</summary>
public class RouteTests
{
    [Fact]
    public void Traceroute_finds_linnet()
    {
        using TapWire wire = new();
        string[] hops = Traceroute(wire.Kernel, $"{TapWire.LinnetAddress}");
        Assert.Equal([$"{TapWire.LinnetAddress}"], hops);
    }

    [Theory]
    [InlineData("-U")]
    [InlineData("-I")]
    [InlineData("-T")]
    public void Traceroute_goes_through_linnet(string method)
    {
        using RouterWire wire = new();
        string[] hops = Traceroute(wire.One, $"{RouterWire.OtherAddress}", method);
        Assert.Equal(["10.1.0.254", "10.2.0.1"], hops);
    }

    [Theory]
    [InlineData(56)]
    [InlineData(4000)]
    [InlineData(20000)]
    public void Pings_go_through_linnet(int size)
    {
        using RouterWire wire = new(farMtu: 1280);
        HostNamespace.Result ping = wire.One.Run(
            "ping", "-c", "3", "-i", "0.05", "-W", "5", "-M", "dont", "-s", $"{size}", $"{RouterWire.OtherAddress}");
        Assert.True(ping.Output.Contains("3 received", StringComparison.Ordinal), ping.Output);
    }

    [Theory]
    [InlineData(56)]
    [InlineData(4000)]
    [InlineData(60000)]
    public async Task Linnet_pings_the_kernel(int size)
    {
        using TapWire wire = new();
        using LinnetSocket socket = wire.Linnet.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        byte[] reply = new byte[65536];
        int length = 0;
        await wire.Linnet.Start("ping", _ =>
        {
            byte[] echo = new byte[8 + size];
            new Random(size).NextBytes(echo.AsSpan(8));
            echo[0] = 8;
            ushort sum = Kernel.Net.Core.Checksum.CsumFold(Kernel.Net.Core.Checksum.CsumPartial(echo, 0));
            (echo[2], echo[3]) = ((byte)(sum >> 8), (byte)sum);
            socket.SendTo(echo, new System.Net.IPEndPoint(TapWire.KernelAddress, 0));
            length = socket.ReceiveFrom(reply, out System.Net.IPEndPoint? _);
            Assert.Equal(echo.AsSpan(8), reply.AsSpan(28, length - 28));
        }).WaitAsync(TimeSpan.FromSeconds(30));
        Assert.Equal(28 + size, length);
    }

    /// <summary>The second wire takes smaller packets: the router tells the sender (RFC 1191).</summary>
    [Fact]
    public void Curl_fetches_a_large_file_through_linnet()
    {
        using RouterWire wire = new(farMtu: 1280);
        byte[] body = RandomNumberGenerator.GetBytes(10_000_000);
        using TcpListener near = BodyServer.ServeOnKernel(wire.One, RouterWire.OneAddress, 80, body);
        using TcpListener far = BodyServer.ServeOnKernel(wire.Other, RouterWire.OtherAddress, 80, body);
        string file = Path.GetTempFileName();
        try
        {
            foreach ((HostNamespace from, object to) in new (HostNamespace, object)[]
                {
                    (wire.One, RouterWire.OtherAddress), (wire.Other, RouterWire.OneAddress),
                })
            {
                from.Run("curl", "-sS", "--max-time", "20", "-o", file, $"http://{to}/").ThrowIfFailed();
                Assert.Equal(SHA256.HashData(body), SHA256.HashData(File.ReadAllBytes(file)));
            }
        }
        finally
        {
            File.Delete(file);
        }
    }

    [Theory]
    [InlineData("-n", "10M")]
    [InlineData("-n", "10M", "-R")]
    [InlineData("-u", "-b", "20M", "-n", "2M", "-l", "1200")]
    [InlineData("-u", "-b", "20M", "-n", "2M", "-l", "4000")]
    public void Iperf3_measures_the_way_through_linnet(params string[] arguments)
    {
        using RouterWire wire = new();
        Process server = wire.Other.Start("iperf3", "-s", "-1", "--forceflush");
        WaitForLine(server, "Server listening");
        HostNamespace.Result result = wire.One.Run("iperf3", ["-c", $"{RouterWire.OtherAddress}", "-J", .. arguments]);
        Assert.True(result.ExitCode == 0, result.Output + result.Errors);
        JsonNode end = JsonNode.Parse(result.Output)!["end"]!;
        JsonNode sum = (end["sum_received"] ?? end["sum"])!;
        long least = arguments[0] == "-u" ? 1L << 20 : 7L << 20;
        Assert.True(sum["bytes"]!.GetValue<long>() >= least, result.Output);
    }

    private static void WaitForLine(Process process, string text)
    {
        Task<string?> line;
        do
        {
            line = process.StandardOutput.ReadLineAsync();
            Assert.True(line.Wait(TimeSpan.FromSeconds(10)), "the program says nothing");
        }
        while (line.Result?.Contains(text) == false);
    }

    // The address of each hop.
    private static string[] Traceroute(HostNamespace from, string to, string method = "-U")
    {
        HostNamespace.Result result = from.Run("traceroute", "-n", "-q", "1", "-w", "5", "-N", "1", method, to).ThrowIfFailed();
        return [.. result.Output.Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
            .Select(line => line.Split(' ', StringSplitOptions.RemoveEmptyEntries)[1])];
    }
}
