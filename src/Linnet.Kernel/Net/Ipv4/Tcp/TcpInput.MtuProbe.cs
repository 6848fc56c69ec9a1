using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>What became of a probe for a larger path MTU (RFC 4821 section 7.6).</content>
public static partial class TcpInput
{
    /// <summary>It was lost, and nothing else: packets of its size do not get through.</summary>
    [Linux("tcp_mtup_probe_failed")]
    private static void TcpMtupProbeFailed(TcpSock tp)
    {
        tp.IcskMtup.SearchHigh = tp.IcskMtup.ProbeSize - 1;
        tp.IcskMtup.ProbeSize = 0;
        tp.NetIncStats(LinuxMib.TCPMTUPFail);
    }

    /// <summary>It arrived: segments are of its size from now on, and the window holds as many bytes as before.</summary>
    [Linux("tcp_mtup_probe_success")]
    private static void TcpMtupProbeSuccess(TcpSock tp)
    {
        tp.PriorSsthresh = tp.TcpCurrentSsthresh;
        ulong bytes = (ulong)tp.SndCwnd * (uint)TcpOutput.TcpMssToMtu(tp, tp.MssCache);
        tp.TcpSndCwndSet((uint)Math.Max(1, bytes / (uint)tp.IcskMtup.ProbeSize));
        tp.SndCwndCnt = 0;
        tp.SndCwndStamp = tp.TcpClockCache;
        tp.SndSsthresh = tp.TcpCurrentSsthresh;
        tp.IcskMtup.SearchLow = tp.IcskMtup.ProbeSize;
        tp.IcskMtup.ProbeSize = 0;
        TcpOutput.TcpSyncMss(tp, tp.IcskPmtuCookie);
        tp.NetIncStats(LinuxMib.TCPMTUPSuccess);
    }

    // A loss that begins with the probe says nothing about congestion: what it carried goes again, without a recovery.
    private static bool ProbeWasLost(TcpSock tp)
    {
        if (tp.IcskCaState >= TCP_CA_CWR || tp.IcskMtup.ProbeSize == 0 || tp.SndUna != tp.MtuProbeSeqStart)
            return false;
        TcpMtupProbeFailed(tp);

        // What the probe took of the window.
        tp.TcpSndCwndSet(tp.SndCwnd + 1);
        TcpSimpleRetransmit(tp);
        return true;
    }
}
