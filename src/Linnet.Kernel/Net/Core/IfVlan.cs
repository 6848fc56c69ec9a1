using System.Buffers.Binary;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// VLAN tags of packets (IEEE 802.1Q): where a device does not put them into the frame, they are carried beside it, in
/// <see cref="SkBuff.VlanProto"/> and <see cref="SkBuff.VlanTci"/>.
/// </summary>
[LinuxFile("include/linux/if_vlan.h")]
public static class IfVlan
{
    /// <summary>Bytes of a tag.</summary>
    public const int VLAN_HLEN = 4;

    /// <summary>The bits of the tag that say which VLAN it is.</summary>
    public const ushort VLAN_VID_MASK = 0x0fff;

    /// <summary>Where the three bits of the priority begin.</summary>
    public const int VLAN_PRIO_SHIFT = 13;

    /// <summary>How many VLAN numbers there are.</summary>
    public const int VLAN_N_VID = 4096;

    private const int TypeOffset = 2 * ETH_ALEN;

    /// <summary>Whether a protocol number is that of a tag (<c>eth_type_vlan</c>).</summary>
    public static bool EthTypeVlan(ushort protocol) => protocol is ETH_P_8021Q or ETH_P_8021AD;

    /// <summary>Puts a tag beside the frame (<c>__vlan_hwaccel_put_tag</c>).</summary>
    public static void VlanHwaccelPutTag(SkBuff skb, ushort protocol, ushort tci)
    {
        skb.VlanProto = protocol;
        skb.VlanTci = tci;
    }

    /// <summary>Takes the tag away (<c>__vlan_hwaccel_clear_tag</c>).</summary>
    public static void VlanHwaccelClearTag(SkBuff skb)
    {
        skb.VlanProto = 0;
        skb.VlanTci = 0;
    }

    /// <summary>Puts the tag from beside the frame into it; the data begins at the link header.</summary>
    [Linux("__vlan_hwaccel_push_inside")]
    public static void VlanHwaccelPushInside(SkBuff skb)
    {
        VlanInsertTag(skb, skb.VlanProto, skb.VlanTci);
        skb.Protocol = skb.VlanProto;
        VlanHwaccelClearTag(skb);
    }

    /// <summary>Puts a tag behind the addresses of a frame; the data begins at the link header.</summary>
    [Linux("vlan_insert_tag")]
    public static void VlanInsertTag(SkBuff skb, ushort protocol, ushort tci)
    {
        skb.EnsureWritableHead(VLAN_HLEN);
        Span<byte> frame = skb.Push(VLAN_HLEN);
        frame = skb.Data;
        frame.Slice(VLAN_HLEN, TypeOffset).CopyTo(frame);
        BinaryPrimitives.WriteUInt16BigEndian(frame[TypeOffset..], protocol);
        BinaryPrimitives.WriteUInt16BigEndian(frame[(TypeOffset + 2)..], tci);
        skb.ResetMacHeader();
    }

    /// <summary>Takes the outermost tag out of a frame that came in, whose data begins behind the tag's protocol number.</summary>
    /// <returns>False when the frame is too short; it is the caller's to free.</returns>
    [Linux("skb_vlan_untag", "net/core/skbuff.c")]
    public static bool SkbVlanUntag(SkBuff skb)
    {
        if (skb.VlanTagPresent)
            return true;
        if (!skb.PskbMayPull(VLAN_HLEN + sizeof(ushort)))
            return false;
        skb.EnsureWritableHead(0);
        ReadOnlySpan<byte> tag = skb.Data;
        VlanHwaccelPutTag(skb, skb.Protocol, BinaryPrimitives.ReadUInt16BigEndian(tag));
        ushort inner = BinaryPrimitives.ReadUInt16BigEndian(tag[2..]);
        // The addresses move up to what follows the tag (skb_reorder_vlan_header).
        Span<byte> frame = skb.MacHeaderSpan;
        frame[..TypeOffset].CopyTo(frame[VLAN_HLEN..]);
        skb.MacHeader += VLAN_HLEN;
        skb.Pull(VLAN_HLEN);
        if (skb.IpSummed == ChecksumState.Complete)
            skb.IpSummed = ChecksumState.None;
        // Smaller numbers are lengths of IEEE 802.3 frames.
        skb.Protocol = inner >= ETH_P_802_3_MIN ? inner : (ushort)ETH_P_802_2;
        skb.ResetNetworkHeader();
        skb.TransportHeader = skb.NetworkHeader;
        return true;
    }

    /// <summary>What is behind the tags that a frame has in it (<c>vlan_get_protocol</c>).</summary>
    public static ushort VlanGetProtocol(SkBuff skb)
    {
        ushort protocol = skb.Protocol;
        ReadOnlySpan<byte> frame = skb.MacHeader == SkBuff.NoHeader ? default : skb.MacHeaderSpan;
        for (int at = ETH_HLEN + 2; EthTypeVlan(protocol) && at + 2 <= frame.Length; at += VLAN_HLEN)
            protocol = BinaryPrimitives.ReadUInt16BigEndian(frame[at..]);
        return protocol;
    }

    extension(SkBuff skb)
    {
        /// <summary>Whether there is a tag beside the frame (<c>skb_vlan_tag_present</c>).</summary>
        public bool VlanTagPresent => skb.VlanProto != 0;

        /// <summary>The VLAN of the tag beside the frame (<c>skb_vlan_tag_get_id</c>).</summary>
        public ushort VlanTagId => (ushort)(skb.VlanTci & VLAN_VID_MASK);
    }
}

/// <summary>Finds the VLAN device that a tagged frame is for (<c>vlan_info</c>); a device with VLANs has one.</summary>
public abstract class VlanReceiver
{
    /// <summary>Gives a frame with a tag beside it to its VLAN device (<c>vlan_do_receive</c>).</summary>
    /// <param name="skb">The frame; its device is the VLAN's afterwards. Freed when null.</param>
    /// <returns>Whether there was such a device.</returns>
    public abstract bool DoReceive(ref SkBuff? skb);
}

/// <summary>What became of a frame that a device's handler saw (<c>rx_handler_result_t</c>).</summary>
public enum RxHandlerResult
{
    /// <summary>It was taken over.</summary>
    Consumed,

    /// <summary>It is another device's now, which sees it from the beginning.</summary>
    Another,

    /// <summary>It goes on as if there were no handler.</summary>
    Pass,
}

/// <summary>Sees the frames of a device before its protocols do (<c>rx_handler_func_t</c>), as a bridge does.</summary>
public abstract class RxHandler
{
    /// <summary>A frame came in, with its data behind the link header.</summary>
    public abstract RxHandlerResult Handle(SkBuff skb);
}
