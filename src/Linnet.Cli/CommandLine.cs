using System.CommandLine;
using System.CommandLine.Parsing;
using Linnet.Cli.Commands;

namespace Linnet.Cli;

/// <summary>The command was used wrongly: one line for the user, exit status 2.</summary>
/// <param name="message">What is wrong, without a full stop.</param>
internal sealed class UsageException(string message) : Exception(message);

/// <summary>What the user asked for cannot be done: one line for the user, exit status 1.</summary>
/// <param name="message">What went wrong, without a full stop.</param>
internal sealed class FailureException(string message) : Exception(message);

/// <summary>Finds the command that was asked for, runs it, and turns what goes wrong into a line and an exit status.</summary>
internal static class CommandLine
{
    private const int WrongUsage = 2;

    /// <summary>The commands, as <c>--help</c> lists them; each is a file in <c>Commands/</c>.</summary>
    public static Command[] All(Terminal terminal) =>
    [
        TraceCommand.Create(terminal),
        DemoCommand.Create(terminal),
        ServeCommand.Create(terminal),
        PacketdrillCommand.Create(terminal),
        RunCommand.Create(terminal),
        UpCommand.Create(terminal),
        LinkCommand.Create(terminal),
        SymbolsCommand.Create(terminal),
    ];

    /// <summary>Runs the command line.</summary>
    /// <returns>The exit status: 0, 1 for a failure, 2 for wrong usage.</returns>
    /// <param name="args">The words behind the command's name.</param>
    /// <param name="terminal">Where to write.</param>
    /// <param name="commands">The commands that there are.</param>
    /// <param name="cancellation">Asks the command to end, as SIGTERM does.</param>
    public static async Task<int> RunAsync(string[] args, Terminal terminal, Command[] commands, CancellationToken cancellation = default)
    {
        var root = new RootCommand("Linnet: the Linux socket layer and TCP/IP stack, in user space.");
        foreach (Command command in commands)
            root.Subcommands.Add(command);

        ParseResult parsed = root.Parse(RunCommand.MarkProgram(args, commands));
        if (args.Length == 0)
            return Complain(terminal, "which command? See linnet --help");
        if (parsed.Errors.Count > 0)
            return Complain(terminal, $"{parsed.Errors[0].Message.TrimEnd('.')}. See linnet {HelpPath(parsed)}--help");
        if (UnknownOption(parsed) is { } option)
            return Complain(terminal, $"there is no option {option}. See linnet {HelpPath(parsed)}--help");
        try
        {
            var configuration = new InvocationConfiguration
            {
                EnableDefaultExceptionHandler = false,
                Output = terminal.Output,
                Error = terminal.Error,
            };

            // Programs may take their time with a signal, or ignore it.
            if (parsed.CommandResult.Command.Name is RunCommand.Name or UpCommand.Name)
                configuration.ProcessTerminationTimeout = null;
            return await parsed.InvokeAsync(configuration, cancellation);
        }
        catch (UsageException e)
        {
            return Complain(terminal, e.Message);
        }
        catch (FailureException e)
        {
            terminal.Error.WriteLine($"linnet: {e.Message}");
            return 1;
        }
        catch (IOException e)
        {
            terminal.Error.WriteLine($"linnet: {e.Message.TrimEnd('.')}");
            return 1;
        }
        catch (OperationCanceledException)
        {
            return 130;
        }
    }

    // The parser takes an option that it does not know as an argument, where one is allowed.
    private static string? UnknownOption(ParseResult parsed) =>
        parsed.Tokens.TakeWhile(t => t.Type != TokenType.DoubleDash)
            .Where(t => t.Type == TokenType.Argument && t.Value.Length > 1 && t.Value[0] == '-' && !char.IsAsciiDigit(t.Value[1]))
            .Select(t => t.Value).FirstOrDefault();

    private static int Complain(Terminal terminal, string message)
    {
        terminal.Error.WriteLine($"linnet: {message}");
        return WrongUsage;
    }

    private static string HelpPath(ParseResult parsed) =>
        parsed.CommandResult.Command is RootCommand ? "" : parsed.CommandResult.Command.Name + " ";
}
