using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>Who asked for a change, for those who are told of it (<c>struct nl_info</c>).</summary>
/// <param name="Portid">Address of the asker; 0 for the kernel itself.</param>
/// <param name="Seq">Number of the request.</param>
/// <param name="Report">Whether the asker wants to be told too (<c>NLM_F_ECHO</c>).</param>
[LinuxStruct("nl_info")]
public readonly record struct NlInfo(uint Portid, uint Seq, bool Report)
{
    /// <summary>Who sent a request.</summary>
    public static NlInfo Of(NetlinkRequest request) =>
        new(request.Portid, request.Header.NlmsgSeq, request.Has(NLM_F_ECHO));
}

/// <summary>
/// The protocol <c>NETLINK_ROUTE</c> (<c>rtnetlink(7)</c>): parts of the network register what they do with messages about
/// links, addresses, routes and so on, and tell groups what changed.
/// </summary>
[LinuxFile("net/core/rtnetlink.c")]
public static partial class Rtnetlink
{
    private const int KindDel = 1;
    private const int KindGet = 2;

    private static readonly StateSlot<RtnlState> Slot = new();
    private static readonly StateSlot<NetlinkSock> NetSlot = new();

    /// <summary>Makes the protocol known, with what is about links.</summary>
    [Linux("rtnetlink_init")]
    internal static int RtnetlinkInit(Machine machine)
    {
        Slot.Set(machine.Slots, new RtnlState());
        NetCore core = NetCore.Of(machine);
        core.RegisterPernetSubsys(new RtnetlinkNetOps());
        core.RegisterNetdeviceNotifier(new RtnetlinkDevNotifier());
        core.NeighNotify = NeighNotify;
        RtnlRegister(machine, PF_UNSPEC, RTM_GETLINK, RtnlGetlink, RtnlDumpIfinfo);
        RtnlRegister(machine, PF_UNSPEC, RTM_SETLINK, RtnlSetlink);
        RtnlRegister(machine, PF_UNSPEC, RTM_NEWLINK, RtnlNewlink);
        RtnlRegister(machine, PF_UNSPEC, RTM_DELLINK, RtnlDellink);
        RtnlRegister(machine, PF_UNSPEC, RTM_GETADDR, null, RtnlDumpAll);
        RtnlRegister(machine, PF_UNSPEC, RTM_GETROUTE, null, RtnlDumpAll);
        RtnlRegister(machine, PF_UNSPEC, RTM_GETNEIGH, NeighGet, NeighDumpInfo);
        RtnlRegister(machine, PF_UNSPEC, RTM_GETNSID, RtnlNetGetid, RtnlNetDumpid);
        RtnlRegister(machine, PF_UNSPEC, RTM_NEWNEIGH, NeighAddMsg);
        RtnlRegister(machine, PF_UNSPEC, RTM_DELNEIGH, NeighDeleteMsg);
        return 0;
    }

    /// <summary>Has messages of a type answered (<c>rtnl_register</c>).</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="family">The family that they are about; <c>PF_UNSPEC</c> for those that have no answer of their own.</param>
    /// <param name="type"><c>RTM_*</c></param>
    /// <param name="doit">Answers one message; null for none.</param>
    /// <param name="dumpit">Answers with all; null for none.</param>
    [Linux("rtnl_register")]
    public static void RtnlRegister(Machine machine, int family, int type, NetlinkHandler? doit, NetlinkDump? dumpit = null)
    {
        RtnlState state = Slot.Of(machine.Slots);
        lock (state.Links)
            state.Links[(family, type)] = new RtnlLink(doit, dumpit);
    }

    /// <summary>Has a family say something of links (<c>rtnl_af_register</c>).</summary>
    [Linux("rtnl_af_register")]
    public static void RtnlAfRegister(Machine machine, RtnlAfOps ops)
    {
        RtnlState state = Slot.Of(machine.Slots);
        lock (state.Links)
            state.AfOps = [.. state.AfOps, ops];
    }

    /// <summary>The kernel's socket of a namespace (<c>net->rtnl</c>); null while the namespace is made or taken down.</summary>
    internal static NetlinkSock? RtnlOf(NetNamespace net) => NetSlot.Find(net.Slots);

    /// <summary>Tells a group what happened (<c>rtnl_notify</c>).</summary>
    /// <param name="net">Where.</param>
    /// <param name="group"><c>RTNLGRP_*</c></param>
    /// <param name="info">Who asked for it.</param>
    /// <param name="fill">Writes the message; -EMSGSIZE is a defect.</param>
    [Linux("rtnl_notify")]
    public static void RtnlNotify(NetNamespace net, int group, NlInfo info, Func<NlmsgWriter, int> fill)
    {
        if (RtnlOf(net) is not { } rtnl || (!info.Report && !AfNetlink.NetlinkHasListeners(rtnl, group)))
            return;
        NlmsgWriter message = new();
        int err = fill(message);
        Bug.On(err < 0);
        AfNetlink.NlmsgNotify(rtnl, message, info.Portid, group, info.Report);
    }

    [Linux("rtnetlink_rcv")]
    private static void RtnetlinkRcv(NetlinkSock sk, NetlinkSock ssk, SkBuff skb) =>
        AfNetlink.NetlinkRcvSkb(sk, ssk, skb, RtnetlinkRcvMsg);

    [Linux("rtnetlink_rcv_msg")]
    private static int RtnetlinkRcvMsg(NetlinkRequest request)
    {
        int type = request.Header.NlmsgType;
        if (type > RTM_MAX)
            return Lacking(request, -1);
        if (request.Payload.IsEmpty)
            return 0;
        int family = request.Payload[0];
        int kind = (type - RTM_BASE) & 3;
        if (kind != KindGet && !request.NetlinkNetCapable(CAP_NET_ADMIN))
            return -EPERM;
        if (kind == KindGet && (request.Header.NlmsgFlags & NLM_F_DUMP) != 0)
        {
            NetlinkDump? dumpit = RtnlGetLink(request, family, type)?.Dumpit ?? RtnlGetLink(request, PF_UNSPEC, type)?.Dumpit;
            return dumpit == null
                ? Lacking(request, family)
                : AfNetlink.NetlinkDumpStart(request, new NetlinkDumpControl { Dump = dumpit });
        }

        NetlinkHandler? doit = RtnlGetLink(request, family, type)?.Doit ?? RtnlGetLink(request, PF_UNSPEC, type)?.Doit;
        if (doit == null)
            return Lacking(request, family);
        if (kind == KindDel && request.Has(NLM_F_BULK))
            return request.Extack.Error(-EOPNOTSUPP, "Bulk delete is not supported");
        // One change after another (rtnl_lock).
        lock (Slot.Of(request.Net.Machine.Slots).Rtnl)
            return doit(request);
    }

    /// <summary>All that families have to say, one after another.</summary>
    [Linux("rtnl_dump_all")]
    private static int RtnlDumpAll(NlmsgWriter skb, NetlinkCallback cb)
    {
        int type = cb.Request.Header.NlmsgType;
        int[] families = [.. Slot.Of(cb.Net.Machine.Slots).FamiliesOf(type)];
        for (; cb.Args[5] < families.Length; cb.Args[5]++)
        {
            int err = RtnlGetLink(cb.Request, families[cb.Args[5]], type)!.Dumpit!(skb, cb);
            if (err != 0)
                return err;
            cb.Args.AsSpan(0, 5).Clear();
            cb.Context = null;
        }

        return 0;
    }

    private static RtnlLink? RtnlGetLink(NetlinkRequest request, int family, int type)
    {
        RtnlState state = Slot.Of(request.Net.Machine.Slots);
        lock (state.Links)
            return state.Links.GetValueOrDefault((family, type));
    }

    private static int Lacking(NetlinkRequest request, int family)
    {
        request.Net.Machine.Unsupported.Add(RequestKind.Netlink, NETLINK_ROUTE, request.Header.NlmsgType, family);
        return -EOPNOTSUPP;
    }

    // What is done with one type of messages of a family (struct rtnl_link).
    private sealed record RtnlLink(NetlinkHandler? Doit, NetlinkDump? Dumpit);

    private sealed class RtnlState
    {
        public Dictionary<(int Family, int Type), RtnlLink> Links { get; } = [];

        public Dictionary<string, RtnlLinkOps> LinkOps { get; } = new(StringComparer.Ordinal);

        public RtnlAfOps[] AfOps { get; set; } = [];

        public object Rtnl { get; } = new();

        public IEnumerable<int> FamiliesOf(int type)
        {
            lock (Links)
            {
                return [.. Links.Where(link => link.Key.Type == type && link.Key.Family != PF_UNSPEC && link.Value.Dumpit != null)
                    .Select(link => link.Key.Family).Order()];
            }
        }
    }

    private sealed class RtnetlinkNetOps : PernetOperations
    {
        [Linux("rtnetlink_net_init")]
        public override int Init(NetNamespace net)
        {
            NetlinkSock? sk = AfNetlink.NetlinkKernelCreate(net, NETLINK_ROUTE, new NetlinkKernelCfg
            {
                Groups = RTNLGRP_MAX,
                NonrootRecv = true,
                Input = RtnetlinkRcv,
            });
            NetSlot.Set(net.Slots, sk);
            return sk == null ? -ENOMEM : 0;
        }

        [Linux("rtnetlink_net_exit")]
        public override void Exit(NetNamespace net)
        {
            if (NetSlot.Find(net.Slots) is not { } sk)
                return;
            NetSlot.Set(net.Slots, null);
            AfNetlink.NetlinkKernelRelease(sk);
        }
    }

    private sealed class RtnetlinkDevNotifier : NetdevNotifier
    {
        [Linux("rtnetlink_event")]
        public override void Call(NetdevEvent what, NetDevice dev) => RtnetlinkEvent(what, dev);
    }
}
