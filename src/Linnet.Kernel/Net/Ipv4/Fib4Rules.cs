using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A policy rule of IPv4 (<c>struct fib4_rule</c>).</summary>
[LinuxStruct("fib4_rule")]
public sealed record Fib4Rule : FibRule
{
    /// <summary>Prefix of the source addresses.</summary>
    public uint Src { get; init; }

    /// <summary>Length of that prefix; 0 for all.</summary>
    public int SrcLen { get; init; }

    /// <summary>Prefix of the destination addresses.</summary>
    public uint Dst { get; init; }

    /// <summary>Length of that prefix; 0 for all.</summary>
    public int DstLen { get; init; }

    /// <summary>Type of service, compared in its old bits only; 0 for all.</summary>
    public byte Tos { get; init; }

    /// <summary>Differentiated services code point, 0 to 63, compared whole; null for all.</summary>
    public byte? Dscp { get; init; }
}

/// <summary>
/// The policy rules of IPv4 in a namespace: which tables a flow's route is looked for in. As long as nobody changed them,
/// lookups go to the tables directly.
/// </summary>
[LinuxFile("net/ipv4/fib_rules.c")]
public sealed class Fib4Rules : FibRulesOps<Fib4Rule, Flowi4, FibResult>
{
    private const uint LastPref = 0x7fff;

    internal Fib4Rules(NetNamespace net)
        : base(net)
    {
        Add(0, RT_TABLE_LOCAL);
        Add(LastPref - 1, RT_TABLE_MAIN);
        Add(LastPref, RT_TABLE_DEFAULT);
        HasCustomRules = false;

        void Add(uint pref, uint table) => FibDefaultRuleAdd(
            new Fib4Rule { Pref = pref, Table = table, Proto = RTPROT_KERNEL, MarkMask = 0 });
    }

    /// <summary>Whether somebody added or deleted a rule (<c>fib_has_custom_rules</c>).</summary>
    public bool HasCustomRules { get; private set; }

    /// <summary>Adds a rule (<c>ip rule add</c>).</summary>
    /// <param name="rule">The rule.</param>
    /// <param name="nlFlags"><c>NLM_F_EXCL</c>: the same rule again is an error.</param>
    /// <param name="info">Who asks for it.</param>
    /// <returns>0, -EINVAL, -EEXIST, or -ENOBUFS when there is no free table.</returns>
    [Linux("fib_nl_newrule", "net/core/fib_rules.c")]
    public int FibNlNewrule(Fib4Rule rule, int nlFlags = NLM_F_CREATE | NLM_F_EXCL, NlInfo info = default)
    {
        lock (Net.Ipv4.AddressLock)
        {
            int err = FibNewrule(rule, (nlFlags & NLM_F_EXCL) != 0, out Fib4Rule? made);
            if (err < 0)
                return err;
            Fib4RulesNetlink.NotifyRuleChange(Net, RTM_NEWRULE, made!, info);
        }

        Route.RtCacheFlush(Net);
        return 0;
    }

    /// <summary>Deletes the first rule that has all that is said (<c>ip rule del</c>).</summary>
    /// <returns>0, -EINVAL, or -ENOENT.</returns>
    [Linux("fib_nl_delrule", "net/core/fib_rules.c")]
    public int FibNlDelrule(Fib4Rule rule, NlInfo info = default)
    {
        lock (Net.Ipv4.AddressLock)
        {
            int err = FibDelrule(rule, out Fib4Rule? gone);
            if (err < 0)
                return err;
            Fib4RulesNetlink.NotifyRuleChange(Net, RTM_DELRULE, gone!, info);
        }

        Route.RtCacheFlush(Net);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("fib4_rule_match")]
    protected override bool Match(Fib4Rule rule, in Flowi4 fl)
    {
        if (((fl.Saddr ^ rule.Src) & InIfaddr.InetMakeMask(rule.SrcLen)) != 0
            || ((fl.Daddr ^ rule.Dst) & InIfaddr.InetMakeMask(rule.DstLen)) != 0)
            return false;
        if (rule.Dscp is { } dscp && dscp << 2 != fl.Flowi4Tos)
            return false;
        if (rule.Tos != 0 && !fl.MatchesTos(rule.Tos))
            return false;
        if (rule.IpProto != 0 && rule.IpProto != fl.Flowi4Proto)
            return false;
        return (!rule.SportRange.IsSet || rule.SportRange.Contains(fl.FlSport))
            && (!rule.DportRange.IsSet || rule.DportRange.Contains(fl.FlDport));
    }

    /// <inheritdoc/>
    [Linux("fib4_rule_action")]
    protected override int Perform(Fib4Rule rule, in Flowi4 fl, int flags, out FibResult res)
    {
        res = default;
        switch (rule.Action)
        {
            case FR_ACT_TO_TBL:
                return Net.Ipv4.FibGetTable(rule.Table) is { } table ? table.Lookup(in fl, out res, flags) : -EAGAIN;
            case FR_ACT_UNREACHABLE:
                return -ENETUNREACH;
            case FR_ACT_PROHIBIT:
                return -EACCES;
            default:
                return -EINVAL;
        }
    }

    /// <inheritdoc/>
    [Linux("fib4_rule_suppress")]
    protected override bool Suppresses(Fib4Rule rule, in FibResult res) => res.Prefixlen <= rule.SuppressPrefixlen;

    /// <inheritdoc/>
    [Linux("fib4_rule_configure")]
    protected override int Configure(ref Fib4Rule rule)
    {
        const byte EcnBits = 3;
        if ((rule.Tos & (EcnBits | ~IPTOS_TOS_MASK)) != 0 || rule.Dscp is > 63 || (rule.Dscp != null && rule.Tos != 0))
            return -EINVAL;
        if (rule.SrcLen is < 0 or > 32 || rule.DstLen is < 0 or > 32)
            return -EINVAL;
        if (rule is { Action: FR_ACT_TO_TBL, Table: RT_TABLE_UNSPEC })
        {
            uint free = 1;
            while (Net.Ipv4.FibGetTable(free) != null || IsNamed(free))
                free++;
            rule = rule with { Table = free };
        }

        return 0;
    }

    /// <inheritdoc/>
    [Linux("fib4_rule_compare")]
    protected override bool Compare(Fib4Rule rule, Fib4Rule given) =>
        (given.SrcLen == 0 || (rule.SrcLen == given.SrcLen && rule.Src == given.Src))
        && (given.DstLen == 0 || (rule.DstLen == given.DstLen && rule.Dst == given.Dst))
        && (given.Tos == 0 || rule.Tos == given.Tos)
        && (given.Dscp == null || rule.Dscp == given.Dscp);

    /// <inheritdoc/>
    protected override void Publish(Fib4Rule[] list)
    {
        base.Publish(list);
        HasCustomRules = true;
    }

    // Tables come with their first route: one that only a rule names is taken all the same.
    private bool IsNamed(uint table) => Rules.Any(rule => rule.Table == table);
}
