using System.Buffers.Binary;
using System.Globalization;
using System.Net;
using System.Text;

namespace Linnet.Diagnostics;

/// <summary>What the bytes of a packet begin with.</summary>
public enum PacketLink
{
    /// <summary>An Ethernet header.</summary>
    Ethernet,

    /// <summary>An IPv4 or IPv6 header, as on a TUN device.</summary>
    Ip,
}

/// <summary>
/// Prints packets, one line each, as tcpdump does. It remembers the TCP connections that it has seen, to print sequence
/// numbers relative to their beginning.
/// </summary>
/// <remarks>Any bytes may be given: what is cut short or unknown is said, and nothing throws. Not thread-safe.</remarks>
public sealed class PacketPrinter
{
    private readonly TcpText tcp = new();

    /// <summary>Whether TCP sequence numbers are relative to the beginning of their connection; they are by default.</summary>
    public bool RelativeSequenceNumbers
    {
        get => tcp.IsRelative;
        init => tcp.IsRelative = value;
    }

    /// <summary>The line for a packet, without a time and without an end of line.</summary>
    /// <param name="packet">The packet, from its link header on.</param>
    /// <param name="link">What it begins with.</param>
    public string Print(ReadOnlySpan<byte> packet, PacketLink link = PacketLink.Ethernet)
    {
        if (link == PacketLink.Ip)
            return PrintIp(packet);
        if (packet.Length < 14)
            return "[|ether]";
        ushort type = BinaryPrimitives.ReadUInt16BigEndian(packet[12..]);
        ReadOnlySpan<byte> payload = packet[14..];
        return type switch
        {
            0x0800 or 0x86dd => PrintIp(payload),
            0x0806 => ArpText.Print(payload),
            _ => string.Create(CultureInfo.InvariantCulture,
                $"{Mac(packet[6..12])} > {Mac(packet[..6])}, ethertype 0x{type:x4}, length {packet.Length}"),
        };
    }

    internal static string Mac(ReadOnlySpan<byte> address) =>
        string.Create(CultureInfo.InvariantCulture,
            $"{address[0]:x2}:{address[1]:x2}:{address[2]:x2}:{address[3]:x2}:{address[4]:x2}:{address[5]:x2}");

    private string PrintIp(ReadOnlySpan<byte> packet) => packet.Length == 0 ? "[|ip]" : (packet[0] >> 4) switch
    {
        4 => PrintIpv4(packet),
        6 => PrintIpv6(packet),
        int version => string.Create(CultureInfo.InvariantCulture, $"IP version {version}, length {packet.Length}"),
    };

    private string PrintIpv4(ReadOnlySpan<byte> packet)
    {
        int headerLength = (packet[0] & 15) * 4;
        if (packet.Length < 20 || headerLength < 20 || packet.Length < headerLength)
            return "IP [|ip]";
        int total = BinaryPrimitives.ReadUInt16BigEndian(packet[2..]);
        // Link padding follows the packet; a length below the header's is a lie that is shown as one.
        bool isLengthGood = total >= headerLength;
        ReadOnlySpan<byte> payload = packet[headerLength..(isLengthGood ? Math.Min(total, packet.Length) : packet.Length)];
        int fragment = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        int offset = (fragment & 0x1fff) * 8;
        bool hasMore = (fragment & 0x2000) != 0;
        var source = new IPAddress(packet[12..16]);
        var destination = new IPAddress(packet[16..20]);
        string text = offset != 0
            ? string.Create(CultureInfo.InvariantCulture, $"{source} > {destination}: {Protocol(packet[9])}")
            : Transport(packet[9], source, destination, payload);
        if (offset != 0 || hasMore)
        {
            text += string.Create(CultureInfo.InvariantCulture,
                $" (frag id {BinaryPrimitives.ReadUInt16BigEndian(packet[4..])}, offset {offset}, length {payload.Length}{(hasMore ? ", more" : "")})");
        }

        return isLengthGood ? $"IP {text}" : $"IP bad-len {total} {text}";
    }

    private string PrintIpv6(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 40)
            return "IP6 [|ip6]";
        int length = BinaryPrimitives.ReadUInt16BigEndian(packet[4..]);
        ReadOnlySpan<byte> payload = packet[40..Math.Min(packet.Length, 40 + length)];
        return "IP6 " + Transport(packet[6], new IPAddress(packet[8..24]), new IPAddress(packet[24..40]), payload);
    }

    private string Transport(byte protocol, IPAddress source, IPAddress destination, ReadOnlySpan<byte> payload) =>
        protocol switch
        {
            1 => $"{source} > {destination}: {IcmpText.Print(payload)}",
            6 => tcp.Print(source, destination, payload),
            17 => Udp(source, destination, payload),
            _ => string.Create(CultureInfo.InvariantCulture,
                $"{source} > {destination}: {Protocol(protocol)}, length {payload.Length}"),
        };

    private static string Udp(IPAddress source, IPAddress destination, ReadOnlySpan<byte> datagram)
    {
        if (datagram.Length < 8)
            return $"{source} > {destination}: [|udp]";
        int length = BinaryPrimitives.ReadUInt16BigEndian(datagram[4..]);
        string text = string.Create(CultureInfo.InvariantCulture,
            $"{source}.{BinaryPrimitives.ReadUInt16BigEndian(datagram)} > {destination}.{BinaryPrimitives.ReadUInt16BigEndian(datagram[2..])}: UDP");
        return length < 8
            ? string.Create(CultureInfo.InvariantCulture, $"{text}, bad length {length}")
            : string.Create(CultureInfo.InvariantCulture, $"{text}, length {length - 8}");
    }

    internal static string Protocol(byte protocol) => protocol switch
    {
        1 => "ICMP",
        2 => "igmp",
        4 => "IPIP",
        6 => "TCP",
        17 => "UDP",
        41 => "IP6",
        47 => "GRE",
        58 => "ICMP6",
        132 => "SCTP",
        136 => "UDPLITE",
        _ => "ip-proto-" + protocol.ToString(CultureInfo.InvariantCulture),
    };
}

/// <summary>ARP for IPv4 over Ethernet (RFC 826).</summary>
internal static class ArpText
{
    public static string Print(ReadOnlySpan<byte> packet)
    {
        if (packet.Length < 28)
            return "ARP [|arp]";
        ushort operation = BinaryPrimitives.ReadUInt16BigEndian(packet[6..]);
        var sender = new IPAddress(packet[14..18]);
        var target = new IPAddress(packet[24..28]);
        string what = operation switch
        {
            1 when sender.Equals(target) => $"Announcement {target}",
            1 => $"Request who-has {target} tell {sender}",
            2 => $"Reply {sender} is-at {PacketPrinter.Mac(packet[8..14])}",
            _ => "operation " + operation.ToString(CultureInfo.InvariantCulture),
        };
        return string.Create(CultureInfo.InvariantCulture, $"ARP, {what}, length 28");
    }
}

/// <summary>ICMP (RFC 792).</summary>
internal static class IcmpText
{
    private static readonly string[] Unreachable =
    [
        "net unreachable", "host unreachable", "protocol unreachable", "port unreachable", "need to frag", "source route failed",
        "net unknown", "host unknown", "host isolated", "net prohibited", "host prohibited", "net TOS unreachable",
        "host TOS unreachable", "admin prohibited", "host precedence violation", "precedence cutoff",
    ];

    public static string Print(ReadOnlySpan<byte> message)
    {
        if (message.Length < 8)
            return "[|icmp]";
        return string.Create(CultureInfo.InvariantCulture, $"ICMP {Describe(message)}, length {message.Length}");
    }

    private static string Describe(ReadOnlySpan<byte> message)
    {
        int id = BinaryPrimitives.ReadUInt16BigEndian(message[4..]);
        int seq = BinaryPrimitives.ReadUInt16BigEndian(message[6..]);
        byte code = message[1];
        return message[0] switch
        {
            0 => string.Create(CultureInfo.InvariantCulture, $"echo reply, id {id}, seq {seq}"),
            8 => string.Create(CultureInfo.InvariantCulture, $"echo request, id {id}, seq {seq}"),
            3 => DescribeUnreachable(message, code, mtu: seq),
            5 => $"redirect to {new IPAddress(message[4..8])}",
            11 when code == 0 => "time exceeded in-transit",
            11 => "ip reassembly time exceeded",
            12 => string.Create(CultureInfo.InvariantCulture, $"parameter problem - octet {message[4]}"),
            13 => string.Create(CultureInfo.InvariantCulture, $"time stamp query id {id} seq {seq}"),
            14 => string.Create(CultureInfo.InvariantCulture, $"time stamp reply id {id} seq {seq}"),
            _ => string.Create(CultureInfo.InvariantCulture, $"type {message[0]} code {code}"),
        };
    }

    private static string DescribeUnreachable(ReadOnlySpan<byte> message, byte code, int mtu)
    {
        string what = code < Unreachable.Length
            ? Unreachable[code]
            : string.Create(CultureInfo.InvariantCulture, $"unreachable - code {code}");
        if (code == 4)
            what = string.Create(CultureInfo.InvariantCulture, $"unreachable - need to frag (mtu {mtu})");
        ReadOnlySpan<byte> inner = message[8..];
        if (inner.Length < 20 || inner[0] >> 4 != 4)
            return what;
        var to = new IPAddress(inner[16..20]);
        int headerLength = (inner[0] & 15) * 4;
        bool hasPorts = inner[9] is 6 or 17 && headerLength >= 20 && inner.Length >= headerLength + 4;
        if (code == 3 && hasPorts)
        {
            int port = BinaryPrimitives.ReadUInt16BigEndian(inner[(headerLength + 2)..]);
            return string.Create(CultureInfo.InvariantCulture,
                $"{to} {PacketPrinter.Protocol(inner[9]).ToLowerInvariant()} port {port} unreachable");
        }

        return $"{to} {what}";
    }
}

/// <summary>TCP (RFC 9293), with the beginnings of the connections seen so far.</summary>
internal sealed class TcpText
{
    private readonly Dictionary<(IPAddress, int, IPAddress, int), uint> beginnings = [];

    public bool IsRelative { get; set; } = true;

    public string Print(IPAddress source, IPAddress destination, ReadOnlySpan<byte> segment)
    {
        if (segment.Length < 20)
            return $"{source} > {destination}: [|tcp]";
        int from = BinaryPrimitives.ReadUInt16BigEndian(segment);
        int to = BinaryPrimitives.ReadUInt16BigEndian(segment[2..]);
        string ends = string.Create(CultureInfo.InvariantCulture, $"{source}.{from} > {destination}.{to}");
        int headerLength = (segment[12] >> 4) * 4;
        if (headerLength < 20 || headerLength > segment.Length)
            return string.Create(CultureInfo.InvariantCulture, $"{ends}: Flags [{Flags(segment[13])}], bad hdr length {headerLength}");

        var text = new StringBuilder();
        ReadOnlySpan<byte> payload = segment[headerLength..];
        text.Append(ends).Append(": Flags [").Append(Flags(segment[13])).Append(']');
        AppendNumbers(text, (source, from, destination, to), segment, payload.Length);
        text.Append(CultureInfo.InvariantCulture, $", win {BinaryPrimitives.ReadUInt16BigEndian(segment[14..])}");
        if ((segment[13] & 0x20) != 0)
            text.Append(CultureInfo.InvariantCulture, $", urg {BinaryPrimitives.ReadUInt16BigEndian(segment[18..])}");
        if (headerLength > 20)
            text.Append(", options [").Append(Options(segment[20..headerLength])).Append(']');
        text.Append(CultureInfo.InvariantCulture, $", length {payload.Length}");
        AppendHttp(text, payload);
        return text.ToString();
    }

    private void AppendNumbers(
        StringBuilder text, (IPAddress Source, int From, IPAddress Destination, int To) flow, ReadOnlySpan<byte> segment, int length)
    {
        uint seq = BinaryPrimitives.ReadUInt32BigEndian(segment[4..]);
        uint ack = BinaryPrimitives.ReadUInt32BigEndian(segment[8..]);
        bool hasSyn = (segment[13] & 0x02) != 0;
        bool hasAck = (segment[13] & 0x10) != 0;
        (IPAddress, int, IPAddress, int) back = (flow.Destination, flow.To, flow.Source, flow.From);
        if (hasSyn)
        {
            beginnings[flow] = seq;
            // A new connection on old ports: what the other side numbered before is over.
            if (!hasAck)
                beginnings.Remove(back);
        }
        else if (!beginnings.ContainsKey(flow))
        {
            beginnings[flow] = seq - 1;
        }

        uint shown = IsRelative && !hasSyn ? seq - beginnings[flow] : seq;
        if (length > 0)
            text.Append(CultureInfo.InvariantCulture, $", seq {shown}:{shown + (uint)length}");
        else if ((segment[13] & 0x07) != 0)
            text.Append(CultureInfo.InvariantCulture, $", seq {shown}");
        if (!hasAck)
            return;
        if (!beginnings.TryGetValue(back, out uint beginning))
            beginnings[back] = beginning = ack - 1;
        text.Append(CultureInfo.InvariantCulture, $", ack {(IsRelative ? ack - beginning : ack)}");
    }

    private static string Flags(byte flags)
    {
        var text = new StringBuilder();
        foreach ((int bit, char letter) in ((int, char)[])[(0x01, 'F'), (0x02, 'S'), (0x04, 'R'), (0x08, 'P'), (0x20, 'U'), (0x40, 'E'), (0x80, 'W')])
        {
            if ((flags & bit) != 0)
                text.Append(letter);
        }

        if ((flags & 0x10) != 0)
            text.Append('.');
        return text.Length == 0 ? "none" : text.ToString();
    }

    private static string Options(ReadOnlySpan<byte> options)
    {
        List<string> texts = [];
        while (options.Length > 0)
        {
            byte kind = options[0];
            if (kind is 0 or 1)
            {
                texts.Add(kind == 0 ? "eol" : "nop");
                options = kind == 0 ? [] : options[1..];
                continue;
            }

            if (options.Length < 2 || options[1] < 2 || options[1] > options.Length)
            {
                texts.Add("bad");
                break;
            }

            texts.Add(Option(kind, options[2..options[1]]));
            options = options[options[1]..];
        }

        return string.Join(',', texts);
    }

    private static string Option(byte kind, ReadOnlySpan<byte> data) => (kind, data.Length) switch
    {
        (2, 2) => string.Create(CultureInfo.InvariantCulture, $"mss {BinaryPrimitives.ReadUInt16BigEndian(data)}"),
        (3, 1) => string.Create(CultureInfo.InvariantCulture, $"wscale {data[0]}"),
        (4, 0) => "sackOK",
        (5, > 0) when data.Length % 8 == 0 => Sack(data),
        (8, 8) => string.Create(CultureInfo.InvariantCulture,
            $"TS val {BinaryPrimitives.ReadUInt32BigEndian(data)} ecr {BinaryPrimitives.ReadUInt32BigEndian(data[4..])}"),
        (34, 0) => "tfo cookiereq",
        (34, _) => "tfo cookie " + Convert.ToHexStringLower(data),
        _ => string.Create(CultureInfo.InvariantCulture, $"unknown-{kind} {Convert.ToHexStringLower(data)}"),
    };

    private static string Sack(ReadOnlySpan<byte> data)
    {
        var text = new StringBuilder();
        text.Append(CultureInfo.InvariantCulture, $"sack {data.Length / 8} ");
        for (; data.Length > 0; data = data[8..])
            text.Append(CultureInfo.InvariantCulture, $"{{{BinaryPrimitives.ReadUInt32BigEndian(data)}:{BinaryPrimitives.ReadUInt32BigEndian(data[4..])}}}");
        return text.ToString();
    }

    // The first line of a request or response, as tcpdump shows it for HTTP, whatever the port.
    private static void AppendHttp(StringBuilder text, ReadOnlySpan<byte> payload)
    {
        bool isHttp = payload.StartsWith("HTTP/1."u8) || payload.StartsWith("GET "u8) || payload.StartsWith("HEAD "u8)
            || payload.StartsWith("POST "u8) || payload.StartsWith("PUT "u8) || payload.StartsWith("DELETE "u8);
        if (!isHttp)
            return;
        int end = payload.IndexOf((byte)'\r');
        ReadOnlySpan<byte> line = end < 0 ? payload : payload[..end];
        text.Append(": HTTP: ");
        foreach (byte b in line[..Math.Min(line.Length, 80)])
            text.Append(b is >= 0x20 and < 0x7f ? (char)b : '.');
    }
}
