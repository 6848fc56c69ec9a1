using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Explicit congestion notification (RFC 3168), as a receiver of data: what routers marked with CE is echoed (ECE) until the
/// sender says that it has reduced its window (CWR). And as a sender: which ACKs echo.
/// </content>
public static partial class TcpInput
{
    // ACKs that are sent at once after a mark: the sender's window may be very small.
    private const int EcnQuickacks = 2;

    // The four bits between data offset and CWR.
    private const uint ReservedBits = 0x0F000000;

    /// <summary>Whether a listener agrees to ECN with the sender of a SYN (RFC 3168 6.1.1).</summary>
    [Linux("tcp_ecn_create_request")]
    private static void TcpEcnCreateRequest(TcpSock listener, TcpRequestSock req, SkBuff skb, DstEntry dst)
    {
        Tcphdr th = skb.Tcphdr;
        if (!th.Ece || !th.Cwr)
            return;

        // A SYN that is itself marked as capable comes from a bleaching or broken path, except with congestion controls that
        // ask for it. AE or reserved bits are a peer's that offers more than RFC 3168.
        bool marked = (skb.TcpCb.IpDsfield & EcnBits.INET_ECN_MASK) != EcnBits.INET_ECN_NOT_ECT;
        bool reserved = (th.FlagWord & ReservedBits) != 0;
        bool wanted = listener.Ipv4.SysctlTcpEcn != 0 || TcpOutput.RouteHasEcn(dst);
        if ((!marked || reserved) && wanted || listener.IcskCaOps.NeedsEcn)
            req.EcnOk = true;
    }

    // The peer answers our offer: ECE without CWR accepts it.
    private static void TcpEcnRcvSynack(TcpSock tp, Tcphdr th)
    {
        if (!th.Ece || th.Cwr)
            tp.EcnFlags &= unchecked((byte)~TCP_ECN_OK);
    }

    // Both sides connect at once, and both have to offer.
    private static void TcpEcnRcvSyn(TcpSock tp, Tcphdr th)
    {
        if (!th.Ece || !th.Cwr)
            tp.EcnFlags &= unchecked((byte)~TCP_ECN_OK);
    }

    private static bool TcpEcnRcvEcnEcho(TcpSock tp, Tcphdr th) => th.Ece && !th.Syn && (tp.EcnFlags & TCP_ECN_OK) != 0;

    /// <summary>
    /// The sender has reduced its window: it need not be told any more. RFC 3168 has CWR on new data; it is taken on pure ACKs
    /// too, as some senders put it there.
    /// </summary>
    private static void TcpEcnAcceptCwr(TcpSock tp, SkBuff skb)
    {
        if ((skb.TcpCb.TcpFlags & TCPHDR_CWR) == 0)
            return;
        tp.EcnFlags &= unchecked((byte)~TCP_ECN_DEMAND_CWR);
        if (skb.TcpCb.Seq != skb.TcpCb.EndSeq)
            tp.IcskAck.Pending |= InetConnectionSock.ICSK_ACK_NOW;
    }

    /// <summary>Data came: looks at the mark of its packet.</summary>
    private static void TcpDataEcnCheck(TcpSock tp, SkBuff skb)
    {
        if ((tp.EcnFlags & TCP_ECN_OK) == 0)
            return;
        switch (skb.TcpCb.IpDsfield & EcnBits.INET_ECN_MASK)
        {
            case EcnBits.INET_ECN_NOT_ECT:
                // Of a sender that marks its data, this is a retransmission.
                if ((tp.EcnFlags & TCP_ECN_SEEN) != 0)
                    TcpEnterQuickackMode(tp, EcnQuickacks);
                break;
            case EcnBits.INET_ECN_CE:
                if (tp.IcskCaOps.NeedsEcn)
                    tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.EcnIsCe);
                if ((tp.EcnFlags & TCP_ECN_DEMAND_CWR) == 0)
                {
                    TcpEnterQuickackMode(tp, EcnQuickacks);
                    tp.EcnFlags |= TCP_ECN_DEMAND_CWR;
                }

                tp.EcnFlags |= TCP_ECN_SEEN;
                break;
            default:
                if (tp.IcskCaOps.NeedsEcn)
                    tp.IcskCaOps.CwndEvent(tp, TcpCaEvent.EcnNoCe);
                tp.EcnFlags |= TCP_ECN_SEEN;
                break;
        }
    }

    // The next new data says that the window was reduced.
    private static void TcpEcnQueueCwr(TcpSock tp)
    {
        if ((tp.EcnFlags & TCP_ECN_OK) != 0)
            tp.EcnFlags |= TCP_ECN_QUEUE_CWR;
    }

    private static void TcpEcnWithdrawCwr(TcpSock tp) => tp.EcnFlags &= unchecked((byte)~TCP_ECN_QUEUE_CWR);
}
