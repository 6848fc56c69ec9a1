using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A view of a UDP header (RFC 768). Values are in host order. Making one over fewer than 8 bytes throws.
/// </summary>
/// <param name="bytes">The header, and whatever follows it.</param>
[LinuxStruct("udphdr")]
public readonly ref struct Udphdr(Span<byte> bytes)
{
    /// <summary>Bytes of the header.</summary>
    public const int Size = 8;

    private readonly Span<byte> header = bytes[..Size];

    /// <summary>Source port.</summary>
    public ushort Source
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header);
        set => BinaryPrimitives.WriteUInt16BigEndian(header, value);
    }

    /// <summary>Destination port.</summary>
    public ushort Dest
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[2..], value);
    }

    /// <summary>Bytes of header and data.</summary>
    public ushort Len
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[4..], value);
    }

    /// <summary>Checksum; 0 says that the sender made none.</summary>
    public ushort Check
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[6..], value);
    }

    /// <summary>The header's bytes.</summary>
    public Span<byte> Bytes => header;
}

/// <summary>Finds the UDP header of a packet.</summary>
public static class UdphdrExtensions
{
    extension(SkBuff skb)
    {
        /// <summary>The UDP header, at the transport offset (<c>udp_hdr</c>).</summary>
        public Udphdr UdpHdr => new(skb.TransportHeaderSpan);
    }
}
