using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Redirects that a router sends and that a host follows; packets from where none can come.</summary>
public class RedirectTests
{
    private static readonly uint Sender = RouterBench.Neighbour(0);
    private static readonly uint Better = RouterBench.Addresses[0] + 4;
    private static readonly uint Far = Wire.Addr("10.1.2.3");

    [Fact]
    public void WhoCouldHaveSentItThereItselfIsToldButGetsItForwarded()
    {
        using RouterBench bench = Bench();
        byte[] packet = FibRuleTests.Udp(Sender, Far, 1, 2);
        bench.Give(0, packet);
        List<byte[]> out0 = bench.Take(0);
        Assert.Equal(2, out0.Count);
        byte[] redirect = out0.Single(p => p[9] == IPPROTO_ICMP);
        Assert.Equal((5, 1, RouterBench.Addresses[0], Sender), (redirect[20], redirect[21], new Iphdr(redirect).Saddr, new Iphdr(redirect).Daddr));
        Assert.Equal(Wire.Be(Better), redirect[24..28]);
        Assert.Equal(Far, new Iphdr(out0.Single(p => p[9] == IPPROTO_UDP)).Daddr);
    }

    [Fact]
    public void WhoDoesNotListenIsToldLessAndLessOftenAndThenNoMore()
    {
        using RouterBench bench = Bench();
        int told = 0;
        for (int i = 0; i < 3000; i++)
        {
            bench.Give(0, FibRuleTests.Udp(Sender, Far, 1, 2));
            told += bench.Take(0).Count(p => p[9] == IPPROTO_ICMP);
            bench.Introduce(0, Better);
            bench.Introduce(0, Sender);
            bench.RunFor(0.01);
        }

        Assert.Equal(9, told);
        // After twenty seconds of silence it begins anew.
        bench.RunFor(21);
        bench.Introduce(0, Better);
        bench.Introduce(0, Sender);
        bench.Give(0, FibRuleTests.Udp(Sender, Far, 1, 2));
        Assert.Equal(1, bench.Take(0).Count(p => p[9] == IPPROTO_ICMP));
    }

    [Theory]
    [InlineData("send_redirects", "0", false)]
    [InlineData("shared_media", "0", true)]
    public void RedirectsAreSentAsTheSettingsSay(string setting, string value, bool sent)
    {
        using RouterBench bench = Bench();
        bench.Sysctl($"net.ipv4.conf.all.{setting}", value);
        bench.Sysctl($"net.ipv4.conf.eth0.{setting}", value);
        bench.Give(0, FibRuleTests.Udp(Sender, Far, 1, 2));
        Assert.Equal(sent ? 1 : 0, bench.Take(0).Count(p => p[9] == IPPROTO_ICMP));
    }

    [Fact]
    public void WhatLeavesByAnotherDeviceOrCameBySourceRouteIsNotRedirected()
    {
        using RouterBench bench = Bench();
        bench.Sysctl("net.ipv4.conf.all.accept_source_route", "1");
        bench.Give(0, FibRuleTests.Udp(Sender, RouterBench.Neighbour(1), 1, 2));
        Assert.Empty(bench.Take(0));
        bench.Give(0, FibRuleTests.Udp(Sender, Far, 1, 2, options: [IpH.IPOPT_LSRR, 7, 4, .. Wire.Be(Far + 1), 0]));
        Assert.DoesNotContain(bench.Take(0), p => p[9] == IPPROTO_ICMP);
    }

    [Theory]
    [InlineData(false, "", true)]
    [InlineData(false, "accept_redirects", false)]
    [InlineData(true, "", false)]
    [InlineData(true, "all.accept_redirects=1", true)]
    public void AHostFollowsARedirectOfItsGateway(bool router, string setting, bool followed)
    {
        using RouterBench bench = new(forwarding: router);
        // Switching forwarding on makes a router of it, which follows redirects only where both settings say so.
        bench.Sysctl("net.ipv4.conf.all.accept_redirects", router ? "0" : "1");
        if (setting == "accept_redirects")
        {
            bench.Sysctl("net.ipv4.conf.all.accept_redirects", "0");
            bench.Sysctl("net.ipv4.conf.eth0.accept_redirects", "0");
        }
        else if (setting.Length > 0)
        {
            bench.Sysctl("net.ipv4.conf.all.accept_redirects", "1");
        }

        bench.Ip($"route add 10.0.0.0/8 via {Ipv4Addr.Text(Sender)}");
        bench.Introduce(0, Better);
        Redirect(bench, from: Sender, to: Better);
        Assert.Equal(followed ? Better : Sender, GatewayOf(bench));
    }

    [Theory]
    [InlineData("not the gateway")]
    [InlineData("itself")]
    [InlineData("group")]
    [InlineData("broadcast")]
    [InlineData("own address")]
    public void ALyingRedirectIsNotFollowed(string lie)
    {
        using RouterBench bench = new(forwarding: false);
        bench.Ip($"route add 10.0.0.0/8 via {Ipv4Addr.Text(Sender)}");
        bench.Introduce(0, Better);
        uint from = lie == "not the gateway" ? Better : Sender;
        uint to = lie switch
        {
            "itself" => Sender,
            "group" => Wire.Addr("224.0.0.1"),
            "broadcast" => uint.MaxValue,
            "own address" => RouterBench.Addresses[0],
            _ => Better,
        };
        Redirect(bench, from, to);
        Assert.Equal(Sender, GatewayOf(bench));
    }

    [Fact]
    public void WithoutSharedMediaOnlyKnownGatewaysOnTheLinkAreFollowed()
    {
        using RouterBench bench = new(forwarding: false);
        bench.Ip($"route add 10.0.0.0/8 via {Ipv4Addr.Text(Sender)}");
        bench.Sysctl("net.ipv4.conf.all.shared_media", "0");
        bench.Sysctl("net.ipv4.conf.eth0.shared_media", "0");
        bench.Introduce(0, Better);
        Redirect(bench, Sender, Better);
        Assert.Equal(Sender, GatewayOf(bench));
        // secure_redirects: the new gateway is one that routes name.
        bench.Ip($"route add 11.0.0.0/8 via {Ipv4Addr.Text(Better)}");
        Redirect(bench, Sender, Better);
        Assert.Equal(Better, GatewayOf(bench));
    }

    [Theory]
    [InlineData("127.0.0.1", "10.1.2.3", "martian source 10.1.2.3 from 127.0.0.1, on dev eth0")]
    [InlineData("192.0.2.1", "10.1.2.3", "martian source 10.1.2.3 from 192.0.2.1, on dev eth0")]
    [InlineData("255.255.255.255", "10.1.2.3", "martian source 10.1.2.3 from 255.255.255.255, on dev eth0")]
    [InlineData("0.0.0.0", "10.1.2.3", "martian source 10.1.2.3 from 0.0.0.0, on dev eth0")]
    [InlineData("192.0.2.9", "127.0.0.1", "martian destination 127.0.0.1 from 192.0.2.9, on dev eth0")]
    [InlineData("192.0.2.9", "0.0.0.0", "martian destination 0.0.0.0 from 192.0.2.9, on dev eth0")]
    public void PacketsFromWhereNoneCanComeAreLoggedWhereThatIsWanted(string from, string to, string line)
    {
        using RouterBench bench = Bench();
        byte[] packet = FibRuleTests.Udp(Wire.Addr(from), Wire.Addr(to), 1, 2);
        bench.Give(0, packet);
        Assert.DoesNotContain(bench.Log, l => l.Contains("martian", StringComparison.Ordinal));
        bench.Sysctl("net.ipv4.conf.eth0.log_martians", "1");
        for (int i = 0; i < 100; i++)
            bench.Give(0, packet);
        Assert.Empty(bench.Take(1));
        string[] lines = [.. bench.Log.Where(l => l.Contains("martian", StringComparison.Ordinal))];
        Assert.Equal(10, lines.Length);
        Assert.EndsWith(line, lines[0]);
    }

    [Fact]
    public void AHostAcceptsItsOwnAddressFromOutsideOnlyWhereThatIsWanted()
    {
        using RouterBench bench = Bench();
        byte[] echo = Wire.Echo(RouterBench.Addresses[1], RouterBench.Addresses[0], []);
        bench.Give(0, echo);
        Assert.Equal(0, bench.Ipv4.IpStatistics[IpstatsMib.InDelivers]);
        bench.Sysctl("net.ipv4.conf.eth0.accept_local", "1");
        bench.Give(0, echo);
        Assert.NotEqual(0, bench.Ipv4.IpStatistics[IpstatsMib.InDelivers]);
    }

    [Fact]
    public void TheReversePathCanDependOnTheMark()
    {
        using RouterBench bench = Bench();
        bench.Ip("rule add fwmark 7 lookup 70");
        bench.Ip("route add 10.0.0.0/8 dev eth1 table 70");
        bench.Sysctl("net.ipv4.conf.eth1.rp_filter", "1");
        Assert.Equal(-EXDEV, Validate(0));
        Assert.Equal(-EXDEV, Validate(7));
        bench.Sysctl("net.ipv4.conf.eth1.src_valid_mark", "1");
        Assert.Equal(-EXDEV, Validate(0));
        Assert.InRange(Validate(7), 0, 1);

        int Validate(uint mark)
        {
            int result = 0;
            bench.In(() =>
            {
                SkBuff skb = bench.Net.SkbPool.Alloc(64);
                skb.Mark = mark;
                result = FibFrontend.FibValidateSource(
                    bench.Net, skb, Far, RouterBench.Addresses[0], 0, 0, bench.Eth(1), InDevice.Get(bench.Eth(1))!);
                skb.Free();
            });
            return result;
        }
    }

    [Fact]
    public void ABroadcastOfAnotherLinkIsForwardedWhereThatIsWanted()
    {
        using RouterBench bench = Bench();
        byte[] packet = FibRuleTests.Udp(Sender, RouterBench.Addresses[1] | 255, 1, 2);
        bench.Give(0, packet);
        Assert.Empty(bench.Take(1));
        bench.Sysctl("net.ipv4.conf.all.bc_forwarding", "1");
        bench.Sysctl("net.ipv4.conf.eth0.bc_forwarding", "1");
        bench.Give(0, packet);
        Assert.Single(bench.Take(1));
    }

    [Fact]
    public void ForwardedPacketsGetTheQueueingPriorityOfTheirTypeOfService()
    {
        using RouterBench bench = Bench();
        List<uint> priorities = [];
        bench.In(() => Dev.AddTap(bench.Eth(1), new PriorityTap(priorities)));
        byte[] packet = Wire.Ip(Sender, RouterBench.Neighbour(1), IPPROTO_UDP, new byte[8], tos: 0x10);
        bench.Give(0, packet);
        bench.Sysctl("net.ipv4.ip_forward_update_priority", "0");
        bench.Give(0, packet);
        Assert.Equal([6u, 0u], priorities);
    }

    private static void Redirect(RouterBench bench, uint from, uint to)
    {
        // Makes sure that the entry for the old gateway is in use.
        GatewayOf(bench);
        byte[] echo = Wire.IcmpMessage(0, 0, 1, new byte[8]);
        bench.Give(0, Wire.Ip(from, RouterBench.Addresses[0], IPPROTO_ICMP,
            Wire.IcmpMessage(5, 1, to, Wire.Ip(RouterBench.Addresses[0], Far, IPPROTO_ICMP, echo))), from);
    }

    private static uint GatewayOf(RouterBench bench)
    {
        uint gateway = 0;
        bench.In(() =>
        {
            Flowi4 fl4 = new() { Daddr = Far };
            Assert.Equal(0, Route.IpRouteOutputKey(bench.Net, ref fl4, out Rtable? rt));
            gateway = rt!.RtGw4;
        });
        return gateway;
    }

    // 10/8 is behind a gateway on the sender's own link.
    private static RouterBench Bench()
    {
        RouterBench bench = new();
        bench.Ip($"route add 10.0.0.0/8 via {Ipv4Addr.Text(Better)}");
        bench.Introduce(0, Better);
        return bench;
    }

    private sealed class PriorityTap(List<uint> priorities) : PacketTap
    {
        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing) => priorities.Add(skb.Priority);
    }
}
