using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Commands;

/// <summary>
/// Performs the command lines that scripts have between backticks, on the network namespace under test. No program is started: the
/// shell and what it calls are built in, and a command that is not is an error.
/// </summary>
/// <param name="net">The namespace under test.</param>
/// <param name="scriptPath">The script's file; commands name others relative to its directory.</param>
/// <param name="sleep">Lets virtual time pass, in nanoseconds.</param>
/// <param name="output">Takes the lines that commands write, to either stream; or null.</param>
public sealed class CommandRunner(NetNamespace net, string scriptPath, Action<long> sleep, Action<string>? output = null)
{
    private readonly CommandHost host = new(net, new TestFiles(net, scriptPath), sleep);

    /// <summary>The names of the commands that there are, sorted.</summary>
    public static IReadOnlyList<string> CommandNames { get; } = [.. Builtin.AllNames];

    /// <summary>The files that the commands see, for calls that open them.</summary>
    public TestFiles Files => host.Files;

    /// <summary>Runs a command line.</summary>
    /// <exception cref="ScriptException">It ended with a status other than 0, or cannot be run.</exception>
    public void Run(CommandAction command)
    {
        ShellStreams streams = new();
        int status;
        try
        {
            // A shell of its own, as system(3) starts one: variables do not last.
            status = new Shell(host).Run(command.CommandLine, streams);
        }
        catch (ShellException e)
        {
            throw Failure(command, e.Message);
        }
        finally
        {
            Show(streams);
        }
        if (status != 0)
        {
            string reason = streams.Error.ToString().Trim();
            throw Failure(command, string.Create(
                CultureInfo.InvariantCulture, $"non-zero status {status}{(reason.Length > 0 ? ": " + reason : "")}"));
        }
    }

    /// <summary>Runs the scripts of <c>--init_scripts</c>.</summary>
    /// <exception cref="ScriptException">One of them failed.</exception>
    public void RunInitScripts(PacketdrillOptions options)
    {
        foreach (string script in options.InitScripts)
            Run(new CommandAction(0, script.Contains('/') ? script : "./" + script));
    }

    private void Show(ShellStreams streams)
    {
        if (output is null)
            return;
        foreach (string line in TextCommands.Lines(streams.Output.ToString()).Concat(TextCommands.Lines(streams.Error.ToString())))
            output(line);
    }

    // Command lines of several lines are shown in one, so that what went wrong is on the message's first.
    private ScriptException Failure(CommandAction command, string message)
    {
        string[] lines = command.CommandLine.Split('\n', StringSplitOptions.TrimEntries | StringSplitOptions.RemoveEmptyEntries);
        return new ScriptException(scriptPath, command.Line, $"error executing `{string.Join(' ', lines)}` command: {message}");
    }
}
