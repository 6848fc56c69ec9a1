using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Operations that stream, datagram and raw sockets have in common.</content>
public static partial class AfInet
{
    /// <summary>The last file is gone: groups are left, and the protocol ends what is under way.</summary>
    [Linux("inet_release")]
    public static int InetRelease(Socket sock)
    {
        if (sock.Sk is not InetSock sk)
            return 0;
        Igmp.IpMcDropSocket(sk);
        long timeout = sk.SockFlag(SockFlags.Linger) ? sk.SkLingertime : 0;
        sk.SkProt.Close(sk, timeout);
        sock.Sk = null;
        return 0;
    }

    /// <summary>Writes the local or the peer's address.</summary>
    /// <returns>Bytes written, or -ENOTCONN.</returns>
    [Linux("inet_getname")]
    public static int InetGetname(Socket sock, Span<byte> addr, int peer)
    {
        var sk = (InetSock)sock.Sk!;
        sk.LockSock();
        int len;
        if (peer != 0)
        {
            bool gone = sk.SkState is TCP_CLOSE or TCP_SYN_SENT && peer == 1;
            len = sk.SkcDport == 0 || gone ? -ENOTCONN : SockaddrIn.Write(addr, sk.SkcDaddr, sk.SkcDport);
        }
        else
        {
            len = SockaddrIn.Write(addr, sk.SkcRcvSaddr != 0 ? sk.SkcRcvSaddr : sk.InetSaddr, sk.InetSport);
        }

        sk.ReleaseSock();
        return len;
    }

    /// <summary>Binds a socket that is about to send, where its protocol wants that.</summary>
    /// <returns>0, or -EAGAIN when no port is free.</returns>
    [Linux("inet_send_prepare")]
    public static int InetSendPrepare(InetSock sk) =>
        sk.SkcNum == 0 && !sk.SkProt.NoAutobind && InetAutobind(sk) != 0 ? -EAGAIN : 0;

    /// <summary>Sends a message.</summary>
    [Linux("inet_sendmsg")]
    public static long InetSendmsg(Socket sock, MsgHdr msg, long size)
    {
        var sk = (InetSock)sock.Sk!;
        if (InetSendPrepare(sk) != 0)
        {
            msg.AgainIsFinal = true;
            return -EAGAIN;
        }

        return sk.SkProt.Sendmsg(sk, msg, size);
    }

    /// <summary>Receives a message; the protocol fills in the address.</summary>
    [Linux("inet_recvmsg")]
    public static long InetRecvmsg(Socket sock, MsgHdr msg, long size, int flags)
    {
        Sock sk = sock.Sk!;
        return sk.SkProt.Recvmsg(sk, msg, size, flags);
    }

    /// <summary>The splice that fed the socket ended.</summary>
    [Linux("inet_splice_eof")]
    public static void InetSpliceEof(Socket sock)
    {
        var sk = (InetSock)sock.Sk!;
        if (InetSendPrepare(sk) != 0)
            return;
        sk.SkProt.SpliceEof(sk);
    }

    /// <summary>Shuts one or both halves.</summary>
    /// <returns>
    /// 0, -EINVAL, or -ENOTCONN for a socket that is not connected, whose halves are shut all the same.
    /// </returns>
    [Linux("inet_shutdown")]
    public static int InetShutdown(Socket sock, int how)
    {
        Sock sk = sock.Sk!;
        int err = 0;
        // 0, 1, 2 become the bits of the halves: receiving 1, sending 2.
        how++;
        if ((how & ~Sock.SHUTDOWN_MASK) != 0 || how == 0)
            return -EINVAL;

        sk.LockSock();
        if (sock.State == SS_CONNECTING)
        {
            sock.State = sk.SkState is TCP_SYN_SENT or TCP_SYN_RECV or TCP_CLOSE ? SS_DISCONNECTING : SS_CONNECTED;
        }

        switch (sk.SkState)
        {
            case TCP_LISTEN when (how & Sock.RCV_SHUTDOWN) == 0:
                break;
            case TCP_LISTEN:
            case TCP_SYN_SENT:
                err = sk.SkProt.Disconnect(sk, O_NONBLOCK);
                sock.State = err != 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
                break;
            default:
                // Those who poll an unconnected socket are told of the hang-up even though the caller gets an error.
                if (sk.SkState == TCP_CLOSE)
                    err = -ENOTCONN;
                sk.SkShutdown |= (byte)how;
                sk.SkProt.Shutdown(sk, how);
                break;
        }

        sk.SkStateChange(sk);
        sk.ReleaseSock();
        return err;
    }

    /// <summary>Requests on interfaces, addresses, routes and neighbours, and the protocol's own.</summary>
    /// <returns>0 or more, -ENOIOCTLCMD for what nobody knows, or another negative errno.</returns>
    [Linux("inet_ioctl")]
    public static int InetIoctl(Socket sock, uint cmd, Sockptr arg)
    {
        Sock sk = sock.Sk!;
        NetNamespace net = sk.SkNet;
        switch (cmd)
        {
            case SIOCADDRT or SIOCDELRT:
                return FibFrontend.IpRtIoctl(net, cmd, arg);
            case SIOCRTMSG:
                return -EINVAL;
            case SIOCDARP or SIOCGARP or SIOCSARP:
                return Arp.ArpIoctl(net, cmd, arg);
            case SIOCGIFADDR or SIOCGIFBRDADDR or SIOCGIFNETMASK or SIOCGIFDSTADDR or SIOCGIFPFLAGS:
                return IfreqIoctl(net, cmd, arg, writeBack: true);
            case SIOCSIFADDR or SIOCSIFBRDADDR or SIOCSIFNETMASK or SIOCSIFDSTADDR or SIOCSIFPFLAGS or SIOCSIFFLAGS:
                return IfreqIoctl(net, cmd, arg, writeBack: false);
            default:
                return sk.SkProt.Ioctl(sk, cmd, arg);
        }
    }

    private static int IfreqIoctl(NetNamespace net, uint cmd, Sockptr arg, bool writeBack)
    {
        if (arg.Get(out Ifreq ifr) < 0)
            return -EFAULT;
        int err = Devinet.DevinetIoctl(net, cmd, ref ifr);
        return err == 0 && writeBack ? arg.Put(ifr) : err;
    }
}
