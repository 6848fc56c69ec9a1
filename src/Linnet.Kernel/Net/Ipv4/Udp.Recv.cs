using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Reading datagrams.</content>
public static partial class Udp
{
    /// <summary>Reads the next datagram, or the next error with <c>MSG_ERRQUEUE</c>; never waits.</summary>
    /// <returns>Bytes copied (with <c>MSG_TRUNC</c> the datagram's whole length), or a negative errno.</returns>
    [Linux("udp_recvmsg")]
    public static long UdpRecvmsg(UdpSock sk, MsgHdr msg, long size, int flags)
    {
        if ((flags & MSG_ERRQUEUE) != 0)
            return IpSockglue.IpRecvError(sk, msg, size);
        while (true)
        {
            int off = (flags & MSG_PEEK) != 0 ? Volatile.Read(ref sk.SkPeekOff) : 0;
            SkBuff? skb = SkbRecvUdpCore(sk, flags, ref off, out int err);
            if (skb == null)
                return err;
            int ulen = skb.Len;
            err = CopyDatagram(sk, skb, msg, size, flags, off, out int copied);
            if (err == -EINVAL)
            {
                // A wrong checksum: the datagram never was, the next one may be good.
                skb.Free();
                msg.MsgFlags &= ~MSG_TRUNC;
                continue;
            }

            if (err == 0)
                DeliverMeta(sk, skb, msg, off);
            skb.Free();
            if (err != 0)
                return err;
            int consumed = (flags & MSG_TRUNC) != 0 ? ulen : copied;
            sk.SkPeekOffsetBwd((flags & MSG_PEEK) != 0 ? -consumed : consumed);
            return consumed;
        }
    }

    /// <summary>Takes the next datagram or clones it for a peek; what was taken is uncharged.</summary>
    [Linux("__skb_recv_udp")]
    public static SkBuff? SkbRecvUdpCore(UdpSock sk, int flags, ref int off, out int err)
    {
        err = sk.SockError();
        if (err != 0)
            return null;
        ref SkBuffHead queue = ref sk.SkReceiveQueue;
        if (queue.First != null)
        {
            queue.Guard.Lock();
            bool peek = (flags & MSG_PEEK) != 0;
            if (peek)
                DropBadChecksums(sk);
            SkBuff? skb = Core.Datagram.SkbTryRecvFromQueueCore(ref queue, flags, ref off);
            if (skb != null && !peek)
                UdpMemory.UdpRmemRelease(sk, skb.Truesize, partial: true);
            queue.Guard.Unlock();
            if (skb != null)
                return skb;
        }

        err = -EAGAIN;
        if ((flags & MSG_DONTWAIT) == 0)
        {
            // Who would wait learns that nothing can come any more.
            err = sk.SockError();
            if (err == 0 && (sk.SkShutdown & Sock.RCV_SHUTDOWN) == 0)
                err = -EAGAIN;
        }

        return null;
    }

    /// <summary>What is ready on a UDP socket.</summary>
    [Linux("udp_poll")]
    public static uint UdpPoll(File? file, Socket sock, PollTable? wait)
    {
        var sk = (UdpSock)sock.Sk!;
        uint mask = Core.Datagram.DatagramPoll(file, sk, wait);
        // A reader that may block must not be called for a datagram that turns out to be broken.
        if ((mask & EPOLLRDNORM) != 0 && (sk.SkShutdown & Sock.RCV_SHUTDOWN) == 0
            && (file == null || (file.FFlags & O_NONBLOCK) == 0) && FirstPacketLength(sk) == -1)
            mask &= ~(uint)(EPOLLIN | EPOLLRDNORM);
        return mask;
    }

    /// <summary><c>SIOCOUTQ</c> and <c>SIOCINQ</c>.</summary>
    [Linux("udp_ioctl")]
    public static int UdpIoctl(UdpSock sk, uint cmd, Sockptr arg) => cmd switch
    {
        SIOCOUTQ => arg.Put(sk.SkWmemAllocGet),
        SIOCINQ => arg.Put(Math.Max(0, FirstPacketLength(sk))),
        _ => -ENOIOCTLCMD,
    };

    /// <summary>Sets <c>SO_PEEK_OFF</c>.</summary>
    [Linux("udp_set_peek_off")]
    public static int UdpSetPeekOff(Sock sk, int value) => sk.SkSetPeekOff(value);

    /// <summary>Hands the next datagram to an in-kernel reader, which takes it over.</summary>
    /// <returns>What <paramref name="receive"/> returned, -EAGAIN when there is none, or the socket's error.</returns>
    [Linux("udp_read_skb")]
    public static int UdpReadSkb(Sock sk, Func<Sock, SkBuff, int> receive)
    {
        var up = (UdpSock)sk;
        while (true)
        {
            int off = 0;
            SkBuff? skb = SkbRecvUdpCore(up, MSG_DONTWAIT, ref off, out int err);
            if (skb == null)
                return err;
            if (Core.Datagram.SkbChecksumCompleteCore(skb) == 0)
                return receive(sk, skb);
            CountBadChecksum(up);
            skb.Free();
        }
    }

    // Bytes of the first datagram whose checksum is right, or -1 when there is none.
    [Linux("first_packet_length")]
    private static int FirstPacketLength(UdpSock sk)
    {
        ref SkBuffHead queue = ref sk.SkReceiveQueue;
        queue.Guard.Lock();
        int length = DropBadChecksums(sk)?.Len ?? -1;
        queue.Guard.Unlock();
        return length;
    }

    // Queue locked.
    private static SkBuff? DropBadChecksums(UdpSock sk)
    {
        ref SkBuffHead queue = ref sk.SkReceiveQueue;
        while (queue.First is { } skb)
        {
            if (Core.Datagram.SkbChecksumCompleteCore(skb) == 0)
                return skb;
            queue.Unlink(skb);
            UdpMemory.UdpRmemRelease(sk, skb.Truesize, partial: true);
            CountBadChecksum(sk);
            Interlocked.Increment(ref sk.SkDrops);
            skb.Free();
        }

        return null;
    }

    private static int CopyDatagram(
        UdpSock sk, SkBuff skb, MsgHdr msg, long size, int flags, int off, out int copied)
    {
        int ulen = skb.Len;
        copied = (int)Math.Min(size, ulen - off);
        if (size < ulen - off)
            msg.MsgFlags |= MSG_TRUNC;
        bool peeking = (flags & MSG_PEEK) != 0;
        if (Core.Datagram.SkbChecksumCompleteCore(skb) != 0)
        {
            CountBadChecksum(sk);
            return -EINVAL;
        }

        SnmpMib<UdpMib> statistics = sk.SkNet.Ipv4.UdpStatistics;
        int err = Core.Datagram.SkbCopyDatagramMsg(skb, off, msg, copied);
        if (err != 0 && !peeking)
        {
            Interlocked.Increment(ref sk.SkDrops);
            statistics.Inc(UdpMib.InErrors);
        }

        if (err == 0 && !peeking)
            statistics.Inc(UdpMib.InDatagrams);
        return err;
    }

    private static void DeliverMeta(UdpSock sk, SkBuff skb, MsgHdr msg, int off)
    {
        sk.SockRecvCmsgs(msg, skb);
        if (msg.HasName)
            msg.MsgNamelen = SockaddrIn.Write(msg.NameBuffer, skb.IpHdr.Saddr, skb.UdpHdr.Source);
        if (sk.GroEnabled && (skb.GsoType & GsoType.UdpL4) != 0)
            msg.PutCmsg(SOL_UDP, UDP_GRO, skb.GsoSize);
        if ((sk.InetFlags & IpSockglue.CmsgFlags) != 0)
            IpSockglue.IpCmsgRecvOffset(msg, sk, skb, Udphdr.Size, off);
    }

    private static void CountBadChecksum(UdpSock sk)
    {
        SnmpMib<UdpMib> statistics = sk.SkNet.Ipv4.UdpStatistics;
        statistics.Inc(UdpMib.InCsumErrors);
        statistics.Inc(UdpMib.InErrors);
    }
}
