using System.Numerics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sizes of buffers, and telling writers of room.</content>
public static partial class TcpInput
{
    /// <summary>Sets up buffers and windows once the options of the connection are known.</summary>
    [Linux("tcp_init_buffer_space")]
    public static void TcpInitBufferSpace(TcpSock tp)
    {
        int appWin = tp.Ipv4.SysctlTcpAppWin;
        if ((tp.SkUserlocks & SockUserLocks.Sndbuf) == 0)
            TcpSndbufExpand(tp);
        TcpOutput.TcpMstampRefresh(tp);
        tp.RcvqSpace.Time = tp.TcpMstamp;
        tp.RcvqSpace.Seq = tp.CopiedSeq;
        uint advmss = tp.Advmss;
        uint maxwin = (uint)tp.TcpFullSpace;
        if (tp.WindowClamp >= maxwin)
        {
            tp.WindowClamp = maxwin;
            if (appWin != 0 && maxwin > 4 * advmss)
                tp.WindowClamp = Math.Max(maxwin - (maxwin >> appWin), 4 * advmss);
        }

        // Room for one segment stays free.
        if (appWin != 0 && tp.WindowClamp > 2 * advmss && tp.WindowClamp + advmss > maxwin)
            tp.WindowClamp = Math.Max(2 * advmss, maxwin - advmss);
        tp.RcvSsthresh = Math.Min(tp.RcvSsthresh, tp.WindowClamp);
        tp.SndCwndStamp = tp.TcpClockCache;
        tp.RcvqSpace.Space = Math.Min(Math.Min(tp.RcvSsthresh, tp.RcvWnd), TCP_INIT_CWND * advmss);
    }

    // Room for two windows of packets as they are charged.
    [Linux("tcp_sndbuf_expand")]
    private static void TcpSndbufExpand(TcpSock tp)
    {
        uint perMss = (uint)(Math.Max(tp.RxOpt.MssClamp, tp.MssCache) + MAX_TCP_HEADER + 320);
        perMss = BitOperations.RoundUpToPowerOf2(perMss) + 256;
        uint segments = Math.Max(Math.Max(TCP_INIT_CWND, tp.SndCwnd), tp.Reordering + 1);
        long sndmem = (long)tp.IcskCaOps.SndbufExpand(tp) * segments * perMss;
        if (tp.SkSndbuf < sndmem)
            tp.SkSndbuf = (int)Math.Min(sndmem, tp.Ipv4.SysctlTcpWmem[2]);
    }

    private static bool TcpShouldExpandSndbuf(TcpSock tp) =>
        (tp.SkUserlocks & SockUserLocks.Sndbuf) == 0
        && !tp.TcpUnderMemoryPressure
        && (tp.SkMemory is not { } memory || Volatile.Read(ref memory.Allocated) < memory.Limits[0])
        && tp.TcpPacketsInFlight < tp.SndCwnd;

    [Linux("tcp_new_space")]
    private static void TcpNewSpace(TcpSock tp)
    {
        if (TcpShouldExpandSndbuf(tp))
        {
            TcpSndbufExpand(tp);
            tp.SndCwndStamp = tp.TcpClockCache;
        }

        tp.SkWriteSpace(tp);
    }

    /// <summary>Packets left the queues: grows the send buffer and tells writers when they wait for room.</summary>
    [Linux("tcp_check_space")]
    public static void TcpCheckSpace(TcpSock tp)
    {
        // tcp_poll() sets the flag without the lock and looks for room then; the room was made before the look for the flag.
        Interlocked.MemoryBarrier();
        if (tp.SkSocket == null || !tp.SockFlag(SockFlags.Nospace))
            return;
        TcpNewSpace(tp);
        if (!tp.SockFlag(SockFlags.Nospace))
            TcpOutput.TcpChronoStop(tp, TcpChronoType.SndbufLimited);
    }
}
