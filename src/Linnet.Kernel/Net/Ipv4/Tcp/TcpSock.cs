using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A TCP connection or listener (<c>struct tcp_sock</c>). Sequence variables have RFC 9293's names. All fields are
/// protected by the socket lock; readers without it (poll, diagnostics) take what they find.
/// </summary>
/// <remarks>Times are in ns since boot unless a unit is named; RTT estimates are in µs and scaled as in Linux.</remarks>
[LinuxStruct("tcp_sock")]
[LinuxFile("include/net/tcp.h")]
public sealed partial class TcpSock : InetConnectionSock
{
    // --- receiving ---

    /// <summary>Next sequence number expected (RCV.NXT).</summary>
    public uint RcvNxt;

    /// <summary>Head of what was not read yet.</summary>
    public uint CopiedSeq;

    /// <summary><see cref="RcvNxt"/> when the last window was advertised.</summary>
    public uint RcvWup;

    /// <summary>Window that was last advertised, in bytes (RCV.WND).</summary>
    public uint RcvWnd;

    /// <summary>Largest window that may be advertised, in bytes.</summary>
    public uint WindowClamp;

    /// <summary>Window that is advertised at present: grows with what the peer really sends.</summary>
    public uint RcvSsthresh;

    /// <summary>How much of the truesize is payload, in 256ths (<c>scaling_ratio</c>).</summary>
    public byte ScalingRatio = 128;

    /// <summary>MSS that was advertised.</summary>
    public ushort Advmss;

    /// <summary>Length of our header, options of an ordinary segment included.</summary>
    public ushort TcpHeaderLen;

    /// <summary>Flag word of a header that takes the fast path; 0 when it is off (<c>pred_flags</c>).</summary>
    public uint PredFlags;

    /// <summary>When the last segment came.</summary>
    public long RcvTstamp;

    /// <summary>When an out-of-window segment was last answered, in ms; 0 for never.</summary>
    public uint LastOowAckTime;

    /// <summary>Window and sequence of the auto-tuning of the receive buffer (<c>rcvq_space</c>).</summary>
    public TcpRcvqSpace RcvqSpace;

    /// <summary>Receiver's estimate of the RTT (<c>rcv_rtt_est</c>).</summary>
    public TcpRcvRttEst RcvRttEst;

    /// <summary>Timestamp echo of the last receiver RTT sample.</summary>
    public uint RcvRttLastTsecr;

    /// <summary>Segments that came out of order.</summary>
    public SkbSeqQueue OutOfOrderQueue;

    /// <summary>Segments that came out of order, in all; see <c>tcpi_rcv_ooopack</c>.</summary>
    public uint RcvOooPack;

    /// <summary>A duplicate to report (RFC 2883).</summary>
    public TcpSackBlock DuplicateSack;

    /// <summary>What was received out of order, most recent first.</summary>
    public TcpSackBlocks SelectiveAcks;

    /// <summary>Options of the last segment and of the handshake.</summary>
    public TcpOptionsReceived RxOpt;

    // --- urgent data ---

    /// <summary>Sequence number of the urgent byte.</summary>
    public uint UrgSeq;

    /// <summary>State of received urgent data, <c>TCP_URG_*</c>, and the byte.</summary>
    public ushort UrgData;

    /// <summary>Sequence number behind our last urgent byte (SND.UP).</summary>
    public uint SndUp;

    // --- sending ---

    /// <summary>First sequence number that is not acknowledged (SND.UNA).</summary>
    public uint SndUna;

    /// <summary>Next sequence number to send (SND.NXT).</summary>
    public uint SndNxt;

    /// <summary>End of the last small segment, for Minshall's variant of Nagle.</summary>
    public uint SndSml;

    /// <summary>Sequence number of the segment that updated the window last (SND.WL1).</summary>
    public uint SndWl1;

    /// <summary>The peer's window, in bytes (SND.WND).</summary>
    public uint SndWnd;

    /// <summary>Largest window that the peer offered.</summary>
    public uint MaxWindow;

    /// <summary>Sequence number behind all that the application wrote.</summary>
    public uint WriteSeq;

    /// <summary>Sequence number behind the last byte that was to be pushed.</summary>
    public uint PushedSeq;

    /// <summary>When data was last sent.</summary>
    public long Lsndtime;

    /// <summary>Payload of a full segment at the present path MTU and options.</summary>
    public int MssCache;

    /// <summary>Segments that a super-packet may stand for (<c>gso_segs</c>).</summary>
    public ushort GsoSegs;

    /// <summary>Bits of <c>TCP_NAGLE_*</c>.</summary>
    public byte Nonagle;

    /// <summary><c>TCP_NOTSENT_LOWAT</c>; 0 for the sysctl.</summary>
    public uint NotsentLowat;

    /// <summary>Sent, not acknowledged segments, lowest first (<c>tcp_rtx_queue</c>).</summary>
    public SkbSeqQueue RtxQueue;

    // --- congestion control and recovery ---

    /// <summary>Segments that were sent and are not acknowledged.</summary>
    public uint PacketsOut;

    /// <summary>Retransmitted segments that are still outstanding.</summary>
    public uint RetransOut;

    /// <summary>Segments that are taken for lost.</summary>
    public uint LostOut;

    /// <summary>Segments that were SACKed, or counted by duplicate ACKs without SACK.</summary>
    public uint SackedOut;

    /// <summary>Most segments in flight in the last window.</summary>
    public uint MaxPacketsOut;

    /// <summary>End of the window for which <see cref="MaxPacketsOut"/> counts.</summary>
    public uint CwndUsageSeq;

    /// <summary>The congestion window limited sending in the last window.</summary>
    public bool IsCwndLimited;

    /// <summary>Slow-start threshold, in segments.</summary>
    public uint SndSsthresh = TCP_INFINITE_SSTHRESH;

    /// <summary>Congestion window, in segments.</summary>
    public uint SndCwnd = TCP_INIT_CWND;

    /// <summary>Counts towards the next increase of the window.</summary>
    public uint SndCwndCnt;

    /// <summary>Largest congestion window allowed.</summary>
    public uint SndCwndClamp = uint.MaxValue;

    /// <summary>Most of the window that was used while it was not full.</summary>
    public uint SndCwndUsed;

    /// <summary>When the window was last validated.</summary>
    public long SndCwndStamp;

    /// <summary>Congestion window at the start of the present reduction.</summary>
    public uint PriorCwnd;

    /// <summary>Segments delivered in recovery (RFC 6937).</summary>
    public uint PrrDelivered;

    /// <summary>Segments sent in recovery (RFC 6937).</summary>
    public uint PrrOut;

    /// <summary>Segments delivered in all, retransmissions included.</summary>
    public uint Delivered;

    /// <summary>Of these, those whose delivery was marked with CE.</summary>
    public uint DeliveredCe;

    /// <summary>Segments that were ever taken for lost.</summary>
    public uint Lost;

    /// <summary><see cref="Delivered"/> until which the application limits the flow; 0 for not limited.</summary>
    public uint AppLimited;

    /// <summary>Start of the present sending window, µs.</summary>
    public long FirstTxMstamp;

    /// <summary>When <see cref="Delivered"/> grew last, µs.</summary>
    public long DeliveredMstamp;

    /// <summary>Segments of the best delivery-rate sample.</summary>
    public uint RateDelivered;

    /// <summary>Interval of the best delivery-rate sample, µs.</summary>
    public uint RateIntervalUs;

    /// <summary>The best delivery-rate sample was limited by the application.</summary>
    public bool RateAppLimited;

    /// <summary><see cref="SndNxt"/> when the present recovery began.</summary>
    public uint HighSeq;

    /// <summary>Timestamp of the first retransmission of the present recovery; 0 for none (Eifel).</summary>
    public uint RetransStamp;

    /// <summary>Where a reduction can be undone from; 0 for nowhere.</summary>
    public uint UndoMarker;

    /// <summary>Retransmissions that would have to turn out unneeded for an undo.</summary>
    public int UndoRetrans;

    /// <summary>Threshold before the present reduction, for undoing it.</summary>
    public uint PriorSsthresh;

    /// <summary>Duplicate ACKs that start recovery: the degree of reordering seen.</summary>
    public uint Reordering = TCP_FASTRETRANS_THRESH;

    /// <summary>How often reordering was seen.</summary>
    public uint ReordSeen;

    /// <summary>F-RTO is in progress (RFC 5682).</summary>
    public bool Frto;

    /// <summary>SACKs were withdrawn in this loss episode.</summary>
    public bool IsSackReneg;

    /// <summary>ECN state, <c>TCP_ECN_*</c>.</summary>
    public byte EcnFlags;

    /// <summary>Sequence number behind the highest that was sacked; of use while something is sacked.</summary>
    public uint HighestSack;

    /// <summary>The first lost, not retransmitted segment is here or behind it.</summary>
    public SkBuff? RetransmitSkbHint;

    // --- RTT ---

    /// <summary>Smoothed RTT in µs, times 8 (SRTT).</summary>
    public uint SrttUs;

    /// <summary>Mean deviation in µs, times 4.</summary>
    public uint MdevUs;

    /// <summary>Largest mean deviation in the last RTT, µs, times 4.</summary>
    public uint MdevMaxUs;

    /// <summary>Variance that the timeout reckons with, µs, times 4 (RTTVAR).</summary>
    public uint RttvarUs;

    /// <summary>End of the window for which <see cref="MdevMaxUs"/> counts.</summary>
    public uint RttSeq;

    /// <summary>Smallest RTT in the last minutes, µs.</summary>
    public TcpMinmax RttMin;

    /// <summary>Now, in ns, as of the last <c>tcp_mstamp_refresh</c>.</summary>
    public long TcpClockCache;

    /// <summary>Now, in µs, as of the last <c>tcp_mstamp_refresh</c>.</summary>
    public long TcpMstamp;

    /// <summary>When a segment was last transmitted, ns; for a paced connection, when the next one may be.</summary>
    public long TcpWstampNs;

    /// <summary>Fires when the next packet may go (<c>pacing_timer</c>); null until it is needed.</summary>
    public TimerList? PacingTimer;

    /// <summary>Bits of small queues, changed atomically: 1 waits for packets to leave, 2 is queued to go on.</summary>
    internal int TsqState;

    /// <summary>Next of the connections that are queued to go on.</summary>
    internal TcpSock? TsqNext;

    /// <summary>What is added to our timestamps (RFC 7323 5.4).</summary>
    public uint Tsoffset;

    // --- timers and options ---

    /// <summary>Which timers and transmissions wait for the owner to release the socket.</summary>
    public TcpTsqFlags TsqFlags;

    /// <summary><c>TCP_KEEPIDLE</c> in ns; 0 for the sysctl.</summary>
    public long KeepaliveTime;

    /// <summary><c>TCP_KEEPINTVL</c> in ns; 0 for the sysctl.</summary>
    public long KeepaliveIntvl;

    /// <summary><c>TCP_KEEPCNT</c>; 0 for the sysctl.</summary>
    public byte KeepaliveProbes;

    /// <summary><c>TCP_LINGER2</c> in ns; 0 for the sysctl, negative for no FIN_WAIT2.</summary>
    public long Linger2;

    /// <summary><c>TCP_THIN_LINEAR_TIMEOUTS</c></summary>
    public bool ThinLto;

    /// <summary><c>TCP_INQ</c></summary>
    public bool RecvmsgInq;

    /// <summary><c>TCP_SAVE_SYN</c>: 0 off, 1 network and TCP header, 2 link header too.</summary>
    public byte SaveSyn;

    /// <summary>Headers of the SYN (<c>TCP_SAVED_SYN</c>).</summary>
    public byte[]? SavedSyn;

    // --- statistics (RFC 4898) ---

    /// <summary>Payload received.</summary>
    public ulong BytesReceived;

    /// <summary>Payload acknowledged.</summary>
    public ulong BytesAcked;

    /// <summary>Payload sent, retransmissions included.</summary>
    public ulong BytesSent;

    /// <summary>Payload retransmitted.</summary>
    public ulong BytesRetrans;

    /// <summary>Segments received.</summary>
    public uint SegsIn;

    /// <summary>Segments with payload received.</summary>
    public uint DataSegsIn;

    /// <summary>Segments sent.</summary>
    public uint SegsOut;

    /// <summary>Segments with payload sent.</summary>
    public uint DataSegsOut;

    /// <summary>Segments retransmitted.</summary>
    public uint TotalRetrans;

    /// <summary>Duplicate-SACK blocks received.</summary>
    public uint DsackDups;

    /// <summary>Retransmission timeouts.</summary>
    public ushort TotalRto;

    /// <summary>Recoveries from timeouts.</summary>
    public ushort TotalRtoRecoveries;

    /// <summary>Time spent in them, in ms.</summary>
    public uint TotalRtoTime;

    /// <summary>When the present one began, in ms; 0 for none.</summary>
    public uint RtoStamp;

    /// <summary>What kept the flow busy (<c>tcp_chrono</c>).</summary>
    public TcpChronoType ChronoType;

    /// <summary>Since when, in ms.</summary>
    public uint ChronoStart;

    /// <summary>Total of each kind, in ms.</summary>
    public TcpChronoStat ChronoStat;

    /// <summary>Changes of the flow's hash after timeouts.</summary>
    public ushort TimeoutRehash;

    /// <summary>A socket as TCP's (<c>tcp_sk</c>).</summary>
    public static TcpSock Of(Sock sk)
    {
        System.Diagnostics.Debug.Assert(sk is TcpSock);
        return System.Runtime.CompilerServices.Unsafe.As<TcpSock>(sk);
    }
}

/// <summary>Work that a timer or a device leaves for the owner of the socket (<c>enum tsq_flags</c>).</summary>
[Flags]
public enum TcpTsqFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>The retransmission timer fired (<c>TCPF_WRITE_TIMER_DEFERRED</c>).</summary>
    WriteTimerDeferred = 1,

    /// <summary>The delayed-ACK timer fired (<c>TCPF_DELACK_TIMER_DEFERRED</c>).</summary>
    DelackTimerDeferred = 2,

    /// <summary>A path MTU was learned (<c>TCPF_MTU_REDUCED_DEFERRED</c>).</summary>
    MtuReducedDeferred = 4,

    /// <summary>Queues below have room, or the time of the next packet has come (<c>TCPF_TSQ_DEFERRED</c>).</summary>
    TsqDeferred = 8,
}

/// <summary>Auto-tuning of the receive buffer.</summary>
public struct TcpRcvqSpace
{
    /// <summary>Most bytes that were read in an RTT.</summary>
    public uint Space;

    /// <summary>Where the present measurement began.</summary>
    public uint Seq;

    /// <summary>When it began, µs.</summary>
    public long Time;
}

/// <summary>RTT as a receiver sees it.</summary>
public struct TcpRcvRttEst
{
    /// <summary>Smoothed, µs, times 8.</summary>
    public uint RttUs;

    /// <summary>Where the present measurement ends.</summary>
    public uint Seq;

    /// <summary>When it began, µs.</summary>
    public long Time;
}

/// <summary>What keeps a flow from sending (<c>enum tcp_chrono</c>).</summary>
public enum TcpChronoType : byte
{
    /// <summary>Nothing to send.</summary>
    Unspec,

    /// <summary>Data is on its way.</summary>
    Busy,

    /// <summary>The peer's window is full.</summary>
    RwndLimited,

    /// <summary>The send buffer is too small.</summary>
    SndbufLimited,
}

/// <summary>Totals for <see cref="TcpChronoType"/>, in ms.</summary>
[System.Runtime.CompilerServices.InlineArray(3)]
public struct TcpChronoStat
{
    private uint first;
}

/// <summary>Smallest value in a window of time (<c>struct minmax</c>): the best three, from the newest half down.</summary>
[LinuxStruct("minmax")]
[LinuxFile("lib/win_minmax.c")]
public struct TcpMinmax
{
    private Sample s0;
    private Sample s1;
    private Sample s2;

    /// <summary>The smallest value; <see cref="uint.MaxValue"/> when there was none.</summary>
    public readonly uint Value => s0.V;

    /// <summary>Forgets all but one measurement (<c>minmax_reset</c>).</summary>
    /// <param name="t">When, in any unit.</param>
    /// <param name="value">The measurement.</param>
    public uint Reset(uint t, uint value)
    {
        s0 = s1 = s2 = new Sample { T = t, V = value };
        return value;
    }

    /// <summary>Takes a measurement in (<c>minmax_running_min</c>).</summary>
    /// <param name="win">Length of the window.</param>
    /// <param name="t">When.</param>
    /// <param name="value">The measurement.</param>
    public uint RunningMin(uint win, uint t, uint value)
    {
        Sample sample = new() { T = t, V = value };
        if (value <= s0.V || t - s2.T > win)
            return Reset(t, value);
        if (value <= s1.V)
            s2 = s1 = sample;
        else if (value <= s2.V)
            s2 = sample;
        return Advance(win, sample);
    }

    // As time passes, the choices move up, and the later ones are taken from later quarters of the window.
    private uint Advance(uint win, Sample sample)
    {
        uint dt = sample.T - s0.T;
        if (dt > win)
        {
            s0 = s1;
            s1 = s2;
            s2 = sample;
            if (sample.T - s0.T > win)
            {
                s0 = s1;
                s1 = s2;
            }
        }
        else if (s1.T == s0.T && dt > win / 4)
        {
            s2 = s1 = sample;
        }
        else if (s2.T == s1.T && dt > win / 2)
        {
            s2 = sample;
        }

        return s0.V;
    }

    private struct Sample
    {
        public uint T;
        public uint V;
    }
}
