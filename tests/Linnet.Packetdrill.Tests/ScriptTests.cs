using Linnet.Packetdrill.Reporting;

namespace Linnet.Packetdrill.Tests;

/// <summary>
/// The scripts in <c>Scripts/</c>, a behaviour each. They are written so that Linux's own packetdrill passes them on a kernel of
/// version 6.18, too.
/// </summary>
public class ScriptTests
{
    private static readonly string Root = Path.Combine(AppContext.BaseDirectory, "Scripts");

    public static TheoryData<string> Scripts =>
        [.. ScriptSuite.Find([Root]).Select(path => Path.GetRelativePath(Root, path).Replace('\\', '/'))];

    [Theory]
    [MemberData(nameof(Scripts))]
    public void Goes_as_written(string script)
    {
        SuiteEntry entry = Assert.Single(ScriptSuite.Run([Path.Combine(Root, script)], [], 1));
        Assert.True(entry.Passed, $"{entry.Result.Error}\n{string.Join('\n', entry.Result.Trace)}");
        Assert.Equal(0, entry.Result.PacketsLeft);
    }
}
