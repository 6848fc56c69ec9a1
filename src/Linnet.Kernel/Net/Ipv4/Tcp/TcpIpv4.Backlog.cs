using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Segments that find their socket owned wait, joined to each other where that changes nothing.</content>
public static partial class TcpIpv4
{
    private const int EcnFlags = TCPHDR_ECE | TCPHDR_CWR;

    /// <summary>Leaves a segment for the owner of the socket.</summary>
    /// <returns>False when too much waits there already.</returns>
    [Linux("tcp_add_backlog")]
    private static bool TcpAddBacklog(TcpSock tp, SkBuff skb)
    {
        skb.Dst = null;

        // Even above the limit: what is joined costs little more.
        if (tp.BacklogTail is { } tail && CoalesceBacklog(tp, tail, skb))
            return true;

        // Only the owner can make room, so there is a little more than the receive buffer allows.
        long limit = ((long)tp.SkRcvbuf << 1) + (tp.SkSndbuf >> 1) + 64 * 1024;
        if (tp.SkAddBacklog(skb, (int)Math.Min(limit, int.MaxValue)) == 0)
            return true;
        tp.NetIncStats(LinuxMib.TCPBacklogDrop);
        return false;
    }

    // Takes over the packet when it could be joined.
    private static bool CoalesceBacklog(TcpSock tp, SkBuff tail, SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        Tcphdr thTail = tail.Tcphdr;
        if (!MayCoalesce(tail, skb) || !th.Options.SequenceEqual(thTail.Options))
            return false;
        int headerLength = th.HeaderLength;
        ushort window = th.Window;
        bool fin = th.Fin;
        skb.Pull(headerLength);
        int mss = Math.Max(
            skb.GsoSize != 0 ? skb.GsoSize : skb.Len, tail.GsoSize != 0 ? tail.GsoSize : tail.Len - headerLength);
        int segs = Math.Min(Math.Max(1, skb.GsoSegs) + Math.Max(1, tail.GsoSegs), ushort.MaxValue);
        if (!tail.TryCoalesce(skb, out int delta))
        {
            skb.Push(headerLength);
            return false;
        }

        ref TcpSkbCb cb = ref skb.TcpCb;
        ref TcpSkbCb cbTail = ref tail.TcpCb;
        cbTail.EndSeq = cb.EndSeq;
        if (!TcpSeq.Before(cb.AckSeq, cbTail.AckSeq))
        {
            cbTail.AckSeq = cb.AckSeq;
            thTail.Window = window;
        }

        // In the header too, so that a FIN is not taken for predicted data.
        if (fin)
            thTail.Flags |= TCPHDR_FIN;
        cbTail.TcpFlags |= cb.TcpFlags;
        if (cb.HasRxtstamp)
        {
            cbTail.HasRxtstamp = true;
            tail.Tstamp = skb.Tstamp;
        }

        tail.GsoSize = mss;
        tail.GsoSegs = segs;
        tail.Truesize += delta;
        tp.BacklogTailGrew(delta);
        tp.NetIncStats(LinuxMib.TCPBacklogCoalesce);
        skb.Free();
        return true;
    }

    private static bool MayCoalesce(SkBuff tail, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        ref TcpSkbCb cbTail = ref tail.TcpCb;
        int either = cbTail.TcpFlags | cb.TcpFlags;
        return cbTail.EndSeq == cb.Seq && cbTail.IpDsfield == cb.IpDsfield
            && (either & (TCPHDR_SYN | TCPHDR_RST | TCPHDR_URG)) == 0
            && (cbTail.TcpFlags & cb.TcpFlags & TCPHDR_ACK) != 0
            && ((cbTail.TcpFlags ^ cb.TcpFlags) & EcnFlags) == 0
            && !tail.IsCloned && !skb.IsCloned;
    }
}
