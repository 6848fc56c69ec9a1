using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Opening connections (RFC 9293 section 3.5).</summary>
public sealed class HandshakeTests
{
    [Fact]
    public void A_passive_open_answers_SYN_with_SYN_ACK_and_is_established_by_the_ACK()
    {
        using TcpBench bench = new();
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1 win 64240 <mss 1460>");
        Assert.Equal(-EAGAIN, bench.Calls.Accept4(listener, 0));
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.Nothing();
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
    }

    [Fact]
    public void An_active_open_sends_SYN_and_acknowledges_the_answer()
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0) win 64240 <mss 1460>");
        Assert.Equal(TCP_SYN_SENT, bench.State(fd));
        bench.In("S. 0:0(0) ack 1 win 1000 <mss 1000>");
        bench.Out(". 1:1(0) ack 1 win 64240 <>");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        Assert.Equal(0, bench.Error(fd));
    }

    [Fact]
    public void All_options_are_offered_and_agreed_on()
    {
        using TcpBench bench = new(options: true);
        int fd = bench.Connecting();
        bench.Out("S 0:0(0) win 64240 <mss 1460,sackOK,TS val 0 ecr 0,nop,wscale 10>");
        bench.Wait(10);
        bench.In("S. 0:0(0) ack 1 win 1000 <mss 1000,sackOK,TS val 700 ecr 0,nop,wscale 3>");
        bench.Out(". 1:1(0) ack 1 win 63 <nop,nop,TS val 10 ecr 700>");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
    }

    [Fact]
    public void A_SYN_ACK_repeats_only_what_the_SYN_offered()
    {
        using TcpBench bench = new(options: true);
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000,nop,wscale 2>");
        bench.Out("S. 0:0(0) ack 1 win 64240 <mss 1460,nop,wscale 10>");
    }

    [Fact]
    public void SYNs_are_sent_again_and_the_connection_is_given_up()
    {
        using TcpBench bench = new(sysctl: ipv4 => (ipv4.SysctlTcpSynRetries, ipv4.SysctlTcpSynLinearTimeouts) = (3, 0));
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.OutAfter(1000, "S 0:0(0)");
        bench.OutAfter(2000, "S 0:0(0)");
        bench.OutAfter(4000, "S 0:0(0)");
        bench.Wait(8000);
        bench.Nothing();
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
        Assert.Equal(TCP_CLOSE, bench.State(fd));
    }

    [Fact]
    public void SYN_ACKs_are_sent_again_until_the_request_is_dropped()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSynackRetries = 2);
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.OutAfter(1000, "S. 0:0(0) ack 1");
        bench.OutAfter(2000, "S. 0:0(0) ack 1");
        bench.Wait(10000);
        bench.Nothing();
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.Out("R 1:1(0)");
    }

    [Fact]
    public void A_SYN_that_comes_again_gets_its_SYN_ACK_again()
    {
        using TcpBench bench = new();
        bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.Wait(500);
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
    }

    [Fact]
    public void Both_sides_may_open_at_once()
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        Assert.Equal(TCP_SYN_RECV, bench.State(fd));
        bench.In("S. 0:0(0) ack 1 win 1000 <mss 1000>");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.TakeAll();
        bench.In("P. 1:11(10) ack 1 win 1000");
        bench.Out(". 1:1(0) ack 11");
        bench.Read(fd, 10);
    }

    [Fact]
    public void A_closed_port_answers_with_RST()
    {
        using TcpBench bench = new();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        TcpSegment reset = bench.Take();
        Assert.Equal(("R.", 1u), (reset.Flags, reset.Ack));
        bench.In(". 1:1(0) ack 77 win 1000");
        Assert.Equal("R", bench.Take().Flags);
    }

    [Fact]
    public void A_refused_connection_is_told()
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("R. 0:0(0) ack 1 win 0");
        Assert.Equal(ECONNREFUSED, bench.Error(fd));
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        bench.Nothing();
    }

    [Fact]
    public void A_reset_for_another_SYN_is_ignored()
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("R. 0:0(0) ack 500 win 0");
        Assert.Equal(TCP_SYN_SENT, bench.State(fd));
        Assert.Equal(0, bench.Error(fd));
    }

    [Fact]
    public void An_unacceptable_ACK_of_a_SYN_is_reset()
    {
        using TcpBench bench = new();
        int fd = bench.Connecting();
        bench.Out("S 0:0(0)");
        bench.In("S. 0:0(0) ack 500 win 1000 <mss 1000>");
        bench.Out("R 500:500(0)");
        Assert.Equal(TCP_SYN_SENT, bench.State(fd));
    }

    [Fact]
    public void An_ACK_for_a_listener_is_reset()
    {
        using TcpBench bench = new();
        bench.Listener();
        bench.In(". 1:1(0) ack 300 win 1000");
        bench.Out("R 300:300(0)");
    }

    [Fact]
    public void A_reset_takes_a_request_back()
    {
        using TcpBench bench = new();
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.In("R 1:1(0) win 0");
        bench.In(". 1:1(0) ack 1 win 1000");
        bench.Out("R 1:1(0)");
        Assert.Equal(-EAGAIN, bench.Calls.Accept4(listener, 0));
    }

    [Fact]
    public void Data_may_come_with_the_ACK_of_the_handshake()
    {
        using TcpBench bench = new();
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.In("P. 1:101(100) ack 1 win 1000");
        bench.Out(". 1:1(0) ack 101");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        bench.Read(fd, 100);
    }

    [Fact]
    public void Without_an_MSS_option_the_default_counts()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(options: "");
        bench.Write(fd, 1000);
        bench.Out(". 1:537(536) ack 1");
    }

    [Fact]
    public void An_accept_queue_that_is_full_drops_SYNs()
    {
        using TcpBench bench = new();
        bench.Listener(backlog: 0);
        for (ushort port = 1; port <= 2; port++)
        {
            bench.Flow = new TcpFlow { PeerPort = port };
            bench.In("S 0:0(0) win 1000 <mss 1000>");
            if (port == 1)
            {
                bench.Out("S. 0:0(0) ack 1");
                bench.In(". 1:1(0) ack 1 win 1000");
            }
        }

        bench.Nothing();
        Assert.Equal(1, bench.Count(LinuxMib.ListenOverflows));
    }
}
