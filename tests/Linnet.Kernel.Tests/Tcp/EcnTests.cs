using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Explicit congestion notification (RFC 3168): agreement, marks, echo and answer to it.</summary>
public sealed class EcnTests
{
    private const byte NotEct = EcnBits.INET_ECN_NOT_ECT;
    private const byte Ect0 = EcnBits.INET_ECN_ECT_0;
    private const byte Ce = EcnBits.INET_ECN_CE;

    // --- agreement (6.1.1) ---

    [Fact]
    public void By_default_it_is_not_offered()
    {
        using TcpBench bench = new();
        bench.Connecting();
        bench.Out("S 0:0(0)");
    }

    [Fact]
    public void It_is_offered_by_ECE_and_CWR_in_the_SYN()
    {
        using TcpBench bench = Bench(1);
        int fd = bench.Connecting();
        Assert.Equal(NotEct, bench.Out("SEW 0:0(0)").Tos);
        bench.In("SE. 0:0(0) ack 1 win 65535 <mss 1000>");
        Assert.Equal(NotEct, bench.Out(". 1:1(0) ack 1").Tos);
        Assert.Equal(TCPI_OPT_ECN, bench.Info(fd).TcpiOptions & TCPI_OPT_ECN);
        bench.Write(fd, 1500);
        Assert.Equal(Ect0, bench.Out(". 1:1001(1000) ack 1").Tos);
        Assert.Equal(Ect0, bench.Out("P. 1001:1501(500) ack 1").Tos);
        bench.In(". 1:1(0) ack 1501 win 65535");
    }

    [Theory]
    [InlineData("S. 0:0(0) ack 1 win 65535 <mss 1000>")]
    [InlineData("SEW. 0:0(0) ack 1 win 65535 <mss 1000>")]
    public void A_SYN_ACK_that_does_not_accept_leaves_it_off(string synAck)
    {
        using TcpBench bench = Bench(1);
        int fd = bench.Connecting();
        bench.Out("SEW 0:0(0)");
        bench.In(synAck);
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(0, bench.Info(fd).TcpiOptions & TCPI_OPT_ECN);
        bench.Write(fd, 100);
        Assert.Equal(NotEct, bench.Take().Tos);
        bench.In(". 1:1(0) ack 101 win 65535");
    }

    /// <summary>RFC 3168 section 6.1.1.1.</summary>
    [Theory]
    [InlineData(true, "S 0:0(0)")]
    [InlineData(false, "SEW 0:0(0)")]
    public void A_SYN_that_is_sent_again_does_not_offer_it(bool fallback, string second)
    {
        using TcpBench bench = Bench(1);
        bench.Ipv4.SysctlTcpEcnFallback = fallback;
        bench.Connecting();
        bench.Out("SEW 0:0(0)");
        bench.OutAfter(1000, second);
    }

    [Theory]
    [InlineData(2, "SEW 0:0(0) win 65535 <mss 1000>", NotEct, "SE. 0:0(0) ack 1")]
    [InlineData(1, "SEW 0:0(0) win 65535 <mss 1000>", NotEct, "SE. 0:0(0) ack 1")]
    [InlineData(0, "SEW 0:0(0) win 65535 <mss 1000>", NotEct, "S. 0:0(0) ack 1")]
    [InlineData(2, "SE 0:0(0) win 65535 <mss 1000>", NotEct, "S. 0:0(0) ack 1")]
    [InlineData(2, "SW 0:0(0) win 65535 <mss 1000>", NotEct, "S. 0:0(0) ack 1")]
    [InlineData(2, "SEW 0:0(0) win 65535 <mss 1000>", Ect0, "S. 0:0(0) ack 1")]
    public void A_listener_accepts_what_is_offered_rightly(int sysctl, string syn, byte tos, string answer)
    {
        using TcpBench bench = Bench(sysctl);
        bench.Listener();
        bench.In(syn, tos);
        Assert.Equal(NotEct, bench.Out(answer).Tos);
    }

    [Fact]
    public void A_cookie_remembers_it_in_the_timestamp()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSyncookies = 2, options: true);
        int listener = bench.Listener();
        bench.In("SEW 0:0(0) win 65535 <mss 1000,sackOK,TS val 100 ecr none>");
        TcpSegment synAck = bench.Out("SE. 0:0(0) ack 1");
        Assert.Contains("TS val 0 ", synAck.Options);
        bench.In(". 1:1(0) ack 1 win 65535 <nop,nop,TS val 101 ecr 0>");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        Assert.Equal(TCPI_OPT_ECN, bench.Info(fd).TcpiOptions & TCPI_OPT_ECN);
    }

    [Fact]
    public void The_sysctl_ends_at_RFC_3168()
    {
        using TcpBench bench = new();
        Assert.Equal(-EINVAL, bench.Ipv4.Net.Sysctl.Write("net.ipv4.tcp_ecn", "3"));
        Assert.Equal(0, bench.Ipv4.Net.Sysctl.Write("net.ipv4.tcp_ecn", "1"));
        Assert.Equal(1, bench.Ipv4.SysctlTcpEcn);
        Assert.Equal(-EINVAL, bench.Ipv4.Net.Sysctl.Write("net.ipv4.tcp_ecn_fallback", "2"));
    }

    // --- the receiver (6.1.3) ---

    [Fact]
    public void A_mark_is_echoed_until_the_sender_says_that_it_has_slowed_down()
    {
        using TcpBench bench = new();
        int fd = Accepted(bench);
        bench.In(". 1:1001(1000) ack 1 win 65535", Ect0);
        bench.Out(". 1:1(0) ack 1001");
        bench.In(". 1001:2001(1000) ack 1 win 65535", Ce);
        Assert.Equal(NotEct, bench.Out("E. 1:1(0) ack 2001").Tos);
        bench.In(". 2001:3001(1000) ack 1 win 65535", Ect0);
        bench.Out("E. 1:1(0) ack 3001");

        // What we send ourselves carries the echo too.
        bench.Write(fd, 100);
        Assert.Equal(Ect0, bench.Out("PE. 1:101(100) ack 3001").Tos);
        bench.In("W. 3001:4001(1000) ack 101 win 65535", Ect0);
        bench.Out(". 101:101(0) ack 4001");
        Assert.Equal(TCPI_OPT_ECN_SEEN, bench.Info(fd).TcpiOptions & TCPI_OPT_ECN_SEEN);
    }

    [Fact]
    public void A_mark_on_the_segment_with_CWR_begins_anew()
    {
        using TcpBench bench = new();
        Accepted(bench);
        bench.In(". 1:1001(1000) ack 1 win 65535", Ce);
        bench.Out("E. 1:1(0) ack 1001");
        bench.In("W. 1001:2001(1000) ack 1 win 65535", Ce);
        bench.Out("E. 1:1(0) ack 2001");
    }

    [Fact]
    public void CWR_on_a_pure_ACK_counts()
    {
        using TcpBench bench = new();
        int fd = Accepted(bench);
        bench.In(". 1:1001(1000) ack 1 win 65535", Ce);
        bench.Out("E. 1:1(0) ack 1001");
        bench.Write(fd, 100);
        bench.Out("PE. 1:101(100) ack 1001");
        bench.In("W. 1001:1001(0) ack 101 win 65535");
        bench.In(". 1001:2001(1000) ack 101 win 65535", Ect0);
        bench.OutAfter(40, ". 101:101(0) ack 2001");
    }

    [Fact]
    public void A_mark_out_of_order_is_echoed_at_once()
    {
        using TcpBench bench = new();
        Accepted(bench);
        bench.In(". 1001:2001(1000) ack 1 win 65535", Ce);
        bench.Out("E. 1:1(0) ack 1");
        bench.In("W. 1:1001(1000) ack 1 win 65535", Ect0);
        bench.Out(". 1:1(0) ack 2001");
    }

    [Fact]
    public void Without_agreement_marks_mean_nothing()
    {
        using TcpBench bench = new();
        bench.Accepted();
        bench.In(". 1:1001(1000) ack 1 win 65535", Ce);
        bench.Out(". 1:1(0) ack 1001");
    }

    // --- the sender (6.1.2) ---

    [Fact]
    public void An_echo_reduces_the_window_once_a_round_and_is_answered_by_CWR()
    {
        using TcpBench bench = new();
        int fd = Accepted(bench);
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 200_000);
        bench.Write(fd, 40_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Wait(10);
        bench.In("E. 1:1(0) ack 1001 win 65535");
        TcpInfo info = bench.Info(fd);
        Assert.Equal((TCP_CA_CWR, 7u), ((int)info.TcpiCaState, info.TcpiSndSsthresh));
        Assert.Equal("W.", bench.Take().Flags);
        for (uint ack = 2001; ack <= 10001; ack += 1000)
            bench.In($"E. 1:1(0) ack {ack} win 65535");
        Assert.All(bench.TakeAll(), segment => Assert.DoesNotContain('W', segment.Flags));
        Assert.Equal(7u, bench.Info(fd).TcpiSndSsthresh);
        bench.In(". 1:1(0) ack 11001 win 65535");
        info = bench.Info(fd);
        Assert.Equal((TCP_CA_Open, 7u), ((int)info.TcpiCaState, info.TcpiSndCwnd));
        Assert.Equal(10u, info.TcpiDeliveredCe);
        Assert.Equal(10, bench.Count(LinuxMib.TCPDeliveredCE));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Retransmissions_are_not_marked()
    {
        using TcpBench bench = new();
        int fd = Accepted(bench);
        bench.Write(fd, 1000);
        Assert.Equal(Ect0, bench.Take().Tos);
        bench.Wait(3000);
        List<TcpSegment> again = bench.TakeAll();
        Assert.NotEmpty(again);
        Assert.All(again, segment => Assert.Equal(NotEct, segment.Tos));
        bench.In(". 1:1(0) ack 1001 win 65535");

        // The first new data after a timeout says that the window was reduced.
        bench.Write(fd, 100);
        TcpSegment next = bench.Take();
        Assert.Equal(("PW.", Ect0), (next.Flags, next.Tos));
        bench.In(". 1:1(0) ack 1101 win 65535");
    }

    private static TcpBench Bench(int ecn) => new(sysctl: ipv4 => ipv4.SysctlTcpEcn = ecn);

    private static int Accepted(TcpBench bench)
    {
        int listener = bench.Listener();
        bench.In("SEW 0:0(0) win 65535 <mss 1000>");
        bench.Out("SE. 0:0(0) ack 1");
        bench.In(". 1:1(0) ack 1 win 65535");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        Assert.True(fd >= 0);
        Assert.Equal(0, bench.Calls.Close(listener));
        return fd;
    }
}
