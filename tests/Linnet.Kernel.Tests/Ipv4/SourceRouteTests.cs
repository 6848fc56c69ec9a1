using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Options of packets that a router forwards or answers (RFC 791 section 3.1, RFC 1812 section 5.2.4).</summary>
public class SourceRouteTests
{
    private static readonly uint Sender = RouterBench.Neighbour(0);
    private static readonly uint Next = RouterBench.Neighbour(1);
    private static readonly uint Last = Wire.Addr("10.1.2.3");

    [Fact]
    public void ASourceRouteIsNotFollowedUnlessThatIsWanted()
    {
        using RouterBench bench = Bench(accept: false);
        bench.Sysctl("net.ipv4.conf.all.log_martians", "1");
        bench.Give(0, Packet(RouterBench.Addresses[0], [IpH.IPOPT_LSRR, 7, 4, .. Wire.Be(Next)]));
        Assert.Equal(-1, bench.LeftBy());
        Assert.Contains(bench.Log, line => line.EndsWith("source route option 192.0.2.9 -> 192.0.2.1", StringComparison.Ordinal));
    }

    [Theory]
    [InlineData(IpH.IPOPT_LSRR)]
    [InlineData(IpH.IPOPT_SSRR)]
    public void APacketGoesOnToTheNextHopAndRecordsTheWay(int kind)
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(RouterBench.Addresses[0], [(byte)kind, 11, 4, .. Wire.Be(Next), .. Wire.Be(Last)]));
        byte[] sent = Assert.Single(bench.Take(1));
        Iphdr iph = new(sent);
        Assert.Equal((Next, Sender, 0), (iph.Daddr, iph.Saddr, Iphdr.FastCsum(sent.AsSpan(0, iph.HeaderLength))));
        Assert.Equal([(byte)kind, 11, 8, .. Wire.Be(RouterBench.Addresses[1]), .. Wire.Be(Last)], sent[20..31]);
    }

    [Fact]
    public void HopsThatAreTheRouterItselfArePassedAtOnce()
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(RouterBench.Addresses[0], [IpH.IPOPT_LSRR, 11, 4, .. Wire.Be(RouterBench.Addresses[2]), .. Wire.Be(Next)]));
        byte[] sent = Assert.Single(bench.Take(1));
        Assert.Equal(Next, new Iphdr(sent).Daddr);
        Assert.Equal([IpH.IPOPT_LSRR, 11, 12], sent[20..23]);
    }

    [Fact]
    public void BetweenTheHopsALooseRoutePassesAndAStrictOneDoesNot()
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(Next, [IpH.IPOPT_LSRR, 7, 4, .. Wire.Be(Last)]));
        Assert.Equal(1, bench.LeftBy());
        bench.Give(0, Packet(Next, [IpH.IPOPT_SSRR, 7, 4, .. Wire.Be(Last)]));
        Assert.Empty(bench.Take(1));
        byte[] error = Assert.Single(bench.Take(0));
        Assert.Equal((ICMP_PARAMETERPROB, 0, 16), Error(error));
    }

    [Fact]
    public void AStrictRouteEndsWhereTheNextHopIsBehindAGateway()
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(RouterBench.Addresses[0], [IpH.IPOPT_SSRR, 7, 4, .. Wire.Be(Last)]));
        Assert.Empty(bench.Take(1));
        byte[] error = Assert.Single(bench.Take(0));
        Assert.Equal((ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0), Error(error));
    }

    [Theory]
    [InlineData(new byte[] { 131, 2 }, 21)]
    [InlineData(new byte[] { 131, 7, 3, 1, 2, 3, 4 }, 22)]
    [InlineData(new byte[] { 131, 6, 4, 1, 2, 3 }, 22)]
    [InlineData(new byte[] { 131, 7, 4, 1, 2, 3, 4, 131, 7, 4, 1, 2, 3, 4 }, 27)]
    [InlineData(new byte[] { 7, 6, 4, 1, 2, 3 }, 22)]
    [InlineData(new byte[] { 7, 2 }, 21)]
    [InlineData(new byte[] { 68, 3, 5 }, 21)]
    [InlineData(new byte[] { 68, 8, 4, 0, 0, 0, 0, 0 }, 22)]
    [InlineData(new byte[] { 131, 99, 4 }, 20)]
    public void WrongOptionsAreReportedWhereTheyAreWrong(byte[] options, int where)
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(RouterBench.Addresses[0], options));
        Assert.Equal(-1, bench.Take(1).Count - 1);
        byte[] error = Assert.Single(bench.Take(0));
        Assert.Equal((ICMP_PARAMETERPROB, 0, where), Error(error));
    }

    [Fact]
    public void TheWayAndTheTimeAreRecorded()
    {
        using RouterBench bench = Bench();
        bench.Give(0, Packet(Next, [IpH.IPOPT_RR, 7, 4, 0, 0, 0, 0, IpH.IPOPT_TIMESTAMP, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0]));
        byte[] sent = Assert.Single(bench.Take(1));
        Assert.Equal([IpH.IPOPT_RR, 7, 8, .. Wire.Be(RouterBench.Addresses[1])], sent[20..27]);
        Assert.Equal([IpH.IPOPT_TIMESTAMP, 12, 13, 1], sent[27..31]);
        Assert.Equal(0, Iphdr.FastCsum(sent.AsSpan(0, new Iphdr(sent).HeaderLength)));
    }

    [Fact]
    public void AnEchoIsAnsweredByTheWayThatItCame()
    {
        using RouterBench bench = Bench();
        // The packet came over 192.0.2.50 and ends here.
        uint hop = Wire.Addr("192.0.2.50");
        bench.Introduce(0, hop);
        byte[] options = [IpH.IPOPT_LSRR, 7, 8, .. Wire.Be(hop), 0];
        bench.Give(0, Wire.Ip(Last, RouterBench.Addresses[0], IPPROTO_ICMP, Wire.IcmpMessage(8, 0, 1, [1, 2, 3, 4]), options: options));
        byte[] answer = Assert.Single(bench.Take(0));
        Iphdr iph = new(answer);
        Assert.Equal((hop, RouterBench.Addresses[0], 0), (iph.Daddr, iph.Saddr, Iphdr.FastCsum(answer.AsSpan(0, iph.HeaderLength))));
        Assert.Equal([IpH.IPOPT_LSRR, 7, 4, .. Wire.Be(Last)], answer[20..27]);
    }

    private static byte[] Packet(uint to, byte[] options) =>
        FibRuleTests.Udp(Sender, to, 1, 2, options: [.. options, .. new byte[-options.Length & 3]]);

    private static (int Type, int Code, int Pointer) Error(byte[] packet)
    {
        int at = new Iphdr(packet).HeaderLength;
        return (packet[at], packet[at + 1], packet[at] == ICMP_PARAMETERPROB ? packet[at + 4] : 0);
    }

    private static RouterBench Bench(bool accept = true)
    {
        RouterBench bench = new();
        bench.Ip($"route add 10.0.0.0/8 via {Ipv4Addr.Text(Next)}");
        if (accept)
            bench.Sysctl("net.ipv4.conf.all.accept_source_route", "1");
        return bench;
    }
}
