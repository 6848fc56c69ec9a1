using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>TCP over IPv4: connecting, and the birth and end of sockets.</summary>
[LinuxFile("net/ipv4/tcp_ipv4.c")]
public static partial class TcpIpv4
{
    /// <summary>Sets up TCP on a machine that boots; IPv4's part of the namespaces is there already.</summary>
    [Linux("tcp_v4_init")]
    public static void TcpV4Init(Machine machine)
    {
        int err = NetCore.Of(machine).RegisterPernetSubsys(new TcpSkOps());
        Bug.On(err < 0);
    }

    /// <summary>Sets up a new socket.</summary>
    [Linux("tcp_v4_init_sock")]
    public static int TcpV4InitSock(TcpSock tp)
    {
        Tcp.TcpInitSock(tp);
        tp.IcskAfOps = Ipv4Specific.Instance;
        return 0;
    }

    /// <summary>Frees what a socket holds; nobody can find it any more.</summary>
    [Linux("tcp_v4_destroy_sock")]
    public static void TcpV4DestroySock(TcpSock tp)
    {
        TcpTimer.TcpClearXmitTimers(tp);
        TcpCong.TcpCleanupCongestionControl(tp);
        Tcp.TcpWriteQueuePurge(tp);
        Tcp.OutOfOrderQueuePurge(tp);
        if (tp.IcskBindHash != null)
            InetHashtables.InetPutPort(tp);
        tp.SavedSyn = null;
        Interlocked.Decrement(ref tp.Ipv4.TcpMachine.Memory.SocketsAllocated);
    }

    /// <summary>Begins to connect: route, source address, port, and the SYN; socket owned.</summary>
    /// <param name="tp">The socket.</param>
    /// <param name="addr">A <c>sockaddr_in</c>.</param>
    /// <returns>0 when the SYN is on its way, or a negative errno.</returns>
    [Linux("tcp_v4_connect")]
    public static int TcpV4Connect(TcpSock tp, ReadOnlySpan<byte> addr)
    {
        if (addr.Length < SockaddrIn.Size)
            return -EINVAL;
        SockaddrIn.Read(addr, out ushort family, out uint daddr, out ushort dport);
        if (family != AF_INET)
            return -EAFNOSUPPORT;

        uint nexthop = daddr;
        bool sourceRouted = tp.InetOpt is { Opt.Srr: not 0 };
        if (sourceRouted)
        {
            if (daddr == 0)
                return -EINVAL;
            nexthop = tp.InetOpt!.Opt.Faddr;
        }

        ushort origSport = tp.InetSport;
        ref Flowi4 fl4 = ref tp.Cork.Fl;
        int err = Route.IpRouteConnect(
            ref fl4, nexthop, tp.InetSaddr, tp.SkcBoundDevIf, IPPROTO_TCP, origSport, dport, tp, out Rtable? rt);
        if (err < 0)
        {
            if (err == -ENETUNREACH)
                tp.Ipv4.IpStatistics.Inc(IpstatsMib.OutNoRoutes);
            return err;
        }

        if ((rt!.RtFlags & (Rtable.RTCF_MULTICAST | Rtable.RTCF_BROADCAST)) != 0)
            return -ENETUNREACH;
        SetIdentity(tp, sourceRouted ? daddr : fl4.Daddr, dport, fl4.Saddr);

        // The port is chosen under the state SYN-SENT, so that whoever finds the socket sees a connection.
        Tcp.TcpSetState(tp, TCP_SYN_SENT);
        err = InetHashtables.InetHashConnect(tp);
        if (err == 0)
        {
            tp.SkSetTxhash();
            err = Route.IpRouteNewports(ref fl4, ref rt, origSport, dport, tp.InetSport, tp.SkcDport, tp);
        }

        if (err == 0)
            err = SendSyn(tp, rt!);
        if (err == 0)
            return 0;

        // Out of the tables again; the port goes back unless the user bound it.
        Tcp.TcpSetState(tp, TCP_CLOSE);
        InetBhash2ResetSaddr(tp);
        tp.SkDstReset();
        tp.SkcDport = 0;
        return err;
    }

    /// <summary>Forgets the local address unless the user bound it (<c>inet_bhash2_reset_saddr</c>).</summary>
    internal static void InetBhash2ResetSaddr(TcpSock tp)
    {
        if ((tp.SkUserlocks & SockUserLocks.BindAddr) == 0)
            InetHashtables.InetBhash2UpdateSaddr(tp, INADDR_ANY);
    }

    /// <summary>
    /// Whether a new connection may take the four-tuple of a TIME_WAIT socket; if so it goes on from its sequence
    /// numbers and timestamps (RFC 6191). Called with the chain locked.
    /// </summary>
    /// <param name="tp">The new connection.</param>
    /// <param name="tw">The old one; a reference is taken when it gives way.</param>
    /// <param name="chosen">Whether the port is being chosen, rather than given by the user.</param>
    [Linux("tcp_twsk_unique")]
    public static bool TcpTwskUnique(TcpSock tp, TcpTimewaitSock tw, bool chosen)
    {
        NetnsIpv4 ipv4 = tp.Ipv4;
        int reuse = tw.TwSubstate == TCP_FIN_WAIT2 ? 0 : ipv4.SysctlTcpTwReuse;
        if (reuse == 2 && tw.SkcBoundDevIf != Route.LOOPBACK_IFINDEX
            && tw.SkcDaddr >> 24 != 127 && tw.SkcRcvSaddr >> 24 != 127)
        {
            reuse = 0;
        }

        bool rested = tp.Machine.Clock.Jiffies > tw.TwEntryStamp + ipv4.SysctlTcpTwReuseDelay;
        if (tw.TwTsRecentStamp == 0 || (chosen && !(reuse != 0 && rested)))
            return false;
        if (!SkcRefcntTools.IncNotZero(ref tw.SkcRefcnt))
            return false;
        uint seq = tw.TwSndNxt + 65535 + 2;
        tp.WriteSeq = seq == 0 ? 1 : seq;
        tp.RxOpt.TsRecent = tw.TwTsRecent;
        tp.RxOpt.TsRecentStamp = tw.TwTsRecentStamp;
        return true;
    }

    /// <summary>The path MTU became smaller: send smaller segments, and what was too large again.</summary>
    [Linux("tcp_v4_mtu_reduced")]
    public static void TcpV4MtuReduced(TcpSock tp)
    {
        if (tp.SkState is TCP_LISTEN or TCP_CLOSE)
            return;
        int mtu = Volatile.Read(ref tp.MtuInfo);
        DstEntry? dst = InetConnectionSockOps.InetCskUpdatePmtu(tp, mtu);
        if (dst == null)
            return;
        if (mtu < dst.Mtu && IpOutput.IpDontFragment(tp, dst))
            tp.SkErrSoft = EMSGSIZE;
        mtu = dst.Mtu;
        if (tp.Pmtudisc != IP_PMTUDISC_DONT && IpOutput.IpSkAcceptPmtu(tp) && tp.IcskPmtuCookie > mtu)
        {
            TcpOutput.TcpSyncMss(tp, mtu);
            TcpInput.TcpSimpleRetransmit(tp);
        }
    }

    private static void SetIdentity(TcpSock tp, uint daddr, ushort dport, uint saddr)
    {
        if (tp.InetSaddr == 0)
            InetHashtables.InetBhash2UpdateSaddr(tp, saddr);
        else
            tp.SkcRcvSaddr = tp.InetSaddr;
        if (tp.RxOpt.TsRecentStamp != 0 && tp.SkcDaddr != daddr)
        {
            tp.RxOpt.TsRecent = 0;
            tp.RxOpt.TsRecentStamp = 0;
            tp.WriteSeq = 0;
        }

        tp.SkcDport = dport;
        tp.SkcDaddr = daddr;
        tp.IcskExtHdrLen = tp.InetOpt?.Opt.Optlen ?? 0;
        tp.RxOpt.MssClamp = TCP_MSS_DEFAULT;
    }

    private static int SendSyn(TcpSock tp, Rtable rt)
    {
        tp.SkSetupCaps(rt);
        SecureSeq secrets = SecureSeq.Of(tp.Machine);
        if (tp.WriteSeq == 0)
            tp.WriteSeq = secrets.SecureTcpSeq(tp.InetSaddr, tp.SkcDaddr, tp.InetSport, tp.SkcDport);
        tp.Tsoffset = tp.Ipv4.SysctlTcpTimestamps == 1 ? secrets.SecureTcpTsOff(tp.InetSaddr, tp.SkcDaddr) : 0;
        tp.InetId = (ushort)tp.Machine.Random.NextU32();
        return TcpOutput.TcpConnect(tp);
    }

    private sealed class TcpSkOps : PernetOperations
    {
        public override int Init(NetNamespace net)
        {
            net.Ipv4.TcpDeathRow.Hashinfo = InetHashinfo.Of(net.Machine);
            net.Ipv4.TcpMachine = TcpMachine.Of(net.Machine);
            TcpCongRegistry.Of(net.Machine).InitNet(net);
            TcpSysctl.Register(net);
            return 0;
        }

        public override void Exit(NetNamespace net)
        {
            InetTimewaitSock.InetTwskPurge(net);
            Module.ModulePut(net.Ipv4.TcpCongestionControl.Owner);
        }
    }
}
