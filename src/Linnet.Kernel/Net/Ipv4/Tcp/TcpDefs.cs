global using static Linnet.Kernel.Net.Ipv4.TcpDefs;

using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Constants of the TCP engine (include/net/tcp.h). Times are in nanoseconds where nothing else is said.</summary>
[LinuxFile("include/net/tcp.h")]
public static class TcpDefs
{
    /// <summary>Room for all headers in front of a segment's payload: link, network, TCP with all options.</summary>
    public const int MAX_TCP_HEADER = 128 + 128;

    /// <summary>Most bytes of TCP options.</summary>
    public const int MAX_TCP_OPTION_SPACE = 40;

    /// <summary>Smallest MSS that is accepted from a peer (<c>net.ipv4.tcp_min_snd_mss</c>).</summary>
    public const int TCP_MIN_SND_MSS = 48;

    /// <summary>Bytes of payload that even a tiny MSS leaves for a segment of a super-packet.</summary>
    public const int TCP_MIN_GSO_SIZE = TCP_MIN_SND_MSS - MAX_TCP_OPTION_SPACE;

    /// <summary>Smallest MSS that the receive side reckons with.</summary>
    public const int TCP_MIN_MSS = 88;

    /// <summary>Largest window that is advertised to peers that treat it as signed.</summary>
    public const uint MAX_TCP_WINDOW = 32767;

    /// <summary>Largest window scale (RFC 7323 2.3).</summary>
    public const int TCP_MAX_WSCALE = 14;

    /// <summary>Duplicate ACKs that start fast retransmit (RFC 5681 3.2).</summary>
    public const int TCP_FASTRETRANS_THRESH = 3;

    /// <summary>Most ACKs that are sent at once before delaying begins.</summary>
    public const int TCP_MAX_QUICKACKS = 16;

    /// <summary>Initial congestion window in segments (RFC 6928).</summary>
    public const int TCP_INIT_CWND = 10;

    /// <summary>A slow-start threshold that was not set yet.</summary>
    public const uint TCP_INFINITE_SSTHRESH = 0x7fffffff;

    /// <summary>How long TIME_WAIT and orphaned FIN_WAIT2 last.</summary>
    public const long TCP_TIMEWAIT_LEN = 60 * Clock.NsecPerSec;

    /// <summary>Longest time until a delayed ACK is sent.</summary>
    public const long TCP_DELACK_MAX = 200 * Clock.NsecPerMsec;

    /// <summary>Shortest time until a delayed ACK is sent.</summary>
    public const long TCP_DELACK_MIN = 40 * Clock.NsecPerMsec;

    /// <summary>Smallest estimate of the time between segments.</summary>
    public const long TCP_ATO_MIN = 40 * Clock.NsecPerMsec;

    /// <summary>Longest retransmission timeout (RFC 6298 2.5 wants at least 60 s).</summary>
    public const long TCP_RTO_MAX = 120 * Clock.NsecPerSec;

    /// <summary>Shortest retransmission timeout.</summary>
    public const long TCP_RTO_MIN = 200 * Clock.NsecPerMsec;

    /// <summary>Initial retransmission timeout (RFC 6298 2.1).</summary>
    public const long TCP_TIMEOUT_INIT = 1 * Clock.NsecPerSec;

    /// <summary>Retransmission timeout after a SYN was lost (RFC 6298 5.7).</summary>
    public const long TCP_TIMEOUT_FALLBACK = 3 * Clock.NsecPerSec;

    /// <summary>When to try again after local resources were short.</summary>
    public const long TCP_RESOURCE_PROBE_INTERVAL = 500 * Clock.NsecPerMsec;

    /// <summary>Shortest time that is worth a timer: two ticks.</summary>
    public const long TCP_TIMEOUT_MIN = 2 * Clock.NsecPerMsec;

    /// <summary>How long a timestamp stays valid for PAWS, in seconds: 24 days (RFC 7323 5.5).</summary>
    public const int TCP_PAWS_24DAYS = 60 * 60 * 24 * 24;

    /// <summary>Seconds after which a host that rebooted is forgiven a timestamp that went back.</summary>
    public const int TCP_PAWS_MSL = 60;

    /// <summary>By how much a timestamp may lie in the past, for reordered segments.</summary>
    public const int TCP_PAWS_WINDOW = 1;

    /// <summary>Largest <c>TCP_KEEPIDLE</c> in seconds.</summary>
    public const int MAX_TCP_KEEPIDLE = 32767;

    /// <summary>Largest <c>TCP_KEEPINTVL</c> in seconds.</summary>
    public const int MAX_TCP_KEEPINTVL = 32767;

    /// <summary>Largest <c>TCP_KEEPCNT</c>.</summary>
    public const int MAX_TCP_KEEPCNT = 127;

    /// <summary>Largest <c>TCP_SYNCNT</c>.</summary>
    public const int MAX_TCP_SYNCNT = 127;

    /// <summary>In <see cref="TcpSock.UrgData"/>: the low byte is the urgent byte.</summary>
    public const ushort TCP_URG_VALID = 0x0100;

    /// <summary>In <see cref="TcpSock.UrgData"/>: urgent data was announced and has not come.</summary>
    public const ushort TCP_URG_NOTYET = 0x0200;

    /// <summary>In <see cref="TcpSock.UrgData"/>: the urgent byte was read.</summary>
    public const ushort TCP_URG_READ = 0x0400;

    /// <summary>In <see cref="TcpSock.EcnFlags"/>: both sides use ECN as in RFC 3168 (<c>TCP_ECN_MODE_RFC3168</c>).</summary>
    public const byte TCP_ECN_OK = 1;

    /// <summary>In <see cref="TcpSock.EcnFlags"/>: the next new data carries CWR.</summary>
    public const byte TCP_ECN_QUEUE_CWR = 2;

    /// <summary>In <see cref="TcpSock.EcnFlags"/>: ECE is sent until CWR comes.</summary>
    public const byte TCP_ECN_DEMAND_CWR = 4;

    /// <summary>In <see cref="TcpSock.EcnFlags"/>: marked data was seen.</summary>
    public const byte TCP_ECN_SEEN = 8;

    /// <summary>Nagle is off (<c>TCP_NODELAY</c>).</summary>
    public const byte TCP_NAGLE_OFF = 1;

    /// <summary>The socket is corked (<c>TCP_CORK</c>).</summary>
    public const byte TCP_NAGLE_CORK = 2;

    /// <summary>Nagle is off for what is queued now.</summary>
    public const byte TCP_NAGLE_PUSH = 4;

    /// <summary>Sacked bits: the segment was selectively acknowledged.</summary>
    public const byte TCPCB_SACKED_ACKED = 0x01;

    /// <summary>Sacked bits: the segment was retransmitted and is still outstanding.</summary>
    public const byte TCPCB_SACKED_RETRANS = 0x02;

    /// <summary>Sacked bits: the segment is lost.</summary>
    public const byte TCPCB_LOST = 0x04;

    /// <summary>Sacked bits: all three above.</summary>
    public const byte TCPCB_TAGBITS = 0x07;

    /// <summary>Sacked bits: the segment was repaired, not sent.</summary>
    public const byte TCPCB_REPAIRED = 0x10;

    /// <summary>Sacked bits: the segment was retransmitted at some time, which makes its RTT useless (Karn).</summary>
    public const byte TCPCB_EVER_RETRANS = 0x80;

    /// <summary>Sacked bits: any retransmission.</summary>
    public const byte TCPCB_RETRANS = TCPCB_SACKED_RETRANS | TCPCB_EVER_RETRANS | TCPCB_REPAIRED;

    public const int TCPOPT_NOP = 1;
    public const int TCPOPT_EOL = 0;
    public const int TCPOPT_MSS = 2;
    public const int TCPOPT_WINDOW = 3;
    public const int TCPOPT_SACK_PERM = 4;
    public const int TCPOPT_SACK = 5;
    public const int TCPOPT_TIMESTAMP = 8;
    public const int TCPOLEN_MSS = 4;
    public const int TCPOLEN_WINDOW = 3;
    public const int TCPOLEN_SACK_PERM = 2;
    public const int TCPOLEN_TIMESTAMP = 10;
    public const int TCPOLEN_TSTAMP_ALIGNED = 12;
    public const int TCPOLEN_WSCALE_ALIGNED = 4;
    public const int TCPOLEN_SACKPERM_ALIGNED = 4;
    public const int TCPOLEN_MSS_ALIGNED = 4;
    public const int TCPOLEN_SACK_BASE = 2;
    public const int TCPOLEN_SACK_BASE_ALIGNED = 4;
    public const int TCPOLEN_SACK_PERBLOCK = 8;

    /// <summary>Most SACK blocks that fit beside a timestamp.</summary>
    public const int TCP_NUM_SACKS = 4;
}
