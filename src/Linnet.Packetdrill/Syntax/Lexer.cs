using System.Buffers;

namespace Linnet.Packetdrill.Syntax;

/// <summary>
/// Cuts a script into tokens. As in packetdrill's own scanner the longest match wins: <c>12</c> is a number, <c>12ab</c> a word,
/// <c>1.2.3.4</c> an address.
/// </summary>
internal ref struct Lexer
{
    private static readonly SearchValues<char> WordChars =
        SearchValues.Create("0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ_abcdefghijklmnopqrstuvwxyz");

    private static readonly SearchValues<char> Digits = SearchValues.Create("0123456789");

    private readonly string path;
    private readonly string text;
    private readonly List<Token> tokens = [];
    private int position;
    private int line = 1;
    private int lineStart;

    private Lexer(string path, string text)
    {
        this.path = path;
        this.text = text;
    }

    /// <summary>Reads all tokens; the last one is <see cref="TokenKind.End"/>.</summary>
    public static List<Token> Read(string path, string text)
    {
        Lexer lexer = new(path, text);
        while (lexer.SkipBlanks())
            lexer.ReadToken();
        lexer.Add(TokenKind.End, 0, "");
        return lexer.tokens;
    }

    private readonly char Peek(int ahead = 0) => position + ahead < text.Length ? text[position + ahead] : '\0';

    /// <summary>Goes to the next token; false at the end.</summary>
    private bool SkipBlanks()
    {
        while (position < text.Length)
        {
            if (char.IsWhiteSpace(text[position]))
                Advance(1);
            else if (Peek() == '/' && Peek(1) == '/')
                Advance(LengthUntil("\n", includeEnd: false) ?? text.Length - position);
            else if (Peek() == '/' && Peek(1) == '*')
                Advance(LengthUntil("*/", skip: 2) ?? throw Unclosed("comment"));
            else
                return true;
        }
        return false;
    }

    private void ReadToken()
    {
        switch (Peek())
        {
            case '"': ReadQuoted(TokenKind.String, "string"); break;
            case '`': ReadQuoted(TokenKind.BackQuoted, "command"); break;
            case '%' when Peek(1) == '{': ReadCode(); break;
            case '.' when Peek(1) == '.' && Peek(2) == '.': Add(TokenKind.Ellipsis, 3); break;
            case '-' when Peek(1) == '-' && WordChars.Contains(Peek(2)): ReadOption(); break;
            default: ReadNumberOrWord(); break;
        }
    }

    private void ReadNumberOrWord()
    {
        int sign = Peek() == '-' ? 1 : 0;
        int whole = Run(Digits, sign);
        int fraction = Peek(sign + whole) == '.' ? Run(Digits, sign + whole + 1) : 0;
        int number = fraction > 0 ? sign + whole + 1 + fraction : whole > 0 ? sign + whole : 0;
        int word = Run(WordChars, 0);
        int address = AddressLength();

        if (address > number && address > word)
            Add(TokenKind.IpAddress, address);
        else if (number > 0 && number >= word)
            Add(fraction > 0 ? TokenKind.Float : TokenKind.Integer, number);
        else if (word > 2 && Peek() == '0' && Peek(1) == 'x' && IsHex(text.AsSpan(position + 2, word - 2)))
            Add(TokenKind.HexInteger, word);
        else if (word > 0)
            Add(TokenKind.Word, word);
        else
            Add(TokenKind.Punctuation, 1);
    }

    /// <summary>The length of four numbers with points between; 0 when there is none.</summary>
    private readonly int AddressLength()
    {
        int length = 0;
        for (int part = 0; part < 4; part++)
        {
            if (part > 0 && Peek(length++) != '.')
                return 0;
            int digits = Run(Digits, length);
            if (digits == 0)
                return 0;
            length += digits;
        }
        return length;
    }

    private void ReadQuoted(TokenKind kind, string what)
    {
        char quote = Peek();
        int end = position + 1;
        while (end < text.Length && text[end] != quote)
            end += text[end] == '\\' ? 2 : 1;
        if (end >= text.Length)
            throw Unclosed(what);
        Add(kind, end + 1 - position, text[(position + 1)..end]);
    }

    private void ReadCode()
    {
        int length = LengthUntil("}%", skip: 2) ?? throw Unclosed("code block");
        Add(TokenKind.Code, length, text.Substring(position + 2, length - 4));
    }

    // Values are taken as they stand, up to the next blank: they need not be tokens (192.0.2.1/24, 2001:db8::1).
    private void ReadOption()
    {
        Add(TokenKind.Option, 2 + Run(WordChars, 2), text.Substring(position + 2, Run(WordChars, 2)));
        int ahead = 0;
        while (Peek(ahead) is ' ' or '\t')
            ahead++;
        if (Peek(ahead) != '=')
            return;
        do
            ahead++;
        while (Peek(ahead) is ' ' or '\t');
        Advance(ahead);

        int end = position;
        while (end < text.Length && !char.IsWhiteSpace(text[end]))
        {
            if (text[end] is '"' or '`')
                end = text.IndexOf(text[end], end + 1) is var close and >= 0 ? close : throw Unclosed("option value");
            end++;
        }
        string value = text[position..end];
        bool quoted = value.Length >= 2 && value[0] == '"' && value.IndexOf('"', 1) == value.Length - 1;
        Add(TokenKind.OptionValue, value.Length, quoted ? value[1..^1] : value);
    }

    private readonly int Run(SearchValues<char> chars, int ahead)
    {
        if (position + ahead >= text.Length)
            return 0;
        ReadOnlySpan<char> rest = text.AsSpan(position + ahead);
        int length = rest.IndexOfAnyExcept(chars);
        return length < 0 ? rest.Length : length;
    }

    private readonly int? LengthUntil(string end, int skip = 0, bool includeEnd = true)
    {
        int found = position + skip <= text.Length ? text.IndexOf(end, position + skip, StringComparison.Ordinal) : -1;
        return found < 0 ? null : found - position + (includeEnd ? end.Length : 0);
    }

    private static bool IsHex(ReadOnlySpan<char> digits)
    {
        foreach (char digit in digits)
        {
            if (!char.IsAsciiHexDigit(digit))
                return false;
        }
        return true;
    }

    private void Add(TokenKind kind, int length, string? value = null)
    {
        tokens.Add(new Token(kind, value ?? text.Substring(position, length), position, line, position - lineStart + 1));
        Advance(length);
    }

    private void Advance(int length)
    {
        for (int end = position + length; position < end; position++)
        {
            if (text[position] == '\n')
            {
                line++;
                lineStart = position + 1;
            }
        }
    }

    private readonly ScriptException Unclosed(string what) => new(path, line, $"parse error: the {what} is not closed");
}
