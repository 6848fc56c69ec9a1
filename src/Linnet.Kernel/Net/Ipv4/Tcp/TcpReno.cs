using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Reno (RFC 5681): the fallback that is always there.</summary>
[LinuxFile("net/ipv4/tcp_cong.c")]
public sealed class TcpReno : TcpCongestionOps
{
    /// <summary>The singleton.</summary>
    public static readonly TcpReno Instance = new();

    private TcpReno()
    {
    }

    /// <inheritdoc/>
    public override string Name => "reno";

    /// <inheritdoc/>
    public override bool NonRestricted => true;

    /// <summary>Half of the window, at least two segments (RFC 5681 equation 4).</summary>
    [Linux("tcp_reno_ssthresh")]
    public override uint Ssthresh(TcpSock tp) => Math.Max(tp.SndCwnd >> 1, 2);

    /// <summary>Slow start, then a segment for each window (RFC 5681 3.1).</summary>
    [Linux("tcp_reno_cong_avoid")]
    public override void CongAvoid(TcpSock tp, uint ack, uint acked)
    {
        // A window that is not used says nothing about the network (RFC 7661).
        if (!tp.TcpIsCwndLimited)
            return;
        if (tp.TcpInSlowStart)
        {
            acked = TcpCong.TcpSlowStart(tp, acked);
            if (acked == 0)
                return;
        }

        TcpCong.TcpCongAvoidAi(tp, tp.SndCwnd, acked);
    }

    /// <inheritdoc/>
    [Linux("tcp_reno_undo_cwnd")]
    public override uint UndoCwnd(TcpSock tp) => Math.Max(tp.SndCwnd, tp.PriorCwnd);
}
