using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>How a route is written into a message.</content>
public static partial class FibSemantics
{
    private const uint LargestOldTable = 255;

    [Linux("fib_dump_info")]
    internal static int FibDumpInfo(
        NlmsgWriter skb, NetNamespace net, int msgType, NlInfo info, uint tbId, uint dst, int dstLen, byte tos, byte type,
        FibInfo fi, int flags, uint rtmFlags = 0)
    {
        (uint nhFlags, bool single) = (rtmFlags | fi.FibFlags, fi.Nhs.Length == 1);
        if (single)
            nhFlags |= FibNexthopFlags(fi.Nh);
        var rtm = new Rtmsg
        {
            RtmFamily = AF_INET,
            RtmDstLen = (byte)dstLen,
            RtmTos = tos,
            RtmTable = (byte)(tbId <= LargestOldTable ? tbId : RT_TABLE_COMPAT),
            RtmType = type,
            RtmFlags = nhFlags,
            RtmScope = fi.FibScope,
            RtmProtocol = fi.FibProtocol,
        };
        if (!skb.NlmsgPut(info.Portid, info.Seq, msgType, flags, in rtm))
            return -EMSGSIZE;
        skb.NlaPut(RTA_TABLE, tbId);
        if (dstLen != 0)
            skb.NlaPutBe32(RTA_DST, dst);
        if (fi.FibPriority != 0)
            skb.NlaPut(RTA_PRIORITY, fi.FibPriority);
        RtnetlinkPutMetrics(skb, net, fi.FibMetrics, 0);
        if (fi.FibPrefsrc != 0)
            skb.NlaPutBe32(RTA_PREFSRC, fi.FibPrefsrc);
        if (!single)
        {
            FibAddMultipath(skb, fi);
        }
        else
        {
            if (fi.Nh.NhGw != 0)
                skb.NlaPutBe32(RTA_GATEWAY, fi.Nh.NhGw);
            if (fi.Nh.NhDev != null)
                skb.NlaPut(RTA_OIF, fi.Nh.NhDev.Ifindex);
        }

        return skb.NlmsgEnd();
    }

    /// <summary>Writes the metrics of a route, where it has any.</summary>
    /// <param name="skb">The message.</param>
    /// <param name="net">The namespace.</param>
    /// <param name="metrics">They.</param>
    /// <param name="pmtu">An MTU that was learned of the path; 0 for none.</param>
    [Linux("rtnetlink_put_metrics", "net/core/rtnetlink.c")]
    internal static void RtnetlinkPutMetrics(NlmsgWriter skb, NetNamespace net, RouteMetrics metrics, uint pmtu)
    {
        int mx = skb.NlaNestStartNoflag(RTA_METRICS);
        for (int metric = 1; metric <= RTAX_MAX; metric++)
        {
            uint value = metric == RTAX_MTU && pmtu != 0 ? pmtu : metrics[metric];
            if (value == 0)
                continue;
            if (metric == RTAX_CC_ALGO)
            {
                if (TcpCong.TcpCaGetNameByKey(net.Machine, value) is { } name)
                    skb.NlaPutString(metric, name);
                continue;
            }

            skb.NlaPut(metric, metric == RTAX_FEATURES ? value & RTAX_FEATURE_MASK : value);
        }

        skb.NlaNestEndUnlessEmpty(mx);
    }

    [Linux("fib_add_multipath")]
    private static void FibAddMultipath(NlmsgWriter skb, FibInfo fi)
    {
        int mp = skb.NlaNestStartNoflag(RTA_MULTIPATH);
        foreach (FibNh nh in fi.Nhs)
        {
            var rtnh = new Rtnexthop
            {
                RtnhFlags = (byte)FibNexthopFlags(nh),
                RtnhHops = (byte)(nh.NhWeight - 1),
                RtnhIfindex = nh.NhDev?.Ifindex ?? 0,
            };
            int at = skb.Append(MemoryMarshal.AsBytes(new ReadOnlySpan<Rtnexthop>(in rtnh)));
            if (nh.NhGw != 0)
                skb.NlaPutBe32(RTA_GATEWAY, nh.NhGw);
            // A message that has no room left is taken back as a whole.
            if (skb.Length > at)
                MemoryMarshal.Write(skb.At(at), (ushort)(skb.Length - at));
        }

        skb.NlaNestEnd(mp);
    }

    // What a user sees of a next hop's flags (fib_nexthop_info).
    private static uint FibNexthopFlags(FibNh nh)
    {
        uint flags = nh.NhFlags & (RTNH_F_ONLINK | RTNH_F_DEAD | RTNH_F_LINKDOWN);
        bool ignored = (flags & RTNH_F_LINKDOWN) != 0 && nh.NhDev != null
            && InDevice.Get(nh.NhDev)?.OrConf(Ipv4Devconf.IgnoreRoutesWithLinkdown) == true;
        return ignored ? flags | RTNH_F_DEAD : flags;
    }
}
