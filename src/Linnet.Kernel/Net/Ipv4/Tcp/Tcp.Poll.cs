using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>What is ready, and the small requests.</content>
public static partial class Tcp
{
    /// <summary>Says what is ready and registers for what is not; takes no lock.</summary>
    [Linux("tcp_poll")]
    public static uint TcpPoll(File? file, Socket sock, PollTable? wait)
    {
        TcpSock tp = TcpSock.Of(sock.Sk!);
        wait?.PollWait(file, sock.Wq.Wait);
        int state = tp.SkState;
        if (state == TCP_LISTEN)
            return tp.IcskAcceptQueue!.IsEmpty ? 0u : EPOLLIN | EPOLLRDNORM;

        uint mask = 0;
        byte shutdown = tp.SkShutdown;
        if (shutdown == Sock.SHUTDOWN_MASK || state == TCP_CLOSE)
            mask |= EPOLLHUP;
        if ((shutdown & Sock.RCV_SHUTDOWN) != 0)
            mask |= EPOLLIN | EPOLLRDNORM | EPOLLRDHUP;
        if (state is not (TCP_SYN_SENT or TCP_SYN_RECV))
        {
            ushort urgData = tp.UrgData;
            if (TcpStreamIsReadable(tp, urgData))
                mask |= EPOLLIN | EPOLLRDNORM;
            if ((shutdown & Sock.SEND_SHUTDOWN) != 0 || PollWriteable(tp))
                mask |= EPOLLOUT | EPOLLWRNORM;
            if ((urgData & TCP_URG_VALID) != 0)
                mask |= EPOLLPRI;
        }

        if (Volatile.Read(ref tp.SkErr) != 0 || tp.SkErrorQueue.First != null)
            mask |= EPOLLERR;
        return mask;
    }

    /// <summary>
    /// Whether a reader that waits for <paramref name="target"/> bytes has to be woken (<c>tcp_epollin_ready</c>).
    /// </summary>
    public static bool TcpEpollinReady(TcpSock tp, int target)
    {
        int avail = (int)(Volatile.Read(ref tp.RcvNxt) - Volatile.Read(ref tp.CopiedSeq));
        if (avail <= 0)
            return false;
        // A reader that waited on while the window is closed would wait for ever.
        return avail >= target || TcpRmemPressure(tp) || tp.TcpReceiveWindow <= tp.IcskAck.RcvMss;
    }

    /// <summary><c>SIOCINQ</c>, <c>SIOCATMARK</c>, <c>SIOCOUTQ</c>, <c>SIOCOUTQNSD</c>.</summary>
    /// <returns>0, -EINVAL on a listener, -EFAULT, -ENOIOCTLCMD for what TCP does not know.</returns>
    [Linux("tcp_ioctl")]
    public static int TcpIoctl(TcpSock tp, uint cmd, Sockptr arg)
    {
        if (cmd == SIOCATMARK)
            return arg.Put(tp.UrgData != 0 && tp.UrgSeq == tp.CopiedSeq ? 1 : 0);
        if (cmd is not (SIOCINQ or SIOCOUTQ or SIOCOUTQNSD))
            return -ENOIOCTLCMD;
        if (tp.SkState == TCP_LISTEN)
            return -EINVAL;
        if (cmd == SIOCINQ)
        {
            tp.LockSock();
            int inq = TcpInq(tp);
            tp.ReleaseSock();
            return arg.Put(inq);
        }

        uint from = cmd == SIOCOUTQ ? tp.SndUna : tp.SndNxt;
        bool handshake = tp.SkState is TCP_SYN_SENT or TCP_SYN_RECV;
        return arg.Put(handshake ? 0 : (int)(Volatile.Read(ref tp.WriteSeq) - from));
    }

    /// <summary>Zero-copy receiving is not offered: as on a kernel without an MMU.</summary>
    [Linux("tcp_mmap")]
    public static int TcpMmap(File file, Socket sock, long length, int prot) => -ENODEV;

    private static bool TcpStreamIsReadable(TcpSock tp, ushort urgData)
    {
        int target = Math.Max(1, tp.SkRcvlowat);
        if (urgData != 0 && tp.UrgSeq == tp.CopiedSeq && !tp.SockFlag(SockFlags.Urginline))
            target++;
        return TcpEpollinReady(tp, target);
    }

    private static bool PollWriteable(TcpSock tp)
    {
        if (SkStream.SkStreamIsWriteable(tp, 1))
            return true;
        if (tp.SkWq is { } wq)
            wq.AsyncNospace = true;
        tp.SockSetFlag(SockFlags.Nospace);
        // Room that came before the flag was set would not wake anybody.
        Interlocked.MemoryBarrier();
        return SkStream.SkStreamIsWriteable(tp, 1);
    }

    private static bool TcpRmemPressure(TcpSock tp)
    {
        if (tp.SkUnderMemoryPressure)
            return true;
        int rcvbuf = tp.SkRcvbuf;
        return Volatile.Read(ref tp.SkRmemAlloc) > rcvbuf - (rcvbuf >> 3);
    }
}
