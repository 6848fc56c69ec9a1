using System.Diagnostics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>
/// The socket lock (<c>socket_lock_t</c>). A caller in process context <em>owns</em> the socket; a packet or timer that
/// comes meanwhile finds it owned, and leaves its work in the backlog or as a deferred bit, which the owner does when it
/// releases the socket. Order: a listener's lock is taken before that of its child; no other two are held at once.
/// </content>
public partial class Sock
{
    // Protects owned, the backlog and, while the socket is not owned, everything that the socket lock protects.
    private Spinlock slock;
    private bool owned;
    private WaitQueueHead? ownerWq;
    private SkBuff? backlogHead;
    private SkBuff? backlogTail;
    private int backlogLen;

    /// <summary>Whether a process context owns the socket (<c>sock_owned_by_user</c>); ask with <see cref="BhLockSock"/> held.</summary>
    public bool SockOwnedByUser => owned;

    /// <summary>Truesize in the backlog; atomic reads.</summary>
    public int BacklogLen => backlogLen;

    /// <summary>
    /// The packet that came last to the backlog, which a protocol may join another to; ask with <see cref="BhLockSock"/> held.
    /// </summary>
    internal SkBuff? BacklogTail => backlogTail;

    /// <summary>The last packet of the backlog grew by so much truesize.</summary>
    internal void BacklogTailGrew(int truesize) => backlogLen += truesize;

    /// <summary>Owns the socket; waits for another owner to be done (<c>lock_sock</c>).</summary>
    public void LockSock()
    {
        slock.Lock();
        while (owned)
            WaitForOwner();
        owned = true;
        slock.Unlock();
    }

    /// <summary>
    /// Ends the ownership (<c>release_sock</c>): processes the backlog, then what timers and transmit completions deferred.
    /// </summary>
    public void ReleaseSock()
    {
        slock.Lock();
        Debug.Assert(owned, "release of a socket that nobody owns");
        if (backlogHead != null)
            ProcessBacklog();
        SkProt.ReleaseCb(this);
        owned = false;
        WaitQueueHead? waiters = ownerWq;
        slock.Unlock();
        waiters?.WakeUp();
    }

    /// <summary>
    /// Processes the backlog and stays the owner (<c>__release_sock</c>); spin lock held before and after.
    /// </summary>
    public void ReleaseSockCore()
    {
        Debug.Assert(owned, "backlog of a socket that nobody owns");
        if (backlogHead != null)
            ProcessBacklog();
    }

    /// <summary>Processes the backlog if there is any, and stays the owner (<c>sk_flush_backlog</c>).</summary>
    /// <returns>Whether there was any.</returns>
    public bool SkFlushBacklog()
    {
        if (Volatile.Read(ref backlogTail) == null)
            return false;
        slock.Lock();
        ReleaseSockCore();
        SkProt.ReleaseCb(this);
        slock.Unlock();
        return true;
    }

    /// <summary>Locks out other packets and timers (<c>bh_lock_sock</c>); check <see cref="SockOwnedByUser"/> then.</summary>
    public void BhLockSock() => slock.Lock();

    /// <summary>Ends <see cref="BhLockSock"/>.</summary>
    public void BhUnlockSock() => slock.Unlock();

    /// <summary>Asserts that the caller owns the socket or holds its spin lock (<c>sock_owned_by_me</c>).</summary>
    [Conditional("DEBUG")]
    public void AssertLocked() => Debug.Assert(owned || slock.IsLocked, "the socket lock is not held");

    /// <summary>
    /// Leaves a packet for the owner (<c>sk_add_backlog</c>); called with the spin lock held. Takes over the packet on success.
    /// </summary>
    /// <param name="skb">The packet.</param>
    /// <param name="limit">Most truesize that may wait, receive queue included.</param>
    /// <returns>0, or -ENOBUFS when the limit is reached.</returns>
    public int SkAddBacklog(SkBuff skb, int limit)
    {
        if ((uint)(backlogLen + SkRmemAlloc) > (uint)limit)
            return -ENOBUFS;
        skb.Next = null;
        if (backlogTail != null)
            backlogTail.Next = skb;
        else
            backlogHead = skb;
        backlogTail = skb;
        backlogLen += skb.Truesize;
        return 0;
    }

    // The spin lock is dropped while a packet is processed; ownership is what protects the socket meanwhile.
    private void ProcessBacklog()
    {
        while (backlogHead is { } first)
        {
            backlogHead = backlogTail = null;
            slock.Unlock();
            for (SkBuff? skb = first; skb != null;)
            {
                SkBuff? next = skb.Next;
                skb.Next = null;
                SkProt.BacklogRcv(this, skb);
                skb = next;
            }

            slock.Lock();
        }

        backlogLen = 0;
    }

    private void WaitForOwner()
    {
        WaitQueueHead queue = ownerWq ??= new WaitQueueHead();
        ThreadWaiter waiter = Machine.ThreadWaiter;
        waiter.Reset();
        waiter.Exclusive = true;
        waiter.Events = 0;
        queue.Add(waiter);
        slock.Unlock();
        waiter.Schedule();
        queue.Remove(waiter);

        // Whoever waits for something else around this call may have been signalled meanwhile: it looks once more.
        waiter.Signal();
        slock.Lock();
    }
}
