using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Which fragments belong together (RFC 791 section 3.2), for whom they are put together, and where they came in.
/// </summary>
internal readonly record struct FragKey(uint Saddr, uint Daddr, ushort Id, byte Protocol, int User);

/// <summary>The incomplete datagrams of a namespace (<c>struct fqdir</c>), with what they may take of memory.</summary>
[LinuxStruct("fqdir")]
[LinuxFile("net/ipv4/inet_fragment.c")]
internal sealed class FragQueues
{
    // Guards the table, the queues in it, and the sum of memory.
    private readonly Lock guard = new();
    private readonly Dictionary<FragKey, FragQueue> queues;
    private long memory;

    public FragQueues(NetNamespace net)
    {
        Net = net;
        queues = new Dictionary<FragKey, FragQueue>(new KeyedComparer(SiphashKey.New(net.Machine.Random)));
    }

    public NetNamespace Net { get; }

    /// <summary>Truesize above which no fragment is taken (<c>net.ipv4.ipfrag_high_thresh</c>).</summary>
    public long HighThresh { get; set; } = 4 * 1024 * 1024;

    /// <summary>
    /// Kept for those who read it; Linux collects nothing down to it any more (<c>net.ipv4.ipfrag_low_thresh</c>).
    /// </summary>
    public long LowThresh { get; set; } = 3 * 1024 * 1024;

    /// <summary>Ms after which an incomplete datagram is given up (<c>net.ipv4.ipfrag_time</c>).</summary>
    public int Timeout { get; set; } = 30_000;

    /// <summary>Bytes of truesize that fragments take.</summary>
    public long Memory => Interlocked.Read(ref memory);

    /// <summary>How many datagrams are incomplete.</summary>
    public int Count
    {
        get
        {
            lock (guard)
                return queues.Count;
        }
    }

    /// <summary>Runs <paramref name="action"/> on the queue of a datagram, which is made when there is none.</summary>
    /// <returns>What the action returned; null when there is no room. The packet is the action's.</returns>
    public SkBuff? WithQueue(in FragKey key, SkBuff skb, Func<FragQueue, SkBuff, SkBuff?> action, out bool noRoom)
    {
        lock (guard)
        {
            // Whether the datagram is begun or not: otherwise many that are could be filled without end.
            noRoom = HighThresh == 0 || memory > HighThresh;
            if (noRoom)
                return null;
            if (!queues.TryGetValue(key, out FragQueue? queue))
                queue = InetFragCreate(in key);
            return action(queue, skb);
        }
    }

    /// <summary>Takes a queue out; its fragments are the caller's (<c>inet_frag_kill</c>). The guard is held.</summary>
    public SkBuff? Kill(FragQueue queue)
    {
        queue.Complete = true;
        queue.Timer.Delete();
        queues.Remove(queue.Key);
        memory -= queue.Truesize;
        queue.Truesize = 0;
        return queue.TakeAll();
    }

    /// <summary>Charges a fragment to its queue. The guard is held.</summary>
    public void Charge(FragQueue queue, int truesize)
    {
        queue.Truesize += truesize;
        memory += truesize;
    }

    /// <summary>
    /// A datagram was not completed in time. Its fragments are handed back, or null when it was completed meanwhile.
    /// </summary>
    public SkBuff? Expire(FragQueue queue)
    {
        lock (guard)
            return queue.Complete ? null : Kill(queue);
    }

    /// <summary>The namespace ends: everything is freed.</summary>
    public void Clear()
    {
        lock (guard)
        {
            foreach (FragQueue queue in queues.Values.ToArray())
                FragQueue.FreeList(Kill(queue));
        }
    }

    [Linux("inet_frag_create")]
    private FragQueue InetFragCreate(in FragKey key)
    {
        FragQueue queue = new(this, key);
        queues.Add(key, queue);
        queue.Timer.Mod(Net.Machine.Clock.Now + Timeout * Clock.NsecPerMsec);
        return queue;
    }

    // Remote hosts choose the keys: they must not be able to choose the buckets.
    private sealed class KeyedComparer(SiphashKey secret) : IEqualityComparer<FragKey>
    {
        public bool Equals(FragKey x, FragKey y) => x == y;

        public int GetHashCode(FragKey key) => (int)Siphash.Hsiphash2(
            (ulong)key.Saddr << 32 | key.Daddr, (ulong)key.User << 24 | (uint)key.Id << 8 | key.Protocol, in secret);
    }
}

/// <summary>The fragments of one datagram (<c>struct inet_frag_queue</c>), in the order of their offsets.</summary>
[LinuxStruct("inet_frag_queue")]
internal sealed class FragQueue
{
    public readonly FragKey Key;
    public readonly FragQueues Fqdir;
    public readonly TimerList Timer;

    // By their offsets.
    private SkBuff[] sorted = new SkBuff[4];
    private int count;

    /// <summary>The fragments, in the order of their offsets; data begins behind the IP header.</summary>
    public ReadOnlySpan<SkBuff> Fragments => sorted.AsSpan(0, count);

    /// <summary>Length of the data as far as it is known.</summary>
    public int Len;

    /// <summary>Bytes of data that are here.</summary>
    public int Meat;

    /// <summary>The first fragment is here.</summary>
    public bool FirstIn;

    /// <summary>The last fragment is here, so that <see cref="Len"/> is final.</summary>
    public bool LastIn;

    /// <summary>The queue is out of the table.</summary>
    public bool Complete;

    /// <summary>A bit for each ECN codepoint seen.</summary>
    public byte Ecn;

    /// <summary>Largest fragment, in bytes of IP packet.</summary>
    public int MaxSize;

    /// <summary>Largest fragment with DF.</summary>
    public int MaxDfSize;

    /// <summary>Device by which the last fragment came in.</summary>
    public NetDevice? Dev;

    public int Truesize;

    public FragQueue(FragQueues fqdir, FragKey key)
    {
        Fqdir = fqdir;
        Key = key;
        Timer = new TimerList(fqdir.Net.Machine.Timers, static queue => IpFragment.IpExpire((FragQueue)queue), this);
    }

    /// <summary>Where a fragment's data begins in the datagram, kept in its scratch space behind IP's.</summary>
    public static ref int OffsetOf(SkBuff skb) => ref skb.Cb<FragCb>().Offset;

    /// <summary>Puts a fragment in its place: at the end, where most come, or where halving finds it.</summary>
    /// <returns>0, 1 for a duplicate, or -EINVAL for one that overlaps others.</returns>
    [Linux("inet_frag_queue_insert", "net/ipv4/inet_fragment.c")]
    public int Insert(SkBuff skb, int offset, int end)
    {
        int place = count > 0 && OffsetOf(sorted[count - 1]) < offset ? count : LowerBound(offset);
        SkBuff? before = place > 0 ? sorted[place - 1] : null;
        SkBuff? after = place < count ? sorted[place] : null;
        if (after != null && OffsetOf(after) == offset && end <= offset + after.Len)
            return 1;
        if (before != null && OffsetOf(before) + before.Len > offset)
            return end <= OffsetOf(before) + before.Len ? 1 : -EINVAL;
        if (after != null && OffsetOf(after) < end)
            return -EINVAL;
        OffsetOf(skb) = offset;
        if (count == sorted.Length)
            Array.Resize(ref sorted, count * 2);
        Array.Copy(sorted, place, sorted, place + 1, count - place);
        sorted[place] = skb;
        count++;
        return 0;
    }

    /// <summary>Hands all fragments over, linked by <see cref="SkBuff.Next"/>.</summary>
    public SkBuff? TakeAll()
    {
        SkBuff? first = null;
        for (int i = count - 1; i >= 0; i--)
        {
            sorted[i].Next = first;
            first = sorted[i];
        }

        sorted = [];
        count = 0;
        return first;
    }

    private int LowerBound(int offset)
    {
        int low = 0;
        for (int high = count; low < high;)
        {
            int middle = (low + high) >> 1;
            if (OffsetOf(sorted[middle]) < offset)
                low = middle + 1;
            else
                high = middle;
        }

        return low;
    }

    public static void FreeList(SkBuff? list)
    {
        while (list is { } skb)
        {
            list = skb.Next;
            skb.Next = null;
            skb.Free();
        }
    }

    // Behind what IP keeps in the scratch space.
    [StructLayout(LayoutKind.Explicit, Size = 64)]
    private struct FragCb
    {
        [FieldOffset(56)]
        public int Offset;
    }
}
