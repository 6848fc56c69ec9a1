using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sending raw packets.</content>
public static partial class Raw
{
    private static readonly GetFrag Getfrag = IpOutput.IpGenericGetfrag;

    /// <summary>Sends a packet; with <c>IP_HDRINCL</c> the message begins with its IP header.</summary>
    [Linux("raw_sendmsg")]
    public static long RawSendmsg(RawSock sk, MsgHdr msg, long len)
    {
        if (len > 0xFFFF)
            return -EMSGSIZE;
        if ((msg.MsgFlags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        IovIter start = msg.MsgIter;
        bool hdrincl = sk.Test(InetFlags.Hdrincl);
        IpcmCookie ipc = IpcmCookie.InitSk(sk);
        Flowi4 fl4 = default;
        Span<byte> icmp = stackalloc byte[2];
        int unreadable = RawProbeProtoOpt(sk, msg, hdrincl, ref icmp);
        int protocol = hdrincl ? IPPROTO_RAW : sk.SkProtocol;
        int err = IpSockglue.RouteMessage(
            sk, msg, ref ipc, ref fl4, strictFamily: false, protocol, icmp, unreadable, out Rtable? rt);
        if (err != 0)
            return err;
        if (IpSockglue.ConfirmAndStop(rt!, in fl4, msg, len))
            return len;
        err = hdrincl
            ? RawSendHdrinc(sk, in fl4, msg, (int)len, rt!, in ipc)
            : Append(sk, msg, (int)len, ref ipc, ref fl4, ref rt);
        if (err == -EAGAIN)
            msg.MsgIter = start;
        return err < 0 ? err : len;
    }

    // Routes may depend on type and code of an ICMP message, which the user writes.
    [Linux("raw_probe_proto_opt")]
    private static int RawProbeProtoOpt(RawSock sk, MsgHdr msg, bool hdrincl, ref Span<byte> icmp)
    {
        if (hdrincl || sk.SkProtocol != IPPROTO_ICMP)
        {
            icmp = default;
            return 0;
        }

        // A message that is too short for them is no better than one that cannot be read.
        IovIter peek = msg.MsgIter;
        return peek.CopyFrom(icmp) == icmp.Length ? 0 : -EFAULT;
    }

    private static int Append(
        RawSock sk, MsgHdr msg, int len, ref IpcmCookie ipc, ref Flowi4 fl4, ref Rtable? rt)
    {
        sk.LockSock();
        int err = IpOutput.IpAppendData(sk, ref fl4, Getfrag, msg, len, 0, ref ipc, ref rt, msg.MsgFlags);
        if (err != 0)
        {
            IpOutput.IpFlushPendingFrames(sk);
        }
        else if ((msg.MsgFlags & MSG_MORE) == 0)
        {
            err = IpOutput.IpPushPendingFrames(sk, ref fl4);
            if (err == -ENOBUFS && !sk.Test(InetFlags.Recverr))
                err = 0;
        }

        sk.ReleaseSock();
        return err;
    }

    [Linux("raw_send_hdrinc")]
    private static int RawSendHdrinc(
        RawSock sk, in Flowi4 fl4, MsgHdr msg, int length, Rtable rt, in IpcmCookie ipc)
    {
        if (length > rt.Dev.Mtu)
        {
            IpSockglue.IpLocalError(sk, EMSGSIZE, fl4.Daddr, sk.SkcDport, (uint)rt.Dev.Mtu);
            return -EMSGSIZE;
        }

        if (length < Iphdr.Size)
            return -EINVAL;
        if ((msg.MsgFlags & MSG_PROBE) != 0)
            return 0;
        NetNamespace net = sk.SkNet;
        SkBuff? skb = sk.SockAllocSendPskb(length + IpOutput.LlMaxHeader, out int err);
        if (skb != null)
        {
            skb.Reserve(IpOutput.LlMaxHeader);
            skb.Protocol = ETH_P_IP;
            skb.Priority = ipc.Priority;
            skb.Mark = ipc.Mark;
            skb.Tstamp = ipc.TransmitTime;
            TxTimestamp.SkbSetupTxTimestamp(skb, sk, ipc.Tsflags);
            skb.Dst = rt;
            skb.ResetNetworkHeader();
            err = msg.MsgIter.CopyFrom(skb.Put(length)) == length ? FillHeader(net, skb, in fl4, length) : -EFAULT;
            if (err == 0)
            {
                skb.Dev = rt.Dev;
                err = skb.Dst.Output(net, sk, skb);
                if (err > 0)
                    err = err == Dev.NET_XMIT_CN ? 0 : -ENOBUFS;
            }
            else
            {
                skb.Free();
            }
        }

        if (err == 0)
            return 0;
        net.Ipv4.IpStatistics.Inc(IpstatsMib.OutDiscards);
        return err == -ENOBUFS && !sk.Test(InetFlags.Recverr) ? 0 : err;
    }

    // The user's header stays as it is, but for what the kernel always fills in: length, checksum, a missing source or
    // id.
    private static int FillHeader(NetNamespace net, SkBuff skb, in Flowi4 fl4, int length)
    {
        skb.TransportHeader = skb.NetworkHeader;
        Iphdr iph = skb.IpHdr;
        int iphlen = iph.HeaderLength;
        if (iphlen > length)
            return -EINVAL;
        if (iphlen < Iphdr.Size)
            return 0;
        if (iph.Saddr == 0)
            iph.Saddr = fl4.Saddr;
        iph.TotLen = (ushort)length;
        if (iph.Id == 0)
            IpOutput.IpSelectIdentCore(net, iph, 1);
        iph.SendCheck();
        skb.TransportHeader += iphlen;
        if (iph.Protocol == IPPROTO_ICMP && length >= iphlen + Icmphdr.Size)
            Icmp.IcmpOutCount(net, skb.TransportHeaderSpan[0]);
        return 0;
    }
}
