using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Reductions that turn out to be wrong, reordering, and what a peer withdraws.</summary>
public sealed class UndoTests
{
    // Offsets in struct tcp_info.
    private const int Sacked = 28;
    private const int SndCwnd = 80;
    private const int Reordering = 88;

    [Fact]
    public void FRTO_finds_a_timeout_to_be_wrong_by_what_was_sent_before_it()
    {
        // Without a tail loss probe, which would come before the timeout.
        using TcpBench bench = new(sysctl: ipv4 =>
        {
            ipv4.SysctlTcpSack = true;
            ipv4.SysctlTcpEarlyRetrans = 0;
        });
        int fd = Sending(bench, segments: 5, written: 8);
        bench.OutAfter(200, ". 1:1001(1000) ack 1");

        // The first ACK could be of the retransmission: new data asks for more news (RFC 5682 2.1, step 2b).
        bench.In(". 1:1(0) ack 1001 win 5000");
        List<TcpSegment> round = bench.TakeAll();
        Assert.All(round, segment => Assert.True(segment.Seq >= 5001, $"{segment}"));
        Assert.NotEmpty(round);

        // The next advances over what was never sent again: the timeout was wrong (step 3b).
        bench.In(". 1:1(0) ack 3001 win 8000");
        Assert.Equal(1, bench.Count(LinuxMib.TCPSpuriousRTOs));
        Assert.DoesNotContain(bench.TakeAll(), segment => segment.Seq < 5001);
        Assert.Equal(10u, Cwnd(bench, fd));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void FRTO_goes_back_to_retransmitting_when_a_duplicate_ACK_follows()
    {
        using TcpBench bench = new();
        int fd = Sending(bench, segments: 5, written: 8);
        bench.OutAfter(200, ". 1:1001(1000) ack 1");
        bench.In(". 1:1(0) ack 1001 win 5000");
        Assert.All(bench.TakeAll(), segment => Assert.True(segment.Seq >= 5001));
        bench.In(". 1:1(0) ack 1001 win 5000");
        Assert.Contains(bench.TakeAll(), segment => segment.Seq == 1001);
        Assert.Equal(0, bench.Count(LinuxMib.TCPSpuriousRTOs));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_DSACK_for_each_retransmission_takes_the_reduction_back()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = Sending(bench, segments: 10, written: 10);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:4001>");
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 1001:5001>");
        bench.Out(". 1:1001(1000) ack 1");
        Assert.True(Cwnd(bench, fd) < 10);
        bench.In(". 1:1(0) ack 10001 win 10000 <nop,nop,sack 1:1001>");
        Assert.Equal(1, bench.Count(LinuxMib.TCPDSACKRecv));
        Assert.True(Cwnd(bench, fd) >= 10, $"{Cwnd(bench, fd)}");
        bench.Nothing();
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Reordering_that_was_seen_delays_the_next_fast_retransmit()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = Sending(bench, segments: 10, written: 10);

        // Segment 1 comes behind six later ones, without having been sent again.
        bench.In(". 1:1(0) ack 1 win 20000 <nop,nop,sack 1001:3001>");
        bench.In(". 1:1(0) ack 3001 win 20000 <nop,nop,sack 9001:10001>");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 20000");
        Assert.True(bench.Count(LinuxMib.TCPSACKReorder) > 0);
        Assert.True(Info(bench, fd, Reordering) > 3, $"reordering {Info(bench, fd, Reordering)}");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_peer_that_forgets_what_it_sacked_gets_it_again()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = Sending(bench, segments: 6, written: 6);
        bench.In(". 1:1(0) ack 1 win 6000 <nop,nop,sack 1001:6001>");
        bench.TakeAll();

        // The hole is filled, and yet the ACK stops before what was sacked.
        bench.In(". 1:1(0) ack 1001 win 6000");
        bench.Wait(2000);
        Assert.Contains(bench.TakeAll(), segment => segment.Seq == 1001);
        Assert.Equal(1, bench.Count(LinuxMib.TCPSACKReneging));
        bench.In(". 1:1(0) ack 6001 win 6000");
        bench.Calls.Close(fd);
    }

    [Theory]
    [InlineData("sack 5001:4001")]
    [InlineData("sack 4001:900001")]
    [InlineData("sack -5000:-4000")]
    [InlineData("sack 1:1")]
    public void SACK_blocks_that_cannot_be_are_ignored(string block)
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = Sending(bench, segments: 6, written: 6);
        for (int i = 0; i < 2; i++)
            bench.In($". 1:1(0) ack 1 win 6000 <nop,nop,{block}>");
        bench.Nothing();
        Assert.Equal(0, Info(bench, fd, Sacked));
        bench.In(". 1:1(0) ack 6001 win 6000");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void An_idle_connection_starts_again_from_the_initial_window()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 400_000);
        bench.Write(fd, 30_000);
        bench.TakeAll();
        bench.In(". 1:1(0) ack 10001 win 65535");
        bench.TakeAll();
        bench.In(". 1:1(0) ack 30001 win 65535");
        Assert.True(Cwnd(bench, fd) > 15);
        bench.Wait(10_000);
        bench.Write(fd, 30_000);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_corked_segment_goes_after_200_ms()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Set(fd, IPPROTO_TCP, TCP_CORK, 1);
        bench.Write(fd, 400);
        bench.OutAfter(200, "P. 1:401(400) ack 1");
        bench.In(". 1:1(0) ack 401 win 65535");
    }

    [Fact]
    public void A_window_that_is_taken_back_stops_retransmission_but_for_a_probe()
    {
        using TcpBench bench = new();
        int fd = Sending(bench, segments: 5, written: 5);
        bench.In(". 1:1(0) ack 1001 win 0");
        bench.Wait(1000);
        Assert.All(bench.TakeAll(), segment => Assert.Equal(1001u, segment.Seq));
        bench.In(". 1:1(0) ack 5001 win 5000");
        bench.Wait(5000);
        bench.Nothing();
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_reset_does_not_end_TIME_WAIT_with_rfc1337()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpRfc1337 = true);
        int fd = bench.Accepted();
        bench.Calls.Close(fd);
        bench.Out("F. 1:1(0) ack 1");
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
        bench.In("R 2:2(0) win 0");
        bench.In("F. 1:1(0) ack 2 win 65535");
        bench.Out(". 2:2(0) ack 2");
    }

    // The peer's window is what the first segments fill; more was written.
    private static int Sending(TcpBench bench, int segments, int written)
    {
        string options = bench.Ipv4.SysctlTcpSack ? "mss 1000,sackOK" : "mss 1000";
        int fd = bench.Accepted(window: segments * 1000, options: options);
        bench.Write(fd, written * 1000);
        Assert.Equal(segments, bench.TakeAll().Count);
        return fd;
    }

    private static uint Cwnd(TcpBench bench, int fd) => (uint)Info(bench, fd, SndCwnd);

    private static int Info(TcpBench bench, int fd, int offset)
    {
        byte[] info = new byte[256];
        int length = info.Length;
        Assert.Equal(0, bench.Calls.Getsockopt(fd, IPPROTO_TCP, TCP_INFO, info, ref length));
        return BitConverter.ToInt32(info, offset);
    }
}
