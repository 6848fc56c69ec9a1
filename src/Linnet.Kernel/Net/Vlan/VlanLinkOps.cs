using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Vlan;

/// <summary>VLAN devices as netlink asks for them (<c>vlan_link_ops</c>).</summary>
[LinuxStruct("vlan_link_ops")]
internal sealed class VlanLinkOps : RtnlLinkOps
{
    /// <inheritdoc/>
    public override string Kind => "vlan";

    /// <inheritdoc/>
    public override NlaPolicy[] Policy { get; } =
        [default, new(NlaKind.U16), new(NlaKind.MinLen, 8), new(NlaKind.Nested), new(NlaKind.Nested), new(NlaKind.U16)];

    /// <inheritdoc/>
    public override bool Owns(NetDevice dev) => VlanDev.PrivOf(dev) != null;

    /// <inheritdoc/>
    public override int Newlink(NewlinkParams link, out NetDevice? dev)
    {
        dev = null;
        NetlinkExtAck extack = link.Request.Extack;
        NlAttributes data = link.Data;
        if (!data.Has(IFLA_VLAN_ID))
            return extack.Error(-EINVAL, "VLAN id not specified");
        if (!link.Tb.Has(IFLA_LINK))
            return extack.Error(-EINVAL, "link not specified");
        if (link.Net.Devices.DevGetByIndex(link.Tb.Get<int>(IFLA_LINK)) is not { } realDev)
            return extack.Error(-ENODEV, "link does not exist");
        ushort protocol = data.Has(IFLA_VLAN_PROTOCOL)
            ? BinaryPrimitives.ReverseEndianness(data.Get<ushort>(IFLA_VLAN_PROTOCOL))
            : (ushort)ETH_P_8021Q;
        var flags = VlanFlags.ReorderHdr;
        if (data.Has(IFLA_VLAN_FLAGS))
        {
            uint[] pair = MemoryMarshal.Cast<byte, uint>(data[IFLA_VLAN_FLAGS]).ToArray();
            const VlanFlags known = VlanFlags.ReorderHdr | VlanFlags.LooseBinding;
            if (((VlanFlags)pair[0] & (VlanFlags)pair[1] & ~known) != 0)
                return extack.Error(-EOPNOTSUPP, "VLAN flag is not supported");
            flags = flags & ~(VlanFlags)pair[1] | (VlanFlags)(pair[0] & pair[1]);
        }

        if (data.Has(IFLA_VLAN_EGRESS_QOS) || data.Has(IFLA_VLAN_INGRESS_QOS))
            return extack.Error(-EOPNOTSUPP, "Maps of priorities are not supported here");
        int id = data.Get<ushort>(IFLA_VLAN_ID);
        int err = Vlan8021Q.VlanNewlink(realDev, link.Name ?? "vlan%d", protocol, id, out dev, flags);
        return err == -EOPNOTSUPP ? extack.Error(err, "VLANs not supported on device") : err;
    }

    /// <inheritdoc/>
    public override int Dellink(NetDevice dev)
    {
        Vlan8021Q.UnregisterVlanDev(dev);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("vlan_fill_info", "net/8021q/vlan_netlink.c")]
    public override bool FillInfo(NlmsgWriter skb, NetDevice dev)
    {
        VlanDevPriv vlan = VlanDev.PrivOf(dev)!;
        skb.NlaPutBe16(IFLA_VLAN_PROTOCOL, vlan.VlanProto);
        skb.NlaPut(IFLA_VLAN_ID, vlan.VlanId);
        if (vlan.Flags != 0)
            skb.NlaPut(IFLA_VLAN_FLAGS, ((uint)vlan.Flags, uint.MaxValue));
        PutMap(skb, IFLA_VLAN_INGRESS_QOS, vlan.IngressPriorityMap.Select((to, from) => ((uint)from, to)).Where(pair => pair.to != 0));
        PutMap(skb, IFLA_VLAN_EGRESS_QOS, vlan.EgressPriorityMap.Where(pair => pair.Qos != 0).Select(pair => (pair.Priority, (uint)pair.Qos >> 13)));
        return true;
    }

    private static void PutMap(NlmsgWriter skb, int type, IEnumerable<(uint From, uint To)> map)
    {
        int nest = skb.NlaNestStartNoflag(type);
        foreach ((uint From, uint To) pair in map)
            skb.NlaPut(IFLA_VLAN_QOS_MAPPING, pair);
        skb.NlaNestEndUnlessEmpty(nest);
    }
}
