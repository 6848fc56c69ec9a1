using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>A configuration message of the spanning tree (IEEE 802.1D section 9.3.1); times in ms.</summary>
[LinuxStruct("br_config_bpdu")]
internal struct BrConfigBpdu
{
    public bool TopologyChange;
    public bool TopologyChangeAck;
    public ulong Root;
    public uint RootPathCost;
    public ulong BridgeId;
    public ushort PortId;
    public long MessageAge;
    public long MaxAge;
    public long HelloTime;
    public long ForwardDelay;
}

/// <summary>The spanning tree protocol (IEEE 802.1D-1998 section 8.6, whose procedures it names). The bridge's lock is held.</summary>
[LinuxFile("net/bridge/br_stp.c")]
internal static class BrStp
{
    // At most one configuration message in this time goes out by a port, ms.
    private const long HoldTime = 1000;

    // What a bridge adds to the age of a message that it passes on, ms (at least 1/256 s).
    private const long MessageAgeIncrement = 4;

    public static void InitPort(NetBridgePort p)
    {
        p.InitTimers();
        BrInitPort(p);
        p.State = BrState.Disabled;
    }

    [Linux("br_init_port", "net/bridge/br_stp_if.c")]
    public static void BrInitPort(NetBridgePort p)
    {
        BrBecomeDesignatedPort(p);
        p.State = BrState.Blocking;
        p.TopologyChangeAck = false;
        p.ConfigPending = false;
    }

    [Linux("br_should_become_root_port")]
    private static bool BrShouldBecomeRootPort(NetBridgePort p, NetBridgePort? rp)
    {
        if (p.State == BrState.Disabled || p.IsDesignatedPort || p.Br.BridgeId <= p.DesignatedRoot)
            return false;
        if (rp == null)
            return true;
        if (p.DesignatedRoot != rp.DesignatedRoot)
            return p.DesignatedRoot < rp.DesignatedRoot;
        ulong cost = (ulong)p.DesignatedCost + p.PathCost;
        ulong rootCost = (ulong)rp.DesignatedCost + rp.PathCost;
        if (cost != rootCost)
            return cost < rootCost;
        if (p.DesignatedBridge != rp.DesignatedBridge)
            return p.DesignatedBridge < rp.DesignatedBridge;
        return p.DesignatedPort != rp.DesignatedPort ? p.DesignatedPort < rp.DesignatedPort : p.PortId < rp.PortId;
    }

    [Linux("br_root_selection")]
    private static void BrRootSelection(NetBridge br)
    {
        NetBridgePort? rootPort = null;
        foreach (NetBridgePort p in br.PortList)
        {
            if (BrShouldBecomeRootPort(p, rootPort))
                rootPort = p;
        }

        br.RootPort = rootPort?.PortNo ?? 0;
        br.DesignatedRoot = rootPort?.DesignatedRoot ?? br.BridgeId;
        br.RootPathCost = rootPort != null ? rootPort.DesignatedCost + rootPort.PathCost : 0;
    }

    [Linux("br_become_root_bridge")]
    public static void BrBecomeRootBridge(NetBridge br)
    {
        br.MaxAge = br.BridgeMaxAge;
        br.HelloTime = br.BridgeHelloTime;
        br.ForwardDelay = br.BridgeForwardDelay;
        BrTopologyChangeDetection(br);
        br.TcnTimer.Delete();
        if (!br.Dev.IsUp)
            return;
        BrConfigBpduGeneration(br);
        if (br.StpEnabled)
            br.Arm(br.HelloTimer, br.HelloTime);
    }

    [Linux("br_transmit_config")]
    public static void BrTransmitConfig(NetBridgePort p)
    {
        if (p.HoldTimer.Pending)
        {
            p.ConfigPending = true;
            return;
        }

        NetBridge br = p.Br;
        NetBridgePort? root = br.IsRootBridge ? null : Array.Find(br.PortList, each => each.PortNo == br.RootPort);
        long now = br.Dev.Net.Machine.Clock.Now;
        BrConfigBpdu bpdu = new()
        {
            TopologyChange = br.TopologyChange,
            TopologyChangeAck = p.TopologyChangeAck,
            Root = br.DesignatedRoot,
            RootPathCost = br.RootPathCost,
            BridgeId = br.BridgeId,
            PortId = p.PortId,
            MessageAge = root == null
                ? 0
                : br.MaxAge - ((root.MessageAgeTimer.Expires - now) / (1_000_000_000 / Clock.Hz)) + MessageAgeIncrement,
            MaxAge = br.MaxAge,
            HelloTime = br.HelloTime,
            ForwardDelay = br.ForwardDelay,
        };
        if (bpdu.MessageAge >= br.MaxAge)
            return;
        BrStpBpdu.BrSendConfigBpdu(p, in bpdu);
        p.TopologyChangeAck = false;
        p.ConfigPending = false;
        if (br.StpEnabled)
            br.Arm(p.HoldTimer, HoldTime);
    }

    [Linux("br_record_config_information")]
    private static void BrRecordConfigInformation(NetBridgePort p, in BrConfigBpdu bpdu)
    {
        p.DesignatedRoot = bpdu.Root;
        p.DesignatedCost = bpdu.RootPathCost;
        p.DesignatedBridge = bpdu.BridgeId;
        p.DesignatedPort = bpdu.PortId;
        p.Br.Arm(p.MessageAgeTimer, bpdu.MaxAge - bpdu.MessageAge);
    }

    [Linux("br_record_config_timeout_values")]
    private static void BrRecordConfigTimeoutValues(NetBridge br, in BrConfigBpdu bpdu)
    {
        br.MaxAge = bpdu.MaxAge;
        br.HelloTime = bpdu.HelloTime;
        br.ForwardDelay = bpdu.ForwardDelay;
        SetTopologyChange(br, bpdu.TopologyChange);
    }

    [Linux("br_transmit_tcn")]
    public static void BrTransmitTcn(NetBridge br)
    {
        if (Array.Find(br.PortList, p => p.PortNo == br.RootPort) is { } root)
            BrStpBpdu.BrSendTcnBpdu(root);
    }

    [Linux("br_should_become_designated_port")]
    private static bool BrShouldBecomeDesignatedPort(NetBridgePort p)
    {
        NetBridge br = p.Br;
        if (p.IsDesignatedPort || p.DesignatedRoot != br.DesignatedRoot)
            return true;
        if (br.RootPathCost != p.DesignatedCost)
            return br.RootPathCost < p.DesignatedCost;
        return br.BridgeId != p.DesignatedBridge ? br.BridgeId < p.DesignatedBridge : p.PortId < p.DesignatedPort;
    }

    [Linux("br_become_designated_port")]
    public static void BrBecomeDesignatedPort(NetBridgePort p)
    {
        NetBridge br = p.Br;
        p.DesignatedRoot = br.DesignatedRoot;
        p.DesignatedCost = br.RootPathCost;
        p.DesignatedBridge = br.BridgeId;
        p.DesignatedPort = p.PortId;
    }

    [Linux("br_supersedes_port_info")]
    private static bool BrSupersedesPortInfo(NetBridgePort p, in BrConfigBpdu bpdu)
    {
        if (bpdu.Root != p.DesignatedRoot)
            return bpdu.Root < p.DesignatedRoot;
        if (bpdu.RootPathCost != p.DesignatedCost)
            return bpdu.RootPathCost < p.DesignatedCost;
        if (bpdu.BridgeId != p.DesignatedBridge)
            return bpdu.BridgeId < p.DesignatedBridge;
        return bpdu.BridgeId != p.Br.BridgeId || bpdu.PortId <= p.DesignatedPort;
    }

    [Linux("br_topology_change_detection")]
    public static void BrTopologyChangeDetection(NetBridge br)
    {
        if (!br.StpEnabled)
            return;
        if (br.IsRootBridge)
        {
            SetTopologyChange(br, true);
            br.Arm(br.TopologyChangeTimer, br.BridgeForwardDelay + br.BridgeMaxAge);
        }
        else if (!br.TopologyChangeDetected)
        {
            BrTransmitTcn(br);
            br.Arm(br.TcnTimer, br.BridgeHelloTime);
        }

        br.TopologyChangeDetected = true;
    }

    /// <summary>Addresses age fast while the tree changes, and slowly again afterwards.</summary>

    public static void SetTopologyChange(NetBridge br, bool on)
    {
        if (br.TopologyChange == on)
            return;
        br.TopologyChange = on;
        br.Fdb.HoldTimeChanged();
    }

    [Linux("br_config_bpdu_generation")]
    public static void BrConfigBpduGeneration(NetBridge br)
    {
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.State != BrState.Disabled && p.IsDesignatedPort)
                BrTransmitConfig(p);
        }
    }

    [Linux("br_configuration_update")]
    public static void BrConfigurationUpdate(NetBridge br)
    {
        BrRootSelection(br);
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.State != BrState.Disabled && BrShouldBecomeDesignatedPort(p))
                BrBecomeDesignatedPort(p);
        }
    }

    [Linux("br_make_blocking")]
    private static void BrMakeBlocking(NetBridgePort p)
    {
        if (p.State is BrState.Disabled or BrState.Blocking)
            return;
        if (p.State is BrState.Forwarding or BrState.Learning)
            BrTopologyChangeDetection(p.Br);
        p.State = BrState.Blocking;
        p.ForwardDelayTimer.Delete();
    }

    [Linux("br_make_forwarding")]
    private static void BrMakeForwarding(NetBridgePort p)
    {
        NetBridge br = p.Br;
        if (p.State != BrState.Blocking)
            return;
        if (!br.StpEnabled || br.ForwardDelay == 0)
        {
            p.State = BrState.Forwarding;
            BrTopologyChangeDetection(br);
            p.ForwardDelayTimer.Delete();
            return;
        }

        p.State = BrState.Listening;
        br.Arm(p.ForwardDelayTimer, br.ForwardDelay);
    }

    [Linux("br_port_state_selection")]
    public static void BrPortStateSelection(NetBridge br)
    {
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.State == BrState.Disabled)
                continue;
            if (p.PortNo == br.RootPort)
            {
                p.ConfigPending = p.TopologyChangeAck = false;
                BrMakeForwarding(p);
            }
            else if (p.IsDesignatedPort)
            {
                p.MessageAgeTimer.Delete();
                BrMakeForwarding(p);
            }
            else
            {
                p.ConfigPending = p.TopologyChangeAck = false;
                BrMakeBlocking(p);
            }
        }

        br.Carrier = Array.Exists(br.PortList, p => p.State == BrState.Forwarding);
    }

    [Linux("br_received_config_bpdu")]
    public static void BrReceivedConfigBpdu(NetBridgePort p, in BrConfigBpdu bpdu)
    {
        NetBridge br = p.Br;
        bool wasRoot = br.IsRootBridge;
        if (!BrSupersedesPortInfo(p, in bpdu))
        {
            if (p.IsDesignatedPort)
                BrTransmitConfig(p);
            return;
        }

        BrRecordConfigInformation(p, in bpdu);
        BrConfigurationUpdate(br);
        BrPortStateSelection(br);
        if (!br.IsRootBridge && wasRoot)
        {
            br.HelloTimer.Delete();
            if (br.TopologyChangeDetected)
            {
                br.TopologyChangeTimer.Delete();
                BrTransmitTcn(br);
                br.Arm(br.TcnTimer, br.BridgeHelloTime);
            }
        }

        if (p.PortNo != br.RootPort)
            return;
        BrRecordConfigTimeoutValues(br, in bpdu);
        BrConfigBpduGeneration(br);
        if (!bpdu.TopologyChangeAck)
            return;
        br.TopologyChangeDetected = false;
        br.TcnTimer.Delete();
    }

    [Linux("br_received_tcn_bpdu")]
    public static void BrReceivedTcnBpdu(NetBridgePort p)
    {
        if (!p.IsDesignatedPort)
            return;
        BrTopologyChangeDetection(p.Br);
        p.TopologyChangeAck = true;
        BrTransmitConfig(p);
    }
}
