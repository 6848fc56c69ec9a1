using System.Collections.Immutable;
using System.Globalization;
using System.Text;

namespace Linnet.Packetdrill.Commands;

/// <summary>The standard streams of a command: what it is given, and what it writes. Bytes are characters up to 255.</summary>
internal sealed class ShellStreams
{
    public string Input { get; set; } = "";

    public StringBuilder Output { get; set; } = new();

    public StringBuilder Error { get; set; } = new();
}

/// <summary>
/// Carries out command lines. All commands are built in, see <see cref="Builtin"/>; a file that is named as a command is read as a
/// script of this shell.
/// </summary>
/// <param name="host">What the commands work on.</param>
internal sealed class Shell(CommandHost host)
{
    /// <summary>The status of a command that does not exist.</summary>
    public const int NotFound = 127;

    private const int MaxDepth = 20;

    // The id that a script would see of the packetdrill process that runs it: a fixed one, so that runs repeat.
    private readonly Dictionary<string, string> variables = new(StringComparer.Ordinal)
    {
        ["PPID"] = "1000",
        ["PACKETDRILL_PID"] = "1000",
    };

    private string[] parameters = ["sh"];
    private int status;
    private int depth;

    /// <summary>Runs a command line or the text of a script.</summary>
    /// <returns>The status of the last command.</returns>
    public int Run(string text, ShellStreams streams)
    {
        if (++depth > MaxDepth)
            throw new ShellException("scripts call each other too deeply");
        status = 0;
        RunList(ShellParser.Parse(text), streams);
        depth--;
        return status;
    }

    private void RunList(ShellList list, ShellStreams streams)
    {
        foreach (ShellStep step in list.Steps)
        {
            if ((step.Join == ShellJoin.IfSucceeded && status != 0) || (step.Join == ShellJoin.IfFailed && status == 0))
                continue;
            RunPipeline(step.Pipeline, streams);
            if (step.Negated)
                status = status == 0 ? 1 : 0;
        }
    }

    // One command after the other, each with all that the one before wrote: none of them runs without end.
    private void RunPipeline(ImmutableArray<ShellCommand> commands, ShellStreams streams)
    {
        string input = streams.Input;
        for (int i = 0; i < commands.Length; i++)
        {
            bool isLast = i == commands.Length - 1;
            ShellStreams own = new()
            {
                Input = input,
                Output = isLast ? streams.Output : new StringBuilder(),
                Error = streams.Error,
            };
            RunCommand(commands[i], own);
            input = own.Output.ToString();
        }
    }

    private void RunCommand(ShellCommand command, ShellStreams streams)
    {
        StringBuilder pipe = streams.Output;
        List<(string Path, StringBuilder Text, bool Append)> files = [];
        foreach (ShellRedirect redirect in command.Redirects)
        {
            if (!Redirect(redirect, streams, files))
            {
                status = 1;
                return;
            }
        }

        switch (command)
        {
            case SimpleCommand simple: RunSimple(simple, streams); break;
            case GroupCommand group: RunList(group.Body, streams); break;
            case IfCommand branch: RunIf(branch, streams); break;
        }

        foreach ((string path, StringBuilder text, bool append) in files)
        {
            if (!host.Files.Write(path, text.ToString(), append, out string? problem))
            {
                streams.Error.Append(CultureInfo.InvariantCulture, $"sh: {path}: {problem}\n");
                status = 1;
            }
        }
        streams.Output = pipe;
    }

    private void RunIf(IfCommand branch, ShellStreams streams)
    {
        RunList(branch.Condition, streams);
        ShellList? chosen = status == 0 ? branch.Then : branch.Else;
        status = 0;
        if (chosen is not null)
            RunList(chosen, streams);
    }

    private bool Redirect(ShellRedirect redirect, ShellStreams streams, List<(string, StringBuilder, bool)> files)
    {
        if (redirect.Target is null)
        {
            StringBuilder copied = redirect.Copy == 1 ? streams.Output : streams.Error;
            if (redirect.Stream == 1)
                streams.Output = copied;
            else
                streams.Error = copied;
            return true;
        }

        string path = string.Concat(Expand(redirect.Target));
        if (redirect.Stream == 0)
        {
            if (host.Files.TryRead(path, out string content))
            {
                streams.Input = content;
                return true;
            }
            streams.Error.Append(CultureInfo.InvariantCulture, $"sh: {path}: No such file or directory\n");
            return false;
        }
        StringBuilder text = new();
        files.Add((path, text, redirect.Append));
        if (redirect.Stream is 1 or -1)
            streams.Output = text;
        if (redirect.Stream is 2 or -1)
            streams.Error = text;
        return true;
    }

    private void RunSimple(SimpleCommand command, ShellStreams streams)
    {
        List<string> words = [.. command.Words.SelectMany(Expand)];
        foreach ((string name, ShellWord value) in command.Assignments)
            variables[name] = string.Concat(Expand(value with { Pieces = [.. value.Pieces.Select(p => p with { Quoted = true })] }));
        if (words.Count == 0)
        {
            status = 0;
            return;
        }

        string called = words[0];
        string file = called[(called.LastIndexOf('/') + 1)..];
        if (Builtin.Find(file) is { } builtin)
            status = builtin.Run(new CommandCall(host, file, [.. words.Skip(1)], streams));
        else if (file is "." or "source" or "sh" or "bash" && words.Count > 1)
            RunScript(words[1], [.. words.Skip(1)], streams);
        else if (called.Contains('/'))
            RunScript(called, [.. words], streams);
        else
            throw new ShellException($"{called}: there is no such command; see docs/packetdrill.md for those that are built in");
    }

    private void RunScript(string path, string[] arguments, ShellStreams streams)
    {
        if (!host.Files.TryReadScript(path, out string text))
        {
            streams.Error.Append(CultureInfo.InvariantCulture, $"sh: {path}: not found\n");
            status = NotFound;
            return;
        }
        string first = text.Split('\n', 2)[0];
        if (first.StartsWith("#!", StringComparison.Ordinal) && !first.TrimEnd().EndsWith("sh", StringComparison.Ordinal))
            throw new ShellException($"{path}: scripts for {first[2..].Trim()} cannot be run here");

        string[] before = parameters;
        parameters = arguments;
        status = Run(text, streams);
        parameters = before;
    }

    /// <summary>Puts the pieces of a word together; what comes of unquoted variables and outputs is cut at blanks.</summary>
    private List<string> Expand(ShellWord word)
    {
        List<string> fields = [];
        StringBuilder? field = null;
        foreach (ShellPiece piece in word.Pieces)
        {
            string value = Value(piece);
            if (piece.Quoted || piece.Kind == ShellPieceKind.Text)
            {
                (field ??= new StringBuilder()).Append(value);
                continue;
            }
            string[] parts = value.Split([' ', '\t', '\n'], StringSplitOptions.RemoveEmptyEntries);
            for (int i = 0; i < parts.Length; i++)
            {
                if (field is not null && (i > 0 || char.IsWhiteSpace(value[0])))
                {
                    fields.Add(field.ToString());
                    field = null;
                }
                (field ??= new StringBuilder()).Append(parts[i]);
            }
        }
        if (field is not null)
            fields.Add(field.ToString());
        return fields;
    }

    private string Value(ShellPiece piece) => piece.Kind switch
    {
        ShellPieceKind.Variable => Variable(piece.Text),
        ShellPieceKind.Arithmetic => ShellArithmetic.Evaluate(piece.Text, Variable).ToString(CultureInfo.InvariantCulture),
        ShellPieceKind.Output => OutputOf(piece.Text),
        _ => piece.Text,
    };

    private string OutputOf(string command)
    {
        ShellStreams streams = new();
        Run(command, streams);
        return streams.Output.ToString().TrimEnd('\n');
    }

    private string Variable(string name)
    {
        if (name == "?")
            return status.ToString(CultureInfo.InvariantCulture);
        if (name == "#")
            return (parameters.Length - 1).ToString(CultureInfo.InvariantCulture);
        if (name is "@" or "*")
            return string.Join(' ', parameters.Skip(1));
        if (int.TryParse(name, NumberStyles.None, CultureInfo.InvariantCulture, out int number))
            return number < parameters.Length ? parameters[number] : "";
        if (name.Any(c => !char.IsAsciiLetterOrDigit(c) && c != '_'))
            throw new ShellException($"${{{name}}} is not offered by the built-in shell");
        return variables.GetValueOrDefault(name, "");
    }
}
