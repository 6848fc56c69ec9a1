using System.Diagnostics;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

public sealed partial class SkBuff
{
    /// <summary>
    /// What Linux charges for the bookkeeping of one packet: <c>SKB_DATA_ALIGN(sizeof(sk_buff))</c> plus
    /// <c>SKB_DATA_ALIGN(sizeof(skb_shared_info))</c> on x86-64.
    /// </summary>
    public const int TruesizeOverhead = 256 + 320;

    /// <summary>What Linux charges for a packet with <paramref name="size"/> bytes of linear space (<c>SKB_TRUESIZE</c>).</summary>
    public static int TruesizeOf(int size) => size + TruesizeOverhead;

    /// <summary>A copy that shares the data (<c>skb_clone</c>). The clone has no owner.</summary>
    [Linux("skb_clone")]
    public SkBuff Clone()
    {
        SkBuff clone = pool.RentObject();
        CopyMeta(clone);
        clone.head = head;
        head!.Get();
        clone.data = data;
        clone.tail = tail;
        clone.MacHeader = MacHeader;
        clone.NetworkHeader = NetworkHeader;
        clone.TransportHeader = TransportHeader;
        clone.CsumStart = CsumStart;
        ShareLengthAndFrags(clone);
        clone.Truesize = Truesize;
        return clone;
    }

    /// <summary>
    /// A copy with a head of its own, whose headroom is <paramref name="headroom"/> bytes, that shares the fragments
    /// (<c>__pskb_copy</c>). The copy has no owner.
    /// </summary>
    public SkBuff CopyHead(int headroom)
    {
        SkBuff copy = pool.RentObject();
        CopyMeta(copy);
        int length = HeadLen;
        copy.head = pool.Pages.Rent(headroom + length);
        copy.data = headroom;
        copy.tail = headroom + length;
        Data.CopyTo(copy.head.Span(headroom, length));
        copy.ShiftHeadersFrom(this, headroom - data);
        ShareLengthAndFrags(copy);
        copy.Truesize = Truesize;
        return copy;
    }

    /// <summary>
    /// Makes the head writable and gives it at least <paramref name="headroom"/> and <paramref name="tailroom"/> free bytes,
    /// reallocating only where needed (<c>skb_cow_head</c>, <c>pskb_expand_head</c>).
    /// </summary>
    public void EnsureWritableHead(int headroom, int tailroom = 0)
    {
        if (!IsCloned && data >= headroom && head!.Size - tail >= tailroom)
            return;
        int room = Math.Max(headroom, data);
        int length = HeadLen;
        Page grown = pool.Pages.Rent(room + length + tailroom);
        int from = Math.Min(data, room);
        head!.Span(data - from, from + length).CopyTo(grown.Span(room - from, from + length));
        int delta = room - data;
        head.Put();
        head = grown;
        data = room;
        tail = room + length;
        ShiftHeadersFrom(this, delta);
    }

    /// <summary>Gives the packet back to its pool, and its memory with it (<c>kfree_skb</c>, <c>consume_skb</c>).</summary>
    public void Free()
    {
        Orphan();
        Dst = null;
        head!.Put();
        head = null;
        for (int i = 0; i < NrFrags; i++)
        {
            frags[i].Page.Put();
            frags[i] = default;
        }

        pool.ReturnObject(this);
    }

    /// <summary>Takes the packet from its owner, who is told through the destructor (<c>skb_orphan</c>).</summary>
    public void Orphan()
    {
        if (Destructor is { } destructor)
        {
            Destructor = null;
            destructor(this);
        }

        Sk = null;
    }

    internal void Initialise(Page page)
    {
        head = page;
        data = tail = 0;
        Len = DataLen = NrFrags = 0;
        MacHeader = NetworkHeader = TransportHeader = NoHeader;
    }

    internal void ResetMeta()
    {
        Next = Prev = null;
        Dev = null;
        Tstamp = 0;
        Protocol = 0;
        VlanProto = VlanTci = 0;
        PktType = PACKET_HOST;
        IpSummed = ChecksumState.None;
        Csum = 0;
        CsumStart = CsumOffset = 0;
        GsoSize = GsoSegs = 0;
        GsoType = GsoType.None;
        SkbIif = 0;
        Mark = Priority = Hash = 0;
        Flags = 0;
        TxFlags = 0;
        Tskey = 0;
        IsZerocopy = false;
        Peeked = false;
        IgnoreDf = false;
        ControlBuffer = default;
    }

    /// <summary>Copies what describes the packet, but neither data nor owner (<c>__copy_skb_header</c>).</summary>
    internal void CopyMeta(SkBuff to)
    {
        to.Dev = Dev;
        to.Dst = Dst;
        to.Tstamp = Tstamp;
        to.Protocol = Protocol;
        to.VlanProto = VlanProto;
        to.VlanTci = VlanTci;
        to.PktType = PktType;
        to.IpSummed = IpSummed;
        to.Csum = Csum;
        to.CsumOffset = CsumOffset;
        to.GsoSize = GsoSize;
        to.GsoSegs = GsoSegs;
        to.GsoType = GsoType;
        to.SkbIif = SkbIif;
        to.Mark = Mark;
        to.Priority = Priority;
        to.Hash = Hash;
        to.Flags = Flags;
        to.TxFlags = TxFlags;
        to.Tskey = Tskey;
        to.Peeked = false;
        to.IgnoreDf = IgnoreDf;
        to.ControlBuffer = ControlBuffer;
    }

    private void ShareLengthAndFrags(SkBuff to)
    {
        to.Len = Len;
        to.DataLen = DataLen;
        to.NrFrags = NrFrags;
        for (int i = 0; i < NrFrags; i++)
        {
            to.frags[i] = frags[i];
            frags[i].Page.Get();
        }
    }

    private void ShiftHeadersFrom(SkBuff from, int delta)
    {
        MacHeader = from.MacHeader == NoHeader ? NoHeader : from.MacHeader + delta;
        NetworkHeader = from.NetworkHeader == NoHeader ? NoHeader : from.NetworkHeader + delta;
        TransportHeader = from.TransportHeader == NoHeader ? NoHeader : from.TransportHeader + delta;
        CsumStart = from.CsumStart + delta;
    }
}

/// <summary>The packets of a machine: objects and memory are used again and again.</summary>
/// <param name="pages">Where heads and fragments come from; null for a pool of its own.</param>
public sealed class SkbPool(PagePool? pages = null)
{
    private const int CpuCacheObjects = 128;

    private static readonly StateSlot<CpuCache> CpuCaches = new();

    private readonly Stack<SkBuff> shared = new();
    private long outstanding;

    /// <summary>Memory for heads and fragments.</summary>
    public PagePool Pages { get; } = pages ?? new PagePool();

    /// <summary>Packets that were made and not freed; for leak checks, counted in debug builds only.</summary>
    public long Outstanding => Interlocked.Read(ref outstanding);

    /// <summary>A packet with <paramref name="size"/> bytes of linear space, none of them used (<c>alloc_skb</c>).</summary>
    public SkBuff Alloc(int size)
    {
        SkBuff skb = RentObject();
        skb.Initialise(Pages.Rent(size));
        skb.ResetMeta();
        skb.Truesize = SkBuff.TruesizeOf(size);
        return skb;
    }

    internal SkBuff RentObject()
    {
        Count(1);
        CpuCache cache = Cache();
        if (cache.Count == 0)
            Refill(cache);
        if (cache.Count == 0)
            return new SkBuff(this);
        SkBuff skb = cache.Objects[--cache.Count];
        cache.Objects[cache.Count] = null!;
        skb.Next = skb.Prev = null;
        return skb;
    }

    internal void ReturnObject(SkBuff skb)
    {
        Count(-1);
        CpuCache cache = Cache();
        if (cache.Count == CpuCacheObjects)
            Spill(cache);
        cache.Objects[cache.Count++] = skb;
    }

    [Conditional("DEBUG")]
    private void Count(int packets) => Interlocked.Add(ref outstanding, packets);

    private void Refill(CpuCache cache)
    {
        if (shared.Count == 0)
            return;
        lock (shared)
        {
            while (cache.Count < CpuCacheObjects / 2 && shared.TryPop(out SkBuff? skb))
                cache.Objects[cache.Count++] = skb;
        }
    }

    private void Spill(CpuCache cache)
    {
        lock (shared)
        {
            while (cache.Count > CpuCacheObjects / 2)
                shared.Push(cache.Objects[--cache.Count]);
        }
    }

    private CpuCache Cache()
    {
        SlotTable slots = Cpu.This.Slots;
        CpuCache? cache = CpuCaches.Find(slots);
        if (cache?.Owner != this)
            CpuCaches.Set(slots, cache = new CpuCache(this));
        return cache;
    }

    // A thread caches for the machine that it worked for last.
    private sealed class CpuCache(SkbPool owner)
    {
        public readonly SkbPool Owner = owner;
        public readonly SkBuff[] Objects = new SkBuff[CpuCacheObjects];
        public int Count;
    }
}
