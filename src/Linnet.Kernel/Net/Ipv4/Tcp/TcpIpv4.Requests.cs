using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>From SYN to child.</content>
public static partial class TcpIpv4
{
    /// <summary>A SYN for a listener. The packet stays the caller's.</summary>
    /// <returns>0: whatever is answered is sent from here.</returns>
    [Linux("tcp_v4_conn_request")]
    public static int TcpV4ConnRequest(TcpSock sk, SkBuff skb)
    {
        // Nobody connects to a broadcast or multicast address (RFC 1122 section 4.2.3.10).
        if (skb.Dst is Rtable rt && (rt.RtFlags & (Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST)) != 0)
        {
            Tcp.TcpListendrop(sk);
            return 0;
        }

        return TcpInput.TcpConnRequest(TcpRequestSockOpsV4.Rsk, TcpRequestSockOpsV4.Ipv4, sk, skb);
    }

    /// <summary>The handshake is finished: makes the connection, locked and in the tables.</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="skb">The ACK.</param>
    /// <param name="req">The request.</param>
    /// <param name="dst">The route, or null to look it up.</param>
    /// <param name="reqUnhash">The request that makes room in the table, or null.</param>
    /// <param name="ownReq">Whether the connection entered the table.</param>
    /// <returns>The connection, or null when there is no room in the accept queue or no route.</returns>
    [Linux("tcp_v4_syn_recv_sock")]
    public static TcpSock? TcpV4SynRecvSock(
        TcpSock sk, SkBuff skb, TcpRequestSock req, DstEntry? dst, RequestSock? reqUnhash, out bool ownReq)
    {
        ownReq = false;
        if (InetConnectionSockOps.SkAcceptqIsFull(sk))
        {
            sk.NetIncStats(LinuxMib.ListenOverflows);
            Tcp.TcpListendrop(sk);
            return null;
        }

        TcpSock? newtp = TcpMinisocks.TcpCreateOpenreqChild(sk, req, skb);
        if (newtp == null)
        {
            Tcp.TcpListendrop(sk);
            return null;
        }

        Ipv4Specific.Instance.SkRxDstSet(newtp, skb);
        InheritFromSyn(sk, newtp, skb, req);
        dst ??= InetConnectionSockOps.InetCskRouteChildSock(sk, newtp, req);
        if (dst == null || !Enter(sk, newtp, req, dst, reqUnhash, out ownReq))
        {
            newtp.InetOpt = null;
            InetConnectionSockOps.InetCskPrepareForcedClose(newtp);
            Tcp.TcpDone(newtp);
            Tcp.TcpListendrop(sk);
            return null;
        }

        return newtp;
    }

    /// <summary>Whether a segment for a listener completes a handshake that a SYN cookie carries.</summary>
    /// <returns>The listener when it does not, the child when it does, or null when the segment is to be dropped.</returns>
    [Linux("tcp_v4_cookie_check")]
    private static Sock? TcpV4CookieCheck(TcpSock sk, SkBuff skb) =>
        skb.Tcphdr.Syn ? sk : Syncookies.CookieV4Check(sk, skb);

    private static void InheritFromSyn(TcpSock sk, TcpSock newtp, SkBuff skb, TcpRequestSock req)
    {
        newtp.InetOpt = req.IreqOpt;
        newtp.McIndex = skb.SkbIif;
        newtp.McTtl = skb.IpHdr.Ttl;
        newtp.RcvTos = skb.IpHdr.Tos;
        newtp.IcskExtHdrLen = newtp.InetOpt?.Opt.Optlen ?? 0;
        newtp.InetId = (ushort)sk.Machine.Random.NextU32();
        if (sk.Ipv4.SysctlTcpReflectTos)
            newtp.Tos = (byte)(req.SynTos & ~EcnBits.INET_ECN_MASK | newtp.Tos & EcnBits.INET_ECN_MASK);
    }

    private static bool Enter(
        TcpSock sk, TcpSock newtp, TcpRequestSock req, DstEntry dst, RequestSock? reqUnhash, out bool ownReq)
    {
        ownReq = false;
        newtp.SkSetupCaps(dst);
        TcpCong.TcpCaOpenreqChild(newtp, dst);
        TcpOutput.TcpSyncMss(newtp, dst.Mtu);
        newtp.Advmss = TcpOutput.TcpMssClamp(sk, dst.Advmss);
        TcpInput.TcpInitializeRcvMss(newtp);
        if (InetHashtables.InetInheritPort(sk, newtp) < 0)
            return false;
        ownReq = InetHashtables.InetEhashNolisten(newtp, reqUnhash, out _, wantUnique: reqUnhash == null);
        if (ownReq)
        {
            newtp.SavedSyn = req.SavedSyn;
            req.SavedSyn = null;
            req.IreqOpt = null;
        }
        else
        {
            newtp.InetOpt = null;
        }

        return true;
    }
}

/// <summary>Requests over IPv4 (<c>tcp_request_sock_ops</c>, <c>tcp_request_sock_ipv4_ops</c>).</summary>
[LinuxFile("net/ipv4/tcp_ipv4.c")]
public static class TcpRequestSockOpsV4
{
    /// <summary>What any protocol does with its requests.</summary>
    public static readonly RequestSockOps Rsk = new RskOps();

    /// <summary>What TCP does with requests over IPv4.</summary>
    public static readonly TcpRequestSockOps Ipv4 = new Ipv4Ops();

    private sealed class RskOps : RequestSockOps
    {
        public override int Family => PF_INET;

        public override RequestSock Alloc() => new TcpRequestSock();

        public override int RtxSynAck(Sock sk, RequestSock req) => TcpOutput.TcpRtxSynack(sk, req);

        public override void SendAck(Sock sk, SkBuff skb, RequestSock req) =>
            TcpIpv4.TcpV4ReqskSendAck(sk, skb, TcpRequestSock.Of(req));

        public override void SendReset(Sock? sk, SkBuff skb) => TcpIpv4.TcpV4SendReset(sk, skb);

        public override void Destructor(RequestSock req) => TcpRequestSock.Of(req).IreqOpt = null;
    }

    private sealed class Ipv4Ops : TcpRequestSockOps
    {
        public override ushort MssClamp => TCP_MSS_DEFAULT;

        [Linux("tcp_v4_route_req")]
        public override DstEntry? RouteReq(Sock sk, SkBuff skb, RequestSock req, uint twIsn)
        {
            TcpRequestSock treq = TcpRequestSock.Of(req);
            Iphdr iph = skb.IpHdr;
            treq.SkcRcvSaddr = iph.Daddr;
            treq.SkcDaddr = iph.Saddr;
            treq.IreqOpt = SaveOptions(sk.SkNet, skb);
            Flowi4 fl4 = default;
            return InetConnectionSockOps.InetCskRouteReq((InetSock)sk, ref fl4, treq);
        }

        [Linux("tcp_v4_init_seq")]
        public override uint InitSeq(SkBuff skb)
        {
            Iphdr iph = skb.IpHdr;
            Tcphdr th = skb.Tcphdr;
            return SecureSeq.Of(skb.Dst!.Dev.Net.Machine).SecureTcpSeq(iph.Daddr, iph.Saddr, th.Dest, th.Source);
        }

        [Linux("tcp_v4_init_ts_off")]
        public override uint InitTsOff(NetNamespace net, SkBuff skb)
        {
            if (net.Ipv4.SysctlTcpTimestamps != 1)
                return 0;
            Iphdr iph = skb.IpHdr;
            return SecureSeq.Of(net.Machine).SecureTcpTsOff(iph.Daddr, iph.Saddr);
        }

        public override int SendSynack(Sock sk, DstEntry? dst, RequestSock req, TcpSynackType type, SkBuff? synSkb) =>
            TcpIpv4.TcpV4SendSynack(TcpSock.Of(sk), dst, TcpRequestSock.Of(req), type);

        // A source route or record route of the SYN is followed back.
        private static IpOptionsRcu? SaveOptions(NetNamespace net, SkBuff skb)
        {
            Iphdr iph = skb.IpHdr;
            if (iph.HeaderLength <= Iphdr.Size)
                return null;
            IpOptions options = new() { Optlen = (byte)(iph.HeaderLength - Iphdr.Size) };
            if (IpOptions.IpOptionsCompile(net, ref options, iph.Bytes[Iphdr.Size..].ToArray(), skb, out _) != 0)
                return null;
            return IpOptions.IpOptionsEcho(net, skb, options);
        }
    }
}
