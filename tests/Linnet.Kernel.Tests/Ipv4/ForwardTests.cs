using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>The host as a router between 192.0.2/24 and 198.51.100/24.</summary>
public class ForwardTests
{
    private static readonly uint Far = Wire.Addr("198.51.100.9");
    private static readonly byte[] FarMac = [2, 0, 0, 0, 0, 9];

    [Fact]
    public void APacketForAnotherNetworkPassesWithItsTtlLowered()
    {
        using Wire wire = Router(out List<byte[]> sent);
        byte[] packet = Wire.Ip(Wire.Peer, Far, 17, new byte[40], ttl: 9);
        wire.GiveIp(packet);
        byte[] passed = Assert.Single(sent)[14..];
        Iphdr iph = new(passed);
        Assert.Equal((8, 0), (iph.Ttl, Iphdr.FastCsum(iph.Bytes)));
        Assert.Equal(packet[20..], passed[20..]);
        Assert.Equal(1, wire.Count(IpstatsMib.ForwDatagrams));
    }

    [Fact]
    public void WithoutForwardingThePacketIsDroppedWithoutAWord()
    {
        using Wire wire = Router(out List<byte[]> sent);
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.ip_forward", "0"));
        wire.GiveIp(Wire.Ip(Wire.Peer, Far, 17, new byte[40]));
        Assert.Empty(sent);
        Assert.Empty(wire.Take(ETH_P_IP));
        Assert.Equal(1, wire.Count(IpstatsMib.InAddrErrors));
    }

    [Fact]
    public void AnExpiredTtlIsReportedFromTheInboundSide()
    {
        using Wire wire = Router(out List<byte[]> sent);
        wire.GiveIp(Wire.Ip(Wire.Peer, Far, 17, new byte[40], ttl: 1));
        Assert.Empty(sent);
        byte[] error = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal((11, 0, Wire.Host), (error[20], error[21], new Iphdr(error).Saddr));
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void APacketTooLargeForTheNextLinkIsCutOrReported(bool df)
    {
        using Wire wire = Router(out List<byte[]> sent);
        wire.In(() => Assert.Equal(0, Dev.DevSetMtu(wire.Net.Devices.DevGetByName("eth1")!, 600)));
        wire.GiveIp(Wire.Ip(Wire.Peer, Far, 17, new byte[1000], fragOff: df ? IpH.IP_DF : 0));
        if (df)
        {
            Assert.Empty(sent);
            byte[] error = Assert.Single(wire.Take(ETH_P_IP));
            Assert.Equal((3, 4, 600), (error[20], error[21], error[26] << 8 | error[27]));
            Assert.Equal(1, wire.Count(IpstatsMib.FragFails));
        }
        else
        {
            Assert.Equal([576 + 20, 424 + 20], sent.Select(frame => (int)new Iphdr(frame.AsSpan(14)).TotLen));
        }
    }

    [Fact]
    public void ADestinationWithoutARouteIsReportedAtMostSoOften()
    {
        using Wire wire = Router(out _);
        for (int i = 0; i < 20; i++)
            wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Addr("203.0.113.1"), 17, new byte[40]));
        List<byte[]> errors = wire.Take(ETH_P_IP);
        Assert.Equal(5, errors.Count);
        Assert.All(errors, error => Assert.Equal((3, 0), (error[20], error[21])));
        Assert.Equal(20, wire.Count(IpstatsMib.InNoRoutes));
    }

    [Fact]
    public void AHostThatDoesNotAnswerIsReported()
    {
        using Wire wire = Router(out _);
        wire.GiveIp(Wire.Ip(Wire.Peer, Far + 1, 17, new byte[40]));
        wire.RunFor(3.1);
        byte[] error = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal((3, 1), (error[20], error[21]));
    }

    [Theory]
    [InlineData("127.0.0.1")]
    [InlineData("192.0.2.1")]
    [InlineData("255.255.255.255")]
    [InlineData("224.0.0.1")]
    public void SourcesThatCannotBeAreDropped(string source)
    {
        using Wire wire = Router(out List<byte[]> sent);
        wire.GiveIp(Wire.Ip(Wire.Addr(source), Far, 17, new byte[40]));
        wire.GiveIp(Wire.Echo(Wire.Addr(source), Wire.Host, []));
        Assert.Empty(sent);
        Assert.Empty(wire.Take(ETH_P_IP));
        Assert.Equal(0, wire.Count(IpstatsMib.InDelivers));
    }

    [Fact]
    public void TheReversePathFilterDropsWhatCameInByTheWrongDevice()
    {
        using Wire wire = Router(out _);
        wire.GiveIp(Wire.Echo(Far, Wire.Host, []));
        Assert.Equal(1, wire.Count(IpstatsMib.InDelivers));
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.conf.eth0.rp_filter", "1"));
        wire.GiveIp(Wire.Echo(Far, Wire.Host, []));
        Assert.Equal(1, wire.Count(IpstatsMib.InDelivers));
        Assert.Equal(1, wire.Ipv4.NetStatistics[LinuxMib.IPReversePathFilter]);
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.conf.eth0.rp_filter", "2"));
        wire.GiveIp(Wire.Echo(Far, Wire.Host, []));
        Assert.Equal(2, wire.Count(IpstatsMib.InDelivers));
    }

    [Fact]
    public void TheTextsOfProcNetLookAsInLinux()
    {
        using Wire wire = Router(out _);
        wire.GiveIp(Wire.Echo(Wire.Peer, Wire.Host, []));
        string[] snmp = Read(wire, "snmp").Split('\n');
        Assert.Equal(
            "Ip: Forwarding DefaultTTL InReceives InHdrErrors InAddrErrors ForwDatagrams InUnknownProtos InDiscards InDelivers "
            + "OutRequests OutDiscards OutNoRoutes ReasmTimeout ReasmReqds ReasmOKs ReasmFails FragOKs FragFails FragCreates OutTransmits",
            snmp[0]);
        Assert.Equal("Ip: 1 64 1 0 0 0 0 0 1 1 0 0 0 0 0 0 0 0 0 1", snmp[1]);
        Assert.Equal("IcmpMsg: InType8 OutType0", snmp[4]);
        Assert.Equal("IcmpMsg: 1 1", snmp[5]);
        Assert.StartsWith("Tcp: 1 200 120000 -1 0 0", snmp[7]);
        Assert.Equal(
            "IP address       HW type     Flags       HW address            Mask     Device\n"
            + "192.0.2.2        0x1         0x2         02:00:00:00:00:02     *        eth0\n"
            + "198.51.100.9     0x1         0x2         02:00:00:00:00:09     *        eth1\n",
            Read(wire, "arp"));
        Assert.Equal(
            "eth0\t000200C0\t00000000\t0001\t0\t0\t0\t00FFFFFF\t0\t0\t0".PadRight(127), Read(wire, "route").Split('\n')[1]);
        Assert.StartsWith("sockets: used 0\nTCP: inuse 0 orphan 0 tw 0 alloc 0 mem 0\nUDP: inuse 0 mem 0\n", Read(wire, "sockstat"));
        Assert.Equal(-ENOENT, ProcNet.Of(wire.Machine).Read(wire.Net, "nothing", out _));
    }

    private static string Read(Wire wire, string name)
    {
        Assert.Equal(0, ProcNet.Of(wire.Machine).Read(wire.Net, name, out string text));
        return text;
    }

    private static Wire Router(out List<byte[]> sent)
    {
        Wire wire = new();
        List<byte[]> other = sent = [];
        wire.In(() =>
        {
            Assert.Equal(0, Tun.TunSetIff(wire.Net, "eth%d", tap: true, out Tun second));
            second.Transmit = frame => other.Add(frame.ToArray());
            Assert.Equal(0, Dev.DevOpen(second.Dev));
            Assert.Equal(0, Devinet.InetAddrAdd(second.Dev, Wire.Addr("198.51.100.1"), 24));
            Assert.Equal(0, wire.Net.Sysctl.Write("net.ipv4.ip_forward", "1"));
            second.Receive(Wire.Frame(
                second.Dev.DevAddr, FarMac, ETH_P_ARP, Wire.Arp(1, Far, FarMac, Wire.Addr("198.51.100.1"), new byte[6])));
        });
        wire.Introduce();
        other.Clear();
        return wire;
    }
}
