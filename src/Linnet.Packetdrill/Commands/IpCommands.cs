using Linnet.Kernel;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Packetdrill.Commands;

/// <summary><c>ip</c>: links, addresses and routes as <see cref="IpCommand"/> has them, and TCP metrics.</summary>
internal static class IpCommands
{
    public static int Run(CommandCall call)
    {
        if (call.Arguments is ["tcp_metrics" or "tcpmetrics" or "tcp_metric", .. var rest])
            return TcpMetrics(call, rest);
        IpResult result = IpCommand.Run(call.Host.Net, call.Arguments);
        call.Streams.Output.Append(result.Output);
        if (result.Error.Length > 0)
            call.Streams.Error.Append(result.Error.TrimEnd('\n')).Append('\n');
        return result.ExitCode;
    }

    private static int TcpMetrics(CommandCall call, string[] words)
    {
        if (words is not (["flush"] or ["flush", "all"]))
            throw call.Unsupported("ip tcp_metrics " + string.Join(' ', words));
        call.Host.Net.Ipv4.TcpMetrics.Flush();
        return 0;
    }
}
