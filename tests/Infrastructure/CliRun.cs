using Linnet.Cli;

namespace Linnet.Testing;

/// <summary>A run of the command inside of the test's process.</summary>
/// <param name="Status">Exit status.</param>
/// <param name="Output">Standard output.</param>
/// <param name="Error">Standard error.</param>
internal sealed record CliRun(int Status, string Output, string Error)
{
    /// <summary>The lines of <see cref="Output"/>.</summary>
    public string[] Lines => Output.Split('\n', StringSplitOptions.RemoveEmptyEntries);

    /// <summary>Runs a command line.</summary>
    public static async Task<CliRun> RunAsync(params string[] args)
    {
        var output = new StringWriter { NewLine = "\n" };
        var error = new StringWriter { NewLine = "\n" };
        var terminal = Terminal.ForWriters(output, error);
        int status = await CommandLine.RunAsync(args, terminal, CommandLine.All(terminal));
        return new CliRun(status, output.ToString(), error.ToString());
    }
}
