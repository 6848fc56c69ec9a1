using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A socket of a connection-oriented internet protocol (<c>struct inet_connection_sock</c>).</summary>
[LinuxStruct("inet_connection_sock")]
[LinuxFile("net/ipv4/inet_connection_sock.c")]
public partial class InetConnectionSock : InetSock
{
    /// <summary><see cref="IcskPending"/>: retransmission.</summary>
    public const byte ICSK_TIME_RETRANS = 1;

    /// <summary><see cref="IcskPending"/>: zero-window probe.</summary>
    public const byte ICSK_TIME_PROBE0 = 3;

    /// <summary><see cref="IcskPending"/>: tail loss probe.</summary>
    public const byte ICSK_TIME_LOSS_PROBE = 5;

    /// <summary><see cref="IcskPending"/>: reordering window of RACK.</summary>
    public const byte ICSK_TIME_REO_TIMEOUT = 6;

    /// <summary><see cref="IcskAck.Pending"/>: an ACK is to be sent.</summary>
    public const byte ICSK_ACK_SCHED = 1;

    /// <summary><see cref="IcskAck.Pending"/>: the timer of delayed ACKs runs.</summary>
    public const byte ICSK_ACK_TIMER = 2;

    /// <summary><see cref="IcskAck.Pending"/>: a segment with PSH came.</summary>
    public const byte ICSK_ACK_PUSHED = 4;

    /// <summary><see cref="IcskAck.Pending"/>: a second segment with PSH came.</summary>
    public const byte ICSK_ACK_PUSHED2 = 8;

    /// <summary><see cref="IcskAck.Pending"/>: the ACK must go at once.</summary>
    public const byte ICSK_ACK_NOW = 16;

    /// <summary><see cref="IcskAck.Pending"/>: the ACK must not be compressed away.</summary>
    public const byte ICSK_ACK_NOMEM = 32;

    /// <summary>
    /// A listener's connections: those that wait to be accepted, and counts of those in their handshake.
    /// </summary>
    public RequestSockQueue? IcskAcceptQueue;

    /// <summary>The local port's bucket, while one is held.</summary>
    public InetBindBucket? IcskBindHash;

    /// <summary>The bucket of local address and port, while one is held.</summary>
    public InetBind2Bucket? IcskBind2Hash;

    /// <summary>Fires for retransmissions, loss probes and zero-window probes; see <see cref="IcskPending"/>.</summary>
    public TimerList? IcskRetransmitTimer;

    /// <summary>Fires for delayed ACKs.</summary>
    public TimerList? IcskDelackTimer;

    /// <summary>Keepalive of connections; FIN_WAIT2 of closed ones.</summary>
    public TimerList? SkTimer;

    /// <summary>Retransmission timeout in ns.</summary>
    public long IcskRto;

    /// <summary>Smallest retransmission timeout in ns.</summary>
    public long IcskRtoMin;

    /// <summary>Largest retransmission timeout in ns.</summary>
    public long IcskRtoMax;

    /// <summary>Longest time until a delayed ACK, in ns.</summary>
    public long IcskDelackMax;

    /// <summary>The path MTU that <c>icsk_sync_mss</c> last saw.</summary>
    public int IcskPmtuCookie;

    /// <summary>Congestion control.</summary>
    public TcpCongestionOps IcskCaOps = null!;

    /// <summary>State of congestion control.</summary>
    public object? IcskCaPriv;

    /// <summary>State of congestion control, <c>TCP_CA_*</c>.</summary>
    public byte IcskCaState;

    /// <summary>Congestion control was set by <c>setsockopt</c>.</summary>
    public bool IcskCaSetsockopt;

    /// <summary>Congestion control was initialised for the connection.</summary>
    public bool IcskCaInitialized;

    /// <summary>The route chose the congestion control, and the user may not change it.</summary>
    public bool IcskCaDstLocked;

    /// <summary>Timeouts in a row.</summary>
    public byte IcskRetransmits;

    /// <summary>What the retransmit timer is for, <c>ICSK_TIME_*</c>; 0 for nothing.</summary>
    public byte IcskPending;

    /// <summary>Exponent of the backoff.</summary>
    public byte IcskBackoff;

    /// <summary><c>TCP_SYNCNT</c>; 0 for the sysctl.</summary>
    public byte IcskSynRetries;

    /// <summary>Unanswered zero-window or keepalive probes.</summary>
    public byte IcskProbesOut;

    /// <summary>When the first unanswered probe was sent, in ns.</summary>
    public long IcskProbesTstamp;

    /// <summary><c>TCP_USER_TIMEOUT</c> in ms; 0 for none.</summary>
    public uint IcskUserTimeout;

    /// <summary>Bytes of header that the network layer adds behind its own (options).</summary>
    public ushort IcskExtHdrLen;

    /// <summary>Operations of the network layer (<c>icsk_af_ops</c>).</summary>
    public InetConnectionSockAfOps IcskAfOps = null!;

    /// <summary>State of delayed ACKs (<c>icsk_ack</c>).</summary>
    public IcskAck IcskAck;

    /// <summary>What ACKs learned about the receiver's path MTU (<c>icsk_mtup</c>).</summary>
    public IcskMtuProbe IcskMtup;
}

/// <summary>State of delayed ACKs.</summary>
public struct IcskAck
{
    /// <summary><c>ICSK_ACK_*</c> bits.</summary>
    public byte Pending;

    /// <summary>ACKs to send at once before delaying begins.</summary>
    public byte Quick;

    /// <summary>Non-zero when data flows both ways, so that ACKs can ride on it.</summary>
    public byte Pingpong;

    /// <summary>How often in a row an ACK was not sent for want of memory.</summary>
    public byte Retry;

    /// <summary>Current delay in ns.</summary>
    public long Ato;

    /// <summary>When the delayed ACK is due, in ns.</summary>
    public long Timeout;

    /// <summary>When the last segment with data came, in ns.</summary>
    public long Lrcvtime;

    /// <summary>Size of the last segment that came.</summary>
    public int LastSegSize;

    /// <summary>Estimate of the peer's MSS.</summary>
    public int RcvMss;
}

/// <summary>State of MTU probing.</summary>
public struct IcskMtuProbe
{
    /// <summary>Whether probing is on.</summary>
    public bool Enabled;

    /// <summary>Largest MTU to try.</summary>
    public int SearchHigh;

    /// <summary>Largest MTU known to work.</summary>
    public int SearchLow;

    /// <summary>Size of the probe in flight; 0 for none.</summary>
    public int ProbeSize;

    /// <summary>When the search last ended, in ns.</summary>
    public long ProbeTimestamp;
}
