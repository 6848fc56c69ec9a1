using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Retransmission: timeouts (RFC 6298), fast retransmit and NewReno (RFC 5681, 6582), SACK (RFC 2018, 6675).</summary>
public sealed class RecoveryTests
{
    [Fact]
    public void An_unacknowledged_segment_is_sent_again_with_doubling_timeouts()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 500);
        bench.Out("P. 1:501(500) ack 1");

        // The handshake took no time: the timeout is the least one, 200 ms.
        bench.OutAfter(200, "P. 1:501(500) ack 1");
        bench.OutAfter(400, "P. 1:501(500) ack 1");
        bench.OutAfter(800, "P. 1:501(500) ack 1");
        bench.OutAfter(1600, "P. 1:501(500) ack 1");
        bench.In(". 1:1(0) ack 501 win 65535");
        bench.Wait(20_000);
        bench.Nothing();
    }

    [Fact]
    public void The_timeout_follows_the_round_trip_time()
    {
        using TcpBench bench = new();
        int listener = bench.Listener();
        bench.In("S 0:0(0) win 65535 <mss 1000>");
        bench.Out("S. 0:0(0) ack 1");
        bench.Wait(600);
        bench.In(". 1:1(0) ack 1 win 65535");
        int fd = bench.Calls.Accept4(listener, SOCK_NONBLOCK);

        // First sample R = 600: SRTT = R, RTTVAR = R/2, RTO = R + 4 R/2 = 1800.
        bench.Write(fd, 100);
        bench.Out("P. 1:101(100) ack 1");
        bench.OutAfter(1800, "P. 1:101(100) ack 1");
        bench.In(". 1:1(0) ack 101 win 65535");
    }

    [Fact]
    public void A_retransmitted_segment_gives_no_sample_without_timestamps()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Out("P. 1:101(100) ack 1");
        bench.OutAfter(200, "P. 1:101(100) ack 1");
        bench.Wait(10);
        bench.In(". 1:1(0) ack 101 win 65535");

        // Karn: the timeout stays backed off until a segment that was sent once is acknowledged.
        bench.Write(fd, 100);
        bench.Out("P. 101:201(100) ack 1");
        bench.OutAfter(400, "P. 101:201(100) ack 1");
        bench.In(". 1:1(0) ack 201 win 65535");
    }

    [Fact]
    public void Retransmission_is_given_up()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpRetries2 = 3);
        int fd = bench.Accepted();
        bench.Write(fd, 100);
        bench.Out("P. 1:101(100) ack 1");
        bench.OutAfter(200, "P. 1:101(100) ack 1");
        bench.OutAfter(400, "P. 1:101(100) ack 1");
        bench.OutAfter(800, "P. 1:101(100) ack 1");
        bench.Wait(10_000);
        bench.TakeAll();
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
        Assert.Equal(TCP_CLOSE, bench.State(fd));
    }

    [Fact]
    public void USER_TIMEOUT_gives_up_earlier()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, IPPROTO_TCP, TCP_USER_TIMEOUT, 1000);
        bench.Write(fd, 100);
        bench.Wait(1900);
        Assert.Equal(ETIMEDOUT, bench.Error(fd));
        bench.TakeAll();
    }

    [Fact]
    public void Three_duplicate_ACKs_retransmit_the_first_segment_at_once()
    {
        using TcpBench bench = new();
        int fd = Sending(bench, 10);
        bench.In(". 1:1(0) ack 1001 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 1001 win 65535");
        bench.In(". 1:1(0) ack 1001 win 65535");
        Assert.DoesNotContain(bench.TakeAll(), segment => segment.Seq == 1001);
        bench.In(". 1:1(0) ack 1001 win 65535");
        Assert.Equal(1001u, bench.Take().Seq);
        Assert.Equal(1, bench.Count(LinuxMib.TCPRenoRecovery));
        Assert.Equal(1, bench.Count(LinuxMib.TCPFastRetrans));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_partial_ACK_retransmits_the_next_hole()
    {
        using TcpBench bench = new();
        int fd = Sending(bench, 10);
        bench.In(". 1:1(0) ack 1 win 10000");

        // The first and the fourth are lost: eight of ten arrive.
        for (int i = 0; i < 8; i++)
            bench.In(". 1:1(0) ack 1 win 10000");
        Assert.Equal(1u, bench.Take().Seq);
        bench.TakeAll();
        bench.In(". 1:1(0) ack 3001 win 10000");
        Assert.Contains(bench.TakeAll(), segment => segment.Seq == 3001);
        bench.In(". 1:1(0) ack 10001 win 10000");
        Assert.DoesNotContain(bench.TakeAll(), segment => segment.Seq < 10001);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Fast_recovery_halves_the_window_of_Reno()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.TcpCongestionControl = TcpReno.Instance);
        int fd = Sending(bench, 10);
        for (int i = 0; i < 3; i++)
            bench.In(". 1:1(0) ack 1 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 65535");
        byte[] info = new byte[256];
        int length = info.Length;
        bench.Calls.Getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, ref length);
        Assert.Equal(5, BitConverter.ToInt32(info, 76));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_recovery_without_SACK_that_retransmitted_is_not_undone_at_its_end()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.TcpCongestionControl = TcpReno.Instance);
        int fd = Sending(bench, 10);
        for (int i = 0; i < 3; i++)
            bench.In(". 1:1(0) ack 1 win 65535");
        bench.In(". 1:1(0) ack 10001 win 65535");

        // The state stays until something beyond is acknowledged (RFC 6582 section 4.1).
        Assert.Equal(TCP_CA_Recovery, bench.Info(fd).TcpiCaState);
        bench.Write(fd, 1000);
        bench.TakeAll();
        bench.In(". 1:1(0) ack 11001 win 65535");
        Assert.Equal(TCP_CA_Open, bench.Info(fd).TcpiCaState);
        Assert.Equal(5u, bench.Info(fd).TcpiSndCwnd);
        Assert.Equal(0, bench.Count(LinuxMib.TCPFullUndo));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void SACK_retransmits_only_the_holes()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK", window: 10000, rtt: 10);
        bench.Write(fd, 10_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Wait(10);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:2001>");
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:3001>");
        bench.Nothing();
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:4001>");
        bench.Out(". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 5001:9001 1001:4001>");
        bench.Out(". 4001:5001(1000) ack 1");
        bench.Nothing();
        bench.In(". 1:1(0) ack 9001 win 10000");
        bench.Nothing();
        bench.In(". 1:1(0) ack 10001 win 10000");
        bench.Wait(3000);
        bench.Nothing();
        Assert.Equal(1, bench.Count(LinuxMib.TCPSackRecovery));
    }

    [Fact]
    public void After_a_timeout_everything_is_sent_again_by_slow_start()
    {
        using TcpBench bench = new();
        int fd = Sending(bench, 4);
        bench.OutAfter(200, ". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 1001 win 65535");
        List<TcpSegment> round = bench.TakeAll();
        Assert.Equal([1001u, 2001u], round.Select(segment => segment.Seq));
        bench.In(". 1:1(0) ack 4001 win 65535");
        bench.Wait(5000);
        bench.Nothing();
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Timestamps_show_that_a_timeout_was_wrong()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpTimestamps = 1);
        int fd = bench.Accepted(options: "mss 1012,nop,nop,TS val 100 ecr none");
        bench.Write(fd, 10_000);
        List<TcpSegment> first = bench.TakeAll();
        Assert.Equal(10, first.Count);
        bench.OutAfter(200, ". 1:1001(1000) ack 1");

        // The echo is of the first transmission, before the timeout: it was only late.
        string echo = first[0].Options!.Split(' ')[2];
        bench.In($". 1:1(0) ack 1001 win 65535 <nop,nop,TS val 101 ecr {echo}>");
        bench.TakeAll();
        Assert.Equal(1, bench.Count(LinuxMib.TCPLossUndo));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_path_MTU_that_is_learned_sends_again_in_smaller_segments()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(options: "mss 1460");
        bench.Write(fd, 1460);
        bench.Out("P. 1:1461(1460) ack 1");
        bench.InFragmentationNeeded(mtu: 1000);
        bench.Out(". 1:961(960) ack 1");
        bench.Out("P. 961:1461(500) ack 1");
        bench.In(". 1:1(0) ack 1461 win 65535");
    }

    private static int Sending(TcpBench bench, int segments)
    {
        int fd = bench.Accepted(options: "mss 1000");
        bench.Write(fd, segments * 1000);
        Assert.Equal(segments, bench.TakeAll().Count);
        return fd;
    }
}
