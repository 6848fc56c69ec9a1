using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Addresses, routes and neighbours.</content>
public sealed partial class NetnsIpv4
{
    // Replaced whole, under the lock of addresses; sorted by number.
    private FibTable[] fibTables = [];
    private int rtGenid;

    /// <summary>Settings that hold for all devices (<c>net.ipv4.conf.all</c>).</summary>
    public Ipv4DevconfTable DevconfAll { get; } = new();

    /// <summary>Settings that new devices start with (<c>net.ipv4.conf.default</c>).</summary>
    public Ipv4DevconfTable DevconfDflt { get; } = new();

    /// <summary>The neighbours (<c>arp_tbl</c>).</summary>
    public ArpTable ArpTbl { get; private set; } = null!;

    /// <summary>Local addresses of all devices; replaced whole.</summary>
    internal Dictionary<uint, InIfaddr> LocalAddresses { get; set => Volatile.Write(ref field, value); } = [];

    /// <summary>Taken to change addresses or routes (what Linux's rtnl lock is for here). Outermost of all locks of IPv4.</summary>
    internal Lock AddressLock { get; } = new();

    /// <summary>Route entries of an older generation are not used any more (<c>rt_genid</c>).</summary>
    internal int RtGenid => Volatile.Read(ref rtGenid);

    /// <summary>Guards the path MTU exceptions of all next hops (<c>fnhe_lock</c>).</summary>
    internal Lock FnheLock { get; } = new();

    /// <summary>Next hop descriptions in use, for sharing; guarded by <see cref="AddressLock"/>.</summary>
    internal FibInfoTable FibInfos { get; } = new();

    /// <summary>A route in the local table was not made for an address, so that source validation has to look in full.</summary>
    internal bool FibHasCustomLocalRoutes { get; set; }

    /// <summary>The policy rules (<c>rules_ops</c>).</summary>
    public Fib4Rules FibRules { get; private set; } = null!;

    /// <summary>The table of this host's addresses.</summary>
    internal FibTable FibLocal { get; } = new(RT_TABLE_LOCAL);

    /// <summary>The main table.</summary>
    internal FibTable FibMain { get; } = new(RT_TABLE_MAIN);

    /// <summary>The table that is looked in last; null while it has no route.</summary>
    internal FibTable? FibDefault { get; private set; }

    /// <summary>All tables, in the order of their numbers. The local and the main one are always there.</summary>
    public IReadOnlyList<FibTable> FibTables => Volatile.Read(ref fibTables);

    /// <summary>The routing table with a number, or null while it has no route (<c>fib_get_table</c>).</summary>
    public FibTable? FibGetTable(uint id)
    {
        foreach (FibTable table in Volatile.Read(ref fibTables))
        {
            if (table.Id == id)
                return table;
        }

        return null;
    }

    /// <summary>The routing table with a number, made if there is none (<c>fib_new_table</c>). The lock of addresses is held.</summary>
    internal FibTable FibNewTable(uint id)
    {
        if (FibGetTable(id) is { } found)
            return found;
        FibTable made = new(id);
        SetTables([.. fibTables, made]);
        return made;
    }

    /// <summary>Forgets a table that holds no route any more. The lock of addresses is held.</summary>
    internal void FibFreeTableIfEmpty(FibTable table)
    {
        if (table.IsEmpty && table.Id is not (RT_TABLE_LOCAL or RT_TABLE_MAIN))
            SetTables([.. fibTables.Where(other => other != table)]);
    }

    /// <summary>Makes all cached route entries obsolete (<c>rt_genid_bump_ipv4</c>).</summary>
    internal void BumpRtGenid() => Interlocked.Increment(ref rtGenid);

    partial void InitRouting()
    {
        fibTables = [FibMain, FibLocal];
        FibRules = new Fib4Rules(Net);
        ArpTbl = new ArpTable(Net);
        rtGenid = (int)(Net.Machine.Random.NextU32() & 0xffff);
        InitSysctlDefaults();
    }

    private void SetTables(IEnumerable<FibTable> tables)
    {
        FibTable[] sorted = [.. tables.OrderBy(table => table.Id)];
        FibDefault = Array.Find(sorted, table => table.Id == RT_TABLE_DEFAULT);
        Volatile.Write(ref fibTables, sorted);
    }
}
