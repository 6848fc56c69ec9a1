using System.Net;
using System.Net.Sockets;
using System.Security.Cryptography;
using Linnet.Kernel.Drivers;
using Linnet.Linux.Tests.Infrastructure;

namespace Linnet.Linux.Tests.Wire;

/// <summary>Bridges, VLANs and multicast between Linnet and the host's kernel, over TAP devices.</summary>
public sealed class LinkLayerTests : IDisposable
{
    private const int IPPROTO_IP = 0;
    private const int IP_ADD_MEMBERSHIP = 35;
    private const int IP_ADD_SOURCE_MEMBERSHIP = 39;
    private const int IP_DROP_MEMBERSHIP = 36;

    private static readonly TimeSpan Patience = TimeSpan.FromSeconds(20);

    private readonly string captureFile = Path.Combine(Path.GetTempPath(), $"linnet-{Guid.NewGuid():N}.pcapng");
    private readonly List<HostNamespace> namespaces = [];
    private readonly List<HostTun> taps = [];
    private readonly Network network;

    public LinkLayerTests() => network = new Network(new NetworkOptions { Capture = System.IO.File.Create(captureFile) });

    public void Dispose()
    {
        foreach (HostTun tap in taps)
            tap.Dispose();
        network.Dispose();
        foreach (HostNamespace each in namespaces)
            each.Dispose();
        System.IO.File.Delete(captureFile);
    }

    [Fact]
    public void A_Linnet_bridge_carries_pings_between_two_kernels()
    {
        Host host = network.AddHost("bridge");
        HostNamespace one = NewNamespace(), other = NewNamespace();
        HostBridge bridge = host.AddBridge();
        bridge.AddPort(Wire(host, one, "tap0"));
        bridge.AddPort(Wire(host, other, "tap0"));
        bridge.Interface.AddAddress(IPNetworkAddress.Parse("192.0.2.3/24"));
        one.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "tap0").ThrowIfFailed();
        other.Run("ip", "addr", "add", "192.0.2.2/24", "dev", "tap0").ThrowIfFailed();

        Ping(one, "192.0.2.2", 1400);
        Ping(other, "192.0.2.1", 4000);
        Ping(one, "192.0.2.3", 56);
        Assert.Equal(2, bridge.Ports.Count);
        Assert.True(bridge.Addresses.Count >= 4);
    }

    [Fact]
    public async Task Tagged_frames_cross_a_kernel_bridge_between_two_hosts_of_Linnet()
    {
        HostNamespace kernel = NewNamespace();
        kernel.Run("ip", "link", "add", "br0", "type", "bridge").ThrowIfFailed();
        kernel.Run("ip", "link", "set", "br0", "up").ThrowIfFailed();
        Host one = network.AddHost("one"), other = network.AddHost("other");
        one.AddVlan(Wire(one, kernel, "tap0"), 5, IPNetworkAddress.Parse("10.5.0.1/24"));
        HostInterface below = Wire(other, kernel, "tap1");
        other.AddVlan(below, 5, IPNetworkAddress.Parse("10.5.0.2/24"));
        foreach (string tap in (string[])["tap0", "tap1"])
            kernel.Run("ip", "link", "set", tap, "master", "br0").ThrowIfFailed();

        byte[] data = RandomNumberGenerator.GetBytes(500_000);
        using LinnetSocket listener = other.Listen(4000);
        Task<byte[]> received = ReadAll(listener, data.Length);
        await using (LinnetStream stream = await one.ConnectAsync(new IPEndPoint(IPAddress.Parse("10.5.0.2"), 4000)).AsTask().WaitAsync(Patience))
            await stream.WriteAsync(data).AsTask().WaitAsync(Patience);
        Assert.Equal(SHA256.HashData(data), SHA256.HashData(await received.WaitAsync(Patience)));

        network.Dispose();
        Assert.NotEqual("", Tshark("vlan.id == 5 && tcp.len > 0 && !_ws.malformed"));
        Assert.Equal("", Tshark("(tcp && !vlan) || _ws.malformed || tcp.checksum.status == 0"));
    }

    [Fact]
    public void The_kernels_bridge_learns_groups_from_the_reports()
    {
        HostNamespace kernel = NewNamespace();
        kernel.Run("ip", "link", "add", "br0", "type", "bridge", "mcast_snooping", "1", "mcast_querier", "1", "mcast_igmp_version", "3")
            .ThrowIfFailed();
        kernel.Run("ip", "addr", "add", "192.0.2.1/24", "dev", "br0").ThrowIfFailed();
        Host host = network.AddHost("linnet");
        Wire(host, kernel, "tap0", "192.0.2.2/24");
        kernel.Run("ip", "link", "set", "tap0", "master", "br0").ThrowIfFailed();
        kernel.Run("ip", "link", "set", "br0", "up").ThrowIfFailed();

        using LinnetSocket socket = host.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        byte[] here = IPAddress.Parse("192.0.2.2").GetAddressBytes();
        byte[] any = [239, 1, 2, 3, .. here];
        socket.SetOption(IPPROTO_IP, IP_ADD_MEMBERSHIP, any);
        socket.SetOption(IPPROTO_IP, IP_ADD_SOURCE_MEMBERSHIP, [239, 1, 2, 4, .. here, 192, 0, 2, 1]);
        string mdb = WaitFor(() => Mdb(kernel), text => text.Contains("239.1.2.3") && text.Contains("239.1.2.4"));
        Assert.Contains("grp 239.1.2.3", mdb);
        Assert.Contains("192.0.2.1", mdb);
        socket.SetOption(IPPROTO_IP, IP_DROP_MEMBERSHIP, any);
        Assert.DoesNotContain("239.1.2.3", WaitFor(() => Mdb(kernel), text => !text.Contains("239.1.2.3")));

        network.Dispose();
        Assert.NotEqual("", Tshark("igmp.version == 3 && igmp.record_type == 4 && igmp.maddr == 239.1.2.3 && igmp.checksum.status == 1"));
        Assert.NotEqual("", Tshark("igmp.record_type == 5 && igmp.saddr == 192.0.2.1"));
        Assert.NotEqual("", Tshark("igmp.record_type == 3 && igmp.maddr == 239.1.2.3"));
        Assert.Equal("", Tshark("igmp && (_ws.malformed || igmp.checksum.status == 0)"));
    }

    // Snooping answers at once, but the kernel takes its time to forget.
    private static string WaitFor(Func<string> read, Func<string, bool> isThere)
    {
        long end = Environment.TickCount64 + (long)Patience.TotalMilliseconds;
        string text = read();
        while (!isThere(text) && Environment.TickCount64 < end)
            text = read();
        return text;
    }

    private static string Mdb(HostNamespace kernel) => kernel.Run("bridge", "-d", "mdb", "show").ThrowIfFailed().Output;

    // Once an answer has come, ping waits for the last one only as long as its interval: a busy computer needs a long one.
    private static void Ping(HostNamespace from, string to, int size)
    {
        HostNamespace.Result ping = from.Run("ping", "-c", "3", "-i", "0.5", "-W", "5", "-s", $"{size}", to);
        Assert.True(ping.Output.Contains(" 3 received"), ping.Output + ping.Errors);
    }

    private static async Task<byte[]> ReadAll(LinnetSocket listener, int length)
    {
        using LinnetSocket connection = await listener.AcceptAsync();
        await using LinnetStream stream = connection.GetStream();
        byte[] data = new byte[length];
        await stream.ReadExactlyAsync(data);
        return data;
    }

    private HostNamespace NewNamespace()
    {
        HostNamespace made = HostNamespace.CreateOrSkip();
        namespaces.Add(made);
        return made;
    }

    // A TAP device between a host of Linnet and a namespace of the kernel.
    private HostInterface Wire(Host host, HostNamespace kernel, string name, string? address = null)
    {
        Tun device = host.AddTun(tap: true, address == null ? null : IPNetworkAddress.Parse(address));
        HostTun? made = null;
        kernel.Inside(() => made = HostTun.Create(name, tap: true));
        made!.Attach(device);
        taps.Add(made);
        kernel.Run("ip", "link", "set", name, "up").ThrowIfFailed();
        return host.Interfaces[^1];
    }

    private string Tshark(string filter) => HostNamespace.Execute(
        "tshark", "-n", "-r", captureFile, "-o", "tcp.check_checksum:TRUE", "-Y", filter).ThrowIfFailed().Output;
}
