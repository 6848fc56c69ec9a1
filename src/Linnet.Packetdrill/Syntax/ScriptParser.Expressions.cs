using System.Collections.Immutable;
using System.Globalization;
using System.Net;
using System.Net.Sockets;
using System.Text;

namespace Linnet.Packetdrill.Syntax;

/// <content>System calls and their arguments.</content>
public sealed partial class ScriptParser
{
    private SyscallAction ParseSyscall()
    {
        long? end = null;
        if (Current.Kind == TokenKind.Ellipsis)
        {
            index++;
            end = ParseUsecs();
        }
        int line = Current.Line;
        string name = ExpectWord("the name of a system call");
        Expect('(');
        ImmutableArray<Expression> arguments = ParseExpressions(')');
        Expect('=');
        Expression result = ParseExpression();

        ErrnoSpec? error = null;
        string? note = null;
        if (Current.Kind == TokenKind.Word)
            error = new ErrnoSpec(Take().Text, ParseNote());
        if (Current.Is('('))
            note = ParseNote();
        return new SyscallAction(line, name, arguments, result, error, note, end);
    }

    /// <summary>Words in parentheses.</summary>
    private string ParseNote()
    {
        Expect('(');
        StringBuilder text = new(ExpectWord("a word of the error's text"));
        while (!Accept(')'))
            text.Append(' ').Append(ExpectWord("a word of the error's text, or ')'"));
        return text.ToString();
    }

    /// <summary>Expressions with commas between, up to the closing character, which is taken too.</summary>
    private ImmutableArray<Expression> ParseExpressions(char close)
    {
        if (Accept(close))
            return [];
        var list = ImmutableArray.CreateBuilder<Expression>();
        do
            list.Add(ParseExpression());
        while (Accept(','));
        Expect(close);
        return list.ToImmutable();
    }

    private Expression ParseExpression()
    {
        int line = Current.Line;
        if (Current.Kind == TokenKind.Word && Next.Is('='))
        {
            string name = Take().Text;
            Expect('=');
            return new FieldExpression(line, name, ParseExpression());
        }
        Expression left = ParseOperand();
        while (Accept('|'))
            left = new OrExpression(line, left, ParseOperand());
        return left;
    }

    private Expression ParseOperand()
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.Ellipsis:
                index++;
                return new EllipsisExpression(token.Line);
            case TokenKind.Integer or TokenKind.HexInteger:
                index++;
                return ParseNumber(token);
            case TokenKind.String:
                return ParseString();
            case TokenKind.Word when token.Text is "inet_addr" or "inet6_addr" && Next.Is('('):
                return ParseAddressCall();
            case TokenKind.Word:
                index++;
                return new WordExpression(token.Line, token.Text);
            case TokenKind.Punctuation when token.Is('['):
                return ParseList();
            case TokenKind.Punctuation when token.Is('{'):
                index++;
                return ParseBraces(token.Line);
            default:
                throw Unexpected("an expression");
        }
    }

    private IntegerExpression ParseNumber(Token token)
    {
        if (token.Kind == TokenKind.HexInteger)
            return new IntegerExpression(token.Line, HexValue(token), true);
        return long.TryParse(token.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            ? new IntegerExpression(token.Line, value, false)
            : throw Semantic(token.Line, $"number out of range: {token.Text}");
    }

    private ListExpression ParseList()
    {
        int line = Current.Line;
        Expect('[');
        return new ListExpression(line, ParseExpressions(']'));
    }

    private StringExpression ParseString()
    {
        int line = Current.Line;
        StringBuilder text = new();
        var bytes = ImmutableArray.CreateBuilder<byte>();
        while (Current.Kind == TokenKind.String)
        {
            Token part = Take();
            text.Append(part.Text);
            AppendUnescaped(part, bytes);
        }
        bool isPrefix = Current.Kind == TokenKind.Ellipsis;
        if (isPrefix)
            index++;
        return new StringExpression(line, bytes.ToImmutable(), text.ToString(), isPrefix);
    }

    /// <summary>C's escapes: one letter, <c>\x</c> with two digits, up to three octal digits.</summary>
    private void AppendUnescaped(Token token, ImmutableArray<byte>.Builder bytes)
    {
        string text = token.Text;
        for (int i = 0; i < text.Length; i++)
        {
            if (text[i] != '\\')
            {
                bytes.AddRange(Encoding.UTF8.GetBytes(text, i, char.IsHighSurrogate(text[i]) ? 2 : 1));
                i += char.IsHighSurrogate(text[i]) ? 1 : 0;
                continue;
            }
            char c = ++i < text.Length ? text[i] : '\0';
            if (c == 'x' && i + 2 < text.Length && char.IsAsciiHexDigit(text[i + 1]) && char.IsAsciiHexDigit(text[i + 2]))
            {
                bytes.Add(byte.Parse(text.AsSpan(i + 1, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture));
                i += 2;
            }
            else if (c is >= '0' and <= '7')
            {
                int value = 0;
                int end = Math.Min(i + 3, text.Length);
                while (i < end && text[i] is >= '0' and <= '7')
                    value = value * 8 + (text[i++] - '0');
                i--;
                bytes.Add((byte)value);
            }
            else
            {
                bytes.Add(Unescape(token, c));
            }
        }
    }

    private byte Unescape(Token token, char c) => c switch
    {
        'a' => 7,
        'b' => 8,
        't' => 9,
        'n' => 10,
        'v' => 11,
        'f' => 12,
        'r' => 13,
        '\\' or '\'' or '"' or '?' => (byte)c,
        _ => throw Semantic(token.Line, $"unsupported escape code: '\\{c}'"),
    };

    private Expression ParseAddressCall()
    {
        int line = Current.Line;
        bool isV6 = Take().Text == "inet6_addr";
        byte[] address = ParseQuotedAddress(isV6 ? AddressFamily.InterNetworkV6 : AddressFamily.InterNetwork);
        return isV6
            ? new Inet6AddrExpression(line, [.. address])
            : new InetAddrExpression(line, System.Buffers.Binary.BinaryPrimitives.ReadUInt32BigEndian(address));
    }

    /// <summary><c>("address")</c></summary>
    private byte[] ParseQuotedAddress(AddressFamily family)
    {
        Expect('(');
        Token text = Take();
        if (text.Kind != TokenKind.String)
            throw UnexpectedLast("an address in quotes");
        Expect(')');
        return IPAddress.TryParse(text.Text, out IPAddress? address) && address.AddressFamily == family
            ? address.GetAddressBytes()
            : throw Semantic(text.Line, $"invalid {(family == AddressFamily.InterNetwork ? "IPv4" : "IPv6")} address: {text.Text}");
    }
}
