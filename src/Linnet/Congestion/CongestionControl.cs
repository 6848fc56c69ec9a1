namespace Linnet;

/// <summary>
/// A congestion control algorithm for TCP; there is one object for each connection. See
/// <see cref="Network.AddCongestionControl"/>.
/// </summary>
/// <remarks>
/// All members are called by the kernel with the connection locked, one at a time: they must return soon, and neither wait nor
/// call the socket. One that throws is reported in the kernel's log, and its connection goes on with Reno.
/// </remarks>
public abstract class CongestionControl
{
    /// <summary>The connection is established, or was given this algorithm (<c>init</c>).</summary>
    /// <param name="connection">The connection.</param>
    public virtual void Started(CongestionState connection)
    {
    }

    /// <summary>
    /// An ACK came that may raise the window (<c>cong_avoid</c>); with <see cref="CongestionControlOptions.TakesFullControl"/> any
    /// ACK, which then sets the window and <see cref="CongestionState.PacingRate"/> too (<c>cong_control</c>).
    /// </summary>
    /// <param name="connection">The connection.</param>
    /// <param name="sample">What the ACK showed.</param>
    public abstract void Acknowledged(CongestionState connection, CongestionSample sample);

    /// <summary>
    /// A loss, a timeout or an ECN mark: the threshold to reduce the window to, in segments (<c>ssthresh</c>). Less than 2 counts as 2.
    /// </summary>
    /// <param name="connection">The connection, its window being that of before.</param>
    public abstract int ThresholdAfterLoss(CongestionState connection);

    /// <summary>
    /// A reduction was wrong: the window to return to, in segments (<c>undo_cwnd</c>); that of before it when not overridden.
    /// </summary>
    /// <param name="connection">The connection.</param>
    public virtual int WindowAfterUndo(CongestionState connection) =>
        Math.Max(connection.Window, connection.WindowBeforeReduction);

    /// <summary>Recovery is about to enter another phase (<c>set_state</c>).</summary>
    /// <param name="connection">The connection.</param>
    /// <param name="phase">The new phase.</param>
    public virtual void PhaseChanged(CongestionState connection, CongestionPhase phase)
    {
    }

    /// <summary>Something is sent after a pause in which nothing was in flight (<c>CA_EVENT_TX_START</c>).</summary>
    /// <param name="connection">The connection.</param>
    public virtual void SendingAgain(CongestionState connection)
    {
    }

    /// <summary>The connection ends, or gets another algorithm (<c>release</c>).</summary>
    /// <param name="connection">The connection.</param>
    public virtual void Ended(CongestionState connection)
    {
    }
}

/// <summary>How a congestion control algorithm is registered.</summary>
public sealed class CongestionControlOptions
{
    /// <summary>
    /// Only programs with <c>CAP_NET_ADMIN</c> may choose it, unless <c>net.ipv4.tcp_allowed_congestion_control</c> lists it.
    /// </summary>
    public bool IsRestricted { get; init; }

    /// <summary>
    /// The algorithm sets the window at each ACK, in recovery too; the kernel reduces nothing by itself (<c>cong_control</c>).
    /// </summary>
    public bool TakesFullControl { get; init; }

    /// <summary>All packets are to be marked as capable of ECN (<c>TCP_CONG_NEEDS_ECN</c>).</summary>
    public bool NeedsEcn { get; init; }
}

/// <summary>Phases of recovery (<c>enum tcp_ca_state</c>).</summary>
public enum CongestionPhase
{
    /// <summary>Nothing unusual.</summary>
    Open,

    /// <summary>Duplicate ACKs, which may be reordering.</summary>
    Disorder,

    /// <summary>The window is being reduced without a loss.</summary>
    Reduction,

    /// <summary>Segments are lost and sent again.</summary>
    Recovery,

    /// <summary>After a timeout.</summary>
    Loss,
}

/// <summary>What an ACK showed.</summary>
public readonly struct CongestionSample
{
    /// <summary>Segments that were delivered.</summary>
    public int Segments { get; init; }

    /// <summary>Round-trip time of the newest of them; null when it cannot be told.</summary>
    public TimeSpan? RoundTripTime { get; init; }

    /// <summary>Segments that were in flight before the ACK.</summary>
    public int InFlight { get; init; }

    /// <summary>Segments that it showed to be lost; only with <see cref="CongestionControlOptions.TakesFullControl"/>.</summary>
    public int Losses { get; init; }

    /// <summary>Bytes a second that arrive, by the estimate of the last round trip; 0 when there is none.</summary>
    public long DeliveryRate { get; init; }

    /// <summary>The rate is from a time when the application sent too little to fill the path.</summary>
    public bool IsApplicationLimited { get; init; }

    /// <summary>The receiver echoes an ECN mark.</summary>
    public bool HasEcnEcho { get; init; }
}
