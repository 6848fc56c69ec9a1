using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>The timers of the spanning tree (IEEE 802.1D section 8.7). Called without the lock.</summary>
[LinuxFile("net/bridge/br_stp_timer.c")]
internal static class BrStpTimer
{
    [Linux("br_hello_timer_expired")]
    public static void BrHelloTimerExpired(NetBridge br) => br.Locked(() =>
    {
        if (!br.Dev.IsUp || !br.StpEnabled)
            return;
        BrStp.BrConfigBpduGeneration(br);
        br.Arm(br.HelloTimer, br.HelloTime);
    });

    // The bridge that was responsible for the link has fallen silent.
    [Linux("br_message_age_timer_expired")]
    public static void BrMessageAgeTimerExpired(NetBridgePort p) => p.Br.Locked(() =>
    {
        NetBridge br = p.Br;
        if (p.State == BrState.Disabled)
            return;
        bool wasRoot = br.IsRootBridge;
        BrStp.BrBecomeDesignatedPort(p);
        BrStp.BrConfigurationUpdate(br);
        BrStp.BrPortStateSelection(br);
        if (br.IsRootBridge && !wasRoot)
            BrStp.BrBecomeRootBridge(br);
    });

    [Linux("br_forward_delay_timer_expired")]
    public static void BrForwardDelayTimerExpired(NetBridgePort p) => p.Br.Locked(() =>
    {
        NetBridge br = p.Br;
        if (p.State == BrState.Listening)
        {
            p.State = BrState.Learning;
            br.Arm(p.ForwardDelayTimer, br.ForwardDelay);
        }
        else if (p.State == BrState.Learning)
        {
            p.State = BrState.Forwarding;
            if (Array.Exists(br.PortList, each => each.State != BrState.Disabled && each.DesignatedBridge == br.BridgeId))
                BrStp.BrTopologyChangeDetection(br);
            br.Carrier = true;
        }
    });

    [Linux("br_tcn_timer_expired")]
    public static void BrTcnTimerExpired(NetBridge br) => br.Locked(() =>
    {
        if (br.IsRootBridge || !br.Dev.IsUp)
            return;
        BrStp.BrTransmitTcn(br);
        br.Arm(br.TcnTimer, br.BridgeHelloTime);
    });

    [Linux("br_topology_change_timer_expired")]
    public static void BrTopologyChangeTimerExpired(NetBridge br) => br.Locked(() =>
    {
        br.TopologyChangeDetected = false;
        BrStp.SetTopologyChange(br, false);
    });

    [Linux("br_hold_timer_expired")]
    public static void BrHoldTimerExpired(NetBridgePort p) => p.Br.Locked(() =>
    {
        if (p.ConfigPending)
            BrStp.BrTransmitConfig(p);
    });
}
