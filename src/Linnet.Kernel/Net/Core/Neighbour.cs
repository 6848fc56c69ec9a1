using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>States of a neighbour (<c>NUD_*</c>, linux/neighbour.h).</summary>
public static class Nud
{
    public const int NONE = 0;
    public const int INCOMPLETE = 0x01;
    public const int REACHABLE = 0x02;
    public const int STALE = 0x04;
    public const int DELAY = 0x08;
    public const int PROBE = 0x10;
    public const int FAILED = 0x20;
    public const int NOARP = 0x40;
    public const int PERMANENT = 0x80;

    /// <summary>A timer runs.</summary>
    public const int IN_TIMER = INCOMPLETE | REACHABLE | DELAY | PROBE;

    /// <summary>The link address is known.</summary>
    public const int VALID = PERMANENT | NOARP | REACHABLE | PROBE | STALE | DELAY;

    /// <summary>The link address is known to be right.</summary>
    public const int CONNECTED = PERMANENT | NOARP | REACHABLE;
}

/// <summary>Flags of <see cref="Neighbour.Update"/> (<c>NEIGH_UPDATE_F_*</c>).</summary>
[Flags]
public enum NeighUpdate
{
    /// <summary>Nothing special.</summary>
    None = 0,

    /// <summary>A different link address replaces the known one.</summary>
    Override = 1,

    /// <summary>A different link address makes the entry stale rather than replace it.</summary>
    WeakOverride = 2,

    /// <summary>An administrator changes the entry.</summary>
    Admin = 4,
}

/// <summary>
/// A host on the same link (<c>struct neighbour</c>): its link address, how sure that is, and the packets that wait for
/// it. The states are RFC 4861's (section 7.3.2), for ARP too.
/// </summary>
[LinuxStruct("neighbour")]
[LinuxFile("net/core/neighbour.c")]
public sealed class Neighbour
{
    // Guards the state, the link address and the queue. Nothing but the timers' own lock is taken under it: packets are
    // sent and freed after it is released.
    private Spinlock guard;
    private readonly TimerList timer;
    private SkBuffHead arpQueue;
    private int arpQueueLenBytes;
    private volatile int nudState = Nud.NONE;
    private volatile byte[] ha;
    private volatile bool dead;
    private int probes;

    internal volatile Neighbour? NextInTable;

    internal Neighbour(NeighTable tbl, NeighParms parms, NetDevice dev, UInt128 key, long now)
    {
        Tbl = tbl;
        Parms = parms;
        Dev = dev;
        Key = key;
        ha = new byte[dev.DevAddr.Length];
        Updated = Used = now;
        Confirmed = now - parms.BaseReachableTime * 2L;
        timer = new TimerList(tbl.Machine.Timers, static n => ((Neighbour)n).TimerHandler(), this);
    }

    /// <summary>The table that it is in.</summary>
    public NeighTable Tbl { get; }

    /// <summary>Settings of its device.</summary>
    public NeighParms Parms { get; }

    /// <summary>The device that it is on.</summary>
    public NetDevice Dev { get; }

    /// <summary>Its network address; an IPv4 address in the lowest 32 bits.</summary>
    public UInt128 Key { get; }

    /// <summary>What its address is to this host, <c>RTN_*</c>.</summary>
    public byte Type { get; internal set; }

    /// <summary>State, one of <see cref="Nud"/>.</summary>
    public int NudState => nudState;

    /// <summary>Link address; replaced, never changed.</summary>
    public ReadOnlySpan<byte> Ha => ha;

    /// <summary>How often it was probed without an answer.</summary>
    public int Probes => Volatile.Read(ref probes);

    /// <summary>When it was last used to send, in ms since boot.</summary>
    public long Used { get; private set; }

    /// <summary>When it was last confirmed, in ms since boot.</summary>
    public long Confirmed { get; private set; }

    /// <summary>When its state or address last changed, in ms since boot.</summary>
    public long Updated { get; private set; }

    /// <summary>How many packets wait for it.</summary>
    public int QueuedPackets => arpQueue.Qlen;

    private long Now => Tbl.Machine.Clock.Jiffies;

    private int MaxProbes =>
        Parms.UcastProbes + Parms.AppProbes + ((nudState & Nud.PROBE) != 0 ? Parms.McastReprobes : Parms.McastProbes);

    /// <summary>
    /// Sends a packet to the neighbour, or keeps it until the link address is known (<c>neigh_output</c>). Takes over the
    /// packet; its data begins at the network header.
    /// </summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or a negative errno.</returns>
    [Linux("neigh_resolve_output")]
    public int Output(SkBuff skb)
    {
        if ((nudState & Nud.CONNECTED) == 0 || (nudState & Nud.REACHABLE) != 0)
        {
            if (EventSend(skb))
                return 0;
        }

        int err = Dev.HeaderOps.Create(skb, Dev, skb.Protocol, ha, default);
        if (err < 0)
        {
            skb.Free();
            return -EINVAL;
        }

        return Core.Dev.DevQueueXmit(skb);
    }

    /// <summary>A higher layer heard from it (<c>neigh_confirm</c>).</summary>
    public void Confirm()
    {
        if ((nudState & (Nud.NOARP | Nud.PERMANENT)) == 0)
            Confirmed = Now;
    }

    /// <summary>Sets state and link address of an entry that needs no resolution; for constructors.</summary>
    public void SetStatic(int state, ReadOnlySpan<byte> address)
    {
        ha = address.ToArray();
        nudState = state;
    }

    /// <summary>
    /// The entry is about to be used (<c>neigh_event_send</c>): resolution or revalidation starts where needed.
    /// </summary>
    /// <param name="skb">Taken over when the answer is true; may be null to start resolution only.</param>
    /// <returns>Whether the packet has to wait (or was dropped); false when it can be sent now.</returns>
    [Linux("__neigh_event_send")]
    public bool EventSend(SkBuff? skb)
    {
        long now = Now;
        Used = now;
        if ((nudState & (Nud.CONNECTED | Nud.DELAY | Nud.PROBE)) != 0)
            return false;
        SkBuff? dropped = null;
        bool wait = false;
        bool probe = false;
        guard.Lock();
        if (dead)
        {
            wait = true;
            dropped = skb;
        }
        else if ((nudState & (Nud.CONNECTED | Nud.DELAY | Nud.PROBE)) == 0)
        {
            probe = StartResolution(now);
            if (nudState == Nud.INCOMPLETE)
            {
                dropped = Enqueue(skb);
                wait = true;
            }
            else if (nudState == Nud.FAILED)
            {
                dropped = skb;
                wait = true;
            }
        }

        guard.Unlock();
        FreeList(dropped);
        if (probe)
            Probe();
        return wait;
    }

    /// <summary>
    /// An answer or an administrator says what the neighbour's state and link address are (<c>neigh_update</c>).
    /// </summary>
    /// <param name="lladdr">Link address; empty when it did not change.</param>
    /// <param name="state">New state, one of <see cref="Nud"/>.</param>
    /// <param name="flags">What may be overridden.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("neigh_update")]
    public int Update(ReadOnlySpan<byte> lladdr, int state, NeighUpdate flags)
    {
        SkBuff? ready = null;
        guard.Lock();
        (int oldState, byte[] oldHa) = (nudState, ha);
        int err = UpdateLocked(lladdr, state, flags, out bool failed);
        bool changed = nudState != oldState || ha != oldHa;
        if (err == 0 && (nudState & Nud.VALID) != 0)
            ready = TakeQueue();
        else if (failed)
            ready = TakeQueue();
        guard.Unlock();
        while (ready is { } skb)
        {
            ready = skb.Next;
            skb.Next = null;
            if (failed)
                Tbl.ErrorReport(this, skb);
            else
                Output(skb);
        }

        if (changed)
            Notify(RTM_NEWNEIGH);
        return err;
    }

    // The entry leaves its table.
    internal void Kill()
    {
        guard.Lock();
        dead = true;
        SkBuff? waiting = TakeQueue();
        nudState = Nud.NONE;
        guard.Unlock();
        timer.Delete();
        FreeList(waiting);
        Notify(RTM_DELNEIGH);
    }

    // Tells programs that listen; that it is used again is no news.
    private void Notify(int type) => Tbl.Net.Core.NeighNotify?.Invoke(this, type);

    private bool StartResolution(long now)
    {
        if ((nudState & (Nud.STALE | Nud.INCOMPLETE)) == 0)
        {
            if (Parms.McastProbes + Parms.AppProbes == 0)
            {
                Become(Nud.FAILED, now);
                return false;
            }

            Volatile.Write(ref probes, Parms.UcastProbes);
            Become(Nud.INCOMPLETE, now);
            Arm(now + RetransInterval());
            return true;
        }

        if ((nudState & Nud.STALE) != 0)
        {
            Become(Nud.DELAY, now);
            Arm(now + Parms.DelayProbeTime);
        }

        return false;
    }

    // Keeps the packet; what had to give way, or the packet itself, is handed back to be freed outside of the lock.
    private SkBuff? Enqueue(SkBuff? skb)
    {
        if (skb == null)
            return null;
        SkBuff? dropped = null;
        while (arpQueueLenBytes + skb.Truesize > Parms.QueueLenBytes && arpQueue.Dequeue() is { } oldest)
        {
            arpQueueLenBytes -= oldest.Truesize;
            oldest.Next = dropped;
            dropped = oldest;
        }

        arpQueue.QueueTail(skb);
        arpQueueLenBytes += skb.Truesize;
        return dropped;
    }

    private SkBuff? TakeQueue()
    {
        SkBuff? first = arpQueue.First;
        for (SkBuff? skb = first; skb != null; skb = skb.Next)
            skb.Prev = null;
        arpQueue.First = arpQueue.Last = null;
        arpQueue.Qlen = 0;
        arpQueueLenBytes = 0;
        return first;
    }

    private static void FreeList(SkBuff? list)
    {
        while (list is { } skb)
        {
            list = skb.Next;
            skb.Next = null;
            skb.Free();
        }
    }

    private int UpdateLocked(ReadOnlySpan<byte> lladdr, int state, NeighUpdate flags, out bool failed)
    {
        failed = false;
        int old = nudState;
        bool admin = (flags & NeighUpdate.Admin) != 0;
        if (dead)
            return -EINVAL;
        if (!admin && (old & (Nud.NOARP | Nud.PERMANENT)) != 0)
            return -EPERM;
        long now = Now;
        if ((state & Nud.VALID) == 0)
        {
            timer.Delete();
            Become(state, now);
            failed = (old & (Nud.INCOMPLETE | Nud.PROBE)) != 0 && (state & Nud.FAILED) != 0;
            return 0;
        }

        if (lladdr.IsEmpty || Dev.DevAddr.Length == 0)
        {
            if ((old & Nud.VALID) == 0)
                return -EINVAL;
            lladdr = ha;
        }
        else if ((old & Nud.VALID) != 0 && lladdr.SequenceEqual(ha))
        {
            lladdr = ha;
        }

        bool doubted = false;
        bool changed = !lladdr.SequenceEqual(ha) || (old & Nud.VALID) == 0;
        if ((old & Nud.VALID) != 0 && !lladdr.SequenceEqual(ha) && (flags & NeighUpdate.Override) == 0)
        {
            if ((flags & NeighUpdate.WeakOverride) == 0 || (old & Nud.CONNECTED) == 0)
                return 0;
            lladdr = ha;
            changed = false;
            doubted = true;
            state = Nud.STALE;
        }

        // A notice about an address that is known already tells nothing new, unless it doubts it.
        if ((old & Nud.VALID) != 0 && !changed && !doubted && state == Nud.STALE && !admin)
            state = old;

        Accept(lladdr, state, old, changed, now);
        return 0;
    }

    private void Accept(ReadOnlySpan<byte> lladdr, int state, int old, bool changed, long now)
    {
        if ((state & Nud.CONNECTED) != 0 && (changed || state != old || state == Nud.REACHABLE))
            Confirmed = now;
        if (changed || state != old)
            Updated = now;
        // Senders look at the state without the lock, and take the address that goes with it.
        if (changed && !lladdr.SequenceEqual(ha))
            ha = lladdr.ToArray();
        if (state != old)
        {
            timer.Delete();
            Volatile.Write(ref probes, 0);
            nudState = state;
            if ((state & Nud.IN_TIMER) != 0)
                Arm(now + (state == Nud.REACHABLE ? Parms.ReachableTime(Tbl.Machine, now) : 0));
        }

        if (changed && (state & Nud.CONNECTED) == 0)
            Confirmed = now - Parms.BaseReachableTime * 2L;
    }

    [Linux("neigh_timer_handler")]
    private void TimerHandler()
    {
        SkBuff? failed = null;
        bool probe = false;
        guard.Lock();
        int oldState = nudState;
        if (!dead && (nudState & Nud.IN_TIMER) != 0)
        {
            long now = Now;
            long next = NextState(now);
            if ((nudState & (Nud.INCOMPLETE | Nud.PROBE)) != 0 && probes >= MaxProbes)
            {
                Become(Nud.FAILED, now);
                failed = TakeQueue();
            }
            else if ((nudState & Nud.IN_TIMER) != 0)
            {
                Arm(Math.Max(next, now + 10));
                probe = (nudState & (Nud.INCOMPLETE | Nud.PROBE)) != 0;
            }
        }

        bool news = nudState != oldState && nudState != Nud.DELAY;
        guard.Unlock();
        if (probe)
            Probe();
        if (news)
            Notify(RTM_NEWNEIGH);
        while (failed is { } skb)
        {
            failed = skb.Next;
            skb.Next = null;
            Tbl.ErrorReport(this, skb);
        }
    }

    private long NextState(long now)
    {
        if (nudState == Nud.REACHABLE)
        {
            int reachable = Parms.ReachableTime(Tbl.Machine, now);
            if (now <= Confirmed + reachable)
                return Confirmed + reachable;
            if (now <= Used + Parms.DelayProbeTime)
            {
                Become(Nud.DELAY, now);
                return now + Parms.DelayProbeTime;
            }

            Become(Nud.STALE, now);
            return 0;
        }

        if (nudState == Nud.DELAY)
        {
            if (now <= Confirmed + Parms.DelayProbeTime)
            {
                Become(Nud.REACHABLE, now);
                return Confirmed + Parms.ReachableTime(Tbl.Machine, now);
            }

            Become(Nud.PROBE, now);
            Volatile.Write(ref probes, 0);
        }

        return now + RetransInterval();
    }

    [Linux("neigh_probe")]
    private void Probe()
    {
        // The first waiting packet tells which source address to ask from; a copy, since the queue may be flushed meanwhile.
        guard.Lock();
        SkBuff? first = arpQueue.First?.Clone();
        guard.Unlock();
        Tbl.Solicit(this, first);
        Interlocked.Increment(ref probes);
        first?.Free();
    }

    private void Become(int state, long now)
    {
        nudState = state;
        Updated = now;
    }

    private int RetransInterval() => Math.Max(Parms.RetransTime, 10);

    private void Arm(long jiffies) => timer.Mod(jiffies * Clock.NsecPerMsec);
}
