using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The messages that tell of a socket.</content>
internal static partial class InetDiag
{
    // What a timer of a socket is for.
    private const byte Retransmission = 1;
    private const byte Keepalive = 2;
    private const byte TimeWait = 3;
    private const byte Probe = 4;

    /// <summary>Writes the message about a socket.</summary>
    /// <returns>0, or -EMSGSIZE when there was no room for it.</returns>
    [Linux("sk_diag_fill")]
    private static int SkDiagFill(SockCommon sk, NlmsgWriter skb, InetDiagDump dump, int flags) => sk switch
    {
        InetTimewaitSock tw => InetTwskDiagFill(tw, skb, dump, flags),
        RequestSock req => InetReqDiagFill(req, skb, dump, flags),
        _ => InetSkDiagFill((InetSock)sk, skb, dump, flags),
    };

    [Linux("inet_sk_diag_fill")]
    private static int InetSkDiagFill(InetSock sk, NlmsgWriter skb, InetDiagDump dump, int flags)
    {
        InetDiagMsg r = InetDiagMsgCommonFill(sk);
        r.IdiagState = (byte)sk.SkState;
        r.IdiagUid = sk.SkUid;
        r.IdiagInode = (uint)(sk.SkSocket?.Ino ?? 0);
        var icsk = sk as InetConnectionSock;
        if (icsk != null)
            FillTimer(icsk, ref r);
        dump.Handler!.IdiagGetInfo(sk, ref r);
        if (!Put(skb, dump, flags, r))
            return -EMSGSIZE;
        InetDiagMsgAttrsFill(sk, skb, dump);
        if (dump.Wants(INET_DIAG_MEMINFO))
            PutMeminfo(sk, skb);
        if (dump.Wants(INET_DIAG_SKMEMINFO))
            SockDiag.SockDiagPutMeminfo(sk, skb, INET_DIAG_SKMEMINFO);

        // They are asked for by one number, whatever their protocol.
        if (sk.SkType == SOCK_RAW)
            skb.NlaPut(INET_DIAG_PROTOCOL, (byte)sk.SkProtocol);
        if (icsk != null)
            FillConnection(icsk, skb, dump);
        return skb.NlmsgEnd();
    }

    private static void FillConnection(InetConnectionSock icsk, NlmsgWriter skb, InetDiagDump dump)
    {
        int size = dump.Handler!.IdiagInfoSize;
        if (dump.Wants(INET_DIAG_INFO) && size > 0)
        {
            Span<byte> info = stackalloc byte[size];
            dump.Handler.GetInfo(icsk, info);
            skb.NlaPut(INET_DIAG_INFO, info);
        }

        if (dump.Wants(INET_DIAG_CONG) && icsk.IcskCaOps is { } ca)
            skb.NlaPutString(INET_DIAG_CONG, ca.Name);
    }

    private static void FillTimer(InetConnectionSock icsk, ref InetDiagMsg r)
    {
        long now = icsk.Machine.Clock.Now;
        switch (icsk.IcskPending)
        {
            case InetConnectionSock.ICSK_TIME_PROBE0:
                (r.IdiagTimer, r.IdiagRetrans) = (Probe, icsk.IcskProbesOut);
                r.IdiagExpires = Milliseconds(icsk.IcskTimeout - now);
                break;
            case not 0:
                (r.IdiagTimer, r.IdiagRetrans) = (Retransmission, icsk.IcskRetransmits);
                r.IdiagExpires = Milliseconds(icsk.IcskTimeout - now);
                break;
            default:
                if (icsk.SkTimer is not { Pending: true } timer)
                    break;
                (r.IdiagTimer, r.IdiagRetrans) = (Keepalive, icsk.IcskProbesOut);
                r.IdiagExpires = Milliseconds(timer.Expires - now);
                break;
        }
    }

    [Linux("inet_twsk_diag_fill")]
    private static int InetTwskDiagFill(InetTimewaitSock tw, NlmsgWriter skb, InetDiagDump dump, int flags)
    {
        InetDiagMsg r = InetDiagMsgCommonFill(tw);
        r.IdiagState = tw.TwSubstate;
        r.IdiagTimer = TimeWait;
        r.IdiagExpires = Milliseconds(tw.TwTimer.Expires - tw.SkcNet.Machine.Clock.Now);
        return PutWithMark(skb, dump, flags, r, tw.TwMark);
    }

    [Linux("inet_req_diag_fill")]
    private static int InetReqDiagFill(RequestSock req, NlmsgWriter skb, InetDiagDump dump, int flags)
    {
        InetDiagMsg r = InetDiagMsgCommonFill(req);
        r.IdiagState = TCP_SYN_RECV;
        r.IdiagTimer = Retransmission;
        r.IdiagRetrans = req.NumRetrans;
        r.IdiagExpires = Milliseconds((req.RskTimer?.Expires ?? 0) - req.SkcNet.Machine.Clock.Now);
        return PutWithMark(skb, dump, flags, r, ((InetRequestSock)req).IrMark);
    }

    private static int PutWithMark(NlmsgWriter skb, InetDiagDump dump, int flags, in InetDiagMsg r, uint mark)
    {
        if (!Put(skb, dump, flags, r))
            return -EMSGSIZE;
        if (dump.NetAdmin)
            skb.NlaPut(INET_DIAG_MARK, mark);
        return skb.NlmsgEnd();
    }

    private static bool Put(NlmsgWriter skb, InetDiagDump dump, int flags, in InetDiagMsg r)
    {
        Nlmsghdr asked = dump.Request.Header;
        return skb.NlmsgPut(dump.Request.Portid, asked.NlmsgSeq, asked.NlmsgType, flags, in r);
    }

    [Linux("inet_diag_msg_common_fill")]
    private static InetDiagMsg InetDiagMsgCommonFill(SockCommon sk)
    {
        ulong cookie = (ulong)sk.SockGenCookie();
        InetDiagMsg r = default;
        r.IdiagFamily = (byte)sk.SkcFamily;
        r.Id.IdiagSport = BinaryPrimitives.ReverseEndianness(sk.SkcNum);
        r.Id.IdiagDport = BinaryPrimitives.ReverseEndianness(sk.SkcDport);
        BinaryPrimitives.WriteUInt32BigEndian(r.Id.IdiagSrc, sk.SkcRcvSaddr);
        BinaryPrimitives.WriteUInt32BigEndian(r.Id.IdiagDst, sk.SkcDaddr);
        r.Id.IdiagIf = (uint)sk.SkcBoundDevIf;
        r.Id.IdiagCookieLow = (uint)cookie;
        r.Id.IdiagCookieHigh = (uint)(cookie >> 32);
        return r;
    }

    [Linux("inet_diag_msg_attrs_fill")]
    private static void InetDiagMsgAttrsFill(InetSock sk, NlmsgWriter skb, InetDiagDump dump)
    {
        skb.NlaPut(INET_DIAG_SHUTDOWN, sk.SkShutdown);
        if (dump.Wants(INET_DIAG_TOS))
            skb.NlaPut(INET_DIAG_TOS, sk.Tos);
        if (dump.NetAdmin)
            skb.NlaPut(INET_DIAG_MARK, sk.SkMark);

        // Without classes of control groups it is the priority.
        if (dump.Wants(INET_DIAG_TCLASS))
            skb.NlaPut(INET_DIAG_CLASS_ID, sk.SkPriority);
        skb.NlaPut(INET_DIAG_SOCKOPT, Sockopt(sk));
    }

    // The bits of struct inet_diag_sockopt, lowest first.
    private static ushort Sockopt(InetSock sk)
    {
        ReadOnlySpan<InetFlags> order =
        [
            InetFlags.Recverr, InetFlags.IsIcsk, InetFlags.Freebind, InetFlags.Hdrincl, InetFlags.McLoop, InetFlags.Transparent,
            InetFlags.McAll, InetFlags.Nodefrag, InetFlags.BindAddressNoPort, InetFlags.RecverrRfc4884, InetFlags.DeferConnect,
        ];
        int bits = 0;
        for (int i = 0; i < order.Length; i++)
            bits |= sk.Test(order[i]) ? 1 << i : 0;
        return (ushort)bits;
    }

    private static void PutMeminfo(Sock sk, NlmsgWriter skb) => skb.NlaPut(INET_DIAG_MEMINFO, new InetDiagMeminfo
    {
        IdiagRmem = (uint)Volatile.Read(ref sk.SkRmemAlloc),
        IdiagWmem = (uint)sk.SkWmemQueued,
        IdiagFmem = (uint)sk.SkForwardAlloc,
        IdiagTmem = (uint)sk.SkWmemAllocGet,
    });

    private static uint Milliseconds(long ns) => (uint)(Math.Max(0, ns) / Clock.NsecPerMsec);
}
