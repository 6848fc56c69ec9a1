using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Payload that came before what precedes it, and the SACK blocks that tell the sender (RFC 2018, RFC 2883).</content>
public static partial class TcpInput
{
    // Blocks that fit beside what else an ACK carries.
    private const int TCP_SACK_BLOCKS_EXPECTED = 2;

    [Linux("tcp_data_queue_ofo")]
    private static void TcpDataQueueOfo(TcpSock tp, SkBuff skb)
    {
        TcpDataEcnCheck(tp, skb);
        if (!TcpTryRmemSchedule(tp, skb, skb.Truesize))
        {
            tp.NetIncStats(LinuxMib.TCPOFODrop);
            tp.SkDataReady(tp);
            skb.Free();
            return;
        }

        TcpMeasureRcvMss(tp, skb);
        tp.PredFlags = 0;
        tp.InetCskScheduleAck();
        tp.RcvOooPack += (uint)Math.Max(1, skb.GsoSegs);
        tp.NetIncStats(LinuxMib.TCPOFOQueue);
        uint seq = skb.TcpCb.Seq;
        uint endSeq = skb.TcpCb.EndSeq;
        InsertOfo(tp, skb, seq, endSeq);
        if (tp.TcpIsSack)
            TcpSackNewOfoSkb(tp, seq, endSeq);
    }

    // Packets are kept by where they begin; one that lies wholly inside of another is dropped.
    private static void InsertOfo(TcpSock tp, SkBuff skb, uint seq, uint endSeq)
    {
        ref SkbSeqQueue queue = ref tp.OutOfOrderQueue;
        int at = queue.LowerBound(seq);
        if (at < queue.Count && queue[at].TcpCb.Seq == seq)
        {
            SkBuff same = queue[at];
            if (!TcpSeq.After(endSeq, same.TcpCb.EndSeq))
            {
                DropCovered(tp, skb, seq, endSeq);
                return;
            }

            TcpDsackExtend(tp, same.TcpCb.Seq, same.TcpCb.EndSeq);
            tp.NetIncStats(LinuxMib.TCPOFOMerge);
            queue.Replace(at, skb);
            same.Free();
        }
        else
        {
            SkBuff? before = at > 0 ? queue[at - 1] : null;
            if (before != null && TcpSeq.Before(seq, before.TcpCb.EndSeq))
            {
                if (!TcpSeq.After(endSeq, before.TcpCb.EndSeq))
                {
                    DropCovered(tp, skb, seq, endSeq);
                    return;
                }

                TcpDsackSet(tp, seq, before.TcpCb.EndSeq);
            }
            else if (before != null && TcpOooTryCoalesce(tp, before, skb))
            {
                if (tp.TcpIsSack)
                    TcpGrowWindow(tp, skb);
                skb.Free();
                return;
            }

            queue.Insert(at, skb);
        }

        RemoveCovered(tp, at + 1, endSeq);

        // Without SACK the window stays as it is, so that the ACKs are duplicates to the sender.
        if (tp.TcpIsSack)
            TcpGrowWindow(tp, skb);
        tp.SkbSetOwnerR(skb);
    }

    // Packets that were joined are told apart by their count alone when they are dropped after all.
    private static bool TcpOooTryCoalesce(TcpSock tp, SkBuff to, SkBuff from)
    {
        if (!TcpTryCoalesce(tp, to, from))
            return false;
        to.GsoSegs = Math.Min(Math.Max(1, to.GsoSegs) + Math.Max(1, from.GsoSegs), ushort.MaxValue);
        return true;
    }

    private static void DropCovered(TcpSock tp, SkBuff skb, uint seq, uint endSeq)
    {
        tp.NetIncStats(LinuxMib.TCPOFOMerge);
        TcpDsackSet(tp, seq, endSeq);
        skb.Free();
    }

    private static void RemoveCovered(TcpSock tp, int at, uint endSeq)
    {
        while (at < tp.OutOfOrderQueue.Count)
        {
            SkBuff next = tp.OutOfOrderQueue[at];
            ref TcpSkbCb cb = ref next.TcpCb;
            if (!TcpSeq.After(endSeq, cb.Seq))
                return;
            if (TcpSeq.Before(endSeq, cb.EndSeq))
            {
                TcpDsackExtend(tp, cb.Seq, endSeq);
                return;
            }

            TcpDsackExtend(tp, cb.Seq, cb.EndSeq);
            tp.NetIncStats(LinuxMib.TCPOFOMerge);
            tp.OutOfOrderQueue.RemoveAt(at);
            next.Free();
        }
    }

    /// <summary>A gap was filled: moves what is in order now to the receive queue.</summary>
    [Linux("tcp_ofo_queue")]
    private static void TcpOfoQueue(TcpSock tp)
    {
        uint dsackHigh = tp.RcvNxt;
        while (tp.OutOfOrderQueue.First is { } skb)
        {
            ref TcpSkbCb cb = ref skb.TcpCb;
            if (TcpSeq.After(cb.Seq, tp.RcvNxt))
                return;
            if (TcpSeq.Before(cb.Seq, dsackHigh))
            {
                uint dsack = dsackHigh;
                if (TcpSeq.Before(cb.EndSeq, dsackHigh))
                    dsackHigh = cb.EndSeq;
                TcpDsackExtend(tp, cb.Seq, dsack);
            }

            tp.OutOfOrderQueue.RemoveAt(0);
            if (!TcpSeq.After(cb.EndSeq, tp.RcvNxt))
            {
                skb.Free();
                continue;
            }

            bool fin = (cb.TcpFlags & TCPHDR_FIN) != 0;
            SkBuff? tail = tp.SkReceiveQueue.Last;
            bool eaten = tail != null && TcpTryCoalesce(tp, tail, skb);
            TcpRcvNxtUpdate(tp, cb.EndSeq);
            if (eaten)
                skb.Free();
            else
                tp.SkReceiveQueue.QueueTail(skb);
            if (fin)
            {
                TcpFin(tp);
                return;
            }
        }
    }

    // --- SACK blocks ---

    private static void TcpSackReset(TcpSock tp)
    {
        tp.RxOpt.Dsack = false;
        tp.RxOpt.NumSacks = 0;
    }

    [Linux("tcp_dsack_set")]
    private static void TcpDsackSet(TcpSock tp, uint seq, uint endSeq)
    {
        if (!tp.TcpIsSack || !tp.Ipv4.SysctlTcpDsack)
            return;
        tp.NetIncStats(TcpSeq.Before(seq, tp.RcvNxt) ? LinuxMib.TCPDSACKOldSent : LinuxMib.TCPDSACKOfoSent);
        tp.RxOpt.Dsack = true;
        tp.DuplicateSack = new TcpSackBlock { StartSeq = seq, EndSeq = endSeq };
    }

    private static void TcpDsackExtend(TcpSock tp, uint seq, uint endSeq)
    {
        if (!tp.RxOpt.Dsack)
            TcpDsackSet(tp, seq, endSeq);
        else
            TcpSackExtend(ref tp.DuplicateSack, seq, endSeq);
    }

    // Joins a range to a block that it touches.
    private static bool TcpSackExtend(ref TcpSackBlock block, uint seq, uint endSeq)
    {
        if (TcpSeq.After(seq, block.EndSeq) || TcpSeq.After(block.StartSeq, endSeq))
            return false;
        if (TcpSeq.Before(seq, block.StartSeq))
            block.StartSeq = seq;
        if (TcpSeq.After(endSeq, block.EndSeq))
            block.EndSeq = endSeq;
        return true;
    }

    /// <summary>The first block is the one that the last segment belongs to (RFC 2018 section 4).</summary>
    [Linux("tcp_sack_new_ofo_skb")]
    private static void TcpSackNewOfoSkb(TcpSock tp, uint seq, uint endSeq)
    {
        Span<TcpSackBlock> blocks = tp.SelectiveAcks;
        int count = tp.RxOpt.NumSacks;
        for (int i = 0; i < count; i++)
        {
            if (!TcpSackExtend(ref blocks[i], seq, endSeq))
                continue;

            // What an ACK has no room for must have been told before.
            if (i >= TCP_SACK_BLOCKS_EXPECTED)
                TcpSackCompressSendAck(tp);
            TcpSackBlock extended = blocks[i];
            blocks[..i].CopyTo(blocks[1..]);
            blocks[0] = extended;
            TcpSackMaybeCoalesce(tp);
            return;
        }

        if (count >= TCP_SACK_BLOCKS_EXPECTED)
            TcpSackCompressSendAck(tp);
        count = Math.Min(count, TCP_NUM_SACKS - 1);
        blocks[..count].CopyTo(blocks[1..]);
        blocks[0] = new TcpSackBlock { StartSeq = seq, EndSeq = endSeq };
        tp.RxOpt.NumSacks = (byte)(count + 1);
    }

    // The first block grew and may touch others now.
    [Linux("tcp_sack_maybe_coalesce")]
    private static void TcpSackMaybeCoalesce(TcpSock tp)
    {
        Span<TcpSackBlock> blocks = tp.SelectiveAcks;
        int i = 1;
        while (i < tp.RxOpt.NumSacks)
        {
            if (TcpSackExtend(ref blocks[0], blocks[i].StartSeq, blocks[i].EndSeq))
                RemoveBlock(tp, i);
            else
                i++;
        }
    }

    /// <summary>Forgets the blocks that RCV.NXT has reached.</summary>
    [Linux("tcp_sack_remove")]
    private static void TcpSackRemove(TcpSock tp)
    {
        if (tp.OutOfOrderQueue.IsEmpty)
        {
            tp.RxOpt.NumSacks = 0;
            return;
        }

        int i = 0;
        while (i < tp.RxOpt.NumSacks)
        {
            if (TcpSeq.Before(tp.RcvNxt, tp.SelectiveAcks[i].StartSeq))
                i++;
            else
                RemoveBlock(tp, i);
        }
    }

    private static void RemoveBlock(TcpSock tp, int index)
    {
        Span<TcpSackBlock> blocks = tp.SelectiveAcks;
        int count = tp.RxOpt.NumSacks;
        blocks[(index + 1)..count].CopyTo(blocks[index..]);
        tp.RxOpt.NumSacks = (byte)(count - 1);
    }
}
