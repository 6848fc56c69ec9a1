using System.Net;
using System.Net.NetworkInformation;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <summary>A network interface of a host.</summary>
public sealed class HostInterface
{
    internal HostInterface(Host host, NetDevice device)
    {
        Host = host;
        Device = device;
        host.Add(this);
    }

    /// <summary>The host.</summary>
    public Host Host { get; }

    /// <summary>The kernel's device.</summary>
    public NetDevice Device { get; }

    /// <summary>Its name, as <c>eth0</c>.</summary>
    public string Name => Device.Name;

    /// <summary>Its link address.</summary>
    public PhysicalAddress PhysicalAddress => new(Device.DevAddr);

    /// <summary>Its addresses, in the order in which they were added.</summary>
    public IReadOnlyList<IPNetworkAddress> Addresses =>
        InDevice.Get(Device) is { } inDevice
            ? [.. inDevice.IfaList.Select(a => new IPNetworkAddress(SocketAddresses.FromHostOrder(a.IfaLocal), a.IfaPrefixlen))]
            : [];

    /// <summary>Gives the interface an address, and the routes that follow from it (<c>ip addr add</c>).</summary>
    public void AddAddress(IPNetworkAddress address)
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        int err = Devinet.InetAddrAdd(Device, SocketAddresses.ToHostOrder(address.Address), address.PrefixLength);
        Host.Check(err, $"give {Name} the address {address}");
    }

    /// <summary>Brings the interface up (<c>ip link set up</c>).</summary>
    public void Up()
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        Host.Check(Dev.DevOpen(Device), $"bring up {Name}");
    }

    /// <summary>Brings the interface down: nothing is sent or received by it, and its routes are gone (<c>ip link set down</c>).</summary>
    public void Down()
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        Dev.DevClose(Device);
    }

    /// <summary>Sets the largest packet (<c>ip link set mtu</c>).</summary>
    /// <param name="mtu">68 to 65535 bytes.</param>
    public void SetMtu(int mtu)
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        Host.Check(Dev.DevSetMtu(Device, mtu), $"set the MTU of {Name} to {mtu}");
    }

    /// <summary>
    /// Treats what the interface sends from now on as a bad network would (<c>tc qdisc replace root netem</c>): delay, loss,
    /// duplication, reordering, corruption, a limited rate. Packets that are under way stay so.
    /// </summary>
    /// <param name="options">What happens to packets; null to send them at once again, which drops those under way.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public void Emulate(NetemOptions? options)
    {
        using KernelEntry entry = Host.Network.Machine.Enter();
        if (options != null && Device.Qdisc is Netem running)
        {
            running.Options = options;
            return;
        }

        Qdisc? before = Device.Qdisc;
        Device.Qdisc = options == null ? null : new Netem(Device, options);
        before?.Reset();
    }
}
