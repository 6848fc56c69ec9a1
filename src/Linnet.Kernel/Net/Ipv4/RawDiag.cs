using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Tells of raw sockets (<c>raw_diag_handler</c>).</summary>
[LinuxFile("net/ipv4/raw_diag.c")]
internal sealed class RawDiag : InetDiagHandler
{
    public override int IdiagType => IPPROTO_RAW;

    [Linux("raw_diag_dump")]
    public override IEnumerable<SockCommon> Matching(NetNamespace net, InetDiagReqV2 r)
    {
        RawTable table = RawTable.Of(net.Machine);
        for (int protocol = 0; protocol < 256; protocol++)
        {
            foreach (RawSock sk in table[protocol])
            {
                if (sk.SkcNet == net && sk.SkcFamily == r.SdiagFamily && InetDiag.Fits(r, sk.SkcFamily, sk.InetSport, sk.SkcDport))
                    yield return sk;
            }
        }
    }

    /// <inheritdoc/>
    /// <remarks>Raw sockets are told of whatever states are asked for.</remarks>
    public override bool IsWanted(SockCommon sk, in InetDiagReqV2 r) => !((Sock)sk).SockFlag(SockFlags.Dead);

    [Linux("raw_sock_get")]
    public override int Find(NetNamespace net, in InetDiagReqV2 req, bool toDestroy, out SockCommon? sk)
    {
        sk = null;
        if (req.SdiagFamily is not (AF_INET or AF_INET6))
            return -EINVAL;
        if (req.SdiagFamily == AF_INET6)
            return -ENOENT;
        (uint src, uint dst) = InetDiag.Addresses(req);
        RawSock? found = null;
        foreach (RawSock raw in RawTable.Of(net.Machine)[req.Pad])
        {
            if (Raw.RawV4Match(raw, net, req.Pad, dst, src, (int)req.Id.IdiagIf) && SkcRefcntTools.IncNotZero(ref raw.SkcRefcnt))
            {
                found = raw;
                break;
            }
        }

        if (found == null)
            return -ENOENT;
        sk = found;
        int err = toDestroy ? Netlink.SockDiag.SockDiagCheckCookie(sk, req.Id.IdiagCookieLow, req.Id.IdiagCookieHigh) : 0;
        if (err != 0)
            found.SockPut();
        return err;
    }

    public override void Put(SockCommon sk) => ((Sock)sk).SockPut();

    [Linux("raw_diag_get_info")]
    public override void IdiagGetInfo(Sock sk, ref InetDiagMsg r)
    {
        r.IdiagRqueue = (uint)Volatile.Read(ref sk.SkRmemAlloc);
        r.IdiagWqueue = (uint)sk.SkWmemAllocGet;
    }
}
