using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// How neighbours on one device are looked for and kept (<c>struct neigh_parms</c>); <c>net.ipv4.neigh.DEV.*</c>.
/// Times are in ms.
/// </summary>
[LinuxStruct("neigh_parms")]
public sealed class NeighParms
{
    /// <summary>Broadcast or multicast probes before a neighbour counts as unreachable.</summary>
    public int McastProbes = 3;

    /// <summary>Unicast probes of a known neighbour before it counts as unreachable.</summary>
    public int UcastProbes = 3;

    /// <summary>Broadcast probes after the unicast ones.</summary>
    public int McastReprobes;

    /// <summary>How often a program is asked for an address (<see cref="NeighTable.AppNs"/>) before the broadcast probes.</summary>
    public int AppProbes;

    /// <summary>Time between probes.</summary>
    public int RetransTime = 1000;

    /// <summary>Mean of the time for which a confirmed neighbour is taken as reachable.</summary>
    public int BaseReachableTime = 30_000;

    /// <summary>Time that higher layers have to confirm a stale neighbour that is used again.</summary>
    public int DelayProbeTime = 5000;

    /// <summary>Time after which an unused stale neighbour may be forgotten.</summary>
    public int GcStaletime = 60_000;

    /// <summary>Most time before a request is answered on behalf of another host; the delay is chosen at random.</summary>
    public int ProxyDelay = 800;

    /// <summary>Most requests that wait for that.</summary>
    public int ProxyQlen = 64;

    /// <summary>Bytes of truesize that may wait for one unresolved neighbour.</summary>
    public int QueueLenBytes = 212_992;

    /// <summary>Least age of an entry before another answer may replace its address.</summary>
    public int Locktime = 1000;

    /// <summary>Requests that wait to be answered on behalf of other hosts; guarded by the table's queue.</summary>
    internal int ProxyQueued;

    /// <summary>Names of the settings that somebody gave a value, so that a new default does not change them.</summary>
    internal HashSet<string> OwnSettings { get; } = [];

    private long lastRandom = long.MinValue;
    private int reachableTime;

    /// <summary>A copy, for a new device.</summary>
    public NeighParms Clone() => new()
    {
        McastProbes = McastProbes,
        UcastProbes = UcastProbes,
        McastReprobes = McastReprobes,
        AppProbes = AppProbes,
        ProxyDelay = ProxyDelay,
        ProxyQlen = ProxyQlen,
        RetransTime = RetransTime,
        BaseReachableTime = BaseReachableTime,
        DelayProbeTime = DelayProbeTime,
        GcStaletime = GcStaletime,
        QueueLenBytes = QueueLenBytes,
        Locktime = Locktime,
    };

    /// <summary>
    /// How long a confirmation lasts now: 0.5 to 1.5 times <see cref="BaseReachableTime"/>, drawn anew every 300 s
    /// (RFC 4861 section 6.3.2; <c>neigh_rand_reach_time</c>).
    /// </summary>
    internal int ReachableTime(Machine machine, long now)
    {
        const long RedrawAfter = 300_000;
        if (lastRandom == long.MinValue || now - lastRandom > RedrawAfter)
            RedrawReachableTime(machine, now);
        return reachableTime;
    }

    /// <summary>A new mean counts from the next confirmation on.</summary>
    internal void SetBaseReachableTime(int mean)
    {
        BaseReachableTime = mean;
        lastRandom = long.MinValue;
    }

    internal void RedrawReachableTime(Machine machine, long now)
    {
        lastRandom = now;
        int mean = BaseReachableTime;
        reachableTime = mean == 0 ? 0 : (int)machine.Random.NextBelow((uint)mean) + (mean >> 1);
    }
}
