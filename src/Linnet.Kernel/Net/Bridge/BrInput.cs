using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>Frames that come in by ports.</summary>
[LinuxFile("net/bridge/br_input.c")]
internal static class BrInput
{
    // 01:80:C2:00:00:0X stays on the link (IEEE 802.1D section 7.12.6).
    private static ReadOnlySpan<byte> LinkLocal => [0x01, 0x80, 0xC2, 0x00, 0x00];

    /// <summary>A frame came in by a port.</summary>
    [Linux("br_handle_frame")]
    public static RxHandlerResult BrHandleFrame(NetBridgePort p, SkBuff skb)
    {
        if (skb.PktType == PACKET_LOOPBACK)
            return RxHandlerResult.Pass;
        ReadOnlySpan<byte> mac = skb.MacHeaderSpan;
        if (!BrIf.IsValidEtherAddr(mac.Slice(ETH_ALEN, ETH_ALEN)))
            return Drop(skb);
        ReadOnlySpan<byte> dest = mac[..ETH_ALEN];
        skb.Cb<BrInputSkbCb>() = default;
        if (dest[..5].SequenceEqual(LinkLocal) && dest[5] < 16)
        {
            ushort mask = (ushort)(p.GroupFwdMask | (dest[5] is 0 or 1 ? 0 : p.Br.GroupFwdMask));
            // The spanning tree's frames are passed on by a bridge that does not speak it, so that others see loops.
            bool forward = (mask & (1 << dest[5])) != 0 || (dest[5] == 0 && !p.Br.StpEnabled);
            if (dest[5] == 1)
                return Drop(skb);
            if (!forward)
            {
                BrHandleLocalFinish(p, skb);
                return dest[5] == 0 && BrStpBpdu.BrStpRcv(p, skb) ? RxHandlerResult.Consumed : RxHandlerResult.Pass;
            }
        }

        if (p.State is not (BrState.Forwarding or BrState.Learning))
            return Drop(skb);
        if (dest.SequenceEqual(p.Br.Dev.DevAddr))
            skb.PktType = PACKET_HOST;
        BrHandleFrameFinish(p, skb);
        return RxHandlerResult.Consumed;
    }

    [Linux("br_handle_frame_finish")]
    private static void BrHandleFrameFinish(NetBridgePort p, SkBuff skb)
    {
        NetBridge br = p.Br;
        ReadOnlySpan<byte> mac = skb.MacHeaderSpan;
        ReadOnlySpan<byte> dest = mac[..ETH_ALEN];
        if (p.Has(BrPortFlags.Learning))
            br.Fdb.BrFdbUpdate(p, mac.Slice(ETH_ALEN, ETH_ALEN));
        if (p.State == BrState.Learning)
        {
            skb.Free();
            return;
        }

        bool localRcv = (br.Dev.Flags & IFF_PROMISC) != 0;
        skb.Cb<BrInputSkbCb>().SrcPortIsolated = p.Has(BrPortFlags.Isolated);
        BrPktType type = TypeOf(dest);
        if (type == BrPktType.Multicast)
            Interlocked.Increment(ref br.Dev.Stats.Multicast);
        localRcv |= type != BrPktType.Unicast;
        NetBridgeFdbEntry? dst = type == BrPktType.Unicast ? br.Fdb.BrFdbFindRcu(dest) : null;
        if (dst is { IsLocal: true })
        {
            BrPassFrameUp(br, skb);
            return;
        }

        if (dst != null)
            BrForward.Forward(dst.Dst, skb, localRcv);
        else
            BrForward.BrFlood(br, skb, type, localRcv);
        if (localRcv)
            BrPassFrameUp(br, skb);
    }

    /// <summary>What kind of destination an address is.</summary>
    public static BrPktType TypeOf(ReadOnlySpan<byte> dest) =>
        (dest[0] & 1) == 0 ? BrPktType.Unicast
        : dest.IndexOfAnyExcept((byte)0xff) < 0 ? BrPktType.Broadcast
        : BrPktType.Multicast;

    // The host gets the frame by the bridge's own device.
    [Linux("br_pass_frame_up")]
    private static void BrPassFrameUp(NetBridge br, SkBuff skb)
    {
        NetDevice brDev = br.Dev;
        Interlocked.Increment(ref brDev.Stats.RxPackets);
        Interlocked.Add(ref brDev.Stats.RxBytes, skb.Len);
        if (!brDev.IsUp)
        {
            skb.Free();
            return;
        }

        skb.Dev = brDev;
        Dev.NetifReceiveSkb(skb);
    }

    // A frame for the link only; the sender is known from it all the same.
    [Linux("__br_handle_local_finish")]
    private static void BrHandleLocalFinish(NetBridgePort p, SkBuff skb)
    {
        if (p.Has(BrPortFlags.Learning) && p.State is BrState.Forwarding or BrState.Learning)
            p.Br.Fdb.BrFdbUpdate(p, skb.MacHeaderSpan.Slice(ETH_ALEN, ETH_ALEN));
    }

    private static RxHandlerResult Drop(SkBuff skb)
    {
        skb.Free();
        return RxHandlerResult.Consumed;
    }
}
