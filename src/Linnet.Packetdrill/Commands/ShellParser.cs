using System.Collections.Immutable;

namespace Linnet.Packetdrill.Commands;

/// <summary>
/// Reads the part of the POSIX shell's language that scripts use: simple commands, pipelines, lists, redirections, groups and
/// <c>if</c>.
/// </summary>
internal sealed class ShellParser
{
    private static readonly string[] Refused = ["for", "while", "until", "case", "function", "select"];
    private static readonly string[] Closing = ["then", "elif", "else", "fi", "}"];

    private readonly List<ShellToken> tokens;
    private int index;

    private ShellParser(string text) => tokens = new ShellLexer(text).Read();

    private ShellToken Current => tokens[index];

    private string? Keyword => Current.Word?.Plain;

    /// <summary>Reads a command line or a script.</summary>
    /// <exception cref="ShellException">It is not of this language.</exception>
    public static ShellList Parse(string text)
    {
        ShellParser parser = new(text);
        ShellList list = parser.ParseList();
        return parser.Current.Operator == ShellToken.End ? list : throw parser.Unexpected();
    }

    /// <summary>Reads up to something that cannot begin a command.</summary>
    private ShellList ParseList()
    {
        var steps = ImmutableArray.CreateBuilder<ShellStep>();
        var join = ShellJoin.Always;
        while (true)
        {
            SkipNewLines();
            if (Current.Operator is ShellToken.End or ")" || Closing.Contains(Keyword))
                break;
            steps.Add(ParseStep(join));
            switch (Current.Operator)
            {
                case "&&": join = ShellJoin.IfSucceeded; break;
                case "||": join = ShellJoin.IfFailed; break;
                case ";" or ShellToken.NewLine: join = ShellJoin.Always; break;
                case "&": throw new ShellException("background commands are not offered");
                default: return new ShellList(steps.ToImmutable());
            }
            index++;
        }
        return join == ShellJoin.Always ? new ShellList(steps.ToImmutable()) : throw Unexpected();
    }

    private ShellStep ParseStep(ShellJoin join)
    {
        bool negated = Keyword == "!";
        if (negated)
            index++;
        var pipeline = ImmutableArray.CreateBuilder<ShellCommand>();
        pipeline.Add(ParseCommand());
        while (Current.Operator == "|")
        {
            index++;
            SkipNewLines();
            pipeline.Add(ParseCommand());
        }
        return new ShellStep(join, negated, pipeline.ToImmutable());
    }

    private ShellCommand ParseCommand()
    {
        if (Refused.Contains(Keyword))
            throw new ShellException($"'{Keyword}' is not offered by the built-in shell");
        if (Accept("if"))
            return ParseIf() is var branch ? branch with { Redirects = ParseRedirects() } : null!;
        if (Accept("{"))
            return ParseGroup(() => Accept("}"));
        if (Current.Operator == "(")
        {
            index++;
            return ParseGroup(() => AcceptOperator(")"));
        }
        return ParseSimple();
    }

    private GroupCommand ParseGroup(Func<bool> close)
    {
        ShellList body = ParseList();
        return close() ? new GroupCommand(body, ParseRedirects()) : throw Unexpected();
    }

    private IfCommand ParseIf()
    {
        ShellList condition = ParseList();
        Expect("then");
        ShellList then = ParseList();
        if (Accept("elif"))
            return new IfCommand(condition, then, new ShellList([new ShellStep(ShellJoin.Always, false, [ParseIf()])]), []);
        ShellList? otherwise = Accept("else") ? ParseList() : null;
        Expect("fi");
        return new IfCommand(condition, then, otherwise, []);
    }

    private SimpleCommand ParseSimple()
    {
        var assignments = ImmutableArray.CreateBuilder<(string, ShellWord)>();
        var words = ImmutableArray.CreateBuilder<ShellWord>();
        var redirects = ImmutableArray.CreateBuilder<ShellRedirect>();
        while (true)
        {
            if (TryParseRedirect(out ShellRedirect? redirect))
                redirects.Add(redirect!);
            else if (Current.Word is not { } word)
                break;
            else
            {
                index++;
                if (words.Count == 0 && TryAssignment(word, out string name, out ShellWord? value))
                    assignments.Add((name, value!));
                else
                    words.Add(word);
            }
        }
        if (words.Count == 0 && assignments.Count == 0 && redirects.Count == 0)
            throw Unexpected();
        if (Current.Operator == "(")
            throw new ShellException("functions are not offered by the built-in shell");
        return new SimpleCommand(assignments.ToImmutable(), words.ToImmutable(), redirects.ToImmutable());
    }

    private ImmutableArray<ShellRedirect> ParseRedirects()
    {
        var redirects = ImmutableArray.CreateBuilder<ShellRedirect>();
        while (TryParseRedirect(out ShellRedirect? redirect))
            redirects.Add(redirect!);
        return redirects.ToImmutable();
    }

    private bool TryParseRedirect(out ShellRedirect? redirect)
    {
        redirect = null;
        int start = index;
        int stream = -2;
        if (Current.Adjacent && Keyword is ("0" or "1" or "2"))
        {
            stream = Keyword![0] - '0';
            index++;
        }
        string op = Current.Operator;
        if (op is not (">" or ">>" or ">&" or "<" or "&>" or "&>>"))
        {
            index = start;
            return false;
        }
        index++;
        if (Current.Word is not { } target)
            throw Unexpected();
        index++;
        if (stream == -2)
            stream = op == "<" ? 0 : op is "&>" or "&>>" ? -1 : 1;
        if (op != ">&")
            redirect = new ShellRedirect(stream, op is ">>" or "&>>", target, -1);
        else if (target.Plain is "1" or "2")
            redirect = new ShellRedirect(stream, false, null, target.Plain[0] - '0');
        else
            redirect = new ShellRedirect(-1, false, target, -1);
        return true;
    }

    private static bool TryAssignment(ShellWord word, out string name, out ShellWord? value)
    {
        name = "";
        value = null;
        if (word.Pieces is not [{ Kind: ShellPieceKind.Text, Quoted: false } first, ..])
            return false;
        int equals = first.Text.IndexOf('=');
        if (equals <= 0 || !IsName(first.Text[..equals]))
            return false;
        name = first.Text[..equals];
        value = new ShellWord(word.Pieces.SetItem(0, first with { Text = first.Text[(equals + 1)..] }));
        return true;
    }

    private static bool IsName(string text) =>
        !char.IsAsciiDigit(text[0]) && text.All(c => char.IsAsciiLetterOrDigit(c) || c == '_');

    private void SkipNewLines()
    {
        while (Current.Operator == ShellToken.NewLine)
            index++;
    }

    private bool Accept(string keyword)
    {
        if (Keyword != keyword)
            return false;
        index++;
        return true;
    }

    private bool AcceptOperator(string op)
    {
        if (Current.Operator != op)
            return false;
        index++;
        return true;
    }

    private void Expect(string keyword)
    {
        if (!Accept(keyword))
            throw Unexpected();
    }

    private ShellException Unexpected() =>
        new($"syntax error near '{(Current.Word is { } word ? word.Plain ?? "word" : Current.Operator.Replace("\n", "newline"))}'");
}
