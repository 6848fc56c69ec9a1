using System.Buffers.Binary;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing.Hostile;
using static Linnet.Testing.Hostile.HostileNet;
using static Linnet.Testing.Hostile.HostilePackets;

namespace Linnet.Kernel.Tests.Hostile;

/// <summary>Packets that are not as they should be, in every way.</summary>
public sealed class MalformedTests
{
    private const int Many = 20_000;

    // Record route, timestamp, security, the two source routes, router alert, end and padding.
    private static readonly byte[] KnownOptions = [7, 68, 130, 131, 137, 148, 0, 1];

    [Fact]
    public void IP_headers_of_every_wrong_kind_are_dropped_and_counted()
    {
        using HostileBench bench = new();
        Random random = new(1);
        bench.Survives(Many, _ => MalformedIp(random));
        Assert.True(bench.Ipv4.IpStatistics[IpstatsMib.InHdrErrors] > 1000);
        Assert.InRange(bench.Net.Peak.Requests, 0, 129);
        Assert.InRange(bench.Net.Peak.Packets, 0, 6000);
    }

    [Fact]
    public void TCP_options_of_every_wrong_shape_do_no_harm_in_a_SYN()
    {
        using HostileBench bench = new();
        Random random = new(2);
        bench.Survives(Many, i => ForgeTcp(Stranger(i), 1024 + i % 60000, Victim, Port, (uint)i, 0, Syn, options: WrongOptions(random)));
        Assert.InRange(bench.Net.Peak.Requests, 0, 129);
    }

    [Fact]
    public void TCP_options_of_every_wrong_shape_do_no_harm_in_a_connection()
    {
        using HostileBench bench = new();
        Random random = new(3);
        HostileConnection connection = bench.Net.Connect(
            5000, options: [2, 4, 5, 180, 1, 3, 3, 7, 4, 2, 8, 10, 0, 0, 0, 1, 0, 0, 0, 0]);
        bench.Survives(Many, i => connection.Segment(random.Next(-3000, 3000), random.Next(0, 200), (byte)((random.Next(64) | Ack) & ~Rst), WrongOptions(random)));
        Assert.InRange(bench.Net.Peak.TcpMemory, 0, 32 << 20);
    }

    [Fact]
    public void TCP_headers_of_every_wrong_length_do_no_harm()
    {
        using HostileBench bench = new();
        Random random = new(4);
        bench.Survives(Many, i =>
        {
            byte[] segment = new byte[random.Next(0, 60)];
            random.NextBytes(segment);
            if (segment.Length > 12)
                segment[12] = (byte)(random.Next(16) << 4);
            return ForgeIp(Stranger(i), Victim, IPPROTO_TCP, segment);
        });
        Assert.True(bench.Ipv4.TcpStatistics[TcpMib.InErrs] > 1000);
    }

    [Fact]
    public void Transport_protocols_that_nobody_knows_are_refused_within_the_limit()
    {
        using HostileBench bench = new();
        bench.Survives(Many, i => ForgeIp(Stranger(i), Victim, 143 + i % 100, new byte[20]));
        Assert.InRange(bench.Net.Answers, 1000, 2100);
        Assert.True(bench.Ipv4.IpStatistics[IpstatsMib.InUnknownProtos] > Many / 2);
    }

    private static byte[] MalformedIp(Random random)
    {
        byte[] options = new byte[4 * random.Next(0, 10)];
        random.NextBytes(options);
        if (random.Next(2) == 0 && options.Length > 0)
            options[0] = KnownOptions[random.Next(KnownOptions.Length)];
        byte[] payload = new byte[random.Next(0, 100)];
        random.NextBytes(payload);
        byte[] packet = ForgeIp(Stranger(random.Next()), Victim, random.Next(256), payload, random.Next(65536), random.Next(65536), options);
        switch (random.Next(6))
        {
            case 0:
                packet[0] = (byte)random.Next(256);
                break;
            case 1:
                BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)random.Next(65536));
                break;
            case 2:
                packet = packet[..random.Next(1, packet.Length)];
                break;
            case 3:
                random.NextBytes(packet.AsSpan(12, 8));
                break;
            case 4:
                random.NextBytes(packet);
                break;
            default:
                return packet;
        }

        if (random.Next(4) != 0 && packet.Length >= 20)
            FixSum(packet);
        return packet;
    }

    private static byte[] WrongOptions(Random random)
    {
        byte[] options = new byte[4 * random.Next(0, 11)];
        random.NextBytes(options);

        // Known kinds, with lengths that are right, zero, one, too long.
        byte[] kinds = [2, 3, 4, 5, 8, 19, 28, 30, 34, 253, 254];
        for (int at = 0; at + 1 < options.Length && random.Next(3) != 0;)
        {
            options[at] = kinds[random.Next(kinds.Length)];
            byte length = (byte)random.Next(0, 12);
            options[at + 1] = length;
            at += Math.Max(2, (int)length);
        }

        return options;
    }
}
