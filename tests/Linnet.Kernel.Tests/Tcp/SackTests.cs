using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>The scoreboard (RFC 2018, RFC 6675 section 3): what SACK blocks mark, and how much work they may cause.</summary>
public sealed class SackTests
{
    private const int Segment = 100;
    private const int Many = 600;

    [Fact]
    public void Neighbours_that_are_sacked_become_one_packet()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, 10);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 101:201>");
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 301:401 101:201>");
        Assert.Equal(10, bench.SockOf(fd).RtxQueue.Count);
        bench.In(". 1:1(0) ack 1 win 10000 <nop,nop,sack 101:401>");
        Assert.Equal(8, bench.SockOf(fd).RtxQueue.Count);
        Assert.Equal(2, bench.Count(LinuxMib.TCPSackMerged));
        Assert.Equal(3u, bench.Info(fd).TcpiSacked);
        Assert.Equal(10u, bench.Info(fd).TcpiUnacked);
        bench.TakeAll();

        // An ACK into the middle of the merged packet takes what it acknowledges.
        bench.In(". 1:1(0) ack 201 win 10000 <nop,nop,sack 201:401>");
        Assert.Equal(8u, bench.Info(fd).TcpiUnacked);
        bench.In(". 1:1(0) ack 1001 win 10000");
        Assert.Equal(0u, bench.Info(fd).TcpiUnacked);
        Assert.Equal(0u, bench.Info(fd).TcpiSacked);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void What_the_last_ACK_said_is_not_looked_at_again()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, Many);
        TcpSock tp = bench.SockOf(fd);
        bench.In($". 1:1(0) ack 1 win 65535 <nop,nop,sack {Segment + 1}:{Many * Segment + 1}>");
        bench.TakeAll();
        Assert.InRange(tp.SackPacketsVisited, Many - 1, Many + 5);
        long before = tp.SackPacketsVisited;
        for (int i = 0; i < 100; i++)
            bench.In($". 1:1(0) ack 1 win 65535 <nop,nop,sack {Segment + 1}:{Many * Segment + 1}>");
        Assert.Equal(before, tp.SackPacketsVisited);
        bench.TakeAll();
        bench.In($". 1:1(0) ack {Many * Segment + 1} win 65535");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Blocks_that_change_with_each_ACK_cause_a_bounded_amount_of_work()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, Many);
        TcpSock tp = bench.SockOf(fd);
        Random random = new(1);
        const int Acks = 2000;
        for (int i = 0; i < Acks; i++)
        {
            bench.In($". 1:1(0) ack 1 win 65535 <nop,nop,sack {Block(random)} {Block(random)} {Block(random)} {Block(random)}>");
            bench.TakeAll();
        }

        // Each segment is marked once; beside that a block costs the packets at its ends and, once all is sacked, the few that
        // the queue has become.
        Assert.InRange(tp.RtxQueue.Count, 1, Many / 10);
        Assert.InRange(tp.SackPacketsVisited, Many, Many + Acks * 4 * 5);
        bench.In($". 1:1(0) ack {Many * Segment + 1} win 65535");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Every_second_segment_sacked_costs_no_more_than_its_blocks()
    {
        using TcpBench bench = Bench();
        int fd = Sending(bench, Many);
        TcpSock tp = bench.SockOf(fd);
        for (int i = 1; i + 1 < Many; i += 2)
        {
            bench.In($". 1:1(0) ack 1 win 65535 <nop,nop,sack {i * Segment + 1}:{(i + 1) * Segment + 1}>");
            bench.TakeAll();
        }

        Assert.InRange(tp.SackPacketsVisited, Many / 2 - 1, Many);
        bench.In($". 1:1(0) ack {Many * Segment + 1} win 65535");
        bench.Calls.Close(fd);
    }

    private static string Block(Random random)
    {
        int first = random.Next(1, Many);
        int last = Math.Min(Many, first + random.Next(1, 50));
        return $"{first * Segment + 1}:{last * Segment + 1}";
    }

    private static TcpBench Bench() => new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);

    // So many segments are under way; the window was grown for them.
    private static int Sending(TcpBench bench, int segments)
    {
        int fd = bench.Accepted(options: $"mss {Segment},sackOK");
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 2_000_000);
        uint acked = 1;
        while (bench.Info(fd).TcpiSndCwnd < segments)
        {
            bench.Write(fd, (int)bench.Info(fd).TcpiSndCwnd * Segment);
            acked += (uint)bench.TakeAll().Sum(segment => segment.Length);
            bench.In($". 1:1(0) ack {acked} win 65535");
        }

        return Fresh(bench, fd, segments, acked);
    }

    // The blocks of the tests are reckoned from the first segment under way.
    private static int Fresh(TcpBench bench, int fd, int segments, uint acked)
    {
        bench.Flow.Rebase(acked - 1);

        // One by one, as packets of several segments are cut only where blocks end.
        bench.Set(fd, IPPROTO_TCP, TCP_NODELAY, 1);
        for (int i = 0; i < segments; i++)
            bench.Write(fd, Segment);
        Assert.Equal(segments, bench.TakeAll().Count);
        return fd;
    }
}
