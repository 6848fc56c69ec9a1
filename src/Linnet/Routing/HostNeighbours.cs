using System.Net;
using System.Net.NetworkInformation;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>How sure a neighbour's link address is (RFC 4861 section 7.3.2); Linux's numbers (<c>NUD_*</c>).</summary>
public enum NeighbourState
{
    /// <summary>Made, and not used yet.</summary>
    None = Nud.NONE,

    /// <summary>Asked for; packets wait.</summary>
    Incomplete = Nud.INCOMPLETE,

    /// <summary>Confirmed a moment ago.</summary>
    Reachable = Nud.REACHABLE,

    /// <summary>Known, and not confirmed for some time.</summary>
    Stale = Nud.STALE,

    /// <summary>Used again; a confirmation from above is waited for.</summary>
    Delay = Nud.DELAY,

    /// <summary>Asked again.</summary>
    Probe = Nud.PROBE,

    /// <summary>It did not answer.</summary>
    Failed = Nud.FAILED,

    /// <summary>Needs no question: broadcast, multicast, loopback.</summary>
    NoArp = Nud.NOARP,

    /// <summary>Set by hand, for ever.</summary>
    Permanent = Nud.PERMANENT,
}

/// <summary>A host on one of a host's links.</summary>
/// <param name="Address">Its address.</param>
/// <param name="Interface">Name of the interface to the link.</param>
/// <param name="PhysicalAddress">Its link address; null while that is not known.</param>
/// <param name="State">How sure that is.</param>
public sealed record HostNeighbour(IPAddress Address, string Interface, PhysicalAddress? PhysicalAddress, NeighbourState State);

/// <summary>The neighbours of a host (<c>ip neigh</c>): which link address an address has.</summary>
public sealed class HostNeighbours
{
    private readonly Host host;

    internal HostNeighbours(Host host) => this.host = host;

    private NeighTable Table => host.Namespace.Ipv4.ArpTbl;

    /// <summary>Those that the host knows or asks for, by interface and address.</summary>
    public IReadOnlyList<HostNeighbour> List() =>
    [
        .. Table.Snapshot().Where(n => n.NudState is not (Nud.NOARP or Nud.NONE)).OrderBy(n => n.Dev.Ifindex).ThenBy(n => n.Key)
            .Select(n => new HostNeighbour(
                SocketAddresses.FromHostOrder((uint)n.Key), n.Dev.Name,
                (n.NudState & Nud.VALID) != 0 ? new PhysicalAddress(n.Ha.ToArray()) : null, (NeighbourState)n.NudState)),
    ];

    /// <summary>Sets a neighbour's link address by hand (<c>ip neigh replace</c>).</summary>
    /// <param name="address">Its address.</param>
    /// <param name="physicalAddress">Its link address.</param>
    /// <param name="onInterface">Name of the interface.</param>
    /// <param name="state">How sure it is.</param>
    /// <exception cref="InvalidOperationException">There is no such interface, or the link address is not one of its kind.</exception>
    public void Set(
        IPAddress address, PhysicalAddress physicalAddress, string onInterface, NeighbourState state = NeighbourState.Permanent)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        NeighConfig cfg = Config(address, onInterface) with
        {
            Lladdr = physicalAddress.GetAddressBytes(),
            State = (int)state,
            NlFlags = NLM_F_CREATE | NLM_F_REPLACE,
        };
        Host.Check(Table.NeighAdd(cfg), $"set the neighbour {address}");
    }

    /// <summary>Forgets a neighbour (<c>ip neigh del</c>).</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void Remove(IPAddress address, string onInterface)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(Table.NeighDelete(Config(address, onInterface)), $"forget the neighbour {address}");
    }

    /// <summary>
    /// Has the host, a router, answer for an address on behalf of another host behind it (<c>ip neigh add proxy</c>).
    /// </summary>
    public void AddProxy(IPAddress address, string onInterface)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(Table.NeighAdd(Config(address, onInterface) with { IsProxy = true }), $"answer for {address}");
    }

    /// <summary>Ends what <see cref="AddProxy"/> began.</summary>
    /// <exception cref="InvalidOperationException">The address is not answered for.</exception>
    public void RemoveProxy(IPAddress address, string onInterface)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(Table.NeighDelete(Config(address, onInterface) with { IsProxy = true }), $"answer for {address} no more");
    }

    private NeighConfig Config(IPAddress address, string onInterface) => new()
    {
        Key = SocketAddresses.ToHostOrder(address),
        Dev = host.Namespace.Devices.DevGetByName(onInterface) ?? throw new InvalidOperationException($"there is no interface '{onInterface}'"),
    };
}
