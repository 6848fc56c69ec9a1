using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Streams whose own queue fills: ECN marks instead of losses, HyStart before the queue is full, pacing by fq.</summary>
public sealed class CongestedPathTests
{
    private const int Megabyte = 1_000_000;

    // ACKs take 20 ms; data passes 8 Mbit/s.
    private static readonly NetemOptions Way = new() { Delay = TimeSpan.FromMilliseconds(20) };

    /// <summary>What waits for more than 4 ms is marked; the sender slows down, and nothing is lost.</summary>
    [Theory]
    [InlineData("cubic", true)]
    [InlineData("reno", true)]
    [InlineData("cubic", false)]
    public void ECN_slows_a_stream_without_a_loss(string algorithm, bool ecn)
    {
        using TransferNet net = new(1, back: Way);
        Slow(net, algorithm, "fq_codel ce_threshold 4ms ecn");
        if (ecn)
            net.One.SetSysctl("net.ipv4.tcp_ecn", "1");
        net.Exchange(2 * Megabyte, 0, TimeSpan.FromSeconds(10));
        NetnsIpv4 ipv4 = net.One.Namespace.Ipv4;
        Assert.Equal(ecn, ipv4.NetStatistics[LinuxMib.TCPDeliveredCE] > 0);
        Assert.Equal(0, ipv4.TcpStatistics[TcpMib.RetransSegs]);

        // Two seconds at the rate, and the beginning.
        Assert.InRange(net.Took.TotalSeconds, 2.0, 3.0);
    }

    /// <summary>CUBIC leaves slow start when the RTT grows, long before a large buffer is full.</summary>
    [Theory]
    [InlineData("cubic", true)]
    [InlineData("reno", false)]
    public void HyStart_leaves_slow_start_before_the_queue_is_full(string algorithm, bool leaves)
    {
        using TransferNet net = new(1, back: Way);
        Slow(net, algorithm, "pfifo limit 10000");
        net.Exchange(Megabyte, 0, TimeSpan.FromSeconds(10));
        NetnsIpv4 ipv4 = net.One.Namespace.Ipv4;
        long left = ipv4.NetStatistics[LinuxMib.TCPHystartDelayDetect] + ipv4.NetStatistics[LinuxMib.TCPHystartTrainDetect];
        Assert.Equal(leaves ? 1 : 0, left);
        Assert.Equal(0, ipv4.TcpStatistics[TcpMib.RetransSegs]);
    }

    /// <summary>Paced by its departure times, a stream fills a slow link whose queue holds next to nothing.</summary>
    [Fact]
    public void Pacing_by_fq_spares_a_short_queue()
    {
        using TransferNet net = new(1, back: Way);
        net.One.SetSysctl("net.ipv4.tcp_min_tso_segs", "1");
        Run(net, "qdisc add dev eth0 root fq maxrate 4mbit");
        net.Exchange(Megabyte, 0, TimeSpan.FromSeconds(10));

        // Two seconds of payload at 4 Mbit/s, and what headers add.
        Assert.InRange(net.Took.TotalSeconds, 2.0, 2.4);
        Assert.Equal(0, net.One.Namespace.Ipv4.TcpStatistics[TcpMib.RetransSegs]);
    }

    private static void Slow(TransferNet net, string algorithm, string queue)
    {
        net.One.SetSysctl("net.ipv4.tcp_congestion_control", algorithm);
        Run(net, "qdisc add dev eth0 root handle 1: tbf rate 8mbit burst 5kb limit 10mb");
        Run(net, $"qdisc add dev eth0 parent 1:1 {queue}");
    }

    private static void Run(TransferNet net, string words)
    {
        TcResult result = Linnet.Tc.Run(net.One.Namespace, words);
        Assert.True(result.ExitStatus == 0, result.Error);
    }
}
