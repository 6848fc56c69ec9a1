using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Memory of the receive side: what is copied together, joined, or held back to cost less.</summary>
public sealed class ReceiveBufferTests
{
    [Fact]
    public void Small_packets_are_copied_together_before_anything_is_thrown_away()
    {
        using TcpBench bench = new(sysctl: ipv4 =>
        {
            ipv4.SysctlTcpSack = true;
            ipv4.SysctlTcpCompSackNr = 0;
        });
        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_RCVBUF, 8192));

        // From the end towards the beginning, so that none can be joined to the packet before it.
        for (int at = 3001; at > 1001; at -= 10)
            bench.In($". {at - 10}:{at}(10) ack 1 win 65535");
        Assert.True(bench.Count(LinuxMib.TCPRcvCollapsed) > 0);
        Assert.Equal(0, bench.Count(LinuxMib.OfoPruned));
        bench.In(". 1:1001(1000) ack 1 win 65535");
        bench.TakeAll();
        bench.Read(fd, 3000);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void What_overlaps_is_kept_once()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(setup: listener => bench.Set(listener, SOL_SOCKET, SO_RCVBUF, 8192));
        Random random = new(7);
        for (int i = 0; i < 400; i++)
        {
            int at = random.Next(501, 2900);
            int length = random.Next(1, 100);
            bench.In($". {at}:{at + length}({length}) ack 1 win 65535");
        }

        for (int at = 1; at < 3001; at += 500)
            bench.In($". {at}:{at + 500}(500) ack 1 win 65535");
        bench.TakeAll();
        bench.Read(fd, 3000);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Segments_that_wait_for_the_owner_are_joined()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted(window: 10000);
        Owned(bench, fd, () =>
        {
            bench.In(". 1:1001(1000) ack 1 win 20000");
            bench.In(". 1001:2001(1000) ack 1 win 30000");
            bench.In("P. 2001:2501(500) ack 1 win 50000");
        });
        Assert.Equal(2, bench.Count(LinuxMib.TCPBacklogCoalesce));

        // One ACK for all, and the last window.
        bench.Out(". 1:1(0) ack 2501");
        bench.Nothing();
        Assert.Equal(50000u, bench.Info(fd).TcpiSndWnd);
        bench.Read(fd, 2500);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_FIN_that_was_joined_ends_the_stream()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Owned(bench, fd, () =>
        {
            bench.In(". 1:1001(1000) ack 1 win 65535");
            bench.In("F. 1001:1501(500) ack 1 win 65535");
        });
        Assert.Equal(1, bench.Count(LinuxMib.TCPBacklogCoalesce));
        bench.TakeAll();
        bench.Read(fd, 1500);
        Assert.Equal(0, bench.TryRead(fd));
        bench.Calls.Close(fd);
        bench.TakeAll();
    }

    [Theory]
    [InlineData(". 1001:2001(1000) ack 1 win 65535 <nop,nop,TS val 1 ecr 0>")]
    [InlineData("U. 1001:2001(1000) ack 1 win 65535 urg 5")]
    [InlineData(". 1002:2001(999) ack 1 win 65535")]
    [InlineData("E. 1001:2001(1000) ack 1 win 65535")]
    public void What_differs_is_not_joined(string second)
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        Owned(bench, fd, () =>
        {
            bench.In(". 1:1001(1000) ack 1 win 65535");
            bench.In(second.Replace("ecr 0", "ecr none"));
        });
        Assert.Equal(0, bench.Count(LinuxMib.TCPBacklogCoalesce));
        bench.TakeAll();
        bench.Calls.Close(fd);
    }

    [Fact]
    public void Duplicate_ACKs_that_were_joined_count_each()
    {
        using TcpBench bench = new();
        int fd = bench.Accepted();
        bench.Write(fd, 8000);
        Assert.Equal(8, bench.TakeAll().Count);
        Owned(bench, fd, () =>
        {
            for (int i = 0; i < 3; i++)
                bench.In(". 1:1(0) ack 1 win 65535");
        });
        Assert.Equal(2, bench.Count(LinuxMib.TCPBacklogCoalesce));
        bench.Out(". 1:1001(1000) ack 1");
        Assert.Equal(1, bench.Count(LinuxMib.TCPRenoRecovery));
        bench.In(". 1:1(0) ack 8001 win 65535");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void ACKs_behind_a_hole_are_held_back_from_the_fourth_on()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        for (int i = 1; i <= 9; i++)
            bench.In($". {i * 1000 + 1}:{i * 1000 + 1001}(1000) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 1001:2001>");
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 1001:3001>");
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 1001:4001>");

        // No round trip was measured, so that only the slack is left.
        bench.Nothing();
        bench.Wait(0.1);
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 1001:10001>");
        Assert.Equal(5, bench.Count(LinuxMib.TCPAckCompressed));
        bench.In(". 1:1001(1000) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 10001");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void The_hole_filled_is_acknowledged_at_once_and_for_all()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        for (int i = 1; i <= 9; i++)
            bench.In($". {i * 1000 + 1}:{i * 1000 + 1001}(1000) ack 1 win 65535");
        Assert.Equal(3, bench.TakeAll().Count);
        bench.In(". 1:1001(1000) ack 1 win 65535");
        bench.Out(". 1:1(0) ack 10001");
        bench.Wait(5);
        bench.Nothing();
        Assert.Equal(6, bench.Count(LinuxMib.TCPAckCompressed));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void More_blocks_than_an_ACK_may_have_room_for_are_told_at_once()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpSack = true);
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        for (int i = 1; i <= 4; i++)
            bench.In($". {i * 1000 + 1}:{i * 1000 + 1001}(1000) ack 1 win 65535");
        Assert.Equal(3, bench.TakeAll().Count);
        bench.In(". 6001:7001(1000) ack 1 win 65535");
        bench.Nothing();
        bench.In(". 8001:9001(1000) ack 1 win 65535");

        // The one that was held back goes before a third block appears; that is told with the next.
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 6001:7001 1001:5001>");
        bench.Wait(1);
        bench.Nothing();
        bench.In(". 9001:10001(1000) ack 1 win 65535");
        bench.Wait(0.1);
        bench.Out(". 1:1(0) ack 1 win 64240 <nop,nop,sack 8001:10001 6001:7001 1001:5001>");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void None_is_held_back_when_none_may_be()
    {
        using TcpBench bench = new(sysctl: ipv4 =>
        {
            ipv4.SysctlTcpSack = true;
            ipv4.SysctlTcpCompSackNr = 0;
        });
        int fd = bench.Accepted(options: "mss 1000,sackOK");
        for (int i = 1; i <= 9; i++)
            bench.In($". {i * 1000 + 1}:{i * 1000 + 1001}(1000) ack 1 win 65535");
        Assert.Equal(9, bench.TakeAll().Count);
        Assert.Equal(0, bench.Count(LinuxMib.TCPAckCompressed));
        bench.Calls.Close(fd);
    }

    // Does something while a program is inside of a call on the socket.
    private static void Owned(TcpBench bench, int fd, Action what)
    {
        TcpSock tp = bench.SockOf(fd);
        using (bench.Machine.Enter())
            tp.LockSock();
        what();
        bench.Nothing();
        using (bench.Machine.Enter())
            tp.ReleaseSock();
    }
}
