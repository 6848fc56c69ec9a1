using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>State of loss detection: RACK and tail loss probes (RFC 8985), and what is remembered of SACK blocks.</content>
public sealed partial class TcpSock
{
    /// <summary>
    /// Packets of the retransmission queue that are in the network as far as is known, in the order of their last
    /// transmission (<c>tsorted_sent_queue</c>): RACK looks at these alone.
    /// </summary>
    public SkBuffHead TsortedSentQueue;

    /// <summary>What RACK knows (<c>struct tcp_rack</c>).</summary>
    public TcpRack Rack = new() { ReoWndSteps = 1 };

    /// <summary><see cref="SndNxt"/> when the tail loss probe was sent; 0 for no probe.</summary>
    public uint TlpHighSeq;

    /// <summary>The tail loss probe was a retransmission, not new data.</summary>
    public bool TlpRetrans;

    /// <summary>How far the search for lost packets by SACK got (RFC 6675; without RACK).</summary>
    public SkBuff? LostSkbHint;

    /// <summary>Sacked segments before <see cref="LostSkbHint"/>.</summary>
    public int LostCntHint;

    /// <summary>
    /// SACK blocks of the last ACK, in the order of their beginnings; of use while something is sacked
    /// (<c>recv_sack_cache</c>).
    /// </summary>
    public TcpSackBlocks RecvSackCache;

    /// <summary>How many there are.</summary>
    public byte RecvSackCacheCount;

    /// <summary>Packets that were looked at for SACK blocks so far: what a peer makes us do.</summary>
    public long SackPacketsVisited;

    /// <summary>Where the probe for a larger path MTU begins.</summary>
    public uint MtuProbeSeqStart;

    /// <summary>Where it ends.</summary>
    public uint MtuProbeSeqEnd;

    /// <summary>
    /// An ACK is due for segments of the backlog (<c>TCP_ACK_DEFERRED</c>); the owner alone sets it and looks at it.
    /// </summary>
    public bool AckDeferred;

    /// <summary>Sends the ACK that stands for those that were held back (<c>compressed_ack_timer</c>).</summary>
    public TimerList? CompressedAckTimer;

    /// <summary>ACKs of data out of order that were held back.</summary>
    public byte CompressedAck;

    /// <summary>ACKs that went at once since <see cref="CompressedAckRcvNxt"/>.</summary>
    public byte DupAckCounter;

    /// <summary><see cref="RcvNxt"/> that these ACKs are of.</summary>
    public uint CompressedAckRcvNxt;

    /// <summary>Whether a packet is among those that RACK looks at.</summary>
    public bool IsTsorted(SkBuff skb) => skb.Prev != null || TsortedSentQueue.First == skb;

    /// <summary>A packet of the retransmission queue was sent: it is the latest now.</summary>
    public void TsortedMoveTail(SkBuff skb)
    {
        TsortedUnlink(skb);
        TsortedSentQueue.QueueTail(skb);
    }

    /// <summary>RACK has not to look at a packet any more (<c>list_del_init(&amp;skb->tcp_tsorted_anchor)</c>).</summary>
    public void TsortedUnlink(SkBuff skb)
    {
        if (IsTsorted(skb))
            TsortedSentQueue.Unlink(skb);
    }

    /// <summary>Whether losses are found by time, not by counting (<c>tcp_is_rack</c>).</summary>
    public bool TcpIsRack => (Ipv4.SysctlTcpRecovery & TcpRecovery.TCP_RACK_LOSS_DETECTION) != 0;

    /// <summary>Forgets where searches in the retransmission queue got (<c>tcp_clear_all_retrans_hints</c>).</summary>
    public void TcpClearAllRetransHints()
    {
        LostSkbHint = null;
        RetransmitSkbHint = null;
    }
}

/// <summary>State of RACK (RFC 8985 section 5.3).</summary>
[LinuxStruct("tcp_rack")]
[LinuxFile("include/linux/tcp.h")]
public struct TcpRack
{
    /// <summary>When the delivered packet that was sent last was sent, µs (RACK.xmit_ts).</summary>
    public long Mstamp;

    /// <summary>RTT of the packet that was delivered last, µs (RACK.rtt).</summary>
    public uint RttUs;

    /// <summary>End of the delivered packet that was sent last (RACK.end_seq).</summary>
    public uint EndSeq;

    /// <summary>Segments delivered when the reordering window was adjusted last.</summary>
    public uint LastDelivered;

    /// <summary>The reordering window in quarters of the smallest RTT.</summary>
    public byte ReoWndSteps;

    /// <summary>Recoveries for which the reordering window stays as it is.</summary>
    public byte ReoWndPersist;

    /// <summary>A duplicate SACK came since the window was adjusted.</summary>
    public bool DsackSeen;

    /// <summary>Something was delivered since losses were looked for.</summary>
    public bool Advanced;
}
