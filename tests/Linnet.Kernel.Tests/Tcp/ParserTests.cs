using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Whatever comes off the wire: nothing escapes, nothing leaks, and the host goes on.</summary>
public sealed class ParserTests
{
    private static readonly string[] Seeds =
    [
        "S 0:0(0) win 65535 <mss 1000,sackOK,TS val 1 ecr none,nop,wscale 7>",
        "S. 0:0(0) ack 1 win 65535 <mss 1000,sackOK,TS val 1 ecr none,nop,wscale 7>",
        ". 1:1(0) ack 1 win 500",
        "P. 1:101(100) ack 1 win 500 <nop,nop,TS val 5 ecr 0>",
        ". 201:301(100) ack 1 win 500",
        ". 1:1(0) ack 1 win 500 <nop,nop,sack 1001:2001 3001:4001>",
        ". 1:1(0) ack 1001 win 500",
        "PU. 1:101(100) ack 1 win 500 urg 50",
        "F. 1:1(0) ack 1 win 500",
        "R 1:1(0) win 0",
        "R. 1:1(0) ack 1 win 0",
    ];

    [Theory]
    [InlineData(1)]
    [InlineData(2)]
    [InlineData(3)]
    [InlineData(4)]
    public void Mutated_segments_do_no_harm(int seed)
    {
        Random random = new(seed);
        using TcpBench bench = new((ulong)seed, options: true);
        int listener = bench.Listener(backlog: 64);
        for (int round = 0; round < 400; round++)
        {
            bench.Flow = new TcpFlow { PeerPort = (ushort)(1000 + round), PeerIsn = (uint)random.Next() };
            int fd = round % 3 == 0 ? bench.Connecting() : -1;
            bench.In(Seeds[fd >= 0 ? 1 : 0]);
            bench.TakeAll();
            bench.In(". 1:1(0) ack 1 win 500 <nop,nop,TS val 2 ecr 0>");
            if (fd < 0)
                fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
            if (fd >= 0)
                bench.Calls.Send(fd, new byte[random.Next(6000)], MSG_NOSIGNAL);
            for (int i = 0; i < 30; i++)
                bench.In(Mutated(random, bench));
            bench.Wait(random.Next(300));
            if (fd >= 0)
            {
                bench.TryRead(fd);
                bench.Calls.Close(fd);
            }

            bench.TakeAll();
            while (bench.Calls.Accept4(listener, SOCK_NONBLOCK) is var other and >= 0)
                bench.Calls.Close(other);
        }
    }

    [Fact]
    public void Random_options_do_no_harm()
    {
        Random random = new(7);
        using TcpBench bench = new(options: true);
        int fd = bench.Accepted();
        for (int i = 0; i < 20_000; i++)
        {
            byte[] packet = new byte[20 + 20 + 4 * random.Next(11)];
            TcpSegment.Parse(". 1:1(0) ack 1 win 500").ToPacket(bench.Flow).CopyTo(packet, 0);
            random.NextBytes(packet.AsSpan(40));
            for (int at = 40; at < packet.Length && random.Next(3) != 0; at += 1 + random.Next(5))
                packet[at] = (byte)random.Next(10);
            packet[32] = (byte)(packet.Length / 4 - 5 << 4);
            Seal(packet, bench.Flow);
            bench.In(packet);
        }

        bench.In("P. 1:11(10) ack 1 win 500");
        bench.Read(fd, 10);
    }

    [Fact]
    public void Random_bytes_do_no_harm()
    {
        Random random = new(8);
        using TcpBench bench = new();
        bench.Listener();
        for (int i = 0; i < 20_000; i++)
        {
            byte[] packet = new byte[20 + random.Next(100)];
            random.NextBytes(packet);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(0), 0x4500);
            Iphdr iph = new(packet)
            {
                TotLen = (ushort)packet.Length,
                FragOff = 0,
                Ttl = 64,
                Protocol = IPPROTO_TCP,
                Saddr = bench.Flow.PeerAddress,
                Daddr = bench.Flow.HostAddress,
            };
            iph.SendCheck();
            if (packet.Length >= 40 && random.Next(2) == 0)
            {
                BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), 80);
                Seal(packet, bench.Flow);
            }

            bench.In(packet);
        }

        Assert.True(bench.Drops > 0);
        bench.TakeAll();
    }

    private static byte[] Mutated(Random random, TcpBench bench)
    {
        TcpSegment segment = TcpSegment.Parse(Seeds[random.Next(Seeds.Length)]);
        if (random.Next(2) == 0)
            segment = segment with { Seq = segment.Seq + (uint)random.Next(-3000, 3000) };
        if (random.Next(3) == 0)
            segment = segment with { Ack = (uint)random.Next(-100, 8000) };
        if (random.Next(3) == 0)
            segment = segment with { Length = random.Next(1400) };
        if (random.Next(3) == 0)
            segment = segment with { Window = random.Next(65536) };
        byte[] packet = segment.ToPacket(bench.Flow);
        for (int flips = random.Next(4); flips > 0; flips--)
            packet[random.Next(20, packet.Length)] = (byte)random.Next(256);
        if (random.Next(10) == 0)
        {
            packet = packet[..random.Next(20, packet.Length)];
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
            new Iphdr(packet).SendCheck();
        }

        // Most keep to the flow and are whole: a broken checksum only says that checksums are looked at.
        if (packet.Length >= 40 && random.Next(10) != 0)
        {
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(20), bench.Flow.PeerPort);
            BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(22), bench.Flow.HostPort);
            Seal(packet, bench.Flow);
        }

        return packet;
    }

    private static void Seal(byte[] packet, TcpFlow flow)
    {
        Span<byte> segment = packet.AsSpan(20);
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..], 0);
        ushort sum = Checksum.CsumTcpudpMagic(
            flow.PeerAddress, flow.HostAddress, segment.Length, IPPROTO_TCP, Checksum.CsumPartial(segment, 0));
        BinaryPrimitives.WriteUInt16BigEndian(segment[16..], sum);
    }
}
