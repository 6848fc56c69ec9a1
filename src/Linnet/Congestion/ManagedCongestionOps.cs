using Linnet.Kernel;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>A user's congestion control as the kernel calls it.</summary>
internal sealed class ManagedCongestionOps(string name, Func<CongestionControl> create, CongestionControlOptions options)
    : TcpCongestionOps
{
    // Of the flags of in_ack_event: the ACK carries ECE.
    private const uint AckHasEcnEcho = 4;

    public override string Name => name;

    public override bool NonRestricted => !options.IsRestricted;

    public override bool NeedsEcn => options.NeedsEcn;

    public override bool HasCongControl => options.TakesFullControl;

    public override bool WantsPktsAcked => true;

    public override void Init(TcpSock tp) => Call(tp, (control, state) => control.Started(state));

    public override void Release(TcpSock tp) => Call(tp, (control, state) => control.Ended(state));

    public override uint Ssthresh(TcpSock tp)
    {
        Connection connection = Of(tp);
        if (connection.Control is { } control)
        {
            try
            {
                return (uint)Math.Max(control.ThresholdAfterLoss(new CongestionState(tp)), 2);
            }
            catch (Exception e)
            {
                connection.Fail(tp, name, e);
            }
        }

        return TcpReno.Instance.Ssthresh(tp);
    }

    public override uint UndoCwnd(TcpSock tp)
    {
        Connection connection = Of(tp);
        if (connection.Control is { } control)
        {
            try
            {
                return (uint)Math.Max(control.WindowAfterUndo(new CongestionState(tp)), 1);
            }
            catch (Exception e)
            {
                connection.Fail(tp, name, e);
            }
        }

        return TcpReno.Instance.UndoCwnd(tp);
    }

    public override void CongAvoid(TcpSock tp, uint ack, uint acked)
    {
        Connection connection = Of(tp);
        CongestionSample sample = new()
        {
            Segments = (int)acked,
            RoundTripTime = connection.RoundTripTime,
            InFlight = connection.InFlight,
            DeliveryRate = RateOf(tp, tp.RateDelivered, tp.RateIntervalUs),
            IsApplicationLimited = tp.RateAppLimited,
            HasEcnEcho = connection.HasEcnEcho,
        };
        if (!Acknowledged(tp, connection, sample))
            TcpReno.Instance.CongAvoid(tp, ack, acked);
    }

    public override void CongControl(TcpSock tp, uint ack, int flag, in RateSample rs)
    {
        Connection connection = Of(tp);
        CongestionSample sample = new()
        {
            Segments = (int)rs.AckedSacked,
            RoundTripTime = rs.RttUs > 0 ? TimeSpan.FromMicroseconds(rs.RttUs) : null,
            InFlight = (int)rs.PriorInFlight,
            Losses = rs.Losses,
            DeliveryRate = rs.Delivered > 0 && rs.IntervalUs > 0 ? RateOf(tp, (uint)rs.Delivered, rs.IntervalUs) : 0,
            IsApplicationLimited = rs.IsAppLimited,
            HasEcnEcho = connection.HasEcnEcho,
        };
        if (Acknowledged(tp, connection, sample) || rs.AckedSacked == 0)
            return;

        // Nobody reduces the window of a connection under full control, so that what failed has to stay careful.
        if (tp.IcskCaState >= (byte)CongestionPhase.Reduction)
            tp.TcpSndCwndSet(Math.Max(tp.SndSsthresh, 2));
        else
            TcpReno.Instance.CongAvoid(tp, ack, rs.AckedSacked);
    }

    public override void PktsAcked(TcpSock tp, in AckSample sample)
    {
        Connection connection = Of(tp);
        connection.RoundTripTime = sample.RttUs > 0 ? TimeSpan.FromMicroseconds(sample.RttUs) : null;
        connection.InFlight = (int)sample.InFlight;
    }

    public override void InAckEvent(TcpSock tp, uint flags) => Of(tp).HasEcnEcho = (flags & AckHasEcnEcho) != 0;

    public override void SetState(TcpSock tp, byte newState)
    {
        // Told when the connection is taken apart, too, which Ended says.
        if (tp.IcskCaInitialized)
            Call(tp, (control, state) => control.PhaseChanged(state, (CongestionPhase)newState));
    }

    public override void CwndEvent(TcpSock tp, TcpCaEvent caEvent)
    {
        if (caEvent == TcpCaEvent.TxStart)
            Call(tp, static (control, state) => control.SendingAgain(state));
    }

    private static long RateOf(TcpSock tp, uint delivered, long intervalUs) =>
        intervalUs == 0 ? 0 : (long)((ulong)delivered * (uint)tp.MssCache * 1_000_000 / (ulong)intervalUs);

    private bool Acknowledged(TcpSock tp, Connection connection, in CongestionSample sample)
    {
        if (connection.Control is not { } control)
            return false;
        try
        {
            control.Acknowledged(new CongestionState(tp), sample);
            return true;
        }
        catch (Exception e)
        {
            connection.Fail(tp, name, e);
            return false;
        }
    }

    private void Call(TcpSock tp, Action<CongestionControl, CongestionState> call)
    {
        Connection connection = Of(tp);
        if (connection.Control is not { } control)
            return;
        try
        {
            call(control, new CongestionState(tp));
        }
        catch (Exception e)
        {
            connection.Fail(tp, name, e);
        }
    }

    // A SYN that times out asks for a threshold before the connection is there.
    private Connection Of(TcpSock tp)
    {
        if (tp.IcskCaPriv is Connection connection)
            return connection;
        connection = new Connection();
        tp.IcskCaPriv = connection;
        try
        {
            connection.Control = create() ?? throw new InvalidOperationException("the factory gave nothing");
        }
        catch (Exception e)
        {
            connection.Fail(tp, name, e);
        }

        return connection;
    }

    private sealed class Connection
    {
        // Null once it has thrown.
        public CongestionControl? Control;
        public TimeSpan? RoundTripTime;
        public int InFlight;
        public bool HasEcnEcho;

        public void Fail(TcpSock tp, string name, Exception e)
        {
            Control = null;
            tp.Machine.Log.Write(LogLevel.Error, $"TCP: congestion control {name} failed, going on with reno: {e}");
        }
    }
}
