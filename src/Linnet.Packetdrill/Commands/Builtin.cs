using System.Globalization;
using Linnet.Kernel.Net.Core;

namespace Linnet.Packetdrill.Commands;

/// <summary>What commands work on.</summary>
/// <param name="Net">The namespace under test.</param>
/// <param name="Files">The files that they see.</param>
/// <param name="Sleep">Lets virtual time pass, in nanoseconds.</param>
internal sealed record CommandHost(NetNamespace Net, TestFiles Files, Action<long> Sleep)
{
    /// <summary>The counters as <c>nstat</c> last showed them.</summary>
    public Dictionary<string, long> NstatHistory { get; } = new(StringComparer.Ordinal);
}

/// <summary>A command that was called.</summary>
/// <param name="Host">What it works on.</param>
/// <param name="Name">Its name.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Streams">Its standard streams.</param>
internal sealed record CommandCall(CommandHost Host, string Name, string[] Arguments, ShellStreams Streams)
{
    /// <summary>Writes a line.</summary>
    public void Print(string line) => Streams.Output.Append(line).Append('\n');

    /// <summary>Writes a line to the error stream.</summary>
    /// <returns>The status, for a one-line return.</returns>
    public int Fail(string message, int status = 1)
    {
        Streams.Error.Append(CultureInfo.InvariantCulture, $"{Name}: {message}\n");
        return status;
    }

    /// <summary>The command is called in a way that is not built in.</summary>
    public ShellException Unsupported(string what) => new($"{Name}: {what} is not offered by the built-in command");
}

/// <summary>A built-in command.</summary>
/// <param name="Names">What it is called.</param>
/// <param name="Run">Runs it; gives its status.</param>
internal sealed record Builtin(string[] Names, Func<CommandCall, int> Run)
{
    private static readonly Dictionary<string, Builtin> All = new Builtin[]
    {
        new(["true", ":"], _ => 0),
        new(["false"], _ => 1),
        new(["echo"], TextCommands.Echo),
        new(["cat"], TextCommands.Cat),
        new(["grep", "egrep", "fgrep"], GrepCommand.Run),
        new(["head"], TextCommands.Head),
        new(["wc"], TextCommands.Count),
        new(["rm"], FileCommands.Remove),
        new(["dd"], FileCommands.Copy),
        new(["chmod"], FileCommands.ChangeMode),
        new(["test", "["], TestCommand.Run),
        new(["sleep"], TextCommands.Sleep),
        new(["sysctl"], SysctlCommand.Run),
        new(["set_sysctls.py"], SysctlCommand.SetAndKeep),
        new(["ip"], IpCommands.Run),
        new(["nstat"], NstatCommand.Run),
        new(["ethtool"], EthtoolCommand.Run),
        new(["tc"], TcCommand.Run),
    }.SelectMany(builtin => builtin.Names, (builtin, name) => (name, builtin)).ToDictionary(StringComparer.Ordinal);

    /// <summary>The names of all commands, sorted.</summary>
    public static IEnumerable<string> AllNames => All.Keys.Order(StringComparer.Ordinal);

    /// <summary>Finds a command.</summary>
    public static Builtin? Find(string name) => All.GetValueOrDefault(name);
}
