using System.Collections.Concurrent;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Bridge;

/// <summary>Where an address is (<c>struct net_bridge_fdb_entry</c>). Times are in ms since boot.</summary>
[LinuxStruct("net_bridge_fdb_entry")]
public sealed class NetBridgeFdbEntry
{
    private NetBridgePort? dst;
    private long updated;

    internal NetBridgeFdbEntry(ulong key, NetBridgePort? dst, bool local, bool isStatic)
    {
        Key = key;
        this.dst = dst;
        IsLocal = local;
        IsStatic = isStatic;
    }

    /// <summary>The address.</summary>
    public byte[] Addr => BrFdb.AddrOf(Key);

    /// <summary>The port behind which it is; null for the bridge itself.</summary>
    public NetBridgePort? Dst
    {
        get => Volatile.Read(ref dst);
        internal set => Volatile.Write(ref dst, value);
    }

    /// <summary>It is an address of the bridge or of one of its ports.</summary>
    public bool IsLocal { get; }

    /// <summary>It was set, not learned, and does not age.</summary>
    public bool IsStatic { get; }

    /// <summary>When a frame came from it last.</summary>
    public long Updated
    {
        get => Volatile.Read(ref updated);
        internal set => Volatile.Write(ref updated, value);
    }

    internal ulong Key { get; }
}

/// <summary>
/// A bridge's forwarding database (IEEE 802.1D section 7.9). Whoever sends frames chooses the addresses in it, so they are hashed
/// with a secret, and may be limited in number.
/// </summary>
[LinuxFile("net/bridge/br_fdb.c")]
public sealed class BrFdb
{
    private readonly NetBridge br;
    private readonly ConcurrentDictionary<ulong, NetBridgeFdbEntry> entries;
    private readonly TimerList gcWork;
    private int learned;

    internal BrFdb(NetBridge br, Machine machine)
    {
        this.br = br;
        entries = new ConcurrentDictionary<ulong, NetBridgeFdbEntry>(new KeyComparer(SiphashKey.New(machine.Random)));
        gcWork = new TimerList(machine.Timers, static fdb => ((BrFdb)fdb).BrFdbCleanup(), this);
    }

    /// <summary>Most learned addresses (<c>fdb_max_learned</c>); 0 for no limit.</summary>
    public int MaxLearned { get; internal set; }

    /// <summary>How many addresses are known because they were heard from.</summary>
    public int Learned => Volatile.Read(ref learned);

    /// <summary>All entries, by address.</summary>
    public IReadOnlyList<NetBridgeFdbEntry> Entries => [.. entries.Values.OrderBy(fdb => fdb.Key)];

    /// <summary>The entry of an address, or null.</summary>
    [Linux("br_fdb_find_rcu")]
    public NetBridgeFdbEntry? BrFdbFindRcu(ReadOnlySpan<byte> addr) => entries.GetValueOrDefault(KeyOf(addr));

    /// <summary>A frame came from an address by a port.</summary>
    [Linux("br_fdb_update")]
    internal void BrFdbUpdate(NetBridgePort source, ReadOnlySpan<byte> addr)
    {
        if (HoldTime == 0)
            return;
        ulong key = KeyOf(addr);
        long now = br.Jiffies;
        if (entries.TryGetValue(key, out NetBridgeFdbEntry? fdb))
        {
            if (fdb.IsLocal)
            {
                br.Dev.Net.Machine.Log.Write(
                    LogLevel.Warning, $"{br.Dev.Name}: received packet on {source.Dev.Name} with own address as source address");
                return;
            }

            fdb.Updated = now;
            if (!fdb.IsStatic && fdb.Dst != source)
                fdb.Dst = source;
            return;
        }

        if (MaxLearned != 0 && Learned >= MaxLearned)
            return;
        if (!entries.TryAdd(key, new NetBridgeFdbEntry(key, source, local: false, isStatic: false) { Updated = now }))
            return;
        Interlocked.Increment(ref learned);
        if (!gcWork.Pending)
            ArmGc(now + HoldTime);
    }

    /// <summary>Adds an address of the bridge or of a port (<c>br_fdb_add_local</c>).</summary>
    [Linux("br_fdb_add_local")]
    internal void BrFdbAddLocal(NetBridgePort? source, ReadOnlySpan<byte> addr)
    {
        ulong key = KeyOf(addr);
        if (entries.TryGetValue(key, out NetBridgeFdbEntry? fdb))
        {
            // Several ports may have the same address.
            if (fdb.IsLocal)
                return;
            br.Dev.Net.Machine.Log.Write(
                LogLevel.Warning, $"{br.Dev.Name}: adding interface {(source?.Dev ?? br.Dev).Name} with same address as a received packet");
            FdbDelete(fdb);
        }

        entries[key] = new NetBridgeFdbEntry(key, source, local: true, isStatic: true);
    }

    /// <summary>Sets where an address is (<c>bridge fdb replace</c>); it does not age.</summary>
    /// <returns>0, or -EINVAL for an address that no host can have.</returns>
    [Linux("br_fdb_add")]
    public int BrFdbAdd(NetBridgePort port, ReadOnlySpan<byte> addr)
    {
        if (!BrIf.IsValidEtherAddr(addr))
            return -EINVAL;
        ulong key = KeyOf(addr);
        if (entries.TryGetValue(key, out NetBridgeFdbEntry? fdb))
            FdbDelete(fdb);
        entries[key] = new NetBridgeFdbEntry(key, port, local: false, isStatic: true);
        return 0;
    }

    /// <summary>Forgets an address (<c>bridge fdb del</c>).</summary>
    /// <returns>0, or -ENOENT.</returns>
    [Linux("br_fdb_delete")]
    public int BrFdbDelete(ReadOnlySpan<byte> addr)
    {
        if (!entries.TryGetValue(KeyOf(addr), out NetBridgeFdbEntry? fdb))
            return -ENOENT;
        FdbDelete(fdb);
        return 0;
    }

    /// <summary>A port has another address.</summary>
    [Linux("br_fdb_changeaddr")]
    internal void BrFdbChangeaddr(NetBridgePort port, ReadOnlySpan<byte> newaddr)
    {
        foreach (NetBridgeFdbEntry fdb in Entries)
        {
            if (fdb.IsLocal && fdb.Dst == port)
                FdbDeleteLocal(port, fdb);
        }

        BrFdbAddLocal(port, newaddr);
    }

    /// <summary>The bridge has another address.</summary>
    [Linux("br_fdb_change_mac_address")]
    internal void BrFdbChangeMacAddress(ReadOnlySpan<byte> newaddr)
    {
        if (BrFdbFindRcu(br.Dev.DevAddr) is { IsLocal: true, Dst: null } old)
            FdbDeleteLocal(null, old);
        BrFdbAddLocal(null, newaddr);
    }

    /// <summary>Forgets what is behind a port; what was set too, when the port goes (<c>br_fdb_delete_by_port</c>).</summary>
    [Linux("br_fdb_delete_by_port")]
    internal void BrFdbDeleteByPort(NetBridgePort port, bool doAll)
    {
        foreach (NetBridgeFdbEntry fdb in Entries)
        {
            if (fdb.Dst != port || (!doAll && fdb.IsStatic))
                continue;
            if (fdb.IsLocal)
                FdbDeleteLocal(port, fdb);
            else
                FdbDelete(fdb);
        }
    }

    /// <summary>Forgets all that was learned (<c>br_fdb_flush</c>).</summary>
    [Linux("br_fdb_flush")]
    public void BrFdbFlush()
    {
        foreach (NetBridgeFdbEntry fdb in Entries)
        {
            if (!fdb.IsStatic)
                FdbDelete(fdb);
        }
    }

    /// <summary>The time of ageing changed: what is too old now goes.</summary>
    internal void HoldTimeChanged() => ArmGc(br.Jiffies);

    internal void Stop() => gcWork.Delete();

    internal static byte[] AddrOf(ulong key) =>
        [(byte)(key >> 40), (byte)(key >> 32), (byte)(key >> 24), (byte)(key >> 16), (byte)(key >> 8), (byte)key];

    internal static ulong KeyOf(ReadOnlySpan<byte> addr) =>
        (ulong)addr[0] << 40 | (ulong)addr[1] << 32 | (ulong)addr[2] << 24 | (ulong)addr[3] << 16 | (ulong)addr[4] << 8 | addr[5];

    // After a change of the topology addresses are forgotten soon (IEEE 802.1D section 7.9.2).
    private long HoldTime => br.TopologyChange ? br.ForwardDelay : br.AgeingTime;

    // The timer runs only while there is something to grow old.
    [Linux("br_fdb_cleanup")]
    private void BrFdbCleanup()
    {
        long now = br.Jiffies;
        long next = long.MaxValue;
        foreach (NetBridgeFdbEntry fdb in entries.Values)
        {
            if (fdb.IsStatic)
                continue;
            long expires = fdb.Updated + HoldTime;
            if (expires <= now)
                FdbDelete(fdb);
            else
                next = Math.Min(next, expires);
        }

        if (next != long.MaxValue)
            ArmGc(next);
    }

    private void ArmGc(long at) => gcWork.Mod(at * (1_000_000_000 / Clock.Hz));

    [Linux("fdb_delete")]
    private void FdbDelete(NetBridgeFdbEntry fdb)
    {
        if (entries.TryRemove(new KeyValuePair<ulong, NetBridgeFdbEntry>(fdb.Key, fdb)) && !fdb.IsStatic)
            Interlocked.Decrement(ref learned);
    }

    // Another port, or the bridge, may have the same address.
    [Linux("fdb_delete_local")]
    private void FdbDeleteLocal(NetBridgePort? port, NetBridgeFdbEntry fdb)
    {
        NetBridgePort? other = Array.Find(br.PortList, op => op != port && KeyOf(op.Dev.DevAddr) == fdb.Key);
        if (other != null)
            fdb.Dst = other;
        else if (port != null && KeyOf(br.Dev.DevAddr) == fdb.Key)
            fdb.Dst = null;
        else
            FdbDelete(fdb);
    }

    private sealed class KeyComparer(SiphashKey secret) : IEqualityComparer<ulong>
    {
        public bool Equals(ulong x, ulong y) => x == y;

        public int GetHashCode(ulong key) => (int)Siphash.Hash2(key, 0, secret);
    }
}
