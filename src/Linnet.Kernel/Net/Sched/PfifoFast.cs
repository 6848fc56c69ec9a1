using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Three bands, each first in, first out; a band sends only when those before it are empty (<c>pfifo_fast</c>). A packet's
/// priority, which follows its type of service, chooses the band. Each band holds as many packets as the device's transmit queue.
/// </summary>
[LinuxFile("net/sched/sch_generic.c")]
public sealed class PfifoFast : Qdisc
{
    /// <summary>How many bands there are.</summary>
    public const int Bands = 3;

    private static readonly byte[] Prio2Band = [1, 2, 2, 2, 1, 2, 0, 0, 1, 1, 1, 1, 1, 1, 1, 1];

    private readonly SkBuffHead[] queues = new SkBuffHead[Bands];
    private int limit;

    /// <summary>Makes one.</summary>
    public PfifoFast(NetDevice dev)
        : base(dev) => limit = dev.TxQueueLen;

    /// <summary>The band of each of the 16 priorities (<c>sch_default_prio2band</c>).</summary>
    public static ReadOnlySpan<byte> Priomap => Prio2Band;

    /// <inheritdoc/>
    public override string Id => "pfifo_fast";

    /// <inheritdoc/>
    public override QdiscOptions Dump => new PfifoFastOptions();

    /// <inheritdoc/>
    protected override bool CanBypass => true;

    /// <inheritdoc/>
    private protected override int ChangeLocked(QdiscOptions options) => -EOPNOTSUPP;

    /// <inheritdoc/>
    [Linux("pfifo_fast_change_tx_queue_len")]
    private protected override void TxQueueLenChanged()
    {
        limit = Dev.TxQueueLen;
        for (int band = 0; band < Bands; band++)
        {
            while (queues[band].Qlen > limit)
            {
                SkBuff last = queues[band].Last!;
                queues[band].Unlink(last);
                Unqueued(last);
                Drop(last);
            }
        }
    }

    /// <inheritdoc/>
    [Linux("pfifo_fast_enqueue")]
    private protected override int Enqueue(SkBuff skb)
    {
        ref SkBuffHead queue = ref queues[Prio2Band[skb.Priority & TC_PRIO_MAX]];
        if (queue.Qlen >= limit)
            return Drop(skb);
        queue.QueueTail(skb);
        Queued(skb);
        return Net.Core.Dev.NET_XMIT_SUCCESS;
    }

    /// <inheritdoc/>
    [Linux("pfifo_fast_dequeue")]
    private protected override SkBuff? Dequeue()
    {
        for (int band = 0; band < Bands; band++)
        {
            if (queues[band].Dequeue() is not { } skb)
                continue;
            Unqueued(skb);
            BstatsUpdate(skb);
            return skb;
        }

        return null;
    }

    /// <inheritdoc/>
    private protected override void Purge()
    {
        for (int band = 0; band < Bands; band++)
        {
            while (queues[band].Dequeue() is { } skb)
                FreeLater(skb);
        }
    }
}
