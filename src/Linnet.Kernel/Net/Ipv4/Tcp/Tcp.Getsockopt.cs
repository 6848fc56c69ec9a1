using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Reading the options of level <c>SOL_TCP</c>.</content>
public static partial class Tcp
{
    /// <summary>Reads an option of TCP, or hands the request to the network layer.</summary>
    [Linux("tcp_getsockopt")]
    public static int TcpGetsockopt(TcpSock tp, int level, int optname, Sockptr optval, Sockptr optlen) =>
        level == SOL_TCP
            ? DoTcpGetsockopt(tp, optname, optval, optlen)
            : tp.IcskAfOps.Getsockopt(tp, level, optname, optval, optlen);

    [Linux("do_tcp_getsockopt")]
    private static int DoTcpGetsockopt(TcpSock tp, int optname, Sockptr optval, Sockptr optlen)
    {
        if (optlen.Get(out int len) != 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        switch (optname)
        {
            case TCP_INFO:
                TcpGetInfo(tp, out TcpInfo info);
                return PutValue(optval, optlen, len, Bytes(in info));
            case TCP_CC_INFO:
                Span<byte> ccInfo = stackalloc byte[64];
                tp.LockSock();
                int size = tp.IcskCaOps.GetInfo(tp, ccInfo);
                tp.ReleaseSock();
                return PutValue(optval, optlen, len, ccInfo[..size]);
            case TCP_CONGESTION:
                Span<byte> name = stackalloc byte[TCP_CA_NAME_MAX];
                name.Clear();
                Encoding.Latin1.GetBytes(tp.IcskCaOps.Name, name);
                return PutValue(optval, optlen, len, name);
            case TCP_ULP:
                // No upper layer protocol is ever attached.
                return PutValue(optval, optlen, len, []);
            case TCP_SAVED_SYN:
                return GetSavedSyn(tp, optval, optlen, len);
        }

        int err = GetInt(tp, optname, out int val);
        return err != 0 ? err : PutValue(optval, optlen, len, Bytes(in val));
    }

    private static int GetInt(TcpSock tp, int optname, out int val)
    {
        val = 0;
        NetnsIpv4 ipv4 = tp.Ipv4;
        switch (optname)
        {
            case TCP_MAXSEG:
                bool user = tp.RxOpt.UserMss != 0 && tp.SkState is TCP_CLOSE or TCP_LISTEN;
                val = user && tp.RxOpt.UserMss != 0 ? tp.RxOpt.UserMss : tp.MssCache;
                break;
            case TCP_NODELAY:
                val = (tp.Nonagle & TCP_NAGLE_OFF) != 0 ? 1 : 0;
                break;
            case TCP_CORK:
                val = (tp.Nonagle & TCP_NAGLE_CORK) != 0 ? 1 : 0;
                break;
            case TCP_KEEPIDLE:
                val = (int)(tp.KeepaliveTimeWhen / Clock.NsecPerSec);
                break;
            case TCP_KEEPINTVL:
                val = (int)(tp.KeepaliveIntvlWhen / Clock.NsecPerSec);
                break;
            case TCP_KEEPCNT:
                val = tp.KeepaliveProbesMax;
                break;
            case TCP_SYNCNT:
                val = tp.IcskSynRetries != 0 ? tp.IcskSynRetries : ipv4.SysctlTcpSynRetries;
                break;
            case TCP_LINGER2:
                val = tp.Linger2 < 0 ? -1 : tp.Linger2 != 0 ? (int)(tp.Linger2 / Clock.NsecPerSec) : ipv4.SysctlTcpFinTimeout;
                break;
            case TCP_DEFER_ACCEPT:
                val = RetransToSecs(tp.IcskAcceptQueue?.RskqDeferAccept ?? 0);
                break;
            case TCP_WINDOW_CLAMP:
                val = (int)tp.WindowClamp;
                break;
            case TCP_QUICKACK:
                val = tp.InetCskInPingpongMode ? 0 : 1;
                break;
            default:
                return GetMoreInts(tp, optname, out val);
        }

        return 0;
    }

    private static int GetMoreInts(TcpSock tp, int optname, out int val)
    {
        val = 0;
        switch (optname)
        {
            case TCP_THIN_LINEAR_TIMEOUTS:
                val = tp.ThinLto ? 1 : 0;
                break;
            case TCP_THIN_DUPACK or TCP_REPAIR or TCP_IS_MPTCP:
                break;
            case TCP_USER_TIMEOUT:
                val = (int)tp.IcskUserTimeout;
                break;
            case TCP_TIMESTAMP:
                val = (int)((uint)tp.Machine.Clock.Jiffies + tp.Tsoffset) & ~1;
                break;
            case TCP_NOTSENT_LOWAT:
                val = (int)tp.NotsentLowat;
                break;
            case TCP_INQ:
                val = tp.RecvmsgInq ? 1 : 0;
                break;
            case TCP_SAVE_SYN:
                val = tp.SaveSyn;
                break;
            case TCP_RTO_MAX_MS:
                val = (int)(tp.TcpRtoMax / Clock.NsecPerMsec);
                break;
            case TCP_RTO_MIN_US:
                val = (int)(tp.IcskRtoMin / Clock.NsecPerUsec);
                break;
            case TCP_DELACK_MAX_US:
                val = (int)(tp.IcskDelackMax / Clock.NsecPerUsec);
                break;
            case TCP_REPAIR_QUEUE or TCP_QUEUE_SEQ:
                return -EINVAL;
            default:
                return -ENOPROTOOPT;
        }

        return 0;
    }

    private static int GetSavedSyn(TcpSock tp, Sockptr optval, Sockptr optlen, int len)
    {
        tp.LockSock();
        byte[] syn = tp.SavedSyn ?? [];
        int err;
        if (len < syn.Length)
        {
            err = optlen.Put(syn.Length) != 0 ? -EFAULT : -EINVAL;
        }
        else
        {
            err = PutValue(optval, optlen, len, syn);
            // It can be read once.
            if (err == 0)
                tp.SavedSyn = null;
        }

        tp.ReleaseSock();
        return err;
    }

    // As much as fits; the length tells how much that was.
    private static int PutValue(Sockptr optval, Sockptr optlen, int len, ReadOnlySpan<byte> value)
    {
        len = Math.Min(len, value.Length);
        return optlen.Put(len) != 0 || optval.CopyTo(value[..len]) != 0 ? -EFAULT : 0;
    }
}
