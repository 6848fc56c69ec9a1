using System.Diagnostics;
using System.Runtime.CompilerServices;

namespace Linnet.Kernel;

/// <summary>
/// Linux's <c>spinlock_t</c>: four bytes, not re-entrant, held for a few instructions and never while waiting. A thread
/// that finds it taken spins and then yields its time slice, since a holder can be preempted in user space.
/// </summary>
public struct Spinlock
{
    private int taken;

    /// <summary>Whether somebody holds the lock; for assertions.</summary>
    public readonly bool IsLocked => Volatile.Read(in taken) != 0;

    /// <summary>Takes the lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Lock()
    {
        if (Interlocked.CompareExchange(ref taken, 1, 0) != 0)
            Contend();
    }

    /// <summary>Takes the lock if it is free.</summary>
    public bool TryLock() => Interlocked.CompareExchange(ref taken, 1, 0) == 0;

    /// <summary>Releases the lock.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Unlock()
    {
        Debug.Assert(taken != 0, "unlock of a free spinlock");
        Volatile.Write(ref taken, 0);
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void Contend()
    {
        SpinWait spin = default;
        do
            spin.SpinOnce(sleep1Threshold: -1);
        while (Volatile.Read(ref taken) != 0 || Interlocked.CompareExchange(ref taken, 1, 0) != 0);
    }
}
