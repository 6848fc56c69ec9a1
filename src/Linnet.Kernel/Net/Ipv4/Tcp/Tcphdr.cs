using System.Buffers.Binary;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A TCP header (<c>struct tcphdr</c>) in memory; numbers in host order. The span it is made of has at least the 20 bytes
/// of the fixed part, and no member reads beyond its end.
/// </summary>
[LinuxStruct("tcphdr")]
public readonly ref struct Tcphdr
{
    /// <summary>Bytes of the fixed part.</summary>
    public const int Size = 20;

    private readonly Span<byte> bytes;

    /// <summary>Views the header at the beginning of <paramref name="span"/>.</summary>
    /// <exception cref="ArgumentOutOfRangeException">There are fewer than 20 bytes.</exception>
    public Tcphdr(Span<byte> span)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(span.Length, Size, nameof(span));
        bytes = span;
    }

    /// <summary>Source port.</summary>
    public ushort Source
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
    }

    /// <summary>Destination port.</summary>
    public ushort Dest
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], value);
    }

    /// <summary>Sequence number.</summary>
    public uint Seq
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(bytes[4..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(bytes[4..], value);
    }

    /// <summary>Acknowledgment number.</summary>
    public uint AckSeq
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(bytes[8..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(bytes[8..], value);
    }

    /// <summary>Offset, flags and window as one number (<c>tcp_flag_word</c>).</summary>
    public uint FlagWord
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(bytes[12..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(bytes[12..], value);
    }

    /// <summary>Header length in words, as it stands in the header; may lie outside of 5 to what the packet holds.</summary>
    public int Doff
    {
        get => bytes[12] >> 4;
        set => bytes[12] = (byte)((value << 4) | (bytes[12] & 0x0f));
    }

    /// <summary>Header length in bytes, as it stands in the header.</summary>
    public int HeaderLength => Doff * 4;

    /// <summary>Flags, <c>TCPHDR_*</c>, including AE (RFC 3168, RFC 9293 3.1).</summary>
    public int Flags
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[12..]) & 0x1ff;
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[12..], (ushort)((bytes[12] & 0xfe) << 8 | value & 0x1ff));
    }

    /// <summary>FIN</summary>
    public bool Fin => (bytes[13] & TCPHDR_FIN) != 0;

    /// <summary>SYN</summary>
    public bool Syn => (bytes[13] & TCPHDR_SYN) != 0;

    /// <summary>RST</summary>
    public bool Rst => (bytes[13] & TCPHDR_RST) != 0;

    /// <summary>PSH</summary>
    public bool Psh => (bytes[13] & TCPHDR_PSH) != 0;

    /// <summary>ACK</summary>
    public bool Ack => (bytes[13] & TCPHDR_ACK) != 0;

    /// <summary>URG</summary>
    public bool Urg => (bytes[13] & TCPHDR_URG) != 0;

    /// <summary>ECE</summary>
    public bool Ece => (bytes[13] & TCPHDR_ECE) != 0;

    /// <summary>CWR</summary>
    public bool Cwr => (bytes[13] & TCPHDR_CWR) != 0;

    /// <summary>Window, not scaled.</summary>
    public ushort Window
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[14..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[14..], value);
    }

    /// <summary>Checksum.</summary>
    public ushort Check
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[16..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[16..], value);
    }

    /// <summary>Urgent pointer.</summary>
    public ushort UrgPtr
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[18..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[18..], value);
    }

    /// <summary>The options: what of the header's stated length behind the fixed part is there.</summary>
    public Span<byte> Options
    {
        get
        {
            int end = Math.Min(HeaderLength, bytes.Length);
            return end <= Size ? [] : bytes[Size..end];
        }
    }
}
