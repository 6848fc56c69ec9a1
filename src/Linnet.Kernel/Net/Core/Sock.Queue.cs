using System.Runtime.CompilerServices;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Packets that belong to a sock: charged when they come, uncharged by their destructors.</content>
public partial class Sock
{
    private static readonly Action<SkBuff> SockWfreeDestructor = SockWfree;
    private static readonly Action<SkBuff> SockRfreeDestructor = SockRfree;
    private static readonly Action<SkBuff> SockOmallocDestructor = SockOfree;

    /// <summary>Charges a packet that is sent to the send buffer (<c>skb_set_owner_w</c>).</summary>
    public void SkbSetOwnerW(SkBuff skb)
    {
        skb.Orphan();
        skb.Sk = this;
        skb.Destructor = SockWfreeDestructor;
        if (SkTxhash != 0)
            skb.Hash = SkTxhash;
        // No reference to the sock is taken: what is charged here keeps it, as SkFree says.
        Interlocked.Add(ref SkWmemAlloc, skb.Truesize);
    }

    /// <summary>Charges a packet that was received to the receive buffer (<c>skb_set_owner_r</c>).</summary>
    public void SkbSetOwnerR(SkBuff skb)
    {
        skb.Orphan();
        skb.Sk = this;
        skb.Destructor = SockRfreeDestructor;
        Interlocked.Add(ref SkRmemAlloc, skb.Truesize);
        SkMemCharge(skb.Truesize);
    }

    /// <summary>Makes a packet that is charged to the send buffer, over its limit only when forced (<c>sock_wmalloc</c>).</summary>
    [Linux("sock_wmalloc")]
    public SkBuff? SockWmalloc(int size, bool force)
    {
        if (!force && Volatile.Read(ref SkWmemAlloc) >= SkSndbuf)
            return null;
        SkBuff skb = SkNet.SkbPool.Alloc(size);
        SkbSetOwnerW(skb);
        return skb;
    }

    /// <summary>Makes a packet that is charged to the option memory (<c>sock_omalloc</c>).</summary>
    [Linux("sock_omalloc")]
    public SkBuff? SockOmalloc(int size)
    {
        if (Volatile.Read(ref SkOmemAlloc) + SkBuff.TruesizeOf(size) > SkNet.NetnsCore.SysctlOptmemMax)
            return null;
        SkBuff skb = SkNet.SkbPool.Alloc(size);
        Interlocked.Add(ref SkOmemAlloc, skb.Truesize);
        skb.Sk = this;
        skb.Destructor = SockOmallocDestructor;
        return skb;
    }

    /// <summary>Charges bytes of options or filters (<c>sock_kmalloc</c>); give them back with <see cref="SockKfree"/>.</summary>
    /// <returns>Whether they fit under <c>net.core.optmem_max</c>.</returns>
    [Linux("sock_kmalloc")]
    public bool SockKmalloc(int size)
    {
        int optmemMax = SkNet.NetnsCore.SysctlOptmemMax;
        if ((uint)size > (uint)optmemMax || Volatile.Read(ref SkOmemAlloc) + size >= optmemMax)
            return false;
        Interlocked.Add(ref SkOmemAlloc, size);
        return true;
    }

    /// <summary>Gives bytes back that <see cref="SockKmalloc"/> charged (<c>sock_kfree_s</c>).</summary>
    public void SockKfree(int size) => Bug.On(Interlocked.Add(ref SkOmemAlloc, -size) < 0);

    /// <summary>
    /// Makes a packet for sending and charges it (<c>sock_alloc_send_pskb</c>), its memory all in the head.
    /// </summary>
    /// <param name="headerLen">Bytes of linear space.</param>
    /// <param name="errcode">0, a pending error, -EPIPE when sending is shut, -EAGAIN when the send buffer is full.</param>
    [Linux("sock_alloc_send_pskb")]
    public SkBuff? SockAllocSendPskb(int headerLen, out int errcode)
    {
        errcode = SockError();
        if (errcode != 0)
            return null;
        if ((SkShutdown & SEND_SHUTDOWN) != 0)
        {
            errcode = -EPIPE;
            return null;
        }

        if (SkWmemAllocGet >= SkSndbuf)
        {
            if (SkWq is { } wq)
                wq.AsyncNospace = true;
            SockSetFlag(SockFlags.Nospace);
            errcode = -EAGAIN;
            return null;
        }

        SkBuff skb = SkNet.SkbPool.Alloc(headerLen);
        SkbSetOwnerW(skb);
        return skb;
    }

    /// <summary>Asks the security modules and the sock's filter whether it gets a packet, and trims it (<c>sk_filter</c>).</summary>
    /// <returns>0, or a negative errno: the caller drops the packet.</returns>
    [Linux("sk_filter_trim_cap", "net/core/filter.c")]
    public int SkFilterTrimCap(SkBuff skb, int cap)
    {
        int err = Lsm.SecuritySockRcvSkb(this, skb);
        if (err != 0 || SkFilter is not { } filter)
            return err;
        Sock? saved = skb.Sk;
        skb.Sk = this;
        uint keep = filter.Run(skb);
        skb.Sk = saved;
        if (keep == 0)
            return -EPERM;
        skb.PskbTrim(Math.Max(cap, (int)Math.Min(keep, int.MaxValue)));
        return 0;
    }

    /// <summary>Delivers a packet to the receive queue and wakes the readers (<c>sock_queue_rcv_skb</c>).</summary>
    /// <returns>0, or a negative errno with the packet not taken.</returns>
    [Linux("sock_queue_rcv_skb")]
    public int SockQueueRcvSkb(SkBuff skb)
    {
        int err = SkFilterTrimCap(skb, 1);
        return err != 0 ? err : SockQueueRcvSkbCore(skb);
    }

    /// <summary>The same without filters (<c>__sock_queue_rcv_skb</c>).</summary>
    [Linux("__sock_queue_rcv_skb")]
    public int SockQueueRcvSkbCore(SkBuff skb)
    {
        if (Volatile.Read(ref SkRmemAlloc) >= SkRcvbuf)
        {
            Interlocked.Increment(ref SkDrops);
            return -ENOMEM;
        }

        if (!SkRmemSchedule(skb.Truesize))
        {
            Interlocked.Increment(ref SkDrops);
            return -ENOBUFS;
        }

        skb.Dev = null;
        SkbSetOwnerR(skb);
        SkReceiveQueue.Guard.Lock();
        SockSkbSetDropcount(skb);
        SkReceiveQueue.QueueTail(skb);
        SkReceiveQueue.Guard.Unlock();
        if (!SockFlag(SockFlags.Dead))
            SkDataReady(this);
        return 0;
    }

    /// <summary>Puts a packet that is charged to the socket on its receive queue and wakes the readers; frees it when there are none any more.</summary>
    internal void QueueOrFree(SkBuff skb)
    {
        SkReceiveQueue.Guard.Lock();
        bool open = !SockFlag(SockFlags.Dead);
        if (open)
        {
            SockSkbSetDropcount(skb);
            SkReceiveQueue.QueueTail(skb);
        }

        SkReceiveQueue.Guard.Unlock();
        if (open)
            SkDataReady(this);
        else
            skb.Free();
    }

    /// <summary>Notes in a packet how many were dropped before it (<c>sock_skb_set_dropcount</c>).</summary>
    public void SockSkbSetDropcount(SkBuff skb) =>
        Dropcount(skb) = SockFlag(SockFlags.RxqOvfl) ? (uint)Volatile.Read(ref SkDrops) : 0;

    /// <summary>What <see cref="SockSkbSetDropcount"/> noted; the last bytes of the packet's scratch space.</summary>
    public static ref uint Dropcount(SkBuff skb) =>
        ref Unsafe.As<byte, uint>(ref skb.ControlBuffer[SkbControlBuffer.Size - sizeof(uint)]);

    /// <summary>Puts a packet on the error queue and reports it (<c>sock_queue_err_skb</c>).</summary>
    /// <returns>0, or -ENOMEM with the packet not taken.</returns>
    [Linux("sock_queue_err_skb", "net/core/skbuff.c")]
    public int SockQueueErrSkb(SkBuff skb)
    {
        if (Volatile.Read(ref SkRmemAlloc) + skb.Truesize >= (uint)SkRcvbuf)
            return -ENOMEM;
        skb.Orphan();
        skb.Sk = this;
        skb.Destructor = SockRmemFreeDestructor;
        Interlocked.Add(ref SkRmemAlloc, skb.Truesize);
        SkErrorQueue.Guard.Lock();
        SkErrorQueue.QueueTail(skb);
        SkErrorQueue.Guard.Unlock();
        if (!SockFlag(SockFlags.Dead))
            SkErrorReport(this);
        return 0;
    }

    /// <summary>A charged packet that was sent is free again: tells the writer (<c>sock_wfree</c>).</summary>
    [Linux("sock_wfree")]
    public static void SockWfree(SkBuff skb)
    {
        Sock sk = skb.Sk!;
        int len = skb.Truesize;
        if (!sk.SockFlag(SockFlags.UseWriteQueue))
        {
            // One byte stays charged, so that the sock lives while the writer is told.
            Bug.On(Interlocked.Add(ref sk.SkWmemAlloc, 1 - len) < 1);
            sk.SkWriteSpace(sk);
            len = 1;
        }

        if (Interlocked.Add(ref sk.SkWmemAlloc, -len) == 0)
            SkFreeCore(sk);
    }

    /// <summary>A charged packet that was received is read (<c>sock_rfree</c>).</summary>
    [Linux("sock_rfree")]
    public static void SockRfree(SkBuff skb)
    {
        Sock sk = skb.Sk!;
        Interlocked.Add(ref sk.SkRmemAlloc, -skb.Truesize);
        sk.SkMemUncharge(skb.Truesize);
    }

    private static readonly Action<SkBuff> SockRmemFreeDestructor = SockRmemFree;

    [Linux("sock_rmem_free", "net/core/skbuff.c")]
    private static void SockRmemFree(SkBuff skb) => Interlocked.Add(ref skb.Sk!.SkRmemAlloc, -skb.Truesize);

    [Linux("sock_ofree")]
    private static void SockOfree(SkBuff skb) => Interlocked.Add(ref skb.Sk!.SkOmemAlloc, -skb.Truesize);
}
