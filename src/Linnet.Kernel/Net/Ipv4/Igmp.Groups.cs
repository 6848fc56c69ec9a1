using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The groups of a device, and the filters of their sources: the sum of what all sockets asked for.</content>
public static partial class Igmp
{
    /// <summary>Whether this host takes packets to a group that come in by a device (<c>ip_check_mc_rcu</c>).</summary>
    /// <param name="inDev">The device.</param>
    /// <param name="mcAddr">The group.</param>
    /// <param name="srcAddr">The sender; 0 when it is not known yet.</param>
    /// <param name="proto">Transport protocol.</param>
    [Linux("ip_check_mc_rcu")]
    public static bool IpCheckMcRcu(InDevice inDev, uint mcAddr, uint srcAddr, byte proto)
    {
        if (inDev.FindGroup(mcAddr) is not { } im)
            return false;
        if (proto == IPPROTO_IGMP || srcAddr == 0)
            return true;
        int excludes = Volatile.Read(ref im.Sfcount[MCAST_EXCLUDE]);
        if (im.Find(srcAddr) is not { } psf)
            return excludes != 0;
        return Volatile.Read(ref psf.SfCount[MCAST_INCLUDE]) != 0 || Volatile.Read(ref psf.SfCount[MCAST_EXCLUDE]) != excludes;
    }

    /// <summary>Counts one more user of a group on a device (<c>ip_mc_inc_group</c>).</summary>
    /// <param name="inDev">The device.</param>
    /// <param name="addr">The group.</param>
    /// <param name="mode"><c>MCAST_EXCLUDE</c> for all sources, <c>MCAST_INCLUDE</c> for those that follow.</param>
    [Linux("__ip_mc_inc_group")]
    public static void IpMcIncGroup(InDevice inDev, uint addr, int mode = MCAST_EXCLUDE)
    {
        lock (inDev.McLock)
        {
            if (inDev.FindGroup(addr) is { } known)
            {
                known.Users++;
                AddSrcLocked(known, mode, [], delta: false);
                return;
            }

            IpMcList im = new(inDev, addr) { Sfmode = mode };
            im.Sfcount[mode] = 1;
            im.Timer = new TimerList(inDev.Dev.Net.Machine.Timers, static group => IgmpTimerExpire((IpMcList)group), im);
            inDev.McList = [im, .. inDev.McList];
            Igmpv3DelDelrec(inDev, im);
            IgmpGroupAdded(im);
        }

        Route.RtCacheFlush(inDev.Dev.Net);
    }

    /// <summary>Counts one user less of a group; the last one ends the membership (<c>ip_mc_dec_group</c>).</summary>
    [Linux("__ip_mc_dec_group")]
    public static void IpMcDecGroup(InDevice inDev, uint addr)
    {
        SkBuff? leave;
        lock (inDev.McLock)
        {
            if (inDev.FindGroup(addr) is not { } im || --im.Users != 0)
                return;
            inDev.McList = [.. inDev.McList.Where(other => other != im)];
            leave = IgmpGroupDropped(im);
            IpMcClearSrc(im);
        }

        Transmit(inDev, leave);
        Route.RtCacheFlush(inDev.Dev.Net);
    }

    // The group begins on the device; routers are told. McLock is held.
    [Linux("igmp_group_added")]
    private static void IgmpGroupAdded(IpMcList im)
    {
        InDevice inDev = im.Interface;
        NetnsIpv4 ipv4 = inDev.Dev.Net.Ipv4;
        if (!im.Loaded)
        {
            im.Loaded = true;
            IpMcFilterAdd(inDev, im.Multiaddr);
        }

        if (inDev.Dead || !IsReported(ipv4, im.Multiaddr))
            return;
        im.UnsolicitCount = ipv4.SysctlIgmpQrv;
        if (IgmpV1Seen(inDev) || IgmpV2Seen(inDev))
        {
            IgmpStartTimer(im, InitialReportDelay);
            return;
        }

        // A join for named sources is no change of the mode, which was "include nothing" (RFC 3376 section 5.1).
        if (im.Sfmode == MCAST_EXCLUDE)
            im.Crcount = QrvOf(inDev);
        IgmpIfcEvent(inDev);
    }

    // The group ends on the device. McLock is held; the packet that is returned is to be sent without it.
    [Linux("__igmp_group_dropped")]
    private static SkBuff? IgmpGroupDropped(IpMcList im)
    {
        InDevice inDev = im.Interface;
        if (im.Loaded)
        {
            im.Loaded = false;
            IpMcFilterDel(inDev, im.Multiaddr);
        }

        if (!IsReported(inDev.Dev.Net.Ipv4, im.Multiaddr))
            return null;
        bool reporter = im.Reporter;
        IgmpStopTimer(im);
        if (inDev.Dead || IgmpV1Seen(inDev))
            return null;
        if (IgmpV2Seen(inDev))
            return reporter ? IgmpSendReport(inDev, im.Multiaddr, IGMP_HOST_LEAVE_MESSAGE) : null;
        Igmpv3AddDelrec(inDev, im);
        IgmpIfcEvent(inDev);
        return null;
    }

    [Linux("ip_mc_filter_add")]
    private static void IpMcFilterAdd(InDevice inDev, uint addr)
    {
        if (inDev.Dev.Type == ARPHRD_ETHER)
            DevAddrLists.DevMcAdd(inDev.Dev, ArpTable.IpEthMcMap(addr));
    }

    [Linux("ip_mc_filter_del")]
    private static void IpMcFilterDel(InDevice inDev, uint addr)
    {
        if (inDev.Dev.Type == ARPHRD_ETHER)
            DevAddrLists.DevMcDel(inDev.Dev, ArpTable.IpEthMcMap(addr));
    }

    /// <summary>Adds sources to the filter of a group on a device.</summary>
    /// <param name="inDev">The device.</param>
    /// <param name="pmca">The group.</param>
    /// <param name="sfmode"><c>MCAST_INCLUDE</c> or <c>MCAST_EXCLUDE</c>.</param>
    /// <param name="sources">The sources.</param>
    /// <param name="delta">Whether they are added to a filter that was counted before.</param>
    /// <returns>0, or -ESRCH when the host is not in the group.</returns>
    [Linux("ip_mc_add_src")]
    private static int IpMcAddSrc(InDevice inDev, uint pmca, int sfmode, ReadOnlySpan<uint> sources, bool delta)
    {
        lock (inDev.McLock)
        {
            if (inDev.FindGroup(pmca) is not { } pmc)
                return -ESRCH;
            AddSrcLocked(pmc, sfmode, sources, delta);
        }

        Route.RtCacheFlush(inDev.Dev.Net);
        return 0;
    }

    private static void AddSrcLocked(IpMcList pmc, int sfmode, ReadOnlySpan<uint> sources, bool delta)
    {
        SfMarkstate(pmc);
        bool wasExclude = pmc.Sfmode == MCAST_EXCLUDE;
        if (!delta)
            pmc.Sfcount[sfmode]++;
        foreach (uint source in sources)
            IpMcAdd1Src(pmc, sfmode, source);
        if (wasExclude != pmc.Excludes)
            ChangeMode(pmc, pmc.Excludes ? MCAST_EXCLUDE : MCAST_INCLUDE);
        else if (SfSetstate(pmc))
            IgmpIfcEvent(pmc.Interface);
    }

    /// <summary>Takes sources out of the filter of a group on a device.</summary>
    /// <returns>0, -ESRCH, or -EINVAL when nobody asked for the mode.</returns>
    [Linux("ip_mc_del_src")]
    private static int IpMcDelSrc(InDevice inDev, uint pmca, int sfmode, ReadOnlySpan<uint> sources, bool delta)
    {
        int err = 0;
        lock (inDev.McLock)
        {
            if (inDev.FindGroup(pmca) is not { } pmc)
                return -ESRCH;
            SfMarkstate(pmc);
            if (!delta)
            {
                if (pmc.Sfcount[sfmode] == 0)
                    return -EINVAL;
                pmc.Sfcount[sfmode]--;
            }

            bool changed = false;
            foreach (uint source in sources)
            {
                int rv = IpMcDel1Src(pmc, sfmode, source);
                changed |= rv > 0;
                if (err == 0 && rv < 0)
                    err = rv;
            }

            if (pmc.Sfmode == MCAST_EXCLUDE && !pmc.Excludes && pmc.Sfcount[MCAST_INCLUDE] != 0)
                ChangeMode(pmc, MCAST_INCLUDE);
            else if (SfSetstate(pmc) || changed)
                IgmpIfcEvent(inDev);
        }

        Route.RtCacheFlush(inDev.Dev.Net);
        return err;
    }

    // The mode is reported instead of single sources.
    private static void ChangeMode(IpMcList pmc, int mode)
    {
        InDevice inDev = pmc.Interface;
        pmc.Sfmode = mode;
        pmc.Crcount = QrvOf(inDev);
        inDev.MrIfcCount = pmc.Crcount;
        foreach (IpSfList psf in pmc.Sources)
            psf.SfCrcount = 0;
        IgmpIfcEvent(inDev);
    }

    [Linux("ip_mc_add1_src")]
    private static void IpMcAdd1Src(IpMcList pmc, int sfmode, uint source)
    {
        IpSfList? psf = pmc.Find(source);
        if (psf == null)
            pmc.Add(psf = new IpSfList(source));
        psf.SfCount[sfmode]++;
    }

    // 1 when the source has to be reported as gone.
    [Linux("ip_mc_del1_src")]
    private static int IpMcDel1Src(IpMcList pmc, int sfmode, uint source)
    {
        if (pmc.Find(source) is not { } psf || psf.SfCount[sfmode] == 0)
            return -ESRCH;
        psf.SfCount[sfmode]--;
        if (psf.SfCount[MCAST_INCLUDE] != 0 || psf.SfCount[MCAST_EXCLUDE] != 0)
            return 0;
        InDevice inDev = pmc.Interface;
        pmc.Remove(psf);
        if (!psf.SfOldin || IgmpV1Seen(inDev) || IgmpV2Seen(inDev))
            return 0;
        psf.SfCrcount = QrvOf(inDev);
        pmc.Tomb.Insert(0, psf);
        return 1;
    }

    // Notes which sources are wanted before a change.
    [Linux("sf_markstate")]
    private static void SfMarkstate(IpMcList pmc)
    {
        foreach (IpSfList psf in pmc.Sources)
            psf.SfOldin = psf.IsIn(pmc);
    }

    // Has sources reported that are wanted now and were not, or the other way round; whether there are any.
    [Linux("sf_setstate")]
    private static bool SfSetstate(IpMcList pmc)
    {
        int qrv = pmc.Interface.MrQrv;
        bool changed = false;
        foreach (IpSfList psf in pmc.Sources)
        {
            bool isIn = psf.IsIn(pmc);
            if (isIn == psf.SfOldin)
                continue;
            changed = true;
            int dead = pmc.Tomb.FindIndex(other => other.SfInaddr == psf.SfInaddr);
            if (isIn)
            {
                if (dead >= 0)
                    pmc.Tomb.RemoveAt(dead);
                psf.SfCrcount = qrv;
                continue;
            }

            psf.SfCrcount = 0;
            if (dead < 0)
            {
                pmc.Tomb.Insert(0, new IpSfList(psf.SfInaddr) { SfOldin = true });
                psf.SfCount.CopyTo(pmc.Tomb[0].SfCount, 0);
                dead = 0;
            }

            pmc.Tomb[dead].SfCrcount = qrv;
        }

        return changed;
    }

    [Linux("ip_mc_clear_src")]
    private static void IpMcClearSrc(IpMcList pmc)
    {
        pmc.Tomb = [];
        pmc.Sources = [];
        pmc.Sfmode = MCAST_EXCLUDE;
        pmc.Sfcount[MCAST_INCLUDE] = 0;
        pmc.Sfcount[MCAST_EXCLUDE] = 1;
    }
}
