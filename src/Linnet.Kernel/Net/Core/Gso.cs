using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Cuts packets that stand for several segments into those segments, per network protocol (<c>struct packet_offload</c>).</summary>
/// <param name="type">Protocol, <c>ETH_P_*</c>.</param>
[LinuxStruct("packet_offload")]
public abstract class PacketOffload(ushort type)
{
    /// <summary>Protocol, <c>ETH_P_*</c>.</summary>
    public ushort Type { get; } = type;

    /// <summary>
    /// Cuts a packet whose data begins at the network header (<c>gso_segment</c>). The packet itself stays the caller's.
    /// </summary>
    /// <returns>The segments, linked by <see cref="SkBuff.Next"/>, or null when the packet cannot be cut.</returns>
    public abstract SkBuff? GsoSegment(SkBuff skb, NetdevFeatures features);
}

/// <summary>Segmentation in software, for devices that do not do it (generic segmentation offload).</summary>
[LinuxFile("net/core/gso.c")]
public static class Gso
{
    /// <summary>Cuts a packet with its link header in front into segments that have theirs.</summary>
    /// <returns>The segments, linked by <see cref="SkBuff.Next"/>, or null when nobody can cut it. The packet stays the caller's.</returns>
    [Linux("__skb_gso_segment")]
    public static SkBuff? SkbGsoSegment(SkBuff skb, NetdevFeatures features)
    {
        PacketOffload? offload = skb.Dev!.Net.Core.FindOffload(IfVlan.VlanGetProtocol(skb));
        if (offload == null)
            return null;
        int macLen = skb.NetworkHeader - skb.DataOffset;
        skb.Pull(macLen);
        SkBuff? segments = offload.GsoSegment(skb, features);
        skb.Push(macLen);
        return segments;
    }

    /// <summary>
    /// The bare cutting (<c>skb_segment</c>): each segment gets a copy of all headers from the link header on, and up to
    /// <see cref="SkBuff.GsoSize"/> bytes of payload that it shares with the packet. Header fields are the caller's to mend.
    /// </summary>
    /// <param name="skb">The packet, with its data at the payload.</param>
    /// <returns>The segments with their data at the link header, linked by <see cref="SkBuff.Next"/>.</returns>
    [Linux("skb_segment", "net/core/skbuff.c")]
    public static SkBuff SkbSegment(SkBuff skb)
    {
        int headerLength = skb.DataOffset - skb.MacHeader;
        ReadOnlySpan<byte> headers = skb.MacHeaderSpan[..headerLength];
        SkBuff? first = null;
        SkBuff? last = null;
        for (int offset = 0; offset < skb.Len || first == null; offset += skb.GsoSize)
        {
            SkBuff segment = Segment(skb, headers, offset, Math.Min(skb.GsoSize, skb.Len - offset));
            if (last == null)
                first = segment;
            else
                last.Next = segment;
            last = segment;
        }

        return first;
    }

    private static SkBuff Segment(SkBuff skb, ReadOnlySpan<byte> headers, int offset, int length)
    {
        int fromHead = Math.Clamp(skb.HeadLen - offset, 0, length);
        SkBuff segment = skb.Pool.Alloc(Headroom + headers.Length + fromHead);
        segment.Reserve(Headroom);
        skb.CopyMeta(segment);
        headers.CopyTo(segment.Put(headers.Length));
        segment.MacHeader = segment.DataOffset;
        segment.NetworkHeader = segment.DataOffset + skb.NetworkHeader - skb.MacHeader;
        segment.TransportHeader = segment.DataOffset + skb.TransportHeader - skb.MacHeader;
        skb.ShareRange(segment, offset, length);
        segment.GsoSize = segment.GsoSegs = 0;
        segment.GsoType = GsoType.None;
        segment.TxFlags = 0;
        segment.CsumStart = segment.TransportHeader;
        segment.Truesize = SkBuff.TruesizeOf(Headroom + headers.Length + length);
        return segment;
    }

    // Room in front for a link header that is longer than the one copied.
    private const int Headroom = 32;
}
