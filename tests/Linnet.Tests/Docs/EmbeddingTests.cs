using System.Runtime.CompilerServices;

namespace Linnet.Tests.Docs;

public class EmbeddingTests
{
    [Fact]
    public void The_example_works() => Assert.Equal("hello", Embedding.Example.SayHello());

    [Fact]
    public void The_example_of_a_congestion_control_works() => Assert.Equal(32, Embedding.OwnCongestionControl.LargestWindow());

    [Theory]
    [InlineData("EmbeddingExample.cs")]
    [InlineData("CongestionExample.cs")]
    public void The_page_shows_the_examples_that_are_compiled(string example)
    {
        string here = Path.GetDirectoryName(ThisFile())!;
        string source = File.ReadAllText(Path.Combine(here, example));
        string page = File.ReadAllText(Path.Combine(here, "../../../docs/embedding.md"));
        Assert.Contains($"```csharp\n{source}```\n", page);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
