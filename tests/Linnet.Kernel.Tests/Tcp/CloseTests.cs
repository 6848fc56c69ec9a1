using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Closing connections (RFC 9293 section 3.6).</summary>
public sealed class CloseTests
{
    [Fact]
    public void The_active_closer_goes_through_FIN_WAIT_to_TIME_WAIT()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(0, bench.Calls.Shutdown(fd, SHUT_WR));
        bench.Out("F. 1:1(0) ack 1");
        Assert.Equal(TCP_FIN_WAIT1, bench.State(fd));
        bench.In(". 1:1(0) ack 2 win 65535");
        Assert.Equal(TCP_FIN_WAIT2, bench.State(fd));
        bench.In("P. 1:11(10) ack 2 win 65535");
        bench.TakeAll();
        bench.Read(fd, 10);
        bench.In("F. 11:11(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 12");
        Assert.Equal(0, bench.TryRead(fd));

        // TIME_WAIT acknowledges a FIN that comes again, for 60 s.
        bench.Wait(30_000);
        bench.In("F. 11:11(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 12");
        bench.Wait(61_000);
        bench.In("F. 11:11(0) ack 2 win 65535");
        bench.Out("R 2:2(0)");
    }

    [Fact]
    public void The_passive_closer_goes_through_CLOSE_WAIT_and_LAST_ACK()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("F. 1:1(0) ack 1 win 65535");
        bench.Wait(300);
        bench.Out(". 1:1(0) ack 2");
        Assert.Equal(TCP_CLOSE_WAIT, bench.State(fd));
        Assert.Equal(0, bench.TryRead(fd));
        bench.Write(fd, 10);
        bench.Out("P. 1:11(10) ack 2");
        bench.In(". 2:2(0) ack 11 win 65535");
        Assert.Equal(0, bench.Calls.Shutdown(fd, SHUT_WR));
        bench.Out("F. 11:11(0) ack 2");
        Assert.Equal(TCP_LAST_ACK, bench.State(fd));
        bench.In(". 2:2(0) ack 12 win 65535");
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        bench.In(". 2:2(0) ack 12 win 65535");
        bench.Out("R 12:12(0)");
    }

    [Fact]
    public void Both_sides_may_close_at_once()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(0, bench.Calls.Shutdown(fd, SHUT_WR));
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 1 win 65535");
        bench.Out(". 2:2(0) ack 2");
        Assert.Equal(TCP_CLOSING, bench.State(fd));
        bench.In(". 2:2(0) ack 2 win 65535");
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        bench.In("F. 1:1(0) ack 1 win 65535");
        bench.Out(". 2:2(0) ack 2");
    }

    [Fact]
    public void A_FIN_follows_all_data_and_is_sent_again()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 2000);
        bench.Write(fd, 2500);
        Assert.Equal(2, bench.TakeAll().Count);
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Nothing();
        bench.In(". 1:1(0) ack 2001 win 2000");
        bench.Out("FP. 2001:2501(500) ack 1");
        bench.OutAfter(200, "FP. 2001:2501(500) ack 1");
        bench.In("F. 1:1(0) ack 2502 win 2000");
        bench.Out(". 2502:2502(0) ack 2");
    }

    [Fact]
    public void A_FIN_out_of_order_waits()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("F. 101:101(0) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.In(". 1:101(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 102");
        bench.Read(fd, 100);
        Assert.Equal(0, bench.TryRead(fd));
    }

    [Fact]
    public void Closing_with_unread_data_resets()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("P. 1:101(100) ack 1 win 65535");
        bench.TakeAll();
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("R. 1:1(0) ack 101");
    }

    [Fact]
    public void Lingering_for_no_time_resets()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_SOCKET, SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]));
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("R. 1:1(0) ack 1");
    }

    [Fact]
    public void Data_for_a_closed_socket_resets()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("F. 1:1(0) ack 1");
        bench.In("P. 1:101(100) ack 2 win 65535");
        Assert.StartsWith("R", bench.Take().Flags);
    }

    [Fact]
    public void Writing_after_the_peer_reset_is_EPIPE()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("R. 1:1(0) ack 1 win 0");
        Assert.Equal(ECONNRESET, bench.Error(fd));
        Assert.Equal(-EPIPE, bench.Calls.Send(fd, new byte[1], MSG_NOSIGNAL));
    }

    [Fact]
    public void An_orphan_in_FIN_WAIT2_is_forgotten_after_a_minute()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("F. 1:1(0) ack 1");
        bench.In(". 1:1(0) ack 2 win 65535");
        bench.Wait(59_000);
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
        bench.Wait(61_000);
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out("R 2:2(0)");
    }

    [Fact]
    public void A_new_SYN_may_follow_a_connection_in_TIME_WAIT()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(setup: l => bench.Set(l, SOL_SOCKET, SO_REUSEADDR, 1));
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
        int listener = bench.Listener(setup: l => bench.Set(l, SOL_SOCKET, SO_REUSEADDR, 1));
        bench.In("S 5000:5000(0) win 65535 <mss 1000>");
        TcpSegment answer = bench.Take();
        Assert.Equal(("S.", 5001u), (answer.Flags, answer.Ack));
        Assert.True(listener >= 0);
    }

    [Fact]
    public void Every_close_gives_its_memory_back()
    {
        using TcpBench bench = new();
        for (int i = 0; i < 50; i++)
        {
            bench.Flow = new TcpFlow { PeerPort = (ushort)(1000 + i) };
            int fd = bench.Accepted(setup: l => bench.Set(l, SOL_SOCKET, SO_REUSEADDR, 1));
            bench.In($"P. 1:101(100) ack 1 win 65535");
            bench.Write(fd, 300);
            if (i % 2 == 0)
                bench.Read(fd, 100);
            bench.Calls.Close(fd);
            bench.TakeAll();
        }

        bench.Wait(1_800_000);
        Assert.Equal(0, bench.Ipv4.TcpMachine.Memory.Allocated);
        Assert.Equal(0, bench.Ipv4.TcpMachine.OrphanCount);
    }
}
