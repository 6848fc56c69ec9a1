using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Datagrams and errors that come in.</content>
public static partial class Udp
{
    // Datagrams up to this size are verified at once, longer ones while they are copied to the reader (CHECKSUM_BREAK).
    private const int ChecksumBreak = 76;

    /// <summary>A datagram for this host; its data begins at the UDP header.</summary>
    /// <returns>0 when it is done.</returns>
    [Linux("udp_rcv")]
    public static int UdpRcv(SkBuff skb) => Udp4LibRcv(skb, IPPROTO_UDP);

    [Linux("__udp4_lib_rcv")]
    private static int Udp4LibRcv(SkBuff skb, int proto)
    {
        NetNamespace net = skb.Dev!.Net;
        if (!skb.PskbMayPull(Udphdr.Size))
            return DropInErrors(net, skb);
        Udphdr uh = skb.UdpHdr;
        int ulen = uh.Len;
        if (ulen > skb.Len || ulen < Udphdr.Size)
            return DropInErrors(net, skb);
        if (ulen < skb.Len)
            TrimRcsum(skb, ulen);

        Iphdr iph = skb.IpHdr;
        uint saddr = iph.Saddr;
        uint daddr = iph.Daddr;
        ushort source = uh.Source;
        ushort dest = uh.Dest;
        if (Udp4CsumInit(skb, uh.Check, saddr, daddr, proto) != 0)
            return DropCsumError(net, skb);

        if (skb.Dst is Rtable rt && (rt.RtFlags & (Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST)) != 0)
            return Udp4LibMcastDeliver(net, skb, source, dest, saddr, daddr);
        if (Udp4LibLookup(net, saddr, source, daddr, dest, InetIif(skb)) is { } sk)
        {
            UdpQueueRcvSkb(sk, skb);
            return 0;
        }

        // Nobody: a datagram with a wrong checksum is dropped in silence, another one refused.
        if (Core.Datagram.SkbChecksumCompleteCore(skb) != 0)
            return DropCsumError(net, skb);
        net.Ipv4.UdpStatistics.Inc(UdpMib.NoPorts);
        Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_PORT_UNREACH, 0);
        skb.Free();
        return 0;
    }

    /// <summary>Queues a datagram to a socket, or drops it; it is taken over either way.</summary>
    /// <returns>0, or -1 when it was dropped.</returns>
    [Linux("udp_queue_rcv_skb")]
    public static int UdpQueueRcvSkb(UdpSock sk, SkBuff skb)
    {
        // A socket without UDP_GRO has to see the datagrams one by one.
        if (!skb.IsGso || sk.GroEnabled)
            return UdpQueueRcvOneSkb(sk, skb);
        SkBuff? segment = UdpOffload.Cut(skb);
        skb.Free();
        int result = segment == null ? -1 : 0;
        while (segment != null)
        {
            SkBuff? next = segment.Next;
            segment.Next = null;
            result |= UdpQueueRcvOneSkb(sk, segment);
            segment = next;
        }

        return result;
    }

    [Linux("udp_queue_rcv_one_skb")]
    private static int UdpQueueRcvOneSkb(UdpSock sk, SkBuff skb)
    {
        NetNamespace net = sk.SkNet;
        bool csumError = sk.SkFilter != null && Core.Datagram.SkbChecksumCompleteCore(skb) != 0;
        if (csumError || sk.SkFilterTrimCap(skb, Udphdr.Size) != 0)
        {
            if (csumError)
                net.Ipv4.UdpStatistics.Inc(UdpMib.InCsumErrors);
            net.Ipv4.UdpStatistics.Inc(UdpMib.InErrors);
            Interlocked.Increment(ref sk.SkDrops);
            skb.Free();
            return -1;
        }

        // From here on the data is the payload; what the header adds to the sum is remembered.
        if (skb.IpSummed == ChecksumState.None)
            skb.Csum = Checksum.CsumPartial(skb.Data[..Udphdr.Size], skb.Csum);
        skb.Pull(Udphdr.Size);
        IpSockglue.Ipv4PktinfoPrepare(sk, skb, dropDst: true);
        return UdpQueueRcvSkbCore(sk, skb);
    }

    [Linux("__udp_queue_rcv_skb")]
    private static int UdpQueueRcvSkbCore(UdpSock sk, SkBuff skb)
    {
        int rc = UdpEnqueueScheduleSkbCore(sk, skb);
        if (rc == 0)
            return 0;
        SnmpMib<UdpMib> statistics = sk.SkNet.Ipv4.UdpStatistics;
        statistics.Inc(rc == -ENOMEM ? UdpMib.RcvbufErrors : UdpMib.MemErrors);
        statistics.Inc(UdpMib.InErrors);
        skb.Free();
        return -1;
    }

    /// <summary>
    /// Queues a datagram to a socket of either family and wakes its reader; not taken over on failure.
    /// </summary>
    /// <returns>0, -ENOMEM when the receive buffer is full, -ENOBUFS when UDP as a whole may hold no more.</returns>
    [Linux("__udp_enqueue_schedule_skb")]
    public static int UdpEnqueueScheduleSkbCore(UdpSock sk, SkBuff skb)
    {
        int size = skb.Truesize;
        int rmem = Volatile.Read(ref sk.SkRmemAlloc);
        int rcvbuf = Volatile.Read(ref sk.SkRcvbuf);
        // A datagram that alone is larger than the buffer is taken when the queue is empty.
        if ((uint)rmem + (uint)size > (uint)rcvbuf && (rcvbuf > int.MaxValue >> 1 || rmem != 0))
        {
            Interlocked.Increment(ref sk.SkDrops);
            return -ENOMEM;
        }

        ref SkBuffHead list = ref sk.SkReceiveQueue;
        list.Guard.Lock();
        if (sk.Closed)
        {
            // It would have been thrown away with the rest of the queue.
            list.Guard.Unlock();
            skb.Free();
            return 0;
        }

        int err = UdpMemory.UdpRmemSchedule(sk, size);
        if (err == 0)
        {
            Interlocked.Add(ref sk.SkRmemAlloc, size);
            sk.SkForwardAlloc -= size;
            sk.SockSkbSetDropcount(skb);
            list.QueueTail(skb);
        }

        list.Guard.Unlock();
        if (err != 0)
        {
            Interlocked.Increment(ref sk.SkDrops);
            return err;
        }

        if (!sk.SockFlag(SockFlags.Dead))
            sk.SkDataReady(sk);
        return 0;
    }

    /// <summary>An ICMP error for a datagram that a socket of ours sent.</summary>
    /// <returns>0, or -ENOENT when there is no such socket.</returns>
    [Linux("udp_err")]
    public static int UdpErr(SkBuff skb, uint info) => Udp4LibErr(skb, info);

    [Linux("__udp4_lib_err")]
    private static int Udp4LibErr(SkBuff skb, uint info)
    {
        NetNamespace net = skb.Dev!.Net;
        var iph = new Iphdr(skb.Data);
        var uh = new Udphdr(skb.Data[iph.HeaderLength..]);
        Icmphdr icmph = skb.IcmpHdr;
        UdpSock? sk = Udp4LibLookup(net, iph.Daddr, uh.Dest, iph.Saddr, uh.Source, skb.Dev.Ifindex);
        if (sk == null)
        {
            net.Ipv4.IcmpStatistics.Inc(IcmpMib.InErrors);
            return -ENOENT;
        }

        if (!IcmpErrConvert.Convert(sk, skb, icmph.Type, icmph.Code, info, out int err, out bool harderr))
            return 0;
        // RFC 1122 section 4.1.3.3: errors reach the application; transient ones only where it asked for all.
        if (sk.Test(InetFlags.Recverr))
            IpSockglue.IpIcmpError(sk, skb, err, uh.Dest, info, iph.HeaderLength + Udphdr.Size);
        else if (!harderr || sk.SkState != TCP_ESTABLISHED)
            return 0;
        sk.SkErr = err;
        sk.SkErrorReport(sk);
        return 0;
    }

    [Linux("__udp4_lib_mcast_deliver")]
    private static int Udp4LibMcastDeliver(
        NetNamespace net, SkBuff skb, ushort source, ushort dest, uint saddr, uint daddr)
    {
        int dif = InetIif(skb);
        UdpSock? first = null;
        foreach (UdpSock sk in UdpTable.Of(net.Machine).Hash(net, dest).Socks)
        {
            if (!UdpIsMcastSock(sk, net, dest, daddr, source, saddr, dif))
                continue;
            if (first == null)
                first = sk;
            else
                UdpQueueRcvSkb(sk, skb.Clone());
        }

        if (first != null)
        {
            UdpQueueRcvSkb(first, skb);
        }
        else
        {
            net.Ipv4.UdpStatistics.Inc(UdpMib.IgnoredMulti);
            skb.Free();
        }

        return 0;
    }

    // Sets up the verification: what is left to add to skb.Csum is the datagram itself.
    [Linux("udp4_csum_init")]
    private static int Udp4CsumInit(SkBuff skb, ushort check, uint saddr, uint daddr, int proto)
    {
        if (check == 0)
        {
            if (skb.IpSummed != ChecksumState.Partial)
                skb.IpSummed = ChecksumState.Unnecessary;
            return 0;
        }

        if (skb.IpSummed is ChecksumState.Unnecessary or ChecksumState.Partial)
            return 0;
        uint psum = Checksum.CsumTcpudpNofold(saddr, daddr, skb.Len, proto, 0);
        if (skb.IpSummed == ChecksumState.Complete && Checksum.CsumFold(Checksum.CsumAdd(psum, skb.Csum)) == 0)
        {
            skb.IpSummed = ChecksumState.Unnecessary;
            return 0;
        }

        bool complete = skb.IpSummed == ChecksumState.Complete;
        skb.IpSummed = ChecksumState.None;
        skb.Csum = psum;
        return complete || skb.Len <= ChecksumBreak ? Core.Datagram.SkbChecksumCompleteCore(skb) : 0;
    }

    // What the link padded is not part of the sum (pskb_trim_rcsum).
    private static void TrimRcsum(SkBuff skb, int length)
    {
        if (skb.IpSummed == ChecksumState.Complete)
            skb.IpSummed = ChecksumState.None;
        skb.PskbTrim(length);
    }

    private static int InetIif(SkBuff skb) =>
        skb.Dst is Rtable { RtIif: not 0 } rt ? rt.RtIif : skb.SkbIif;

    private static int DropCsumError(NetNamespace net, SkBuff skb)
    {
        net.Ipv4.UdpStatistics.Inc(UdpMib.InCsumErrors);
        return DropInErrors(net, skb);
    }

    private static int DropInErrors(NetNamespace net, SkBuff skb)
    {
        net.Ipv4.UdpStatistics.Inc(UdpMib.InErrors);
        skb.Free();
        return 0;
    }
}

/// <summary>UDP's entry in the table of transport protocols (<c>udp_protocol</c>).</summary>
public sealed class UdpProtocol : NetProtocol
{
    /// <summary>The entry.</summary>
    public static readonly UdpProtocol Instance = new();

    private UdpProtocol()
    {
    }

    /// <inheritdoc/>
    public override int Handler(SkBuff skb) => Udp.UdpRcv(skb);

    /// <inheritdoc/>
    public override int ErrHandler(SkBuff skb, uint info) => Udp.UdpErr(skb, info);
}
