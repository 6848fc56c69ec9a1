using System.CommandLine;
using Linnet.Cli.Run;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet run</c>: a program of the computer's, unmodified, with Linnet's sockets.</summary>
internal static class RunCommand
{
    /// <summary>What it is called.</summary>
    public const string Name = "run";

    private const string About = """
        Run a program with Linnet's sockets: it, and all that it starts, is on a host of a network of its own.

        No root is needed, and the program is not changed. Its files, terminal and signals are this computer's; its
        IPv4 sockets are Linnet's. The host is 10.0.2.15; what it sends elsewhere goes out by this computer's own
        sockets. This computer's loopback is found under the name host.linnet. Unix sockets and the like stay this
        computer's. The exit status is the program's.

        Options stand before the program; all behind its name is the program's own, with or without a -- before it.
        """;

    /// <summary>Puts <c>--</c> before the program where it is missing: the options behind that are the program's.</summary>
    public static string[] MarkProgram(string[] args, Command[] commands)
    {
        if (args is not [Name, ..] || commands.FirstOrDefault(command => command.Name == Name) is not { } run)
            return args;
        for (int i = 1; i < args.Length; i++)
        {
            if (args[i] == "--")
                return args;
            if (args[i] is not ['-', _, ..])
                return [.. args[..i], "--", .. args[i..]];

            // A value that is not behind a sign is the next word.
            if (run.Options.FirstOrDefault(option => option.Name == args[i]) is { } said && i + 1 < args.Length && IsValue(said, args[i + 1]))
                i++;
        }

        return args;
    }

    private static bool IsValue(Option option, string word) =>
        option.Arity.MinimumNumberOfValues > 0 || (option.Name == CommonOptionSet.Trace && CommonOptionSet.IsTraceDetail(word));

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string[]> program = new("PROGRAM")
        {
            Arity = ArgumentArity.OneOrMore,
            Description = "The program and its arguments.",
        };
        Option<bool> noEgress = new("--no-egress") { Description = "Give the network no way out." };
        Option<string[]> publish = new("--publish")
        {
            HelpName = "HOSTPORT:PORT",
            Description = "Carry what comes to this computer's HOSTPORT (ADDRESS:HOSTPORT; 127.0.0.1 by default) to the program's PORT; with /udp, datagrams.",
        };
        Option<string?> link = new("--link")
        {
            HelpName = "WORDS",
            Description = "Treat packets as netem does: 'delay 50ms 5ms loss 1% reorder 25% duplicate 1% corrupt 0.1% rate 20mbit'.",
        };
        CommonOptionSet common = new();
        Command command = new(Name, About) { program, noEgress, publish, link };
        common.AddTo(command);
        command.SetAction(async (parsed, _) => await new ProgramRunner(terminal, new RunOptions
        {
            Program = parsed.GetValue(program)!,
            Egress = !parsed.GetValue(noEgress),
            Publish = [.. (parsed.GetValue(publish) ?? []).Select(PublishedAddress.Parse)],
            Link = parsed.GetValue(link),
            Common = common.Read(parsed),
        }).RunAsync());
        return command;
    }
}
