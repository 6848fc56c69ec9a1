using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>First in, first out: what <see cref="Pfifo"/> and <see cref="Bfifo"/> have in common.</summary>
[LinuxFile("net/sched/sch_fifo.c")]
public abstract class Fifo : Qdisc
{
    private protected SkBuffHead Queue;
    private protected long Limit;

    private protected Fifo(NetDevice dev)
        : base(dev)
    {
    }

    // One that would not take a packet must not pass it by the queue either (fifo_init).
    /// <inheritdoc/>
    protected override bool CanBypass => Limit >= 1;

    /// <inheritdoc/>
    private protected override SkBuff? Dequeue()
    {
        if (Queue.Dequeue() is not { } skb)
            return null;
        Unqueued(skb);
        BstatsUpdate(skb);
        return skb;
    }

    /// <inheritdoc/>
    private protected override SkBuff? Peek() => Queue.First;

    /// <inheritdoc/>
    private protected override void Purge()
    {
        while (Queue.Dequeue() is { } skb)
            FreeLater(skb);
    }

    private protected int Append(SkBuff skb)
    {
        Queue.QueueTail(skb);
        Queued(skb);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }
}

/// <summary>First in, first out, up to a number of packets (<c>pfifo</c>).</summary>
[LinuxFile("net/sched/sch_fifo.c")]
public sealed class Pfifo : Fifo
{
    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="limit">Most packets that it holds.</param>
    public Pfifo(NetDevice dev, int limit)
        : base(dev) => Limit = limit;

    /// <inheritdoc/>
    public override string Id => "pfifo";

    /// <inheritdoc/>
    public override QdiscOptions Dump => new PfifoOptions { Limit = (int)Limit };

    /// <inheritdoc/>
    private protected override int ChangeLocked(QdiscOptions options)
    {
        Limit = ((PfifoOptions)options).Limit;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("pfifo_enqueue")]
    private protected override int Enqueue(SkBuff skb) => QueueLength < Limit ? Append(skb) : Drop(skb);
}

/// <summary>First in, first out, up to a number of bytes (<c>bfifo</c>).</summary>
[LinuxFile("net/sched/sch_fifo.c")]
public sealed class Bfifo : Fifo
{
    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="limit">Most bytes that it holds.</param>
    public Bfifo(NetDevice dev, long limit)
        : base(dev) => Limit = limit;

    /// <inheritdoc/>
    public override string Id => "bfifo";

    /// <inheritdoc/>
    public override QdiscOptions Dump => new BfifoOptions { Limit = Limit };

    /// <inheritdoc/>
    protected override bool CanBypass => Limit >= Dev.Mtu + Dev.HardHeaderLen;

    /// <inheritdoc/>
    private protected override int ChangeLocked(QdiscOptions options)
    {
        Limit = ((BfifoOptions)options).Limit;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("bfifo_enqueue")]
    private protected override int Enqueue(SkBuff skb) =>
        Counters.Backlog + PktLen(skb) <= Limit ? Append(skb) : Drop(skb);
}

/// <summary>First in, first out, up to a number of packets; the oldest makes room for the newest (<c>pfifo_head_drop</c>).</summary>
[LinuxFile("net/sched/sch_fifo.c")]
public sealed class PfifoHeadDrop : Fifo
{
    /// <summary>Makes one.</summary>
    /// <param name="dev">The device that it feeds.</param>
    /// <param name="limit">Most packets that it holds; at least 1.</param>
    public PfifoHeadDrop(NetDevice dev, int limit)
        : base(dev) => Limit = limit;

    /// <inheritdoc/>
    public override string Id => "pfifo_head_drop";

    /// <inheritdoc/>
    public override QdiscOptions Dump => new PfifoHeadDropOptions { Limit = (int)Limit };

    /// <inheritdoc/>
    private protected override int ChangeLocked(QdiscOptions options)
    {
        Limit = ((PfifoHeadDropOptions)options).Limit;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("pfifo_tail_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        if (Limit == 0)
            return Drop(skb);
        if (QueueLength < Limit)
            return Append(skb);
        SkBuff oldest = Queue.Dequeue()!;
        int bytes = PktLen(oldest);
        Unqueued(oldest);
        Drop(oldest);
        QdiscTreeReduceBacklog(this, 0, bytes - PktLen(skb));
        Append(skb);
        return Net.Core.Dev.NET_XMIT_CN;
    }
}

/// <summary>Takes nothing (<c>noop</c>): what is under a class that has no discipline.</summary>
[LinuxFile("net/sched/sch_generic.c")]
public sealed class Noop : Qdisc
{
    internal Noop(NetDevice dev)
        : base(dev)
    {
    }

    /// <inheritdoc/>
    public override string Id => "noop";

    /// <inheritdoc/>
    public override QdiscOptions Dump => new NoopOptions();

    /// <inheritdoc/>
    private protected override int ChangeLocked(QdiscOptions options) => -EOPNOTSUPP;

    /// <inheritdoc/>
    [Linux("noop_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        FreeLater(skb);
        return Net.Core.Dev.NET_XMIT_CN;
    }

    /// <inheritdoc/>
    private protected override SkBuff? Dequeue() => null;

    /// <inheritdoc/>
    private protected override void Purge()
    {
    }

    private sealed record NoopOptions : QdiscOptions
    {
        public override string Id => "noop";

        public override string? Validate() => null;
    }
}
