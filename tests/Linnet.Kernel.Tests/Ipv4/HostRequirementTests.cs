using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Requirements of RFC 1122, section 3, that no other test shows; docs/requirements.md has the list of all.</summary>
public sealed class HostRequirementTests : IDisposable
{
    private const int TtlOffset = 8;

    private readonly TcpBench bench = new();

    public void Dispose() => bench.Dispose();

    [Theory]
    [InlineData(10)]
    [InlineData(15)]
    [InlineData(17)]
    [InlineData(30)]
    [InlineData(37)]
    [InlineData(42)]
    [InlineData(255)]
    public void ICMP_messages_of_unknown_and_retired_types_are_dropped_in_silence(byte type)
    {
        byte[] packet = new byte[Iphdr.Size + 16];
        Iphdr iph = new(packet)
        {
            VersionIhl = 0x45,
            TotLen = (ushort)packet.Length,
            Ttl = 64,
            Protocol = IPPROTO_ICMP,
            Saddr = bench.Flow.PeerAddress,
            Daddr = bench.Flow.HostAddress,
        };
        iph.SendCheck();
        packet[Iphdr.Size] = type;
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(packet.AsSpan(Iphdr.Size), 0));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(Iphdr.Size + 2), sum);
        bench.In(packet);
        bench.Wait(1000);
        bench.Nothing();
    }

    [Fact]
    public void Packets_that_are_not_of_version_4_or_whose_checksum_is_wrong_are_dropped_in_silence()
    {
        bench.Listener();
        byte[] packet = Syn();
        packet[0] = 0x55;
        Seal(packet);
        bench.In(packet);
        packet = Syn();
        packet[10] ^= 1;
        bench.In(packet);
        bench.Nothing();
        bench.In(Syn());
        bench.Out("S. 0:0(0) ack 1");
    }

    [Fact]
    public void A_packet_that_arrives_with_its_last_hop_is_taken()
    {
        bench.Listener();
        byte[] packet = Syn();
        packet[TtlOffset] = 1;
        Seal(packet);
        bench.In(packet);
        bench.Out("S. 0:0(0) ack 1");
    }

    [Fact]
    public void The_default_TTL_can_be_set()
    {
        bench.Calls.Host.SetSysctl("net.ipv4.ip_default_ttl", "33");
        bench.Listener();
        bench.In(Syn());
        bench.Out("S. 0:0(0) ack 1");
        Assert.Equal(33, bench.LastTaken[TtlOffset]);
    }

    [Fact]
    public void A_header_has_one_source_route_at_most()
    {
        byte[] route = [IpH.IPOPT_LSRR, 7, 4, 192, 0, 2, 254];
        int fd = bench.Socket();
        Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_IP, IP_OPTIONS, route));
        Assert.Equal(-EINVAL, bench.Calls.Setsockopt(fd, SOL_IP, IP_OPTIONS, [.. route, .. route]));
    }

    private byte[] Syn() => TcpSegment.Parse("S 0:0(0) win 1000 <mss 1000>").ToPacket(bench.Flow);

    private static void Seal(byte[] packet)
    {
        packet[10] = packet[11] = 0;
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(packet.AsSpan(0, Iphdr.Size), 0));
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), sum);
    }
}
