using System.Diagnostics;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A hash table of socks, chained by <see cref="SockCommon.SkcNext"/> under <see cref="SockCommon.SkcHash"/>. Chains are
/// guarded by striped locks, of which a chain keeps its own while the table grows; growing takes them all.
/// </summary>
public sealed class SockHashTable
{
    private const int StripeCount = 128;

    private readonly Stripe[] stripes = new Stripe[StripeCount];
    private SockCommon?[] heads;
    private int count;

    /// <summary>Makes a table.</summary>
    /// <param name="size">Chains to begin with; a power of two, at least 128.</param>
    public SockHashTable(int size) => heads = new SockCommon?[size];

    /// <summary>How many socks there are.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>How many chains there are.</summary>
    public int Size => Volatile.Read(ref heads).Length;

    /// <summary>Locks the chain of a hash.</summary>
    public void Lock(uint hash) => stripes[hash & (StripeCount - 1)].Guard.Lock();

    /// <summary>Unlocks the chain of a hash.</summary>
    public void Unlock(uint hash) => stripes[hash & (StripeCount - 1)].Guard.Unlock();

    /// <summary>The first of a chain; locked by the caller.</summary>
    public SockCommon? First(uint hash)
    {
        Debug.Assert(stripes[hash & (StripeCount - 1)].Guard.IsLocked);
        return heads[hash & (uint)(heads.Length - 1)];
    }

    /// <summary>Adds a sock to the front of the chain of its hash, which the caller locked.</summary>
    public void Add(SockCommon sk)
    {
        Bug.On(sk.SkcHashed);
        Link(heads, sk);
        sk.SkcHashed = true;
        Interlocked.Increment(ref count);
    }

    /// <summary>Removes a sock; the caller locked the chain of its hash.</summary>
    public void Remove(SockCommon sk)
    {
        Bug.On(!sk.SkcHashed);
        if (sk.SkcPrev != null)
            sk.SkcPrev.SkcNext = sk.SkcNext;
        else
            heads[sk.SkcHash & (uint)(heads.Length - 1)] = sk.SkcNext;
        if (sk.SkcNext != null)
            sk.SkcNext.SkcPrev = sk.SkcPrev;
        sk.SkcNext = sk.SkcPrev = null;
        sk.SkcHashed = false;
        Interlocked.Decrement(ref count);
    }

    /// <summary>Makes room when there are more socks than chains; call with no chain locked.</summary>
    public void GrowIfNeeded()
    {
        if (Volatile.Read(ref count) <= Volatile.Read(ref heads).Length)
            return;
        LockAll();
        if (count > heads.Length)
            Grow();
        UnlockAll();
    }

    /// <summary>All socks, in no particular order; a moment's copy for diagnostics.</summary>
    public List<SockCommon> Snapshot()
    {
        List<SockCommon> all = new(Count);
        LockAll();
        foreach (SockCommon? head in heads)
        {
            for (SockCommon? sk = head; sk != null; sk = sk.SkcNext)
                all.Add(sk);
        }

        UnlockAll();
        return all;
    }

    private static void Link(SockCommon?[] table, SockCommon sk)
    {
        ref SockCommon? head = ref table[sk.SkcHash & (uint)(table.Length - 1)];
        sk.SkcPrev = null;
        sk.SkcNext = head;
        if (head != null)
            head.SkcPrev = sk;
        head = sk;
    }

    private void Grow()
    {
        SockCommon?[] grown = new SockCommon?[heads.Length * 4];
        foreach (SockCommon? head in heads)
        {
            for (SockCommon? sk = head; sk != null;)
            {
                SockCommon? next = sk.SkcNext;
                Link(grown, sk);
                sk = next;
            }
        }

        Volatile.Write(ref heads, grown);
    }

    private void LockAll()
    {
        for (int i = 0; i < StripeCount; i++)
            stripes[i].Guard.Lock();
    }

    private void UnlockAll()
    {
        for (int i = StripeCount - 1; i >= 0; i--)
            stripes[i].Guard.Unlock();
    }

    // A cache line each, so that processors that use different chains do not disturb each other.
    [StructLayout(LayoutKind.Sequential, Size = 64)]
    private struct Stripe
    {
        public Spinlock Guard;
    }
}
