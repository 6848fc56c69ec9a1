using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Ping sockets, <c>socket(AF_INET, SOCK_DGRAM, IPPROTO_ICMP)</c>: ICMP echo without privileges. The identifier of the
/// echo is the socket's port, so that each gets its own replies.
/// </summary>
[LinuxFile("net/ipv4/ping.c")]
public static class Ping
{
    /// <summary>Gives a machine its table of ping sockets, and ICMP the way to them.</summary>
    [Linux("ping_init")]
    internal static void PingInit(Machine machine)
    {
        PingTable.Install(machine);
        InetProtos protos = InetProtos.Of(machine);
        protos.PingRcv = PingRcv;
        protos.PingErr = PingErr;
    }

    /// <summary>Takes an identifier, the given one or the next free one (0).</summary>
    /// <returns>0 or -EADDRINUSE.</returns>
    [Linux("ping_get_port")]
    public static int PingGetPort(InetSock sk, ushort ident)
    {
        PingTable table = PingTable.Of(sk.Machine);
        lock (table)
        {
            if (ident == 0)
                ident = table.NextFree(sk.SkNet);
            else if (table.Find(sk.SkNet, ident, other => other != sk && !(other.SkcReuse && sk.SkcReuse)) != null)
                ident = 0;
            if (ident == 0)
                return -EADDRINUSE;
            sk.SkcNum = ident;
            table.Add(sk);
            return 0;
        }
    }

    /// <summary>Gives the identifier back.</summary>
    [Linux("ping_unhash")]
    public static void PingUnhash(InetSock sk)
    {
        PingTable table = PingTable.Of(sk.Machine);
        lock (table)
        {
            if (!table.Remove(sk))
                return;
            sk.SkcNum = 0;
            sk.InetSport = 0;
        }
    }

    /// <summary>Only groups in <c>ping_group_range</c> may have ping sockets.</summary>
    /// <returns>0 or -EACCES.</returns>
    [Linux("ping_init_sock")]
    public static int PingInitSock(InetSock sk)
    {
        (uint low, uint high) = sk.SkNet.Ipv4.PingGroupRange;
        Cred cred = TaskStruct.Current.Cred;
        if (cred.Egid >= low && cred.Egid <= high)
            return 0;
        foreach (uint group in cred.Groups)
        {
            if (group >= low && group <= high)
                return 0;
        }

        return -EACCES;
    }

    /// <summary>Binds to an address and an identifier.</summary>
    [Linux("ping_bind")]
    public static int PingBind(InetSock sk, ReadOnlySpan<byte> addr)
    {
        int err = PingCheckBindAddr(sk, addr);
        if (err != 0)
            return err;
        SockaddrIn.Read(addr, out uint saddr, out ushort snum);
        sk.LockSock();
        if (sk.SkcNum != 0)
        {
            err = -EINVAL;
        }
        else if (PingGetPort(sk, snum) != 0)
        {
            err = -EADDRINUSE;
        }
        else
        {
            sk.SkcRcvSaddr = sk.InetSaddr = saddr;
            if (saddr != 0)
                sk.SkUserlocks |= SockUserLocks.BindAddr;
            if (snum != 0)
                sk.SkUserlocks |= SockUserLocks.BindPort;
            sk.InetSport = sk.SkcNum;
            sk.SkcDaddr = 0;
            sk.SkcDport = 0;
            sk.SkDstReset();
        }

        sk.ReleaseSock();
        return err;
    }

    /// <summary>Sends an echo request; the header comes with the message, the identifier is the socket's.</summary>
    [Linux("ping_v4_sendmsg")]
    public static long PingV4Sendmsg(InetSock sk, MsgHdr msg, long len)
    {
        IovIter start = msg.MsgIter;
        Span<byte> header = stackalloc byte[Icmphdr.Size];
        int err = PingCommonSendmsg(msg, len, header);
        if (err == 0)
            err = SendEcho(sk, msg, len, header);
        if (err == -EAGAIN)
            msg.MsgIter = start;
        return err < 0 ? err : len;
    }

    /// <summary>Reads the next reply, ICMP header included.</summary>
    [Linux("ping_recvmsg")]
    public static long PingRecvmsg(InetSock sk, MsgHdr msg, long len, int flags)
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
            sk.SockRecvTimestamp(msg, skb);
            if (msg.HasName)
                msg.MsgNamelen = SockaddrIn.Write(msg.NameBuffer, skb.IpHdr.Saddr, 0);
            if ((sk.InetFlags & IpSockglue.CmsgFlags) != 0)
                IpSockglue.IpCmsgRecvOffset(msg, sk, skb, 0, 0);
        }

        Core.Datagram.SkbFreeDatagram(sk, skb);
        return err != 0 ? err : copied;
    }

    /// <summary>
    /// Gives a copy of an echo reply, whose data begins behind the ICMP header, to the socket that it belongs to. The
    /// packet stays the caller's.
    /// </summary>
    /// <returns>Whether there is such a socket.</returns>
    [Linux("ping_rcv")]
    public static bool PingRcv(SkBuff skb)
    {
        InetSock? sk = PingLookup(skb.Dev!.Net, skb, skb.IcmpHdr.EchoId);
        if (sk == null)
            return false;
        SkBuff copy = skb.Clone();
        copy.Push(copy.DataOffset - copy.TransportHeader);
        PingQueueRcvSkb(sk, copy);
        return true;
    }

    /// <summary>
    /// An ICMP error for an echo that a ping socket sent: the message's data begins at the offending IP header.
    /// </summary>
    [Linux("ping_err")]
    public static void PingErr(SkBuff skb, uint info)
    {
        var iph = new Iphdr(skb.Data);
        var echo = new Icmphdr(skb.Data[iph.HeaderLength..]);
        if (!PingSupported(echo.Type, echo.Code))
            return;
        InetSock? sk = PingLookup(skb.Dev!.Net, skb, echo.EchoId);
        if (sk == null)
            return;
        Icmphdr icmph = skb.IcmpHdr;
        bool report = IcmpErrConvert.Convert(sk, skb, icmph.Type, icmph.Code, info, out int err, out bool harderr);
        if (!report)
        {
            // These are no errors, but ping wants to see them.
            if (icmph.Type is not (ICMP_SOURCE_QUENCH or ICMP_REDIRECT))
                return;
            err = EREMOTEIO;
        }

        if (sk.Test(InetFlags.Recverr))
            IpSockglue.IpIcmpError(sk, skb, err, 0, info, iph.HeaderLength);
        else if (!harderr || sk.SkState != TCP_ESTABLISHED)
            return;
        sk.SkErr = err;
        sk.SkErrorReport(sk);
    }

    [Linux("ping_queue_rcv_skb")]
    private static int PingQueueRcvSkb(InetSock sk, SkBuff skb)
    {
        IpSockglue.Ipv4PktinfoPrepare(sk, skb, dropDst: true);
        int err = sk.SockQueueRcvSkb(skb);
        if (err < 0)
            skb.Free();
        return err;
    }

    [Linux("ping_check_bind_addr")]
    private static int PingCheckBindAddr(InetSock sk, ReadOnlySpan<byte> addr)
    {
        if (addr.Length < SockaddrIn.Size)
            return -EINVAL;
        SockaddrIn.Read(addr, out ushort family, out uint saddr, out _);
        if (family != AF_INET && !(family == AF_UNSPEC && saddr == INADDR_ANY))
            return -EAFNOSUPPORT;
        if (saddr == INADDR_ANY)
            return 0;
        int type = FibFrontend.InetAddrType(sk.SkNet, saddr);
        bool usable = type == RTN_LOCAL
            || (type is not (RTN_MULTICAST or RTN_BROADCAST) && AfInet.InetCanNonlocalBind(sk));
        return usable ? 0 : -EADDRNOTAVAIL;
    }

    [Linux("ping_common_sendmsg")]
    private static int PingCommonSendmsg(MsgHdr msg, long len, Span<byte> header)
    {
        if (len > 0xFFFF)
            return -EMSGSIZE;
        if (len < Icmphdr.Size)
            return -EINVAL;
        if ((msg.MsgFlags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        if (msg.MsgIter.CopyFrom(header) != Icmphdr.Size)
            return -EFAULT;
        return PingSupported(header[0], header[1]) ? 0 : -EINVAL;
    }

    private static bool PingSupported(int type, int code) => type == ICMP_ECHO && code == 0;

    private static int SendEcho(InetSock sk, MsgHdr msg, long len, Span<byte> header)
    {
        Flowi4 fl4 = default;
        IpcmCookie ipc = IpcmCookie.InitSk(sk);
        int err = IpSockglue.RouteMessage(
            sk, msg, ref ipc, ref fl4, strictFamily: true, IPPROTO_ICMP, header, 0, out Rtable? rt);
        if (err != 0)
            return err;
        if (IpSockglue.ConfirmAndStop(rt!, in fl4, msg, len))
            return 0;
        var pfh = new Pingfakehdr(msg);
        sk.LockSock();
        err = IpOutput.IpAppendData(
            sk, ref fl4, PingGetfrag, pfh, (int)len, Icmphdr.Size, ref ipc, ref rt, msg.MsgFlags);
        if (err != 0)
            IpOutput.IpFlushPendingFrames(sk);
        else
            err = PingV4PushPendingFrames(sk, pfh, header, ref fl4);
        sk.ReleaseSock();
        return err;
    }

    [Linux("ping_v4_push_pending_frames")]
    private static int PingV4PushPendingFrames(InetSock sk, Pingfakehdr pfh, Span<byte> header, ref Flowi4 fl4)
    {
        SkBuff? skb = sk.SkWriteQueue.First;
        if (skb == null)
            return 0;
        var icmph = new Icmphdr(header) { Checksum = 0, EchoId = sk.InetSport };
        icmph.Checksum = Checksum.CsumFold(Checksum.CsumPartial(header, pfh.Wcheck));
        header.CopyTo(skb.TransportHeaderSpan);
        skb.IpSummed = ChecksumState.None;
        return IpOutput.IpPushPendingFrames(sk, ref fl4);
    }

    [Linux("ping_getfrag")]
    private static int PingGetfrag(object from, Span<byte> to, int offset, int odd, SkBuff skb)
    {
        var pfh = (Pingfakehdr)from;
        if (pfh.Msg.MsgIter.CopyFrom(to) != to.Length)
            return -EFAULT;
        pfh.Wcheck = Checksum.CsumBlockAdd(pfh.Wcheck, Checksum.CsumPartial(to, 0), offset);
        return 0;
    }

    [Linux("ping_lookup")]
    private static InetSock? PingLookup(NetNamespace net, SkBuff skb, ushort ident)
    {
        uint daddr = skb.IpHdr.Daddr;
        int dif = skb.Dst is Rtable { RtIif: not 0 } rt ? rt.RtIif : skb.SkbIif;
        return PingTable.Of(net.Machine).Find(net, ident, sk =>
            (sk.SkcRcvSaddr == 0 || sk.SkcRcvSaddr == daddr) && (sk.SkcBoundDevIf == 0 || sk.SkcBoundDevIf == dif));
    }

    // The message and the sum of what was copied from it (struct pingfakehdr).
    private sealed class Pingfakehdr(MsgHdr msg)
    {
        public readonly MsgHdr Msg = msg;
        public uint Wcheck;
    }
}
