using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Urgent data (RFC 9293 section 3.8.5), one byte of it, as BSD and Linux have it.</content>
public static partial class TcpInput
{
    /// <summary>Takes note of the urgent pointer, and keeps the urgent byte when it is in this segment.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The segment, with its data at the TCP header; it stays the caller's.</param>
    /// <param name="th">Its header.</param>
    [Linux("tcp_urg")]
    public static void TcpUrg(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        if (th.Urg)
            TcpCheckUrg(tp, th);
        if (tp.UrgData != TCP_URG_NOTYET)
            return;
        uint offset = tp.UrgSeq - th.Seq + (uint)th.HeaderLength - (th.Syn ? 1u : 0u);
        if (offset >= (uint)skb.Len)
            return;
        Span<byte> urgent = stackalloc byte[1];
        skb.CopyBits((int)offset, urgent);
        tp.UrgData = (ushort)(TCP_URG_VALID | urgent[0]);
        if (!tp.SockFlag(SockFlags.Dead))
            tp.SkDataReady(tp);
    }

    [Linux("tcp_check_urg")]
    private static void TcpCheckUrg(TcpSock tp, Tcphdr th)
    {
        // The pointer leads behind the byte, unless the user says that it leads to it (RFC 6093 section 3.1).
        uint offset = th.UrgPtr;
        if (offset != 0 && !tp.Ipv4.SysctlTcpStdurg)
            offset--;
        uint ptr = th.Seq + offset;
        bool known = TcpSeq.After(tp.CopiedSeq, ptr) || TcpSeq.Before(ptr, tp.RcvNxt)
            || tp.UrgData != 0 && !TcpSeq.After(ptr, tp.UrgSeq);
        if (known)
            return;
        tp.SkSendSigurg();
        SkipReadUrgentByte(tp);
        tp.UrgData = TCP_URG_NOTYET;
        tp.UrgSeq = ptr;
        tp.PredFlags = 0;
    }

    // The reader stands at an urgent byte that is superseded: it is passed over, as it will never be read in line.
    private static void SkipReadUrgentByte(TcpSock tp)
    {
        if (tp.UrgSeq != tp.CopiedSeq || tp.UrgData == 0 || tp.SockFlag(SockFlags.Urginline) || tp.CopiedSeq == tp.RcvNxt)
            return;
        tp.CopiedSeq++;
        if (tp.SkReceiveQueue.First is not { } skb || TcpSeq.Before(tp.CopiedSeq, skb.TcpCb.EndSeq))
            return;
        tp.SkReceiveQueue.Unlink(skb);
        skb.Free();
    }
}
