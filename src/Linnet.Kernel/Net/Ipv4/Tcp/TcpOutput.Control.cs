using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Segments without data: SYN, SYN-ACK, ACK, FIN, RST and probes.</content>
public static partial class TcpOutput
{
    /// <summary>Makes a packet one segment without payload; SYN and FIN take a sequence number each.</summary>
    private static void TcpInitNondataSkb(SkBuff skb, uint seq, int flags)
    {
        skb.IpSummed = ChecksumState.Partial;
        ref TcpSkbCb tcb = ref skb.TcpCb;
        tcb.TcpFlags = (ushort)flags;
        tcb.TcpGsoSegs = 1;
        tcb.TcpGsoSize = 0;
        tcb.Seq = seq;
        if ((flags & (TCPHDR_SYN | TCPHDR_FIN)) != 0)
            seq++;
        tcb.EndSeq = seq;
    }

    /// <summary>
    /// The sequence number for segments without data: SND.NXT, or the end of the window when that lies before it, so that
    /// a peer that took its window back accepts the segment.
    /// </summary>
    private static uint TcpAcceptableSeq(TcpSock tp)
    {
        uint end = tp.TcpWndEnd;
        if (!TcpSeq.Before(end, tp.SndNxt)
            || tp.RxOpt.WscaleOk && tp.SndNxt - end < 1u << tp.RxOpt.RcvWscale)
        {
            return tp.SndNxt;
        }

        return end;
    }

    // --- connecting ---

    /// <summary>Sends the SYN; addresses, ports, route and initial sequence number are chosen already.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tcp_connect")]
    public static int TcpConnect(TcpSock tp)
    {
        if (tp.IcskAfOps.RebuildHeader(tp) != 0)
            return -EHOSTUNREACH;
        TcpMstampRefresh(tp);
        TcpConnectInit(tp);
        SkBuff buff = AllocSegment(tp);
        TcpInitNondataSkb(buff, tp.WriteSeq, TCPHDR_SYN);
        tp.RetransStamp = tp.TcpTimeStampTs;
        TcpConnectQueueSkb(tp, buff);
        TcpEcnSendSyn(tp, buff);
        tp.RtxQueue.Append(buff);
        int err = TcpTransmitSkb(tp, buff, cloneIt: true);
        if (err == -ECONNREFUSED)
            return err;
        if (err == 0)
            tp.TsortedMoveTail(buff);

        // SND.NXT follows the transmission, so that this segment counts as sent for the first time.
        tp.SndNxt = tp.WriteSeq;
        tp.PushedSeq = tp.WriteSeq;
        tp.Ipv4.TcpStatistics.Inc(TcpMib.ActiveOpens);
        tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, tp.IcskRto);
        return 0;
    }

    [Linux("tcp_connect_init")]
    private static void TcpConnectInit(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        DstEntry dst = tp.SkDstCache!;
        tp.TcpHeaderLen = Tcphdr.Size;
        if (ipv4.SysctlTcpTimestamps != 0)
            tp.TcpHeaderLen += TCPOLEN_TSTAMP_ALIGNED;
        if (tp.RxOpt.UserMss != 0)
            tp.RxOpt.MssClamp = tp.RxOpt.UserMss;
        tp.MaxWindow = 0;
        TcpMtupInit(tp);
        TcpSyncMss(tp, dst.Mtu);
        TcpCong.TcpCaDstInit(tp, dst);
        tp.Advmss = TcpMssClamp(tp, dst.Advmss);
        TcpInput.TcpInitializeRcvMss(tp);
        uint fullSpace = (uint)tp.TcpFullSpace;
        if (tp.WindowClamp == 0)
            tp.WindowClamp = dst.Metric(RTAX_WINDOW);
        if ((tp.SkUserlocks & SockUserLocks.Rcvbuf) != 0 && (tp.WindowClamp > fullSpace || tp.WindowClamp == 0))
            tp.WindowClamp = fullSpace;
        int optionLen = tp.RxOpt.TsRecentStamp != 0 ? tp.TcpHeaderLen - Tcphdr.Size : 0;
        TcpSelectInitialWindow(
            tp, tp.TcpFullSpace, (uint)(tp.Advmss - optionLen), ref tp.WindowClamp, ipv4.SysctlTcpWindowScaling,
            dst.Metric(RTAX_INITRWND),
            out tp.RcvWnd, out tp.RxOpt.RcvWscale);
        tp.RcvSsthresh = tp.RcvWnd;
        tp.SkErr = 0;
        tp.SockResetFlag(SockFlags.Done);
        tp.SndWnd = 0;
        tp.TcpInitWl(0);
        Tcp.TcpWriteQueuePurge(tp);
        tp.SndUna = tp.SndSml = tp.SndUp = tp.SndNxt = tp.WriteSeq;
        tp.RcvNxt = 0;
        tp.RcvWup = tp.CopiedSeq = 0;
        tp.IcskRto = TCP_TIMEOUT_INIT;
        tp.IcskRetransmits = 0;
        TcpInput.TcpClearRetrans(tp);
    }

    private static void TcpConnectQueueSkb(TcpSock tp, SkBuff skb)
    {
        tp.SkWmemQueued += skb.Truesize;
        tp.SkMemCharge(skb.Truesize);
        tp.WriteSeq = skb.TcpCb.EndSeq;
        tp.PacketsOut += skb.TcpCb.TcpGsoSegs;
    }

    /// <summary>Answers a SYN that crossed our own with a SYN-ACK (simultaneous open, RFC 9293 3.5).</summary>
    [Linux("tcp_send_synack")]
    internal static int TcpSendSynack(TcpSock tp)
    {
        SkBuff? skb = tp.RtxQueue.First;
        if (skb == null || (skb.TcpCb.TcpFlags & TCPHDR_SYN) == 0)
            return -EFAULT;
        skb.TcpCb.TcpFlags |= TCPHDR_ACK;
        TcpEcnSendSynack(tp, skb);
        int err = TcpTransmitSkb(tp, skb, cloneIt: true);
        if (err == 0)
            tp.TsortedMoveTail(skb);
        return err;
    }

    /// <summary>Makes the SYN-ACK for a request; its data begins at the TCP header, whose checksum is the caller's.</summary>
    /// <param name="tp">The listener; not necessarily locked.</param>
    /// <param name="dst">The route to the peer.</param>
    /// <param name="req">The request.</param>
    /// <param name="type">What kind of SYN-ACK.</param>
    [Linux("tcp_make_synack")]
    public static SkBuff TcpMakeSynack(TcpSock tp, DstEntry dst, TcpRequestSock req, TcpSynackType type)
    {
        SkBuff skb = tp.SkNet.SkbPool.Alloc(MAX_TCP_HEADER);
        skb.Reserve(MAX_TCP_HEADER);
        skb.Dst = dst;
        skb.Hash = req.Txhash;
        ushort mss = TcpMssClamp(tp, dst.Advmss);
        long now = NowOf(tp);
        skb.Tstamp = now;
        if (type == TcpSynackType.Cookie && req.TstampOk)
            skb.Tstamp = Syncookies.CookieInitTimestamp(req, now);
        else if (req.SntSynack == 0)
            req.SntSynack = now / Clock.NsecPerUsec;

        TcpOutOptions opts = default;
        int headerSize = TcpSynackOptions(req, mss, skb, ref opts) + Tcphdr.Size;
        skb.Push(headerSize);
        skb.ResetTransportHeader();
        Span<byte> header = skb.TransportHeaderSpan[..headerSize];
        Tcphdr th = new(header)
        {
            Source = req.SkcNum,
            Dest = req.SkcDport,
            Seq = req.SntIsn,
            AckSeq = req.RcvNxt,
        };

        // RFC 7323 2.2: the window of a SYN is never scaled.
        int flags = TCPHDR_SYN | TCPHDR_ACK | (req.EcnOk ? TCPHDR_ECE : 0);
        th.FlagWord = (uint)(headerSize >> 2) << 28 | (uint)flags << 16
            | Math.Min(req.RskRcvWnd, 65535);
        th.Check = 0;
        th.UrgPtr = 0;
        TcpOptionsWrite(header[Tcphdr.Size..], ref opts, null);
        skb.IpSummed = ChecksumState.Partial;
        skb.Tstamp = 0;
        tp.Ipv4.TcpStatistics.Inc(TcpMib.OutSegs);
        return skb;
    }

    /// <summary>Sends the SYN-ACK of a request again.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tcp_rtx_synack")]
    public static int TcpRtxSynack(Sock listener, RequestSock request)
    {
        TcpRequestSock req = TcpRequestSock.Of(request);
        int res = req.AfSpecific.SendSynack(listener, null, req, TcpSynackType.Normal, null);
        if (res == 0)
        {
            listener.SkNet.Ipv4.TcpStatistics.Inc(TcpMib.RetransSegs);
            listener.SkNet.Ipv4.NetStatistics.Inc(LinuxMib.TCPSynRetrans);
            // Its ACK gives no RTT sample any more (Karn, RFC 6298 section 3).
            req.NumRetrans++;
        }

        return res;
    }

    // --- ending ---

    /// <summary>Queues a FIN behind all that was written, on the last packet if that was not sent yet.</summary>
    [Linux("tcp_send_fin")]
    public static void TcpSendFin(TcpSock tp)
    {
        SkBuff? tail = tp.SkWriteQueue.Last;
        SkBuff? target = tail;

        // When memory is short the FIN rides on a retransmission.
        if (target == null && tp.TcpUnderMemoryPressure)
            target = tp.RtxQueue.Last;
        if (target != null)
        {
            target.TcpCb.TcpFlags |= TCPHDR_FIN;
            target.TcpCb.EndSeq++;
            tp.WriteSeq++;
            if (tail == null)
            {
                tp.SndNxt++;
                return;
            }
        }
        else
        {
            SkBuff skb = AllocSegment(tp);
            TcpInitNondataSkb(skb, tp.WriteSeq, TCPHDR_ACK | TCPHDR_FIN);
            SkForcedMemSchedule(tp, skb.Truesize);
            TcpQueueSkb(tp, skb);
        }

        TcpPushPendingFramesCore(tp, TcpCurrentMss(tp), TCP_NAGLE_OFF);
    }

    /// <summary>Ends the connection with a reset (RFC 9293 3.10.5).</summary>
    [Linux("tcp_send_active_reset")]
    public static void TcpSendActiveReset(TcpSock tp)
    {
        tp.Ipv4.TcpStatistics.Inc(TcpMib.OutRsts);
        SkBuff skb = AllocSegment(tp);
        TcpInitNondataSkb(skb, TcpAcceptableSeq(tp), TCPHDR_ACK | TCPHDR_RST);
        TcpMstampRefresh(tp);
        if (TcpTransmitSkb(tp, skb, cloneIt: false) != 0)
            tp.NetIncStats(LinuxMib.TCPAbortFailed);
    }

    /// <summary>Appends a packet to the write queue (<c>tcp_queue_skb</c>).</summary>
    public static void TcpQueueSkb(TcpSock tp, SkBuff skb)
    {
        tp.WriteSeq = skb.TcpCb.EndSeq;
        tp.SkWriteQueue.QueueTail(skb);
        tp.SkWmemQueued += skb.Truesize;
        tp.SkMemCharge(skb.Truesize);

        // What is sent last is not a wait for data any more.
        if (tp.RtxQueue.IsEmpty && tp.SkWriteQueue.First == skb)
            TcpChronoStart(tp, TcpChronoType.Busy);
    }

    /// <summary>Charges memory that must be had whatever the limits say, as for a FIN.</summary>
    [Linux("sk_forced_mem_schedule")]
    public static void SkForcedMemSchedule(Sock sk, int size)
    {
        int delta = size - sk.SkForwardAlloc;
        if (delta <= 0 || sk.SkMemory is not { } memory)
            return;
        int pages = Sock.SkMemPages(delta);
        sk.SkForwardAlloc += pages << 12;
        Interlocked.Add(ref memory.Allocated, pages);
    }

    // --- ACKs ---

    /// <summary>Sends an ACK at once.</summary>
    [Linux("tcp_send_ack")]
    public static void TcpSendAck(TcpSock tp)
    {
        if (tp.SkcState == TCP_CLOSE)
            return;
        SkBuff buff = AllocSegment(tp);
        TcpInitNondataSkb(buff, TcpAcceptableSeq(tp), TCPHDR_ACK);
        TcpTransmitSkbCore(tp, buff, cloneIt: false, tp.RcvNxt);
    }

    /// <summary>
    /// Sends an ACK within the delay that fits the flow (RFC 9293 3.8.6.3: at most 500 ms): the estimated time between
    /// segments, bounded by the RTT.
    /// </summary>
    [Linux("tcp_send_delayed_ack")]
    internal static void TcpSendDelayedAck(TcpSock tp)
    {
        ref IcskAck ack = ref tp.IcskAck;
        long ato = ack.Ato;
        if (ato > TCP_DELACK_MIN)
        {
            long maxAto = 500 * Clock.NsecPerMsec;
            if (tp.InetCskInPingpongMode || (ack.Pending & InetConnectionSock.ICSK_ACK_PUSHED) != 0)
                maxAto = TCP_DELACK_MAX;
            if (tp.SrttUs != 0)
                maxAto = Math.Min(maxAto, Math.Max((tp.SrttUs >> 3) * Clock.NsecPerUsec, TCP_DELACK_MIN));
            ato = Math.Min(ato, maxAto);
        }

        ato = Math.Min(ato, tp.IcskDelackMax != 0 ? tp.IcskDelackMax : TCP_DELACK_MAX);
        long now = tp.TcpClockCache;
        long timeout = now + ato;
        if ((ack.Pending & InetConnectionSock.ICSK_ACK_TIMER) != 0)
        {
            // A timer that is about to fire is not worth waiting for.
            if (ack.Timeout <= now + (ato >> 2))
            {
                TcpSendAck(tp);
                return;
            }

            timeout = Math.Min(timeout, ack.Timeout);
        }

        tp.InetCskResetDelackTimer(timeout);
    }

    // --- probes ---

    /// <summary>
    /// Sends a segment that makes the peer answer with its window: one without data whose sequence number was
    /// acknowledged already, or the next one in urgent mode.
    /// </summary>
    [Linux("tcp_xmit_probe_skb")]
    private static int TcpXmitProbeSkb(TcpSock tp, bool urgent, LinuxMib mib)
    {
        SkBuff skb = AllocSegment(tp);
        TcpInitNondataSkb(skb, tp.SndUna - (urgent ? 0u : 1u), TCPHDR_ACK);
        tp.NetIncStats(mib);
        return TcpTransmitSkb(tp, skb, cloneIt: false);
    }

    /// <summary>Sends the peer's window probe of a repaired connection and the like (<c>tcp_send_window_probe</c>).</summary>
    [Linux("tcp_send_window_probe")]
    public static void TcpSendWindowProbe(TcpSock tp)
    {
        if (tp.SkcState != TCP_ESTABLISHED)
            return;
        tp.SndWl1 = tp.RcvNxt - 1;
        TcpMstampRefresh(tp);
        TcpXmitProbeSkb(tp, urgent: false, LinuxMib.TCPWinProbe);
    }

    /// <summary>Sends data into a window that has opened a little, or a probe when it is closed.</summary>
    /// <returns>0, a positive number when local resources were short, or a negative errno.</returns>
    [Linux("tcp_write_wakeup")]
    internal static int TcpWriteWakeup(TcpSock tp, LinuxMib mib)
    {
        if (tp.SkcState == TCP_CLOSE)
            return -1;
        if (tp.TcpSendHead is not { } skb || !TcpSeq.Before(skb.TcpCb.Seq, tp.TcpWndEnd))
        {
            if (TcpSeq.Between(tp.SndUp, tp.SndUna + 1, tp.SndUna + 0xFFFF))
                TcpXmitProbeSkb(tp, urgent: true, mib);
            return TcpXmitProbeSkb(tp, urgent: false, mib);
        }

        int mss = TcpCurrentMss(tp);
        uint segSize = tp.TcpWndEnd - skb.TcpCb.Seq;
        if (TcpSeq.Before(tp.PushedSeq, skb.TcpCb.EndSeq))
            tp.PushedSeq = skb.TcpCb.EndSeq;

        // The window is open, but too little for the sender to use it (RFC 9293 3.8.6.2.1): the timer overrides that.
        if (segSize < skb.TcpCb.EndSeq - skb.TcpCb.Seq || skb.Len > mss)
        {
            segSize = Math.Min(segSize, (uint)mss);
            skb.TcpCb.TcpFlags |= TCPHDR_PSH;
            if (TcpFragment(tp, skb, (int)Math.Min(segSize, (uint)skb.Len), mss, sent: false) != 0)
                return -1;
        }
        else if (skb.TcpCb.TcpGsoSegs == 0)
        {
            TcpSetSkbTsoSegs(skb, mss);
        }

        skb.TcpCb.TcpFlags |= TCPHDR_PSH;
        int err = TcpTransmitSkb(tp, skb, cloneIt: true);
        if (err == 0)
            TcpEventNewDataSent(tp, skb);
        return err;
    }

    /// <summary>The window probe timer fired: probes and sets the next time, backing off (RFC 9293 3.8.6.1).</summary>
    [Linux("tcp_send_probe0")]
    internal static void TcpSendProbe0(TcpSock tp)
    {
        int err = TcpWriteWakeup(tp, LinuxMib.TCPWinProbe);
        if (tp.PacketsOut != 0 || tp.TcpWriteQueueEmpty)
        {
            tp.IcskProbesOut = 0;
            tp.IcskBackoff = 0;
            tp.IcskProbesTstamp = 0;
            return;
        }

        if (tp.IcskProbesOut < byte.MaxValue)
            tp.IcskProbesOut++;
        long timeout = TCP_RESOURCE_PROBE_INTERVAL;
        if (err <= 0)
        {
            if (tp.IcskBackoff < tp.Ipv4.SysctlTcpRetries2)
                tp.IcskBackoff++;
            timeout = tp.TcpProbe0When(tp.TcpRtoMax);
        }

        tp.TcpResetXmitTimer(
            InetConnectionSock.ICSK_TIME_PROBE0, TcpTimer.TcpClampProbe0ToUserTimeout(tp, timeout));
    }
}
