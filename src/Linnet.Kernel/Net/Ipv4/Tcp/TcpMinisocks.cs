using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What a segment for a TIME_WAIT socket leads to (<c>enum tcp_tw_status</c>).</summary>
public enum TcpTwStatus
{
    /// <summary>It is done with.</summary>
    Success,

    /// <summary>A reset.</summary>
    Rst,

    /// <summary>An ACK.</summary>
    Ack,

    /// <summary>A new connection in its place.</summary>
    Syn,
}

/// <summary>Connections that have no full socket yet, or none any more.</summary>
[LinuxFile("net/ipv4/tcp_minisocks.c")]
public static partial class TcpMinisocks
{
    /// <summary>Whether a segment overlaps a window (RFC 9293 section 3.10.7.4, first check).</summary>
    internal static bool TcpInWindow(uint seq, uint endSeq, uint sWin, uint eWin)
    {
        if (seq == sWin)
            return true;
        if (TcpSeq.After(endSeq, sWin) && TcpSeq.Before(seq, eWin))
            return true;
        return seq == eWin && seq == endSeq;
    }

    /// <summary>
    /// A segment came for a TIME_WAIT socket or for an orphan in FIN_WAIT2; one reference is the caller's.
    /// </summary>
    /// <param name="tw">The socket; its reference is kept for <see cref="TcpTwStatus.Ack"/>, <c>Rst</c> and <c>Syn</c>.</param>
    /// <param name="skb">The segment.</param>
    /// <param name="twIsn">Initial sequence number for a new connection in its place.</param>
    [Linux("tcp_timewait_state_process")]
    public static TcpTwStatus TcpTimewaitStateProcess(TcpTimewaitSock tw, SkBuff skb, out uint twIsn)
    {
        Tcphdr th = skb.Tcphdr;
        uint rcvNxt = tw.TwRcvNxt;
        TcpOptionsReceived options = default;
        bool pawsReject = false;
        twIsn = 0;
        if (th.Doff > Tcphdr.Size >> 2 && tw.TwTsRecentStamp != 0)
        {
            TcpInput.TcpParseOptions(tw.SkcNet, skb, ref options, estab: false);
            if (options.SawTstamp)
            {
                if (options.RcvTsecr != 0)
                    options.RcvTsecr -= tw.TwTsOffset;
                options.TsRecent = tw.TwTsRecent;
                options.TsRecentStamp = tw.TwTsRecentStamp;
                pawsReject = TcpSock.TcpPawsReject(options, th.Rst, NowSeconds(tw.SkcNet));
            }
        }

        if (tw.TwSubstate == TCP_FIN_WAIT2)
            return FinWait2(tw, skb, th, options, rcvNxt, pawsReject);

        ref TcpSkbCb cb = ref skb.TcpCb;
        if (!pawsReject && cb.Seq == rcvNxt && (cb.Seq == cb.EndSeq || th.Rst))
            return InWindow(tw, th, options);

        // RFC 9293 section 3.6.1: a new SYN may begin the connection anew when its sequence number or timestamp is
        // higher.
        if (th.Syn && !th.Rst && !th.Ack && !pawsReject
            && (TcpSeq.After(cb.Seq, rcvNxt) || (options.SawTstamp && (int)(tw.TwTsRecent - options.RcvTsval) < 0)))
        {
            twIsn = tw.TwSndNxt + 65535 + 2;
            if (twIsn == 0)
                twIsn = 1;
            return TcpTwStatus.Syn;
        }

        return OutOfWindow(tw, skb, th, pawsReject);
    }

    /// <summary>A connection is closed on both sides: a small TIME_WAIT socket takes its place.</summary>
    /// <param name="tp">The connection; it is done afterwards.</param>
    /// <param name="state"><c>TCP_TIME_WAIT</c>, or <c>TCP_FIN_WAIT2</c> for an orphan that waits for the peer's FIN.</param>
    /// <param name="timeo">How long FIN_WAIT2 lasts, in ns.</param>
    [Linux("tcp_time_wait")]
    public static void TcpTimeWait(TcpSock tp, int state, long timeo)
    {
        TcpTimewaitSock tw = new();
        if (InetTimewaitSock.InetTwskAlloc(tw, tp, state))
        {
            tw.TwMark = tp.SkMark;
            tw.TwPriority = tp.SkPriority;
            tw.TwTxhash = tp.SkTxhash;
            tw.TwRcvWscale = tp.RxOpt.RcvWscale;
            tw.TwEntryStamp = tp.Machine.Clock.Jiffies;
            tw.TwRcvNxt = tp.RcvNxt;
            tw.TwSndNxt = tp.SndNxt;
            tw.TwRcvWnd = tp.TcpReceiveWindow;
            tw.TwTsRecent = tp.RxOpt.TsRecent;
            tw.TwTsRecentStamp = tp.RxOpt.TsRecentStamp;
            tw.TwTsOffset = tp.Tsoffset;
            long rto = (tp.IcskRto << 2) - (tp.IcskRto >> 1);
            timeo = state == TCP_TIME_WAIT ? TCP_TIMEWAIT_LEN : Math.Max(timeo, rto);
            InetTimewaitSock.InetTwskHashdanceSchedule(tw, tp, timeo);
        }
        else
        {
            // With too many of them the peer has to live without an answer.
            tp.NetIncStats(LinuxMib.TCPTimeWaitOverflow);
        }

        TcpMetrics.TcpUpdateMetrics(tp);
        Tcp.TcpDone(tp);
    }

    /// <summary>
    /// Seconds by which the ages of timestamps are counted (<c>ktime_get_seconds</c>), from 1 at boot: 0 says never.
    /// </summary>
    internal static long NowSeconds(NetNamespace net) => net.Machine.Clock.Now / Clock.NsecPerSec + 1;

    // The checks of tcp_rcv_state_process for this state.
    private static TcpTwStatus FinWait2(
        TcpTimewaitSock tw, SkBuff skb, Tcphdr th, in TcpOptionsReceived options, uint rcvNxt, bool pawsReject)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (pawsReject || !TcpInWindow(cb.Seq, cb.EndSeq, rcvNxt, rcvNxt + tw.TwRcvWnd))
            return TcpTimewaitCheckOowRateLimit(tw, skb, LinuxMib.TCPACKSkippedFinWait2);
        if (th.Rst)
            return Kill(tw);
        if (th.Syn && !TcpSeq.Before(cb.Seq, rcvNxt))
            return TcpTwStatus.Rst;
        if (!th.Ack || !TcpSeq.After(cb.EndSeq, rcvNxt) || cb.EndSeq == cb.Seq)
            return Ignore(tw);
        // Data that nobody can read any more, or the FIN that was waited for.
        if (!th.Fin || cb.EndSeq != rcvNxt + 1)
            return TcpTwStatus.Rst;

        tw.TwSubstate = TCP_TIME_WAIT;
        tw.TwRcvNxt = cb.EndSeq;
        if (options.SawTstamp)
        {
            tw.TwEntryStamp = tw.SkcNet.Machine.Clock.Jiffies;
            tw.TwTsRecentStamp = NowSeconds(tw.SkcNet);
            tw.TwTsRecent = options.RcvTsval;
        }

        InetTimewaitSock.InetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
        return TcpTwStatus.Ack;
    }

    private static TcpTwStatus InWindow(TcpTimewaitSock tw, Tcphdr th, in TcpOptionsReceived options)
    {
        // RFC 1337: a reset that ends the state early can let old segments into the next connection.
        if (th.Rst)
        {
            if (!tw.SkcNet.Ipv4.SysctlTcpRfc1337)
                return Kill(tw);
        }
        else
        {
            InetTimewaitSock.InetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
        }

        if (options.SawTstamp)
        {
            tw.TwTsRecent = options.RcvTsval;
            tw.TwTsRecentStamp = NowSeconds(tw.SkcNet);
        }

        return Ignore(tw);
    }

    private static TcpTwStatus OutOfWindow(TcpTimewaitSock tw, SkBuff skb, Tcphdr th, bool pawsReject)
    {
        if (pawsReject)
            tw.SkcNet.Ipv4.NetStatistics.Inc(LinuxMib.PAWSTimewait);
        if (th.Rst)
            return Ignore(tw);
        // A SYN without ACK may be an old duplicate: it does not prolong the state.
        if (pawsReject || th.Ack)
            InetTimewaitSock.InetTwskReschedule(tw, TCP_TIMEWAIT_LEN);
        return TcpTimewaitCheckOowRateLimit(tw, skb, LinuxMib.TCPACKSkippedTimeWait);
    }

    [Linux("tcp_timewait_check_oow_rate_limit")]
    private static TcpTwStatus TcpTimewaitCheckOowRateLimit(TcpTimewaitSock tw, SkBuff skb, LinuxMib counter) =>
        TcpInput.TcpOowRateLimited(tw.SkcNet, skb, counter, ref tw.TwLastOowAckTime) ? Ignore(tw) : TcpTwStatus.Ack;

    private static TcpTwStatus Kill(TcpTimewaitSock tw)
    {
        InetTimewaitSock.InetTwskDeschedulePut(tw);
        return TcpTwStatus.Success;
    }

    private static TcpTwStatus Ignore(TcpTimewaitSock tw)
    {
        tw.InetTwskPut();
        return TcpTwStatus.Success;
    }
}
