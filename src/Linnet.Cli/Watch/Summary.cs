namespace Linnet.Cli.Watch;

/// <summary>What is left of the live view: what hosts and connections sent and received.</summary>
internal static class Summary
{
    /// <summary>Connections that are printed; of others, the number.</summary>
    public const int MostConnections = 20;

    private static readonly Column<HostTotal>[] Hosts =
    [
        new("HOST", 0, false, host => host.Host),
        new("CONNECTIONS", 0, true, host => Quantity.Of(host.Connections)),
        new("SENT B", 0, true, host => Quantity.Of(host.Sent)),
        new("RECEIVED B", 0, true, host => Quantity.Of(host.Received)),
        new("RETRANSMITS", 0, true, host => Quantity.Of(host.Retransmits)),
    ];

    private static readonly Column<Connection>[] Connections =
    [
        new("HOST", 0, false, one => one.Host),
        new("PROGRAM", 0, false, one => one.Program.Length > 0 ? one.Program : "-"),
        new("LOCAL", 0, false, one => one.Local.ToString()),
        new("PEER", 0, false, one => one.Peer.ToString()),
        new("SENT B", 0, true, one => Quantity.Of(one.Tcp.Sent)),
        new("RECEIVED B", 0, true, one => Quantity.Of(one.Tcp.Received)),
        new("RETRANSMITS", 0, true, one => Quantity.Of(one.Tcp.Retransmits)),
        new("SRTT", 0, true, one => one.Tcp.Srtt is { } srtt ? Quantity.Of(srtt) : "-"),
    ];

    /// <summary>The lines.</summary>
    public static IReadOnlyList<string> Lines(Ledger ledger)
    {
        (IReadOnlyList<HostTotal> hosts, IReadOnlyList<Connection> connections) = ledger.Read();
        if (hosts.Count == 0)
            return ["linnet: there were no connections of TCP"];
        long others = hosts.Sum(host => host.Connections) - Math.Min(connections.Count, MostConnections);
        List<string> lines =
        [
            .. Columns.Draw(hosts, Hosts, int.MaxValue, int.MaxValue).Select(line => line.ToString()),
            "",
            .. Columns.Draw([.. connections.Take(MostConnections)], Connections, int.MaxValue, int.MaxValue).Select(line => line.ToString()),
        ];
        if (others > 0)
            lines.Add($"… {others} more");
        return lines;
    }
}
