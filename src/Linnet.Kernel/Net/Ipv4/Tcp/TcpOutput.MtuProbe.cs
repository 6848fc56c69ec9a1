using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// Path MTU discovery by probes of real data (RFC 4821): a segment that is larger than the others either arrives, or is lost
/// alone. No ICMP message is needed.
/// </content>
public static partial class TcpOutput
{
    // The smallest window in which the loss of a probe is repaired by fast retransmit.
    private const int LeastCwndForProbe = 11;

    /// <summary>Sends a probe of half way between the sizes that are known to work and not known not to.</summary>
    /// <returns>1 when one was sent, 0 when data has to wait for one, -1 when there is none to send.</returns>
    [Linux("tcp_mtu_probe")]
    private static int TcpMtuProbe(TcpSock tp)
    {
        ref IcskMtuProbe mtup = ref tp.IcskMtup;
        if (!mtup.Enabled || mtup.ProbeSize != 0 || tp.IcskCaState != TCP_CA_Open || tp.SndCwnd < LeastCwndForProbe
            || tp.RxOpt.NumSacks != 0 || tp.RxOpt.Dsack)
        {
            return -1;
        }

        int mssNow = TcpCurrentMss(tp);
        int probeSize = TcpMtuToMss(tp, (mtup.SearchHigh + mtup.SearchLow) >> 1);
        if (probeSize > TcpMtuToMss(tp, mtup.SearchHigh)
            || mtup.SearchHigh - mtup.SearchLow < tp.Ipv4.SysctlTcpProbeThreshold)
        {
            TcpMtuCheckReprobe(tp);
            return -1;
        }

        // Enough has to follow for a loss to be noticed.
        uint needed = (uint)probeSize + (tp.Reordering + 1) * (uint)tp.MssCache;
        if (tp.WriteSeq - tp.SndNxt < needed || tp.SndWnd < needed)
            return -1;
        if (TcpSeq.After(tp.SndNxt + needed, tp.TcpWndEnd))
            return 0;
        if (tp.TcpPacketsInFlight + 2 > tp.SndCwnd)
            return tp.TcpPacketsInFlight == 0 ? -1 : 0;
        if (!TcpCanCoalesceSendQueueHead(tp, probeSize))
            return -1;
        return SendMtuProbe(tp, GatherProbe(tp, probeSize, mssNow), probeSize);
    }

    private static int SendMtuProbe(TcpSock tp, SkBuff probe, int probeSize)
    {
        if (probe.Len < probeSize)
            return -1;
        probe.TcpCb.TcpGsoSegs = 1;
        probe.TcpCb.TcpGsoSize = 0;
        if (TcpTransmitSkb(tp, probe, cloneIt: true) != 0)
            return -1;

        // It takes the place of two.
        tp.TcpSndCwndSet(tp.SndCwnd - 1);
        TcpEventNewDataSent(tp, probe);
        tp.IcskMtup.ProbeSize = TcpMssToMtu(tp, probe.Len);
        tp.MtuProbeSeqStart = probe.TcpCb.Seq;
        tp.MtuProbeSeqEnd = probe.TcpCb.EndSeq;
        return 1;
    }

    /// <summary>Some time after the search ended it begins again: the path may have changed.</summary>
    [Linux("tcp_mtu_check_reprobe")]
    private static void TcpMtuCheckReprobe(TcpSock tp)
    {
        if (tp.TcpClockCache - tp.IcskMtup.ProbeTimestamp < tp.Ipv4.SysctlTcpProbeInterval * Clock.NsecPerSec)
            return;
        tp.IcskMtup.ProbeSize = 0;
        tp.IcskMtup.SearchHigh = tp.RxOpt.MssClamp + Tcphdr.Size + tp.IcskAfOps.NetHeaderLen;
        tp.IcskMtup.SearchLow = TcpMssToMtu(tp, TcpCurrentMss(tp));
        tp.IcskMtup.ProbeTimestamp = tp.TcpClockCache;
    }

    /// <summary>Whether the first <paramref name="len"/> bytes of the queue may be one segment: no record ends in them.</summary>
    [Linux("tcp_can_coalesce_send_queue_head")]
    private static bool TcpCanCoalesceSendQueueHead(TcpSock tp, int len)
    {
        for (SkBuff? skb = tp.TcpSendHead; skb != null && len > skb.Len; skb = skb.Next)
        {
            if (skb.TcpCb.Eor || skb.HeadLen != 0)
                return false;
            len -= skb.Len;
        }

        return true;
    }

    // Moves the data to a new packet at the head of the queue. Where that ends early, for want of fragments, the packet stays
    // there as any other.
    private static SkBuff GatherProbe(TcpSock tp, int probeSize, int mssNow)
    {
        SkBuff head = tp.TcpSendHead!;
        SkBuff probe = AllocSegment(tp);
        probe.IpSummed = ChecksumState.Partial;
        tp.SkWmemQueued += probe.Truesize;
        tp.SkMemCharge(probe.Truesize);
        ref TcpSkbCb to = ref probe.TcpCb;
        to = default;
        to.Seq = to.EndSeq = head.TcpCb.Seq;
        to.TcpFlags = TCPHDR_ACK;
        tp.SkWriteQueue.QueueBefore(head, probe);
        while (probe.Len < probeSize && probe.Next is { } skb)
        {
            int copy = Math.Min(skb.Len, probeSize - probe.Len);
            if (!skb.ShiftTo(probe, copy))
                break;
            ref TcpSkbCb from = ref skb.TcpCb;
            if (skb.Len == 0)
            {
                to.EndSeq = from.EndSeq;
                to.TcpFlags |= from.TcpFlags;
                to.Eor = from.Eor;
                TcpSkbCollapseTstamp(probe, skb);
                tp.SkWriteQueue.Unlink(skb);
                tp.TcpWmemFreeSkb(skb);
                continue;
            }

            to.TcpFlags |= (ushort)(from.TcpFlags & ~(TCPHDR_FIN | TCPHDR_PSH));
            from.Seq += (uint)copy;
            to.EndSeq = from.Seq;
            TcpSetSkbTsoSegs(skb, mssNow);
        }

        TcpSetSkbTsoSegs(probe, mssNow);
        return probe;
    }
}
