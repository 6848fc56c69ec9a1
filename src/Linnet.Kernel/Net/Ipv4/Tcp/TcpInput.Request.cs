using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>SYNs for listeners (RFC 9293 section 3.10.7.2).</content>
public static partial class TcpInput
{
    /// <summary>
    /// A SYN came for a listener: remembers it and answers with a SYN-ACK, or answers with a cookie when too many are
    /// remembered already. The packet stays the caller's.
    /// </summary>
    /// <param name="rskOps">What the protocol does with its requests.</param>
    /// <param name="afOps">What the address family does with them.</param>
    /// <param name="sk">The listener.</param>
    /// <param name="skb">The SYN.</param>
    /// <returns>0: whatever is answered is sent from here.</returns>
    [Linux("tcp_conn_request")]
    public static int TcpConnRequest(RequestSockOps rskOps, TcpRequestSockOps afOps, TcpSock sk, SkBuff skb)
    {
        NetnsIpv4 ipv4 = sk.Ipv4;
        uint isn = skb.TcpCb.TcpTwIsn;
        bool wantCookie = false;
        if ((ipv4.SysctlTcpSyncookies == 2 || InetConnectionSockOps.InetCskReqskQueueIsFull(sk)) && isn == 0)
        {
            wantCookie = TcpSynFloodAction(sk);
            if (!wantCookie)
            {
                Tcp.TcpListendrop(sk);
                return 0;
            }
        }

        if (InetConnectionSockOps.SkAcceptqIsFull(sk))
        {
            sk.NetIncStats(LinuxMib.ListenOverflows);
            Tcp.TcpListendrop(sk);
            return 0;
        }

        TcpRequestSock req = TcpRequestSock.Of(InetConnectionSockOps.InetReqskAlloc(rskOps, sk));
        if (!Prepare(afOps, sk, skb, req, isn, wantCookie, out DstEntry? dst))
        {
            req.ReqskFree();
            Tcp.TcpListendrop(sk);
            return 0;
        }

        if (wantCookie)
        {
            afOps.SendSynack(sk, dst, req, TcpSynackType.Cookie, skb);
            req.ReqskFree();
            return 0;
        }

        TcpReqskRecordSyn(sk, req, skb);
        if (!InetConnectionSockOps.InetCskReqskQueueHashAdd(sk, req))
        {
            req.ReqskFree();
            return 0;
        }

        afOps.SendSynack(sk, dst, req, TcpSynackType.Normal, skb);
        req.ReqskPut();
        return 0;
    }

    private static bool Prepare(
        TcpRequestSockOps afOps, TcpSock sk, SkBuff skb, TcpRequestSock req, uint isn, bool wantCookie, out DstEntry? dst)
    {
        NetnsIpv4 ipv4 = sk.Ipv4;
        req.Syncookie = wantCookie;
        req.AfSpecific = afOps;
        TcpOptionsReceived options = default;
        options.MssClamp = afOps.MssClamp;
        options.UserMss = sk.RxOpt.UserMss;
        TcpParseOptions(sk.SkNet, skb, ref options, estab: false);

        // A cookie has room for options only beside a timestamp.
        if (wantCookie && !options.SawTstamp)
            options.Clear();
        options.TstampOk = options.SawTstamp;
        TcpOpenreqInit(sk, req, options, skb);
        dst = afOps.RouteReq(sk, skb, req, isn);
        if (dst == null)
            return false;
        if (options.TstampOk)
            req.TsOff = afOps.InitTsOff(sk.SkNet, skb);
        TcpEcnCreateRequest(sk, req, skb, dst);
        if (wantCookie)
        {
            isn = Syncookies.CookieInitSequence(sk, skb, ref req.Mss);

            // Only the timestamp has room to remember it.
            req.EcnOk &= options.TstampOk;
        }
        else if (isn == 0)
        {
            // Without cookies a quarter of the backlog is kept for peers that were heard from before.
            int free = ipv4.SysctlMaxSynBacklog - InetConnectionSockOps.InetCskReqskQueueLen(sk);
            if (ipv4.SysctlTcpSyncookies == 0 && free < ipv4.SysctlMaxSynBacklog >> 2)
                return false;
            isn = afOps.InitSeq(skb);
        }

        req.SntIsn = isn;
        req.Txhash = Math.Max(1, sk.Machine.Random.NextU32());
        req.SynTos = skb.TcpCb.IpDsfield;
        TcpMinisocks.TcpOpenreqInitRwin(req, sk, dst);
        return true;
    }

    [Linux("tcp_openreq_init")]
    private static void TcpOpenreqInit(TcpSock sk, TcpRequestSock req, in TcpOptionsReceived options, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        Tcphdr th = skb.Tcphdr;
        req.RskRcvWnd = 0;
        req.RcvIsn = cb.Seq;
        req.RcvNxt = cb.Seq + 1;
        req.Mss = options.MssClamp;
        req.TsRecent = options.SawTstamp ? options.RcvTsval : 0;
        req.TstampOk = options.TstampOk;
        req.SackOk = options.SackOk;
        req.SndWscale = options.SndWscale;
        req.WscaleOk = options.WscaleOk;
        req.SkcDport = th.Source;
        req.SkcNum = th.Dest;
        req.NoSrccheck = sk.Test(InetFlags.Transparent);
        req.IrIif = sk.SkcBoundDevIf;
        req.IrMark = sk.SkMark;
    }

    /// <summary>Whether cookies are to be sent now that a listener's queue of requests is full.</summary>
    [Linux("tcp_syn_flood_action")]
    private static bool TcpSynFloodAction(TcpSock sk)
    {
        bool wantCookie = sk.Ipv4.SysctlTcpSyncookies != 0;
        sk.NetIncStats(wantCookie ? LinuxMib.TCPReqQFullDoCookies : LinuxMib.TCPReqQFullDrop);

        // Looked at first, as each packet of a flood comes here.
        ref int warned = ref sk.IcskAcceptQueue!.SynfloodWarned;
        if (sk.Ipv4.SysctlTcpSyncookies != 2 && warned == 0 && Interlocked.Exchange(ref warned, 1) == 0)
        {
            string action = wantCookie ? "Sending cookies." : "Dropping request.";
            sk.Machine.Log.Write(LogLevel.Info, $"TCP: Possible SYN flooding on port {sk.SkcNum}. {action}");
        }

        return wantCookie;
    }

    [Linux("tcp_reqsk_record_syn")]
    private static void TcpReqskRecordSyn(TcpSock sk, TcpRequestSock req, SkBuff skb)
    {
        if (sk.SaveSyn == 0)
            return;
        ReadOnlySpan<byte> headers = sk.SaveSyn == 2 ? skb.MacHeaderSpan : skb.NetworkHeaderSpan;
        int length = skb.TransportHeader + skb.Tcphdr.HeaderLength - (sk.SaveSyn == 2 ? skb.MacHeader : skb.NetworkHeader);
        req.SavedSyn = headers[..length].ToArray();
    }
}
