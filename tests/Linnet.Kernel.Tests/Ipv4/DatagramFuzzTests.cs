using CsCheck;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>
/// Packets that were damaged on the way: nothing escapes, nothing leaks, everything is accounted for.
/// </summary>
public class DatagramFuzzTests : InetFixture
{
    private static readonly Gen<(int At, byte Value)[]> Damage =
        Gen.Select(Gen.Int[0, 200], Gen.Byte, (at, value) => (at, value)).Array[0, 6];

    [Fact]
    public void Every_datagram_is_delivered_refused_or_counted_as_bad()
    {
        TestSocket server = BoundUdp(7000, Here);
        TestSocket any = Udp();
        any.Set(SOL_IP, IP_RECVERR, 1);
        any.Bind(Here, 7001);
        Net.Ipv4.PingGroupRange = (0, uint.MaxValue);
        NewSocket(SOCK_DGRAM, IPPROTO_ICMP).Bind(Here, 7);
        TestSocket raw = NewSocket(SOCK_RAW, IPPROTO_ICMP);
        Gen.Select(Gen.Byte.Array[0, 120], Damage, Gen.Int[0, 2], Gen.Int[0, 160]).Sample(
            (payload, damage, kind, cut) =>
            {
                byte[] packet = Packet(kind, payload);
                foreach ((int at, byte value) in damage)
                    packet[20 + (at % (packet.Length - 20))] ^= value;
                if (cut > 20 && cut < packet.Length)
                    packet = UdpPacket.Ip(There, Here, packet[9], packet.AsSpan(20, cut - 20));
                Dictionary<UdpMib, long> before = Counters();
                Inject(packet);
                long received = Drain(server) + Drain(any);
                Drain(raw);
                if (packet[9] == IPPROTO_UDP)
                {
                    Dictionary<UdpMib, long> after = Counters();
                    long other = after[UdpMib.NoPorts] - before[UdpMib.NoPorts]
                        + after[UdpMib.InErrors] - before[UdpMib.InErrors];
                    Assert.Equal(1, received + other);
                }
            },
            iter: 3000, threads: 1);
    }

    private static byte[] Packet(int kind, byte[] payload)
    {
        byte[] udp = UdpPacket.Build(There, Here, 9, (ushort)(7000 + (payload.Length % 3)), payload);
        if (kind != 2)
            return udp;
        byte[] sent = UdpPacket.Build(Here, There, 7001, 9, payload);
        return UdpPacket.IcmpError(There, Here, 3, (byte)(payload.Length % 16), 1400, sent);
    }

    private static int Drain(TestSocket s)
    {
        int count = 0;
        s.PendingError();
        while (s.Recv(200).Result >= 0)
            count++;
        while (s.Recv(200, MSG_ERRQUEUE, 200).Result >= 0)
            s.PendingError();
        return count;
    }

    private Dictionary<UdpMib, long> Counters() =>
        Enum.GetValues<UdpMib>().ToDictionary(counter => counter, counter => Net.Ipv4.UdpStatistics[counter]);
}
