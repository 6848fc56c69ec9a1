using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Segments for connections that are not established: the states of RFC 9293 section 3.10.7.</content>
public static partial class TcpInput
{
    // What TcpRcvSynsentStateProcess answers beside "done" (0) and "send a reset" (more).
    private const int Continue = -1;

    /// <summary>
    /// Processes a segment in every state but ESTABLISHED; its data begins at the TCP header. Takes over the packet when it
    /// returns 0.
    /// </summary>
    /// <returns>0, or non-zero when the segment has to be answered with a reset: it stays the caller's then.</returns>
    [Linux("tcp_rcv_state_process")]
    public static int TcpRcvStateProcess(TcpSock tp, SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        switch (tp.SkState)
        {
            case TCP_CLOSE:
                skb.Free();
                return 0;
            case TCP_LISTEN:
                return ProcessForListener(tp, skb, th);
            case TCP_SYN_SENT:
                return ProcessForSynSent(tp, skb, th);
        }

        TcpOutput.TcpMstampRefresh(tp);
        tp.RxOpt.SawTstamp = false;
        if (!th.Ack && !th.Rst && !th.Syn)
        {
            skb.Free();
            return 0;
        }

        if (!TcpValidateIncoming(tp, skb, th, synInerr: false))
            return 0;
        int acked = TcpAck(tp, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT | FLAG_NO_CHALLENGE_ACK);
        if (acked <= 0)
        {
            if (tp.SkState == TCP_SYN_RECV)
                return 1;

            // An old ACK is nothing unusual while closing.
            if (acked < 0)
            {
                TcpSendChallengeAck(tp);
                skb.Free();
                return 0;
            }
        }

        int reset = ProcessAckInState(tp, skb, th, out bool consumed);
        if (consumed || reset != 0)
            return reset;
        TcpUrg(tp, skb, th);
        return ProcessText(tp, skb, th);
    }

    private static int ProcessForListener(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        if (th.Ack)
            return 1;
        if (!th.Rst && th.Syn && !th.Fin)
            tp.IcskAfOps.ConnRequest(tp, skb);
        skb.Free();
        return 0;
    }

    private static int ProcessForSynSent(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        tp.RxOpt.SawTstamp = false;
        TcpOutput.TcpMstampRefresh(tp);
        int result = TcpRcvSynsentStateProcess(tp, skb, th);
        if (result != Continue)
            return result;
        TcpUrg(tp, skb, th);
        skb.Free();
        TcpDataSndCheck(tp);
        return 0;
    }

    // RFC 9293 section 3.10.7.4, fifth: what an acceptable ACK means in each state.
    private static int ProcessAckInState(TcpSock tp, SkBuff skb, Tcphdr th, out bool consumed)
    {
        consumed = false;
        switch (tp.SkState)
        {
            case TCP_SYN_RECV:
                FinishPassiveOpen(tp, skb, th);
                break;
            case TCP_FIN_WAIT1 when tp.SndUna == tp.WriteSeq:
                return EnterFinWait2(tp, skb, th, out consumed);
            case TCP_CLOSING when tp.SndUna == tp.WriteSeq:
                TcpMinisocks.TcpTimeWait(tp, TCP_TIME_WAIT, 0);
                consumed = true;
                break;
            case TCP_LAST_ACK when tp.SndUna == tp.WriteSeq:
                TcpMetrics.TcpUpdateMetrics(tp);
                Tcp.TcpDone(tp);
                consumed = true;
                break;
        }

        if (consumed)
            skb.Free();
        return 0;
    }

    private static void FinishPassiveOpen(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        tp.Delivered++;
        if (tp.RxOpt.TstampOk)
            tp.Advmss -= TCPOLEN_TSTAMP_ALIGNED;
        tp.RetransStamp = 0;
        TcpInitTransfer(tp);
        tp.CopiedSeq = tp.RcvNxt;
        Tcp.TcpSetState(tp, TCP_ESTABLISHED);
        tp.SkStateChange(tp);

        // Only a simultaneous open has somebody waiting; a child has no socket yet.
        if (tp.SkSocket != null)
            tp.SkWakeAsync(SockWake.Io, POLL_OUT);
        tp.SndUna = skb.TcpCb.AckSeq;
        tp.SndWnd = (uint)th.Window << tp.RxOpt.SndWscale;
        tp.TcpInitWl(skb.TcpCb.Seq);
        tp.Lsndtime = tp.TcpClockCache;
        TcpInitializeRcvMss(tp);
        TcpUpdatePacingRate(tp);
        tp.TcpFastPathOn();
        if ((tp.SkShutdown & Sock.SEND_SHUTDOWN) != 0)
            Tcp.TcpShutdown(tp, Sock.SEND_SHUTDOWN);
    }

    private static int EnterFinWait2(TcpSock tp, SkBuff skb, Tcphdr th, out bool consumed)
    {
        consumed = false;
        Tcp.TcpSetState(tp, TCP_FIN_WAIT2);
        tp.SkShutdown |= Sock.SEND_SHUTDOWN;
        if (!tp.SockFlag(SockFlags.Dead))
        {
            // Wakes a close that lingers.
            tp.SkStateChange(tp);
            return 0;
        }

        ref TcpSkbCb cb = ref skb.TcpCb;
        bool hasNewData = cb.EndSeq != cb.Seq && TcpSeq.After(cb.EndSeq - (th.Fin ? 1u : 0u), tp.RcvNxt);
        if (tp.Linger2 < 0 || hasNewData)
        {
            // Nobody will ever read it (RFC 1122 section 4.2.2.13).
            Tcp.TcpDone(tp);
            tp.NetIncStats(LinuxMib.TCPAbortOnData);
            return 1;
        }

        long timeout = tp.TcpFinTime;
        if (timeout > TCP_TIMEWAIT_LEN)
        {
            tp.InetCskResetKeepaliveTimer(timeout - TCP_TIMEWAIT_LEN);
        }
        else if (th.Fin || tp.SockOwnedByUser)
        {
            tp.InetCskResetKeepaliveTimer(timeout);
        }
        else
        {
            TcpMinisocks.TcpTimeWait(tp, TCP_FIN_WAIT2, timeout);
            consumed = true;
            skb.Free();
        }

        return 0;
    }

    // RFC 9293 section 3.10.7.4, seventh: text is taken while the peer may still send.
    private static int ProcessText(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        bool queued = false;
        ref TcpSkbCb cb = ref skb.TcpCb;
        int state = tp.SkState;
        bool retransmitted = state is TCP_CLOSE_WAIT or TCP_CLOSING or TCP_LAST_ACK && TcpSeq.Before(cb.Seq, tp.RcvNxt);
        if (retransmitted || state is TCP_FIN_WAIT1 or TCP_FIN_WAIT2)
        {
            bool hasNewData = cb.EndSeq != cb.Seq && TcpSeq.After(cb.EndSeq - (th.Fin ? 1u : 0u), tp.RcvNxt);
            if ((tp.SkShutdown & Sock.RCV_SHUTDOWN) != 0 && hasNewData)
            {
                tp.NetIncStats(LinuxMib.TCPAbortOnData);
                TcpReset(tp);
                return 1;
            }
        }

        if (retransmitted || state is TCP_FIN_WAIT1 or TCP_FIN_WAIT2 or TCP_ESTABLISHED)
        {
            TcpDataQueue(tp, skb);
            queued = true;
        }

        // The data can have moved the connection to TIME_WAIT.
        if (tp.SkState != TCP_CLOSE)
        {
            TcpDataSndCheck(tp);
            TcpAckSndCheck(tp);
        }

        if (!queued)
            skb.Free();
        return 0;
    }

    /// <summary>
    /// A segment for a connection whose SYN is out (RFC 9293 section 3.10.7.3). The packet stays the caller's, unless the
    /// answer is 0.
    /// </summary>
    [Linux("tcp_rcv_synsent_state_process")]
    private static int TcpRcvSynsentStateProcess(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        ushort savedClamp = tp.RxOpt.MssClamp;
        TcpParseOptions(tp.SkNet, skb, ref tp.RxOpt, estab: false);
        if (tp.RxOpt.SawTstamp && tp.RxOpt.RcvTsecr != 0)
            tp.RxOpt.RcvTsecr -= tp.Tsoffset;
        int result = th.Ack ? SynSentAck(tp, skb, th) : SynSentNoAck(tp, skb, th);
        if (result is DiscardAndUndo or ResetAndUndo)
        {
            tp.RxOpt.Clear();
            tp.RxOpt.MssClamp = savedClamp;
            if (result == ResetAndUndo)
                return 1;
        }

        if (result != Continue)
        {
            skb.Free();
            return 0;
        }

        return result;
    }

    private const int Done = 0;
    private const int DiscardAndUndo = 2;
    private const int ResetAndUndo = 3;

    private static int SynSentAck(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (!TcpSeq.After(cb.AckSeq, tp.SndUna) || TcpSeq.After(cb.AckSeq, tp.SndNxt))
        {
            // The peer may be in an older connection: once it is reset, the SYN is worth sending soon.
            if (tp.IcskRetransmits == 0)
                tp.TcpResetXmitTimer(InetConnectionSock.ICSK_TIME_RETRANS, TCP_TIMEOUT_MIN);
            return ResetAndUndo;
        }

        if (tp.RxOpt.SawTstamp && tp.RxOpt.RcvTsecr != 0
            && !TcpSeq.Between(tp.RxOpt.RcvTsecr, tp.RetransStamp, tp.TcpTimeStampTs))
        {
            tp.NetIncStats(LinuxMib.PAWSActive);
            return ResetAndUndo;
        }

        if (th.Rst)
        {
            TcpReset(tp);
            return Done;
        }

        if (!th.Syn)
            return DiscardAndUndo;
        AcceptSynAck(tp, skb, th);
        return AnswerSynAck(tp);
    }

    private static void AcceptSynAck(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        TcpEcnRcvSynack(tp, th);
        tp.TcpInitWl(cb.Seq);
        TcpAck(tp, skb, FLAG_SLOWPATH);
        tp.RcvNxt = cb.Seq + 1;
        tp.RcvWup = cb.Seq + 1;

        // RFC 7323 section 2.2: the window of a SYN is never scaled.
        tp.SndWnd = th.Window;
        if (!tp.RxOpt.WscaleOk)
        {
            tp.RxOpt.SndWscale = tp.RxOpt.RcvWscale = 0;
            tp.WindowClamp = Math.Min(tp.WindowClamp, 65535);
        }

        if (tp.RxOpt.SawTstamp)
            tp.Advmss -= TCPOLEN_TSTAMP_ALIGNED;
        AgreeOnTimestamps(tp);
        TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
        TcpInitializeRcvMss(tp);

        // Poll looks without the lock: the state changes last.
        tp.CopiedSeq = tp.RcvNxt;
        TcpFinishConnect(tp, skb);
        if (tp.SockFlag(SockFlags.Dead))
            return;
        tp.SkStateChange(tp);
        tp.SkWakeAsync(SockWake.Io, POLL_OUT);
    }

    private static int AnswerSynAck(TcpSock tp)
    {
        bool dataWillFollow = tp.SkWritePending != 0 || tp.IcskAcceptQueue is { RskqDeferAccept: > 0 }
            || tp.InetCskInPingpongMode;
        if (!dataWillFollow)
        {
            TcpOutput.TcpSendAck(tp);
            return Continue;
        }

        // The ACK rides on the first data.
        tp.InetCskScheduleAck();
        TcpEnterQuickackMode(tp, TCP_MAX_QUICKACKS);
        tp.InetCskResetDelackTimer(tp.TcpClockCache + TCP_DELACK_MAX);
        return Done;
    }

    private static int SynSentNoAck(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        bool oldTimestamp = tp.RxOpt.TsRecentStamp != 0 && tp.RxOpt.SawTstamp
            && TcpSock.TcpPawsReject(tp.RxOpt, rst: false, NowSeconds(tp));
        if (th.Rst || oldTimestamp || !th.Syn)
            return DiscardAndUndo;

        // Both sides connect at once (RFC 9293 section 3.5, figure 8).
        Tcp.TcpSetState(tp, TCP_SYN_RECV);
        AgreeOnTimestamps(tp);
        ref TcpSkbCb cb = ref skb.TcpCb;
        tp.RcvNxt = cb.Seq + 1;
        tp.CopiedSeq = tp.RcvNxt;
        tp.RcvWup = cb.Seq + 1;
        tp.SndWnd = th.Window;
        tp.SndWl1 = cb.Seq;
        tp.MaxWindow = tp.SndWnd;
        TcpEcnRcvSyn(tp, th);
        TcpOutput.TcpMtupInit(tp);
        TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
        TcpInitializeRcvMss(tp);
        TcpOutput.TcpSendSynack(tp);
        return Done;
    }

    private static void AgreeOnTimestamps(TcpSock tp)
    {
        tp.TcpHeaderLen = Tcphdr.Size;
        if (!tp.RxOpt.SawTstamp)
            return;
        tp.RxOpt.TstampOk = true;
        tp.TcpHeaderLen += TCPOLEN_TSTAMP_ALIGNED;
        TcpStoreTsRecent(tp);
    }

    /// <summary>The handshake of an active open is finished.</summary>
    [Linux("tcp_finish_connect")]
    public static void TcpFinishConnect(TcpSock tp, SkBuff skb)
    {
        Tcp.TcpSetState(tp, TCP_ESTABLISHED);
        tp.IcskAck.Lrcvtime = tp.TcpClockCache;
        tp.IcskAfOps.SkRxDstSet(tp, skb);
        TcpInitTransfer(tp);

        // The first data does not come after an idle time.
        tp.Lsndtime = tp.TcpClockCache;
        if (tp.SockFlag(SockFlags.Keepopen))
            tp.InetCskResetKeepaliveTimer(tp.KeepaliveTimeWhen);
        if (tp.RxOpt.SndWscale == 0)
            tp.TcpFastPathOnCore(tp.SndWnd);
        else
            tp.PredFlags = 0;
    }

    /// <summary>Prepares a connection to carry data: path MTU, congestion control, buffers.</summary>
    [Linux("tcp_init_transfer")]
    public static void TcpInitTransfer(TcpSock tp)
    {
        TcpOutput.TcpMtupInit(tp);
        tp.IcskAfOps.RebuildHeader(tp);
        TcpMetrics.TcpInitMetrics(tp);

        // RFC 6928 section 2: a SYN that was lost leaves a window of one segment.
        tp.TcpSndCwndSet(tp.TotalRetrans > 1 && tp.UndoMarker != 0 ? 1u : TcpInitCwnd(tp));
        tp.SndCwndStamp = tp.TcpClockCache;
        if (!tp.IcskCaInitialized)
            TcpCong.TcpInitCongestionControl(tp);
        TcpInitBufferSpace(tp);
    }
}
