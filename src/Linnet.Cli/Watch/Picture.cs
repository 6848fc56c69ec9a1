using System.Globalization;

namespace Linnet.Cli.Watch;

/// <summary>What is to be drawn.</summary>
internal sealed record PictureContent
{
    /// <summary>The network.</summary>
    public required NetworkView View { get; init; }

    /// <summary>What runs.</summary>
    public required string Title { get; init; }

    /// <summary>The last packets, the last one last.</summary>
    public IReadOnlyList<string> Packets { get; init; } = [];

    /// <summary>How many packets there were.</summary>
    public long PacketCount { get; init; }

    /// <summary>The last lines that programs wrote.</summary>
    public IReadOnlyList<string> Output { get; init; } = [];

    /// <summary>The last line: what is being typed, an answer, or the keys.</summary>
    public required Line Prompt { get; init; }
}

/// <summary>Draws a network as lines, on a terminal of any size.</summary>
internal static class Picture
{
    // Below these heights there is no room for all.
    private const int LinksFrom = 8, OutputFrom = 10, PacketsFrom = 12;
    private const int Share = 4;

    private static readonly Column<SocketView>[] SocketColumns =
    [
        new("HOST", 7, false, socket => socket.Host),
        new("PROGRAM", 1, false, socket => socket.Program.Length > 0 ? socket.Program : "-"),
        new("PROTO", 5, false, socket => socket.Protocol),
        new("STATE", 3, false, socket => StateName(socket)),
        new("LOCAL", 4, false, socket => socket.Local.ToString()),
        new("PEER", 0, false, socket => socket.Peer.ToString()),
        new("RECV-Q", 9, true, socket => Quantity.Of(socket.ReceiveQueue)),
        new("SEND-Q", 8, true, socket => Quantity.Of(socket.SendQueue)),
        new("CWND", 10, true, socket => socket.Tcp is { } tcp ? Quantity.Of(tcp.Cwnd) : "-"),
        new("SSTHR", 13, true, socket => socket.Tcp?.Ssthresh is { } ssthresh ? Quantity.Of(ssthresh) : "-"),
        new("SRTT", 11, true, socket => socket.Tcp?.Srtt is { } srtt ? Quantity.Of(srtt) : "-"),
        new("RETR", 12, true, socket => socket.Tcp is { } tcp ? Quantity.Of(tcp.Retransmits) : "-"),
        new("IN B/s", 2, true, socket => Quantity.Rate(socket.Throughput?.In)),
        new("OUT B/s", 2, true, socket => Quantity.Rate(socket.Throughput?.Out)),
    ];

    private static readonly Column<DeviceView>[] DeviceColumns =
    [
        new("HOST", 0, false, device => device.Host),
        new("LINK", 1, false, device => device.Name),
        new("", 2, false, device => device.IsUp ? "up" : "down"),
        new("IN", 8, true, device => Quantity.Of(device.PacketsIn)),
        new("OUT", 8, true, device => Quantity.Of(device.PacketsOut)),
        new("IN B", 7, true, device => Quantity.Of(device.BytesIn)),
        new("OUT B", 7, true, device => Quantity.Of(device.BytesOut)),
        new("IN B/s", 4, true, device => Quantity.Rate(device.Throughput?.In)),
        new("OUT B/s", 4, true, device => Quantity.Rate(device.Throughput?.Out)),
        new("DROPS", 5, true, device => Quantity.Of(device.Drops)),
        new("QUEUE", 6, true, device => Quantity.Of(device.Backlog)),
        new("NETEM", 3, false, device => device.Words),
    ];

    /// <summary>Draws.</summary>
    /// <param name="content">What.</param>
    /// <param name="width">The terminal's columns.</param>
    /// <param name="height">Its rows.</param>
    /// <returns>At most so many lines, none wider than the terminal.</returns>
    public static IReadOnlyList<Line> Draw(PictureContent content, int width, int height)
    {
        if (width <= 0 || height <= 0)
            return [];
        List<Line> lines = [Columns.Cut(Heading(content), width)];
        if (height > 1)
        {
            lines.AddRange(Body(content, width, height - 2));
            while (lines.Count < height - 1)
                lines.Add(new Line());
            lines.Add(Columns.Cut(content.Prompt, width));
        }

        return lines;
    }

    /// <summary>A state as netstat has it; other protocols' are said of them only when connected.</summary>
    public static string StateName(SocketView socket) => socket.State switch
    {
        TCP_ESTABLISHED => "ESTABLISHED",
        _ when socket.Protocol != "tcp" => "-",
        TCP_SYN_SENT => "SYN_SENT",
        TCP_SYN_RECV or TCP_NEW_SYN_RECV => "SYN_RECV",
        TCP_FIN_WAIT1 => "FIN_WAIT1",
        TCP_FIN_WAIT2 => "FIN_WAIT2",
        TCP_TIME_WAIT => "TIME_WAIT",
        TCP_CLOSE_WAIT => "CLOSE_WAIT",
        TCP_LAST_ACK => "LAST_ACK",
        TCP_LISTEN => "LISTEN",
        TCP_CLOSING => "CLOSING",
        _ => "CLOSE",
    };

    private static Line Heading(PictureContent content)
    {
        string time = content.View.Time.ToString(content.View.Time.TotalHours >= 1 ? @"h\:mm\:ss" : @"m\:ss", CultureInfo.InvariantCulture);
        int hosts = content.View.Devices.Select(device => device.Host).Distinct().Count();
        return new Line().Add("linnet ", Ink.Strong).Add(content.Title, Ink.Accent)
            .Add($"  {time}  hosts {hosts}, sockets {content.View.Sockets.Count}, packets {Quantity.Of(content.PacketCount)}");
    }

    private static IEnumerable<Line> Body(PictureContent content, int width, int height)
    {
        if (height <= 0)
            return [];
        int links = height >= LinksFrom ? Part(content.View.Devices.Count) : 0;
        int output = height >= OutputFrom && content.Output.Count > 0 ? Part(content.Output.Count) : 0;
        int packets = height >= PacketsFrom ? Part(content.Packets.Count) : 0;
        int sockets = Math.Min(content.View.Sockets.Count + 1, height - links - output - packets);
        int left = height - links - output - packets - sockets;

        // What sockets do not need goes to those that have more to show.
        int more = packets == 0 ? 0 : Math.Min(left, content.Packets.Count + 1 - packets);
        packets += more;
        output += output == 0 ? 0 : Math.Min(left - more, content.Output.Count + 1 - output);
        return
        [
            .. Columns.Draw(InOrder(content.View.Sockets, sockets), SocketColumns, width, sockets),
            .. Columns.Draw(content.View.Devices, DeviceColumns, width, links),
            .. Tail("PACKETS", content.Packets, width, packets),
            .. Tail("OUTPUT", content.Output, width, output),
        ];

        int Part(int rows) => Math.Min(rows + 1, Math.Max(2, height / Share));
    }

    // Each at its place while there is room for all; else the busiest first.
    private static List<SocketView> InOrder(IReadOnlyList<SocketView> sockets, int height)
    {
        IOrderedEnumerable<SocketView> ordered = sockets.Count < height
            ? sockets.OrderBy(Rank)
            : sockets.OrderByDescending(socket => socket.Throughput is { } rate ? rate.In + rate.Out : 0).ThenBy(Rank);
        return [.. ordered.ThenBy(socket => socket.Host, StringComparer.Ordinal)
            .ThenBy(socket => socket.Local.Port).ThenBy(socket => socket.Peer.Address).ThenBy(socket => socket.Peer.Port)];
    }

    private static int Rank(SocketView socket) => socket.State switch
    {
        _ when socket.Protocol != "tcp" => 2,
        TCP_LISTEN => 1,
        TCP_TIME_WAIT => 3,
        _ => 0,
    };

    private static IEnumerable<Line> Tail(string title, IReadOnlyList<string> lines, int width, int height)
    {
        if (height <= 0)
            yield break;
        yield return Columns.Cut(new Line().Add(title, Ink.Faint), width);
        foreach (string line in lines.TakeLast(height - 1))
            yield return Columns.Cut(new Line().Add(line), width);
    }
}
