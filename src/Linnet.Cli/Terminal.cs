using System.Text;
using Spectre.Console;

namespace Linnet.Cli;

/// <summary>How a piece of a line looks on a terminal; elsewhere all look the same.</summary>
internal enum Ink
{
    /// <summary>As everything else.</summary>
    Plain,

    /// <summary>What the reader looks for: names of functions, headings.</summary>
    Strong,

    /// <summary>What the reader may skip: tree lines, files, times.</summary>
    Faint,

    /// <summary>Values.</summary>
    Value,

    /// <summary>Something that worked.</summary>
    Good,

    /// <summary>Something that failed or was refused.</summary>
    Bad,

    /// <summary>What a program did, apart from what the kernel did.</summary>
    Accent,
}

/// <summary>A line under construction.</summary>
internal sealed class Line
{
    private readonly List<(string Text, Ink Ink)> pieces = [];

    /// <summary>The pieces so far.</summary>
    public IReadOnlyList<(string Text, Ink Ink)> Pieces => pieces;

    /// <summary>Adds a piece.</summary>
    public Line Add(string text, Ink ink = Ink.Plain)
    {
        if (text.Length > 0)
            pieces.Add((text, ink));
        return this;
    }

    /// <inheritdoc/>
    public override string ToString() => string.Concat(pieces.Select(p => p.Text));
}

/// <summary>Where a command writes: with colours and tree lines on a terminal, as plain text into a file or pipe.</summary>
internal sealed class Terminal
{
    private readonly IAnsiConsole? console;

    private Terminal(TextWriter output, TextWriter error, IAnsiConsole? console)
    {
        Output = output;
        Error = error;
        this.console = console;
    }

    /// <summary>Standard output, for text that is the same everywhere.</summary>
    public TextWriter Output { get; }

    /// <summary>Standard error.</summary>
    public TextWriter Error { get; }

    /// <summary>Whether lines are coloured and trees are drawn.</summary>
    public bool IsRich => console != null;

    /// <summary>The process's own.</summary>
    public static Terminal ForConsole()
    {
        Console.OutputEncoding = new UTF8Encoding(encoderShouldEmitUTF8Identifier: false);
        if (Console.IsOutputRedirected || Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 })
        {
            // Lines that others read as they come are not held back.
            var plain = new StreamWriter(Console.OpenStandardOutput(), Console.OutputEncoding) { AutoFlush = true, NewLine = "\n" };
            return new Terminal(plain, Console.Error, null);
        }

        IAnsiConsole console = AnsiConsole.Console;
        bool isRich = console.Profile.Capabilities.Ansi;
        // The terminal breaks long lines itself, where it wants to; Spectre would do it at words.
        console.Profile.Width = int.MaxValue / 2;
        return new Terminal(Console.Out, Console.Error, isRich ? console : null);
    }

    /// <summary>One that writes its lines to standard error, plainly: standard output is the program's that is run.</summary>
    public Terminal ToError() => new(Error, Error, null);

    /// <summary>Plain text into the writers given, for tests.</summary>
    public static Terminal ForWriters(TextWriter output, TextWriter error) => new(output, error, null);

    /// <summary>Into a writer, with a terminal's colours unless they are not wanted.</summary>
    public static Terminal ForAnsi(TextWriter writer)
    {
        bool isPlain = Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = isPlain ? ColorSystemSupport.NoColors : ColorSystemSupport.EightBit,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });
        console.Profile.Width = int.MaxValue / 2;
        return new Terminal(writer, writer, console);
    }

    /// <summary>Writes a line.</summary>
    public void Write(Line line)
    {
        // As one piece, so that the lines of several do not mix.
        if (console == null)
        {
            Output.WriteLine(line.ToString());
            return;
        }

        Put(line);
        console.WriteLine();
    }

    /// <summary>Writes a line without its end.</summary>
    public void Put(Line line)
    {
        if (console == null)
        {
            Output.Write(line.ToString());
            return;
        }

        var text = new Paragraph();
        foreach ((string piece, Ink ink) in line.Pieces)
            text.Append(piece, StyleOf(ink));
        console.Write(text);
    }

    /// <summary>Writes a line of one look.</summary>
    public void Write(string text, Ink ink = Ink.Plain) => Write(new Line().Add(text, ink));

    /// <summary>Writes an empty line.</summary>
    public void Write() => Output.WriteLine();

    private static Style StyleOf(Ink ink) => ink switch
    {
        Ink.Strong => new Style(decoration: Decoration.Bold),
        Ink.Faint => new Style(Color.Grey),
        Ink.Value => new Style(Color.Teal),
        Ink.Good => new Style(Color.Green),
        Ink.Bad => new Style(Color.Red),
        Ink.Accent => new Style(Color.Yellow),
        _ => Style.Plain,
    };
}
