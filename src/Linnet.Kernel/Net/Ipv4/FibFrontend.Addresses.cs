using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The routes that addresses bring with them.</content>
public static partial class FibFrontend
{
    /// <summary>Adds the routes of an address: itself, its broadcast addresses, its prefix. The lock of addresses is held.</summary>
    [Linux("fib_add_ifaddr")]
    internal static void FibAddIfaddr(InIfaddr ifa)
    {
        NetDevice dev = ifa.IfaDev.Dev;
        uint mask = ifa.IfaMask;
        uint addr = ifa.IfaLocal;
        uint prefix = ifa.IfaAddress & mask;
        InIfaddr prim = ifa;
        if (ifa.IsSecondary && InetIfaByprefix(ifa.IfaDev, prefix, mask) is { } primary)
            prim = primary;

        FibMagic(NLM_F_CREATE | NLM_F_APPEND, RTN_LOCAL, addr, 32, prim, add: true);
        if (!dev.IsUp)
            return;
        if (ifa.IfaBroadcast != 0 && ifa.IfaBroadcast != INADDR_BROADCAST)
            FibMagic(NLM_F_CREATE | NLM_F_APPEND, RTN_BROADCAST, ifa.IfaBroadcast, 32, prim, add: true);
        if (Ipv4Addr.IsZeronet(prefix) || ifa.IsSecondary || (prefix == addr && ifa.IfaPrefixlen == 32))
            return;
        if ((ifa.IfaFlags & InIfaddr.IFA_F_NOPREFIXROUTE) == 0)
            FibMagic(NLM_F_CREATE | NLM_F_APPEND, PrefixType(dev), prefix, ifa.IfaPrefixlen, prim, add: true);
        if (ifa.IfaPrefixlen < 31)
            FibMagic(NLM_F_CREATE | NLM_F_APPEND, RTN_BROADCAST, prefix | ~mask, 32, prim, add: true);
    }

    /// <summary>
    /// Takes the routes of an address away that no remaining address of the device needs. The address is unlisted already;
    /// the lock of addresses is held.
    /// </summary>
    [Linux("fib_del_ifaddr")]
    internal static void FibDelIfaddr(InIfaddr ifa)
    {
        InDevice inDev = ifa.IfaDev;
        NetDevice dev = inDev.Dev;
        uint mask = ifa.IfaMask;
        uint prefix = ifa.IfaAddress & mask;
        uint broadcast = prefix | ~mask;
        InIfaddr prim = ifa;
        if (ifa.IsSecondary)
            prim = InetIfaByprefix(inDev, prefix, mask) ?? ifa;
        else if (!Ipv4Addr.IsZeronet(prefix) && (prefix != ifa.IfaLocal || ifa.IfaPrefixlen < 32)
            && (ifa.IfaFlags & InIfaddr.IFA_F_NOPREFIXROUTE) == 0)
            FibMagic(0, PrefixType(dev), prefix, ifa.IfaPrefixlen, prim, add: false);

        bool localKept = false;
        bool broadcastKept = false;
        bool lastKept = false;
        foreach (InIfaddr other in inDev.IfaList)
        {
            localKept |= other.IfaLocal == ifa.IfaLocal;
            uint otherLast = (other.IfaAddress & other.IfaMask) | ~other.IfaMask;
            bool hasLast = other.IfaPrefixlen < 31 && !other.IsSecondary;
            broadcastKept |= other.IfaBroadcast == ifa.IfaBroadcast || (hasLast && otherLast == ifa.IfaBroadcast);
            lastKept |= other.IfaBroadcast == broadcast || (hasLast && otherLast == broadcast);
        }

        if (ifa.IfaBroadcast != 0 && !broadcastKept)
            FibMagic(0, RTN_BROADCAST, ifa.IfaBroadcast, 32, prim, add: false);
        if (ifa.IfaPrefixlen < 31 && !lastKept && broadcast != ifa.IfaBroadcast)
            FibMagic(0, RTN_BROADCAST, broadcast, 32, prim, add: false);
        if (localKept)
            return;
        FibMagic(0, RTN_LOCAL, ifa.IfaLocal, 32, prim, add: false);
        if (InetAddrTypeDevTable(dev.Net, dev, ifa.IfaLocal) != RTN_LOCAL
            && FibSemantics.FibSyncDownAddr(dev, ifa.IfaLocal) > 0)
            FibFlush(dev.Net);
    }

    /// <summary>The route to an address's prefix gets another metric. The lock of addresses is held.</summary>
    [Linux("fib_modify_prefix_metric")]
    internal static void FibModifyPrefixMetric(InIfaddr before, InIfaddr after)
    {
        NetDevice dev = before.IfaDev.Dev;
        uint prefix = before.IfaAddress & before.IfaMask;
        bool hasRoute = (before.IfaFlags & (InIfaddr.IFA_F_SECONDARY | InIfaddr.IFA_F_NOPREFIXROUTE)) == 0
            && !Ipv4Addr.IsZeronet(prefix) && (prefix != before.IfaLocal || before.IfaPrefixlen < 32);
        if (!dev.IsUp || !hasRoute)
            return;
        FibMagic(NLM_F_CREATE, PrefixType(dev), prefix, before.IfaPrefixlen, after, add: true);
        FibMagic(0, PrefixType(dev), prefix, before.IfaPrefixlen, before, add: false);
    }

    /// <summary>An address is listed: its routes are added, and those that lacked it work again.</summary>
    [Linux("fib_inetaddr_event")]
    internal static void FibInetaddrEvent(InIfaddr ifa)
    {
        FibAddIfaddr(ifa);
        FibSemantics.FibSyncUp(ifa.IfaDev.Dev, RTNH_F_DEAD);
    }

    /// <summary>A device has no address any more: all routes over it go.</summary>
    internal static void FibInetaddrGone(NetDevice dev) => FibDisableIp(dev, NetdevEvent.Down, force: true);

    /// <summary>What happens to a device happens to the routes over it.</summary>
    [Linux("fib_netdev_event")]
    internal static void FibNetdevEvent(NetdevEvent what, NetDevice dev)
    {
        lock (dev.Net.Ipv4.AddressLock)
        {
            switch (what)
            {
                case NetdevEvent.Up:
                    foreach (InIfaddr ifa in InDevice.Get(dev)!.IfaList)
                        FibAddIfaddr(ifa);
                    FibSemantics.FibSyncUp(dev, RTNH_F_DEAD);
                    break;
                case NetdevEvent.Down or NetdevEvent.Unregister:
                    FibDisableIp(dev, what, force: what == NetdevEvent.Unregister);
                    break;
                case NetdevEvent.Change when dev.IsRunning:
                    FibSemantics.FibSyncUp(dev, RTNH_F_LINKDOWN);
                    break;
                case NetdevEvent.Change:
                    FibSemantics.FibSyncDownDev(dev, what, force: false);
                    break;
            }
        }

        Route.RtCacheFlush(dev.Net);
    }

    // The routes and the neighbours over a device go.
    [Linux("fib_disable_ip")]
    private static void FibDisableIp(NetDevice dev, NetdevEvent what, bool force)
    {
        if (FibSemantics.FibSyncDownDev(dev, what, force) > 0)
            FibFlush(dev.Net);
        dev.Net.Ipv4.ArpTbl.NeighIfdown(dev);
    }

    private static byte PrefixType(NetDevice dev) => (dev.Flags & IFF_LOOPBACK) != 0 ? (byte)RTN_LOCAL : (byte)RTN_UNICAST;

    private static InIfaddr? InetIfaByprefix(InDevice inDev, uint prefix, uint mask)
    {
        foreach (InIfaddr ifa in inDev.IfaList)
        {
            if (!ifa.IsSecondary && ifa.IfaMask == mask && ifa.Match(prefix))
                return ifa;
        }

        return null;
    }

    [Linux("fib_magic")]
    private static void FibMagic(int nlFlags, byte type, uint dst, int dstLength, InIfaddr ifa, bool add)
    {
        NetDevice dev = ifa.IfaDev.Dev;
        FibConfig cfg = new()
        {
            Protocol = RTPROT_KERNEL,
            Type = type,
            Dst = dst,
            DstLen = dstLength,
            Priority = type == RTN_UNICAST ? ifa.IfaRtPriority : 0,
            Prefsrc = ifa.IfaLocal,
            Oif = dev.Ifindex,
            NlFlags = nlFlags,
            Table = (uint)(type == RTN_UNICAST ? RT_TABLE_MAIN : RT_TABLE_LOCAL),
            Scope = (byte)(type == RTN_LOCAL ? RT_SCOPE_HOST : RT_SCOPE_LINK),
        };
        if (add)
            FibTableInsert(dev.Net, cfg);
        else
            FibTableDelete(dev.Net, cfg);
    }
}
