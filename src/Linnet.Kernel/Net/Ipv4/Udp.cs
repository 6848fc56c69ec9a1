using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The User Datagram Protocol (RFC 768) over IPv4, and what both families share.</summary>
[LinuxFile("net/ipv4/udp.c")]
public static partial class Udp
{
    /// <summary>Gives a machine its table of UDP sockets.</summary>
    [Linux("udp_init")]
    internal static void UdpInit(Machine machine) => UdpTable.UdpTableInit(machine);

    [Linux("udp_init_sock")]
    internal static int UdpInitSock(UdpSock sk)
    {
        sk.SkDestruct = UdpDestructSock;
        return 0;
    }

    // Nobody can find or call the socket any more: what still waits is thrown away.
    [Linux("udp_destruct_sock")]
    private static void UdpDestructSock(Sock sk)
    {
        var up = (UdpSock)sk;
        int total = 0;
        sk.SkReceiveQueue.Guard.Lock();
        up.Closed = true;
        while (sk.SkReceiveQueue.Dequeue() is { } skb)
        {
            total += skb.Truesize;
            skb.Free();
        }

        UdpMemory.UdpRmemRelease(up, total, partial: false);
        sk.SkReceiveQueue.Guard.Unlock();
        AfInet.InetSockDestruct(sk);
    }

    [Linux("udp_destroy_sock")]
    internal static void UdpDestroySock(UdpSock sk)
    {
        sk.LockSock();
        UdpFlushPendingFrames(sk);
        sk.SockSetFlag(SockFlags.Dead);
        sk.ReleaseSock();
    }

    /// <summary>Fixes the peer; socket owned.</summary>
    [Linux("udp_connect")]
    public static int UdpConnect(UdpSock sk, ReadOnlySpan<byte> addr)
    {
        int err = Datagram.Ip4DatagramConnectCore(sk, addr);
        if (err == 0 && sk.SkReuseportCb is { } group)
            group.HasConns = true;
        return err;
    }

    /// <summary>
    /// Forgets the peer, and the local address and port as far as the user did not fix them; socket owned.
    /// </summary>
    /// <returns>0.</returns>
    [Linux("__udp_disconnect")]
    public static int UdpDisconnectCore(InetSock sk)
    {
        sk.SkcState = TCP_CLOSE;
        sk.SkcDaddr = 0;
        sk.SkcDport = 0;
        sk.SkcBoundDevIf = 0;
        if ((sk.SkUserlocks & SockUserLocks.BindAddr) == 0)
        {
            sk.SkcRcvSaddr = sk.InetSaddr = 0;
            if ((sk.SkUserlocks & SockUserLocks.BindPort) != 0)
                sk.SkProt.Rehash(sk);
        }

        if ((sk.SkUserlocks & SockUserLocks.BindPort) == 0)
        {
            sk.SkProt.Unhash(sk);
            sk.InetSport = 0;
        }

        sk.SkDstCache = null;
        return 0;
    }

    [Linux("udp_disconnect")]
    internal static int UdpDisconnect(InetSock sk) => UdpDisconnectCore(sk);

    /// <summary>Ends a socket with an error, as an administrator asks for.</summary>
    [Linux("udp_abort")]
    public static int UdpAbort(UdpSock sk, int err)
    {
        sk.LockSock();
        if (!sk.SockFlag(SockFlags.Dead))
        {
            sk.SkErr = err;
            sk.SkErrorReport(sk);
            UdpDisconnectCore(sk);
        }

        sk.ReleaseSock();
        return 0;
    }

    [Linux("udp_setsockopt")]
    internal static int UdpSetsockopt(UdpSock sk, int level, int optname, Sockptr optval, int optlen) =>
        level is SOL_UDP or SOL_UDPLITE
            ? UdpLibSetsockopt(sk, optname, optval, optlen)
            : IpSockglue.IpSetsockopt(sk, level, optname, optval, optlen);

    [Linux("udp_getsockopt")]
    internal static int UdpGetsockopt(UdpSock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        level is SOL_UDP or SOL_UDPLITE
            ? UdpLibGetsockopt(sk, optname, optval, optlen)
            : IpSockglue.IpGetsockopt(sk, level, optname, optval, optlen);

    /// <summary>Options of the UDP level, for sockets of either family.</summary>
    /// <returns>0, -EINVAL for a bad length or value, -EFAULT, -ENOPROTOOPT.</returns>
    [Linux("udp_lib_setsockopt")]
    public static int UdpLibSetsockopt(UdpSock sk, int optname, Sockptr optval, int optlen)
    {
        if (optlen < sizeof(int))
            return -EINVAL;
        if (optval.Get(out int val) < 0)
            return -EFAULT;
        switch (optname)
        {
            case UDP_CORK:
                sk.Corkflag = val != 0;
                if (val == 0)
                    Uncork(sk);
                return 0;
            case UDP_NO_CHECK6_TX:
                sk.NoCheck6Tx = val != 0;
                return 0;
            case UDP_NO_CHECK6_RX:
                sk.NoCheck6Rx = val != 0;
                return 0;
            case UDP_SEGMENT:
                if (val is < 0 or > ushort.MaxValue)
                    return -EINVAL;
                sk.GsoSize = (ushort)val;
                return 0;
            case UDP_GRO:
                sk.GroEnabled = val != 0;
                return 0;
            default:
                return -ENOPROTOOPT;
        }
    }

    /// <summary>Reads an option of the UDP level.</summary>
    [Linux("udp_lib_getsockopt")]
    public static int UdpLibGetsockopt(UdpSock sk, int optname, Sockptr optval, Sockptr optlen)
    {
        if (optlen.Get(out int len) < 0)
            return -EFAULT;
        if (len < 0)
            return -EINVAL;
        int val;
        switch (optname)
        {
            case UDP_CORK:
                val = sk.Corkflag ? 1 : 0;
                break;
            case UDP_NO_CHECK6_TX:
                val = sk.NoCheck6Tx ? 1 : 0;
                break;
            case UDP_NO_CHECK6_RX:
                val = sk.NoCheck6Rx ? 1 : 0;
                break;
            case UDP_SEGMENT:
                val = sk.GsoSize;
                break;
            case UDP_GRO:
                val = sk.GroEnabled ? 1 : 0;
                break;
            case UDPLITE_SEND_CSCOV or UDPLITE_RECV_CSCOV:
                // Of use to UDP-Lite only, but readable: the checksum covers all.
                val = 0;
                break;
            default:
                return -ENOPROTOOPT;
        }

        len = Math.Min(len, sizeof(int));
        if (optlen.Put(len) < 0)
            return -EFAULT;
        return optval.CopyTo(BitConverter.GetBytes(val).AsSpan(0, len));
    }

    private static void Uncork(UdpSock sk)
    {
        sk.LockSock();
        if (sk.Pending != 0)
            UdpPushPendingFrames(sk);
        sk.ReleaseSock();
    }
}
