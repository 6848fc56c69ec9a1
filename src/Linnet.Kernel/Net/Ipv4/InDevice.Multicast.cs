namespace Linnet.Kernel.Net.Ipv4;

/// <content>Multicast groups and what is known of the routers that ask for them. Times are in ms.</content>
public sealed partial class InDevice
{
    private IpMcList[] mcList = [];

    /// <summary>
    /// Guards the groups and all below. Nothing is sent while it is held; sockets' locks and the lock of addresses come before it.
    /// </summary>
    internal Lock McLock { get; } = new();

    /// <summary>Groups that the host is in on this device, the latest first; replaced whole.</summary>
    internal IpMcList[] McList
    {
        get => Volatile.Read(ref mcList);
        set => Volatile.Write(ref mcList, value);
    }

    /// <summary>Groups that were left, until that was reported (<c>mc_tomb</c>).</summary>
    internal List<IpMcList> McTomb { get; } = [];

    /// <summary>Until when an IGMPv1 router is taken to be there; 0 when there was none.</summary>
    internal long MrV1Seen;

    /// <summary>Until when an IGMPv2 router is taken to be there; 0 when there was none.</summary>
    internal long MrV2Seen;

    /// <summary>Longest delay of the answer to a general query.</summary>
    internal uint MrMaxdelay;

    /// <summary>Query interval of the router (RFC 3376 section 8.2).</summary>
    internal long MrQi;

    /// <summary>Query response interval (section 8.3).</summary>
    internal long MrQri;

    /// <summary>Robustness variable (section 8.1).</summary>
    internal int MrQrv;

    /// <summary>Whether an answer to a general query is due.</summary>
    internal bool MrGqRunning;

    /// <summary>How often changes are still to be reported.</summary>
    internal int MrIfcCount;

    /// <summary>When a general query is answered.</summary>
    internal TimerList MrGqTimer = null!;

    /// <summary>When changes are reported.</summary>
    internal TimerList MrIfcTimer = null!;

    /// <summary>IPv4 has left the device (<c>dead</c>).</summary>
    internal bool Dead;

    /// <summary>The group with an address, or null.</summary>
    internal IpMcList? FindGroup(uint group)
    {
        foreach (IpMcList im in McList)
        {
            if (im.Multiaddr == group)
                return im;
        }

        return null;
    }
}
