using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Changes of the routing tables. The lock of addresses is held throughout.</content>
public static partial class FibFrontend
{
    private static uint TableOf(FibConfig cfg)
    {
        if (cfg.Table != 0)
            return cfg.Table;
        return cfg.Type is RTN_LOCAL or RTN_BROADCAST or RTN_ANYCAST or RTN_NAT ? (uint)RT_TABLE_LOCAL : RT_TABLE_MAIN;
    }

    [Linux("fib_table_insert", "net/ipv4/fib_trie.c")]
    private static int FibTableInsert(NetNamespace net, FibConfig cfg, NlInfo info = default)
    {
        cfg = cfg with { Table = TableOf(cfg) };
        // The bits that mark congestion cannot choose a route.
        if ((cfg.Tos & ~Flowi4.INET_DSCP_MASK) != 0)
            return -EINVAL;
        if (cfg.DstLen is < 0 or > 32 || (cfg.Dst & ~InIfaddr.InetMakeMask(cfg.DstLen)) != 0)
            return -EINVAL;
        int err = FibSemantics.FibCreateInfo(net, cfg, out FibInfo? fi);
        if (err < 0)
            return err;
        FibTable table = net.Ipv4.FibNewTable(cfg.Table);
        err = InsertAlias(net, table, cfg, fi!, info);
        if (err < 0)
        {
            net.Ipv4.FibInfos.Release(fi!);
            net.Ipv4.FibFreeTableIfEmpty(table);
        }

        return err;
    }

    // Routes of one prefix are ordered by type of service, most specific first, then by priority.
    private static int InsertAlias(NetNamespace net, FibTable table, FibConfig cfg, FibInfo fi, NlInfo info)
    {
        List<FibAlias> list = [.. table.Find(cfg.Dst, cfg.DstLen)];
        FibAlias made = new(fi, cfg.Tos, cfg.Type);
        int first = list.FindIndex(fa => fa.Tos == cfg.Tos && fa.Info.FibPriority == fi.FibPriority);
        if (first >= 0)
        {
            if ((cfg.NlFlags & NLM_F_EXCL) != 0)
                return -EEXIST;
            if (list.Exists(fa => fa.Tos == cfg.Tos && fa.Type == cfg.Type && fa.Info == fi))
            {
                if ((cfg.NlFlags & NLM_F_REPLACE) == 0 || list[first].Info != fi || list[first].Type != cfg.Type)
                    return -EEXIST;
                net.Ipv4.FibInfos.Release(fi);
                return 0;
            }

            if ((cfg.NlFlags & NLM_F_REPLACE) != 0)
            {
                net.Ipv4.FibInfos.Release(list[first].Info);
                list[first] = made;
                table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
                RtmsgFib(net, RTM_NEWROUTE, cfg.Dst, cfg.DstLen, made, table.Id, info, NLM_F_REPLACE);
                return 0;
            }
        }

        if ((cfg.NlFlags & NLM_F_CREATE) == 0)
            return -ENOENT;
        bool append = (cfg.NlFlags & NLM_F_APPEND) != 0;
        int at = list.FindIndex(fa => fa.Tos < cfg.Tos
            || (fa.Tos == cfg.Tos && (append ? fa.Info.FibPriority > fi.FibPriority : fa.Info.FibPriority >= fi.FibPriority)));
        list.Insert(at < 0 ? list.Count : at, made);
        table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
        int flags = first < 0 ? NLM_F_CREATE : append ? NLM_F_APPEND : 0;
        RtmsgFib(net, RTM_NEWROUTE, cfg.Dst, cfg.DstLen, made, table.Id, info, flags);
        return 0;
    }

    [Linux("fib_table_delete", "net/ipv4/fib_trie.c")]
    private static int FibTableDelete(NetNamespace net, FibConfig cfg, NlInfo info = default)
    {
        if (cfg.DstLen is < 0 or > 32 || (cfg.Dst & ~InIfaddr.InetMakeMask(cfg.DstLen)) != 0)
            return -EINVAL;
        if (net.Ipv4.FibGetTable(TableOf(cfg)) is not { } table)
            return -ESRCH;
        List<FibAlias> list = [.. table.Find(cfg.Dst, cfg.DstLen)];
        int at = list.FindIndex(fa => fa.Tos == cfg.Tos
            && (cfg.Type == 0 || fa.Type == cfg.Type)
            && (cfg.Scope == null || fa.Info.FibScope == cfg.Scope)
            && (cfg.Prefsrc == 0 || fa.Info.FibPrefsrc == cfg.Prefsrc)
            && (cfg.Protocol == 0 || fa.Info.FibProtocol == cfg.Protocol)
            && FibSemantics.FibNhMatch(cfg, fa.Info)
            && FibSemantics.FibMetricsMatch(cfg, fa.Info));
        if (at < 0)
            return -ESRCH;
        RtmsgFib(net, RTM_DELROUTE, cfg.Dst, cfg.DstLen, list[at], table.Id, info, 0);
        net.Ipv4.FibInfos.Release(list[at].Info);
        list.RemoveAt(at);
        table.Replace(cfg.Dst, cfg.DstLen, [.. list]);
        net.Ipv4.FibFreeTableIfEmpty(table);
        return 0;
    }

    // Routes that died are taken out.
    [Linux("fib_flush")]
    private static void FibFlush(NetNamespace net)
    {
        foreach (FibTable table in net.Ipv4.FibTables)
        {
            foreach (var prefix in table.Snapshot().GroupBy(route => (route.Prefix, route.Length)))
            {
                if (prefix.All(route => !route.Alias.Info.Dead))
                    continue;
                foreach (var route in prefix.Where(route => route.Alias.Info.Dead))
                    net.Ipv4.FibInfos.Release(route.Alias.Info);
                table.Replace(prefix.Key.Prefix, prefix.Key.Length,
                    [.. prefix.Select(route => route.Alias).Where(fa => !fa.Info.Dead)]);
            }

            net.Ipv4.FibFreeTableIfEmpty(table);
        }

        Route.RtCacheFlush(net);
    }
}
