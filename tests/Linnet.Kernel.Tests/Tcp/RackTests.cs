using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Loss detection by time (RFC 8985, RACK). The round trip takes 100 ms, so the reordering window is 25 ms.</summary>
public sealed class RackTests
{
    private const int Rtt = 100;

    [Fact]
    public void A_hole_is_lost_when_the_reordering_window_is_over()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:2001>");

        // A quarter of the smallest RTT, and two ticks.
        bench.OutAfter(27, ". 1:1001(1000) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPSackRecovery));
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_hole_that_is_filled_within_the_reordering_window_is_no_loss()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:3001>");
        bench.Wait(26);
        bench.Nothing();
        bench.In(". 1:1(0) ack 3001 win 10000");
        bench.Wait(50);
        bench.Nothing();
        Assert.Equal(0, bench.Count(LinuxMib.TCPSackRecovery));
        Assert.Equal(1, bench.Count(LinuxMib.TCPSACKReorder));

        // Slow start went on by the one segment that was acknowledged in order.
        Assert.Equal(11u, bench.Info(fd).TcpiSndCwnd);
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Three_sacked_segments_end_the_wait_while_no_reordering_was_seen()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:4001>");
        bench.Out(". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Three_sacked_segments_do_not_end_it_once_reordering_was_seen()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:3001>");
        bench.In(". 1:1(0) ack 3001 win 20000");
        bench.In(". 1:1(0) ack 3001 win 20000 <nop,nop,sack 4001:9001>");
        bench.Nothing();
        bench.OutAfter(27, ". 3001:4001(1000) ack 1");
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData(1, false)]
    [InlineData(5, true)]
    public void Bit_2_of_the_setting_keeps_waiting_whatever_is_sacked(int setting, bool waits)
    {
        using TcpBench bench = Bench(ipv4 => ipv4.SysctlTcpRecovery = setting);
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:7001>");
        if (waits)
            bench.OutAfter(27, ". 1:1001(1000) ack 1");
        else
            bench.Out(". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_retransmission_that_is_lost_is_found_by_what_was_sent_behind_it()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 3001:6001>");
        bench.Out(". 1:1001(1000) ack 1");
        bench.Wait(10);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 3001:9001>");
        bench.Out("P. 1001:2001(1000) ack 1");
        bench.Out(". 2001:3001(1000) ack 1");
        bench.Wait(Rtt);

        // The second hole's retransmission arrived, sent 10 ms behind the first one's.
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:9001>");
        bench.Out(". 1:1001(1000) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPLostRetransmit));
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_duplicate_SACK_makes_the_reordering_window_longer()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);

        // Reordering is seen, then a retransmission turns out to have been too early.
        bench.In(". 1:1(0) ack 1 win 20000 <nop,nop,sack 1001:3001>");
        bench.In(". 1:1(0) ack 3001 win 20000");
        bench.In(". 1:1(0) ack 3001 win 20000 <nop,nop,sack 4001:7001>");
        bench.OutAfter(27, ". 3001:4001(1000) ack 1");
        bench.In(". 1:1(0) ack 7001 win 20000");
        bench.Wait(5);
        bench.In(". 1:1(0) ack 10001 win 20000 <nop,nop,sack 3001:4001>");
        Assert.Equal(1, bench.Count(LinuxMib.TCPDSACKRecv));

        bench.Write(fd, 4000);
        Assert.Equal(4, bench.TakeAll().Count);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 10001 win 20000 <nop,nop,sack 11001:12001>");
        bench.OutAfter(52, ". 10001:11001(1000) ack 1");
        bench.In(". 1:1(0) ack 14001 win 20000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Without_RACK_segments_are_counted()
    {
        using TcpBench bench = Bench(ipv4 => ipv4.SysctlTcpRecovery = 0);
        int fd = Sending(bench, 10);
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:3001>");
        bench.Wait(50);
        bench.Nothing();
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:4001>");
        bench.Out(". 1:1001(1000) ack 1");

        // A hole is lost when three segments above it are sacked (RFC 6675 section 5).
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 5001:7001 1001:4001>");
        bench.Nothing();
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 5001:8001 1001:4001>");
        bench.Out(". 4001:5001(1000) ack 1");
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_timeout_leaves_alone_what_was_sent_within_the_last_round_trip()
    {
        using TcpBench bench = Bench(ipv4 => ipv4.SysctlTcpEarlyRetrans = 0);
        int fd = bench.Accepted(window: 20000, options: "mss 1000,sackOK", rtt: Rtt);
        bench.Write(fd, 1000);
        bench.Out("P. 1:1001(1000) ack 1");
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 1001 win 20000");
        bench.Write(fd, 2000);
        bench.Out(". 1001:2001(1000) ack 1");
        bench.Out("P. 2001:3001(1000) ack 1");
        bench.Wait(250);
        bench.Write(fd, 1000);
        bench.Out("P. 3001:4001(1000) ack 1");

        // 300 ms behind the first: SRTT and its least variance.
        bench.OutAfter(50, ". 1001:2001(1000) ack 1");
        Assert.Equal(2u, bench.Info(fd).TcpiLost);
        bench.In(". 1:1(0) ack 4001 win 20000");
        bench.Calls.Close(fd);
    }

    private static TcpBench Bench(Action<NetnsIpv4>? sysctl = null) => new(sysctl: ipv4 =>
    {
        ipv4.SysctlTcpSack = true;
        sysctl?.Invoke(ipv4);
    });

    private static int Sending(TcpBench bench, int segments)
    {
        int fd = bench.Accepted(window: segments * 1000, options: "mss 1000,sackOK", rtt: Rtt);
        bench.Write(fd, segments * 1000);
        Assert.Equal(segments, bench.TakeAll().Count);
        return fd;
    }
}
