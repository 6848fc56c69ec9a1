using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>
/// Memory accounting. A protocol that counts (<see cref="SkMemory"/>) charges whole pages to the protocol in advance, and
/// bytes of packets against them; the socket lock protects <see cref="SkForwardAlloc"/>.
/// </content>
public partial class Sock
{
    private const int PageShift = 12;
    private const int PageSize = 1 << PageShift;

    /// <summary>Smallest send buffer (<c>SOCK_MIN_SNDBUF</c>): two small packets.</summary>
    public const int SockMinSndbuf = 2 * TcpSkbMinTruesize;

    /// <summary>Smallest receive buffer (<c>SOCK_MIN_RCVBUF</c>).</summary>
    public const int SockMinRcvbuf = TcpSkbMinTruesize;

    // TCP_SKB_MIN_TRUESIZE: 2048 bytes of data and the packet itself.
    private const int TcpSkbMinTruesize = 2048 + 256;

    /// <summary>Which half asks for memory.</summary>
    public enum MemKind
    {
        /// <summary>Sending (<c>SK_MEM_SEND</c>).</summary>
        Send,

        /// <summary>Receiving (<c>SK_MEM_RECV</c>).</summary>
        Recv,
    }

    /// <summary>Whether the protocol counts memory (<c>sk_has_account</c>).</summary>
    public bool SkHasAccount => SkMemory != null;

    /// <summary>Truesize of packets on their way out, without the sock's own reference (<c>sk_wmem_alloc_get</c>).</summary>
    public int SkWmemAllocGet => Volatile.Read(ref SkWmemAlloc) - 1;

    /// <summary>Whether a datagram socket counts as writable (<c>sock_writeable</c>).</summary>
    public bool SockWriteable => Volatile.Read(ref SkWmemAlloc) < SkSndbuf >> 1;

    /// <summary>Pages of <paramref name="bytes"/>, rounded up (<c>sk_mem_pages</c>).</summary>
    public static int SkMemPages(int bytes) => (bytes + PageSize - 1) >> PageShift;

    /// <summary>Whether <paramref name="size"/> bytes may be queued for sending (<c>sk_wmem_schedule</c>).</summary>
    public bool SkWmemSchedule(int size)
    {
        if (SkMemory == null)
            return true;
        int delta = size - SkForwardAlloc;
        return delta <= 0 || SkMemSchedule(delta, MemKind.Send);
    }

    /// <summary>Whether <paramref name="size"/> received bytes may be queued (<c>sk_rmem_schedule</c>).</summary>
    public bool SkRmemSchedule(int size)
    {
        if (SkMemory == null)
            return true;
        int delta = size - SkForwardAlloc;
        return delta <= 0 || SkMemSchedule(delta, MemKind.Recv);
    }

    /// <summary>Charges pages for <paramref name="size"/> bytes to the protocol (<c>__sk_mem_schedule</c>).</summary>
    [Linux("__sk_mem_schedule")]
    public bool SkMemSchedule(int size, MemKind kind)
    {
        int amt = SkMemPages(size);
        SkForwardAlloc += amt << PageShift;
        if (SkMemRaiseAllocated(size, amt, kind))
            return true;
        SkForwardAlloc -= amt << PageShift;
        return false;
    }

    /// <summary>Charges <paramref name="amt"/> pages to the protocol if its limits allow (<c>__sk_mem_raise_allocated</c>).</summary>
    [Linux("__sk_mem_raise_allocated")]
    public bool SkMemRaiseAllocated(int size, int amt, MemKind kind)
    {
        ProtoMemory memory = SkMemory!;
        long allocated = Interlocked.Add(ref memory.Allocated, amt);
        if (allocated <= memory.Limits[0])
        {
            memory.Pressure = false;
            return true;
        }

        if (allocated > memory.Limits[1])
            SkEnterMemoryPressure(memory);
        if (allocated <= memory.Limits[2] && MayGrow(memory, kind))
            return true;
        if (kind == MemKind.Send && SkType == SOCK_STREAM)
        {
            SkStreamModerateSndbuf();
            // A stream writer is refused only while it is under its send buffer; above it, it waits anyway.
            if (SkWmemQueued + size >= SkSndbuf)
                return true;
        }

        Interlocked.Add(ref memory.Allocated, -amt);
        return false;
    }

    /// <summary>Uses charged memory (<c>sk_mem_charge</c>).</summary>
    public void SkMemCharge(int size)
    {
        if (SkMemory != null)
            SkForwardAlloc -= size;
    }

    /// <summary>Gives used memory back, and whole pages of it to the protocol (<c>sk_mem_uncharge</c>).</summary>
    public void SkMemUncharge(int size)
    {
        if (SkMemory == null)
            return;
        SkForwardAlloc += size;
        SkMemReclaim();
    }

    /// <summary>Gives unused pages back to the protocol (<c>sk_mem_reclaim</c>).</summary>
    public void SkMemReclaim()
    {
        if (SkMemory == null)
            return;
        int reclaimable = SkForwardAlloc - SkUnusedReservedMem;
        if (reclaimable >= PageSize)
            SkMemReclaimCore(reclaimable);
    }

    /// <summary>Gives everything unused back, reserved memory too (<c>sk_mem_reclaim_final</c>).</summary>
    public void SkMemReclaimFinal()
    {
        SkReservedMem = 0;
        SkMemReclaim();
    }

    /// <summary>Halves the send buffer down to what is queued, unless the user fixed it (<c>sk_stream_moderate_sndbuf</c>).</summary>
    public void SkStreamModerateSndbuf()
    {
        if ((SkUserlocks & SockUserLocks.Sndbuf) != 0)
            return;
        int value = Math.Min(SkSndbuf, SkWmemQueued >> 1);
        SkSndbuf = Math.Max(Math.Max(value, SkUnusedReservedMem), SockMinSndbuf);
    }

    /// <summary>Whether memory of the protocol is short (<c>sk_under_memory_pressure</c>).</summary>
    public bool SkUnderMemoryPressure => SkMemory is { Pressure: true };

    // Reserved memory that neither half uses yet.
    private int SkUnusedReservedMem =>
        SkReservedMem == 0 ? 0 : Math.Max(0, SkReservedMem - SkWmemQueued - Volatile.Read(ref SkRmemAlloc));

    [Linux("__sk_mem_reclaim")]
    private void SkMemReclaimCore(int amount)
    {
        amount >>= PageShift;
        SkForwardAlloc -= amount << PageShift;
        ProtoMemory memory = SkMemory!;
        if (Interlocked.Add(ref memory.Allocated, -amount) < memory.Limits[0])
            memory.Pressure = false;
    }

    private bool MayGrow(ProtoMemory memory, MemKind kind)
    {
        if (kind == MemKind.Recv)
        {
            if (Volatile.Read(ref SkRmemAlloc) < SkProt.SysctlRmem0(SkNet))
                return true;
        }
        else if ((SkType == SOCK_STREAM ? SkWmemQueued : SkWmemAlloc) < SkProt.SysctlWmem0(SkNet))
        {
            return true;
        }

        if (!memory.Pressure)
            return true;
        // Under pressure a socket may grow while it uses less than its fair share of the limit.
        long pages = SkMemPages(SkWmemQueued + Volatile.Read(ref SkRmemAlloc) + SkForwardAlloc);
        return memory.Limits[2] > Math.Max(1, memory.SocketsAllocated) * pages;
    }

    [Linux("sk_enter_memory_pressure")]
    private void SkEnterMemoryPressure(ProtoMemory memory)
    {
        if (memory.Pressure)
            return;
        memory.Pressure = true;
        memory.EnteredPressure?.Invoke(SkNet);
    }
}
