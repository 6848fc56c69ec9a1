namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// The same routes, rules, addresses and links on the host's kernel and on Linnet: what is accepted, what is shown, and where
/// packets go.
/// </summary>
public class RouteTests
{
    private static readonly string[] Devices = ["a0", "a1", "a2"];
    private static readonly string[] Tables = ["", "", "", " table 7", " table 8", " table default"];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    [InlineData(5)]
    [InlineData(6)]
    public void Random_routes_lead_to_the_same_places(int seed) => Compare(new Random(seed), rules: 0);

    [Theory]
    [InlineData(11)]
    [InlineData(12)]
    [InlineData(13)]
    [InlineData(14)]
    [InlineData(15)]
    [InlineData(16)]
    [InlineData(201)]
    [InlineData(239)]
    public void Random_rules_and_routes_lead_to_the_same_places(int seed) => Compare(new Random(seed), rules: 12);

    [Fact]
    public void What_makes_no_sense_is_refused_alike()
    {
        using RouteTwin twin = new();
        List<(string Command, string Kernel, string Linnet)> said = twin.Run(
        [
            "route add 10.0.0.1/8 dev a0", "route add 10.20.0.0/16 via 10.10.0.1", "route add 10.20.0.0/16 via 10.10.0.255",
            "route add 10.20.0.0/16 via 10.99.0.1", "route add 10.20.0.0/16 via 10.99.0.1 dev a0", "route add 10.20.0.0/16 via 10.99.0.1 dev a0 onlink",
            "route add 10.20.0.0/16 via 10.10.0.1 dev a0 onlink", "route add 10.21.0.0/16 via 10.10.0.2 src 10.9.9.9",
            "route add 10.21.0.0/16 via 10.10.0.2 src 10.10.1.1", "route add 10.21.0.0/16 via 10.10.0.3", "route append 10.21.0.0/16 via 10.10.0.3",
            "route append 10.21.0.0/16 via 10.10.0.3", "route replace 10.21.0.0/16 via 10.10.0.4", "route change 10.21.0.0/16 via 10.10.0.5",
            "route change 10.22.0.0/16 via 10.10.0.5", "route del 10.21.0.0/16 via 10.10.0.99", "route del 10.21.0.0/16 via 10.10.0.3",
            "route add unreachable 10.23.0.0/16", "route add blackhole 10.23.0.0/16", "route add blackhole 10.23.0.0/16 metric 1",
            "route add local 10.24.0.1 dev lo", "route add local 10.24.0.2 via 10.10.0.2", "route add local 10.24.0.3 dev a0 scope link",
            "route add broadcast 10.24.0.255 dev a0", "route add multicast 239.0.0.0/8 dev a0", "route add nat 10.25.0.1 via 10.10.0.2",
            "route add 10.26.0.0/16 via 10.10.0.2 scope link", "route add 10.26.0.0/16 dev a0 scope host", "route add throw 10.27.0.0/16 table 7",
            "route add 10.28.0.0/16 tos 0x10 via 10.10.0.2", "route add 10.28.0.0/16 tos 0x03 via 10.10.0.2", "route add 10.28.0.0/16 tos 0x40 via 10.10.0.2",
            "route add 10.29.0.0/16 nexthop via 10.10.0.2 weight 3 nexthop via 10.10.1.2 nexthop dev a2",
            "route add 10.30.0.0/16 nexthop via 10.10.0.2 nexthop via 10.99.0.2", "route add 10.31.0.0/16 via 10.10.0.2 mtu 70000 advmss 70000 hoplimit 300",
            "route add 10.32.0.0/16 via 10.10.0.2 mtu lock 1300 window 5000 rtt 8ms rttvar 3s ssthresh 5 cwnd lock 7 reordering 4 initcwnd 5 initrwnd 6 rto_min 70ms features ecn quickack 1",
            "route add 10.33.0.0/16 dev b0", "route add default via 10.10.0.2 metric 5", "route add default via 10.10.1.2", "route add 10.34.0.0/16 dev lo",
            "route add 10.35.0.1 dev a0 proto static metric 4000000000", "route del 10.35.0.0/16", "route del default", "route del default", "route del default",
            "route add 10.36.0.0/16 via 10.10.0.2 table 1000", "route add 10.37.0.0/16 via 10.36.0.1 table 1000",
            "rule add pref 5 table 9", "rule add pref 5 table 9", "rule add pref 5 table 10", "rule add goto 4 pref 6", "rule add goto 600 pref 6",
            "rule add tos 0x03", "rule add tos 0x40 pref 7", "rule add tos 0x10 pref 7", "rule add sport 5-3", "rule add dport 0-10", "rule add dport 65535",
            "rule add uidrange 5-4", "rule add uidrange 0-4294967294 pref 8 blackhole", "rule del pref 8", "rule del pref 8", "rule del table 9",
            "rule del table 9", "rule del from 1.2.3.4", "rule add from 10.10.0.1 table 0", "rule add from 10.10.0.1 to 10.10.0.0/24 iif a0 oif none fwmark 5/6 lookup 33",
            "addr add 10.10.0.1/24 dev a0", "addr add 10.10.0.9/24 dev a0", "addr add 10.10.0.10/24 dev a0 scope link", "addr add 10.10.0.1/25 dev a0",
            "addr add 10.40.0.1 peer 10.40.0.2/32 dev a0", "addr add 10.41.0.1/31 dev a0", "addr add 10.42.0.1/24 brd 10.42.0.77 dev a0", "addr del 10.10.0.9/25 dev a0",
            "addr del 10.10.0.9/24 dev a0", "addr del 10.10.0.9/24 dev a0", "addr add 10.43.0.1/16 dev a1 noprefixroute metric 7", "addr add 10.44.0.1/16 dev a1 metric 8",
            "addr replace 10.44.0.1/16 dev a1 metric 9", "addr change 10.45.0.1/16 dev a1", "addr add 127.5.0.1/16 dev a1", "addr add 0.0.0.0/0 dev a1",
        ]);
        AssertNoDifference(said.Select(s => (s.Command, Accepted(s.Kernel), Accepted(s.Linnet))));
        AssertSame(twin, Shows);
    }

    private static readonly string[] Shows =
    [
        "route show table all", "rule show", "route show root 10.20.0.0/14",
        "route show match 10.21.3.4", "route show type blackhole table all", "route show proto kernel dev a1", "route show via 10.10.0.2",
    ];

    private static void Compare(Random random, int rules)
    {
        using RouteTwin twin = new();
        twin.Sysctl("net.ipv4.ip_forward", 1);
        twin.Sysctl("net.ipv4.conf.a0.rp_filter", random.Next(3));
        twin.Sysctl("net.ipv4.conf.a1.accept_local", random.Next(2));
        twin.Sysctl("net.ipv4.conf.a2.forwarding", random.Next(2));
        List<string> changes = [];
        for (int i = 0; i < 40; i++)
            changes.Add(i % 10 == 9 ? OtherChange(random) : RouteChange(random));
        for (int i = 0; i < rules; i++)
            changes.Insert(random.Next(changes.Count + 1), RuleChange(random));
        List<(string Command, string Kernel, string Linnet)> said = twin.Run(changes);
        AssertNoDifference(said.Select(s => (s.Command, Accepted(s.Kernel), Accepted(s.Linnet))));
        AssertSame(twin, Shows[..3]);
        AssertSame(twin, [.. Enumerable.Range(0, 250).Select(_ => Query(random))]);
    }

    private static void AssertSame(RouteTwin twin, IReadOnlyList<string> commands)
    {
        List<(string Command, string Kernel, string Linnet)> said = twin.Run(commands);
        AssertNoDifference(said.Select(s => (s.Command, s.Kernel, s.Linnet)));
    }

    private static string Accepted(string said) => said.StartsWith('!') ? "refused" : "accepted";

    private static void AssertNoDifference(IEnumerable<(string Command, string Kernel, string Linnet)> said)
    {
        string[] differences =
            [.. said.Where(s => s.Kernel != s.Linnet).Select(s => $"{s.Command}\n  kernel: {Indent(s.Kernel)}\n  linnet: {Indent(s.Linnet)}")];
        Assert.True(differences.Length == 0, string.Join('\n', differences));

        static string Indent(string text) => text.TrimEnd('\n').Replace("\n", "\n          ", StringComparison.Ordinal);
    }

    // Prefixes are few and nested, so that they meet.
    private static string Prefix(Random random)
    {
        int length = random.GetItems([0, 8, 12, 16, 20, 24, 28, 32], 1)[0];
        uint mask = length == 0 ? 0 : uint.MaxValue << (32 - length);
        return length == 0 ? "default" : $"{Text(Address(random) & mask)}/{length}";
    }

    private static uint Address(Random random) =>
        10u << 24 | (uint)random.Next(20, 24) << 16 | (uint)random.Next(4) << 8 | (uint)random.Next(4);

    private static string Text(uint addr) => $"{addr >> 24}.{addr >> 16 & 255}.{addr >> 8 & 255}.{addr & 255}";

    private static string Pick(Random random, params string[] words) => words[random.Next(words.Length)];

    private static string RouteChange(Random random)
    {
        string verb = Pick(random, "add", "add", "add", "replace", "append", "change", "del");
        string prefix = Prefix(random);
        string table = Pick(random, Tables);
        string metric = Pick(random, "", "", " metric 10", " metric 20");
        string tos = Pick(random, "", "", "", " tos 0x10", " tos 0x08");
        if (verb == "del")
            return $"route del {prefix}{table}{metric}{tos}";
        if (random.Next(5) == 0)
            return $"route {verb} {Pick(random, "blackhole", "unreachable", "prohibit", "throw")} {prefix}{table}{metric}{tos}";
        string gateway = $"10.10.{random.Next(3)}.{random.Next(2, 5)}";
        string way = random.Next(6) switch
        {
            0 => $"dev {Pick(random, Devices)}",
            1 => $"via {Text(Address(random))} dev {Pick(random, Devices)} onlink",
            2 => $"via {Text(Address(random))}",
            _ => $"via {gateway}",
        };
        string source = Pick(random, "", "", "", " src 10.10.0.1", " src 10.10.1.1");
        string mtu = Pick(random, "", "", " mtu 1400", " mtu lock 1300");
        return $"route {verb} {prefix} {way}{source}{table}{metric}{tos}{mtu}";
    }

    private static string RuleChange(Random random)
    {
        if (random.Next(6) == 0)
            return $"rule del {Pick(random, "pref 100", "pref 200", "table 7", "table 8", "pref 32767")}";
        string pref = $" pref {Pick(random, "100", "200", "300", "400", "32766", "33000")}";
        string selector = Pick(
            random, "", $" from 10.10.{random.Next(3)}.1", $" to {Prefix(random)}", " fwmark 1", " fwmark 2/3", " tos 0x10", " iif lo", " iif a0", " oif a1",
            " ipproto tcp", " ipproto udp dport 53", " dport 50-60", " uidrange 0-0", " uidrange 1-9");
        string not = Pick(random, "", "", "", " not");
        string action = Pick(
            random, " lookup 7", " lookup 8", " lookup main", " lookup main suppress_prefixlength 0", " lookup 7 suppress_prefixlength 16", " goto 300",
            " goto 32766", " nop", " unreachable", " prohibit", " blackhole");
        return $"rule add{not}{selector}{pref}{action}";
    }

    private static string OtherChange(Random random) => random.Next(6) switch
    {
        0 => $"link set {Pick(random, Devices)} down",
        1 or 2 => $"link set {Pick(random, Devices)} up",
        3 => $"addr add {Text(Address(random))}/{Pick(random, "16", "24", "32")} dev {Pick(random, Devices)}",
        4 => $"addr del 10.10.{random.Next(3)}.1/24 dev {Pick(random, Devices)}",
        _ => $"link set {Pick(random, "b0", "b1", "b2")} down",
    };

    private static string Query(Random random)
    {
        string target = random.Next(12) switch
        {
            0 => $"10.10.{random.Next(3)}.{Pick(random, "0", "1", "2", "255")}",
            1 => Pick(random, "127.0.0.1", "127.255.255.255", "255.255.255.255", "224.0.0.5", "239.1.1.1", "8.8.8.8", "0.0.0.0"),
            _ => Text(Address(random)),
        };
        string tos = Pick(random, "", "", "", " tos 0x10", " tos 0x08");
        string mark = Pick(random, "", "", " mark 1", " mark 2");
        string ports = Pick(random, "", "", " ipproto tcp dport 55", " ipproto udp sport 9 dport 53");
        return random.Next(4) switch
        {
            0 => $"route get {target} from {Text(Address(random))} iif {Pick(random, Devices)}{tos}{mark}{ports}",
            1 => $"route get {target} from 10.10.{random.Next(3)}.1{tos}{mark}{ports}",
            // Without a route the kernel shows what its memory held as the type of service.
            2 => $"route get {target} oif {Pick(random, Devices)}{mark}{ports}",
            _ => $"route get {target}{tos}{mark}{ports}",
        };
    }
}
