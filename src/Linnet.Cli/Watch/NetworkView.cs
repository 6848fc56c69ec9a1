using System.Globalization;

namespace Linnet.Cli.Watch;

/// <summary>An IPv4 address and a port.</summary>
/// <param name="Address">The address; 0 for any.</param>
/// <param name="Port">The port; 0 for none.</param>
internal readonly record struct Place(uint Address, ushort Port)
{
    /// <inheritdoc/>
    public override string ToString()
    {
        string address = Address == 0 ? "*" : $"{Address >> 24}.{Address >> 16 & 255}.{Address >> 8 & 255}.{Address & 255}";
        return Port == 0 ? $"{address}:*" : string.Create(CultureInfo.InvariantCulture, $"{address}:{Port}");
    }
}

/// <summary>What TCP knows of a connection.</summary>
/// <param name="Cwnd">The congestion window, in segments.</param>
/// <param name="Ssthresh">Where slow start ends, in segments; null before the first loss.</param>
/// <param name="Srtt">The smoothed round trip time; null before it was measured.</param>
/// <param name="Retransmits">Segments sent again.</param>
/// <param name="Sent">Bytes sent, without those sent again.</param>
/// <param name="Received">Bytes received.</param>
internal sealed record TcpView(uint Cwnd, uint? Ssthresh, TimeSpan? Srtt, uint Retransmits, long Sent, long Received);

/// <summary>Bytes in a second.</summary>
/// <param name="In">Received.</param>
/// <param name="Out">Sent.</param>
internal readonly record struct Throughput(double In, double Out)
{
    /// <summary>From two counts of each way; none when no time has passed.</summary>
    public static Throughput? Between(long inBefore, long inNow, long outBefore, long outNow, TimeSpan passed) =>
        passed > TimeSpan.Zero
            ? new Throughput(Math.Max(0, inNow - inBefore) / passed.TotalSeconds, Math.Max(0, outNow - outBefore) / passed.TotalSeconds)
            : null;
}

/// <summary>A socket.</summary>
internal sealed record SocketView
{
    /// <summary>Which one it is, in a later view too.</summary>
    public required object Identity { get; init; }

    /// <summary>Its host.</summary>
    public required string Host { get; init; }

    /// <summary>The program that holds it, as <c>nginx[123]</c>; empty when not known.</summary>
    public string Program { get; init; } = "";

    /// <summary><c>tcp</c> and so on.</summary>
    public required string Protocol { get; init; }

    /// <summary>Its state, by <c>TCP_*</c>.</summary>
    public required int State { get; init; }

    /// <summary>Its own end.</summary>
    public Place Local { get; init; }

    /// <summary>The other end.</summary>
    public Place Peer { get; init; }

    /// <summary>Bytes that wait to be read; connections that wait to be taken, of a listener.</summary>
    public long ReceiveQueue { get; init; }

    /// <summary>Bytes that are not acknowledged, or not sent.</summary>
    public long SendQueue { get; init; }

    /// <summary>What TCP knows; null for others.</summary>
    public TcpView? Tcp { get; init; }

    /// <summary>Null before it is known.</summary>
    public Throughput? Throughput { get; init; }
}

/// <summary>A device of a host's, and its cable.</summary>
internal sealed record DeviceView
{
    /// <summary>The host.</summary>
    public required string Host { get; init; }

    /// <summary>The device.</summary>
    public required string Name { get; init; }

    /// <summary>Whether packets can go.</summary>
    public required bool IsUp { get; init; }

    /// <summary>Packets received.</summary>
    public long PacketsIn { get; init; }

    /// <summary>Packets sent.</summary>
    public long PacketsOut { get; init; }

    /// <summary>Bytes received.</summary>
    public long BytesIn { get; init; }

    /// <summary>Bytes sent.</summary>
    public long BytesOut { get; init; }

    /// <summary>Packets dropped, those of the queues of both ends too: netem's losses are such.</summary>
    public long Drops { get; init; }

    /// <summary>Packets that wait at both ends.</summary>
    public long Backlog { get; init; }

    /// <summary>netem's words.</summary>
    public string Words { get; init; } = "";

    /// <summary>Null before it is known.</summary>
    public Throughput? Throughput { get; init; }
}

/// <summary>A network as it was at a moment.</summary>
/// <param name="Time">The moment, since the machine booted.</param>
/// <param name="Devices">The hosts' devices.</param>
/// <param name="Sockets">The hosts' sockets.</param>
internal sealed record NetworkView(TimeSpan Time, IReadOnlyList<DeviceView> Devices, IReadOnlyList<SocketView> Sockets)
{
    /// <summary>The same, with the throughput since an earlier moment.</summary>
    public NetworkView Since(NetworkView? earlier)
    {
        if (earlier == null)
            return this;
        TimeSpan passed = Time - earlier.Time;
        Dictionary<object, SocketView> before = new(earlier.Sockets.Count, ReferenceEqualityComparer.Instance);
        foreach (SocketView socket in earlier.Sockets)
            before[socket.Identity] = socket;
        Dictionary<(string, string), DeviceView> devices = [];
        foreach (DeviceView device in earlier.Devices)
            devices[(device.Host, device.Name)] = device;
        return this with
        {
            Sockets = [.. Sockets.Select(now =>
                now.Tcp is { } tcp && before.TryGetValue(now.Identity, out SocketView? then) && then.Tcp is { } was
                    ? now with { Throughput = Watch.Throughput.Between(was.Received, tcp.Received, was.Sent, tcp.Sent, passed) }
                    : now)],
            Devices = [.. Devices.Select(now => devices.TryGetValue((now.Host, now.Name), out DeviceView? then)
                ? now with { Throughput = Watch.Throughput.Between(then.BytesIn, now.BytesIn, then.BytesOut, now.BytesOut, passed) }
                : now)],
        };
    }
}
