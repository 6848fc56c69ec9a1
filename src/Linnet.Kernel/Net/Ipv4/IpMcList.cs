using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A multicast group that this host is in on a device (<c>struct ip_mc_list</c>): the sum of what its sockets asked for, and
/// what is left to be told to routers. Guarded by <see cref="InDevice.McLock"/>; <see cref="Multiaddr"/>, <see cref="Sources"/>
/// and the counts are also read without it.
/// </summary>
/// <param name="inDev">The device.</param>
/// <param name="multiaddr">The group.</param>
[LinuxStruct("ip_mc_list")]
internal sealed class IpMcList(InDevice inDev, uint multiaddr)
{
    /// <summary>The device.</summary>
    public readonly InDevice Interface = inDev;

    /// <summary>The group.</summary>
    public readonly uint Multiaddr = multiaddr;

    /// <summary>The mode that was reported last, <c>MCAST_*</c>.</summary>
    public int Sfmode = MCAST_EXCLUDE;

    /// <summary>Sources that sockets named; replaced whole.</summary>
    public volatile IpSfList[] Sources = [];

    /// <summary>Sources that nobody names any more, until that was reported.</summary>
    public List<IpSfList> Tomb = [];

    /// <summary>How many joined in each mode.</summary>
    public readonly int[] Sfcount = new int[2];

    /// <summary>How many joined.</summary>
    public int Users = 1;

    /// <summary>When the group is to be reported.</summary>
    public TimerList? Timer;

    /// <summary>Whether <see cref="Timer"/> runs.</summary>
    public bool TmRunning;

    /// <summary>Whether the report on the wire was ours: who reported has to say when it leaves (IGMPv2).</summary>
    public bool Reporter;

    /// <summary>Reports still to be sent unasked (IGMPv1 and IGMPv2).</summary>
    public int UnsolicitCount;

    /// <summary>Whether the device takes the group's frames.</summary>
    public bool Loaded;

    /// <summary>Whether a query asked for marked sources only.</summary>
    public bool Gsquery;

    /// <summary>How often the change of the mode is still to be reported.</summary>
    public int Crcount;

    /// <summary>Whether anybody wants the group from all sources but some.</summary>
    public bool Excludes => Volatile.Read(ref Sfcount[MCAST_EXCLUDE]) != 0;

    /// <summary>The entry of a source, or null.</summary>
    public IpSfList? Find(uint source)
    {
        foreach (IpSfList psf in Sources)
        {
            if (psf.SfInaddr == source)
                return psf;
        }

        return null;
    }

    public void Add(IpSfList psf) => Sources = [.. Sources, psf];

    public void Remove(IpSfList psf) => Sources = [.. Sources.Where(other => other != psf)];
}

/// <summary>A source in the filter of a group (<c>struct ip_sf_list</c>); guarded as its group is.</summary>
/// <param name="source">The source.</param>
[LinuxStruct("ip_sf_list")]
internal sealed class IpSfList(uint source)
{
    /// <summary>The source.</summary>
    public readonly uint SfInaddr = source;

    /// <summary>How many include and exclude it; indices are <c>MCAST_*</c>.</summary>
    public readonly int[] SfCount = new int[2];

    /// <summary>Whether a query asked for it.</summary>
    public bool SfGsresp;

    /// <summary>Whether packets from it were wanted before the change that is under way.</summary>
    public bool SfOldin;

    /// <summary>How often its change is still to be reported.</summary>
    public int SfCrcount;

    /// <summary>Whether packets from it are wanted.</summary>
    public bool IsIn(IpMcList pmc) => pmc.Sfcount[MCAST_EXCLUDE] != 0
        ? pmc.Sfcount[MCAST_EXCLUDE] == SfCount[MCAST_EXCLUDE] && SfCount[MCAST_INCLUDE] == 0
        : SfCount[MCAST_INCLUDE] != 0;
}
