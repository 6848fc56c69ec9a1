using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Cuts large packets of one transport protocol (<c>struct net_offload</c>).</summary>
[LinuxStruct("net_offload")]
public abstract class NetOffload
{
    /// <summary>
    /// Cuts a packet whose data begins at the transport header (<c>gso_segment</c>). The packet stays the caller's.
    /// </summary>
    /// <returns>Segments with their data at the link header, linked by <see cref="SkBuff.Next"/>, or null.</returns>
    public abstract SkBuff? GsoSegment(SkBuff skb, NetdevFeatures features);
}

/// <summary>Segmentation of IPv4 packets in software.</summary>
[LinuxFile("net/ipv4/af_inet.c")]
public sealed class InetOffload : PacketOffload
{
    private readonly NetOffload?[] offloads = new NetOffload?[256];

    /// <summary>Makes the table; register it with <see cref="NetCore.DevAddOffload"/>.</summary>
    public InetOffload()
        : base(ETH_P_IP)
    {
    }

    /// <summary>Registers the cutter of a transport protocol (<c>inet_add_offload</c>).</summary>
    /// <returns>0, or -1 when the protocol has one already.</returns>
    [Linux("inet_add_offload", "net/ipv4/protocol.c")]
    public int InetAddOffload(int protocol, NetOffload offload) =>
        Interlocked.CompareExchange(ref offloads[protocol], offload, null) == null ? 0 : -1;

    /// <inheritdoc/>
    [Linux("inet_gso_segment")]
    public override SkBuff? GsoSegment(SkBuff skb, NetdevFeatures features)
    {
        Iphdr header = skb.IpHdr;
        int headerLength = header.HeaderLength;
        if (offloads[header.Protocol] is not { } offload || headerLength < Iphdr.Size || !skb.PskbMayPull(headerLength))
            return null;
        skb.Pull(headerLength);
        skb.ResetTransportHeader();
        SkBuff? first = offload.GsoSegment(skb, features);
        skb.Push(headerLength);

        // The segments are datagrams of their own: each gets its length, and an identification that counts on.
        ushort id = header.Id;
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            Iphdr segmentHeader = segment.IpHdr;
            segmentHeader.TotLen = (ushort)(segment.Len - (segment.NetworkHeader - segment.MacHeader));
            segmentHeader.Id = id++;
            segmentHeader.SendCheck();
        }

        return first;
    }
}
