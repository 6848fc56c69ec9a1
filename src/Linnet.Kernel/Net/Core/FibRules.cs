using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What rules of every address family look at in a flow (<c>struct flowi_common</c>).</summary>
public interface IFlowi
{
    /// <summary>Index of the device to leave by; 0 for any.</summary>
    int Oif { get; }

    /// <summary>Index of the device that the packet came in by; the loopback device for own packets.</summary>
    int Iif { get; }

    /// <summary>Packet mark.</summary>
    uint Mark { get; }

    /// <summary>User that sends.</summary>
    uint Uid { get; }
}

/// <summary>A range of ports in a rule (<c>struct fib_rule_port_range</c>); 0 and 0 for all.</summary>
/// <param name="Start">The lowest.</param>
/// <param name="End">The highest.</param>
[LinuxStruct("fib_rule_port_range")]
public readonly record struct FibRulePortRange(ushort Start, ushort End)
{
    /// <summary>Whether ports are compared at all.</summary>
    public bool IsSet => Start != 0 && End != 0;

    /// <summary>Whether it can stand in a rule (<c>fib_rule_port_range_valid</c>).</summary>
    public bool IsValid => IsSet && End < 0xffff && Start <= End;

    /// <summary>Whether a port is in it.</summary>
    public bool Contains(ushort port) => port >= Start && port <= End;
}

/// <summary>
/// A policy rule (<c>struct fib_rule</c>): which flows it is for, and what is done with them. The same type describes a
/// rule that a user wants to add or to delete; null and 0 stand for what is not said then.
/// </summary>
[LinuxStruct("fib_rule")]
public abstract record FibRule
{
    /// <summary>Order among the rules, lowest first; null to take one before the others.</summary>
    public uint? Pref { get; init; }

    /// <summary>What is done, <c>FR_ACT_*</c>.</summary>
    public byte Action { get; init; } = FR_ACT_TO_TBL;

    /// <summary><c>FIB_RULE_INVERT</c>: for the flows that do not fit.</summary>
    public uint Flags { get; init; }

    /// <summary>The table to look in; 0 for a new one.</summary>
    public uint Table { get; init; }

    /// <summary>Preference of the rule to go on with (<c>goto</c>).</summary>
    public uint? Target { get; init; }

    /// <summary>Name of the device that the packet came in by; null for any.</summary>
    public string? IifName { get; init; }

    /// <summary>Name of the device that the flow is bound to; null for any.</summary>
    public string? OifName { get; init; }

    /// <summary>Packet mark, in the bits of <see cref="MarkMask"/>.</summary>
    public uint Mark { get; init; }

    /// <summary>The bits of the mark that count; null for all when there is a mark, else for none.</summary>
    public uint? MarkMask { get; init; }

    /// <summary>The users whose packets the rule is for, the lowest and the highest; null for all.</summary>
    public (uint Start, uint End)? UidRange { get; init; }

    /// <summary>Transport protocol; 0 for all.</summary>
    public byte IpProto { get; init; }

    /// <summary>Source ports.</summary>
    public FibRulePortRange SportRange { get; init; }

    /// <summary>Destination ports.</summary>
    public FibRulePortRange DportRange { get; init; }

    /// <summary>Routes whose prefix is no longer than this are not taken; -1 to take all.</summary>
    public int SuppressPrefixlen { get; init; } = -1;

    /// <summary>Who made the rule, <c>RTPROT_*</c>.</summary>
    public byte Proto { get; init; }

    /// <summary>Index of <see cref="IifName"/>; -1 while there is no such device, 0 for any.</summary>
    internal int IifIndex { get; set; }

    /// <summary>Index of <see cref="OifName"/>; -1 while there is no such device, 0 for any.</summary>
    internal int OifIndex { get; set; }

    /// <summary>The rule that <see cref="Target"/> means; null while there is none.</summary>
    internal FibRule? CTarget { get; set; }

    /// <summary>Whether the rule's target or device is missing, for the eyes of users.</summary>
    public uint StateFlags =>
        (Action == FR_ACT_GOTO && CTarget == null ? (uint)FIB_RULE_UNRESOLVED : 0)
        | (IifIndex == -1 ? (uint)FIB_RULE_IIF_DETACHED : 0) | (OifIndex == -1 ? (uint)FIB_RULE_OIF_DETACHED : 0);

    /// <summary>Whether a packet has to be looked into for the rule (<c>fib_rule_requires_fldissect</c>).</summary>
    internal bool RequiresFldissect => IifIndex != 1 && (IpProto != 0 || SportRange.IsSet || DportRange.IsSet);
}

/// <summary>
/// The policy rules of one address family in one namespace (<c>struct fib_rules_ops</c>). The list is replaced whole, by
/// callers that hold the family's lock; lookups take none.
/// </summary>
/// <typeparam name="TRule">The family's rules.</typeparam>
/// <typeparam name="TFlow">The family's flows.</typeparam>
/// <typeparam name="TResult">What a lookup finds.</typeparam>
[LinuxStruct("fib_rules_ops")]
[LinuxFile("net/core/fib_rules.c")]
public abstract class FibRulesOps<TRule, TFlow, TResult>(NetNamespace net)
    where TRule : FibRule
    where TFlow : struct, IFlowi
    where TResult : struct
{
    private TRule[] rules = [];

    /// <summary>The namespace.</summary>
    public NetNamespace Net { get; } = net;

    /// <summary>The rules in their order.</summary>
    public IReadOnlyList<TRule> Rules => Volatile.Read(ref rules);

    /// <summary>Whether some rule looks at what only the packet can tell.</summary>
    public bool RequireFldissect { get; private set; }

    /// <summary>Adds a rule that every namespace begins with (<c>fib_default_rule_add</c>).</summary>
    [Linux("fib_default_rule_add")]
    protected void FibDefaultRuleAdd(TRule rule) => Publish([.. rules, rule]);

    /// <summary>Finds the first rule that leads to a result.</summary>
    /// <param name="fl">The flow.</param>
    /// <param name="flags">Flags for lookups in tables.</param>
    /// <param name="res">What was found.</param>
    /// <returns>0, what the rule answers, or -ESRCH.</returns>
    [Linux("fib_rules_lookup")]
    public int FibRulesLookup(in TFlow fl, int flags, out TResult res)
    {
        TRule[] list = Volatile.Read(ref rules);
        for (int i = 0; i < list.Length; i++)
        {
            TRule rule = list[i];
            if (!FibRuleMatch(rule, in fl))
                continue;
            if (rule.Action == FR_ACT_GOTO)
            {
                // Only forward, so that the walk ends; the target itself is tried next.
                int target = Array.FindIndex(list, i + 1, other => ReferenceEquals(other, rule.CTarget));
                if (target >= 0)
                    i = target - 1;
                continue;
            }

            if (rule.Action == FR_ACT_NOP)
                continue;
            int err = Perform(rule, in fl, flags, out res);
            if (err == 0 && Suppresses(rule, in res))
                continue;
            if (err != -EAGAIN)
                return err;
        }

        res = default;
        return -ESRCH;
    }

    /// <summary>Adds a rule (<c>ip rule add</c>). The family's lock is held.</summary>
    /// <param name="given">The rule.</param>
    /// <param name="exclusive">Whether it is an error when there is the same rule (<c>NLM_F_EXCL</c>).</param>
    /// <param name="made">The rule as it is now.</param>
    /// <returns>0, -EINVAL, -EEXIST, or what the family answers.</returns>
    [Linux("fib_newrule")]
    protected int FibNewrule(TRule given, bool exclusive, out TRule? made)
    {
        made = null;
        int err = FibNl2rule(given);
        if (err < 0)
            return err;
        TRule rule = (TRule)((FibRule)given with
        {
            Pref = given.Pref ?? FibDefaultRulePref(),
            MarkMask = given.MarkMask ?? (given.Mark != 0 ? uint.MaxValue : 0),
        });
        if (exclusive && Array.Exists(rules, other => RuleExists(other, rule)))
            return -EEXIST;
        err = Configure(ref rule);
        if (err < 0)
            return err;
        Attach(rule);
        int at = Array.FindIndex(rules, other => other.Pref > rule.Pref);
        List<TRule> list = [.. rules];
        list.Insert(at < 0 ? list.Count : at, rule);
        foreach (TRule other in list)
        {
            if (other is { Action: FR_ACT_GOTO, CTarget: null })
                other.CTarget = list.Find(candidate => candidate.Pref == other.Target);
        }

        Publish([.. list]);
        made = rule;
        return 0;
    }

    /// <summary>Deletes the first rule that has all that is said (<c>ip rule del</c>). The family's lock is held.</summary>
    /// <returns>0, -EINVAL, or -ENOENT.</returns>
    [Linux("fib_delrule")]
    protected int FibDelrule(TRule given, out TRule? gone)
    {
        gone = null;
        int err = FibNl2rule(given);
        if (err < 0)
            return err;
        int at = Array.FindIndex(rules, rule => RuleFind(rule, given));
        if (at < 0)
            return -ENOENT;
        TRule found = gone = rules[at];
        TRule[] list = [.. rules.Where(rule => !ReferenceEquals(rule, found))];
        // Those that went there go on with the next of the same preference, if there is one.
        TRule? next = at + 1 < rules.Length && rules[at + 1].Pref == gone.Pref ? rules[at + 1] : null;
        foreach (TRule rule in list)
        {
            if (ReferenceEquals(rule.CTarget, gone))
                rule.CTarget = next;
        }

        Publish(list);
        return 0;
    }

    /// <summary>A device came, went or has another name: rules that name it follow (<c>fib_rules_event</c>).</summary>
    [Linux("fib_rules_event")]
    public void FibRulesEvent(NetdevEvent what, NetDevice dev)
    {
        foreach (TRule rule in rules)
        {
            if (what is NetdevEvent.Unregister or NetdevEvent.ChangeName)
            {
                if (rule.IifIndex == dev.Ifindex)
                    rule.IifIndex = -1;
                if (rule.OifIndex == dev.Ifindex)
                    rule.OifIndex = -1;
            }

            if (what is NetdevEvent.Register or NetdevEvent.ChangeName)
                Attach(rule);
        }
    }

    /// <summary>Whether the flow's addresses and so on fit the rule (<c>match</c>).</summary>
    protected abstract bool Match(TRule rule, in TFlow fl);

    /// <summary>Does what the rule says, when that is neither to go on nor to go elsewhere (<c>action</c>).</summary>
    /// <returns>0, or a negative errno; -EAGAIN to go on with the next rule.</returns>
    protected abstract int Perform(TRule rule, in TFlow fl, int flags, out TResult res);

    /// <summary>Whether the rule does not take what was found (<c>suppress</c>).</summary>
    protected abstract bool Suppresses(TRule rule, in TResult res);

    /// <summary>Checks and completes the family's part of a new rule (<c>configure</c>).</summary>
    protected abstract int Configure(ref TRule rule);

    /// <summary>Whether a rule has what of the family's part is said (<c>compare</c>).</summary>
    protected abstract bool Compare(TRule rule, TRule given);

    /// <summary>Takes over the list of rules; the family may look what they need.</summary>
    protected virtual void Publish(TRule[] list)
    {
        RequireFldissect = Array.Exists(list, rule => rule.RequiresFldissect);
        Volatile.Write(ref rules, list);
    }

    [Linux("fib_rule_match")]
    private bool FibRuleMatch(TRule rule, in TFlow fl)
    {
        bool fits = (rule.IifIndex == 0 || rule.IifIndex == fl.Iif)
            && (rule.OifIndex == 0 || rule.OifIndex == fl.Oif)
            && ((rule.Mark ^ fl.Mark) & (rule.MarkMask ?? 0)) == 0
            && (rule.UidRange is not { } uids || (fl.Uid >= uids.Start && fl.Uid <= uids.End))
            && Match(rule, in fl);
        return fits != ((rule.Flags & FIB_RULE_INVERT) != 0);
    }

    // What makes no sense in any family.
    [Linux("fib_nl2rule")]
    private static int FibNl2rule(TRule rule)
    {
        if (rule.Action == FR_ACT_GOTO)
        {
            // Going back could go on for ever.
            if (rule.Target is not { } target || target <= (rule.Pref ?? 0))
                return -EINVAL;
        }
        else if (rule.Target != null)
        {
            return -EINVAL;
        }

        if (rule.UidRange is { } uids && uids.Start > uids.End)
            return -EINVAL;
        bool unset = rule.SportRange == default;
        if (!unset && !rule.SportRange.IsValid)
            return -EINVAL;
        return rule.DportRange == default || rule.DportRange.IsValid ? 0 : -EINVAL;
    }

    // Before the second rule: the first is the family's table of local addresses.
    [Linux("fib_default_rule_pref")]
    private uint FibDefaultRulePref() => rules.Length > 1 && rules[1].Pref > 0 ? rules[1].Pref!.Value - 1 : 0;

    [Linux("rule_exists")]
    private bool RuleExists(TRule rule, TRule given) =>
        rule.Action == given.Action && rule.Table == given.Table && rule.Pref == given.Pref && rule.Proto == given.Proto
        && rule.IifName == given.IifName && rule.OifName == given.OifName && rule.Mark == given.Mark
        && rule.MarkMask == given.MarkMask && rule.SuppressPrefixlen == given.SuppressPrefixlen && rule.UidRange == given.UidRange && rule.IpProto == given.IpProto
        && rule.SportRange == given.SportRange && rule.DportRange == given.DportRange && Compare(rule, given);

    [Linux("rule_find")]
    private bool RuleFind(TRule rule, TRule given) =>
        (given.Action == FR_ACT_UNSPEC || rule.Action == given.Action)
        && (given.Table == 0 || rule.Table == given.Table)
        && (given.Pref == null || rule.Pref == given.Pref)
        && (given.IifName == null || rule.IifName == given.IifName)
        && (given.OifName == null || rule.OifName == given.OifName)
        && (given.Mark == 0 || rule.Mark == given.Mark)
        && (given.MarkMask is null or 0 ? given.Mark == 0 || rule.MarkMask == uint.MaxValue : rule.MarkMask == given.MarkMask)
        && (given.SuppressPrefixlen == -1 || rule.SuppressPrefixlen == given.SuppressPrefixlen)
        && (given.UidRange == null || rule.UidRange == given.UidRange)
        && (given.IpProto == 0 || rule.IpProto == given.IpProto)
        && (!given.SportRange.IsSet || rule.SportRange == given.SportRange)
        && (!given.DportRange.IsSet || rule.DportRange == given.DportRange)
        && Compare(rule, given);

    private void Attach(TRule rule)
    {
        if (rule.IifName != null && rule.IifIndex <= 0)
            rule.IifIndex = Net.Devices.DevGetByName(rule.IifName)?.Ifindex ?? -1;
        if (rule.OifName != null && rule.OifIndex <= 0)
            rule.OifIndex = Net.Devices.DevGetByName(rule.OifName)?.Ifindex ?? -1;
    }
}
