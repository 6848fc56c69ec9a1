using Linnet.Cli.Watch;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>The hosts that programs run on, and the way out that they have.</summary>
internal abstract class ProgramNet
{
    /// <summary>The hosts of the programs, by name.</summary>
    public Dictionary<string, Host> Hosts { get; } = [];

    /// <summary>Whether what is told of programs says which host they run on.</summary>
    public abstract bool TellsHosts { get; }

    /// <summary>The way out.</summary>
    public abstract Host Gateway { get; }

    /// <summary>Whether it leads anywhere.</summary>
    public abstract bool Egress { get; }

    /// <summary>Ports of the computer's, and the hosts that they are carried to.</summary>
    public abstract IEnumerable<(PublishedAddress Address, Host Server)> Published { get; }

    /// <summary>The hosts' cables.</summary>
    public Cables Cables { get; } = new();

    /// <summary>What names mean.</summary>
    public NameTable Names { get; } = new();
}

/// <summary>The one host of <c>linnet run</c>.</summary>
internal sealed class SingleNet : ProgramNet
{
    /// <summary>Its name.</summary>
    public const string HostName = "linnet";

    // As slirp and its kin have it.
    private const string HostAddress = "10.0.2.15/24";
    private const string GatewayAddress = "10.0.2.2/24";

    private readonly RunOptions options;

    /// <summary>Builds it.</summary>
    /// <exception cref="UsageException">A netem word does not fit.</exception>
    public SingleNet(Network network, RunOptions options)
    {
        this.options = options;
        Host host = Hosts[HostName] = network.AddHost(HostName);
        Gateway = network.AddHost("gateway");
        Link link = network.Connect(host, HostAddress, Gateway, GatewayAddress);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), Gateway.Address);
        Names.Add(HostName, host.Address);
        Cables.Add(HostName, Gateway.Name, link);
        if (options.Link != null)
            Cable.Impair(link, options.Link, "--link");
    }

    /// <inheritdoc/>
    public override bool TellsHosts => false;

    /// <inheritdoc/>
    public override Host Gateway { get; }

    /// <inheritdoc/>
    public override bool Egress => options.Egress;

    /// <inheritdoc/>
    public override IEnumerable<(PublishedAddress Address, Host Server)> Published =>
        options.Publish.Select(address => (address, Hosts[HostName]));
}
