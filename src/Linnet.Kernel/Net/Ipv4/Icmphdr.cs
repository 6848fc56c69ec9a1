using System.Buffers.Binary;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A view of an ICMP header (RFC 792). Values are in host order. Making one over fewer than 8 bytes throws.
/// </summary>
/// <param name="bytes">The header, and whatever follows it.</param>
[LinuxStruct("icmphdr")]
public readonly ref struct Icmphdr(Span<byte> bytes)
{
    /// <summary>Bytes of a header.</summary>
    public const int Size = 8;

    private readonly Span<byte> header = bytes[..Size];

    /// <summary>Type, <c>ICMP_*</c>.</summary>
    public byte Type
    {
        get => header[0];
        set => header[0] = value;
    }

    /// <summary>Code; its meaning depends on the type.</summary>
    public byte Code
    {
        get => header[1];
        set => header[1] = value;
    }

    /// <summary>Checksum of the message.</summary>
    public ushort Checksum
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[2..], value);
    }

    /// <summary>Identifier of an echo (<c>un.echo.id</c>).</summary>
    public ushort EchoId
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[4..], value);
    }

    /// <summary>Sequence number of an echo (<c>un.echo.sequence</c>).</summary>
    public ushort EchoSequence
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[6..], value);
    }

    /// <summary>Gateway of a redirect, and the whole second word of others (<c>un.gateway</c>).</summary>
    public uint Gateway
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(header[4..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(header[4..], value);
    }

    /// <summary>MTU of the next hop, for fragmentation needed (RFC 1191; <c>un.frag.mtu</c>).</summary>
    public ushort FragMtu
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[6..], value);
    }

    /// <summary>Whether the type reports an error about another packet (<c>icmp_is_err</c>).</summary>
    public static bool IsErr(int type) => type is ICMP_DEST_UNREACH or ICMP_SOURCE_QUENCH or ICMP_REDIRECT
        or ICMP_TIME_EXCEEDED or ICMP_PARAMETERPROB;
}
