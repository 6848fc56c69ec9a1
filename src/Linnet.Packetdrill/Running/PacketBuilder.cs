using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>Makes packets of what scripts say, byte for byte. Addresses and checksums come later: see <see cref="Finish"/>.</summary>
internal static class PacketBuilder
{
    private const byte DefaultTtl = 255;
    private const int UdpHeader = 8;
    private const int IcmpHeader = 8;

    // What an ICMP message has of the packet that it speaks of, behind its IP header (RFC 792).
    private const int EchoedBytes = 8;

    /// <summary>The packet with the script's own numbers.</summary>
    public static WirePacket Build(PacketAction action, long timeUsecs) => new(action switch
    {
        TcpPacket tcp => Tcp(tcp),
        UdpPacket udp => Udp(udp),
        IcmpPacket icmp => Icmp(icmp),
        _ => throw new PacketFailure($"no packets of {action.GetType().Name}"),
    })
    {
        TimeUsecs = timeUsecs,
    };

    /// <summary>A segment for an address and ports, as the RST that ends a connection.</summary>
    public static byte[] Segment(FourTuple tuple, int flags, uint seq, uint ackSeq, ushort window)
    {
        byte[] bytes = new byte[Iphdr.Size + Tcphdr.Size];
        Header(bytes, IPPROTO_TCP, default);
        Tcphdr th = new(bytes.AsSpan(Iphdr.Size)) { Seq = seq, AckSeq = ackSeq, Doff = Tcphdr.Size / 4, Flags = flags, Window = window };
        _ = th;
        WirePacket packet = new(bytes);
        SetTuple(packet, tuple);
        Finish(packet);
        return bytes;
    }

    /// <summary>Sets addresses and ports; of an ICMP message also those of the packet that it speaks of, the other way round.</summary>
    public static void SetTuple(WirePacket packet, FourTuple tuple)
    {
        Iphdr iph = packet.Ip;
        iph.Saddr = tuple.SourceAddress;
        iph.Daddr = tuple.DestinationAddress;
        if (packet.Protocol != IPPROTO_ICMP)
        {
            SetPorts(packet.Transport, tuple.SourcePort, tuple.DestinationPort);
            return;
        }

        if (packet.Payload.Length < Iphdr.Size + EchoedBytes)
            return;
        Iphdr echoed = new(packet.Payload) { Saddr = tuple.DestinationAddress, Daddr = tuple.SourceAddress };
        SetPorts(packet.Payload[echoed.HeaderLength..], tuple.DestinationPort, tuple.SourcePort);
    }

    /// <summary>Fills in the checksums.</summary>
    public static void Finish(WirePacket packet)
    {
        Iphdr iph = packet.Ip;
        iph.SendCheck();
        Span<byte> transport = packet.Transport;
        int offset = packet.Protocol switch
        {
            IPPROTO_TCP => 16,
            IPPROTO_UDP => 6,
            _ => 2,
        };
        BinaryPrimitives.WriteUInt16BigEndian(transport[offset..], 0);
        uint sum = Checksum.CsumPartial(transport, 0);
        ushort check = packet.Protocol == IPPROTO_ICMP
            ? Checksum.CsumFold(sum)
            : Checksum.CsumTcpudpMagic(iph.Saddr, iph.Daddr, transport.Length, packet.Protocol, sum);
        BinaryPrimitives.WriteUInt16BigEndian(transport[offset..], Checksum.CsumMangle(check, offset));
    }

    private static void SetPorts(Span<byte> transport, ushort source, ushort destination)
    {
        BinaryPrimitives.WriteUInt16BigEndian(transport, source);
        BinaryPrimitives.WriteUInt16BigEndian(transport[2..], destination);
    }

    private static byte[] Tcp(TcpPacket packet)
    {
        byte[] options = packet.Options is { } list ? OptionCodec.Encode(list) : [];
        int headers = Iphdr.Size + Tcphdr.Size + options.Length;
        if (options.Length % 4 != 0)
        {
            throw new PacketFailure(
                $"TCP options are not padded correctly to ensure TCP header is a multiple of 4 bytes: {options.Length % 4} excess bytes");
        }

        if (headers + packet.PayloadBytes > ushort.MaxValue)
            throw new PacketFailure("TCP segment too large");
        byte[] bytes = new byte[headers + packet.PayloadBytes];
        Header(bytes, IPPROTO_TCP, packet.Ip);
        Tcphdr th = new(bytes.AsSpan(Iphdr.Size))
        {
            Source = packet.Ports?.Source ?? 0,
            Dest = packet.Ports?.Destination ?? 0,
            Seq = packet.Sequence,
            AckSeq = packet.Ack ?? 0,
            Doff = (Tcphdr.Size + options.Length) / 4,
            Flags = (int)packet.Flags.Bits,
            Window = packet.Window ?? 0,
            UrgPtr = packet.UrgentPointer,
        };
        _ = th;
        options.CopyTo(bytes.AsSpan(Iphdr.Size + Tcphdr.Size));
        return bytes;
    }

    private static byte[] Udp(UdpPacket packet)
    {
        byte[] bytes = new byte[Iphdr.Size + UdpHeader + packet.PayloadBytes];
        Header(bytes, IPPROTO_UDP, packet.Ip);
        Span<byte> udp = bytes.AsSpan(Iphdr.Size);
        SetPorts(udp, packet.Ports?.Source ?? 0, packet.Ports?.Destination ?? 0);
        BinaryPrimitives.WriteUInt16BigEndian(udp[4..], (ushort)udp.Length);
        return bytes;
    }

    private static byte[] Icmp(IcmpPacket packet)
    {
        bool hasEchoed = packet.Echoed.Protocol is IPPROTO_TCP or IPPROTO_UDP;
        int body = hasEchoed ? Iphdr.Size + EchoedBytes : Math.Max(packet.Echoed.PayloadBytes - IcmpHeader, 0);
        byte[] bytes = new byte[Iphdr.Size + IcmpHeader + body];
        Header(bytes, IPPROTO_ICMP, packet.Ip);
        Span<byte> icmp = bytes.AsSpan(Iphdr.Size);
        icmp[0] = packet.Type;
        icmp[1] = packet.Code;
        if (packet.Mtu is { } mtu)
            BinaryPrimitives.WriteUInt16BigEndian(icmp[6..], (ushort)mtu);
        if (packet.EchoId != 0)
            BinaryPrimitives.WriteUInt16BigEndian(icmp[4..], packet.EchoId);
        if (!hasEchoed)
            return bytes;
        Span<byte> echoed = icmp[IcmpHeader..];
        int transport = packet.Echoed.Protocol == IPPROTO_TCP ? Tcphdr.Size : UdpHeader;
        Iphdr iph = new(echoed)
        {
            VersionIhl = 0x45,
            TotLen = (ushort)(Iphdr.Size + transport + packet.Echoed.PayloadBytes),
            Ttl = DefaultTtl,
            Protocol = (byte)packet.Echoed.Protocol,
        };
        if (iph.Protocol == IPPROTO_TCP)
            BinaryPrimitives.WriteUInt32BigEndian(echoed[(Iphdr.Size + 4)..], packet.Echoed.Sequence);
        return bytes;
    }

    private static void Header(byte[] bytes, int protocol, IpInfo info)
    {
        Iphdr iph = new(bytes)
        {
            VersionIhl = 0x45,
            Tos = info.Tos,
            TotLen = (ushort)bytes.Length,
            Ttl = info.Ttl == 0 ? DefaultTtl : info.Ttl,
            Protocol = (byte)protocol,
        };
        _ = iph;
    }
}
