using System.Globalization;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>test</c> and <c>[</c>: one condition, of a file, of texts or of numbers, which <c>!</c> turns round.</summary>
internal static class TestCommand
{
    public static int Run(CommandCall call)
    {
        string[] words = call.Arguments;
        if (call.Name == "[")
        {
            if (words is not [.., "]"])
                return call.Fail("missing ']'", 2);
            words = words[..^1];
        }
        bool negated = words is ["!", ..];
        bool? holds = Holds(call, negated ? words[1..] : words);
        if (holds is null)
            throw call.Unsupported($"the condition '{string.Join(' ', words)}'");
        return holds.Value != negated ? 0 : 1;
    }

    private static bool? Holds(CommandCall call, string[] words) => words switch
    {
        [] => false,
        [var text] => text.Length > 0,
        ["-n", var text] => text.Length > 0,
        ["-z", var text] => text.Length == 0,
        ["-e" or "-f" or "-r" or "-w", var file] => call.Host.Files.Exists(file),
        ["-s", var file] => call.Host.Files.TryRead(file, out string content) && content.Length > 0,
        [var left, "=" or "==", var right] => left == right,
        [var left, "!=", var right] => left != right,
        [var left, var op, var right] => Compare(left, op, right),
        _ => null,
    };

    private static bool? Compare(string left, string op, string right)
    {
        if (!long.TryParse(left, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long a)
            || !long.TryParse(right, NumberStyles.AllowLeadingSign, CultureInfo.InvariantCulture, out long b))
        {
            return null;
        }
        return op switch
        {
            "-eq" => a == b,
            "-ne" => a != b,
            "-lt" => a < b,
            "-le" => a <= b,
            "-gt" => a > b,
            "-ge" => a >= b,
            _ => null,
        };
    }
}
