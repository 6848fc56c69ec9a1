using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A view of an IPv4 header (RFC 791 section 3.1). Values are in host order. Making one over fewer than 20 bytes throws:
/// the caller has made sure of them.
/// </summary>
/// <param name="bytes">The header, and whatever follows it.</param>
[LinuxStruct("iphdr")]
public readonly ref struct Iphdr(Span<byte> bytes)
{
    /// <summary>Bytes of a header without options.</summary>
    public const int Size = 20;

    private readonly Span<byte> header = bytes[..Size];
    private readonly Span<byte> all = bytes;

    /// <summary>Version and header length, as they stand in the first byte.</summary>
    public byte VersionIhl
    {
        get => header[0];
        set => header[0] = value;
    }

    /// <summary>Version: 4.</summary>
    public int Version => header[0] >> 4;

    /// <summary>Header length in words of four bytes.</summary>
    public int Ihl => header[0] & 15;

    /// <summary>Header length in bytes, options included.</summary>
    public int HeaderLength => (header[0] & 15) * 4;

    /// <summary>Type of service: six bits DSCP, two bits ECN.</summary>
    public byte Tos
    {
        get => header[1];
        set => header[1] = value;
    }

    /// <summary>Length of header and data, in bytes.</summary>
    public ushort TotLen
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[2..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[2..], value);
    }

    /// <summary>Identification of the datagram.</summary>
    public ushort Id
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[4..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[4..], value);
    }

    /// <summary><c>IP_DF</c>, <c>IP_MF</c> and the offset in units of eight bytes.</summary>
    public ushort FragOff
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[6..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[6..], value);
    }

    /// <summary>Time to live, in hops.</summary>
    public byte Ttl
    {
        get => header[8];
        set => header[8] = value;
    }

    /// <summary>Transport protocol, <c>IPPROTO_*</c>.</summary>
    public byte Protocol
    {
        get => header[9];
        set => header[9] = value;
    }

    /// <summary>Header checksum.</summary>
    public ushort Check
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(header[10..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(header[10..], value);
    }

    /// <summary>Source address.</summary>
    public uint Saddr
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(header[12..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(header[12..], value);
    }

    /// <summary>Destination address.</summary>
    public uint Daddr
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(header[16..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(header[16..], value);
    }

    /// <summary>Whether this is a part of a datagram (<c>ip_is_fragment</c>).</summary>
    public bool IsFragment => (FragOff & (IP_MF | IP_OFFSET)) != 0;

    /// <summary>The whole header with options; throws when the view is shorter than the header says.</summary>
    public Span<byte> Bytes => all[..HeaderLength];

    /// <summary>Fills in the checksum (<c>ip_send_check</c>).</summary>
    public void SendCheck()
    {
        Check = 0;
        Check = FastCsum(Bytes);
    }

    /// <summary>The checksum over a header (<c>ip_fast_csum</c>); 0 over one whose checksum is right.</summary>
    /// <param name="header">A whole header: a multiple of four bytes.</param>
    public static ushort FastCsum(ReadOnlySpan<byte> header)
    {
        ulong sum = 0;
        for (int i = 0; i + 4 <= header.Length; i += 4)
            sum += BinaryPrimitives.ReadUInt32BigEndian(header[i..]);
        sum = (sum & 0xffff) + (sum >> 16 & 0xffff) + (sum >> 32);
        sum = (sum & 0xffff) + (sum >> 16);
        sum = (sum & 0xffff) + (sum >> 16);
        return (ushort)~sum;
    }
}

/// <summary>Finds the headers of IPv4 in a packet.</summary>
public static class IpHeaderExtensions
{
    extension(SkBuff skb)
    {
        /// <summary>The IPv4 header, at the network offset (<c>ip_hdr</c>).</summary>
        public Iphdr IpHdr => new(skb.NetworkHeaderSpan);

        /// <summary>The ICMP header, at the transport offset (<c>icmp_hdr</c>).</summary>
        public Icmphdr IcmpHdr => new(skb.TransportHeaderSpan);

        /// <summary>What IP knows of the packet, in its scratch space (<c>IPCB</c>).</summary>
        public ref InetSkbParm IpCb => ref skb.Cb<InetSkbParm>();
    }
}
