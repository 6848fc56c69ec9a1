using System.Collections.Immutable;
using System.Text;

namespace Linnet.Packetdrill.Commands;

/// <summary>A token of a command line: a word, or an operator (also the end of a line, and the end).</summary>
/// <param name="Word">The word, or null.</param>
/// <param name="Operator">The operator, or an empty text.</param>
/// <param name="Adjacent">Whether a redirection follows the word without a blank, so that a digit is the number of a stream.</param>
internal readonly record struct ShellToken(ShellWord? Word, string Operator, bool Adjacent = false)
{
    public const string End = "end of command";
    public const string NewLine = "\n";
}

/// <summary>Cuts a command line into words and operators, by the rules of the POSIX shell (2.3).</summary>
internal sealed class ShellLexer(string text)
{
    private static readonly string[] Operators =
        ["&>>", "&&", "||", "&>", ">>", ">&", "<&", "\n", ";", "|", ">", "<", "(", ")", "&"];

    private readonly StringBuilder literal = new();
    private ImmutableArray<ShellPiece>.Builder pieces = ImmutableArray.CreateBuilder<ShellPiece>();
    private int position;
    private bool inWord;

    /// <summary>Reads all tokens; the last is <see cref="ShellToken.End"/>.</summary>
    public List<ShellToken> Read()
    {
        List<ShellToken> tokens = [];
        while (position < text.Length)
        {
            if (ReadPiece())
                continue;
            EndWord(tokens);
            if (position < text.Length)
                ReadBetweenWords(tokens);
        }
        EndWord(tokens);
        tokens.Add(new ShellToken(null, ShellToken.End));
        return tokens;
    }

    private void ReadBetweenWords(List<ShellToken> tokens)
    {
        char c = text[position];
        if (c is ' ' or '\t' or '\r')
        {
            position++;
            return;
        }
        if (c == '#')
        {
            int end = text.IndexOf('\n', position);
            position = end < 0 ? text.Length : end;
            return;
        }
        foreach (string op in Operators)
        {
            if (string.CompareOrdinal(text, position, op, 0, op.Length) == 0)
            {
                tokens.Add(new ShellToken(null, op));
                position += op.Length;
                return;
            }
        }
        throw new ShellException($"unexpected '{c}'");
    }

    /// <summary>Reads on in a word; false where it ends.</summary>
    private bool ReadPiece()
    {
        char c = text[position];
        switch (c)
        {
            case '\\' when position + 1 < text.Length && text[position + 1] == '\n':
                position += 2;
                return true;
            case '\\':
                AddText(position + 1 < text.Length ? text[position + 1].ToString() : "\\", quoted: true);
                position = Math.Min(position + 2, text.Length);
                return true;
            case '\'':
                AddText(TakeUntil("'", 1), quoted: true);
                return true;
            case '"':
                ReadDoubleQuoted();
                return true;
            case '$':
                ReadDollar(quoted: false);
                return true;
            case '#' when inWord:
                break;
            case '#' or ' ' or '\t' or '\r' or '\n' or ';' or '|' or '&' or '<' or '>' or '(' or ')':
                return false;
        }
        literal.Append(c);
        inWord = true;
        position++;
        return true;
    }

    private void ReadDoubleQuoted()
    {
        position++;
        AddText("", quoted: true);
        StringBuilder quoted = new();
        while (position < text.Length && text[position] != '"')
        {
            char c = text[position];
            if (c == '$')
            {
                AddText(quoted.ToString(), quoted: true);
                quoted.Clear();
                ReadDollar(quoted: true);
                continue;
            }
            if (c == '\\' && position + 1 < text.Length && text[position + 1] is '"' or '\\' or '$' or '`' or '\n')
                c = text[++position];
            if (c != '\n' || text[position - 1] != '\\')
                quoted.Append(c);
            position++;
        }
        if (position >= text.Length)
            throw new ShellException("the string is not closed");
        position++;
        AddText(quoted.ToString(), quoted: true);
    }

    private void ReadDollar(bool quoted)
    {
        string rest = text[position..];
        if (rest.StartsWith("$((", StringComparison.Ordinal))
            AddPiece(ShellPieceKind.Arithmetic, TakeUntil("))", 3), quoted);
        else if (rest.StartsWith("$(", StringComparison.Ordinal))
            AddPiece(ShellPieceKind.Output, TakeParenthesized(), quoted);
        else if (rest.StartsWith("${", StringComparison.Ordinal))
            AddPiece(ShellPieceKind.Variable, TakeUntil("}", 2), quoted);
        else
        {
            int length = 1;
            while (length < rest.Length && (char.IsAsciiLetterOrDigit(rest[length]) || rest[length] == '_'))
                length++;
            if (length == 1 && rest.Length > 1 && "?#$@*!".Contains(rest[1]))
                length = 2;
            position += length;
            if (length == 1)
                AddText("$", quoted);
            else
                AddPiece(ShellPieceKind.Variable, rest[1..length], quoted);
        }
    }

    private string TakeUntil(string end, int skip)
    {
        int found = text.IndexOf(end, position + skip, StringComparison.Ordinal);
        if (found < 0)
            throw new ShellException($"{end} is missing");
        string inner = text[(position + skip)..found];
        position = found + end.Length;
        return inner;
    }

    private string TakeParenthesized()
    {
        int depth = 0;
        for (int i = position + 1; i < text.Length; i++)
        {
            depth += text[i] == '(' ? 1 : text[i] == ')' ? -1 : 0;
            if (depth == 0)
            {
                string inner = text[(position + 2)..i];
                position = i + 1;
                return inner;
            }
        }
        throw new ShellException(") is missing");
    }

    private void AddText(string value, bool quoted)
    {
        if (!quoted)
        {
            literal.Append(value);
            inWord = true;
            return;
        }
        AddPiece(ShellPieceKind.Text, value, quoted: true);
    }

    private void AddPiece(ShellPieceKind kind, string value, bool quoted)
    {
        FlushLiteral();
        pieces.Add(new ShellPiece(kind, value, quoted));
        inWord = true;
    }

    private void FlushLiteral()
    {
        if (literal.Length > 0)
            pieces.Add(new ShellPiece(ShellPieceKind.Text, literal.ToString(), false));
        literal.Clear();
    }

    private void EndWord(List<ShellToken> tokens)
    {
        if (!inWord)
            return;
        FlushLiteral();
        bool adjacent = position < text.Length && text[position] is ('<' or '>');
        tokens.Add(new ShellToken(new ShellWord(pieces.ToImmutable()), "", adjacent));
        pieces = ImmutableArray.CreateBuilder<ShellPiece>();
        inWord = false;
    }
}
