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

    // The command has this long to end after it was asked to.
    private static readonly TimeSpan EndLimit = TimeSpan.FromSeconds(10);

    /// <summary>Runs a command line.</summary>
    public static Task<CliRun> RunAsync(params string[] args) => RunAsync(Timeout.InfiniteTimeSpan, args);

    /// <summary>Runs a command line for a while.</summary>
    /// <param name="limit">How long it may take; then it is asked to end.</param>
    /// <param name="args">The words behind the command's name.</param>
    /// <exception cref="TimeoutException">It took longer; the message has what it printed.</exception>
    public static async Task<CliRun> RunAsync(TimeSpan limit, params string[] args)
    {
        StringWriter output = new() { NewLine = "\n" }, error = new() { NewLine = "\n" };

        // Who is too late may write while what there is is read.
        TextWriter shownOutput = TextWriter.Synchronized(output), shownError = TextWriter.Synchronized(error);
        Terminal terminal = Terminal.ForWriters(shownOutput, shownError);
        using CancellationTokenSource over = new();
        Task<int> running = CommandLine.RunAsync(args, terminal, CommandLine.All(terminal), over.Token);
        if (await Task.WhenAny(running, Task.Delay(limit)) == running)
            return new CliRun(await running, Text(shownOutput, output), Text(shownError, error));
        await over.CancelAsync();
        await Task.WhenAny(running, Task.Delay(EndLimit));
        throw new TimeoutException(
            $"{string.Join(' ', args)}: no end in {limit.TotalSeconds} s. It printed\n{Text(shownOutput, output)}{Text(shownError, error)}");
    }

    private static string Text(TextWriter shown, StringWriter text)
    {
        lock (shown)
            return text.ToString();
    }
}
