using System.Net;
using System.Net.Sockets;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>What a rule does with the flows that it is for; Linux's numbers (<c>FR_ACT_*</c>).</summary>
public enum RuleAction : byte
{
    /// <summary>Looks for a route in a table; what is not there is looked for by the next rule.</summary>
    Lookup = 1,

    /// <summary>Goes on with a later rule.</summary>
    GoTo = 2,

    /// <summary>Goes on with the next rule.</summary>
    Nothing = 3,

    /// <summary>There is no way: <c>EINVAL</c>, and nobody is told.</summary>
    Blackhole = 6,

    /// <summary>There is no way: <c>ENETUNREACH</c>.</summary>
    Unreachable = 7,

    /// <summary>There is no way: <c>EACCES</c>.</summary>
    Prohibit = 8,
}

/// <summary>A policy rule: which flows, and where their routes are looked for. What is not said fits all flows.</summary>
public sealed record HostRule
{
    /// <summary>Order among the rules, lowest first; null to take one before the others.</summary>
    public uint? Priority { get; init; }

    /// <summary>What is done.</summary>
    public RuleAction Action { get; init; } = RuleAction.Lookup;

    /// <summary>The table of <see cref="RuleAction.Lookup"/>; 0 for a new one.</summary>
    public uint Table { get; init; }

    /// <summary>The priority of the rule that <see cref="RuleAction.GoTo"/> goes on with.</summary>
    public uint? Target { get; init; }

    /// <summary>Whether the rule is for the flows that do not fit.</summary>
    public bool IsInverted { get; init; }

    /// <summary>Network of the source.</summary>
    public IPNetworkAddress? Source { get; init; }

    /// <summary>Network of the destination.</summary>
    public IPNetworkAddress? Destination { get; init; }

    /// <summary>Mark of the packet or socket.</summary>
    public uint Mark { get; init; }

    /// <summary>The bits of the mark that count; null for all.</summary>
    public uint? MarkMask { get; init; }

    /// <summary>Type of service.</summary>
    public byte TypeOfService { get; init; }

    /// <summary>Transport protocol; <see cref="ProtocolType.Unspecified"/> for all.</summary>
    public ProtocolType Protocol { get; init; } = ProtocolType.Unspecified;

    /// <summary>Source ports, the lowest and the highest.</summary>
    public (ushort First, ushort Last)? SourcePorts { get; init; }

    /// <summary>Destination ports, the lowest and the highest.</summary>
    public (ushort First, ushort Last)? DestinationPorts { get; init; }

    /// <summary>Name of the interface that packets came in by; <c>lo</c> for the host's own.</summary>
    public string? InputInterface { get; init; }

    /// <summary>Name of the interface that the socket is bound to.</summary>
    public string? OutputInterface { get; init; }

    /// <summary>The users whose packets it is for, the lowest and the highest.</summary>
    public (uint First, uint Last)? Users { get; init; }

    /// <summary>Routes to networks whose prefix is no longer than this are not taken; null to take all.</summary>
    public int? SuppressPrefixLength { get; init; }

    internal Fib4Rule ToKernel() => new()
    {
        Pref = Priority,
        Action = (byte)Action,
        Table = Table,
        Target = Target,
        Flags = IsInverted ? (uint)FIB_RULE_INVERT : 0,
        Src = Source is { } source ? SocketAddresses.ToHostOrder(source.Address) : 0,
        SrcLen = Source?.PrefixLength ?? 0,
        Dst = Destination is { } destination ? SocketAddresses.ToHostOrder(destination.Address) : 0,
        DstLen = Destination?.PrefixLength ?? 0,
        Mark = Mark,
        MarkMask = MarkMask,
        Tos = TypeOfService,
        IpProto = Protocol == ProtocolType.Unspecified ? (byte)0 : (byte)Protocol,
        SportRange = SourcePorts is { } sports ? new FibRulePortRange(sports.First, sports.Last) : default,
        DportRange = DestinationPorts is { } dports ? new FibRulePortRange(dports.First, dports.Last) : default,
        IifName = InputInterface,
        OifName = OutputInterface,
        UidRange = Users,
        SuppressPrefixlen = SuppressPrefixLength ?? -1,
        Proto = RTPROT_BOOT,
    };

    internal static HostRule From(Fib4Rule rule) => new()
    {
        Priority = rule.Pref,
        Action = (RuleAction)rule.Action,
        Table = rule.Table,
        Target = rule.Target,
        IsInverted = (rule.Flags & FIB_RULE_INVERT) != 0,
        Source = Network(rule.Src, rule.SrcLen),
        Destination = Network(rule.Dst, rule.DstLen),
        Mark = rule.Mark,
        MarkMask = rule.Mark == 0 && rule.MarkMask == 0 ? null : rule.MarkMask,
        TypeOfService = rule.Tos,
        Protocol = rule.IpProto == 0 ? ProtocolType.Unspecified : (ProtocolType)rule.IpProto,
        SourcePorts = Ports(rule.SportRange),
        DestinationPorts = Ports(rule.DportRange),
        InputInterface = rule.IifName,
        OutputInterface = rule.OifName,
        Users = rule.UidRange,
        SuppressPrefixLength = rule.SuppressPrefixlen < 0 ? null : rule.SuppressPrefixlen,
    };

    private static IPNetworkAddress? Network(uint addr, int length) =>
        length == 0 ? null : new IPNetworkAddress(SocketAddresses.FromHostOrder(addr), length);

    private static (ushort, ushort)? Ports(FibRulePortRange range) => range.IsSet ? (range.Start, range.End) : null;
}

/// <summary>The policy rules of a host (<c>ip rule</c>): in which tables a flow's route is looked for.</summary>
public sealed class HostRules
{
    private readonly Host host;

    internal HostRules(Host host) => this.host = host;

    /// <summary>The rules in their order.</summary>
    public IReadOnlyList<HostRule> List() => [.. host.Namespace.Ipv4.FibRules.Rules.Select(HostRule.From)];

    /// <summary>Adds a rule (<c>ip rule add</c>).</summary>
    /// <exception cref="InvalidOperationException">There is the same one, or what it says does not fit together.</exception>
    public void Add(HostRule rule)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(host.Namespace.Ipv4.FibRules.FibNlNewrule(rule.ToKernel()), "add a rule");
    }

    /// <summary>Deletes the first rule that has all that is said (<c>ip rule del</c>).</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void Remove(HostRule rule)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(host.Namespace.Ipv4.FibRules.FibNlDelrule(rule.ToKernel()), "delete a rule");
    }
}
