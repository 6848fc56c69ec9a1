using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The sending half of TCP: builds segments and decides when they go. All functions want the socket locked.
/// </summary>
[LinuxFile("net/ipv4/tcp_output.c")]
public static partial class TcpOutput
{
    private static readonly Action<SkBuff> Wfree = TcpWfree;

    /// <summary>Reads the clock once for all that one event does (<c>tcp_mstamp_refresh</c>).</summary>
    public static void TcpMstampRefresh(TcpSock tp)
    {
        long now = NowOf(tp);
        tp.TcpClockCache = now;
        tp.TcpMstamp = now / Clock.NsecPerUsec;
    }

    // Zero stands for "never" wherever a time is kept, so that the first millisecond counts as the second.
    private static long NowOf(TcpSock tp) => Math.Max(tp.Machine.Clock.Now, Clock.NsecPerMsec);

    /// <summary>
    /// Sends a segment: puts the header in front and hands it to the network layer. A packet of the queues is not changed;
    /// the header goes onto a copy of its head that shares the payload.
    /// </summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The segment, with its control buffer filled in.</param>
    /// <param name="cloneIt">Whether the segment stays queued; otherwise it is taken over.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tcp_transmit_skb")]
    public static int TcpTransmitSkb(TcpSock tp, SkBuff skb, bool cloneIt) =>
        TcpTransmitSkbCore(tp, skb, cloneIt, tp.RcvNxt);

    [Linux("__tcp_transmit_skb")]
    internal static int TcpTransmitSkbCore(TcpSock tp, SkBuff skb, bool cloneIt, uint rcvNxt)
    {
        // A copy, as it is the copy that goes out: what is set here for this transmission does not stay with the packet.
        TcpSkbCb tcb = skb.TcpCb;
        long priorWstamp = tp.TcpWstampNs;
        tp.TcpWstampNs = Math.Max(tp.TcpWstampNs, tp.TcpClockCache);
        skb.Tstamp = tp.TcpWstampNs;

        TcpOutOptions opts = default;
        int optionsSize;
        if ((tcb.TcpFlags & TCPHDR_SYN) != 0)
        {
            optionsSize = TcpSynOptions(tp, skb, ref opts);
        }
        else
        {
            optionsSize = TcpEstablishedOptions(tp, skb, ref opts);

            // The last segment of a large packet says that nothing follows at once.
            if (tcb.TcpGsoSegs > 1)
                tcb.TcpFlags |= TCPHDR_PSH;
        }

        SkBuff segment = cloneIt ? skb.CopyHead(MAX_TCP_HEADER) : skb;
        int payload = segment.Len;
        int headerSize = Tcphdr.Size + optionsSize;
        segment.Push(headerSize);
        segment.ResetTransportHeader();
        SetOwner(tp, segment);
        WriteHeader(tp, segment, in tcb, ref opts, headerSize, rcvNxt);
        CountSegment(tp, in tcb, payload, rcvNxt);
        segment.GsoSegs = tcb.TcpGsoSegs;
        segment.GsoSize = tcb.TcpGsoSize;
        segment.GsoType = tcb.TcpGsoSize == 0 ? GsoType.None : GsoTypeOf(tp);
        segment.Tstamp = tp.SkPacingStatus == SockPacing.Fq ? tp.TcpWstampNs : 0;
        segment.ControlBuffer = default;

        int err = tp.IcskAfOps.QueueXmit(tp, segment);
        if (err > 0)
        {
            TcpInput.TcpEnterCwr(tp);
            err = NetXmitEval(err);
        }

        if (err == 0 && cloneIt)
        {
            TcpUpdateSkbAfterSend(tp, skb, priorWstamp);
            TcpRate.TcpRateSkbSent(tp, skb);
        }

        return err;
    }

    private static void SetOwner(TcpSock tp, SkBuff segment)
    {
        segment.Orphan();
        segment.Sk = tp;
        segment.Destructor = Wfree;
        Interlocked.Add(ref tp.SkWmemAlloc, segment.Truesize);
        segment.Hash = tp.SkTxhash;
    }

    private static GsoType GsoTypeOf(TcpSock tp) => tp.SkcFamily == AF_INET6 ? GsoType.Tcpv6 : GsoType.Tcpv4;

    // A device that only warns of congestion (NET_XMIT_CN) has taken the packet.
    private static int NetXmitEval(int err) => err == 2 ? 0 : err;

    private static void WriteHeader(
        TcpSock tp, SkBuff segment, in TcpSkbCb tcb, ref TcpOutOptions opts, int headerSize, uint rcvNxt)
    {
        Span<byte> header = segment.TransportHeaderSpan[..headerSize];
        Tcphdr th = new(header)
        {
            Source = tp.InetSport,
            Dest = tp.SkcDport,
            Seq = tcb.Seq,
            AckSeq = rcvNxt,
        };
        uint flags = (uint)(headerSize >> 2) << 28 | (uint)tcb.TcpFlags << 16;
        bool isSyn = (tcb.TcpFlags & TCPHDR_SYN) != 0;
        ushort urgPtr = 0;
        if (tp.TcpUrgMode && TcpSeq.Before(tcb.Seq, tp.SndUp))
            urgPtr = UrgentPointer(tp, tcb.Seq, ref flags);

        // RFC 7323 2.2: the window of a SYN is never scaled.
        uint window = isSyn ? Math.Min(tp.RcvWnd, 65535) : TcpSelectWindow(tp);
        if (!isSyn)
            flags |= (uint)TcpEcnSend(tp, segment, in tcb, headerSize) << 16;
        th.FlagWord = flags | window;
        th.Check = 0;
        th.UrgPtr = urgPtr;
        TcpOptionsWrite(header[Tcphdr.Size..], ref opts, tp);
        segment.IpSummed = ChecksumState.Partial;
        tp.IcskAfOps.SendCheck(tp, segment);
    }

    private static ushort UrgentPointer(TcpSock tp, uint seq, ref uint flags)
    {
        if (TcpSeq.Before(tp.SndUp, seq + 0x10000))
        {
            flags |= (uint)TCPHDR_URG << 16;
            return (ushort)(tp.SndUp - seq);
        }

        // Too far away to be said: the farthest that can be, which later segments correct.
        if (!TcpSeq.After(seq + 0xFFFF, tp.SndNxt))
            return 0;
        flags |= (uint)TCPHDR_URG << 16;
        return 0xFFFF;
    }

    private static void CountSegment(TcpSock tp, in TcpSkbCb tcb, int payload, uint rcvNxt)
    {
        if ((tcb.TcpFlags & TCPHDR_ACK) != 0)
            TcpEventAckSent(tp, rcvNxt);
        if (payload != 0)
        {
            TcpEventDataSent(tp);
            tp.DataSegsOut += tcb.TcpGsoSegs;
            tp.BytesSent += (uint)payload;
        }

        // Retransmissions are counted on their own.
        if (TcpSeq.After(tcb.EndSeq, tp.SndNxt) || tcb.Seq == tcb.EndSeq)
            tp.Ipv4.TcpStatistics.Add(TcpMib.OutSegs, tcb.TcpGsoSegs);
        tp.SegsOut += tcb.TcpGsoSegs;
    }

    [Linux("tcp_event_data_sent")]
    private static void TcpEventDataSent(TcpSock tp)
    {
        long now = tp.TcpClockCache;
        if (tp.TcpPacketsInFlight == 0)
            tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.TxStart);
        tp.Lsndtime = now;

        // An answer within the delay of ACKs: the flow goes both ways, and ACKs can ride on answers.
        if (now - tp.IcskAck.Lrcvtime < tp.IcskAck.Ato)
            tp.InetCskIncPingpongCnt();
    }

    [Linux("tcp_event_ack_sent")]
    private static void TcpEventAckSent(TcpSock tp, uint rcvNxt)
    {
        if (tp.CompressedAck != 0)
        {
            tp.Ipv4.NetStatistics.Add(LinuxMib.TCPAckCompressed, tp.CompressedAck);
            tp.CompressedAck = 0;
            tp.SkStopTimer(tp.CompressedAckTimer!);
        }

        if (rcvNxt != tp.RcvNxt)
            return;
        TcpDecQuickackMode(tp);
        tp.InetCskClearDelackTimer();
    }

    private static void TcpDecQuickackMode(TcpSock tp)
    {
        if (tp.IcskAck.Quick == 0)
            return;
        int packets = tp.InetCskAckScheduled ? 1 : 0;
        if (packets >= tp.IcskAck.Quick)
        {
            tp.IcskAck.Quick = 0;
            tp.IcskAck.Ato = TCP_ATO_MIN;
        }
        else
        {
            tp.IcskAck.Quick -= (byte)packets;
        }
    }

    // --- options ---

    private struct TcpOutOptions
    {
        public ushort Mss;
        public bool Ts;
        public bool SackAdvertise;
        public bool Wscale;
        public byte Ws;
        public byte NumSackBlocks;
        public uint Tsval;
        public uint Tsecr;
    }

    internal static uint TcpSkbTimestampTs(SkBuff skb) => (uint)(skb.Tstamp / Clock.NsecPerMsec);

    [Linux("tcp_syn_options")]
    private static int TcpSynOptions(TcpSock tp, SkBuff skb, ref TcpOutOptions opts)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        opts.Mss = TcpAdvertiseMss(tp);
        int size = TCPOLEN_MSS_ALIGNED;
        if (ipv4.SysctlTcpTimestamps != 0)
        {
            opts.Ts = true;
            opts.Tsval = TcpSkbTimestampTs(skb) + tp.Tsoffset;
            opts.Tsecr = tp.RxOpt.TsRecent;
            size += TCPOLEN_TSTAMP_ALIGNED;
        }

        if (ipv4.SysctlTcpWindowScaling)
        {
            opts.Ws = tp.RxOpt.RcvWscale;
            opts.Wscale = true;
            size += TCPOLEN_WSCALE_ALIGNED;
        }

        if (ipv4.SysctlTcpSack)
        {
            opts.SackAdvertise = true;
            if (!opts.Ts)
                size += TCPOLEN_SACKPERM_ALIGNED;
        }

        return size;
    }

    [Linux("tcp_synack_options")]
    private static int TcpSynackOptions(TcpRequestSock req, ushort mss, SkBuff skb, ref TcpOutOptions opts)
    {
        opts.Mss = mss;
        int size = TCPOLEN_MSS_ALIGNED;
        if (req.WscaleOk)
        {
            opts.Ws = req.RcvWscale;
            opts.Wscale = true;
            size += TCPOLEN_WSCALE_ALIGNED;
        }

        if (req.TstampOk)
        {
            opts.Ts = true;
            opts.Tsval = TcpSkbTimestampTs(skb) + req.TsOff;
            if (req.SntTsvalFirst == 0)
                req.SntTsvalFirst = opts.Tsval == 0 ? ~0u : opts.Tsval;
            req.SntTsvalLast = opts.Tsval;
            opts.Tsecr = req.TsRecent;
            size += TCPOLEN_TSTAMP_ALIGNED;
        }

        if (req.SackOk)
        {
            opts.SackAdvertise = true;
            if (!req.TstampOk)
                size += TCPOLEN_SACKPERM_ALIGNED;
        }

        return size;
    }

    [Linux("tcp_established_options")]
    private static int TcpEstablishedOptions(TcpSock tp, SkBuff? skb, ref TcpOutOptions opts)
    {
        int size = 0;
        if (tp.RxOpt.TstampOk)
        {
            opts.Ts = true;
            opts.Tsval = skb != null ? TcpSkbTimestampTs(skb) + tp.Tsoffset : 0;
            opts.Tsecr = tp.RxOpt.TsRecent;
            size += TCPOLEN_TSTAMP_ALIGNED;
        }

        int effSacks = tp.RxOpt.NumSacks + (tp.RxOpt.Dsack ? 1 : 0);
        if (effSacks != 0)
        {
            int remaining = MAX_TCP_OPTION_SPACE - size;
            int blocks = Math.Min(effSacks, (remaining - TCPOLEN_SACK_BASE_ALIGNED) / TCPOLEN_SACK_PERBLOCK);
            opts.NumSackBlocks = (byte)blocks;
            size += TCPOLEN_SACK_BASE_ALIGNED + blocks * TCPOLEN_SACK_PERBLOCK;
        }

        return size;
    }

    [Linux("tcp_options_write")]
    private static void TcpOptionsWrite(Span<byte> to, ref TcpOutOptions opts, TcpSock? tp)
    {
        if (opts.Mss != 0)
            to = Put(to, TCPOPT_MSS << 24 | TCPOLEN_MSS << 16 | (uint)opts.Mss);
        if (opts.Ts)
        {
            // The permission takes the place of the two bytes of padding.
            uint first = opts.SackAdvertise
                ? (uint)(TCPOPT_SACK_PERM << 24 | TCPOLEN_SACK_PERM << 16)
                : TCPOPT_NOP << 24 | TCPOPT_NOP << 16;
            to = Put(to, first | TCPOPT_TIMESTAMP << 8 | TCPOLEN_TIMESTAMP);
            to = Put(to, opts.Tsval);
            to = Put(to, opts.Tsecr);
            opts.SackAdvertise = false;
        }

        if (opts.SackAdvertise)
            to = Put(to, TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_SACK_PERM << 8 | TCPOLEN_SACK_PERM);
        if (opts.Wscale)
            to = Put(to, TCPOPT_NOP << 24 | TCPOPT_WINDOW << 16 | TCPOLEN_WINDOW << 8 | (uint)opts.Ws);
        if (opts.NumSackBlocks != 0)
            to = PutSackBlocks(to, opts.NumSackBlocks, tp!);
        Bug.On(!to.IsEmpty);
    }

    private static Span<byte> PutSackBlocks(Span<byte> to, int count, TcpSock tp)
    {
        to = Put(to, TCPOPT_NOP << 24 | TCPOPT_NOP << 16 | TCPOPT_SACK << 8
            | (uint)(TCPOLEN_SACK_BASE + count * TCPOLEN_SACK_PERBLOCK));
        int duplicates = tp.RxOpt.Dsack ? 1 : 0;
        for (int i = 0; i < count; i++)
        {
            TcpSackBlock block = i < duplicates ? tp.DuplicateSack : tp.SelectiveAcks[i - duplicates];
            to = Put(to, block.StartSeq);
            to = Put(to, block.EndSeq);
        }

        tp.RxOpt.Dsack = false;
        return to;
    }

    private static Span<byte> Put(Span<byte> to, uint word)
    {
        BinaryPrimitives.WriteUInt32BigEndian(to, word);
        return to[4..];
    }
}
