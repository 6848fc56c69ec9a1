using System.Collections.Immutable;
using System.Globalization;

namespace Linnet.Packetdrill.Syntax;

/// <summary>
/// Reads scripts, by recursive descent. The grammar is packetdrill's: option lines, an optional command, events, an optional command.
/// </summary>
public sealed partial class ScriptParser
{
    private readonly string path;
    private readonly List<Token> tokens;
    private int index;
    private PacketdrillOptions options = new();

    private ScriptParser(string path, string text)
    {
        this.path = path;
        tokens = Lexer.Read(path, text);
    }

    /// <summary>The token to read next, after the defined symbols have been put in the place of words.</summary>
    private Token Current => Resolve(tokens[index]);

    private Token Next => Resolve(tokens[Math.Min(index + 1, tokens.Count - 1)]);

    /// <summary>Reads a script.</summary>
    /// <param name="path">The file's name, for messages and for the directory of its commands.</param>
    /// <param name="text">The file's content.</param>
    /// <param name="commandLine">The command line's options; they win over the script's own.</param>
    /// <exception cref="ScriptException">The text is no script.</exception>
    public static Script Parse(string path, string text, IEnumerable<OptionSetting>? commandLine = null) =>
        new ScriptParser(path, text).ParseScript(commandLine ?? []);

    private Script ParseScript(IEnumerable<OptionSetting> commandLine)
    {
        ImmutableArray<OptionSetting> lines = ParseOptionLines();
        options = PacketdrillOptions.From(path, lines, commandLine);

        CommandAction? init = ParseOptionalCommand();
        var events = ImmutableArray.CreateBuilder<ScriptEvent>();
        do
            events.Add(ParseEvent());
        while (Current.Kind is not (TokenKind.End or TokenKind.BackQuoted));

        CommandAction? cleanup = ParseOptionalCommand();
        if (Current.Kind != TokenKind.End)
            throw Unexpected("the end of the script, after its last command");
        return new Script(path, lines, options, init, events.ToImmutable(), cleanup);
    }

    private ImmutableArray<OptionSetting> ParseOptionLines()
    {
        var lines = ImmutableArray.CreateBuilder<OptionSetting>();
        while (Current.Kind == TokenKind.Option)
        {
            Token option = Take();
            string? value = Current.Kind == TokenKind.OptionValue ? Take().Text : null;
            lines.Add(new OptionSetting(option.Text, value, option.Line));
        }
        return lines.ToImmutable();
    }

    private CommandAction? ParseOptionalCommand() =>
        Current.Kind == TokenKind.BackQuoted && Take() is var command ? new CommandAction(command.Line, command.Text) : null;

    private ScriptEvent ParseEvent()
    {
        int line = Current.Line;
        EventTime time = ParseTime();
        EventAction action = ParseAction();
        if (time.EndUsecs < time.Usecs)
            throw Semantic(line, "time range is backwards");

        bool isOutbound = action is PacketAction { Direction: PacketDirection.Outbound };
        if (time.Kind == EventTimeKind.Any && !isOutbound)
            throw Semantic(line, "event time <star> can only be used with outbound packets");
        if (time.EndUsecs is not null && !isOutbound)
            throw Semantic(line, "event time range can only be used with outbound packets");
        return new ScriptEvent(line, time, action);
    }

    private EventTime ParseTime()
    {
        if (Accept('*'))
            return new EventTime(EventTimeKind.Any, 0);

        bool relative = Accept('+');
        if (Current.Kind is not (TokenKind.Integer or TokenKind.Float))
            throw Unexpected("an event's time");
        long start = ParseUsecs();
        if (!Accept('~'))
            return new EventTime(relative ? EventTimeKind.Relative : EventTimeKind.Absolute, start);
        if (relative)
            Expect('+');
        return new EventTime(relative ? EventTimeKind.RelativeRange : EventTimeKind.AbsoluteRange, start, ParseUsecs());
    }

    private long ParseUsecs()
    {
        Token token = Current;
        if (token.Kind is not (TokenKind.Integer or TokenKind.Float))
            throw Unexpected("a time");
        index++;
        if (!decimal.TryParse(token.Text, NumberStyles.Float, CultureInfo.InvariantCulture, out decimal seconds)
            || seconds > int.MaxValue)
        {
            throw Semantic(token.Line, "time out of range");
        }
        if (seconds < 0)
            throw Semantic(token.Line, "negative time");
        return (long)(seconds * 1_000_000);
    }

    private EventAction ParseAction()
    {
        Token token = Current;
        switch (token.Kind)
        {
            case TokenKind.BackQuoted:
                index++;
                return new CommandAction(token.Line, token.Text);
            case TokenKind.Code:
                index++;
                return ParseCode(token);
            case TokenKind.Ellipsis or TokenKind.Word:
                return ParseSyscall();
            case TokenKind.Punctuation when token.Text is "<" or ">":
                return ParsePacket();
            default:
                throw Unexpected("a packet, a system call, a command or a code block");
        }
    }

    // The line is that of the first character which is code, so that errors inside can count on from it.
    private static CodeAction ParseCode(Token token)
    {
        string text = token.Text;
        string code = text.TrimStart();
        int skipped = text.AsSpan(0, text.Length - code.Length).Count('\n');
        return new CodeAction(token.Line + skipped, code.TrimEnd());
    }

    private Token Resolve(Token token)
    {
        if (token.Kind != TokenKind.Word || options.Define(token.Text) is not { } value)
            return token;
        if (value is ['"', .., '"'])
            return token with { Kind = TokenKind.String, Text = value[1..^1] };
        if (value is ['`', .., '`'])
            return token with { Kind = TokenKind.BackQuoted, Text = value[1..^1] };
        List<Token> parsed = Lexer.Read(path, value);
        bool isNumber = parsed.Count == 2 && parsed[0].Kind is TokenKind.Integer or TokenKind.HexInteger;
        return token with { Kind = isNumber ? parsed[0].Kind : TokenKind.Word, Text = value };
    }

    private Token Take()
    {
        Token token = Current;
        index++;
        return token;
    }

    private bool Accept(char c)
    {
        if (!Current.Is(c))
            return false;
        index++;
        return true;
    }

    private bool Accept(string word)
    {
        if (!Current.Is(word))
            return false;
        index++;
        return true;
    }

    private void Expect(char c)
    {
        if (!Accept(c))
            throw Unexpected($"'{c}'");
    }

    private void Expect(string word)
    {
        if (!Accept(word))
            throw Unexpected($"'{word}'");
    }

    private void ExpectEllipsis()
    {
        if (Take().Kind != TokenKind.Ellipsis)
            throw UnexpectedLast("'...'");
    }

    private string ExpectWord(string what)
    {
        Token token = Take();
        return token.Kind == TokenKind.Word ? token.Text : throw UnexpectedLast(what);
    }

    /// <summary>Reads a decimal number between two bounds.</summary>
    private long ExpectInteger(long low, long high, string what)
    {
        Token token = Current;
        if (token.Kind != TokenKind.Integer)
            throw Unexpected($"a decimal number: {what}");
        index++;
        if (!long.TryParse(token.Text, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long value)
            || value < low || value > high)
        {
            throw Semantic(token.Line, $"{what} out of range");
        }
        return value;
    }

    private ScriptException Semantic(int line, string message) => new(path, line, $"semantic error: {message}");

    private ScriptException Unexpected(string expected)
    {
        Token token = Current;
        string text = token.Kind == TokenKind.End ? "end of file" : token.Text.ReplaceLineEndings(" ");
        if (text.Length > 40)
            text = text[..40] + "…";
        return new ScriptException(
            path, token.Line, $"parse error at '{text}' (column {token.Column}): expected {expected}");
    }

    private ScriptException UnexpectedLast(string expected)
    {
        index--;
        return Unexpected(expected);
    }
}
