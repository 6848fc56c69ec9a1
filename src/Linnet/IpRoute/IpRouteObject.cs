using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip route</c>.</summary>
internal static class IpRouteObject
{
    private static readonly (string Name, int Flags)[] Changes =
    [
        ("add", NLM_F_CREATE | NLM_F_EXCL), ("change", NLM_F_REPLACE), ("chg", NLM_F_REPLACE),
        ("replace", NLM_F_CREATE | NLM_F_REPLACE), ("prepend", NLM_F_CREATE), ("append", NLM_F_CREATE | NLM_F_APPEND),
        ("test", NLM_F_EXCL),
    ];

    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        if (!words.More)
        {
            IpRouteList.Show(net, words, output);
            return;
        }

        string command = words.Next();
        foreach ((string name, int flags) in Changes)
        {
            if (!IpWords.Abbreviates(command, name))
                continue;
            FibConfig cfg = Read(net, words, delete: false) with { NlFlags = flags };
            IpCommandException.ThrowIfFailed(FibFrontend.InetRtmNewroute(net, cfg));
            return;
        }

        if (IpWords.Abbreviates(command, "delete"))
            IpCommandException.ThrowIfFailed(FibFrontend.InetRtmDelroute(net, Read(net, words, delete: true)));
        else if (IpWords.Abbreviates(command, "list") || IpWords.Abbreviates(command, "show") || command == "lst")
            IpRouteList.Show(net, words, output);
        else if (IpWords.Abbreviates(command, "get"))
            IpRouteGet.Run(net, words, output);
        else if (IpWords.Abbreviates(command, "flush"))
            IpRouteList.Flush(net, words);
        else
            throw new IpCommandException(255, $"Command \"{command}\" is unknown, try \"ip route help\".");
    }

    private static FibConfig Read(NetNamespace net, IpWords words, bool delete)
    {
        FibConfig cfg = new()
        {
            Type = (byte)(delete ? RTN_UNSPEC : RTN_UNICAST),
            Protocol = (byte)(delete ? 0 : RTPROT_BOOT),
        };
        uint[] metrics = new uint[RTAX_MAX + 1];
        bool hasDestination = false;
        byte? scope = null;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "via":
                    words.Take("inet");
                    cfg = cfg with { Gw = words.NextAddress() };
                    break;
                case "src":
                    cfg = cfg with { Prefsrc = words.NextAddress() };
                    break;
                case "dev" or "oif":
                    cfg = cfg with { Oif = words.NextDevice(net).Ifindex };
                    break;
                case "tos" or "dsfield":
                    cfg = cfg with { Tos = IpNames.NextTos(words) };
                    break;
                case "metric" or "priority" or "preference":
                    cfg = cfg with { Priority = words.NextUint("metric") };
                    break;
                case "scope":
                    scope = IpNames.NextScope(words);
                    break;
                case "proto" or "protocol":
                    cfg = cfg with { Protocol = IpNames.NextProtocol(words) };
                    break;
                case "table":
                    cfg = cfg with { Table = IpNames.NextTable(words) };
                    break;
                case "nexthop":
                    cfg = cfg with { Mp = NextHops(net, words) };
                    break;
                case "onlink":
                    cfg = cfg with { Flags = cfg.Flags | RTNH_F_ONLINK };
                    break;
                default:
                    if (!IpRouteMetrics.TryRead(net, word, words, metrics))
                        cfg = ReadDestination(word, words, cfg, ref hasDestination);
                    break;
            }
        }

        if (!hasDestination)
            throw new IpCommandException(255, "Command line is not complete. Try option \"help\"");
        return cfg with { Scope = scope ?? DefaultScope(cfg, delete), Metrics = RouteMetrics.From(metrics), Table = TableOf(cfg) };
    }

    // All that is left of the command.
    private static List<FibNexthopConfig> NextHops(NetNamespace net, IpWords words)
    {
        List<FibNexthopConfig> hops = [];
        do
        {
            FibNexthopConfig hop = new();
            while (words.More && words.Peek != "nexthop")
            {
                string word = words.Next();
                switch (word)
                {
                    case "via":
                        words.Take("inet");
                        hop = hop with { Gw = words.NextAddress() };
                        break;
                    case "dev":
                        hop = hop with { Oif = words.NextDevice(net).Ifindex };
                        break;
                    case "weight":
                        uint weight = words.NextUint("weight");
                        hop = weight is >= 1 and <= 256
                            ? hop with { Weight = (int)weight }
                            : throw IpCommandException.Wrong(weight.ToString(CultureInfo.InvariantCulture), "\"weight\" is invalid");
                        break;
                    case "onlink":
                        hop = hop with { Flags = hop.Flags | RTNH_F_ONLINK };
                        break;
                    default:
                        throw new IpCommandException(255, $"Error: \"nexthop\" or end of line is expected instead of \"{word}\"");
                }
            }

            hops.Add(hop);
        }
        while (words.Take("nexthop"));
        return hops;
    }

    private static FibConfig ReadDestination(string word, IpWords words, FibConfig cfg, ref bool hasDestination)
    {
        if (word is "to" or "type")
            word = words.Next();
        if (IpNames.TryRouteType(word, out byte type))
        {
            cfg = cfg with { Type = type };
            word = words.Next();
        }

        if (hasDestination)
            throw IpCommandException.Garbage(word);
        hasDestination = true;
        if (!IpWords.TryPrefix(word, out uint dst, out int length))
            throw new IpCommandException(1, $"Error: any valid prefix is expected rather than \"{word}\".");
        return cfg with { Dst = dst, DstLen = length };
    }

    private static byte? DefaultScope(FibConfig cfg, bool delete) => cfg.Type switch
    {
        RTN_LOCAL or RTN_NAT => RT_SCOPE_HOST,
        RTN_BROADCAST or RTN_MULTICAST or RTN_ANYCAST => RT_SCOPE_LINK,
        RTN_UNICAST or RTN_UNSPEC when delete => null,
        RTN_UNICAST when cfg.Gw == 0 && cfg.Mp == null => RT_SCOPE_LINK,
        _ => RT_SCOPE_UNIVERSE,
    };

    private static uint TableOf(FibConfig cfg)
    {
        if (cfg.Table != 0)
            return cfg.Table;
        return cfg.Type is RTN_LOCAL or RTN_BROADCAST or RTN_NAT or RTN_ANYCAST ? (uint)RT_TABLE_LOCAL : RT_TABLE_MAIN;
    }
}
