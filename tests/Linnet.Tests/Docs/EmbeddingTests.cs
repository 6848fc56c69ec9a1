using System.Runtime.CompilerServices;

namespace Linnet.Tests.Docs;

public class EmbeddingTests
{
    [Fact]
    public void The_example_works() => Assert.Equal("hello", Embedding.Example.SayHello());

    [Fact]
    public void The_page_shows_the_example_that_is_compiled()
    {
        string here = Path.GetDirectoryName(ThisFile())!;
        string source = File.ReadAllText(Path.Combine(here, "EmbeddingExample.cs"));
        string page = File.ReadAllText(Path.Combine(here, "../../../docs/embedding.md"));
        string shown = page.Split("```csharp\n")[1].Split("```")[0];
        Assert.Equal(source, shown);
    }

    private static string ThisFile([CallerFilePath] string path = "") => path;
}
