using System.Globalization;

namespace Linnet.Packetdrill.Commands;

/// <summary>Commands that write, read and count text, and <c>sleep</c>.</summary>
internal static class TextCommands
{
    /// <summary><c>echo [-n] WORD...</c></summary>
    public static int Echo(CommandCall call)
    {
        bool noLineFeed = call.Arguments is ["-n", ..];
        call.Streams.Output.Append(string.Join(' ', call.Arguments.Skip(noLineFeed ? 1 : 0)));
        if (!noLineFeed)
            call.Streams.Output.Append('\n');
        return 0;
    }

    /// <summary><c>cat [FILE...]</c></summary>
    public static int Cat(CommandCall call)
    {
        int status = 0;
        foreach (string text in Inputs(call, call.Arguments, () => status = 1))
            call.Streams.Output.Append(text);
        return status;
    }

    /// <summary><c>head [-n N | -N] [FILE...]</c></summary>
    public static int Head(CommandCall call)
    {
        int count = 10;
        int used = 0;
        if (call.Arguments is ["-n", var number, ..])
            used = int.TryParse(number, NumberStyles.None, CultureInfo.InvariantCulture, out count) ? 2 : -1;
        else if (call.Arguments is [['-', .. var digits], ..])
            used = int.TryParse(digits, NumberStyles.None, CultureInfo.InvariantCulture, out count) ? 1 : -1;
        if (used < 0)
            throw call.Unsupported(string.Join(' ', call.Arguments));
        int status = 0;
        foreach (string text in Inputs(call, call.Arguments.Skip(used), () => status = 1))
        {
            foreach (string line in Lines(text).Take(count))
                call.Print(line);
        }
        return status;
    }

    /// <summary><c>wc -l|-c [FILE...]</c></summary>
    public static int Count(CommandCall call)
    {
        if (call.Arguments is not [("-l" or "-c") and var what, .. var files] || files.Length > 1)
            throw call.Unsupported(string.Join(' ', call.Arguments));
        int status = 0;
        foreach (string text in Inputs(call, files, () => status = 1))
        {
            int count = what == "-l" ? text.Count(c => c == '\n') : text.Length;
            call.Print(string.Create(CultureInfo.InvariantCulture, $"{count}{(files is [var name] ? " " + name : "")}"));
        }
        return status;
    }

    /// <summary><c>sleep SECONDS</c>, of virtual time.</summary>
    public static int Sleep(CommandCall call)
    {
        if (call.Arguments is not [var text]
            || !decimal.TryParse(text, NumberStyles.AllowDecimalPoint, CultureInfo.InvariantCulture, out decimal seconds)
            || seconds > int.MaxValue)
        {
            return call.Fail($"invalid time interval '{string.Join(' ', call.Arguments)}'");
        }
        call.Host.Sleep((long)(seconds * 1_000_000_000));
        return 0;
    }

    /// <summary>The texts of files; <c>-</c> is the input, and so is no file at all. A file that is not there is named.</summary>
    public static IEnumerable<string> Inputs(CommandCall call, IEnumerable<string> files, Action missing)
    {
        string[] names = [.. files];
        if (names.Length == 0)
            names = ["-"];
        foreach (string name in names)
        {
            if (name == "-")
                yield return call.Streams.Input;
            else if (call.Host.Files.TryRead(name, out string text))
                yield return text;
            else
            {
                call.Fail($"{name}: No such file or directory");
                missing();
            }
        }
    }

    /// <summary>The lines of a text, without line feeds.</summary>
    public static IEnumerable<string> Lines(string text) =>
        text.Length == 0 ? [] : text.EndsWith('\n') ? text[..^1].Split('\n') : text.Split('\n');
}
