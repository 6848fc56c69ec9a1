using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// When reports are sent: after random delays, so that the hosts of a link do not all speak at once. Delays are in ms. All with
/// <see cref="InDevice.McLock"/> held, but what timers call.
/// </content>
public static partial class Igmp
{
    [Linux("igmp_start_timer")]
    private static void IgmpStartTimer(IpMcList im, uint maxDelay)
    {
        im.TmRunning = true;
        im.Timer!.Mod(After(im.Interface, maxDelay));
    }

    [Linux("igmp_stop_timer")]
    private static void IgmpStopTimer(IpMcList im)
    {
        im.Timer!.Delete();
        im.TmRunning = false;
        im.Reporter = false;
        im.UnsolicitCount = 0;
    }

    // A report that is due anyway before the delay has passed answers as well.
    [Linux("igmp_mod_timer")]
    private static void IgmpModTimer(IpMcList im, uint maxDelay)
    {
        im.UnsolicitCount = 0;
        Clock clock = im.Interface.Dev.Net.Machine.Clock;
        if (im.Timer!.Pending && im.Timer.Expires - clock.Now < maxDelay * NsecPerJiffy)
        {
            im.TmRunning = true;
            return;
        }

        IgmpStartTimer(im, maxDelay);
    }

    [Linux("igmp_gq_start_timer")]
    private static void IgmpGqStartTimer(InDevice inDev)
    {
        long expires = After(inDev, inDev.MrMaxdelay);
        if (inDev.MrGqRunning && expires >= inDev.MrGqTimer.Expires)
            return;
        inDev.MrGqRunning = true;
        inDev.MrGqTimer.Mod(expires);
    }

    [Linux("igmp_ifc_start_timer")]
    private static void IgmpIfcStartTimer(InDevice inDev, uint delay) => inDev.MrIfcTimer.Mod(After(inDev, delay));

    // Something changed that IGMPv3 routers are to be told.
    [Linux("igmp_ifc_event")]
    private static void IgmpIfcEvent(InDevice inDev)
    {
        if (IgmpV1Seen(inDev) || IgmpV2Seen(inDev))
            return;
        inDev.MrIfcCount = QrvOf(inDev);
        IgmpIfcStartTimer(inDev, InitialReportDelay);
    }

    [Linux("igmp_gq_timer_expire")]
    private static void IgmpGqTimerExpire(InDevice inDev)
    {
        Igmpv3Report report = new(inDev);
        lock (inDev.McLock)
        {
            inDev.MrGqRunning = false;
            Igmpv3SendReport(report, null);
        }

        report.Send();
    }

    [Linux("igmp_ifc_timer_expire")]
    private static void IgmpIfcTimerExpire(InDevice inDev)
    {
        Igmpv3Report report = new(inDev);
        lock (inDev.McLock)
        {
            Igmpv3SendCr(report);
            if (inDev.MrIfcCount != 0 && --inDev.MrIfcCount != 0)
                IgmpIfcStartTimer(inDev, UnsolicitedReportInterval(inDev));
        }

        report.Send();
    }

    [Linux("igmp_timer_expire")]
    private static void IgmpTimerExpire(IpMcList im)
    {
        InDevice inDev = im.Interface;
        SkBuff? old = null;
        Igmpv3Report report = new(inDev);
        lock (inDev.McLock)
        {
            im.TmRunning = false;
            if (im.UnsolicitCount != 0 && --im.UnsolicitCount != 0)
                IgmpStartTimer(im, UnsolicitedReportInterval(inDev));
            im.Reporter = true;
            if (IgmpV1Seen(inDev))
                old = IgmpSendReport(inDev, im.Multiaddr, IGMP_HOST_MEMBERSHIP_REPORT);
            else if (IgmpV2Seen(inDev))
                old = IgmpSendReport(inDev, im.Multiaddr, IGMPV2_HOST_MEMBERSHIP_REPORT);
            else
                Igmpv3SendReport(report, im);
        }

        Transmit(inDev, old);
        report.Send();
    }

    // The two extra ticks are Linux's.
    private static long After(InDevice inDev, uint maxDelay)
    {
        Machine machine = inDev.Dev.Net.Machine;
        return machine.Clock.Now + ((machine.Random.NextBelow(maxDelay) + 2) * NsecPerJiffy);
    }

    private const long NsecPerJiffy = 1_000_000_000 / Clock.Hz;
}
