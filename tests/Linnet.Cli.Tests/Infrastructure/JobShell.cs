using System.Diagnostics;
using System.Text;

namespace Linnet.Cli.Tests;

/// <summary>A shell with job control on a terminal of its own.</summary>
internal sealed class JobShell : IDisposable
{
    private static readonly TimeSpan Limit = TimeSpan.FromSeconds(30);

    private readonly Process process;

    /// <summary>Starts it.</summary>
    public JobShell()
    {
        ProcessStartInfo start = new("script", ["-qec", "bash --norc --noprofile --noediting -i", "/dev/null"])
        {
            RedirectStandardInput = true,
            RedirectStandardOutput = true,
        };
        start.Environment["LINNET"] = RealRun.Program;
        process = Process.Start(start)!;
    }

    /// <summary>Types keys.</summary>
    public void Type(string keys)
    {
        process.StandardInput.Write(keys);
        process.StandardInput.Flush();
    }

    /// <summary>Reads what is shown until a text is.</summary>
    public async Task UntilAsync(string text)
    {
        StringBuilder shown = new();
        char[] one = new char[1];
        try
        {
            while (!shown.ToString().EndsWith(text, StringComparison.Ordinal))
            {
                int read = await process.StandardOutput.ReadAsync(one.AsMemory()).AsTask().WaitAsync(Limit);
                Assert.True(read == 1, $"the shell ended without '{text}': {shown}");
                shown.Append(one[0]);
            }
        }
        catch (TimeoutException)
        {
            Assert.Fail($"no '{text}' was shown: {shown}");
        }
    }

    /// <summary>Ends it, and what it started on its terminal.</summary>
    public void Dispose()
    {
        process.Kill(entireProcessTree: true);
        process.Dispose();
    }
}
