using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>Packets going through a discipline, and the counts that disciplines keep of them.</content>
public abstract partial class Qdisc
{
    /// <summary>Beside <c>NET_XMIT_SUCCESS</c>: the packet is taken, but not queued (<c>__NET_XMIT_BYPASS</c>).</summary>
    private protected const int XmitBypass = 0x00020000;

    // Guards the queues and counters of a device's first discipline and of all that hang from it.
    private Spinlock guard;

    // Whether a thread feeds the device, and whether another had something to send meanwhile (__QDISC_STATE_MISSED).
    private int running;
    private int missed;

    private bool deactivated;

    // A packet that was looked at and so taken from the queue already (gso_skb), and packets that are freed after the lock.
    private SkBuff? peeked;
    private SkBuff? toFree;

    /// <summary>Queues a packet and sends what may be sent (<c>__dev_xmit_skb</c>). Takes over the packet.</summary>
    /// <returns><c>NET_XMIT_SUCCESS</c>, <c>NET_XMIT_DROP</c> or <c>NET_XMIT_CN</c>.</returns>
    [Linux("__dev_xmit_skb", "net/core/dev.c")]
    public int XmitSkb(SkBuff skb)
    {
        QdiscPktLenInit(skb);
        guard.Lock();
        if (deactivated || !Dev.IsUp)
        {
            // What noop_enqueue() answers.
            guard.Unlock();
            skb.Free();
            return Core.Dev.NET_XMIT_CN;
        }

        if (CanBypass && QueueLength == 0 && RunBegin())
        {
            BstatsUpdate(skb);
            guard.Unlock();
            Core.Dev.ValidateAndXmit(skb, Dev);
            RunEnd();
            return Core.Dev.NET_XMIT_SUCCESS;
        }

        int result = Enqueue(skb);
        UnlockAndFree();
        Run();
        return result & ~XmitBypass;
    }

    /// <summary>Sends what may be sent now (<c>__qdisc_run</c>).</summary>
    [Linux("__qdisc_run")]
    public void Run()
    {
        if (!RunBegin())
            return;
        QdiscRestart();
        RunEnd();
    }

    /// <summary>Takes over a packet for a child (<c>qdisc_enqueue</c>).</summary>
    private protected static int EnqueueTo(Qdisc child, SkBuff skb) => child.Enqueue(skb);

    /// <summary>Changes how a child works; the lock is held.</summary>
    private protected static int ChangeChild(Qdisc child, QdiscOptions options) => child.ChangeLocked(options);

    /// <summary>The next packet of a child, which may have been looked at before (<c>qdisc_dequeue_peeked</c>).</summary>
    private protected static SkBuff? DequeueFrom(Qdisc child)
    {
        if (child.peeked is not { } skb)
            return child.Dequeue();
        child.peeked = null;
        child.Unqueued(skb);
        return skb;
    }

    /// <summary>The packet that a child gives next, which stays there.</summary>
    private protected static SkBuff? PeekAt(Qdisc child) => child.Peek();

    /// <summary>The packet that comes next, which stays here (<c>peek</c>); what can only be told by taking it is kept apart.</summary>
    private protected virtual SkBuff? Peek() => QdiscPeekDequeued();

    [Linux("qdisc_peek_dequeued", "include/net/sch_generic.h")]
    private SkBuff? QdiscPeekDequeued()
    {
        if (peeked != null || Dequeue() is not { } skb)
            return peeked;
        peeked = skb;

        // It is still part of the queue.
        Queued(skb);
        return skb;
    }

    /// <summary>Bytes on the link, with the headers of every segment (<c>qdisc_pkt_len</c>).</summary>
    private protected static int PktLen(SkBuff skb) => skb.Cb<QdiscSkbCb>().PktLen;

    /// <summary>Measures a packet that was not queued before (<c>qdisc_pkt_len_init</c>).</summary>
    private protected static void QdiscPktLenInit(SkBuff skb)
    {
        int length = skb.Len;
        if (skb.GsoSegs > 1)
            length += (skb.GsoSegs - 1) * HeaderLength(skb);
        skb.Cb<QdiscSkbCb>().PktLen = length;
    }

    /// <summary>Drops a packet and counts it (<c>qdisc_drop</c>).</summary>
    /// <returns><c>NET_XMIT_DROP</c></returns>
    [Linux("qdisc_drop")]
    private protected int Drop(SkBuff skb)
    {
        Counters.Drops++;
        FreeLater(skb);
        return Core.Dev.NET_XMIT_DROP;
    }

    /// <summary>Has a packet freed once the lock is released: its owner may be woken by it.</summary>
    private protected void FreeLater(SkBuff skb)
    {
        Qdisc root = Root;
        skb.Next = root.toFree;
        root.toFree = skb;
    }

    /// <summary>A packet goes out (<c>qdisc_bstats_update</c>).</summary>
    private protected void BstatsUpdate(SkBuff skb)
    {
        Counters.Bytes += PktLen(skb);
        Counters.Packets += Math.Max(skb.GsoSegs, 1);
    }

    /// <summary>Counts a packet that is queued.</summary>
    private protected void Queued(SkBuff skb)
    {
        Counters.Backlog += PktLen(skb);
        QueueLength++;
    }

    /// <summary>Counts a packet that is not queued any more.</summary>
    private protected void Unqueued(SkBuff skb)
    {
        Counters.Backlog -= PktLen(skb);
        QueueLength--;
    }

    /// <summary>Those above hold so many packets and bytes less or, with negative numbers, more (<c>qdisc_tree_reduce_backlog</c>).</summary>
    [Linux("qdisc_tree_reduce_backlog", "net/sched/sch_api.c")]
    private protected static void QdiscTreeReduceBacklog(Qdisc from, int packets, long bytes)
    {
        for (Qdisc? above = from.Parent; above != null; above = above.Parent)
        {
            above.QueueLength -= packets;
            above.Counters.Backlog -= bytes;
        }
    }

    /// <summary>Puts a packet into the whole tree again, from above (<c>netem</c>'s duplicates).</summary>
    private protected int EnqueueAtRoot(SkBuff skb) => Root.Enqueue(skb);

    private static int HeaderLength(SkBuff skb)
    {
        int transport = skb.TransportHeader - skb.MacHeader;
        if ((skb.GsoType & GsoType.UdpL4) != 0)
            return transport + 8;

        // The data offset of a TCP header, in words of four bytes.
        Span<byte> header = skb.TransportHeaderSpan;
        return transport + (header.Length > 12 ? (header[12] >> 4) * 4 : 20);
    }

    private bool RunBegin()
    {
        if (Interlocked.CompareExchange(ref running, 1, 0) == 0)
            return true;

        // Whoever runs looks at this after it stopped, so that either it or this thread goes on.
        Interlocked.Exchange(ref missed, 1);
        return Interlocked.CompareExchange(ref running, 1, 0) == 0;
    }

    private void RunEnd()
    {
        while (true)
        {
            Interlocked.Exchange(ref running, 0);
            if (Volatile.Read(ref missed) == 0 || Interlocked.CompareExchange(ref running, 1, 0) != 0)
                return;
            QdiscRestart();
        }
    }

    [Linux("qdisc_restart")]
    private void QdiscRestart()
    {
        Interlocked.Exchange(ref missed, 0);
        while (true)
        {
            guard.Lock();
            SkBuff? skb = DequeueFrom(this);
            UnlockAndFree();
            if (skb == null)
                return;
            Core.Dev.ValidateAndXmit(skb, Dev);
        }
    }

    private void UnlockAndFree()
    {
        SkBuff? skb = toFree;
        toFree = null;
        guard.Unlock();
        while (skb != null)
        {
            SkBuff? next = skb.Next;
            skb.Next = null;
            skb.Free();
            skb = next;
        }
    }
}
