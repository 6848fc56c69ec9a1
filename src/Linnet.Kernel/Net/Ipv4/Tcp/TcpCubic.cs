using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// CUBIC (RFC 9438): the window follows a cubic function of the time since the last reduction, whose inflection point is the
/// window of then, so that it grows fast far from it and slowly near it, whatever the RTT. All arithmetic is in whole numbers
/// as in Linux, so that windows are the same to the segment. There is one for each machine, which has the parameters.
/// </summary>
[LinuxFile("net/ipv4/tcp_cubic.c")]
public sealed partial class TcpCubic : TcpCongestionOps
{
    // Fractions of windows are in 1024ths (BICTCP_BETA_SCALE).
    private const int BetaScale = 1024;

    // Times within the cubic function are in 1024ths of a second (BICTCP_HZ is the logarithm).
    private const int TimeShift = 10;

    // A window does not change its growth more often than every 1/32 s as long as it stays the same.
    private const uint QuietMs = 1000 / 32;

    // Without knowledge of the path, growth is at least a segment for 20.
    private const uint InitialCount = 20;

    // RFC 9438 4.4: not faster than 1.5-fold in an RTT.
    private const uint LeastCount = 2;

    private static readonly ushort[] RootSeeds = MakeRootSeeds();

    // Fixed when the algorithm is registered, as beta and bic_scale are read only then.
    private readonly uint friendlyScale;
    private readonly uint cubeRttScale;
    private readonly ulong cubeFactor;

    private int fastConvergence = 1;
    private int beta = 717;
    private int initialSsthresh;
    private readonly int bicScale = 41;
    private int tcpFriendliness = 1;

    /// <summary>CUBIC of a machine, with its parameters in <c>/sys/module/tcp_cubic/parameters</c>.</summary>
    public TcpCubic(Machine machine)
    {
        friendlyScale = (uint)(8 * (BetaScale + beta) / 3 / (BetaScale - beta));
        cubeRttScale = (uint)(bicScale * 10);
        cubeFactor = (1UL << 10 + 3 * TimeShift) / (ulong)(bicScale * 10);
        RegisterParameters(machine.Modules.Parameters);
    }

    /// <inheritdoc/>
    public override string Name => "cubic";

    /// <inheritdoc/>
    public override bool NonRestricted => true;

    /// <inheritdoc/>
    public override bool WantsPktsAcked => true;

    /// <inheritdoc/>
    [Linux("cubictcp_init")]
    public override void Init(TcpSock tp)
    {
        State ca = StateOf(tp);
        ca.Reset();
        if (hystart != 0)
            BictcpHystartReset(tp, ca);
        else if (initialSsthresh != 0)
            tp.SndSsthresh = (uint)initialSsthresh;
    }

    /// <summary>Time that the application kept silent does not count for the cubic function.</summary>
    [Linux("cubictcp_cwnd_event")]
    public override void CwndEvent(TcpSock tp, TcpCaEvent caEvent)
    {
        if (caEvent != TcpCaEvent.TxStart)
            return;
        State ca = StateOf(tp);
        uint now = tp.TcpJiffies32;
        int idle = (int)(now - (uint)(tp.Lsndtime / Clock.NsecPerMsec));
        if (ca.EpochStart == 0 || idle <= 0)
            return;
        ca.EpochStart += (uint)idle;
        if (TcpSeq.After(ca.EpochStart, now))
            ca.EpochStart = now;
    }

    /// <inheritdoc/>
    [Linux("cubictcp_cong_avoid")]
    public override void CongAvoid(TcpSock tp, uint ack, uint acked)
    {
        if (!tp.TcpIsCwndLimited)
            return;
        if (tp.TcpInSlowStart)
        {
            acked = TcpCong.TcpSlowStart(tp, acked);
            if (acked == 0)
                return;
        }

        State ca = StateOf(tp);
        BictcpUpdate(tp, ca, tp.SndCwnd, acked);
        TcpCong.TcpCongAvoidAi(tp, ca.Cnt, acked);
    }

    /// <summary>
    /// 0.7 of the window (RFC 9438 4.6). A window that did not reach the last maximum makes room for new flows: the maximum to
    /// come back to is taken lower than it was (fast convergence, RFC 9438 4.7).
    /// </summary>
    [Linux("cubictcp_recalc_ssthresh")]
    public override uint Ssthresh(TcpSock tp)
    {
        State ca = StateOf(tp);
        ca.EpochStart = 0;
        ca.LastMaxCwnd = tp.SndCwnd < ca.LastMaxCwnd && fastConvergence != 0
            ? tp.SndCwnd * (uint)(BetaScale + beta) / (2 * BetaScale)
            : tp.SndCwnd;
        return Math.Max(tp.SndCwnd * (uint)beta / BetaScale, 2);
    }

    /// <inheritdoc/>
    public override uint UndoCwnd(TcpSock tp) => TcpReno.Instance.UndoCwnd(tp);

    /// <summary>A timeout: nothing of what was learned counts any more (RFC 9438 4.8).</summary>
    [Linux("cubictcp_state")]
    public override void SetState(TcpSock tp, byte newState)
    {
        if (newState != TCP_CA_Loss)
            return;
        State ca = StateOf(tp);
        ca.Reset();
        BictcpHystartReset(tp, ca);
    }

    /// <inheritdoc/>
    [Linux("cubictcp_acked")]
    public override void PktsAcked(TcpSock tp, in AckSample sample)
    {
        // Delays just after a recovery say little about the path.
        State ca = StateOf(tp);
        if (sample.RttUs < 0 || ca.EpochStart != 0 && (int)(tp.TcpJiffies32 - ca.EpochStart) < 1000)
            return;
        uint delay = (uint)Math.Max(sample.RttUs, 1);
        if (ca.DelayMin == 0 || ca.DelayMin > delay)
            ca.DelayMin = delay;
        if (!ca.Found && hystart != 0 && tp.TcpInSlowStart)
            HystartUpdate(tp, ca, delay);
    }

    /// <summary>The cube root to within one in a thousand: an estimate by the leading digits, and one step of Newton's.</summary>
    [Linux("cubic_root")]
    internal static uint CubicRoot(ulong a)
    {
        int bits = 64 - System.Numerics.BitOperations.LeadingZeroCount(a);
        if (bits < 7)
            return (uint)(RootSeeds[(int)a] + 25) >> 6;
        int digits = (bits * 84 >> 8) - 1;
        uint x = (uint)RootSeeds[(int)(a >> digits * 3)] << digits >> 6;

        // x' = (2x + a / x²) / 3; x (x - 1) balances that the estimate is a little high, 341 / 1024 is nearly a third.
        x = 2 * x + (uint)(a / ((ulong)x * (x - 1)));
        return x * 341 >> 10;
    }

    // When to grow next: by one segment for Cnt that are acknowledged.
    [Linux("bictcp_update")]
    private void BictcpUpdate(TcpSock tp, State ca, uint cwnd, uint acked)
    {
        uint now = tp.TcpJiffies32;
        ca.AckCnt += acked;
        if (ca.LastCwnd == cwnd && (int)(now - ca.LastTime) <= QuietMs)
            return;

        // The function of time gives nothing new within a millisecond, unless a reduction has ended the epoch.
        if (ca.EpochStart == 0 || now != ca.LastTime)
        {
            ca.LastCwnd = cwnd;
            ca.LastTime = now;
            if (ca.EpochStart == 0)
                BeginEpoch(ca, now, cwnd, acked);
            uint target = Target(ca, now);
            ca.Cnt = target > cwnd ? cwnd / (target - cwnd) : 100 * cwnd;
            if (ca.LastMaxCwnd == 0 && ca.Cnt > InitialCount)
                ca.Cnt = InitialCount;
        }

        if (tcpFriendliness != 0)
            KeepUpWithReno(ca, cwnd);
        ca.Cnt = Math.Max(ca.Cnt, LeastCount);
    }

    private void BeginEpoch(State ca, uint now, uint cwnd, uint acked)
    {
        ca.EpochStart = now;
        ca.AckCnt = acked;
        ca.TcpCwnd = cwnd;
        bool beyond = ca.LastMaxCwnd <= cwnd;
        ca.K = beyond ? 0 : CubicRoot(cubeFactor * (ca.LastMaxCwnd - cwnd));
        ca.OriginPoint = beyond ? cwnd : ca.LastMaxCwnd;
    }

    // RFC 9438 4.2: W(t) = C (t - K)^3 + W_max, an RTT ahead.
    private uint Target(State ca, uint now)
    {
        ulong t = (ulong)(int)(now - ca.EpochStart) + (ca.DelayMin + 999) / 1000;
        t = (t << TimeShift) / 1000;
        ulong offset = t < ca.K ? ca.K - t : t - ca.K;
        uint delta = (uint)(cubeRttScale * offset * offset * offset >> 10 + 3 * TimeShift);
        return t < ca.K ? ca.OriginPoint - delta : ca.OriginPoint + delta;
    }

    // RFC 9438 4.3: never less than what Reno would have by now with CUBIC's decrease.
    private void KeepUpWithReno(State ca, uint cwnd)
    {
        uint perSegment = cwnd * friendlyScale >> 3;
        while (ca.AckCnt > perSegment)
        {
            ca.AckCnt -= perSegment;
            ca.TcpCwnd++;
        }

        if (ca.TcpCwnd > cwnd)
            ca.Cnt = Math.Min(ca.Cnt, cwnd / (ca.TcpCwnd - cwnd));
    }

    // A SYN that times out asks for a threshold before the connection, and so Init, is there.
    private static State StateOf(TcpSock tp) =>
        System.Runtime.CompilerServices.Unsafe.As<State>(tp.IcskCaPriv ??= new State());

    // For the numbers of up to six bits 66 times the cube root of their middle: 64ths, and 3 % above it, as from above
    // Newton's step comes nearest.
    private static ushort[] MakeRootSeeds()
    {
        ushort[] seeds = new ushort[64];
        for (int i = 1, root = 0; i < seeds.Length; i++)
        {
            long cube = 66L * 66 * 66 * (2 * i + 1) / 2;
            while ((long)(root + 1) * (root + 1) * (root + 1) <= cube)
                root++;
            seeds[i] = (ushort)root;
        }

        return seeds;
    }

    /// <summary>What is kept of a connection (<c>struct bictcp</c>); times in ms unless they say µs.</summary>
    [LinuxStruct("bictcp")]
    internal sealed class State
    {
        public uint Cnt;
        public uint LastMaxCwnd;
        public uint LastCwnd;
        public uint LastTime;
        public uint OriginPoint;
        public uint K;
        public uint DelayMin;
        public uint EpochStart;
        public uint AckCnt;
        public uint TcpCwnd;

        // HyStart, µs.
        public byte SampleCnt;
        public bool Found;
        public uint RoundStart;
        public uint EndSeq;
        public uint LastAck;
        public uint CurrRtt;

        public void Reset()
        {
            Cnt = LastMaxCwnd = LastCwnd = LastTime = OriginPoint = K = DelayMin = EpochStart = AckCnt = TcpCwnd = 0;
            Found = false;
        }
    }
}
