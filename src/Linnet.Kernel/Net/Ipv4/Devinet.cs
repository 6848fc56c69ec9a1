using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>IPv4 addresses of devices.</summary>
[LinuxFile("net/ipv4/devinet.c")]
public static partial class Devinet
{
    /// <summary>Has IPv4 follow the devices of a machine; those that exist get their part at once.</summary>
    [Linux("devinet_init")]
    public static void DevinetInit(Machine machine)
    {
        NetCore core = NetCore.Of(machine);
        foreach (NetNamespace net in core.Namespaces)
        {
            foreach (NetDevice dev in net.Devices.All)
            {
                InetdevEvent(NetdevEvent.Register, dev);
                if (dev.IsUp)
                    InetdevEvent(NetdevEvent.Up, dev);
            }
        }

        core.InetGifconf = InetGifconf;
        RegisterNetlink(machine);
        FibFrontend.RegisterNetlink(machine);
        Fib4RulesNetlink.Register(machine);
        core.RegisterNetdeviceNotifier(new Notifier());
    }

    /// <summary>Gives a device an address, with the routes that follow from it (<c>ip addr add</c>).</summary>
    /// <param name="dev">The device.</param>
    /// <param name="local">Address of this host.</param>
    /// <param name="prefixLength">0 to 32.</param>
    /// <param name="peer">Address of the other end of a point-to-point link; 0 for none.</param>
    /// <param name="broadcast">Broadcast address; null for the prefix's last, 0 for none.</param>
    /// <param name="scope">Scope, <c>RT_SCOPE_*</c>; null to take host scope for 127/8 and universe for others.</param>
    /// <param name="label">Name for old ioctls; null for the device's.</param>
    /// <param name="flags"><c>IFA_F_*</c></param>
    /// <param name="protocol">Who made it, <c>IFAPROT_*</c>; 0 for nobody in particular.</param>
    /// <returns>0, -EEXIST, -EINVAL or -ENODEV (IPv4 does not run on the device).</returns>
    public static int InetAddrAdd(
        NetDevice dev, uint local, int prefixLength, uint peer = 0, uint? broadcast = null, byte? scope = null,
        string? label = null, uint flags = InIfaddr.IFA_F_PERMANENT, byte protocol = 0)
    {
        if (prefixLength is < 0 or > 32)
            return -EINVAL;
        if (InDevice.Get(dev) is not { } inDev)
            return -ENODEV;
        bool host = (local >> 24) == IN_LOOPBACKNET;
        bool hasBroadcast = prefixLength < 31 && peer == 0 && (dev.Flags & IFF_BROADCAST) != 0;
        InIfaddr ifa = new()
        {
            IfaDev = inDev,
            IfaLocal = local,
            IfaAddress = peer != 0 ? peer : local,
            IfaPrefixlen = prefixLength,
            IfaBroadcast = broadcast ?? (hasBroadcast ? local | ~InIfaddr.InetMakeMask(prefixLength) : 0),
            IfaScope = scope ?? (byte)(host ? RT_SCOPE_HOST : RT_SCOPE_UNIVERSE),
            IfaFlags = flags,
            IfaLabel = label ?? dev.Name,
            IfaProto = protocol,
        };
        return InetInsertIfa(ifa);
    }

    /// <summary>Takes an address from a device, with its routes (<c>ip addr del</c>).</summary>
    /// <returns>0 or -EADDRNOTAVAIL.</returns>
    public static int InetAddrDel(NetDevice dev, uint local, int prefixLength)
    {
        if (InDevice.Get(dev) is not { } inDev)
            return -ENODEV;
        lock (dev.Net.Ipv4.AddressLock)
        {
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if (ifa.IfaLocal != local || ifa.IfaPrefixlen != prefixLength)
                    continue;
                InetDelIfa(inDev, ifa);
                return 0;
            }
        }

        return -EADDRNOTAVAIL;
    }

    /// <summary>Lists an address and adds its routes.</summary>
    /// <returns>0, -EEXIST, or -EINVAL when its prefix is there with another scope.</returns>
    [Linux("__inet_insert_ifa")]
    internal static int InetInsertIfa(InIfaddr ifa, NlInfo info = default)
    {
        InDevice inDev = ifa.IfaDev;
        if (ifa.IfaLocal == 0)
            return 0;
        lock (inDev.Dev.Net.Ipv4.AddressLock)
        {
            uint flags = ifa.IfaFlags & ~InIfaddr.IFA_F_SECONDARY;
            foreach (InIfaddr other in inDev.IfaList)
            {
                if (other.IfaMask != ifa.IfaMask || !other.Match(ifa.IfaAddress))
                    continue;
                if (other.IfaLocal == ifa.IfaLocal)
                    return -EEXIST;
                if (other.IfaScope != ifa.IfaScope)
                    return -EINVAL;
                flags |= InIfaddr.IFA_F_SECONDARY;
            }

            ifa = ifa.WithFlags(flags, inDev.Dev.Net.Machine.Clock.Jiffies);
            List<InIfaddr> list = [.. inDev.IfaList];
            int at = ifa.IsSecondary
                ? list.Count
                : list.FindLastIndex(other => !other.IsSecondary && ifa.IfaScope <= other.IfaScope) + 1;
            list.Insert(at, ifa);
            inDev.IfaList = [.. list];
            IfaHashChanged(inDev.Dev.Net.Ipv4);
            RtmsgIfa(RTM_NEWADDR, ifa, info);
            FibFrontend.FibInetaddrEvent(ifa);
        }

        Route.RtCacheFlush(inDev.Dev.Net);
        return 0;
    }

    /// <summary>
    /// Takes an address away. The secondary addresses of its subnet go with it, unless <c>promote_secondaries</c> makes
    /// the first of them primary. The lock of addresses is held.
    /// </summary>
    [Linux("__inet_del_ifa")]
    internal static void InetDelIfa(InDevice inDev, InIfaddr ifa, NlInfo info = default)
    {
        List<InIfaddr> removed = [ifa];
        InIfaddr? promote = null;
        if (!ifa.IsSecondary)
        {
            foreach (InIfaddr other in inDev.IfaList)
            {
                if (!other.IsSecondary || other.IfaMask != ifa.IfaMask || !ifa.Match(other.IfaAddress))
                    continue;
                if (!inDev.OrConf(Ipv4Devconf.PromoteSecondaries))
                    removed.Add(other);
                else
                    promote ??= other;
            }
        }

        inDev.IfaList = [.. inDev.IfaList.Where(other => !removed.Contains(other) && other != promote)];
        IfaHashChanged(inDev.Dev.Net.Ipv4);
        foreach (InIfaddr gone in removed)
        {
            RtmsgIfa(RTM_DELADDR, gone, info);
            FibFrontend.FibDelIfaddr(gone);
        }

        if (promote != null)
        {
            FibFrontend.FibDelIfaddr(promote);
            InetInsertIfa(promote);
        }
        else if (inDev.IfaList.Length == 0)
        {
            FibFrontend.FibInetaddrGone(inDev.Dev);
        }

        Route.RtCacheFlush(inDev.Dev.Net);
    }

    /// <summary>
    /// The source address for packets to <paramref name="dst"/> on a device: the primary address whose prefix it is in, or
    /// else the first, or else one of another device.
    /// </summary>
    /// <param name="dev">The device.</param>
    /// <param name="dst">Destination; 0 for any.</param>
    /// <param name="scope">Narrowest scope that the address may have, <c>RT_SCOPE_*</c>.</param>
    /// <returns>The address, or 0.</returns>
    [Linux("inet_select_addr")]
    public static uint InetSelectAddr(NetDevice dev, uint dst, int scope)
    {
        uint addr = 0;
        if (InDevice.Get(dev) is { } inDev)
        {
            int localnetScope = inDev.OrConf(Ipv4Devconf.RouteLocalnet) ? RT_SCOPE_LINK : RT_SCOPE_HOST;
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if (ifa.IsSecondary || Math.Min(ifa.IfaScope, localnetScope) > scope)
                    continue;
                if (dst == 0 || ifa.Match(dst))
                    return ifa.IfaLocal;
                if (addr == 0)
                    addr = ifa.IfaLocal;
            }
        }

        return addr != 0 ? addr : SelectFromOthers(dev.Net, scope);
    }

    /// <summary>The first address that matches all that is given (<c>inet_confirm_addr</c>).</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="inDev">The device, or null for any.</param>
    /// <param name="dst">An address that has to be in the prefix; 0 for any.</param>
    /// <param name="local">The address itself; 0 for any.</param>
    /// <param name="scope">Narrowest scope.</param>
    /// <returns>The address, or 0.</returns>
    [Linux("inet_confirm_addr")]
    public static uint InetConfirmAddr(NetNamespace net, InDevice? inDev, uint dst, uint local, int scope)
    {
        if (inDev != null)
            return ConfirmAddrIndev(inDev, dst, local, scope);
        foreach (NetDevice dev in net.Devices.All)
        {
            if (InDevice.Get(dev) is { } each && ConfirmAddrIndev(each, dst, local, scope) is not 0 and var addr)
                return addr;
        }

        return 0;
    }

    /// <summary>Whether two addresses are in the same subnet of a device (<c>inet_addr_onlink</c>).</summary>
    [Linux("inet_addr_onlink")]
    public static bool InetAddrOnlink(InDevice inDev, uint a, uint b)
    {
        foreach (InIfaddr ifa in inDev.IfaList)
        {
            if (!ifa.IsSecondary && ifa.Match(a) && (b == 0 || ifa.Match(b)))
                return true;
        }

        return false;
    }

    /// <summary>The address entry with a local address, or null (<c>inet_lookup_ifaddr_rcu</c>).</summary>
    public static InIfaddr? InetLookupIfaddr(NetNamespace net, uint addr) =>
        net.Ipv4.LocalAddresses.GetValueOrDefault(addr);

    /// <summary>The device that has a local address, or null (<c>__ip_dev_find</c>).</summary>
    [Linux("__ip_dev_find")]
    public static NetDevice? IpDevFind(NetNamespace net, uint addr)
    {
        if (InetLookupIfaddr(net, addr) is { } ifa)
            return ifa.IfaDev.Dev;
        Flowi4 fl4 = new() { Daddr = addr };
        return IpFib.LookupLocal(net.Ipv4, in fl4, out FibResult res) == 0 && res.Type == RTN_LOCAL ? res.Nhc!.NhDev : null;
    }

    private static uint SelectFromOthers(NetNamespace net, int scope)
    {
        // Not loopback's device first is Linux's order of devices too: the loopback device has index 1.
        foreach (NetDevice dev in net.Devices.All)
        {
            if (InDevice.Get(dev) is not { } inDev)
                continue;
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if (!ifa.IsSecondary && ifa.IfaScope != RT_SCOPE_LINK && ifa.IfaScope <= scope)
                    return ifa.IfaLocal;
            }
        }

        return 0;
    }

    [Linux("confirm_addr_indev")]
    private static uint ConfirmAddrIndev(InDevice inDev, uint dst, uint local, int scope)
    {
        uint addr = 0;
        bool same = false;
        int localnetScope = inDev.OrConf(Ipv4Devconf.RouteLocalnet) ? RT_SCOPE_LINK : RT_SCOPE_HOST;
        foreach (InIfaddr ifa in inDev.IfaList)
        {
            int ifaScope = Math.Min(ifa.IfaScope, localnetScope);
            if (addr == 0 && (local == ifa.IfaLocal || local == 0) && ifaScope <= scope)
            {
                addr = ifa.IfaLocal;
                if (same)
                    break;
            }

            if (same)
                continue;
            same = (local == 0 || ifa.Match(local)) && (dst == 0 || ifa.Match(dst));
            if (!same || addr == 0)
                continue;
            if (local != 0 || dst == 0)
                break;
            if (ifa.Match(addr))
                break;
            if (ifaScope <= scope)
            {
                addr = ifa.IfaLocal;
                break;
            }

            same = false;
        }

        return same ? addr : 0;
    }

    // Readers look addresses up in an immutable dictionary.
    private static void IfaHashChanged(NetnsIpv4 ipv4)
    {
        Dictionary<uint, InIfaddr> all = [];
        foreach (NetDevice dev in ipv4.Net.Devices.All)
        {
            if (InDevice.Get(dev) is not { } inDev)
                continue;
            foreach (InIfaddr ifa in inDev.IfaList)
                all.TryAdd(ifa.IfaLocal, ifa);
        }

        ipv4.LocalAddresses = all;
    }

    [Linux("inetdev_init")]
    private static InDevice InetdevInit(NetDevice dev)
    {
        InDevice inDev = new(dev, dev.Net.Ipv4);
        if ((dev.Flags & IFF_LOOPBACK) != 0)
            inDev.Cnf[Ipv4Devconf.RpFilter] = 0;
        dev.Net.Ipv4.ArpTbl.AddDevice(dev);
        InDevice.Slot.Set(dev.Slots, inDev);
        SysctlNetIpv4.DevinetSysctlRegister(inDev);
        return inDev;
    }

    [Linux("inetdev_destroy")]
    private static void InetdevDestroy(InDevice inDev)
    {
        Igmp.IpMcDestroyDev(inDev);
        lock (inDev.Dev.Net.Ipv4.AddressLock)
        {
            while (inDev.IfaList is [var first, ..])
                InetDelIfa(inDev, first);
        }

        SysctlNetIpv4.DevinetSysctlUnregister(inDev);
        InDevice.Slot.Set(inDev.Dev.Slots, null);
        inDev.Dev.Net.Ipv4.ArpTbl.NeighIfdown(inDev.Dev);
    }

    [Linux("inetdev_event")]
    private static void InetdevEvent(NetdevEvent what, NetDevice dev)
    {
        if (NetnsIpv4.Slot.Find(dev.Net.Slots) == null)
            return;
        lock (dev.Net.Ipv4.AddressLock)
            dev.Net.Ipv4.FibRules.FibRulesEvent(what, dev);
        InDevice? inDev = InDevice.Get(dev);
        if (inDev == null)
        {
            if (what == NetdevEvent.Register || (what == NetdevEvent.ChangeMtu && dev.Mtu >= 68))
                InetdevInit(dev);
            return;
        }

        switch (what)
        {
            case NetdevEvent.Up:
                InetdevUp(inDev);
                break;
            case NetdevEvent.Down:
                Igmp.IpMcDown(inDev);
                FibFrontend.FibNetdevEvent(what, dev);
                break;
            case NetdevEvent.Change when dev.IsUp:
                FibFrontend.FibNetdevEvent(what, dev);
                Arp.ArpNetdevEvent(inDev);
                break;
            case NetdevEvent.ChangeMtu:
                FibSemantics.FibSyncMtu(dev);
                if (dev.Mtu < 68)
                    InetdevDestroy(inDev);
                Route.RtCacheFlush(dev.Net);
                break;
            case NetdevEvent.ChangeAddr:
                dev.Net.Ipv4.ArpTbl.NeighChangeaddr(dev);
                Route.RtCacheFlush(dev.Net);
                if (inDev.MaxConf(Ipv4Devconf.ArpNotify) != 0)
                    InetdevSendGratuitousArp(inDev);
                break;
            case NetdevEvent.ChangeName:
                InetdevChangename(inDev);
                break;
            case NetdevEvent.Unregister:
                FibFrontend.FibNetdevEvent(what, dev);
                InetdevDestroy(inDev);
                break;
        }
    }

    private static void InetdevUp(InDevice inDev)
    {
        NetDevice dev = inDev.Dev;
        Igmp.IpMcUp(inDev);
        bool inherent = (dev.Flags & IFF_LOOPBACK) != 0
            && !Array.Exists(inDev.IfaList, ifa => ifa.IfaLocal == INADDR_LOOPBACK);
        if (inherent)
            InetAddrAdd(dev, INADDR_LOOPBACK, 8, scope: RT_SCOPE_HOST, protocol: IFAPROT_KERNEL_LO);
        FibFrontend.FibNetdevEvent(NetdevEvent.Up, dev);
        if (inDev.MaxConf(Ipv4Devconf.ArpNotify) != 0)
            InetdevSendGratuitousArp(inDev);
    }

    [Linux("inetdev_send_gratuitous_arp")]
    private static void InetdevSendGratuitousArp(InDevice inDev)
    {
        if (!inDev.Dev.IsUp)
            return;
        foreach (InIfaddr ifa in inDev.IfaList)
            Arp.ArpSend(ARPOP_REQUEST, ifa.IfaLocal, inDev.Dev, ifa.IfaLocal, default, inDev.Dev.DevAddr, default);
    }

    // The part of a label behind the colon stays, as Linux keeps it.
    [Linux("inetdev_changename")]
    private static void InetdevChangename(InDevice inDev)
    {
        lock (inDev.Dev.Net.Ipv4.AddressLock)
        {
            inDev.IfaList = [.. inDev.IfaList.Select(ifa => Relabel(ifa, inDev.Dev.Name))];
            IfaHashChanged(inDev.Dev.Net.Ipv4);
        }

        SysctlNetIpv4.DevinetSysctlUnregister(inDev);
        SysctlNetIpv4.DevinetSysctlRegister(inDev);

        static InIfaddr Relabel(InIfaddr ifa, string name)
        {
            int colon = ifa.IfaLabel.IndexOf(':', StringComparison.Ordinal);
            return new InIfaddr
            {
                IfaDev = ifa.IfaDev,
                IfaLocal = ifa.IfaLocal,
                IfaAddress = ifa.IfaAddress,
                IfaPrefixlen = ifa.IfaPrefixlen,
                IfaBroadcast = ifa.IfaBroadcast,
                IfaScope = ifa.IfaScope,
                IfaFlags = ifa.IfaFlags,
                IfaRtPriority = ifa.IfaRtPriority,
                IfaLabel = colon < 0 ? name : name + ifa.IfaLabel[colon..],
            };
        }
    }

    private sealed class Notifier : NetdevNotifier
    {
        public override void Call(NetdevEvent what, NetDevice dev) => InetdevEvent(what, dev);
    }
}
