using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>Settings of <see cref="CodelVars"/> (<c>struct codel_params</c>); times in units of 1024 ns.</summary>
[LinuxStruct("codel_params")]
internal struct CodelParams
{
    public uint Target;
    public uint Interval;
    public uint CeThreshold;
    public int Mtu;
    public bool Ecn;
}

/// <summary>What the control did (<c>struct codel_stats</c>).</summary>
[LinuxStruct("codel_stats")]
internal struct CodelStats
{
    public int MaxPacket;
    public int DropCount;
    public long DropLen;
    public long EcnMark;
    public long CeMark;
}

/// <summary>Where the packets are that CoDel takes and drops.</summary>
internal interface ICodelQueue
{
    /// <summary>Bytes that wait in the whole discipline.</summary>
    long Backlog { get; }

    /// <summary>Takes the oldest packet of the flow.</summary>
    SkBuff? DequeueFunc();

    /// <summary>Drops a packet that was taken.</summary>
    void DropFunc(SkBuff skb);
}

/// <summary>
/// Controlled delay (RFC 8289): the state of one queue. When packets have waited for longer than the target during all of an
/// interval, it drops or marks one, and the next ones at intervals that shrink with the square root of their number.
/// </summary>
[LinuxStruct("codel_vars")]
[LinuxFile("include/net/codel_impl.h")]
internal struct CodelVars
{
    // CODEL_SHIFT: time counts in 1024 ns.
    private const int Shift = 10;
    private const int RecInvSqrtShift = 16;

    public uint Count;
    public uint LastCount;
    public bool Dropping;
    public ushort RecInvSqrt;
    public uint FirstAboveTime;
    public uint DropNext;
    public uint Ldelay;

    /// <summary>Now, in units of 1024 ns.</summary>
    public static uint Time(long ns) => (uint)(ns >> Shift);

    /// <summary>A duration, in units of 1024 ns.</summary>
    public static uint Units(TimeSpan duration) => (uint)Math.Min(uint.MaxValue, duration.Ticks * 100 >> Shift);

    /// <summary>A number of units, as a duration of whole microseconds (<c>codel_time_to_us</c>).</summary>
    public static TimeSpan Duration(uint units) => TimeSpan.FromMicroseconds(((long)units << Shift) / Clock.NsecPerUsec);

    /// <summary>Takes the next packet to send, having dropped or marked those that the law says.</summary>
    [Linux("codel_dequeue")]
    public SkBuff? Dequeue<TQueue>(ref TQueue queue, in CodelParams settings, ref CodelStats stats, uint now)
        where TQueue : ICodelQueue
    {
        SkBuff? skb = queue.DequeueFunc();
        if (skb == null)
        {
            Dropping = false;
            return null;
        }

        bool drop = ShouldDrop(skb, ref queue, settings, ref stats, now);
        if (Dropping)
        {
            if (!drop)
                Dropping = false;
            else if (!Before(now, DropNext))
                skb = GoOnDropping(skb, ref queue, settings, ref stats, now);
        }
        else if (drop)
        {
            skb = StartDropping(skb, ref queue, settings, ref stats, now);
        }

        if (skb != null && Before(settings.CeThreshold, Ldelay) && SkbEcn.InetEcnSetCe(skb))
            stats.CeMark++;
        return skb;
    }

    private SkBuff? GoOnDropping<TQueue>(
        SkBuff? skb, ref TQueue queue, in CodelParams settings, ref CodelStats stats, uint now)
        where TQueue : ICodelQueue
    {
        while (Dropping && !Before(now, DropNext))
        {
            Count++;
            NewtonStep();
            if (settings.Ecn && SkbEcn.InetEcnSetCe(skb!))
            {
                stats.EcnMark++;
                DropNext = ControlLaw(DropNext, settings.Interval);
                break;
            }

            skb = DropOne(skb!, ref queue, ref stats);
            if (!ShouldDrop(skb, ref queue, settings, ref stats, now))
                Dropping = false;
            else
                DropNext = ControlLaw(DropNext, settings.Interval);
        }

        return skb;
    }

    private SkBuff? StartDropping<TQueue>(
        SkBuff? skb, ref TQueue queue, in CodelParams settings, ref CodelStats stats, uint now)
        where TQueue : ICodelQueue
    {
        if (settings.Ecn && SkbEcn.InetEcnSetCe(skb!))
        {
            stats.EcnMark++;
        }
        else
        {
            skb = DropOne(skb!, ref queue, ref stats);
            ShouldDrop(skb, ref queue, settings, ref stats, now);
        }

        Dropping = true;

        // The rate that controlled the queue a short while ago is a good one to begin with.
        uint delta = Count - LastCount;
        if (delta > 1 && Before(now - DropNext, 16 * settings.Interval))
        {
            Count = delta;
            NewtonStep();
        }
        else
        {
            Count = 1;
            RecInvSqrt = ushort.MaxValue;
        }

        LastCount = Count;
        DropNext = ControlLaw(now, settings.Interval);
        return skb;
    }

    private static SkBuff? DropOne<TQueue>(SkBuff skb, ref TQueue queue, ref CodelStats stats)
        where TQueue : ICodelQueue
    {
        stats.DropLen += skb.Cb<QdiscSkbCb>().PktLen;
        stats.DropCount++;
        queue.DropFunc(skb);
        return queue.DequeueFunc();
    }

    [Linux("codel_should_drop")]
    private bool ShouldDrop<TQueue>(
        SkBuff? skb, ref TQueue queue, in CodelParams settings, ref CodelStats stats, uint now)
        where TQueue : ICodelQueue
    {
        if (skb == null)
        {
            FirstAboveTime = 0;
            return false;
        }

        ref QdiscSkbCb cb = ref skb.Cb<QdiscSkbCb>();
        Ldelay = now - cb.EnqueueTime;
        stats.MaxPacket = Math.Max(stats.MaxPacket, cb.PktLen);
        if (Before(Ldelay, settings.Target) || queue.Backlog <= settings.Mtu)
        {
            FirstAboveTime = 0;
            return false;
        }

        if (FirstAboveTime == 0)
        {
            FirstAboveTime = now + settings.Interval;
            return false;
        }

        return Before(FirstAboveTime, now);
    }

    // 1 / sqrt(Count) by one step of Newton's method from the value for the count before, in 16 bits of fraction.
    [Linux("codel_Newton_step")]
    private void NewtonStep()
    {
        uint invsqrt = (uint)RecInvSqrt << RecInvSqrtShift;
        uint invsqrt2 = (uint)(((ulong)invsqrt * invsqrt) >> 32);
        ulong val = (3UL << 32) - (ulong)Count * invsqrt2;

        // Two bits of room for the product.
        val >>= 2;
        val = (val * invsqrt) >> (32 - 2 + 1);
        RecInvSqrt = (ushort)(val >> RecInvSqrtShift);
    }

    [Linux("codel_control_law")]
    private readonly uint ControlLaw(uint t, uint interval) =>
        t + (uint)(((ulong)interval * ((uint)RecInvSqrt << RecInvSqrtShift)) >> 32);

    private static bool Before(uint a, uint b) => (int)(a - b) < 0;
}
