using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// Multicast groups: what sockets joined, which packets a host takes, and what routers are told (IGMP, RFC 3376, with RFC 2236
/// and RFC 1112 for older routers). Groups of a socket are changed with the socket owned, and read without a lock.
/// </summary>
[LinuxFile("net/ipv4/igmp.c")]
public static partial class Igmp
{
    /// <summary>Joins a group on a device; all sources are welcome.</summary>
    /// <returns>
    /// 0, -EINVAL for an address that is no group, -ENODEV, -EADDRINUSE when joined already, -ENOBUFS.
    /// </returns>
    [Linux("ip_mc_join_group")]
    public static int IpMcJoinGroup(InetSock sk, ref McRequest imr) => IpMcJoinGroupCore(sk, ref imr, MCAST_EXCLUDE);

    /// <summary>Joins a group for sources that are named one by one.</summary>
    [Linux("ip_mc_join_group_ssm")]
    public static int IpMcJoinGroupSsm(InetSock sk, ref McRequest imr, int mode) =>
        IpMcJoinGroupCore(sk, ref imr, mode);

    /// <summary>Leaves a group.</summary>
    /// <returns>0, -ENODEV, or -EADDRNOTAVAIL when it was not joined.</returns>
    [Linux("ip_mc_leave_group")]
    public static int IpMcLeaveGroup(InetSock sk, ref McRequest imr)
    {
        sk.AssertLocked();
        InDevice? inDev = IpMcFindDev(sk.SkNet, ref imr);
        if (imr.Ifindex == 0 && imr.Address == 0 && inDev == null)
            return -ENODEV;
        foreach (IpMcSocklist iml in sk.McList)
        {
            if (iml.Multiaddr != imr.Multiaddr)
                continue;
            if (imr.Ifindex != 0 ? iml.Ifindex != imr.Ifindex : imr.Address != 0 && imr.Address != iml.Address)
                continue;
            IpMcLeaveSrc(iml, inDev);
            sk.McList = [.. sk.McList.Where(other => other != iml)];
            if (inDev != null)
                IpMcDecGroup(inDev, iml.Multiaddr);
            return 0;
        }

        return -EADDRNOTAVAIL;
    }

    /// <summary>Adds a source to the filter of a joined group, or takes it out.</summary>
    /// <returns>0, -EINVAL without a join or in the other mode, -EADDRNOTAVAIL, -ENODEV, -ENOBUFS.</returns>
    [Linux("ip_mc_source")]
    public static int IpMcSource(bool add, int omode, InetSock sk, McRequest imr, uint source)
    {
        if (!Ipv4Addr.IsMulticast(imr.Multiaddr))
            return -EINVAL;
        if (IpMcFindDev(sk.SkNet, ref imr) is not { } inDev)
            return -ENODEV;
        if (Find(sk, imr.Multiaddr, imr.Ifindex) is not { } pmc)
            return -EINVAL;
        if (pmc.Sfmode != omode)
        {
            if (pmc.Sources.Length != 0)
                return -EINVAL;
            // The mode may change while no source is named.
            IpMcAddSrc(inDev, imr.Multiaddr, omode, [], delta: false);
            IpMcDelSrc(inDev, imr.Multiaddr, pmc.Sfmode, [], delta: false);
            pmc = Replace(sk, pmc, pmc with { Sfmode = omode });
        }

        bool known = pmc.Sources.Contains(source);
        if (!add)
        {
            if (!known)
                return -EADDRNOTAVAIL;
            // Nobody left to listen to is the same as having left.
            if (pmc.Sources.Length == 1 && omode == MCAST_INCLUDE)
                return IpMcLeaveGroup(sk, ref imr);
            IpMcDelSrc(inDev, imr.Multiaddr, omode, [source], delta: true);
            Replace(sk, pmc, pmc with { Sources = [.. pmc.Sources.Where(other => other != source)] });
            return 0;
        }

        if (pmc.Sources.Length >= sk.SkNet.Ipv4.SysctlIgmpMaxMsf)
            return -ENOBUFS;
        if (known)
            return -EADDRNOTAVAIL;
        Replace(sk, pmc, pmc with { Sources = [.. pmc.Sources, source] });
        IpMcAddSrc(inDev, imr.Multiaddr, omode, [source], delta: true);
        return 0;
    }

    /// <summary>Replaces the whole filter of a joined group.</summary>
    /// <returns>0, -EINVAL, -ENODEV.</returns>
    [Linux("ip_mc_msfilter")]
    public static int IpMcMsfilter(InetSock sk, McRequest imr, uint fmode, uint[] sources)
    {
        if (!Ipv4Addr.IsMulticast(imr.Multiaddr) || fmode is not (MCAST_INCLUDE or MCAST_EXCLUDE))
            return -EINVAL;
        if (IpMcFindDev(sk.SkNet, ref imr) is not { } inDev)
            return -ENODEV;
        if (fmode == MCAST_INCLUDE && sources.Length == 0)
            return IpMcLeaveGroup(sk, ref imr);
        if (Find(sk, imr.Multiaddr, imr.Ifindex) is not { } pmc)
            return -EINVAL;
        // The new filter comes before the old one goes, so that nothing that both let pass is reported as lost.
        int err = IpMcAddSrc(inDev, imr.Multiaddr, (int)fmode, sources, delta: false);
        if (err != 0)
            return err;
        IpMcDelSrc(inDev, imr.Multiaddr, pmc.Sfmode, pmc.Sources, delta: false);
        Replace(sk, pmc, pmc with { Sfmode = (int)fmode, Sources = sources });
        return 0;
    }

    /// <summary>Finds the filter of a joined group (<c>ip_mc_msfget</c>, <c>ip_mc_gsfget</c>).</summary>
    /// <returns>0, -EINVAL, -ENODEV, or -EADDRNOTAVAIL when the group was not joined.</returns>
    [Linux("ip_mc_msfget")]
    public static int IpMcMsfget(InetSock sk, McRequest imr, out IpMcSocklist? filter)
    {
        filter = null;
        if (!Ipv4Addr.IsMulticast(imr.Multiaddr))
            return -EINVAL;
        if (IpMcFindDev(sk.SkNet, ref imr) == null)
            return -ENODEV;
        filter = Find(sk, imr.Multiaddr, imr.Ifindex);
        return filter == null ? -EADDRNOTAVAIL : 0;
    }

    /// <summary>Whether a socket gets a packet to a group.</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="locAddr">The packet's destination.</param>
    /// <param name="rmtAddr">The packet's source.</param>
    /// <param name="dif">Index of the device that it came in by.</param>
    [Linux("ip_mc_sf_allow")]
    public static bool IpMcSfAllow(InetSock sk, uint locAddr, uint rmtAddr, int dif)
    {
        if (!Ipv4Addr.IsMulticast(locAddr))
            return true;
        return Find(sk, locAddr, dif) is { } pmc ? pmc.Allows(rmtAddr) : sk.Test(InetFlags.McAll);
    }

    /// <summary>Leaves all groups of a socket that is closed.</summary>
    [Linux("ip_mc_drop_socket")]
    public static void IpMcDropSocket(InetSock sk)
    {
        if (sk.McList.Length == 0)
            return;
        sk.LockSock();
        IpMcSocklist[] joined = sk.McList;
        sk.McList = [];
        sk.ReleaseSock();
        foreach (IpMcSocklist iml in joined)
        {
            if (InetdevByIndex(sk.SkNet, iml.Ifindex) is not { } inDev)
                continue;
            IpMcLeaveSrc(iml, inDev);
            IpMcDecGroup(inDev, iml.Multiaddr);
        }
    }

    // What the socket asked for is taken out of the sum on the device, which may have gone.
    [Linux("ip_mc_leave_src")]
    private static int IpMcLeaveSrc(IpMcSocklist iml, InDevice? inDev) =>
        inDev == null ? 0 : IpMcDelSrc(inDev, iml.Multiaddr, iml.Sfmode, iml.Sources, delta: false);

    [Linux("__ip_mc_join_group")]
    private static int IpMcJoinGroupCore(InetSock sk, ref McRequest imr, int mode)
    {
        sk.AssertLocked();
        if (!Ipv4Addr.IsMulticast(imr.Multiaddr))
            return -EINVAL;
        InDevice? inDev = IpMcFindDev(sk.SkNet, ref imr);
        if (inDev == null)
            return -ENODEV;
        if (Find(sk, imr.Multiaddr, imr.Ifindex) != null)
            return -EADDRINUSE;
        if (sk.McList.Length >= sk.SkNet.Ipv4.SysctlIgmpMaxMemberships)
            return -ENOBUFS;
        sk.McList = [new IpMcSocklist(imr.Multiaddr, imr.Address, imr.Ifindex, mode, []), .. sk.McList];
        IpMcIncGroup(inDev, imr.Multiaddr, mode);
        return 0;
    }

    // The device that is asked for by index or address, or that the route to the group leads to.
    [Linux("ip_mc_find_dev")]
    private static InDevice? IpMcFindDev(NetNamespace net, ref McRequest imr)
    {
        if (imr.Ifindex != 0)
            return InetdevByIndex(net, imr.Ifindex);
        NetDevice? dev = null;
        if (imr.Address != 0)
        {
            dev = Devinet.IpDevFind(net, imr.Address);
            if (dev == null)
                return null;
        }

        if (dev == null)
        {
            Flowi4 fl4 = Flowi4.InitOutput(0, 0, 0, RT_SCOPE_UNIVERSE, 0, 0, imr.Multiaddr, 0, 0, 0, 0);
            if (Route.IpRouteOutputKey(net, ref fl4, out Rtable? rt) == 0)
                dev = rt!.Dev;
        }

        if (dev == null)
            return null;
        imr.Ifindex = dev.Ifindex;
        return InDevice.Get(dev);
    }

    private static InDevice? InetdevByIndex(NetNamespace net, int ifindex) =>
        net.Devices.DevGetByIndex(ifindex) is { } dev ? InDevice.Get(dev) : null;

    private static IpMcSocklist? Find(InetSock sk, uint group, int ifindex)
    {
        foreach (IpMcSocklist pmc in sk.McList)
        {
            if (pmc.Multiaddr == group && pmc.Ifindex == ifindex)
                return pmc;
        }

        return null;
    }

    private static IpMcSocklist Replace(InetSock sk, IpMcSocklist old, IpMcSocklist changed)
    {
        sk.McList = [.. sk.McList.Select(pmc => ReferenceEquals(pmc, old) ? changed : pmc)];
        return changed;
    }
}
