using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// An IPv4 packet in bytes, with its fields for comparing. A packet that the stack sent, one mapped to the numbers of the script, or
/// one that the script describes.
/// </summary>
/// <param name="bytes">The packet from its IP header on; the object owns them.</param>
internal sealed class WirePacket(byte[] bytes)
{
    /// <summary>The bytes.</summary>
    public byte[] Bytes { get; } = bytes;

    /// <summary>When it was sent or is to be sent: microseconds of the script's time.</summary>
    public long TimeUsecs { get; init; }

    /// <summary>The IP header.</summary>
    public Iphdr Ip => new(Bytes);

    /// <summary>The TCP header; only of TCP packets.</summary>
    public Tcphdr Tcp => new(Bytes.AsSpan(Ip.HeaderLength));

    /// <summary>The transport protocol.</summary>
    public int Protocol => Bytes[9];

    /// <summary>The transport header and what follows it.</summary>
    public Span<byte> Transport => Bytes.AsSpan(Ip.HeaderLength);

    /// <summary>Source and destination, with the ports of TCP and UDP.</summary>
    public FourTuple Tuple
    {
        get
        {
            bool hasPorts = Protocol is IPPROTO_TCP or IPPROTO_UDP;
            return new FourTuple(
                Ip.Saddr,
                hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(Transport) : (ushort)0,
                Ip.Daddr,
                hasPorts ? BinaryPrimitives.ReadUInt16BigEndian(Transport[2..]) : (ushort)0);
        }
    }

    /// <summary>The data behind the transport header.</summary>
    public Span<byte> Payload => Transport[HeaderBytes..];

    /// <summary>TCP's options.</summary>
    public ReadOnlySpan<byte> OptionBytes => Tcp.Options;

    private int HeaderBytes => Protocol switch
    {
        IPPROTO_TCP => Tcp.HeaderLength,
        _ => 8,
    };

    /// <summary>Looks at bytes that the stack sent.</summary>
    /// <returns>Null for what is no whole IPv4 packet of TCP, UDP or ICMP.</returns>
    public static WirePacket? Parse(ReadOnlySpan<byte> bytes, long timeUsecs)
    {
        if (bytes.Length < Iphdr.Size || bytes[0] >> 4 != 4)
            return null;
        int headerLength = (bytes[0] & 15) * 4;
        int total = BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        int protocol = bytes[9];
        int least = protocol switch
        {
            IPPROTO_TCP => Tcphdr.Size,
            IPPROTO_UDP or IPPROTO_ICMP => 8,
            _ => int.MaxValue - ushort.MaxValue,
        };
        if (headerLength < Iphdr.Size || total > bytes.Length || total < headerLength + least)
            return null;
        WirePacket packet = new(bytes[..total].ToArray()) { TimeUsecs = timeUsecs };
        return protocol == IPPROTO_TCP && (packet.Tcp.Doff < 5 || headerLength + packet.Tcp.HeaderLength > total) ? null : packet;
    }

    /// <summary>The same bytes again, to be changed.</summary>
    public WirePacket Copy() => new((byte[])Bytes.Clone()) { TimeUsecs = TimeUsecs };

    /// <summary>Where in the packet the value of the time stamps option stands; null where there is none.</summary>
    public int? TimestampOffset => FindOption(RawOption.Timestamp, 8, out int offset) ? offset : null;

    /// <summary>Adds <paramref name="delta"/> to both edges of all SACK blocks.</summary>
    public void ShiftSackBlocks(uint delta)
    {
        if (!FindOption(RawOption.Sack, -1, out int offset))
            return;
        int length = Bytes[offset - 1] - 2;
        for (int i = 0; i + 4 <= length; i += 4)
        {
            Span<byte> edge = Bytes.AsSpan(offset + i);
            BinaryPrimitives.WriteUInt32BigEndian(edge, BinaryPrimitives.ReadUInt32BigEndian(edge) + delta);
        }
    }

    /// <summary>The packet as a script has it.</summary>
    /// <param name="asAce">Whether the last three flags are shown as a number.</param>
    /// <param name="hideWindow">Whether the window is left out, since the script does not name it.</param>
    /// <param name="hideOptions">Whether the options are left out, for the same reason.</param>
    public string Text(bool asAce = false, bool hideWindow = false, bool hideOptions = false) => Protocol switch
    {
        IPPROTO_TCP => TcpText(asAce, hideWindow, hideOptions),
        IPPROTO_UDP => string.Create(CultureInfo.InvariantCulture, $"udp ({Payload.Length})"),
        _ => string.Create(CultureInfo.InvariantCulture, $"icmp type_{Transport[0]} code_{Transport[1]}"),
    };

    private string TcpText(bool asAce, bool hideWindow, bool hideOptions)
    {
        Tcphdr th = Tcp;
        StringBuilder text = new(FlagText((TcpFlagBits)th.Flags, asAce));
        text.Append(CultureInfo.InvariantCulture, $" {th.Seq}:{th.Seq + (uint)Payload.Length}({Payload.Length})");
        if (th.Ack)
            text.Append(CultureInfo.InvariantCulture, $" ack {th.AckSeq}");
        if (!hideWindow)
            text.Append(CultureInfo.InvariantCulture, $" win {th.Window}");
        if (th.Urg)
            text.Append(CultureInfo.InvariantCulture, $" urg {th.UrgPtr}");
        if (hideOptions)
            text.Append(" <...>");
        else if (OptionCodec.Decode(th.Options) is not { } options)
            text.Append(" <malformed>");
        else if (options.Count > 0)
            text.Append(" <").Append(OptionCodec.Text(options)).Append('>');
        return text.ToString();
    }

    private static string FlagText(TcpFlagBits flags, bool asAce)
    {
        (TcpFlagBits Bit, char Letter)[] letters =
        [
            (TcpFlagBits.Fin, 'F'), (TcpFlagBits.Syn, 'S'), (TcpFlagBits.Rst, 'R'), (TcpFlagBits.Psh, 'P'),
            (TcpFlagBits.Ack, '.'), (TcpFlagBits.Urg, 'U'), (TcpFlagBits.Ece, 'E'), (TcpFlagBits.Cwr, 'W'), (TcpFlagBits.Ae, 'A'),
        ];
        StringBuilder text = new();
        foreach ((TcpFlagBits bit, char letter) in letters[..(asAce ? 6 : 9)])
        {
            if (flags.HasFlag(bit))
                text.Append(letter);
        }

        if (asAce)
            text.Append((char)('0' + ((int)flags >> 6)));
        return text.Length == 0 ? "-" : text.ToString();
    }

    private bool FindOption(byte kind, int length, out int offset)
    {
        int start = Ip.HeaderLength + Tcphdr.Size;
        int end = start + OptionBytes.Length;
        for (offset = start; offset < end;)
        {
            if (Bytes[offset] is RawOption.Nop or RawOption.Eol)
            {
                offset++;
                continue;
            }

            if (offset + 1 >= end || Bytes[offset + 1] < 2 || offset + Bytes[offset + 1] > end)
                return false;
            if (Bytes[offset] == kind && (length < 0 || Bytes[offset + 1] == length + 2))
            {
                offset += 2;
                return true;
            }

            offset += Bytes[offset + 1];
        }

        return false;
    }
}

/// <summary>Who talks to whom: addresses and ports in host order.</summary>
internal readonly record struct FourTuple(uint SourceAddress, ushort SourcePort, uint DestinationAddress, ushort DestinationPort);
