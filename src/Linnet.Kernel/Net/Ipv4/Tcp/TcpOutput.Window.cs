using System.Numerics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Windows that are offered, and sizes of segments.</content>
public static partial class TcpOutput
{
    /// <summary>
    /// Chooses the first window and its scale: as large as the buffer allows, a multiple of the MSS.
    /// </summary>
    /// <param name="tp">The connection or the listener.</param>
    /// <param name="space">Payload that fits in the receive buffer.</param>
    /// <param name="mss">MSS that the peer is told.</param>
    /// <param name="windowClamp">Largest window allowed, 0 for none; afterwards what the scale can express.</param>
    /// <param name="wscaleOk">Whether the window may be scaled.</param>
    /// <param name="initRcvWnd">First window in segments; 0 for no limit.</param>
    /// <param name="rcvWnd">The window.</param>
    /// <param name="rcvWscale">Its scale.</param>
    [Linux("tcp_select_initial_window")]
    public static void TcpSelectInitialWindow(
        TcpSock tp, int space, uint mss, ref uint windowClamp, bool wscaleOk, uint initRcvWnd,
        out uint rcvWnd, out byte rcvWscale)
    {
        uint clamp = windowClamp == 0 ? (uint)ushort.MaxValue << TCP_MAX_WSCALE : windowClamp;
        uint room = Math.Min(clamp, (uint)Math.Max(space, 0));
        if (room > mss)
            room -= room % mss;

        rcvWnd = tp.Ipv4.SysctlTcpWorkaroundSignedWindows ? Math.Min(room, MAX_TCP_WINDOW) : room;
        if (initRcvWnd != 0)
            rcvWnd = Math.Min(rcvWnd, initRcvWnd * mss);

        rcvWscale = 0;
        if (wscaleOk)
        {
            // The scale cannot change later: it has to do for the largest buffer that tuning may give.
            room = Math.Max(room, (uint)tp.Ipv4.SysctlTcpRmem[2]);
            room = Math.Max(room, (uint)tp.SkNet.Core.Sysctl.RmemMax);
            room = Math.Min(room, clamp);
            rcvWscale = (byte)Math.Clamp(BitOperations.Log2(room) - 15, 0, TCP_MAX_WSCALE);
        }

        windowClamp = Math.Min((uint)ushort.MaxValue << rcvWscale, clamp);
    }

    /// <summary>The window field of the next segment; never takes back what was offered (RFC 9293 3.8.6.2.2).</summary>
    [Linux("tcp_select_window")]
    private static uint TcpSelectWindow(TcpSock tp)
    {
        uint oldWin = tp.RcvWnd;
        byte wscale = tp.RxOpt.RcvWscale;

        // What was dropped for want of memory must not be offered again at once.
        if ((tp.IcskAck.Pending & InetConnectionSock.ICSK_ACK_NOMEM) != 0)
        {
            tp.PredFlags = 0;
            tp.RcvWnd = 0;
            tp.RcvWup = tp.RcvNxt;
            return 0;
        }

        uint curWin = tp.TcpReceiveWindow;
        uint newWin = TcpSelectWindowCore(tp);
        if (newWin < curWin && !(tp.Ipv4.SysctlTcpShrinkWindow && wscale != 0))
        {
            if (newWin == 0)
                tp.NetIncStats(LinuxMib.TCPWantZeroWindowAdv);
            newWin = Align(curWin, wscale);
        }

        tp.RcvWnd = newWin;
        tp.RcvWup = tp.RcvNxt;
        newWin = wscale == 0 && tp.Ipv4.SysctlTcpWorkaroundSignedWindows
            ? Math.Min(newWin, MAX_TCP_WINDOW)
            : Math.Min(newWin, 65535u << wscale);
        newWin >>= wscale;
        if (newWin == 0)
        {
            tp.PredFlags = 0;
            if (oldWin != 0)
                tp.NetIncStats(LinuxMib.TCPToZeroWindowAdv);
        }
        else if (oldWin == 0)
        {
            tp.NetIncStats(LinuxMib.TCPFromZeroWindowAdv);
        }

        return newWin;
    }

    /// <summary>
    /// The window that would be right now, in bytes, without regard to what was offered. It avoids small steps (RFC 9293
    /// 3.8.6.2.2) and closes early when memory is short.
    /// </summary>
    [Linux("__tcp_select_window")]
    public static uint TcpSelectWindowCore(TcpSock tp)
    {
        int mss = tp.IcskAck.RcvMss;
        int freeSpace = tp.TcpSpace;
        int allowedSpace = tp.TcpFullSpace;
        int fullSpace = (int)Math.Min(tp.WindowClamp, (uint)allowedSpace);
        byte wscale = tp.RxOpt.RcvWscale;
        if (mss > fullSpace)
        {
            mss = fullSpace;
            if (mss <= 0)
                return 0;
        }

        bool mayShrink = wscale != 0 && tp.Ipv4.SysctlTcpShrinkWindow;
        if (mayShrink)
            freeSpace = RoundDown(freeSpace, wscale);
        if (freeSpace < fullSpace >> 1)
        {
            tp.IcskAck.Quick = 0;
            if (tp.TcpUnderMemoryPressure)
                tp.TcpAdjustRcvSsthresh();

            // Scaling must not turn a small positive window into one that grows by rounding.
            freeSpace = RoundDown(freeSpace, wscale);
            if (freeSpace < allowedSpace >> 4 || freeSpace < mss || mayShrink && freeSpace < 1 << wscale)
                return 0;
        }

        if (freeSpace > tp.RcvSsthresh)
            freeSpace = (int)tp.RcvSsthresh;
        if (wscale != 0)
            return Align((uint)freeSpace, wscale);

        // Without scaling the window stays while it is within one segment of what is free.
        int window = (int)tp.RcvWnd;
        if (window <= freeSpace - mss || window > freeSpace)
            window = freeSpace - freeSpace % mss;
        else if (mss == fullSpace && freeSpace > window + (fullSpace >> 1))
            window = freeSpace;
        return (uint)window;
    }

    /// <summary>The payload that fits in a path MTU, without options (<c>__tcp_mtu_to_mss</c>).</summary>
    private static int TcpMtuToMssCore(TcpSock tp, int pmtu)
    {
        int mss = pmtu - tp.IcskAfOps.NetHeaderLen - Tcphdr.Size;
        mss = Math.Min(mss, tp.RxOpt.MssClamp);
        mss -= tp.IcskExtHdrLen;
        return Math.Max(mss, tp.Ipv4.SysctlTcpMinSndMss);
    }

    /// <summary>The payload that fits in a path MTU, beside the options that every segment carries.</summary>
    public static int TcpMtuToMss(TcpSock tp, int pmtu) =>
        TcpMtuToMssCore(tp, pmtu) - (tp.TcpHeaderLen - Tcphdr.Size);

    /// <summary>The other way round.</summary>
    public static int TcpMssToMtu(TcpSock tp, int mss) =>
        mss + tp.TcpHeaderLen + tp.IcskExtHdrLen + tp.IcskAfOps.NetHeaderLen;

    /// <summary>Sets up the bounds within which path MTUs are believed.</summary>
    [Linux("tcp_mtup_init")]
    public static void TcpMtupInit(TcpSock tp)
    {
        tp.IcskMtup.Enabled = tp.Ipv4.SysctlTcpMtuProbing > 1;
        tp.IcskMtup.SearchHigh = tp.RxOpt.MssClamp + Tcphdr.Size + tp.IcskAfOps.NetHeaderLen;
        tp.IcskMtup.SearchLow = TcpMssToMtu(tp, tp.Ipv4.SysctlTcpBaseMss);
        tp.IcskMtup.ProbeSize = 0;
        if (tp.IcskMtup.Enabled)
            tp.IcskMtup.ProbeTimestamp = tp.TcpClockCache;
    }

    /// <summary>
    /// Sets the size of segments from a path MTU that was learned; never more than half of the largest window that the
    /// peer offered, so that its ACKs keep coming.
    /// </summary>
    /// <returns>The new MSS, options of ordinary segments excluded.</returns>
    [Linux("tcp_sync_mss")]
    public static int TcpSyncMss(TcpSock tp, int pmtu)
    {
        if (tp.IcskMtup.SearchHigh > pmtu)
            tp.IcskMtup.SearchHigh = pmtu;
        int mss = TcpBoundToHalfWnd(tp, TcpMtuToMss(tp, pmtu));
        tp.IcskPmtuCookie = pmtu;
        if (tp.IcskMtup.Enabled)
            mss = Math.Min(mss, TcpMtuToMss(tp, tp.IcskMtup.SearchLow));
        tp.MssCache = mss;
        return mss;
    }

    /// <summary>Payload of a full segment as the next one would be sent: looks at the route and at the options.</summary>
    [Linux("tcp_current_mss")]
    public static int TcpCurrentMss(TcpSock tp)
    {
        int mss = tp.MssCache;
        if (tp.SkDstCache is { } dst)
        {
            int mtu = dst.Mtu;
            if (mtu != tp.IcskPmtuCookie)
                mss = TcpSyncMss(tp, mtu);
        }

        TcpOutOptions opts = default;
        int headerLen = TcpEstablishedOptions(tp, null, ref opts) + Tcphdr.Size;
        return mss - (headerLen - tp.TcpHeaderLen);
    }

    /// <summary>A size bounded by half of the largest window that the peer offered.</summary>
    public static int TcpBoundToHalfWnd(TcpSock tp, int size)
    {
        // A peer with a tiny window gets it in one piece.
        int cutoff = (int)(tp.MaxWindow > TCP_MSS_DEFAULT ? tp.MaxWindow >> 1 : tp.MaxWindow);
        return cutoff != 0 && size > cutoff ? Math.Max(cutoff, 68 - tp.TcpHeaderLen) : size;
    }

    /// <summary>The smaller of a route's MSS and the user's (<c>tcp_mss_clamp</c>).</summary>
    public static ushort TcpMssClamp(TcpSock tp, int mss)
    {
        ushort userMss = tp.RxOpt.UserMss;
        return userMss != 0 && userMss < mss ? userMss : (ushort)mss;
    }

    [Linux("tcp_advertise_mss")]
    private static ushort TcpAdvertiseMss(TcpSock tp)
    {
        if (tp.SkDstCache is { } dst && dst.Advmss < tp.Advmss)
            tp.Advmss = (ushort)dst.Advmss;
        return tp.Advmss;
    }

    private static uint Align(uint value, int shift) => (value + (1u << shift) - 1) & ~((1u << shift) - 1);

    private static int RoundDown(int value, int shift) => value & ~((1 << shift) - 1);
}
