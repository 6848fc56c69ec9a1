using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests.Running;

/// <summary>Runs scripts that tests write, and says how they went.</summary>
internal static class Scripts
{
    /// <summary>A listener on descriptor 3.</summary>
    public const string Listener = """
        0 socket(..., SOCK_STREAM, IPPROTO_TCP) = 3
        +0 setsockopt(3, SOL_SOCKET, SO_REUSEADDR, [1], 4) = 0
        +0 bind(3, ..., ...) = 0
        +0 listen(3, 1) = 0

        """;

    /// <summary>A connection that the script opened, on descriptor 4; 10 ms away, MSS 1000.</summary>
    public const string Accepted = Listener + """
        +.1 < S 0:0(0) win 32792 <mss 1000,nop,wscale 7>
        +0 > S. 0:0(0) ack 1 <mss 1460,nop,wscale 10>
        +.01 < . 1:1(0) ack 1 win 257
        +0 accept(3, ..., ...) = 4

        """;

    public static RunResult Run(string text, params OptionSetting[] options) =>
        ScriptRunner.Run(ScriptParser.Parse("test.pkt", text, options));

    public static RunResult Passes(string text, params OptionSetting[] options)
    {
        RunResult result = Run(text, options);
        Assert.True(result.Passed, result.Error + "\n" + string.Join('\n', result.Trace));
        Assert.Equal(0, result.PacketsLeft);
        return result;
    }

    /// <summary>The script fails, at the line that holds <paramref name="marker"/>.</summary>
    public static RunResult FailsAt(string marker, string text, params OptionSetting[] options)
    {
        RunResult result = Run(text, options);
        Assert.False(result.Passed, "the script passed");
        int line = Array.FindIndex(text.Split('\n'), l => l.Contains(marker, StringComparison.Ordinal)) + 1;
        Assert.True(line > 0, "no such line");
        Assert.StartsWith($"test.pkt:{line}: ", result.Error!, StringComparison.Ordinal);
        return result;
    }
}
