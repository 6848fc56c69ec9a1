using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>The settings of neighbours on a device, and those that new devices start with, under Linux's names.</summary>
[LinuxFile("net/core/neighbour.c")]
internal static class SysctlNeigh
{
    // Some times are in hundredths of a second (USER_HZ), and the queue can be given in packets of this truesize.
    private const int UserTick = 10;
    private const int FullFrame = 1514 + 256 + 320;

    private static readonly (string Name, int Unit, Func<NeighParms, int> Get, Action<NeighParms, int> Set)[] Settings =
    [
        ("mcast_solicit", 1, p => p.McastProbes, (p, v) => p.McastProbes = v),
        ("mcast_resolicit", 1, p => p.McastReprobes, (p, v) => p.McastReprobes = v),
        ("ucast_solicit", 1, p => p.UcastProbes, (p, v) => p.UcastProbes = v),
        ("app_solicit", 1, p => p.AppProbes, (p, v) => p.AppProbes = v),
        ("retrans_time", UserTick, p => p.RetransTime, (p, v) => p.RetransTime = v),
        ("retrans_time_ms", 1, p => p.RetransTime, (p, v) => p.RetransTime = v),
        ("base_reachable_time", 1000, p => p.BaseReachableTime, (p, v) => p.SetBaseReachableTime(v)),
        ("base_reachable_time_ms", 1, p => p.BaseReachableTime, (p, v) => p.SetBaseReachableTime(v)),
        ("delay_first_probe_time", 1000, p => p.DelayProbeTime, (p, v) => p.DelayProbeTime = v),
        ("gc_stale_time", 1000, p => p.GcStaletime, (p, v) => p.GcStaletime = v),
        ("unres_qlen", FullFrame, p => p.QueueLenBytes, (p, v) => p.QueueLenBytes = v),
        ("unres_qlen_bytes", 1, p => p.QueueLenBytes, (p, v) => p.QueueLenBytes = v),
        ("proxy_delay", UserTick, p => p.ProxyDelay, (p, v) => p.ProxyDelay = v),
        ("proxy_qlen", 1, p => p.ProxyQlen, (p, v) => p.ProxyQlen = v),
        ("locktime", UserTick, p => p.Locktime, (p, v) => p.Locktime = v),
    ];

    /// <summary>Registers the settings of a device, or of all that are to come.</summary>
    /// <param name="table">Where to.</param>
    /// <param name="prefix">How their paths begin.</param>
    /// <param name="neighbours">The neighbours of the protocol.</param>
    /// <param name="parms">The settings.</param>
    [Linux("neigh_sysctl_register")]
    internal static void NeighSysctlRegister(SysctlTable table, string prefix, NeighTable neighbours, NeighParms parms)
    {
        foreach ((string name, int unit, Func<NeighParms, int> get, Action<NeighParms, int> set) in Settings)
        {
            table.Register(prefix + name, new SysctlInt(
                () => get(parms) / unit,
                value =>
                {
                    set(parms, (int)value * unit);
                    if (parms == neighbours.DefaultParms)
                        NeighCopyDfltParms(neighbours, name, get, set);
                    else
                        parms.OwnSettings.Add(name);
                },
                0, int.MaxValue / unit));
        }
    }

    // A new default holds for the devices too that nobody gave a value of their own.
    [Linux("neigh_copy_dflt_parms")]
    private static void NeighCopyDfltParms(
        NeighTable neighbours, string name, Func<NeighParms, int> get, Action<NeighParms, int> set)
    {
        foreach (NetDevice dev in neighbours.Net.Devices.All)
        {
            if (neighbours.ParmsOf(dev) is { } parms && !parms.OwnSettings.Contains(name))
                set(parms, get(neighbours.DefaultParms));
        }
    }
}
