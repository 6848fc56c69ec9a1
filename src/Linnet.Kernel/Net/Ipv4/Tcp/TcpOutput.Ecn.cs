using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Explicit congestion notification (RFC 3168), as a sender.</content>
public static partial class TcpOutput
{
    /// <summary>Whether ECN is wanted on a route, whatever the namespace wants (<c>RTAX_FEATURE_ECN</c>).</summary>
    internal static bool RouteHasEcn(DstEntry? dst) => dst != null && (dst.Metric(RTAX_FEATURES) & RTAX_FEATURE_ECN) != 0;

    // A SYN offers ECN by ECE and CWR.
    private static void TcpEcnSendSyn(TcpSock tp, SkBuff skb)
    {
        tp.EcnFlags = 0;
        bool needed = tp.IcskCaOps.NeedsEcn;
        if (!needed && tp.Ipv4.SysctlTcpEcn != 1 && !RouteHasEcn(tp.SkDstCache))
            return;
        skb.TcpCb.TcpFlags |= TCPHDR_ECE | TCPHDR_CWR;
        tp.EcnFlags = TCP_ECN_OK;
        if (needed)
            EcnBits.InetEcnXmit(tp);
    }

    // RFC 3168 6.1.1.1: something on the way may drop SYNs that offer ECN, so that the second one does not.
    private static void TcpEcnClearSyn(TcpSock tp, SkBuff skb)
    {
        const int Offer = TCPHDR_SYN | TCPHDR_ECE | TCPHDR_CWR;
        if (tp.Ipv4.SysctlTcpEcnFallback && (skb.TcpCb.TcpFlags & Offer) == Offer)
            skb.TcpCb.TcpFlags &= unchecked((ushort)~(TCPHDR_ECE | TCPHDR_CWR));
    }

    // The SYN of a simultaneous open becomes a SYN-ACK, which accepts by ECE alone.
    private static void TcpEcnSendSynack(TcpSock tp, SkBuff skb)
    {
        skb.TcpCb.TcpFlags &= unchecked((ushort)~TCPHDR_CWR);
        if ((tp.EcnFlags & TCP_ECN_OK) == 0)
            skb.TcpCb.TcpFlags &= unchecked((ushort)~TCPHDR_ECE);
        else if (tp.IcskCaOps.NeedsEcn)
            EcnBits.InetEcnXmit(tp);
    }

    /// <summary>Marks a packet as capable of ECN if it is new data, and adds CWR and ECE (RFC 3168 6.1.2, 6.1.3, 6.1.5).</summary>
    /// <returns>The flags to add.</returns>
    private static int TcpEcnSend(TcpSock tp, SkBuff segment, in TcpSkbCb tcb, int headerSize)
    {
        if ((tp.EcnFlags & TCP_ECN_OK) == 0)
            return 0;
        int flags = 0;
        if (segment.Len != headerSize && !TcpSeq.Before(tcb.Seq, tp.SndNxt))
        {
            EcnBits.InetEcnXmit(tp);
            if ((tp.EcnFlags & TCP_ECN_QUEUE_CWR) != 0)
            {
                tp.EcnFlags &= unchecked((byte)~TCP_ECN_QUEUE_CWR);
                flags = TCPHDR_CWR;
            }
        }
        else if (!tp.IcskCaOps.NeedsEcn)
        {
            // Pure ACKs and retransmissions are never marked.
            EcnBits.InetEcnDontxmit(tp);
        }

        if ((tp.EcnFlags & TCP_ECN_DEMAND_CWR) != 0)
            flags |= TCPHDR_ECE;
        return flags;
    }
}
