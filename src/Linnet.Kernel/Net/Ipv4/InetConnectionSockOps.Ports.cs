using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Choice of local ports, and which binds conflict.</content>
public static partial class InetConnectionSockOps
{
    private const sbyte FASTREUSEPORT_ANY = 1;
    private const sbyte FASTREUSEPORT_STRICT = 2;

    /// <summary>The range that local ports are chosen from, both ends included.</summary>
    public static void InetGetLocalPortRange(NetNamespace net, out int low, out int high)
    {
        uint range = Volatile.Read(ref net.Ipv4.IpLocalPortRange);
        low = (ushort)range;
        high = (int)(range >> 16);
    }

    /// <summary>The range for one socket: the namespace's, cut down by <c>IP_LOCAL_PORT_RANGE</c>.</summary>
    /// <returns>Whether the socket has a range of its own that is in effect.</returns>
    [Linux("inet_sk_get_local_port_range")]
    public static bool InetSkGetLocalPortRange(InetSock sk, out int low, out int high)
    {
        InetGetLocalPortRange(sk.SkNet, out int lo, out int hi);
        uint own = sk.LocalPortRange;
        bool inEffect = false;
        if (own != 0)
        {
            int ownLow = (ushort)own;
            int ownHigh = (int)(own >> 16);
            if (lo <= ownLow && ownLow <= hi)
                lo = ownLow;
            if (lo <= ownHigh && ownHigh <= hi)
                hi = ownHigh;
            inEffect = true;
        }

        low = lo;
        high = hi;
        return inEffect;
    }

    /// <summary>Whether a port must not be chosen (<c>inet_is_local_reserved_port</c>).</summary>
    public static bool InetIsLocalReservedPort(NetNamespace net, int port) =>
        Volatile.Read(ref net.Ipv4.IpLocalReservedPorts) is { } reserved && (reserved[port >> 6] >> (port & 63) & 1) != 0;

    /// <summary>
    /// Whether a port may be bound only with <c>CAP_NET_BIND_SERVICE</c> (<c>inet_port_requires_bind_service</c>).
    /// </summary>
    public static bool InetPortRequiresBindService(NetNamespace net, int port) => port < net.Ipv4.SysctlIpProtSock;

    /// <summary>Reserves a local port for the socket; 0 picks one.</summary>
    /// <returns>0 or -EADDRINUSE.</returns>
    [Linux("inet_csk_get_port")]
    public static int InetCskGetPort(InetConnectionSock sk, ushort snum)
    {
        NetNamespace net = sk.SkNet;
        InetHashinfo hashinfo = net.Ipv4.TcpDeathRow.Hashinfo;
        InetBindTable bind = hashinfo.Bhash;
        bind.GrowIfNeeded();
        if (snum == 0)
            return InetCskFindOpenPort(sk, hashinfo);

        bind.Lock(net, snum);
        InetBindBucket tb = bind.Find(net, snum) ?? bind.Create(net, snum);
        uint hash2 = hashinfo.Bhash2Fn(net, sk.SkcRcvSaddr, snum);
        bool conflict = tb.Bhash2 != null && !FastpathAllows(sk, tb) && InetCskBindConflict(sk, tb, hash2, true, true);
        if (!conflict)
        {
            InetCskUpdateFastreuseAndBind(sk, hashinfo, tb, hash2);
        }
        else if (tb.Bhash2 == null)
        {
            bind.Destroy(tb);
        }

        bind.Unlock(net, snum);
        return conflict ? -EADDRINUSE : 0;
    }

    // Ports of the parity that connects favour less, lower half of the range first for those who can share.
    [Linux("inet_csk_find_open_port")]
    private static int InetCskFindOpenPort(InetConnectionSock sk, InetHashinfo hashinfo)
    {
        int result = FindOpenPort(sk, hashinfo, relax: false);
        if (result < 0 && sk.SkNet.Ipv4.SysctlIpAutobindReuse)
            result = FindOpenPort(sk, hashinfo, relax: true);
        return result;
    }

    private static int FindOpenPort(InetConnectionSock sk, InetHashinfo hashinfo, bool relax)
    {
        InetSkGetLocalPortRange(sk, out int low, out int high);
        high++;
        int half = low + (high - low >> 2 << 1);
        bool halves = sk.SkcReuse && high - low >= 4;
        if (!halves)
            return ScanPorts(sk, hashinfo, low, high, relax) ? 0 : -EADDRINUSE;
        return ScanPorts(sk, hashinfo, low, half, relax) || ScanPorts(sk, hashinfo, half, high, relax) ? 0 : -EADDRINUSE;
    }

    private static bool ScanPorts(InetConnectionSock sk, InetHashinfo hashinfo, int low, int high, bool relax)
    {
        int remaining = high - low;
        if (remaining > 1)
            remaining &= ~1;
        int offset = (int)sk.Machine.Random.NextBelow((uint)remaining) | 1;
        for (int parity = 0; parity < 2; parity++, offset--)
        {
            int port = low + offset;
            for (int i = 0; i < remaining; i += 2, port += 2)
            {
                if (port >= high)
                    port -= remaining;
                if (!InetIsLocalReservedPort(sk.SkNet, port) && TryBindOpenPort(sk, hashinfo, (ushort)port, relax))
                    return true;
            }
        }

        return false;
    }

    private static bool TryBindOpenPort(InetConnectionSock sk, InetHashinfo hashinfo, ushort port, bool relax)
    {
        NetNamespace net = sk.SkNet;
        InetBindTable bind = hashinfo.Bhash;
        bind.Lock(net, port);
        InetBindBucket? tb = bind.Find(net, port);
        uint hash2 = hashinfo.Bhash2Fn(net, sk.SkcRcvSaddr, port);
        bool free = tb == null || !InetCskBindConflict(sk, tb, hash2, relax, false);
        if (free)
            InetCskUpdateFastreuseAndBind(sk, hashinfo, tb ?? bind.Create(net, port), hash2);
        bind.Unlock(net, port);
        return free;
    }

    // What the bucket remembers can spare looking at each socket on the port.
    private static bool FastpathAllows(InetConnectionSock sk, InetBindBucket tb)
    {
        bool reuse = sk.SkcReuse && sk.SkState != TCP_LISTEN;
        return (tb.Fastreuse > 0 && reuse) || SkReuseportMatch(tb, sk);
    }

    [Linux("sk_reuseport_match")]
    private static bool SkReuseportMatch(InetBindBucket tb, InetConnectionSock sk)
    {
        if (tb.Fastreuseport <= 0 || !sk.SkcReuseport || sk.SkReuseportCb != null || tb.Fastuid != sk.SkUid)
            return false;
        // Once the group was begun anew, only the address that began it is known not to conflict.
        return tb.Fastreuseport == FASTREUSEPORT_ANY || tb.FastRcvSaddr == sk.SkcRcvSaddr || tb.FastRcvSaddr == INADDR_ANY;
    }

    private static void InetCskUpdateFastreuseAndBind(
        InetConnectionSock sk, InetHashinfo hashinfo, InetBindBucket tb, uint hash2)
    {
        InetBindTable bind = hashinfo.Bhash;
        bind.Lock2(hash2);
        bool first = tb.Bhash2 == null;
        InetBind2Bucket tb2 = bind.Find2(hash2, tb.IbNet, sk.SkcRcvSaddr, tb.Port) ?? bind.Create2(hash2, tb, sk.SkcRcvSaddr);
        InetCskUpdateFastreuse(sk, tb, tb2, first);
        if (sk.IcskBindHash == null)
            InetHashtables.InetBindHash(sk, tb, tb2, tb.Port);
        bind.Unlock2(hash2);
    }

    /// <summary>Notes in the bucket what its sockets, with a new one, have in common.</summary>
    [Linux("inet_csk_update_fastreuse")]
    internal static void InetCskUpdateFastreuse(InetConnectionSock sk, InetBindBucket tb, InetBind2Bucket tb2, bool first)
    {
        bool reuse = sk.SkcReuse && sk.SkState != TCP_LISTEN;
        if (first)
        {
            tb.Fastreuse = (sbyte)(reuse ? 1 : 0);
            tb.Fastreuseport = sk.SkcReuseport ? FASTREUSEPORT_ANY : (sbyte)0;
            tb.Fastuid = sk.SkUid;
            tb.FastRcvSaddr = sk.SkcRcvSaddr;
        }
        else
        {
            if (!reuse)
                tb.Fastreuse = 0;
            if (!sk.SkcReuseport)
            {
                tb.Fastreuseport = 0;
            }
            else if (!SkReuseportMatch(tb, sk))
            {
                tb.Fastreuseport = FASTREUSEPORT_STRICT;
                tb.Fastuid = sk.SkUid;
                tb.FastRcvSaddr = sk.SkcRcvSaddr;
            }
        }

        tb2.Fastreuse = tb.Fastreuse;
        tb2.Fastreuseport = tb.Fastreuseport;
    }

    // A wildcard conflicts with every address on the port; a specific address with itself and with the wildcard.
    [Linux("inet_csk_bind_conflict")]
    private static bool InetCskBindConflict(InetConnectionSock sk, InetBindBucket tb, uint hash2, bool relax, bool reuseportOk)
    {
        if (sk.SkcRcvSaddr == INADDR_ANY)
        {
            for (InetBind2Bucket? tb2 = tb.Bhash2; tb2 != null; tb2 = tb2.BhashNext)
            {
                if (InetBhash2Conflict(sk, tb2, relax, reuseportOk))
                    return true;
            }

            return false;
        }

        InetHashinfo hashinfo = sk.SkNet.Ipv4.TcpDeathRow.Hashinfo;
        uint anyHash = hashinfo.Bhash2Fn(tb.IbNet, INADDR_ANY, tb.Port);
        return ConflictAt(sk, hashinfo.Bhash, tb, anyHash, INADDR_ANY, relax, reuseportOk)
            || ConflictAt(sk, hashinfo.Bhash, tb, hash2, sk.SkcRcvSaddr, relax, reuseportOk);
    }

    private static bool ConflictAt(
        InetConnectionSock sk, InetBindTable bind, InetBindBucket tb, uint hash2, uint addr, bool relax, bool reuseportOk)
    {
        bind.Lock2(hash2);
        InetBind2Bucket? tb2 = bind.Find2(hash2, tb.IbNet, addr, tb.Port);
        bool conflict = tb2 != null && InetBhash2Conflict(sk, tb2, relax, reuseportOk);
        bind.Unlock2(hash2);
        return conflict;
    }

    [Linux("inet_bhash2_conflict")]
    private static bool InetBhash2Conflict(InetConnectionSock sk, InetBind2Bucket tb2, bool relax, bool reuseportOk)
    {
        for (SockCommon? other = tb2.Owners; other != null; other = other.SkcBindNext)
        {
            if (other != sk && InetBindConflict(sk, other, relax, reuseportOk))
                return true;
        }

        return false;
    }

    // SO_REUSEADDR: as long as nobody listens. SO_REUSEPORT: same user, and all have it.
    private static bool InetBindConflict(InetConnectionSock sk, SockCommon sk2, bool relax, bool reuseportOk)
    {
        if (sk.SkcBoundDevIf != 0 && sk2.SkcBoundDevIf != 0 && sk.SkcBoundDevIf != sk2.SkcBoundDevIf)
            return false;
        bool sameOwner = sk2.SkcState == TCP_TIME_WAIT || ((Sock)sk2).SkUid == sk.SkUid;
        bool portShared = sk.SkcReuseport && sk2.SkcReuseport && sk.SkReuseportCb == null && sameOwner;
        if (sk.SkcReuse && sk2.SkcReuse && sk2.SkcState != TCP_LISTEN)
            return !relax || (!reuseportOk && portShared);
        return !reuseportOk || !portShared;
    }
}
