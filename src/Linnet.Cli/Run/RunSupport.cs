using System.Collections;
using Linnet.Kernel;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Cli.Run;

/// <summary>What <c>linnet run</c> and <c>linnet up</c> do alike.</summary>
internal static class RunSupport
{
    /// <summary>How long what programs sent may stand still, after their end, before it is given up.</summary>
    public static readonly TimeSpan Patience = TimeSpan.FromSeconds(3);

    /// <summary>The environment of this process.</summary>
    public static Dictionary<string, string> Variables() =>
        Environment.GetEnvironmentVariables().Cast<DictionaryEntry>()
            .ToDictionary(entry => (string)entry.Key, entry => (string?)entry.Value ?? "");

    /// <summary>Treats what an interface sends as netem's words say; without words, as a good cable does.</summary>
    /// <exception cref="UsageException">They are none.</exception>
    public static void Impair(HostInterface end, string words, string where)
    {
        try
        {
            end.Emulate(NetemWords.Parse(words));
        }
        catch (FormatException e)
        {
            throw new UsageException($"{where}: {e.Message.Split('\n')[0]}");
        }
    }

    /// <summary>Holds the tasks of a network to a policy.</summary>
    /// <exception cref="UsageException">There is no such file, or it is no policy.</exception>
    public static void Restrict(Network network, string path, Terminal terminal)
    {
        PolicyModule module = new(PolicyFile.Read(path));
        module.Refusing += refusal => terminal.Error.WriteLine($"linnet: {refusal}");
        Lsm.SecurityAddHooks(network.Machine, module);
    }

    /// <summary>Says what was asked for that Linnet lacks.</summary>
    public static void Report(Network network, Terminal terminal)
    {
        IReadOnlyList<(UnsupportedRequests.Request Request, long Count)> missing = network.Machine.Unsupported.Snapshot();
        terminal.Error.WriteLine(missing.Count == 0
            ? "linnet: the program asked for nothing that Linnet lacks"
            : "linnet: the program asked for, and did not get:");
        foreach ((UnsupportedRequests.Request request, long count) in missing)
            terminal.Error.WriteLine($"  {Describe(request)}{(count > 1 ? $" ({count} times)" : "")}");
    }

    private static string Describe(UnsupportedRequests.Request request) => request.Kind switch
    {
        RequestKind.Syscall => $"system call {request.First} {request.Text}",
        RequestKind.Family => $"family {Names.Family(request.First)}",
        RequestKind.Protocol =>
            $"protocol {Names.Protocol(request.First, request.Third)} of {Names.Family(request.First)}, {Names.SockType(request.Second)}",
        RequestKind.SocketOption => $"option {Names.Option(request.First, request.Second)} at {Names.Level(request.First)}",
        RequestKind.Ioctl => $"ioctl {Names.Ioctl(request.First)}",
        RequestKind.Flag => $"flag {request.Second:#x} of system call {request.First}",
        RequestKind.Netlink =>
            $"netlink protocol {request.First}, message {request.Second} about {Names.Family((int)request.Third)} {request.Text}".TrimEnd(),
        RequestKind.File => $"file {request.Text}",
        _ => $"module {request.Text}",
    };
}
