using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>When data is sent, and in what pieces: MSS, windows, Nagle, cork (RFC 9293 sections 3.7 and 3.8).</summary>
public sealed class SendTests
{
    [Fact]
    public void Data_goes_in_segments_of_the_peers_MSS()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(options: "mss 1000");
        bench.Write(fd, 2500);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out(". 1001:2001(1000) ack 1");
        bench.Out("P. 2001:2501(500) ack 1");
        bench.In(". 1:1(0) ack 2501 win 65535");
        bench.Wait(5000);
        bench.Nothing();
    }

    [Fact]
    public void What_is_sent_is_what_was_written()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        byte[] data = new byte[3000];
        new Random(1).NextBytes(data);
        Assert.Equal(3000, bench.Calls.Send(fd, data, 0));
        Assert.Equal(data, bench.TakeAll().SelectMany(segment => segment.Payload!));
        bench.In(". 1:1(0) ack 3001 win 65535");
    }

    [Fact]
    public void No_more_than_the_peers_window_is_sent()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 3000);
        bench.Write(fd, 8000);
        bench.Out(". 1:1001(1000) ack 1");

        // What exceeds half of the window is pushed, so that the receiver does not wait for more than it offered.
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.Out(". 2001:3001(1000) ack 1");
        bench.Nothing();
        bench.In(". 1:1(0) ack 1001 win 3000");
        bench.Out(". 3001:4001(1000) ack 1");
        bench.Nothing();
        bench.In(". 1:1(0) ack 4001 win 500");
        bench.Nothing();
    }

    [Fact]
    public void The_initial_window_is_ten_segments_and_doubles_each_round()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 65535);
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 200_000);
        bench.Write(fd, 40_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Wait(50);
        bench.In(". 1:1(0) ack 10001 win 65535");
        Assert.Equal(20, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 30001 win 65535");
        Assert.Equal(10, bench.TakeAll().Count);
        bench.In(". 1:1(0) ack 40001 win 65535");
    }

    [Fact]
    public void Nagle_holds_a_small_segment_while_one_is_out()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 10);
        bench.Out("P. 1:11(10) ack 1");
        bench.Write(fd, 20);
        bench.Write(fd, 30);
        bench.Nothing();
        bench.In(". 1:1(0) ack 11 win 65535");
        bench.Out("P. 11:61(50) ack 1");
        bench.In(". 1:1(0) ack 61 win 65535");
    }

    [Fact]
    public void NODELAY_turns_Nagle_off()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        bench.Write(fd, 10);
        bench.Write(fd, 20);
        bench.Out("P. 1:11(10) ack 1");
        bench.Out("P. 11:31(20) ack 1");
        bench.In(". 1:1(0) ack 31 win 65535");
    }

    [Fact]
    public void CORK_holds_what_is_not_full_until_it_is_drawn()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, IPPROTO_TCP, TCP_CORK, 1);
        bench.Write(fd, 400);
        bench.Write(fd, 400);
        bench.Nothing();
        bench.Write(fd, 400);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Nothing();
        bench.Set(fd, IPPROTO_TCP, TCP_CORK, 0);
        bench.Out("P. 1001:1201(200) ack 1");
        bench.In(". 1:1(0) ack 1201 win 65535");
    }

    [Fact]
    public void MORE_holds_a_segment_for_the_next_write()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(10, bench.Calls.Send(fd, new byte[10], MSG_MORE));
        bench.Nothing();
        Assert.Equal(10, bench.Calls.Send(fd, new byte[10], 0));
        bench.Out("P. 1:21(20) ack 1");
        bench.In(". 1:1(0) ack 21 win 65535");
    }

    [Fact]
    public void A_closed_window_is_probed_with_growing_intervals_until_it_opens()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 2000);
        bench.Write(fd, 3000);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.In(". 1:1(0) ack 2001 win 0");
        bench.OutAfter(200, ". 2000:2000(0) ack 1");
        bench.In(". 1:1(0) ack 2001 win 0");
        bench.OutAfter(400, ". 2000:2000(0) ack 1");
        bench.In(". 1:1(0) ack 2001 win 0");
        bench.OutAfter(800, ". 2000:2000(0) ack 1");
        bench.In(". 1:1(0) ack 2001 win 5000");
        bench.Out("P. 2001:3001(1000) ack 1");
        bench.In(". 1:1(0) ack 3001 win 5000");
    }

    [Fact]
    public void An_unanswered_probe_gives_the_connection_up()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpRetries2 = 3);
        int fd = bench.Accepted(window: 2000);
        bench.Write(fd, 3000);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.In(". 1:1(0) ack 2001 win 0");
        bench.OutAfter(200, ". 2000:2000(0) ack 1");
        bench.OutAfter(400, ". 2000:2000(0) ack 1");
        bench.OutAfter(800, ". 2000:2000(0) ack 1");
        bench.Wait(5000);
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
    }

    [Fact]
    public void A_small_window_is_not_used_until_the_probe_timer_fires()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 2000);
        bench.Write(fd, 3000);
        bench.Out(". 1:1001(1000) ack 1");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.In(". 1:1(0) ack 2001 win 100");
        bench.OutAfter(200, "P. 2001:2101(100) ack 1");
        bench.In(". 1:1(0) ack 2101 win 5000");
        bench.Out("P. 2101:3001(900) ack 1");
        bench.In(". 1:1(0) ack 3001 win 5000");
    }

    [Fact]
    public void Urgent_data_is_marked()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(5, bench.Calls.Send(fd, new byte[5], MSG_OOB));
        bench.Out("PU. 1:6(5) ack 1 urg 5");
        bench.In(". 1:1(0) ack 6 win 65535");
    }

    [Fact]
    public void The_window_scale_of_the_peer_counts()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpWindowScaling = true);
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000,nop,wscale 5>");
        bench.Out("S. 0:0(0) ack 1");
        bench.In(". 1:1(0) ack 1 win 100");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        bench.Write(fd, 5000);
        List<TcpSegment> sent = bench.TakeAll();
        Assert.Equal(3200 / sent[0].Length * sent[0].Length, sent.Sum(segment => segment.Length));
        bench.In(". 1:1(0) ack 1 win 200");
        Assert.Equal(5000, sent.Sum(segment => segment.Length) + bench.TakeAll().Sum(segment => segment.Length));
        bench.In(". 1:1(0) ack 5001 win 100");
    }

    [Fact]
    public void Keepalives_are_sent_and_a_dead_peer_is_found()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, SOL_SOCKET, SO_KEEPALIVE, 1);
        bench.Set(fd, IPPROTO_TCP, TCP_KEEPIDLE, 10);
        bench.Set(fd, IPPROTO_TCP, TCP_KEEPINTVL, 2);
        bench.Set(fd, IPPROTO_TCP, TCP_KEEPCNT, 2);
        bench.OutAfter(10_000, ". 0:0(0) ack 1");
        bench.In(". 1:1(0) ack 1 win 65535");
        bench.OutAfter(10_000, ". 0:0(0) ack 1");
        bench.OutAfter(2_000, ". 0:0(0) ack 1");
        bench.Wait(2_000);
        Assert.Equal("R.", bench.Take().Flags);
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
    }
}
