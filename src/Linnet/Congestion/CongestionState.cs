using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>
/// What a <see cref="CongestionControl"/> sees of its connection and may change. Only to be used within the call that it was passed
/// to. Windows are in segments.
/// </summary>
public readonly struct CongestionState
{
    private readonly TcpSock tp;

    internal CongestionState(TcpSock tp) => this.tp = tp;

    /// <summary>The congestion window (<c>snd_cwnd</c>), at least 1.</summary>
    public int Window
    {
        get => (int)Math.Min(tp.SndCwnd, int.MaxValue);
        set => tp.TcpSndCwndSet(Math.Min((uint)Math.Max(value, 1), tp.SndCwndClamp));
    }

    /// <summary>The slow-start threshold (<c>snd_ssthresh</c>); <see cref="int.MaxValue"/> while there was no loss.</summary>
    public int SlowStartThreshold
    {
        get => (int)Math.Min(tp.SndSsthresh, int.MaxValue);
        set => tp.SndSsthresh = (uint)Math.Max(value, 2);
    }

    /// <summary>Whether the window is below the threshold.</summary>
    public bool InSlowStart => tp.TcpInSlowStart;

    /// <summary>Whether the window is what limits sending; one that is not used should not grow (RFC 7661).</summary>
    public bool WindowLimits => tp.TcpIsCwndLimited;

    /// <summary>The window when the present or last reduction began (<c>prior_cwnd</c>).</summary>
    public int WindowBeforeReduction => (int)Math.Min(tp.PriorCwnd, int.MaxValue);

    /// <summary>The phase of recovery.</summary>
    public CongestionPhase Phase => (CongestionPhase)tp.IcskCaState;

    /// <summary>Segments in flight.</summary>
    public int InFlight => (int)tp.TcpPacketsInFlight;

    /// <summary>Payload of a full segment, in bytes.</summary>
    public int SegmentSize => tp.MssCache;

    /// <summary>The smoothed round-trip time; zero before the first sample.</summary>
    public TimeSpan SmoothedRoundTripTime => TimeSpan.FromMicroseconds(tp.SrttUs >> 3);

    /// <summary>The shortest round-trip time of the last minutes; null before the first sample.</summary>
    public TimeSpan? ShortestRoundTripTime =>
        tp.TcpMinRtt == uint.MaxValue ? null : TimeSpan.FromMicroseconds(tp.TcpMinRtt);

    /// <summary>
    /// Bytes a second that packets are spread to; <see cref="long.MaxValue"/> for no spreading. Unless the algorithm takes full
    /// control, the kernel sets it anew after each ACK, from window and round-trip time.
    /// </summary>
    public long PacingRate
    {
        get => (long)Math.Min(tp.SkPacingRate, long.MaxValue);
        set
        {
            ArgumentOutOfRangeException.ThrowIfNegativeOrZero(value);
            if (value != long.MaxValue && tp.SkPacingStatus == SockPacing.None)
                tp.SkPacingStatus = SockPacing.Needed;
            tp.SkPacingRate = value == long.MaxValue ? ulong.MaxValue : Math.Min((ulong)value, tp.SkMaxPacingRate);
        }
    }

    /// <summary>Time since the machine was booted.</summary>
    public TimeSpan Now => TimeSpan.FromMicroseconds(tp.TcpMstamp);

    /// <summary>Grows the window as slow start does: by what was acknowledged, up to the threshold.</summary>
    /// <param name="segments">Segments that were acknowledged.</param>
    /// <returns>How many of them are left for behind the threshold.</returns>
    public int GrowInSlowStart(int segments) => (int)TcpCong.TcpSlowStart(tp, (uint)segments);

    /// <summary>Grows the window by one for each <paramref name="perSegment"/> acknowledged segments (RFC 5681 section 3.1).</summary>
    /// <param name="perSegment">How many, at least 1; the window itself for one a round trip, as Reno.</param>
    /// <param name="segments">Segments that were acknowledged.</param>
    public void GrowLinearly(int perSegment, int segments)
    {
        ArgumentOutOfRangeException.ThrowIfLessThan(perSegment, 1);
        TcpCong.TcpCongAvoidAi(tp, (uint)perSegment, (uint)segments);
    }
}
