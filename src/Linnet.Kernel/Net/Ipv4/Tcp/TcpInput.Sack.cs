using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Selective acknowledgments as the sender takes them (RFC 2018, RFC 2883).</content>
public static partial class TcpInput
{
    /// <summary>Sequence number behind the highest that was sacked.</summary>
    private static uint TcpHighestSackSeq(TcpSock tp) =>
        tp.SackedOut == 0 || !TcpSeq.After(tp.HighestSack, tp.SndUna) ? tp.SndUna : tp.HighestSack;

    /// <summary>Marks what the SACK blocks of a segment cover.</summary>
    /// <returns><c>FLAG_*</c></returns>
    [Linux("tcp_sacktag_write_queue")]
    private static int TcpSacktagWriteQueue(TcpSock tp, SkBuff ackSkb, uint priorSndUna, ref SacktagState state)
    {
        Span<TcpSackBlock> blocks = stackalloc TcpSackBlock[TCP_NUM_SACKS];
        int count = ReadSackBlocks(ackSkb, blocks);
        if (count == 0)
            return 0;
        if (tp.SackedOut == 0)
            tp.HighestSack = tp.SndUna;
        state.Reord = tp.SndNxt;
        bool dsack = TcpCheckDsack(tp, ackSkb, blocks[..count], priorSndUna, ref state);

        // An ACK that is not too old may still have news.
        if (TcpSeq.Before(ackSkb.TcpCb.AckSeq, priorSndUna - tp.MaxWindow) || tp.PacketsOut == 0)
            return state.Flag;
        for (int i = 0; i < count; i++)
        {
            bool duplicate = dsack && i == 0;
            if (TcpIsSackblockValid(tp, duplicate, blocks[i].StartSeq, blocks[i].EndSeq))
                SacktagBlock(tp, blocks[i], duplicate, ref state);
            else if (duplicate)
                tp.NetIncStats(tp.UndoMarker == 0 ? LinuxMib.TCPDSACKIgnoredNoUndo : LinuxMib.TCPDSACKIgnoredOld);
            else if (TcpSeq.After(blocks[i].EndSeq, tp.SndUna))
                tp.NetIncStats(LinuxMib.TCPSACKDiscard);
        }

        if (tp.IcskCaState != TCP_CA_Loss || tp.UndoMarker != 0)
            TcpCheckSackReordering(tp, state.Reord, ts: false);
        TcpOutput.TcpVerifyLeftOut(tp);
        return state.Flag;
    }

    // The option's place was noted when the header was parsed, and that it ends inside of the header.
    private static int ReadSackBlocks(SkBuff skb, Span<TcpSackBlock> blocks)
    {
        ReadOnlySpan<byte> option = skb.TransportHeaderSpan[skb.TcpCb.Sacked..];
        int count = Math.Min((option[1] - TCPOLEN_SACK_BASE) / TCPOLEN_SACK_PERBLOCK, blocks.Length);
        for (int i = 0; i < count; i++)
        {
            ReadOnlySpan<byte> block = option[(TCPOLEN_SACK_BASE + i * TCPOLEN_SACK_PERBLOCK)..];
            blocks[i] = new TcpSackBlock
            {
                StartSeq = BinaryPrimitives.ReadUInt32BigEndian(block),
                EndSeq = BinaryPrimitives.ReadUInt32BigEndian(block[4..]),
            };
        }

        return count;
    }

    /// <summary>Whether the first block reports a duplicate (RFC 2883 4): it lies below the ACK or inside of the second.</summary>
    [Linux("tcp_check_dsack")]
    private static bool TcpCheckDsack(
        TcpSock tp, SkBuff ackSkb, ReadOnlySpan<TcpSackBlock> blocks, uint priorSndUna, ref SacktagState state)
    {
        TcpSackBlock first = blocks[0];
        if (TcpSeq.Before(first.StartSeq, ackSkb.TcpCb.AckSeq))
        {
            tp.NetIncStats(LinuxMib.TCPDSACKRecv);
        }
        else if (blocks.Length > 1 && !TcpSeq.After(first.EndSeq, blocks[1].EndSeq)
            && !TcpSeq.Before(first.StartSeq, blocks[1].StartSeq))
        {
            tp.NetIncStats(LinuxMib.TCPDSACKOfoRecv);
        }
        else
        {
            return false;
        }

        int segments = TcpDsackSeen(tp, first, ref state);
        if (segments == 0)
        {
            tp.NetIncStats(LinuxMib.TCPDSACKIgnoredDubious);
            return false;
        }

        tp.Ipv4.NetStatistics.Add(LinuxMib.TCPDSACKRecvSegs, segments);

        // Of data that is acknowledged no packet is left to look at: it is counted.
        if (tp.UndoMarker != 0 && tp.UndoRetrans > 0 && !TcpSeq.After(first.EndSeq, priorSndUna)
            && TcpSeq.After(first.EndSeq, tp.UndoMarker))
        {
            tp.UndoRetrans = Math.Max(0, tp.UndoRetrans - segments);
        }

        return true;
    }

    [Linux("tcp_dsack_seen")]
    private static int TcpDsackSeen(TcpSock tp, TcpSackBlock block, ref SacktagState state)
    {
        uint length = block.EndSeq - block.StartSeq;
        if (!TcpSeq.Before(block.StartSeq, block.EndSeq) || length > tp.MaxWindow)
            return 0;
        int mss = Math.Max(tp.MssCache, 1);
        int segments = 1;
        if (length > (uint)mss)
            segments = (int)((length + (uint)mss - 1) / (uint)mss);
        else if (tp.TlpHighSeq != 0 && tp.TlpHighSeq == block.EndSeq)
            state.Flag |= FLAG_DSACK_TLP;
        tp.DsackDups += (uint)segments;

        // More duplicates than were retransmitted: the network made them.
        if (tp.DsackDups > tp.TotalRetrans)
            return 0;
        // A probe is sent by a timer: that it was not needed says nothing about reordering.
        if (tp.ReordSeen != 0 && (state.Flag & FLAG_DSACK_TLP) == 0)
            tp.Rack.DsackSeen = true;
        state.Flag |= FLAG_DSACKING_ACK;

        // A duplicate was delivered, too.
        state.SackDelivered += (uint)segments;
        return segments;
    }

    [Linux("tcp_is_sackblock_valid")]
    private static bool TcpIsSackblockValid(TcpSock tp, bool isDsack, uint startSeq, uint endSeq)
    {
        if (TcpSeq.After(endSeq, tp.SndNxt) || !TcpSeq.Before(startSeq, endSeq) || !TcpSeq.Before(startSeq, tp.SndNxt))
            return false;
        if (TcpSeq.After(startSeq, tp.SndUna))
            return true;
        if (!isDsack || tp.UndoMarker == 0 || TcpSeq.After(endSeq, tp.SndUna))
            return false;
        if (!TcpSeq.Before(startSeq, tp.UndoMarker))
            return true;
        return TcpSeq.After(endSeq, tp.UndoMarker) && !TcpSeq.Before(startSeq, endSeq - tp.MaxWindow);
    }

    // Marks the packets of one block; large packets are cut at its ends.
    private static void SacktagBlock(TcpSock tp, TcpSackBlock block, bool duplicate, ref SacktagState state)
    {
        int index = tp.RtxQueue.LowerBound(block.StartSeq);

        // The packet before may reach into the block.
        if (index > 0 && TcpSeq.After(tp.RtxQueue[index - 1].TcpCb.EndSeq, block.StartSeq))
            index--;
        for (; index < tp.RtxQueue.Count; index++)
        {
            SkBuff skb = tp.RtxQueue[index];
            if (!TcpSeq.Before(skb.TcpCb.Seq, block.EndSeq))
                break;
            int inSack = TcpMatchSkbToSack(tp, skb, block.StartSeq, block.EndSeq);
            if (inSack < 0)
                break;
            if (inSack > 0)
                TcpSacktagOne(tp, skb, duplicate, ref state);
        }
    }

    /// <summary>Whether a packet is covered by a block; cuts it when only some of its segments are.</summary>
    /// <returns>1, 0, or a negative number when nothing behind it is covered.</returns>
    [Linux("tcp_match_skb_to_sack")]
    private static int TcpMatchSkbToSack(TcpSock tp, SkBuff skb, uint startSeq, uint endSeq)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        bool inSack = !TcpSeq.After(startSeq, tcb.Seq);
        if (inSack && !TcpSeq.Before(endSeq, tcb.EndSeq))
            return 1;
        if (tcb.TcpGsoSegs <= 1 || !TcpSeq.After(tcb.EndSeq, startSeq))
            return 0;
        int mss = tcb.TcpGsoSize;
        int length = (int)(inSack ? endSeq - tcb.Seq : startSeq - tcb.Seq);
        if (length < mss)
        {
            if (inSack)
                return -1;
            length = mss;
        }
        else if (length > mss)
        {
            // Whole segments only: what is sacked in part stays unsacked.
            int rounded = length / mss * mss;
            if (!inSack && rounded < length)
                rounded += mss;
            length = rounded;
        }

        if (length >= skb.Len && !inSack)
            return 0;
        if (length < skb.Len && TcpOutput.TcpFragment(tp, skb, length, mss, sent: true) != 0)
            return -1;
        return inSack ? 1 : 0;
    }

    [Linux("tcp_sacktag_one")]
    private static void TcpSacktagOne(TcpSock tp, SkBuff skb, bool duplicate, ref SacktagState state)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        uint segments = tcb.TcpGsoSegs;
        if (duplicate && (tcb.Sacked & TCPCB_RETRANS) != 0)
        {
            if (tp.UndoMarker != 0 && tp.UndoRetrans > 0 && TcpSeq.After(tcb.EndSeq, tp.UndoMarker))
                tp.UndoRetrans = Math.Max(0, tp.UndoRetrans - (int)segments);
            if ((tcb.Sacked & TCPCB_SACKED_ACKED) != 0 && TcpSeq.Before(tcb.Seq, state.Reord))
                state.Reord = tcb.Seq;
        }

        if (!TcpSeq.After(tcb.EndSeq, tp.SndUna))
            return;
        if ((tcb.Sacked & TCPCB_SACKED_ACKED) == 0)
        {
            TcpRecovery.TcpRackAdvance(tp, tcb.Sacked, tcb.EndSeq, skb.Tstamp);
            NewlySacked(tp, skb, ref state);
            tp.TsortedUnlink(skb);
            TcpRate.TcpRateSkbDelivered(tp, skb, ref state.Rate);
            if (TcpSeq.After(tcb.EndSeq, tp.HighestSack))
                tp.HighestSack = tcb.EndSeq;
        }

        if (duplicate && (tcb.Sacked & TCPCB_SACKED_RETRANS) != 0)
        {
            tcb.Sacked &= unchecked((byte)~TCPCB_SACKED_RETRANS);
            tp.RetransOut -= segments;
        }
    }

    private static void NewlySacked(TcpSock tp, SkBuff skb, ref SacktagState state)
    {
        ref TcpSkbCb tcb = ref skb.TcpCb;
        uint segments = tcb.TcpGsoSegs;
        if ((tcb.Sacked & TCPCB_SACKED_RETRANS) != 0)
        {
            // One that is not taken for lost has its retransmission still on the way.
            if ((tcb.Sacked & TCPCB_LOST) != 0)
            {
                tcb.Sacked &= unchecked((byte)~(TCPCB_LOST | TCPCB_SACKED_RETRANS));
                tp.LostOut -= segments;
                tp.RetransOut -= segments;
            }
        }
        else
        {
            if ((tcb.Sacked & TCPCB_RETRANS) == 0)
            {
                // An original that arrived behind later ones.
                if (TcpSeq.Before(tcb.Seq, TcpHighestSackSeq(tp)) && TcpSeq.Before(tcb.Seq, state.Reord))
                    state.Reord = tcb.Seq;
                if (!TcpSeq.After(tcb.EndSeq, tp.HighSeq))
                    state.Flag |= FLAG_ORIG_SACK_ACKED;
                if (state.FirstSackt == 0)
                    state.FirstSackt = skb.Tstamp;
                state.LastSackt = skb.Tstamp;
            }

            if ((tcb.Sacked & TCPCB_LOST) != 0)
            {
                tcb.Sacked &= unchecked((byte)~TCPCB_LOST);
                tp.LostOut -= segments;
            }
        }

        tcb.Sacked |= TCPCB_SACKED_ACKED;
        state.Flag |= FLAG_DATA_SACKED;
        tp.SackedOut += segments;
        state.SackDelivered += segments;
        if (tp.LostSkbHint != null && TcpSeq.Before(tcb.Seq, tp.LostSkbHint.TcpCb.Seq))
            tp.LostCntHint += (int)segments;
    }

    /// <summary>Something below the highest sacked was filled by an original: the network reorders by so much.</summary>
    [Linux("tcp_check_sack_reordering")]
    private static void TcpCheckSackReordering(TcpSock tp, uint lowSeq, bool ts)
    {
        uint fack = TcpHighestSackSeq(tp);
        uint mss = (uint)tp.MssCache;
        if (!TcpSeq.Before(lowSeq, fack))
            return;
        uint metric = fack - lowSeq;
        if (metric > tp.Reordering * mss && mss != 0)
            tp.Reordering = Math.Min((metric + mss - 1) / mss, (uint)tp.Ipv4.SysctlTcpMaxReordering);
        tp.ReordSeen++;
        tp.NetIncStats(ts ? LinuxMib.TCPTSReorder : LinuxMib.TCPSACKReorder);
    }

    /// <summary>The first outstanding segment is sacked: the peer dropped it after all, or its ACK is about to come.</summary>
    [Linux("tcp_check_sack_reneging")]
    private static bool TcpCheckSackReneging(TcpSock tp, ref int ackFlag)
    {
        if ((ackFlag & FLAG_SACK_RENEGING) == 0 || (ackFlag & FLAG_SND_UNA_ADVANCED) == 0)
            return false;
        long delay = Math.Max((tp.SrttUs >> 4) * Clock.NsecPerUsec, 10 * Clock.NsecPerMsec);
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, delay);
        ackFlag &= ~FLAG_SET_XMIT_TIMER;
        return true;
    }
}
