using System.Buffers.Binary;
using System.Globalization;
using System.Text;
using System.Text.RegularExpressions;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>
/// A TCP segment as tests write it: <c>S. 0:0(0) ack 1 win 65535 &lt;mss 1460,sackOK,nop,wscale 7&gt;</c>. Flags are F, S, R,
/// P, U, E, C and . for ACK; sequence numbers are relative to the initial ones.
/// </summary>
internal sealed partial record TcpSegment
{
    public required string Flags { get; init; }

    public uint Seq { get; init; }

    public int Length { get; init; }

    public uint? Ack { get; init; }

    public int? Window { get; init; }

    public int? Urgent { get; init; }

    /// <summary>Options in the order of the header; null where a pattern does not care.</summary>
    public string? Options { get; init; }

    public byte[]? Payload { get; init; }

    /// <summary>Type of service of the IP header, ECN bits included.</summary>
    public byte Tos { get; init; }

    public static TcpSegment Parse(string text)
    {
        Match m = Pattern().Match(text);
        if (!m.Success)
            throw new FormatException($"not a segment: {text}");
        uint seq = Number(m.Groups["seq"].Value);
        uint end = Number(m.Groups["end"].Value);
        int length = int.Parse(m.Groups["len"].Value, CultureInfo.InvariantCulture);
        if (end - seq != (uint)length)
            throw new FormatException($"{seq}:{end} is not {length} long");
        return new TcpSegment
        {
            Flags = m.Groups["flags"].Value,
            Seq = seq,
            Length = length,
            Ack = m.Groups["ack"].Success ? Number(m.Groups["ack"].Value) : null,
            Window = m.Groups["win"].Success ? int.Parse(m.Groups["win"].Value, CultureInfo.InvariantCulture) : null,
            Urgent = m.Groups["urg"].Success ? int.Parse(m.Groups["urg"].Value, CultureInfo.InvariantCulture) : null,
            Options = m.Groups["opt"].Success ? m.Groups["opt"].Value : null,
        };
    }

    /// <summary>Whether another segment has all that this one, a pattern, says.</summary>
    public bool Matches(TcpSegment other) =>
        Sorted(Flags) == Sorted(other.Flags) && Seq == other.Seq && Length == other.Length
        && (Ack == null || Ack == other.Ack) && (Window == null || Window == other.Window)
        && (Urgent == null || Urgent == other.Urgent) && (Options == null || Options == other.Options);

    public override string ToString()
    {
        StringBuilder text = new($"{Flags} {Signed(Seq)}:{Signed(Seq + (uint)Length)}({Length})");
        if (Ack is { } ack)
            text.Append($" ack {Signed(ack)}");
        if (Window is { } window)
            text.Append($" win {window}");
        if (Urgent is { } urgent)
            text.Append($" urg {urgent}");
        if (Options is { Length: > 0 } options)
            text.Append($" <{options}>");
        return text.ToString();
    }

    /// <summary>The segment as bytes, with an IP header in front and right checksums.</summary>
    public byte[] ToPacket(TcpFlow flow)
    {
        byte[] options = EncodeOptions(Options ?? "", flow);
        byte[] packet = new byte[Iphdr.Size + Tcphdr.Size + options.Length + Length];
        Iphdr iph = new(packet)
        {
            VersionIhl = 0x45,
            Tos = Tos,
            TotLen = (ushort)packet.Length,
            Id = 1,
            Ttl = 64,
            Protocol = IPPROTO_TCP,
            Saddr = flow.PeerAddress,
            Daddr = flow.HostAddress,
        };
        iph.SendCheck();
        Span<byte> segment = packet.AsSpan(Iphdr.Size);
        Tcphdr th = new(segment)
        {
            Source = flow.PeerPort,
            Dest = flow.HostPort,
            Seq = flow.PeerIsn + Seq,
            AckSeq = Ack is { } a ? flow.HostIsn + a : 0,
        };
        th.FlagWord = (uint)((Tcphdr.Size + options.Length) / 4) << 28 | (uint)FlagBits(Flags) << 16 | (uint)(Window ?? 65535);
        th.UrgPtr = (ushort)(Urgent ?? 0);
        options.CopyTo(segment[Tcphdr.Size..]);
        Span<byte> data = segment[(Tcphdr.Size + options.Length)..];
        if (Payload != null)
            Payload.CopyTo(data);
        else
            Fill(data, Seq);
        th.Check = Checksum.CsumTcpudpMagic(
            flow.PeerAddress, flow.HostAddress, segment.Length, IPPROTO_TCP, Checksum.CsumPartial(segment, 0));
        return packet;
    }

    /// <summary>Reads a segment that the host sent; its checksums have to be right.</summary>
    public static TcpSegment Read(byte[] packet, TcpFlow flow)
    {
        Iphdr iph = new(packet);
        Assert.Equal(0, Iphdr.FastCsum(packet.AsSpan(0, iph.HeaderLength)));
        Assert.Equal(packet.Length, iph.TotLen);
        Assert.Equal(IPPROTO_TCP, iph.Protocol);
        Span<byte> segment = packet.AsSpan(iph.HeaderLength);
        ushort sum = Checksum.CsumTcpudpMagic(
            iph.Saddr, Destination(packet, iph), segment.Length, IPPROTO_TCP, Checksum.CsumPartial(segment, 0));
        Assert.Equal(0, sum);
        Tcphdr th = new(segment);
        flow.LearnFromHost(th);
        byte[] payload = segment[th.HeaderLength..].ToArray();
        return new TcpSegment
        {
            Flags = FlagText(th.Flags),
            Seq = th.Seq - flow.HostIsn,
            Length = payload.Length,
            Ack = th.Ack ? th.AckSeq - flow.PeerIsn : null,
            Window = th.Window,
            Urgent = th.Urg ? th.UrgPtr : null,
            Options = DecodeOptions(th.Options, flow),
            Payload = payload,
            Tos = iph.Tos,
        };
    }

    /// <summary>The byte that stands at a place of the peer's stream when a test does not say.</summary>
    public static byte ByteAt(uint seq) => (byte)(seq * 31 + 7);

    public static void Fill(Span<byte> data, uint seq)
    {
        for (int i = 0; i < data.Length; i++)
            data[i] = ByteAt(seq + (uint)i);
    }

    // With a source route, which is the only option of a header here, the last address of the route.
    private static uint Destination(byte[] packet, Iphdr iph) =>
        iph.HeaderLength > Iphdr.Size && packet[Iphdr.Size] == IpH.IPOPT_LSRR
            ? BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(Iphdr.Size + packet[Iphdr.Size + 1] - 4))
            : iph.Daddr;

    private static uint Number(string text) => (uint)long.Parse(text, CultureInfo.InvariantCulture);

    private static string Signed(uint value) => value > 0xF0000000 ? ((int)value).ToString() : value.ToString();

    private static string Sorted(string flags) => string.Concat(flags.Order());

    private static int FlagBits(string flags) => flags.Sum(flag => flag switch
    {
        'F' => TCPHDR_FIN,
        'S' => TCPHDR_SYN,
        'R' => TCPHDR_RST,
        'P' => TCPHDR_PSH,
        '.' => TCPHDR_ACK,
        'U' => TCPHDR_URG,
        'E' => TCPHDR_ECE,
        'W' => TCPHDR_CWR,
        '-' => 0,
        _ => throw new FormatException($"flag {flag}"),
    });

    private static string FlagText(int flags)
    {
        StringBuilder text = new();
        foreach ((int bit, char letter) in new[]
            {
                (TCPHDR_FIN, 'F'), (TCPHDR_SYN, 'S'), (TCPHDR_RST, 'R'), (TCPHDR_PSH, 'P'), (TCPHDR_URG, 'U'),
                (TCPHDR_ECE, 'E'), (TCPHDR_CWR, 'W'), (TCPHDR_ACK, '.'),
            })
        {
            if ((flags & bit) != 0)
                text.Append(letter);
        }

        return text.Length == 0 ? "-" : text.ToString();
    }

    private static byte[] EncodeOptions(string text, TcpFlow flow)
    {
        List<byte> bytes = [];
        foreach (string option in text.Split(',', StringSplitOptions.RemoveEmptyEntries))
        {
            string[] words = option.Trim().Split(' ');
            bytes.AddRange(words[0] switch
            {
                "nop" => [1],
                "eol" => [0],
                "mss" => [2, 4, .. Be16(ushort.Parse(words[1]))],
                "wscale" => [3, 3, byte.Parse(words[1])],
                "sackOK" => (byte[])[4, 2],
                "sack" => [5, (byte)(2 + 8 * (words.Length - 1)), .. words.Skip(1).SelectMany(block => Block(block, flow))],
                "TS" => [8, 10, .. Be32(uint.Parse(words[2])), .. Be32(flow.HostTimestamp(words[4]))],
                "raw" => Convert.FromHexString(words[1]),
                _ => throw new FormatException($"option {option}"),
            });
        }

        while (bytes.Count % 4 != 0)
            bytes.Add(0);
        return [.. bytes];
    }

    private static IEnumerable<byte> Block(string text, TcpFlow flow)
    {
        string[] ends = text.Split(':');
        return [.. Be32(flow.HostIsn + Number(ends[0])), .. Be32(flow.HostIsn + Number(ends[1]))];
    }

    private static string DecodeOptions(ReadOnlySpan<byte> options, TcpFlow flow)
    {
        List<string> names = [];
        while (!options.IsEmpty && options[0] != 0)
        {
            if (options[0] == 1)
            {
                names.Add("nop");
                options = options[1..];
                continue;
            }

            ReadOnlySpan<byte> value = options[2..options[1]];
            names.Add(options[0] switch
            {
                2 => $"mss {BinaryPrimitives.ReadUInt16BigEndian(value)}",
                3 => $"wscale {value[0]}",
                4 => "sackOK",
                5 => Blocks(value, flow),
                8 => flow.Timestamp(
                    BinaryPrimitives.ReadUInt32BigEndian(value), BinaryPrimitives.ReadUInt32BigEndian(value[4..])),
                _ => $"kind {options[0]}",
            });
            options = options[options[1]..];
        }

        return string.Join(',', names);
    }

    private static string Blocks(ReadOnlySpan<byte> value, TcpFlow flow)
    {
        StringBuilder text = new("sack");
        for (; !value.IsEmpty; value = value[8..])
        {
            uint start = BinaryPrimitives.ReadUInt32BigEndian(value) - flow.PeerIsn;
            text.Append($" {start}:{BinaryPrimitives.ReadUInt32BigEndian(value[4..]) - flow.PeerIsn}");
        }

        return text.ToString();
    }

    private static byte[] Be16(ushort value) => [(byte)(value >> 8), (byte)value];

    private static byte[] Be32(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    [GeneratedRegex(
        @"^(?<flags>[FSRPUEW.-]+) (?<seq>-?\d+):(?<end>-?\d+)\((?<len>\d+)\)( ack (?<ack>-?\d+))?( win (?<win>\d+))?( urg (?<urg>\d+))?( <(?<opt>[^>]*)>)?$")]
    private static partial Regex Pattern();
}

/// <summary>Both ends of a connection between the host and the test's peer, and their initial sequence numbers.</summary>
internal sealed class TcpFlow
{
    private uint? firstTimestamp;

    public uint HostAddress { get; init; } = 0xC0000201;

    public uint PeerAddress { get; init; } = 0xC0000202;

    public ushort HostPort { get; set; } = 80;

    public ushort PeerPort { get; set; } = 40000;

    public uint PeerIsn { get; set; } = 0xFFFF_FC00;

    public uint HostIsn { get; private set; }

    /// <summary>Takes the initial sequence number from a SYN, and the port from a SYN that opens.</summary>
    public void LearnFromHost(Tcphdr th)
    {
        if (!th.Syn)
            return;
        HostIsn = th.Seq;
        HostPort = th.Source;
    }

    /// <summary>Has the host's sequence numbers be told from a later byte on.</summary>
    public void Rebase(uint acked) => HostIsn += acked;

    /// <summary>A timestamp of the host's is told as milliseconds since its first.</summary>
    public string Timestamp(uint value, uint echo)
    {
        firstTimestamp ??= value;
        return $"TS val {value - firstTimestamp} ecr {echo}";
    }

    public uint HostTimestamp(string relative) =>
        relative == "none" ? 0 : uint.Parse(relative) + (firstTimestamp ?? 0);
}
