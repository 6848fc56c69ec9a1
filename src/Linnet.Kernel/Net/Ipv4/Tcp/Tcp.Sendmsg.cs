using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sending: from the caller's memory into the write queue, and the push that makes segments of it.</content>
public static partial class Tcp
{
    /// <summary>Queues as much of a message as fits, and sends what may be sent.</summary>
    /// <returns>
    /// Bytes taken; -EAGAIN when there is no room or no connection yet, -EPIPE when sending is shut, or a pending error.
    /// </returns>
    [Linux("tcp_sendmsg")]
    public static long TcpSendmsg(TcpSock tp, MsgHdr msg, long size)
    {
        tp.LockSock();
        long result = TcpSendmsgLocked(tp, msg, size);
        tp.ReleaseSock();
        return result;
    }

    /// <summary>The same with the socket owned.</summary>
    [Linux("tcp_sendmsg_locked")]
    public static long TcpSendmsgLocked(Sock sk, MsgHdr msg, long size)
    {
        TcpSock tp = TcpSock.Of(sk);
        int flags = msg.MsgFlags;
        if ((flags & MSG_FASTOPEN) != 0)
            return -EOPNOTSUPP;
        TcpRate.TcpRateCheckAppLimited(tp);
        int err = tp.SkState is TCP_ESTABLISHED or TCP_CLOSE_WAIT ? 0 : NotConnected(tp);
        uint tsflags = tp.SkTsflags;
        if (err == 0 && msg.MsgControllen != 0)
            err = SockCmsgSend(tp, msg, ref tsflags);
        long copied = 0;
        int mssNow = 0;
        int sizeGoal = 0;
        if (err == 0)
        {
            if (tp.SkWq is { } wq)
                wq.AsyncNospace = false;
            mssNow = TcpSendMss(tp, out sizeGoal, flags);
            err = Volatile.Read(ref tp.SkErr) != 0 || (tp.SkShutdown & Sock.SEND_SHUTDOWN) != 0
                ? -EPIPE
                : CopyToQueue(tp, msg, flags, ref mssNow, ref sizeGoal, ref copied);
        }

        if (err != 0)
            TcpRemoveEmptySkb(tp);
        if (copied > 0)
        {
            // A call that will wait and go on is stamped by its last byte.
            if (tsflags != 0 && (err != -EAGAIN || (flags & MSG_DONTWAIT) != 0))
                TcpTxTimestamp(tp, tsflags);

            // A writer that waits for room has to have all sent that he has; else his own flags count.
            if (err == -EAGAIN)
                TcpPush(tp, flags & ~MSG_MORE, mssNow, TCP_NAGLE_PUSH, sizeGoal);
            else
                TcpPush(tp, flags, mssNow, tp.Nonagle, sizeGoal);
            return copied;
        }

        return err == 0 ? 0 : SendError(tp, err);
    }

    /// <summary>MSS for new packets, and how large a packet that stands for many segments may become.</summary>
    [Linux("tcp_send_mss")]
    public static int TcpSendMss(TcpSock tp, out int sizeGoal, int flags)
    {
        int mssNow = TcpOutput.TcpCurrentMss(tp);
        sizeGoal = TcpXmitSizeGoal(tp, mssNow, (flags & MSG_OOB) == 0);
        return mssNow;
    }

    /// <summary>Marks the last packet as pushed and urgent as the flags say, and sends what may be sent.</summary>
    [Linux("tcp_push")]
    public static void TcpPush(TcpSock tp, int flags, int mssNow, byte nonagle, int sizeGoal)
    {
        SkBuff? skb = tp.SkWriteQueue.Last;
        if (skb == null)
            return;
        if ((flags & MSG_MORE) == 0 || ForcedPush(tp))
            TcpMarkPush(tp, skb);
        if ((flags & MSG_OOB) != 0)
            tp.SndUp = tp.WriteSeq;
        if (TcpOutput.TcpShouldAutocork(tp, skb, sizeGoal))
            return;
        TcpOutput.TcpPushPendingFramesCore(tp, mssNow, (flags & MSG_MORE) != 0 ? TCP_NAGLE_CORK : nonagle);
    }

    /// <summary>Frees a packet at the end of the queue that nothing was copied into.</summary>
    [Linux("tcp_remove_empty_skb")]
    public static void TcpRemoveEmptySkb(TcpSock tp)
    {
        SkBuff? skb = tp.SkWriteQueue.Last;
        if (skb == null || skb.TcpCb.Seq != skb.TcpCb.EndSeq)
            return;
        tp.SkWriteQueue.Unlink(skb);
        if (tp.TcpWriteQueueEmpty)
            TcpOutput.TcpChronoStop(tp, TcpChronoType.Busy);
        tp.TcpWmemFreeSkb(skb);
    }

    /// <summary>The splice that fed the socket ended: what waits for more is sent.</summary>
    [Linux("tcp_splice_eof")]
    public static void TcpSpliceEof(TcpSock tp)
    {
        if (tp.SkWriteQueue.IsEmpty)
            return;
        tp.LockSock();
        int mssNow = TcpSendMss(tp, out int sizeGoal, 0);
        TcpPush(tp, 0, mssNow, tp.Nonagle, sizeGoal);
        tp.ReleaseSock();
    }

    /// <summary>A new packet for the write queue; null when memory is out.</summary>
    /// <param name="tp">The socket.</param>
    /// <param name="forceSchedule">Whether the packet is needed for the connection to make progress.</param>
    [Linux("tcp_stream_alloc_skb")]
    public static SkBuff? TcpStreamAllocSkb(TcpSock tp, bool forceSchedule)
    {
        SkBuff skb = tp.SkNet.SkbPool.Alloc(MAX_TCP_HEADER);
        if (forceSchedule)
        {
            TcpOutput.SkForcedMemSchedule(tp, skb.Truesize);
        }
        else if (!tp.SkWmemSchedule(skb.Truesize))
        {
            skb.Free();
            return null;
        }

        skb.Reserve(MAX_TCP_HEADER);
        skb.IpSummed = ChecksumState.Partial;
        return skb;
    }

    // Returns 0 when all is queued, -EAGAIN when there is no room, or another error; copied says how much came in.
    private static int CopyToQueue(
        TcpSock tp, MsgHdr msg, int flags, ref int mssNow, ref int sizeGoal, ref long copied)
    {
        bool zerocopy = (flags & MSG_ZEROCOPY) != 0 && tp.SockFlag(SockFlags.Zerocopy);
        while (msg.MsgIter.Count > 0)
        {
            SkBuff? skb = tp.SkWriteQueue.Last;
            if (skb == null || skb.Len >= sizeGoal || skb.TcpCb.Eor)
            {
                skb = NewSegment(tp);
                if (skb == null)
                    return NoSpace(tp);
            }

            int room = Math.Max(sizeGoal - skb.Len, 0);
            int err = AppendToTail(tp, skb, msg, room, zerocopy, ref copied, out bool full);
            if (err == -EAGAIN)
                return NoSpace(tp);
            if (err != 0)
                return err;
            if (msg.MsgIter.Count == 0)
            {
                if ((flags & MSG_EOR) != 0)
                    skb.TcpCb.Eor = true;
                return 0;
            }

            if (full)
            {
                // No fragment can be added: the packet is as large as it gets.
                TcpMarkPush(tp, skb);
                if (NewSegment(tp) == null)
                    return NoSpace(tp);
                continue;
            }

            if (skb.Len < sizeGoal || (flags & MSG_OOB) != 0)
                continue;
            if (ForcedPush(tp))
            {
                TcpMarkPush(tp, skb);
                TcpOutput.TcpPushPendingFramesCore(tp, mssNow, TCP_NAGLE_PUSH);
            }
            else if (skb == tp.TcpSendHead)
            {
                TcpOutput.TcpPushOne(tp, mssNow);
            }
        }

        return 0;
    }

    private static SkBuff? NewSegment(TcpSock tp)
    {
        if (!SkStream.SkStreamMemoryFree(tp))
            return null;
        SkBuff? skb = TcpStreamAllocSkb(tp, tp.TcpRtxAndWriteQueuesEmpty);
        if (skb != null)
            TcpSkbEntail(tp, skb);
        return skb;
    }

    [Linux("tcp_skb_entail")]
    private static void TcpSkbEntail(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        cb.Seq = cb.EndSeq = tp.WriteSeq;
        cb.TcpFlags = TCPHDR_ACK;
        tp.SkWriteQueue.QueueTail(skb);
        if (tp.SkWriteQueue.First == skb)
            TcpOutput.TcpChronoStart(tp, TcpChronoType.Busy);
        tp.SkWmemQueued += skb.Truesize;
        tp.SkMemCharge(skb.Truesize);
        tp.Nonagle &= unchecked((byte)~TCP_NAGLE_PUSH);
        TcpOutput.TcpSlowStartAfterIdleCheck(tp);
    }

    // Copies one piece into the thread's page, which the packet's last fragment grows into where it can. Pieces of the program's that
    // Linux would send from where they are (zerocopy) are fragments of their own there, and so here, as a packet has only so many.
    private static int AppendToTail(
        TcpSock tp, SkBuff skb, MsgHdr msg, int room, bool zerocopy, ref long copied, out bool full)
    {
        bool begins = false;
        if (zerocopy)
        {
            room = Math.Min(room, msg.MsgIter.PieceLeft(out begins));
            skb.IsZerocopy = true;
        }

        TcpPageFrag frag = TcpPageFrag.Refill(tp.SkNet.SkbPool.Pages);
        bool merge = !begins && skb.NrFrags > 0 && Follows(in skb.Frag(skb.NrFrags - 1), frag);
        full = !merge && skb.NrFrags == SkBuff.MaxFrags;
        if (full)
            return 0;
        int copy = (int)Math.Min(Math.Min(room, msg.MsgIter.Count), frag.Room);
        copy = TcpWmemSchedule(tp, copy);
        if (copy == 0)
            return -EAGAIN;
        if (msg.MsgIter.CopyFrom(frag.Page.Span(frag.Offset, copy)) != copy)
            return -EFAULT;
        if (merge)
        {
            skb.GrowLastFrag(copy);
        }
        else
        {
            frag.Page.Get();
            skb.AddFrag(frag.Page, frag.Offset, copy);
        }

        frag.Offset += copy;
        skb.Truesize += copy;
        tp.SkWmemQueued += copy;
        tp.SkMemCharge(copy);
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (copied == 0)
            cb.TcpFlags &= unchecked((ushort)~TCPHDR_PSH);
        tp.WriteSeq += (uint)copy;
        cb.EndSeq += (uint)copy;
        cb.TcpGsoSegs = 0;
        copied += copy;
        return 0;
    }

    private static bool Follows(in SkbFrag last, TcpPageFrag frag) =>
        last.Page == frag.Page && last.Offset + last.Size == frag.Offset;

    // With nothing left of the limits a socket may still use what keeps it going.
    [Linux("tcp_wmem_schedule")]
    private static int TcpWmemSchedule(TcpSock tp, int copy)
    {
        if (tp.SkWmemSchedule(copy))
            return copy;
        int left = tp.Ipv4.SysctlTcpWmem[0] - tp.SkWmemQueued;
        if (left > 0)
            TcpOutput.SkForcedMemSchedule(tp, Math.Min(left, copy));
        return Math.Max(0, Math.Min(copy, tp.SkForwardAlloc));
    }

    [Linux("tcp_xmit_size_goal")]
    private static int TcpXmitSizeGoal(TcpSock tp, int mssNow, bool largeAllowed)
    {
        if (!largeAllowed)
            return mssNow;
        // Link, IP and TCP headers have to fit in the device's largest packet too.
        int largest = Math.Max(0, tp.SkGsoMaxSize - (MAX_TCP_HEADER + 1));
        int newGoal = TcpOutput.TcpBoundToHalfWnd(tp, largest);
        int goal = tp.GsoSegs * mssNow;
        if (newGoal < goal || newGoal >= goal + mssNow)
        {
            tp.GsoSegs = (ushort)Math.Min(newGoal / mssNow, ushort.MaxValue);
            goal = tp.GsoSegs * mssNow;
        }

        return Math.Max(goal, mssNow);
    }

    // What is queued beyond half of the peer's window is pushed, so that it does not wait for the end of the message.
    private static bool ForcedPush(TcpSock tp) => TcpSeq.After(tp.WriteSeq, tp.PushedSeq + (tp.MaxWindow >> 1));

    private static void TcpMarkPush(TcpSock tp, SkBuff skb)
    {
        skb.TcpCb.TcpFlags |= TCPHDR_PSH;
        tp.PushedSeq = tp.WriteSeq;
    }

    private static int NoSpace(TcpSock tp)
    {
        tp.SockSetFlag(SockFlags.Nospace);
        if (tp.SkWq is { } wq)
            wq.AsyncNospace = true;
        return -EAGAIN;
    }

    // sk_stream_wait_connect, without the waiting.
    private static int NotConnected(TcpSock tp)
    {
        int err = tp.SockError();
        if (err != 0)
            return err;
        return tp.SkState is TCP_SYN_SENT or TCP_SYN_RECV ? -EAGAIN : -EPIPE;
    }

    private static long SendError(TcpSock tp, int err)
    {
        err = SkStream.SkStreamError(tp, err);
        // An edge-triggered epoll has to hear of room that nothing in flight will ever make.
        if (err == -EAGAIN && tp.TcpRtxAndWriteQueuesEmpty && tp.SkState is TCP_ESTABLISHED or TCP_CLOSE_WAIT)
        {
            tp.SkWriteSpace(tp);
            TcpOutput.TcpChronoStop(tp, TcpChronoType.SndbufLimited);
        }

        return err;
    }

    // The packet with the last byte that was queued is marked.
    [Linux("tcp_tx_timestamp")]
    private static void TcpTxTimestamp(TcpSock tp, uint tsflags)
    {
        if (tp.SkWriteQueue.Last is not { } skb)
            return;
        skb.TxFlags |= TxTimestamp.SockTxTimestamp(tsflags);
        if ((tsflags & SOF_TIMESTAMPING_TX_ACK) != 0)
            skb.TcpCb.TxstampAck = true;
        if ((tsflags & SOF_TIMESTAMPING_TX_RECORD_MASK) != 0)
            skb.Tskey = skb.TcpCb.Seq + (uint)skb.Len - 1;
    }

    [Linux("sock_cmsg_send", "net/core/sock.c")]
    private static int SockCmsgSend(TcpSock tp, MsgHdr msg, ref uint tsflags)
    {
        const int OnStack = 512;
        Span<byte> control = msg.MsgControllen <= OnStack ? stackalloc byte[OnStack] : new byte[msg.MsgControllen];
        control = control[..msg.MsgControllen];
        if (msg.MsgControl.CopyFrom(control) != 0)
            return -EINVAL;
        CmsgReader reader = new(control);
        uint mark = tp.SkMark;
        uint priority = tp.SkPriority;

        // TCP spaces its segments itself.
        long transmitTime = 0;
        int more;
        while ((more = reader.Next()) > 0)
        {
            if (reader.Level == SOL_SOCKET && tp.SockCmsgSendCore(in reader, ref mark, ref priority, ref tsflags, ref transmitTime) != 0)
                return -EINVAL;
        }

        return more < 0 ? -EINVAL : 0;
    }
}
