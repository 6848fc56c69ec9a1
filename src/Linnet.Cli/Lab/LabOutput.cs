namespace Linnet.Cli.Lab;

/// <summary>
/// Prints what programs write, line by line, with their host's name in front. The bytes stay as they are. Callable from any thread.
/// </summary>
/// <param name="terminal">Where to.</param>
/// <param name="names">The hosts' names, whose longest says how wide the first column is.</param>
internal sealed class LabOutput(Terminal terminal, IEnumerable<string> names)
{
    // A line that is longer than this is broken, so that programs that never end one cannot fill the memory.
    private const int LongestLine = 1 << 20;
    private const int ReadAtOnce = 1 << 16;
    private const byte Return = (byte)'\r', NewLine = (byte)'\n';

    private readonly Lock gate = new();
    private readonly int width = names.Max(name => name.Length);
    private bool isGone;

    /// <summary>Called once, when nobody reads what is printed any more.</summary>
    public Action? Gone { get; init; }

    /// <summary>Prints a line about a host.</summary>
    public void Say(string name, string text, Ink ink = Ink.Plain) =>
        Print([.. terminal.Render(Prefix(name).Add(text, ink)), NewLine]);

    /// <summary>Prints what a program writes, until it and all others that have the pipe's end have closed it.</summary>
    public async Task CopyAsync(string name, Stream pipe)
    {
        byte[] prefix = terminal.Render(Prefix(name)), begun = new byte[ReadAtOnce];
        int length = 0;
        for (int read; (read = await pipe.ReadAsync(begun.AsMemory(length))) > 0;)
        {
            length += read;
            int whole = begun.AsSpan(0, length).LastIndexOf(NewLine) + 1;
            Print(prefix, begun.AsSpan(0, whole));
            length -= whole;
            begun.AsSpan(whole, length).CopyTo(begun);
            if (length == LongestLine)
            {
                Print(prefix, begun.AsSpan(0, length));
                length = 0;
            }

            if (length == begun.Length)
                Array.Resize(ref begun, length * 2);
        }

        Print(prefix, begun.AsSpan(0, length));
    }

    private Line Prefix(string name) => new Line().Add(name.PadRight(width) + " | ", Ink.Accent);

    // At once, so that lines of others do not come between.
    private void Print(byte[] prefix, ReadOnlySpan<byte> lines)
    {
        using MemoryStream text = new(lines.Length + prefix.Length);
        while (!lines.IsEmpty)
        {
            int end = lines.IndexOf(NewLine);
            ReadOnlySpan<byte> line = end < 0 ? lines : lines[..end];
            text.Write(prefix);
            Put(text, prefix, line);
            text.WriteByte(NewLine);
            lines = end < 0 ? default : lines[(end + 1)..];
        }

        Print(text.GetBuffer().AsSpan(0, (int)text.Length));
    }

    // Where a carriage return is seen, what comes behind it would be written over the host's name.
    private void Put(MemoryStream text, byte[] prefix, ReadOnlySpan<byte> line)
    {
        for (int at; terminal.IsScreen && (at = line.IndexOf(Return)) >= 0 && at < line.Length - 1;)
        {
            text.Write(line[..(at + 1)]);
            text.Write(prefix);
            line = line[(at + 1)..];
        }

        text.Write(line);
    }

    private void Print(ReadOnlySpan<byte> text)
    {
        lock (gate)
        {
            if (isGone || text.IsEmpty)
                return;
            try
            {
                terminal.Write(text);
                isGone = terminal.IsBroken;
            }
            catch (IOException)
            {
                // The terminal has hung up; the programs go on, or are ended by that signal.
                isGone = true;
                return;
            }
        }

        if (isGone)
            Gone?.Invoke();
    }
}
