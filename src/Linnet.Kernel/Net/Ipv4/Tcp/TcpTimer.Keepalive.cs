using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Keepalive (RFC 9293 3.8.4), and FIN_WAIT2 of connections without a socket.</content>
public static partial class TcpTimer
{
    /// <summary>Keepalive was switched on or off (<c>SO_KEEPALIVE</c>).</summary>
    [Linux("tcp_set_keepalive")]
    public static void TcpSetKeepalive(TcpSock tp, bool on)
    {
        if ((1 << tp.SkcState & (TCPF_CLOSE | TCPF_LISTEN)) != 0)
            return;
        if (on && !tp.SockFlag(SockFlags.Keepopen))
            tp.InetCskResetKeepaliveTimer(tp.KeepaliveTimeWhen);
        else if (!on)
            tp.InetCskDeleteKeepaliveTimer();
    }

    [Linux("tcp_keepalive_timer")]
    private static void TcpKeepaliveTimer(object data)
    {
        var tp = (TcpSock)data;
        tp.BhLockSock();
        if (tp.SockOwnedByUser)
        {
            tp.InetCskResetKeepaliveTimer(50 * Clock.NsecPerMsec);
        }
        else
        {
            TcpOutput.TcpMstampRefresh(tp);
            if (tp.SkcState == TCP_FIN_WAIT2 && tp.SockFlag(SockFlags.Dead))
                EndFinWait2(tp);
            else if (tp.SockFlag(SockFlags.Keepopen)
                && (1 << tp.SkcState & (TCPF_CLOSE | TCPF_SYN_SENT | TCPF_LISTEN)) == 0)
                Keepalive(tp);
        }

        tp.BhUnlockSock();
        tp.SockPut();
    }

    // The first minute of a long FIN_WAIT2 is over, or the user wants none.
    private static void EndFinWait2(TcpSock tp)
    {
        if (tp.Linger2 >= 0)
        {
            long left = tp.TcpFinTime - TCP_TIMEWAIT_LEN;
            if (left > 0)
            {
                TcpMinisocks.TcpTimeWait(tp, TCP_FIN_WAIT2, left);
                return;
            }
        }

        TcpOutput.TcpSendActiveReset(tp);
        Tcp.TcpDone(tp);
    }

    private static void Keepalive(TcpSock tp)
    {
        long next = tp.KeepaliveTimeWhen;

        // Data that is on its way has timers of its own.
        if (tp.PacketsOut == 0 && tp.TcpWriteQueueEmpty)
        {
            long elapsed = tp.KeepaliveTimeElapsed(tp.TcpClockCache);
            if (elapsed < next)
            {
                next -= elapsed;
            }
            else
            {
                if (KeepaliveFailed(tp, elapsed))
                {
                    TcpOutput.TcpSendActiveReset(tp);
                    TcpWriteErr(tp);
                    return;
                }

                next = TCP_RESOURCE_PROBE_INTERVAL;
                if (TcpOutput.TcpWriteWakeup(tp, LinuxMib.TCPKeepAlive) <= 0)
                {
                    tp.IcskProbesOut++;
                    next = tp.KeepaliveIntvlWhen;
                }
            }
        }

        tp.InetCskResetKeepaliveTimer(next);
    }

    // TCP_USER_TIMEOUT takes precedence over the number of probes (RFC 5482 4.2).
    private static bool KeepaliveFailed(TcpSock tp, long elapsed) => tp.IcskUserTimeout != 0
        ? elapsed >= tp.IcskUserTimeout * Clock.NsecPerMsec && tp.IcskProbesOut > 0
        : tp.IcskProbesOut >= tp.KeepaliveProbesMax;
}
