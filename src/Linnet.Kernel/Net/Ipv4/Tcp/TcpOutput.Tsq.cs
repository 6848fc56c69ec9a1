using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Small queues and pacing. A connection has about a millisecond of its rate in queueing disciplines and devices, so that
/// queues stay short and losses are learned of early; what leaves them lets more in. Without the queueing discipline fq the
/// connection itself spreads its packets over time, when it is told to.
/// </content>
public static partial class TcpOutput
{
    private const int TsqThrottled = 1;
    private const int TsqQueued = 2;

    // fq lets as many go at once when a flow begins, and so does this.
    private const int UnpacedSegments = 10;

    private static readonly Action<object> PaceKick = TcpPaceKick;

    /// <summary>Stops the pacing of a connection that ends.</summary>
    internal static void ClearPacingTimer(TcpSock tp)
    {
        if (tp.PacingTimer?.Delete() == true)
            tp.SockPut();
    }

    /// <summary>How long the next packet has to wait for its time, ns (<c>tcp_pacing_delay</c>).</summary>
    internal static long TcpPacingDelay(TcpSock tp) => Math.Max(0, tp.TcpWstampNs - tp.TcpClockCache);

    /// <summary>Whether the next packet has to wait for its time; the timer sends it then.</summary>
    [Linux("tcp_pacing_check")]
    private static bool TcpPacingCheck(TcpSock tp)
    {
        if (tp.SkPacingStatus != SockPacing.Needed || tp.TcpWstampNs <= tp.TcpClockCache)
            return false;
        tp.PacingTimer ??= new TimerList(tp.Machine.Timers, PaceKick, tp);
        if (!tp.PacingTimer.Pending)
        {
            tp.SockHold();
            tp.PacingTimer.Mod(tp.TcpWstampNs);
        }

        return true;
    }

    [Linux("tcp_pace_kick")]
    private static void TcpPaceKick(object data)
    {
        var tp = (TcpSock)data;
        TcpTsqHandler(tp);
        tp.SockPut();
    }

    /// <summary>A packet was sent: moves the time of the next one by what it takes at the pacing rate.</summary>
    [Linux("tcp_update_skb_after_send")]
    private static void TcpUpdateSkbAfterSend(TcpSock tp, SkBuff skb, long priorWstamp)
    {
        ulong rate = tp.SkPacingRate;
        if (tp.SkPacingStatus == SockPacing.None || rate is 0 or ulong.MaxValue || tp.DataSegsOut < UnpacedSegments)
            return;
        long length = (long)((ulong)skb.Len * Clock.NsecPerSec / rate);

        // A timer that came late is made up for, in part.
        long credit = tp.TcpWstampNs - priorWstamp;
        length -= Math.Min(length / 2, credit);
        tp.TcpWstampNs += length;
    }

    /// <summary>Whether the connection has enough in the queues below; it goes on when something leaves them.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">What is to be sent.</param>
    /// <param name="factor">By how many powers of two more is allowed: 1 for retransmissions.</param>
    [Linux("tcp_small_queue_check")]
    private static bool TcpSmallQueueCheck(TcpSock tp, SkBuff skb, int factor)
    {
        ulong limit = Math.Max(2 * (ulong)skb.Truesize, tp.SkPacingRate >> tp.SkPacingShift);
        if (tp.SkPacingStatus == SockPacing.None)
            limit = Math.Min(limit, (ulong)tp.Ipv4.SysctlTcpLimitOutputBytes);
        limit <<= factor;
        if ((ulong)Volatile.Read(ref tp.SkWmemAlloc) <= limit)
            return false;

        // One packet may always be there beside the one that is sent, as nobody knows when the device is done with it.
        if (tp.RtxQueue.Count <= 1)
            return false;
        Interlocked.Or(ref tp.TsqState, TsqThrottled);

        // It may have left meanwhile, and found nobody waiting.
        return (ulong)Volatile.Read(ref tp.SkWmemAlloc) > limit;
    }

    /// <summary>Whether a small write should wait for the packets below to leave, so that the next writes can join it.</summary>
    [Linux("tcp_should_autocork", "net/ipv4/tcp.c")]
    internal static bool TcpShouldAutocork(TcpSock tp, SkBuff skb, int sizeGoal)
    {
        if (skb.Len >= sizeGoal || !tp.Ipv4.SysctlTcpAutocorking || tp.RtxQueue.IsEmpty || skb.TcpCb.Eor
            || Volatile.Read(ref tp.SkWmemAlloc) <= skb.Truesize)
        {
            return false;
        }

        if ((Interlocked.Or(ref tp.TsqState, TsqThrottled) & TsqThrottled) == 0)
            tp.NetIncStats(LinuxMib.TCPAutoCorking);
        return Volatile.Read(ref tp.SkWmemAlloc) > skb.Truesize;
    }

    /// <summary>A packet was cut into segments: in place of it these are charged to the socket, so that what is below counts on.</summary>
    internal static void ShareOwner(SkBuff skb, SkBuff first)
    {
        if (skb.Destructor != Wfree)
            return;
        Sock sk = skb.Sk!;
        int delta = -skb.Truesize;
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            segment.Sk = sk;
            segment.Destructor = Wfree;
            delta += segment.Truesize;
        }

        Interlocked.Add(ref sk.SkWmemAlloc, delta);
        skb.Sk = null;
        skb.Destructor = null;
    }

    /// <summary>A packet that a device or a queue held is gone: its memory is not charged to the socket any more.</summary>
    [Linux("tcp_wfree")]
    private static void TcpWfree(SkBuff skb)
    {
        TcpSock tp = TcpSock.Of(skb.Sk!);

        // The last byte is a reference to the socket, which goes along with it into the queue.
        Interlocked.Add(ref tp.SkWmemAlloc, 1 - skb.Truesize);
        int state = Volatile.Read(ref tp.TsqState);
        while ((state & (TsqThrottled | TsqQueued)) == TsqThrottled)
        {
            int seen = Interlocked.CompareExchange(ref tp.TsqState, state & ~TsqThrottled | TsqQueued, state);
            if (seen == state)
            {
                TcpTsqWork.Queue(tp);
                return;
            }

            state = seen;
        }

        Sock.SkFree(tp);
    }

    /// <summary>There is room below, or the time has come: goes on sending, or leaves it to the owner of the socket.</summary>
    [Linux("tcp_tsq_handler")]
    internal static void TcpTsqHandler(TcpSock tp)
    {
        tp.BhLockSock();
        if (!tp.SockOwnedByUser)
            TcpTsqWrite(tp);
        else
            TcpTimer.Defer(tp, TcpTsqFlags.TsqDeferred);
        tp.BhUnlockSock();
    }

    [Linux("tcp_tsq_write")]
    internal static void TcpTsqWrite(TcpSock tp)
    {
        const int Sending = TCPF_ESTABLISHED | TCPF_FIN_WAIT1 | TCPF_CLOSING | TCPF_CLOSE_WAIT | TCPF_LAST_ACK;
        if ((1 << tp.SkcState & Sending) == 0)
            return;
        if (tp.LostOut > tp.RetransOut && tp.SndCwnd > tp.TcpPacketsInFlight)
        {
            TcpMstampRefresh(tp);
            TcpXmitRetransmitQueue(tp);
        }

        TcpWriteXmit(tp, TcpCurrentMss(tp), tp.Nonagle, pushOne: 0);
    }

    /// <summary>The connections that may go on sending on a CPU, since packets of theirs left (<c>struct tsq_tasklet</c>).</summary>
    private sealed class TcpTsqWork : SoftirqAction
    {
        private static readonly StateSlot<TcpTsqWork> Slot = new();

        private TcpSock? first;
        private TcpSock? last;

        /// <summary>Queues a connection, with a reference to its memory.</summary>
        public static void Queue(TcpSock tp)
        {
            // Devices free packets from threads that are not in the kernel, too.
            using KernelEntry entry = tp.Machine.Enter();
            Cpu cpu = Cpu.This;
            TcpTsqWork work = Slot.OfOrNew(cpu.Slots, 0, static _ => new TcpTsqWork());
            tp.TsqNext = null;
            if (work.last != null)
                work.last.TsqNext = tp;
            else
                work.first = tp;
            work.last = tp;
            cpu.Raise(work);
        }

        protected internal override void Run()
        {
            while (first is { } tp)
            {
                first = tp.TsqNext;
                if (first == null)
                    last = null;
                tp.TsqNext = null;
                Interlocked.And(ref tp.TsqState, ~TsqQueued);
                TcpTsqHandler(tp);
                Sock.SkFree(tp);
            }
        }
    }
}
