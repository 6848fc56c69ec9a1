using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>What a connection learned of a path serves the next (RFC 9040, tcp_metrics).</summary>
public sealed class MetricsTests
{
    [Fact]
    public void A_longer_round_trip_that_is_remembered_makes_the_first_timeout_longer()
    {
        using TcpBench bench = new();
        EndAfter(bench, rtt: 400);
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Out("P. 1:101(100) ack 1");

        // 400 ms and twice that, although the handshake took no time.
        bench.OutAfter(1200, "P. 1:101(100) ack 1");
        bench.In(". 1:1(0) ack 101 win 65535");
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData(true)]
    [InlineData(false)]
    public void Nothing_is_remembered_when_that_is_off_or_after_a_flush(bool off)
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpNoMetricsSave = off);
        EndAfter(bench, rtt: 400);
        bench.Ipv4.TcpMetrics.Flush();
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Out("P. 1:101(100) ack 1");
        bench.OutAfter(200, "P. 1:101(100) ack 1");
        bench.In(". 1:1(0) ack 101 win 65535");
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData(false, 5u)]
    [InlineData(true, 0x7fffffffu)]
    public void The_threshold_is_remembered_when_that_is_wanted(bool off, uint expected)
    {
        using TcpBench bench = new(sysctl: ipv4 =>
        {
            ipv4.SysctlTcpNoSsthreshMetricsSave = off;
            ipv4.TcpCongestionControl = TcpReno.Instance;
        });
        int fd = bench.Accepted();
        bench.Write(fd, 10_000);
        bench.TakeAll();
        for (int i = 0; i < 3; i++)
            bench.In(". 1:1(0) ack 1 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 65535");
        bench.Write(fd, 1000);
        bench.TakeAll();
        bench.In(". 1:1(0) ack 11001 win 65535");
        Assert.Equal((5u, 5u, TCP_CA_Open), (bench.Info(fd).TcpiSndCwnd, bench.Info(fd).TcpiSndSsthresh, bench.Info(fd).TcpiCaState));
        End(bench, fd, sent: 11_000);
        int next = bench.Accepted();
        Assert.Equal(expected, bench.Info(next).TcpiSndSsthresh);
        bench.Calls.Close(next);
    }

    [Fact]
    public void Many_peers_take_a_bounded_amount_of_memory()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        TcpMetricsTable table = new();
        HashSet<object> kept = [];
        Linnet.Kernel.Net.Core.DstEntry dst = bench.SockOf(fd).SkDstCache!;
        for (uint peer = 0; peer < 50_000; peer++)
            Assert.Equal(peer, table.Get(1, peer, dst, peer, create: true)!.Daddr);
        for (uint peer = 0; peer < 50_000; peer++)
        {
            if (table.Get(1, peer, dst, 50_000, create: false) is { } block)
                kept.Add(block);
        }

        Assert.InRange(kept.Count, 1000, 6 * 1024);
        bench.Calls.Close(fd);
    }

    // A connection whose handshake took so long, and that ended in order.
    private static void EndAfter(TcpBench bench, double rtt)
    {
        int fd = bench.Accepted(rtt: rtt);
        End(bench, fd, sent: 0, rtt);
    }

    private static void End(TcpBench bench, int fd, int sent, double rtt = 0)
    {
        bench.In($"F. 1:1(0) ack {sent + 1} win 65535");
        bench.TakeAll();
        bench.Calls.Close(fd);
        bench.TakeAll();
        bench.Wait(rtt);
        bench.In($". 2:2(0) ack {sent + 2} win 65535");
        bench.Flow = new TcpFlow { PeerPort = 40001 };
    }
}
