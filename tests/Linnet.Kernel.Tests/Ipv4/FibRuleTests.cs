using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class FibRuleTests
{
    private static readonly uint Far = Wire.Addr("10.1.2.3");

    [Fact]
    public void ANamespaceBeginsWithThreeRules()
    {
        using RouterBench bench = new();
        Assert.Equal(
            [(0u, (uint)RtnetlinkH.RT_TABLE_LOCAL), (32766u, (uint)RtnetlinkH.RT_TABLE_MAIN), (32767u, (uint)RtnetlinkH.RT_TABLE_DEFAULT)],
            bench.Ipv4.FibRules.Rules.Select(rule => (rule.Pref!.Value, rule.Table)));
        Assert.False(bench.Ipv4.FibRules.HasCustomRules);
    }

    [Fact]
    public void RulesWithoutAPreferenceGoBeforeTheOthers()
    {
        using RouterBench bench = new();
        Add(bench, new Fib4Rule { Table = 100 });
        Add(bench, new Fib4Rule { Table = 101 });
        Add(bench, new Fib4Rule { Table = 102, Pref = 40000 });
        Add(bench, new Fib4Rule { Table = 103, Pref = 32766 });
        Assert.Equal([0u, 32764, 32765, 32766, 32766, 32767, 40000], bench.Ipv4.FibRules.Rules.Select(rule => rule.Pref!.Value));
        Assert.Equal([255u, 101, 100, 254, 103, 253, 102], bench.Ipv4.FibRules.Rules.Select(rule => rule.Table));
    }

    [Fact]
    public void ARuleChoosesTheTableBySource()
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        bench.Ip("route add default via 203.0.113.9 table 7");
        Add(bench, new Fib4Rule { Src = Wire.Addr("203.0.113.0"), SrcLen = 24, Table = 7 });
        Assert.Equal((0, "eth1", RouterBench.Addresses[1]), bench.Lookup(new Flowi4 { Daddr = Far }));
        Assert.Equal("eth2", bench.Lookup(new Flowi4 { Daddr = Far, Saddr = RouterBench.Addresses[2] }).Device);
        // What the rule's table does not know is looked for in the others.
        bench.Ip("route del default table 7");
        Assert.Null(bench.Ipv4.FibGetTable(7));
        Assert.Equal("eth1", bench.Lookup(new Flowi4 { Daddr = Far, Saddr = RouterBench.Addresses[2] }).Device);
    }

    // By name, since a flow is no value that a test could be called with.
    public static TheoryData<string, Fib4Rule, Flowi4> Selectors => new()
    {
        { "destination", new Fib4Rule { Dst = Far & ~255u, DstLen = 24 }, new Flowi4 { Daddr = Far } },
        { "mark", new Fib4Rule { Mark = 5 }, new Flowi4 { Daddr = Far, Flowi4Mark = 5 } },
        { "mask", new Fib4Rule { Mark = 5, MarkMask = 0xF }, new Flowi4 { Daddr = Far, Flowi4Mark = 0x35 } },
        { "tos", new Fib4Rule { Tos = 0x10 }, new Flowi4 { Daddr = Far, Flowi4Tos = 0xF0 } },
        { "dscp", new Fib4Rule { Dscp = 46 }, new Flowi4 { Daddr = Far, Flowi4Tos = 46 << 2 } },
        { "protocol", new Fib4Rule { IpProto = IPPROTO_TCP }, new Flowi4 { Daddr = Far, Flowi4Proto = IPPROTO_TCP } },
        { "source port", new Fib4Rule { SportRange = new(10, 20) }, new Flowi4 { Daddr = Far, FlSport = 20 } },
        { "destination port", new Fib4Rule { DportRange = new(80, 80) }, new Flowi4 { Daddr = Far, FlDport = 80 } },
        { "user", new Fib4Rule { UidRange = (1000, 1999) }, new Flowi4 { Daddr = Far, Flowi4Uid = 1500 } },
        { "bound device", new Fib4Rule { OifName = "eth1" }, new Flowi4 { Daddr = Far, Flowi4Oif = 3 } },
        { "own packets", new Fib4Rule { IifName = "lo" }, new Flowi4 { Daddr = Far } },
    };

    [Theory]
    [MemberData(nameof(Selectors))]
    public void ARuleIsForTheFlowsThatFitIt(string what, Fib4Rule rule, Flowi4 flow)
    {
        using RouterBench bench = new();
        Assert.NotEmpty(what);
        Assert.Equal("eth1", bench.Eth(1).Name);
        Assert.Equal(3, bench.Eth(1).Ifindex);
        bench.Ip("route add default via 198.51.100.9");
        Fib4Rule prohibit = rule with { Action = FibRulesH.FR_ACT_PROHIBIT };
        Flowi4 other = flow.Flowi4Iif == 0 && rule.IifName == null ? new Flowi4 { Daddr = Wire.Addr("10.1.3.3") } : flow;
        Add(bench, prohibit);
        Assert.Equal(-EACCES, Find(bench, flow));
        if (rule.IifName == null)
            Assert.Equal(0, Find(bench, other));
        bench.In(() => Assert.Equal(0, bench.Ipv4.FibRules.FibNlDelrule(prohibit)));
        Assert.Equal(0, Find(bench, flow));
        Add(bench, prohibit with { Flags = FibRulesH.FIB_RULE_INVERT });
        Assert.Equal(0, Find(bench, flow));
        if (rule.IifName == null)
            Assert.Equal(-EACCES, Find(bench, other));
    }

    [Theory]
    [InlineData(FibRulesH.FR_ACT_BLACKHOLE, EINVAL)]
    [InlineData(FibRulesH.FR_ACT_UNREACHABLE, ENETUNREACH)]
    [InlineData(FibRulesH.FR_ACT_PROHIBIT, EACCES)]
    public void ARuleCanRefuse(int action, int errno)
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        Add(bench, new Fib4Rule { Action = (byte)action, Dst = Far, DstLen = 32 });
        Assert.Equal(-errno, bench.Lookup(new Flowi4 { Daddr = Far }).Error);
        Assert.Equal(0, bench.Lookup(new Flowi4 { Daddr = Far + 1 }).Error);
    }

    [Theory]
    [InlineData(FibRulesH.FR_ACT_BLACKHOLE, -1)]
    [InlineData(FibRulesH.FR_ACT_UNREACHABLE, ICMP_NET_UNREACH)]
    [InlineData(FibRulesH.FR_ACT_PROHIBIT, ICMP_PKT_FILTERED)]
    public void ARouterTellsTheSenderOfWhatARuleRefuses(int action, int code)
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        Add(bench, new Fib4Rule { Action = (byte)action, IifName = "eth0", IpProto = IPPROTO_UDP, DportRange = new(53, 53) });
        bench.Give(0, Udp(RouterBench.Neighbour(0), Far, 1000, 53));
        Assert.Empty(bench.Take(1));
        List<byte[]> told = bench.Take(0);
        Assert.Equal(code < 0 ? [] : [(3, code)], told.Select(p => ((int)p[20], (int)p[21])));
        bench.Give(0, Udp(RouterBench.Neighbour(0), Far, 1000, 54));
        Assert.Single(bench.Take(1));
        bench.Give(2, Udp(RouterBench.Neighbour(2), Far, 1000, 53));
        Assert.Single(bench.Take(1));
    }

    [Fact]
    public void ARuleCanLeadOnwardsAndNowhere()
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        Add(bench, new Fib4Rule { Pref = 10, Action = FibRulesH.FR_ACT_GOTO, Target = 30 });
        Add(bench, new Fib4Rule { Pref = 20, Action = FibRulesH.FR_ACT_PROHIBIT });
        // There is no rule 30 yet.
        Assert.Equal(-EACCES, Find(bench, new Flowi4 { Daddr = Far }));
        Assert.Equal((uint)FibRulesH.FIB_RULE_UNRESOLVED, bench.Ipv4.FibRules.Rules[1].StateFlags);
        Add(bench, new Fib4Rule { Pref = 30, Action = FibRulesH.FR_ACT_NOP });
        Assert.Equal(0, Find(bench, new Flowi4 { Daddr = Far }));
        bench.In(() => Assert.Equal(0, bench.Ipv4.FibRules.FibNlDelrule(new Fib4Rule { Action = 0, Pref = 30 })));
        Assert.Equal(-EACCES, Find(bench, new Flowi4 { Daddr = Far }));
    }

    [Fact]
    public void RoutesWithShortPrefixesCanBePassedOver()
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        bench.Ip("route add default via 203.0.113.9 table 7");
        Add(bench, new Fib4Rule { Pref = 20, Table = 7 });
        Add(bench, new Fib4Rule { Pref = 10, Table = RtnetlinkH.RT_TABLE_MAIN, SuppressPrefixlen = 0 });
        Assert.Equal("eth2", bench.Lookup(new Flowi4 { Daddr = Far }).Device);
        Assert.Equal("eth0", bench.Lookup(new Flowi4 { Daddr = RouterBench.Neighbour(0) }).Device);
    }

    [Fact]
    public void ARuleForADeviceWaitsForIt()
    {
        using RouterBench bench = new();
        bench.Ip("route add default via 198.51.100.9");
        Add(bench, new Fib4Rule { OifName = "wan", Action = FibRulesH.FR_ACT_PROHIBIT });
        Assert.Equal((uint)FibRulesH.FIB_RULE_OIF_DETACHED, bench.Ipv4.FibRules.Rules[1].StateFlags);
        bench.Ip("link set eth2 down");
        bench.Ip("link set eth2 name wan");
        bench.Ip("link set wan up");
        Assert.Equal(0u, bench.Ipv4.FibRules.Rules[1].StateFlags);
        Assert.Equal(-EACCES, Find(bench, new Flowi4 { Daddr = Far, Flowi4Oif = 4 }));
        bench.Ip("link del wan");
        Assert.Equal((uint)FibRulesH.FIB_RULE_OIF_DETACHED, bench.Ipv4.FibRules.Rules[1].StateFlags);
    }

    [Fact]
    public void RulesThatMakeNoSenseAreRefused()
    {
        using RouterBench bench = new();
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Action = FibRulesH.FR_ACT_GOTO }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Action = FibRulesH.FR_ACT_GOTO, Pref = 10, Target = 10 }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Target = 10 }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Tos = 3 }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Tos = 0x40 }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { Tos = 0x10, Dscp = 4 }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { SportRange = new(20, 10) }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { DportRange = new(0, 10) }));
        Assert.Equal(-EINVAL, Try(new Fib4Rule { UidRange = (10, 9) }));
        Assert.Equal(0, Try(new Fib4Rule { Pref = 5, Table = 9 }));
        Assert.Equal(-EEXIST, Try(new Fib4Rule { Pref = 5, Table = 9 }));
        Assert.Equal(0, Try(new Fib4Rule { Pref = 5, Table = 9 }, nlFlags: 0));
        Assert.Equal(0, Delete(new Fib4Rule { Pref = 5, Table = 9 }));
        Assert.Equal(0, Delete(new Fib4Rule { Pref = 5, Table = 9 }));
        Assert.Equal(-ENOENT, Delete(new Fib4Rule { Pref = 5, Table = 9 }));

        int Try(Fib4Rule rule, int nlFlags = NetlinkH.NLM_F_CREATE | NetlinkH.NLM_F_EXCL)
        {
            int err = 0;
            bench.In(() => err = bench.Ipv4.FibRules.FibNlNewrule(rule, nlFlags));
            return err;
        }

        int Delete(Fib4Rule rule)
        {
            int err = 0;
            bench.In(() => err = bench.Ipv4.FibRules.FibNlDelrule(rule));
            return err;
        }
    }

    [Fact]
    public void WithoutTheRuleForTheLocalTableTheHostKnowsItsAddressesNoMore()
    {
        using RouterBench bench = new();
        bench.In(() => Assert.Equal(0, bench.Ipv4.FibRules.FibNlDelrule(new Fib4Rule { Action = 0, Table = RtnetlinkH.RT_TABLE_LOCAL })));
        Assert.Equal("eth0", bench.Lookup(new Flowi4 { Daddr = RouterBench.Addresses[0] }).Device);
        bench.In(() => Assert.Equal(0, bench.Ipv4.FibRules.FibNlNewrule(new Fib4Rule { Pref = 0, Table = RtnetlinkH.RT_TABLE_LOCAL })));
        Assert.Equal("lo", bench.Lookup(new Flowi4 { Daddr = RouterBench.Addresses[0] }).Device);
    }

    [Fact]
    public void UntilThereAreRulesTheLocalAndTheMainTableAreOne()
    {
        // Linux keeps them in one trie, where the longer prefix wins; the first rule parts them.
        using RouterBench bench = new();
        bench.Ip("route add 127.5.0.0/16 via 198.51.100.9");
        bench.Sysctl("net.ipv4.conf.all.route_localnet", "1");
        Assert.Equal("eth1", bench.Lookup(new Flowi4 { Daddr = Wire.Addr("127.5.0.1") }).Device);
        Assert.Equal("lo", bench.Lookup(new Flowi4 { Daddr = Wire.Addr("127.6.0.1") }).Device);
        Add(bench, new Fib4Rule { Table = 9 });
        Assert.Equal("lo", bench.Lookup(new Flowi4 { Daddr = Wire.Addr("127.5.0.1") }).Device);
    }

    internal static byte[] Udp(uint from, uint to, int sport, int dport, int ttl = 64, byte[]? options = null) =>
        Wire.Ip(from, to, IPPROTO_UDP, [(byte)(sport >> 8), (byte)sport, (byte)(dport >> 8), (byte)dport, 0, 8, 0, 0], ttl: ttl, options: options);

    private static int Find(RouterBench bench, Flowi4 fl4)
    {
        fl4.Flowi4Iif = Flowi4.LOOPBACK_IFINDEX;
        int err = 0;
        bench.In(() => err = IpFib.FibLookup(bench.Net, in fl4, out _));
        return err;
    }

    private static void Add(RouterBench bench, Fib4Rule rule) =>
        bench.In(() => Assert.Equal(0, bench.Ipv4.FibRules.FibNlNewrule(rule)));
}
