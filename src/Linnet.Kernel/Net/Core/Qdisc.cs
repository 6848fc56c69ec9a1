using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// A queueing discipline (<c>struct Qdisc</c> and its <c>Qdisc_ops</c>): holds packets until the device may send them. The one
/// that a device has may hold others, whose <see cref="Parent"/> it is. One thread at a time feeds the device; others only
/// enqueue, and their packets leave with its.
/// </summary>
/// <param name="dev">The device that the discipline feeds.</param>
/// <remarks>
/// The first discipline's lock guards all that hang from it. The protected operations are called with it held; packets that they
/// drop are freed after it.
/// </remarks>
[LinuxStruct("Qdisc")]
[LinuxFile("net/sched/sch_generic.c")]
public abstract partial class Qdisc(NetDevice dev)
{
    /// <summary>Packets that it holds, those of its children too (<c>q.qlen</c>).</summary>
    private protected int QueueLength;

    /// <summary>What it did (<c>bstats</c>, <c>qstats</c>); guarded by the lock.</summary>
    private protected QdiscStats Counters;

    private TimerList? watchdog;

    /// <summary>The device that the discipline feeds.</summary>
    public NetDevice Dev { get; } = dev;

    /// <summary>Its name, as <c>pfifo</c>.</summary>
    public abstract string Id { get; }

    /// <summary>How it works now (<c>dump</c>), with nothing left to defaults.</summary>
    public abstract QdiscOptions Dump { get; }

    /// <summary>Its number, 0 for the one that a device has by default; see <see cref="TC_H_MAJ_MASK"/>.</summary>
    public uint Handle { get; internal set; }

    /// <summary>The class that it is under, or <see cref="TC_H_ROOT"/>.</summary>
    public uint ParentClass { get; internal set; } = TC_H_ROOT;

    /// <summary>The module that its code is part of, which cannot go before it.</summary>
    internal Module? Owner { get; set; }

    /// <summary>The discipline that it is a part of; null for a device's first.</summary>
    public Qdisc? Parent { get; internal set; }

    /// <summary>The device's first discipline.</summary>
    public Qdisc Root => Parent?.Root ?? this;

    /// <summary>Packets that it holds.</summary>
    public int Qlen => Volatile.Read(ref QueueLength);

    /// <summary>What it did until now.</summary>
    public QdiscStats Stats
    {
        get
        {
            Qdisc root = Root;
            root.guard.Lock();
            QdiscStats stats = Counters;
            stats.Qlen = QueueLength;
            root.guard.Unlock();
            return stats;
        }
    }

    /// <summary>The discipline of its one class, or null (<c>leaf</c>). Those without classes have none.</summary>
    public virtual Qdisc? Leaf => null;

    /// <summary>Whether it has a class that another discipline can be put under.</summary>
    public virtual bool HasClass => false;

    /// <summary>Whether a packet may go straight to the device when nothing waits (<c>TCQ_F_CAN_BYPASS</c>).</summary>
    protected virtual bool CanBypass => false;

    private protected Clock Clock => Dev.Net.Machine.Clock;

    /// <summary>Changes how it works (<c>change</c>). Packets that wait stay, as far as new limits let them.</summary>
    /// <returns>0, or -EINVAL for what it cannot be changed to.</returns>
    public int Change(QdiscOptions options)
    {
        if (options.Id != Id || options.Validate() != null)
            return -EINVAL;
        Qdisc root = Root;
        root.guard.Lock();
        int err = ChangeLocked(options);
        root.UnlockAndFree();
        root.Run();
        return err;
    }

    /// <summary>Drops all packets (<c>qdisc_reset</c>).</summary>
    [Linux("qdisc_reset")]
    public void Reset()
    {
        Qdisc root = Root;
        root.guard.Lock();
        ResetLocked();
        root.UnlockAndFree();
    }

    /// <summary>Ends it (<c>qdisc_destroy</c>): what it holds is dropped, and it takes no more.</summary>
    [Linux("qdisc_destroy")]
    public void Destroy()
    {
        Qdisc root = Root;
        root.guard.Lock();
        EndLocked();
        root.UnlockAndFree();
    }

    /// <summary>Puts a discipline under its one class, in place of the one there (<c>graft</c>).</summary>
    /// <param name="child">The new one, which feeds the same device; null for none.</param>
    /// <param name="classId">The class's handle.</param>
    /// <returns>0, or -EOPNOTSUPP when it has no class.</returns>
    public int Graft(Qdisc? child, uint classId)
    {
        if (!HasClass)
            return -EOPNOTSUPP;
        Qdisc root = Root;
        root.guard.Lock();
        if (Leaf is { } old)
        {
            QdiscTreeReduceBacklog(old, old.QueueLength, old.Counters.Backlog);
            old.EndLocked();
        }

        Adopt(child, classId);
        root.UnlockAndFree();
        return 0;
    }

    /// <summary>Changes how it works; the lock is held.</summary>
    private protected abstract int ChangeLocked(QdiscOptions options);

    /// <summary>Takes over a packet (<c>enqueue</c>); one that finds no room is given to <see cref="Drop"/>.</summary>
    /// <returns>
    /// <c>NET_XMIT_SUCCESS</c>, with <see cref="XmitBypass"/> or without, <c>NET_XMIT_DROP</c>, or <c>NET_XMIT_CN</c>.
    /// </returns>
    private protected abstract int Enqueue(SkBuff skb);

    /// <summary>
    /// Gives the next packet that may go now, or null (<c>dequeue</c>), and then sees to it that <see cref="Run"/> is called when one may.
    /// </summary>
    private protected abstract SkBuff? Dequeue();

    /// <summary>Drops all packets, and forgets what belongs to them (<c>reset</c>).</summary>
    private protected abstract void Purge();

    /// <summary>Makes a discipline, or none, that of the one class.</summary>
    private protected virtual void SetLeaf(Qdisc? child) => Bug.On(true);

    /// <summary>The device's transmit queue has another length (<c>change_tx_queue_len</c>).</summary>
    private protected virtual void TxQueueLenChanged()
    {
    }

    private protected void ResetLocked()
    {
        watchdog?.Delete();
        if (peeked is { } skb)
        {
            peeked = null;
            FreeLater(skb);
        }

        Leaf?.ResetLocked();
        Purge();
        QueueLength = 0;
        Counters.Backlog = 0;
    }

    private void EndLocked()
    {
        if (deactivated)
            return;
        ResetLocked();
        for (Qdisc? ended = this; ended != null; ended = ended.Leaf)
        {
            ended.deactivated = true;
            Module.ModulePut(ended.Owner);
        }
    }

    private protected void Adopt(Qdisc? child, uint classId)
    {
        if (child != null)
        {
            child.Parent = this;
            child.ParentClass = classId;
        }

        SetLeaf(child);
    }

    /// <summary>Has <see cref="Run"/> called at a time when a packet may go that may not now (<c>qdisc_watchdog_schedule_ns</c>).</summary>
    /// <param name="expires">Nanoseconds since boot.</param>
    [Linux("qdisc_watchdog_schedule_range_ns", "net/sched/sch_api.c")]
    private protected void QdiscWatchdogScheduleRangeNs(long expires)
    {
        watchdog ??= new TimerList(Dev.Net.Machine.Timers, static qdisc => ((Qdisc)qdisc).Root.Run(), this);
        if (!watchdog.Pending || watchdog.Expires != expires)
            watchdog.Mod(expires);
    }

    internal void NotifyTxQueueLen()
    {
        Qdisc root = Root;
        root.guard.Lock();
        TxQueueLenChanged();
        root.UnlockAndFree();
    }
}
