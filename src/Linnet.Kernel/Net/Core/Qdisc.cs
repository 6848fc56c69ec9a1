using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A queueing discipline (<c>struct Qdisc</c>): holds packets until the device may send them. One thread at a time feeds the
/// device; others only enqueue, and their packets leave with its.
/// </summary>
/// <param name="dev">The device that the discipline feeds.</param>
[LinuxStruct("Qdisc")]
[LinuxFile("net/sched/sch_generic.c")]
public abstract class Qdisc(NetDevice dev)
{
    // Protects the discipline's queues; taken by XmitSkb, Run and Reset around the abstract operations.
    private Spinlock guard;
    private int running;
    private TimerList? watchdog;

    /// <summary>The device that the discipline feeds.</summary>
    public NetDevice Dev { get; } = dev;

    /// <summary>Its name, as <c>pfifo</c>.</summary>
    public abstract string Id { get; }

    /// <summary>Packets that it holds.</summary>
    public abstract int Qlen { get; }

    /// <summary>Queues a packet and sends what may be sent (<c>__dev_xmit_skb</c>). Takes over the packet.</summary>
    /// <returns><c>NET_XMIT_SUCCESS</c> or <c>NET_XMIT_DROP</c>.</returns>
    [Linux("__dev_xmit_skb", "net/core/dev.c")]
    public int XmitSkb(SkBuff skb)
    {
        if (!Dev.IsUp)
        {
            skb.Free();
            return Core.Dev.NET_XMIT_DROP;
        }

        guard.Lock();
        int result = Enqueue(skb);
        guard.Unlock();
        Run();
        return result;
    }

    /// <summary>Sends what may be sent now (<c>__qdisc_run</c>).</summary>
    [Linux("__qdisc_run")]
    public void Run()
    {
        // A packet that is enqueued after the last dequeue but before the flag falls is found by the look after it.
        do
        {
            if (Interlocked.CompareExchange(ref running, 1, 0) != 0)
                return;
            while (DequeueLocked() is { } skb)
                Core.Dev.ValidateAndXmit(skb, Dev);
            Volatile.Write(ref running, 0);
        }
        while (Ready());
    }

    /// <summary>Drops all packets (<c>qdisc_reset</c>).</summary>
    public void Reset()
    {
        watchdog?.Delete();
        guard.Lock();
        Purge();
        guard.Unlock();
    }

    /// <summary>Has <see cref="Run"/> called at a time when a packet may be sent that may not be now (<c>qdisc_watchdog_schedule_ns</c>).</summary>
    /// <param name="expires">Nanoseconds since boot.</param>
    protected void Watchdog(long expires)
    {
        watchdog ??= new TimerList(Dev.Net.Machine.Timers, static qdisc => ((Qdisc)qdisc).Run(), this);
        watchdog.Mod(expires);
    }

    /// <summary>Takes over a packet; one that finds no room is freed and counted. The guard is held.</summary>
    /// <returns><c>NET_XMIT_SUCCESS</c> or <c>NET_XMIT_DROP</c>.</returns>
    protected abstract int Enqueue(SkBuff skb);

    /// <summary>Gives the next packet that may be sent now, or null. The guard is held.</summary>
    protected abstract SkBuff? Dequeue();

    /// <summary>Whether <see cref="Dequeue"/> would give a packet now. The guard is held.</summary>
    protected abstract bool HasReady { get; }

    /// <summary>Frees all packets. The guard is held.</summary>
    protected abstract void Purge();

    private SkBuff? DequeueLocked()
    {
        guard.Lock();
        SkBuff? skb = Dequeue();
        guard.Unlock();
        return skb;
    }

    private bool Ready()
    {
        guard.Lock();
        bool ready = HasReady;
        guard.Unlock();
        return ready;
    }
}
