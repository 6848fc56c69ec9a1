using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sending datagrams.</content>
public static partial class Udp
{
    private const ushort CsumMangled0 = 0xFFFF;

    private static readonly GetFrag Getfrag = IpOutput.IpGenericGetfrag;

    /// <summary>
    /// Sends a datagram, or appends to the one that is being put together (<c>UDP_CORK</c>, <c>MSG_MORE</c>).
    /// </summary>
    /// <returns>Bytes taken, or a negative errno; -EAGAIN when the send buffer is full.</returns>
    [Linux("udp_sendmsg")]
    public static long UdpSendmsg(UdpSock sk, MsgHdr msg, long len)
    {
        bool corkreq = sk.Corkflag || (msg.MsgFlags & MSG_MORE) != 0;
        if (len > 0xFFFF)
            return -EMSGSIZE;
        if ((msg.MsgFlags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        if (sk.Pending != 0 && AppendToPending(sk, msg, (int)len, corkreq, out int err))
            return Finish(sk, err, len);

        err = Destination(sk, msg, out uint daddr, out ushort dport, out bool connected);
        if (err != 0)
            return err;
        IpcmCookie ipc = IpcmCookie.InitSk(sk);
        ipc.GsoSize = sk.GsoSize;
        if (msg.MsgControllen != 0)
        {
            err = UdpCmsgSend(msg, ref ipc.GsoSize);
            if (err > 0)
            {
                err = IpSockglue.IpCmsgSend(sk, msg, ref ipc, allowIpv6: sk.SkcFamily == AF_INET6);
                connected = false;
            }

            if (err < 0)
                return err;
        }

        ipc.Opt ??= sk.InetOpt;
        Flowi4 fl4 = default;
        Rtable? rt = null;
        IovIter start = msg.MsgIter;
        err = RouteDatagram(sk, msg, ref ipc, ref fl4, ref rt, daddr, dport, connected);
        if (err == 0 && IpSockglue.ConfirmAndStop(rt!, in fl4, msg, len))
            return 0;
        if (err == 0)
        {
            if (ipc.Addr == 0)
                daddr = ipc.Addr = fl4.Daddr;
            err = corkreq
                ? Cork(sk, msg, (int)len, ref ipc, fl4, rt!, daddr, dport)
                : SendAtOnce(sk, msg, (int)len, ref ipc, ref fl4, rt!);
            // Who waits for room sends the same data again.
            if (err == -EAGAIN)
                msg.MsgIter = start;
        }

        return Finish(sk, err, len);
    }

    /// <summary>Sends the datagram that was put together (<c>udp_push_pending_frames</c>); socket owned.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("udp_push_pending_frames")]
    public static int UdpPushPendingFrames(UdpSock sk)
    {
        int err = 0;
        // What Cork holds is given up by finishing the packet.
        ref Flowi4 fl4 = ref sk.Cork.Fl;
        InetCork cork = sk.Cork;
        SkBuff? skb = IpOutput.IpFinishSkb(sk, ref fl4);
        if (skb != null)
            err = UdpSendSkb(sk, skb, in fl4, in cork);
        sk.Len = 0;
        sk.Pending = 0;
        return err;
    }

    /// <summary>Throws away the datagram that is being put together; socket owned.</summary>
    [Linux("udp_flush_pending_frames")]
    public static void UdpFlushPendingFrames(UdpSock sk)
    {
        if (sk.Pending == 0)
            return;
        sk.Len = 0;
        sk.Pending = 0;
        IpOutput.IpFlushPendingFrames(sk);
    }

    /// <summary>A splice ended: what it left uncompleted goes out unless the socket is corked.</summary>
    [Linux("udp_splice_eof")]
    public static void UdpSpliceEof(UdpSock sk)
    {
        if (sk.Pending == 0 || sk.Corkflag)
            return;
        sk.LockSock();
        if (sk.Pending != 0 && !sk.Corkflag)
            UdpPushPendingFrames(sk);
        sk.ReleaseSock();
    }

    // Fills in the header and hands the datagram to IP, which takes it over.
    [Linux("udp_send_skb")]
    private static int UdpSendSkb(UdpSock sk, SkBuff skb, in Flowi4 fl4, in InetCork cork)
    {
        int offset = skb.TransportHeader - skb.DataOffset;
        int len = skb.Len - offset;
        Udphdr uh = skb.UdpHdr;
        uh.Source = sk.InetSport;
        uh.Dest = fl4.FlDport;
        uh.Len = (ushort)len;
        uh.Check = 0;
        int err = SetupSegments(sk, skb, len - Udphdr.Size, offset, in cork);
        if (err != 0)
        {
            skb.Free();
            return err;
        }

        if (sk.SkNoCheckTx)
            skb.IpSummed = ChecksumState.None;
        else if (skb.IpSummed == ChecksumState.Partial || skb.IsGso)
            Udp4Hwcsum(skb, fl4.Saddr, fl4.Daddr, len);
        else
            SoftCsum(skb, fl4.Saddr, fl4.Daddr, len);

        SnmpMib<UdpMib> statistics = sk.SkNet.Ipv4.UdpStatistics;
        err = IpOutput.IpSendSkb(sk.SkNet, skb);
        if (err == 0)
        {
            statistics.Inc(UdpMib.OutDatagrams);
        }
        else if (err == -ENOBUFS && !sk.Test(InetFlags.Recverr))
        {
            statistics.Inc(UdpMib.SndbufErrors);
            err = 0;
        }

        return err;
    }

    [Linux("udp4_hwcsum")]
    private static void Udp4Hwcsum(SkBuff skb, uint saddr, uint daddr, int len)
    {
        skb.IpSummed = ChecksumState.Partial;
        skb.CsumStart = skb.TransportHeader;
        skb.CsumOffset = 6;
        Udphdr uh = skb.UdpHdr;
        uh.Check = (ushort)~Checksum.CsumTcpudpMagic(saddr, daddr, len, IPPROTO_UDP, 0);
    }

    // The data was summed while it was copied.
    private static void SoftCsum(SkBuff skb, uint saddr, uint daddr, int len)
    {
        Udphdr uh = skb.UdpHdr;
        uint csum = Checksum.CsumPartial(uh.Bytes, skb.Csum);
        ushort check = Checksum.CsumTcpudpMagic(saddr, daddr, len, IPPROTO_UDP, csum);
        // RFC 768: a sum of zero is sent as all ones, as zero says that there is none.
        uh.Check = check == 0 ? CsumMangled0 : check;
    }

    private static int SetupSegments(UdpSock sk, SkBuff skb, int datalen, int offset, in InetCork cork)
    {
        if (cork.GsoSize == 0)
            return 0;
        if (offset + Udphdr.Size + Math.Min(datalen, cork.GsoSize) > cork.Fragsize)
            return -EMSGSIZE;
        if (datalen > cork.GsoSize * UDP_MAX_SEGMENTS || sk.SkNoCheckTx)
            return -EINVAL;
        if (datalen <= cork.GsoSize)
            return 0;
        skb.GsoSize = cork.GsoSize;
        skb.GsoType = GsoType.UdpL4;
        skb.GsoSegs = (datalen + cork.GsoSize - 1) / cork.GsoSize;
        return 0;
    }

    // Appends to a datagram that is being put together, if there still is one once the socket is owned.
    private static bool AppendToPending(UdpSock sk, MsgHdr msg, int len, bool corkreq, out int err)
    {
        err = 0;
        sk.LockSock();
        bool pending = sk.Pending != 0;
        if (pending && sk.Pending != AF_INET)
        {
            err = -EINVAL;
        }
        else if (pending)
        {
            IpcmCookie none = IpcmCookie.Init();
            Rtable? rt = null;
            err = AppendData(sk, msg, len, len, ref none, ref rt, corkreq);
        }

        sk.ReleaseSock();
        return pending;
    }

    private static int Destination(UdpSock sk, MsgHdr msg, out uint daddr, out ushort dport, out bool connected)
    {
        connected = false;
        if (msg.HasName)
        {
            daddr = dport = 0;
            if (msg.MsgNamelen < SockaddrIn.Size)
                return -EINVAL;
            SockaddrIn.Read(msg.MsgName, out ushort family, out daddr, out dport);
            if (family is not (AF_INET or AF_UNSPEC))
                return -EAFNOSUPPORT;
            return dport == 0 ? -EINVAL : 0;
        }

        daddr = sk.SkcDaddr;
        dport = sk.SkcDport;
        if (sk.SkState != TCP_ESTABLISHED)
            return -EDESTADDRREQ;
        connected = true;
        return 0;
    }

    private static int RouteDatagram(
        UdpSock sk, MsgHdr msg, ref IpcmCookie ipc, ref Flowi4 fl4, ref Rtable? rt, uint daddr, ushort dport,
        bool connected)
    {
        uint saddr = ipc.Addr;
        uint faddr = ipc.Addr = daddr;
        if (ipc.Opt is { Opt.Srr: not 0 } route)
        {
            if (daddr == 0)
                return -EINVAL;
            faddr = route.Opt.Faddr;
            connected = false;
        }

        byte scope = IpSockglue.IpSendmsgScope(sk, in ipc, msg.MsgFlags);
        if (scope == RT_SCOPE_LINK)
            connected = false;
        if (Ipv4Addr.IsMulticast(daddr))
        {
            if (ipc.Oif == 0)
                ipc.Oif = sk.McIndex;
            if (saddr == 0)
                saddr = sk.McAddr;
            connected = false;
        }
        else if (ipc.Oif == 0)
        {
            ipc.Oif = sk.UcIndex;
        }

        fl4 = Flowi4.InitOutput(
            ipc.Oif, ipc.Mark, IpSockglue.RtTos(sk, in ipc), scope, (byte)sk.SkProtocol,
            IpSockglue.InetSkFlowiFlags(sk), faddr, saddr, dport, sk.InetSport, sk.SkUid);
        if (connected)
        {
            rt = sk.SkDstCheck() as Rtable;
            if (rt != null)
                return 0;
        }

        NetNamespace net = sk.SkNet;
        int err = Route.IpRouteOutputFlow(net, ref fl4, sk, out rt);
        if (err != 0)
        {
            if (err == -ENETUNREACH)
                net.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            return err;
        }

        if ((rt!.RtFlags & Rtable.RTCF_BROADCAST) != 0 && !sk.SockFlag(SockFlags.Broadcast))
            return -EACCES;
        if (connected)
            sk.SkDstSet(rt);
        return 0;
    }

    // The way of most datagrams: no lock is taken.
    private static int SendAtOnce(UdpSock sk, MsgHdr msg, int len, ref IpcmCookie ipc, ref Flowi4 fl4, Rtable rt)
    {
        InetCork cork = default;
        int err = IpOutput.IpMakeSkb(
            sk, ref fl4, Getfrag, msg, len + Udphdr.Size, Udphdr.Size, ref ipc, rt, ref cork, msg.MsgFlags,
            out SkBuff? skb);
        return skb != null ? UdpSendSkb(sk, skb, in fl4, in cork) : err;
    }

    private static int Cork(
        UdpSock sk, MsgHdr msg, int len, ref IpcmCookie ipc, in Flowi4 fl4, Rtable rt, uint daddr, ushort dport)
    {
        sk.LockSock();
        int err = -EINVAL;
        if (sk.Pending == 0)
        {
            // The flow stays with the socket until the datagram is complete.
            sk.Cork.Fl = fl4;
            sk.Cork.Fl.Daddr = daddr;
            sk.Cork.Fl.FlDport = dport;
            sk.Cork.Fl.FlSport = sk.InetSport;
            sk.Pending = AF_INET;
            Rtable? route = rt;
            err = AppendData(sk, msg, len, len + Udphdr.Size, ref ipc, ref route, corkreq: true);
        }

        sk.ReleaseSock();
        return err;
    }

    private static int AppendData(
        UdpSock sk, MsgHdr msg, int len, int ulen, ref IpcmCookie ipc, ref Rtable? rt, bool corkreq)
    {
        sk.Len += ulen;
        int err = IpOutput.IpAppendData(
            sk, ref sk.Cork.Fl, Getfrag, msg, ulen, Udphdr.Size, ref ipc, ref rt,
            corkreq ? msg.MsgFlags | MSG_MORE : msg.MsgFlags);
        if (err != 0)
            UdpFlushPendingFrames(sk);
        else if (!corkreq)
            err = UdpPushPendingFrames(sk);
        else if (sk.SkWriteQueue.IsEmpty)
            sk.Pending = 0;
        return err;
    }

    private static long Finish(UdpSock sk, int err, long len)
    {
        if (err == 0)
            return len;
        if (err == -ENOBUFS || (err == -EAGAIN && sk.SockFlag(SockFlags.Nospace)))
            sk.SkNet.Ipv4.UdpStatistics.Inc(UdpMib.SndbufErrors);
        return err;
    }

    // UDP's own control messages.
    // Returns a positive value when there are control messages for the network layer too.
    [Linux("udp_cmsg_send")]
    private static int UdpCmsgSend(MsgHdr msg, ref ushort gsoSize)
    {
        Span<byte> room = stackalloc byte[IpSockglue.ControlOnStack];
        ReadOnlySpan<byte> control = IpSockglue.ReadControl(msg, room, out int err);
        if (err < 0)
            return err;
        bool needIp = false;
        CmsgReader reader = new(control);
        while ((err = reader.Next()) > 0)
        {
            if (reader.Level != SOL_UDP)
            {
                needIp = true;
                continue;
            }

            if (reader.Type != UDP_SEGMENT || !reader.TryRead(out gsoSize))
                return -EINVAL;
        }

        return err < 0 ? err : needIp ? 1 : 0;
    }
}
