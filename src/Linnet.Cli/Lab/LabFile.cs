using System.Net;
using Linnet.Cli.Commands;

namespace Linnet.Cli.Lab;

/// <summary>A lab: networks, the hosts on them, and the programs that run there. docs/lab.md says how it is written.</summary>
internal sealed record LabFile
{
    /// <summary>The networks; each is a switch.</summary>
    public required IReadOnlyList<LabNetwork> Networks { get; init; }

    /// <summary>The hosts.</summary>
    public required IReadOnlyList<LabHost> Hosts { get; init; }

    /// <summary>What happens while it runs.</summary>
    public IReadOnlyList<LabEvent> Events { get; init; } = [];

    /// <summary>The host whose program's end is the end of the lab.</summary>
    public required string Main { get; init; }

    /// <summary>Whether there is a way out.</summary>
    public bool Egress { get; init; } = true;

    /// <summary>Ports of the computer's that are carried to hosts.</summary>
    public IReadOnlyList<LabPort> Publish { get; init; } = [];
}

/// <summary>A network.</summary>
/// <param name="Name">Its name.</param>
/// <param name="Subnet">Its addresses.</param>
/// <param name="Link">What happens to packets on each of its cables, in netem's words; null for nothing.</param>
internal sealed record LabNetwork(string Name, IPNetworkAddress Subnet, string? Link)
{
    private uint Mask => uint.MaxValue << (32 - Subnet.PrefixLength);

    private uint Base => SocketAddresses.ToHostOrder(Subnet.Address) & Mask;

    /// <summary>The gateway's address, which is the last.</summary>
    public IPAddress Gateway => Nth(~Mask - 1)!;

    /// <summary>An address by its number, from 1.</summary>
    /// <returns>Null when there are not so many.</returns>
    public IPAddress? Nth(uint number) => number >= ~Mask ? null : SocketAddresses.FromHostOrder(Base + number);

    /// <summary>Whether a host can have an address here.</summary>
    public bool HasRoomFor(IPAddress address) =>
        (SocketAddresses.ToHostOrder(address) & Mask) == Base && (SocketAddresses.ToHostOrder(address) & ~Mask) is not 0 and var number && number < ~Mask - 1;

    /// <summary>Whether two networks have addresses in common.</summary>
    public bool Overlaps(LabNetwork other) => ((Base ^ other.Base) & Mask & other.Mask) == 0;
}

/// <summary>A host.</summary>
/// <param name="Name">Its name, by which others find it.</param>
/// <param name="Networks">Where it is, and with which address; null for the next free one.</param>
internal sealed record LabHost(string Name, IReadOnlyList<(string Network, IPAddress? Address)> Networks)
{
    /// <summary>Where the lab says so: file, line and column.</summary>
    public required string Place { get; init; }

    /// <summary>The program and its arguments, or nothing.</summary>
    public IReadOnlyList<string> Run { get; init; } = [];

    /// <summary>Variables of the program's environment, beside those of Linnet's own.</summary>
    public IReadOnlyDictionary<string, string> Environment { get; init; } = new Dictionary<string, string>();

    /// <summary>Servers that have to take connections before the program starts.</summary>
    public IReadOnlyList<(string Host, ushort Port)> WaitFor { get; init; } = [];

    /// <summary>How long they may take for that; null for as long as they want.</summary>
    public TimeSpan? WaitTimeout { get; init; }

    /// <summary>The folder that the program starts in; null for that of Linnet's own.</summary>
    public string? Folder { get; init; }

    /// <summary>Routes.</summary>
    public IReadOnlyList<LabRoute> Routes { get; init; } = [];

    /// <summary>Whether it passes on packets for others.</summary>
    public bool Router { get; init; }
}

/// <summary>A route.</summary>
/// <param name="Words">What stands behind <c>ip route add</c>.</param>
/// <param name="Place">Where the lab says so: file, line and column.</param>
internal sealed record LabRoute(string Words, string Place);

/// <summary>Something that happens to the network.</summary>
/// <param name="At">How long after the start.</param>
/// <param name="Action">What.</param>
/// <param name="Target">The host or network that it happens to.</param>
/// <param name="Link">netem's words, for <see cref="LabAction.Link"/>.</param>
internal sealed record LabEvent(TimeSpan At, LabAction Action, string Target, string? Link);

/// <summary>What can happen.</summary>
internal enum LabAction
{
    /// <summary>A host loses its cables.</summary>
    Cut,

    /// <summary>It gets them back.</summary>
    Heal,

    /// <summary>The cables of a host or network change.</summary>
    Link,
}

/// <summary>A port that is carried.</summary>
/// <param name="Address">Where this computer listens, and the host's port.</param>
/// <param name="Host">The host.</param>
internal sealed record LabPort(PublishedAddress Address, string Host)
{
    /// <summary>Reads <c>[ADDRESS:]HOSTPORT:HOST:PORT[/udp]</c>.</summary>
    /// <exception cref="UsageException">It is something else.</exception>
    public static LabPort Parse(string text)
    {
        string[] parts = text.Split(':');
        return parts.Length is 3 or 4 && PublishedAddress.TryParse(string.Join(':', [.. parts[..^2], parts[^1]])) is { } address
            ? new LabPort(address, parts[^2])
            : throw new UsageException($"'{text}' is not HOSTPORT:HOST:PORT, as 8080:web:80, 0.0.0.0:8080:web:80 or 5353:dns:53/udp");
    }
}
