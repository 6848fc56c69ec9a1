using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Connecting and accepting.</content>
public static partial class AfInet
{
    /// <summary>Fixes the peer of a datagram socket, or forgets it for <c>AF_UNSPEC</c>.</summary>
    [Linux("inet_dgram_connect")]
    public static int InetDgramConnect(Socket sock, ReadOnlySpan<byte> addr, int flags)
    {
        var sk = (InetSock)sock.Sk!;
        if (addr.Length < sizeof(ushort))
            return -EINVAL;
        if (FamilyOf(addr) == AF_UNSPEC)
        {
            sk.LockSock();
            int gone = sk.SkProt.Disconnect(sk, flags);
            sk.ReleaseSock();
            return gone;
        }

        if (sk.SkcNum == 0 && InetAutobind(sk) != 0)
            return -EAGAIN;
        sk.LockSock();
        int err = sk.SkProt.Connect(sk, addr);
        sk.ReleaseSock();
        return err;
    }

    /// <summary>Begins to connect a stream socket; asked again it tells how far that came.</summary>
    /// <returns>
    /// 0 once connected; -EINPROGRESS when the attempt was begun and is under way, -EALREADY when it was under way
    /// before; -EISCONN; or the attempt's error.
    /// </returns>
    [Linux("inet_stream_connect")]
    public static int InetStreamConnect(Socket sock, ReadOnlySpan<byte> addr, int flags)
    {
        Sock sk = sock.Sk!;
        sk.LockSock();
        int err = InetStreamConnectCore(sock, addr, flags, isSendmsg: false);
        sk.ReleaseSock();
        return err;
    }

    /// <summary>The same with the socket owned.</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="addr">The peer; empty for the second half of a connect that a send completes.</param>
    /// <param name="flags">Flags of the socket's file.</param>
    /// <param name="isSendmsg">Whether a send does the connect (<c>TCP_FASTOPEN_CONNECT</c>).</param>
    [Linux("__inet_stream_connect")]
    public static int InetStreamConnectCore(Socket sock, ReadOnlySpan<byte> addr, int flags, bool isSendmsg)
    {
        var sk = (InetSock)sock.Sk!;
        if (!isSendmsg || !addr.IsEmpty)
        {
            if (addr.Length < sizeof(ushort))
                return -EINVAL;
            if (FamilyOf(addr) == AF_UNSPEC)
            {
                int gone = sk.SkProt.Disconnect(sk, flags);
                sock.State = gone != 0 ? SS_DISCONNECTING : SS_UNCONNECTED;
                return gone;
            }
        }

        int err = BeginConnect(sock, sk, addr, isSendmsg, out bool stop);
        if (stop)
            return err;

        // The handshake runs: the socket layer waits for it where the caller wants that, and asks again.
        if (sk.SkState is TCP_SYN_SENT or TCP_SYN_RECV)
            return err;
        // A reset, a timeout, an ICMP error or somebody's disconnect ended the attempt.
        if (sk.SkState == TCP_CLOSE)
        {
            err = sk.SockError();
            if (err == 0)
                err = -ECONNABORTED;
            sock.State = SS_UNCONNECTED;
            if (sk.SkProt.Disconnect(sk, flags) != 0)
                sock.State = SS_DISCONNECTING;
            return err;
        }

        // An error that came after the connection was established is reported by later calls, not by connect.
        sock.State = SS_CONNECTED;
        return 0;
    }

    /// <summary>Takes the next connection off the queue and puts it on <paramref name="newsock"/>.</summary>
    /// <returns>0, -EAGAIN when none waits, or another negative errno.</returns>
    [Linux("inet_accept")]
    public static int InetAccept(Socket sock, Socket newsock, int flags, bool kern)
    {
        Sock sk1 = sock.Sk!;
        int err = sk1.SkProt.Accept(sk1, flags, kern, out Sock? sk2);
        if (sk2 == null)
            return err < 0 ? err : -EINVAL;
        sk2.LockSock();
        InetAcceptCore(sock, newsock, sk2);
        sk2.ReleaseSock();
        return 0;
    }

    /// <summary>Puts an accepted connection, which is owned, on a socket.</summary>
    [Linux("__inet_accept")]
    public static void InetAcceptCore(Socket sock, Socket newsock, Sock newsk)
    {
        Bug.On(newsk.SkState is not (TCP_ESTABLISHED or TCP_SYN_RECV or TCP_FIN_WAIT1 or TCP_FIN_WAIT2 or TCP_CLOSING
            or TCP_CLOSE_WAIT or TCP_CLOSE));
        Sock.SockGraft(newsk, newsock);
        newsock.State = SS_CONNECTED;
    }

    private static int BeginConnect(Socket sock, InetSock sk, ReadOnlySpan<byte> addr, bool isSendmsg, out bool stop)
    {
        stop = true;
        switch (sock.State)
        {
            case SS_CONNECTED:
                return -EISCONN;
            case SS_CONNECTING:
                stop = false;
                if (sk.Test(InetFlags.DeferConnect))
                    return isSendmsg ? -EINPROGRESS : -EISCONN;
                return -EALREADY;
            case SS_UNCONNECTED:
                if (sk.SkState != TCP_CLOSE)
                    return -EISCONN;
                int err = sk.SkProt.Connect(sk, addr);
                if (err < 0)
                    return err;
                sock.State = SS_CONNECTING;
                // A connect that waits for the first write says that it is done.
                if (sk.Test(InetFlags.DeferConnect))
                    return err;
                stop = false;
                return -EINPROGRESS;
            default:
                return -EINVAL;
        }
    }

    private static ushort FamilyOf(ReadOnlySpan<byte> addr) =>
        System.Buffers.Binary.BinaryPrimitives.ReadUInt16LittleEndian(addr);
}
