using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Making room in the receive buffer without throwing anything away: small packets, of which most is overhead, are copied
/// together.
/// </content>
public static partial class TcpInput
{
    // What a packet of one page holds (SKB_MAX_ORDER(0, 0)).
    private const int CollapsedSize = 4096 - SkBuff.TruesizeOverhead;

    /// <summary>Copies the data of a queue from <paramref name="start"/> to <paramref name="end"/> into packets of a page.</summary>
    [Linux("tcp_collapse")]
    private static void TcpCollapse(TcpSock tp, ref SkBuffHead list, uint start, uint end)
    {
        SkBuff? skb = FindCollapsible(tp, ref list, ref start);
        while (skb != null && TcpSeq.Before(start, end))
        {
            int room = (int)Math.Min(CollapsedSize, end - start);
            SkBuff made = tp.SkNet.SkbPool.Alloc(room);
            made.IpSummed = ChecksumState.Unnecessary;
            made.Tstamp = skb.Tstamp;
            made.TcpCb = skb.TcpCb;
            made.TcpCb.Seq = made.TcpCb.EndSeq = start;
            list.QueueBefore(skb, made);
            tp.SkbSetOwnerR(made);
            skb = CopyInto(tp, ref list, made, skb, room, ref start);
        }
    }

    // Fills a packet from those that follow it, which are freed as they are used up. Returns where to go on, or null at the
    // first packet that cannot be collapsed.
    private static SkBuff? CopyInto(TcpSock tp, ref SkBuffHead list, SkBuff made, SkBuff skb, int room, ref uint start)
    {
        while (room > 0)
        {
            ref TcpSkbCb cb = ref skb.TcpCb;
            int size = Math.Min(room, (int)(cb.EndSeq - start));
            if (size > 0)
            {
                skb.CopyBits((int)(start - cb.Seq), made.Put(size));
                made.TcpCb.EndSeq += (uint)size;
                room -= size;
                start += (uint)size;
            }

            if (TcpSeq.Before(start, cb.EndSeq))
                continue;
            if (TcpCollapseOne(tp, ref list, skb) is not { } next || !IsCollapsible(next))
                return null;
            skb = next;
        }

        return skb;
    }

    // The first packet from which on copying saves memory; what holds nothing new is freed on the way.
    private static SkBuff? FindCollapsible(TcpSock tp, ref SkBuffHead list, ref uint start)
    {
        for (SkBuff? skb = list.First; skb != null;)
        {
            ref TcpSkbCb cb = ref skb.TcpCb;
            if (!TcpSeq.Before(start, cb.EndSeq))
            {
                skb = TcpCollapseOne(tp, ref list, skb);
                continue;
            }

            bool wasteful = tp.TcpWinFromSpace(skb.Truesize) > skb.Len || TcpSeq.Before(cb.Seq, start);
            bool overlaps = skb.Next is { } next && cb.EndSeq != next.TcpCb.Seq;
            if (IsCollapsible(skb) && wasteful || overlaps)
                return IsCollapsible(skb) ? skb : null;
            start = cb.EndSeq;
            skb = skb.Next;
        }

        return null;
    }

    private static bool IsCollapsible(SkBuff skb) => (skb.TcpCb.TcpFlags & (TCPHDR_SYN | TCPHDR_FIN)) == 0;

    [Linux("tcp_collapse_one")]
    private static SkBuff? TcpCollapseOne(TcpSock tp, ref SkBuffHead list, SkBuff skb)
    {
        SkBuff? next = skb.Next;
        list.Unlink(skb);
        skb.Free();
        tp.NetIncStats(LinuxMib.TCPRcvCollapsed);
        return next;
    }

    /// <summary>Does so with each contiguous range of what waits out of order; a few bytes by themselves are left as they are.</summary>
    [Linux("tcp_collapse_ofo_queue")]
    private static void TcpCollapseOfoQueue(TcpSock tp)
    {
        int left = tp.OutOfOrderQueue.Count;
        int sumTiny = 0;
        while (left > 0)
        {
            // The queue is turned once: ranges go from its head, collapsed, to its end.
            SkBuffHead range = default;
            TakeRange(tp, ref range, ref left, out uint start, out uint end, out int truesize);
            if (range.Qlen > 1 || end - start >= CollapsedSize)
                TcpCollapse(tp, ref range, start, end);
            else
                sumTiny += truesize;
            while (range.Dequeue() is { } skb)
                tp.OutOfOrderQueue.Append(skb);
            if (sumTiny <= tp.SkRcvbuf >> 3)
                continue;

            // Too many of them: what is left turns as it is.
            for (; left > 0; left--)
            {
                SkBuff skb = tp.OutOfOrderQueue.First!;
                tp.OutOfOrderQueue.RemoveAt(0);
                tp.OutOfOrderQueue.Append(skb);
            }
        }
    }

    private static void TakeRange(
        TcpSock tp, ref SkBuffHead range, ref int left, out uint start, out uint end, out int truesize)
    {
        SkBuff first = tp.OutOfOrderQueue.First!;
        start = first.TcpCb.Seq;
        end = start;
        truesize = 0;
        while (left > 0 && tp.OutOfOrderQueue.First is { } skb && !TcpSeq.After(skb.TcpCb.Seq, end))
        {
            tp.OutOfOrderQueue.RemoveAt(0);
            left--;
            truesize += skb.Truesize;
            if (TcpSeq.After(skb.TcpCb.EndSeq, end))
                end = skb.TcpCb.EndSeq;
            range.QueueTail(skb);
        }
    }
}
