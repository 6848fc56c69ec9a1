using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Requests on eth0 for addresses that are not the router's.</summary>
public class ProxyArpTests
{
    private static readonly byte[] Everybody = [255, 255, 255, 255, 255, 255];
    private static readonly uint Asker = RouterBench.Neighbour(0);
    private static readonly uint Behind = RouterBench.Neighbour(1);

    [Fact]
    public void ARouterAnswersForWhatIsBehindItAfterAMoment()
    {
        using RouterBench bench = new();
        Ask(bench, Behind);
        bench.RunFor(2);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
        bench.Sysctl("net.ipv4.conf.eth0.proxy_arp", "1");
        Ask(bench, Behind);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
        bench.RunFor(0.8);
        Assert.Equal([Answer(bench, Behind)], bench.Take(0, ETH_P_ARP));
        // Neither for hosts on the same link, nor where there is no way to.
        Ask(bench, RouterBench.Addresses[0] + 40);
        Ask(bench, Wire.Addr("10.0.0.1"));
        bench.RunFor(1);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void WithoutADelayOrAskedDirectlyItAnswersAtOnce()
    {
        using RouterBench bench = new();
        bench.Sysctl("net.ipv4.conf.all.proxy_arp", "1");
        Ask(bench, Behind, bench.Eth(0).DevAddr);
        Assert.Single(bench.Take(0, ETH_P_ARP));
        bench.Sysctl("net.ipv4.neigh.eth0.proxy_delay", "0");
        Ask(bench, Behind);
        Assert.Single(bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void OnlySoManyRequestsWait()
    {
        using RouterBench bench = new();
        bench.Sysctl("net.ipv4.conf.eth0.proxy_arp", "1");
        bench.Sysctl("net.ipv4.neigh.eth0.proxy_qlen", "4");
        for (uint i = 0; i < 20; i++)
            Ask(bench, Behind + i);
        bench.RunFor(1);
        Assert.Equal(5, bench.Take(0, ETH_P_ARP).Count);
        // A device that goes down takes those that wait with it.
        Ask(bench, Behind);
        bench.Ip("link set eth0 down");
        bench.RunFor(1);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void AHostThatIsNoRouterAnswersForNobody()
    {
        using RouterBench bench = new(forwarding: false);
        bench.Sysctl("net.ipv4.conf.all.proxy_arp", "1");
        bench.Ip($"neigh add proxy {Ipv4Addr.Text(Behind)} dev eth0");
        Ask(bench, Behind);
        bench.RunFor(1);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void SingleAddressesCanBeAnsweredFor()
    {
        using RouterBench bench = new();
        bench.Ip($"neigh add proxy {Ipv4Addr.Text(Behind)} dev eth0");
        Ask(bench, Behind);
        Ask(bench, Behind + 1);
        bench.RunFor(1);
        Assert.Equal([Answer(bench, Behind)], bench.Take(0, ETH_P_ARP));
        Assert.Equal(0, ProcNet.Of(bench.Net.Machine).Read(bench.Net, "arp", out string text));
        Assert.Contains("198.51.100.9     0x1         0xc         00:00:00:00:00:00     *        eth0\n", text);
        bench.Ip($"neigh del proxy {Ipv4Addr.Text(Behind)} dev eth0");
        Ask(bench, Behind);
        bench.RunFor(1);
        Assert.Empty(bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void OnAPrivateVlanItAnswersForHostsOnTheSameLink()
    {
        using RouterBench bench = new();
        uint other = RouterBench.Addresses[0] + 40;
        bench.Sysctl("net.ipv4.conf.eth0.proxy_arp_pvlan", "1");
        Ask(bench, other);
        Ask(bench, Asker);
        bench.RunFor(1);
        Assert.Equal([Answer(bench, other)], bench.Take(0, ETH_P_ARP));
    }

    [Theory]
    [InlineData(0, 0, true)]
    [InlineData(1, 2, true)]
    [InlineData(1, 1, false)]
    [InlineData(-1, 2, false)]
    [InlineData(1, -1, false)]
    public void DevicesOnOneMediumNeedNoProxy(int inbound, int outbound, bool answers)
    {
        using RouterBench bench = new();
        bench.Sysctl("net.ipv4.conf.eth0.proxy_arp", "1");
        bench.Sysctl("net.ipv4.conf.eth0.medium_id", $"{inbound}");
        bench.Sysctl("net.ipv4.conf.eth1.medium_id", $"{outbound}");
        Ask(bench, Behind);
        bench.RunFor(1);
        Assert.Equal(answers ? 1 : 0, bench.Take(0, ETH_P_ARP).Count);
    }

    [Fact]
    public void AnnouncementsAreSentWhereThatIsWanted()
    {
        using RouterBench bench = new();
        bench.Ip("link set eth0 down");
        bench.Ip("link set eth0 up");
        Assert.Empty(bench.Take(0, ETH_P_ARP));
        bench.Sysctl("net.ipv4.conf.eth0.arp_notify", "1");
        bench.Ip("link set eth0 down");
        bench.Ip("link set eth0 up");
        Assert.Equal([Announcement(bench)], bench.Take(0, ETH_P_ARP));
        bench.Ip("link set eth0 address 02:00:00:00:00:55");
        Assert.Equal([Announcement(bench)], bench.Take(0, ETH_P_ARP));
    }

    [Theory]
    [InlineData("0", false, false)]
    [InlineData("1", true, true)]
    [InlineData("2", true, false)]
    public void AnnouncementsOfOthersAreLearnedFromWhereThatIsWanted(string accept, bool near, bool far)
    {
        using RouterBench bench = new();
        bench.Sysctl("net.ipv4.conf.eth0.arp_accept", accept);
        uint inside = RouterBench.Addresses[0] + 40, outside = Wire.Addr("10.0.0.1");
        foreach (uint addr in new[] { inside, outside })
            bench.GiveFrame(0, Wire.Frame(Everybody, RouterBench.MacOf(addr), ETH_P_ARP,
                Wire.Arp(1, addr, RouterBench.MacOf(addr), addr, new byte[6])));
        Assert.Equal(near, Arp.Ipv4NeighLookup(bench.Eth(0), inside) != null);
        Assert.Equal(far, Arp.Ipv4NeighLookup(bench.Eth(0), outside) != null);
    }

    [Fact]
    public void AnAnnouncementChangesWhatIsKnownButOnlyARightOne()
    {
        using RouterBench bench = new();
        byte[] taker = [2, 0, 0, 0, 0, 0x66];
        // A reply that names another target's link address is none.
        bench.GiveFrame(0, Wire.Frame(Everybody, taker, ETH_P_ARP, Wire.Arp(2, Asker, taker, Asker, new byte[6])));
        Assert.Equal(RouterBench.MacOf(Asker), Arp.Ipv4NeighLookup(bench.Eth(0), Asker)!.Ha.ToArray());
        bench.Sysctl("net.ipv4.conf.eth0.drop_gratuitous_arp", "1");
        bench.GiveFrame(0, Wire.Frame(Everybody, taker, ETH_P_ARP, Wire.Arp(2, Asker, taker, Asker, taker)));
        Assert.Equal(RouterBench.MacOf(Asker), Arp.Ipv4NeighLookup(bench.Eth(0), Asker)!.Ha.ToArray());
        bench.Sysctl("net.ipv4.conf.eth0.drop_gratuitous_arp", "0");
        bench.GiveFrame(0, Wire.Frame(Everybody, taker, ETH_P_ARP, Wire.Arp(2, Asker, taker, Asker, taker)));
        Assert.Equal(taker, Arp.Ipv4NeighLookup(bench.Eth(0), Asker)!.Ha.ToArray());
    }

    [Fact]
    public void AnotherHostWithTheSameAddressIsNeitherAnsweredNorLearnedFrom()
    {
        // Linux defends no address (RFC 5227 section 2.4); it only answers those who probe for it.
        using RouterBench bench = new();
        byte[] thief = [2, 0, 0, 0, 0, 0x66];
        uint mine = RouterBench.Addresses[0];
        bench.GiveFrame(0, Wire.Frame(Everybody, thief, ETH_P_ARP, Wire.Arp(1, mine, thief, mine, new byte[6])));
        bench.GiveFrame(0, Wire.Frame(Everybody, thief, ETH_P_ARP, Wire.Arp(2, mine, thief, mine, thief)));
        Assert.Empty(bench.Take(0, ETH_P_ARP));
        Assert.Null(Arp.Ipv4NeighLookup(bench.Eth(0), mine));
        bench.GiveFrame(0, Wire.Frame(Everybody, thief, ETH_P_ARP, Wire.Arp(1, 0, thief, mine, new byte[6])));
        Assert.Equal([Wire.Arp(2, mine, bench.Eth(0).DevAddr, 0, thief)], bench.Take(0, ETH_P_ARP));
    }

    [Fact]
    public void NeighboursGoWithTheLinkUnlessTheyArePermanent()
    {
        using RouterBench bench = new();
        bench.Ip("neigh add 192.0.2.77 lladdr 02:00:00:00:00:77 dev eth0");
        bench.Ip("link set eth0 carrier off");
        Assert.Equal("192.0.2.77 lladdr 02:00:00:00:00:77 PERMANENT \n", bench.Ip("neigh show dev eth0"));
        bench.Ip("link set eth0 carrier on");
        bench.Introduce(0, Asker);
        bench.Sysctl("net.ipv4.conf.eth0.arp_evict_nocarrier", "0");
        bench.Ip("link set eth0 carrier off");
        Assert.Contains("192.0.2.9 lladdr", bench.Ip("neigh show dev eth0"));
    }

    [Fact]
    public void AFullTableGivesUpWhatIsOldButNotWhatAnAdministratorSet()
    {
        using RouterBench bench = new();
        foreach (int n in (int[])[1, 2, 3])
            bench.Sysctl($"net.ipv4.neigh.default.gc_thresh{n}", n == 1 ? "0" : "8");
        NeighTable table = bench.Ipv4.ArpTbl;
        for (int i = 0; i < 20; i++)
            bench.Ip($"neigh add 192.0.2.{100 + i} lladdr 02:00:00:00:01:{i:x2} dev eth0");
        bench.RunFor(6);
        uint first = Wire.Addr("192.0.2.200");
        for (uint i = 0; i < 30; i++)
            bench.In(() => table.LookupOrCreate(first + i, bench.Eth(0)));
        // Those that are not six seconds old stay, and there is no room for more.
        Assert.Equal(20 + 8, table.Entries);
        Assert.Equal(20, table.Snapshot().Count(n => n.NudState == Nud.PERMANENT));
        bench.RunFor(6);
        bench.In(() => Assert.NotNull(table.LookupOrCreate(first + 30, bench.Eth(0))));
        Assert.Contains(bench.Log, line => line.Contains("table overflow", StringComparison.Ordinal));
    }

    [Fact]
    public void AProgramCanResolveAddresses()
    {
        using RouterBench bench = new();
        List<uint> asked = [];
        bench.Ipv4.ArpTbl.AppNs = n =>
        {
            asked.Add((uint)n.Key);
            n.Update(RouterBench.MacOf((uint)n.Key), Nud.REACHABLE, NeighUpdate.Override);
        };
        bench.Sysctl("net.ipv4.neigh.eth1.app_solicit", "2");
        bench.Sysctl("net.ipv4.neigh.eth1.mcast_solicit", "0");
        bench.Give(0, FibRuleTests.Udp(Asker, Behind + 5, 1, 2));
        Assert.Equal([Behind + 5], asked);
        Assert.Single(bench.Take(1));
        Assert.Empty(bench.Take(1, ETH_P_ARP));
        // With nobody to ask, the packet is dropped at once.
        bench.Ipv4.ArpTbl.AppNs = null;
        bench.Sysctl("net.ipv4.neigh.eth1.app_solicit", "0");
        bench.Give(0, FibRuleTests.Udp(Asker, Behind + 6, 1, 2));
        Assert.Empty(bench.Take(1));
        Assert.Equal(Nud.FAILED, Arp.Ipv4NeighLookup(bench.Eth(1), Behind + 6)!.NudState);
    }

    [Fact]
    public void DefaultsReachTheDevicesThatHaveNoValueOfTheirOwn()
    {
        using RouterBench bench = new();
        bench.Sysctl("net.ipv4.neigh.eth0.ucast_solicit", "5");
        bench.Sysctl("net.ipv4.neigh.default.ucast_solicit", "7");
        bench.Sysctl("net.ipv4.conf.eth0.arp_ignore", "1");
        bench.Sysctl("net.ipv4.conf.default.arp_ignore", "2");
        Assert.Equal("5", Read("neigh.eth0.ucast_solicit"));
        Assert.Equal("7", Read("neigh.eth1.ucast_solicit"));
        Assert.Equal("1", Read("conf.eth0.arp_ignore"));
        Assert.Equal("2", Read("conf.eth1.arp_ignore"));
        Assert.Equal(("101", "80", "64", "30"), (Read("neigh.eth0.unres_qlen"), Read("neigh.eth0.proxy_delay"),
            Read("neigh.eth0.proxy_qlen"), Read("neigh.eth0.base_reachable_time")));

        string Read(string path)
        {
            Assert.Equal(0, bench.Net.Sysctl.Read("net.ipv4." + path, out string value));
            return value.TrimEnd('\n');
        }
    }

    private static void Ask(RouterBench bench, uint target, byte[]? to = null) => bench.GiveFrame(
        0, Wire.Frame(to ?? Everybody, RouterBench.MacOf(Asker), ETH_P_ARP, Wire.Arp(1, Asker, RouterBench.MacOf(Asker), target, new byte[6])));

    private static byte[] Answer(RouterBench bench, uint target) =>
        Wire.Arp(2, target, bench.Eth(0).DevAddr, Asker, RouterBench.MacOf(Asker));

    private static byte[] Announcement(RouterBench bench) =>
        Wire.Arp(1, RouterBench.Addresses[0], bench.Eth(0).DevAddr, RouterBench.Addresses[0], new byte[6]);
}
