using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Which socket holds which port, and the ports that connects choose.</content>
public static partial class InetHashtables
{
    private const int PerturbMask = InetHashinfo.INET_TABLE_PERTURB_SIZE - 1;

    /// <summary>Gives the socket its port; the caller locked both chains.</summary>
    [Linux("inet_bind_hash")]
    public static void InetBindHash(InetConnectionSock sk, InetBindBucket tb, InetBind2Bucket tb2, ushort port)
    {
        sk.SkcNum = port;
        sk.IcskBindHash = tb;
        sk.IcskBind2Hash = tb2;
        tb2.AddOwner(sk);
    }

    /// <summary>Gives the socket's port back.</summary>
    [Linux("inet_put_port")]
    public static void InetPutPort(InetConnectionSock sk)
    {
        if (sk.IcskBindHash is not { } tb)
            return;
        InetBindTable bind = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo.Bhash;
        bind.Lock(tb.IbNet, tb.Port);
        sk.IcskBindHash = null;
        sk.SkcNum = 0;
        sk.SkUserlocks &= ~SockUserLocks.ConnectBind;
        DropBind2(sk, bind);
        bind.Destroy(tb);
        bind.Unlock(tb.IbNet, tb.Port);
    }

    /// <summary>Gives the child of a listener the listener's port.</summary>
    /// <returns>0, or -ENOENT when the listener has lost it.</returns>
    [Linux("__inet_inherit_port")]
    public static int InetInheritPort(InetConnectionSock sk, InetConnectionSock child)
    {
        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        InetBindTable bind = hashinfo.Bhash;
        bind.GrowIfNeeded();
        ushort port = child.SkcNum;
        NetNamespace net = sk.SkNet;
        bind.Lock(net, port);
        InetBindBucket? tb = sk.IcskBindHash;
        if (tb == null || sk.IcskBind2Hash == null)
        {
            bind.Unlock(net, port);
            return -ENOENT;
        }

        // With transparent proxying the connection's port is not the listener's.
        if (tb.Port != port)
            tb = bind.Find(net, port) ?? bind.Create(net, port);
        BindTo(hashinfo, tb, child);
        bind.Unlock(net, port);
        return 0;
    }

    /// <summary>The socket's address becomes known or changes, after its port was reserved.</summary>
    [Linux("inet_bhash2_update_saddr")]
    public static void InetBhash2UpdateSaddr(InetConnectionSock sk, uint saddr)
    {
        if (sk.IcskBind2Hash == null)
        {
            sk.InetSaddr = sk.SkcRcvSaddr = saddr;
            return;
        }

        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        InetBindTable bind = hashinfo.Bhash;
        bind.GrowIfNeeded();
        InetBindBucket tb = sk.IcskBindHash!;
        bind.Lock(tb.IbNet, tb.Port);
        sbyte reuse = sk.IcskBind2Hash.Fastreuse;
        sbyte reuseport = sk.IcskBind2Hash.Fastreuseport;
        DropBind2(sk, bind);
        sk.InetSaddr = sk.SkcRcvSaddr = saddr;
        uint hash2 = hashinfo.Bhash2Fn(tb.IbNet, saddr, tb.Port);
        bind.Lock2(hash2);
        InetBind2Bucket? tb2 = bind.Find2(hash2, tb.IbNet, saddr, tb.Port);
        if (tb2 == null)
        {
            tb2 = bind.Create2(hash2, tb, saddr);
            tb2.Fastreuse = reuse;
            tb2.Fastreuseport = reuseport;
        }

        sk.IcskBind2Hash = tb2;
        tb2.AddOwner(sk);
        bind.Unlock2(hash2);
        bind.Unlock(tb.IbNet, tb.Port);
    }

    /// <summary>Reserves a port that makes the four-tuple unique, and enters the established table with it.</summary>
    /// <returns>0 or -EADDRNOTAVAIL.</returns>
    [Linux("inet_hash_connect")]
    public static int InetHashConnect(TcpSock sk)
    {
        ulong portOffset = 0;
        if (sk.SkcNum == 0)
        {
            portOffset = SecureSeq.Of(sk.Machine).SecureIpv4PortEphemeral(sk.SkcRcvSaddr, sk.SkcDaddr, sk.SkcDport);
        }

        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        hashinfo.Ehash.GrowIfNeeded();
        hashinfo.Bhash.GrowIfNeeded();
        return InetHashConnectCore(sk, hashinfo, portOffset);
    }

    // RFC 6056 section 3.3.4: a secret start for each destination, moved on by a counter; even offsets first.
    [Linux("__inet_hash_connect")]
    private static int InetHashConnectCore(TcpSock sk, InetHashinfo hashinfo, ulong portOffset)
    {
        if (sk.SkcNum != 0)
            return InetCheckEstablished(hashinfo, sk, sk.SkcNum, wantTw: false, out _);

        bool localPorts = InetConnectionSockOps.InetSkGetLocalPortRange(sk, out int low, out int high);
        int step = localPorts ? 1 : 2;
        high++;
        uint remaining = (uint)(high - low);
        if (!localPorts && remaining > 1)
            remaining &= ~1u;
        int index = (int)portOffset & PerturbMask;
        uint offset = (Volatile.Read(ref hashinfo.TablePerturb[index]) + (uint)(portOffset >> 32)) % remaining;
        if (!localPorts)
            offset &= ~1u;
        int parities = localPorts || remaining <= 1 ? 1 : 2;
        for (int parity = 0; parity < parities; parity++, offset++)
        {
            int port = low + (int)offset;
            for (int i = 0; i < remaining; i += step, port += step)
            {
                if (port >= high)
                    port -= (int)remaining;
                if (!TryConnectFrom(sk, hashinfo, (ushort)port))
                    continue;
                // A little randomness, so that the next port cannot be told where there are few connections.
                int moved = Math.Max(i, (int)sk.Machine.Random.NextBelow(8) * step) + step;
                Volatile.Write(ref hashinfo.TablePerturb[index], hashinfo.TablePerturb[index] + (uint)moved);
                return 0;
            }
        }

        return -EADDRNOTAVAIL;
    }

    private static bool TryConnectFrom(TcpSock sk, InetHashinfo hashinfo, ushort port)
    {
        NetNamespace net = sk.SkNet;
        if (InetConnectionSockOps.InetIsLocalReservedPort(net, port))
            return false;
        InetBindTable bind = hashinfo.Bhash;
        TcpTimewaitSock? tw = null;
        bind.Lock(net, port);
        InetBindBucket? tb = bind.Find(net, port);
        // A bound port is not shared with connects; one that only connects use is, for other destinations.
        bool ok = tb == null || (tb.Fastreuse < 0 && tb.Fastreuseport < 0);
        if (tb == null)
        {
            tb = bind.Create(net, port);
            tb.Fastreuse = tb.Fastreuseport = -1;
        }

        if (ok)
        {
            ok = InetCheckEstablished(hashinfo, sk, port, wantTw: true, out tw) == 0;
            if (ok)
            {
                BindTo(hashinfo, tb, sk);
                sk.SkUserlocks |= SockUserLocks.ConnectBind;
                if (tw != null)
                    InetTimewaitSock.InetTwskBindUnhash(tw, hashinfo);
            }
            else if (tb.Bhash2 == null)
            {
                bind.Destroy(tb);
            }
        }

        bind.Unlock(net, port);
        if (tw != null)
            InetTimewaitSock.InetTwskDeschedulePut(tw);
        return ok;
    }

    // Called with tb's chain locked. The socket's address and number are set.
    private static void BindTo(InetHashinfo hashinfo, InetBindBucket tb, InetConnectionSock sk)
    {
        uint hash2 = hashinfo.Bhash2Fn(tb.IbNet, sk.SkcRcvSaddr, tb.Port);
        InetBindTable bind = hashinfo.Bhash;
        bind.Lock2(hash2);
        InetBind2Bucket? tb2 = bind.Find2(hash2, tb.IbNet, sk.SkcRcvSaddr, tb.Port);
        if (tb2 == null)
        {
            tb2 = bind.Create2(hash2, tb, sk.SkcRcvSaddr);
            tb2.Fastreuse = tb.Fastreuse;
            tb2.Fastreuseport = tb.Fastreuseport;
        }

        InetBindHash(sk, tb, tb2, tb.Port);
        bind.Unlock2(hash2);
    }

    // Called with the port's chain locked.
    private static void DropBind2(InetConnectionSock sk, InetBindTable bind)
    {
        if (sk.IcskBind2Hash is not { } tb2)
            return;
        bind.Lock2(tb2.Hash);
        tb2.RemoveOwner(sk);
        sk.IcskBind2Hash = null;
        bind.Destroy2(tb2);
        bind.Unlock2(tb2.Hash);
    }

    /// <summary>Enters the established table from a port, if that makes the four-tuple unique.</summary>
    /// <param name="hashinfo">The tables.</param>
    /// <param name="sk">The socket, with addresses and foreign port set.</param>
    /// <param name="lport">The local port.</param>
    /// <param name="wantTw">
    /// Whether a TIME_WAIT socket that gives way is handed to the caller; else it is ended here.
    /// </param>
    /// <param name="tw">The TIME_WAIT socket that gave way; the caller ends it.</param>
    /// <returns>0 or -EADDRNOTAVAIL.</returns>
    [Linux("__inet_check_established")]
    private static int InetCheckEstablished(
        InetHashinfo hashinfo, TcpSock sk, ushort lport, bool wantTw, out TcpTimewaitSock? tw)
    {
        NetNamespace net = sk.SkNet;
        SockHashTable ehash = hashinfo.Ehash;
        uint hash = hashinfo.Ehashfn(net, sk.SkcRcvSaddr, lport, sk.SkcDaddr, sk.SkcDport);
        tw = null;
        ehash.Lock(hash);
        SockCommon? sk2 = ehash.First(hash);
        while (sk2 != null && !(sk2.SkcHash == hash
            && InetMatch(net, sk2, sk.SkcDaddr, sk.SkcDport, sk.SkcRcvSaddr, lport, sk.SkcBoundDevIf)))
        {
            sk2 = sk2.SkcNext;
        }

        if (sk2 != null)
        {
            tw = sk2 as TcpTimewaitSock;
            if (tw == null || !TcpIpv4.TcpTwskUnique(sk, tw, wantTw))
            {
                ehash.Unlock(hash);
                tw = null;
                return -EADDRNOTAVAIL;
            }

        }

        sk.SkcNum = lport;
        sk.InetSport = lport;
        sk.SkcHash = hash;
        ehash.Add(sk);
        if (tw != null)
        {
            ehash.Remove(tw);
            Interlocked.Decrement(ref tw.SkcRefcnt);
            net.Ipv4.NetStatistics.Inc(LinuxMib.TWRecycled);
        }

        ehash.Unlock(hash);
        Interlocked.Increment(ref net.Ipv4.TcpInuse);
        if (tw != null && !wantTw)
        {
            InetTimewaitSock.InetTwskDeschedulePut(tw);
            tw = null;
        }

        return 0;
    }
}
