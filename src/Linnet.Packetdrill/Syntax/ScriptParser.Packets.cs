using System.Collections.Immutable;
using System.Globalization;

namespace Linnet.Packetdrill.Syntax;

/// <content>Packets.</content>
public sealed partial class ScriptParser
{
    private const int MaxTcpHeaderBytes = 60;

    private PacketAction ParsePacket()
    {
        Token start = Take();
        PacketDirection direction = start.Is('<') ? PacketDirection.Inbound : PacketDirection.Outbound;
        ImmutableArray<Encapsulation> outer = ParseOuterHeaders();
        IpInfo ip = ParseIpInfo(direction);
        if (Accept("encap"))
            outer = outer.Add(ParsePsp());

        if (Accept("udp"))
            return ParseUdp(start.Line, direction, outer, ip);
        if (Accept("icmp"))
            return ParseIcmp(start.Line, direction, outer, ip);
        return ParseTcp(start.Line, direction, outer, ip);
    }

    private ImmutableArray<Encapsulation> ParseOuterHeaders()
    {
        var outer = ImmutableArray.CreateBuilder<Encapsulation>();
        while (Current is { Kind: TokenKind.Word, Text: "ipv4" or "ipv6" or "gre" or "GREv0" or "mpls" })
        {
            Token kind = Take();
            outer.Add(new Encapsulation(kind.Line, kind.Text == "GREv0" ? "gre" : kind.Text));
            SkipOuterHeader(kind);
        }
        return outer.ToImmutable();
    }

    // Nothing here can build these headers, so it is enough to find where they end: at a colon with a blank behind it, which no
    // colon inside an address has.
    private void SkipOuterHeader(Token kind)
    {
        while (!Current.Is(':') || tokens[index + 1].Start == Current.Start + 1)
        {
            if (Current.Kind == TokenKind.End || Current.Line > kind.Line + 10)
                throw Unexpected($"':' after the {kind.Text} header");
            index++;
        }
        index++;
    }

    private Encapsulation ParsePsp()
    {
        int line = Current.Line;
        Expect("psp");
        Expect("spi");
        if (Take().Kind is not (TokenKind.Integer or TokenKind.HexInteger))
            throw UnexpectedLast("the number of a security association");
        return new Encapsulation(line, "psp");
    }

    private IpInfo ParseIpInfo(PacketDirection direction)
    {
        char close;
        if (Accept('['))
            close = ']';
        else if (Accept('('))
            close = ')';
        else
            return default;

        int line = Current.Line;
        IpInfo info = default;
        string word = ExpectWord("what is known of the IP header");
        if (word == "ttl")
            info = info with { Ttl = (byte)ExpectInteger(0, 255, "ttl") };
        else if (word == "flowlabel")
            info = info with { FlowLabel = (uint)ExpectHex(0xfffff, "flowlabel out of range for 20 bits") };
        else
            info = ParseTos(word);
        if (word is not ("ttl" or "flowlabel") && Accept(','))
        {
            Expect("flowlabel");
            info = info with { FlowLabel = (uint)ExpectHex(0xfffff, "flowlabel out of range for 20 bits") };
        }
        Expect(close);
        if (info.Check == TosCheck.Ect01 && direction != PacketDirection.Outbound)
            throw Semantic(line, "[ect01] can only be used with outbound packets");
        return info;
    }

    private IpInfo ParseTos(string word) => word switch
    {
        "noecn" => new IpInfo(TosCheck.Ecn, 0),
        "ect1" => new IpInfo(TosCheck.Ecn, 1),
        "ect0" => new IpInfo(TosCheck.Ecn, 2),
        "ce" => new IpInfo(TosCheck.Ecn, 3),
        "ect01" => new IpInfo(TosCheck.Ect01, 0),
        "tos" => new IpInfo(TosCheck.Tos, (byte)ExpectHex(0xff, "tos out of range for 8 bits")),
        _ => throw UnexpectedLast("noecn, ect0, ect1, ce, ect01, tos, ttl or flowlabel"),
    };

    private long ExpectHex(long high, string message)
    {
        Token token = Take();
        if (token.Kind != TokenKind.HexInteger)
            throw UnexpectedLast("a hexadecimal number");
        return HexValue(token) is var value and >= 0 && value <= high ? value : throw Semantic(token.Line, message);
    }

    private PortPair? ParsePorts()
    {
        if (Current.Kind != TokenKind.Integer || !Next.Is('>'))
            return null;
        var source = (ushort)ExpectInteger(0, ushort.MaxValue, "src port");
        Expect('>');
        return new PortPair(source, (ushort)ExpectInteger(0, ushort.MaxValue, "dst port"));
    }

    private UdpPacket ParseUdp(int line, PacketDirection direction, ImmutableArray<Encapsulation> outer, IpInfo ip)
    {
        if (ip.Check == TosCheck.Ecn)
            throw Semantic(line, "ECN can only be used with TCP packets");
        PortPair? ports = ParsePorts();
        Expect('(');
        var length = (int)ExpectInteger(0, ushort.MaxValue, "UDP payload size");
        Expect(')');
        return new UdpPacket(line, direction, outer, ip, ports, length);
    }

    private IcmpPacket ParseIcmp(int line, PacketDirection direction, ImmutableArray<Encapsulation> outer, IpInfo ip)
    {
        string typeName = ExpectWord("the type of an ICMP message");
        string? codeName = Current is { Kind: TokenKind.Word, Text: not ("mtu" or "id") } ? Take().Text : null;
        bool isV6 = options.IpVersion == IpVersion.Ipv6;
        if (!IcmpNames.TryParse(isV6, typeName, codeName, out byte type, out byte code, out string? problem))
            throw Semantic(line, problem);

        uint? mtu = null;
        if (Accept("mtu"))
        {
            mtu = (uint)ExpectInteger(0, isV6 ? uint.MaxValue : ushort.MaxValue, "ICMP MTU");
            if (!IcmpNames.HasMtu(isV6, type, code))
                throw Semantic(line, $"ICMP MTU is only valid for {(isV6 ? "packet_too_big" : "unreachable frag_needed")}");
        }
        ushort id = Accept("id") ? (ushort)ExpectInteger(0, ushort.MaxValue, "echo_id") : (ushort)0;
        return new IcmpPacket(line, direction, outer, ip, type, code, typeName, mtu, id, ParseEchoed());
    }

    private EchoedPacket ParseEchoed()
    {
        if (!Accept('['))
            return new EchoedPacket(IPPROTO_TCP, 0, 0);
        EchoedPacket echoed;
        if (Current is { Kind: TokenKind.Word, Text: "udp" or "raw" })
        {
            int protocol = Take().Text == "udp" ? IPPROTO_UDP : IPPROTO_RAW;
            Expect('(');
            echoed = new EchoedPacket(protocol, 0, (int)ExpectInteger(0, ushort.MaxValue, "payload size"));
            Expect(')');
        }
        else
        {
            (uint sequence, int length) = ParseSequence();
            echoed = new EchoedPacket(IPPROTO_TCP, sequence, length);
        }
        Expect(']');
        return echoed;
    }

    private TcpPacket ParseTcp(int line, PacketDirection direction, ImmutableArray<Encapsulation> outer, IpInfo ip)
    {
        PortPair? ports = ParsePorts();
        TcpFlags flags = ParseFlags();
        (uint sequence, int length) = ParseSequence();
        uint? ack = Accept("ack") ? (uint)ExpectInteger(0, uint.MaxValue, "TCP ack sequence number") : null;
        ushort? window = Accept("win") ? (ushort)ExpectInteger(0, ushort.MaxValue, "TCP window value") : null;
        ushort urgent = Accept("urg") ? (ushort)ExpectInteger(0, ushort.MaxValue, "urg_ptr value") : (ushort)0;
        ImmutableArray<TcpOption>? tcpOptions = ParseTcpOptions(direction);

        if (window is null && direction == PacketDirection.Inbound)
            throw Semantic(line, "window must be specified for inbound packets");
        TcpPacket packet = new(line, direction, outer, ip, ports, flags, sequence, length, ack, window, urgent, tcpOptions);
        CheckLengths(packet);
        return packet;
    }

    private void CheckLengths(TcpPacket packet)
    {
        int excess = packet.OptionBytes & 3;
        if (excess != 0)
        {
            throw Semantic(packet.Line, "TCP options are not padded correctly to ensure TCP header is a multiple of 4 bytes: "
                + $"{excess} excess bytes");
        }
        if (20 + packet.OptionBytes > MaxTcpHeaderBytes)
            throw Semantic(packet.Line, "TCP header too large");
        int ipHeader = options.IpVersion == IpVersion.Ipv6 ? 40 : 20;
        if (ipHeader + 20 + packet.OptionBytes + packet.PayloadBytes > ushort.MaxValue)
            throw Semantic(packet.Line, "TCP segment too large");
    }

    /// <summary><c>start:end(length)</c></summary>
    private (uint Start, int Length) ParseSequence()
    {
        int line = Current.Line;
        long start = ExpectInteger(0, uint.MaxValue, "TCP start sequence number");
        Expect(':');
        long end = ExpectInteger(0, uint.MaxValue, "TCP end sequence number");
        Expect('(');
        long length = ExpectInteger(0, ushort.MaxValue, "TCP payload size");
        Expect(')');
        return end == start + length
            ? ((uint)start, (int)length)
            : throw Semantic(line, "inconsistent TCP sequence numbers and payload size");
    }

    private TcpFlags ParseFlags()
    {
        int line = Current.Line;
        if (Accept('-'))
            return default;
        string text = Current.Kind == TokenKind.Word ? Take().Text : "";
        if (Current.Kind == TokenKind.Float || Current.Is('.'))
            text += Take().Text;
        return text.Length > 0 ? ParseFlags(line, text) : throw Unexpected("TCP flags");
    }

    private TcpFlags ParseFlags(int line, string text)
    {
        var bits = TcpFlagBits.None;
        bool hasEcn = false, hasAce = false;
        foreach (char c in text)
        {
            bool isAce = c is >= '0' and <= '7';
            bool isEcn = c is 'E' or 'W' or 'A';
            if ((isAce && (hasEcn || hasAce)) || (isEcn && hasAce))
                throw Semantic(line, $"Conflicting TCP flag: '{c}'");
            hasAce |= isAce;
            hasEcn |= isEcn;
            bits |= isAce ? AceBits(c - '0') : FlagBit(line, c);
        }
        // Packetdrill takes the digit 0 for no ECN flags at all.
        return new TcpFlags(bits, hasAce && (bits & AceBits(7)) != 0);
    }

    private static TcpFlagBits AceBits(int ace) =>
        ((ace & 1) != 0 ? TcpFlagBits.Ece : 0) | ((ace & 2) != 0 ? TcpFlagBits.Cwr : 0) | ((ace & 4) != 0 ? TcpFlagBits.Ae : 0);

    private TcpFlagBits FlagBit(int line, char c) => c switch
    {
        '.' => TcpFlagBits.Ack,
        'F' => TcpFlagBits.Fin,
        'S' => TcpFlagBits.Syn,
        'R' => TcpFlagBits.Rst,
        'P' => TcpFlagBits.Psh,
        'U' => TcpFlagBits.Urg,
        'E' => TcpFlagBits.Ece,
        'W' => TcpFlagBits.Cwr,
        'A' => TcpFlagBits.Ae,
        _ => throw Semantic(line, $"Invalid TCP flag: '{c}'"),
    };

    private static long HexValue(Token token) =>
        ulong.TryParse(token.Text.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            ? (long)value
            : long.MaxValue;
}
