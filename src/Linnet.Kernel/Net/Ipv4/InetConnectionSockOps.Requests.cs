using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Requests: connections in their handshake, which live in the established table until they are finished.</content>
public static partial class InetConnectionSockOps
{
    private static readonly Action<object> ReqskTimer = ReqskTimerHandler;

    /// <summary>Makes a request for a listener.</summary>
    /// <param name="ops">Operations of the protocol; they also make the object.</param>
    /// <param name="listener">The listener; the request takes a reference.</param>
    [Linux("inet_reqsk_alloc", "net/ipv4/tcp_input.c")]
    public static InetRequestSock InetReqskAlloc(RequestSockOps ops, Sock listener)
    {
        InetRequestSock req = (InetRequestSock)ops.Alloc();
        listener.SockHold();
        req.RskListener = listener;
        req.RskOps = ops;
        req.SkcRefcnt = 0;
        req.SkcNet = listener.SkNet;
        req.SkcProt = listener.SkProt;
        req.SkcState = TCP_NEW_SYN_RECV;
        req.SkcFamily = listener.SkcFamily;
        req.SkcNum = listener.SkcNum;
        return req;
    }

    /// <summary>Puts a request in the table and has its SYN-ACK be sent again when its ACK does not come.</summary>
    /// <returns>Whether it entered; there may be one of the same four-tuple. If so, the caller has a reference.</returns>
    [Linux("inet_csk_reqsk_queue_hash_add")]
    public static bool InetCskReqskQueueHashAdd(InetConnectionSock sk, RequestSock req, long timeout = TCP_TIMEOUT_INIT)
    {
        if (!InetHashtables.InetEhashInsert(req, null, wantUnique: true, out _))
            return false;
        TimerList timer = new(sk.Machine.Timers, ReqskTimer, req);
        req.Timeout = timeout;
        req.RskTimer = timer;
        // Table, timer and caller. Until now nobody could take a reference.
        Volatile.Write(ref req.SkcRefcnt, 3);
        timer.Mod(sk.Machine.Clock.Now + timeout);
        sk.IcskAcceptQueue!.Added();
        return true;
    }

    /// <summary>Takes a request out of the table.</summary>
    /// <returns>Whether it was there.</returns>
    [Linux("inet_csk_reqsk_queue_drop")]
    public static bool InetCskReqskQueueDrop(Sock sk, RequestSock req)
    {
        bool unlinked = ReqskQueueUnlink(req);
        if (req.RskTimer!.Delete())
            req.ReqskPut();
        if (unlinked)
        {
            ((InetConnectionSock)sk).IcskAcceptQueue!.Removed(req);
            req.ReqskPut();
        }

        return unlinked;
    }

    /// <summary>
    /// The same, and the caller's reference is given back (<c>inet_csk_reqsk_queue_drop_and_put</c>).
    /// </summary>
    public static void InetCskReqskQueueDropAndPut(Sock sk, RequestSock req)
    {
        InetCskReqskQueueDrop(sk, req);
        req.ReqskPut();
    }

    /// <summary>Has a finished connection wait to be accepted.</summary>
    /// <returns>The child, or null when nobody listens any more; it is gone then.</returns>
    [Linux("inet_csk_reqsk_queue_add")]
    public static Sock? InetCskReqskQueueAdd(InetConnectionSock sk, RequestSock req, Sock child)
    {
        RequestSockQueue queue = sk.IcskAcceptQueue!;
        queue.RskqLock.Lock();
        bool listening = sk.SkState == TCP_LISTEN;
        if (listening)
        {
            req.Sk = child;
            req.DlNext = null;
            if (queue.RskqAcceptTail != null)
                queue.RskqAcceptTail.DlNext = req;
            else
                Volatile.Write(ref queue.RskqAcceptHead, req);
            queue.RskqAcceptTail = req;
            sk.SkAckBacklog++;
        }

        queue.RskqLock.Unlock();
        if (listening)
            return child;
        InetChildForget(sk, req, child);
        return null;
    }

    /// <summary>The handshake is finished: the request leaves the table, and its child waits to be accepted.</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="child">The child, locked, with a reference for the caller.</param>
    /// <param name="req">The request; the caller's reference goes to the queue.</param>
    /// <param name="ownReq">Whether the child took the request's place, and not another one of the same request.</param>
    /// <returns>The child, or null when it is gone.</returns>
    [Linux("inet_csk_complete_hashdance")]
    public static Sock? InetCskCompleteHashdance(InetConnectionSock sk, Sock child, RequestSock req, bool ownReq)
    {
        if (ownReq)
        {
            InetCskReqskQueueDrop(sk, req);
            sk.IcskAcceptQueue!.Removed(req);
            if (InetCskReqskQueueAdd(sk, req, child) != null)
                return child;
        }

        child.BhUnlockSock();
        child.SockPut();
        return null;
    }

    /// <summary>Makes the child of a listener: its options, but its own queues; locked, with two references.</summary>
    [Linux("inet_csk_clone_lock")]
    public static InetConnectionSock? InetCskCloneLock(InetConnectionSock sk, InetRequestSock req)
    {
        if (Sock.SkCloneLock(sk) is not InetConnectionSock newsk)
            return null;
        newsk.SkcHashed = false;
        newsk.SkcBindNext = newsk.SkcBindPrev = null;
        newsk.SkReuseportCb = null;
        Tcp.InetSkSetState(newsk, TCP_SYN_RECV);
        newsk.IcskBindHash = null;
        newsk.IcskBind2Hash = null;
        newsk.SkcDaddr = req.SkcDaddr;
        newsk.SkcRcvSaddr = newsk.InetSaddr = req.SkcRcvSaddr;
        newsk.SkcDport = req.SkcDport;
        newsk.SkcNum = newsk.InetSport = req.SkcNum;
        newsk.SkcBoundDevIf = req.IrIif;
        newsk.SkWriteSpace = SkStream.SkStreamWriteSpace;
        newsk.SockResetFlag(SockFlags.RcuFree);
        newsk.McList = [];
        newsk.SkMark = req.IrMark;
        newsk.SkcCookie = req.SkcCookie;
        newsk.Cork = default;
        newsk.IcskRetransmits = newsk.IcskBackoff = newsk.IcskProbesOut = 0;
        newsk.IcskProbesTstamp = 0;
        newsk.IcskPending = 0;
        newsk.IcskAck = default;
        newsk.IcskAcceptQueue = null;
        return newsk;
    }

    // Half of the room is kept for the young: the old ones go first where the queue fills up, as in a flood.
    [Linux("reqsk_timer_handler")]
    private static void ReqskTimerHandler(object data)
    {
        InetRequestSock req = (InetRequestSock)data;
        InetConnectionSock listener = (InetConnectionSock)req.RskListener!;
        if (listener.SkState == TCP_LISTEN && req.SkcHashed && SendAgain(listener, req))
        {
            if (req.NumTimeout++ == 0)
                Interlocked.Decrement(ref listener.IcskAcceptQueue!.Young);
            long timeout = Math.Min(req.Timeout << Math.Min((int)req.NumTimeout, 30), TCP_RTO_MAX);
            req.RskTimer!.Mod(listener.Machine.Clock.Now + timeout);
            return;
        }

        InetCskReqskQueueDropAndPut(listener, req);
    }

    private static bool SendAgain(InetConnectionSock listener, InetRequestSock req)
    {
        int retries = MaxSynAckRetries(listener);
        int deferAccept = listener.IcskAcceptQueue!.RskqDeferAccept;
        SynAckRecalc(req, retries, deferAccept, out bool expire, out bool resend);
        TcpTimer.TcpSynAckTimeout(req);
        return !expire && (!resend || req.RskOps.RtxSynAck(listener, req) == 0 || req.Acked);
    }

    private static int MaxSynAckRetries(InetConnectionSock listener)
    {
        int retries = listener.IcskSynRetries != 0 ? listener.IcskSynRetries : listener.SkNet.Ipv4.SysctlTcpSynackRetries;
        RequestSockQueue queue = listener.IcskAcceptQueue!;
        int qlen = Volatile.Read(ref queue.Qlen);
        if (qlen << 1 <= Math.Max(8, Volatile.Read(ref listener.SkMaxAckBacklog)))
            return retries;
        long young = (long)Volatile.Read(ref queue.Young) << 1;
        while (retries > 2 && qlen >= young)
        {
            retries--;
            young <<= 1;
        }

        return retries;
    }

    // While TCP_DEFER_ACCEPT waits for data nothing is sent again, except at its end, as a last chance.
    [Linux("syn_ack_recalc")]
    private static void SynAckRecalc(InetRequestSock req, int maxRetries, int deferAccept, out bool expire, out bool resend)
    {
        expire = req.NumTimeout >= maxRetries;
        resend = true;
        if (deferAccept == 0)
            return;
        expire = expire && (!req.Acked || req.NumTimeout >= deferAccept);
        resend = !req.Acked || req.NumTimeout >= deferAccept - 1;
    }

    private static bool ReqskQueueUnlink(RequestSock req)
    {
        SockHashTable ehash = req.SkcNet.Ipv4.TcpDeathRow.Hashinfo.Ehash;
        if (!req.SkcHashed)
            return false;
        ehash.Lock(req.SkcHash);
        bool found = req.SkcHashed;
        if (found)
            ehash.Remove(req);
        ehash.Unlock(req.SkcHash);
        return found;
    }
}
