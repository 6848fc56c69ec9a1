using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Links as they are: messages about one, and about all.</content>
public static partial class Rtnetlink
{
    private const int LeastMtu = 68;
    private const int LargestGsoSegs = 65535;

    internal static readonly NlaPolicy[] IflaPolicy = MakeIflaPolicy();

    private static readonly NlaPolicy[] LinkinfoPolicy =
        [default, new(NlaKind.String), new(NlaKind.Nested), default, new(NlaKind.String), new(NlaKind.Nested)];

    /// <summary>Makes a kind of devices known (<c>rtnl_link_register</c>).</summary>
    [Linux("rtnl_link_register")]
    public static void RtnlLinkRegister(Machine machine, RtnlLinkOps ops)
    {
        RtnlState state = Slot.Of(machine.Slots);
        lock (state.LinkOps)
            state.LinkOps.Add(ops.Kind, ops);
    }

    /// <summary>Finds a kind of devices by its name (<c>rtnl_link_ops_get</c>).</summary>
    internal static RtnlLinkOps? RtnlLinkOpsGet(Machine machine, string kind)
    {
        RtnlState state = Slot.Of(machine.Slots);
        lock (state.LinkOps)
            return state.LinkOps.GetValueOrDefault(kind);
    }

    /// <summary>The kind of a device, or null.</summary>
    internal static RtnlLinkOps? LinkOpsOf(NetDevice dev)
    {
        RtnlState state = Slot.Of(dev.Net.Machine.Slots);
        lock (state.LinkOps)
            return state.LinkOps.Values.FirstOrDefault(ops => ops.Owns(dev));
    }

    /// <summary>Tells who listens that a link came, changed or went.</summary>
    /// <param name="type"><c>RTM_NEWLINK</c> or <c>RTM_DELLINK</c>.</param>
    /// <param name="dev">The link.</param>
    /// <param name="change">The flags that changed; all ones when all did.</param>
    [Linux("rtmsg_ifinfo")]
    internal static void RtmsgIfinfo(int type, NetDevice dev, uint change) =>
        RtnlNotify(dev.Net, RTNLGRP_LINK, default, skb => RtnlFillIfinfo(skb, dev, type, default, change, 0, 0));

    /// <summary>Devices that go are told of when all others have let go of them.</summary>
    internal static NetdevNotifier LastNotifier() => new RtnetlinkLastNotifier();

    private static void RtnetlinkEvent(NetdevEvent what, NetDevice dev)
    {
        switch (what)
        {
            case NetdevEvent.Register:
                RtmsgIfinfo(RTM_NEWLINK, dev, uint.MaxValue);
                break;
            case NetdevEvent.Up or NetdevEvent.Down:
                RtmsgIfinfo(RTM_NEWLINK, dev, IFF_UP);
                break;
            case NetdevEvent.ChangeMtu or NetdevEvent.ChangeAddr or NetdevEvent.ChangeName or NetdevEvent.Change
                or NetdevEvent.ChangeUpper or NetdevEvent.ChangeTxQueueLen:
                RtmsgIfinfo(RTM_NEWLINK, dev, 0);
                break;
        }
    }

    [Linux("rtnl_fill_ifinfo")]
    private static int RtnlFillIfinfo(
        NlmsgWriter skb, NetDevice dev, int type, NlInfo info, uint change, int flags, uint extFilterMask)
    {
        var ifm = new Ifinfomsg { IfiType = dev.Type, IfiIndex = dev.Ifindex, IfiFlags = Dev.DevGetFlags(dev), IfiChange = change };
        if (!skb.NlmsgPut(info.Portid, info.Seq, type, flags, in ifm))
            return -EMSGSIZE;
        PutBasics(skb, dev);
        if (dev.Master is { } master)
            skb.NlaPut(IFLA_MASTER, master.Ifindex);
        skb.NlaPut(IFLA_CARRIER, (byte)((dev.Flags & IFF_LOWER_UP) != 0 ? 1 : 0));
        skb.NlaPutString(IFLA_QDISC, dev.Qdisc?.Id ?? (dev.HasBeenUp ? "noqueue" : "noop"));
        skb.NlaPut(IFLA_CARRIER_CHANGES, dev.CarrierUpCount + dev.CarrierDownCount);
        skb.NlaPut(IFLA_CARRIER_UP_COUNT, dev.CarrierUpCount);
        skb.NlaPut(IFLA_CARRIER_DOWN_COUNT, dev.CarrierDownCount);
        skb.NlaPut(IFLA_PROTO_DOWN, (byte)0);
        // struct rtnl_link_ifmap: what hardware a card has; none here has any.
        skb.NlaPut(IFLA_MAP, new byte[32]);
        if (dev.DevAddr.Length > 0)
        {
            skb.NlaPut(IFLA_ADDRESS, dev.DevAddr);
            skb.NlaPut(IFLA_BROADCAST, dev.Broadcast);
        }

        if ((extFilterMask & RTEXT_FILTER_SKIP_STATS) == 0)
            RtnlFillStats(skb, dev);
        skb.NlaNestEnd(PutXdp(skb));
        RtnlLinkFill(skb, dev);
        RtnlFillLinkAf(skb, dev);
        return skb.NlmsgEnd();
    }

    private static void PutBasics(NlmsgWriter skb, NetDevice dev)
    {
        skb.NlaPutString(IFLA_IFNAME, dev.Name);
        skb.NlaPut(IFLA_TXQLEN, dev.TxQueueLen);
        skb.NlaPut(IFLA_OPERSTATE, OperState(dev));
        skb.NlaPut(IFLA_LINKMODE, (byte)IF_LINK_MODE_DEFAULT);
        skb.NlaPut(IFLA_NETNS_IMMUTABLE, (byte)(dev.Type == ARPHRD_LOOPBACK ? 1 : 0));
        skb.NlaPut(IFLA_MTU, dev.Mtu);
        skb.NlaPut(IFLA_MIN_MTU, dev.Type == ARPHRD_LOOPBACK ? 0 : LeastMtu);
        skb.NlaPut(IFLA_MAX_MTU, dev.Type == ARPHRD_LOOPBACK ? 0 : Dev.LargestMtu);
        skb.NlaPut(IFLA_GROUP, 0);
        skb.NlaPut(IFLA_PROMISCUITY, dev.Promiscuity);
        skb.NlaPut(IFLA_ALLMULTI, dev.Allmulti);
        skb.NlaPut(IFLA_NUM_TX_QUEUES, 1);
        skb.NlaPut(IFLA_GSO_MAX_SEGS, LargestGsoSegs);
        skb.NlaPut(IFLA_GSO_MAX_SIZE, dev.GsoMaxSize);
        skb.NlaPut(IFLA_NUM_RX_QUEUES, 1);
    }

    /// <summary>The state that a link counts as to have (RFC 2863).</summary>
    private static byte OperState(NetDevice dev)
    {
        if (!dev.IsUp)
            return IF_OPER_DOWN;
        if ((dev.Flags & IFF_LOOPBACK) != 0)
            return IF_OPER_UNKNOWN;
        if (dev.IsRunning)
            return IF_OPER_UP;
        // Of one over another it is the other that is down.
        return (byte)(dev.Lower != null || LinkOpsOf(dev)?.GetIflink(dev) != null ? IF_OPER_LOWERLAYERDOWN : IF_OPER_DOWN);
    }

    [Linux("rtnl_fill_stats")]
    private static void RtnlFillStats(NlmsgWriter skb, NetDevice dev)
    {
        NetDeviceStats s = dev.Stats;
        long[] stats = new long[25];
        (stats[0], stats[1], stats[2], stats[3]) = (s.RxPackets, s.TxPackets, s.RxBytes, s.TxBytes);
        (stats[4], stats[5], stats[6], stats[7]) = (s.RxErrors, s.TxErrors, s.RxDropped, s.TxDropped);
        (stats[8], stats[17]) = (s.Multicast, s.TxCarrierErrors);
        skb.NlaPut(IFLA_STATS64, MemoryMarshal.AsBytes<long>(stats));
        uint[] old = new uint[24];
        for (int i = 0; i < old.Length; i++)
            old[i] = (uint)stats[i];
        skb.NlaPut(IFLA_STATS, MemoryMarshal.AsBytes<uint>(old));
    }

    private static int PutXdp(NlmsgWriter skb)
    {
        const int attached = 2;
        int nest = skb.NlaNestStartNoflag(IFLA_XDP);
        skb.NlaPut(attached, (byte)0);
        return nest;
    }

    [Linux("rtnl_link_fill")]
    private static void RtnlLinkFill(NlmsgWriter skb, NetDevice dev)
    {
        RtnlLinkOps? ops = LinkOpsOf(dev);
        RtnlLinkOps? masterOps = dev.Master == null ? null : LinkOpsOf(dev.Master);
        if (ops != null || masterOps != null)
        {
            int nest = skb.NlaNestStartNoflag(IFLA_LINKINFO);
            if (ops != null)
            {
                skb.NlaPutString(IFLA_INFO_KIND, ops.Kind);
                int data = skb.NlaNestStartNoflag(IFLA_INFO_DATA);
                if (ops.FillInfo(skb, dev))
                    skb.NlaNestEnd(data);
                else
                    skb.NlaNestCancel(data);
            }

            if (masterOps != null)
                skb.NlaPutString(IFLA_INFO_SLAVE_KIND, masterOps.Kind);
            skb.NlaNestEnd(nest);
        }

        if (ops?.GetIflink(dev) is not { } link)
            return;
        if (ops.GetLinkNet(dev) is var net && net != dev.Net)
            skb.NlaPut(IFLA_LINK_NETNSID, Peernet2idAlloc(dev.Net, net));
        if (link.Ifindex != dev.Ifindex || link.Net != dev.Net)
            skb.NlaPut(IFLA_LINK, link.Ifindex);
    }

    /// <summary>What families say of a link; the settings of IPv4 are in it.</summary>
    [Linux("rtnl_fill_link_af")]
    private static void RtnlFillLinkAf(NlmsgWriter skb, NetDevice dev)
    {
        int nest = skb.NlaNestStartNoflag(IFLA_AF_SPEC);
        foreach (RtnlAfOps ops in Slot.Of(dev.Net.Machine.Slots).AfOps)
        {
            int af = skb.NlaNestStartNoflag(ops.Family);
            if (ops.FillLinkAf(skb, dev))
                skb.NlaNestEnd(af);
            else
                skb.NlaNestCancel(af);
        }

        skb.NlaNestEndUnlessEmpty(nest);
    }

    [Linux("rtnl_dump_ifinfo")]
    private static int RtnlDumpIfinfo(NlmsgWriter skb, NetlinkCallback cb)
    {
        int err = RtnlValidDumpIfinfoMsg(cb, out NlAttributes tb);
        if (err < 0)
            return err;
        int master = tb.Get<int>(IFLA_MASTER);
        RtnlLinkOps? kind = null;
        if (tb.Has(IFLA_LINKINFO))
        {
            tb.ParseNested(IFLA_LINKINFO, LinkinfoPolicy, strict: false, cb.Extack, out NlAttributes info);
            if (info.GetString(IFLA_INFO_KIND) is { } name)
                kind = RtnlLinkOpsGet(cb.Net.Machine, name);
        }

        if (master != 0 || kind != null)
            cb.AnswerFlags |= NLM_F_DUMP_FILTERED;
        NlInfo info2 = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        // Devices have rising numbers, so that the last that was written says where to go on.
        foreach (NetDevice dev in cb.Net.Devices.All)
        {
            if (dev.Ifindex <= cb.Args[0])
                continue;
            bool fits = (master == 0 || dev.Master?.Ifindex == master) && (kind == null || kind.Owns(dev));
            if (fits && RtnlFillIfinfo(
                skb, dev, RTM_NEWLINK, info2, 0, NLM_F_MULTI | cb.AnswerFlags, tb.Get<uint>(IFLA_EXT_MASK)) < 0)
                return -EMSGSIZE;
            cb.Args[0] = dev.Ifindex;
        }

        return 0;
    }

    [Linux("rtnl_valid_dump_ifinfo_msg")]
    private static int RtnlValidDumpIfinfoMsg(NetlinkCallback cb, out NlAttributes tb)
    {
        int headLength = Marshal.SizeOf<Ifinfomsg>();
        if (!cb.StrictCheck)
        {
            // Old programs send a shorter head.
            if (cb.Request.Payload.Length < headLength)
                headLength = 1;
            int err = NlAttributes.NlmsgParse(cb.Request, headLength, IflaPolicy, strict: false, out tb);
            return headLength == 1 ? 0 : err;
        }

        tb = NlAttributes.Empty(IflaPolicy.Length);
        if (cb.Request.Payload.Length < headLength)
            return cb.Extack.Error(-EINVAL, "Invalid header for link dump");
        Ifinfomsg ifm = MemoryMarshal.Read<Ifinfomsg>(cb.Request.Payload);
        if (cb.Request.Payload[1] != 0 || ifm.IfiType != 0 || ifm.IfiFlags != 0 || ifm.IfiChange != 0)
            return cb.Extack.Error(-EINVAL, "Invalid values in header for link dump request");
        if (ifm.IfiIndex != 0)
            return cb.Extack.Error(-EINVAL, "Filter by device index not supported for link dumps");
        int result = NlAttributes.NlmsgParse(cb.Request, headLength, IflaPolicy, strict: true, out tb);
        if (result != 0)
            cb.Extack = cb.Request.Extack;
        return result;
    }

    [Linux("rtnl_getlink")]
    private static int RtnlGetlink(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(
            request, Marshal.SizeOf<Ifinfomsg>(), IflaPolicy, request.Sk.Has(NetlinkFlags.StrictChk), out NlAttributes tb);
        if (err < 0)
            return err;
        Ifinfomsg ifm = MemoryMarshal.Read<Ifinfomsg>(request.Payload);
        if (request.Sk.Has(NetlinkFlags.StrictChk) && (ifm.IfiType != 0 || ifm.IfiFlags != 0 || ifm.IfiChange != 0))
            return request.Extack.Error(-EINVAL, "Invalid values in header for get link request");
        err = FindDevice(request, ifm, tb, out NetDevice? dev);
        if (err < 0)
            return err;
        NlmsgWriter answer = new();
        err = RtnlFillIfinfo(answer, dev!, RTM_NEWLINK, NlInfo.Of(request), 0, 0, tb.Get<uint>(IFLA_EXT_MASK));
        Bug.On(err < 0);
        return AfNetlink.NlmsgUnicast(request.KernelSk, answer, request.Portid);
    }

    /// <summary>Reads a link that is described inside of an attribute, as the other end of a pair is.</summary>
    [Linux("rtnl_nla_parse_ifinfomsg")]
    internal static int RtnlNlaParseIfinfomsg(
        NetlinkRequest request, NlAttributes outer, int type, out Ifinfomsg head, out NlAttributes tb)
    {
        ReadOnlySpan<byte> value = outer[type];
        int start = outer.OffsetOf(type) + NLA_HDRLEN;
        int headLength = Marshal.SizeOf<Ifinfomsg>();
        head = MemoryMarshal.Read<Ifinfomsg>(value);
        int err = NlAttributes.NlaParse(
            request.Data, start + headLength, start + value.Length, IflaPolicy, strict: false, request.Extack, out tb);
        return err < 0 ? err : CheckSettable(request, tb);
    }

    // By number, or else by name.
    private static int FindDevice(NetlinkRequest request, Ifinfomsg ifm, NlAttributes tb, out NetDevice? dev)
    {
        dev = null;
        NetDeviceTable devices = request.Net.Devices;
        if (tb.Has(IFLA_TARGET_NETNSID))
            return request.Extack.ErrorAt(-EINVAL, tb.OffsetOf(IFLA_TARGET_NETNSID), "Invalid target network namespace id");
        string? name = tb.GetString(IFLA_IFNAME) ?? tb.GetString(IFLA_ALT_IFNAME);
        if (ifm.IfiIndex > 0)
            dev = devices.DevGetByIndex(ifm.IfiIndex);
        else if (ifm.IfiIndex < 0 || name == null)
            return -EINVAL;
        else
            dev = devices.DevGetByName(name);
        return dev == null ? -ENODEV : 0;
    }

    private static NlaPolicy[] MakeIflaPolicy()
    {
        var policy = new NlaPolicy[IFLA_MAX + 1];
        foreach (int type in new[]
        {
            IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_TXQLEN, IFLA_WEIGHT, IFLA_NET_NS_PID, IFLA_NET_NS_FD, IFLA_EXT_MASK, IFLA_GROUP,
            IFLA_PROMISCUITY, IFLA_NUM_TX_QUEUES, IFLA_NUM_RX_QUEUES, IFLA_CARRIER_CHANGES, IFLA_LINK_NETNSID, IFLA_TARGET_NETNSID,
            IFLA_GSO_MAX_SEGS, IFLA_GSO_MAX_SIZE, IFLA_NEW_IFINDEX, IFLA_CARRIER_UP_COUNT, IFLA_CARRIER_DOWN_COUNT, IFLA_MIN_MTU,
            IFLA_MAX_MTU, IFLA_GRO_MAX_SIZE, IFLA_TSO_MAX_SIZE, IFLA_TSO_MAX_SEGS, IFLA_ALLMULTI, IFLA_NEW_NETNSID,
        })
        {
            policy[type] = new NlaPolicy(NlaKind.U32);
        }

        foreach (int type in new[] { IFLA_OPERSTATE, IFLA_LINKMODE, IFLA_CARRIER, IFLA_PROTO_DOWN })
            policy[type] = new NlaPolicy(NlaKind.U8);
        policy[IFLA_IFNAME] = new NlaPolicy(NlaKind.String, IFNAMSIZ - 1);
        policy[IFLA_ALT_IFNAME] = new NlaPolicy(NlaKind.String, 127);
        policy[IFLA_IFALIAS] = new NlaPolicy(NlaKind.String, IFALIASZ - 1);
        policy[IFLA_QDISC] = new NlaPolicy(NlaKind.String, IFNAMSIZ - 1);
        policy[IFLA_ADDRESS] = policy[IFLA_BROADCAST] = policy[IFLA_PERM_ADDRESS] = new NlaPolicy(NlaKind.Binary, 32);
        policy[IFLA_MAP] = new NlaPolicy(NlaKind.MinLen, 28);
        foreach (int type in new[] { IFLA_LINKINFO, IFLA_AF_SPEC, IFLA_XDP, IFLA_VFINFO_LIST, IFLA_VF_PORTS, IFLA_PORT_SELF, IFLA_PROP_LIST, IFLA_PROTO_DOWN_REASON })
            policy[type] = new NlaPolicy(NlaKind.Nested);
        return policy;
    }

    private sealed class RtnetlinkLastNotifier : NetdevNotifier
    {
        public override void Call(NetdevEvent what, NetDevice dev)
        {
            if (what == NetdevEvent.Unregister)
                RtmsgIfinfo(RTM_DELLINK, dev, uint.MaxValue);
        }
    }
}

/// <summary>What a family says of links (<c>struct rtnl_af_ops</c>).</summary>
[LinuxStruct("rtnl_af_ops")]
public abstract class RtnlAfOps
{
    /// <summary>The family, <c>AF_*</c>.</summary>
    public abstract int Family { get; }

    /// <summary>Writes attributes about a link (<c>fill_link_af</c>).</summary>
    /// <returns>False when the family is not on it.</returns>
    public abstract bool FillLinkAf(NlmsgWriter skb, NetDevice dev);
}
