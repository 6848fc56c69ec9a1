using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Packets from eth0 to 10/8, to which there are two ways: by eth1 and by eth2.</summary>
public class MultipathTests
{
    private static readonly uint Far = Wire.Addr("10.0.0.0");
    private static readonly uint Near = RouterBench.Neighbour(0);

    [Theory]
    [InlineData(1, 1)]
    [InlineData(3, 1)]
    [InlineData(1, 255)]
    public void FlowsAreDividedByWeight(int first, int second)
    {
        using RouterBench bench = TwoWays(first, second);
        const int Flows = 2000;
        int byFirst = Enumerable.Range(0, Flows).Count(i => WayOf(bench, FibRuleTests.Udp(Near, Far + (uint)i, 1, 2)) == 1);
        double expected = Flows * (double)first / (first + second);
        // Five standard deviations.
        double tolerance = 5 * Math.Sqrt(Flows * (double)first * second) / (first + second) + 1;
        Assert.InRange(byFirst, expected - tolerance, expected + tolerance);
    }

    [Fact]
    public void AFlowStaysOnItsWayAndTheSeedOfTheMachineDecides()
    {
        int[] one = Ways(seed: 1), again = Ways(seed: 1), other = Ways(seed: 2);
        Assert.Equal(one, again);
        Assert.NotEqual(one, other);

        static int[] Ways(ulong seed)
        {
            using RouterBench bench = TwoWays(seed: seed);
            int[] ways = [.. Enumerable.Range(0, 40).Select(i => WayOf(bench, FibRuleTests.Udp(Near, Far + (uint)i, 1, 2)))];
            Assert.Equal(ways, Enumerable.Range(0, 40).Select(i => WayOf(bench, FibRuleTests.Udp(Near, Far + (uint)i, 7, 8))));
            return ways;
        }
    }

    [Fact]
    public void AUsersSeedMakesMachinesAgree()
    {
        int[] one = Ways(seed: 1), other = Ways(seed: 2);
        Assert.Equal(one, other);

        static int[] Ways(ulong seed)
        {
            using RouterBench bench = TwoWays(seed: seed);
            bench.Sysctl("net.ipv4.fib_multipath_hash_seed", "4711");
            return [.. Enumerable.Range(0, 40).Select(i => WayOf(bench, FibRuleTests.Udp(Near, Far + (uint)i, 1, 2)))];
        }
    }

    [Theory]
    [InlineData("0", false, false)]
    [InlineData("1", true, false)]
    [InlineData("2", false, true)]
    [InlineData("3", false, false)]
    [InlineData("3 0x20", true, false)]
    [InlineData("3 0x40", false, true)]
    public void ThePolicySaysWhatTellsFlowsApart(string policy, bool ports, bool inner)
    {
        using RouterBench bench = TwoWays();
        string[] words = policy.Split(' ');
        bench.Sysctl("net.ipv4.fib_multipath_hash_policy", words[0]);
        if (words.Length > 1)
            bench.Sysctl("net.ipv4.fib_multipath_hash_fields", words[1]);
        Assert.Equal(ports, Differ(i => FibRuleTests.Udp(Near, Far, 1, i)));
        Assert.Equal(inner, Differ(i => Wire.Ip(Near, Far, IPPROTO_IPIP, FibRuleTests.Udp(0x0B000000 + (uint)i, 0x0B000000, 1, 2))));
        Assert.Equal(inner, Differ(i => Wire.Ip(Near, Far, 47, [0, 0, 8, 0, .. FibRuleTests.Udp(0x0B000000 + (uint)i, 0x0B000000, 1, 2)])));

        bool Differ(Func<int, byte[]> packet) =>
            Enumerable.Range(1, 30).Select(i => WayOf(bench, packet(i))).Distinct().Count() > 1;
    }

    [Fact]
    public void AnErrorTakesTheWayOfThePacketThatItIsAbout()
    {
        using RouterBench bench = TwoWays();
        for (uint i = 1; i < 40; i++)
        {
            byte[] about = FibRuleTests.Udp(Far + i, Near, 1, 2);
            int way = WayOf(bench, FibRuleTests.Udp(Far + i, Far + 1000, 3, 4));
            byte[] error = Wire.Ip(Near, Far + 5000, IPPROTO_ICMP, Wire.IcmpMessage(3, 1, 0, FibRuleTests.Udp(Far + i, Far + 1000, 1, 2)));
            Assert.Equal(way, WayOf(bench, error));
            Assert.NotEmpty(about);
        }
    }

    [Fact]
    public void ANextHopWhoseDeviceIsDownGetsNoFlows()
    {
        using RouterBench bench = TwoWays();
        bench.Ip("link set eth1 down");
        Assert.Equal([2], Ways(bench));
        Assert.Contains("nexthop via 198.51.100.9 dev eth1 weight 1 dead linkdown", bench.Ip("route show 10.0.0.0/8"));
        bench.Ip("link set eth1 up");
        bench.Introduce(1, RouterBench.Neighbour(1));
        Assert.Equal([1, 2], Ways(bench));
        bench.Ip("link set eth1 down");
        bench.Ip("link set eth2 down");
        Assert.Equal("", bench.Ip("route show 10.0.0.0/8"));
    }

    [Fact]
    public void ANextHopWithoutALinkGetsNoFlowsWhereThatIsWanted()
    {
        using RouterBench bench = TwoWays();
        bench.Ip("link set eth1 carrier off");
        bench.Introduce(1, RouterBench.Neighbour(1));
        Assert.Contains("nexthop via 198.51.100.9 dev eth1 weight 1 linkdown", bench.Ip("route show 10.0.0.0/8"));
        Assert.Equal([1, 2], Ways(bench));
        bench.Sysctl("net.ipv4.conf.eth1.ignore_routes_with_linkdown", "1");
        Assert.Equal([2], Ways(bench));
        bench.Ip("link set eth1 carrier on");
        Assert.Equal([1, 2], Ways(bench));
    }

    [Fact]
    public void ANextHopThatDoesNotAnswerIsPassedOverWhereThatIsWanted()
    {
        using RouterBench bench = TwoWays();
        bench.Sysctl("net.ipv4.neigh.eth1.gc_stale_time", "1");
        bench.In(() => Arp.Ipv4NeighLookup(bench.Eth(1), RouterBench.Neighbour(1))!.Update(
            default, Nud.FAILED, NeighUpdate.Override | NeighUpdate.Admin));
        bench.Sysctl("net.ipv4.fib_multipath_use_neigh", "1");
        Assert.Equal([2], Ways(bench));
        bench.Sysctl("net.ipv4.fib_multipath_use_neigh", "0");
        bench.Introduce(1, RouterBench.Neighbour(1));
        Assert.Equal([1, 2], Ways(bench));
    }

    [Fact]
    public void SocketsFlowsAreDividedAndTheSourceAddressFollowsTheWay()
    {
        using RouterBench bench = TwoWays();
        HashSet<string> ways = [];
        for (uint i = 0; i < 60; i++)
        {
            (int err, string? dev, uint source) = bench.Lookup(new Flowi4 { Daddr = Far + i });
            Assert.Equal(0, err);
            Assert.Equal(dev == "eth1" ? RouterBench.Addresses[1] : RouterBench.Addresses[2], source);
            // With the source chosen, the same way again: the next hop whose address it is goes first.
            Assert.Equal(dev, bench.Lookup(new Flowi4 { Daddr = Far + i, Saddr = source }).Device);
            ways.Add(dev!);
        }

        Assert.Equal(2, ways.Count);
        Assert.Equal("eth2", bench.Lookup(new Flowi4 { Daddr = Far, Flowi4Oif = bench.Eth(2).Ifindex }).Device);
    }

    [Fact]
    public void SeveralNextHopsAreChecked()
    {
        using RouterBench bench = new();
        FibConfig two = new()
        {
            Dst = Far,
            DstLen = 8,
            Mp = [new FibNexthopConfig { Gw = RouterBench.Neighbour(1) }, new FibNexthopConfig { Gw = RouterBench.Neighbour(2) }],
        };
        Assert.Equal(-EINVAL, Try(two with { Mp = [] }));
        Assert.Equal(-EINVAL, Try(two with { Mp = [two.Mp[0] with { Weight = 257 }] }));
        Assert.Equal(-EINVAL, Try(two with { Mp = [two.Mp[0] with { Flags = RtnetlinkH.RTNH_F_DEAD }] }));
        Assert.Equal(-EINVAL, Try(two with { Gw = RouterBench.Neighbour(2) }));
        Assert.Equal(-EINVAL, Try(two with { Type = RtnetlinkH.RTN_UNREACHABLE }));
        Assert.Equal(-EINVAL, Try(two with { Type = RtnetlinkH.RTN_LOCAL, Scope = RtnetlinkH.RT_SCOPE_HOST }));
        Assert.Equal(-ENETUNREACH, Try(two with { Mp = [two.Mp[0], new FibNexthopConfig { Gw = Far }] }));
        Assert.Equal(0, Try(two));
        Assert.Equal(-EEXIST, Try(two));
        bench.In(() =>
        {
            Assert.Equal(-ESRCH, FibFrontend.InetRtmDelroute(bench.Net, two with { Mp = [two.Mp[1], two.Mp[0]] }));
            Assert.Equal(0, FibFrontend.InetRtmDelroute(bench.Net, two));
        });

        int Try(FibConfig cfg)
        {
            int err = 0;
            bench.In(() => err = FibFrontend.InetRtmNewroute(bench.Net, cfg));
            return err;
        }
    }

    [Fact]
    public void OfSeveralDefaultRoutesOneWithAGatewayThatLivesIsTaken()
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        bench.Ip("route append default via 203.0.113.9");
        Assert.Equal("eth1", bench.Lookup(new Flowi4 { Daddr = Far }).Device);
        Fail(1);
        Assert.Equal("eth2", bench.Lookup(new Flowi4 { Daddr = Far }).Device);
        // It stays with the one that it took, as long as that lives.
        bench.Introduce(1, RouterBench.Neighbour(1));
        Fail(2);
        Assert.Equal("eth1", bench.Lookup(new Flowi4 { Daddr = Far }).Device);

        void Fail(int port) => bench.In(() => Arp.Ipv4NeighLookup(bench.Eth(port), RouterBench.Neighbour(port))!.Update(
            default, Nud.FAILED, NeighUpdate.Override | NeighUpdate.Admin));
    }

    private static RouterBench TwoWays(int first = 1, int second = 1, ulong seed = 1)
    {
        RouterBench bench = new(seed: seed);
        bench.In(() => Assert.Equal(0, FibFrontend.InetRtmNewroute(bench.Net, new FibConfig
        {
            Dst = Far,
            DstLen = 8,
            Mp =
            [
                new FibNexthopConfig { Gw = RouterBench.Neighbour(1), Weight = first },
                new FibNexthopConfig { Gw = RouterBench.Neighbour(2), Weight = second },
            ],
        })));
        return bench;
    }

    private static int WayOf(RouterBench bench, byte[] packet)
    {
        bench.Give(0, packet);
        return bench.LeftBy();
    }

    private static int[] Ways(RouterBench bench) =>
        [.. Enumerable.Range(0, 40).Select(i => WayOf(bench, FibRuleTests.Udp(Near, Far + (uint)i, 1, 2))).Distinct().Order()];
}
