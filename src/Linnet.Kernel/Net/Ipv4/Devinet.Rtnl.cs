using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>An address as a user describes it (<c>struct ifaddrmsg</c> with its attributes).</summary>
[LinuxStruct("ifaddrmsg")]
public sealed record InetAddressConfig
{
    /// <summary>Index of the device.</summary>
    public int Ifindex { get; init; }

    /// <summary>Address of this host.</summary>
    public uint Local { get; init; }

    /// <summary>
    /// The peer's address on a point-to-point link, otherwise <see cref="Local"/>; null to delete an address whatever its peer.
    /// </summary>
    public uint? Address { get; init; }

    /// <summary>Length of the prefix, 0 to 32.</summary>
    public int PrefixLength { get; init; } = 32;

    /// <summary>Broadcast address; 0 for none.</summary>
    public uint Broadcast { get; init; }

    /// <summary>Scope, <c>RT_SCOPE_*</c>.</summary>
    public byte Scope { get; init; }

    /// <summary>Name under which old ioctls find the address; null for the device's.</summary>
    public string? Label { get; init; }

    /// <summary><c>IFA_F_*</c></summary>
    public uint Flags { get; init; }

    /// <summary>Metric of the route to the prefix.</summary>
    public uint Priority { get; init; }

    /// <summary>Who makes it, <c>IFAPROT_*</c>; 0 for nobody in particular.</summary>
    public byte Protocol { get; init; }

    /// <summary>What to do about an address that exists, <c>NLM_F_*</c>.</summary>
    public int NlFlags { get; init; } = NLM_F_CREATE | NLM_F_EXCL;
}

/// <content>Addresses as netlink asks for them.</content>
public static partial class Devinet
{
    /// <summary>Adds an address, or changes one (<c>ip addr add</c>, <c>replace</c>).</summary>
    /// <returns>0, -ENODEV, -EINVAL, -EEXIST, or -ENOBUFS when IPv4 does not run on the device.</returns>
    [Linux("inet_rtm_newaddr")]
    public static int InetRtmNewaddr(NetNamespace net, InetAddressConfig cfg, NlInfo info = default)
    {
        if (cfg.PrefixLength is < 0 or > 32)
            return -EINVAL;
        if (net.Devices.DevGetByIndex(cfg.Ifindex) is not { } dev)
            return -ENODEV;
        if (InDevice.Get(dev) is not { } inDev)
            return -ENOBUFS;
        InIfaddr ifa = new()
        {
            IfaDev = inDev,
            IfaLocal = cfg.Local,
            IfaAddress = cfg.Address ?? cfg.Local,
            IfaPrefixlen = cfg.PrefixLength,
            IfaBroadcast = cfg.Broadcast,
            IfaScope = cfg.Scope,
            IfaFlags = cfg.Flags | InIfaddr.IFA_F_PERMANENT,
            IfaRtPriority = cfg.Priority,
            IfaLabel = cfg.Label ?? dev.Name,
            IfaProto = cfg.Protocol,
        };
        lock (net.Ipv4.AddressLock)
        {
            if (FindMatchingIfa(ifa) is not { } same)
                return InetInsertIfa(ifa, info);
            if ((cfg.NlFlags & NLM_F_EXCL) != 0 || (cfg.NlFlags & NLM_F_REPLACE) == 0)
                return -EEXIST;
            ChangePriority(inDev, same, cfg.Priority);
            RtmsgIfa(RTM_NEWADDR, FindMatchingIfa(ifa)!, info);
        }

        Route.RtCacheFlush(net);
        return 0;
    }

    /// <summary>Takes away the first address that fits (<c>ip addr del</c>).</summary>
    /// <returns>0, -ENODEV or -EADDRNOTAVAIL.</returns>
    [Linux("inet_rtm_deladdr")]
    public static int InetRtmDeladdr(NetNamespace net, InetAddressConfig cfg)
    {
        if (net.Devices.DevGetByIndex(cfg.Ifindex) is not { } dev || InDevice.Get(dev) is not { } inDev)
            return -ENODEV;
        lock (net.Ipv4.AddressLock)
        {
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if (cfg.Local != ifa.IfaLocal || (cfg.Label != null && cfg.Label != ifa.IfaLabel))
                    continue;
                if (cfg.Address is { } peer && (cfg.PrefixLength != ifa.IfaPrefixlen || !ifa.Match(peer)))
                    continue;
                InetDelIfa(inDev, ifa);
                return 0;
            }
        }

        return -EADDRNOTAVAIL;
    }

    [Linux("find_matching_ifa")]
    private static InIfaddr? FindMatchingIfa(InIfaddr ifa) => Array.Find(ifa.IfaDev.IfaList, other =>
        other.IfaMask == ifa.IfaMask && other.Match(ifa.IfaAddress) && other.IfaLocal == ifa.IfaLocal);

    // The route to the prefix gets the new metric; the one with the old metric goes once the new one is there.
    private static void ChangePriority(InDevice inDev, InIfaddr ifa, uint priority)
    {
        if (ifa.IfaRtPriority == priority)
            return;
        InIfaddr changed = new()
        {
            IfaDev = inDev,
            IfaLocal = ifa.IfaLocal,
            IfaAddress = ifa.IfaAddress,
            IfaPrefixlen = ifa.IfaPrefixlen,
            IfaBroadcast = ifa.IfaBroadcast,
            IfaScope = ifa.IfaScope,
            IfaFlags = ifa.IfaFlags,
            IfaRtPriority = priority,
            IfaLabel = ifa.IfaLabel,
            IfaProto = ifa.IfaProto,
            IfaCstamp = ifa.IfaCstamp,
        };
        FibFrontend.FibModifyPrefixMetric(ifa, changed);
        inDev.IfaList = [.. inDev.IfaList.Select(other => other == ifa ? changed : other)];
        IfaHashChanged(inDev.Dev.Net.Ipv4);
    }
}
