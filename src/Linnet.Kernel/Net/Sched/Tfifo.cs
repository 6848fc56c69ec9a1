using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Packets by the time at which they leave (<c>tfifo</c>); those with the same time in the order in which they came. A binary heap.
/// </summary>
internal sealed class Tfifo
{
    private Entry[] heap = new Entry[64];
    private long sequence;

    /// <summary>How many there are.</summary>
    public int Count { get; private set; }

    /// <summary>The first to leave, or null.</summary>
    public SkBuff? First => Count > 0 ? heap[0].Skb : null;

    /// <summary>When the first leaves.</summary>
    public long FirstTime => heap[0].Time;

    /// <summary>When the last leaves; none does later, as none is taken before those that leave earlier.</summary>
    public long LastTime { get; private set; }

    /// <summary>Adds a packet.</summary>
    public void Add(SkBuff skb, long time)
    {
        if (Count == heap.Length)
            Array.Resize(ref heap, Count * 2);
        LastTime = Count == 0 ? time : Math.Max(LastTime, time);
        Entry added = new(time, sequence++, skb);
        int index = Count++;
        for (int parent; index > 0 && added.Before(heap[parent = (index - 1) / 2]); index = parent)
            heap[index] = heap[parent];
        heap[index] = added;
    }

    /// <summary>Takes the first packet.</summary>
    public SkBuff Take()
    {
        SkBuff skb = heap[0].Skb;
        Entry moved = heap[--Count];
        heap[Count] = default;
        int index = 0;
        for (int child; (child = 2 * index + 1) < Count; index = child)
        {
            if (child + 1 < Count && heap[child + 1].Before(heap[child]))
                child++;
            if (!heap[child].Before(moved))
                break;
            heap[index] = heap[child];
        }

        if (Count > 0)
            heap[index] = moved;
        return skb;
    }

    private readonly record struct Entry(long Time, long Sequence, SkBuff Skb)
    {
        public bool Before(in Entry other) => Time != other.Time ? Time < other.Time : Sequence < other.Sequence;
    }
}
