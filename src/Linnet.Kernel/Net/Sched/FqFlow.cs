using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>The packets of one socket, or of the strangers with one hash, in an <see cref="Fq"/>.</summary>
[LinuxStruct("fq_flow")]
internal sealed class FqFlow
{
    /// <summary>Packets, by the time at which they may go; those of the same time in the order in which they came.</summary>
    public SkBuffHead Queue;

    /// <summary>Whose packets: a socket's number, or a hash with the topmost bit set.</summary>
    public long Key;

    /// <summary>The socket's hash: another one means that the socket was used again for another connection.</summary>
    public uint SocketHash;

    /// <summary>Bytes that it may send in this round.</summary>
    public int Credit;

    /// <summary>Band of the last packet.</summary>
    public byte Band;

    /// <summary>Band of the list that it is in.</summary>
    public byte ListBand;

    /// <summary>Where it is: in no list, in that of those that may send, or waiting for its time.</summary>
    public FqFlowState State;

    /// <summary>When it ran out of packets, in jiffies.</summary>
    public long Age;

    /// <summary>When the next packet may go, ns.</summary>
    public long TimeNextPacket;

    /// <summary>The next flow in its list.</summary>
    public FqFlow? Next;

    /// <summary>The next flow in its bucket.</summary>
    public FqFlow? BucketNext;

    /// <summary>Place in the heap of those that wait, and order among those of equal time.</summary>
    public int HeapIndex;

    /// <summary>Order among flows with the same time.</summary>
    public long HeapSequence;

    /// <summary>Adds a packet at its time.</summary>
    [Linux("flow_queue_add", "net/sched/sch_fq.c")]
    public void QueueAdd(SkBuff skb)
    {
        long time = skb.Cb<QdiscSkbCb>().TimeToSend;
        SkBuff? before = Queue.Last;
        while (before != null && before.Cb<QdiscSkbCb>().TimeToSend > time)
            before = before.Prev;
        if (before == null)
            Queue.QueueHead(skb);
        else
            Queue.QueueAfter(before, skb);
    }
}

/// <summary>Where a flow is.</summary>
internal enum FqFlowState : byte
{
    /// <summary>It has nothing to send (<c>fq_flow_is_detached</c>).</summary>
    Detached,

    /// <summary>It takes its turns.</summary>
    Active,

    /// <summary>Its next packet may not go yet (<c>fq_flow_is_throttled</c>).</summary>
    Throttled,
}

/// <summary>Flows in the order of their turns.</summary>
[LinuxStruct("fq_flow_head")]
internal struct FqFlowHead
{
    /// <summary>Whose turn it is.</summary>
    public FqFlow? First;

    private FqFlow? last;

    /// <summary>Appends a flow.</summary>
    public void Append(FqFlow flow)
    {
        flow.Next = null;
        if (First == null)
            First = flow;
        else
            last!.Next = flow;
        last = flow;
    }

    /// <summary>Takes the first flow out.</summary>
    public void RemoveFirst() => First = First!.Next;
}

/// <summary>Flows that wait, the earliest first: a binary heap.</summary>
internal sealed class FqDelayed
{
    private FqFlow[] heap = new FqFlow[16];
    private long sequence;

    /// <summary>How many wait.</summary>
    public int Count { get; private set; }

    /// <summary>The earliest, or null.</summary>
    public FqFlow? First => Count > 0 ? heap[0] : null;

    /// <summary>Adds a flow by its <see cref="FqFlow.TimeNextPacket"/>.</summary>
    public void Add(FqFlow flow)
    {
        if (Count == heap.Length)
            Array.Resize(ref heap, Count * 2);
        flow.HeapSequence = sequence++;
        Up(flow, Count++);
    }

    /// <summary>Takes a flow out.</summary>
    public void Remove(FqFlow flow)
    {
        int index = flow.HeapIndex;
        FqFlow moved = heap[--Count];
        heap[Count] = null!;
        if (moved == flow)
            return;
        if (index > 0 && Before(moved, heap[(index - 1) / 2]))
            Up(moved, index);
        else
            Down(moved, index);
    }

    /// <summary>Forgets all.</summary>
    public void Clear()
    {
        Array.Clear(heap, 0, Count);
        Count = 0;
    }

    private static bool Before(FqFlow a, FqFlow b) =>
        a.TimeNextPacket != b.TimeNextPacket ? a.TimeNextPacket < b.TimeNextPacket : a.HeapSequence < b.HeapSequence;

    private void Up(FqFlow flow, int index)
    {
        for (int parent; index > 0 && Before(flow, heap[parent = (index - 1) / 2]); index = parent)
            Place(heap[parent], index);
        Place(flow, index);
    }

    private void Down(FqFlow flow, int index)
    {
        for (int child; (child = 2 * index + 1) < Count; index = child)
        {
            if (child + 1 < Count && Before(heap[child + 1], heap[child]))
                child++;
            if (!Before(heap[child], flow))
                break;
            Place(heap[child], index);
        }

        Place(flow, index);
    }

    private void Place(FqFlow flow, int index)
    {
        heap[index] = flow;
        flow.HeapIndex = index;
    }
}
