using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;

namespace Linnet.Kernel;

/// <summary>
/// A reference-counted piece of pinned memory: the head of a packet, a fragment of one, or a buffer of a pipe.
/// It returns to its pool when the last reference is put.
/// </summary>
public sealed unsafe class Page
{
    private readonly PagePool pool;
    private readonly byte* address;
    private int references;

    internal Page(PagePool pool, int sizeClass, int size)
    {
        this.pool = pool;
        SizeClass = sizeClass;
        Array = GC.AllocateUninitializedArray<byte>(size, pinned: true);
        address = (byte*)Unsafe.AsPointer(ref MemoryMarshal.GetArrayDataReference(Array));
    }

    /// <summary>The memory.</summary>
    public byte[] Array { get; }

    /// <summary>Bytes of memory.</summary>
    public int Size => Array.Length;

    internal int SizeClass { get; }

    /// <summary>Whether somebody else refers to the memory too, so that it must not be written.</summary>
    public bool IsShared => Volatile.Read(ref references) != 1;

    /// <summary>Bytes <paramref name="offset"/> to <paramref name="offset"/> + <paramref name="length"/>, checked.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public Span<byte> Span(int offset, int length) => Array.AsSpan(offset, length);

    /// <summary>A pointer that other code may keep while it holds a reference.</summary>
    internal Sockptr Pointer(int offset) => Sockptr.Kernel(address + offset);

    /// <summary>Takes a reference.</summary>
    public void Get() => Interlocked.Increment(ref references);

    /// <summary>Gives a reference back.</summary>
    public void Put()
    {
        // A sole owner needs no atomic operation to give up.
        if (Volatile.Read(ref references) != 1 && Interlocked.Decrement(ref references) != 0)
            return;
        Bug.On(references < 0);
        references = 0;
        pool.Return(this);
    }

    internal void Revive() => references = 1;
}

/// <summary>
/// Pools of pinned memory in a few sizes. Each CPU has a small cache of each, last in first out, so that memory that is
/// still in the processor's cache is used again first; what does not fit there is shared.
/// </summary>
public sealed class PagePool
{
    private static readonly int[] Sizes = [512, 2048, 4096, 16 * 1024, 32 * 1024, 68 * 1024];
    private const int CpuCacheBytes = 512 * 1024;
    private const long SharedBytes = 64L * 1024 * 1024;

    private static readonly StateSlot<CpuCache> CpuCaches = new();

    private readonly Stack<Page>[] shared = [.. Sizes.Select(_ => new Stack<Page>())];
    private long outstanding;

    /// <summary>The largest piece that the pool keeps.</summary>
    public static int LargestSize => Sizes[^1];

    /// <summary>Pieces that were rented and not returned; for leak checks.</summary>
    public long Outstanding => Interlocked.Read(ref outstanding);

    /// <summary>A piece of at least <paramref name="size"/> bytes, with one reference. Its content is what was in it before.</summary>
    public Page Rent(int size)
    {
#if DEBUG
        Interlocked.Increment(ref outstanding);
#endif
        int sizeClass = ClassOf(size);
        Page page = sizeClass < 0 ? new Page(this, -1, size) : Take(sizeClass) ?? new Page(this, sizeClass, Sizes[sizeClass]);
        page.Revive();
        return page;
    }

    /// <summary>A reference that a thread's cache keeps for as long as it likes is not counted as rented.</summary>
    [System.Diagnostics.Conditional("DEBUG")]
    internal void ReferenceIsCached(bool cached) => Interlocked.Add(ref outstanding, cached ? -1 : 1);

    internal void Return(Page page)
    {
#if DEBUG
        Interlocked.Decrement(ref outstanding);
#endif
        if (page.SizeClass < 0)
            return;
        CpuCache cache = Cache();
        ref CpuStack stack = ref cache.Stacks[page.SizeClass];
        if (stack.Count < stack.Pages.Length)
        {
            stack.Pages[stack.Count++] = page;
            return;
        }

        Spill(ref stack, page);
    }

    private static int ClassOf(int size)
    {
        for (int i = 0; i < Sizes.Length; i++)
        {
            if (size <= Sizes[i])
                return i;
        }

        return -1;
    }

    private Page? Take(int sizeClass)
    {
        ref CpuStack stack = ref Cache().Stacks[sizeClass];
        if (stack.Count == 0)
            Refill(ref stack, sizeClass);
        if (stack.Count == 0)
            return null;
        Page page = stack.Pages[--stack.Count];
        stack.Pages[stack.Count] = null!;
        return page;
    }

    // Half of a full stack goes to the others, so that a thread that only frees feeds one that only allocates.
    private void Spill(ref CpuStack stack, Page page)
    {
        Stack<Page> common = shared[page.SizeClass];
        lock (common)
        {
            long limit = SharedBytes / page.Size;
            for (int i = stack.Count / 2; i < stack.Count; i++)
            {
                if (common.Count < limit)
                    common.Push(stack.Pages[i]);
                stack.Pages[i] = null!;
            }
        }

        stack.Count /= 2;
        stack.Pages[stack.Count++] = page;
    }

    private void Refill(ref CpuStack stack, int sizeClass)
    {
        Stack<Page> common = shared[sizeClass];
        if (common.Count == 0)
            return;
        lock (common)
        {
            while (stack.Count < stack.Pages.Length / 2 && common.TryPop(out Page? page))
                stack.Pages[stack.Count++] = page;
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

    private struct CpuStack
    {
        public Page[] Pages;
        public int Count;
    }

    // A thread caches for the machine that it worked for last.
    private sealed class CpuCache(PagePool owner)
    {
        public readonly PagePool Owner = owner;
        public readonly CpuStack[] Stacks =
            [.. Sizes.Select(size => new CpuStack { Pages = new Page[Math.Clamp(CpuCacheBytes / size, 8, 64)] })];
    }
}
