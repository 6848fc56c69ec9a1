using System.Text.RegularExpressions;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Docs;

/// <summary>The pages that say which test shows what: the tests that they name are there, and nothing is left out.</summary>
public sealed partial class ProofPageTests
{
    private static readonly string[] Reasons = ["not met", "not done", "for programs", "for the authors"];

    [Theory]
    [InlineData("requirements.md")]
    [InlineData("tcp-states.md")]
    [InlineData("transfers.md")]
    public void The_tests_that_a_page_names_exist(string page)
    {
        HashSet<string> tests = [.. AllTests()];
        string[] named = [.. TestName().Matches(Read(page)).Select(match => match.Groups[1].Value)];
        Assert.NotEmpty(named);
        Assert.Equal([], named.Where(name => !tests.Contains(name)));
    }

    [Fact]
    public void Every_requirement_has_a_test_or_a_reason()
    {
        foreach (string row in Read("requirements.md").Split('\n').Where(line => line.StartsWith('|') && !line.StartsWith("|---")))
        {
            string shown = row.Split('|')[3].Trim();
            Assert.True(
                shown == "Test" || TestName().IsMatch(shown) || Reasons.Any(shown.StartsWith), $"neither a test nor a reason: {row}");
        }
    }

    [Fact]
    public void Every_requirement_of_RFC_9293_is_there()
    {
        string page = Read("requirements.md");
        IEnumerable<string> all =
        [
            .. Enumerable.Range(1, 69).Select(i => $"MUST-{i}"),
            .. Enumerable.Range(1, 31).Select(i => $"SHLD-{i}"),
        ];
        Assert.Equal([], all.Where(name => !page.Contains($"| {name} |")));
    }

    private static string Read(string page) => System.IO.File.ReadAllText(Repository.PathOf("docs", page));

    private static IEnumerable<string> AllTests()
    {
        foreach (string file in Directory.EnumerateFiles(Repository.PathOf("tests"), "*.cs", SearchOption.AllDirectories))
        {
            string type = "";
            bool isTest = false;
            foreach (string line in System.IO.File.ReadLines(file))
            {
                if (ClassName().Match(line) is { Success: true } found)
                    type = found.Groups[1].Value;
                isTest |= line.Contains("[Fact") || line.Contains("[Theory");
                if (!isTest || MethodName().Match(line) is not { Success: true } method)
                    continue;
                isTest = false;
                yield return $"{type}.{method.Groups[1].Value}";
            }
        }
    }

    [GeneratedRegex("`([A-Z][A-Za-z0-9]*Tests\\.[A-Za-z0-9_]+)`")]
    private static partial Regex TestName();

    [GeneratedRegex("class (\\w+Tests)\\b")]
    private static partial Regex ClassName();

    [GeneratedRegex("public (?:async |static )*(?:void|Task|ValueTask) (\\w+)\\(")]
    private static partial Regex MethodName();
}
