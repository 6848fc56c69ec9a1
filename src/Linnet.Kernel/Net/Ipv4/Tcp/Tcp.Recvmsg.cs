using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Receiving: from the receive queue into the caller's memory, and the window that opens by it.</content>
public static partial class Tcp
{
    /// <summary>Reads what is there.</summary>
    /// <param name="tp">The socket, not locked.</param>
    /// <param name="msg">Where to.</param>
    /// <param name="size">Most bytes.</param>
    /// <param name="flags"><c>MSG_PEEK</c>, <c>MSG_TRUNC</c>, <c>MSG_OOB</c>, <c>MSG_ERRQUEUE</c>, <c>MSG_WAITALL</c>.</param>
    /// <returns>Bytes; 0 at the end of the stream; -EAGAIN when there is nothing, or another negative errno.</returns>
    [Linux("tcp_recvmsg")]
    public static long TcpRecvmsg(TcpSock tp, MsgHdr msg, long size, int flags)
    {
        if ((flags & MSG_ERRQUEUE) != 0)
            return IpSockglue.IpRecvError(tp, msg, size);
        tp.LockSock();
        long stamp = 0;
        long result = TcpRecvmsgLocked(tp, msg, (int)Math.Min(size, int.MaxValue), flags, ref stamp);
        int inq = result >= 0 && tp.RecvmsgInq ? TcpInqHint(tp) : 0;
        tp.ReleaseSock();
        if (result < 0)
            return result;
        if (stamp != 0)
            TcpRecvTimestamp(tp, msg, stamp);
        if (tp.RecvmsgInq)
            msg.PutCmsg(SOL_TCP, TCP_CM_INQ, System.Runtime.InteropServices.MemoryMarshal.AsBytes(new ReadOnlySpan<int>(in inq)));
        return result;
    }

    /// <summary>Hands received data to <paramref name="actor"/> without copying; socket owned.</summary>
    /// <returns>Bytes consumed, 0 when there were none, -ENOTCONN on a listener, or what the actor answered.</returns>
    [Linux("tcp_read_sock")]
    public static int TcpReadSock(Sock sk, ReadActor actor)
    {
        TcpSock tp = TcpSock.Of(sk);
        if (tp.SkState == TCP_LISTEN)
            return -ENOTCONN;
        uint seq = tp.CopiedSeq;
        int copied = 0;
        while (TcpRecvSkb(tp, seq, out int offset) is { } skb)
        {
            if (offset < skb.Len)
            {
                ReadOnlySpan<byte> piece = skb.SpanAt(offset);
                if (tp.UrgData != 0 && tp.UrgSeq - seq < piece.Length)
                    piece = piece[..(int)(tp.UrgSeq - seq)];
                if (piece.IsEmpty)
                    break;
                int used = actor(piece);
                if (used <= 0)
                {
                    if (copied == 0)
                        copied = used;
                    break;
                }

                Bug.On(used > piece.Length);
                seq += (uint)used;
                copied += used;
                offset += used;
                if (offset < skb.Len)
                {
                    if (used < piece.Length)
                        break;
                    continue;
                }
            }

            bool fin = (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0;
            TcpEatRecvSkb(tp, skb);
            if (fin)
            {
                seq++;
                break;
            }

            tp.CopiedSeq = seq;
        }

        FinishRead(tp, seq, copied);
        return copied;
    }

    /// <summary>
    /// Hands whole received packets to <paramref name="actor"/>, which takes them over; socket owned.
    /// </summary>
    [Linux("tcp_read_skb")]
    public static int TcpReadSkb(Sock sk, Func<Sock, SkBuff, int> actor)
    {
        TcpSock tp = TcpSock.Of(sk);
        if (tp.SkState == TCP_LISTEN)
            return -ENOTCONN;
        int copied = 0;
        while (tp.SkReceiveQueue.Dequeue() is { } skb)
        {
            skb.Orphan();
            bool fin = (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0;
            int used = actor(sk, skb);
            if (used < 0)
                return copied == 0 ? used : copied;
            copied += used;
            if (fin)
                break;
        }

        return copied;
    }

    /// <summary>Bytes that the next read could return.</summary>
    [Linux("tcp_peek_len")]
    public static int TcpPeekLen(Socket sock) => TcpInq(TcpSock.Of(sock.Sk!));

    /// <summary>Sets <c>SO_RCVLOWAT</c>, and makes the buffer large enough for it; socket owned.</summary>
    [Linux("tcp_set_rcvlowat")]
    public static int TcpSetRcvlowat(Sock sk, int val)
    {
        TcpSock tp = TcpSock.Of(sk);
        bool fixedSize = (tp.SkUserlocks & SockUserLocks.Rcvbuf) != 0;
        int cap = (fixedSize ? tp.SkRcvbuf : tp.Ipv4.SysctlTcpRmem[2]) >> 1;
        val = Math.Min(val, cap);
        tp.SkRcvlowat = val == 0 ? 1 : val;
        TcpInput.TcpDataReady(tp);
        if (fixedSize)
            return 0;
        int space = tp.TcpSpaceFromWin(val);
        if (space > tp.SkRcvbuf)
        {
            tp.SkRcvbuf = space;
            if (tp.WindowClamp != 0 && tp.WindowClamp < val)
                tp.WindowClamp = (uint)val;
        }

        return 0;
    }

    /// <summary>Data was read: sends an ACK that is due, or one that opens the window again.</summary>
    [Linux("__tcp_cleanup_rbuf")]
    public static void TcpCleanupRbuf(TcpSock tp, long copied)
    {
        bool timeToAck = false;
        if (tp.InetCskAckScheduled)
        {
            byte pending = tp.IcskAck.Pending;
            bool pushed = (pending & InetConnectionSock.ICSK_ACK_PUSHED2) != 0
                || ((pending & InetConnectionSock.ICSK_ACK_PUSHED) != 0 && !tp.InetCskInPingpongMode);
            timeToAck = tp.RcvNxt - tp.RcvWup > tp.IcskAck.RcvMss
                || (copied > 0 && pushed && Volatile.Read(ref tp.SkRmemAlloc) == 0);
        }

        // RFC 9293 section 3.8.6.2.2: a window is offered again once it grew by much; here, to twice its size.
        if (copied > 0 && !timeToAck && (tp.SkShutdown & Sock.RCV_SHUTDOWN) == 0)
        {
            uint windowNow = tp.TcpReceiveWindow;
            if (2 * windowNow <= tp.WindowClamp)
            {
                uint newWindow = TcpOutput.TcpSelectWindowCore(tp);
                timeToAck = newWindow != 0 && newWindow >= 2 * windowNow;
            }
        }

        if (timeToAck)
        {
            TcpOutput.TcpMstampRefresh(tp);
            TcpOutput.TcpSendAck(tp);
        }
    }

    /// <summary>Bytes that wait to be read, up to urgent data (<c>tcp_inq</c>).</summary>
    internal static int TcpInq(TcpSock tp)
    {
        if (tp.SkState is TCP_SYN_SENT or TCP_SYN_RECV)
            return 0;
        bool urgent = !tp.SockFlag(SockFlags.Urginline) && tp.UrgData != 0
            && !TcpSeq.Before(tp.UrgSeq, tp.CopiedSeq) && TcpSeq.Before(tp.UrgSeq, tp.RcvNxt);
        if (urgent)
            return (int)(tp.UrgSeq - tp.CopiedSeq);
        int answer = (int)(tp.RcvNxt - tp.CopiedSeq);
        // The FIN takes a sequence number, but is no byte.
        return answer != 0 && tp.SockFlag(SockFlags.Done) ? answer - 1 : answer;
    }

    [Linux("tcp_recvmsg_locked")]
    private static long TcpRecvmsgLocked(TcpSock tp, MsgHdr msg, int len, int flags, ref long stamp)
    {
        if (tp.SkState == TCP_LISTEN)
            return -ENOTCONN;
        if ((flags & MSG_OOB) != 0)
            return TcpRecvUrg(tp, msg, len, flags);
        bool peek = (flags & MSG_PEEK) != 0;
        uint seq = tp.CopiedSeq;
        if (peek)
            seq += (uint)Math.Max(tp.SkPeekOff, 0);
        long copied = 0;
        do
        {
            if (tp.UrgData != 0 && tp.UrgSeq == seq)
            {
                if (copied != 0)
                    break;
                if (Cpu.This.Task is { SignalPending: true })
                    return -EAGAIN;
            }

            SkBuff? skb = TcpRecvSkb(tp, seq, out int offset);
            if (skb == null)
            {
                if (tp.SkFlushBacklog())
                    continue;
                if (copied == 0)
                    copied = NothingToRead(tp);
                break;
            }

            if (offset < skb.Len && !ReadFrom(tp, skb, offset, msg, flags, ref len, ref seq, ref copied, ref stamp))
                break;
            offset = (int)(seq - skb.TcpCb.Seq);
            if (offset < skb.Len)
                continue;
            if ((skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0)
            {
                seq++;
                if (!peek)
                {
                    tp.CopiedSeq = seq;
                    TcpEatRecvSkb(tp, skb);
                }

                break;
            }

            if (!peek)
                TcpEatRecvSkb(tp, skb);
        }
        while (len > 0);

        TcpCleanupRbuf(tp, copied);
        return copied;
    }

    // Copies what one packet has; returns false when the caller's memory failed.
    private static bool ReadFrom(
        TcpSock tp, SkBuff skb, int offset, MsgHdr msg, int flags, ref int len, ref uint seq, ref long copied, ref long stamp)
    {
        bool peek = (flags & MSG_PEEK) != 0;
        int used = Math.Min(skb.Len - offset, len);
        bool skipCopy = false;
        if (tp.UrgData != 0 && tp.UrgSeq - seq < (uint)used)
        {
            uint urgOffset = tp.UrgSeq - seq;
            if (urgOffset != 0)
            {
                // The read ends before the urgent byte.
                used = (int)urgOffset;
            }
            else if (!tp.SockFlag(SockFlags.Urginline))
            {
                // The urgent byte is not in the stream.
                seq++;
                offset++;
                used--;
                skipCopy = used == 0;
            }
        }

        if (!skipCopy)
        {
            if ((flags & MSG_TRUNC) == 0 && skb.CopyDatagramIter(offset, ref msg.MsgIter, used) != 0)
            {
                if (copied == 0)
                    copied = -EFAULT;
                return false;
            }

            seq += (uint)used;
            copied += used;
            len -= used;
            tp.SkPeekOffsetBwd(peek ? -used : used);
        }

        if (!peek)
            tp.CopiedSeq = seq;
        if (!skipCopy)
            TcpInput.TcpRcvSpaceAdjust(tp);
        if (tp.UrgData != 0 && TcpSeq.After(tp.CopiedSeq, tp.UrgSeq))
        {
            tp.UrgData = 0;
            tp.TcpFastPathCheck();
        }

        if (skb.TcpCb.HasRxtstamp)
            stamp = skb.Tstamp;
        return true;
    }

    // What a read returns that finds nothing.
    private static int NothingToRead(TcpSock tp)
    {
        if (tp.SockFlag(SockFlags.Done))
            return 0;
        if (Volatile.Read(ref tp.SkErr) != 0)
            return tp.SockError();
        if ((tp.SkShutdown & Sock.RCV_SHUTDOWN) != 0)
            return 0;
        return tp.SkState == TCP_CLOSE ? -ENOTCONN : -EAGAIN;
    }

    [Linux("tcp_recv_urg")]
    private static int TcpRecvUrg(TcpSock tp, MsgHdr msg, int len, int flags)
    {
        if (tp.SockFlag(SockFlags.Urginline) || tp.UrgData == 0 || tp.UrgData == TCP_URG_READ)
            return -EINVAL;
        if (tp.SkState == TCP_CLOSE && !tp.SockFlag(SockFlags.Done))
            return -ENOTCONN;
        if ((tp.UrgData & TCP_URG_VALID) != 0)
        {
            byte data = (byte)tp.UrgData;
            if ((flags & MSG_PEEK) == 0)
                tp.UrgData = TCP_URG_READ;
            msg.MsgFlags |= MSG_OOB;
            if (len == 0)
            {
                msg.MsgFlags |= MSG_TRUNC;
                return 0;
            }

            bool failed = (flags & MSG_TRUNC) == 0 && msg.MsgIter.CopyTo(new ReadOnlySpan<byte>(in data)) != 1;
            return failed ? -EFAULT : 1;
        }

        if (tp.SkState == TCP_CLOSE || (tp.SkShutdown & Sock.RCV_SHUTDOWN) != 0)
            return 0;
        return -EAGAIN;
    }

    // The packet that holds a sequence number; those that were read whole are freed on the way.
    [Linux("tcp_recv_skb")]
    private static SkBuff? TcpRecvSkb(TcpSock tp, uint seq, out int offset)
    {
        for (SkBuff? skb = tp.SkReceiveQueue.First; skb != null; skb = skb.Next)
        {
            offset = (int)(seq - skb.TcpCb.Seq);
            Bug.On(offset < 0);
            if (offset < skb.Len || (offset == skb.Len && (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0))
                return skb;
        }

        offset = 0;
        return null;
    }

    private static void TcpEatRecvSkb(TcpSock tp, SkBuff skb)
    {
        tp.SkReceiveQueue.Unlink(skb);
        skb.Free();
    }

    private static void FinishRead(TcpSock tp, uint seq, int copied)
    {
        tp.CopiedSeq = seq;
        TcpInput.TcpRcvSpaceAdjust(tp);
        if (copied > 0)
            TcpCleanupRbuf(tp, copied);
    }

    // Like the answer of SIOCINQ, but 1 at the end of the stream so that the reader comes back for it.
    [Linux("tcp_inq_hint", "include/net/tcp.h")]
    private static int TcpInqHint(TcpSock tp)
    {
        int inq = (int)(tp.RcvNxt - tp.CopiedSeq);
        return inq == 0 && tp.SockFlag(SockFlags.Done) ? 1 : inq;
    }

    [Linux("tcp_recv_timestamp")]
    private static void TcpRecvTimestamp(TcpSock tp, MsgHdr msg, long stamp)
    {
        if (!tp.SockFlag(SockFlags.Rcvtstamp) && (tp.SkTsflags & (uint)SOF_TIMESTAMPING_SOFTWARE) == 0)
            return;
        SkBuff carrier = tp.SkNet.SkbPool.Alloc(0);
        carrier.Tstamp = stamp;
        tp.SockRecvTimestamp(msg, carrier);
        carrier.Free();
    }
}
