using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Policy rules in netlink's messages.</summary>
[LinuxFile("net/ipv4/fib_rules.c")]
internal static class Fib4RulesNetlink
{
    private const string FibRulesC = "net/core/fib_rules.c";

    private static readonly NlaPolicy[] Policy = MakePolicy();

    public static void Register(Machine machine)
    {
        // All families come in by one door in Linux; there is one of them here.
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_NEWRULE, request => Change(request, add: true));
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_DELRULE, request => Change(request, add: false));
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_GETRULE, null, FibNlDumprule);
        Rtnetlink.RtnlRegister(machine, PF_UNSPEC, RTM_GETRULE, null, DumpUnknown);
    }

    /// <summary>Tells who listens that a rule came or went.</summary>
    [Linux("notify_rule_change", FibRulesC)]
    public static void NotifyRuleChange(NetNamespace net, int type, Fib4Rule rule, NlInfo info) =>
        Rtnetlink.RtnlNotify(net, RTNLGRP_IPV4_RULE, info, skb => FibNlFillRule(skb, rule, type, info, 0));

    [Linux("fib_nl_dumprule", FibRulesC)]
    private static int FibNlDumprule(NlmsgWriter skb, NetlinkCallback cb)
    {
        if (cb.StrictCheck)
        {
            int err = FibValidDumpruleReq(cb);
            if (err < 0)
                return err;
        }

        NlInfo info = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        var rules = (IReadOnlyList<Fib4Rule>)(cb.Context ??= cb.Net.Ipv4.FibRules.Rules);
        for (; cb.Args[0] < rules.Count; cb.Args[0]++)
        {
            if (FibNlFillRule(skb, rules[(int)cb.Args[0]], RTM_NEWRULE, info, NLM_F_MULTI | cb.AnswerFlags) < 0)
                return -EMSGSIZE;
        }

        return 0;
    }

    // A family that has no rules; without one, all that have.
    private static int DumpUnknown(NlmsgWriter skb, NetlinkCallback cb) =>
        cb.Request.Payload[0] == AF_UNSPEC ? FibNlDumprule(skb, cb) : -EAFNOSUPPORT;

    [Linux("fib_valid_dumprule_req", FibRulesC)]
    private static int FibValidDumpruleReq(NetlinkCallback cb)
    {
        int headLength = Marshal.SizeOf<FibRuleHdr>();
        if (cb.Request.Payload.Length < headLength)
            return cb.Extack.Error(-EINVAL, "Invalid header for fib rule dump request");
        if (cb.Request.Payload[1..headLength].ContainsAnyExcept((byte)0))
            return cb.Extack.Error(-EINVAL, "Invalid values in header for fib rule dump request");
        return cb.Request.Payload.Length > headLength
            ? cb.Extack.Error(-EINVAL, "Invalid data after header in fib rule dump request")
            : 0;
    }

    [Linux("fib_nl_fill_rule", FibRulesC)]
    private static int FibNlFillRule(NlmsgWriter skb, Fib4Rule rule, int type, NlInfo info, int flags)
    {
        var frh = new FibRuleHdr
        {
            Family = AF_INET,
            DstLen = (byte)rule.DstLen,
            SrcLen = (byte)rule.SrcLen,
            Tos = rule.Tos,
            Table = (byte)(rule.Table < 256 ? rule.Table : RT_TABLE_COMPAT),
            Action = rule.Action,
            Flags = rule.Flags | rule.StateFlags,
        };
        if (!skb.NlmsgPut(info.Portid, info.Seq, type, flags, in frh))
            return -EMSGSIZE;
        skb.NlaPut(FRA_TABLE, rule.Table);
        skb.NlaPut(FRA_SUPPRESS_PREFIXLEN, rule.SuppressPrefixlen);
        skb.NlaPut(FRA_PROTOCOL, rule.Proto);
        if (rule.IifName is { } iif)
            skb.NlaPutString(FRA_IIFNAME, iif);
        if (rule.OifName is { } oif)
            skb.NlaPutString(FRA_OIFNAME, oif);
        PutNumbers(skb, rule);
        if (rule.DstLen != 0)
            skb.NlaPutBe32(FRA_DST, rule.Dst);
        if (rule.SrcLen != 0)
            skb.NlaPutBe32(FRA_SRC, rule.Src);
        if (rule.Dscp is { } dscp)
            skb.NlaPut(FRA_DSCP, dscp);
        return skb.NlmsgEnd();
    }

    private static void PutNumbers(NlmsgWriter skb, Fib4Rule rule)
    {
        if (rule.Pref is > 0 and { } pref)
            skb.NlaPut(FRA_PRIORITY, pref);
        if (rule.Mark != 0)
            skb.NlaPut(FRA_FWMARK, rule.Mark);
        if (rule.MarkMask is > 0 || rule.Mark != 0)
            skb.NlaPut(FRA_FWMASK, rule.MarkMask ?? 0);
        if (rule.Target is { } target)
            skb.NlaPut(FRA_GOTO, target);
        if (rule.UidRange is { } uids)
            skb.NlaPut(FRA_UID_RANGE, uids);
        if (rule.IpProto != 0)
            skb.NlaPut(FRA_IP_PROTO, rule.IpProto);
        if (rule.SportRange.IsSet)
            skb.NlaPut(FRA_SPORT_RANGE, rule.SportRange);
        if (rule.DportRange.IsSet)
            skb.NlaPut(FRA_DPORT_RANGE, rule.DportRange);
    }

    private static int Change(NetlinkRequest request, bool add)
    {
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<FibRuleHdr>(), Policy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        FibRuleHdr frh = MemoryMarshal.Read<FibRuleHdr>(request.Payload);
        foreach (int type in new[] { FRA_FLOW, FRA_TUN_ID, FRA_L3MDEV, FRA_SUPPRESS_IFGROUP, FRA_SPORT_MASK, FRA_DPORT_MASK, FRA_DSCP_MASK })
        {
            // No group is what all rules have.
            if (!tb.Has(type) || (type == FRA_SUPPRESS_IFGROUP && tb.Get<uint>(type) == uint.MaxValue))
                continue;
            request.Net.Machine.Unsupported.Add(RequestKind.Netlink, NETLINK_ROUTE, request.Header.NlmsgType, type);
            return request.Extack.ErrorAt(-EOPNOTSUPP, tb.OffsetOf(type), "Attribute is not supported");
        }

        if ((frh.SrcLen != 0 && (frh.SrcLen > 32 || tb[FRA_SRC].Length != sizeof(uint)))
            || (frh.DstLen != 0 && (frh.DstLen > 32 || tb[FRA_DST].Length != sizeof(uint))))
            return request.Extack.Error(-EINVAL, add ? "Invalid source or destination address" : "Invalid address length");
        Fib4Rule rule = Read(frh, tb);
        Fib4Rules rules = request.Net.Ipv4.FibRules;
        return add ? rules.FibNlNewrule(rule, request.Header.NlmsgFlags, NlInfo.Of(request)) : rules.FibNlDelrule(rule, NlInfo.Of(request));
    }

    private static Fib4Rule Read(FibRuleHdr frh, NlAttributes tb) => new()
    {
        Pref = tb.Has(FRA_PRIORITY) ? tb.Get<uint>(FRA_PRIORITY) : null,
        Action = frh.Action,
        Flags = frh.Flags & FIB_RULE_INVERT,
        Table = tb.Has(FRA_TABLE) ? tb.Get<uint>(FRA_TABLE) : frh.Table,
        Target = tb.Has(FRA_GOTO) ? tb.Get<uint>(FRA_GOTO) : null,
        IifName = tb.GetString(FRA_IIFNAME),
        OifName = tb.GetString(FRA_OIFNAME),
        Mark = tb.Get<uint>(FRA_FWMARK),
        MarkMask = tb.Has(FRA_FWMASK) ? tb.Get<uint>(FRA_FWMASK) : null,
        UidRange = tb.Has(FRA_UID_RANGE) ? tb.Get<(uint, uint)>(FRA_UID_RANGE) : null,
        IpProto = tb.Get<byte>(FRA_IP_PROTO),
        SportRange = tb.Get<FibRulePortRange>(FRA_SPORT_RANGE),
        DportRange = tb.Get<FibRulePortRange>(FRA_DPORT_RANGE),
        SuppressPrefixlen = tb.Has(FRA_SUPPRESS_PREFIXLEN) ? tb.Get<int>(FRA_SUPPRESS_PREFIXLEN) : -1,
        Proto = tb.Get<byte>(FRA_PROTOCOL),
        Src = frh.SrcLen != 0 ? tb.GetBe32(FRA_SRC) : 0,
        SrcLen = frh.SrcLen,
        Dst = frh.DstLen != 0 ? tb.GetBe32(FRA_DST) : 0,
        DstLen = frh.DstLen,
        Tos = frh.Tos,
        Dscp = tb.Has(FRA_DSCP) ? tb.Get<byte>(FRA_DSCP) : null,
    };

    private static NlaPolicy[] MakePolicy()
    {
        var policy = new NlaPolicy[FRA_MAX + 1];
        foreach (int type in new[] { FRA_PRIORITY, FRA_FWMARK, FRA_FLOW, FRA_FWMASK, FRA_TABLE, FRA_SUPPRESS_PREFIXLEN, FRA_SUPPRESS_IFGROUP, FRA_GOTO, FRA_DST, FRA_SRC })
            policy[type] = new NlaPolicy(NlaKind.U32);
        policy[FRA_IIFNAME] = policy[FRA_OIFNAME] = new NlaPolicy(NlaKind.String, IFNAMSIZ - 1);
        policy[FRA_TUN_ID] = new NlaPolicy(NlaKind.U64);
        policy[FRA_UID_RANGE] = new NlaPolicy(NlaKind.MinLen, 8);
        foreach (int type in new[] { FRA_L3MDEV, FRA_PROTOCOL, FRA_IP_PROTO, FRA_DSCP, FRA_DSCP_MASK })
            policy[type] = new NlaPolicy(NlaKind.U8);
        policy[FRA_SPORT_RANGE] = policy[FRA_DPORT_RANGE] = new NlaPolicy(NlaKind.MinLen, 4);
        policy[FRA_SPORT_MASK] = policy[FRA_DPORT_MASK] = new NlaPolicy(NlaKind.U16);
        return policy;
    }
}
