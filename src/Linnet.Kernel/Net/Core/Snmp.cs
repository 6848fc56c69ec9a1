using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A block of counters. The first threads that count have cells of their own, so that counting is a plain addition;
/// those that come later share cells and add atomically. Reading adds all cells up.
/// </summary>
/// <param name="count">How many counters there are.</param>
public class SnmpCounters(int count)
{
    private const int OwnedStripes = 64;

    // 0: none yet; 1 to OwnedStripes: the thread's own cells; more: the shared ones.
    [ThreadStatic]
    private static int threadStripe;

    private static int lastStripe;

    private readonly long[] shared = new long[count];
    private readonly long[]?[] owned = new long[]?[OwnedStripes];

    /// <summary>How many counters there are.</summary>
    public int Count { get; } = count;

    /// <summary>Adds <paramref name="value"/>; any thread may do so at any time.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int index, long value)
    {
        int stripe = threadStripe - 1;
        if ((uint)stripe < OwnedStripes && owned[stripe] is { } cells)
            cells[index] += value;
        else
            AddElsewhere(index, value);
    }

    /// <summary>The value of one counter.</summary>
    public long Read(int index)
    {
        long sum = Interlocked.Read(ref shared[index]);
        foreach (long[]? cells in owned)
        {
            if (cells != null)
                sum += Volatile.Read(ref cells[index]);
        }

        return sum;
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private void AddElsewhere(int index, long value)
    {
        if (threadStripe == 0)
            threadStripe = Math.Min(Interlocked.Increment(ref lastStripe), OwnedStripes + 1);
        if (threadStripe > OwnedStripes)
        {
            Interlocked.Add(ref shared[index], value);
            return;
        }

        long[] cells = new long[Count];
        cells[index] = value;
        Volatile.Write(ref owned[threadStripe - 1], cells);
    }
}

/// <summary>The counters of one group (<c>DEFINE_SNMP_STAT</c>), by the names that Linux shows in <c>/proc/net</c>.</summary>
/// <typeparam name="TEnum">An enum with the underlying type int whose members count up from 0.</typeparam>
[LinuxStruct("snmp_mib")]
public sealed class SnmpMib<TEnum> : SnmpCounters
    where TEnum : unmanaged, Enum
{
    private static readonly int Members = Enum.GetValues<TEnum>().Length;

    /// <summary>Makes the group with all counters at 0.</summary>
    public SnmpMib()
        : base(Members)
    {
    }

    /// <summary>The value of one counter.</summary>
    public long this[TEnum counter] => Read(Unsafe.As<TEnum, int>(ref counter));

    /// <summary>Adds 1; atomic (<c>SNMP_INC_STATS</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Inc(TEnum counter) => Add(Unsafe.As<TEnum, int>(ref counter), 1);

    /// <summary>Takes 1 away; atomic, for gauges (<c>SNMP_DEC_STATS</c>).</summary>
    public void Dec(TEnum counter) => Add(Unsafe.As<TEnum, int>(ref counter), -1);

    /// <summary>Adds <paramref name="value"/>; atomic (<c>SNMP_ADD_STATS</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(TEnum counter, long value) => Add(Unsafe.As<TEnum, int>(ref counter), value);
}
