using System.Net;
using System.Security.Cryptography;
using Linnet.Kernel;
using Linnet.Kernel.Net.Bridge;
using Linnet.Kernel.Net.Core;

namespace Linnet.Tests.Networks;

/// <summary>Hosts on switches, with VLANs and with several ways between switches, in virtual time.</summary>
public sealed class SwitchTests : IDisposable
{
    private readonly Network network = Network.Simulate();

    public void Dispose()
    {
        VirtualTimeScheduler simulation = network.Simulation!;
        foreach (Host host in network.Hosts)
            host.End();
        simulation.RunFor(TimeSpan.FromMinutes(20));
        SkbPool pool = NetCore.Of(network.Machine).SkbPool;
        network.Dispose();
        Assert.Empty(simulation.TakeFailures());
        Assert.Equal(0, pool.Outstanding);
    }

    [Fact]
    public void Hosts_on_a_switch_reach_each_other_and_it_learns_where_they_are()
    {
        Switch sw = network.AddSwitch("sw");
        Host[] hosts = [.. Enumerable.Range(1, 3).Select(i => network.AddHost($"h{i}"))];
        for (int i = 0; i < hosts.Length; i++)
            sw.Connect(hosts[i], $"10.0.0.{i + 1}/24");
        Transfer(hosts[0], hosts[1], 1_000_000);
        Assert.Equal("eth0", sw.Bridge.Addresses[hosts[0].Interfaces[1].PhysicalAddress]);
        Assert.Equal("eth1", sw.Bridge.Addresses[hosts[1].Interfaces[1].PhysicalAddress]);

        // The third host saw what was sent to all, and nothing of the transfer.
        Assert.InRange(hosts[2].Interfaces[1].Device.Stats.RxPackets, 1, 20);
    }

    [Fact]
    public void A_bridge_takes_part_itself_by_its_own_address()
    {
        Switch sw = network.AddSwitch("sw");
        Host host = network.AddHost("host");
        sw.Connect(host, "10.0.0.1/24");
        sw.Bridge.Interface.AddAddress(IPNetworkAddress.Parse("10.0.0.9/24"));
        Transfer(host, sw.Host, 300_000);
        Transfer(sw.Host, host, 300_000);
    }

    [Fact]
    public void VLANs_on_one_switch_keep_hosts_apart()
    {
        Switch sw = network.AddSwitch("sw");
        Host[] hosts = [.. Enumerable.Range(0, 4).Select(i => network.AddHost($"h{i}"))];
        for (int i = 0; i < 4; i++)
        {
            Link link = sw.Connect(hosts[i]);
            hosts[i].AddVlan(link.One, 10 + (i % 2), IPNetworkAddress.Parse($"10.0.0.{i + 1}/24"));
        }

        Transfer(hosts[0], hosts[2], 1_000_000);
        Transfer(hosts[1], hosts[3], 100_000);
        Assert.False(Reaches(hosts[0], hosts[1]));
    }

    [Fact]
    public void VLANs_in_VLANs_over_a_bridge_with_a_router_between_them()
    {
        Switch sw = network.AddSwitch("sw");
        Host left = network.AddHost("left"), right = network.AddHost("right"), router = network.AddHost("router");
        AddQinQ(left, 5, "10.5.0.2/24");
        AddQinQ(right, 6, "10.6.0.2/24");
        HostInterface trunk = router.AddVlan(sw.Connect(router).One, 100, serviceTag: true);
        router.AddVlan(trunk, 5, IPNetworkAddress.Parse("10.5.0.1/24"));
        router.AddVlan(trunk, 6, IPNetworkAddress.Parse("10.6.0.1/24"));
        router.IsForwarding = true;
        left.AddRoute(IPNetworkAddress.Parse("10.6.0.0/24"), IPAddress.Parse("10.5.0.1"));
        right.AddRoute(IPNetworkAddress.Parse("10.5.0.0/24"), IPAddress.Parse("10.6.0.1"));
        Transfer(left, right, 500_000);

        void AddQinQ(Host host, int id, string address) =>
            host.AddVlan(host.AddVlan(sw.Connect(host).One, 100, serviceTag: true), id, IPNetworkAddress.Parse(address));
    }

    [Fact]
    public void A_ring_of_switches_is_a_tree_that_heals()
    {
        Switch[] ring = [.. Enumerable.Range(0, 4).Select(i => network.AddSwitch($"s{i}"))];
        foreach (Switch sw in ring)
            sw.Bridge.SpanningTree = true;
        ring[2].Bridge.Priority = 4096;
        Link[] links = [.. ring.Select((sw, i) => sw.Connect(ring[(i + 1) % 4]))];
        Host one = network.AddHost("one"), other = network.AddHost("other");
        ring[0].Connect(one, "10.0.0.1/24");
        ring[2].Connect(other, "10.0.0.2/24");
        network.Simulation!.RunFor(TimeSpan.FromSeconds(40));
        Assert.True(ring[2].Bridge.IsRoot);
        Assert.Single(ring, sw => sw.Bridge.IsRoot);
        Assert.Equal(1, Blocked());
        Transfer(one, other, 200_000);

        // The way that is in use breaks; after the age of what was known and two forward delays there is another.
        Link used = links.First(link => Port(link.One).State == BrState.Forwarding && Port(link.Other).State == BrState.Forwarding);
        used.One.Down();
        network.Simulation.RunFor(TimeSpan.FromSeconds(55));
        Assert.Equal(0, Blocked());
        Transfer(one, other, 200_000);
        foreach (Switch sw in ring)
            sw.Bridge.SpanningTree = false;

        int Blocked() => ring.Sum(sw => sw.Bridge.Ports.Count(p => p.State == BrState.Blocking));
        NetBridgePort Port(HostInterface end) => NetBridgePort.Of(end.Device)!;
    }

    [Fact]
    public void Isolated_ports_reach_only_the_others()
    {
        Switch sw = network.AddSwitch("sw");
        Host a = network.AddHost("a"), b = network.AddHost("b"), gateway = network.AddHost("gateway");
        sw.Connect(a, "10.0.0.1/24");
        sw.Connect(b, "10.0.0.2/24");
        sw.Connect(gateway, "10.0.0.3/24");
        sw.Bridge.Ports[0].Isolated = true;
        sw.Bridge.Ports[1].Isolated = true;
        Assert.False(Reaches(a, b));
        Assert.True(Reaches(a, gateway));
    }

    [Fact]
    public void What_cannot_be_is_said_with_the_reason()
    {
        Switch sw = network.AddSwitch("sw");
        Host host = network.AddHost("host");
        Link link = sw.Connect(host, "10.0.0.1/24");
        Assert.Contains("busy", Assert.Throws<InvalidOperationException>(() => sw.Bridge.AddPort(link.Other)).Message);
        Assert.Contains("levels", Assert.Throws<InvalidOperationException>(() => sw.Bridge.AddPort(sw.Bridge.Interface)).Message);
        Assert.Contains("Invalid", Assert.Throws<InvalidOperationException>(() => sw.Bridge.AddPort(link.One)).Message);
        host.AddVlan(link.One, 5);
        Assert.Contains("exists", Assert.Throws<InvalidOperationException>(() => host.AddVlan(link.One, 5)).Message);
        sw.Bridge.RemovePort(link.Other);
        Assert.Empty(sw.Bridge.Ports);
    }

    private void Transfer(Host from, Host to, int length)
    {
        byte[] data = new byte[length];
        new Random(length).NextBytes(data);
        MemoryStream received = new();
        network.Run(
            async () =>
            {
                using LinnetSocket listener = to.Listen(80);
                Task<LinnetSocket> accept = listener.AcceptAsync().AsTask();
                await using (LinnetStream client = await from.ConnectAsync(new IPEndPoint(to.Address, 80)))
                {
                    using LinnetSocket server = await accept;
                    Task write = client.WriteAsync(data).AsTask();
                    byte[] buffer = new byte[length];
                    await using LinnetStream stream = server.GetStream();
                    await stream.ReadExactlyAsync(buffer);
                    await write;
                    received.Write(buffer);
                }
            },
            TimeSpan.FromMinutes(10));
        Assert.Equal(SHA256.HashData(data), SHA256.HashData(received.ToArray()));
    }

    private bool Reaches(Host from, Host to)
    {
        bool reached = false;
        network.Run(
            async () =>
            {
                using LinnetSocket listener = to.Listen(81);
                try
                {
                    await using LinnetStream client = await from.ConnectAsync(new IPEndPoint(to.Address, 81));
                    reached = true;
                }
                catch (LinnetSocketException)
                {
                }
            },
            TimeSpan.FromMinutes(10));
        return reached;
    }
}
