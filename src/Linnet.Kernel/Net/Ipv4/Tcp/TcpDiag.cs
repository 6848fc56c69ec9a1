using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Tells of TCP's sockets (<c>tcp_diag_handler</c>).</summary>
[LinuxFile("net/ipv4/tcp_diag.c")]
internal sealed class TcpDiag : InetDiagHandler
{
    public override int IdiagType => IPPROTO_TCP;

    public override int IdiagInfoSize => Unsafe.SizeOf<TcpInfo>();

    /// <inheritdoc/>
    /// <remarks>Listeners, then sockets that are only bound, then connections; each in the order of their addresses.</remarks>
    [Linux("tcp_diag_dump")]
    public override IEnumerable<SockCommon> Matching(NetNamespace net, InetDiagReqV2 r)
    {
        InetHashinfo hashinfo = InetHashinfo.Of(net.Machine);
        IEnumerable<SockCommon> socks = [];

        // Who asks for a peer's port does not mean listeners.
        if ((r.IdiagStates & TCPF_LISTEN) != 0 && r.Id.IdiagDport == 0)
            socks = InOrder(hashinfo.Lhash2.Snapshot(), net).Where(sk => InetDiag.Fits(r, sk.SkcFamily, sk.SkcNum, 0));
        if ((r.IdiagStates & TCPF_BOUND_INACTIVE) != 0)
        {
            socks = socks.Concat(InOrder(hashinfo.Bhash.Owners(net), net)
                .Where(sk => IsBoundInactive(sk) && (r.SdiagFamily == AF_UNSPEC || r.SdiagFamily == sk.SkcFamily)));
        }

        if ((r.IdiagStates & ~TCPF_LISTEN) != 0)
            socks = socks.Concat(InOrder(hashinfo.Ehash.Snapshot(), net).Where(sk => InetDiag.Fits(r, sk.SkcFamily, sk.SkcNum, sk.SkcDport)));
        return socks;
    }

    public override bool IsWanted(SockCommon sk, in InetDiagReqV2 r)
    {
        uint states = r.IdiagStates;
        if (IsBoundInactive(sk))
            return (states & TCPF_BOUND_INACTIVE) != 0;
        int state = sk is InetTimewaitSock tw ? tw.TwSubstate : sk.SkcState;

        // One that is in its handshake is asked for as it is shown.
        if (state == TCP_NEW_SYN_RECV)
            state = TCP_SYN_RECV;
        return sk.SkcHashed && (states & 1u << state) != 0;
    }

    [Linux("inet_diag_find_one_icsk", "net/ipv4/inet_diag.c")]
    public override int Find(NetNamespace net, in InetDiagReqV2 req, bool toDestroy, out SockCommon? sk)
    {
        sk = null;
        if (req.SdiagFamily is not (AF_INET or AF_INET6))
            return -EINVAL;
        if (req.SdiagFamily == AF_INET6)
            return -ENOENT;
        (ushort sport, ushort dport) = InetDiag.Ports(req);
        (uint src, uint dst) = InetDiag.Addresses(req);
        sk = InetHashtables.InetLookup(net, dst, dport, src, sport, (int)req.Id.IdiagIf);
        if (sk == null)
            return -ENOENT;
        if (Netlink.SockDiag.SockDiagCheckCookie(sk, req.Id.IdiagCookieLow, req.Id.IdiagCookieHigh) == 0)
            return 0;
        Put(sk);
        return -ENOENT;
    }

    public override void Put(SockCommon sk) => InetHashtables.SockGenPut(sk);

    [Linux("tcp_diag_get_info")]
    public override void IdiagGetInfo(Sock sk, ref InetDiagMsg r)
    {
        TcpSock tp = TcpSock.Of(sk);
        if (tp.SkState == TCP_LISTEN)
        {
            r.IdiagRqueue = (uint)Volatile.Read(ref tp.SkAckBacklog);
            r.IdiagWqueue = (uint)Volatile.Read(ref tp.SkMaxAckBacklog);
        }
        else
        {
            (r.IdiagRqueue, r.IdiagWqueue) = Queues(tp);
        }
    }

    /// <summary>Bytes that the program has not read, and bytes that the peer has not acknowledged.</summary>
    internal static (uint Unread, uint Unacknowledged) Queues(TcpSock tp)
    {
        (int unread, int unsent) = tp.SkSocket?.Between?.Invoke() ?? default;
        return ((uint)(Math.Max((int)(tp.RcvNxt - tp.CopiedSeq), 0) + unread), tp.WriteSeq - tp.SndUna + (uint)unsent);
    }

    public override void GetInfo(Sock sk, Span<byte> info)
    {
        Tcp.TcpGetInfo(TcpSock.Of(sk), out TcpInfo value);
        MemoryMarshal.Write(info, in value);
    }

    private static bool IsBoundInactive(SockCommon sk) => sk is InetSock { SkcState: TCP_CLOSE, SkcNum: not 0 };

    private static IEnumerable<SockCommon> InOrder(List<SockCommon> socks, NetNamespace net) => socks.Where(sk => sk.SkcNet == net)
        .OrderBy(sk => sk.SkcRcvSaddr).ThenBy(sk => sk.SkcNum).ThenBy(sk => sk.SkcDaddr).ThenBy(sk => sk.SkcDport);
}
