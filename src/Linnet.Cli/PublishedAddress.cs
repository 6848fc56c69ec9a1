using System.Net;
using System.Net.Sockets;

namespace Linnet.Cli;

/// <summary>What <c>--publish</c> says.</summary>
/// <param name="Outside">Where this computer listens.</param>
/// <param name="Port">The server's port.</param>
/// <param name="IsUdp">Whether both are UDP's; otherwise they are TCP's.</param>
internal sealed record PublishedAddress(IPEndPoint Outside, ushort Port, bool IsUdp)
{
    private const string UdpSuffix = "/udp";
    private const string TcpSuffix = "/tcp";

    /// <summary>Reads <c>[ADDRESS:]HOSTPORT:PORT[/udp]</c>.</summary>
    /// <exception cref="UsageException">It is something else.</exception>
    public static PublishedAddress Parse(string text) =>
        TryParse(text) ?? throw new UsageException($"--publish wants HOSTPORT:PORT, as 8080:80, 0.0.0.0:8080:80 or 5353:53/udp, not '{text}'");

    /// <summary>Reads <c>[ADDRESS:]HOSTPORT:PORT[/udp]</c>.</summary>
    /// <returns>Null when it is something else.</returns>
    public static PublishedAddress? TryParse(string text)
    {
        bool isUdp = text.EndsWith(UdpSuffix, StringComparison.Ordinal);
        string ends = isUdp || text.EndsWith(TcpSuffix, StringComparison.Ordinal) ? text[..^UdpSuffix.Length] : text;
        int last = ends.LastIndexOf(':');
        string outside = last < 0 ? "" : ends[..last];
        int colon = outside.LastIndexOf(':');
        string address = colon < 0 ? "127.0.0.1" : outside[..colon].Trim('[', ']');
        if (last < 0
            || !ushort.TryParse(ends.AsSpan(last + 1), out ushort port) || port == 0
            || !ushort.TryParse(outside.AsSpan(colon + 1), out ushort hostPort)
            || !IPAddress.TryParse(address, out IPAddress? ip))
            return null;
        return new PublishedAddress(new IPEndPoint(ip, hostPort), port, isUdp);
    }

    /// <summary>Reads <c>[ADDRESS:]HOSTPORT:PORT</c>.</summary>
    /// <exception cref="UsageException">It is something else, or a port of UDP's.</exception>
    public static PublishedAddress ParseTcp(string text)
    {
        PublishedAddress address = Parse(text);
        return address.IsUdp ? throw new UsageException($"--publish: HTTP goes over TCP, not '{text}'") : address;
    }

    /// <summary>Opens the port.</summary>
    /// <param name="from">The host of the network that carries on what comes.</param>
    /// <param name="server">The server's address, in the network.</param>
    /// <exception cref="FailureException">The computer refused the address or port.</exception>
    public IPublishedPort Open(Host from, IPAddress server)
    {
        IPEndPoint to = new(server, Port);
        try
        {
            return IsUdp ? PublishedUdpPort.Open(Outside, from, to) : PublishedPort.Open(Outside, from, to);
        }
        catch (SocketException e)
        {
            throw new FailureException($"cannot publish {Outside}: {e.Message}");
        }
    }
}
