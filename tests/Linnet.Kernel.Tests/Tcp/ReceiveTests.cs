using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Data that comes: order, windows, delayed ACKs, unacceptable segments (RFC 9293 section 3.10.7.4).</summary>
public sealed class ReceiveTests
{
    [Fact]
    public void Data_in_order_is_read_and_acknowledged()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("P. 1:101(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 101");
        bench.Read(fd, 100);
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
    }

    [Fact]
    public void Data_out_of_order_waits_for_what_precedes_it()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In(". 201:301(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1");
        bench.In(". 101:201(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
        bench.In(". 1:101(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 301");
        bench.Read(fd, 300);
    }

    [Fact]
    public void SACK_tells_what_came_out_of_order()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        bench.In(". 201:301(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1 <nop,nop,sack 201:301>");
        bench.In(". 401:501(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1 <nop,nop,sack 401:501 201:301>");
        bench.In(". 301:401(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1 <nop,nop,sack 201:501>");
        bench.In(". 1:201(200) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 501 <>");
        bench.Read(fd, 500);
    }

    [Fact]
    public void A_duplicate_is_reported_by_DSACK()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        bench.In(". 1:101(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 101 <>");
        bench.In(". 1:101(100) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 101 <nop,nop,sack 1:101>");
        bench.Read(fd, 100);
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
    }

    [Theory]
    [InlineData(". 1:201(200)", ". 101:301(200)")]
    [InlineData(". 101:301(200)", ". 1:201(200)")]
    [InlineData(". 51:151(100)", ". 1:301(300)")]
    public void Overlapping_segments_are_taken_once(string first, string second)
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In($"{first} ack 1 win 65535");
        bench.In($"{second} ack 1 win 65535");
        Assert.Equal(301u, bench.TakeAll()[^1].Ack);
        bench.Read(fd, 300);
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
    }

    [Fact]
    public void ACKs_are_delayed_once_the_flow_is_known_and_sent_for_each_second_segment()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(options: "mss 1000");

        // The first ACKs go at once, as the sender is in slow start.
        uint seq = 1;
        for (int i = 0; i < 40; i++)
        {
            bench.In($". {seq}:{seq + 1000}(1000) ack 1 win 65535");
            seq += 1000;
            bench.TryRead(fd);
            bench.TakeAll();
            bench.Wait(60);
            bench.TakeAll();
        }

        bench.In($". {seq}:{seq + 1000}(1000) ack 1 win 65535");
        bench.Nothing();
        bench.In($". {seq + 1000}:{seq + 2000}(1000) ack 1 win 65535");
        bench.TryRead(fd);
        bench.Out($". 1:1(0) ack {seq + 2000}");
        bench.In($". {seq + 2000}:{seq + 3000}(1000) ack 1 win 65535");
        bench.Nothing();
        bench.Wait(200);
        bench.Out($". 1:1(0) ack {seq + 3000}");
        bench.TryRead(fd);
    }

    [Fact]
    public void A_full_buffer_closes_the_window_and_reading_opens_it()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_RCVBUF, 4000));
        uint seq = 1;
        int window = int.MaxValue;
        while (window != 0)
        {
            Assert.True(seq < 100_000, "the window never closes");
            int size = Math.Min(500, window);
            bench.In($"P. {seq}:{seq + size}({size}) ack 1 win 65535");
            seq += (uint)size;
            bench.Wait(300);
            window = bench.TakeAll()[^1].Window!.Value;
        }

        bench.In($"P. {seq}:{seq + 1}(1) ack 1 win 65535");
        bench.Out($". 1:1(0) ack {seq} win 0");
        bench.Read(fd, (int)seq - 1);
        TcpSegment update = bench.Take();
        Assert.Equal((".", seq), (update.Flags, update.Ack));
        Assert.True(update.Window > 1000);
    }

    [Theory]
    [InlineData(". 90000:90100(100)")]
    [InlineData(". -200:-100(100)")]
    public void A_segment_outside_of_the_window_is_answered_with_an_ACK(string segment)
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In($"{segment} ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
    }

    [Fact]
    public void A_segment_without_ACK_is_dropped()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("P 1:101(100) win 65535");
        bench.Nothing();
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
    }

    [Fact]
    public void An_ACK_of_what_was_not_sent_is_answered_and_dropped()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("P. 1:101(100) ack 5000 win 65535");
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
        bench.Wait(1000);
        Assert.DoesNotContain(bench.TakeAll(), segment => segment.Ack != 1);
    }

    [Fact]
    public void An_ACK_that_is_far_too_old_is_challenged()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("P. 1:101(100) ack -100000 win 65535");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
        Assert.Equal(1, bench.Count(LinuxMib.TCPChallengeACK));
    }

    [Fact]
    public void A_reset_counts_only_at_the_next_sequence_number()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("R 100:100(0) win 0");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.In("R 90000:90000(0) win 0");
        bench.Nothing();
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        bench.In("R 1:1(0) win 0");
        Assert.Equal(-ECONNRESET, bench.TryRead(fd));
        Assert.Equal(TCP_CLOSE, bench.State(fd));
        Assert.Equal(0, bench.TryRead(fd));
    }

    [Fact]
    public void A_SYN_in_a_connection_is_challenged()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("S 50:50(0) win 65535 <mss 1000>");
        bench.Out(". 1:1(0) ack 1");
        Assert.Equal(TCP_ESTABLISHED, bench.State(fd));
        Assert.Equal(1, bench.Count(LinuxMib.TCPSYNChallenge));
    }

    [Fact]
    public void Challenges_are_rate_limited()
    {
        using TcpBench bench = new();
        bench.Accepted();
        for (int i = 0; i < 10; i++)
            bench.In("S 50:50(0) win 65535 <mss 1000>");
        Assert.Single(bench.TakeAll());
        bench.Wait(501);
        bench.In("S 50:50(0) win 65535 <mss 1000>");
        Assert.Single(bench.TakeAll());
    }

    [Fact]
    public void PAWS_drops_segments_with_old_timestamps()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpTimestamps = 1);
        int fd = bench.Accepted(options: "mss 1000,nop,nop,TS val 1000 ecr none");
        bench.In("P. 1:101(100) ack 1 win 65535 <nop,nop,TS val 1100 ecr 0>");
        bench.Read(fd, 100);
        bench.TakeAll();
        bench.In("P. 101:201(100) ack 1 win 65535 <nop,nop,TS val 900 ecr 0>");
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
        TcpSegment answer = bench.Take();
        Assert.Equal(101u, answer.Ack);
        Assert.EndsWith("ecr 1100", answer.Options);
        Assert.Equal(1, bench.Count(LinuxMib.PAWSEstab));
    }

    [Fact]
    public void Bad_checksums_are_dropped_and_counted()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        byte[] packet = TcpSegment.Parse("P. 1:101(100) ack 1 win 65535").ToPacket(bench.Flow);
        packet[^1] ^= 1;
        bench.In(packet);
        bench.Nothing();
        Assert.Equal(-EAGAIN, bench.TryRead(fd));
        Assert.Equal(1, bench.Drops);
    }

    [Fact]
    public void Urgent_data_is_read_out_of_line()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.In("PU. 1:11(10) ack 1 win 65535 urg 10");
        byte[] urgent = new byte[1];
        Assert.Equal(1, bench.Calls.Recv(fd, urgent, MSG_OOB));
        Assert.Equal(TcpSegment.ByteAt(10), urgent[0]);
        bench.Read(fd, 9);
    }

    [Fact]
    public void The_window_is_never_taken_back()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        uint right = 0;
        uint seq = 1;
        for (int i = 0; i < 200; i++)
        {
            int size = 1 + i * 7 % 900;
            bench.In($"P. {seq}:{seq + size}({size}) ack 1 win 65535");
            seq += (uint)size;
            if (i % 17 == 0)
                bench.TryRead(fd);
            bench.Wait(30);
            foreach (TcpSegment segment in bench.TakeAll())
            {
                uint edge = segment.Ack!.Value + (uint)segment.Window!.Value;
                Assert.True(edge >= right, $"{edge} after {right}");
                right = edge;
            }
        }
    }
}
