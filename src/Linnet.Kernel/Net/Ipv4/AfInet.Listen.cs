using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Listening.</content>
public static partial class AfInet
{
    /// <summary>Begins to listen, or changes the backlog of a listener.</summary>
    [Linux("inet_listen")]
    public static int InetListen(Socket sock, int backlog)
    {
        Sock sk = sock.Sk!;
        sk.LockSock();
        int err = sock.State != SS_UNCONNECTED || sock.Type != SOCK_STREAM ? -EINVAL : InetListenSkCore(sk, backlog);
        sk.ReleaseSock();
        return err;
    }

    /// <summary>The same with the socket owned and its type known.</summary>
    /// <returns>0, -EINVAL in a state other than closed and listening, or -EADDRINUSE.</returns>
    [Linux("__inet_listen_sk")]
    public static int InetListenSkCore(Sock sk, int backlog)
    {
        int oldState = sk.SkState;
        if (oldState is not (TCP_CLOSE or TCP_LISTEN))
            return -EINVAL;
        sk.SkMaxAckBacklog = backlog;
        return oldState != TCP_LISTEN ? InetConnectionSockOps.InetCskListenStart(sk) : 0;
    }
}
