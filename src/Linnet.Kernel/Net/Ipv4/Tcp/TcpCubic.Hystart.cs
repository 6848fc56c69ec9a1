using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>
/// HyStart: leaves slow start before the queue overflows, when the ACKs of a round come for as long as half of the shortest
/// RTT, or when the RTT of a round is clearly longer.
/// </content>
public sealed partial class TcpCubic
{
    private const int HYSTART_ACK_TRAIN = 1;
    private const int HYSTART_DELAY = 2;

    // Samples of a round before its delay counts.
    private const int HYSTART_MIN_SAMPLES = 8;

    // By how much a round's delay may be longer, µs.
    private const uint HYSTART_DELAY_MIN = 4000;
    private const uint HYSTART_DELAY_MAX = 16000;

    private int hystart = 1;
    private int hystartDetect = HYSTART_ACK_TRAIN | HYSTART_DELAY;
    private int hystartLowWindow = 16;
    private int hystartAckDeltaUs = 2000;

    [Linux("bictcp_hystart_reset")]
    private static void BictcpHystartReset(TcpSock tp, State ca)
    {
        ca.RoundStart = ca.LastAck = (uint)tp.TcpMstamp;
        ca.EndSeq = tp.SndNxt;
        ca.CurrRtt = uint.MaxValue;
        ca.SampleCnt = 0;
    }

    [Linux("hystart_update")]
    private void HystartUpdate(TcpSock tp, State ca, uint delay)
    {
        if (TcpSeq.After(tp.SndUna, ca.EndSeq))
            BictcpHystartReset(tp, ca);
        if (tp.SndCwnd < (uint)hystartLowWindow)
            return;
        if ((hystartDetect & HYSTART_ACK_TRAIN) != 0 && AckTrainIsLong(tp, ca))
            LeaveSlowStart(tp, ca, LinuxMib.TCPHystartTrainDetect, LinuxMib.TCPHystartTrainCwnd);
        if ((hystartDetect & HYSTART_DELAY) == 0)
            return;
        ca.CurrRtt = Math.Min(ca.CurrRtt, delay);
        if (ca.SampleCnt < HYSTART_MIN_SAMPLES)
            ca.SampleCnt++;
        else if (ca.CurrRtt > ca.DelayMin + Math.Clamp(ca.DelayMin >> 3, HYSTART_DELAY_MIN, HYSTART_DELAY_MAX))
            LeaveSlowStart(tp, ca, LinuxMib.TCPHystartDelayDetect, LinuxMib.TCPHystartDelayCwnd);
    }

    private bool AckTrainIsLong(TcpSock tp, State ca)
    {
        uint now = (uint)tp.TcpMstamp;
        if ((int)(now - ca.LastAck) > hystartAckDeltaUs)
            return false;
        ca.LastAck = now;
        uint threshold = ca.DelayMin + HystartAckDelay(tp);

        // A paced flow sends for half of an RTT by itself.
        if (tp.SkPacingStatus == SockPacing.None)
            threshold >>= 1;
        return (int)(now - ca.RoundStart) > threshold;
    }

    /// <summary>How long large packets and the joining of received ones delay ACKs, µs; at most a millisecond.</summary>
    [Linux("hystart_ack_delay")]
    private static uint HystartAckDelay(TcpSock tp)
    {
        ulong rate = tp.SkPacingRate;
        return rate == 0 ? 0 : (uint)Math.Min(1000, (ulong)tp.SkGsoMaxSize * 4 * 1_000_000 / rate);
    }

    private static void LeaveSlowStart(TcpSock tp, State ca, LinuxMib detected, LinuxMib window)
    {
        ca.Found = true;
        tp.NetIncStats(detected);
        tp.Ipv4.NetStatistics.Add(window, tp.SndCwnd);
        tp.SndSsthresh = tp.SndCwnd;
    }

    private void RegisterParameters(SysctlTable table)
    {
        Register("fast_convergence", () => fastConvergence, v => fastConvergence = v);
        Register("beta", () => beta, v => beta = v);
        Register("initial_ssthresh", () => initialSsthresh, v => initialSsthresh = v);
        Register("bic_scale", () => bicScale, null);
        Register("tcp_friendliness", () => tcpFriendliness, v => tcpFriendliness = v);
        Register("hystart", () => hystart, v => hystart = v);
        Register("hystart_detect", () => hystartDetect, v => hystartDetect = v);
        Register("hystart_low_window", () => hystartLowWindow, v => hystartLowWindow = v);
        Register("hystart_ack_delta_us", () => hystartAckDeltaUs, v => hystartAckDeltaUs = v);

        void Register(string name, Func<int> get, Action<int>? set) => table.Register(
            $"module.tcp_cubic.parameters.{name}",
            set == null ? new SysctlString(() => $"{get()}", null) : new SysctlInt(() => get(), v => set((int)v)));
    }
}
