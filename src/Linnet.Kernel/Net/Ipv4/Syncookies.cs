using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// SYN cookies (RFC 4987 section 3.6): when there is no room for a request, its essence goes into the sequence number and
/// the timestamp of the SYN-ACK, and the ACK brings it back.
/// </summary>
[LinuxFile("net/ipv4/syncookies.c")]
public static class Syncookies
{
    private const int COOKIEBITS = 24;
    private const uint COOKIEMASK = (1u << COOKIEBITS) - 1;
    private const int MAX_SYNCOOKIE_AGE = 2;
    private const long TCP_SYNCOOKIE_PERIOD = 60 * Clock.NsecPerSec;
    private const int TSBITS = 6;
    private const uint TS_OPT_WSCALE_MASK = 0xf;
    private const uint TS_OPT_SACK = 1 << 4;
    private const uint TS_OPT_ECN = 1 << 5;

    private static readonly StateSlot<Secrets> Slot = new();

    // The largest MSS that a peer announced is rounded down to one of these.
    private static readonly ushort[] MssTable = [536, 1300, 1440, 1460];

    /// <summary>Draws the secrets of a machine that boots.</summary>
    internal static void Init(Machine machine) =>
        Slot.Set(machine.Slots, new Secrets(SiphashKey.New(machine.Random), SiphashKey.New(machine.Random)));

    /// <summary>There is no room for a request: the sequence number that carries a cookie instead.</summary>
    [Linux("cookie_init_sequence", "include/net/tcp.h")]
    public static uint CookieInitSequence(TcpSock sk, SkBuff skb, ref ushort mss)
    {
        // Only for a while from now are cookies taken (tcp_synq_overflow).
        Volatile.Write(ref sk.IcskAcceptQueue!.LastOverflow, sk.Machine.Clock.Now);
        sk.NetIncStats(LinuxMib.SyncookiesSent);
        return CookieV4InitSequence(skb, sk.SkNet, ref mss);
    }

    /// <summary>The sequence number that carries a cookie (<c>cookie_v4_init_sequence</c>).</summary>
    /// <param name="skb">The SYN.</param>
    /// <param name="net">The namespace.</param>
    /// <param name="mss">The peer's MSS; afterwards what the cookie says.</param>
    [Linux("__cookie_v4_init_sequence")]
    private static uint CookieV4InitSequence(SkBuff skb, NetNamespace net, ref ushort mss)
    {
        int index = MssTable.Length - 1;
        while (index > 0 && mss < MssTable[index])
            index--;
        mss = MssTable[index];
        Iphdr iph = skb.IpHdr;
        Tcphdr th = skb.Tcphdr;
        return SecureTcpSynCookie(net.Machine, iph.Saddr, iph.Daddr, th.Source, th.Dest, th.Seq, (uint)index);
    }

    /// <summary>A time for the SYN-ACK's timestamp whose low bits carry options of the SYN.</summary>
    /// <param name="req">The request.</param>
    /// <param name="now">The time, ns since boot.</param>
    /// <returns>A time a little before, ns since boot.</returns>
    [Linux("cookie_init_timestamp")]
    public static long CookieInitTimestamp(TcpRequestSock req, long now)
    {
        uint options = req.WscaleOk ? req.SndWscale : TS_OPT_WSCALE_MASK;
        if (req.SackOk)
            options |= TS_OPT_SACK;
        if (req.EcnOk)
            options |= TS_OPT_ECN;
        long tsNow = now / Clock.NsecPerMsec;
        long ts = tsNow >> TSBITS << TSBITS | options;
        if (ts > tsNow)
            ts -= 1 << TSBITS;
        return ts * Clock.NsecPerMsec;
    }

    /// <summary>The ACK of a SYN-ACK that carried a cookie?</summary>
    /// <returns>The listener when it is none; the child, locked; or null when the segment is to be dropped.</returns>
    [Linux("cookie_v4_check")]
    public static Sock? CookieV4Check(TcpSock sk, SkBuff skb)
    {
        Tcphdr th = skb.Tcphdr;
        if (sk.Ipv4.SysctlTcpSyncookies == 0 || !th.Ack || th.Rst)
            return sk;
        TcpRequestSock? req = CookieTcpCheck(sk, skb);
        if (req == null)
            return sk;
        Flowi4 fl4 = default;
        DstEntry? dst = InetConnectionSockOps.InetCskRouteReq(sk, ref fl4, req);
        if (dst == null)
        {
            req.ReqskFree();
            return sk;
        }

        req.EcnOk &= sk.Ipv4.SysctlTcpEcn != 0 || TcpOutput.RouteHasEcn(dst);
        TcpMinisocks.TcpOpenreqInitRwin(req, sk, dst);
        TcpSock? child = TcpGetCookieSock(sk, skb, req, dst);
        if (child != null)
            child.Cork.Fl = fl4;
        return child;
    }

    [Linux("cookie_tcp_check")]
    private static TcpRequestSock? CookieTcpCheck(TcpSock sk, SkBuff skb)
    {
        long since = Volatile.Read(ref sk.IcskAcceptQueue!.LastOverflow);
        if (since == long.MinValue || sk.Machine.Clock.Now - since > MAX_SYNCOOKIE_AGE * TCP_SYNCOOKIE_PERIOD)
            return null;
        int mss = CookieV4CheckCore(sk.Machine, skb);
        if (mss == 0)
        {
            sk.NetIncStats(LinuxMib.SyncookiesFailed);
            return null;
        }

        sk.NetIncStats(LinuxMib.SyncookiesRecv);
        TcpOptionsReceived options = default;
        TcpInput.TcpParseOptions(sk.SkNet, skb, ref options, estab: false);
        uint tsoff = 0;
        if (options.SawTstamp && options.RcvTsecr != 0)
        {
            tsoff = TcpRequestSockOpsV4.Ipv4.InitTsOff(sk.SkNet, skb);
            options.RcvTsecr -= tsoff;
        }

        return CookieTimestampDecode(sk.Ipv4, ref options) ? RequestOf(sk, skb, options, mss, tsoff) : null;
    }

    private static TcpRequestSock RequestOf(TcpSock sk, SkBuff skb, in TcpOptionsReceived options, int mss, uint tsoff)
    {
        Tcphdr th = skb.Tcphdr;
        Iphdr iph = skb.IpHdr;
        TcpRequestSock req = (TcpRequestSock)InetConnectionSockOps.InetReqskAlloc(TcpRequestSockOpsV4.Rsk, sk);
        req.AfSpecific = TcpRequestSockOpsV4.Ipv4;
        req.Syncookie = true;
        req.SkcRcvSaddr = iph.Daddr;
        req.SkcDaddr = iph.Saddr;
        req.SkcNum = th.Dest;
        req.SkcDport = th.Source;
        req.IrIif = sk.SkcBoundDevIf;
        req.IrMark = sk.SkMark;
        req.Mss = (ushort)mss;
        req.SntIsn = th.AckSeq - 1;
        req.RcvIsn = th.Seq - 1;
        req.RcvNxt = th.Seq;
        req.TsOff = tsoff;
        req.Txhash = sk.Machine.Random.NextU32() | 1;
        req.SndWscale = options.SndWscale;
        req.SackOk = options.SackOk;
        req.WscaleOk = options.WscaleOk;
        req.TstampOk = options.SawTstamp;
        req.EcnOk = options.SawTstamp && (options.RcvTsecr & TS_OPT_ECN) != 0;
        req.TsRecent = options.SawTstamp ? options.RcvTsval : 0;
        return req;
    }

    [Linux("tcp_get_cookie_sock")]
    private static TcpSock? TcpGetCookieSock(TcpSock sk, SkBuff skb, TcpRequestSock req, DstEntry dst)
    {
        if (sk.IcskAfOps.SynRecvSock(sk, skb, req, dst, null, out bool ownReq) is TcpSock child)
        {
            if (ownReq)
            {
                Volatile.Write(ref req.SkcRefcnt, 1);
                if (InetConnectionSockOps.InetCskReqskQueueAdd(sk, req, child) != null)
                    return child;
                req.SkcRefcnt = 0;
            }

            child.BhUnlockSock();
            child.SockPut();
        }

        req.ReqskFree();
        return null;
    }

    [Linux("cookie_timestamp_decode")]
    private static bool CookieTimestampDecode(NetnsIpv4 ipv4, ref TcpOptionsReceived options)
    {
        if (!options.SawTstamp)
        {
            options.Clear();
            return true;
        }

        if (ipv4.SysctlTcpTimestamps == 0)
            return false;
        options.SackOk = (options.RcvTsecr & TS_OPT_SACK) != 0;
        if (options.SackOk && !ipv4.SysctlTcpSack)
            return false;
        options.WscaleOk = (options.RcvTsecr & TS_OPT_WSCALE_MASK) != TS_OPT_WSCALE_MASK;
        options.SndWscale = options.WscaleOk ? (byte)(options.RcvTsecr & TS_OPT_WSCALE_MASK) : (byte)0;
        return !options.WscaleOk || ipv4.SysctlTcpWindowScaling;
    }

    // The MSS that a valid cookie says, or 0.
    [Linux("__cookie_v4_check")]
    private static int CookieV4CheckCore(Machine machine, SkBuff skb)
    {
        Iphdr iph = skb.IpHdr;
        Tcphdr th = skb.Tcphdr;
        uint index = CheckTcpSynCookie(machine, th.AckSeq - 1, iph.Saddr, iph.Daddr, th.Source, th.Dest, th.Seq - 1);
        return index < MssTable.Length ? MssTable[index] : 0;
    }

    [Linux("secure_tcp_syn_cookie")]
    private static uint SecureTcpSynCookie(
        Machine machine, uint saddr, uint daddr, ushort sport, ushort dport, uint sseq, uint data)
    {
        Secrets secrets = Slot.Of(machine.Slots);
        uint count = TcpCookieTime(machine);
        return Hash(secrets.First, saddr, daddr, sport, dport, 0) + sseq + (count << COOKIEBITS)
            + ((Hash(secrets.Second, saddr, daddr, sport, dport, count) + data) & COOKIEMASK);
    }

    [Linux("check_tcp_syn_cookie")]
    private static uint CheckTcpSynCookie(
        Machine machine, uint cookie, uint saddr, uint daddr, ushort sport, ushort dport, uint sseq)
    {
        Secrets secrets = Slot.Of(machine.Slots);
        uint count = TcpCookieTime(machine);
        cookie -= Hash(secrets.First, saddr, daddr, sport, dport, 0) + sseq;
        uint diff = (count - (cookie >> COOKIEBITS)) & (uint.MaxValue >> COOKIEBITS);
        if (diff >= MAX_SYNCOOKIE_AGE)
            return uint.MaxValue;
        return (cookie - Hash(secrets.Second, saddr, daddr, sport, dport, count - diff)) & COOKIEMASK;
    }

    private static uint TcpCookieTime(Machine machine) => (uint)(machine.Clock.Now / TCP_SYNCOOKIE_PERIOD);

    private static uint Hash(in SiphashKey key, uint saddr, uint daddr, ushort sport, ushort dport, uint count) =>
        (uint)Siphash.Hash2((ulong)saddr << 32 | daddr, (ulong)count << 32 | (uint)sport << 16 | dport, key);

    private sealed record Secrets(SiphashKey First, SiphashKey Second);
}
