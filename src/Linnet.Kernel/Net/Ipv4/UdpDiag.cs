using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Tells of UDP's sockets (<c>udp_diag_handler</c>).</summary>
[LinuxFile("net/ipv4/udp_diag.c")]
internal sealed class UdpDiag : InetDiagHandler
{
    public override int IdiagType => IPPROTO_UDP;

    [Linux("udp_dump")]
    public override IEnumerable<SockCommon> Matching(NetNamespace net, InetDiagReqV2 r)
    {
        UdpTable table = UdpTable.Of(net.Machine);
        for (int slot = 0; slot < UdpTable.Size; slot++)
        {
            foreach (UdpSock sk in table.Hash(slot).Socks)
            {
                if (sk.SkcNet == net && InetDiag.Fits(r, sk.SkcFamily, sk.InetSport, sk.SkcDport))
                    yield return sk;
            }
        }
    }

    public override bool IsWanted(SockCommon sk, in InetDiagReqV2 r) =>
        (r.IdiagStates & 1u << sk.SkcState) != 0 && !((Sock)sk).SockFlag(SockFlags.Dead);

    /// <inheritdoc/>
    /// <remarks>
    /// Who asks about a socket gives the peer as source; who wants it destroyed, as destination. History has it so.
    /// </remarks>
    [Linux("udp_dump_one")]
    public override int Find(NetNamespace net, in InetDiagReqV2 req, bool toDestroy, out SockCommon? sk)
    {
        sk = null;
        if (req.SdiagFamily is not (AF_INET or AF_INET6) && toDestroy)
            return -EINVAL;
        if (req.SdiagFamily != AF_INET)
            return -ENOENT;
        (ushort sport, ushort dport) = InetDiag.Ports(req);
        (uint src, uint dst) = InetDiag.Addresses(req);
        int dif = (int)req.Id.IdiagIf;
        UdpSock? found = toDestroy
            ? Udp.Udp4LibLookup(net, dst, dport, src, sport, dif)
            : Udp.Udp4LibLookup(net, src, sport, dst, dport, dif);
        if (found == null || !SkcRefcntTools.IncNotZero(ref found.SkcRefcnt))
            return -ENOENT;
        sk = found;
        int err = Netlink.SockDiag.SockDiagCheckCookie(sk, req.Id.IdiagCookieLow, req.Id.IdiagCookieHigh);
        if (err == 0)
            return 0;
        found.SockPut();
        return toDestroy ? -ENOENT : err;
    }

    public override void Put(SockCommon sk) => ((Sock)sk).SockPut();

    [Linux("udp_diag_get_info")]
    public override void IdiagGetInfo(Sock sk, ref InetDiagMsg r)
    {
        r.IdiagRqueue = (uint)(Volatile.Read(ref sk.SkRmemAlloc) - ((UdpSock)sk).ForwardDeficit);
        r.IdiagWqueue = (uint)sk.SkWmemAllocGet;
    }
}
