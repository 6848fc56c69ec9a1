using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The end of connections.</content>
public static partial class Tcp
{
    private const int TCP_ACTION_FIN_FLAG = TCP_ACTION_FIN;

    // What a close or shutdown does in each state (RFC 9293 section 3.10.4): the next state, and whether a FIN is sent.
    private static readonly byte[] NewState =
    [
        TCP_CLOSE,
        TCP_FIN_WAIT1 | TCP_ACTION_FIN_FLAG, // ESTABLISHED
        TCP_CLOSE, // SYN_SENT
        TCP_FIN_WAIT1 | TCP_ACTION_FIN_FLAG, // SYN_RECV
        TCP_FIN_WAIT1,
        TCP_FIN_WAIT2,
        TCP_CLOSE, // TIME_WAIT
        TCP_CLOSE,
        TCP_LAST_ACK | TCP_ACTION_FIN_FLAG, // CLOSE_WAIT
        TCP_LAST_ACK,
        TCP_CLOSE, // LISTEN
        TCP_CLOSING,
        TCP_CLOSE, // NEW_SYN_RECV
    ];

    /// <summary>Shuts the sending half: a FIN follows what was written; socket owned.</summary>
    /// <param name="tp">The socket.</param>
    /// <param name="how"><c>RCV_SHUTDOWN</c> and <c>SEND_SHUTDOWN</c> bits.</param>
    [Linux("tcp_shutdown")]
    public static void TcpShutdown(TcpSock tp, int how)
    {
        if ((how & Sock.SEND_SHUTDOWN) == 0)
            return;
        // In SYN_RECV the FIN waits until the handshake is finished.
        if (tp.SkState is TCP_ESTABLISHED or TCP_SYN_SENT or TCP_CLOSE_WAIT && TcpCloseState(tp))
            TcpOutput.TcpSendFin(tp);
    }

    /// <summary>
    /// The user closes the socket; the connection goes on by itself. Waits only for a lingering close.
    /// </summary>
    /// <param name="tp">The socket, not locked; the caller's reference is given back.</param>
    /// <param name="timeout">How long to linger, in ns; 0 for not at all.</param>
    [Linux("tcp_close")]
    public static void TcpClose(TcpSock tp, long timeout)
    {
        tp.LockSock();
        TcpCloseCore(tp, timeout);
        tp.ReleaseSock();
        if (!tp.SkNetRefcnt)
            TcpTimer.TcpClearXmitTimers(tp);
        tp.SockPut();
    }

    /// <summary>Aborts what is under way and makes the socket as new; socket owned.</summary>
    [Linux("tcp_disconnect")]
    public static int TcpDisconnect(TcpSock tp, int flags)
    {
        int oldState = tp.SkState;
        if (oldState != TCP_CLOSE)
            TcpSetState(tp, TCP_CLOSE);
        if (oldState == TCP_LISTEN)
        {
            InetConnectionSockOps.InetCskListenStop(tp);
        }
        else if (TcpNeedReset(oldState)
            || (tp.SndNxt != tp.WriteSeq && oldState is TCP_CLOSING or TCP_LAST_ACK))
        {
            TcpOutput.TcpSendActiveReset(tp);
            tp.SkErr = ECONNRESET;
        }
        else if (oldState == TCP_SYN_SENT)
        {
            tp.SkErr = ECONNRESET;
        }

        TcpTimer.TcpClearXmitTimers(tp);
        tp.SkReceiveQueue.Purge();
        tp.CopiedSeq = tp.RcvNxt;
        tp.UrgData = 0;
        tp.SkSetPeekOff(-1);
        TcpWriteQueuePurge(tp);
        OutOfOrderQueuePurge(tp);
        tp.SkcDport = 0;
        TcpIpv4.InetBhash2ResetSaddr(tp);
        tp.SkShutdown = 0;
        tp.SockResetFlag(SockFlags.Done);
        ForgetConnection(tp);
        Bug.On(tp.SkcNum != 0 && tp.IcskBindHash == null);
        tp.SkErrorReport(tp);
        return 0;
    }

    /// <summary>Ends a connection from outside, as <c>ss -K</c> does.</summary>
    /// <param name="sk">The socket, not locked.</param>
    /// <param name="err">What its owner sees, a positive errno.</param>
    /// <returns>0, or -ENOENT when it is closed already.</returns>
    [Linux("tcp_abort")]
    public static int TcpAbort(Sock sk, int err)
    {
        TcpSock tp = TcpSock.Of(sk);
        tp.LockSock();
        if (tp.SkState == TCP_CLOSE)
        {
            tp.ReleaseSock();
            return -ENOENT;
        }

        if (tp.SkState == TCP_LISTEN)
        {
            TcpSetState(tp, TCP_CLOSE);
            InetConnectionSockOps.InetCskListenStop(tp);
        }

        tp.BhLockSock();
        if (TcpNeedReset(tp.SkState))
            TcpOutput.TcpSendActiveReset(tp);
        TcpInput.TcpDoneWithError(tp, err);
        tp.BhUnlockSock();
        tp.ReleaseSock();
        return 0;
    }

    [Linux("__tcp_close")]
    private static void TcpCloseCore(TcpSock tp, long timeout)
    {
        tp.SkShutdown = Sock.SHUTDOWN_MASK;
        if (tp.SkState == TCP_LISTEN)
        {
            TcpSetState(tp, TCP_CLOSE);
            InetConnectionSockOps.InetCskListenStop(tp);
        }
        else
        {
            bool unread = FlushReceiveQueue(tp);
            if (tp.SkState != TCP_CLOSE)
            {
                EndSending(tp, unread);
                SkStreamWaitClose(tp, timeout);
            }
        }

        AdjudgeToDeath(tp);
    }

    // Returns whether the user left data unread.
    private static bool FlushReceiveQueue(TcpSock tp)
    {
        bool unread = false;
        while (tp.SkReceiveQueue.First is { } skb)
        {
            uint endSeq = skb.TcpCb.EndSeq;
            if ((skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0)
                endSeq--;
            unread |= TcpSeq.After(endSeq, tp.CopiedSeq);
            TcpEatRecvSkb(tp, skb);
        }

        return unread;
    }

    private static void EndSending(TcpSock tp, bool unread)
    {
        if (unread)
        {
            // RFC 2525 section 2.17: the peer must not believe that its data was read.
            tp.NetIncStats(LinuxMib.TCPAbortOnClose);
            TcpSetState(tp, TCP_CLOSE);
            TcpOutput.TcpSendActiveReset(tp);
        }
        else if (tp.SockFlag(SockFlags.Linger) && tp.SkLingertime == 0)
        {
            TcpDisconnect(tp, 0);
            tp.NetIncStats(LinuxMib.TCPAbortOnData);
        }
        else if (TcpCloseState(tp))
        {
            TcpOutput.TcpSendFin(tp);
        }
    }

    // The connection loses its socket; from here on only its timers and the peer keep it.
    private static void AdjudgeToDeath(TcpSock tp)
    {
        int state = tp.SkState;
        // Given back by tcp_close, which still has to release the socket.
        tp.SockHold();
        Sock.SockOrphan(tp);
        tp.BhLockSock();
        tp.ReleaseSockCore();
        tp.Ipv4.TcpMachine.OrphanInc();
        // The backlog may have ended it, and destroyed it as there was no socket any more.
        if (state == TCP_CLOSE || tp.SkState != TCP_CLOSE)
            LeaveToItself(tp);
        tp.BhUnlockSock();
    }

    private static void LeaveToItself(TcpSock tp)
    {
        if (tp.SkState == TCP_FIN_WAIT2)
        {
            if (tp.Linger2 < 0)
            {
                TcpSetState(tp, TCP_CLOSE);
                TcpOutput.TcpSendActiveReset(tp);
                tp.NetIncStats(LinuxMib.TCPAbortOnLinger);
            }
            else
            {
                long timeout = tp.TcpFinTime;
                if (timeout <= TCP_TIMEWAIT_LEN)
                {
                    TcpMinisocks.TcpTimeWait(tp, TCP_FIN_WAIT2, timeout);
                    return;
                }

                tp.InetCskResetKeepaliveTimer(timeout - TCP_TIMEWAIT_LEN);
            }
        }

        if (tp.SkState != TCP_CLOSE && TcpCheckOom(tp, 0))
        {
            TcpSetState(tp, TCP_CLOSE);
            TcpOutput.TcpSendActiveReset(tp);
            tp.NetIncStats(LinuxMib.TCPAbortOnMemory);
        }

        if (tp.SkState == TCP_CLOSE)
            InetConnectionSockOps.InetCskDestroySock(tp);
    }

    // Returns whether a FIN has to be sent.
    [Linux("tcp_close_state")]
    private static bool TcpCloseState(TcpSock tp)
    {
        int next = NewState[tp.SkState];
        TcpSetState(tp, next & TCP_STATE_MASK);
        return (next & TCP_ACTION_FIN) != 0;
    }

    // The only call of TCP that waits: for the peer to acknowledge all, as long as SO_LINGER says.
    [Linux("sk_stream_wait_close", "net/core/stream.c")]
    private static void SkStreamWaitClose(TcpSock tp, long timeout)
    {
        if (timeout == 0 || tp.SkWq is not { } wq || !Closing(tp))
            return;
        TaskStruct? task = Cpu.This.Task;
        SocketCall call = SocketCall.Rent(tp.Machine);
        long now = tp.Machine.Clock.Now;
        long deadline = timeout >= long.MaxValue - now ? long.MaxValue : now + timeout;
        call.Entry.Events = 0;
        call.Entry.Exclusive = false;
        task?.BeginWait();
        wq.Wait.Add(call.Entry);
        bool timeLeft = true;
        while (timeLeft && Closing(tp) && task is not { SignalPending: true })
        {
            call.Entry.Prepare();
            tp.ReleaseSock();
            // What waited in the backlog may have ended it already.
            if (!call.Entry.Woken && Closing(tp))
                timeLeft = call.ScheduleUntil(deadline);
            tp.LockSock();
        }

        wq.Wait.Remove(call.Entry);
        task?.EndWait();
        call.Return();
    }

    private static bool Closing(TcpSock tp) => tp.SkState is TCP_FIN_WAIT1 or TCP_CLOSING or TCP_LAST_ACK;

    private static bool TcpNeedReset(int state) =>
        state is TCP_ESTABLISHED or TCP_CLOSE_WAIT or TCP_FIN_WAIT1 or TCP_FIN_WAIT2 or TCP_SYN_RECV;

    private static void ForgetConnection(TcpSock tp)
    {
        // A SYN of the next connection must not look like one of this.
        uint seq = tp.WriteSeq + tp.MaxWindow + 2;
        tp.WriteSeq = seq == 0 ? 1 : seq;
        tp.SrttUs = 0;
        tp.MdevUs = (uint)(TCP_TIMEOUT_INIT / Clock.NsecPerUsec);
        tp.RcvRttLastTsecr = 0;
        tp.RcvRttEst = default;
        tp.RcvqSpace = default;
        tp.IcskBackoff = tp.IcskProbesOut = tp.IcskRetransmits = 0;
        tp.IcskProbesTstamp = 0;
        tp.IcskRto = TCP_TIMEOUT_INIT;
        tp.IcskRtoMin = TCP_RTO_MIN;
        tp.IcskDelackMax = TCP_DELACK_MAX;
        tp.SndSsthresh = TCP_INFINITE_SSTHRESH;
        tp.TcpSndCwndSet(TCP_INIT_CWND);
        tp.SndCwndCnt = 0;
        tp.IsCwndLimited = false;
        tp.MaxPacketsOut = 0;
        tp.WindowClamp = 0;
        TcpCong.ReleaseState(tp);
        TcpCong.TcpSetCaState(tp, TCP_CA_Open);
        tp.IsSackReneg = false;
        tp.RetransOut = tp.LostOut = tp.SackedOut = 0;
        tp.TlpHighSeq = 0;
        tp.Rack = new TcpRack { ReoWndSteps = 1 };
        tp.UndoMarker = 0;
        tp.UndoRetrans = -1;
        tp.RetransStamp = 0;
        tp.IcskAck = default;
        tp.IcskAck.RcvMss = TCP_MIN_MSS;
        tp.RxOpt = default;
        tp.SkDstReset();
        tp.SkRxDst = null;
        tp.SavedSyn = null;
        tp.PredFlags = 0;
        tp.DuplicateSack = default;
        tp.SelectiveAcks = default;
        ForgetStatistics(tp);
    }

    private static void ForgetStatistics(TcpSock tp)
    {
        tp.Delivered = tp.DeliveredCe = tp.Lost = 0;
        tp.AppLimited = uint.MaxValue;
        tp.RateAppLimited = true;
        tp.RateDelivered = tp.RateIntervalUs = 0;
        tp.FirstTxMstamp = tp.DeliveredMstamp = 0;
        tp.BytesSent = tp.BytesAcked = tp.BytesReceived = tp.BytesRetrans = 0;
        tp.SegsIn = tp.SegsOut = tp.DataSegsIn = tp.DataSegsOut = 0;
        tp.TotalRetrans = 0;
        tp.DsackDups = tp.ReordSeen = tp.RcvOooPack = 0;
        tp.TotalRto = tp.TotalRtoRecoveries = tp.TimeoutRehash = 0;
        tp.TotalRtoTime = tp.RtoStamp = 0;
        tp.EcnFlags = 0;
        tp.LastOowAckTime = 0;
    }
}
