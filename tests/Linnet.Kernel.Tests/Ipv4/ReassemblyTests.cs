using CsCheck;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

public class ReassemblyTests
{
    [Fact]
    public void FragmentsInAnyOrderWithRepetitionsMakeTheDatagram()
    {
        Gen.Select(Gen.Int[1, 6000], Gen.Int[1, 60], Gen.UInt).Sample((length, unit, seed) =>
        {
            using Wire wire = new();
            wire.Introduce();
            Random random = new((int)seed);
            byte[] data = new byte[length];
            random.NextBytes(data);
            List<byte[]> fragments = Cut(Wire.IcmpMessage(8, 0, 1, data), unit * 8 * 4);
            byte[][] order = [.. fragments.Concat(fragments.Where(_ => random.Next(3) == 0))];
            random.Shuffle(order);
            foreach (byte[] fragment in order)
                wire.GiveIp(fragment);
            List<byte[]> replies = wire.Take(ETH_P_IP);
            byte[] answered = new byte[length + 8];
            Assert.NotEmpty(replies);
            foreach (byte[] reply in replies)
                reply.AsSpan(20).CopyTo(answered.AsSpan((new Iphdr(reply).FragOff & IpH.IP_OFFSET) * 8));
            Assert.Equal(data, answered[8..]);
            // A repetition that comes after the datagram was complete begins another one, which is given up in time.
            wire.RunFor(31);
            Assert.Equal(0, wire.Ipv4.FragQueues.Memory);
            Assert.Equal(0, wire.Ipv4.FragQueues.Count);
        }, iter: 60);
    }

    [Fact]
    public void OverlappingFragmentsSpoilTheDatagram()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] message = Wire.IcmpMessage(8, 0, 1, new byte[92]);
        wire.GiveIp(Part(message, 0, 48, more: true));
        wire.GiveIp(Part(message, 40, 40, more: true));
        wire.GiveIp(Part(message, 48, 52, more: false));
        Assert.Empty(wire.Take(ETH_P_IP));
        Assert.Equal((1, 1), (wire.Count(IpstatsMib.ReasmOverlaps), wire.Count(IpstatsMib.ReasmFails)));
    }

    [Fact]
    public void AnEndThatMovesSpoilsTheDatagram()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] message = Wire.IcmpMessage(8, 0, 1, new byte[92]);
        wire.GiveIp(Part(message, 48, 52, more: false));
        wire.GiveIp(Part(message, 48, 40, more: false));
        Assert.Equal(1, wire.Count(IpstatsMib.ReasmFails));
        Assert.Equal(0, wire.Ipv4.FragQueues.Count);
    }

    [Fact]
    public void AnIncompleteDatagramIsGivenUpAfterThirtySeconds()
    {
        using Wire wire = new();
        wire.Introduce();
        byte[] first = Part(Wire.IcmpMessage(8, 0, 1, new byte[92]), 0, 48, more: true);
        wire.GiveIp(first);
        wire.RunFor(29.9);
        Assert.Equal(0, wire.Count(IpstatsMib.ReasmTimeout));
        wire.RunFor(0.2);
        wire.Introduce();
        Assert.Equal((1, 1), (wire.Count(IpstatsMib.ReasmTimeout), wire.Count(IpstatsMib.ReasmFails)));
        Assert.Equal(1, wire.Ipv4.IcmpmsgStatistics.Read(IcmpMsgMib.Out(11)));
    }

    [Fact]
    public void WithoutItsFirstFragmentNobodyIsTold()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(Part(Wire.IcmpMessage(8, 0, 1, new byte[92]), 48, 52, more: false));
        wire.RunFor(31);
        Assert.Equal(1, wire.Count(IpstatsMib.ReasmTimeout));
        Assert.Equal(0, wire.Ipv4.IcmpStatistics[IcmpMib.OutMsgs]);
    }

    [Fact]
    public void AFloodOfFirstFragmentsStopsAtTheMemoryLimit()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.In(() =>
        {
            Assert.Equal(0, wire.Net.Sysctl.Write("net.ipv4.ipfrag_low_thresh", "0"));
            wire.Ipv4.FragQueues.HighThresh = 100_000;
        });
        byte[] message = Wire.IcmpMessage(8, 0, 1, new byte[1400]);
        for (int id = 0; id < 1000; id++)
            wire.GiveIp(Part(message, 0, 1400, more: true, id: id));
        Assert.True(wire.Ipv4.FragQueues.Memory < 110_000);
        Assert.True(wire.Count(IpstatsMib.ReasmFails) > 800);
        wire.RunFor(31);
        Assert.Equal(0, wire.Ipv4.FragQueues.Memory);
    }

    [Fact]
    public void ADatagramLongerThanTheFieldCanSayIsDropped()
    {
        using Wire wire = new();
        wire.Introduce();
        wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, new byte[1000], 5, 0x1FFF));
        Assert.Empty(wire.Take(ETH_P_IP));
        for (int offset = 0; offset < 8191 * 8; offset += 1400)
        {
            int length = Math.Min(1400, 8191 * 8 - offset);
            wire.GiveIp(Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, new byte[length], 5, offset / 8 | IpH.IP_MF));
        }

        Assert.Equal(1, wire.Count(IpstatsMib.ReasmFails));
        Assert.Equal(0, wire.Ipv4.FragQueues.Count);
    }

    private static List<byte[]> Cut(byte[] message, int size)
    {
        List<byte[]> fragments = [];
        for (int offset = 0; offset < message.Length; offset += size)
            fragments.Add(Part(message, offset, Math.Min(size, message.Length - offset), offset + size < message.Length));
        return fragments;
    }

    private static byte[] Part(byte[] message, int offset, int length, bool more, int id = 7) =>
        Wire.Ip(Wire.Peer, Wire.Host, IPPROTO_ICMP, message[offset..(offset + length)], id, offset / 8 | (more ? IpH.IP_MF : 0));
}
