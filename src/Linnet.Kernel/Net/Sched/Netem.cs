using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// The network emulator (<c>netem</c>): delays, loses, duplicates, reorders and corrupts what a device sends, and limits its
/// rate. All chance comes from the machine's random source, so a seeded run repeats.
/// </summary>
/// <remarks>
/// Packets of many segments are cut first where single segments can be lost, so that a loss of 1 % is one of a hundred
/// packets on the wire.
/// </remarks>
[LinuxFile("net/sched/sch_netem.c")]
public sealed class Netem : Qdisc
{
    private readonly RandomSource random;
    private readonly Clock clock;
    private NetemOptions options;

    // Sorted by the time at which packets leave; those with the same time in the order in which they came.
    private SkBuffHead queue;
    private long lastDeparture;
    private double lastDelay;
    private double lastLoss;
    private int sinceReorder;
    private bool bad;

    /// <summary>Makes an emulator; set it as the device's discipline to use it.</summary>
    /// <param name="dev">The device whose sent packets it treats.</param>
    /// <param name="options">What it does to them.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public Netem(NetDevice dev, NetemOptions options)
        : base(dev)
    {
        random = dev.Net.Machine.Random;
        clock = dev.Net.Machine.Clock;
        this.options = Checked(options);
    }

    /// <summary>What is done to packets; may be changed at any time, and holds for packets that are sent from then on.</summary>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public NetemOptions Options
    {
        get => Volatile.Read(ref options);
        set => Volatile.Write(ref options, Checked(value));
    }

    /// <inheritdoc/>
    public override string Id => "netem";

    /// <inheritdoc/>
    public override int Qlen => queue.Qlen;

    /// <inheritdoc/>
    protected override bool HasReady => queue.First is { } first && Departure(first) <= clock.Now;

    /// <inheritdoc/>
    [Linux("netem_enqueue")]
    protected override int Enqueue(SkBuff skb)
    {
        NetemOptions current = Options;
        bool treatsPackets = current.Loss > 0 || current.Bursts != null || current.Duplicate > 0 || current.Reorder > 0
            || current.Corrupt > 0;
        if (!skb.IsGso || !treatsPackets)
            return EnqueuePacket(skb, current);

        SkBuff? segment = Gso.SkbGsoSegment(skb, NetdevFeatures.None);
        if (segment == null)
            return Drop(skb);
        skb.Free();

        // A sender that is told of a drop takes all of the packet for not sent: true only when none of it is queued.
        int result = Net.Core.Dev.NET_XMIT_DROP;
        while (segment != null)
        {
            SkBuff? next = segment.Next;
            segment.Next = null;
            if (EnqueuePacket(segment, current) == Net.Core.Dev.NET_XMIT_SUCCESS)
                result = Net.Core.Dev.NET_XMIT_SUCCESS;
            segment = next;
        }

        return result;
    }

    /// <inheritdoc/>
    [Linux("netem_dequeue")]
    protected override SkBuff? Dequeue()
    {
        if (queue.First is not { } first)
            return null;
        if (Departure(first) <= clock.Now)
            return queue.Dequeue();
        Watchdog(Departure(first));
        return null;
    }

    /// <inheritdoc/>
    protected override void Purge()
    {
        queue.Purge();
        lastDeparture = 0;
    }

    private int EnqueuePacket(SkBuff skb, NetemOptions current)
    {
        bool duplicate = Happens(current.Duplicate);
        bool lost = LossEvent(current);
        if (lost && !duplicate)
        {
            // The sender is not told, as on a real link.
            Drop(skb);
            return Net.Core.Dev.NET_XMIT_SUCCESS;
        }

        // What is under way is nobody's any more: a sender's buffer does not hold the link's content.
        skb.Orphan();
        bool copied = duplicate && !lost
            && Schedule(skb.CopyHead(skb.DataOffset), current) == Net.Core.Dev.NET_XMIT_SUCCESS;
        if (Happens(current.Corrupt))
            FlipBit(skb);
        int result = Schedule(skb, current);
        return copied ? Net.Core.Dev.NET_XMIT_SUCCESS : result;
    }

    private int Schedule(SkBuff skb, NetemOptions current)
    {
        if (queue.Qlen >= current.Limit)
            return Drop(skb);
        long now = clock.Now;
        if (current.Reorder > 0 && ++sinceReorder >= current.Gap && Happens(current.Reorder))
        {
            sinceReorder = 0;
            Departure(skb) = now;
            queue.QueueHead(skb);
            return Net.Core.Dev.NET_XMIT_SUCCESS;
        }

        long departure = now + Math.Max(0, Tabledist(current));
        if (current.Rate > 0)
        {
            // Bits follow each other on the wire; the delay is the wire's length.
            long start = Math.Max(now, lastDeparture);
            lastDeparture = start + PacketTime(skb.Len, current.Rate);
            departure = lastDeparture + (departure - now);
        }

        Departure(skb) = departure;
        TfifoEnqueue(skb, departure);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }

    [Linux("tfifo_enqueue")]
    private void TfifoEnqueue(SkBuff skb, long departure)
    {
        SkBuff? before = queue.Last;
        while (before != null && Departure(before) > departure)
            before = before.Prev;
        if (before == null)
            queue.QueueHead(skb);
        else
            queue.QueueAfter(before, skb);
    }

    [Linux("loss_event")]
    private bool LossEvent(NetemOptions current)
    {
        if (current.Bursts is not { } model)
            return current.Loss > 0 && Correlated(ref lastLoss, current.LossCorrelation) < current.Loss;
        bool lost = Happens(bad ? model.LossInBad : model.LossInGood);
        if (Happens(bad ? model.ToGood : model.ToBad))
            bad = !bad;
        return lost;
    }

    [Linux("tabledist")]
    private long Tabledist(NetemOptions current)
    {
        long delay = current.Delay.Ticks * 100;
        long jitter = current.Jitter.Ticks * 100;
        if (jitter == 0)
            return delay;
        double value = Correlated(ref lastDelay, current.DelayCorrelation);
        return delay + (long)(jitter * (current.Distribution == DelayDistribution.Normal ? Normal(value) : 2 * value - 1));
    }

    private int Drop(SkBuff skb)
    {
        Interlocked.Increment(ref Dev.Stats.TxDropped);
        skb.Free();
        return Net.Core.Dev.NET_XMIT_DROP;
    }

    private void FlipBit(SkBuff skb)
    {
        skb.ChecksumHelp();
        Bug.On(!skb.PskbMayPull(skb.Len));
        skb.EnsureWritableHead(skb.DataOffset);
        uint bit = random.NextBelow((uint)skb.Len * 8);
        skb.Data[(int)(bit / 8)] ^= (byte)(1 << (int)(bit % 8));
    }

    private bool Happens(double probability) => probability > 0 && NextFraction() < probability;

    private double Correlated(ref double last, double correlation)
    {
        double value = NextFraction();
        if (correlation == 0)
            return value;
        return last = value * (1 - correlation) + last * correlation;
    }

    private double NextFraction() => random.NextU32() / (double)(1UL << 32);

    // The sum of twelve even random numbers is normal enough, and the same on every processor.
    private double Normal(double first)
    {
        double sum = first;
        for (int i = 1; i < 12; i++)
            sum += NextFraction();
        return sum - 6;
    }

    private static long PacketTime(int length, long rate) => (long)(length * 8.0 * Clock.NsecPerSec / rate);

    private static ref long Departure(SkBuff skb) => ref skb.Cb<long>();

    private static NetemOptions Checked(NetemOptions options) =>
        options.Validate() is { } problem ? throw new ArgumentException(problem, nameof(options)) : options;
}
