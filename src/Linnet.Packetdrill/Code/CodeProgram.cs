using System.Globalization;

namespace Linnet.Packetdrill.Code;

/// <summary>
/// The part of Python that scripts use: assertions, assignments, <c>print</c> and a few functions of numbers. A block is read and run
/// statement by statement; there are no branches, loops or imports.
/// </summary>
internal sealed class CodeProgram(Action<string> print)
{
    private static readonly string[][] BinaryLevels =
        [["|"], ["^"], ["&"], ["<<", ">>"], ["+", "-"], ["*", "/", "//", "%"]];

    private static readonly string[] Comparisons = ["==", "!=", "<", "<=", ">", ">="];

    private static readonly string[] Unsupported =
        ["if", "for", "while", "def", "import", "from", "class", "try", "with", "lambda", "return", "del", "raise", "in", "is"];

    private readonly Dictionary<string, object?> names = new(StringComparer.Ordinal)
    {
        ["True"] = true,
        ["False"] = false,
        ["None"] = null,
    };

    private readonly SortedSet<string> seen = new(StringComparer.Ordinal);
    private string text = "";
    private List<CodeToken> tokens = [];
    private int index;

    private CodeToken Current => tokens[index];

    /// <summary>Sets a variable.</summary>
    public void Set(string name, object? value) => names[name] = value;

    /// <summary>Runs a block.</summary>
    /// <param name="code">Its text.</param>
    /// <param name="line">The line on which it begins.</param>
    /// <exception cref="CodeException">It failed.</exception>
    public void Run(string code, int line)
    {
        text = code;
        tokens = new CodeLexer(code, line).Read();
        index = 0;
        while (Current.Kind != CodeTokenKind.End)
        {
            int at = Current.Line;
            try
            {
                RunStatement();
            }
            catch (Exception e) when (e is DivideByZeroException or OverflowException or FormatException)
            {
                throw new CodeException(at, e.Message);
            }
        }
    }

    private void RunStatement()
    {
        if (Current.Kind == CodeTokenKind.NewLine)
        {
            index++;
            return;
        }
        if (Accept("assert"))
            RunAssert();
        else if (Current.Kind == CodeTokenKind.Name && tokens[index + 1] is { Kind: CodeTokenKind.Operator, Text: [.., '='] } op
            && !Comparisons.Contains(op.Text))
            RunAssignment(op.Text);
        else if (!Accept("pass"))
            ReadTuple();
        if (Current.Kind != CodeTokenKind.NewLine)
            throw Unexpected();
        index++;
    }

    private void RunAssert()
    {
        CodeToken first = Current;
        seen.Clear();
        bool holds = CodeValue.IsTrue(ReadOr());
        string condition = text[first.Start..tokens[index - 1].End].ReplaceLineEndings(" ");
        string values = string.Join(", ", seen.Select(name => $"{name}={CodeValue.Show(names[name])}"));
        string? message = Accept(",") ? CodeValue.Show(ReadOr()) : null;
        if (holds)
            return;

        string reason = $"assertion failed: {condition}";
        if (values.Length > 0)
            reason += $" ({values})";
        throw new CodeException(first.Line, message is null ? reason : $"{reason}: {message}");
    }

    private void RunAssignment(string op)
    {
        string name = Current.Text;
        if (Unsupported.Contains(name))
            throw Unexpected();
        index += 2;
        object? value = ReadTuple();
        names[name] = op == "=" ? value : Binary(Current.Line, op[..^1], Lookup(Current.Line, name), value);
    }

    private object? ReadTuple()
    {
        object? first = ReadOr();
        if (!Current.Is(","))
            return first;
        List<object?> items = [first];
        while (Accept(",") && Current.Kind != CodeTokenKind.NewLine && !Current.Is(")"))
            items.Add(ReadOr());
        return items.ToArray();
    }

    // Both sides are read in any case, since reading is what moves on; nothing that they can do has an effect.
    private object? ReadOr()
    {
        object? left = ReadAnd();
        while (Accept("or"))
        {
            object? right = ReadAnd();
            left = CodeValue.IsTrue(left) ? left : right;
        }
        return left;
    }

    private object? ReadAnd()
    {
        object? left = ReadNot();
        while (Accept("and"))
        {
            object? right = ReadNot();
            left = CodeValue.IsTrue(left) ? right : left;
        }
        return left;
    }

    private object? ReadNot() => Accept("not") ? !CodeValue.IsTrue(ReadNot()) : ReadComparison();

    /// <summary><c>a &lt; b &lt;= c</c> is <c>a &lt; b and b &lt;= c</c>.</summary>
    private object? ReadComparison()
    {
        object? left = ReadBinary(0);
        if (!Comparisons.Contains(Current.Text) || Current.Kind != CodeTokenKind.Operator)
            return left;
        bool holds = true;
        while (Current.Kind == CodeTokenKind.Operator && Comparisons.Contains(Current.Text))
        {
            CodeToken op = Current;
            index++;
            object? right = ReadBinary(0);
            holds &= CodeValue.Compare(op.Text, left, right) ?? throw Mismatch(op.Line, op.Text, left, right);
            left = right;
        }
        return holds;
    }

    private object? ReadBinary(int level)
    {
        if (level == BinaryLevels.Length)
            return ReadUnary();
        object? left = ReadBinary(level + 1);
        while (Current.Kind == CodeTokenKind.Operator && BinaryLevels[level].Contains(Current.Text))
        {
            CodeToken op = Current;
            index++;
            left = Binary(op.Line, op.Text, left, ReadBinary(level + 1));
        }
        return left;
    }

    private object? ReadUnary()
    {
        CodeToken op = Current;
        if (op.Kind != CodeTokenKind.Operator || op.Text is not ("+" or "-" or "~"))
            return ReadAtom();
        index++;
        object? value = ReadUnary();
        return CodeValue.Unary(op.Text, value)
            ?? throw new CodeException(op.Line, $"bad operand for unary {op.Text}: {CodeValue.Show(value)}");
    }

    private object? ReadAtom()
    {
        CodeToken token = Current;
        index++;
        switch (token.Kind)
        {
            case CodeTokenKind.Number:
                return token.Value;
            case CodeTokenKind.String:
                string value = (string)token.Value!;
                while (Current.Kind == CodeTokenKind.String)
                    value += (string)tokens[index++].Value!;
                return value;
            case CodeTokenKind.Name when Unsupported.Contains(token.Text):
                index--;
                throw Unexpected();
            case CodeTokenKind.Name when Current.Is("("):
                return Call(token, ReadArguments());
            case CodeTokenKind.Name:
                return Lookup(token.Line, token.Text);
            case CodeTokenKind.Operator when token.Text == "(":
                object? inner = Current.Is(")") ? Array.Empty<object?>() : ReadTuple();
                return Accept(")") ? inner : throw Unexpected();
            default:
                index--;
                throw Unexpected();
        }
    }

    private List<object?> ReadArguments()
    {
        index++;
        List<object?> arguments = [];
        while (!Accept(")"))
        {
            arguments.Add(ReadOr());
            if (!Current.Is(")") && !Accept(","))
                throw Unexpected();
        }
        return arguments;
    }

    private object? Call(CodeToken name, List<object?> arguments)
    {
        List<object?> numbers = [.. arguments.Select(CodeValue.Number)];
        bool areNumbers = numbers.TrueForAll(number => number is not null);
        switch (name.Text, arguments.Count)
        {
            case ("print", _):
                print(string.Join(' ', arguments.Select(CodeValue.Show)));
                return null;
            case ("str", 1):
                return CodeValue.Show(arguments[0]);
            case ("abs", 1) when areNumbers:
                return numbers[0] is Int128 n ? Int128.Abs(n) : Math.Abs((double)numbers[0]!);
            case ("int", 1) when areNumbers:
                return numbers[0] is double d ? (Int128)d : numbers[0];
            case ("float", 1) when areNumbers:
                return numbers[0] is Int128 whole ? (double)whole : numbers[0];
            case ("min" or "max", > 1) when areNumbers:
                string op = name.Text == "min" ? "<" : ">";
                return numbers.Aggregate((best, number) => CodeValue.Compare(op, number, best) == true ? number : best);
            case ("hex", 1) when numbers[0] is Int128 value:
                return "0x" + CodeValue.Format("%x", [value]);
            default:
                throw new CodeException(name.Line, string.Create(
                    CultureInfo.InvariantCulture, $"there is no function {name.Text} for these {arguments.Count} arguments"));
        }
    }

    private object? Lookup(int line, string name)
    {
        if (!names.TryGetValue(name, out object? value))
            throw new CodeException(line, $"name '{name}' is not defined");
        if (name is not ("True" or "False" or "None"))
            seen.Add(name);
        return value;
    }

    private static object? Binary(int line, string op, object? left, object? right) =>
        CodeValue.Binary(op, left, right) ?? throw Mismatch(line, op, left, right);

    private static CodeException Mismatch(int line, string op, object? left, object? right) =>
        new(line, $"unsupported operands for {op}: {CodeValue.Show(left)} and {CodeValue.Show(right)}");

    private bool Accept(string word)
    {
        if (!Current.Is(word))
            return false;
        index++;
        return true;
    }

    private CodeException Unexpected()
    {
        CodeToken token = Current;
        if (token.Kind == CodeTokenKind.Name && Unsupported.Contains(token.Text))
            return new CodeException(token.Line, $"'{token.Text}' is not offered: code can assert, assign and print");
        return new CodeException(
            token.Line, token.Kind is CodeTokenKind.End or CodeTokenKind.NewLine ? "unexpected end of line" : $"unexpected '{token.Text}'");
    }
}
