using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;

namespace Linnet.Linux.Tests.Egress;

/// <summary>The way out of a network, to sockets of this computer's.</summary>
public sealed class GatewayTests : IAsyncLifetime
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Network network = new();
    private readonly Host host;
    private readonly Host outside;
    private Gateway? gateway;

    public GatewayTests()
    {
        host = network.AddHost("host");
        outside = network.AddHost("outside");
        network.Connect(host, "10.0.2.15/24", outside, "10.0.2.2/24");
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), outside.Address);
    }

    private static CancellationToken Token => TestContext.Current.CancellationToken;

    public ValueTask InitializeAsync() => ValueTask.CompletedTask;

    public async ValueTask DisposeAsync()
    {
        if (gateway != null)
            await gateway.DisposeAsync();
        network.Dispose();
    }

    [Fact]
    public async Task Bytes_go_both_ways_to_the_end()
    {
        Open();
        using TcpListener listener = new(IPAddress.Loopback, 0);
        listener.Start();
        Task<Socket> accepting = listener.AcceptSocketAsync(Token).AsTask();
        await using LinnetStream stream = await host.ConnectAsync(new IPEndPoint(outside.Address, PortOf(listener.LocalEndpoint)), Token);
        using Socket outer = await accepting.WaitAsync(Limit, Token);
        await stream.WriteAsync("ask"u8.ToArray(), Token);
        byte[] buffer = new byte[100];
        Assert.Equal(3, await outer.ReceiveAsync(buffer, SocketFlags.None, Token));
        await outer.SendAsync("answer"u8.ToArray(), SocketFlags.None, Token);
        outer.Shutdown(SocketShutdown.Send);
        using StreamReader reader = new(stream);
        Assert.Equal("answer", await reader.ReadToEndAsync(Token).WaitAsync(Limit, Token));
    }

    [Fact]
    public async Task A_refused_connection_is_refused_inside()
    {
        Open();
        SocketException e = await Assert.ThrowsAnyAsync<SocketException>(
            () => host.ConnectAsync(new IPEndPoint(outside.Address, ClosedPort(SocketType.Stream)), Token).AsTask().WaitAsync(Limit, Token));
        Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
    }

    [Fact]
    public async Task Datagrams_go_both_ways_and_a_closed_port_is_told()
    {
        Open();
        using Socket outer = new(AddressFamily.InterNetwork, SocketType.Dgram, ProtocolType.Udp);
        outer.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        using LinnetSocket inner = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        await inner.ConnectAsync(new IPEndPoint(outside.Address, PortOf(outer.LocalEndPoint!)), Token);
        await inner.SendAsync("ping"u8.ToArray(), Token);
        byte[] buffer = new byte[100];
        SocketReceiveFromResult got = await outer.ReceiveFromAsync(buffer, SocketFlags.None, new IPEndPoint(IPAddress.Any, 0), Token)
            .AsTask().WaitAsync(Limit, Token);
        Assert.Equal("ping", Encoding.ASCII.GetString(buffer, 0, got.ReceivedBytes));
        await outer.SendToAsync("pong"u8.ToArray(), SocketFlags.None, got.RemoteEndPoint, Token);
        Assert.Equal(4, await inner.ReceiveAsync(buffer, Token).AsTask().WaitAsync(Limit, Token));

        outer.Close();
        await inner.SendAsync("gone"u8.ToArray(), Token);
        SocketException e = await Assert.ThrowsAnyAsync<SocketException>(
            () => inner.ReceiveAsync(buffer, Token).AsTask().WaitAsync(Limit, Token));
        Assert.Equal(SocketError.ConnectionRefused, e.SocketErrorCode);
    }

    [Fact]
    public async Task A_ping_to_the_computer_is_answered()
    {
        IPAddress? own = NetworkInterface.GetAllNetworkInterfaces().Where(end => end.OperationalStatus == OperationalStatus.Up)
            .SelectMany(end => end.GetIPProperties().UnicastAddresses).Select(unicast => unicast.Address)
            .FirstOrDefault(address => address.AddressFamily == AddressFamily.InterNetwork && !IPAddress.IsLoopback(address));
        Assert.SkipWhen(own == null, "the computer has no address but its loopback's");
        Open();
        using LinnetSocket ping = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Raw, ProtocolType.Icmp);
        await ping.ConnectAsync(new IPEndPoint(own!, 0), Token);
        byte[] request = [8, 0, 0, 0, 0x12, 0x34, 0, 1, .. "linnet"u8];
        ushort sum = Kernel.Net.Core.Checksum.CsumFold(Kernel.Net.Core.Checksum.CsumPartial(request, 0));
        (request[2], request[3]) = ((byte)(sum >> 8), (byte)sum);
        await ping.SendAsync(request, Token);
        byte[] buffer = new byte[1500];
        int length = await ping.ReceiveAsync(buffer, Token).AsTask().WaitAsync(Limit, Token);
        const int AfterSum = 4, IpHeader = 20;
        Assert.Equal(request[AfterSum..], buffer[(IpHeader + AfterSum)..length]);
        Assert.Equal(0, buffer[IpHeader]);
    }

    [Fact]
    public async Task Without_a_way_out_nothing_goes_there()
    {
        Open(allowOutside: false);
        SocketException e = await Assert.ThrowsAnyAsync<SocketException>(
            () => host.ConnectAsync(new IPEndPoint(IPAddress.Parse("192.0.2.1"), 80), Token).AsTask().WaitAsync(Limit, Token));
        Assert.Equal(SocketError.HostUnreachable, e.SocketErrorCode);
    }

    private static ushort PortOf(EndPoint end) => (ushort)((IPEndPoint)end).Port;

    // One that was free just now.
    private static ushort ClosedPort(SocketType type)
    {
        using Socket socket = new(AddressFamily.InterNetwork, type, ProtocolType.Unspecified);
        socket.Bind(new IPEndPoint(IPAddress.Loopback, 0));
        return PortOf(socket.LocalEndPoint!);
    }

    private void Open(bool allowOutside = true) => gateway = new Gateway(outside, new NameTable(), allowOutside);
}
