using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>What a frame's destination is.</summary>
internal enum BrPktType
{
    Unicast,
    Multicast,
    Broadcast,
}

/// <summary>Out by ports. Packets have their data behind the link header.</summary>
[LinuxFile("net/bridge/br_forward.c")]
internal static class BrForward
{
    /// <summary>Sends a packet out by one port, if it may go there. Takes over the packet unless <paramref name="localRcv"/>.</summary>
    /// <param name="to">The port; null for none.</param>
    /// <param name="skb">The packet.</param>
    /// <param name="localRcv">Whether the host needs the packet too.</param>
    [Linux("br_forward")]
    public static void Forward(NetBridgePort? to, SkBuff skb, bool localRcv)
    {
        if (to != null && ShouldDeliver(to, skb))
            BrForwardCore(to, localRcv ? DeliverClone(skb) : skb);
        else if (!localRcv)
            skb.Free();
    }

    /// <summary>Sends a packet out by all ports that take its kind. Takes over the packet unless <paramref name="localRcv"/>.</summary>
    [Linux("br_flood")]
    public static void BrFlood(NetBridge br, SkBuff skb, BrPktType pktType, bool localRcv)
    {
        NetBridgePort? prev = null;
        bool fromHost = skb.Dev == br.Dev;
        foreach (NetBridgePort p in br.PortList)
        {
            // What the host itself sends to groups goes everywhere.
            bool wanted = pktType switch
            {
                BrPktType.Unicast => p.Has(BrPortFlags.Flood),
                BrPktType.Multicast => p.Has(BrPortFlags.McastFlood) || fromHost,
                _ => p.Has(BrPortFlags.BcastFlood) || fromHost,
            };
            if (wanted)
                prev = MaybeDeliver(prev, p, skb);
        }

        if (prev != null)
            BrForwardCore(prev, localRcv ? DeliverClone(skb) : skb);
        else if (!localRcv)
            skb.Free();
    }

    // The last port gets the packet itself, those before it get clones.
    [Linux("maybe_deliver")]
    private static NetBridgePort? MaybeDeliver(NetBridgePort? prev, NetBridgePort p, SkBuff skb)
    {
        if (!ShouldDeliver(p, skb))
            return prev;
        if (prev != null)
            BrForwardCore(prev, DeliverClone(skb));
        return p;
    }

    [Linux("deliver_clone")]
    private static SkBuff DeliverClone(SkBuff skb) => skb.Clone();

    [Linux("should_deliver")]
    private static bool ShouldDeliver(NetBridgePort p, SkBuff skb) =>
        (p.Has(BrPortFlags.HairpinMode) || skb.Dev != p.Dev) && p.State == BrState.Forwarding
        && !(skb.Cb<BrInputSkbCb>().SrcPortIsolated && p.Has(BrPortFlags.Isolated));

    [Linux("__br_forward")]
    private static void BrForwardCore(NetBridgePort to, SkBuff skb)
    {
        skb.Dev = to.Dev;
        BrDevQueuePushXmit(skb);
    }

    [Linux("br_dev_queue_push_xmit")]
    private static int BrDevQueuePushXmit(SkBuff skb)
    {
        skb.Push(ETH_HLEN);
        if (IsSkbForwardable(skb.Dev!, skb))
            return Dev.DevQueueXmit(skb);
        skb.Free();
        return 0;
    }

    [Linux("is_skb_forwardable", "include/linux/netdevice.h")]
    private static bool IsSkbForwardable(NetDevice dev, SkBuff skb) =>
        dev.IsUp && (skb.Len <= dev.Mtu + dev.HardHeaderLen + IfVlan.VLAN_HLEN || skb.IsGso);
}
