using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>What a route says about the connections that use it: first windows, ECN, congestion control.</summary>
public sealed class RouteMetricTests : IDisposable
{
    private readonly TcpBench bench = new();

    [Fact]
    public void First_congestion_window()
    {
        Route(new RouteMetrics { [RTAX_INITCWND] = 4 });
        int fd = bench.Accepted();
        bench.Write(fd, 10_000);
        Assert.Equal(4, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 4001 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 65535");
    }

    /// <summary>After an idle time the window falls to it, too.</summary>
    [Fact]
    public void Window_after_an_idle_time()
    {
        Route(new RouteMetrics { [RTAX_INITCWND] = 4 });
        int fd = bench.Accepted();
        bench.SockOf(fd).TcpSndCwndSet(100);
        bench.Wait(60_000);
        bench.Write(fd, 10_000);
        Assert.Equal(4u, bench.Info(fd).TcpiSndCwnd);
        Assert.Equal(4, bench.TakeAll().Count);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void First_receive_window_of_a_listener()
    {
        Route(new RouteMetrics { [RTAX_INITRWND] = 5 });
        bench.Listener();
        bench.In("S 0:0(0) win 65535 <mss 1000>");
        bench.Out($"S. 0:0(0) ack 1 win {5 * 1460}");
    }

    [Fact]
    public void First_receive_window_of_a_connection_that_is_opened()
    {
        Route(new RouteMetrics { [RTAX_INITRWND] = 5, [RTAX_ADVMSS] = 1000 });
        bench.Connecting();
        bench.Out($"S 0:0(0) win {5 * 1000}");
    }

    [Fact]
    public void Largest_receive_window()
    {
        Route(new RouteMetrics { [RTAX_WINDOW] = 3000, [RTAX_ADVMSS] = 1000 });
        bench.Connecting();
        bench.Out("S 0:0(0) win 3000");
    }

    [Theory]
    [InlineData(0, 200_000)]
    [InlineData(50, 50_000)]
    [InlineData(700, 700_000)]
    public void Least_retransmission_timeout(int milliseconds, int microseconds)
    {
        if (milliseconds != 0)
            Route(new RouteMetrics { [RTAX_RTO_MIN] = (uint)milliseconds, [RTAX_LOCK] = 1 << RTAX_RTO_MIN });
        int fd = bench.Accepted();
        Assert.InRange((int)bench.Info(fd).TcpiRto, microseconds, microseconds + 10_000);
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void ACKs_at_once(bool wanted)
    {
        if (wanted)
            Route(new RouteMetrics { [RTAX_QUICKACK] = 1 });
        int fd = bench.Accepted();
        bench.In(". 1:101(100) ack 1 win 65535");
        bench.TakeAll();
        bench.SockOf(fd).IcskAck.Quick = 0;
        bench.In(". 101:201(100) ack 1 win 65535");
        Assert.Equal(wanted ? 1 : 0, bench.TakeAll().Count);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void ECN()
    {
        bench.Ipv4.SysctlTcpEcn = 0;
        Route(new RouteMetrics { [RTAX_FEATURES] = RTAX_FEATURE_ECN });
        bench.Connecting();
        bench.Out("SEW 0:0(0)");
        bench.Listener();
        bench.Flow = new TcpFlow { PeerPort = 40001 };
        bench.In("SEW 0:0(0) win 65535 <mss 1000>");
        bench.Out("SE. 0:0(0) ack 1");
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void Congestion_control(bool locked)
    {
        uint key = TcpCong.TcpCaGetKeyByName(bench.Machine, "reno", out bool needsEcn);
        Assert.False(needsEcn);
        Assert.Equal("reno", TcpCong.TcpCaGetNameByKey(bench.Machine, key));
        Route(new RouteMetrics { [RTAX_CC_ALGO] = key, [RTAX_LOCK] = locked ? 1u << RTAX_CC_ALGO : 0 });
        foreach (int fd in new[] { bench.Connecting(), Accept() })
        {
            TcpSock tp = bench.SockOf(fd);
            Assert.Same(TcpReno.Instance, tp.IcskCaOps);
            Assert.Equal(locked ? -EPERM : 0, TcpCong.TcpSetCongestionControl(tp, "cubic", load: true, capNetAdmin: true));
        }

        Assert.Equal(0u, TcpCong.TcpCaGetKeyByName(bench.Machine, "vegas", out _));
    }

    public void Dispose() => bench.Dispose();

    private int Accept()
    {
        bench.TakeAll();
        bench.Flow = new TcpFlow { PeerPort = 40001 };
        return bench.Accepted();
    }

    // To the peer only.
    private void Route(RouteMetrics metrics)
    {
        using KernelEntry entry = bench.Machine.Enter();
        FibConfig route = new()
        {
            Dst = bench.Flow.PeerAddress,
            DstLen = 32,
            Oif = bench.Device.Ifindex,
            Scope = RT_SCOPE_LINK,
            Metrics = metrics,
        };
        Assert.Equal(0, FibFrontend.InetRtmNewroute(bench.Ipv4.Net, route));
    }
}
