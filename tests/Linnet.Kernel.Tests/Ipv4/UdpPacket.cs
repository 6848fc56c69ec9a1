using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>IPv4 packets as bytes.</summary>
internal static class UdpPacket
{
    public static byte[] Build(
        uint saddr, uint daddr, ushort source, ushort dest, ReadOnlySpan<byte> payload, int? udpLength = null,
        bool checksum = true)
    {
        byte[] datagram = new byte[Udphdr.Size + payload.Length];
        payload.CopyTo(datagram.AsSpan(Udphdr.Size));
        var uh = new Udphdr(datagram)
        {
            Source = source,
            Dest = dest,
            Len = (ushort)(udpLength ?? datagram.Length),
        };
        if (checksum)
        {
            uh.Check = Checksum.CsumTcpudpMagic(
                saddr, daddr, datagram.Length, IPPROTO_UDP, Checksum.CsumPartial(datagram, 0));
        }

        return Ip(saddr, daddr, IPPROTO_UDP, datagram);
    }

    public static byte[] Ip(uint saddr, uint daddr, byte protocol, ReadOnlySpan<byte> payload)
    {
        byte[] packet = new byte[Iphdr.Size + payload.Length];
        payload.CopyTo(packet.AsSpan(Iphdr.Size));
        var iph = new Iphdr(packet)
        {
            VersionIhl = 0x45,
            TotLen = (ushort)packet.Length,
            Ttl = 64,
            Protocol = protocol,
            Saddr = saddr,
            Daddr = daddr,
        };
        iph.SendCheck();
        return packet;
    }

    public static byte[] IcmpError(uint saddr, uint daddr, byte type, byte code, uint info, ReadOnlySpan<byte> offending)
    {
        byte[] message = new byte[Icmphdr.Size + offending.Length];
        offending.CopyTo(message.AsSpan(Icmphdr.Size));
        var icmph = new Icmphdr(message) { Type = type, Code = code, Gateway = info };
        icmph.Checksum = Checksum.CsumFold(Checksum.CsumPartial(message, 0));
        return Ip(saddr, daddr, IPPROTO_ICMP, message);
    }

    public static byte[] WithOptions(byte[] packet, byte[] options)
    {
        byte[] longer = [.. packet[..Iphdr.Size], .. options, .. packet[Iphdr.Size..]];
        var iph = new Iphdr(longer) { VersionIhl = (byte)(0x45 + (options.Length / 4)), TotLen = (ushort)longer.Length };
        iph.SendCheck();
        return longer;
    }
}
