using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Tests;

/// <summary>The scripts of <c>Scripts/</c>: behaviour of TCP that is told best by packets and calls. All of them go as written.</summary>
public class OwnScriptTests
{
    private static string Folder => Path.Combine(AppContext.BaseDirectory, "Scripts");

    public static TheoryData<string> Names => [.. Directory.GetFiles(Folder, "*.pkt").Select(p => Path.GetFileName(p)).Order(StringComparer.Ordinal)];

    [Theory]
    [MemberData(nameof(Names))]
    public void Goes_as_written(string name)
    {
        string path = Path.Combine(Folder, name);
        RunResult result = ScriptRunner.Run(ScriptParser.Parse(path, File.ReadAllText(path)));
        Assert.True(result.Passed, result.Error + "\n" + string.Join('\n', result.Trace));
    }
}
