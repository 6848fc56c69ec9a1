using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What congestion control is told of (<c>enum tcp_ca_event</c>).</summary>
public enum TcpCaEvent
{
    /// <summary>First transmission when nothing is in flight (<c>CA_EVENT_TX_START</c>).</summary>
    TxStart,

    /// <summary>The window is restarted after idling (<c>CA_EVENT_CWND_RESTART</c>).</summary>
    CwndRestart,

    /// <summary>End of a window reduction (<c>CA_EVENT_COMPLETE_CWR</c>).</summary>
    CompleteCwr,

    /// <summary>Retransmission timeout (<c>CA_EVENT_LOSS</c>).</summary>
    Loss,

    /// <summary>A packet came without CE mark (<c>CA_EVENT_ECN_NO_CE</c>).</summary>
    EcnNoCe,

    /// <summary>A packet came with CE mark (<c>CA_EVENT_ECN_IS_CE</c>).</summary>
    EcnIsCe,
}

/// <summary>What one ACK acknowledged (<c>struct ack_sample</c>).</summary>
[LinuxStruct("ack_sample")]
public readonly struct AckSample
{
    /// <summary>Segments acknowledged.</summary>
    public uint PktsAcked { get; init; }

    /// <summary>RTT in µs; negative when there is no sample.</summary>
    public long RttUs { get; init; }

    /// <summary>Segments in flight when the newest acknowledged one was sent.</summary>
    public uint InFlight { get; init; }
}

/// <summary>A sample of the delivery rate (<c>struct rate_sample</c>).</summary>
[LinuxStruct("rate_sample")]
public struct RateSample
{
    /// <summary>Time of the delivery before the sample's packet was sent, µs.</summary>
    public long PriorMstamp;

    /// <summary>Segments delivered at that time.</summary>
    public uint PriorDelivered;

    /// <summary>Segments delivered over the interval.</summary>
    public int Delivered;

    /// <summary>Length of the interval, µs; negative for no sample.</summary>
    public long IntervalUs;

    /// <summary>RTT of the last packet that was acknowledged, µs.</summary>
    public long RttUs;

    /// <summary>Segments that this ACK showed to be lost.</summary>
    public int Losses;

    /// <summary>Segments newly acknowledged or sacked.</summary>
    public uint AckedSacked;

    /// <summary>Segments in flight before this ACK.</summary>
    public uint PriorInFlight;

    /// <summary>End of the last packet that was delivered.</summary>
    public uint LastEndSeq;

    /// <summary>The sample is from a time when the application sent too little.</summary>
    public bool IsAppLimited;

    /// <summary>The sample is of a retransmission.</summary>
    public bool IsRetrans;

    /// <summary>The ACK was perhaps delayed.</summary>
    public bool IsAckDelayed;
}

/// <summary>
/// A congestion control algorithm (<c>struct tcp_congestion_ops</c>): one singleton each, state of a connection in
/// <c>IcskCaPriv</c>. All are called with the socket locked.
/// </summary>
[LinuxStruct("tcp_congestion_ops")]
public abstract partial class TcpCongestionOps
{
    private uint key;

    /// <summary>Name, at most 15 characters.</summary>
    public abstract string Name { get; }

    /// <summary>The module that it belongs to, or null when it is built in (<c>owner</c>).</summary>
    public virtual Module? Owner => null;

    /// <summary>The number by which routes name it, never 0 (<c>key</c>).</summary>
    public uint Key => key != 0 ? key : key = KeyOf(Name);

    /// <summary>Usable without privilege, whatever the list of allowed ones says (<c>TCP_CONG_NON_RESTRICTED</c>).</summary>
    public virtual bool NonRestricted => false;

    /// <summary>Needs packets marked as capable of ECN (<c>TCP_CONG_NEEDS_ECN</c>).</summary>
    public virtual bool NeedsEcn => false;

    /// <summary>A connection begins to use it (<c>init</c>).</summary>
    public virtual void Init(TcpSock tp)
    {
    }

    /// <summary>A connection ends to use it (<c>release</c>).</summary>
    public virtual void Release(TcpSock tp)
    {
    }

    /// <summary>The slow-start threshold after a loss, in segments (<c>ssthresh</c>).</summary>
    public abstract uint Ssthresh(TcpSock tp);

    /// <summary>Grows the window after <paramref name="acked"/> segments were acknowledged (<c>cong_avoid</c>).</summary>
    public abstract void CongAvoid(TcpSock tp, uint ack, uint acked);

    /// <summary>The connection's state of recovery is about to change (<c>set_state</c>).</summary>
    public virtual void SetState(TcpSock tp, byte newState)
    {
    }

    /// <summary>Something happened (<c>cwnd_event</c>).</summary>
    public virtual void CwndEvent(TcpSock tp, TcpCaEvent caEvent)
    {
    }

    /// <summary>An ACK came, with <c>CA_ACK_*</c> flags (<c>in_ack_event</c>).</summary>
    public virtual void InAckEvent(TcpSock tp, uint flags)
    {
    }

    /// <summary>Whether <see cref="PktsAcked"/> wants samples.</summary>
    public virtual bool WantsPktsAcked => false;

    /// <summary>Segments were acknowledged (<c>pkts_acked</c>).</summary>
    public virtual void PktsAcked(TcpSock tp, in AckSample sample)
    {
    }

    /// <summary>The window to return to when a reduction turns out to have been wrong (<c>undo_cwnd</c>).</summary>
    public abstract uint UndoCwnd(TcpSock tp);

    /// <summary>Whether <see cref="CongControl"/> replaces the general window control.</summary>
    public virtual bool HasCongControl => false;

    /// <summary>Sets window and pacing rate itself at each ACK (<c>cong_control</c>).</summary>
    public virtual void CongControl(TcpSock tp, uint ack, int flag, in RateSample rs)
    {
    }

    /// <summary>How many windows the send buffer should hold (<c>sndbuf_expand</c>).</summary>
    public virtual uint SndbufExpand(TcpSock tp) => 2;

    /// <summary>Fewest segments in a super-packet (<c>min_tso_segs</c>); 0 for the general rule.</summary>
    public virtual uint MinTsoSegs(TcpSock tp) => 0;

    /// <summary>Writes the value of <c>TCP_CC_INFO</c> (<c>get_info</c>).</summary>
    /// <returns>Bytes written.</returns>
    public virtual int GetInfo(TcpSock tp, Span<byte> info) => 0;

    // FNV-1a; the number never leaves the machine, only has to be the same for the same name.
    private static uint KeyOf(string name)
    {
        uint hash = 2166136261;
        foreach (char c in name)
            hash = (hash ^ c) * 16777619;
        return Math.Max(hash, 1);
    }
}
