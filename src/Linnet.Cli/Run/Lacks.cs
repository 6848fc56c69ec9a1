using Linnet.Kernel;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Cli.Run;

/// <summary>What <c>--report</c> says at the end: which program asked for what that Linnet lacks.</summary>
internal static class Lacks
{
    /// <summary>Says it.</summary>
    /// <param name="network">The programs' network.</param>
    /// <param name="terminal">Where to.</param>
    /// <param name="showHost">Whether each line says on which host the program ran.</param>
    public static void Report(Network network, Terminal terminal, bool showHost)
    {
        List<(string Host, string Program, string What)> lines = [];
        foreach ((UnsupportedRequests.Asker asker, UnsupportedRequests.Request request, long count) in network.Machine.Unsupported.ByAsker())
        {
            string program = asker.Program ?? "(no program)";
            lines.Add((showHost ? $"{asker.Host}  " : "", program, $"{Describe(request)}{(count > 1 ? $" ({count} times)" : "")}"));
        }

        terminal.Error.WriteLine(lines.Count == 0
            ? "linnet: no program asked for what Linnet lacks"
            : "linnet: what programs asked for that Linnet lacks:");
        int hostWidth = lines.Select(line => line.Host.Length).DefaultIfEmpty().Max();
        int programWidth = lines.Select(line => line.Program.Length).DefaultIfEmpty().Max();
        foreach ((string host, string program, string what) in lines)
            terminal.Error.WriteLine($"  {host.PadRight(hostWidth)}{program.PadRight(programWidth)}  {what}");
    }

    private static string Describe(UnsupportedRequests.Request request) => request.Kind switch
    {
        RequestKind.Syscall => $"system call {Names.Syscall(request.First)} {request.Text}".TrimEnd(),
        RequestKind.Family => $"sockets of {Names.Family(request.First)}",
        RequestKind.Protocol =>
            $"sockets of {Names.Family(request.First)}, {Names.SockType(request.Second)}, {Names.Protocol(request.First, request.Third)}",
        RequestKind.SocketOption when request.Third != 0 =>
            $"socket option {Names.Option(request.First, request.Second)} at {Names.Level(request.First)}, {request.Third:#x} of it",
        RequestKind.SocketOption => $"socket option {Names.Option(request.First, request.Second)} at {Names.Level(request.First)}",
        RequestKind.Ioctl => $"ioctl {Names.Ioctl(request.First)}",
        RequestKind.Flag => $"flag {request.Second:#x} of {Names.Syscall(request.First)}",
        RequestKind.Netlink => DescribeNetlink(request),
        RequestKind.File => $"file {request.Text}",
        _ => $"module {request.Text}",
    };

    private static string DescribeNetlink(UnsupportedRequests.Request request) =>
        $"{Names.Protocol(AF_NETLINK, request.First)} message {Names.NetlinkMessage(request.First, request.Second)}"
        + $" about {Names.Family(request.Third)} {request.Text}".TrimEnd();
}
