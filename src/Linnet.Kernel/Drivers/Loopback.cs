using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ethernet;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Drivers;

/// <summary>The loopback device <c>lo</c>: what is sent comes in.</summary>
[LinuxFile("drivers/net/loopback.c")]
public sealed class Loopback : NetDeviceOps
{
    private static readonly Loopback Instance = new();

    private Loopback()
    {
    }

    /// <summary>Gives a new namespace its loopback device, which is down as in Linux.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("loopback_net_init")]
    public static int LoopbackNetInit(NetNamespace net)
    {
        NetDevice dev = new(net, "lo", Instance, EthHeaderOps.Instance)
        {
            Type = ARPHRD_LOOPBACK,
            Flags = (uint)(IFF_LOOPBACK | IFF_RUNNING | IFF_LOWER_UP),
            Mtu = 65536,
            NoQueue = true,
            Broadcast = new byte[ETH_ALEN],
            Features = NetdevFeatures.HwCsum | NetdevFeatures.Sg | NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4
                | NetdevFeatures.Lltx | NetdevFeatures.Loopback | NetdevFeatures.VlanChallenged,
        };
        return Dev.RegisterNetdev(dev);
    }

    /// <inheritdoc/>
    [Linux("loopback_xmit")]
    public override int StartXmit(SkBuff skb, NetDevice dev)
    {
        int length = skb.Len;
        TxTimestamp.SkbTxTimestamp(skb);
        skb.Orphan();
        skb.Tstamp = 0;
        skb.Protocol = Eth.EthTypeTrans(skb, dev);
        Interlocked.Increment(ref dev.Stats.TxPackets);
        Interlocked.Add(ref dev.Stats.TxBytes, length);
        if (Dev.NetifRx(skb) == Dev.NET_RX_SUCCESS)
        {
            Interlocked.Increment(ref dev.Stats.RxPackets);
            Interlocked.Add(ref dev.Stats.RxBytes, length);
        }

        return Dev.NETDEV_TX_OK;
    }
}
