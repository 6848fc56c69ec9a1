using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>What a port of a bridge does (IEEE 802.1D section 7.4; <c>BR_STATE_*</c>).</summary>
public enum BrState : byte
{
    /// <summary>Nothing: the device or the bridge is down.</summary>
    Disabled,

    /// <summary>Waits to see what other bridges say.</summary>
    Listening,

    /// <summary>Learns addresses, passes nothing.</summary>
    Learning,

    /// <summary>Passes frames.</summary>
    Forwarding,

    /// <summary>Passes nothing, so that there is no loop.</summary>
    Blocking,
}

/// <summary>How a port is used (<c>BR_*</c> of <c>net_bridge_port.flags</c>).</summary>
[Flags]
public enum BrPortFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Frames may leave by the port that they came in by (<c>BR_HAIRPIN_MODE</c>).</summary>
    HairpinMode = 1 << 0,

    /// <summary>Addresses are learned from the port's frames (<c>BR_LEARNING</c>).</summary>
    Learning = 1 << 1,

    /// <summary>Frames to unknown addresses go out by it (<c>BR_FLOOD</c>).</summary>
    Flood = 1 << 2,

    /// <summary>Multicast frames go out by it (<c>BR_MCAST_FLOOD</c>).</summary>
    McastFlood = 1 << 3,

    /// <summary>Broadcast frames go out by it (<c>BR_BCAST_FLOOD</c>).</summary>
    BcastFlood = 1 << 4,

    /// <summary>It exchanges nothing with other isolated ports (<c>BR_ISOLATED</c>).</summary>
    Isolated = 1 << 5,
}

/// <summary>State of a bridge (<c>struct net_bridge</c>). Times are in ms.</summary>
[LinuxStruct("net_bridge")]
public sealed partial class NetBridge
{
    private NetBridgePort[] portList = [];

    internal NetBridge()
    {
    }

    /// <summary>The bridge's own device, by which the host takes part.</summary>
    public NetDevice Dev { get; internal set; } = null!;

    /// <summary>The ports, in the order of their numbers; replaced whole.</summary>
    public NetBridgePort[] PortList
    {
        get => Volatile.Read(ref portList);
        internal set => Volatile.Write(ref portList, value);
    }

    /// <summary>Where addresses are.</summary>
    public BrFdb Fdb { get; internal set; } = null!;

    /// <summary>How long an address is remembered that is not heard from (<c>ageing_time</c>); 0 to learn none.</summary>
    public long AgeingTime { get; internal set; } = 300_000;

    /// <summary>
    /// A bit for each link-local group 01:80:C2:00:00:0X that is passed on all the same (<c>group_fwd_mask</c>).
    /// </summary>
    public ushort GroupFwdMask { get; internal set; }

    /// <summary>Guards ports, states and the spanning tree; nothing is sent while it is held.</summary>
    internal Lock Lock { get; } = new();

    /// <summary>A user chose the MTU, which does not follow the ports' then.</summary>
    internal bool MtuSetByUser { get; set; }

    /// <summary>A user chose the address, which does not follow the ports' then.</summary>
    internal bool AddrSetByUser { get; set; }

    internal long Jiffies => Dev.Net.Machine.Clock.Jiffies;

    /// <summary>The bridge behind a device, or null.</summary>
    public static NetBridge? Of(NetDevice dev) => dev.Priv as NetBridge;
}

/// <summary>A device that is a port of a bridge (<c>struct net_bridge_port</c>).</summary>
[LinuxStruct("net_bridge_port")]
public sealed partial class NetBridgePort : RxHandler
{
    internal NetBridgePort(NetBridge br, NetDevice dev, int portNo)
    {
        Br = br;
        Dev = dev;
        PortNo = portNo;
    }

    /// <summary>The bridge.</summary>
    public NetBridge Br { get; }

    /// <summary>The device.</summary>
    public NetDevice Dev { get; }

    /// <summary>Number, from 1.</summary>
    public int PortNo { get; }

    /// <summary>What the port does.</summary>
    public BrState State { get; internal set; } = BrState.Disabled;

    /// <summary>How it is used.</summary>
    public BrPortFlags Flags { get; internal set; } =
        BrPortFlags.Learning | BrPortFlags.Flood | BrPortFlags.McastFlood | BrPortFlags.BcastFlood;

    /// <summary>As <see cref="NetBridge.GroupFwdMask"/>, for this port.</summary>
    public ushort GroupFwdMask { get; internal set; }

    /// <summary>The port that a device is, or null (<c>br_port_get_rcu</c>).</summary>
    public static NetBridgePort? Of(NetDevice dev) => dev.RxHandler as NetBridgePort;

    /// <inheritdoc/>
    public override RxHandlerResult Handle(SkBuff skb) => BrInput.BrHandleFrame(this, skb);

    internal bool Has(BrPortFlags flag) => (Flags & flag) != 0;
}

/// <summary>What a bridge notes in a packet that passes through (<c>struct br_input_skb_cb</c>).</summary>
[LinuxStruct("br_input_skb_cb")]
internal struct BrInputSkbCb
{
    /// <summary>The packet came in by an isolated port.</summary>
    public bool SrcPortIsolated;
}
