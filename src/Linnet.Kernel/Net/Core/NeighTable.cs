using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The neighbours of one network protocol in one namespace (<c>struct neigh_table</c>), by address and device. Looking
/// one up takes no lock; the table is changed under its own lock, which is taken before that of a neighbour.
/// </summary>
[LinuxStruct("neigh_table")]
[LinuxFile("net/core/neighbour.c")]
public abstract partial class NeighTable
{
    private const long ForcedGcInterval = 5000;

    private readonly uint hashSecret;
    private readonly TimerList gcTimer;
    private readonly Lock tableLock = new();

    // Replaced when it grows; chains are linked through Neighbour.NextInTable. A reader that misses an entry because the
    // table grows under it goes on to Create, which looks again under the lock.
    private Neighbour?[] buckets = new Neighbour?[16];
    private int entries;
    private long lastFlush = long.MinValue / 2;

    // When the table was last searched for entries that may go, and there were none.
    private long lastVain = long.MinValue;

    /// <summary>Makes an empty table.</summary>
    protected NeighTable(NetNamespace net)
    {
        Net = net;
        hashSecret = net.Machine.Random.NextU32() | 1;
        proxyTimer = new TimerList(net.Machine.Timers, static table => ((NeighTable)table).NeighProxyProcess(), this);
        net.NeighTables = [.. net.NeighTables, this];
        gcTimer = new TimerList(net.Machine.Timers, static table => ((NeighTable)table).PeriodicWork(), this);
    }

    /// <summary>The namespace.</summary>
    public NetNamespace Net { get; }

    /// <summary>The family of its addresses, <c>AF_*</c>.</summary>
    public abstract int Family { get; }

    /// <summary>Bytes of an address (<c>key_len</c>).</summary>
    public abstract int KeyLen { get; }

    /// <summary>The machine.</summary>
    public Machine Machine => Net.Machine;

    /// <summary>Settings that new devices start with.</summary>
    public NeighParms DefaultParms { get; } = new();

    /// <summary>Fewer entries than this are never collected (<c>gc_thresh1</c>).</summary>
    public int GcThresh1 { get; set; } = 128;

    /// <summary>More entries than this are collected within 5 s (<c>gc_thresh2</c>).</summary>
    public int GcThresh2 { get; set; } = 512;

    /// <summary>Most entries (<c>gc_thresh3</c>).</summary>
    public int GcThresh3 { get; set; } = 1024;

    /// <summary>How many entries there are.</summary>
    public int Entries => Volatile.Read(ref entries);

    /// <summary>All entries, in no particular order.</summary>
    public List<Neighbour> Snapshot()
    {
        List<Neighbour> all = [];
        lock (tableLock)
        {
            foreach (Neighbour? head in buckets)
            {
                for (Neighbour? n = head; n != null; n = n.NextInTable)
                    all.Add(n);
            }
        }

        return all;
    }

    /// <summary>Finds a neighbour.</summary>
    /// <returns>The neighbour, or null.</returns>
    public Neighbour? Lookup(UInt128 key, NetDevice dev)
    {
        Neighbour?[] current = Volatile.Read(ref buckets);
        for (Neighbour? n = Volatile.Read(ref current[Bucket(current, key, dev)]); n != null; n = n.NextInTable)
        {
            if (n.Key == key && n.Dev == dev)
                return n;
        }

        return null;
    }

    /// <summary>Finds a neighbour or makes one.</summary>
    /// <returns>The neighbour; null when the table is full or the protocol refuses the address.</returns>
    public Neighbour? LookupOrCreate(UInt128 key, NetDevice dev) => Lookup(key, dev) ?? Create(key, dev);

    /// <summary>Makes a neighbour, or finds the one that another thread made meanwhile.</summary>
    [Linux("__neigh_create")]
    public Neighbour? Create(UInt128 key, NetDevice dev)
    {
        List<Neighbour>? collected = null;
        Neighbour? made = CreateLocked(key, dev, ref collected);
        // What waited for them is freed, and its owners told, without the lock.
        collected?.ForEach(neighbour => neighbour.Kill());
        return made;
    }

    private Neighbour? CreateLocked(UInt128 key, NetDevice dev, ref List<Neighbour>? collected)
    {
        lock (tableLock)
        {
            if (Lookup(key, dev) is { } found)
                return found;
            if (!MakeRoom(ref collected))
                return null;
            NeighParms? parms = ParmsOf(dev);
            if (parms == null)
                return null;
            Neighbour made = new(this, parms, dev, key, Machine.Clock.Jiffies);
            if (Constructor(made) < 0)
                return null;
            Insert(made);
            return made;
        }
    }

    /// <summary>Forgets a neighbour; packets that wait for it are freed.</summary>
    public void Remove(Neighbour neighbour)
    {
        lock (tableLock)
            Unlink(neighbour);
        neighbour.Kill();
    }

    /// <summary>The device went down: all of its neighbours are forgotten.</summary>
    [Linux("neigh_ifdown")]
    public void NeighIfdown(NetDevice dev)
    {
        RemoveWhere(n => n.Dev == dev);
        PneighIfdown(dev);
    }

    /// <summary>The device lost its link: entries that were learned are forgotten, permanent ones stay.</summary>
    [Linux("neigh_carrier_down")]
    public void NeighCarrierDown(NetDevice dev)
    {
        RemoveWhere(n => n.Dev == dev && (n.NudState & Nud.PERMANENT) == 0);
        PneighQueuePurge(dev);
    }

    /// <summary>The device's link address changed: all of its neighbours are forgotten.</summary>
    [Linux("neigh_changeaddr")]
    public void NeighChangeaddr(NetDevice dev) => RemoveWhere(n => n.Dev == dev);

    /// <summary>The settings of neighbours on a device, or null when the protocol does not run there.</summary>
    public abstract NeighParms? ParmsOf(NetDevice dev);

    /// <summary>Sets up a new neighbour: its state and, where no resolution is needed, its link address.</summary>
    /// <returns>0 or a negative errno.</returns>
    protected abstract int Constructor(Neighbour neighbour);

    /// <summary>Asks for the neighbour's link address (<c>solicit</c>).</summary>
    /// <param name="neighbour">The neighbour.</param>
    /// <param name="skb">The first packet that waits for it, for a choice of source address, or null.</param>
    protected internal abstract void Solicit(Neighbour neighbour, SkBuff? skb);

    /// <summary>A packet waited in vain (<c>error_report</c>). Takes over the packet.</summary>
    protected internal abstract void ErrorReport(Neighbour neighbour, SkBuff skb);

    private int Bucket(Neighbour?[] table, UInt128 key, NetDevice dev)
    {
        ulong mixed = (ulong)key ^ (ulong)(key >> 64) ^ (ulong)dev.Ifindex << 40;
        mixed *= 0x9E3779B97F4A7C15 ^ ((ulong)hashSecret << 32 | hashSecret);
        return (int)((mixed >> 33) & (uint)(table.Length - 1));
    }

    private void Insert(Neighbour neighbour)
    {
        if (entries >= buckets.Length)
            Grow();
        ref Neighbour? head = ref buckets[Bucket(buckets, neighbour.Key, neighbour.Dev)];
        neighbour.NextInTable = head;
        Volatile.Write(ref head, neighbour);
        if (++entries > GcThresh1 && !gcTimer.Pending)
            ArmGc();
    }

    private void Grow()
    {
        Neighbour?[] larger = new Neighbour?[buckets.Length * 2];
        foreach (Neighbour? head in buckets)
        {
            for (Neighbour? n = head; n != null;)
            {
                Neighbour? next = n.NextInTable;
                ref Neighbour? slot = ref larger[Bucket(larger, n.Key, n.Dev)];
                n.NextInTable = slot;
                slot = n;
                n = next;
            }
        }

        Volatile.Write(ref buckets, larger);
    }

    private void Unlink(Neighbour neighbour)
    {
        ref Neighbour? head = ref buckets[Bucket(buckets, neighbour.Key, neighbour.Dev)];
        Neighbour? prev = null;
        for (Neighbour? n = head; n != null; prev = n, n = n.NextInTable)
        {
            if (n != neighbour)
                continue;
            if (prev == null)
                Volatile.Write(ref head, n.NextInTable);
            else
                prev.NextInTable = n.NextInTable;
            entries--;
            return;
        }
    }

    private void RemoveWhere(Predicate<Neighbour> which)
    {
        foreach (Neighbour n in Snapshot())
        {
            if (which(n))
                Remove(n);
        }
    }

    // What an administrator set for ever does not count.
    private bool MakeRoom(ref List<Neighbour>? collected)
    {
        long now = Machine.Clock.Jiffies;
        if (entries < GcThresh2 || (entries < GcThresh3 && now - lastFlush <= ForcedGcInterval))
            return true;

        // Invented neighbours must not have the whole table searched once each.
        if (lastVain == now)
            return false;
        List<Neighbour> candidates = [.. Snapshot().Where(n => (n.NudState & Nud.PERMANENT) == 0)];
        if (candidates.Count < GcThresh2 || (candidates.Count < GcThresh3 && now - lastFlush <= ForcedGcInterval))
            return true;
        int removed = NeighForcedGc(candidates, now, collected = []);
        if (removed > 0 || candidates.Count < GcThresh3)
            return true;
        lastVain = now;
        Machine.Log.WriteOnce(LogLevel.Warning, "neigh-overflow", "neighbour: table overflow!");
        return false;
    }

    // Entries that did not change for five seconds go, the oldest first, until the table is back at gc_thresh2; the order of
    // age keeps runs repeatable.
    [Linux("neigh_forced_gc")]
    private int NeighForcedGc(List<Neighbour> candidates, long now, List<Neighbour> collected)
    {
        lastFlush = now;
        // With the one that is to come.
        int surplus = candidates.Count + 1 - GcThresh2;
        List<Neighbour> old =
            [.. candidates.Where(n => n.NudState is Nud.FAILED or Nud.NOARP || now - n.Updated > ForcedGcInterval)];
        foreach (Neighbour n in old.OrderBy(n => n.Updated).ThenBy(n => n.Key).Take(surplus))
        {
            Unlink(n);
            collected.Add(n);
        }

        return collected.Count;
    }

    [Linux("neigh_periodic_work")]
    private void PeriodicWork()
    {
        List<Neighbour> collected = [];
        lock (tableLock)
        {
            if (entries <= GcThresh1)
                return;
            long now = Machine.Clock.Jiffies;
            foreach (Neighbour n in Snapshot())
            {
                int state = n.NudState;
                if ((state & (Nud.PERMANENT | Nud.IN_TIMER)) != 0)
                    continue;
                long used = Math.Max(n.Used, n.Confirmed);
                if (state != Nud.FAILED && now - used <= n.Parms.GcStaletime)
                    continue;
                Unlink(n);
                collected.Add(n);
            }

            if (entries > GcThresh1)
                ArmGc();
        }

        collected.ForEach(n => n.Kill());
    }

    private void ArmGc() =>
        gcTimer.Mod(Machine.Clock.Now + DefaultParms.BaseReachableTime / 2 * Clock.NsecPerMsec);
}
