using System.Globalization;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip rule</c>.</summary>
internal static class IpRuleObject
{
    private static readonly (string Name, byte Action)[] Actions =
    [
        ("blackhole", FR_ACT_BLACKHOLE), ("unreachable", FR_ACT_UNREACHABLE), ("prohibit", FR_ACT_PROHIBIT), ("nop", FR_ACT_NOP),
    ];

    private static readonly (byte Number, string Name)[] Protocols =
        [(IPPROTO_ICMP, "icmp"), (IPPROTO_TCP, "tcp"), (IPPROTO_UDP, "udp"), (IPPROTO_SCTP, "sctp"), (IPPROTO_DCCP, "dccp")];

    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        string command = words.More ? words.Next() : "list";
        if (IpWords.Abbreviates(command, "list") || IpWords.Abbreviates(command, "show") || command == "lst")
            Show(net, words, output);
        else if (IpWords.Abbreviates(command, "add"))
            IpCommandException.ThrowIfFailed(net.Ipv4.FibRules.FibNlNewrule(Read(words, delete: false)));
        else if (IpWords.Abbreviates(command, "delete"))
            IpCommandException.ThrowIfFailed(net.Ipv4.FibRules.FibNlDelrule(Read(words, delete: true)));
        else if (IpWords.Abbreviates(command, "flush"))
            Flush(net, words);
        else
            throw new IpCommandException(255, $"Command \"{command}\" is unknown, try \"ip rule help\".");
    }

    private static Fib4Rule Read(IpWords words, bool delete)
    {
        Fib4Rule rule = new()
        {
            Action = (byte)(delete ? FR_ACT_UNSPEC : FR_ACT_TO_TBL),
            Table = delete ? 0 : (uint)RT_TABLE_MAIN,
            Proto = (byte)(delete ? 0 : RTPROT_BOOT),
        };
        if (delete && !words.More)
            throw new IpCommandException(255, "\"ip rule del\" requires arguments.");
        while (words.More)
        {
            string word = words.Next();
            rule = word switch
            {
                "not" => rule with { Flags = rule.Flags | FIB_RULE_INVERT },
                "preference" or "pref" or "order" or "priority" or "prio" => rule with { Pref = words.NextUint("preference") },
                "tos" or "dsfield" => rule with { Tos = IpNames.NextTos(words) },
                "dscp" => rule with { Dscp = words.NextByte("dscp") },
                "dev" or "iif" => rule with { IifName = words.Next() },
                "oif" => rule with { OifName = words.Next() },
                "uidrange" => rule with { UidRange = NextRange(words, uint.MaxValue) },
                "ipproto" => rule with { IpProto = NextProtocol(words) },
                "sport" => rule with { SportRange = NextPorts(words) },
                "dport" => rule with { DportRange = NextPorts(words) },
                "protocol" or "proto" => rule with { Proto = IpNames.NextProtocol(words) },
                "table" or "lookup" => rule with { Table = IpNames.NextTable(words) },
                "suppress_prefixlength" or "sup_pl" => rule with { SuppressPrefixlen = (int)words.NextUint("suppress_prefixlength") },
                "goto" => rule with { Action = FR_ACT_GOTO, Target = words.NextUint("preference"), Table = 0 },
                "fwmark" => ReadMark(words, rule),
                "from" => ReadSource(words.NextPrefix(), rule),
                "to" => ReadDestination(words.NextPrefix(), rule),
                _ => ReadAction(word == "type" ? words.Next() : word, rule),
            };
        }

        return rule;
    }

    private static Fib4Rule ReadSource((uint Address, int Length) prefix, Fib4Rule rule) =>
        rule with { Src = prefix.Address, SrcLen = prefix.Length };

    private static Fib4Rule ReadDestination((uint Address, int Length) prefix, Fib4Rule rule) =>
        rule with { Dst = prefix.Address, DstLen = prefix.Length };

    private static Fib4Rule ReadAction(string word, Fib4Rule rule)
    {
        int at = Array.FindIndex(Actions, entry => entry.Name == word);
        return at >= 0
            ? rule with { Action = Actions[at].Action, Table = 0 }
            : throw new IpCommandException(255, $"Error: argument \"{word}\" is wrong: Failed to parse rule type");
    }

    private static Fib4Rule ReadMark(IpWords words, Fib4Rule rule)
    {
        string word = words.Next();
        string[] parts = word.Split('/');
        uint mask = uint.MaxValue;
        if (parts.Length > 2 || !IpWords.TryUint(parts[0], out uint mark) || (parts.Length == 2 && !IpWords.TryUint(parts[1], out mask)))
            throw IpCommandException.Wrong(word, "fwmark value is invalid");
        return rule with { Mark = mark, MarkMask = parts.Length == 2 ? mask : null };
    }

    private static (uint, uint) NextRange(IpWords words, uint largest)
    {
        string word = words.Next();
        string[] parts = word.Split('-');
        if (parts.Length <= 2 && IpWords.TryUint(parts[0], out uint start) && IpWords.TryUint(parts[^1], out uint end)
            && start <= largest && end <= largest)
            return (start, end);
        throw IpCommandException.Wrong(word, "invalid range");
    }

    private static FibRulePortRange NextPorts(IpWords words)
    {
        (uint start, uint end) = NextRange(words, ushort.MaxValue);
        return new FibRulePortRange((ushort)start, (ushort)end);
    }

    private static byte NextProtocol(IpWords words)
    {
        string word = words.Next();
        int at = Array.FindIndex(Protocols, entry => entry.Name == word);
        if (at >= 0)
            return Protocols[at].Number;
        return byte.TryParse(word, NumberStyles.None, CultureInfo.InvariantCulture, out byte number)
            ? number
            : throw IpCommandException.Wrong(word, "Invalid \"ipproto\" value");
    }

    // The rules that do not belong to the kernel; the local table's stays.
    private static void Flush(NetNamespace net, IpWords words)
    {
        if (words.More)
            throw IpCommandException.Garbage(words.Next());
        foreach (Fib4Rule rule in net.Ipv4.FibRules.Rules.Where(rule => rule.Pref != 0).ToArray())
            IpCommandException.ThrowIfFailed(net.Ipv4.FibRules.FibNlDelrule(rule));
    }

    private static void Show(NetNamespace net, IpWords words, IpOutput output)
    {
        uint? table = null, pref = null;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "table" or "lookup":
                    table = IpNames.NextTable(words);
                    break;
                case "preference" or "pref" or "order" or "priority" or "prio":
                    pref = words.NextUint("preference");
                    break;
                default:
                    throw IpCommandException.Garbage(word);
            }
        }

        foreach (Fib4Rule rule in net.Ipv4.FibRules.Rules)
        {
            if ((table == null || rule.Table == table) && (pref == null || rule.Pref == pref))
                output.Write(Text(rule, output.Details)).Write("\n");
        }
    }

    private static string Text(Fib4Rule rule, bool details)
    {
        StringBuilder text = new();
        void Add(FormattableString piece) => text.Append(piece.ToString(CultureInfo.InvariantCulture));
        Add($"{rule.Pref}:\t");
        if ((rule.Flags & FIB_RULE_INVERT) != 0)
            text.Append("not ");
        Add($"from {(rule.SrcLen == 0 ? "all" : IpWords.Text(rule.Src, rule.SrcLen))} ");
        if (rule.DstLen != 0)
            Add($"to {IpWords.Text(rule.Dst, rule.DstLen)} ");
        if (rule.Tos != 0)
            Add($"tos {IpNames.Tos(rule.Tos)} ");
        if (rule.Mark != 0 || rule.MarkMask is not (null or 0))
            Add($"fwmark 0x{rule.Mark:x}{(rule.MarkMask == uint.MaxValue ? "" : $"/0x{rule.MarkMask:x}")} ");
        if (rule.IifName != null)
            Add($"iif {rule.IifName} {((rule.StateFlags & FIB_RULE_IIF_DETACHED) != 0 ? "[detached] " : "")}");
        if (rule.OifName != null)
            Add($"oif {rule.OifName} {((rule.StateFlags & FIB_RULE_OIF_DETACHED) != 0 ? "[detached] " : "")}");
        if (rule.UidRange is { } uids)
            Add($"uidrange {uids.Start}-{uids.End} ");
        if (rule.IpProto != 0)
            Add($"ipproto {Array.Find(Protocols, entry => entry.Number == rule.IpProto).Name ?? $"ipproto-{rule.IpProto}"} ");
        if (rule.SportRange.IsSet)
            Add($"sport {Ports(rule.SportRange)} ");
        if (rule.DportRange.IsSet)
            Add($"dport {Ports(rule.DportRange)} ");
        if (rule.Dscp is { } dscp)
            Add($"dscp {dscp} ");
        text.Append(ActionText(rule));
        if (rule.Proto is not (RTPROT_KERNEL or RTPROT_BOOT or 0) || details)
            Add($" proto {IpNames.Protocol(rule.Proto)}");
        return text.ToString().TrimEnd(' ');
    }

    private static string ActionText(Fib4Rule rule)
    {
        switch (rule.Action)
        {
            case FR_ACT_TO_TBL:
                string suppress = rule.SuppressPrefixlen == -1 ? "" : string.Create(CultureInfo.InvariantCulture, $" suppress_prefixlength {rule.SuppressPrefixlen}");
                return $"lookup {IpNames.Table(rule.Table)}{suppress}";
            case FR_ACT_GOTO:
                string unresolved = (rule.StateFlags & FIB_RULE_UNRESOLVED) != 0 ? " [unresolved]" : "";
                return string.Create(CultureInfo.InvariantCulture, $"goto {rule.Target}{unresolved}");
            default:
                return Array.Find(Actions, entry => entry.Action == rule.Action).Name ?? rule.Action.ToString(CultureInfo.InvariantCulture);
        }
    }

    private static string Ports(FibRulePortRange range) => range.Start == range.End
        ? range.Start.ToString(CultureInfo.InvariantCulture)
        : string.Create(CultureInfo.InvariantCulture, $"{range.Start}-{range.End}");
}
