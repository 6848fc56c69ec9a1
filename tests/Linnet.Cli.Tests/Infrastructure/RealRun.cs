using System.Diagnostics;

namespace Linnet.Cli.Tests;

/// <summary>A run of the command as a process of its own.</summary>
internal sealed class RealRun
{
    private readonly Process process;

    private RealRun(Process process) => this.process = process;

    /// <summary>The command's file.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "Linnet.Cli");

    /// <summary>Starts it.</summary>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="arguments">The command line.</param>
    public static RealRun Start(IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        ProcessStartInfo start = new(Program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return new RealRun(Process.Start(start)!);
    }

    /// <summary>Waits for its end.</summary>
    public async Task<(int Status, string Output, string Error)> EndAsync()
    {
        using (process)
        {
            Task<string> output = process.StandardOutput.ReadToEndAsync(), error = process.StandardError.ReadToEndAsync();
            await process.WaitForExitAsync().WaitAsync(TimeSpan.FromSeconds(60));
            return (process.ExitCode, await output, await error);
        }
    }
}
