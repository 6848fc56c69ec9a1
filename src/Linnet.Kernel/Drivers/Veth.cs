using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ethernet;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Drivers;

/// <summary>Pairs of Ethernet devices that are wired to each other, each in its own namespace.</summary>
[LinuxFile("drivers/net/veth.c")]
public sealed class Veth : NetDeviceOps
{
    private static readonly Veth Instance = new();

    private Veth()
    {
    }

    /// <summary>Makes a pair of devices; both are down.</summary>
    /// <returns>0, or a negative errno with neither made.</returns>
    [Linux("veth_newlink")]
    public static int VethNewlink(
        NetNamespace net, string name, NetNamespace peerNet, string peerName, out NetDevice dev, out NetDevice peer)
    {
        dev = NewDevice(net, name);
        peer = NewDevice(peerNet, peerName);
        int err = Dev.RegisterNetdev(peer);
        if (err < 0)
            return err;
        err = Dev.RegisterNetdev(dev);
        if (err < 0)
        {
            Dev.UnregisterNetdev(peer);
            return err;
        }

        dev.Priv = peer;
        peer.Priv = dev;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("veth_open")]
    public override int Open(NetDevice dev)
    {
        if (dev.Priv is not NetDevice peer)
            return -ENOTCONN;
        if (peer.IsUp)
        {
            Dev.NetifCarrierOn(dev);
            Dev.NetifCarrierOn(peer);
        }

        return 0;
    }

    /// <inheritdoc/>
    [Linux("veth_close")]
    public override int Stop(NetDevice dev)
    {
        Dev.NetifCarrierOff(dev);
        if (dev.Priv is NetDevice peer)
            Dev.NetifCarrierOff(peer);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("veth_xmit")]
    public override int StartXmit(SkBuff skb, NetDevice dev)
    {
        int length = skb.Len;
        TxTimestamp.SkbTxTimestamp(skb);
        if (dev.Priv is NetDevice peer && DevForwardSkb(skb, peer))
        {
            Interlocked.Increment(ref dev.Stats.TxPackets);
            Interlocked.Add(ref dev.Stats.TxBytes, length);
        }
        else
        {
            Interlocked.Increment(ref dev.Stats.TxDropped);
        }

        return Dev.NETDEV_TX_OK;
    }

    /// <inheritdoc/>
    public override int SetMacAddress(NetDevice dev, ReadOnlySpan<byte> address) => 0;

    /// <inheritdoc/>
    public override void Uninit(NetDevice dev)
    {
        if (dev.Priv is not NetDevice peer)
            return;
        dev.Priv = null;
        peer.Priv = null;
        Dev.UnregisterNetdev(peer);
    }

    private static NetDevice NewDevice(NetNamespace net, string name) => new(net, name, Instance, EthHeaderOps.Instance)
    {
        Flags = (uint)(IFF_BROADCAST | IFF_MULTICAST),
        DevAddr = Eth.EthRandomAddr(net.Machine.Random),
        NoQueue = true,
        Features = NetdevFeatures.HwCsum | NetdevFeatures.Sg | NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4
            | NetdevFeatures.Lltx | NetdevFeatures.HwVlanTx,
    };

    // The packet leaves one namespace and comes in by a device of another: it keeps nothing of the first.
    [Linux("__dev_forward_skb", "net/core/dev.c")]
    private static bool DevForwardSkb(SkBuff skb, NetDevice peer)
    {
        if (!peer.IsUp || skb.Len > peer.Mtu + ETH_HLEN + IfVlan.VLAN_HLEN && !skb.IsGso)
        {
            Interlocked.Increment(ref peer.Stats.RxDropped);
            skb.Free();
            return false;
        }

        int length = skb.Len;
        skb.Orphan();
        skb.Dst = null;
        skb.Tstamp = 0;
        skb.Mark = 0;
        skb.Priority = 0;
        skb.PktType = PACKET_HOST;
        skb.Protocol = Eth.EthTypeTrans(skb, peer);
        if (Dev.NetifRx(skb) == Dev.NET_RX_SUCCESS)
        {
            Interlocked.Increment(ref peer.Stats.RxPackets);
            Interlocked.Add(ref peer.Stats.RxBytes, length);
        }

        return true;
    }
}
