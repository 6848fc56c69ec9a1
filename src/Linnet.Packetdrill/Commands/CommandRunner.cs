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
public sealed class CommandRunner(NetNamespace net, string scriptPath, Action<long> sleep)
{
    /// <summary>Runs a command line.</summary>
    /// <exception cref="ScriptException">It ended with a status other than 0, or cannot be run.</exception>
    public void Run(CommandAction command) =>
        throw new NotSupportedException($"{scriptPath}: {command.CommandLine} {net} {sleep}");
}
