using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A connection in its handshake on the passive side (<c>struct request_sock</c>): all that a listener keeps for a SYN
/// until the ACK of its SYN-ACK arrives. It is in the established table, so that the ACK finds it.
/// </summary>
[LinuxStruct("request_sock")]
[LinuxFile("net/core/request_sock.c")]
public abstract class RequestSock : SockCommon
{
    /// <summary>
    /// The listener; the request holds a reference. Null for a request of a SYN cookie that lost its listener.
    /// </summary>
    public Sock? RskListener;

    /// <summary>Next in the listener's accept queue.</summary>
    public RequestSock? DlNext;

    /// <summary>The peer's MSS, in bytes.</summary>
    public ushort Mss;

    /// <summary>SYN-ACKs that were sent again.</summary>
    public byte NumRetrans;

    /// <summary>Timeouts of the SYN-ACK.</summary>
    public byte NumTimeout;

    /// <summary>The handshake is carried by a SYN cookie.</summary>
    public bool Syncookie;

    /// <summary>The peer's last timestamp.</summary>
    public uint TsRecent;

    /// <summary>The window that the SYN-ACK offers, in bytes.</summary>
    public uint RskRcvWnd;

    /// <summary>Largest window to offer, in bytes.</summary>
    public uint RskWindowClamp;

    /// <summary>First timeout of the SYN-ACK in ns.</summary>
    public long Timeout;

    /// <summary>Sends the SYN-ACK again; made when the request enters the table.</summary>
    public TimerList? RskTimer;

    /// <summary>Operations of the protocol.</summary>
    public RequestSockOps RskOps = null!;

    /// <summary>The child, once the handshake is finished.</summary>
    public Sock? Sk;

    /// <summary>Headers of the SYN for <c>TCP_SAVED_SYN</c>, or null.</summary>
    public byte[]? SavedSyn;

    /// <summary>Takes a reference (<c>refcount_inc</c> of <c>rsk_refcnt</c>).</summary>
    public void Hold() => Interlocked.Increment(ref SkcRefcnt);

    /// <summary>Takes a reference unless the last one is gone already.</summary>
    public bool HoldUnlessZero() => SkcRefcntTools.IncNotZero(ref SkcRefcnt);

    /// <summary>Gives a reference back (<c>reqsk_put</c>).</summary>
    public void ReqskPut()
    {
        int left = Interlocked.Decrement(ref SkcRefcnt);
        Bug.On(left < 0);
        if (left == 0)
            ReqskFree();
    }

    /// <summary>Frees a request that nobody else refers to (<c>reqsk_free</c>).</summary>
    public void ReqskFree()
    {
        Bug.On(Volatile.Read(ref SkcRefcnt) != 0);
        RskOps.Destructor(this);
        Sock? listener = RskListener;
        RskListener = null;
        listener?.SockPut();
        SavedSyn = null;
    }
}

/// <summary>What a protocol does with requests (<c>struct request_sock_ops</c>).</summary>
[LinuxStruct("request_sock_ops")]
public abstract class RequestSockOps
{
    /// <summary>Address family.</summary>
    public abstract int Family { get; }

    /// <summary>Makes a request, not initialised.</summary>
    public abstract RequestSock Alloc();

    /// <summary>Sends the SYN-ACK again (<c>rtx_syn_ack</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int RtxSynAck(Sock sk, RequestSock req);

    /// <summary>Answers a segment that is not acceptable with an ACK (<c>send_ack</c>).</summary>
    public abstract void SendAck(Sock sk, SkBuff skb, RequestSock req);

    /// <summary>Answers a segment with a reset (<c>send_reset</c>).</summary>
    public abstract void SendReset(Sock? sk, SkBuff skb);

    /// <summary>Frees what the protocol holds for the request (<c>destructor</c>).</summary>
    public virtual void Destructor(RequestSock req)
    {
    }
}

/// <summary>
/// A listener's connections (<c>struct request_sock_queue</c>). Those in their handshake are only counted here; they are
/// found through the established table.
/// </summary>
[LinuxStruct("request_sock_queue")]
public sealed class RequestSockQueue
{
    /// <summary>Guards the accept queue.</summary>
    public Spinlock RskqLock;

    /// <summary><c>TCP_DEFER_ACCEPT</c> as a number of retransmissions; 0 for off.</summary>
    public byte RskqDeferAccept;

    /// <summary>
    /// When there was last no room for a request, in ns; only for a while after that cookies are taken.
    /// </summary>
    public long LastOverflow = long.MinValue;

    /// <summary>Whether the log was told of a flood of SYNs; atomic.</summary>
    public int SynfloodWarned;

    /// <summary>Requests in the established table; atomic.</summary>
    public int Qlen;

    /// <summary>Those whose SYN-ACK was not sent again yet; atomic.</summary>
    public int Young;

    /// <summary>First connection to accept.</summary>
    public RequestSock? RskqAcceptHead;

    /// <summary>Last connection to accept.</summary>
    public RequestSock? RskqAcceptTail;

    /// <summary>Whether no connection waits to be accepted (<c>reqsk_queue_empty</c>).</summary>
    public bool IsEmpty => Volatile.Read(ref RskqAcceptHead) == null;

    /// <summary>Takes the connection that waits longest (<c>reqsk_queue_remove</c>).</summary>
    public RequestSock? Remove(Sock parent)
    {
        RskqLock.Lock();
        RequestSock? req = RskqAcceptHead;
        if (req != null)
        {
            parent.SkAckBacklog--;
            RskqAcceptHead = req.DlNext;
            if (RskqAcceptHead == null)
                RskqAcceptTail = null;
            req.DlNext = null;
        }

        RskqLock.Unlock();
        return req;
    }

    /// <summary>A request left the table (<c>reqsk_queue_removed</c>).</summary>
    public void Removed(RequestSock req)
    {
        if (req.NumTimeout == 0)
            Interlocked.Decrement(ref Young);
        Interlocked.Decrement(ref Qlen);
    }

    /// <summary>A request entered the table (<c>reqsk_queue_added</c>).</summary>
    public void Added()
    {
        Interlocked.Increment(ref Young);
        Interlocked.Increment(ref Qlen);
    }
}

/// <summary>Reference counts of members of tables that are found without owning a reference.</summary>
public static class SkcRefcntTools
{
    /// <summary>Takes a reference unless the last one is gone already (<c>refcount_inc_not_zero</c>).</summary>
    public static bool IncNotZero(ref int refcount)
    {
        int seen = Volatile.Read(ref refcount);
        while (seen != 0)
        {
            int was = Interlocked.CompareExchange(ref refcount, seen + 1, seen);
            if (was == seen)
                return true;
            seen = was;
        }

        return false;
    }
}
