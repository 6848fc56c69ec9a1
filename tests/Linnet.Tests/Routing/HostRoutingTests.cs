using System.Net;
using System.Net.NetworkInformation;
using System.Net.Sockets;
using System.Text;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Tests.Routing;

/// <summary>
/// A client behind a router that has two ways to a server: over "left" and over "right", which both know the server's network.
/// </summary>
public class HostRoutingTests
{
    private static readonly IPNetworkAddress ServerNet = IPNetworkAddress.Parse("10.9.0.0/24");
    private static readonly IPAddress ServerAddress = IPAddress.Parse("10.9.0.9");

    [Fact]
    public void Connections_are_divided_among_two_ways()
    {
        using Diamond net = new();
        net.Router.SetSysctl("net.ipv4.fib_multipath_hash_policy", "1");
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.LeftGateway), new(net.RightGateway) { Weight = 2 }] });
        HostRoute route = net.Router.Routes.List().Single(r => r.Destination == ServerNet);
        Assert.Equal([("eth1", 1), ("eth2", 2)], route.NextHops.Select(hop => (hop.Interface!, hop.Weight)));
        for (int i = 0; i < 12; i++)
            net.Exchange();
        Assert.True(Diamond.Packets(net.Left) > 0 && Diamond.Packets(net.Right) > 0);
    }

    [Fact]
    public void When_a_way_is_cut_the_other_is_taken()
    {
        using Diamond net = new();
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.LeftGateway), new(net.RightGateway)] });
        net.Router.Interfaces[2].Down();
        long before = Diamond.Packets(net.Right);
        for (int i = 0; i < 4; i++)
            net.Exchange();
        Assert.True(Diamond.Packets(net.Right) > before);
        Assert.Equal(0, Diamond.Packets(net.Left));
        Assert.Equal("eth2", net.Router.Routes.Find(ServerAddress)!.Interface);
    }

    [Fact]
    public void A_rule_sends_what_is_for_one_port_another_way()
    {
        using Diamond net = new();
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.LeftGateway)] });
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.RightGateway)], Table = 70 });
        HostRule rule = new() { Protocol = ProtocolType.Tcp, DestinationPorts = (80, 80), Table = 70, Priority = 10 };
        net.Router.Rules.Add(rule);
        Assert.Equal(rule with { MarkMask = null }, net.Router.Rules.List()[1]);
        net.Exchange(port: 80);
        Assert.Equal(0, Diamond.Packets(net.Left));
        long right = Diamond.Packets(net.Right);
        Assert.True(right > 0);
        net.Exchange(port: 81);
        Assert.True(Diamond.Packets(net.Left) > 0);
        Assert.Equal(right, Diamond.Packets(net.Right));
        net.Router.Rules.Remove(rule);
        Assert.Throws<InvalidOperationException>(() => net.Router.Rules.Remove(rule));
        Assert.Equal(3, net.Router.Rules.List().Count);
    }

    [Theory]
    [InlineData(RouteKind.Blackhole, SocketError.TimedOut)]
    [InlineData(RouteKind.Unreachable, SocketError.HostUnreachable)]
    [InlineData(RouteKind.Prohibit, SocketError.HostUnreachable)]
    public void A_router_refuses_what_a_route_refuses(RouteKind kind, SocketError error)
    {
        using Diamond net = new();
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, Kind = kind });
        Assert.Null(net.Router.Routes.Find(ServerAddress));
        net.Network.Run(async () =>
        {
            LinnetSocketException refused = await Assert.ThrowsAsync<LinnetSocketException>(
                async () => await net.Client.ConnectAsync(new IPEndPoint(ServerAddress, 80)));
            Assert.Equal(error, refused.SocketErrorCode);
        });
    }

    [Fact]
    public void A_locked_mtu_holds_for_packets_of_the_host()
    {
        using Diamond net = new();
        net.Client.Routes.Replace(new HostRoute
        {
            Destination = IPNetworkAddress.Parse("0.0.0.0/0"),
            NextHops = [new(IPAddress.Parse("10.1.0.1"))],
            Mtu = 600,
            IsMtuLocked = true,
            AdvertisedMss = 500,
        });
        HostRoute route = net.Client.Routes.List().Single(r => r.Destination.PrefixLength == 0);
        Assert.Equal((600, true, 500), (route.Mtu, route.IsMtuLocked, route.AdvertisedMss));
        Assert.Equal(
            new RouteDecision("eth0", IPAddress.Parse("10.1.0.1"), IPAddress.Parse("10.1.0.2"), 600), net.Client.Routes.Find(ServerAddress));
        net.Client.Routes.Remove(route);
        Assert.Null(net.Client.Routes.Find(ServerAddress));
        Assert.Throws<InvalidOperationException>(() => net.Client.Routes.Remove(route));
    }

    [Fact]
    public void Neighbours_can_be_set_by_hand()
    {
        using Diamond net = new();
        IPAddress router = IPAddress.Parse("10.1.0.1");
        PhysicalAddress wrong = PhysicalAddress.Parse("02:00:00:00:00:99");
        net.Client.Neighbours.Set(router, wrong, "eth0");
        Assert.Equal(new HostNeighbour(router, "eth0", wrong, NeighbourState.Permanent), Assert.Single(net.Client.Neighbours.List()));
        net.Client.Neighbours.Remove(router, "eth0");
        Assert.Empty(net.Client.Neighbours.List());
        Assert.Throws<InvalidOperationException>(() => net.Client.Neighbours.Remove(router, "eth0"));
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.LeftGateway)] });
        net.Exchange();
        Assert.Equal(NeighbourState.Reachable, Assert.Single(net.Client.Neighbours.List()).State);
    }

    [Fact]
    public void A_proxy_answers_for_a_host_that_is_elsewhere()
    {
        using Diamond net = new();
        net.Router.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(net.LeftGateway)] });
        // The client takes the server to be on its own link.
        net.Client.Routes.Add(new HostRoute { Destination = ServerNet, NextHops = [new(null, "eth0")] });
        net.Router.Neighbours.AddProxy(ServerAddress, "eth0");
        net.Exchange();
        net.Router.Neighbours.RemoveProxy(ServerAddress, "eth0");
        Assert.Throws<InvalidOperationException>(() => net.Router.Neighbours.RemoveProxy(ServerAddress, "eth0"));
    }

    [Fact]
    public void A_router_tells_of_a_better_one_and_the_host_goes_there()
    {
        using Network network = Network.Simulate();
        Host client = network.AddHost("client"), router = network.AddHost("router");
        network.Connect(client, "10.1.0.2/24", router, "10.1.0.1/24");
        router.IsForwarding = true;
        router.Ip("route add 10.9.0.0/24 via 10.1.0.77");
        router.Ip("neigh add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0");
        client.Ip("neigh add 10.1.0.77 lladdr 02:00:00:00:00:77 dev eth0");
        client.Ip("route add default via 10.1.0.1");
        using LinnetSocket socket = client.CreateSocket(AddressFamily.InterNetwork, SocketType.Dgram);
        network.Run(async () =>
        {
            await socket.ConnectAsync(new IPEndPoint(ServerAddress, 9));
            await socket.SendAsync(Encoding.ASCII.GetBytes("x"));
            await Task.Delay(TimeSpan.FromSeconds(1), network.TimeProvider);
        });
        Assert.Equal(IPAddress.Parse("10.1.0.77"), client.Routes.Find(ServerAddress)!.Gateway);
        network.Run(() => Task.Delay(TimeSpan.FromSeconds(301), network.TimeProvider));
        Assert.Equal(IPAddress.Parse("10.1.0.1"), client.Routes.Find(ServerAddress)!.Gateway);
    }

    private sealed class Diamond : IDisposable
    {
        public Diamond()
        {
            Client = Network.AddHost("client");
            Router = Network.AddHost("router");
            Left = Network.AddHost("left");
            Right = Network.AddHost("right");
            Server = Network.AddHost("server");
            Network.Connect(Client, "10.1.0.2/24", Router, "10.1.0.1/24");
            Network.Connect(Router, "10.2.0.1/24", Left, "10.2.0.2/24");
            Network.Connect(Router, "10.3.0.1/24", Right, "10.3.0.2/24");
            Network.Connect(Left, "10.4.0.1/24", Server, "10.4.0.9/24");
            Network.Connect(Right, "10.5.0.1/24", Server, "10.5.0.9/24");
            foreach (Host router in new[] { Router, Left, Right })
                router.IsForwarding = true;
            Client.Ip("route add default via 10.1.0.1");
            Left.Ip("route add 10.1.0.0/24 via 10.2.0.1");
            Left.Ip("route add 10.9.0.0/24 via 10.4.0.9");
            Right.Ip("route add 10.1.0.0/24 via 10.3.0.1");
            Right.Ip("route add 10.9.0.0/24 via 10.5.0.9");
            Server.Ip("addr add 10.9.0.9/32 dev lo");
            Network.Connect(Server, "10.6.0.9/24", Router, "10.6.0.1/24");
            Server.Ip("route add default via 10.6.0.1");
        }

        public Network Network { get; } = Network.Simulate();

        public Host Client { get; }

        public Host Router { get; }

        public Host Left { get; }

        public Host Right { get; }

        public Host Server { get; }

        public IPAddress LeftGateway { get; } = IPAddress.Parse("10.2.0.2");

        public IPAddress RightGateway { get; } = IPAddress.Parse("10.3.0.2");

        /// <summary>How many packets of the client's a router passed on; the answers come by another link.</summary>
        public static long Packets(Host host) => host.Namespace.Ipv4.IpStatistics[IpstatsMib.ForwDatagrams];

        public void Exchange(int port = 80) => Network.Run(async () =>
        {
            using LinnetSocket listener = Server.Listen(port);
            Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
            LinnetStream client = await Client.ConnectAsync(new IPEndPoint(ServerAddress, port));
            LinnetStream server = (await accept).GetStream();
            await client.WriteAsync(Encoding.ASCII.GetBytes("hello"));
            byte[] got = new byte[5];
            await server.ReadExactlyAsync(got);
            await client.DisposeAsync();
            await server.DisposeAsync();
        });

        public void Dispose() => Network.Dispose();
    }
}
