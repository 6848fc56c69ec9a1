using System.Globalization;
using System.Net;
using System.Text;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Cli.Programs;

/// <summary>Reads programs of calls. What it cannot read is said in one line, as a <see cref="UsageException"/>.</summary>
internal sealed class Parser
{
    private static readonly Dictionary<string, long> ExtraConstants = new(StringComparer.Ordinal)
    {
        ["NULL"] = 0,
        ["INADDR_ANY"] = 0,
        ["true"] = 1,
        ["false"] = 0,
    };

    private readonly string text;
    private readonly HashSet<string> variables = new(StringComparer.Ordinal);
    private int at;

    private Parser(string text) => this.text = text;

    /// <summary>Reads a program: calls separated by <c>;</c> or line ends, <c>#</c> before a comment.</summary>
    public static CallProgram Parse(string text) => new Parser(text).ParseProgram();

    private char Next => at < text.Length ? text[at] : '\0';

    private CallProgram ParseProgram()
    {
        List<Statement> statements = [];
        while (true)
        {
            while (SkipSpace() && Next is ';' or '\n')
                at++;
            if (at == text.Length)
                break;
            statements.Add(ParseStatement());
            SkipSpace();
            if (at < text.Length && Next is not (';' or '\n'))
                throw Unexpected("';' between calls");
        }

        return statements.Count > 0 ? new CallProgram(statements) : throw new UsageException("the program has no calls");
    }

    private Statement ParseStatement()
    {
        int start = at;
        string name = Word() ?? throw Unexpected("the name of a call");
        string? target = null;
        SkipSpace();
        if (Next == '=')
        {
            at++;
            SkipSpace();
            target = name;
            name = Word() ?? throw Unexpected($"a call after '{target} ='");
            SkipSpace();
        }

        if (Next != '(')
            throw Unexpected($"'(' after '{name}'");
        CallSpec spec = CallSpec.Find(name);
        at++;
        List<Expression> arguments = ParseList(')', name);
        if (arguments.Count < spec.Required || arguments.Count > spec.Parameters.Count)
            throw new UsageException($"{name} takes {spec.Signature}, not {arguments.Count} argument{(arguments.Count == 1 ? "" : "s")}");
        if (target != null)
            variables.Add(target);
        return new Statement(text[start..at], target, name, arguments);
    }

    private List<Expression> ParseList(char close, string after)
    {
        List<Expression> items = [];
        SkipSpaceAndLines();
        while (Next != close)
        {
            items.Add(ParseExpression());
            SkipSpaceAndLines();
            if (Next == ',')
                at++;
            else if (Next != close)
                throw Unexpected($"',' or '{close}' in the arguments of '{after}'");
            SkipSpaceAndLines();
        }

        at++;
        return items;
    }

    private Expression ParseExpression()
    {
        int start = at;
        List<Expression> parts = [ParseTerm()];
        while (true)
        {
            int end = at;
            SkipSpace();
            if (Next != '|')
            {
                at = end;
                break;
            }

            at++;
            SkipSpace();
            parts.Add(ParseTerm());
        }

        return parts.Count == 1 ? parts[0] : new OrExpression(text[start..at], parts);
    }

    private Expression ParseTerm()
    {
        int start = at;
        switch (Next)
        {
            case '"':
                return ParseString();
            case '{' or '[':
                char close = Next == '{' ? '}' : ']';
                at++;
                List<Expression> items = ParseList(close, text[start..at]);
                return new ListExpression(text[start..at], items);
            case '*' or ':':
                return ParseAddress();
        }

        if (char.IsAsciiDigit(Next) || Next == '-')
            return IsAddressAhead() ? ParseAddress() : ParseNumber();
        string word = Word() ?? throw Unexpected("a number, a constant, an address or a string");
        if (word == "localhost")
        {
            at = start;
            return ParseAddress();
        }

        if (variables.Contains(word))
            return new VariableExpression(word, word, ParseIndex());
        if (ExtraConstants.TryGetValue(word, out long value) || UapiConstants.TryGet(word, out value))
            return new NumberExpression(word, value);
        throw new UsageException($"'{word}' is neither a constant of Linux's nor the result of an earlier call"
            + Suggestion.For(word, UapiConstants.All.Select(c => c.Name).Concat(variables)));
    }

    private int? ParseIndex()
    {
        if (Next != '[')
            return null;
        int index = at + 1 < text.Length ? text[at + 1] - '0' : -1;
        if (index is not (0 or 1) || at + 2 >= text.Length || text[at + 2] != ']')
            throw new UsageException("an index is [0] or [1], the two descriptors of a pipe or a socket pair");
        at += 3;
        return index;
    }

    private NumberExpression ParseNumber()
    {
        int start = at;
        bool isNegative = Next == '-';
        if (isNegative)
            at++;
        int digits = at;
        while (char.IsAsciiLetterOrDigit(Next))
            at++;
        string number = text[digits..at];
        bool isHex = number.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        bool isGood = isHex
            ? ulong.TryParse(number.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out ulong value)
            : ulong.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out value);
        if (!isGood)
            throw new UsageException($"'{text[start..at]}' is no number");
        return new NumberExpression(text[start..at], isNegative ? -unchecked((long)value) : unchecked((long)value));
    }

    // Four numbers with dots between them.
    private bool IsAddressAhead()
    {
        int i = at;
        while (i < text.Length && char.IsAsciiDigit(text[i]))
            i++;
        return i > at && i + 1 < text.Length && text[i] == '.' && char.IsAsciiDigit(text[i + 1]);
    }

    private AddressExpression ParseAddress()
    {
        int start = at;
        while (at < text.Length && (char.IsAsciiLetterOrDigit(Next) || Next is '.' or '*'))
            at++;
        string host = text[start..at];
        ushort port = 0;
        if (Next == ':')
        {
            int digits = ++at;
            while (char.IsAsciiDigit(Next))
                at++;
            if (!ushort.TryParse(text.AsSpan(digits, at - digits), NumberStyles.None, CultureInfo.InvariantCulture, out port))
                throw new UsageException($"'{text[start..at]}' has no port from 0 to 65535 after the ':'");
        }

        uint address = host switch
        {
            "" or "*" => 0,
            "localhost" => 0x7f000001,
            _ => ParseIpv4(host),
        };
        return new AddressExpression(text[start..at], address, port);
    }

    private static uint ParseIpv4(string host)
    {
        bool isGood = host.Count(c => c == '.') == 3 && IPAddress.TryParse(host, out IPAddress? address)
            && host.Split('.').All(n => n.Length is > 0 and <= 3);
        if (!isGood)
            throw new UsageException($"'{host}' is no IPv4 address");
        byte[] bytes = IPAddress.Parse(host).GetAddressBytes();
        return (uint)(bytes[0] << 24 | bytes[1] << 16 | bytes[2] << 8 | bytes[3]);
    }

    private StringExpression ParseString()
    {
        int start = at++;
        List<byte> bytes = [];
        while (Next != '"')
        {
            if (at >= text.Length)
                throw new UsageException($"a string begins with {text[start..Math.Min(text.Length, start + 20)]} and does not end");
            if (Next == '\\')
            {
                bytes.Add(Escape());
                continue;
            }

            int length = char.IsHighSurrogate(Next) && at + 1 < text.Length ? 2 : 1;
            bytes.AddRange(Encoding.UTF8.GetBytes(text.Substring(at, length)));
            at += length;
        }

        at++;
        return new StringExpression(text[start..at], [.. bytes]);
    }

    private byte Escape()
    {
        at++;
        char letter = Next;
        at++;
        switch (letter)
        {
            case 'n':
                return (byte)'\n';
            case 'r':
                return (byte)'\r';
            case 't':
                return (byte)'\t';
            case '0':
                return 0;
            case '\\' or '"' or '\'':
                return (byte)letter;
            case 'x' when at + 2 <= text.Length
                && byte.TryParse(text.AsSpan(at, 2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out byte value):
                at += 2;
                return value;
            default:
                throw new UsageException($"'\\{letter}' is no escape in a string; there are \\n \\r \\t \\0 \\\\ \\\" and \\xHH");
        }
    }

    private string? Word()
    {
        int start = at;
        while (char.IsAsciiLetter(Next) || Next == '_' || (at > start && char.IsAsciiDigit(Next)))
            at++;
        return at > start ? text[start..at] : null;
    }

    // Always true, so that it fits into conditions.
    private bool SkipSpace()
    {
        while (Next is ' ' or '\t' or '\r' or '#')
        {
            if (Next == '#')
            {
                while (at < text.Length && Next != '\n')
                    at++;
            }
            else
            {
                at++;
            }
        }

        return true;
    }

    private void SkipSpaceAndLines()
    {
        while (SkipSpace() && Next == '\n')
            at++;
    }

    private UsageException Unexpected(string expected)
    {
        string found = at >= text.Length ? "the end" : $"'{text[at..Math.Min(text.Length, at + 12)].ReplaceLineEndings(" ")}'";
        return new UsageException($"expected {expected}, found {found} at character {at + 1} of the program");
    }
}
