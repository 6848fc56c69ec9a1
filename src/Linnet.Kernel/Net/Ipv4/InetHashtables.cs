using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Entering, leaving and searching the tables of connections and listeners.</summary>
[LinuxFile("net/ipv4/inet_hashtables.c")]
public static partial class InetHashtables
{
    /// <summary>Finds the connection, request or TIME_WAIT socket that a packet belongs to.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="saddr">The packet's source.</param>
    /// <param name="sport">Its source port.</param>
    /// <param name="daddr">Its destination.</param>
    /// <param name="hnum">Its destination port.</param>
    /// <param name="dif">Index of the device that it came in by.</param>
    /// <returns>The sock with a reference for the caller, or null.</returns>
    [Linux("__inet_lookup_established")]
    public static SockCommon? InetLookupEstablished(
        NetNamespace net, uint saddr, ushort sport, uint daddr, ushort hnum, int dif)
    {
        InetHashinfo hashinfo = net.Ipv4.TcpDeathRow.Hashinfo;
        uint hash = hashinfo.Ehashfn(net, daddr, hnum, saddr, sport);
        SockHashTable ehash = hashinfo.Ehash;
        ehash.Lock(hash);
        SockCommon? sk = ehash.First(hash);
        while (sk != null && !(sk.SkcHash == hash && InetMatch(net, sk, saddr, sport, daddr, hnum, dif)))
            sk = sk.SkcNext;
        if (sk != null && !SkcRefcntTools.IncNotZero(ref sk.SkcRefcnt))
            sk = null;
        ehash.Unlock(hash);
        return sk;
    }

    /// <summary>
    /// Finds the listener that a SYN belongs to: a bound address and device count more than wildcards.
    /// </summary>
    /// <returns>The listener with a reference for the caller, or null.</returns>
    [Linux("__inet_lookup_listener")]
    public static Sock? InetLookupListener(
        NetNamespace net, uint saddr, ushort sport, uint daddr, ushort hnum, int dif)
    {
        InetHashinfo hashinfo = net.Ipv4.TcpDeathRow.Hashinfo;
        return InetLhash2Lookup(hashinfo, net, saddr, sport, daddr, hnum, dif, daddr)
            ?? InetLhash2Lookup(hashinfo, net, saddr, sport, daddr, hnum, dif, INADDR_ANY);
    }

    /// <summary>Finds the sock that a packet belongs to, listeners last.</summary>
    [Linux("__inet_lookup", "include/net/inet_hashtables.h")]
    public static SockCommon? InetLookup(
        NetNamespace net, uint saddr, ushort sport, uint daddr, ushort hnum, int dif) =>
        InetLookupEstablished(net, saddr, sport, daddr, hnum, dif)
            ?? InetLookupListener(net, saddr, sport, daddr, hnum, dif);

    /// <summary>Gives back the reference that came with a sock that was found, whatever it is.</summary>
    [Linux("sock_gen_put")]
    public static void SockGenPut(SockCommon sk)
    {
        switch (sk)
        {
            case InetTimewaitSock tw:
                tw.InetTwskPut();
                break;
            case RequestSock req:
                req.ReqskPut();
                break;
            default:
                ((Sock)sk).SockPut();
                break;
        }
    }

    /// <summary>Enters the established table or, for a listener, the table of listeners.</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("inet_hash")]
    public static int InetHash(InetConnectionSock sk)
    {
        if (sk.SkState == TCP_CLOSE)
            return 0;
        if (sk.SkState != TCP_LISTEN)
        {
            InetEhashNolisten(sk, null, out _);
            return 0;
        }

        SockHashTable lhash2 = Lhash2Of(sk, out uint hash);
        lhash2.GrowIfNeeded();
        lhash2.Lock(hash);
        Bug.On(sk.SkcHashed);
        int err = sk.SkcReuseport ? InetReuseportAddSock(sk, lhash2, hash) : 0;
        if (err == 0)
        {
            sk.SkcHash = hash;
            sk.SkFlags |= SockFlags.RcuFree;
            lhash2.Add(sk);
            Interlocked.Increment(ref sk.SkNet.Ipv4.TcpInuse);
        }

        lhash2.Unlock(hash);
        return err;
    }

    /// <summary>Leaves the table that the socket is in.</summary>
    [Linux("inet_unhash")]
    public static void InetUnhash(InetConnectionSock sk)
    {
        if (!sk.SkcHashed)
            return;
        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        bool listener = sk.SkState == TCP_LISTEN;
        SockHashTable table = listener ? hashinfo.Lhash2 : hashinfo.Ehash;
        uint hash = sk.SkcHash;
        table.Lock(hash);
        bool found = sk.SkcHashed;
        if (found)
        {
            if (listener && sk.SkReuseportCb != null)
                SockReuseport.ReuseportDetachSock(sk);
            table.Remove(sk);
        }

        table.Unlock(hash);
        if (found)
            Interlocked.Decrement(ref sk.SkNet.Ipv4.TcpInuse);
    }

    /// <summary>
    /// Enters the established table, taking the place of <paramref name="osk"/> if one is given; otherwise it is
    /// refused when the four-tuple is there already.
    /// </summary>
    /// <param name="sk">The socket or request.</param>
    /// <param name="osk">Whose place it takes, or null.</param>
    /// <param name="wantUnique">Whether to look for the same four-tuple.</param>
    /// <param name="foundDup">The one that is there already, with no reference taken.</param>
    /// <returns>Whether it entered; with <paramref name="osk"/>, whether that was still there.</returns>
    [Linux("inet_ehash_insert")]
    public static bool InetEhashInsert(SockCommon sk, SockCommon? osk, bool wantUnique, out SockCommon? foundDup)
    {
        InetHashinfo hashinfo = sk.SkcNet.Ipv4.TcpDeathRow.Hashinfo;
        SockHashTable ehash = hashinfo.Ehash;
        ehash.GrowIfNeeded();
        uint hash = hashinfo.Ehashfn(sk.SkcNet, sk.SkcRcvSaddr, sk.SkcNum, sk.SkcDaddr, sk.SkcDport);
        sk.SkcHash = hash;
        foundDup = null;
        bool ok = true;
        ehash.Lock(hash);
        if (osk != null)
        {
            ok = osk.SkcHashed;
            if (ok)
            {
                ehash.Remove(osk);
                Interlocked.Decrement(ref osk.SkcRefcnt);
            }
        }
        else if (wantUnique)
        {
            foundDup = InetEhashLookupBySk(ehash, sk);
            ok = foundDup == null;
        }

        if (ok)
            ehash.Add(sk);
        ehash.Unlock(hash);
        return ok;
    }

    /// <summary>Enters a full socket; one that is refused is destroyed.</summary>
    [Linux("inet_ehash_nolisten")]
    public static bool InetEhashNolisten(InetConnectionSock sk, SockCommon? osk, out SockCommon? foundDup, bool wantUnique = false)
    {
        bool ok = InetEhashInsert(sk, osk, wantUnique, out foundDup);
        if (ok)
        {
            Interlocked.Increment(ref sk.SkNet.Ipv4.TcpInuse);
        }
        else
        {
            sk.SkNet.Ipv4.TcpMachine.OrphanInc();
            Tcp.InetSkSetState(sk, TCP_CLOSE);
            sk.SkFlags |= SockFlags.Dead;
            InetConnectionSockOps.InetCskDestroySock(sk);
        }

        return ok;
    }

    /// <summary>Whether a packet belongs to a sock of the established table (<c>inet_match</c>).</summary>
    internal static bool InetMatch(
        NetNamespace net, SockCommon sk, uint saddr, ushort sport, uint daddr, ushort hnum, int dif) =>
        sk.SkcNet == net && sk.SkcDaddr == saddr && sk.SkcRcvSaddr == daddr && sk.SkcDport == sport && sk.SkcNum == hnum
        && (sk.SkcBoundDevIf == 0 || sk.SkcBoundDevIf == dif);

    private static SockCommon? InetEhashLookupBySk(SockHashTable ehash, SockCommon sk)
    {
        for (SockCommon? other = ehash.First(sk.SkcHash); other != null; other = other.SkcNext)
        {
            if (other.SkcHash == sk.SkcHash
                && InetMatch(sk.SkcNet, other, sk.SkcDaddr, sk.SkcDport, sk.SkcRcvSaddr, sk.SkcNum, sk.SkcBoundDevIf))
            {
                return other;
            }
        }

        return null;
    }

    [Linux("inet_lhash2_lookup")]
    private static Sock? InetLhash2Lookup(
        InetHashinfo hashinfo, NetNamespace net, uint saddr, ushort sport, uint daddr, ushort hnum, int dif, uint bound)
    {
        uint hash = hashinfo.Bhash2Fn(net, bound, hnum);
        SockHashTable lhash2 = hashinfo.Lhash2;
        Sock? result = null;
        int hiscore = 0;
        lhash2.Lock(hash);
        for (SockCommon? other = lhash2.First(hash); other != null; other = other.SkcNext)
        {
            int score = other.SkcHash == hash ? ComputeScore(other, net, hnum, bound, dif) : -1;
            if (score > hiscore)
            {
                result = (Sock)other;
                hiscore = score;
            }
        }

        if (result is { SkReuseportCb: { } group })
            result = group.ReuseportSelectSock(hashinfo.Ehashfn(net, daddr, hnum, saddr, sport)) ?? result;
        if (result != null && !SkcRefcntTools.IncNotZero(ref result.SkcRefcnt))
            result = null;
        lhash2.Unlock(hash);
        return result;
    }

    private static int ComputeScore(SockCommon sk, NetNamespace net, ushort hnum, uint bound, int dif)
    {
        if (sk.SkcNet != net || sk.SkcNum != hnum || sk.SkcRcvSaddr != bound)
            return -1;
        if (sk.SkcBoundDevIf != 0 && sk.SkcBoundDevIf != dif)
            return -1;
        return (sk.SkcBoundDevIf != 0 ? 2 : 1) + (sk.SkcFamily == PF_INET ? 1 : 0);
    }

    private static SockHashTable Lhash2Of(InetConnectionSock sk, out uint hash)
    {
        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        hash = hashinfo.Bhash2Fn(sk.SkNet, sk.SkcRcvSaddr, sk.SkcNum);
        return hashinfo.Lhash2;
    }

    [Linux("inet_reuseport_add_sock")]
    private static int InetReuseportAddSock(InetConnectionSock sk, SockHashTable lhash2, uint hash)
    {
        bool any = sk.SkcRcvSaddr == INADDR_ANY;
        for (SockCommon? other = lhash2.First(hash); other != null; other = other.SkcNext)
        {
            if (other != sk && other.SkcHash == hash && other is InetConnectionSock sk2
                && sk2.SkcFamily == sk.SkcFamily && sk2.SkcBoundDevIf == sk.SkcBoundDevIf
                && sk2.IcskBindHash == sk.IcskBindHash && sk2.SkcReuseport && sk2.SkUid == sk.SkUid
                && sk2.SkcRcvSaddr == sk.SkcRcvSaddr)
            {
                return SockReuseport.ReuseportAddSock(sk, sk2, any);
            }
        }

        return SockReuseport.ReuseportAlloc(sk, any);
    }
}
