namespace Linnet.Programs.Tests;

/// <summary>ASP.NET Core on its own transport of sockets, in a program that is not Linnet's.</summary>
public sealed class KestrelTests : IDisposable
{
    private readonly RealLab lab = new();

    public KestrelTests() => Need.Programs("curl");

    public void Dispose() => lab.Dispose();

    // Beside this program, in the same configuration.
    private static string Program
    {
        get
        {
            DirectoryInfo own = new(AppContext.BaseDirectory);
            return Path.Combine(own.Parent!.Parent!.FullName, "KestrelHello", own.Name, "KestrelHello");
        }
    }

    [Fact]
    public async Task Serves_a_hundred_connections_of_wrk()
    {
        Need.Programs("wrk");
        string text = string.Join('\n', await ClientAsync("curl -sS http://web/; echo; wrk -c 100 -t 2 -d 2 http://web/"));
        Assert.StartsWith("hello, 10.0.0.2\n", text);
        Wrk.AssertServed(text);
    }

    [Fact]
    public async Task Streams_bodies_both_ways()
    {
        string sum = lab.WriteRandom("large", 32 << 20, 1);
        string[] lines = await ClientAsync("""
            curl -sS -T large -X POST http://web/echo | sha256sum
            curl -sSN http://web/ticks
            """);
        Assert.Equal([$"{sum}  -", "tick 0", "tick 1", "tick 2", "tick 3", "tick 4"], lines);
    }

    [Fact]
    public async Task HttpClient_asks_another_of_its_kind()
    {
        string[] lines = await ClientAsync($"""
            {Program} & own=$!
            until curl -sS http://client/ask/web/100 2> /dev/null; do sleep 0.1; done
            kill -TERM $own && wait $own
            """);
        Assert.Equal(["100 times hello, 10.0.0.2"], lines);
    }

    private async Task<string[]> ClientAsync(string script)
    {
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              web:
                run: [{Program}]
              client:
                wait_for: ['web:80']
                run: {lab.Script("client", script)}
            """);
        return outcome.Succeeded().Of("client");
    }
}
