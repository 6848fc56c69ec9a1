using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>First in, first out, up to a number of packets (<c>pfifo</c>).</summary>
/// <param name="dev">The device that the discipline feeds.</param>
/// <param name="limit">Most packets that it holds.</param>
[LinuxFile("net/sched/sch_fifo.c")]
public sealed class Pfifo(NetDevice dev, int limit) : Qdisc(dev)
{
    private SkBuffHead queue;

    /// <inheritdoc/>
    public override string Id => "pfifo";

    /// <inheritdoc/>
    public override int Qlen => queue.Qlen;

    /// <inheritdoc/>
    protected override bool HasReady => !queue.IsEmpty;

    /// <inheritdoc/>
    [Linux("pfifo_enqueue")]
    protected override int Enqueue(SkBuff skb)
    {
        if (queue.Qlen < limit)
        {
            queue.QueueTail(skb);
            return Net.Core.Dev.NET_XMIT_SUCCESS;
        }

        Interlocked.Increment(ref Dev.Stats.TxDropped);
        skb.Free();
        return Net.Core.Dev.NET_XMIT_DROP;
    }

    /// <inheritdoc/>
    protected override SkBuff? Dequeue() => queue.Dequeue();

    /// <inheritdoc/>
    protected override void Purge() => queue.Purge();
}
