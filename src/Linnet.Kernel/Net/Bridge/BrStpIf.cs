using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>Ports and bridges that begin and end to take part. Without the lock, but where said.</summary>
[LinuxFile("net/bridge/br_stp_if.c")]
public static class BrStpIf
{
    [Linux("br_stp_enable_bridge")]
    internal static void BrStpEnableBridge(NetBridge br) => br.Locked(() =>
    {
        if (br.StpEnabled)
            br.Arm(br.HelloTimer, br.HelloTime);
        BrStp.BrConfigBpduGeneration(br);
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.Dev.IsRunning)
                EnablePortLocked(p);
        }

        BrStp.BrPortStateSelection(br);
    });

    [Linux("br_stp_disable_bridge")]
    internal static void BrStpDisableBridge(NetBridge br) => br.Locked(() =>
    {
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.State != BrState.Disabled)
                DisablePortLocked(p);
        }

        br.TopologyChange = false;
        br.TopologyChangeDetected = false;
        br.HelloTimer.Delete();
        br.TopologyChangeTimer.Delete();
        br.TcnTimer.Delete();
    });

    /// <summary>The port's link came, with its bridge up.</summary>
    [Linux("br_stp_enable_port")]
    internal static void BrStpEnablePort(NetBridgePort p) => p.Br.Locked(() =>
    {
        if (p.State == BrState.Disabled)
            EnablePortLocked(p);
    });

    /// <summary>The port's link went, or its bridge.</summary>
    [Linux("br_stp_disable_port")]
    internal static void BrStpDisablePort(NetBridgePort p) => p.Br.Locked(() =>
    {
        if (p.State != BrState.Disabled)
            DisablePortLocked(p);
    });

    /// <summary>Switches the spanning tree protocol (<c>stp_state</c>).</summary>
    [Linux("br_stp_set_enabled")]
    public static void BrStpSetEnabled(NetBridge br, bool on) => br.Locked(() =>
    {
        if (br.StpEnabled == on)
            return;
        br.StpEnabled = on;
        if (!on)
        {
            br.HelloTimer.Delete();
            br.TcnTimer.Delete();
            br.TopologyChangeTimer.Delete();
        }
        else if (br.Dev.IsUp)
        {
            // Ports that passed frames so far have to look for loops first.
            br.Arm(br.HelloTimer, br.HelloTime);
            foreach (NetBridgePort p in br.PortList)
            {
                if (p.State != BrState.Disabled)
                    p.State = BrState.Blocking;
            }
        }

        BrStp.BrPortStateSelection(br);
        if (on && br.Dev.IsUp)
            BrStp.BrConfigBpduGeneration(br);
    });

    [Linux("br_stp_change_bridge_id")]
    internal static void BrStpChangeBridgeId(NetBridge br, ReadOnlySpan<byte> addr)
    {
        br.Fdb.BrFdbChangeMacAddress(addr);
        byte[] copy = addr.ToArray();
        br.Locked(() =>
        {
            br.Dev.DevAddr = copy;
            ChangeId(br, (br.BridgeId & 0xFFFFul << 48) | BrFdb.KeyOf(copy));
        });
    }

    /// <summary>Sets the bridge's priority (<c>priority</c>), 0 to 65535: the lowest bridge is the root.</summary>
    [Linux("br_stp_set_bridge_priority")]
    public static void BrStpSetBridgePriority(NetBridge br, ushort priority) =>
        br.Locked(() => ChangeId(br, ((ulong)priority << 48) | (br.BridgeId & ~(0xFFFFul << 48))));

    /// <summary>Gives the bridge the lowest address of its ports, unless a user chose one.</summary>
    /// <returns>Whether it changed.</returns>
    [Linux("br_stp_recalculate_bridge_id")]
    internal static bool BrStpRecalculateBridgeId(NetBridge br)
    {
        if (br.AddrSetByUser)
            return false;
        NetBridgePort? lowest = br.PortList.MinBy(p => BrFdb.KeyOf(p.Dev.DevAddr));
        byte[] addr = lowest?.Dev.DevAddr ?? new byte[ETH_ALEN];
        if (addr.AsSpan().SequenceEqual(br.Dev.DevAddr))
            return false;
        BrStpChangeBridgeId(br, addr);
        return true;
    }

    /// <summary>Sets how long ports listen, and then learn (<c>forward_delay</c>); what counts is the root's figure.</summary>
    /// <param name="br">The bridge.</param>
    /// <param name="delay">ms; 2 to 30 s while the protocol is on.</param>
    /// <returns>0 or -ERANGE.</returns>
    [Linux("br_set_forward_delay", "net/bridge/br_stp.c")]
    public static int BrSetForwardDelay(NetBridge br, long delay)
    {
        if (delay < 0 || (br.StpEnabled && delay is < 2_000 or > 30_000))
            return -ERANGE;
        br.Locked(() =>
        {
            br.BridgeForwardDelay = delay;
            if (br.IsRootBridge)
                br.ForwardDelay = delay;
        });
        return 0;
    }

    /// <summary>Sets the cost of a port's link (<c>path_cost</c>).</summary>
    /// <returns>0, or -ERANGE when it is not in 1 to 65535.</returns>
    [Linux("br_stp_set_path_cost")]
    public static int BrStpSetPathCost(NetBridgePort p, uint cost)
    {
        if (cost is < 1 or > 65535)
            return -ERANGE;
        p.Br.Locked(() =>
        {
            p.PathCost = cost;
            BrStp.BrConfigurationUpdate(p.Br);
            BrStp.BrPortStateSelection(p.Br);
        });
        return 0;
    }

    private static void ChangeId(NetBridge br, ulong id)
    {
        ulong old = br.BridgeId;
        bool wasRoot = br.IsRootBridge;
        br.BridgeId = id;
        foreach (NetBridgePort p in br.PortList)
        {
            if (p.DesignatedBridge == old)
                p.DesignatedBridge = id;
            if (p.DesignatedRoot == old)
                p.DesignatedRoot = id;
        }

        BrStp.BrConfigurationUpdate(br);
        BrStp.BrPortStateSelection(br);
        if (br.IsRootBridge && !wasRoot)
            BrStp.BrBecomeRootBridge(br);
    }

    private static void EnablePortLocked(NetBridgePort p)
    {
        BrStp.BrInitPort(p);
        BrStp.BrPortStateSelection(p.Br);
    }

    private static void DisablePortLocked(NetBridgePort p)
    {
        NetBridge br = p.Br;
        bool wasRoot = br.IsRootBridge;
        BrStp.BrBecomeDesignatedPort(p);
        p.State = BrState.Disabled;
        p.TopologyChangeAck = false;
        p.ConfigPending = false;
        p.MessageAgeTimer.Delete();
        p.ForwardDelayTimer.Delete();
        p.HoldTimer.Delete();
        br.Fdb.BrFdbDeleteByPort(p, doAll: false);
        BrStp.BrConfigurationUpdate(br);
        BrStp.BrPortStateSelection(br);
        if (br.IsRootBridge && !wasRoot)
            BrStp.BrBecomeRootBridge(br);
    }
}
