using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The choice among several next hops, and among several default routes.</content>
public static partial class FibSemantics
{
    /// <summary>Completes what a lookup for a packet that goes out found: next hop and source (<c>fib_select_path</c>).</summary>
    [Linux("fib_select_path")]
    internal static void FibSelectPath(NetNamespace net, ref FibResult res, ref Flowi4 fl4, SkBuff? skb)
    {
        // Who asked for a device got its next hop already.
        if (fl4.Flowi4Oif == 0)
        {
            if (res.Fi!.Nhs.Length > 1)
                FibSelectMultipath(net, ref res, Route.FibMultipathHash(net, in fl4, skb), fl4.Saddr);
            else if (res is { Prefixlen: 0, Type: RTN_UNICAST, FaHead.Length: > 1 })
                FibSelectDefault(net, in fl4, ref res);
        }

        if (fl4.Saddr == 0)
            fl4.Saddr = FibResultPrefsrc(in res);
    }

    /// <summary>
    /// Chooses the next hop whose share the hash falls in; of these, one whose source address is the flow's, where there is
    /// one (<c>fib_select_multipath</c>).
    /// </summary>
    [Linux("fib_select_multipath")]
    internal static void FibSelectMultipath(NetNamespace net, ref FibResult res, int hash, uint saddr)
    {
        FibInfo fi = res.Fi!;
        int best = -1;
        foreach (FibNh nh in fi.Nhs)
        {
            int upper = nh.NhUpperBound;
            if (upper == -1 || (net.Ipv4.SysctlFibMultipathUseNeigh && !FibGoodNh(nh)))
                continue;
            int score = saddr != 0 && Devinet.InetSelectAddr(nh.NhDev!, nh.NhGw, fi.FibScope) == saddr ? 2 : 0;
            if (hash <= upper)
                score++;
            if (best >= score)
                continue;
            res.Nhc = nh;
            best = score;
            if (score == 3 || (saddr == 0 && score == 1))
                return;
        }
    }

    /// <summary>Divides the hashes of all routes anew.</summary>
    internal static void FibRebalanceAll(NetnsIpv4 ipv4)
    {
        lock (ipv4.AddressLock)
        {
            foreach (FibInfo fi in ipv4.FibInfos.All)
                FibRebalance(fi);
        }
    }

    /// <summary>Divides the hashes among the next hops that work, by weight (<c>fib_rebalance</c>).</summary>
    [Linux("fib_rebalance")]
    private static void FibRebalance(FibInfo fi)
    {
        if (fi.Nhs.Length < 2)
            return;
        long total = 0;
        foreach (FibNh nh in fi.Nhs)
            total += Works(nh) ? nh.NhWeight : 0;
        long sum = 0;
        foreach (FibNh nh in fi.Nhs)
        {
            if (Works(nh))
            {
                sum += nh.NhWeight;
                nh.NhUpperBound = (int)(((sum << 31) + total / 2) / total - 1);
            }
            else
            {
                nh.NhUpperBound = -1;
            }
        }

        static bool Works(FibNh nh) =>
            (nh.NhFlags & RTNH_F_DEAD) == 0 && ((nh.NhFlags & RTNH_F_LINKDOWN) == 0 || !IpIgnoreLinkdown(nh.NhDev));
    }

    /// <summary>Whether the neighbour behind a next hop is not known to be silent (<c>fib_good_nh</c>).</summary>
    [Linux("fib_good_nh")]
    private static bool FibGoodNh(FibNh nh) =>
        nh.NhScope != RT_SCOPE_LINK || Arp.Ipv4NeighLookup(nh.NhDev!, nh.NhGw) is not { } neighbour
        || (neighbour.NudState & Nud.VALID) != 0;

    /// <summary>
    /// Of several default routes of the best metric, takes one whose gateway is not known to be dead, and stays with it
    /// (RFC 1122 section 3.3.1.5; <c>fib_select_default</c>).
    /// </summary>
    [Linux("fib_select_default")]
    private static void FibSelectDefault(NetNamespace net, in Flowi4 flp, ref FibResult res)
    {
        DefaultChoice choice = new();
        FibInfo? fi = null;
        FibAlias? first = null;
        uint lastPriority = res.Fi!.FibPriority;
        byte lastTos = 0;
        foreach (FibAlias fa in res.FaHead!)
        {
            FibInfo next = fa.Info;
            if (fa.Tos != 0 && !flp.MatchesTos(fa.Tos))
                continue;
            if (next.FibPriority > lastPriority && fa.Tos == lastTos)
            {
                if (lastTos != 0)
                    continue;
                break;
            }

            if (next.Dead)
                continue;
            lastTos = fa.Tos;
            lastPriority = next.FibPriority;
            if (next.FibScope != res.Scope || fa.Type != RTN_UNICAST || next.Nh.NhGw == 0 || next.Nh.NhScope != RT_SCOPE_LINK)
                continue;
            if (fi == null)
            {
                if (next != res.Fi)
                    break;
                first = fa;
            }
            else if (!choice.FibDetectDeath(fi, first!.Default))
            {
                Assign(ref res, fi);
                first.Default = choice.Order;
                return;
            }

            fi = next;
            choice.Order++;
        }

        if (first == null)
            return;
        if (choice.Order <= 0)
        {
            first.Default = -1;
        }
        else if (!choice.FibDetectDeath(fi!, first.Default))
        {
            Assign(ref res, fi!);
            first.Default = choice.Order;
        }
        else
        {
            if (choice.LastResort != null)
                Assign(ref res, choice.LastResort);
            first.Default = choice.LastIndex;
        }

        static void Assign(ref FibResult res, FibInfo fi)
        {
            res.Fi = fi;
            res.Nhc = fi.Nh;
        }
    }

    // Where the choice stands, and the gateway to fall back on.
    private struct DefaultChoice()
    {
        public int Order = -1;
        public int LastIndex = -1;
        public FibInfo? LastResort;

        [Linux("fib_detect_death")]
        public bool FibDetectDeath(FibInfo fi, int chosen)
        {
            FibNh nh = fi.Nh;
            if (Arp.Ipv4NeighLookup(nh.NhDev!, nh.NhGw) is not { } neighbour)
                return false;
            int state = neighbour.NudState;
            if (state == Nud.REACHABLE || ((state & Nud.VALID) != 0 && Order != chosen))
                return false;
            if ((state & Nud.VALID) != 0 || (LastIndex < 0 && Order > chosen && state != Nud.INCOMPLETE))
            {
                LastResort = fi;
                LastIndex = Order;
            }

            return true;
        }
    }
}
