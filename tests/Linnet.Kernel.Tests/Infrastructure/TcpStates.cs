using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Infrastructure;

/// <summary>The states of all TCP sockets of a host, with a descriptor or without, as <c>/proc/net/tcp</c> shows them.</summary>
internal static class TcpStates
{
    private static readonly string[] Names =
    [
        "", "ESTABLISHED", "SYN_SENT", "SYN_RECV", "FIN_WAIT1", "FIN_WAIT2", "TIME_WAIT", "CLOSE", "CLOSE_WAIT", "LAST_ACK",
        "LISTEN", "CLOSING",
    ];

    /// <summary>The states, in the order of the file, separated by blanks; empty when no socket is in the tables.</summary>
    public static string Of(NetnsIpv4 ipv4)
    {
        StringBuilder text = new();
        TcpIpv4.Tcp4SeqShow(ipv4.Net, text);
        return string.Join(
            ' ', text.ToString().Split('\n', StringSplitOptions.RemoveEmptyEntries).Skip(1)
                .Select(line => Names[int.Parse(line.AsSpan(34, 2), NumberStyles.HexNumber, CultureInfo.InvariantCulture)]));
    }
}
