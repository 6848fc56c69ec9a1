using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Raw sockets: every IPv4 packet of one protocol, with its IP header; and packets with a protocol, or a whole header,
/// of the user's choice.
/// </summary>
[LinuxFile("net/ipv4/raw.c")]
public static partial class Raw
{
    /// <summary>Gives a machine its table of raw sockets, and IP the way to them.</summary>
    [Linux("raw_init")]
    internal static void RawInit(Machine machine)
    {
        RawTable.Install(machine);
        InetProtos protos = InetProtos.Of(machine);
        protos.RawLocalDeliver = RawLocalDeliver;
        protos.RawIcmpError = RawIcmpError;
    }

    [Linux("raw_sk_init")]
    internal static int RawSkInit(RawSock sk)
    {
        sk.Filter = 0;
        return 0;
    }

    /// <summary>
    /// Gives each raw socket that wants it a copy of a packet, whose data begins at the transport header.
    /// </summary>
    /// <returns>Whether any socket was there for it.</returns>
    [Linux("raw_local_deliver")]
    public static bool RawLocalDeliver(SkBuff skb, int protocol)
    {
        RawSock[] chain = RawTable.Of(skb.Dev!.Net.Machine)[protocol];
        return chain.Length != 0 && RawV4Input(skb.Dev.Net, skb, chain);
    }

    /// <summary>Tells raw sockets of an ICMP error for a packet of their protocol.</summary>
    [Linux("raw_icmp_error")]
    public static void RawIcmpError(SkBuff skb, int protocol, uint info)
    {
        NetNamespace net = skb.Dev!.Net;
        var iph = new Iphdr(skb.Data);
        uint daddr = iph.Daddr;
        uint saddr = iph.Saddr;
        int payload = iph.HeaderLength;
        foreach (RawSock sk in RawTable.Of(net.Machine)[protocol])
        {
            if (RawV4Match(sk, net, protocol, daddr, saddr, skb.Dev.Ifindex))
                RawErr(sk, skb, info, payload);
        }
    }

    /// <summary>Binds to a local address; a raw socket's port is its protocol.</summary>
    /// <returns>0, -EINVAL, -EADDRNOTAVAIL.</returns>
    [Linux("raw_bind")]
    public static int RawBind(RawSock sk, ReadOnlySpan<byte> addr)
    {
        sk.LockSock();
        int err = -EINVAL;
        if (sk.SkState == TCP_CLOSE && addr.Length >= SockaddrIn.Size)
        {
            SockaddrIn.Read(addr, out uint saddr, out _);
            int type = FibFrontend.InetAddrType(sk.SkNet, saddr);
            err = -EADDRNOTAVAIL;
            if (AfInet.InetAddrValidOrNonlocal(sk, saddr, type))
            {
                sk.SkcRcvSaddr = sk.InetSaddr = saddr;
                if (type is RTN_MULTICAST or RTN_BROADCAST)
                    sk.InetSaddr = 0;
                sk.SkDstReset();
                err = 0;
            }
        }

        sk.ReleaseSock();
        return err;
    }

    /// <summary>Reads the next packet, IP header included.</summary>
    [Linux("raw_recvmsg")]
    public static long RawRecvmsg(RawSock sk, MsgHdr msg, long len, int flags)
    {
        if ((flags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        if ((flags & MSG_ERRQUEUE) != 0)
            return IpSockglue.IpRecvError(sk, msg, len);
        SkBuff? skb = Core.Datagram.SkbRecvDatagram(sk, flags, out int err);
        if (skb == null)
            return err;
        int copied = (int)Math.Min(skb.Len, len);
        if (skb.Len > len)
            msg.MsgFlags |= MSG_TRUNC;
        err = Core.Datagram.SkbCopyDatagramMsg(skb, 0, msg, copied);
        if (err == 0)
        {
            sk.SockRecvCmsgs(msg, skb);
            if (msg.HasName)
                msg.MsgNamelen = SockaddrIn.Write(msg.NameBuffer, skb.IpHdr.Saddr, 0);
            if ((sk.InetFlags & IpSockglue.CmsgFlags) != 0)
                IpSockglue.IpCmsgRecvOffset(msg, sk, skb, 0, 0);
            if ((flags & MSG_TRUNC) != 0)
                copied = skb.Len;
        }

        Core.Datagram.SkbFreeDatagram(sk, skb);
        return err != 0 ? err : copied;
    }

    /// <summary><c>SIOCOUTQ</c> and <c>SIOCINQ</c>.</summary>
    [Linux("raw_ioctl")]
    public static int RawIoctl(RawSock sk, uint cmd, Sockptr arg)
    {
        switch (cmd)
        {
            case SIOCOUTQ:
                return arg.Put(sk.SkWmemAllocGet);
            case SIOCINQ:
                sk.SkReceiveQueue.Guard.Lock();
                int amount = sk.SkReceiveQueue.First?.Len ?? 0;
                sk.SkReceiveQueue.Guard.Unlock();
                return arg.Put(amount);
            default:
                return -ENOIOCTLCMD;
        }
    }

    [Linux("raw_setsockopt")]
    internal static int RawSetsockopt(RawSock sk, int level, int optname, Sockptr optval, int optlen)
    {
        if (level != SOL_RAW)
            return IpSockglue.IpSetsockopt(sk, level, optname, optval, optlen);
        if (optname != ICMP_FILTER)
            return -ENOPROTOOPT;
        if (sk.SkcNum != IPPROTO_ICMP)
            return -EOPNOTSUPP;
        Span<byte> filter = BitConverter.GetBytes(sk.Filter);
        if (optval.CopyFrom(filter[..Math.Clamp(optlen, 0, sizeof(uint))]) < 0)
            return -EFAULT;
        sk.Filter = BitConverter.ToUInt32(filter);
        return 0;
    }

    [Linux("raw_getsockopt")]
    internal static int RawGetsockopt(RawSock sk, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        if (level != SOL_RAW)
            return IpSockglue.IpGetsockopt(sk, level, optname, optval, optlen);
        if (optname != ICMP_FILTER)
            return -ENOPROTOOPT;
        if (sk.SkcNum != IPPROTO_ICMP)
            return -EOPNOTSUPP;
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        len = Math.Min(len, sizeof(uint));
        if (optlen.Put(len) < 0)
            return -EFAULT;
        return optval.CopyTo(BitConverter.GetBytes(sk.Filter).AsSpan(0, len));
    }

    [Linux("raw_destroy")]
    internal static void RawDestroy(RawSock sk)
    {
        sk.LockSock();
        IpOutput.IpFlushPendingFrames(sk);
        sk.ReleaseSock();
    }

    [Linux("raw_v4_input")]
    private static bool RawV4Input(NetNamespace net, SkBuff skb, RawSock[] chain)
    {
        Iphdr iph = skb.IpHdr;
        uint saddr = iph.Saddr;
        uint daddr = iph.Daddr;
        int protocol = iph.Protocol;
        int dif = skb.Dst is Rtable { RtIif: not 0 } rt ? rt.RtIif : skb.SkbIif;
        bool delivered = false;
        foreach (RawSock sk in chain)
        {
            if (!RawV4Match(sk, net, protocol, saddr, daddr, dif))
                continue;
            if (Volatile.Read(ref sk.SkRmemAlloc) >= sk.SkRcvbuf)
            {
                Interlocked.Increment(ref sk.SkDrops);
                continue;
            }

            delivered = true;
            if ((protocol != IPPROTO_ICMP || !IcmpFilter(sk, skb)) && Igmp.IpMcSfAllow(sk, daddr, saddr, dif))
                RawRcv(sk, skb.Clone());
        }

        return delivered;
    }

    internal static bool RawV4Match(RawSock sk, NetNamespace net, int num, uint raddr, uint laddr, int dif) =>
        sk.SkcNet == net && sk.SkcNum == num
        && (sk.SkcDaddr == 0 || sk.SkcDaddr == raddr)
        && (sk.SkcRcvSaddr == 0 || sk.SkcRcvSaddr == laddr)
        && (sk.SkcBoundDevIf == 0 || sk.SkcBoundDevIf == dif);

    // Whether the socket does not want a message; types beyond the filter's 32 bits always pass.
    [Linux("icmp_filter")]
    private static bool IcmpFilter(RawSock sk, SkBuff skb)
    {
        if (!skb.PskbMayPull(Icmphdr.Size))
            return true;
        int type = skb.Data[0];
        return type < 32 && (sk.Filter >> type & 1) != 0;
    }

    /// <summary>
    /// Queues a packet, whose data may begin anywhere behind its IP header, to a socket; it is taken over.
    /// </summary>
    [Linux("raw_rcv")]
    internal static void RawRcv(RawSock sk, SkBuff skb)
    {
        skb.Push(skb.DataOffset - skb.NetworkHeader);
        IpSockglue.Ipv4PktinfoPrepare(sk, skb, dropDst: true);
        if (sk.SockQueueRcvSkb(skb) < 0)
            skb.Free();
    }

    [Linux("raw_err")]
    private static void RawErr(RawSock sk, SkBuff skb, uint info, int payload)
    {
        Icmphdr icmph = skb.IcmpHdr;
        bool report = IcmpErrConvert.Convert(sk, skb, icmph.Type, icmph.Code, info, out int err, out bool harderr);
        // Without IP_RECVERR only a connected socket can know what an error is about.
        bool recverr = sk.Test(InetFlags.Recverr);
        if (!report || (!recverr && sk.SkState != TCP_ESTABLISHED))
            return;
        if (recverr)
            IpSockglue.IpIcmpError(sk, skb, err, 0, info, sk.Test(InetFlags.Hdrincl) ? 0 : payload);
        if (!recverr && !harderr)
            return;
        sk.SkErr = err;
        sk.SkErrorReport(sk);
    }
}
