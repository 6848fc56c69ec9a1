using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What programs ask of TCP, and the states that connections go through.</summary>
[LinuxFile("net/ipv4/tcp.c")]
public static partial class Tcp
{
    /// <summary>Sets up TCP on a machine that boots; IPv4's part of the namespaces is there already.</summary>
    [Linux("tcp_init")]
    public static void TcpInit(Machine machine)
    {
        SecureSeq.Init(machine);
        InetHashinfo.Init(machine);
        TcpMachine.Init(machine);
        TcpCongRegistry.Init(machine);
        Syncookies.Init(machine);
        TcpIpv4.TcpV4Init(machine);
    }

    /// <summary>Sets up a new socket, whatever its address family.</summary>
    [Linux("tcp_init_sock")]
    public static void TcpInitSock(TcpSock tp)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        TcpTimer.TcpInitXmitTimers(tp);
        tp.IcskRto = TCP_TIMEOUT_INIT;
        tp.IcskRtoMax = ipv4.SysctlTcpRtoMaxMs * Clock.NsecPerMsec;
        tp.IcskRtoMin = ipv4.SysctlTcpRtoMinUs * Clock.NsecPerUsec;
        tp.IcskDelackMax = TCP_DELACK_MAX;
        tp.MdevUs = (uint)(TCP_TIMEOUT_INIT / Clock.NsecPerUsec);
        tp.RttMin.Reset((uint)tp.Machine.Clock.Jiffies, uint.MaxValue);
        tp.TcpSndCwndSet(TCP_INIT_CWND);
        // Until the first ACK it is the handshake that limits the flow, not the path.
        tp.AppLimited = uint.MaxValue;
        tp.RateAppLimited = true;
        tp.SndSsthresh = TCP_INFINITE_SSTHRESH;
        tp.SndCwndClamp = uint.MaxValue;
        tp.MssCache = TCP_MSS_DEFAULT;
        tp.Reordering = (uint)ipv4.SysctlTcpReordering;
        TcpCong.TcpAssignCongestionControl(tp);
        tp.Tsoffset = 0;
        tp.SkWriteSpace = SkStream.SkStreamWriteSpace;
        tp.SockSetFlag(SockFlags.UseWriteQueue);
        tp.SkSndbuf = ipv4.SysctlTcpWmem[1];
        tp.SkRcvbuf = ipv4.SysctlTcpRmem[1];
        Interlocked.Increment(ref ipv4.TcpMachine.Memory.SocketsAllocated);
    }

    /// <summary>Changes the state and says so to tracers, without what TCP ties to states.</summary>
    [Linux("inet_sk_set_state", "net/ipv4/af_inet.c")]
    public static void InetSkSetState(InetConnectionSock sk, int state) => sk.SkcState = (byte)state;

    /// <summary>Changes the state of a connection; a closed one leaves the tables first.</summary>
    [Linux("tcp_set_state")]
    public static void TcpSetState(InetConnectionSock sk, int state)
    {
        int oldState = sk.SkState;
        SnmpMib<TcpMib> counters = sk.SkNet.Ipv4.TcpStatistics;
        bool wasUp = oldState is TCP_ESTABLISHED or TCP_CLOSE_WAIT;
        switch (state)
        {
            case TCP_ESTABLISHED:
                if (oldState != TCP_ESTABLISHED)
                    counters.Add(TcpMib.CurrEstab, 1);
                break;
            case TCP_CLOSE_WAIT:
                if (oldState == TCP_SYN_RECV)
                    counters.Add(TcpMib.CurrEstab, 1);
                break;
            default:
                if (state == TCP_CLOSE)
                    LeaveTables(sk, wasUp);
                if (wasUp)
                    counters.Add(TcpMib.CurrEstab, -1);
                break;
        }

        InetSkSetState(sk, state);
    }

    /// <summary>The connection is over: state CLOSE, and whoever has the socket is told.</summary>
    [Linux("tcp_done")]
    public static void TcpDone(TcpSock tp)
    {
        if (tp.SkState is TCP_SYN_SENT or TCP_SYN_RECV)
            tp.Ipv4.TcpStatistics.Inc(TcpMib.AttemptFails);
        TcpSetState(tp, TCP_CLOSE);
        TcpTimer.TcpClearXmitTimers(tp);
        tp.SkShutdown = Sock.SHUTDOWN_MASK;
        if (!tp.SockFlag(SockFlags.Dead))
            tp.SkStateChange(tp);
        else
            InetConnectionSockOps.InetCskDestroySock(tp);
    }

    /// <summary>Whether an orphan has to go because there are too many, or memory is out.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="shift">Orphans count double for each: connections that show no sign of life go first.</param>
    [Linux("tcp_check_oom")]
    public static bool TcpCheckOom(TcpSock tp, int shift)
    {
        TcpMachine machine = tp.Ipv4.TcpMachine;
        bool tooMany = (long)machine.OrphanCount << shift > machine.SysctlTcpMaxOrphans;
        bool outOfMemory = tp.SkWmemQueued > Sock.SockMinSndbuf
            && Interlocked.Read(ref machine.Memory.Allocated) > machine.Memory.Limits[2];
        if (tooMany)
            tp.Machine.Log.WriteOnce(LogLevel.Info, "tcp orphans", "TCP: too many orphaned sockets");
        if (outOfMemory)
            tp.Machine.Log.WriteOnce(LogLevel.Info, "tcp oom", "TCP: out of memory -- consider tuning tcp_mem");
        return tooMany || outOfMemory;
    }

    /// <summary>Counts a SYN that was dropped (<c>tcp_listendrop</c>).</summary>
    public static void TcpListendrop(Sock sk)
    {
        Interlocked.Increment(ref sk.SkDrops);
        sk.SkNet.Ipv4.NetStatistics.Inc(LinuxMib.ListenDrops);
    }

    /// <summary>Frees all that is queued to send or sent and not acknowledged.</summary>
    [Linux("tcp_write_queue_purge")]
    public static void TcpWriteQueuePurge(TcpSock tp)
    {
        TcpOutput.TcpChronoStop(tp, TcpChronoType.Busy);
        while (tp.SkWriteQueue.Dequeue() is { } skb)
            tp.TcpWmemFreeSkb(skb);
        while (tp.RtxQueue.Last is { } sent)
        {
            tp.RtxQueue.RemoveAt(tp.RtxQueue.Count - 1);
            tp.TsortedUnlink(sent);
            tp.TcpWmemFreeSkb(sent);
        }

        tp.RtxQueue.Release();
        tp.SkMemReclaim();
        tp.TcpClearAllRetransHints();
        tp.PacketsOut = 0;
        tp.IcskBackoff = 0;
    }

    internal static void OutOfOrderQueuePurge(TcpSock tp)
    {
        while (tp.OutOfOrderQueue.Last is { } skb)
        {
            tp.OutOfOrderQueue.RemoveAt(tp.OutOfOrderQueue.Count - 1);
            skb.Free();
        }

        tp.OutOfOrderQueue.Release();
    }

    private static void LeaveTables(InetConnectionSock sk, bool wasUp)
    {
        if (wasUp)
            sk.SkNet.Ipv4.TcpStatistics.Inc(TcpMib.EstabResets);
        sk.SkProt.Unhash(sk);
        if (sk.IcskBindHash != null && (sk.SkUserlocks & SockUserLocks.BindPort) == 0)
            InetHashtables.InetPutPort(sk);
    }
}
