using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content><c>RTM_GETROUTE</c> for one destination.</content>
public static partial class Route
{
    private const uint InvalidUid = uint.MaxValue;

    internal static int InetRtmGetrouteMsg(NetlinkRequest request)
    {
        int err = InetRtmValidGetrouteReq(request, out NlAttributes tb);
        if (err < 0)
            return err;
        Rtmsg rtm = MemoryMarshal.Read<Rtmsg>(request.Payload);
        NetNamespace net = request.Net;
        int iif = tb.Get<int>(RTA_IIF);
        NetDevice? device = iif == 0 ? null : net.Devices.DevGetByIndex(iif);
        if (iif != 0 && device == null)
            return -ENODEV;
        uint dst = tb.GetBe32(RTA_DST), src = tb.GetBe32(RTA_SRC);
        Flowi4 fl4 = new()
        {
            Daddr = dst,
            Saddr = src,
            Flowi4Tos = (byte)(rtm.RtmTos & Flowi4.INET_DSCP_MASK),
            Flowi4Oif = tb.Get<int>(RTA_OIF),
            Flowi4Mark = tb.Get<uint>(RTA_MARK),
            Flowi4Uid = tb.Has(RTA_UID) ? tb.Get<uint>(RTA_UID) : iif != 0 ? InvalidUid : TaskStruct.Current.Cred.Uid,
            Flowi4Proto = tb.Has(RTA_IP_PROTO) ? tb.Get<byte>(RTA_IP_PROTO) : (byte)IPPROTO_UDP,
            FlSport = BinaryPrimitives.ReverseEndianness(tb.Get<ushort>(RTA_SPORT)),
            FlDport = BinaryPrimitives.ReverseEndianness(tb.Get<ushort>(RTA_DPORT)),
        };
        err = InetRtmGetroute(net, ref fl4, device, out Rtable? rt, out FibResult res, out uint flags);
        if (err < 0)
            return err;
        uint table = (rtm.RtmFlags & RTM_F_LOOKUP_TABLE) != 0 ? res.Table?.Id ?? 0 : RT_TABLE_MAIN;
        NlmsgWriter answer = new();
        if ((rtm.RtmFlags & RTM_F_FIB_MATCH) == 0)
        {
            bool told = (rtm.RtmFlags & RTM_F_NOTIFY) != 0;
            err = RtFillInfo(answer, net, dst, src, rt!, table, in fl4, device, res.Tos, told ? flags | RTM_F_NOTIFY : flags, NlInfo.Of(request));
        }
        else if (res.Fi == null)
        {
            return iif != 0 ? -EHOSTUNREACH : -ENETUNREACH;
        }
        else
        {
            err = FibSemantics.FibDumpInfo(
                answer, net, RTM_NEWROUTE, NlInfo.Of(request), table, res.Prefix, res.Prefixlen, res.Tos, rt!.RtType, res.Fi, 0);
        }

        Bug.On(err < 0);
        return AfNetlink.NlmsgUnicast(request.KernelSk, answer, request.Portid);
    }

    [Linux("inet_rtm_valid_getroute_req")]
    private static int InetRtmValidGetrouteReq(NetlinkRequest request, out NlAttributes tb)
    {
        bool strict = request.Sk.Has(NetlinkFlags.StrictChk);
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Rtmsg>(), FibFrontend.RtmIpv4Policy, strict, out tb);
        if (err < 0 || !strict)
            return err;
        Rtmsg rtm = MemoryMarshal.Read<Rtmsg>(request.Payload);
        if (rtm.RtmSrcLen is not (0 or 32) || rtm.RtmDstLen is not (0 or 32) || rtm.RtmTable != 0 || rtm.RtmProtocol != 0
            || rtm.RtmScope != 0 || rtm.RtmType != 0)
            return request.Extack.Error(-EINVAL, "ipv4: Invalid values in header for route get request");
        if ((rtm.RtmFlags & ~(uint)(RTM_F_NOTIFY | RTM_F_LOOKUP_TABLE | RTM_F_FIB_MATCH)) != 0)
            return request.Extack.Error(-EINVAL, "ipv4: Unsupported rtm_flags for route get request");
        if ((tb.Has(RTA_SRC) && rtm.RtmSrcLen == 0) || (tb.Has(RTA_DST) && rtm.RtmDstLen == 0))
            return request.Extack.Error(-EINVAL, "ipv4: rtm_src_len and rtm_dst_len must be 32 for IPv4");
        ReadOnlySpan<int> known = [RTA_IIF, RTA_OIF, RTA_SRC, RTA_DST, RTA_IP_PROTO, RTA_SPORT, RTA_DPORT, RTA_MARK, RTA_UID];
        for (int type = 1; type <= RTA_MAX; type++)
        {
            if (tb.Has(type) && !known.Contains(type))
                return request.Extack.Error(-EINVAL, "ipv4: Unsupported attribute in route get request");
        }

        return 0;
    }

    [Linux("rt_fill_info")]
    private static int RtFillInfo(
        NlmsgWriter skb, NetNamespace net, uint dst, uint src, Rtable rt, uint table, in Flowi4 fl4, NetDevice? iif, byte tos, uint flags, NlInfo info)
    {
        var rtm = new Rtmsg
        {
            RtmFamily = AF_INET,
            RtmDstLen = 32,
            RtmSrcLen = (byte)(src != 0 ? 32 : 0),
            RtmTos = tos,
            RtmTable = (byte)(table < 256 ? table : RT_TABLE_COMPAT),
            RtmType = rt.RtType,
            RtmScope = RT_SCOPE_UNIVERSE,
            RtmProtocol = RTPROT_UNSPEC,
            RtmFlags = flags & ~0xFFFFu | RTM_F_CLONED | flags & RTM_F_NOTIFY,
        };
        skb.NlmsgPut(info.Portid, info.Seq, RTM_NEWROUTE, 0, in rtm);
        skb.NlaPut(RTA_TABLE, table);
        // A destination that was not said is this host.
        skb.NlaPutBe32(RTA_DST, dst);
        if (src != 0)
            skb.NlaPutBe32(RTA_SRC, src);
        skb.NlaPut(RTA_OIF, rt.Dev.Ifindex);
        if (!rt.RtIsInput && fl4.Saddr != src)
            skb.NlaPutBe32(RTA_PREFSRC, fl4.Saddr);
        if (rt.RtUsesGateway)
            skb.NlaPutBe32(RTA_GATEWAY, rt.RtGw4);
        FibSemantics.RtnetlinkPutMetrics(skb, net, rt.Metrics, (uint)rt.RtPmtu);
        if (fl4.Flowi4Mark != 0)
            skb.NlaPut(RTA_MARK, fl4.Flowi4Mark);
        if (fl4.Flowi4Uid != InvalidUid)
            skb.NlaPut(RTA_UID, fl4.Flowi4Uid);
        if (iif != null)
            skb.NlaPut(RTA_IIF, iif.Ifindex);
        skb.NlaPut(RTA_CACHEINFO, new RtaCacheinfo { RtaExpires = (int)Rtnetlink.ClockT(rt.PmtuLeft), RtaError = (uint)-rt.Error });
        return skb.NlmsgEnd();
    }
}
