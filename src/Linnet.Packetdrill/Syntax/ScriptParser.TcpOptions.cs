using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <content>TCP options.</content>
public sealed partial class ScriptParser
{
    private const int MaxCookieBytes = 38;
    private const int MaxMd5Bytes = 16;

    private ImmutableArray<TcpOption>? ParseTcpOptions(PacketDirection direction)
    {
        // The next event's direction stands behind a time, so that '<' can only open options here.
        int line = Current.Line;
        if (!Accept('<'))
            return [];
        if (Current.Kind == TokenKind.Ellipsis)
        {
            index++;
            Expect('>');
            return direction == PacketDirection.Outbound
                ? null
                : throw Semantic(line, "<...> for TCP options can only be used with outbound packets");
        }

        var list = ImmutableArray.CreateBuilder<TcpOption>();
        do
            list.Add(ParseTcpOption());
        while (Accept(','));
        Expect('>');
        return list.ToImmutable();
    }

    private TcpOption ParseTcpOption()
    {
        int line = Current.Line;
        switch (ExpectWord("a TCP option"))
        {
            case "nop": return new NopOption();
            case "eol": return new EolOption();
            case "mss": return new MssOption((ushort)ExpectInteger(0, ushort.MaxValue, "mss value"));
            case "wscale": return new WindowScaleOption((byte)ExpectInteger(0, byte.MaxValue, "window scale shift count"));
            case "sackOK": return new SackPermittedOption();
            case "sack": return ParseSack();
            case "TS": return ParseTimestamp();
            case "FO": return new FastOpenOption(ParseBlob(line, MaxCookieBytes, "TCP fast open cookie"), false);
            case "FOEXP": return new FastOpenOption(ParseBlob(line, MaxCookieBytes - 2, "TCP fast open cookie"), true);
            case "md5": return new Md5Option(ParseBlob(line, MaxMd5Bytes, "TCP MD5 digest"));
            case "ECN": return ParseAccEcn();
            default:
                throw UnexpectedLast("nop, eol, mss, wscale, sackOK, sack, TS, FO, FOEXP, md5 or ECN");
        }
    }

    private SackOption ParseSack()
    {
        var blocks = ImmutableArray.CreateBuilder<SackRange>();
        do
        {
            long left = ExpectInteger(0, uint.MaxValue, "TCP SACK left sequence number");
            Expect(':');
            blocks.Add(new SackRange(
                (uint)left, (uint)ExpectInteger(0, uint.MaxValue, "TCP SACK right sequence number")));
        }
        while (Current.Kind == TokenKind.Integer);
        return new SackOption(blocks.ToImmutable());
    }

    private TimestampOption ParseTimestamp()
    {
        Expect("val");
        long value = ExpectInteger(0, uint.MaxValue, "ts val");
        Expect("ecr");
        return new TimestampOption((uint)value, (uint)ExpectInteger(0, uint.MaxValue, "ecr val"));
    }

    /// <summary>A cookie or a digest in hexadecimal digits; none at all is an empty one.</summary>
    private ImmutableArray<byte> ParseBlob(int line, int maxBytes, string what)
    {
        if (Current.Kind is not (TokenKind.Word or TokenKind.Integer or TokenKind.HexInteger))
            return [];
        string digits = Take().Text;
        if (digits.Length % 2 != 0)
            throw Semantic(line, $"{what} has an odd number of digits");
        if (digits.Length / 2 > maxBytes)
            throw Semantic(line, $"{what} of {digits.Length / 2} bytes exceeds maximum length of {maxBytes} bytes");
        if (!digits.All(char.IsAsciiHexDigit))
            throw Semantic(line, $"{what} '{digits}' is not a valid hex string");
        return [.. Convert.FromHexString(digits)];
    }

    // The counters come in one of two orders, and may be cut off after the first or the second.
    private AccEcnOption ParseAccEcn()
    {
        string first = ExpectWord("e0b or e1b");
        string[] order = first switch
        {
            "e0b" => ["e0b", "ceb", "e1b"],
            "e1b" => ["e1b", "ceb", "e0b"],
            _ => throw UnexpectedLast("e0b or e1b"),
        };
        var counters = ImmutableArray.CreateBuilder<uint>(3);
        do
            counters.Add((uint)ExpectInteger(0, 0xffffff, "TCP AccECN field value"));
        while (counters.Count < 3 && Accept(order[counters.Count]));
        return new AccEcnOption(first == "e1b", counters.ToImmutable());
    }
}
