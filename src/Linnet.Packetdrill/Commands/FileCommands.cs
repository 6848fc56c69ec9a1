using System.Globalization;

namespace Linnet.Packetdrill.Commands;

/// <summary>Commands on the files of a run.</summary>
internal static class FileCommands
{
    private const int MaxBytes = 64 << 20;

    /// <summary><c>rm [-f] FILE...</c></summary>
    public static int Remove(CommandCall call)
    {
        bool force = false;
        int status = 0;
        foreach (string argument in call.Arguments)
        {
            if (argument is "-f" or "-rf" or "-fr")
                force = true;
            else if (argument.StartsWith('-'))
                throw call.Unsupported(argument);
            else if (!call.Host.Files.Remove(argument) && !force)
                status = call.Fail($"cannot remove '{argument}': No such file or directory");
        }
        return status;
    }

    /// <summary><c>chmod MODE FILE...</c>: files of a run can be read, written and run in any case, so that only missing ones matter.</summary>
    public static int ChangeMode(CommandCall call)
    {
        int status = 0;
        foreach (string file in call.Arguments.Skip(1))
        {
            if (!call.Host.Files.Exists(file))
                status = call.Fail($"cannot access '{file}': No such file or directory");
        }
        return status;
    }

    /// <summary><c>dd [if=FILE] [of=FILE] [bs=N] [count=N] [status=none]</c></summary>
    public static int Copy(CommandCall call)
    {
        string? input = null, output = null;
        long blockSize = 512;
        long? count = null;
        foreach (string argument in call.Arguments)
        {
            string[] parts = argument.Split('=', 2);
            switch (parts[0])
            {
                case "if" when parts.Length == 2: input = parts[1]; break;
                case "of" when parts.Length == 2: output = parts[1]; break;
                case "bs" when parts.Length == 2: blockSize = Size(call, parts[1]); break;
                case "count" when parts.Length == 2: count = Size(call, parts[1]); break;
                case "status": break;
                default: throw call.Unsupported(argument);
            }
        }

        string content = call.Streams.Input;
        long limit = count is { } blocks ? checked(blocks * blockSize) : long.MaxValue;
        if (input == "/dev/zero")
        {
            if (limit > MaxBytes)
                throw call.Unsupported(string.Create(CultureInfo.InvariantCulture, $"more than {MaxBytes} bytes of /dev/zero"));
            content = new string('\0', (int)limit);
        }
        else if (input is not null && !call.Host.Files.TryRead(input, out content))
            return call.Fail($"failed to open '{input}': No such file or directory");
        if (content.Length > limit)
            content = content[..(int)limit];
        if (output is null)
            call.Streams.Output.Append(content);
        else if (!call.Host.Files.Write(output, content, append: false, out string? problem))
            return call.Fail($"failed to open '{output}': {problem}");
        return 0;
    }

    private static long Size(CommandCall call, string text)
    {
        int shift = text.Length > 0 ? char.ToUpperInvariant(text[^1]) switch { 'K' => 10, 'M' => 20, _ => 0 } : 0;
        return uint.TryParse(shift > 0 ? text[..^1] : text, NumberStyles.None, CultureInfo.InvariantCulture, out uint value)
            ? (long)value << shift
            : throw call.Unsupported($"the number '{text}'");
    }
}
