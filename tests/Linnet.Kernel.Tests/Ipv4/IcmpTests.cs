using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class IcmpTests
{
    [Fact]
    public void EchoIsAnsweredWithTheSameData()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] data = [.. Enumerable.Range(0, 100).Select(i => (byte)i)];
        wire.GiveIp(Wire.Echo(Wire.Peer, Wire.Host, data));
        byte[] reply = Assert.Single(wire.Take(ETH_P_IP));
        Iphdr iph = new(reply);
        Assert.Equal((Wire.Host, Wire.Peer, 64), (iph.Saddr, iph.Daddr, (int)iph.Ttl));
        Assert.Equal(0, Iphdr.FastCsum(iph.Bytes));
        Assert.Equal(0, reply[20]);
        Assert.Equal(0, Checksum.CsumFold(Checksum.CsumPartial(reply.AsSpan(20), 0)));
        Assert.Equal(data, reply[28..]);
        Assert.Equal(1, wire.Ipv4.IcmpStatistics[IcmpMib.InMsgs]);
        Assert.Equal(1, wire.Ipv4.IcmpmsgStatistics.Read(IcmpMsgMib.In(8)));
        Assert.Equal(1, wire.Ipv4.IcmpmsgStatistics.Read(IcmpMsgMib.Out(0)));
    }

    [Fact]
    public void ALongEchoComesBackInFragments()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] data = new byte[4000];
        new Random(1).NextBytes(data);
        byte[] message = Wire.IcmpMessage(8, 0, 7, data);
        for (int offset = 0; offset < message.Length; offset += 1480)
        {
            int length = Math.Min(1480, message.Length - offset);
            int more = offset + length < message.Length ? IpH.IP_MF : 0;
            wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, message[offset..(offset + length)], 9, offset / 8 | more));
        }

        List<byte[]> fragments = wire.Take(ETH_P_IP);
        Assert.Equal(3, fragments.Count);
        byte[] whole = new byte[message.Length];
        foreach (byte[] fragment in fragments)
        {
            Iphdr iph = new(fragment);
            Assert.True(iph.TotLen <= 1500);
            Assert.Equal(0, Iphdr.FastCsum(iph.Bytes));
            fragment.AsSpan(20).CopyTo(whole.AsSpan((iph.FragOff & IpH.IP_OFFSET) * 8));
        }

        Assert.Equal(data, whole[8..]);
        Assert.Equal((1, 3), (wire.Count(IpstatsMib.FragOKs), wire.Count(IpstatsMib.FragCreates)));
    }

    [Fact]
    public void AProtocolThatNobodySpeaksIsReported()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] packet = Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[64]);
        wire.GiveIp(packet);
        byte[] error = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal((3, 2), (error[20], error[21]));
        Assert.Equal(0xC0, new Iphdr(error).Tos);
        Assert.Equal(packet, error[28..]);
        Assert.Equal(1, wire.Count(IpstatsMib.InUnknownProtos));
    }

    public static TheoryData<string, byte[], byte[]?> NotReported() => new()
    {
        { "a later fragment", Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[64], fragOff: 8), null },
        { "a link broadcast", Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[64]), [255, 255, 255, 255, 255, 255] },
        { "an IP broadcast", Wire.Ip(Wire.Peer, 0xC00002FF, 200, new byte[64]), null },
        { "the limited broadcast", Wire.Ip(Wire.Peer, 0xFFFFFFFF, 200, new byte[64]), null },
    };

    [Theory]
    [MemberData(nameof(NotReported))]
    public void ErrorsAreNotSentWhereRfc1122ForbidsThem(string what, byte[] packet, byte[]? to)
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(packet, to);
        Assert.True(wire.Take(ETH_P_IP).Count == 0, what);
        Assert.Equal(0, wire.Ipv4.IcmpStatistics[IcmpMib.OutMsgs]);
    }

    [Fact]
    public void NoErrorIsSentAboutAnError()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.In(() => Assert.Equal(0, wire.Net.Sysctl.Write("net.ipv4.ip_forward", "1")));
        byte[] quoted = Wire.Ip(Wire.Host, Wire.Addr("198.51.100.9"), 17, new byte[8]);
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Addr("198.51.100.9"), IPPROTO_ICMP, Wire.IcmpMessage(3, 1, 0, quoted), ttl: 1));
        Assert.Empty(wire.Take(ETH_P_IP));
        wire.GiveIp(Wire.Echo(Wire.Peer, Wire.Addr("198.51.100.9"), [], ttl: 1));
        Assert.Single(wire.Take(ETH_P_IP));
    }

    [Fact]
    public void EchoToABroadcastAddressIsIgnoredUntilAllowed()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(Wire.Echo(Wire.Peer, 0xC00002FF, []), [255, 255, 255, 255, 255, 255]);
        Assert.Empty(wire.Take(ETH_P_IP));
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.icmp_echo_ignore_broadcasts", "0"));
        wire.GiveIp(Wire.Echo(Wire.Peer, 0xC00002FF, []), [255, 255, 255, 255, 255, 255]);
        Assert.Equal(Wire.Host, new Iphdr(Assert.Single(wire.Take(ETH_P_IP))).Saddr);
    }

    [Fact]
    public void ErrorsToOneHostAreLimitedAndEchoRepliesAreNot()
    {
        using Wire wire = new();
        wire.Introduce();
        for (int i = 0; i < 20; i++)
            wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[8]));
        // Six tokens at once, then one a second.
        Assert.Equal(6, wire.Take(ETH_P_IP).Count);
        Assert.True(wire.Ipv4.IcmpStatistics[IcmpMib.OutRateLimitHost] > 0);
        wire.RunFor(1.01);
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[8]));
        Assert.Single(wire.Take(ETH_P_IP));
        for (int i = 0; i < 200; i++)
            wire.GiveIp(Wire.Echo(Wire.Peer, Wire.Host, []));
        Assert.Equal(200, wire.Take(ETH_P_IP).Count);
    }

    [Fact]
    public void ErrorsToAllHostsTogetherAreLimited()
    {
        using Wire wire = new();
        for (uint i = 0; i < 500; i++)
            wire.GiveIp(Wire.Ip(Wire.Peer + i % 200, Wire.Host, 200, new byte[8]));
        // Fifty tokens, of which a message takes one on average.
        Assert.InRange(wire.Ipv4.IcmpStatistics[IcmpMib.OutMsgs], 30, 90);
        Assert.True(wire.Ipv4.IcmpStatistics[IcmpMib.OutRateLimitGlobal] > 300);
    }

    [Fact]
    public void ABadChecksumIsCountedAndDropped()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] packet = Wire.Echo(Wire.Peer, Wire.Host, [1, 2, 3]);
        packet[^1] ^= 1;
        wire.GiveIp(packet);
        Assert.Empty(wire.Take(ETH_P_IP));
        Assert.Equal(1, wire.Ipv4.IcmpStatistics[IcmpMib.InCsumErrors]);
        Assert.Equal(1, wire.Ipv4.IcmpStatistics[IcmpMib.InErrors]);
    }

    [Fact]
    public void TimestampsAreAnswered()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(13, 0, 5, [0, 0, 0, 9, 0, 0, 0, 0, 0, 0, 0, 0])));
        byte[] reply = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal(14, reply[20]);
        Assert.Equal(9u, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(28)));
        uint expected = (uint)(wire.Machine.Clock.RealNow / 1_000_000 % 86_400_000);
        Assert.Equal(expected, BinaryPrimitives.ReadUInt32BigEndian(reply.AsSpan(32)));
    }

    [Fact]
    public void RecordedRoutesAndTimesGoOnInTheReply()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] options = [IpH.IPOPT_RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, IpH.IPOPT_NOOP];
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(8, 0, 1, []), options: options));
        byte[] reply = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal(8, new Iphdr(reply).Ihl);
        // Once as the request came in, once as the reply went out.
        Assert.Equal([IpH.IPOPT_RR, 11, 12, .. Wire.Be(Wire.Host), .. Wire.Be(Wire.Host), 0], reply[20..32]);
    }

    [Fact]
    public void ASourceRouteIsRefused()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] options = [IpH.IPOPT_LSRR, 7, 4, .. Wire.Be(Wire.Peer), 0];
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(8, 0, 1, []), options: options));
        Assert.Empty(wire.Take(ETH_P_IP));
    }

    [Fact]
    public void ABadOptionIsReportedWithItsPlace()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] options = [IpH.IPOPT_NOOP, IpH.IPOPT_RR, 40, 4, 0, 0, 0, 0];
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(8, 0, 1, []), options: options));
        byte[] error = Assert.Single(wire.Take(ETH_P_IP));
        Assert.Equal((12, 0, 21), (error[20], error[21], error[24]));
    }

    [Fact]
    public void FragmentationNeededLowersThePathMtuForTenMinutes()
    {
        using Wire wire = new();
        wire.Introduce();
        uint far = Wire.Addr("198.51.100.9");
        wire.In(() => Assert.Equal(0, FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer })));
        // The reply of a ping tells the host where its packets were too large.
        byte[] quoted = Wire.Ip(Wire.Host, far, IPPROTO_ICMP, Wire.IcmpMessage(0, 0, 1, []));
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(3, 4, 1000, quoted)));
        Assert.Equal(1000, MtuTo(wire, far));
        Assert.Equal(1500, MtuTo(wire, Wire.Addr("198.51.100.10")));
        wire.RunFor(599);
        Assert.Equal(1000, MtuTo(wire, far));
        wire.RunFor(2);
        Assert.Equal(1500, MtuTo(wire, far));
    }

    [Fact]
    public void APathMtuBelowTheLeastIsNotBelievedButLocked()
    {
        using Wire wire = new();
        wire.Introduce();
        uint far = Wire.Addr("198.51.100.9");
        wire.In(() => FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer }));
        byte[] quoted = Wire.Ip(Wire.Host, far, IPPROTO_ICMP, Wire.IcmpMessage(0, 0, 1, []));
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(3, 4, 68, quoted)));
        Assert.Equal(552, MtuTo(wire, far));
    }

    [Fact]
    public void ARedirectFromTheGatewayInUseIsFollowed()
    {
        using Wire wire = new();
        wire.Introduce();
        uint other = Wire.Addr("192.0.2.3");
        wire.Introduce(other, [2, 0, 0, 0, 0, 3]);
        uint far = Wire.Addr("198.51.100.9");
        wire.In(() => FibFrontend.InetRtmNewroute(wire.Net, new FibConfig { Gw = Wire.Peer }));
        byte[] quoted = Wire.Ip(Wire.Host, far, IPPROTO_ICMP, Wire.IcmpMessage(0, 0, 1, []));
        // From somebody else it is ignored.
        wire.GiveIp(Wire.Ip(other, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(5, 1, other, quoted)));
        Assert.Equal(Wire.Peer, RouteTo(wire, far).RtGw4);
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(5, 1, other, quoted)));
        Assert.Equal(other, RouteTo(wire, far).RtGw4);
    }

    private static int MtuTo(Wire wire, uint daddr) => RouteTo(wire, daddr).Mtu;

    private static Rtable RouteTo(Wire wire, uint daddr)
    {
        Rtable? rt = null;
        wire.In(() =>
        {
            Flowi4 fl4 = new() { Daddr = daddr };
            Assert.Equal(0, Route.IpRouteOutputKey(wire.Net, ref fl4, out rt));
        });
        return rt!;
    }
}
