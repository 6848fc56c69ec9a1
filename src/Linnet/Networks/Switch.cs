using Linnet.Kernel;

namespace Linnet;

/// <summary>An Ethernet switch: a bridge in a namespace of its own, to whose ports hosts and other switches are wired.</summary>
public sealed class Switch
{
    private readonly Host box;

    internal Switch(Network network, string name)
    {
        box = network.AddHost(name);
        Bridge = box.AddBridge("br0");
    }

    /// <summary>Its name.</summary>
    public string Name => box.Name;

    /// <summary>The switching itself: ports, known addresses, the spanning tree.</summary>
    public HostBridge Bridge { get; }

    /// <summary>The host that the switch is, for an address to manage it by, and for its <c>/proc</c>.</summary>
    public Host Host => box;

    /// <summary>Wires a host to a new port.</summary>
    /// <param name="host">The host; it gets an interface with the first free name of <c>eth0</c>, <c>eth1</c> ...</param>
    /// <param name="address">Its address and prefix, as <c>10.0.0.1/24</c>; null for none.</param>
    /// <param name="mtu">Largest packet in bytes.</param>
    /// <returns>The cable; its first end is the host's, the other one the port.</returns>
    public Link Connect(Host host, string? address = null, int mtu = 1500)
    {
        Link link = host.Network.Wire(host, box, mtu);
        Bridge.AddPort(link.Other);
        if (address != null)
            link.One.AddAddress(IPNetworkAddress.Parse(address));
        return link;
    }

    /// <summary>Wires another switch to a new port, and this one to a new port of it.</summary>
    /// <param name="other">The other switch.</param>
    /// <param name="mtu">Largest packet in bytes.</param>
    public Link Connect(Switch other, int mtu = 1500)
    {
        Link link = box.Network.Wire(box, other.box, mtu);
        Bridge.AddPort(link.One);
        other.Bridge.AddPort(link.Other);
        return link;
    }
}
