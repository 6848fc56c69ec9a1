using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ethernet;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>The device of a bridge: what the host sends by it goes out by the ports.</summary>
[LinuxFile("net/bridge/br_device.c")]
public sealed class BrDevice : NetDeviceOps
{
    internal static readonly BrDevice Instance = new();

    private BrDevice()
    {
    }

    /// <inheritdoc/>
    [Linux("br_dev_xmit")]
    public override int StartXmit(SkBuff skb, NetDevice dev)
    {
        NetBridge br = NetBridge.Of(dev)!;
        Interlocked.Increment(ref dev.Stats.TxPackets);
        Interlocked.Add(ref dev.Stats.TxBytes, skb.Len);
        skb.Cb<BrInputSkbCb>() = default;
        skb.ResetMacHeader();
        skb.Pull(ETH_HLEN);
        ReadOnlySpan<byte> dest = skb.MacHeaderSpan[..ETH_ALEN];
        BrPktType type = BrInput.TypeOf(dest);
        if (type == BrPktType.Unicast && br.Fdb.BrFdbFindRcu(dest) is { } dst)
            BrForward.Forward(dst.Dst, skb, localRcv: false);
        else
            BrForward.BrFlood(br, skb, type, localRcv: false);
        return Dev.NETDEV_TX_OK;
    }

    /// <inheritdoc/>
    [Linux("br_dev_open")]
    public override int Open(NetDevice dev)
    {
        BrStpIf.BrStpEnableBridge(NetBridge.Of(dev)!);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("br_dev_stop")]
    public override int Stop(NetDevice dev)
    {
        BrStpIf.BrStpDisableBridge(NetBridge.Of(dev)!);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("br_change_mtu")]
    public override int ChangeMtu(NetDevice dev, int mtu)
    {
        NetBridge.Of(dev)!.MtuSetByUser = true;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("br_set_mac_address")]
    public override int SetMacAddress(NetDevice dev, ReadOnlySpan<byte> address)
    {
        NetBridge br = NetBridge.Of(dev)!;
        br.AddrSetByUser = true;
        BrStpIf.BrStpChangeBridgeId(br, address);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("br_dev_uninit")]
    public override void Uninit(NetDevice dev)
    {
        NetBridge br = NetBridge.Of(dev)!;
        foreach (NetBridgePort p in br.PortList)
            BrIf.DelNbp(p);
        br.Fdb.Stop();
    }

    // What the bridge's device takes, ports that cannot do it get done in software.
    [Linux("br_dev_setup")]
    internal static NetDevice BrDevSetup(NetNamespace net, string name, NetBridge br) =>
        new(net, name, Instance, EthHeaderOps.Instance)
        {
            Flags = (uint)(IFF_BROADCAST | IFF_MULTICAST),
            DevAddr = Eth.EthRandomAddr(net.Machine.Random),
            NoQueue = true,
            Features = NetdevFeatures.HwCsum | NetdevFeatures.Sg | NetdevFeatures.Tso | NetdevFeatures.GsoUdpL4
                | NetdevFeatures.Lltx | NetdevFeatures.HwVlanTx,
            Priv = br,
        };
}
