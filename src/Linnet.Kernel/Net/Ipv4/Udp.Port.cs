using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Local ports, and membership in the tables.</content>
public static partial class Udp
{
    // A chain this long is searched by address instead.
    private const int LongChain = 10;
    private const int PortsPerChain = 65536 / UdpTable.Size;

    /// <summary>Gives an IPv4 socket a port; 0 picks one.</summary>
    /// <returns>0 or -EADDRINUSE.</returns>
    [Linux("udp_v4_get_port")]
    public static int UdpV4GetPort(UdpSock sk, ushort snum)
    {
        uint nulladdr = UdpTable.PortaddrHash(sk.SkNet, INADDR_ANY, snum);
        sk.UdpPortaddrHash = UdpTable.PortaddrHash(sk.SkNet, sk.SkcRcvSaddr, 0);
        return UdpLibGetPort(sk, snum, nulladdr);
    }

    /// <summary>
    /// Finds a free port and enters the tables with it. The caller has put the hash of the address alone into
    /// <see cref="UdpSock.UdpPortaddrHash"/>.
    /// </summary>
    /// <param name="sk">The socket, owned.</param>
    /// <param name="snum">The port; 0 for one at random (RFC 6056, algorithm 2: random choice).</param>
    /// <param name="hash2Nulladdr">Hash of the unspecified address and <paramref name="snum"/>.</param>
    /// <returns>0 or -EADDRINUSE.</returns>
    [Linux("udp_lib_get_port")]
    public static int UdpLibGetPort(UdpSock sk, ushort snum, uint hash2Nulladdr)
    {
        UdpTable table = UdpTable.Of(sk.Machine);
        if (snum == 0)
            return PickPort(sk, table);

        ref UdpHslot hslot = ref table.Hash(sk.SkNet, snum);
        hslot.Guard.Lock();
        bool inuse = hslot.Count > LongChain
            ? LportInuseLong(sk, table, ref hslot, snum, hash2Nulladdr)
            : UdpLibLportInuse(sk, hslot.Socks, snum);
        int err = inuse ? -EADDRINUSE : EnterTables(sk, table, ref hslot, snum);
        hslot.Guard.Unlock();
        return err;
    }

    /// <summary>Leaves the tables; the port is free again.</summary>
    [Linux("udp_lib_unhash")]
    public static void UdpLibUnhash(UdpSock sk)
    {
        if (!sk.Hashed)
            return;
        UdpTable table = UdpTable.Of(sk.Machine);
        ref UdpHslot hslot = ref table.Hash(sk.SkNet, (ushort)sk.UdpPortHash);
        hslot.Guard.Lock();
        SockReuseport.ReuseportDetachSock(sk);
        if (hslot.Remove(sk))
        {
            sk.Hashed = false;
            sk.SkcNum = 0;
            ref UdpHslot hslot2 = ref table.Hash2(sk.UdpPortaddrHash);
            hslot2.Guard.Lock();
            Bug.On(!hslot2.Remove(sk));
            hslot2.Guard.Unlock();
        }

        hslot.Guard.Unlock();
    }

    /// <summary>
    /// The local address became known after the port: moves the socket to where packets look for it now.
    /// </summary>
    [Linux("udp_lib_rehash")]
    public static void UdpLibRehash(UdpSock sk, uint newhash)
    {
        if (!sk.Hashed)
            return;
        UdpTable table = UdpTable.Of(sk.Machine);
        ref UdpHslot hslot = ref table.Hash(sk.SkNet, (ushort)sk.UdpPortHash);
        hslot.Guard.Lock();
        SockReuseport.ReuseportDetachSock(sk);
        uint oldhash = sk.UdpPortaddrHash;
        // In the new chain before it leaves the old one, so that no packet misses it.
        ref UdpHslot nhslot2 = ref table.Hash2(newhash);
        ref UdpHslot hslot2 = ref table.Hash2(oldhash);
        sk.UdpPortaddrHash = newhash;
        if ((oldhash & (UdpTable.Size - 1)) != (newhash & (UdpTable.Size - 1)))
        {
            nhslot2.Guard.Lock();
            nhslot2.AddHead(sk);
            nhslot2.Guard.Unlock();
            hslot2.Guard.Lock();
            Bug.On(!hslot2.Remove(sk));
            hslot2.Guard.Unlock();
        }

        hslot.Guard.Unlock();
    }

    /// <summary>Moves an IPv4 socket after its address changed.</summary>
    [Linux("udp_v4_rehash")]
    public static void UdpV4Rehash(UdpSock sk) =>
        UdpLibRehash(sk, UdpTable.PortaddrHash(sk.SkNet, sk.SkcRcvSaddr, sk.SkcNum));

    // Ports are tried chain by chain from a random one on, inside a chain by a random odd stride over all of its ports.
    private static int PickPort(UdpSock sk, UdpTable table)
    {
        NetNamespace net = sk.SkNet;
        InetConnectionSockOps.InetSkGetLocalPortRange(sk, out int low, out int high);
        uint rand = net.Machine.Random.NextU32();
        ushort first = (ushort)((((ulong)rand * (uint)(high - low + 1)) >> 32) + (uint)low);
        ushort stride = (ushort)((rand | 1) << UdpTable.Log);
        Span<bool> taken = stackalloc bool[PortsPerChain];
        for (int chain = 0; chain < UdpTable.Size; chain++, first++)
        {
            ref UdpHslot hslot = ref table.Hash(net, first);
            hslot.Guard.Lock();
            taken.Clear();
            MarkPortsInuse(sk, hslot.Socks, taken);
            ushort snum = first;
            do
            {
                if (snum >= low && snum <= high && !taken[snum >> UdpTable.Log]
                    && !InetConnectionSockOps.InetIsLocalReservedPort(net, snum))
                {
                    int err = EnterTables(sk, table, ref hslot, snum);
                    hslot.Guard.Unlock();
                    return err;
                }

                snum += stride;
            }
            while (snum != first);
            hslot.Guard.Unlock();
        }

        return -EADDRINUSE;
    }

    // Lock of the port's chain held.
    private static int EnterTables(UdpSock sk, UdpTable table, ref UdpHslot hslot, ushort snum)
    {
        sk.SkcNum = snum;
        sk.UdpPortHash = snum;
        sk.UdpPortaddrHash ^= snum;
        if (sk.Hashed)
            return 0;
        if (sk.SkcReuseport && UdpReuseportAddSock(sk, hslot.Socks) != 0)
        {
            sk.SkcNum = 0;
            sk.UdpPortHash = 0;
            sk.UdpPortaddrHash ^= snum;
            return -EADDRINUSE;
        }

        sk.Hashed = true;
        hslot.AddHead(sk);
        ref UdpHslot hslot2 = ref table.Hash2(sk.UdpPortaddrHash);
        hslot2.Guard.Lock();
        hslot2.AddHead(sk);
        hslot2.Guard.Unlock();
        return 0;
    }

    [Linux("udp_reuseport_add_sock")]
    private static int UdpReuseportAddSock(UdpSock sk, UdpSock[] chain)
    {
        foreach (UdpSock sk2 in chain)
        {
            if (sk2 != sk && sk2.SkcNet == sk.SkcNet && sk2.SkcFamily == sk.SkcFamily
                && sk2.SkcIpv6only == sk.SkcIpv6only && sk2.UdpPortHash == sk.UdpPortHash
                && sk2.SkcBoundDevIf == sk.SkcBoundDevIf && sk2.SkcReuseport && sk2.SkUid == sk.SkUid
                && InetPorts.RcvSaddrEqual(sk, sk2, matchWildcard: false))
                return SockReuseport.ReuseportAddSock(sk, sk2, InetPorts.RcvSaddrAny(sk));
        }

        return SockReuseport.ReuseportAlloc(sk, InetPorts.RcvSaddrAny(sk));
    }

    [Linux("udp_lib_lport_inuse")]
    private static bool UdpLibLportInuse(UdpSock sk, UdpSock[] chain, ushort num)
    {
        foreach (UdpSock sk2 in chain)
        {
            if (sk2.UdpPortHash == num && Conflicts(sk, sk2))
                return !SharesByReuseport(sk, sk2);
        }

        return false;
    }

    private static void MarkPortsInuse(UdpSock sk, UdpSock[] chain, Span<bool> taken)
    {
        foreach (UdpSock sk2 in chain)
        {
            if (Conflicts(sk, sk2) && !SharesByReuseport(sk, sk2))
                taken[(int)sk2.UdpPortHash >> UdpTable.Log] = true;
        }
    }

    // A long chain of a port: who could be in the way is in the chain of the same address, or in that of any address.
    private static bool LportInuseLong(UdpSock sk, UdpTable table, ref UdpHslot hslot, ushort num, uint hash2Nulladdr)
    {
        uint hash2 = sk.UdpPortaddrHash ^ num;
        ref UdpHslot hslot2 = ref table.Hash2(hash2);
        // A socket bound to any address can be in the way of all; only the port's own chain has them together.
        if (InetPorts.RcvSaddrAny(sk) || hslot.Count < hslot2.Count)
            return UdpLibLportInuse(sk, hslot.Socks, num);
        if (UdpLibLportInuse(sk, hslot2.Socks, num))
            return true;
        return (hash2Nulladdr & (UdpTable.Size - 1)) != (hash2 & (UdpTable.Size - 1))
            && UdpLibLportInuse(sk, table.Hash2(hash2Nulladdr).Socks, num);
    }

    private static bool Conflicts(UdpSock sk, UdpSock sk2) =>
        sk2.SkcNet == sk.SkcNet && sk2 != sk && !(sk2.SkcReuse && sk.SkcReuse)
        && (sk2.SkcBoundDevIf == 0 || sk.SkcBoundDevIf == 0 || sk2.SkcBoundDevIf == sk.SkcBoundDevIf)
        && InetPorts.RcvSaddrEqual(sk, sk2, matchWildcard: true);

    private static bool SharesByReuseport(UdpSock sk, UdpSock sk2) =>
        sk2.SkcReuseport && sk.SkcReuseport && sk.SkReuseportCb == null && sk.SkUid == sk2.SkUid;
}
