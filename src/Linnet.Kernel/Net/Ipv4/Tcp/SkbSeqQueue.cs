using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Packets in the order of their sequence numbers: the retransmission queue and the out-of-order queue, where Linux has
/// red-black trees. A ring of references: a packet is found by bisection, the ends cost O(1), and an insertion in the middle
/// moves references of the shorter side. How many packets there can be is bounded by the buffer that they are charged to.
/// </summary>
public struct SkbSeqQueue
{
    private const int InitialCapacity = 16;

    private SkBuff?[]? ring;
    private int start;

    /// <summary>How many packets there are.</summary>
    public int Count { get; private set; }

    /// <summary>Whether there is none.</summary>
    public readonly bool IsEmpty => Count == 0;

    /// <summary>The packet with the lowest sequence number.</summary>
    public readonly SkBuff? First => Count == 0 ? null : ring![start];

    /// <summary>The packet with the highest sequence number.</summary>
    public readonly SkBuff? Last => Count == 0 ? null : this[Count - 1];

    /// <summary>The packet at a position.</summary>
    public readonly SkBuff this[int index]
    {
        get
        {
            Bug.On((uint)index >= (uint)Count);
            return ring![Slot(index)]!;
        }
    }

    /// <summary>Position of the first packet that does not begin before <paramref name="seq"/>; the count when all do.</summary>
    public readonly int LowerBound(uint seq)
    {
        int low = 0;
        int high = Count;
        while (low < high)
        {
            int middle = (low + high) >> 1;
            if (TcpSeq.Before(this[middle].TcpCb.Seq, seq))
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    /// <summary>Position of a packet that is in the queue.</summary>
    public readonly int IndexOf(SkBuff skb)
    {
        int index = LowerBound(skb.TcpCb.Seq);
        while (this[index] != skb)
            index++;
        return index;
    }

    /// <summary>The packet behind <paramref name="skb"/>, or null (<c>skb_rb_next</c>).</summary>
    public readonly SkBuff? Next(SkBuff skb)
    {
        int index = IndexOf(skb) + 1;
        return index < Count ? this[index] : null;
    }

    /// <summary>The packet before <paramref name="skb"/>, or null (<c>skb_rb_prev</c>).</summary>
    public readonly SkBuff? Previous(SkBuff skb)
    {
        int index = IndexOf(skb) - 1;
        return index >= 0 ? this[index] : null;
    }

    /// <summary>Appends a packet that begins behind all others.</summary>
    public void Append(SkBuff skb)
    {
        EnsureRoom();
        ring![Slot(Count++)] = skb;
    }

    /// <summary>Puts a packet at a position; what was there moves back.</summary>
    public void Insert(int index, SkBuff skb)
    {
        Bug.On((uint)index > (uint)Count);
        EnsureRoom();
        if (index < Count - index)
        {
            start = (start - 1) & (ring!.Length - 1);
            MoveDown(1, index);
        }
        else
        {
            MoveUp(index, Count - index);
        }

        ring![Slot(index)] = skb;
        Count++;
    }

    /// <summary>Takes a packet out.</summary>
    public void Remove(SkBuff skb) => RemoveAt(IndexOf(skb));

    /// <summary>Takes out the packet at a position.</summary>
    public void RemoveAt(int index)
    {
        Bug.On((uint)index >= (uint)Count);
        if (index < Count - 1 - index)
        {
            MoveUp(0, index);
            ring![start] = null;
            start = (start + 1) & (ring.Length - 1);
        }
        else
        {
            MoveDown(index + 1, Count - 1 - index);
            ring![Slot(Count - 1)] = null;
        }

        Count--;
    }

    /// <summary>Puts another packet in the place of the one at a position.</summary>
    public readonly void Replace(int index, SkBuff skb) => ring![Slot(index)] = skb;

    /// <summary>Gives the memory back; the queue has to be empty.</summary>
    public void Release()
    {
        Bug.On(Count != 0);
        ring = null;
        start = 0;
    }

    // Moves the references at a position and behind it one place towards the end; in pieces, as the ring wraps.
    private readonly void MoveUp(int index, int count)
    {
        for (int last = index + count - 1; count > 0;)
        {
            int from = Slot(last);
            int to = Slot(last + 1);
            int length = Math.Min(count, Math.Min(from, to) + 1);
            Array.Copy(ring!, from - length + 1, ring!, to - length + 1, length);
            count -= length;
            last -= length;
        }
    }

    // The same, one place towards the beginning.
    private readonly void MoveDown(int index, int count)
    {
        while (count > 0)
        {
            int from = Slot(index);
            int to = Slot(index - 1);
            int length = Math.Min(count, ring!.Length - Math.Max(from, to));
            Array.Copy(ring, from, ring, to, length);
            count -= length;
            index += length;
        }
    }

    private readonly int Slot(int index) => (start + index) & (ring!.Length - 1);

    private void EnsureRoom()
    {
        if (ring == null)
        {
            ring = new SkBuff?[InitialCapacity];
        }
        else if (Count == ring.Length)
        {
            SkBuff?[] grown = new SkBuff?[Count * 2];
            for (int i = 0; i < Count; i++)
                grown[i] = ring[Slot(i)];
            ring = grown;
            start = 0;
        }
    }
}
