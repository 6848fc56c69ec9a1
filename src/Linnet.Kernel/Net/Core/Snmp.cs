using System.Runtime.CompilerServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A block of counters. Each CPU (thread) counts in one of a few stripes, so that busy counters do not bounce between
/// processors; reading adds the stripes up.
/// </summary>
/// <param name="count">How many counters there are.</param>
public class SnmpCounters(int count)
{
    private const int Stripes = 4;
    private const int LongsPerCacheLine = 8;

    [ThreadStatic]
    private static int threadStripe;

    private static int lastStripe;

    private readonly int stride = (count + LongsPerCacheLine - 1) / LongsPerCacheLine * LongsPerCacheLine;
    private readonly long[] cells =
        new long[Stripes * ((count + LongsPerCacheLine - 1) / LongsPerCacheLine * LongsPerCacheLine)];

    /// <summary>How many counters there are.</summary>
    public int Count { get; } = count;

    /// <summary>Adds <paramref name="value"/>; atomic.</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public void Add(int index, long value)
    {
        Bug.On((uint)index >= (uint)Count);
        Interlocked.Add(ref cells[Stripe() * stride + index], value);
    }

    /// <summary>The value of one counter.</summary>
    public long Read(int index)
    {
        Bug.On((uint)index >= (uint)Count);
        long sum = 0;
        for (int stripe = 0; stripe < Stripes; stripe++)
            sum += Interlocked.Read(ref cells[stripe * stride + index]);
        return sum;
    }

    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    private static int Stripe()
    {
        int mine = threadStripe;
        return mine != 0 ? mine - 1 : AssignStripe();
    }

    [MethodImpl(MethodImplOptions.NoInlining)]
    private static int AssignStripe()
    {
        threadStripe = (int)((uint)Interlocked.Increment(ref lastStripe) % Stripes) + 1;
        return threadStripe - 1;
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
