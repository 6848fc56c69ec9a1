using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The receiving half of TCP: segment arrival (RFC 9293 3.10.7). All functions want the socket locked. This part: established
/// connections.
/// </summary>
[LinuxFile("net/ipv4/tcp_input.c")]
public static partial class TcpInput
{
    // Flags and length have to be as predicted; PSH and the reserved bits do not matter (TCP_HP_BITS).
    private const uint HeaderPredictionBits = ~(0x0E000000u | (uint)TCPHDR_PSH << 16);

    private const int TimestampHeaderLen = Tcphdr.Size + TCPOLEN_TSTAMP_ALIGNED;

    /// <summary>
    /// A segment for an established connection, whose socket is locked or owned. What comes in order, with the flags and
    /// the window that were predicted, takes a short way; everything else goes step by step as in RFC 9293 3.10.7.4.
    /// Takes over the packet.
    /// </summary>
    [Linux("tcp_rcv_established")]
    public static void TcpRcvEstablished(TcpSock tp, SkBuff skb)
    {
        TcpOutput.TcpMstampRefresh(tp);
        if (tp.SkRxDst == null)
            tp.IcskAfOps.SkRxDstSet(tp, skb);
        tp.RxOpt.SawTstamp = false;
        Tcphdr th = skb.Tcphdr;
        ref TcpSkbCb tcb = ref skb.TcpCb;
        if ((th.FlagWord & HeaderPredictionBits) == tp.PredFlags && tcb.Seq == tp.RcvNxt
            && !TcpSeq.After(tcb.AckSeq, tp.SndNxt) && TimestampIsPredicted(tp, th))
        {
            if (skb.Len == tp.TcpHeaderLen)
            {
                PredictedAck(tp, skb);
                return;
            }

            if (skb.Truesize <= tp.SkForwardAlloc)
            {
                PredictedData(tp, skb);
                return;
            }

            EstablishedStep5(tp, skb, th);
            return;
        }

        if (!th.Ack && !th.Rst && !th.Syn)
        {
            skb.Free();
            return;
        }

        if (TcpValidateIncoming(tp, skb, th, synInerr: true))
            EstablishedStep5(tp, skb, th);
    }

    // RFC 7323 5.3 R1 for the predicted case: a timestamp that went back is for the slow path to judge.
    private static bool TimestampIsPredicted(TcpSock tp, Tcphdr th)
    {
        if (tp.TcpHeaderLen != TimestampHeaderLen)
            return true;
        return TcpParseAlignedTimestamp(tp, th) && (int)(tp.RxOpt.RcvTsval - tp.RxOpt.TsRecent) >= 0;
    }

    // The sending side of a bulk transfer.
    private static void PredictedAck(TcpSock tp, SkBuff skb)
    {
        StorePredictedTimestamp(tp);
        TcpAck(tp, skb, 0);
        skb.Free();
        TcpDataSndCheck(tp);
        tp.RcvRttLastTsecr = tp.RxOpt.RcvTsecr;
    }

    // The receiving side of a bulk transfer.
    private static void PredictedData(TcpSock tp, SkBuff skb)
    {
        StorePredictedTimestamp(tp);
        TcpRcvRttMeasureTs(tp, skb);
        tp.NetIncStats(LinuxMib.TCPHPHits);
        skb.Dst = null;
        int headerLength = tp.TcpHeaderLen;
        bool ackIsOld = skb.TcpCb.AckSeq == tp.SndUna;
        skb.Pull(headerLength);
        TcpQueueRcv(tp, skb, out bool fragstolen);
        TcpEventDataRecv(tp, skb);
        if (ackIsOld)
        {
            tp.TcpUpdateWl(skb.TcpCb.Seq);
            TcpAckSndCheckCore(tp, ofoPossible: false);
        }
        else
        {
            TcpAck(tp, skb, FLAG_DATA);
            TcpDataSndCheck(tp);
            if (tp.InetCskAckScheduled)
                TcpAckSndCheckCore(tp, ofoPossible: false);
        }

        if (fragstolen)
            skb.Free();
        TcpDataReady(tp);
    }

    // A predicted segment begins at RCV.NXT; it is the one to echo when the last ACK sent said so (RFC 7323 4.3).
    private static void StorePredictedTimestamp(TcpSock tp)
    {
        if (tp.TcpHeaderLen == TimestampHeaderLen && tp.RcvNxt == tp.RcvWup)
            TcpStoreTsRecent(tp);
    }

    // The fifth check and what follows it: ACK, URG, text, FIN.
    private static void EstablishedStep5(TcpSock tp, SkBuff skb, Tcphdr th)
    {
        if (TcpAck(tp, skb, FLAG_SLOWPATH | FLAG_UPDATE_TS_RECENT) < 0)
        {
            skb.Free();
            return;
        }

        TcpRcvRttMeasureTs(tp, skb);
        TcpUrg(tp, skb, th);
        TcpDataQueue(tp, skb);
        TcpDataSndCheck(tp);
        TcpAckSndCheck(tp);
    }
}
