using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Tail loss probes (RFC 8985 section 7). The round trip takes 100 ms, so the timeout is 300 ms.</summary>
public sealed class LossProbeTests
{
    private const int Rtt = 100;

    [Fact]
    public void The_last_segment_is_sent_again_after_two_round_trips()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 4);
        bench.OutAfter(202, "P. 3001:4001(1000) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPLossProbes));
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:4001>");

        // The SACK that the probe drew shows the hole at once.
        bench.Out(". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 4001 win 10000");
        Assert.Equal(0, bench.Count(LinuxMib.TCPTimeouts));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void There_is_one_probe_and_then_the_timeout()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 4);
        bench.OutAfter(202, "P. 3001:4001(1000) ack 1");
        bench.OutAfter(300, ". 1:1001(1000) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPTimeouts));
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_lone_segment_is_given_time_for_a_delayed_ACK_but_no_more_than_the_timeout()
    {
        using TcpBench bench = Bench();
        int fd = bench.Accepted(window: 10000, options: "mss 1000,sackOK", rtt: Rtt);
        bench.Write(fd, 500);
        bench.Out("P. 1:501(500) ack 1");

        // 2 RTT + 200 ms would be 400 ms.
        bench.OutAfter(300, "P. 1:501(500) ack 1");
        Assert.Equal(0, bench.Count(LinuxMib.TCPTimeouts));
        bench.OutAfter(300, "P. 1:501(500) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPTimeouts));
        bench.In(". 1:1(0) ack 501 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void New_data_goes_as_the_probe_when_there_is_some()
    {
        using TcpBench bench = Bench();
        int fd = bench.Accepted(window: 65535, options: "mss 1000,sackOK", rtt: Rtt);
        bench.Write(fd, 12_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.OutAfter(202, ". 10001:11001(1000) ack 1");
        Assert.Equal(0u, bench.Info(fd).TcpiTotalRetrans);
        bench.In(". 1:1(0) ack 11001 win 65535");
        bench.Out("P. 11001:12001(1000) ack 1");
        bench.In(". 1:1(0) ack 12001 win 65535");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_probe_that_repaired_a_loss_reduces_the_window()
    {
        using TcpBench bench = Bench();
        bench.Ipv4.TcpCongestionControl = TcpReno.Instance;
        int fd = Sending(bench, 4);
        bench.OutAfter(202, "P. 3001:4001(1000) ack 1");
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Write(fd, 1000);
        bench.Out("P. 4001:5001(1000) ack 1");
        Assert.Equal(0, bench.Count(LinuxMib.TCPLossProbeRecovery));
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 5001 win 10000");
        Assert.Equal(1, bench.Count(LinuxMib.TCPLossProbeRecovery));
        Assert.Equal(5u, bench.Info(fd).TcpiSndCwnd);
        Assert.Equal(TCP_CA_Open, bench.Info(fd).TcpiCaState);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_probe_that_was_not_needed_does_not()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 4);
        bench.OutAfter(202, "P. 3001:4001(1000) ack 1");
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 4001 win 10000 <nop,nop,sack 3001:4001>");
        bench.Write(fd, 1000);
        bench.Out("P. 4001:5001(1000) ack 1");
        bench.Wait(Rtt);
        bench.In(". 1:1(0) ack 5001 win 10000");
        Assert.Equal(0, bench.Count(LinuxMib.TCPLossProbeRecovery));
        Assert.Equal(10u, bench.Info(fd).TcpiSndCwnd);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_duplicate_ACK_shows_the_same_where_there_is_no_DSACK()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 4);
        bench.OutAfter(202, "P. 3001:4001(1000) ack 1");
        bench.In(". 1:1(0) ack 3001 win 10000");
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Write(fd, 1000);
        bench.Out("P. 4001:5001(1000) ack 1");
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.In(". 1:1(0) ack 5001 win 10000");
        Assert.Equal(0, bench.Count(LinuxMib.TCPLossProbeRecovery));
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData(0, true)]
    [InlineData(3, false)]
    public void There_is_none_without_SACK_or_with_the_setting_off(int setting, bool sack)
    {
        using TcpBench bench = new(sysctl: ipv4 =>
        {
            ipv4.SysctlTcpSack = sack;
            ipv4.SysctlTcpEarlyRetrans = setting;
        });
        int fd = Sending(bench, 4);
        bench.OutAfter(300, ". 1:1001(1000) ack 1");
        Assert.Equal(0, bench.Count(LinuxMib.TCPLossProbes));
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_timeout_changes_the_hash_of_the_flow()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 4);
        bench.Wait(2000);
        bench.TakeAll();
        Assert.Equal(bench.Count(LinuxMib.TCPTimeouts), bench.Count(LinuxMib.TcpTimeoutRehash));
        Assert.True(bench.Info(fd).TcpiRehash > 1);
        bench.In(". 1:1(0) ack 4001 win 10000");
        bench.Calls.Close(fd);
    }

    private static TcpBench Bench(Action<NetnsIpv4>? sysctl = null) => new(sysctl: ipv4 =>
    {
        ipv4.SysctlTcpSack = true;
        sysctl?.Invoke(ipv4);
    });

    private static int Sending(TcpBench bench, int segments)
    {
        int fd = bench.Accepted(
            window: 10000, options: bench.Ipv4.SysctlTcpSack ? "mss 1000,sackOK" : "mss 1000", rtt: Rtt);
        bench.Write(fd, segments * 1000);
        Assert.Equal(segments, bench.TakeAll().Count);
        return fd;
    }
}
