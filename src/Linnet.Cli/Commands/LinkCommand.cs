using System.CommandLine;
using Linnet.Cli.Watch;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet link</c>: the links of a network that runs.</summary>
internal static class LinkCommand
{
    private const string About = """
        Show or change the links of a running 'linnet run' or 'linnet up', from another terminal.

          linnet link                            what there is
          linnet link delay 50ms loss 1%         all links, in netem's words
          linnet link web rate 2mbit             those of a host or network; what is not said ends
          linnet link web cut                    no cable; 'heal' gives it back
          linnet link web clear                  a good cable again
        """;

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string[]> words = new("WORDS") { Arity = ArgumentArity.ZeroOrMore, Description = "[HOST|NETWORK] and netem's words, cut, heal or clear." };
        Option<int?> pid = new("--pid") { HelpName = "PID", Description = "The process of the one that is meant, when several run." };
        Command command = new("link", About) { words, pid };
        command.SetAction(async (parsed, _) =>
        {
            // The words may be quoted together, as --link wants them.
            string[] said = [.. (parsed.GetValue(words) ?? []).SelectMany(word => word.Split(' ', StringSplitOptions.RemoveEmptyEntries))];
            LinkAnswer answer = await new LinkClient(LinkFolder.Default).SayAsync(parsed.GetValue(pid), said);
            if (answer.Status != 0)
                throw new UsageException(answer.Text.TrimEnd('\n'));
            terminal.Output.Write(answer.Text);
            return 0;
        });
        return command;
    }
}
