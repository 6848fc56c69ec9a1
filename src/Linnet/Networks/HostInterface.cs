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
        if (options != null && Device.Qdisc is Netem running)
        {
            using KernelEntry entry = Host.Network.Machine.Enter();
            running.Options = options;
            return;
        }

        SetQueue(options);
    }

    /// <summary>
    /// Has what the interface sends wait in a queueing discipline (<c>tc qdisc replace dev ... root</c>). Packets that wait in one of
    /// another kind are dropped; one of the same kind is changed.
    /// </summary>
    /// <param name="options">
    /// The discipline, as <see cref="FqCodelOptions"/>, <see cref="FqOptions"/>, <see cref="TbfOptions"/>, <see cref="PfifoOptions"/>,
    /// <see cref="BfifoOptions"/> or <see cref="NetemOptions"/>; null for the interface's own, which for cables is none.
    /// </param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public void SetQueue(QdiscOptions? options)
    {
        if (options?.Validate() is { } problem)
            throw new ArgumentException(problem, nameof(options));
        using KernelEntry entry = Host.Network.Machine.Enter();
        if (options == null)
            SchGeneric.DevGraftQdisc(Device, null);
        else
            Host.Check(SchApi.Replace(Device, options), $"set the queue of {Name}");
    }

    /// <summary>How the interface's packets wait now; null when they do not.</summary>
    public QdiscOptions? Queue => Device.Qdisc?.Dump;

    /// <summary>What the interface's queueing discipline did until now; zeros when there is none.</summary>
    public QdiscStats QueueStatistics => Device.Qdisc?.Stats ?? default;
}
