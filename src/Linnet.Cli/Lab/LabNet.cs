using System.Net;
using Linnet.Cli.Watch;
using Linnet.Linux;

namespace Linnet.Cli.Lab;

/// <summary>The hosts and cables of a lab.</summary>
internal sealed class LabNet
{
    /// <summary>The name of the host that is the way out.</summary>
    public const string GatewayName = "gateway";

    private readonly Dictionary<string, Switch> switches = [];
    private readonly Dictionary<string, uint> nextAddress = [];

    /// <summary>Builds it.</summary>
    /// <exception cref="UsageException">An address, route or netem word does not fit.</exception>
    public LabNet(Network network, LabFile lab)
    {
        Lab = lab;
        Gateway = network.AddHost(GatewayName);
        foreach (LabNetwork net in lab.Networks)
        {
            switches[net.Name] = network.AddSwitch(net.Name);
            nextAddress[net.Name] = 1;
            switches[net.Name].Connect(Gateway, $"{net.Gateway}/{net.Subnet.PrefixLength}");
        }

        foreach (LabHost host in lab.Hosts)
            Hosts[host.Name] = Add(network, host);
        foreach (LabHost host in lab.Hosts)
            AddRoutes(host);
    }

    /// <summary>What it is built from.</summary>
    public LabFile Lab { get; }

    /// <summary>The way out.</summary>
    public Host Gateway { get; }

    /// <summary>The hosts by name.</summary>
    public Dictionary<string, Host> Hosts { get; } = [];

    /// <summary>The hosts' cables.</summary>
    public Cables Cables { get; } = new();

    /// <summary>What names mean.</summary>
    public NameTable Names { get; } = new();

    private Host Add(Network network, LabHost lab)
    {
        Host host = network.AddHost(lab.Name);
        foreach ((string name, IPAddress? address) in lab.Networks)
        {
            LabNetwork net = Lab.Networks.First(other => other.Name == name);
            Link link = switches[name].Connect(host, $"{address ?? Next(net)}/{net.Subnet.PrefixLength}");
            Cables.Add(lab.Name, name, link);
            if (net.Link != null)
                Cable.Impair(link, net.Link, $"link of {name}");
        }

        host.IsForwarding = lab.Router;
        Names.Add(lab.Name, host.Address);
        return host;
    }

    private void AddRoutes(LabHost lab)
    {
        Host host = Hosts[lab.Name];
        LabNetwork first = Lab.Networks.First(net => net.Name == lab.Networks[0].Network);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), first.Gateway);
        foreach (string route in lab.Routes)
        {
            IpResult result = IpCommand.Run(host.Namespace, $"route replace {route}");
            if (!result.Succeeded)
                throw new UsageException($"{lab.Name}: route '{route}': {result.Error.Trim().Split('\n')[0]}");
        }
    }

    private IPAddress Next(LabNetwork net)
    {
        HashSet<IPAddress> taken = [.. Lab.Hosts.SelectMany(host => host.Networks).Where(at => at.Address != null).Select(at => at.Address!), net.Gateway];
        while (true)
        {
            IPAddress address = net.Nth(nextAddress[net.Name]++) ?? throw new UsageException($"network {net.Name} has no address left");
            if (!taken.Contains(address))
                return address;
        }
    }
}
