using System.Net;
using Linnet.Cli.Watch;
using static Linnet.Kernel.Uapi.TcpH;

namespace Linnet.Cli.Tests.Watch;

/// <summary>What the live view sees of a network.</summary>
public sealed class SamplerTests : IDisposable
{
    private readonly Network network = Network.Simulate();
    private readonly Cables cables = new();
    private readonly Ledger ledger = new();
    private readonly Host web, client;

    public SamplerTests()
    {
        (web, client) = (network.AddHost("web"), network.AddHost("client"));
        Link link = network.Connect(web, "10.0.0.1/24", client, "10.0.0.2/24");
        cables.Add("web", "lan", link);
        cables.Add("client", "lan", new Link(link.Other, link.One));
    }

    public void Dispose() => network.Dispose();

    [Fact]
    public void Throughput_is_what_came_between_two_looks()
    {
        new LinkControl(cables).Do(["web", "delay", "10ms"]);
        Sampler sampler = new(network, cables);
        network.Run(async () =>
        {
            using LinnetSocket listening = web.Listen(80);
            await using LinnetStream sender = await client.ConnectAsync(new IPEndPoint(web.Address, 80));
            using LinnetSocket accepted = await listening.AcceptAsync();
            await sender.WriteAsync(new byte[1000]);
            await PassAsync(1000);
            NetworkView first = sampler.Take();
            Assert.All(first.Sockets, socket => Assert.Null(socket.Throughput));
            await sender.WriteAsync(new byte[5000]);
            await PassAsync(2000);
            NetworkView second = sampler.Take().Since(first);

            SocketView from = Of(second, "client"), to = second.Sockets.Single(socket => socket.Host == "web" && socket.State == TCP_ESTABLISHED);
            Assert.Equal(new Throughput(0, 2500), from.Throughput);
            Assert.Equal(new Throughput(2500, 0), to.Throughput);
            Assert.Equal(("10.0.0.1:80", 6000L, 0L), (to.Local.ToString(), to.ReceiveQueue, to.SendQueue));
            Assert.Equal(("10.0.0.1:80", 0L), (from.Peer.ToString(), from.SendQueue));
            Assert.InRange(from.Tcp!.Srtt!.Value.TotalMilliseconds, 20, 60);
            Assert.Equal((10u, null, 0u), (Math.Min(10u, from.Tcp.Cwnd), from.Tcp.Ssthresh, from.Tcp.Retransmits));
            Assert.Contains(second.Sockets, socket => socket is { Host: "web", State: TCP_LISTEN } && socket.Local.ToString() == "*:80");

            DeviceView device = second.Devices.Single(device => device is { Host: "web", Name: "eth0" });
            Assert.Equal("delay 10ms", device.Words);
            Assert.True(device.Throughput!.Value.In > 2500);
            Assert.Equal(web.Interfaces[1].Device.Stats.RxBytes, device.BytesIn);
        });
    }

    [Fact]
    public void Without_time_between_them_there_is_no_throughput()
    {
        Sampler sampler = new(network, cables);
        NetworkView view = sampler.Take().Since(sampler.Take());
        Assert.All(view.Devices, device => Assert.Null(device.Throughput));
    }

    [Fact]
    public void Lost_packets_are_drops_and_waiting_ones_a_queue()
    {
        new LinkControl(cables).Do(["client", "delay", "1s"]);
        Sampler sampler = new(network, cables);
        network.Run(async () =>
        {
            Task<LinnetStream> connecting = client.ConnectAsync(new IPEndPoint(web.Address, 81)).AsTask();
            await PassAsync(1);
            Assert.Equal(1, sampler.Take().Devices.Single(device => device is { Host: "client", Name: "eth0" }).Backlog);
            await Assert.ThrowsAnyAsync<Exception>(() => connecting);
            new LinkControl(cables).Do(["client", "loss", "100%"]);
            Task<LinnetStream> lost = client.ConnectAsync(new IPEndPoint(web.Address, 80)).AsTask();
            await PassAsync(1);
            Assert.NotEqual(0, client.Interfaces[1].QueueStatistics.Drops);
            Assert.Equal(
                client.Interfaces[1].QueueStatistics.Drops + web.Interfaces[1].QueueStatistics.Drops,
                sampler.Take().Devices.Single(device => device is { Host: "client", Name: "eth0" }).Drops);
            await Assert.ThrowsAnyAsync<Exception>(() => lost);
        });
    }

    [Fact]
    public void Connections_that_nobody_looked_at_are_in_the_summary()
    {
        using PacketWatch packets = new([web, client], (tp, host) => ledger.Note(tp, host.Name, host == web ? "server[1]" : ""));
        network.Run(async () =>
        {
            using LinnetSocket listening = web.Listen(80);
            for (int i = 0; i < 30; i++)
            {
                await using LinnetStream stream = await client.ConnectAsync(new IPEndPoint(web.Address, 80));
                await using LinnetStream accepted = (await listening.AcceptAsync()).GetStream();
                await stream.WriteAsync(new byte[100]);
                await accepted.ReadExactlyAsync(new byte[100]);
            }

            await PassAsync(200_000);
        });
        (IReadOnlyList<HostTotal> hosts, IReadOnlyList<Connection> connections) = ledger.Read();
        HostTotal from = hosts.Single(host => host.Host == "client"), to = hosts.Single(host => host.Host == "web");
        Assert.Equal((30L, 3000L, 0L), (from.Connections, from.Sent, from.Retransmits));
        Assert.Equal((30L, 0L), (to.Connections, to.Sent));
        Assert.Equal(3000, to.Received);
        Assert.All(connections.Where(one => one.Host == "web"), one => Assert.Equal("server[1]", one.Program));
        string[] lines = [.. Summary.Lines(ledger)];
        Assert.Equal("… 40 more", lines[^1]);
        Assert.Equal(1 + 2 + 1 + 1 + Summary.MostConnections + 1, lines.Length);
    }

    [Fact]
    public void The_last_packets_are_printed_from_the_beginning_of_their_connection_on()
    {
        using PacketWatch packets = new([web, client], (_, _) => { });
        network.Run(async () =>
        {
            using LinnetSocket listening = web.Listen(80);
            await using LinnetStream stream = await client.ConnectAsync(new IPEndPoint(web.Address, 80));
            using LinnetSocket accepted = await listening.AcceptAsync();
            for (int i = 0; i < 100; i++)
            {
                await stream.WriteAsync(new byte[7]);

                // They do not all become one packet.
                await PassAsync(100);
            }
        });
        IReadOnlyList<string> last = packets.Last(40);
        Assert.Equal(40, last.Count);
        Assert.Contains(last, line => line.Contains(":701,") && line.Contains("client IP 10.0.0.2."));
        Assert.Equal(last, packets.Last(40));
    }

    private static SocketView Of(NetworkView view, string host) => view.Sockets.Single(socket => socket.Host == host);

    private Task PassAsync(int milliseconds) => Task.Delay(TimeSpan.FromMilliseconds(milliseconds), network.TimeProvider);
}
