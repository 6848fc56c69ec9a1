using System.Globalization;
using System.Text;

namespace Linnet.Packetdrill.Code;

internal enum CodeTokenKind
{
    End,
    NewLine,
    Name,
    Number,
    String,
    Operator,
}

/// <summary>A token of code.</summary>
/// <param name="Kind">What it is.</param>
/// <param name="Text">Its text.</param>
/// <param name="Value">The value of a number or a string.</param>
/// <param name="Line">The line in the script's file.</param>
/// <param name="Start">Where it begins in the block.</param>
/// <param name="End">Where it ends in the block.</param>
internal readonly record struct CodeToken(CodeTokenKind Kind, string Text, object? Value, int Line, int Start, int End)
{
    public bool Is(string text) => Kind is CodeTokenKind.Operator or CodeTokenKind.Name && Text == text;
}

/// <summary>Cuts a code block into tokens. A line goes on after a backslash and inside parentheses.</summary>
internal sealed class CodeLexer(string text, int line)
{
    private static readonly string[] Operators =
        ["//=", "<<=", ">>=", "**", "//", "<<", ">>", "<=", ">=", "==", "!=", "+=", "-=", "*=", "/=", "%=", "&=", "|=", "^="];

    private readonly List<CodeToken> tokens = [];
    private int position;
    private int line = line;
    private int depth;

    /// <exception cref="CodeException">There is something that is no token.</exception>
    public List<CodeToken> Read()
    {
        while (position < text.Length)
            ReadToken();
        Add(CodeTokenKind.NewLine, 0);
        Add(CodeTokenKind.End, 0);
        return tokens;
    }

    private void ReadToken()
    {
        char c = text[position];
        if (c == '\n')
        {
            if (depth == 0)
                Add(CodeTokenKind.NewLine, 0);
            position++;
            line++;
        }
        else if (c == '\\' && text.AsSpan(position + 1).TrimStart(" \t\r") is ['\n', ..] rest)
        {
            position = text.Length - rest.Length + 1;
            line++;
        }
        else if (c == '\\' && text.AsSpan(position + 1).IsWhiteSpace())
            position = text.Length;
        else if (char.IsWhiteSpace(c))
            position++;
        else if (c == '#')
            position += text.AsSpan(position).IndexOf('\n') is var end and >= 0 ? end : text.Length - position;
        else if (c is '\'' or '"')
            ReadString(c);
        else if (char.IsAsciiDigit(c))
            ReadNumber();
        else if (char.IsAsciiLetter(c) || c == '_')
            Add(CodeTokenKind.Name, Run(c => char.IsAsciiLetterOrDigit(c) || c == '_'));
        else
            ReadOperator(c);
    }

    private void ReadOperator(char c)
    {
        if (c == ';')
        {
            Add(CodeTokenKind.NewLine, 1);
            return;
        }
        foreach (string op in Operators)
        {
            if (string.CompareOrdinal(text, position, op, 0, op.Length) == 0)
            {
                Add(CodeTokenKind.Operator, op.Length);
                return;
            }
        }
        if (!"()+-*/%&|^~<>=,".Contains(c))
            throw new CodeException(line, $"unexpected character '{c}'");
        depth += c == '(' ? 1 : c == ')' ? -1 : 0;
        Add(CodeTokenKind.Operator, 1);
    }

    private void ReadNumber()
    {
        int length = Run(c => char.IsAsciiLetterOrDigit(c) || c is '_' or '.');
        string digits = text.Substring(position, length).Replace("_", "", StringComparison.Ordinal);
        bool isHex = digits.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        object value;
        if (isHex && UInt128.TryParse(digits.AsSpan(2), NumberStyles.AllowHexSpecifier, CultureInfo.InvariantCulture, out UInt128 hex)
            && hex <= (UInt128)Int128.MaxValue)
            value = (Int128)hex;
        else if (Int128.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out Int128 whole))
            value = whole;
        else if (double.TryParse(digits, NumberStyles.Float, CultureInfo.InvariantCulture, out double floating))
            value = floating;
        else
            throw new CodeException(line, $"{digits} is no number");
        Add(CodeTokenKind.Number, length, value);
    }

    private void ReadString(char quote)
    {
        StringBuilder value = new();
        int end = position + 1;
        for (; end < text.Length && text[end] != quote && text[end] != '\n'; end++)
        {
            if (text[end] == '\\' && end + 1 < text.Length)
                value.Append(text[++end] switch { 'n' => '\n', 't' => '\t', var other => other });
            else
                value.Append(text[end]);
        }
        if (end >= text.Length || text[end] != quote)
            throw new CodeException(line, "the string is not closed");
        Add(CodeTokenKind.String, end + 1 - position, value.ToString());
    }

    private int Run(Func<char, bool> belongs)
    {
        int end = position;
        while (end < text.Length && belongs(text[end]))
            end++;
        return end - position;
    }

    private void Add(CodeTokenKind kind, int length, object? value = null)
    {
        tokens.Add(new CodeToken(kind, text.Substring(position, length), value, line, position, position + length));
        position += length;
    }
}

/// <summary>Code that cannot be read or failed.</summary>
internal sealed class CodeException(int line, string message) : Exception(message)
{
    /// <summary>The line in the script's file.</summary>
    public int Line { get; } = line;
}
