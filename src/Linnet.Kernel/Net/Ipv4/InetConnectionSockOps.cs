using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What connection-oriented protocols share: listening, accepting, the routes of connections, and their end.
/// </summary>
[LinuxFile("net/ipv4/inet_connection_sock.c")]
public static partial class InetConnectionSockOps
{
    /// <summary>Begins to listen; an unbound socket gets a port.</summary>
    /// <returns>0 or -EADDRINUSE.</returns>
    [Linux("inet_csk_listen_start")]
    public static int InetCskListenStart(Sock sk)
    {
        InetConnectionSock icsk = (InetConnectionSock)sk;
        icsk.IcskAcceptQueue ??= new RequestSockQueue();
        icsk.SkAckBacklog = 0;
        icsk.IcskAck = default;
        // The state comes first: a port that is shared by SO_REUSEADDR is not shared with listeners.
        Tcp.InetSkSetState(icsk, TCP_LISTEN);
        int err = icsk.SkProt.GetPort(icsk, icsk.SkcNum);
        if (err == 0)
        {
            icsk.InetSport = icsk.SkcNum;
            icsk.SkDstReset();
            err = icsk.SkProt.Hash(icsk);
            if (err == 0)
                return 0;
        }

        Tcp.InetSkSetState(icsk, TCP_CLOSE);
        return err;
    }

    /// <summary>Ends listening: connections that nobody accepted are reset.</summary>
    [Linux("inet_csk_listen_stop")]
    public static void InetCskListenStop(InetConnectionSock sk)
    {
        if (sk.IcskAcceptQueue is not { } queue)
            return;
        while (queue.Remove(sk) is { } req)
        {
            Sock child = req.Sk!;
            child.BhLockSock();
            Bug.On(child.SockOwnedByUser);
            child.SockHold();
            InetChildForget(sk, req, child);
            req.ReqskPut();
            child.BhUnlockSock();
            child.SockPut();
        }

        Bug.On(sk.SkAckBacklog != 0);
    }

    /// <summary>Takes the connection off the queue that waits longest.</summary>
    /// <returns>0, -EAGAIN when there is none, or -EINVAL when the socket does not listen.</returns>
    [Linux("inet_csk_accept")]
    public static int InetCskAccept(InetConnectionSock sk, out Sock? newsk)
    {
        newsk = null;
        sk.LockSock();
        int err = sk.SkState != TCP_LISTEN ? -EINVAL : 0;
        RequestSock? req = null;
        if (err == 0)
        {
            req = sk.IcskAcceptQueue!.Remove(sk);
            err = req == null ? -EAGAIN : 0;
        }

        newsk = req?.Sk;
        sk.ReleaseSock();
        req?.ReqskPut();
        return err;
    }

    /// <summary>
    /// Whether there are more requests than the listener's backlog (<c>inet_csk_reqsk_queue_is_full</c>).
    /// </summary>
    public static bool InetCskReqskQueueIsFull(InetConnectionSock sk) =>
        Volatile.Read(ref sk.IcskAcceptQueue!.Qlen) > Volatile.Read(ref sk.SkMaxAckBacklog);

    /// <summary>Requests in their handshake (<c>inet_csk_reqsk_queue_len</c>).</summary>
    public static int InetCskReqskQueueLen(InetConnectionSock sk) => Volatile.Read(ref sk.IcskAcceptQueue!.Qlen);

    /// <summary>Whether no more connections may wait to be accepted (<c>sk_acceptq_is_full</c>).</summary>
    public static bool SkAcceptqIsFull(Sock sk) => Volatile.Read(ref sk.SkAckBacklog) > Volatile.Read(ref sk.SkMaxAckBacklog);

    /// <summary>Finds the route to answer a request (<c>inet_csk_route_req</c>).</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="fl4">The flow, as it was looked up.</param>
    /// <param name="req">The request.</param>
    /// <returns>The route, or null when there is none.</returns>
    [Linux("inet_csk_route_req")]
    public static DstEntry? InetCskRouteReq(InetSock sk, ref Flowi4 fl4, InetRequestSock req) =>
        RouteOfRequest(sk, sk, ref fl4, req);

    /// <summary>Finds the route of the child of a listener and keeps its flow.</summary>
    [Linux("inet_csk_route_child_sock")]
    public static DstEntry? InetCskRouteChildSock(InetSock sk, InetSock newsk, InetRequestSock req) =>
        RouteOfRequest(sk, newsk, ref newsk.Cork.Fl, req);

    /// <summary>Finds the socket's route anew.</summary>
    /// <returns>The route, or null when there is none.</returns>
    [Linux("inet_csk_rebuild_route")]
    public static DstEntry? InetCskRebuildRoute(InetSock sk) => Reroute(sk, out Rtable? rt) == 0 ? rt : null;

    /// <summary>Finds the socket's route anew when the one that it has is not valid any more.</summary>
    /// <returns>0 or a negative errno, which the socket also keeps as the reason for a timeout.</returns>
    [Linux("inet_sk_rebuild_header", "net/ipv4/af_inet.c")]
    public static int InetSkRebuildHeader(InetSock sk)
    {
        if (sk.SkDstCheck() != null)
            return 0;
        int err = Reroute(sk, out _);
        if (err < 0)
            sk.SkErrSoft = -err;
        return err;
    }

    /// <summary>Notes a path MTU for the socket's route.</summary>
    /// <returns>The route, or null when there is none any more.</returns>
    [Linux("inet_csk_update_pmtu")]
    public static DstEntry? InetCskUpdatePmtu(InetSock sk, int mtu)
    {
        DstEntry? dst = sk.SkDstCheck() ?? InetCskRebuildRoute(sk);
        if (dst == null)
            return null;
        dst.UpdatePmtu(sk, null, mtu);
        return sk.SkDstCheck() ?? InetCskRebuildRoute(sk);
    }

    /// <summary>Ends a child that was not handed out; it is locked, and the caller's reference goes with it.</summary>
    [Linux("inet_csk_prepare_forced_close")]
    public static void InetCskPrepareForcedClose(InetConnectionSock sk)
    {
        sk.BhUnlockSock();
        sk.SockPut();
        sk.SockSetFlag(SockFlags.Dead);
        sk.SkNet.Ipv4.TcpMachine.OrphanInc();
        sk.SkcNum = 0;
    }

    /// <summary>Frees a closed connection without a socket: state CLOSE, dead, out of the tables.</summary>
    [Linux("inet_csk_destroy_sock")]
    public static void InetCskDestroySock(InetConnectionSock sk)
    {
        Bug.On(sk.SkState != TCP_CLOSE);
        Bug.On(!sk.SockFlag(SockFlags.Dead));
        Bug.On(sk.SkcHashed);
        Bug.On(sk.SkcNum != 0 && sk.IcskBindHash == null);
        sk.SkProt.Destroy(sk);
        SkStream.SkStreamKillQueues(sk);
        sk.SkNet.Ipv4.TcpMachine.OrphanDec();
        sk.SockPut();
    }

    private static DstEntry? RouteOfRequest(InetSock listener, InetSock sk, ref Flowi4 fl4, InetRequestSock req)
    {
        uint daddr = req.IreqOpt is { Opt.Srr: not 0 } options ? options.Opt.Faddr : req.SkcDaddr;
        fl4 = Flowi4.InitOutput(
            req.IrIif, req.IrMark, Route.IpSockRtTos(listener), Route.IpSockRtScope(listener), (byte)listener.SkProtocol,
            FlowFlags(listener), daddr, req.SkcRcvSaddr, req.SkcDport, req.SkcNum, listener.SkUid);
        if (Route.IpRouteOutputFlow(listener.SkNet, ref fl4, sk, out Rtable? rt) < 0)
        {
            listener.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            return null;
        }

        // A strict source route leaves no room for a gateway.
        if (req.IreqOpt is { Opt.IsStrictroute: true } && rt!.RtUsesGateway)
        {
            listener.SkNet.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            return null;
        }

        return rt;
    }

    private static int Reroute(InetSock sk, out Rtable? rt)
    {
        ref Flowi4 fl4 = ref sk.Cork.Fl;
        uint daddr = sk.InetOpt is { Opt.Srr: not 0 } options ? options.Opt.Faddr : sk.SkcDaddr;
        fl4 = Flowi4.InitOutput(
            sk.SkcBoundDevIf, sk.SkMark, Route.IpSockRtTos(sk), Route.IpSockRtScope(sk), (byte)sk.SkProtocol,
            FlowFlags(sk), daddr, sk.InetSaddr, sk.SkcDport, sk.InetSport, sk.SkUid);
        int err = Route.IpRouteOutputFlow(sk.SkNet, ref fl4, sk, out rt);
        if (err == 0)
            sk.SkSetupCaps(rt!);
        return err;
    }

    private static byte FlowFlags(InetSock sk) => sk.Test(InetFlags.Transparent) ? Flowi4.FLOWI_FLAG_ANYSRC : (byte)0;

    // A connection that was never accepted: nobody will ever own it.
    [Linux("inet_child_forget")]
    private static void InetChildForget(InetConnectionSock sk, RequestSock req, Sock child)
    {
        sk.SkProt.Disconnect(child, O_NONBLOCK);
        Sock.SockOrphan(child);
        child.SkNet.Ipv4.TcpMachine.OrphanInc();
        InetCskDestroySock((InetConnectionSock)child);
    }
}
