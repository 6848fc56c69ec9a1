using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip route get</c>: the way of a packet that this host would send, or would forward.</summary>
internal static class IpRouteGet
{
    public static void Run(NetNamespace net, IpWords words, IpOutput output)
    {
        Flowi4 flow = default;
        NetDevice? iif = null, oif = null;
        bool hasDestination = false, bySource = false;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "from":
                    flow.Saddr = words.NextAddress();
                    bySource = true;
                    break;
                case "iif":
                    iif = words.NextDevice(net);
                    break;
                case "oif" or "dev":
                    oif = words.NextDevice(net);
                    break;
                case "mark":
                    flow.Flowi4Mark = words.NextUint("mark");
                    break;
                case "tos" or "dsfield":
                    flow.Flowi4Tos = IpNames.NextTos(words);
                    break;
                case "uid":
                    flow.Flowi4Uid = words.NextUint("uid");
                    break;
                case "ipproto":
                    flow.Flowi4Proto = NextProtocol(words);
                    break;
                case "sport":
                    flow.FlSport = (ushort)words.NextUint("sport");
                    break;
                case "dport":
                    flow.FlDport = (ushort)words.NextUint("dport");
                    break;
                default:
                    if (hasDestination)
                        throw IpCommandException.Garbage(word);
                    hasDestination = true;
                    flow.Daddr = new IpWords([word == "to" ? words.Next() : word]).NextAddress();
                    break;
            }
        }

        if (!hasDestination)
            throw new IpCommandException(1, "need at least a destination address");
        flow.Flowi4Oif = oif?.Ifindex ?? 0;
        uint asked = flow.Daddr;
        IpCommandException.ThrowIfFailed(Route.InetRtmGetroute(net, ref flow, iif, out Rtable? rt, out FibResult res, out uint flags));
        Print(rt!, flags, asked, in flow, in res, iif, bySource, output);
    }

    private static void Print(
        Rtable rt, uint flags, uint asked, in Flowi4 flow, in FibResult res, NetDevice? iif, bool bySource, IpOutput output)
    {
        if (rt.RtType != RTN_UNICAST || output.Details)
            output.Write(IpNames.RouteType(rt.RtType)).Write(" ");
        output.Write(Ipv4Addr.Text(asked)).Write(" ");
        if (bySource)
            output.Write($"from {Ipv4Addr.Text(flow.Saddr)} ");
        if (res.Tos != 0)
            output.Write($"tos {IpNames.Tos(res.Tos)} ");
        if (rt.RtGw4 != 0)
            output.Write($"via {Ipv4Addr.Text(rt.RtGw4)} ");
        output.Write($"dev {rt.Dev.Name} ");
        uint table = res.Table?.Id ?? RT_TABLE_MAIN;
        if (table != RT_TABLE_MAIN)
            output.Write($"table {IpNames.Table(table)} ");
        if (!bySource && iif == null)
            output.Write($"src {Ipv4Addr.Text(flow.Saddr)} ");
        // The flag for groups has the same bit as this one, and ip cannot tell.
        if ((flags & RTM_F_OFFLOAD_FAILED) != 0)
            output.Write("rt_offload_failed ");
        if (flow.Flowi4Mark != 0)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"mark {(flow.Flowi4Mark >= 16 ? $"0x{flow.Flowi4Mark:x}" : flow.Flowi4Mark)} "));
        if (iif == null)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"uid {flow.Flowi4Uid} "));
        output.Write(output.LineBreak).Write("    cache ").Write(CacheFlags(flags));
        IpRouteMetrics.Print(rt.Dev.Net, rt.Metrics, output);
        if (iif != null)
            output.Write($"iif {iif.Name} ");
        output.Write("\n");
    }

    private static string CacheFlags(uint flags)
    {
        List<string> names = [];
        if ((flags & Rtable.RTCF_LOCAL) != 0)
            names.Add("local");
        if ((flags & Rtable.RTCF_MULTICAST) != 0)
            names.Add("mc");
        if ((flags & Rtable.RTCF_BROADCAST) != 0)
            names.Add("brd");
        if ((flags & Rtable.RTCF_DOREDIRECT) != 0)
            names.Add("redirect");
        return names.Count == 0 ? "" : $"<{string.Join(',', names)}> ";
    }

    private static byte NextProtocol(IpWords words)
    {
        string word = words.Next();
        return word switch
        {
            "icmp" => IPPROTO_ICMP,
            "tcp" => IPPROTO_TCP,
            "udp" => IPPROTO_UDP,
            _ => byte.TryParse(word, out byte number) ? number : throw IpCommandException.Wrong(word, "Invalid \"ipproto\" value"),
        };
    }
}
