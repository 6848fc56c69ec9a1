using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content><c>TCP_INFO</c>.</content>
public static partial class Tcp
{
    /// <summary>
    /// Tells the state of a connection (<c>struct tcp_info</c>); takes the socket lock except on listeners.
    /// </summary>
    [Linux("tcp_get_info")]
    public static void TcpGetInfo(TcpSock tp, out TcpInfo info)
    {
        info = default;
        info.TcpiState = (byte)tp.SkState;
        info.TcpiPacingRate = tp.SkPacingRate;
        info.TcpiMaxPacingRate = tp.SkMaxPacingRate;
        info.TcpiReordering = tp.Reordering;
        info.TcpiSndCwnd = tp.SndCwnd;
        if (info.TcpiState == TCP_LISTEN)
        {
            // A listener's queue is shown in fields that it does not need.
            info.TcpiUnacked = (uint)Volatile.Read(ref tp.SkAckBacklog);
            info.TcpiSacked = (uint)Volatile.Read(ref tp.SkMaxAckBacklog);
            return;
        }

        tp.LockSock();
        InfoOfRecovery(tp, ref info);
        InfoOfTimes(tp, ref info);
        InfoOfWindows(tp, ref info);
        InfoOfCounters(tp, ref info);
        tp.ReleaseSock();
    }

    private static void InfoOfRecovery(TcpSock tp, ref TcpInfo info)
    {
        info.TcpiCaState = tp.IcskCaState;
        info.TcpiRetransmits = tp.IcskRetransmits;
        info.TcpiProbes = tp.IcskProbesOut;
        info.TcpiBackoff = tp.IcskBackoff;
        int options = 0;
        if (tp.RxOpt.TstampOk)
            options |= TCPI_OPT_TIMESTAMPS;
        if (tp.TcpIsSack)
            options |= TCPI_OPT_SACK;
        if (tp.RxOpt.WscaleOk)
        {
            options |= TCPI_OPT_WSCALE;
            info.TcpiWscale = (byte)(tp.RxOpt.SndWscale | tp.RxOpt.RcvWscale << 4);
        }

        if ((tp.EcnFlags & TCP_ECN_OK) != 0)
            options |= TCPI_OPT_ECN;
        if ((tp.EcnFlags & TCP_ECN_SEEN) != 0)
            options |= TCPI_OPT_ECN_SEEN;
        info.TcpiOptions = (byte)options;
        info.TcpiUnacked = tp.PacketsOut;
        info.TcpiSacked = tp.SackedOut;
        info.TcpiLost = tp.LostOut;
        info.TcpiRetrans = tp.RetransOut;
        info.TcpiTotalRetrans = tp.TotalRetrans;
        info.TcpiReordSeen = tp.ReordSeen;
        info.TcpiDsackDups = tp.DsackDups;
        info.TcpiRcvOoopack = tp.RcvOooPack;
        info.TcpiRehash = tp.TimeoutRehash;
        info.TcpiTotalRto = tp.TotalRto;
        info.TcpiTotalRtoRecoveries = tp.TotalRtoRecoveries;
        info.TcpiTotalRtoTime = tp.TotalRtoTime;
        if (tp.RtoStamp != 0)
            info.TcpiTotalRtoTime += (uint)tp.Machine.Clock.Jiffies - tp.RtoStamp;
    }

    private static void InfoOfTimes(TcpSock tp, ref TcpInfo info)
    {
        long now = tp.Machine.Clock.Now;
        info.TcpiRto = (uint)(tp.IcskRto / Clock.NsecPerUsec);
        info.TcpiAto = (uint)(Math.Min(tp.IcskAck.Ato, tp.IcskDelackMax) / Clock.NsecPerUsec);
        info.TcpiLastDataSent = Milliseconds(now - tp.Lsndtime);
        info.TcpiLastDataRecv = Milliseconds(now - tp.IcskAck.Lrcvtime);
        info.TcpiLastAckRecv = Milliseconds(now - tp.RcvTstamp);
        info.TcpiRtt = tp.SrttUs >> 3;
        info.TcpiRttvar = tp.MdevUs >> 2;
        info.TcpiRcvRtt = tp.RcvRttEst.RttUs >> 3;
        info.TcpiMinRtt = tp.TcpMinRtt;
        TcpGetInfoChronoStats(tp, ref info);
    }

    [Linux("tcp_get_info_chrono_stats")]
    private static void TcpGetInfoChronoStats(TcpSock tp, ref TcpInfo info)
    {
        Span<ulong> stats = stackalloc ulong[4];
        ulong total = 0;
        for (int i = (int)TcpChronoType.Busy; i <= (int)TcpChronoType.SndbufLimited; i++)
        {
            stats[i] = tp.ChronoStat[i - 1];
            if (i == (int)tp.ChronoType)
                stats[i] += (uint)tp.Machine.Clock.Jiffies - tp.ChronoStart;
            stats[i] *= 1000;
            total += stats[i];
        }

        info.TcpiBusyTime = total;
        info.TcpiRwndLimited = stats[(int)TcpChronoType.RwndLimited];
        info.TcpiSndbufLimited = stats[(int)TcpChronoType.SndbufLimited];
    }

    private static void InfoOfWindows(TcpSock tp, ref TcpInfo info)
    {
        info.TcpiSndMss = (uint)tp.MssCache;
        info.TcpiRcvMss = (uint)tp.IcskAck.RcvMss;
        info.TcpiPmtu = (uint)tp.IcskPmtuCookie;
        info.TcpiRcvSsthresh = tp.RcvSsthresh;
        info.TcpiSndSsthresh = tp.SndSsthresh;
        info.TcpiAdvmss = tp.Advmss;
        info.TcpiRcvSpace = tp.RcvqSpace.Space;
        info.TcpiSndWnd = tp.SndWnd;
        info.TcpiRcvWnd = tp.RcvWnd;
        info.TcpiNotsentBytes = (uint)Math.Max(0, (int)(tp.WriteSeq - tp.SndNxt));
    }

    private static void InfoOfCounters(TcpSock tp, ref TcpInfo info)
    {
        info.TcpiBytesAcked = tp.BytesAcked;
        info.TcpiBytesReceived = tp.BytesReceived;
        info.TcpiBytesSent = tp.BytesSent;
        info.TcpiBytesRetrans = tp.BytesRetrans;
        info.TcpiSegsIn = tp.SegsIn;
        info.TcpiSegsOut = tp.SegsOut;
        info.TcpiDataSegsIn = tp.DataSegsIn;
        info.TcpiDataSegsOut = tp.DataSegsOut;
        info.TcpiDelivered = tp.Delivered;
        info.TcpiDeliveredCe = tp.DeliveredCe;
        info.TcpiAppLimitedFastopen = tp.RateAppLimited ? (byte)1 : (byte)0;
        if (tp.RateDelivered != 0 && tp.RateIntervalUs != 0)
            info.TcpiDeliveryRate = (ulong)tp.RateDelivered * (uint)tp.MssCache * 1_000_000 / tp.RateIntervalUs;
    }

    private static uint Milliseconds(long ns) => (uint)(ns / Clock.NsecPerMsec);
}
