using System.Buffers.Binary;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>How large packets are, and when they go: sizes by rate and RTT, pacing, small queues, autocorking.</summary>
public sealed class PacingTests
{
    private const int Rtt = 100;

    // --- rates ---

    /// <summary>Window / RTT, times 2 in slow start and 1.2 behind it.</summary>
    [Fact]
    public void The_pacing_rate_follows_window_and_RTT()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(rtt: Rtt);
        Assert.Equal(2u * 10 * 1000 * 1000 / Rtt, bench.Info(fd).TcpiPacingRate);
        TcpSock tp = bench.SockOf(fd);
        tp.SndSsthresh = 10;
        TcpInput.TcpUpdatePacingRate(tp);
        Assert.Equal(120u * 10 * 10 * 1000 / Rtt, bench.Info(fd).TcpiPacingRate);
        bench.Ipv4.SysctlTcpPacingCaRatio = 300;
        TcpInput.TcpUpdatePacingRate(tp);
        Assert.Equal(300u * 10 * 10 * 1000 / Rtt, bench.Info(fd).TcpiPacingRate);
    }

    [Fact]
    public void SO_MAX_PACING_RATE_bounds_it()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(rtt: Rtt);
        SetMaxRate(bench, fd, 50_000);
        TcpInfo info = bench.Info(fd);
        Assert.Equal((50_000u, 50_000u), (info.TcpiPacingRate, info.TcpiMaxPacingRate));
    }

    // --- pacing by the connection itself ---

    /// <summary>The first ten segments go at once, as with fq; then each packet of two segments waits for its time.</summary>
    [Fact]
    public void Packets_are_spread_over_time()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(rtt: Rtt);
        SetMaxRate(bench, fd, 100_000);
        GrowWindow(bench, fd, 20);
        bench.Wait(1000);
        bench.Write(fd, 6000);

        // 2000 bytes take 20 ms. What goes first has waited long, which is worth half of that.
        Assert.Equal([10001u, 11001], Seqs(bench));
        foreach ((double after, uint seq) in new[] { (10.0, 12001u), (20.0, 14001u) })
        {
            bench.Wait(after - 0.5);
            bench.Nothing();
            bench.Wait(0.5);
            Assert.Equal([seq, seq + 1000], Seqs(bench));
        }

        bench.In(". 1:1(0) ack 16001 win 65535");
    }

    [Fact]
    public void Without_a_bound_the_connection_does_not_pace_itself()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(rtt: Rtt);
        GrowWindow(bench, fd, 20);
        bench.Wait(1000);
        bench.Write(fd, 8000);
        Assert.Equal(8, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 18001 win 65535");
    }

    [Fact]
    public void A_connection_that_is_reset_paces_nothing_more()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(rtt: Rtt);
        SetMaxRate(bench, fd, 100_000);
        GrowWindow(bench, fd, 20);
        bench.Wait(1000);
        bench.Write(fd, 6000);
        bench.TakeAll();
        bench.In("R 1:1(0)");
        bench.Wait(1000);
        bench.Nothing();
    }

    // --- sizes of packets ---

    /// <summary>A packet holds about a millisecond of the rate, at least tcp_min_tso_segs; more for near peers.</summary>
    [Theory]
    [InlineData(1_000_000, 100_000, 2)]
    [InlineData(20_000_000, 100_000, 19)]
    [InlineData(1_000_000_000, 100_000, 65)]
    [InlineData(1_000_000, 512 * 3, 9)]
    [InlineData(1_000_000, 10, 65)]
    public void Packets_hold_a_millisecond_of_the_rate(int rate, uint minRttUs, int segments)
    {
        using TcpBench bench = new();
        TcpSock tp = bench.SockOf(bench.Accepted());
        tp.SkPacingRate = (ulong)rate;
        tp.RttMin.Reset(tp.TcpJiffies32, minRttUs);
        Assert.Equal(segments, TcpOutput.TcpTsoSegs(tp, 1000));
        bench.Ipv4.SysctlTcpMinTsoSegs = 30;
        Assert.Equal(Math.Max(segments, 30), TcpOutput.TcpTsoSegs(tp, 1000));
    }

    [Fact]
    public void A_congestion_control_may_choose_the_least_size()
    {
        using TcpBench bench = new();
        TcpSock tp = bench.SockOf(bench.Accepted());
        tp.SkPacingRate = 1000;
        tp.RttMin.Reset(tp.TcpJiffies32, 100_000);
        tp.IcskCaOps = new Sized(7);
        Assert.Equal(7, TcpOutput.TcpTsoSegs(tp, 1000));
        tp.IcskCaOps = TcpReno.Instance;
    }

    /// <summary>Small writes that wait for the window are joined when it opens.</summary>
    [Fact]
    public void What_was_written_in_pieces_goes_in_large_packets()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 4000);
        bench.Write(fd, 4000);
        bench.TakeAll();
        for (int i = 0; i < 6; i++)
            Assert.Equal(500, bench.Calls.Send(fd, new byte[500], MSG_EOR));
        for (int i = 0; i < 6; i++)
            bench.Write(fd, 500);
        bench.In(". 1:1(0) ack 4001 win 6000");

        // Records stay apart.
        Assert.Equal([500, 500, 500, 500, 500, 500, 1000, 1000, 1000], bench.TakeAll().Select(segment => segment.Length));
        bench.In(". 1:1(0) ack 10001 win 6000");
    }

    // --- small queues ---

    /// <summary>Two packets, or a millisecond of the rate; what leaves lets more in.</summary>
    [Theory]
    [InlineData(null, 4 * 1024 * 1024, 4, 6)]
    [InlineData(1_000_000_000, 4 * 1024 * 1024, 19, 20)]
    [InlineData(1_000_000_000, 1, 2, 20)]
    public void A_connection_has_no_more_in_the_queues_below_than_allowed(int? rate, int limit, int least, int most)
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpLimitOutputBytes = limit);
        int fd = bench.Accepted(rtt: Rtt);
        GrowWindow(bench, fd, 20);
        Tbf tbf = new(bench.Device, new TbfOptions { Rate = 1_000_000, Burst = 1600, Limit = 1_000_000 });
        bench.Device.Qdisc = tbf;
        if (rate is { } given)
            bench.SockOf(fd).SkPacingRate = (ulong)given;
        bench.Write(fd, 20_000);
        Assert.InRange(tbf.Qlen + bench.TakeAll().Count, least, most);
        bench.Wait(100);
        Assert.InRange(bench.TakeAll().Count, 19, 20);
        Assert.Equal(0, tbf.Qlen);
        bench.In(". 1:1(0) ack 30001 win 65535");
    }

    [Theory]
    [InlineData(true, new[] { 1000, 1000, 400 })]
    [InlineData(false, new[] { 1000, 1000, 100, 100, 100, 100 })]
    public void Small_writes_join_while_packets_wait_below(bool autocorking, int[] lengths)
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpAutocorking = autocorking);
        int fd = bench.Accepted(rtt: Rtt);
        bench.Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        bench.Device.Qdisc = new Tbf(bench.Device, new TbfOptions { Rate = 10_000, Burst = 1600, Limit = 1_000_000 });
        bench.SockOf(fd).SkPacingRate = 1_000_000_000;
        bench.Write(fd, 1000);
        bench.Write(fd, 1000);
        for (int i = 0; i < 4; i++)
            bench.Write(fd, 100);
        Assert.Equal(autocorking ? 1 : 0, bench.Count(LinuxMib.TCPAutoCorking));
        bench.Wait(199);
        Assert.Equal(lengths, bench.TakeAll().Select(segment => segment.Length));
        bench.In(". 1:1(0) ack 2401 win 65535");
    }

    private static uint[] Seqs(TcpBench bench) => [.. bench.TakeAll().Select(segment => segment.Seq)];

    private static void SetMaxRate(TcpBench bench, int fd, ulong rate)
    {
        byte[] value = new byte[8];
        BinaryPrimitives.WriteUInt64LittleEndian(value, rate);
        Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_SOCKET, SO_MAX_PACING_RATE, value));
    }

    // Sends ten segments, which is what a flow begins with.
    private static void GrowWindow(TcpBench bench, int fd, int segments)
    {
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 200_000);
        bench.Write(fd, 10_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 10001 win 65535");
        Assert.Equal(segments, (int)bench.Info(fd).TcpiSndCwnd);
        bench.Ipv4.SysctlTcpSlowStartAfterIdle = false;
    }

    private sealed class Sized(uint segments) : TcpCongestionOps
    {
        public override string Name => "sized";

        public override uint Ssthresh(TcpSock tp) => 2;

        public override void CongAvoid(TcpSock tp, uint ack, uint acked)
        {
        }

        public override uint UndoCwnd(TcpSock tp) => 2;

        public override uint MinTsoSegs(TcpSock tp) => segments;
    }
}
