using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The piece of memory that a thread's writes are copied into (<c>sk_page_frag</c>): packets refer to parts of it, so
/// that small writes, to whatever socket, share one piece.
/// </summary>
internal sealed class TcpPageFrag
{
    // SKB_FRAG_PAGE_ORDER: 32 KiB.
    private const int ChunkSize = 32 * 1024;

    private static readonly StateSlot<TcpPageFrag> Slot = new();

    private PagePool? pool;

    /// <summary>The memory; held by a reference of this object's.</summary>
    public Page Page { get; private set; } = null!;

    /// <summary>First byte that is not used.</summary>
    public int Offset { get; set; }

    /// <summary>Bytes that are left.</summary>
    public int Room => Page.Size - Offset;

    /// <summary>
    /// The calling thread's, with room for at least <paramref name="minimum"/> bytes (<c>sk_page_frag_refill</c>).
    /// </summary>
    public static TcpPageFrag Refill(PagePool pool, int minimum = 1)
    {
        SlotTable slots = Cpu.This.Slots;
        TcpPageFrag? frag = Slot.Find(slots);
        if (frag == null)
            Slot.Set(slots, frag = new TcpPageFrag());
        frag.Ensure(pool, minimum);
        return frag;
    }

    private void Ensure(PagePool from, int minimum)
    {
        if (pool == from)
        {
            if (Room >= minimum)
                return;
            // All packets that referred to it are gone.
            if (!Page.IsShared)
            {
                Offset = 0;
                return;
            }
        }

        if (pool != null)
        {
            pool.ReferenceIsCached(false);
            Page.Put();
        }

        pool = from;
        Page = from.Rent(ChunkSize);
        pool.ReferenceIsCached(true);
        Offset = 0;
    }
}
