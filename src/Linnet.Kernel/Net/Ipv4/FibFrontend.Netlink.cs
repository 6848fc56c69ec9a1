using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Routes in netlink's messages.</content>
public static partial class FibFrontend
{
    internal static readonly NlaPolicy[] RtmIpv4Policy = MakeRtmPolicy();

    // What is known of a route but not here: refused, not passed over.
    private static readonly int[] LackingRta = [RTA_FLOW, RTA_VIA, RTA_ENCAP, RTA_ENCAP_TYPE, RTA_NH_ID];

    internal static void RegisterNetlink(Machine machine)
    {
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_NEWROUTE, InetRtmNewrouteMsg);
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_DELROUTE, InetRtmDelrouteMsg);
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_GETROUTE, Route.InetRtmGetrouteMsg, InetDumpFib);
    }

    /// <summary>Tells who listens that a route came or went.</summary>
    [Linux("rtmsg_fib", "net/ipv4/fib_semantics.c")]
    private static void RtmsgFib(
        NetNamespace net, int type, uint dst, int dstLen, FibAlias fa, uint tbId, NlInfo info, int flags) =>
        Rtnetlink.RtnlNotify(net, RTNLGRP_IPV4_ROUTE, info, skb =>
            FibSemantics.FibDumpInfo(skb, net, type, info, tbId, dst, dstLen, fa.Tos, fa.Type, fa.Info, flags));

    [Linux("inet_dump_fib")]
    private static int InetDumpFib(NlmsgWriter skb, NetlinkCallback cb)
    {
        int err = IpValidFibDumpReq(cb, out FibDumpFilter filter);
        if (err < 0)
            return err;
        // Entries that were made for single flows: IPv4 keeps none of its own.
        if ((filter.Flags & (RTM_F_CLONED | RTM_F_PREFIX)) == RTM_F_CLONED)
            return 0;
        if (filter.Table != 0 && cb.Net.Ipv4.FibGetTable(filter.Table) == null)
        {
            return cb.Request.Payload[0] == PF_INET ? cb.Extack.Error(-ENOENT, "ipv4: FIB table does not exist") : 0;
        }

        // The routes are fixed when the dump begins; in the order of Linux's table of tables.
        var routes = (List<(uint Table, uint Prefix, int Length, FibAlias Alias)>)(cb.Context ??= cb.Net.Ipv4.FibTables
            .OrderBy(table => table.Id & 255)
            .Where(table => filter.Table == 0 || table.Id == filter.Table)
            .SelectMany(table => table.Snapshot().Select(route => (table.Id, route.Prefix, route.Length, route.Alias)))
            .ToList());
        NlInfo info = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        for (; cb.Args[0] < routes.Count; cb.Args[0]++)
        {
            (uint table, uint prefix, int length, FibAlias fa) = routes[(int)cb.Args[0]];
            if (!filter.Fits(fa))
                continue;
            if (FibSemantics.FibDumpInfo(
                skb, cb.Net, RTM_NEWROUTE, info, table, prefix, length, fa.Tos, fa.Type, fa.Info, NLM_F_MULTI | cb.AnswerFlags) < 0)
                return -EMSGSIZE;
        }

        return 0;
    }

    [Linux("ip_valid_fib_dump_req")]
    private static int IpValidFibDumpReq(NetlinkCallback cb, out FibDumpFilter filter)
    {
        filter = default;
        int headLength = Marshal.SizeOf<Rtmsg>();
        ReadOnlySpan<byte> payload = cb.Request.Payload;
        Rtmsg rtm = payload.Length >= headLength ? MemoryMarshal.Read<Rtmsg>(payload) : default;
        if (!cb.StrictCheck)
        {
            filter.Flags = rtm.RtmFlags & (RTM_F_PREFIX | RTM_F_CLONED);
            return 0;
        }

        if (payload.Length < headLength)
            return cb.Extack.Error(-EINVAL, "Invalid header for FIB dump request");
        if (rtm.RtmDstLen != 0 || rtm.RtmSrcLen != 0 || rtm.RtmTos != 0 || rtm.RtmScope != 0)
            return cb.Extack.Error(-EINVAL, "Invalid values in header for FIB dump request");
        if ((rtm.RtmFlags & ~(uint)(RTM_F_CLONED | RTM_F_PREFIX)) != 0)
            return cb.Extack.Error(-EINVAL, "Invalid flags for FIB dump request");
        filter = new FibDumpFilter { Flags = rtm.RtmFlags, Protocol = rtm.RtmProtocol, Type = rtm.RtmType, Table = rtm.RtmTable };
        int err = NlAttributes.NlmsgParse(cb.Request, headLength, RtmIpv4Policy, strict: true, out NlAttributes tb);
        if (err < 0)
            cb.Extack = cb.Request.Extack;
        for (int type = 1; err == 0 && type <= RTA_MAX; type++)
        {
            if (!tb.Has(type))
                continue;
            if (type == RTA_TABLE)
                filter.Table = tb.Get<uint>(type);
            else if (type == RTA_OIF)
                filter.Dev = cb.Net.Devices.DevGetByIndex(tb.Get<int>(type));
            else
                err = cb.Extack.Error(-EINVAL, "Unsupported attribute in dump request");
            if (type == RTA_OIF && filter.Dev == null)
                err = -ENODEV;
        }

        if (filter.IsSet)
            cb.AnswerFlags |= NLM_F_DUMP_FILTERED;
        return err;
    }

    private static int InetRtmNewrouteMsg(NetlinkRequest request)
    {
        int err = RtmToFibConfig(request, out FibConfig? cfg);
        if (err < 0)
            return err;
        err = InetRtmNewroute(request.Net, cfg!, NlInfo.Of(request));
        return err == -ENETUNREACH && cfg!.Gw != 0 ? request.Extack.Error(err, "Nexthop has invalid gateway") : err;
    }

    private static int InetRtmDelrouteMsg(NetlinkRequest request)
    {
        int err = RtmToFibConfig(request, out FibConfig? cfg);
        if (err < 0)
            return err;
        if (request.Net.Ipv4.FibGetTable(cfg!.Table) == null)
            return request.Extack.Error(-ESRCH, "ipv4: FIB table does not exist");
        return InetRtmDelroute(request.Net, cfg with { Scope = cfg.Scope == RT_SCOPE_NOWHERE ? null : cfg.Scope }, NlInfo.Of(request));
    }

    [Linux("rtm_to_fib_config")]
    private static int RtmToFibConfig(NetlinkRequest request, out FibConfig? cfg)
    {
        cfg = null;
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Rtmsg>(), RtmIpv4Policy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        Rtmsg rtm = MemoryMarshal.Read<Rtmsg>(request.Payload);
        NetlinkExtAck extack = request.Extack;
        if ((rtm.RtmTos & ~Flowi4.INET_DSCP_MASK) != 0)
            return extack.Error(-EINVAL, "Invalid dsfield (tos): ECN bits must be 0");
        if (rtm.RtmType > RTN_MAX)
            return extack.Error(-EINVAL, "Invalid route type");
        foreach (int type in LackingRta)
        {
            if (!tb.Has(type))
                continue;
            request.Net.Machine.Unsupported.Add(RequestKind.Netlink, NETLINK_ROUTE, request.Header.NlmsgType, type);
            return extack.ErrorAt(-EOPNOTSUPP, tb.OffsetOf(type), "Attribute is not supported");
        }

        if (tb.Has(RTA_GATEWAY) && tb.GetBe32(RTA_GATEWAY) != 0 && tb[RTA_GATEWAY].Length != sizeof(uint))
            return extack.Error(-EINVAL, "Invalid gateway");
        err = ReadMetrics(request, tb, out RouteMetrics metrics);
        List<FibNexthopConfig>? hops = null;
        if (err == 0 && tb.Has(RTA_MULTIPATH))
            err = ReadNexthops(request, tb, out hops);
        if (err < 0)
            return err;
        bool isNew = request.Header.NlmsgType == RTM_NEWROUTE;
        cfg = new FibConfig
        {
            Dst = tb.GetBe32(RTA_DST),
            DstLen = rtm.RtmDstLen,
            Tos = rtm.RtmTos,
            Table = tb.Has(RTA_TABLE) ? tb.Get<uint>(RTA_TABLE) : rtm.RtmTable,
            Protocol = rtm.RtmProtocol,
            Scope = rtm.RtmScope,
            Type = rtm.RtmType,
            Priority = tb.Get<uint>(RTA_PRIORITY),
            Oif = tb.Get<int>(RTA_OIF),
            Gw = tb.GetBe32(RTA_GATEWAY),
            Mp = hops,
            Prefsrc = tb.GetBe32(RTA_PREFSRC),
            Flags = rtm.RtmFlags,
            Metrics = metrics,
            NlFlags = isNew ? request.Header.NlmsgFlags : 0,
        };
        return CheckConfig(request, cfg, isNew);
    }

    private static int CheckConfig(NetlinkRequest request, FibConfig cfg, bool isNew)
    {
        if (cfg.DstLen > 32)
            return request.Extack.Error(-EINVAL, "Invalid prefix length");
        if ((cfg.Dst & ~InIfaddr.InetMakeMask(cfg.DstLen)) != 0)
            return request.Extack.Error(-EINVAL, "Invalid prefix for given prefix length");
        if (!isNew)
            return 0;
        if (FibSemantics.FibProps[cfg.Type].Scope > cfg.Scope)
            return request.Extack.Error(-EINVAL, "Invalid scope");
        return 0;
    }

    private static int ReadNexthops(NetlinkRequest request, NlAttributes tb, out List<FibNexthopConfig> hops)
    {
        hops = [];
        int size = Marshal.SizeOf<Rtnexthop>();
        int at = tb.OffsetOf(RTA_MULTIPATH) + NLA_HDRLEN;
        int end = at + tb[RTA_MULTIPATH].Length;
        while (end - at >= size)
        {
            Rtnexthop nh = MemoryMarshal.Read<Rtnexthop>(request.Data.AsSpan(at));
            if (nh.RtnhLen < size || nh.RtnhLen > end - at)
                break;
            if ((nh.RtnhFlags & (RTNH_F_DEAD | RTNH_F_LINKDOWN)) != 0)
                return request.Extack.Error(-EINVAL, "Invalid flags for nexthop - can not contain DEAD or LINKDOWN");
            int err = NlAttributes.NlaParse(
                request.Data, at + size, at + nh.RtnhLen, RtmIpv4Policy, strict: false, request.Extack, out NlAttributes inner);
            if (err < 0)
                return err;
            if (Array.Exists(LackingRta, inner.Has))
                return -EOPNOTSUPP;
            hops.Add(new FibNexthopConfig
            {
                Oif = nh.RtnhIfindex,
                Gw = inner.GetBe32(RTA_GATEWAY),
                Flags = nh.RtnhFlags,
                Weight = nh.RtnhHops + 1,
            });
            at += (nh.RtnhLen + RTNH_ALIGNTO - 1) & ~(RTNH_ALIGNTO - 1);
        }

        return hops.Count > 0 && at >= end
            ? 0
            : request.Extack.Error(-EINVAL, "Invalid nexthop configuration - extra data after nexthops");
    }

    // Numbers each, but for the name of the congestion control.
    private static int ReadMetrics(NetlinkRequest request, NlAttributes tb, out RouteMetrics metrics)
    {
        metrics = RouteMetrics.None;
        if (!tb.Has(RTA_METRICS))
            return 0;
        var policy = new NlaPolicy[RTAX_MAX + 1];
        policy.AsSpan().Fill(new NlaPolicy(NlaKind.U32));
        policy[RTAX_CC_ALGO] = new NlaPolicy(NlaKind.String, 15);
        int err = tb.ParseNested(RTA_METRICS, policy, strict: false, request.Extack, out NlAttributes mx);
        if (err < 0)
            return err;
        Span<uint> values = stackalloc uint[RTAX_MAX + 1];
        values.Clear();
        for (int type = 1; type <= RTAX_MAX; type++)
        {
            if (type != RTAX_CC_ALGO)
            {
                values[type] = mx.Get<uint>(type);
                continue;
            }

            if (mx.GetString(type) is not { } name)
                continue;
            values[type] = TcpCong.TcpCaGetKeyByName(request.Net.Machine, name, out bool ecn);
            if (values[type] == TcpCong.TCP_CA_UNSPEC)
                return request.Extack.Error(-EINVAL, "Unknown tcp congestion algorithm");
            if (ecn)
                values[RTAX_FEATURES] |= RTAX_FEATURE_ECN;
        }

        metrics = RouteMetrics.From(values);
        return 0;
    }

    private static NlaPolicy[] MakeRtmPolicy()
    {
        var policy = new NlaPolicy[RTA_MAX + 1];
        foreach (int type in new[]
        {
            RTA_DST, RTA_SRC, RTA_IIF, RTA_OIF, RTA_GATEWAY, RTA_PRIORITY, RTA_PREFSRC, RTA_FLOW, RTA_TABLE, RTA_MARK, RTA_UID, RTA_NH_ID,
        })
        {
            policy[type] = new NlaPolicy(NlaKind.U32);
        }

        policy[RTA_METRICS] = policy[RTA_ENCAP] = new NlaPolicy(NlaKind.Nested);
        policy[RTA_MULTIPATH] = new NlaPolicy(NlaKind.MinLen, 8);
        policy[RTA_ENCAP_TYPE] = new NlaPolicy(NlaKind.U16);
        policy[RTA_VIA] = new NlaPolicy(NlaKind.MinLen, 2);
        policy[RTA_IP_PROTO] = new NlaPolicy(NlaKind.U8);
        policy[RTA_SPORT] = policy[RTA_DPORT] = new NlaPolicy(NlaKind.U16);
        return policy;
    }

    // Which routes a dump is about (struct fib_dump_filter).
    private struct FibDumpFilter
    {
        public uint Table;
        public uint Flags;
        public byte Protocol;
        public byte Type;
        public NetDevice? Dev;

        public readonly bool IsSet => Table != 0 || Flags != 0 || Protocol != 0 || Type != 0 || Dev != null;

        public readonly bool Fits(FibAlias fa) =>
            (Type == 0 || fa.Type == Type) && (Protocol == 0 || fa.Info.FibProtocol == Protocol)
            && (Dev == null || FibSemantics.FibInfoNhUsesDev(fa.Info, Dev));
    }
}
