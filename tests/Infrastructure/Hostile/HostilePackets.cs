using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Testing.Hostile;

/// <summary>Packets as an attacker forges them: from whatever address, with right checksums.</summary>
public static class HostilePackets
{
    public const byte Fin = 1;
    public const byte Syn = 2;
    public const byte Rst = 4;
    public const byte Psh = 8;
    public const byte Ack = 16;

    private const int IpHeader = 20;
    private const int TcpHeader = 20;

    /// <summary>Another address for each number, out of 203.0.113.0/24 and what comes after it.</summary>
    public static uint Stranger(int number) => 0xCB007100 + (uint)number * 7919 % 0x00F00000;

    public static byte[] ForgeIp(
        uint from, uint to, int protocol, ReadOnlySpan<byte> payload, int id = 1, int fragOff = 0, byte[]? options = null)
    {
        options ??= [];
        byte[] packet = new byte[IpHeader + options.Length + payload.Length];
        packet[0] = (byte)(0x40 | (packet.Length - payload.Length) / 4);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), (ushort)packet.Length);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(4), (ushort)id);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(6), (ushort)fragOff);
        packet[8] = 64;
        packet[9] = (byte)protocol;
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(12), from);
        BinaryPrimitives.WriteUInt32BigEndian(packet.AsSpan(16), to);
        options.CopyTo(packet.AsSpan(IpHeader));
        payload.CopyTo(packet.AsSpan(IpHeader + options.Length));
        FixSum(packet);
        return packet;
    }

    /// <summary>Makes the header's checksum right, as far as the header's length makes sense.</summary>
    public static void FixSum(byte[] packet)
    {
        packet[10] = packet[11] = 0;
        int length = Math.Min((packet[0] & 15) * 4, packet.Length & ~3);
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(10), Iphdr.FastCsum(packet.AsSpan(0, length)));
    }

    public static byte[] ForgeTcp(
        uint from, int sport, uint to, int dport, uint seq, uint ack, byte flags, int window = 65535, byte[]? options = null, int payload = 0)
    {
        options ??= [];
        byte[] segment = new byte[TcpHeader + options.Length + payload];
        BinaryPrimitives.WriteUInt16BigEndian(segment, (ushort)sport);
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(2), (ushort)dport);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(4), seq);
        BinaryPrimitives.WriteUInt32BigEndian(segment.AsSpan(8), ack);
        segment[12] = (byte)((TcpHeader + options.Length) / 4 << 4);
        segment[13] = flags;
        BinaryPrimitives.WriteUInt16BigEndian(segment.AsSpan(14), (ushort)window);
        options.CopyTo(segment.AsSpan(TcpHeader));
        Seal(segment, from, to, IPPROTO_TCP, 16);
        return ForgeIp(from, to, IPPROTO_TCP, segment);
    }

    public static byte[] ForgeUdp(uint from, int sport, uint to, int dport, int payload)
    {
        byte[] datagram = new byte[8 + payload];
        BinaryPrimitives.WriteUInt16BigEndian(datagram, (ushort)sport);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(2), (ushort)dport);
        BinaryPrimitives.WriteUInt16BigEndian(datagram.AsSpan(4), (ushort)datagram.Length);
        Seal(datagram, from, to, IPPROTO_UDP, 6);
        return ForgeIp(from, to, IPPROTO_UDP, datagram);
    }

    /// <summary>An ICMP error about a packet.</summary>
    public static byte[] IcmpError(uint from, uint to, int type, int code, uint info, ReadOnlySpan<byte> about)
    {
        byte[] message = new byte[8 + Math.Min(about.Length, 28)];
        message[0] = (byte)type;
        message[1] = (byte)code;
        BinaryPrimitives.WriteUInt32BigEndian(message.AsSpan(4), info);
        about[..(message.Length - 8)].CopyTo(message.AsSpan(8));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), Checksum.CsumFold(Checksum.CsumPartial(message, 0)));
        return ForgeIp(from, to, IPPROTO_ICMP, message);
    }

    public static byte[] ArpRequest(byte[] mac, uint from, uint to) =>
        [
            255, 255, 255, 255, 255, 255, .. mac, 8, 6, 0, 1, 8, 0, 6, 4, 0, 1, .. mac, .. Be(from), 0, 0, 0, 0, 0, 0, .. Be(to),
        ];

    private static byte[] Be(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    private static void Seal(Span<byte> bytes, uint from, uint to, int protocol, int at) =>
        BinaryPrimitives.WriteUInt16BigEndian(
            bytes[at..], Checksum.CsumTcpudpMagic(from, to, bytes.Length, protocol, Checksum.CsumPartial(bytes, 0)));
}
