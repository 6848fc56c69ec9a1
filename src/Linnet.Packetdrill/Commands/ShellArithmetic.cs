using System.Globalization;

namespace Linnet.Packetdrill.Commands;

/// <summary>What stands in <c>$(( ))</c>: whole numbers of 64 bits, C's operators and their precedence.</summary>
internal sealed class ShellArithmetic
{
    private static readonly string[][] Levels =
        [["||"], ["&&"], ["|"], ["^"], ["&"], ["==", "!="], ["<=", ">=", "<", ">"], ["<<", ">>"], ["+", "-"], ["*", "/", "%"]];

    private readonly string text;
    private readonly Func<string, string> variable;
    private int position;

    private ShellArithmetic(string text, Func<string, string> variable)
    {
        this.text = text;
        this.variable = variable;
    }

    /// <summary>Calculates.</summary>
    /// <param name="text">The expression.</param>
    /// <param name="variable">Gives a variable's value.</param>
    /// <exception cref="ShellException">It is no expression, or divides by zero.</exception>
    public static long Evaluate(string text, Func<string, string> variable)
    {
        ShellArithmetic reader = new(text, variable);
        long value = reader.Read(0);
        reader.SkipBlanks();
        return reader.position == text.Length ? value : throw reader.Bad();
    }

    private long Read(int level)
    {
        if (level == Levels.Length)
            return ReadUnary();
        long left = Read(level + 1);
        while (TakeOperator(level) is { } op)
            left = Apply(op, left, Read(level + 1));
        return left;
    }

    private long ReadUnary()
    {
        SkipBlanks();
        char c = position < text.Length ? text[position] : '\0';
        if (c is '-' or '+' or '~' or '!')
        {
            position++;
            long value = ReadUnary();
            return c switch { '-' => -value, '~' => ~value, '!' => value == 0 ? 1 : 0, _ => value };
        }
        if (c == '(')
        {
            position++;
            long value = Read(0);
            SkipBlanks();
            if (position >= text.Length || text[position++] != ')')
                throw Bad();
            return value;
        }
        int start = position;
        if (c == '$')
            start = ++position;
        while (position < text.Length && (char.IsAsciiLetterOrDigit(text[position]) || text[position] == '_'))
            position++;
        string word = text[start..position];
        if (word.Length == 0)
            throw Bad();
        return char.IsAsciiDigit(word[0]) ? Number(word) : variable(word) is { Length: > 0 } value2 ? Number(value2) : 0;
    }

    private string? TakeOperator(int level)
    {
        SkipBlanks();
        foreach (string op in Levels[level])
        {
            if (string.CompareOrdinal(text, position, op, 0, op.Length) != 0)
                continue;
            // "|" is not the first half of "||", nor "<" of "<<".
            char next = position + op.Length < text.Length ? text[position + op.Length] : '\0';
            if (op is ("|" or "&" or "<" or ">") && next == op[0])
                continue;
            position += op.Length;
            return op;
        }
        return null;
    }

    private long Apply(string op, long left, long right) => op switch
    {
        "||" => left != 0 || right != 0 ? 1 : 0,
        "&&" => left != 0 && right != 0 ? 1 : 0,
        "|" => left | right,
        "^" => left ^ right,
        "&" => left & right,
        "==" => left == right ? 1 : 0,
        "!=" => left != right ? 1 : 0,
        "<=" => left <= right ? 1 : 0,
        ">=" => left >= right ? 1 : 0,
        "<" => left < right ? 1 : 0,
        ">" => left > right ? 1 : 0,
        "<<" => left << (int)right,
        ">>" => left >> (int)right,
        "+" => left + right,
        "-" => left - right,
        "*" => left * right,
        "/" or "%" when right == 0 => throw new ShellException($"division by zero in $(({text}))"),
        "/" => left / right,
        _ => left % right,
    };

    private long Number(string word)
    {
        bool isHex = word.StartsWith("0x", StringComparison.OrdinalIgnoreCase);
        return long.TryParse(
            isHex ? word.AsSpan(2) : word,
            isHex ? NumberStyles.AllowHexSpecifier : NumberStyles.AllowLeadingSign,
            CultureInfo.InvariantCulture,
            out long value) ? value : throw Bad();
    }

    private void SkipBlanks()
    {
        while (position < text.Length && char.IsWhiteSpace(text[position]))
            position++;
    }

    private ShellException Bad() => new($"bad expression: $(({text}))");
}
