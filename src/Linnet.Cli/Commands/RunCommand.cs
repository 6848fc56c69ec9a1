using System.CommandLine;
using Linnet.Cli.Run;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet run</c>: a program of the host's, unmodified, with Linnet's sockets.</summary>
internal static class RunCommand
{
    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string[]> program = new("PROGRAM")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "The program and its arguments, behind --.",
        };
        Option<bool> noEgress = new("--no-egress") { Description = "No way out of the network." };
        Command command = new("run", "Run a program with Linnet's sockets.") { noEgress, program };
        command.SetAction(async (parsed, cancellation) =>
        {
            RunOptions options = new()
            {
                Program = parsed.GetValue(program)!,
                Egress = !parsed.GetValue(noEgress),
            };
            return await new ProgramRunner(terminal, options).RunAsync();
        });
        return command;
    }
}
