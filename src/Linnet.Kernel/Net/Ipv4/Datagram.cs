using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Connecting datagram sockets of IPv4: UDP, ping and raw.</summary>
[LinuxFile("net/ipv4/datagram.c")]
public static class Datagram
{
    /// <summary>Fixes the peer and, where they are not bound, the local address; socket owned.</summary>
    /// <returns>
    /// 0, -EINVAL, -EAFNOSUPPORT, -EACCES for broadcast without permission, or what the route lookup answers.
    /// </returns>
    [Linux("__ip4_datagram_connect")]
    public static int Ip4DatagramConnectCore(InetSock sk, ReadOnlySpan<byte> addr)
    {
        if (addr.Length < SockaddrIn.Size)
            return -EINVAL;
        SockaddrIn.Read(addr, out ushort family, out uint daddr, out ushort dport);
        if (family != AF_INET)
            return -EAFNOSUPPORT;
        sk.SkDstCache = null;
        int oif = sk.SkcBoundDevIf;
        uint saddr = sk.InetSaddr;
        if (Ipv4Addr.IsMulticast(daddr))
        {
            if (oif == 0)
                oif = sk.McIndex;
            if (saddr == 0)
                saddr = sk.McAddr;
        }
        else if (oif == 0)
        {
            oif = sk.UcIndex;
        }

        ref Flowi4 fl4 = ref sk.Cork.Fl;
        int err = Route.IpRouteConnect(
            ref fl4, daddr, saddr, oif, (byte)sk.SkProtocol, sk.InetSport, dport, sk, out Rtable? rt);
        if (err != 0)
        {
            if (err == -ENETUNREACH)
                sk.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            return err;
        }

        if ((rt!.RtFlags & Rtable.RTCF_BROADCAST) != 0 && !sk.SockFlag(SockFlags.Broadcast))
            return -EACCES;
        Connected(sk, in fl4, dport, rt);
        return 0;
    }

    /// <summary>The same, taking the socket lock.</summary>
    [Linux("ip4_datagram_connect")]
    public static int Ip4DatagramConnect(InetSock sk, ReadOnlySpan<byte> addr) => Ip4DatagramConnectCore(sk, addr);

    /// <summary>
    /// Looks up a connected socket's route anew if a path MTU or redirect made it obsolete meanwhile
    /// (<c>release_cb</c>).
    /// </summary>
    [Linux("ip4_datagram_release_cb")]
    public static void Ip4DatagramReleaseCb(InetSock sk)
    {
        if (sk.SkDstCache is not { } dst || dst.Check())
            return;
        uint daddr = sk.InetOpt is { Opt.Srr: not 0 } opt ? opt.Opt.Faddr : sk.SkcDaddr;
        Flowi4 fl4 = Flowi4.InitOutput(
            sk.SkcBoundDevIf, sk.SkMark, Route.IpSockRtTos(sk), Route.IpSockRtScope(sk), (byte)sk.SkProtocol,
            IpSockglue.InetSkFlowiFlags(sk), daddr, sk.InetSaddr, sk.SkcDport, sk.InetSport, sk.SkUid);
        sk.SkDstCache = Route.IpRouteOutputFlow(sk.SkNet, ref fl4, sk, out Rtable? rt) == 0 ? rt : null;
    }

    private static void Connected(InetSock sk, in Flowi4 fl4, ushort dport, Rtable rt)
    {
        // Addresses first, so that packets that find the socket in its new place match.
        sk.SkcDaddr = fl4.Daddr;
        sk.SkcDport = dport;
        if (sk.InetSaddr == 0)
            sk.InetSaddr = fl4.Saddr;
        if (sk.SkcRcvSaddr == 0)
        {
            sk.SkcRcvSaddr = fl4.Saddr;
            sk.SkProt.Rehash(sk);
        }

        sk.SkcState = TCP_ESTABLISHED;
        sk.SkSetTxhash();
        sk.InetId = (ushort)sk.Machine.Random.NextU32();
        sk.SkDstSet(rt);
    }
}
