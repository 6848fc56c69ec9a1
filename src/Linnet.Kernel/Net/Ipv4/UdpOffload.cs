using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Cuts packets that stand for several datagrams of equal size (<c>UDP_SEGMENT</c>).</summary>
[LinuxFile("net/ipv4/udp_offload.c")]
public sealed class UdpOffload : NetOffload
{
    /// <summary>The one cutter.</summary>
    public static readonly UdpOffload Instance = new();

    private UdpOffload()
    {
    }

    /// <inheritdoc/>
    [Linux("udp4_ufo_fragment")]
    public override SkBuff? GsoSegment(SkBuff skb, NetdevFeatures features)
    {
        if ((skb.GsoType & GsoType.UdpL4) == 0 || !skb.PskbMayPull(Udphdr.Size))
            return null;
        return UdpGsoSegmentCore(skb);
    }

    /// <summary>
    /// Cuts a packet that came in, for a socket that did not ask for whole ones (<c>udp_rcv_segment</c>).
    /// </summary>
    /// <param name="skb">The packet, with its data at the UDP header; it stays the caller's.</param>
    /// <returns>Datagrams with their data at the UDP header, linked by <see cref="SkBuff.Next"/>.</returns>
    internal static SkBuff? Cut(SkBuff skb)
    {
        if ((skb.GsoType & GsoType.UdpL4) == 0 || !skb.PskbMayPull(Udphdr.Size))
            return null;
        if (skb.MacHeader == SkBuff.NoHeader)
            skb.MacHeader = skb.NetworkHeader;
        SkBuff first = UdpGsoSegmentCore(skb);
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            segment.Pull(segment.TransportHeader - segment.DataOffset);
            segment.IpSummed = ChecksumState.Unnecessary;
        }

        return first;
    }

    // Each segment is a datagram of its own: length and pseudo header differ for the last one.
    [Linux("__udp_gso_segment")]
    private static SkBuff UdpGsoSegmentCore(SkBuff skb)
    {
        skb.Pull(Udphdr.Size);
        SkBuff first = Gso.SkbSegment(skb);
        skb.Push(Udphdr.Size);
        first.TxFlags = skb.TxFlags;
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            int length = segment.Len - (segment.TransportHeader - segment.DataOffset);
            Iphdr iph = segment.IpHdr;
            Udphdr uh = segment.UdpHdr;
            uh.Len = (ushort)length;
            uh.Check = (ushort)~Checksum.CsumTcpudpMagic(iph.Saddr, iph.Daddr, length, IPPROTO_UDP, 0);
            segment.IpSummed = ChecksumState.Partial;
            segment.CsumStart = segment.TransportHeader;
            segment.CsumOffset = 6;
        }

        return first;
    }
}
