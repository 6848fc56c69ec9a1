using System.Net;
using Linnet.Cli.Run;
using Linnet.Cli.Watch;

namespace Linnet.Cli.Lab;

/// <summary>The hosts and cables of a lab.</summary>
internal sealed class LabNet : ProgramNet
{
    /// <summary>The name of the host that is the way out.</summary>
    public const string GatewayName = "gateway";

    private readonly LabFile file;
    private readonly Dictionary<string, Switch> switches = [];
    private readonly Dictionary<string, uint> nextAddress = [];

    /// <summary>Builds it.</summary>
    /// <exception cref="UsageException">An address, route or netem word does not fit.</exception>
    public LabNet(Network network, LabFile lab)
    {
        file = lab;
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

    /// <inheritdoc/>
    public override bool TellsHosts => true;

    /// <inheritdoc/>
    public override Host Gateway { get; }

    /// <inheritdoc/>
    public override bool Egress => file.Egress;

    /// <inheritdoc/>
    public override IEnumerable<(PublishedAddress Address, Host Server)> Published =>
        file.Publish.Select(port => (port.Address, Hosts[port.Host]));

    private Host Add(Network network, LabHost lab)
    {
        Host host = network.AddHost(lab.Name);
        foreach ((string name, IPAddress? address) in lab.Networks)
        {
            LabNetwork net = file.Networks.First(other => other.Name == name);
            Link link = switches[name].Connect(host, $"{address ?? Next(net, lab)}/{net.Subnet.PrefixLength}");
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
        LabNetwork first = file.Networks.First(net => net.Name == lab.Networks[0].Network);
        host.AddRoute(IPNetworkAddress.Parse("0.0.0.0/0"), first.Gateway);
        foreach (LabRoute route in lab.Routes)
        {
            IpResult result = IpCommand.Run(host.Namespace, $"route replace {route.Words}");
            if (!result.Succeeded)
                throw new UsageException($"{route.Place}: route '{route.Words}': {result.Error.Trim().Split('\n')[0]}");
        }
    }

    private IPAddress Next(LabNetwork net, LabHost host)
    {
        HashSet<IPAddress> taken = [.. file.Hosts.SelectMany(host => host.Networks).Where(at => at.Address != null).Select(at => at.Address!), net.Gateway];
        while (true)
        {
            IPAddress address = net.Nth(nextAddress[net.Name]++) ?? throw new UsageException($"{host.Place}: network {net.Name} has no address left");
            if (!taken.Contains(address))
                return address;
        }
    }
}
