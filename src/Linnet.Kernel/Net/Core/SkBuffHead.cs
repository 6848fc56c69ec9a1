using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A queue of packets (<c>struct sk_buff_head</c>). <see cref="Guard"/> is for queues that several contexts use; the plain
/// operations do not take it, as Linux's with leading underscores do not.
/// </summary>
[LinuxStruct("sk_buff_head")]
public struct SkBuffHead
{
    /// <summary>The queue's lock.</summary>
    public Spinlock Guard;

    /// <summary>The first packet (<c>skb_peek</c>).</summary>
    public SkBuff? First;

    /// <summary>The last packet (<c>skb_peek_tail</c>).</summary>
    public SkBuff? Last;

    /// <summary>How many packets there are; may be read without the lock.</summary>
    public int Qlen;

    /// <summary>Whether there is none.</summary>
    public readonly bool IsEmpty => First == null;

    /// <summary>Appends a packet (<c>__skb_queue_tail</c>).</summary>
    public void QueueTail(SkBuff skb)
    {
        skb.Next = null;
        skb.Prev = Last;
        if (Last != null)
            Last.Next = skb;
        else
            First = skb;
        Last = skb;
        Qlen++;
    }

    /// <summary>Puts a packet first (<c>__skb_queue_head</c>).</summary>
    public void QueueHead(SkBuff skb)
    {
        skb.Prev = null;
        skb.Next = First;
        if (First != null)
            First.Prev = skb;
        else
            Last = skb;
        First = skb;
        Qlen++;
    }

    /// <summary>Puts <paramref name="skb"/> behind <paramref name="old"/> (<c>__skb_queue_after</c>).</summary>
    public void QueueAfter(SkBuff old, SkBuff skb)
    {
        if (old == Last)
        {
            QueueTail(skb);
            return;
        }

        skb.Prev = old;
        skb.Next = old.Next;
        old.Next!.Prev = skb;
        old.Next = skb;
        Qlen++;
    }

    /// <summary>Puts <paramref name="skb"/> before <paramref name="old"/> (<c>__skb_queue_before</c>).</summary>
    public void QueueBefore(SkBuff old, SkBuff skb)
    {
        if (old == First)
            QueueHead(skb);
        else
            QueueAfter(old.Prev!, skb);
    }

    /// <summary>Takes a packet out (<c>__skb_unlink</c>).</summary>
    public void Unlink(SkBuff skb)
    {
        if (skb.Prev != null)
            skb.Prev.Next = skb.Next;
        else
            First = skb.Next;
        if (skb.Next != null)
            skb.Next.Prev = skb.Prev;
        else
            Last = skb.Prev;
        skb.Next = skb.Prev = null;
        Qlen--;
    }

    /// <summary>Takes the first packet (<c>__skb_dequeue</c>).</summary>
    public SkBuff? Dequeue()
    {
        SkBuff? skb = First;
        if (skb != null)
            Unlink(skb);
        return skb;
    }

    /// <summary>Frees all packets (<c>__skb_queue_purge</c>).</summary>
    public void Purge()
    {
        while (Dequeue() is { } skb)
            skb.Free();
    }

    /// <summary>Moves all packets of <paramref name="from"/> to the end of this queue (<c>skb_queue_splice_tail_init</c>).</summary>
    public void SpliceTail(ref SkBuffHead from)
    {
        if (from.First == null)
            return;
        if (Last == null)
        {
            First = from.First;
        }
        else
        {
            Last.Next = from.First;
            from.First.Prev = Last;
        }

        Last = from.Last;
        Qlen += from.Qlen;
        from.First = from.Last = null;
        from.Qlen = 0;
    }
}
