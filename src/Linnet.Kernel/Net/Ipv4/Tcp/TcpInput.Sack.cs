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
        if (TcpSeq.Before(ackSkb.TcpCb.AckSeq, priorSndUna - tp.MaxWindow))
            return 0;
        if (tp.PacketsOut == 0)
            return state.Flag;
        count = KeepValidBlocks(tp, ackSkb, blocks[..count], priorSndUna, ref dsack);
        for (int i = 0; i < count; i++)
        {
            if (dsack && i == 0)
                TcpSacktagWalk(tp, blocks[i], duplicate: true, ref state);
            else
                SacktagUnseen(tp, blocks[i], ref state);
        }

        tp.RecvSackCache = default;
        blocks[..count].CopyTo(tp.RecvSackCache);
        ((Span<TcpSackBlock>)tp.RecvSackCache)[..count].Sort(static (a, b) => (int)(a.StartSeq - b.StartSeq));
        tp.RecvSackCacheCount = (byte)count;
        if (tp.IcskCaState != TCP_CA_Loss || tp.UndoMarker != 0)
            TcpCheckSackReordering(tp, state.Reord, ts: false);
        TcpOutput.TcpVerifyLeftOut(tp);
        return state.Flag;
    }

    // Drops blocks that cannot be, or are of no use any more; counts them. The order stays.
    private static int KeepValidBlocks(
        TcpSock tp, SkBuff ackSkb, Span<TcpSackBlock> blocks, uint priorSndUna, ref bool dsack)
    {
        int kept = 0;
        bool foundDsack = dsack;
        for (int i = 0; i < blocks.Length; i++)
        {
            TcpSackBlock block = blocks[i];
            bool duplicate = foundDsack && i == 0;
            if (TcpIsSackblockValid(tp, duplicate, block.StartSeq, block.EndSeq))
            {
                if (TcpSeq.After(block.EndSeq, priorSndUna))
                {
                    blocks[kept++] = block;
                    continue;
                }
            }
            else if (duplicate)
            {
                tp.NetIncStats(tp.UndoMarker == 0 ? LinuxMib.TCPDSACKIgnoredNoUndo : LinuxMib.TCPDSACKIgnoredOld);
            }
            else if (ackSkb.TcpCb.AckSeq == tp.SndUna || TcpSeq.After(block.EndSeq, tp.SndUna))
            {
                // Others are old because ACKs were reordered.
                tp.NetIncStats(LinuxMib.TCPSACKDiscard);
            }

            dsack &= i != 0;
        }

        return kept;
    }

    // Marks what of a block the last ACK's blocks did not say already: that was marked then. Without this a peer could have
    // the whole queue looked at again and again.
    private static void SacktagUnseen(TcpSock tp, TcpSackBlock block, ref SacktagState state)
    {
        int cached = tp.SackedOut == 0 ? 0 : tp.RecvSackCacheCount;
        for (int i = 0; i < cached; i++)
        {
            TcpSackBlock seen = tp.RecvSackCache[i];
            if (!TcpSeq.Before(block.StartSeq, seen.EndSeq))
                continue;
            if (!TcpSeq.After(block.EndSeq, seen.StartSeq))
                break;
            if (TcpSeq.Before(block.StartSeq, seen.StartSeq))
            {
                TcpSackBlock before = new() { StartSeq = block.StartSeq, EndSeq = seen.StartSeq };
                TcpSacktagWalk(tp, before, duplicate: false, ref state);
            }

            if (!TcpSeq.After(block.EndSeq, seen.EndSeq))
                return;
            block.StartSeq = seen.EndSeq;
        }

        TcpSacktagWalk(tp, block, duplicate: false, ref state);
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
