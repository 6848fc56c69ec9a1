using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Token bucket (<c>tbf</c>): packets go at a rate, and after a pause a burst of them at once. They wait in a child, which is a
/// <see cref="Bfifo"/> unless another is put there (class 1).
/// </summary>
[LinuxFile("net/sched/sch_tbf.c")]
public sealed class Tbf : Qdisc
{
    private TbfOptions options;
    private Qdisc child;
    private PschedRatecfg rate;
    private PschedRatecfg peak;

    // Tokens are kept as the time that they allow to send, ns.
    private long buffer;
    private long mtu;
    private long tokens;
    private long ptokens;
    private long checkpoint;
    private int maxSize;

    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="options">How it works.</param>
    /// <exception cref="ArgumentException">The options contradict themselves.</exception>
    public Tbf(NetDevice dev, TbfOptions options)
        : base(dev)
    {
        if (options.Validate() is { } problem)
            throw new ArgumentException(problem, nameof(options));
        this.options = options;
        child = new Bfifo(dev, options.Limit);
        Adopt(child, 1);
        Apply(options);
        checkpoint = Clock.Now;
    }

    /// <inheritdoc/>
    public override string Id => "tbf";

    /// <inheritdoc/>
    public override QdiscOptions Dump => options;

    /// <inheritdoc/>
    public override Qdisc? Leaf => child;

    /// <inheritdoc/>
    public override bool HasClass => true;

    /// <inheritdoc/>
    [Linux("tbf_change")]
    private protected override int ChangeLocked(QdiscOptions changed)
    {
        Apply((TbfOptions)changed);
        if (child is Bfifo)
            ChangeChild(child, new BfifoOptions { Limit = options.Limit });
        return 0;
    }

    /// <inheritdoc/>
    private protected override void SetLeaf(Qdisc? changed)
    {
        child = changed ?? new Noop(Dev);
        child.Parent = this;
    }

    /// <inheritdoc/>
    [Linux("tbf_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        int length = PktLen(skb);
        if (length > maxSize)
            return skb.IsGso ? TbfSegment(skb) : Drop(skb);
        int result = EnqueueTo(child, skb);
        if (result != Net.Core.Dev.NET_XMIT_SUCCESS)
        {
            if (result == Net.Core.Dev.NET_XMIT_DROP)
                Counters.Drops++;
            return result;
        }

        Counters.Backlog += length;
        QueueLength++;
        return result;
    }

    /// <inheritdoc/>
    [Linux("tbf_dequeue")]
    private protected override SkBuff? Dequeue()
    {
        if (PeekAt(child) is not { } skb)
            return null;
        int length = PktLen(skb);
        long now = Clock.Now;
        long passed = Math.Min(now - checkpoint, buffer);
        long left = Math.Min(passed + tokens, buffer) - rate.L2tNs(length);
        long peakLeft = 0;
        if (peak.BytesPerSecond != 0)
            peakLeft = Math.Min(passed + ptokens, mtu) - peak.L2tNs(length);
        if (left >= 0 && peakLeft >= 0)
        {
            skb = DequeueFrom(child)!;
            checkpoint = now;
            tokens = left;
            ptokens = peakLeft;
            Unqueued(skb);
            BstatsUpdate(skb);
            return skb;
        }

        QdiscWatchdogScheduleRangeNs(now + Math.Max(-left, -peakLeft));
        Counters.Overlimits++;
        return null;
    }

    /// <inheritdoc/>
    [Linux("tbf_reset")]
    private protected override void Purge()
    {
        checkpoint = Clock.Now;
        tokens = buffer;
        ptokens = mtu;
    }

    private void Apply(TbfOptions changed)
    {
        options = changed;
        rate = new PschedRatecfg(changed.Rate, changed.Overhead, changed.Mpu, changed.LinkLayer);
        peak = new PschedRatecfg(changed.PeakRate, changed.Overhead, changed.Mpu, changed.LinkLayer);
        buffer = rate.L2tNs(changed.Burst);
        mtu = changed.PeakRate != 0 ? peak.L2tNs(changed.PeakBurst) : 0;
        maxSize = changed.PeakRate != 0 ? Math.Min(changed.Burst, changed.PeakBurst) : changed.Burst;
        tokens = buffer;
        ptokens = mtu;
    }

    // A packet of many segments that is longer than a burst could never go: its segments can.
    [Linux("tbf_segment")]
    private int TbfSegment(SkBuff skb)
    {
        int before = PktLen(skb);
        SkBuff? segment = Gso.SkbGsoSegment(skb, NetdevFeatures.None);
        if (segment == null)
            return Drop(skb);
        int queued = 0;
        int bytes = 0;
        while (segment != null)
        {
            SkBuff? next = segment.Next;
            segment.Next = null;
            QdiscPktLenInit(segment);
            int length = PktLen(segment);
            if (length > maxSize)
            {
                Drop(segment);
            }
            else
            {
                int result = EnqueueTo(child, segment);
                queued += result == Net.Core.Dev.NET_XMIT_SUCCESS ? 1 : 0;
                bytes += result == Net.Core.Dev.NET_XMIT_SUCCESS ? length : 0;
                Counters.Drops += result == Net.Core.Dev.NET_XMIT_DROP ? 1 : 0;
            }

            segment = next;
        }

        QueueLength += queued;
        Counters.Backlog += bytes;
        FreeLater(skb);
        if (queued == 0)
            return Net.Core.Dev.NET_XMIT_DROP;

        // Those above count one packet.
        QdiscTreeReduceBacklog(this, 1 - queued, before - bytes);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }
}
