using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>What a closed connection answers while it waits (RFC 9293 section 3.10.7.4, RFC 1337, RFC 6191).</summary>
public sealed class TimeWaitTests
{
    [Fact]
    public void A_reset_ends_TIME_WAIT()
    {
        using TcpBench bench = InTimeWait();
        bench.In("R 2:2(0)");
        bench.Nothing();
        Assert.Equal(0, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void With_rfc1337_a_reset_does_not()
    {
        using TcpBench bench = InTimeWait(ipv4 => ipv4.SysctlTcpRfc1337 = true);
        bench.In("R 2:2(0)");
        bench.Nothing();
        Assert.Equal(1, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void A_reset_outside_of_the_window_does_not_either()
    {
        using TcpBench bench = InTimeWait();
        bench.In("R 100:100(0)");
        bench.Nothing();
        Assert.Equal(1, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void Answers_to_old_segments_are_limited_in_rate()
    {
        using TcpBench bench = InTimeWait();
        bench.In(". 1:1(0) ack 2 win 1000");
        bench.Out(". 2:2(0) ack 2");
        bench.In(". 1:1(0) ack 2 win 1000");
        bench.Nothing();
        Assert.Equal(1, bench.Count(LinuxMib.TCPACKSkippedTimeWait));
        bench.Wait(501);
        bench.In(". 1:1(0) ack 2 win 1000");
        bench.Out(". 2:2(0) ack 2");
    }

    [Fact]
    public void A_SYN_below_the_window_is_acknowledged_only()
    {
        using TcpBench bench = InTimeWait();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out(". 2:2(0) ack 2");
        Assert.Equal(1, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void A_SYN_beyond_the_window_begins_a_connection_whose_numbers_follow()
    {
        using TcpBench bench = InTimeWait();
        bench.Listener(setup: listener => bench.Set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
        uint isn = bench.Flow.HostIsn;
        bench.In("S 5000:5000(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 5001");
        // Two were used, and room is left for a window of the old connection.
        Assert.Equal(isn + 2 + 65535 + 2, bench.Flow.HostIsn);
        Assert.Equal(0, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void Data_for_an_orphan_in_FIN_WAIT2_is_reset()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Calls.Close(fd);
        bench.Out("F. 1:1(0) ack 1");
        bench.In(". 1:1(0) ack 2 win 1000");
        Assert.Equal(1, bench.Ipv4.TcpDeathRow.TwCount);
        bench.In("P. 1:11(10) ack 2 win 1000");
        bench.Out("R 2:2(0)");
        Assert.Equal(0, bench.Ipv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void No_more_than_max_tw_buckets_are_kept()
    {
        using TcpBench bench = InTimeWait(ipv4 => ipv4.TcpDeathRow.SysctlMaxTwBuckets = 0);
        Assert.Equal(0, bench.Ipv4.TcpDeathRow.TwCount);
        Assert.Equal(1, bench.Count(LinuxMib.TCPTimeWaitOverflow));
        bench.In("F. 1:1(0) ack 2 win 1000");
        bench.Out("R 2:2(0)");
    }

    [Fact]
    public void A_request_whose_SYN_ACK_was_sent_again_gives_no_RTT()
    {
        using TcpBench bench = new();
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 1000 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.OutAfter(1000, "S. 0:0(0) ack 1");
        bench.Wait(10);
        bench.In(". 1:1(0) ack 1 win 1000");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);
        TcpInfo info = TcpHosts.Info(bench.Calls, fd);
        Assert.Equal((0u, 1u), (info.TcpiRtt, info.TcpiTotalRetrans));
    }

    // The peer has sent one FIN (1), this side one (1): both are acknowledged, this side closed first.
    private static TcpBench InTimeWait(Action<NetnsIpv4>? sysctl = null)
    {
        TcpBench bench = new(sysctl: sysctl);
        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_REUSEADDR, 1));
        bench.Calls.Close(fd);
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 2 win 1000");
        bench.Out(". 2:2(0) ack 2");
        return bench;
    }
}
