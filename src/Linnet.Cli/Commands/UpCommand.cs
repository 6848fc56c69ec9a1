using System.CommandLine;
using Linnet.Cli.Lab;
using Linnet.Cli.Run;

namespace Linnet.Cli.Commands;

/// <summary><c>linnet up</c>: several hosts, and programs of the computer's on them.</summary>
internal static class UpCommand
{
    /// <summary>What it is called.</summary>
    public const string Name = "up";

    private const string About = """
        Run a lab: hosts on networks, and programs on the hosts, as a file says.

          hosts:
            web:
              run: python3 -m http.server 80
            client:
              wait_for: ['web:80']
              run: curl -sS http://web/

        The lab ends when the program of its last host, or of the host named by 'main', ends, with its exit status.
        docs/lab.md describes the file.
        """;

    /// <summary>Makes the command.</summary>
    public static Command Create(Terminal terminal)
    {
        Argument<string> file = new("LAB") { Description = "The lab's file, as lab.yaml." };
        CommonOptionSet common = new();
        Option<bool> check = new("--check") { Description = "Only say whether the lab is a good one: its first mistake, or what it has." };
        Command command = new(Name, About) { file, check };
        common.AddTo(command);
        command.SetAction(async (parsed, cancellation) =>
        {
            string path = parsed.GetValue(file)!;
            string text;
            try
            {
                text = await File.ReadAllTextAsync(path, cancellation);
            }
            catch (Exception e) when (e is IOException or UnauthorizedAccessException)
            {
                throw new UsageException($"cannot read the lab {path}: {e.Message.TrimEnd('.')}");
            }

            LabFile lab = LabReader.Read(path, text);
            CommonOptions options = common.Read(parsed);
            if (!parsed.GetValue(check))
                return await new LabRunner(terminal, lab, options).RunAsync(cancellation);
            LabCheck.Check(lab, options);
            terminal.Write($"{path}: {LabCheck.Describe(lab)}");
            return 0;
        });
        return command;
    }
}
