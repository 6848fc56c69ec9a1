using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Requests, and the connections that come of them.</content>
public static partial class TcpMinisocks
{
    /// <summary>Chooses the window that the SYN-ACK offers.</summary>
    [Linux("tcp_openreq_init_rwin")]
    public static void TcpOpenreqInitRwin(TcpRequestSock req, TcpSock listener, DstEntry dst)
    {
        int fullSpace = listener.TcpFullSpace;
        ushort mss = TcpOutput.TcpMssClamp(listener, dst.Advmss);
        uint clamp = listener.WindowClamp;
        req.RskWindowClamp = clamp != 0 ? clamp : dst.Metric(RTAX_WINDOW);
        // A receive buffer that the user fixed limits the window from the start.
        if ((listener.SkUserlocks & SockUserLocks.Rcvbuf) != 0 && (req.RskWindowClamp > fullSpace || req.RskWindowClamp == 0))
            req.RskWindowClamp = (uint)fullSpace;
        TcpOutput.TcpSelectInitialWindow(
            listener, fullSpace, (uint)(mss - (req.TstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0)), ref req.RskWindowClamp,
            req.WscaleOk, dst.Metric(RTAX_INITRWND), out req.RskRcvWnd, out req.RcvWscale);
    }

    /// <summary>The window of a SYN-ACK, which is not scaled (<c>tcp_synack_window</c>).</summary>
    internal static uint TcpSynackWindow(RequestSock req) => Math.Min(req.RskRcvWnd, 65535);

    /// <summary>A segment came for a request.</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="skb">The segment.</param>
    /// <param name="req">The request, with a reference of the caller's.</param>
    /// <param name="reqStolen">Another thread finished the handshake: look the segment up again.</param>
    /// <returns>
    /// The child, locked: the reference is consumed; the listener, when it should look at the segment; or null, when the
    /// segment is done with.
    /// </returns>
    [Linux("tcp_check_req")]
    public static Sock? TcpCheckReq(TcpSock sk, SkBuff skb, TcpRequestSock req, out bool reqStolen)
    {
        Tcphdr th = skb.Tcphdr;
        ref TcpSkbCb cb = ref skb.TcpCb;
        int flags = th.Flags & (TCPHDR_RST | TCPHDR_SYN | TCPHDR_ACK);
        reqStolen = false;
        TcpOptionsReceived options = RequestOptions(sk, skb, th, req, out bool pawsReject, out bool tsecrReject);

        if (cb.Seq == req.RcvIsn && flags == TCPHDR_SYN && !pawsReject)
        {
            RetransmittedSyn(sk, skb, req);
            return null;
        }

        // An ACK of something that was not sent gets its reset from the listener (RFC 9293 section 3.10.7.4, fifth).
        if ((flags & TCPHDR_ACK) != 0 && cb.AckSeq != req.SntIsn + 1)
            return sk;

        bool inWindow = TcpInWindow(cb.Seq, cb.EndSeq, req.RcvNxt, req.RcvNxt + TcpSynackWindow(req));
        if (pawsReject || tsecrReject || !inWindow)
        {
            NotAcceptable(sk, skb, req, flags, pawsReject, tsecrReject);
            return null;
        }

        // A SYN that is sent again lies before the window; without it the rest of the segment counts.
        if (cb.Seq == req.RcvIsn)
            flags &= ~TCPHDR_SYN;
        if ((flags & (TCPHDR_RST | TCPHDR_SYN)) != 0)
        {
            sk.Ipv4.TcpStatistics.Inc(TcpMib.AttemptFails);
            EmbryonicReset(sk, skb, req, flags, out reqStolen);
            return null;
        }

        if ((flags & TCPHDR_ACK) == 0)
            return null;
        return FinishHandshake(sk, skb, req, flags, options, out reqStolen);
    }

    /// <summary>Makes the full socket of a finished handshake, locked.</summary>
    [Linux("tcp_create_openreq_child")]
    public static TcpSock? TcpCreateOpenreqChild(TcpSock sk, TcpRequestSock req, SkBuff skb)
    {
        if (InetConnectionSockOps.InetCskCloneLock(sk, req) is not TcpSock newtp)
            return null;
        ForgetListener(newtp);
        InitSequences(newtp, req);
        long now = sk.Machine.Clock.Now;
        newtp.TcpClockCache = now;
        newtp.TcpMstamp = now / Clock.NsecPerUsec;
        newtp.RttMin.Reset(newtp.TcpJiffies32, uint.MaxValue);
        newtp.IcskAck.Lrcvtime = now;
        newtp.RcvTstamp = now;
        newtp.Lsndtime = now;
        newtp.SkTxhash = req.Txhash;
        newtp.TotalRetrans = req.NumRetrans;
        TcpTimer.TcpInitXmitTimers(newtp);
        if (newtp.SockFlag(SockFlags.Keepopen))
            newtp.InetCskResetKeepaliveTimer(newtp.KeepaliveTimeWhen);
        InitOptions(newtp, req, skb);
        if (req.NumTimeout != 0)
            NoteTimeouts(newtp, req);
        newtp.Tsoffset = req.TsOff;
        if (skb.Len >= TCP_MSS_DEFAULT + newtp.TcpHeaderLen)
            newtp.IcskAck.LastSegSize = skb.Len - newtp.TcpHeaderLen;
        newtp.RxOpt.MssClamp = req.Mss;
        newtp.EcnFlags = req.EcnOk ? TCP_ECN_OK : (byte)0;
        sk.Ipv4.TcpStatistics.Inc(TcpMib.PassiveOpens);
        return newtp;
    }

    /// <summary>Gives the segment that finished the handshake to the child, which is unlocked then.</summary>
    /// <param name="parent">The listener.</param>
    /// <param name="child">The child, locked, with a reference of the caller's that is given back.</param>
    /// <param name="skb">The segment.</param>
    /// <returns>0, or non-zero when the child answers with a reset: the segment stays the caller's.</returns>
    [Linux("tcp_child_process")]
    public static int TcpChildProcess(Sock parent, TcpSock child, SkBuff skb)
    {
        int reason = 0;
        int state = child.SkState;
        TcpInput.TcpSegsIn(child, skb);
        if (!child.SockOwnedByUser)
        {
            reason = TcpInput.TcpRcvStateProcess(child, skb);
            if (state == TCP_SYN_RECV && child.SkState != state)
                parent.SkDataReady(parent);
        }
        else
        {
            // The child is in the table since a moment, so somebody can have found and owned it.
            Bug.On(child.SkAddBacklog(skb, int.MaxValue) != 0);
        }

        child.BhUnlockSock();
        child.SockPut();
        return reason;
    }

    private static TcpOptionsReceived RequestOptions(
        TcpSock sk, SkBuff skb, Tcphdr th, TcpRequestSock req, out bool pawsReject, out bool tsecrReject)
    {
        TcpOptionsReceived options = default;
        pawsReject = tsecrReject = false;
        if (th.Doff <= Tcphdr.Size >> 2)
            return options;
        TcpInput.TcpParseOptions(sk.SkNet, skb, ref options, estab: false);
        if (!options.SawTstamp)
            return options;
        options.TsRecent = req.TsRecent;
        if (options.RcvTsecr != 0)
        {
            if (req.TstampOk)
                tsecrReject = !TcpSeq.Between(options.RcvTsecr, req.SntTsvalFirst, req.SntTsvalLast);
            options.RcvTsecr -= req.TsOff;
        }

        // When the timestamp came is not kept, but the timeouts tell about how long ago it was.
        long now = NowSeconds(sk.SkNet);
        long age = Math.Min(req.Timeout << Math.Min((int)req.NumTimeout, 30), TCP_RTO_MAX) / Clock.NsecPerSec;
        options.TsRecentStamp = now - age;
        pawsReject = TcpSock.TcpPawsReject(options, th.Rst, now);
        return options;
    }

    private static void RetransmittedSyn(TcpSock sk, SkBuff skb, TcpRequestSock req)
    {
        if (TcpInput.TcpOowRateLimited(sk.SkNet, skb, LinuxMib.TCPACKSkippedSynRecv, ref req.LastOowAckTime))
            return;
        if (TcpOutput.TcpRtxSynack(sk, req) != 0 || !req.RskTimer!.Pending)
            return;
        long timeout = Math.Min(req.Timeout << Math.Min((int)req.NumTimeout, 30), TCP_RTO_MAX);
        req.RskTimer.Mod(sk.Machine.Clock.Now + timeout);
    }

    private static void NotAcceptable(
        TcpSock sk, SkBuff skb, TcpRequestSock req, int flags, bool pawsReject, bool tsecrReject)
    {
        if ((flags & TCPHDR_RST) == 0
            && !TcpInput.TcpOowRateLimited(sk.SkNet, skb, LinuxMib.TCPACKSkippedSynRecv, ref req.LastOowAckTime))
        {
            req.RskOps.SendAck(sk, skb, req);
        }

        sk.NetIncStats(
            pawsReject ? LinuxMib.PAWSEstab : tsecrReject ? LinuxMib.TSEcrRejected : LinuxMib.BeyondWindow);
    }

    private static Sock? FinishHandshake(
        TcpSock sk, SkBuff skb, TcpRequestSock req, int flags, in TcpOptionsReceived options, out bool reqStolen)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        reqStolen = false;
        if (req.NumTimeout < sk.IcskAcceptQueue!.RskqDeferAccept && cb.EndSeq == req.RcvIsn + 1)
        {
            req.Acked = true;
            sk.NetIncStats(LinuxMib.TCPDeferAcceptDrop);
            return null;
        }

        uint seq = cb.Seq;
        if (sk.IcskAfOps.SynRecvSock(sk, skb, req, null, req, out bool ownReq) is not TcpSock child)
        {
            if (sk.Ipv4.SysctlTcpAbortOnOverflow)
                EmbryonicReset(sk, skb, req, flags, out reqStolen);
            else
                req.Acked = true;
            return null;
        }

        if (ownReq && options.SawTstamp && !TcpSeq.After(seq, req.RcvNxt))
            child.RxOpt.TsRecent = options.RcvTsval;
        TcpInput.TcpSynackRttMeas(child, req);
        reqStolen = !ownReq;
        return InetConnectionSockOps.InetCskCompleteHashdance(sk, child, req, ownReq);
    }

    private static void EmbryonicReset(TcpSock sk, SkBuff skb, TcpRequestSock req, int flags, out bool reqStolen)
    {
        if ((flags & TCPHDR_RST) == 0)
            req.RskOps.SendReset(sk, skb);
        bool unlinked = InetConnectionSockOps.InetCskReqskQueueDrop(sk, req);
        if (unlinked)
            sk.NetIncStats(LinuxMib.EmbryonicRsts);
        reqStolen = !unlinked;
    }

    // The copy of a listener has the listener's options and congestion control, but none of its history.
    private static void ForgetListener(TcpSock newtp)
    {
        newtp.RtxQueue = default;
        newtp.TsortedSentQueue = default;
        newtp.OutOfOrderQueue = default;
        newtp.TcpClearAllRetransHints();
        newtp.TsqFlags = TcpTsqFlags.None;
        newtp.TsqState = 0;
        newtp.TsqNext = null;
        newtp.PacingTimer = null;
        newtp.PredFlags = 0;
        newtp.SavedSyn = null;
        newtp.LastOowAckTime = 0;
        newtp.IcskCaPriv = null;
        newtp.IcskCaInitialized = false;
    }

    private static void InitSequences(TcpSock newtp, TcpRequestSock req)
    {
        newtp.RcvWup = newtp.CopiedSeq = newtp.RcvNxt = req.RcvIsn + 1;
        newtp.SegsIn = 1;
        newtp.SndSml = newtp.SndUna = newtp.SndNxt = newtp.SndUp = req.SntIsn + 1;
        newtp.WriteSeq = newtp.PushedSeq = req.SntIsn + 1;
        newtp.TcpInitWl(req.RcvIsn);
    }

    private static void InitOptions(TcpSock newtp, TcpRequestSock req, SkBuff skb)
    {
        newtp.RxOpt.TstampOk = req.TstampOk;
        newtp.RxOpt.SackOk = req.SackOk;
        newtp.WindowClamp = req.RskWindowClamp;
        newtp.RcvSsthresh = req.RskRcvWnd;
        newtp.RcvWnd = req.RskRcvWnd;
        newtp.RxOpt.WscaleOk = req.WscaleOk;
        newtp.RxOpt.SndWscale = req.WscaleOk ? req.SndWscale : (byte)0;
        newtp.RxOpt.RcvWscale = req.WscaleOk ? req.RcvWscale : (byte)0;
        if (!req.WscaleOk)
            newtp.WindowClamp = Math.Min(newtp.WindowClamp, 65535);
        newtp.SndWnd = (uint)skb.Tcphdr.Window << newtp.RxOpt.SndWscale;
        newtp.MaxWindow = newtp.SndWnd;
        newtp.RxOpt.TsRecent = req.TstampOk ? req.TsRecent : 0;
        newtp.RxOpt.TsRecentStamp = req.TstampOk ? NowSeconds(newtp.SkNet) : 0;
        newtp.TcpHeaderLen = (ushort)(Tcphdr.Size + (req.TstampOk ? TCPOLEN_TSTAMP_ALIGNED : 0));
    }

    private static void NoteTimeouts(TcpSock newtp, TcpRequestSock req)
    {
        newtp.TotalRto = req.NumTimeout;
        newtp.UndoMarker = req.SntIsn;
        newtp.RetransStamp = (uint)(req.SntSynack / 1000);
        newtp.TotalRtoTime = newtp.TcpJiffies32 - newtp.RetransStamp;
        newtp.TotalRtoRecoveries = 1;
    }
}
