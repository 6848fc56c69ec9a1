using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>CUBIC (RFC 9438) and HyStart with Linux's arithmetic: windows to the segment, after each of many ACKs.</summary>
public sealed class CubicTests : IDisposable
{
    private readonly TcpBench bench = new();
    private readonly TcpSock tp;
    private readonly TcpCongestionOps cubic;
    private double now = 10_000;

    public CubicTests()
    {
        tp = bench.SockOf(bench.Accepted());
        cubic = TcpCong.TcpCaFind(bench.Machine, "cubic")!;
        Assert.Same(cubic, tp.IcskCaOps);
        tp.IsCwndLimited = true;
        SetClock();
    }

    [Fact]
    public void A_loss_takes_three_tenths_of_the_window()
    {
        tp.SndCwnd = 100;
        Assert.Equal(70u, cubic.Ssthresh(tp));
        tp.SndCwnd = 2;
        Assert.Equal(2u, cubic.Ssthresh(tp));
    }

    /// <summary>The window at the end of each round after a loss: concave up to where it was, then convex.</summary>
    [Fact]
    public void The_window_follows_the_cubic_function()
    {
        Lose(100);
        uint[] expected =
        [
            73, 75, 77, 79, 80, 82, 83, 85, 86, 87, 88, 89, 91, 92, 93, 94, 95, 95, 96, 97, 97, 98, 98, 98, 99, 99, 99, 100,
        ];
        Assert.Equal(expected, Rounds(expected.Length, 100));
        Assert.All(Rounds(26, 100), window => Assert.Equal(100u, window));
        Assert.Equal([101u, 101, 101, 101, 102, 102], Rounds(6, 100));
    }

    [Fact]
    public void A_large_window_comes_back_as_fast_as_a_small_one_is_slow()
    {
        Lose(1000);
        uint[] windows = Rounds(60, 100);
        Assert.Equal([710u, 720, 729, 738, 747, 756, 764, 773, 781, 789], windows[..10]);
        Assert.Equal(989u, windows[^1]);
    }

    /// <summary>A second loss below the old maximum: the new one is taken lower still, for the benefit of newer flows.</summary>
    [Fact]
    public void Fast_convergence_gives_room_to_new_flows()
    {
        Lose(1000);
        Rounds(60, 100);
        Lose(800);
        Assert.Equal([565u, 570, 575, 580, 585, 589, 594, 598, 602, 606], Rounds(10, 100));

        Assert.Equal(0, SetParameter("fast_convergence", "0"));
        Lose(1000);
        Lose(800);
        Assert.InRange(Rounds(84, 100)[^1], 795u, 801u);
    }

    /// <summary>With a short RTT Reno would be faster, so CUBIC goes with it (RFC 9438 section 4.3).</summary>
    [Fact]
    public void On_a_short_path_it_is_as_fast_as_Reno()
    {
        Lose(20);
        Assert.Equal(
            [15u, 15, 15, 15, 16, 16, 16, 17, 17, 17, 18, 19, 20, 20, 20, 20, 21, 22, 22, 22, 23, 24, 24, 24], Rounds(24, 10));

        Assert.Equal(0, SetParameter("tcp_friendliness", "0"));
        Lose(20);
        Assert.InRange(Rounds(24, 10)[^1], 14u, 16u);
    }

    [Fact]
    public void A_timeout_forgets_what_was_learned()
    {
        Lose(100);
        Rounds(5, 100);
        cubic.SetState(tp, TCP_CA_Loss);
        tp.SndCwnd = tp.SndSsthresh = 50;

        // Nothing is known of a maximum: at least a segment for 20.
        Assert.InRange(Rounds(1, 100)[0], 52u, 53u);
    }

    [Fact]
    public void Idle_time_does_not_grow_the_window()
    {
        Lose(100);
        Rounds(10, 100);
        now += 20_000;
        SetClock();
        tp.Lsndtime = tp.TcpClockCache - 20_000 * Clock.NsecPerMsec;
        cubic.CwndEvent(tp, TcpCaEvent.TxStart);
        Assert.Equal([88u, 90, 91], Rounds(3, 100));
    }

    [Fact]
    public void A_window_that_is_not_used_does_not_grow()
    {
        tp.SndCwnd = 20;
        tp.SndSsthresh = 10;
        tp.IsCwndLimited = false;
        cubic.CongAvoid(tp, 0, 20);
        Assert.Equal(20u, tp.SndCwnd);
    }

    // --- HyStart ---

    /// <summary>ACKs that come one by one within 2 ms of each other for half of the shortest RTT fill the pipe.</summary>
    [Fact]
    public void A_long_train_of_ACKs_ends_slow_start()
    {
        SlowStart(16, minRttMs: 40);
        for (int ms = 1; ms <= 20; ms++)
            Assert.Equal(TcpDefs.TCP_INFINITE_SSTHRESH, AckInSlowStart(1, 40));
        Assert.Equal(36u, tp.SndCwnd);
        Assert.Equal(36u, AckInSlowStart(1, 40));
        Assert.Equal(1, bench.Count(LinuxMib.TCPHystartTrainDetect));
        Assert.Equal(36, bench.Count(LinuxMib.TCPHystartTrainCwnd));
    }

    [Fact]
    public void A_gap_ends_a_train()
    {
        SlowStart(16, minRttMs: 40);
        for (int ms = 1; ms <= 10; ms++)
            AckInSlowStart(1, 40);
        AckInSlowStart(3, 40);
        for (int ms = 1; ms <= 40; ms++)
            Assert.Equal(TcpDefs.TCP_INFINITE_SSTHRESH, AckInSlowStart(1, 40));
        Assert.Equal(0, bench.Count(LinuxMib.TCPHystartTrainDetect));
    }

    /// <summary>After eight samples of a round: its shortest RTT is longer by an eighth (4 to 16 ms).</summary>
    [Fact]
    public void A_delay_that_grows_ends_slow_start()
    {
        SlowStart(16, minRttMs: 80);
        for (int i = 0; i < 8; i++)
            Assert.Equal(TcpDefs.TCP_INFINITE_SSTHRESH, AckInSlowStart(10, 92));
        AckInSlowStart(10, 91);
        Assert.NotEqual(TcpDefs.TCP_INFINITE_SSTHRESH, tp.SndSsthresh);
        Assert.Equal(1, bench.Count(LinuxMib.TCPHystartDelayDetect));
    }

    [Fact]
    public void A_delay_that_grows_by_less_does_not()
    {
        SlowStart(16, minRttMs: 80);
        for (int i = 0; i < 30; i++)
            Assert.Equal(TcpDefs.TCP_INFINITE_SSTHRESH, AckInSlowStart(10, 90));
    }

    [Theory]
    [InlineData("hystart", "0")]
    [InlineData("hystart_detect", "0")]
    [InlineData("hystart_low_window", "1000")]
    public void HyStart_can_be_turned_off(string parameter, string value)
    {
        Assert.Equal(0, SetParameter(parameter, value));
        SlowStart(16, minRttMs: 40);
        for (int i = 0; i < 50; i++)
            Assert.Equal(TcpDefs.TCP_INFINITE_SSTHRESH, AckInSlowStart(1, 90));
    }

    // --- parameters ---

    [Fact]
    public void Parameters_are_in_sysfs()
    {
        Assert.Equal(0, bench.Machine.Modules.Parameters.Read("module/tcp_cubic/parameters/hystart_detect", out string value));
        Assert.Equal("3\n", value);
        Assert.Equal(-EACCES, SetParameter("bic_scale", "40"));
        Assert.Equal(-EINVAL, SetParameter("hystart", "on"));
        Assert.Equal(-ENOENT, SetParameter("hy", "1"));
    }

    [Fact]
    public void Without_HyStart_slow_start_may_begin_with_a_threshold()
    {
        Assert.Equal(0, SetParameter("hystart", "0"));
        Assert.Equal(0, SetParameter("initial_ssthresh", "25"));
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "reno", load: false, capNetAdmin: true));
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "cubic", load: false, capNetAdmin: true));
        Assert.Equal(25u, tp.SndSsthresh);
    }

    /// <summary>The cube root that times to the maximum are taken from is right to a part in 500.</summary>
    [Fact]
    public void Cube_roots()
    {
        for (ulong x = 5; x < 2_000_000; x += 1 + x / 50)
        {
            uint root = TcpCubic.CubicRoot(x * x * x);
            Assert.InRange(root, x - x / 500 - 1, x + x / 500 + 1);
        }
    }

    public void Dispose() => bench.Dispose();

    private int SetParameter(string name, string value) =>
        bench.Machine.Modules.Parameters.Write($"module/tcp_cubic/parameters/{name}", value);

    private void SetClock()
    {
        tp.TcpClockCache = (long)(now * Clock.NsecPerMsec);
        tp.TcpMstamp = tp.TcpClockCache / Clock.NsecPerUsec;
    }

    private void Lose(uint window)
    {
        tp.SndCwnd = window;
        tp.SndCwnd = tp.SndSsthresh = cubic.Ssthresh(tp);
        tp.SndCwndCnt = 0;
    }

    // Every segment is acknowledged by itself, evenly over the round.
    private uint[] Rounds(int rounds, int rttMs)
    {
        uint[] windows = new uint[rounds];
        for (int round = 0; round < rounds; round++)
        {
            uint segments = tp.SndCwnd;
            double start = now;
            for (uint i = 0; i < segments; i++)
            {
                now = start + i * rttMs / segments;
                Ack(rttMs);
            }

            now = start + rttMs;
            windows[round] = tp.SndCwnd;
        }

        return windows;
    }

    private void Ack(int rttMs)
    {
        SetClock();
        cubic.PktsAcked(tp, new AckSample { PktsAcked = 1, RttUs = rttMs * 1000 });
        cubic.CongAvoid(tp, 0, 1);
    }

    private void SlowStart(uint window, int minRttMs)
    {
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "reno", load: false, capNetAdmin: true));
        Assert.Equal(0, TcpCong.TcpSetCongestionControl(tp, "cubic", load: false, capNetAdmin: true));
        tp.SndSsthresh = TcpDefs.TCP_INFINITE_SSTHRESH;
        tp.SkPacingRate = ulong.MaxValue;
        tp.SndCwnd = 1;
        cubic.PktsAcked(tp, new AckSample { PktsAcked = 1, RttUs = minRttMs * 1000 });
        tp.SndCwnd = window;
        tp.SndNxt = tp.SndUna + 1000;
    }

    private uint AckInSlowStart(int afterMs, int rttMs)
    {
        now += afterMs;
        Ack(rttMs);
        return tp.SndSsthresh;
    }
}
