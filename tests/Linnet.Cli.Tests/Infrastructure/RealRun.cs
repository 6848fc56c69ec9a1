using System.Diagnostics;

namespace Linnet.Cli.Tests;

/// <summary>A run of the command as a process of its own.</summary>
internal sealed class RealRun
{
    private readonly Process process;

    private RealRun(Process process) => (this.process, Pid) = (process, process.Id);

    /// <summary>The command's file.</summary>
    public static string Program => Path.Combine(AppContext.BaseDirectory, "Linnet.Cli");

    /// <summary>Its process.</summary>
    public int Pid { get; }

    /// <summary>What it prints.</summary>
    public StreamReader Output => process.StandardOutput;

    /// <summary>Starts it.</summary>
    /// <param name="environment">Variables beside those of this process.</param>
    /// <param name="arguments">The command line.</param>
    public static RealRun Start(IReadOnlyDictionary<string, string> environment, params string[] arguments) =>
        StartOther(Program, environment, arguments);

    /// <summary>Starts a shell that finds the command's file in <c>$LINNET</c>.</summary>
    public static RealRun StartShell(string script) =>
        StartOther("sh", new Dictionary<string, string> { ["LINNET"] = Program }, "-c", script);

    private static RealRun StartOther(string program, IReadOnlyDictionary<string, string> environment, params string[] arguments)
    {
        ProcessStartInfo start = new(program, arguments) { RedirectStandardOutput = true, RedirectStandardError = true };
        foreach ((string name, string value) in environment)
            start.Environment[name] = value;
        return new RealRun(Process.Start(start)!);
    }

    /// <summary>Sends it a signal.</summary>
    public void Signal(string name)
    {
        using Process kill = Process.Start("kill", [$"-{name}", $"{Pid}"]);
        kill.WaitForExit();
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
