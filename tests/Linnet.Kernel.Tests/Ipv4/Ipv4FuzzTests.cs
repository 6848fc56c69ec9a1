using CsCheck;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Whatever comes in, nothing escapes and nothing leaks.</summary>
public class Ipv4FuzzTests
{
    private static readonly byte[] Options =
        [IpH.IPOPT_RR, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 68, 12, 5, 1, 0, 0, 0, 0, 0, 0, 0, 0, IpH.IPOPT_RA, 4, 0, 0, 0];

    private static readonly byte[][] Seeds =
    [
        Wire.Echo(Wire.Peer, Wire.Host, new byte[40]),
        Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(8, 0, 1, new byte[20]), options: Options),
        Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(3, 4, 900, Wire.Ip(Wire.Host, Wire.Peer, 17, new byte[16]))),
        Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(5, 1, Wire.Peer, Wire.Ip(Wire.Host, Wire.Peer, 1, new byte[16]))),
        Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, Wire.IcmpMessage(13, 0, 1, new byte[12])),
        Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[64], fragOff: IpH.IP_MF),
        Wire.Ip(Wire.Peer, Wire.Host, 200, new byte[64], fragOff: 8),
        Wire.Ip(Wire.Peer, Wire.Host, 6, new byte[40]),
        Wire.Ip(Wire.Peer, Wire.Host, 17, new byte[40]),
        Wire.Ip(Wire.Peer, 0xFFFFFFFF, 17, new byte[40]),
        Wire.Ip(Wire.Peer, 0xE0000001, 17, new byte[40]),
        Wire.Ip(Wire.Peer, Wire.Addr("198.51.100.1"), 17, new byte[40], ttl: 1),
    ];

    private static readonly byte[][] ArpSeeds =
    [
        Wire.Arp(1, Wire.Peer, Wire.PeerMac, Wire.Host, new byte[6]),
        Wire.Arp(2, Wire.Peer, Wire.PeerMac, Wire.Host, new byte[6]),
    ];

    [Fact]
    public void MutatedPacketsDoNoHarm()
    {
        Gen.Select(Gen.Int[0, Seeds.Length - 1], Gen.Select(Gen.Int[0, 200], Gen.Byte).Array[0, 6], Gen.Int[0, 200], Gen.Bool)
            .Array[1, 30]
            .Sample(packets =>
            {
                using Wire wire = new();
                wire.Introduce();
                wire.In(() => wire.Net.Sysctl.Write("net.ipv4.ip_forward", "1"));
                long given = 0;
                foreach ((int seed, (int At, byte Value)[] changes, int length, bool mend) in packets)
                {
                    byte[] packet = Mutate(Seeds[seed], changes, length);
                    if (mend && packet.Length >= 20 && (packet[0] & 15) * 4 is >= 20 and int size && size <= packet.Length)
                        new Iphdr(packet).SendCheck();
                    wire.GiveIp(packet);
                    given++;
                }

                // More when the host answers itself over the loopback device.
                Assert.True(wire.Count(IpstatsMib.InReceives) >= given);
                wire.RunFor(40);
            }, iter: 400);
    }

    public static TheoryData<int> SeedNumbers() => new(Enumerable.Range(0, Seeds.Length));

    [Theory]
    [MemberData(nameof(SeedNumbers))]
    public void EachSeedIsTakenWithoutLeaks(int seed)
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(Seeds[seed]);
        Assert.Equal(1, wire.Count(IpstatsMib.InReceives));
        wire.RunFor(40);
    }

    [Fact]
    public void RandomBytesAreCountedAndDropped()
    {
        using Wire wire = new();
        Gen.Byte.Array[0, 120].Sample(
            packet =>
            {
                long before = Bad(wire);
                wire.GiveIp(packet);
                if (packet.Length < 20 || packet[0] != 0x45)
                    Assert.True(Bad(wire) > before || (packet.Length > 0 && packet[0] >> 4 == 4));
            },
            iter: 3000, threads: 1);

        static long Bad(Wire wire) => wire.Count(IpstatsMib.InHdrErrors) + wire.Count(IpstatsMib.InTruncatedPkts);
    }

    [Fact]
    public void MutatedArpDoesNoHarm()
    {
        Gen.Select(Gen.Int[0, 1], Gen.Select(Gen.Int[0, 27], Gen.Byte).Array[0, 5], Gen.Int[0, 40]).Array[1, 30].Sample(messages =>
        {
            using Wire wire = new();
            foreach ((int seed, (int At, byte Value)[] changes, int length) in messages)
                wire.Give(Wire.Frame(wire.Mac, Wire.PeerMac, ETH_P_ARP, Mutate(ArpSeeds[seed], changes, length)));
            wire.RunFor(10);
        }, iter: 200);
    }

    [Theory]
    [InlineData("net.ipv4.ip_default_ttl", "0", EINVAL)]
    [InlineData("net.ipv4.ip_default_ttl", "256", EINVAL)]
    [InlineData("net.ipv4.ip_default_ttl", "abc", EINVAL)]
    [InlineData("net/ipv4/ip_default_ttl", "0x20\n", 0)]
    [InlineData("net.ipv4.conf.eth0.rp_filter", "1", 0)]
    [InlineData("net.ipv4.conf.eth1.rp_filter", "1", ENOENT)]
    [InlineData("net.ipv4.nothing", "1", ENOENT)]
    public void SettingsAreWrittenAsInProcSys(string path, string value, int errno)
    {
        using Wire wire = new();
        wire.In(() => Assert.Equal(-errno, wire.Net.Sysctl.Write(path, value)));
    }

    [Fact]
    public void SwitchingForwardingReachesEveryDevice()
    {
        using Wire wire = new();
        wire.In(() => wire.Net.Sysctl.Write("net.ipv4.ip_forward", "1"));
        foreach (string name in (string[])["all", "default", "eth0", "lo"])
        {
            Assert.Equal(0, wire.Net.Sysctl.Read($"net.ipv4.conf.{name}.forwarding", out string value));
            Assert.Equal("1\n", value);
        }
    }

    private static byte[] Mutate(byte[] seed, (int At, byte Value)[] changes, int length)
    {
        byte[] packet = length < seed.Length && length % 3 == 0 ? seed[..length] : [.. seed];
        foreach ((int at, byte value) in changes)
        {
            if (packet.Length > 0)
                packet[at % packet.Length] = value;
        }

        return packet;
    }
}
