using Linnet.Kernel.Fs;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What datagram protocols share: taking packets off the receive queue, copying them out, polling.</summary>
[LinuxFile("net/core/datagram.c")]
public static class Datagram
{
    /// <summary>Takes or peeks at the next datagram; never waits.</summary>
    /// <param name="sk">The socket, not locked.</param>
    /// <param name="flags"><c>MSG_PEEK</c> and <c>MSG_DONTWAIT</c> count.</param>
    /// <param name="err">
    /// 0 with a packet. Without one: the socket's error, -EAGAIN, or 0 when receiving is shut and the caller would
    /// wait.
    /// </param>
    /// <returns>A packet that the caller has to free; of one that is peeked at a clone.</returns>
    [Linux("skb_recv_datagram")]
    public static SkBuff? SkbRecvDatagram(Sock sk, int flags, out int err)
    {
        int off = 0;
        return SkbRecvDatagramCore(sk, ref sk.SkReceiveQueue, flags, ref off, out err);
    }

    /// <summary>The same for any queue, with <c>SO_PEEK_OFF</c>.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="queue">The queue, whose lock is free.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <param name="off">
    /// Bytes to peek past, negative for none; afterwards how many of them lie in the packet returned.
    /// </param>
    /// <param name="err">See <see cref="SkbRecvDatagram"/>.</param>
    [Linux("__skb_recv_datagram")]
    public static SkBuff? SkbRecvDatagramCore(Sock sk, ref SkBuffHead queue, int flags, ref int off, out int err)
    {
        SkBuff? skb = SkbTryRecvDatagramCore(sk, ref queue, flags, ref off, out err);
        if (skb == null && err == -EAGAIN && (flags & MSG_DONTWAIT) == 0)
            err = NoMorePackets(sk);
        return skb;
    }

    /// <summary>Looks at the socket's error, then at the queue.</summary>
    [Linux("__skb_try_recv_datagram")]
    public static SkBuff? SkbTryRecvDatagramCore(Sock sk, ref SkBuffHead queue, int flags, ref int off, out int err)
    {
        err = sk.SockError();
        if (err != 0)
            return null;
        if (queue.First == null)
        {
            err = -EAGAIN;
            return null;
        }

        queue.Guard.Lock();
        SkBuff? skb = SkbTryRecvFromQueueCore(ref queue, flags, ref off);
        queue.Guard.Unlock();
        if (skb == null)
            err = -EAGAIN;
        return skb;
    }

    /// <summary>
    /// Takes the first packet, or clones the one that <paramref name="off"/> points into; queue locked.
    /// </summary>
    [Linux("__skb_try_recv_from_queue")]
    public static SkBuff? SkbTryRecvFromQueueCore(ref SkBuffHead queue, int flags, ref int off)
    {
        if ((flags & MSG_PEEK) == 0)
        {
            if (off < 0)
                off = 0;
            return queue.Dequeue();
        }

        bool peekAtOff = off >= 0;
        int left = peekAtOff ? off : 0;
        for (SkBuff? skb = queue.First; skb != null; skb = skb.Next)
        {
            // An empty datagram is peeked at once, then the offset passes over it.
            if (peekAtOff && left >= skb.Len && (left != 0 || skb.Peeked))
            {
                left -= skb.Len;
                continue;
            }

            if (skb.Len == 0)
                skb.Peeked = true;
            off = left;
            return skb.Clone();
        }

        return null;
    }

    /// <summary>Frees a packet that was received (<c>skb_free_datagram</c>).</summary>
    [Linux("skb_free_datagram")]
    public static void SkbFreeDatagram(Sock sk, SkBuff skb) => skb.Free();

    /// <summary>Copies part of a packet to the message (<c>skb_copy_datagram_msg</c>).</summary>
    /// <returns>0 or -EFAULT.</returns>
    public static int SkbCopyDatagramMsg(SkBuff skb, int offset, MsgHdr msg, int size) =>
        skb.CopyDatagramIter(offset, ref msg.MsgIter, size);

    /// <summary>Copies a packet from <paramref name="hlen"/> on to the message after verifying its checksum.</summary>
    /// <returns>0, -EFAULT, or -EINVAL when the checksum is wrong.</returns>
    [Linux("skb_copy_and_csum_datagram_msg")]
    public static int SkbCopyAndCsumDatagramMsg(SkBuff skb, int hlen, MsgHdr msg)
    {
        int chunk = skb.Len - hlen;
        if (chunk == 0)
            return 0;
        if (SkbChecksumCompleteCore(skb) != 0)
            return -EINVAL;
        return skb.CopyDatagramIter(hlen, ref msg.MsgIter, (int)Math.Min(chunk, msg.MsgIter.Count));
    }

    /// <summary>
    /// Verifies a packet's checksum over all of its data and what <see cref="SkBuff.Csum"/> holds of the pseudo header;
    /// it is remembered as verified.
    /// </summary>
    /// <returns>0 when it is right, otherwise the folded sum.</returns>
    [Linux("__skb_checksum_complete")]
    public static ushort SkbChecksumCompleteCore(SkBuff skb)
    {
        if (skb.IpSummed is ChecksumState.Unnecessary or ChecksumState.Partial)
            return 0;
        ushort sum = Checksum.CsumFold(skb.Checksum(0, skb.Len, skb.Csum));
        if (sum == 0)
            skb.IpSummed = ChecksumState.Unnecessary;
        return sum;
    }

    /// <summary>What is ready on a datagram socket.</summary>
    /// <param name="file">The socket's file.</param>
    /// <param name="sk">The socket.</param>
    /// <param name="wait">Where to register, or null.</param>
    /// <returns>A mask of <c>EPOLL*</c>.</returns>
    [Linux("datagram_poll")]
    public static uint DatagramPoll(File? file, Sock sk, PollTable? wait)
    {
        if (sk.SkWq is { } wq)
            wait?.PollWait(file, wq.Wait);
        uint mask = 0;
        if (Volatile.Read(ref sk.SkErr) != 0 || sk.SkErrorQueue.First != null)
            mask |= (uint)EPOLLERR | (sk.SockFlag(SockFlags.SelectErrQueue) ? (uint)EPOLLPRI : 0);
        byte shutdown = sk.SkShutdown;
        if ((shutdown & Sock.RCV_SHUTDOWN) != 0)
            mask |= EPOLLRDHUP | EPOLLIN | EPOLLRDNORM;
        if (shutdown == Sock.SHUTDOWN_MASK)
            mask |= EPOLLHUP;
        if (sk.SkReceiveQueue.First != null)
            mask |= EPOLLIN | EPOLLRDNORM;
        if (ConnectionBased(sk))
        {
            if (sk.SkState == TCP_CLOSE)
                mask |= EPOLLHUP;
            if (sk.SkState == TCP_SYN_SENT)
                return mask;
        }

        if (Volatile.Read(ref sk.SkWmemAlloc) < sk.SkSndbuf >> 1)
            mask |= EPOLLOUT | EPOLLWRNORM | EPOLLWRBAND;
        else
            sk.SockSetFlag(SockFlags.Nospace);
        return mask;
    }

    // What a caller that may wait is told when there is nothing: the end, where nothing can come any more.
    private static int NoMorePackets(Sock sk)
    {
        int err = sk.SockError();
        if (err != 0)
            return err;
        if ((sk.SkShutdown & Sock.RCV_SHUTDOWN) != 0)
            return 0;
        if (ConnectionBased(sk) && sk.SkState is not (TCP_ESTABLISHED or TCP_LISTEN))
            return -ENOTCONN;
        return -EAGAIN;
    }

    private static bool ConnectionBased(Sock sk) => sk.SkType is SOCK_SEQPACKET or SOCK_STREAM;
}
