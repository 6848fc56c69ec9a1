using System.Net.NetworkInformation;
using Linnet.Kernel;
using Linnet.Kernel.Net.Bridge;

namespace Linnet;

/// <summary>A bridge of a host: its ports are one Ethernet, in which the host takes part by <see cref="Interface"/>.</summary>
public sealed class HostBridge
{
    private readonly NetBridge bridge;

    internal HostBridge(Host host, NetBridge bridge)
    {
        this.bridge = bridge;
        Interface = new HostInterface(host, bridge.Dev);
        Interface.Up();
    }

    /// <summary>The bridge's own interface; it can have addresses, and VLANs over it.</summary>
    public HostInterface Interface { get; }

    /// <summary>The ports, in the order of their numbers.</summary>
    public IReadOnlyList<BridgePort> Ports => [.. bridge.PortList.Select(port => new BridgePort(Interface.Host, port))];

    /// <summary>
    /// Whether the bridge speaks the spanning tree protocol (IEEE 802.1D), which keeps frames from going round where there are
    /// several ways. Off at first; ports pass nothing for twice <see cref="ForwardDelay"/> when it is switched on.
    /// </summary>
    public bool SpanningTree
    {
        get => bridge.StpEnabled;
        set => Do(() => BrStpIf.BrStpSetEnabled(bridge, value));
    }

    /// <summary>Priority in the spanning tree, 0 to 65535; the lowest bridge is its root. 32768 at first.</summary>
    public int Priority
    {
        get => (int)(bridge.BridgeId >> 48);
        set => Do(() => BrStpIf.BrStpSetBridgePriority(bridge, checked((ushort)value)));
    }

    /// <summary>Whether the bridge is the root of the spanning tree.</summary>
    public bool IsRoot => bridge.BridgeId == bridge.DesignatedRoot;

    /// <summary>How long a port listens, and then learns, before it passes frames; 15 s at first.</summary>
    public TimeSpan ForwardDelay
    {
        get => TimeSpan.FromMilliseconds(bridge.ForwardDelay);
        set => Check(() => BrStpIf.BrSetForwardDelay(bridge, (long)value.TotalMilliseconds), $"set the forward delay to {value}");
    }

    /// <summary>How long an address is remembered that is not heard from; 300 s at first, zero to learn none.</summary>
    public TimeSpan AgeingTime
    {
        get => TimeSpan.FromMilliseconds(bridge.AgeingTime);
        set => Do(() => BrIf.BrSetAgeingTime(bridge, (long)value.TotalMilliseconds));
    }

    /// <summary>Most addresses that are learned; 0, as at first, for no limit.</summary>
    public int MaxLearnedAddresses
    {
        get => bridge.Fdb.MaxLearned;
        set => Do(() => BrIf.SetFdbMaxLearned(bridge, value));
    }

    /// <summary>
    /// A bit for each link-local group 01:80:C2:00:00:0X that is passed on all the same; bits 0 to 2 cannot be set.
    /// </summary>
    public int ForwardedGroups
    {
        get => bridge.GroupFwdMask;
        set => Check(() => BrIf.SetGroupFwdMask(bridge, checked((ushort)value)), $"forward the groups 0x{value:x}");
    }

    /// <summary>The link addresses that the bridge knows, with the interface behind which they are.</summary>
    public IReadOnlyDictionary<PhysicalAddress, string> Addresses => bridge.Fdb.Entries.ToDictionary(
        entry => new PhysicalAddress(entry.Addr), entry => (entry.Dst?.Dev ?? bridge.Dev).Name);

    /// <summary>Makes an interface a port (<c>ip link set DEV master BRIDGE</c>). Addresses belong to the bridge's interface then.</summary>
    /// <exception cref="InvalidOperationException">It is a port already, a bridge, or no Ethernet, or of another host.</exception>
    public BridgePort AddPort(HostInterface port)
    {
        Check(() => BrIf.BrAddIf(bridge, port.Device), $"make {port.Name} a port of {Interface.Name}");
        return new BridgePort(Interface.Host, NetBridgePort.Of(port.Device)!);
    }

    /// <summary>Takes a port away.</summary>
    /// <exception cref="InvalidOperationException">It is none of this bridge.</exception>
    public void RemovePort(HostInterface port) =>
        Check(() => BrIf.BrDelIf(bridge, port.Device), $"take {port.Name} from {Interface.Name}");

    /// <summary>Forgets all addresses that were learned.</summary>
    public void ForgetAddresses() => Do(bridge.Fdb.BrFdbFlush);

    private void Do(Action action)
    {
        using KernelEntry entry = Interface.Host.Network.Machine.Enter();
        action();
    }

    private void Check(Func<int> action, string what)
    {
        using KernelEntry entry = Interface.Host.Network.Machine.Enter();
        Host.Check(action(), what);
    }
}

/// <summary>A port of a bridge.</summary>
public sealed class BridgePort
{
    private readonly Host host;
    private readonly NetBridgePort port;

    internal BridgePort(Host host, NetBridgePort port)
    {
        this.host = host;
        this.port = port;
    }

    /// <summary>The interface's name.</summary>
    public string Name => port.Dev.Name;

    /// <summary>Number, from 1.</summary>
    public int Number => port.PortNo;

    /// <summary>What the port does.</summary>
    public BrState State => port.State;

    /// <summary>Whether frames may leave by the port that they came in by.</summary>
    public bool Hairpin
    {
        get => (port.Flags & BrPortFlags.HairpinMode) != 0;
        set => Set(BrPortFlags.HairpinMode, value);
    }

    /// <summary>Whether the port exchanges nothing with other isolated ports.</summary>
    public bool Isolated
    {
        get => (port.Flags & BrPortFlags.Isolated) != 0;
        set => Set(BrPortFlags.Isolated, value);
    }

    /// <summary>Whether addresses are learned from the port's frames; on at first.</summary>
    public bool Learning
    {
        get => (port.Flags & BrPortFlags.Learning) != 0;
        set => Set(BrPortFlags.Learning, value);
    }

    /// <summary>Whether frames to unknown addresses go out by the port; on at first.</summary>
    public bool FloodsUnknown
    {
        get => (port.Flags & BrPortFlags.Flood) != 0;
        set => Set(BrPortFlags.Flood, value);
    }

    /// <summary>Whether multicast frames go out by the port; on at first.</summary>
    public bool FloodsMulticast
    {
        get => (port.Flags & BrPortFlags.McastFlood) != 0;
        set => Set(BrPortFlags.McastFlood, value);
    }

    /// <summary>Whether broadcast frames go out by the port; on at first.</summary>
    public bool FloodsBroadcast
    {
        get => (port.Flags & BrPortFlags.BcastFlood) != 0;
        set => Set(BrPortFlags.BcastFlood, value);
    }

    /// <summary>Cost of the port's link in the spanning tree, 1 to 65535; 100 at first.</summary>
    public int PathCost
    {
        get => (int)port.PathCost;
        set
        {
            using KernelEntry entry = host.Network.Machine.Enter();
            Host.Check(BrStpIf.BrStpSetPathCost(port, (uint)value), $"set the cost of {Name} to {value}");
        }
    }

    private void Set(BrPortFlags flag, bool on)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        BrIf.BrSetPortFlag(port, flag, on);
    }
}
