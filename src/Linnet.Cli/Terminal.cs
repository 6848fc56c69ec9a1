using System.Text;
using Linnet.Linux;
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
    private readonly Action<ReadOnlySpan<byte>> bytes;
    private HostOutput? standard;

    // Whether standard error shows colours.
    private bool hasRichError;

    private Terminal(TextWriter output, TextWriter error, IAnsiConsole? console, Action<ReadOnlySpan<byte>>? bytes = null)
    {
        Output = output;
        Error = error;
        this.console = console;
        this.bytes = bytes ?? (text => output.Write(Encoding.UTF8.GetString(text)));
    }

    /// <summary>Standard output, for text that is the same everywhere.</summary>
    public TextWriter Output { get; }

    /// <summary>Standard error.</summary>
    public TextWriter Error { get; }

    /// <summary>Whether lines are coloured and trees are drawn.</summary>
    public bool IsRich => console != null;

    /// <summary>Whether a carriage return goes back to the start of a line that is seen.</summary>
    public bool IsScreen { get; private init; }

    /// <summary>Whether nobody reads the output any more.</summary>
    public bool IsBroken => standard?.IsBroken == true;

    /// <summary>The process's own.</summary>
    public static Terminal ForConsole()
    {
        Stream standard = StandardOutput();
        StreamWriter output = Writer(standard), error = Writer(StandardError());
        bool isScreen = !Console.IsOutputRedirected;
        bool mayBeRich = !IsPlain && Environment.GetEnvironmentVariable("TERM") is not (null or "" or "dumb");
        return new Terminal(output, error, isScreen && mayBeRich ? ConsoleFor(output) : null, standard.Write)
        {
            IsScreen = isScreen,
            standard = standard as HostOutput,
            hasRichError = mayBeRich && !Console.IsErrorRedirected,
        };
    }

    /// <summary>Standard output for bytes.</summary>
    public static Stream StandardOutput() => OperatingSystem.IsLinux() ? new HostOutput(1) : Console.OpenStandardOutput();

    /// <summary>Standard error for bytes.</summary>
    public static Stream StandardError() => OperatingSystem.IsLinux() ? new HostOutput(2, isLastResort: true) : Console.OpenStandardError();

    /// <summary>One that writes its lines to standard error: standard output is the program's that is run.</summary>
    public Terminal ToError() => new(Error, Error, hasRichError ? ConsoleFor(Error) : null);

    /// <summary>Plain text into the writers given.</summary>
    /// <param name="output">For lines.</param>
    /// <param name="error">For errors.</param>
    /// <param name="bytes">For bytes; they are written as text of UTF-8 when not given.</param>
    /// <param name="isScreen">Whether carriage returns are seen.</param>
    public static Terminal ForWriters(TextWriter output, TextWriter error, Action<ReadOnlySpan<byte>>? bytes = null, bool isScreen = false) =>
        new(output, error, null, bytes) { IsScreen = isScreen };

    /// <summary>Into a writer, with a terminal's colours unless they are not wanted.</summary>
    public static Terminal ForAnsi(TextWriter writer) => new(writer, writer, ConsoleFor(writer));

    /// <summary>Writes bytes as they are.</summary>
    public void Write(ReadOnlySpan<byte> text) => bytes(text);

    /// <summary>A line without its end as the bytes that show it.</summary>
    public byte[] Render(Line line)
    {
        if (console == null)
            return Encoding.UTF8.GetBytes(line.ToString());
        StringWriter text = new();
        ForAnsi(text).Put(line);
        return Encoding.UTF8.GetBytes(text.ToString());
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

    private static bool IsPlain => Environment.GetEnvironmentVariable("NO_COLOR") is { Length: > 0 };

    // Lines that others read as they come are not held back.
    private static StreamWriter Writer(Stream stream) =>
        new(stream, new UTF8Encoding(encoderShouldEmitUTF8Identifier: false)) { AutoFlush = true, NewLine = "\n" };

    private static IAnsiConsole ConsoleFor(TextWriter writer)
    {
        IAnsiConsole console = AnsiConsole.Create(new AnsiConsoleSettings
        {
            Ansi = AnsiSupport.Yes,
            ColorSystem = IsPlain ? ColorSystemSupport.NoColors : ColorSystemSupport.EightBit,
            Interactive = InteractionSupport.No,
            Out = new AnsiConsoleOutput(writer),
        });

        // The terminal breaks long lines itself, where it wants to; Spectre would do it at words.
        console.Profile.Width = int.MaxValue / 2;
        return console;
    }

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
