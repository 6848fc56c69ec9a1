using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Vlan;

/// <summary>The VLANs on a device (<c>struct vlan_info</c>); read without a lock.</summary>
[LinuxStruct("vlan_info")]
[LinuxFile("net/8021q/vlan_core.c")]
internal sealed class VlanInfo : VlanReceiver
{
    // By protocol and number; replaced whole, under the lock of the namespace's table of devices.
    private volatile Dictionary<int, NetDevice> devices = [];

    /// <summary>The VLAN devices, by number.</summary>
    public IEnumerable<NetDevice> All => devices.OrderBy(each => each.Key).Select(each => each.Value);

    public bool IsEmpty => devices.Count == 0;

    /// <summary>The VLAN device of a protocol and number, or null.</summary>
    [Linux("vlan_find_dev", "net/8021q/vlan.h")]
    public NetDevice? VlanFindDev(ushort protocol, ushort id) => devices.GetValueOrDefault(Key(protocol, id));

    public void Set(ushort protocol, ushort id, NetDevice? dev)
    {
        Dictionary<int, NetDevice> changed = new(devices);
        if (dev != null)
            changed[Key(protocol, id)] = dev;
        else
            changed.Remove(Key(protocol, id));
        devices = changed;
    }

    /// <inheritdoc/>
    [Linux("vlan_do_receive")]
    public override bool DoReceive(ref SkBuff? received)
    {
        SkBuff skb = received!;
        if (VlanFindDev(skb.VlanProto, skb.VlanTagId) is not { } vlanDev)
            return false;
        if (!vlanDev.IsUp)
        {
            skb.Free();
            received = null;
            return false;
        }

        skb.Dev = vlanDev;
        // The VLAN may have an address of its own, which the device below took for somebody else's.
        if (skb.PktType == PACKET_OTHERHOST && skb.MacHeaderSpan[..ETH_ALEN].SequenceEqual(vlanDev.DevAddr))
            skb.PktType = PACKET_HOST;
        VlanDevPriv vlan = VlanDev.PrivOf(vlanDev)!;
        if (!vlan.ReordersHeader && vlanDev.RxHandler is null)
            ShowTag(skb);
        skb.Priority = vlan.IngressPriorityMap[skb.VlanTci >> IfVlan.VLAN_PRIO_SHIFT];
        IfVlan.VlanHwaccelClearTag(skb);
        Interlocked.Increment(ref vlanDev.Stats.RxPackets);
        Interlocked.Add(ref vlanDev.Stats.RxBytes, skb.Len);
        if (skb.PktType == PACKET_MULTICAST)
            Interlocked.Increment(ref vlanDev.Stats.Multicast);
        return true;
    }

    // Who listens on the VLAN's device sees the tag in the frame, between link header and data.
    private static void ShowTag(SkBuff skb)
    {
        int offset = skb.DataOffset - skb.MacHeader;
        skb.Push(offset);
        IfVlan.VlanInsertTag(skb, skb.VlanProto, skb.VlanTci);
        skb.Pull(offset + IfVlan.VLAN_HLEN);
    }

    private static int Key(ushort protocol, ushort id) => protocol << 12 | id;
}
