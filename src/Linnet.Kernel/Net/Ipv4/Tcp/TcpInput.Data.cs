using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Payload: in order to the receive queue, out of order to where it waits (RFC 9293 section 3.10.7.4, seventh).</content>
public static partial class TcpInput
{
    /// <summary>
    /// Queues the payload of an acceptable segment, whose data begins at the TCP header. Takes over the packet.
    /// </summary>
    [Linux("tcp_data_queue")]
    public static void TcpDataQueue(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        if (cb.Seq == cb.EndSeq)
        {
            skb.Free();
            return;
        }

        skb.Dst = null;
        skb.Pull(skb.Tcphdr.HeaderLength);
        tp.RxOpt.Dsack = false;
        if (cb.Seq == tp.RcvNxt)
            QueueInOrder(tp, skb);
        else if (!TcpSeq.After(cb.EndSeq, tp.RcvNxt))
            RefuseDuplicate(tp, skb);
        else if (!TcpSeq.Before(cb.Seq, tp.RcvNxt + tp.TcpReceiveWindow))
            RefuseOutOfWindow(tp, skb);
        else if (TcpSeq.Before(cb.Seq, tp.RcvNxt))
            QueuePartlyNew(tp, skb);
        else
            TcpDataQueueOfo(tp, skb);
    }

    /// <summary>Appends data that is next in order to the receive queue, joined to the last packet where possible.</summary>
    /// <param name="tp">The connection.</param>
    /// <param name="skb">The packet, with its data at the payload.</param>
    /// <param name="fragstolen">The packet's data moved: what is left of it is the caller's to free.</param>
    [Linux("tcp_queue_rcv")]
    public static void TcpQueueRcv(TcpSock tp, SkBuff skb, out bool fragstolen)
    {
        SkBuff? tail = tp.SkReceiveQueue.Last;
        fragstolen = tail != null && TcpTryCoalesce(tp, tail, skb);
        TcpRcvNxtUpdate(tp, skb.TcpCb.EndSeq);
        if (fragstolen)
            return;
        tp.SkReceiveQueue.QueueTail(skb);
        tp.SkbSetOwnerR(skb);
    }

    /// <summary>Tells the reader when there is as much as it waits for (<c>tcp_data_ready</c>).</summary>
    [Linux("tcp_data_ready")]
    public static void TcpDataReady(TcpSock tp)
    {
        if (Tcp.TcpEpollinReady(tp, tp.SkRcvlowat) || tp.SockFlag(SockFlags.Done))
            tp.SkDataReady(tp);
    }

    private static void QueueInOrder(TcpSock tp, SkBuff skb)
    {
        ref TcpSkbCb cb = ref skb.TcpCb;
        bool bareFin = skb.Len == 0 && (cb.TcpFlags & TCPHDR_FIN) != 0;
        if (tp.TcpReceiveWindow == 0 && !bareFin && !OfoGivesWay(tp, skb))
        {
            tp.NetIncStats(LinuxMib.TCPZeroWindowDrop);
            RefuseOutOfWindow(tp, skb);
            return;
        }

        QueueAndOut(tp, skb);
    }

    // With nothing to read, only what waits out of order can have closed the window (tcp_shrink_window): it gives way, as the
    // gap before it could not be filled otherwise.
    private static bool OfoGivesWay(TcpSock tp, SkBuff skb) =>
        tp.SkReceiveQueue.IsEmpty && !tp.OutOfOrderQueue.IsEmpty && TcpPruneOfoQueue(tp, skb);

    // The beginning was received before, the rest is new.
    private static void QueuePartlyNew(TcpSock tp, SkBuff skb)
    {
        TcpDsackSet(tp, skb.TcpCb.Seq, tp.RcvNxt);
        if (tp.TcpReceiveWindow == 0 && !OfoGivesWay(tp, skb))
        {
            tp.NetIncStats(LinuxMib.TCPZeroWindowDrop);
            RefuseOutOfWindow(tp, skb);
            return;
        }

        QueueAndOut(tp, skb);
    }

    private static void QueueAndOut(TcpSock tp, SkBuff skb)
    {
        if (!TcpTryRmemSchedule(tp, skb, skb.Truesize))
        {
            tp.IcskAck.Pending |= InetConnectionSock.ICSK_ACK_NOMEM | InetConnectionSock.ICSK_ACK_NOW;
            tp.InetCskScheduleAck();
            tp.SkDataReady(tp);
            if (!tp.SkReceiveQueue.IsEmpty && skb.Len != 0)
            {
                tp.NetIncStats(LinuxMib.TCPRcvQDrop);
                skb.Free();
                return;
            }

            // One segment is always taken, so that a small buffer does not stop the flow.
            TcpOutput.SkForcedMemSchedule(tp, skb.Truesize);
        }

        bool fin = (skb.TcpCb.TcpFlags & TCPHDR_FIN) != 0;
        TcpQueueRcv(tp, skb, out bool fragstolen);
        if (skb.Len != 0)
            TcpEventDataRecv(tp, skb);
        if (fin)
            TcpFin(tp);
        if (!tp.OutOfOrderQueue.IsEmpty)
        {
            TcpOfoQueue(tp);

            // RFC 5681 section 4.2: a gap that was filled is acknowledged at once.
            if (tp.OutOfOrderQueue.IsEmpty)
                tp.IcskAck.Pending |= InetConnectionSock.ICSK_ACK_NOW;
        }

        if (tp.RxOpt.NumSacks != 0)
            TcpSackRemove(tp);
        tp.TcpFastPathCheck();
        if (fragstolen)
            skb.Free();
        if (!tp.SockFlag(SockFlags.Dead))
            TcpDataReady(tp);
    }

    private static void RefuseDuplicate(TcpSock tp, SkBuff skb)
    {
        tp.NetIncStats(LinuxMib.DelayedACKLost);
        TcpDsackSet(tp, skb.TcpCb.Seq, skb.TcpCb.EndSeq);
        RefuseOutOfWindow(tp, skb);
    }

    // The sender learns at once where we are.
    private static void RefuseOutOfWindow(TcpSock tp, SkBuff skb)
    {
        TcpEnterQuickackMode(tp, TCP_MAX_QUICKACKS);
        tp.InetCskScheduleAck();
        skb.Free();
    }

    private static void TcpRcvNxtUpdate(TcpSock tp, uint seq)
    {
        tp.BytesReceived += seq - tp.RcvNxt;
        tp.RcvNxt = seq;
    }

    [Linux("tcp_try_coalesce")]
    private static bool TcpTryCoalesce(TcpSock tp, SkBuff to, SkBuff from)
    {
        ref TcpSkbCb toCb = ref to.TcpCb;
        ref TcpSkbCb fromCb = ref from.TcpCb;
        if (fromCb.Seq != toCb.EndSeq || !to.TryCoalesce(from, out int delta))
            return false;
        to.Truesize += delta;
        Interlocked.Add(ref tp.SkRmemAlloc, delta);
        tp.SkMemCharge(delta);
        tp.NetIncStats(LinuxMib.TCPRcvCoalesce);
        toCb.EndSeq = fromCb.EndSeq;
        toCb.AckSeq = fromCb.AckSeq;
        toCb.TcpFlags |= fromCb.TcpFlags;
        if (fromCb.HasRxtstamp)
        {
            toCb.HasRxtstamp = true;
            to.Tstamp = from.Tstamp;
        }

        return true;
    }

    /// <summary>The peer has sent everything (RFC 9293 section 3.10.7.4, eighth).</summary>
    [Linux("tcp_fin")]
    private static void TcpFin(TcpSock tp)
    {
        tp.InetCskScheduleAck();
        tp.SkShutdown |= Sock.RCV_SHUTDOWN;
        tp.SkFlags |= SockFlags.Done;
        switch (tp.SkState)
        {
            case TCP_SYN_RECV:
            case TCP_ESTABLISHED:
                Tcp.TcpSetState(tp, TCP_CLOSE_WAIT);
                tp.InetCskEnterPingpongMode();
                break;
            case TCP_FIN_WAIT1:
                // Both sides closed at once: our FIN is not acknowledged yet.
                TcpOutput.TcpSendAck(tp);
                Tcp.TcpSetState(tp, TCP_CLOSING);
                break;
            case TCP_FIN_WAIT2:
                TcpOutput.TcpSendAck(tp);
                TcpMinisocks.TcpTimeWait(tp, TCP_TIME_WAIT, 0);
                break;
            case TCP_CLOSE_WAIT or TCP_CLOSING or TCP_LAST_ACK:
                // The FIN came again.
                break;
            default:
                throw new BugException($"FIN in state {tp.SkState}");
        }

        // Nothing comes behind a FIN.
        PurgeOfoQueue(tp);
        if (tp.SockFlag(SockFlags.Dead))
            return;
        tp.SkStateChange(tp);
        tp.SkWakeAsync(SockWake.Waitd, tp.SkShutdown == Sock.SHUTDOWN_MASK || tp.SkState == TCP_CLOSE ? POLL_HUP : POLL_IN);
    }

    private static void PurgeOfoQueue(TcpSock tp)
    {
        while (tp.OutOfOrderQueue.First is { } skb)
        {
            tp.OutOfOrderQueue.RemoveAt(0);
            skb.Free();
        }

        if (tp.TcpIsSack)
            TcpSackReset(tp);
    }
}
