using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Path MTU discovery by probes (RFC 4821). The device takes 1500 bytes, the search begins at 512 of payload.</summary>
public sealed class MtuProbeTests
{
    private const int Ip = 40;

    [Fact]
    public void Half_way_between_the_bounds_is_tried_and_becomes_the_size_of_segments()
    {
        using TcpBench bench = Bench();
        int fd = Open(bench);
        Assert.Equal(512u, bench.Info(fd).TcpiSndMss);
        Write(bench, fd, 20_000);

        // (552 + 1500) / 2 bytes of packet.
        bench.Out(". 5121:6107(986) ack 1");
        Assert.All(bench.TakeAll(), segment => Assert.InRange(segment.Length, 1, 512));
        bench.In(". 1:1(0) ack 6107 win 65535");
        Assert.Equal(1, bench.Count(LinuxMib.TCPMTUPSuccess));
        Assert.Equal(986u, bench.Info(fd).TcpiSndMss);

        // And on towards 1500, each time half of what is left.
        List<uint> sizes = [];
        for (int i = 0; i < 8; i++)
        {
            sizes.AddRange(AckAll(bench, fd));
            Write(bench, fd, 20_000);
        }

        Assert.Equal([986u, 1223, 1341, 1400, 1430, 1445, 1452, 1456], sizes.Distinct());
        AckAll(bench, fd);

        // The rest of the range is less than tcp_probe_threshold.
        Assert.InRange(bench.Info(fd).TcpiSndMss, 1460u - 8, 1460u);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_probe_that_is_lost_alone_is_sent_again_in_pieces_and_reduces_nothing()
    {
        using TcpBench bench = Bench();
        int fd = Open(bench);
        Write(bench, fd, 9000);
        bench.Out(". 5121:6107(986) ack 1");
        bench.TakeAll();
        uint cwnd = bench.Info(fd).TcpiSndCwnd;
        bench.Wait(50);
        bench.In(". 1:1(0) ack 5121 win 65535 <nop,nop,sack 6107:8155>");
        Assert.Equal(1, bench.Count(LinuxMib.TCPMTUPFail));
        bench.Out(". 5121:5633(512) ack 1");
        bench.Out("P. 5633:6107(474) ack 1");
        Assert.True(bench.Info(fd).TcpiSndCwnd >= cwnd);
        Assert.Equal(0, bench.Count(LinuxMib.TCPSackRecovery));
        AckAll(bench, fd);

        // Now between 552 and 1025.
        Write(bench, fd, 9000);
        Assert.Equal((552 + 1025) / 2 - Ip, bench.Take().Length);
        AckAll(bench, fd);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_black_hole_is_found_by_timeouts_and_smaller_segments_get_through()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpMtuProbing = 1);
        int fd = bench.Connected(options: "mss 1460");
        bench.Write(fd, 1460);
        bench.Out("P. 1:1461(1460) ack 1");

        // tcp_retries1 timeouts, then tcp_base_mss of 1024.
        List<int> lengths = [];
        for (int i = 0; i < 8; i++)
        {
            bench.Wait(200 << i);
            lengths.AddRange(bench.TakeAll().Where(segment => segment.Seq == 1).Select(segment => segment.Length));
        }

        // Each further one halves what is believed.
        Assert.Equal([1460, 1460, 1460, 1460, 1024, 512, 256, 128], lengths[..8]);
        bench.In(". 1:1(0) ack 1461 win 65535");
        bench.Calls.Close(fd);
    }

    [Fact]
    public void The_search_begins_again_after_the_interval()
    {
        using TcpBench bench = Bench(ipv4 =>
        {
            ipv4.SysctlTcpProbeInterval = 60;
            ipv4.SysctlTcpProbeThreshold = 500;
        });
        int fd = Open(bench);
        Write(bench, fd, 20_000);
        bench.Out(". 5121:6107(986) ack 1");
        AckAll(bench, fd);
        Write(bench, fd, 20_000);
        Assert.NotEqual(1223, bench.Take().Length);
        AckAll(bench, fd);
        bench.Ipv4.SysctlTcpProbeThreshold = 1000;
        bench.Wait(61_000);
        Write(bench, fd, 20_000);
        AckAll(bench, fd);
        Assert.Equal(1500, bench.SockOf(fd).IcskMtup.SearchHigh);
        bench.Calls.Close(fd);
    }

    [Fact]
    public void A_record_is_not_joined_to_the_next_by_a_probe()
    {
        using TcpBench bench = Bench();
        int fd = Open(bench);
        byte[] record = new byte[700];
        for (int i = 0; i < 10; i++)
            Assert.Equal(700, bench.Calls.Send(fd, record, MSG_EOR));
        Assert.All(bench.TakeAll(), segment => Assert.InRange(segment.Length, 1, 512));
        bench.Calls.Close(fd);
    }

    [Fact]
    public void There_is_no_probe_when_it_is_off()
    {
        using TcpBench bench = new(sysctl: ipv4 => ipv4.SysctlTcpBaseMss = 512);
        int fd = bench.Connected(options: "mss 1000");
        bench.Write(fd, 20_000);
        AckAll(bench, fd);
        Assert.Equal(0, bench.Count(LinuxMib.TCPMTUPSuccess));
        bench.Calls.Close(fd);
    }

    private static TcpBench Bench(Action<NetnsIpv4>? sysctl = null) => new(sysctl: ipv4 =>
    {
        ipv4.SysctlTcpSack = true;
        ipv4.SysctlTcpEarlyRetrans = 0;
        ipv4.SysctlTcpMtuProbing = 2;
        ipv4.SysctlTcpBaseMss = 512;
        sysctl?.Invoke(ipv4);
    });

    // A connection whose window has grown to 20 segments of 512 bytes, with 5120 bytes acknowledged.
    private static int Open(TcpBench bench)
    {
        int fd = bench.Connected(options: "mss 1460,sackOK");
        bench.Set(fd, SOL_SOCKET, SO_SNDBUF, 400_000);
        bench.Write(fd, 5120);
        Assert.Equal(10, bench.TakeAll().Count);
        bench.Wait(50);
        bench.In(". 1:1(0) ack 5121 win 65535");
        return fd;
    }

    // Written while the window is closed, so that all of it is there when sending begins.
    private static void Write(TcpBench bench, int fd, int length)
    {
        string ack = $"ack {bench.SockOf(fd).SndUna - bench.Flow.HostIsn}";
        bench.In($". 1:1(0) {ack} win 0");
        bench.Write(fd, length);
        bench.Nothing();
        bench.In($". 1:1(0) {ack} win 65535");
    }

    // The sizes of segments on the way.
    private static List<uint> AckAll(TcpBench bench, int fd)
    {
        List<uint> sizes = [];
        do
        {
            bench.TakeAll();
            TcpSock tp = bench.SockOf(fd);
            bench.In($". 1:1(0) ack {tp.SndNxt - bench.Flow.HostIsn} win 65535");
            sizes.Add(bench.Info(fd).TcpiSndMss);
        }
        while (bench.Info(fd).TcpiUnacked != 0);
        return sizes;
    }
}
