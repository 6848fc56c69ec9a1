using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Setting the options of level <c>SOL_TCP</c>.</content>
public static partial class Tcp
{
    private const int TCP_CA_NAME_MAX = 16;
    private const int TCP_FIN_TIMEOUT_MAX_SEC = 120;
    private const int TCP_RTO_MAX_SEC = 120;

    /// <summary>Sets an option of TCP, or hands the request to the network layer.</summary>
    [Linux("tcp_setsockopt")]
    public static int TcpSetsockopt(TcpSock tp, int level, int optname, Sockptr optval, int optlen) =>
        level == SOL_TCP
            ? DoTcpSetsockopt(tp, optname, optval, optlen)
            : tp.IcskAfOps.Setsockopt(tp, level, optname, optval, optlen);

    /// <summary>Turns Nagle's algorithm off or on; socket owned.</summary>
    [Linux("__tcp_sock_set_nodelay")]
    public static void TcpSockSetNodelay(TcpSock tp, bool on)
    {
        if (!on)
        {
            tp.Nonagle &= unchecked((byte)~TCP_NAGLE_OFF);
            return;
        }

        tp.Nonagle |= TCP_NAGLE_OFF | TCP_NAGLE_PUSH;
        TcpOutput.TcpPushPendingFrames(tp);
    }

    /// <summary>Holds back what does not fill a segment, or lets it go; socket owned.</summary>
    [Linux("__tcp_sock_set_cork")]
    public static void TcpSockSetCork(TcpSock tp, bool on)
    {
        if (on)
        {
            tp.Nonagle |= TCP_NAGLE_CORK;
            return;
        }

        tp.Nonagle &= unchecked((byte)~TCP_NAGLE_CORK);
        if ((tp.Nonagle & TCP_NAGLE_OFF) != 0)
            tp.Nonagle |= TCP_NAGLE_PUSH;
        TcpOutput.TcpPushPendingFrames(tp);
    }

    /// <summary>Limits the window; 0 takes the limit away, which a closed socket only may do; socket owned.</summary>
    [Linux("tcp_set_window_clamp")]
    public static int TcpSetWindowClamp(TcpSock tp, int val)
    {
        if (val == 0)
        {
            if (tp.SkState != TCP_CLOSE)
                return -EINVAL;
            tp.WindowClamp = 0;
            return 0;
        }

        uint clamp = (uint)Math.Max(Sock.SockMinRcvbuf / 2, val);
        uint old = tp.WindowClamp;
        if (clamp == old)
            return 0;
        tp.WindowClamp = clamp;
        tp.RcvSsthresh = clamp < old
            ? Math.Min(tp.RcvSsthresh, clamp)
            : Math.Max(Math.Min(tp.RcvWnd, clamp), tp.RcvSsthresh);
        return 0;
    }

    [Linux("do_tcp_setsockopt")]
    private static int DoTcpSetsockopt(TcpSock tp, int optname, Sockptr optval, int optlen)
    {
        if (optname == TCP_CONGESTION)
            return SetCongestion(tp, optval, optlen);
        if (optlen < sizeof(int))
            return -EINVAL;
        if (optval.Get(out int val) != 0)
            return -EFAULT;
        int err = SetUnlocked(tp, optname, val);
        if (err != -ENOIOCTLCMD)
            return err;
        tp.LockSock();
        err = SetLocked(tp, optname, val);
        tp.ReleaseSock();
        return err;
    }

    private static int SetCongestion(TcpSock tp, Sockptr optval, int optlen)
    {
        if (optlen < 1)
            return -EINVAL;
        Span<byte> name = stackalloc byte[TCP_CA_NAME_MAX];
        int end = optval.CopyStringFrom(name[..Math.Min(TCP_CA_NAME_MAX - 1, optlen)]);
        if (end < 0)
            return end;
        string wanted = Encoding.Latin1.GetString(name[..end]);
        bool admin = TaskStruct.Current.NsCapable(tp.SkNet.UserNs, CAP_NET_ADMIN);
        tp.LockSock();
        int err = TcpCong.TcpSetCongestionControl(tp, wanted, load: true, admin);
        tp.ReleaseSock();
        return err;
    }

    // Single fields that timers read as they are; -ENOIOCTLCMD for the others.
    private static int SetUnlocked(TcpSock tp, int optname, int val)
    {
        switch (optname)
        {
            case TCP_SYNCNT:
                if (val is < 1 or > MAX_TCP_SYNCNT)
                    return -EINVAL;
                tp.IcskSynRetries = (byte)val;
                return 0;
            case TCP_USER_TIMEOUT:
                if (val < 0)
                    return -EINVAL;
                tp.IcskUserTimeout = (uint)val;
                return 0;
            case TCP_KEEPINTVL:
                if (val is < 1 or > MAX_TCP_KEEPINTVL)
                    return -EINVAL;
                tp.KeepaliveIntvl = val * Clock.NsecPerSec;
                return 0;
            case TCP_KEEPCNT:
                if (val is < 1 or > MAX_TCP_KEEPCNT)
                    return -EINVAL;
                tp.KeepaliveProbes = (byte)val;
                return 0;
            case TCP_LINGER2:
                tp.Linger2 = val < 0 ? -1 : Math.Min(val, TCP_FIN_TIMEOUT_MAX_SEC) * Clock.NsecPerSec;
                return 0;
            case TCP_DEFER_ACCEPT:
                (tp.IcskAcceptQueue ??= new RequestSockQueue()).RskqDeferAccept = SecsToRetrans(val);
                return 0;
            case TCP_MAXSEG:
                if (val != 0 && val is < TCP_MIN_MSS or > (int)MAX_TCP_WINDOW)
                    return -EINVAL;
                tp.RxOpt.UserMss = (ushort)val;
                return 0;
            default:
                return SetTimes(tp, optname, val);
        }
    }

    private static int SetTimes(TcpSock tp, int optname, int val)
    {
        switch (optname)
        {
            case TCP_RTO_MAX_MS:
                if (val is < 1000 or > TCP_RTO_MAX_SEC * 1000)
                    return -EINVAL;
                tp.IcskRtoMax = val * Clock.NsecPerMsec;
                return 0;
            case TCP_RTO_MIN_US:
                long rtoMin = MicrosecondsToJiffies(val);
                if (rtoMin is > TCP_RTO_MIN or < TCP_TIMEOUT_MIN)
                    return -EINVAL;
                tp.IcskRtoMin = rtoMin;
                return 0;
            case TCP_DELACK_MAX_US:
                long delackMax = MicrosecondsToJiffies(val);
                if (delackMax is > TCP_DELACK_MAX or < TCP_TIMEOUT_MIN)
                    return -EINVAL;
                tp.IcskDelackMax = delackMax;
                return 0;
            default:
                return -ENOIOCTLCMD;
        }
    }

    private static int SetLocked(TcpSock tp, int optname, int val)
    {
        switch (optname)
        {
            case TCP_NODELAY:
                TcpSockSetNodelay(tp, val != 0);
                return 0;
            case TCP_THIN_LINEAR_TIMEOUTS:
                if (val is < 0 or > 1)
                    return -EINVAL;
                tp.ThinLto = val != 0;
                return 0;
            case TCP_THIN_DUPACK:
                return val is < 0 or > 1 ? -EINVAL : 0;
            case TCP_CORK:
                TcpSockSetCork(tp, val != 0);
                return 0;
            case TCP_KEEPIDLE:
                return TcpSockSetKeepidleLocked(tp, val);
            case TCP_SAVE_SYN:
                if (val is < 0 or > 2)
                    return -EINVAL;
                tp.SaveSyn = (byte)val;
                return 0;
            case TCP_WINDOW_CLAMP:
                return TcpSetWindowClamp(tp, val);
            case TCP_QUICKACK:
                TcpSockSetQuickack(tp, val);
                return 0;
            case TCP_NOTSENT_LOWAT:
                tp.NotsentLowat = (uint)val;
                tp.SkWriteSpace(tp);
                return 0;
            case TCP_INQ:
                if (val is < 0 or > 1)
                    return -EINVAL;
                tp.RecvmsgInq = val != 0;
                return 0;
            default:
                return SetRefused(tp, optname);
        }
    }

    // Repairing connections needs a privilege that is asked for before anything else.
    private static int SetRefused(TcpSock tp, int optname)
    {
        switch (optname)
        {
            case TCP_REPAIR:
                bool may = tp.SkState != TCP_LISTEN && TaskStruct.Current.NsCapable(tp.SkNet.UserNs, CAP_NET_ADMIN);
                return may ? -ENOPROTOOPT : -EPERM;
            case TCP_REPAIR_QUEUE or TCP_REPAIR_WINDOW or TCP_TIMESTAMP:
                return -EPERM;
            case TCP_REPAIR_OPTIONS:
                return -EINVAL;
            case TCP_QUEUE_SEQ:
                return tp.SkState != TCP_CLOSE ? -EPERM : -EINVAL;
            default:
                return -ENOPROTOOPT;
        }
    }

    [Linux("tcp_sock_set_keepidle_locked")]
    private static int TcpSockSetKeepidleLocked(TcpSock tp, int val)
    {
        if (val is < 1 or > MAX_TCP_KEEPIDLE)
            return -EINVAL;
        tp.KeepaliveTime = val * Clock.NsecPerSec;
        if (tp.SockFlag(SockFlags.Keepopen) && tp.SkState is not (TCP_CLOSE or TCP_LISTEN))
        {
            long elapsed = tp.KeepaliveTimeElapsed(tp.Machine.Clock.Now);
            tp.InetCskResetKeepaliveTimer(Math.Max(0, tp.KeepaliveTime - elapsed));
        }

        return 0;
    }

    [Linux("__tcp_sock_set_quickack")]
    private static void TcpSockSetQuickack(TcpSock tp, int val)
    {
        if (val == 0)
        {
            tp.InetCskEnterPingpongMode();
            return;
        }

        tp.InetCskExitPingpongMode();
        if (tp.SkState is TCP_ESTABLISHED or TCP_CLOSE_WAIT && tp.InetCskAckScheduled)
        {
            tp.IcskAck.Pending |= InetConnectionSock.ICSK_ACK_PUSHED;
            TcpCleanupRbuf(tp, 1);
            if ((val & 1) == 0)
                tp.InetCskEnterPingpongMode();
        }
    }

    // A number of SYN-ACK timeouts that lasts at least so many seconds.
    [Linux("secs_to_retrans")]
    private static byte SecsToRetrans(int seconds)
    {
        if (seconds <= 0)
            return 0;
        int timeout = 1;
        int period = timeout;
        int res = 1;
        while (seconds > period && res < 255)
        {
            res++;
            timeout = Math.Min(timeout << 1, TCP_RTO_MAX_SEC);
            period += timeout;
        }

        return (byte)res;
    }

    [Linux("retrans_to_secs")]
    private static int RetransToSecs(int retrans)
    {
        if (retrans <= 0)
            return 0;
        int timeout = 1;
        int period = timeout;
        while (--retrans > 0)
        {
            timeout = Math.Min(timeout << 1, TCP_RTO_MAX_SEC);
            period += timeout;
        }

        return period;
    }

    // Whole milliseconds, rounded up, as Linux's timers count; negative values become very long times.
    private static long MicrosecondsToJiffies(int us) => ((long)(uint)us + 999) / 1000 * Clock.NsecPerMsec;

    private static ReadOnlySpan<byte> Bytes<T>(in T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value));
}
