using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>Bridges as netlink asks for them (<c>br_link_ops</c>). Their settings can be read, but not set.</summary>
[LinuxStruct("br_link_ops")]
internal sealed class BrLinkOps : RtnlLinkOps
{
    /// <inheritdoc/>
    public override string Kind => "bridge";

    /// <inheritdoc/>
    public override NlaPolicy[] Policy { get; } = new NlaPolicy[IFLA_BR_MCAST_QUERY_USE_IFADDR + 1];

    /// <inheritdoc/>
    public override bool Owns(NetDevice dev) => NetBridge.Of(dev) != null;

    /// <inheritdoc/>
    public override int Newlink(NewlinkParams link, out NetDevice? dev)
    {
        dev = null;
        if (Enumerable.Range(1, Policy.Length - 1).Any(link.Data.Has))
            return link.Request.Extack.Error(-EOPNOTSUPP, "Settings of bridges are not supported here");
        int err = BrIf.BrAddBridge(link.Net, link.Name ?? "bridge%d", out NetBridge? br);
        dev = br?.Dev;
        return err;
    }

    /// <inheritdoc/>
    public override int AddSlave(NetDevice dev, NetDevice slave, NetlinkExtAck extack)
    {
        int err = BrIf.BrAddIf(NetBridge.Of(dev)!, slave);
        return err == -ELOOP ? extack.Error(err, "Can not enslave a bridge to a bridge") : err;
    }

    /// <inheritdoc/>
    public override int DelSlave(NetDevice dev, NetDevice slave) => BrIf.BrDelIf(NetBridge.Of(dev)!, slave);

    /// <inheritdoc/>
    [Linux("br_fill_info", "net/bridge/br_netlink.c")]
    public override bool FillInfo(NlmsgWriter skb, NetDevice dev)
    {
        NetBridge br = NetBridge.Of(dev)!;
        skb.NlaPut(IFLA_BR_FORWARD_DELAY, ClockT(br.ForwardDelay));
        skb.NlaPut(IFLA_BR_HELLO_TIME, ClockT(br.HelloTime));
        skb.NlaPut(IFLA_BR_MAX_AGE, ClockT(br.MaxAge));
        skb.NlaPut(IFLA_BR_AGEING_TIME, ClockT(br.AgeingTime));
        skb.NlaPut(IFLA_BR_STP_STATE, br.StpEnabled ? 1 : 0);
        skb.NlaPut(IFLA_BR_PRIORITY, (ushort)(br.BridgeId >> 48));
        skb.NlaPut(IFLA_BR_VLAN_FILTERING, (byte)0);
        skb.NlaPut(IFLA_BR_GROUP_FWD_MASK, br.GroupFwdMask);
        PutId(skb, IFLA_BR_BRIDGE_ID, br.BridgeId);
        PutId(skb, IFLA_BR_ROOT_ID, br.DesignatedRoot);
        skb.NlaPut(IFLA_BR_ROOT_PORT, (ushort)br.RootPort);
        skb.NlaPut(IFLA_BR_ROOT_PATH_COST, br.RootPathCost);
        skb.NlaPut(IFLA_BR_TOPOLOGY_CHANGE, (byte)(br.TopologyChange ? 1 : 0));
        skb.NlaPut(IFLA_BR_TOPOLOGY_CHANGE_DETECTED, (byte)(br.TopologyChangeDetected ? 1 : 0));
        return true;
    }

    private static uint ClockT(long jiffies) => (uint)(jiffies / 10);

    // struct ifla_bridge_id: priority and address, as they are on the wire.
    private static void PutId(NlmsgWriter skb, int type, ulong id)
    {
        Span<byte> bytes = stackalloc byte[sizeof(ulong)];
        BinaryPrimitives.WriteUInt64BigEndian(bytes, id);
        skb.NlaPut(type, bytes);
    }
}
