using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Segmentation of large TCP packets in software, for devices that do not segment.</summary>
[LinuxFile("net/ipv4/tcp_offload.c")]
public sealed class TcpOffload : NetOffload
{
    /// <summary>The cutter for IPv4.</summary>
    public static readonly TcpOffload Instance = new();

    private const int CheckOffset = 16;

    private TcpOffload()
    {
    }

    /// <inheritdoc/>
    [Linux("tcp_gso_segment")]
    public override SkBuff? GsoSegment(SkBuff skb, NetdevFeatures features)
    {
        if (!skb.PskbMayPull(Tcphdr.Size))
            return null;
        int headerLength = skb.Tcphdr.HeaderLength;
        if (headerLength < Tcphdr.Size || !skb.PskbMayPull(headerLength) || skb.Len - headerLength <= skb.GsoSize)
            return null;
        skb.Pull(headerLength);
        SkBuff first = Gso.SkbSegment(skb);
        skb.Push(headerLength);
        uint seq = first.Tcphdr.Seq;
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
            seq = MendHeader(segment, seq, segment == first, segment.Next == null);
        if ((skb.TxFlags & TxTimestamp.SKBTX_ANY_TSTAMP) != 0)
            TcpGsoTstamp(first, skb);
        TcpOutput.ShareOwner(skb, first);
        return first;
    }

    // The stamp is of the last byte that it was asked for, and goes with the segment that has it.
    [Linux("tcp_gso_tstamp")]
    private static void TcpGsoTstamp(SkBuff first, SkBuff gsoSkb)
    {
        uint end = first.Tcphdr.Seq;
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            end += (uint)gsoSkb.GsoSize;
            if (!TcpSeq.Before(gsoSkb.Tskey, end))
                continue;
            segment.TxFlags |= (byte)(gsoSkb.TxFlags & TxTimestamp.SKBTX_ANY_TSTAMP);
            segment.Tskey = gsoSkb.Tskey;
            return;
        }
    }

    // FIN and PSH belong to the last segment, CWR to the first (RFC 3168 6.1.2).
    private static uint MendHeader(SkBuff segment, uint seq, bool isFirst, bool isLast)
    {
        Tcphdr th = segment.Tcphdr;
        int flags = th.Flags;
        if (!isLast)
            flags &= ~(TCPHDR_FIN | TCPHDR_PSH);
        if (!isFirst)
            flags &= ~TCPHDR_CWR;
        th.Flags = flags;
        th.Seq = seq;
        int length = segment.Len - (segment.TransportHeader - segment.DataOffset);
        Iphdr iph = segment.IpHdr;
        th.Check = (ushort)~Checksum.CsumTcpudpMagic(iph.Saddr, iph.Daddr, length, IPPROTO_TCP, 0);
        segment.IpSummed = ChecksumState.Partial;
        segment.CsumStart = segment.TransportHeader;
        segment.CsumOffset = CheckOffset;
        return seq + (uint)(length - th.HeaderLength);
    }
}
