using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Vlan;

/// <summary>How a VLAN device behaves (<c>VLAN_FLAG_*</c>).</summary>
[Flags]
public enum VlanFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Frames look untagged on the VLAN's device; on by default.</summary>
    ReorderHdr = 1,

    /// <summary>The VLAN's device does not follow the state of the device below.</summary>
    LooseBinding = 4,
}

/// <summary>State of a VLAN device (<c>struct vlan_dev_priv</c>).</summary>
[LinuxStruct("vlan_dev_priv")]
public sealed class VlanDevPriv
{
    // Few priorities are mapped, so that a list is enough; replaced whole.
    private volatile (uint Priority, ushort Qos)[] egress = [];

    internal VlanDevPriv(NetDevice realDev, ushort protocol, ushort id, VlanFlags flags)
    {
        RealDev = realDev;
        VlanProto = protocol;
        VlanId = id;
        Flags = flags;
    }

    /// <summary>The device below.</summary>
    public NetDevice RealDev { get; }

    /// <summary><c>ETH_P_8021Q</c> or <c>ETH_P_8021AD</c>.</summary>
    public ushort VlanProto { get; }

    /// <summary>The VLAN, 0 to 4094.</summary>
    public ushort VlanId { get; }

    /// <summary>How the device behaves.</summary>
    public VlanFlags Flags { get; internal set; }

    /// <summary>The priority that packets get by the priority of their tag.</summary>
    public uint[] IngressPriorityMap { get; } = new uint[8];

    /// <summary>The priority of tags by that of packets: those that are not 0.</summary>
    public IReadOnlyList<(uint Priority, ushort Qos)> EgressPriorityMap => egress;

    /// <summary>The address is that of the device below, whatever that becomes.</summary>
    internal bool AddrInherited { get; set; } = true;

    /// <summary>Multicast addresses that were passed on to the device below.</summary>
    internal NetdevHwAddr[] SyncedMc { get; set; } = [];

    /// <summary>The name that the device's file in <c>/proc/net/vlan</c> has.</summary>
    internal string ProcName { get; set; } = "";

    internal bool ReordersHeader => (Flags & VlanFlags.ReorderHdr) != 0;

    internal ushort Tci(uint priority) => (ushort)(VlanId | VlanDevGetEgressQosMask(priority));

    [Linux("vlan_dev_get_egress_qos_mask", "include/linux/if_vlan.h")]
    internal ushort VlanDevGetEgressQosMask(uint priority)
    {
        foreach ((uint each, ushort qos) in egress)
        {
            if (each == priority)
                return (ushort)(qos << IfVlan.VLAN_PRIO_SHIFT);
        }

        return 0;
    }

    internal void SetEgress(uint priority, ushort qos)
    {
        lock (this)
            egress = [.. egress.Where(each => each.Priority != priority), (priority, qos)];
    }
}

/// <summary>VLAN devices: they send tagged frames by the device below.</summary>
[LinuxFile("net/8021q/vlan_dev.c")]
public sealed class VlanDev : NetDeviceOps
{
    internal static readonly VlanDev Instance = new();

    private VlanDev()
    {
    }

    /// <summary>The state of a VLAN device; null for other devices.</summary>
    public static VlanDevPriv? PrivOf(NetDevice dev) => dev.Priv as VlanDevPriv;

    /// <summary>Gives packets a priority by that of their tag (<c>SET_VLAN_INGRESS_PRIORITY_CMD</c>).</summary>
    /// <param name="dev">The VLAN's device.</param>
    /// <param name="skbPrio">The packets' priority.</param>
    /// <param name="vlanPrio">The tag's, 0 to 7.</param>
    [Linux("vlan_dev_set_ingress_priority")]
    public static void VlanDevSetIngressPriority(NetDevice dev, uint skbPrio, ushort vlanPrio) =>
        PrivOf(dev)!.IngressPriorityMap[vlanPrio & 7] = skbPrio;

    /// <summary>Gives tags a priority by that of their packets (<c>SET_VLAN_EGRESS_PRIORITY_CMD</c>).</summary>
    /// <param name="dev">The VLAN's device.</param>
    /// <param name="skbPrio">The packets' priority.</param>
    /// <param name="vlanPrio">The tag's, 0 to 7.</param>
    /// <returns>0.</returns>
    [Linux("vlan_dev_set_egress_priority")]
    public static int VlanDevSetEgressPriority(NetDevice dev, uint skbPrio, ushort vlanPrio)
    {
        PrivOf(dev)!.SetEgress(skbPrio, (ushort)(vlanPrio & 7));
        return 0;
    }

    /// <inheritdoc/>
    [Linux("vlan_dev_open")]
    public override int Open(NetDevice dev)
    {
        VlanDevPriv vlan = PrivOf(dev)!;
        if (!vlan.RealDev.IsUp && (vlan.Flags & VlanFlags.LooseBinding) == 0)
            return -ENETDOWN;
        SetRxMode(dev);
        if ((vlan.RealDev.Flags & IFF_RUNNING) != 0)
            Dev.NetifCarrierOn(dev);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("vlan_dev_stop")]
    public override int Stop(NetDevice dev)
    {
        VlanDevPriv vlan = PrivOf(dev)!;
        foreach (NetdevHwAddr ha in vlan.SyncedMc)
            DevAddrLists.DevMcDel(vlan.RealDev, ha.Addr);
        vlan.SyncedMc = [];
        if ((vlan.Flags & VlanFlags.LooseBinding) == 0)
            Dev.NetifCarrierOff(dev);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("vlan_dev_hard_start_xmit")]
    public override int StartXmit(SkBuff skb, NetDevice dev)
    {
        VlanDevPriv vlan = PrivOf(dev)!;
        // A frame that has the tag already was built so by its sender.
        if (vlan.ReordersHeader || BinaryPrimitives.ReadUInt16BigEndian(skb.Data[(2 * ETH_ALEN)..]) != vlan.VlanProto)
            IfVlan.VlanHwaccelPutTag(skb, vlan.VlanProto, vlan.Tci(skb.Priority));
        skb.Dev = vlan.RealDev;
        int length = skb.Len;
        int ret = Dev.DevQueueXmit(skb);
        if (ret is Dev.NET_XMIT_SUCCESS or Dev.NET_XMIT_CN)
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
    [Linux("vlan_dev_change_mtu")]
    public override int ChangeMtu(NetDevice dev, int mtu) => mtu > PrivOf(dev)!.RealDev.Mtu ? -ERANGE : 0;

    /// <inheritdoc/>
    [Linux("vlan_dev_set_mac_address")]
    public override int SetMacAddress(NetDevice dev, ReadOnlySpan<byte> address)
    {
        PrivOf(dev)!.AddrInherited = false;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("vlan_dev_set_rx_mode")]
    public override void SetRxMode(NetDevice dev)
    {
        VlanDevPriv vlan = PrivOf(dev)!;
        if (!dev.IsUp && vlan.SyncedMc.Length == 0 && dev.Mc.Length == 0)
            return;
        NetdevHwAddr[] wanted = dev.Mc;
        NetdevHwAddr[] synced = vlan.SyncedMc;
        vlan.SyncedMc = wanted;
        foreach (NetdevHwAddr ha in wanted.Except(synced))
            DevAddrLists.DevMcAdd(vlan.RealDev, ha.Addr);
        foreach (NetdevHwAddr ha in synced.Except(wanted))
            DevAddrLists.DevMcDel(vlan.RealDev, ha.Addr);
    }
}

/// <summary>Writes the headers of a VLAN's frames (<c>vlan_header_ops</c>).</summary>
[LinuxFile("net/8021q/vlan_dev.c")]
internal sealed class VlanHeaderOps : HeaderOps
{
    public static readonly VlanHeaderOps Instance = new();

    private VlanHeaderOps()
    {
    }

    /// <inheritdoc/>
    [Linux("vlan_dev_hard_header")]
    public override int Create(SkBuff skb, NetDevice dev, ushort type, ReadOnlySpan<byte> daddr, ReadOnlySpan<byte> saddr)
    {
        VlanDevPriv vlan = VlanDev.PrivOf(dev)!;
        int tagLength = 0;
        if (!vlan.ReordersHeader)
        {
            tagLength = IfVlan.VLAN_HLEN;
            skb.EnsureWritableHead(tagLength + ETH_HLEN);
            Span<byte> tag = skb.Push(tagLength);
            BinaryPrimitives.WriteUInt16BigEndian(tag, vlan.Tci(skb.Priority));
            BinaryPrimitives.WriteUInt16BigEndian(tag[2..], type);
            skb.Protocol = type = vlan.VlanProto;
        }

        NetDevice real = vlan.RealDev;
        int length = real.HeaderOps.Create(skb, real, type, daddr, saddr.IsEmpty ? dev.DevAddr : saddr);
        return length < 0 ? length - tagLength : length + tagLength;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Parse(SkBuff skb) => skb.MacHeaderSpan.Slice(ETH_ALEN, ETH_ALEN);
}
