using System.Globalization;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.IpRoute;

/// <summary><c>ip route list</c> and <c>ip route flush</c>: the routes that fit a selector.</summary>
internal sealed class IpRouteList
{
    private uint? table = RT_TABLE_MAIN;
    private (uint Address, int Length)? exact;
    private (uint Address, int Length)? root;
    private (uint Address, int Length)? match;
    private uint? via;
    private NetDevice? dev;
    private byte? protocol;
    private byte? scope;
    private byte? type;
    private uint? metric;
    private uint? source;
    private bool any;

    public static void Show(NetNamespace net, IpWords words, IpOutput output)
    {
        IpRouteList filter = new();
        filter.Read(net, words);
        foreach ((FibTable from, uint prefix, int length, FibAlias alias) in filter.Select(net))
            filter.Print(net, from, prefix, length, alias, output);
    }

    public static void Flush(NetNamespace net, IpWords words)
    {
        IpRouteList filter = new();
        filter.Read(net, words);
        if (!filter.any)
            throw new IpCommandException(255, "\"ip route flush\" requires arguments.");
        foreach ((FibTable from, uint prefix, int length, FibAlias alias) in filter.Select(net).ToArray())
        {
            IpCommandException.ThrowIfFailed(FibFrontend.InetRtmDelroute(net, new FibConfig
            {
                Table = from.Id,
                Dst = prefix,
                DstLen = length,
                Tos = alias.Tos,
                Type = alias.Type,
                Scope = alias.Info.FibScope,
                Protocol = alias.Info.FibProtocol,
                Priority = alias.Info.FibPriority,
                Prefsrc = alias.Info.FibPrefsrc,
            }));
        }
    }

    private void Read(NetNamespace net, IpWords words)
    {
        any = words.More;
        while (words.More)
        {
            string word = words.Next();
            switch (word)
            {
                case "table":
                    if (words.Take("all"))
                        table = null;
                    else
                        table = IpNames.NextTable(words);
                    break;
                case "via":
                    via = words.NextAddress();
                    break;
                case "dev" or "oif":
                    dev = words.NextDevice(net);
                    break;
                case "proto" or "protocol":
                    protocol = IpNames.NextProtocol(words);
                    break;
                case "scope":
                    scope = IpNames.NextScope(words);
                    break;
                case "metric" or "priority":
                    metric = words.NextUint("metric");
                    break;
                case "src":
                    source = words.NextAddress();
                    break;
                case "type":
                    string name = words.Next();
                    type = IpNames.TryRouteType(name, out byte number) ? number : throw IpCommandException.Wrong(name, "node type value is invalid");
                    break;
                default:
                    ReadPrefix(word, words);
                    break;
            }
        }
    }

    private void ReadPrefix(string word, IpWords words)
    {
        switch (word)
        {
            case "to" when words.Peek is "root" or "match" or "exact":
                ReadPrefix(words.Next(), words);
                return;
            case "root":
                root = words.NextPrefix();
                return;
            case "match":
                match = words.NextPrefix();
                return;
            case "exact" or "to":
                exact = words.NextPrefix();
                return;
        }

        if (IpNames.TryRouteType(word, out byte number))
        {
            type = number;
            return;
        }

        if (!IpWords.TryPrefix(word, out uint addr, out int length))
            throw new IpCommandException(1, $"Error: any valid prefix is expected rather than \"{word}\".");
        exact = (addr, length);
    }

    private IEnumerable<(FibTable Table, uint Prefix, int Length, FibAlias Alias)> Select(NetNamespace net)
    {
        // In the order of Linux's hash table of tables.
        foreach (FibTable each in net.Ipv4.FibTables.OrderBy(each => each.Id & 255))
        {
            if (table != null && each.Id != table)
                continue;
            foreach ((uint prefix, int length, FibAlias alias) in each.Snapshot())
            {
                if (Fits(prefix, length, alias))
                    yield return (each, prefix, length, alias);
            }
        }
    }

    private bool Fits(uint prefix, int length, FibAlias alias)
    {
        FibInfo fi = alias.Info;
        if (exact is { } e && (e.Address != prefix || e.Length != length))
            return false;
        if (root is { } r && (length < r.Length || ((prefix ^ r.Address) & InIfaddr.InetMakeMask(r.Length)) != 0))
            return false;
        if (match is { } m && (length > m.Length || ((prefix ^ m.Address) & InIfaddr.InetMakeMask(length)) != 0))
            return false;
        return (via == null || (fi.Nhs.Length == 1 && fi.Nh.NhGw == via))
            && (dev == null || (fi.Nhs.Length == 1 && fi.Nh.NhDev == dev))
            && (protocol == null || fi.FibProtocol == protocol)
            && (scope == null || fi.FibScope == scope)
            && (type == null || alias.Type == type)
            && (metric == null || fi.FibPriority == metric)
            && (source == null || fi.FibPrefsrc == source);
    }

    // What the selector fixes is not printed again.
    private void Print(NetNamespace net, FibTable from, uint prefix, int length, FibAlias alias, IpOutput output)
    {
        FibInfo fi = alias.Info;
        if (alias.Type != RTN_UNICAST || output.Details)
            output.Write(IpNames.RouteType(alias.Type)).Write(" ");
        output.Write(IpWords.Text(prefix, length)).Write(" ");
        if (alias.Tos != 0)
            output.Write($"tos {IpNames.Tos(alias.Tos)} ");
        bool single = fi.Nhs.Length == 1;
        if (single && fi.Nh.NhGw != 0 && via == null)
            output.Write($"via {Ipv4Addr.Text(fi.Nh.NhGw)} ");
        if (single && fi.Nh.NhDev != null && dev == null)
            output.Write($"dev {fi.Nh.NhDev.Name} ");
        if ((from.Id != RT_TABLE_MAIN || output.Details) && table == null)
            output.Write($"table {IpNames.Table(from.Id)} ");
        if ((fi.FibProtocol != RTPROT_BOOT || output.Details) && protocol == null)
            output.Write($"proto {IpNames.Protocol(fi.FibProtocol)} ");
        if ((fi.FibScope != RT_SCOPE_UNIVERSE || output.Details) && scope == null)
            output.Write($"scope {IpNames.Scope(fi.FibScope)} ");
        if (fi.FibPrefsrc != 0 && source == null)
            output.Write($"src {Ipv4Addr.Text(fi.FibPrefsrc)} ");
        if (fi.FibPriority != 0 && metric == null)
            output.Write(string.Create(CultureInfo.InvariantCulture, $"metric {fi.FibPriority} "));
        if (single)
            output.Write(FlagText(fi.Nh));
        IpRouteMetrics.Print(net, fi.FibMetrics, output);
        if (!single)
            PrintNexthops(fi, output);
        output.Write("\n");
    }

    private static void PrintNexthops(FibInfo fi, IpOutput output)
    {
        foreach (FibNh nh in fi.Nhs)
        {
            output.Write(output.OneLine ? "\\\tnexthop " : "\n\tnexthop ");
            if (nh.NhGw != 0)
                output.Write($"via {Ipv4Addr.Text(nh.NhGw)} ");
            output.Write(string.Create(CultureInfo.InvariantCulture, $"dev {nh.NhDev?.Name} weight {nh.NhWeight} "));
            output.Write(FlagText(nh));
        }
    }

    internal static string FlagText(FibNh nh)
    {
        string text = "";
        if ((nh.NhFlags & RTNH_F_DEAD) != 0)
            text += "dead ";
        if ((nh.NhFlags & RTNH_F_ONLINK) != 0)
            text += "onlink ";
        if ((nh.NhFlags & RTNH_F_PERVASIVE) != 0)
            text += "pervasive ";
        if ((nh.NhFlags & RTNH_F_LINKDOWN) != 0)
            text += "linkdown ";
        return text;
    }
}
