using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Devices that come up and go down.</content>
public static partial class Igmp
{
    // RFC 3376 sections 8.2 and 8.3, ms; until a router says otherwise.
    private const long QueryInterval = 125_000;
    private const long QueryResponseInterval = 10_000;

    // A join is reported almost at once (IGMP_INITIAL_REPORT_DELAY).
    private const uint InitialReportDelay = 1;

    /// <summary>IPv4 begins on a device.</summary>
    [Linux("ip_mc_init_dev")]
    internal static void IpMcInitDev(InDevice inDev)
    {
        TimerBase timers = inDev.Dev.Net.Machine.Timers;
        inDev.MrGqTimer = new TimerList(timers, static dev => IgmpGqTimerExpire((InDevice)dev), inDev);
        inDev.MrIfcTimer = new TimerList(timers, static dev => IgmpIfcTimerExpire((InDevice)dev), inDev);
        IpMcReset(inDev);
    }

    /// <summary>The device came up: the host is in the group of all hosts, and reports the others anew.</summary>
    [Linux("ip_mc_up")]
    internal static void IpMcUp(InDevice inDev)
    {
        lock (inDev.McLock)
            IpMcReset(inDev);
        IpMcIncGroup(inDev, INADDR_ALLHOSTS_GROUP);
        lock (inDev.McLock)
        {
            foreach (IpMcList pmc in inDev.McList)
            {
                Igmpv3DelDelrec(inDev, pmc);
                IgmpGroupAdded(pmc);
            }
        }
    }

    /// <summary>The device went down: nothing is reported any more.</summary>
    [Linux("ip_mc_down")]
    internal static void IpMcDown(InDevice inDev)
    {
        lock (inDev.McLock)
        {
            // What an IGMPv2 router would have to be told cannot be sent.
            foreach (IpMcList pmc in inDev.McList)
                IgmpGroupDropped(pmc)?.Free();
            inDev.MrIfcCount = 0;
            inDev.MrIfcTimer.Delete();
            inDev.MrGqRunning = false;
            inDev.MrGqTimer.Delete();
        }

        IpMcDecGroup(inDev, INADDR_ALLHOSTS_GROUP);
    }

    /// <summary>IPv4 leaves the device.</summary>
    [Linux("ip_mc_destroy_dev")]
    internal static void IpMcDestroyDev(InDevice inDev)
    {
        lock (inDev.McLock)
            inDev.Dead = true;
        IpMcDown(inDev);
        lock (inDev.McLock)
        {
            foreach (IpMcList im in inDev.McList)
                im.Timer!.Delete();
            inDev.McList = [];
            inDev.McTomb.Clear();
        }
    }

    [Linux("ip_mc_reset")]
    private static void IpMcReset(InDevice inDev)
    {
        inDev.MrQi = QueryInterval;
        inDev.MrQri = QueryResponseInterval;
        inDev.MrQrv = inDev.Dev.Net.Ipv4.SysctlIgmpQrv;
    }

    // Until when an older router counts as present (RFC 3376 section 7.2.1); a device can also be told the version.
    private static bool IgmpV1Seen(InDevice inDev) => VersionSeen(inDev, 1, inDev.MrV1Seen);

    private static bool IgmpV2Seen(InDevice inDev) => VersionSeen(inDev, 2, inDev.MrV2Seen);

    private static bool VersionSeen(InDevice inDev, int version, long until)
    {
        NetNamespace net = inDev.Dev.Net;
        return net.Ipv4.DevconfAll[Ipv4Devconf.ForceIgmpVersion] == version
            || inDev.Cnf[Ipv4Devconf.ForceIgmpVersion] == version
            || (until != 0 && net.Machine.Clock.Jiffies < until);
    }

    // The group of all hosts is never reported; others of 224.0.0/24 need not be (RFC 3376 section 5).
    private static bool IsReported(NetnsIpv4 ipv4, uint group) =>
        group != INADDR_ALLHOSTS_GROUP && (!Ipv4Addr.IsLocalMulticast(group) || ipv4.SysctlIgmpLlmReports);

    private static int QrvOf(InDevice inDev) => inDev.MrQrv != 0 ? inDev.MrQrv : inDev.Dev.Net.Ipv4.SysctlIgmpQrv;

    [Linux("unsolicited_report_interval")]
    private static uint UnsolicitedReportInterval(InDevice inDev)
    {
        Ipv4Devconf setting = IgmpV1Seen(inDev) || IgmpV2Seen(inDev)
            ? Ipv4Devconf.Igmpv2UnsolicitedReportInterval
            : Ipv4Devconf.Igmpv3UnsolicitedReportInterval;
        return (uint)Math.Max(1, inDev.Cnf[setting]);
    }
}
