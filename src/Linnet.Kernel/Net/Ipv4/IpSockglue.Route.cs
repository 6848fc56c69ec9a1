using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Where a message of a ping or raw socket goes; the part that their sendmsg have in common.</content>
public static partial class IpSockglue
{
    /// <summary>Takes address and control messages of a send, and looks up its route.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="msg">The message.</param>
    /// <param name="ipc">The socket's settings; afterwards those of the message.</param>
    /// <param name="fl4">The flow.</param>
    /// <param name="strictFamily">Whether an address without a family is refused.</param>
    /// <param name="protocol">Transport protocol.</param>
    /// <param name="icmp">Type and code of an ICMP message; empty for others.</param>
    /// <param name="unreadable">What reading the first bytes of the message gave: 0 or a negative errno.</param>
    /// <param name="rt">The route.</param>
    /// <returns>0 or a negative errno.</returns>
    internal static int RouteMessage(
        InetSock sk, MsgHdr msg, ref IpcmCookie ipc, ref Flowi4 fl4, bool strictFamily, int protocol,
        ReadOnlySpan<byte> icmp, int unreadable, out Rtable? rt)
    {
        rt = null;
        int err = MessageDestination(sk, msg, strictFamily, out uint daddr);
        if (err == 0 && msg.MsgControllen != 0)
            err = IpCmsgSend(sk, msg, ref ipc, allowIpv6: false);
        if (err != 0)
            return err;
        ipc.Opt ??= sk.InetOpt;
        uint saddr = ipc.Addr;
        ipc.Addr = daddr;
        uint faddr = daddr;
        if (ipc.Opt != null)
        {
            // Headers that the user wrote are not changed, so there is no room for options.
            if (sk.Test(InetFlags.Hdrincl) || (ipc.Opt.Opt.Srr != 0 && daddr == 0))
                return -EINVAL;
            if (ipc.Opt.Opt.Srr != 0)
                faddr = ipc.Opt.Opt.Faddr;
        }

        if (Ipv4Addr.IsMulticast(daddr))
        {
            if (ipc.Oif == 0)
                ipc.Oif = sk.McIndex;
            if (saddr == 0)
                saddr = sk.McAddr;
        }
        else if (ipc.Oif == 0)
        {
            ipc.Oif = sk.UcIndex;
        }

        fl4 = Flowi4.InitOutput(
            ipc.Oif, ipc.Mark, RtTos(sk, in ipc), IpSendmsgScope(sk, in ipc, msg.MsgFlags), (byte)protocol,
            InetSkFlowiFlags(sk), faddr, saddr, 0, 0, sk.SkUid);
        if (icmp.Length >= 2)
        {
            fl4.FlIcmpType = icmp[0];
            fl4.FlIcmpCode = icmp[1];
        }

        // That the message cannot be read is told only to who has somewhere to send it.
        if (unreadable != 0)
            return unreadable;
        err = FindRoute(sk, ref fl4, out rt);
        if (err == 0 && ipc.Addr == 0)
            ipc.Addr = fl4.Daddr;
        return err;
    }

    private static int MessageDestination(InetSock sk, MsgHdr msg, bool strictFamily, out uint daddr)
    {
        // Raw sockets go by the address's length: none is as no address.
        if (strictFamily ? msg.HasName : msg.MsgNamelen > 0)
        {
            daddr = 0;
            if (msg.MsgNamelen < SockaddrIn.Size)
                return -EINVAL;
            SockaddrIn.Read(msg.MsgName, out ushort family, out daddr, out _);
            return family == AF_INET || (!strictFamily && family == AF_UNSPEC) ? 0 : -EAFNOSUPPORT;
        }

        daddr = sk.SkcDaddr;
        return sk.SkState == TCP_ESTABLISHED ? 0 : -EDESTADDRREQ;
    }

    private static int FindRoute(InetSock sk, ref Flowi4 fl4, out Rtable? rt)
    {
        int err = Route.IpRouteOutputFlow(sk.SkNet, ref fl4, sk, out rt);
        if (err == -ENETUNREACH && sk.SkType != SOCK_RAW)
            sk.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
        if (err != 0)
            return err;
        return (rt!.RtFlags & Rtable.RTCF_BROADCAST) != 0 && !sk.SockFlag(SockFlags.Broadcast) ? -EACCES : 0;
    }
}
