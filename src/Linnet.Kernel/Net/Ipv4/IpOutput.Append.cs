using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Datagrams of UDP, raw and ping sockets. A datagram is put together in one packet, however long it is; what does not
/// fit the path is cut on the way out.
/// </content>
public static partial class IpOutput
{
    private const int IpMaxMtu = 0xFFFF;
    private const int CorkPageSize = 16 * 1024;

    /// <summary>Copies from a <see cref="MsgHdr"/>, summing where the packet's checksum is not left to the device.</summary>
    [Linux("ip_generic_getfrag")]
    public static int IpGenericGetfrag(object from, Span<byte> to, int offset, int odd, SkBuff skb)
    {
        MsgHdr msg = (MsgHdr)from;
        if (msg.MsgIter.CopyFrom(to) != to.Length)
            return -EFAULT;
        if (skb.IpSummed != ChecksumState.Partial)
            skb.Csum = Checksum.CsumBlockAdd(skb.Csum, Checksum.CsumPartial(to, 0), odd);
        return 0;
    }

    /// <summary>
    /// Adds data to the datagram that the socket is putting together (<c>ip_append_data</c>); the socket is owned. Sends
    /// nothing until <see cref="IpPushPendingFrames"/>.
    /// </summary>
    /// <param name="sk">The socket.</param>
    /// <param name="fl4">Where the datagram goes.</param>
    /// <param name="getfrag">Copies the data.</param>
    /// <param name="from">What <paramref name="getfrag"/> copies from.</param>
    /// <param name="length">Bytes to add, transport header included.</param>
    /// <param name="transhdrlen">Bytes of transport header to leave room for; the first time only.</param>
    /// <param name="ipc">How to send; the first time only.</param>
    /// <param name="rtp">The route; the first time only.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <returns>0, -EMSGSIZE, -EAGAIN without room in the send buffer, or another negative errno.</returns>
    [Linux("ip_append_data")]
    public static int IpAppendData(
        Sock sk, ref Flowi4 fl4, GetFrag getfrag, object from, int length, int transhdrlen, ref IpcmCookie ipc,
        ref Rtable? rtp, int flags)
    {
        InetSock inet = (InetSock)sk;
        if ((flags & MSG_PROBE) != 0)
            return 0;
        if (sk.SkWriteQueue.IsEmpty)
        {
            int err = IpSetupCork(inet, ref inet.Cork, in ipc, ref rtp);
            if (err < 0)
                return err;
        }
        else
        {
            transhdrlen = 0;
        }

        SkBuff? pending = sk.SkWriteQueue.First;
        int ret = IpAppendDataCore(inet, in fl4, ref pending, ref inet.Cork, getfrag, from, length, transhdrlen, flags);
        if (pending != null && sk.SkWriteQueue.IsEmpty)
            sk.SkWriteQueue.QueueTail(pending);
        return ret;
    }

    /// <summary>Makes a whole datagram at once (<c>ip_make_skb</c>); needs no socket lock.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="fl4">Where the datagram goes.</param>
    /// <param name="getfrag">Copies the data.</param>
    /// <param name="from">What <paramref name="getfrag"/> copies from.</param>
    /// <param name="length">Bytes, transport header included.</param>
    /// <param name="transhdrlen">Bytes of transport header to leave room for.</param>
    /// <param name="ipc">How to send.</param>
    /// <param name="rt">The route.</param>
    /// <param name="cork">Room for what is kept meanwhile.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <param name="skb">The datagram with its IP header; null with <c>MSG_PROBE</c> and on error.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("ip_make_skb")]
    public static int IpMakeSkb(
        Sock sk, ref Flowi4 fl4, GetFrag getfrag, object from, int length, int transhdrlen, ref IpcmCookie ipc,
        Rtable rt, ref InetCork cork, int flags, out SkBuff? skb)
    {
        InetSock inet = (InetSock)sk;
        skb = null;
        if ((flags & MSG_PROBE) != 0)
            return 0;
        Rtable? rtp = rt;
        int err = IpSetupCork(inet, ref cork, in ipc, ref rtp);
        if (err < 0)
            return err;
        err = IpAppendDataCore(inet, in fl4, ref skb, ref cork, getfrag, from, length, transhdrlen, flags);
        if (err == 0)
        {
            skb = IpMakeSkbCore(inet, in fl4, skb!, ref cork);
            return 0;
        }

        skb?.Free();
        skb = null;
        cork.Dst = null;
        return err;
    }

    /// <summary>Finishes the datagram that the socket was putting together (<c>ip_finish_skb</c>); the socket is owned.</summary>
    /// <returns>The datagram with its IP header, or null when there is none.</returns>
    public static SkBuff? IpFinishSkb(Sock sk, ref Flowi4 fl4)
    {
        SkBuff? skb = sk.SkWriteQueue.Dequeue();
        InetSock inet = (InetSock)sk;
        return skb == null ? null : IpMakeSkbCore(inet, in fl4, skb, ref inet.Cork);
    }

    /// <summary>Sends the datagram that the socket was putting together (<c>ip_push_pending_frames</c>); the socket is owned.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("ip_push_pending_frames")]
    public static int IpPushPendingFrames(Sock sk, ref Flowi4 fl4)
    {
        SkBuff? skb = IpFinishSkb(sk, ref fl4);
        return skb == null ? 0 : IpSendSkb(sk.SkNet, skb);
    }

    /// <summary>Throws the datagram away that the socket was putting together; the socket is owned.</summary>
    [Linux("ip_flush_pending_frames")]
    public static void IpFlushPendingFrames(Sock sk)
    {
        sk.SkWriteQueue.Purge();
        InetSock inet = (InetSock)sk;
        inet.Cork.Dst = null;
        inet.Cork.Opt = null;
    }

    /// <summary>Sends a datagram with its IP header (<c>ip_send_skb</c>). Takes over the packet.</summary>
    /// <returns>0 or a negative errno; a drop in a queue counts as sent unless the socket asked for errors.</returns>
    [Linux("ip_send_skb")]
    public static int IpSendSkb(NetNamespace net, SkBuff skb)
    {
        int err = IpLocalOut(net, skb.Sk, skb);
        if (err > 0)
            err = err == Dev.NET_XMIT_CN ? 0 : -ENOBUFS;
        if (err != 0)
            net.Ipv4.IpStatistics.Inc(IpstatsMib.OutDiscards);
        return err;
    }

    [Linux("ip_setup_cork")]
    private static int IpSetupCork(InetSock inet, ref InetCork cork, in IpcmCookie ipc, ref Rtable? rtp)
    {
        if (rtp is not { } rt)
            return -EFAULT;
        cork.Opt = ipc.Opt;
        cork.Addr = ipc.Addr;
        cork.Fragsize = IpSkUsePmtu(inet) ? rt.Mtu : Math.Min(rt.Dev.Mtu, IpMaxMtu);
        if (cork.Fragsize < 68)
            return -ENETUNREACH;
        cork.GsoSize = ipc.GsoSize;
        cork.Dst = rt;
        rtp = null;
        cork.Length = 0;
        cork.Ttl = ipc.Ttl;
        cork.Tos = ipc.Tos;
        cork.Mark = ipc.Mark;
        cork.Priority = ipc.Priority;
        cork.Tsflags = ipc.Tsflags;
        cork.TransmitTime = ipc.TransmitTime;
        return 0;
    }

    [Linux("__ip_append_data")]
    private static int IpAppendDataCore(
        InetSock inet, in Flowi4 fl4, ref SkBuff? skb, ref InetCork cork, GetFrag getfrag, object from, int length,
        int transhdrlen, int flags)
    {
        Rtable rt = cork.Dst!;
        int optlen = cork.Opt?.Opt.Optlen ?? 0;
        int mtu = cork.GsoSize != 0 ? IpMaxMtu : cork.Fragsize;
        int fragheaderlen = Iphdr.Size + optlen;
        int maxnonfragsize = IpSkIgnoreDf(inet) ? IpMaxMtu : mtu;
        if (cork.Length + length > maxnonfragsize - fragheaderlen)
        {
            IpSockglue.IpLocalError(inet, EMSGSIZE, fl4.Daddr, fl4.FlDport, (uint)(mtu - optlen));
            return -EMSGSIZE;
        }

        if (skb == null)
        {
            bool partial = transhdrlen != 0 && length + fragheaderlen <= mtu
                && (rt.Dev.Features & NetdevFeatures.HwCsum) != 0 && ((flags & MSG_MORE) == 0 || cork.GsoSize != 0);
            skb = AllocFirst(inet, LlMaxHeader + fragheaderlen + length, transhdrlen, out int err);
            if (skb == null)
            {
                if (err == -EAGAIN)
                    inet.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutDiscards);
                return err;
            }

            skb.IpSummed = partial ? ChecksumState.Partial : ChecksumState.None;
            skb.Csum = 0;
            skb.Reserve(LlMaxHeader);
            skb.ResetNetworkHeader();
            skb.ResetTransportHeader(fragheaderlen);
            skb.Put(fragheaderlen + transhdrlen);
            TxTimestamp.SkbSetupTxTimestamp(skb, inet, cork.Tsflags);
            length -= transhdrlen;
            cork.Length += transhdrlen;
        }

        int copied = AppendCopy(inet, skb, getfrag, from, length);
        if (copied == 0)
            cork.Length += length;
        else
            inet.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutDiscards);
        return copied;
    }

    // Without a transport header of the kernel's (raw sockets) nobody waits for room, asks for errors, or is shut.
    private static SkBuff? AllocFirst(InetSock inet, int size, int transhdrlen, out int err)
    {
        if (transhdrlen != 0)
            return inet.SockAllocSendPskb(size, out err);
        SkBuff? skb = inet.SkWmemAllocGet <= 2L * inet.SkSndbuf ? inet.SockWmalloc(size, force: true) : null;
        err = skb == null ? -ENOBUFS : 0;
        return skb;
    }

    // The head takes what fits; later pieces go to pages, filled one after the other.
    private static int AppendCopy(InetSock inet, SkBuff skb, GetFrag getfrag, object from, int length)
    {
        int before = skb.Len;
        int offset = 0;
        int fits = Math.Min(length, skb.Tailroom);
        if (fits > 0)
        {
            int err = getfrag(from, skb.Put(fits), offset, before, skb);
            if (err < 0)
                return Undo(skb, before, err);
            offset += fits;
        }

        while (offset < length)
        {
            int room = LastFragRoom(skb);
            if (room == 0 && skb.NrFrags == SkBuff.MaxFrags)
                return Undo(skb, before, -EMSGSIZE);
            if (room == 0)
            {
                Page page = inet.SkNet.SkbPool.Pages.Rent(CorkPageSize);
                skb.AddFrag(page, 0, 0);
                room = page.Size;
            }

            int n = Math.Min(length - offset, room);
            ref SkbFrag frag = ref skb.Frag(skb.NrFrags - 1);
            int odd = skb.Len;
            Span<byte> to = frag.Page.Span(frag.Offset + frag.Size, n);
            skb.GrowLastFrag(n);
            int err = getfrag(from, to, offset, odd, skb);
            if (err < 0)
                return Undo(skb, before, err);
            skb.Truesize += n;
            Interlocked.Add(ref inet.SkWmemAlloc, n);
            offset += n;
        }

        return 0;
    }

    private static int LastFragRoom(SkBuff skb)
    {
        if (skb.NrFrags == 0)
            return 0;
        ref SkbFrag last = ref skb.Frag(skb.NrFrags - 1);
        return last.Page.IsShared ? 0 : last.Page.Size - last.Offset - last.Size;
    }

    private static int Undo(SkBuff skb, int length, int err)
    {
        skb.PskbTrim(length);
        return err;
    }

    [Linux("__ip_make_skb")]
    private static SkBuff IpMakeSkbCore(InetSock inet, in Flowi4 fl4, SkBuff skb, ref InetCork cork)
    {
        Rtable rt = cork.Dst!;
        NetNamespace net = inet.SkNet;
        IpOptionsRcu? opt = cork.Opt;
        skb.IgnoreDf = IpSkIgnoreDf(inet);
        bool df = inet.Pmtudisc is IP_PMTUDISC_DO or IP_PMTUDISC_PROBE
            || (skb.Len <= rt.Mtu && IpDontFragment(inet, rt));
        byte ttl = cork.Ttl != 0 ? cork.Ttl : rt.RtType == RTN_MULTICAST ? inet.McTtl : IpSelectTtl(inet, rt);
        byte tos = cork.Tos != -1 ? (byte)cork.Tos : inet.Tos;
        int optlen = opt?.Opt.Optlen ?? 0;
        skb.IpCb = default;
        Iphdr iph = skb.IpHdr;
        WriteHead(iph, optlen, tos, ttl, (byte)inet.SkProtocol, fl4.Saddr, fl4.Daddr);
        if (df)
            iph.FragOff = IP_DF;
        if (opt != null && optlen != 0)
            IpOptions.IpOptionsBuild(skb, opt, cork.Addr, rt);
        IpSelectIdentSegs(net, skb, inet, 1);
        skb.Priority = cork.Tos != -1 ? cork.Priority : inet.SkPriority;
        skb.Mark = cork.Mark;
        skb.Tstamp = cork.TransmitTime;
        skb.Dst = rt;
        cork.Dst = null;
        cork.Opt = null;
        if (inet.SkProtocol == IPPROTO_ICMP && skb.HeadLen > skb.TransportHeader - skb.NetworkHeader)
            Icmp.IcmpOutCount(net, skb.TransportHeaderSpan[0]);
        return skb;
    }
}
