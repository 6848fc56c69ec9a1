using System.Buffers.Binary;
using System.Collections.Immutable;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>Compares what the stack sent with what the script says, field by field, in packetdrill's order and words.</summary>
internal static class PacketComparer
{
    private const int EcnMask = 3;

    /// <summary>Compares headers, options and data of a packet that has been mapped to the script's numbers.</summary>
    /// <param name="action">What the script says.</param>
    /// <param name="script">The packet that it describes.</param>
    /// <param name="actual">The packet that was sent.</param>
    /// <param name="timestamps">Whether time stamps are close enough: script's value, sent value.</param>
    /// <returns>Null, or what differs first.</returns>
    public static string? Compare(
        PacketAction action, WirePacket script, WirePacket actual, Func<uint, uint, string?> timestamps)
    {
        if (script.Protocol != actual.Protocol)
            return $"live packet header layer 1: expected: {Name(script)} header vs actual: {Name(actual)} header";
        bool skipsOptions = action is TcpPacket { Options: null };
        int allowance = skipsOptions ? actual.OptionBytes.Length : 0;
        return CompareIp(action.Ip, script, actual, allowance) ?? action switch
        {
            TcpPacket tcp => CompareTcp(tcp, script, actual, allowance)
                ?? (skipsOptions ? null : CompareOptions(script, actual, timestamps))
                ?? ComparePayload(script, actual),
            UdpPacket => Field("udp_len", Udp16(script, 4), Udp16(actual, 4)) ?? ComparePayload(script, actual),
            _ => Field("icmp_type", script.Transport[0], actual.Transport[0])
                ?? Field("icmp_code", script.Transport[1], actual.Transport[1]),
        };
    }

    /// <summary>Whether a segment goes on where another ended, so that both can be parts of a larger one.</summary>
    /// <param name="previous">The segment before, not mapped.</param>
    /// <param name="current">The segment, not mapped.</param>
    /// <param name="remaining">How many bytes the script's packet still lacks, before the segment.</param>
    /// <returns>Null, or what differs first.</returns>
    public static string? CompareFragments(WirePacket previous, WirePacket current, int remaining)
    {
        Tcphdr p = previous.Tcp;
        Tcphdr c = current.Tcp;
        string? error = Field("ipv4_protocol", (uint)previous.Protocol, (uint)current.Protocol)
            ?? Field("tcp_data_offset", (uint)p.Doff, (uint)c.Doff)
            ?? Flag("tcp_syn", p, c, TcpFlagBits.Syn) ?? Flag("tcp_rst", p, c, TcpFlagBits.Rst)
            ?? Flag("tcp_ack", p, c, TcpFlagBits.Ack) ?? Flag("tcp_urg", p, c, TcpFlagBits.Urg)
            ?? Flag("tcp_ece", p, c, TcpFlagBits.Ece) ?? Flag("tcp_ae", p, c, TcpFlagBits.Ae)
            ?? Field("tcp_seq", p.Seq + (uint)previous.Payload.Length, c.Seq)
            ?? Field("tcp_ack_seq", p.AckSeq, c.AckSeq)
            ?? Field("tcp_window", p.Window, c.Window)
            ?? Field("tcp_urg_ptr", p.UrgPtr, c.UrgPtr);
        if (error == null && current.Payload.Length < remaining && current.Payload.Length != previous.Payload.Length)
            return $"fragment payload: expected {previous.Payload.Length} bytes vs actual {current.Payload.Length} bytes";
        return error;
    }

    /// <summary>One packet of several that followed each other: the first one's number and CWR, all else of the last.</summary>
    public static WirePacket Join(IReadOnlyList<WirePacket> parts)
    {
        WirePacket first = parts[0];
        WirePacket last = parts[^1];
        int headers = last.Bytes.Length - last.Payload.Length;
        byte[] bytes = new byte[headers + parts.Sum(part => part.Payload.Length)];
        last.Bytes.AsSpan(0, headers).CopyTo(bytes);
        Span<byte> rest = bytes.AsSpan(headers);
        foreach (WirePacket part in parts)
        {
            part.Payload.CopyTo(rest);
            rest = rest[part.Payload.Length..];
        }

        WirePacket joined = new(bytes) { TimeUsecs = last.TimeUsecs };
        Iphdr iph = joined.Ip;
        iph.TotLen = (ushort)bytes.Length;
        iph.SendCheck();
        Tcphdr th = joined.Tcp;
        th.Seq = first.Tcp.Seq;
        th.Flags = th.Flags & ~(int)TcpFlagBits.Cwr | first.Tcp.Flags & (int)TcpFlagBits.Cwr;
        return joined;
    }

    private static string? CompareIp(IpInfo info, WirePacket script, WirePacket actual, int allowance) =>
        Field("ipv4_header_length", (uint)script.Ip.Ihl, (uint)actual.Ip.Ihl)
        ?? Field("ipv4_total_length", (uint)(script.Ip.TotLen + allowance), actual.Ip.TotLen)
        ?? CompareTos(info, actual.Ip.Tos)
        ?? (info.Ttl == 0 ? null : Field("ttl", info.Ttl, actual.Ip.Ttl));

    private static string? CompareTos(IpInfo info, byte actual)
    {
        int ecn = actual & EcnMask;
        return info.Check switch
        {
            TosCheck.Ect01 when ecn is not (1 or 2) => $"live packet field ip_ecn: expected: 0x1 or 0x2 vs actual: 0x{ecn:x}",
            TosCheck.Ecn => Field("ip_ecn", info.Tos, (uint)ecn),
            TosCheck.Tos => Field("tos", info.Tos, actual),
            _ => null,
        };
    }

    private static string? CompareTcp(TcpPacket packet, WirePacket script, WirePacket actual, int allowance)
    {
        Tcphdr s = script.Tcp;
        Tcphdr a = actual.Tcp;
        return Field("tcp_data_offset", (uint)(s.Doff + allowance / 4), (uint)a.Doff)
            ?? Flag("tcp_fin", s, a, TcpFlagBits.Fin) ?? Flag("tcp_syn", s, a, TcpFlagBits.Syn)
            ?? Flag("tcp_rst", s, a, TcpFlagBits.Rst) ?? Flag("tcp_psh", s, a, TcpFlagBits.Psh)
            ?? Flag("tcp_ack", s, a, TcpFlagBits.Ack) ?? Flag("tcp_urg", s, a, TcpFlagBits.Urg)
            ?? (packet.Flags.IsAce
                ? Field("tcp_ace", (uint)s.Flags >> 6, (uint)a.Flags >> 6)
                : Flag("tcp_ece", s, a, TcpFlagBits.Ece) ?? Flag("tcp_cwr", s, a, TcpFlagBits.Cwr)
                    ?? Flag("tcp_ae", s, a, TcpFlagBits.Ae))
            ?? Field("tcp_reserved_bits", Reserved(s), Reserved(a))
            ?? Field("tcp_seq", s.Seq, a.Seq)
            ?? Field("tcp_ack_seq", s.AckSeq, a.AckSeq)
            ?? (packet.Window == null ? null : Field("tcp_window", s.Window, a.Window))
            ?? Field("tcp_urg_ptr", s.UrgPtr, a.UrgPtr);
    }

    private static string? CompareOptions(WirePacket script, WirePacket actual, Func<uint, uint, string?> timestamps)
    {
        List<RawOption>? expected = OptionCodec.Decode(script.OptionBytes);
        List<RawOption>? sent = OptionCodec.Decode(actual.OptionBytes);
        if (expected == null || sent == null || !expected.Select(o => o.Kind).SequenceEqual(sent.Select(o => o.Kind)))
            return "bad outbound TCP options";
        for (int i = 0; i < expected.Count; i++)
        {
            if (CompareOption(expected[i], sent[i], timestamps) is { } error)
                return error;
        }

        return null;
    }

    // Of time stamps only the value is looked at, and that only where its clock is known; echoes are the stack's own affair.
    private static string? CompareOption(RawOption expected, RawOption sent, Func<uint, uint, string?> timestamps)
    {
        if (expected.Kind == RawOption.Timestamp && expected.Data.Length == 8 && sent.Data.Length == 8)
            return timestamps(Value(expected.Data), Value(sent.Data));
        string? what = expected.Length != sent.Length ? "bad length" : !expected.Data.SequenceEqual(sent.Data) ? "bad value" : null;
        return what == null
            ? null
            : $"{what} in outbound TCP option (kind={expected.Kind}): expected: {OptionCodec.Text(expected)} actual: {OptionCodec.Text(sent)}";
    }

    private static uint Value(ImmutableArray<byte> data) => BinaryPrimitives.ReadUInt32BigEndian(data.AsSpan());

    private static string? ComparePayload(WirePacket script, WirePacket actual) =>
        script.Payload.SequenceEqual(actual.Payload) ? null : "incorrect outbound data payload";

    private static string? Flag(string name, Tcphdr expected, Tcphdr actual, TcpFlagBits bit) =>
        Field(name, (expected.Flags & (int)bit) != 0 ? 1u : 0, (actual.Flags & (int)bit) != 0 ? 1u : 0);

    private static string? Field(string name, uint expected, uint actual) =>
        expected == actual
            ? null
            : $"live packet field {name}: expected: {expected} (0x{expected:x}) vs actual: {actual} (0x{actual:x})";

    private static uint Reserved(Tcphdr th) => th.FlagWord >> 25 & 7;

    private static uint Udp16(WirePacket packet, int offset) => BinaryPrimitives.ReadUInt16BigEndian(packet.Transport[offset..]);

    private static string Name(WirePacket packet) => packet.Protocol switch
    {
        IPPROTO_TCP => "TCP",
        IPPROTO_UDP => "UDP",
        _ => "ICMPV4",
    };
}
