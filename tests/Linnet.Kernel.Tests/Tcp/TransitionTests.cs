using Linnet.Kernel.Tests.Infrastructure;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>
/// Every arrow of the state diagram of RFC 9293 (figure 5), each with the segment that it sends; docs/tcp-states.md lists them.
/// </summary>
public sealed class TransitionTests : IDisposable
{
    private readonly TcpBench bench = new();

    private string States => TcpStates.Of(bench.Ipv4);

    public void Dispose() => bench.Dispose();

    [Fact]
    public void CLOSED_to_LISTEN_by_a_passive_open_and_back_by_close()
    {
        int fd = bench.Socket();
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        Assert.Equal("", States);
        Assert.Equal(0, bench.Calls.Listen(fd, 1));
        Assert.Equal((TCP_LISTEN, "LISTEN"), (bench.State(fd), States));
        Assert.Equal(0, bench.Calls.Close(fd));
        Assert.Equal("", States);
        bench.Nothing();
    }

    [Fact]
    public void CLOSED_to_SYN_SENT_by_an_active_open_and_back_by_close()
    {
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        Assert.Equal((TCP_SYN_SENT, "SYN_SENT"), (bench.State(fd), States));
        Assert.Equal(0, bench.Calls.Close(fd));
        Assert.Equal("", States);
        bench.Wait(10_000);
        bench.Nothing();
    }

    [Fact]
    public void LISTEN_to_SYN_RECEIVED_by_a_SYN_and_on_to_ESTABLISHED_by_its_ACK()
    {
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        Assert.Equal("LISTEN SYN_RECV", States);
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.Nothing();
        Assert.Equal("LISTEN ESTABLISHED", States);
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
    }

    /// <summary>RFC 9293 lets a SEND turn a listener into an active opener; Linux, and with it Linnet, refuses.</summary>
    [Fact]
    public void LISTEN_is_not_left_for_SYN_SENT()
    {
        int listener = bench.Listener();
        Assert.Equal(-EPIPE, bench.Calls.Send(listener, new byte[1], MSG_NOSIGNAL));
        Assert.Equal(-EISCONN, bench.Calls.Connect(listener, Syscalls.Sockaddr(TcpBench.Peer)));
        Assert.Equal("LISTEN", States);
        bench.Nothing();
    }

    [Fact]
    public void SYN_SENT_to_ESTABLISHED_by_a_SYN_ACK()
    {
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("S. 0:0(0) ack 1 win 1000 <mss 1000>");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
    }

    [Fact]
    public void SYN_SENT_to_SYN_RECEIVED_by_a_SYN_and_on_to_ESTABLISHED()
    {
        int fd = SimultaneousOpen();
        bench.In("S. 0:0(0) ack 1 win 1000 <mss 1000>");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
    }

    [Fact]
    public void SYN_RECEIVED_after_an_active_open_to_FIN_WAIT_1_by_close()
    {
        int fd = SimultaneousOpen();
        Assert.Equal(0, bench.Calls.Close(fd));

        // The SYN is unacknowledged still; the FIN goes behind it.
        bench.Out("F. 1:1(0) ack 1");
        Assert.Equal("FIN_WAIT1", States);
        bench.In(". 1:1(0) ack 2 win 1000");
        Assert.Equal("FIN_WAIT2", States);
    }

    [Fact]
    public void SYN_RECEIVED_after_an_active_open_keeps_a_shutdown_until_it_is_ESTABLISHED()
    {
        int fd = SimultaneousOpen();
        Assert.Equal(0, bench.Calls.Shutdown(fd, SHUT_WR));
        bench.Nothing();
        Assert.Equal(TCP_SYN_RECV, bench.State(fd));
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.Out("F. 1:1(0) ack 1");
        Assert.Equal(TCP_FIN_WAIT1, bench.State(fd));
    }

    [Fact]
    public void SYN_RECEIVED_after_a_passive_open_to_LISTEN_by_a_reset()
    {
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.In("R 1:1(0) win 0");
        bench.Nothing();
        Assert.Equal("LISTEN", States);
    }

    [Fact]
    public void SYN_RECEIVED_after_an_active_open_to_CLOSED_by_a_reset()
    {
        int fd = SimultaneousOpen();
        bench.In("R 1:1(0) win 0");
        bench.Nothing();
        Assert.Equal((TCP_CLOSE, ""), (bench.State(fd), States));

        // RFC 9293 says that it was refused; Linux says so only in SYN_SENT.
        Assert.Equal(ECONNRESET, bench.Error(fd));
    }

    [Fact]
    public void SYN_RECEIVED_to_LISTEN_when_nobody_acknowledges()
    {
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        for (int sent = 0; sent < 6; sent++)
        {
            bench.Out("S. 0:0(0) ack 1");
            Assert.Equal("LISTEN SYN_RECV", States);
            bench.Wait(1000 << sent);
        }

        bench.Nothing();
        Assert.Equal("LISTEN", States);
    }

    [Fact]
    public void ESTABLISHED_to_FIN_WAIT_1_by_close_and_to_FIN_WAIT_2_by_the_ACK()
    {
        bench.Calls.Close(bench.Accepted());
        bench.Out("F. 1:1(0) ack 1");
        Assert.Equal("FIN_WAIT1", States);
        bench.In(". 1:1(0) ack 2 win 65535");
        bench.Nothing();
        Assert.Equal("FIN_WAIT2", States);
    }

    [Fact]
    public void ESTABLISHED_to_CLOSE_WAIT_by_a_FIN_to_LAST_ACK_by_close_and_to_CLOSED_by_the_ACK()
    {
        int fd = bench.Accepted();
        bench.In("F. 1:1(0) ack 1 win 65535");
        bench.Wait(200);
        bench.Out(". 1:1(0) ack 2");
        Assert.Equal(TCP_CLOSE_WAIT, bench.State(fd));
        Assert.Equal(0, bench.Calls.Close(fd));
        bench.Out("F. 1:1(0) ack 2");
        Assert.Equal("LAST_ACK", States);
        bench.In(". 2:2(0) ack 2 win 65535");
        bench.Nothing();
        Assert.Equal("", States);
    }

    [Fact]
    public void FIN_WAIT_1_to_CLOSING_by_a_FIN_and_to_TIME_WAIT_by_the_ACK()
    {
        bench.Calls.Close(bench.Accepted());
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 1 win 65535");
        bench.Out(". 2:2(0) ack 2");
        Assert.Equal("CLOSING", States);
        bench.In(". 2:2(0) ack 2 win 65535");
        bench.Nothing();
        Assert.Equal("TIME_WAIT", States);
    }

    [Fact]
    public void FIN_WAIT_1_to_TIME_WAIT_by_a_FIN_that_acknowledges()
    {
        bench.Calls.Close(bench.Accepted());
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
        Assert.Equal("TIME_WAIT", States);
    }

    [Fact]
    public void FIN_WAIT_2_to_TIME_WAIT_by_a_FIN_and_to_CLOSED_after_two_segment_lifetimes()
    {
        int fd = bench.Accepted();
        bench.Calls.Shutdown(fd, SHUT_WR);
        bench.Out("F. 1:1(0) ack 1");
        bench.In(". 1:1(0) ack 2 win 65535");
        Assert.Equal("FIN_WAIT2", States);
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
        Assert.Equal((TCP_CLOSE, "TIME_WAIT"), (bench.State(fd), States));
        bench.Wait(59_900);
        Assert.Equal("TIME_WAIT", States);
        bench.Wait(200);
        Assert.Equal("", States);
    }

    [Fact]
    public void FIN_WAIT_2_of_an_orphan_to_CLOSED_after_fin_timeout()
    {
        bench.Calls.Close(bench.Accepted());
        bench.Out("F. 1:1(0) ack 1");
        bench.In(". 1:1(0) ack 2 win 65535");
        bench.Wait(59_900);
        Assert.Equal("FIN_WAIT2", States);
        bench.Wait(200);
        Assert.Equal("", States);
    }

    [Theory]
    [InlineData("ESTABLISHED", ECONNRESET)]
    [InlineData("CLOSE_WAIT", EPIPE)]
    [InlineData("FIN_WAIT1", ECONNRESET)]
    [InlineData("FIN_WAIT2", ECONNRESET)]
    [InlineData("CLOSING", ECONNRESET)]
    [InlineData("LAST_ACK", ECONNRESET)]
    [InlineData("TIME_WAIT", 0)]
    public void To_CLOSED_by_a_reset(string state, int error)
    {
        int fd = Bring(state);
        Assert.Equal(state, States);

        // One number off is not believed, but challenged (RFC 5961); where no data is taken any more TIME_WAIT says nothing.
        uint next = state is "CLOSE_WAIT" or "CLOSING" or "LAST_ACK" or "TIME_WAIT" ? 2u : 1u;
        bench.In($"R {next + 1}:{next + 1}(0) win 0");
        Assert.Equal(state, States);
        bench.TakeAll();
        bench.In($"R {next}:{next}(0) win 0");
        bench.Nothing();
        Assert.Equal("", States);
        Assert.Equal(error, bench.Error(fd));
    }

    [Fact]
    public void SYN_SENT_to_CLOSED_by_a_reset_that_acknowledges_the_SYN()
    {
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("R 0:0(0) win 0");
        Assert.Equal("SYN_SENT", States);
        bench.In("R. 0:0(0) ack 1 win 0");
        bench.Nothing();
        Assert.Equal("", States);
        Assert.Equal(ECONNREFUSED, bench.Error(fd));
    }

    [Fact]
    public void LISTEN_ignores_a_reset()
    {
        bench.Listener();
        bench.In("R 0:0(0) win 0");
        bench.In("R. 0:0(0) ack 1 win 0");
        bench.Nothing();
        Assert.Equal("LISTEN", States);
    }

    [Fact]
    public void CLOSED_answers_everything_but_a_reset_with_a_reset()
    {
        bench.In("R 5:5(0) win 0");
        bench.Nothing();
        bench.In("S 5:5(0) win 1000");
        bench.Out("R. 0:0(0) ack 6");
        bench.In(". 5:15(10) ack 77 win 1000");
        bench.Out("R 77:77(0)");
        bench.In("F. 5:5(0) ack 78 win 1000");
        bench.Out("R 78:78(0)");
    }

    [Theory]
    [InlineData("SYN_SENT", false)]
    [InlineData("SYN_RECV", true)]
    [InlineData("ESTABLISHED", true)]
    [InlineData("CLOSE_WAIT", true)]
    [InlineData("FIN_WAIT1", true)]
    [InlineData("FIN_WAIT2", true)]
    [InlineData("CLOSING", false)]
    [InlineData("LAST_ACK", false)]
    public void To_CLOSED_by_an_abort(string state, bool sendsReset)
    {
        int fd = Bring(state);
        Assert.Equal(state, States);
        Assert.Equal(0, bench.Calls.Setsockopt(fd, SOL_SOCKET, SO_LINGER, [1, 0, 0, 0, 0, 0, 0, 0]));
        Assert.Equal(0, bench.Calls.Close(fd));

        // A reset is for a peer that may still send or wait for data (tcp_need_reset).
        if (sendsReset)
            Assert.StartsWith("R", bench.Take().Flags);
        bench.Nothing();
        Assert.Equal("", States);
    }

    [Theory]
    [InlineData("ESTABLISHED")]
    [InlineData("CLOSE_WAIT")]
    [InlineData("FIN_WAIT1")]
    [InlineData("FIN_WAIT2")]
    [InlineData("CLOSING")]
    [InlineData("LAST_ACK")]
    public void A_SYN_within_a_connection_changes_nothing(string state)
    {
        Bring(state);
        bench.In("S 1:1(0) win 1000 <mss 1000>");
        Assert.StartsWith(".", bench.Take().Flags);
        bench.Nothing();
        Assert.Equal(state, States);
    }

    [Fact]
    public void SYN_SENT_to_CLOSED_when_nobody_answers()
    {
        int fd = bench.Connecting();
        bench.Wait(130_000);
        Assert.Equal("SYN_SENT", States);
        bench.Wait(10_000);
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
        Assert.Equal("", States);
        bench.TakeAll();
    }

    [Theory]
    [InlineData("ESTABLISHED")]
    [InlineData("FIN_WAIT1")]
    [InlineData("CLOSING")]
    [InlineData("LAST_ACK")]
    public void To_CLOSED_when_nothing_is_acknowledged_any_more(string state)
    {
        int fd = Bring(state);
        if (state == "ESTABLISHED")
            bench.Write(fd, 1);

        // tcp_retries2 is a time: that of 15 timeouts from the least one on, 924.6 s, looked at when a timer fires.
        bench.Wait(900_000);
        Assert.Equal(state, States);
        bench.Wait(200_000);
        Assert.Equal("", States);
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
        bench.TakeAll();
    }

    [Fact]
    public void TIME_WAIT_to_SYN_RECEIVED_by_a_new_SYN()
    {
        Bring("TIME_WAIT");
        int listener = bench.Listener(setup: fd => bench.Set(fd, SOL_SOCKET, SO_REUSEADDR, 1));
        bench.In("S 5000:5000(0) win 1000 <mss 1000>");
        TcpSegment answer = bench.Take();
        Assert.Equal(("S.", 5001u), (answer.Flags, answer.Ack));
        Assert.Equal("LISTEN SYN_RECV", States);
        Assert.True(listener >= 0);
    }

    // A connection in a state; the descriptor is open in all of them.
    private int Bring(string state)
    {
        if (state == "SYN_RECV")
            return SimultaneousOpen();
        if (state == "SYN_SENT")
        {
            int connecting = bench.Connecting();
            bench.Out("S 0:0(0)");
            return connecting;
        }

        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
        if (state is "CLOSE_WAIT" or "LAST_ACK")
            bench.In("F. 1:1(0) ack 1 win 65535");
        if (state is not ("ESTABLISHED" or "CLOSE_WAIT"))
            Assert.Equal(0, bench.Calls.Shutdown(fd, SHUT_WR));
        if (state == "FIN_WAIT2")
            bench.In(". 1:1(0) ack 2 win 65535");
        if (state == "CLOSING")
            bench.In("F. 1:1(0) ack 1 win 65535");
        if (state == "TIME_WAIT")
            bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Wait(200);
        bench.TakeAll();
        return fd;
    }

    private int SimultaneousOpen()
    {
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        Assert.Equal((TCP_SYN_RECV, "SYN_RECV"), (bench.State(fd), States));
        return fd;
    }
}
