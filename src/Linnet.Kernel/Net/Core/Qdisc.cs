using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A queueing discipline (<c>struct Qdisc</c>): holds packets until the device may send them.</summary>
[LinuxStruct("Qdisc")]
public abstract class Qdisc(NetDevice dev)
{
    /// <summary>Protects the discipline's queues.</summary>
    protected Spinlock Guard;

    /// <summary>The device that the discipline feeds.</summary>
    public NetDevice Dev { get; } = dev;

    /// <summary>Its name, as <c>pfifo</c>.</summary>
    public abstract string Id { get; }

    /// <summary>Takes over a packet; one that finds no room is freed and counted.</summary>
    /// <returns><c>NET_XMIT_SUCCESS</c> or <c>NET_XMIT_DROP</c>.</returns>
    public abstract int Enqueue(SkBuff skb);

    /// <summary>Gives the next packet that may be sent now, or null.</summary>
    public abstract SkBuff? Dequeue();
}
