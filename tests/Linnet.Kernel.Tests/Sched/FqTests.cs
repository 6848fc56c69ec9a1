using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

public sealed class FqTests
{
    private const long Ms = 1_000_000;

    [Fact]
    public void Defaults_are_Linuxs()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: fq");
        Assert.Equal(
            "qdisc fq 1: root refcnt 2 limit 10000p flow_limit 100p buckets 1024 orphan_mask 1023 "
            + "bands 3 priomap 1 2 2 2 1 2 0 0 1 1 1 1 1 1 1 1 weights 589824 196608 65536 "
            + "quantum 3028b initial_quantum 15140b low_rate_threshold 550Kbit refill_delay 40ms "
            + "timer_slack 10us horizon 10s horizon_drop \n",
            bench.Tc("qdisc show dev a"));
    }

    [Fact]
    public void A_packet_goes_at_its_time()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq timer_slack 0");
        bench.Send(0, tstamp: 5 * Ms, flow: 1);
        bench.Send(1, tstamp: 3 * Ms, flow: 2);
        bench.Send(2, flow: 3);
        bench.Send(3, tstamp: 4 * Ms, flow: 4);
        bench.Run();
        Assert.Equal([(2, 0L), (1, 3 * Ms), (3, 4 * Ms), (0, 5 * Ms)], bench.Arrivals.Select(a => (a.Number, a.Time)));
        Assert.Equal(0, bench.Qdisc.Stats.Qlen);
    }

    [Fact]
    public void A_timer_may_be_late_by_its_slack_and_no_more()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq timer_slack 10us");
        bench.Send(0, tstamp: 5 * Ms);
        bench.Run();
        Assert.Equal(5 * Ms + 10_000, bench.Arrivals[0].Time);
    }

    [Fact]
    public void Times_beyond_the_horizon_are_dropped_or_brought_forward()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: fq horizon 1s timer_slack 0");
        Assert.Equal(Dev.NET_XMIT_DROP, bench.Send(0, tstamp: 1001 * Ms));
        Assert.Equal(0, bench.Send(1, tstamp: 1000 * Ms));
        bench.Tc("qdisc change dev a root handle 1: fq horizon_cap");
        Assert.Equal(0, bench.Send(2, tstamp: 5000 * Ms));
        bench.Run();
        Assert.Equal([(1, 1000 * Ms), (2, 1000 * Ms)], bench.Arrivals.Select(a => (a.Number, a.Time)));
        FqStats stats = ((Fq)bench.Qdisc).FqStats;
        Assert.Equal((1, 1), (stats.HorizonDrops, stats.HorizonCaps));
    }

    [Fact]
    public void A_greatest_rate_spaces_each_flows_packets()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq maxrate 8mbit quantum 1000 initial_quantum 1000 timer_slack 0");
        for (int i = 0; i < 20; i++)
        {
            bench.Send(i, 1000, flow: 1);
            bench.Send(i, 1000, flow: 2);
        }

        bench.Run();
        foreach (int flow in new[] { 1, 2 })
        {
            long[] times = [.. bench.Arrivals.Where(a => a.Flow == flow).Select(a => a.Time)];
            Assert.Equal(Enumerable.Range(0, 20).Select(i => i * Ms), times);
        }
    }

    [Fact]
    public void A_new_flow_may_burst_its_initial_quantum()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq maxrate 8mbit quantum 2000 initial_quantum 5000 timer_slack 0");
        bench.SendMany(12, 1000);
        bench.Run();
        long[] times = [.. bench.Times];
        Assert.All(times[..5], time => Assert.Equal(0, time));
        Assert.True(times[5] > 0);

        // From then on the quantum at a time, and the rate over all.
        Assert.InRange(times[11], 6 * Ms, 8 * Ms);
    }

    [Fact]
    public void Flows_take_turns_by_bytes()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 10mbit burst 1600 limit 10mb");
        bench.Tc("qdisc add dev a parent 1:1 handle 2: fq quantum 1500 initial_quantum 1500 limit 100000 flow_limit 100000");
        for (int i = 0; i < 1000; i++)
        {
            bench.Send(i, 1500, flow: 1);
            for (int j = 0; j < 5; j++)
                bench.Send(5 * i + j, 300, flow: 2);
        }

        bench.RunFor(TimeSpan.FromSeconds(1));
        long[] bytes = [.. Enumerable.Range(1, 2).Select(flow => bench.Arrivals.Where(a => a.Flow == flow).Sum(a => (long)a.Length))];
        Assert.InRange(bytes[0] / (double)bytes[1], 0.98, 1.02);
    }

    [Fact]
    public void Bands_share_by_their_weights()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 100mbit burst 1600 limit 100mb");
        bench.Tc("qdisc add dev a parent 1:1 handle 2: fq limit 100000 flow_limit 100000 weights 64000 32000 16384");
        for (int i = 0; i < 3000; i++)
        {
            bench.Send(i, 1000, flow: 1, priority: TC_PRIO_INTERACTIVE);
            bench.Send(i, 1000, flow: 2, priority: TC_PRIO_BESTEFFORT);
            bench.Send(i, 1000, flow: 3, priority: TC_PRIO_BULK);
        }

        bench.RunFor(TimeSpan.FromMilliseconds(300));
        int[] packets = [.. Enumerable.Range(1, 3).Select(flow => bench.Arrivals.Count(a => a.Flow == flow))];
        Assert.InRange(packets[0] / (double)packets[1], 1.9, 2.1);
        Assert.InRange(packets[1] / (double)packets[2], 1.8, 2.1);
    }

    [Fact]
    public void A_flow_holds_its_limit()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 1kbit burst 1600 limit 100mb");
        bench.Tc("qdisc add dev a parent 1:1 handle 2: fq flow_limit 10 limit 25");
        int[] one = [.. Enumerable.Range(0, 40).Select(i => bench.Send(i, 1000, flow: 1))];
        Assert.Equal(Dev.NET_XMIT_DROP, one[^1]);
        Assert.InRange(one.Count(result => result == 0), 10, 20);
        int[] others = [.. Enumerable.Range(0, 60).Select(i => bench.Send(i, 1000, flow: 10 + i))];
        Assert.InRange(others.Count(result => result == 0), 10, 25);
        FqStats stats = ((Fq)bench.Qdisc.Leaf!).FqStats;
        Assert.True(stats.FlowsPlimit > 0 && stats.BandDrops > 0);
        Assert.Equal(bench.Qdisc.Leaf!.Stats.Qlen, bench.Qdisc.Stats.Qlen);
    }

    [Fact]
    public void Nobody_waits_no_flow_is_needed()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq");
        bench.SendMany(100);
        FqStats stats = ((Fq)bench.Qdisc).FqStats;
        Assert.Equal((100, 0), (stats.FastpathPackets, stats.Flows));
        Assert.Equal(Enumerable.Range(0, 100), bench.Numbers);
    }

    [Fact]
    public void Flows_that_are_idle_are_forgotten()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq buckets 2 orphan_mask 1023 timer_slack 0");
        for (int flow = 0; flow < 200; flow++)
            bench.Send(flow, flow: flow, tstamp: bench.Now + Ms);
        bench.Run();
        Assert.InRange(((Fq)bench.Qdisc).FqStats.Flows, 150, 200);
        bench.RunFor(TimeSpan.FromSeconds(4));
        for (int i = 0; i < 200; i++)
            bench.Send(i, flow: 1000 + i, tstamp: bench.Now + Ms);
        bench.Run();
        Assert.InRange(((Fq)bench.Qdisc).FqStats.Flows, 1, 210);
        Assert.True(((Fq)bench.Qdisc).FqStats.GcFlows > 100);
    }

    [Fact]
    public void A_change_of_buckets_keeps_flows_and_packets()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: fq timer_slack 0");
        for (int flow = 0; flow < 50; flow++)
            bench.Send(flow, flow: flow, tstamp: (100 - flow) * Ms);
        bench.Tc("qdisc change dev a root handle 1: fq buckets 16");
        bench.Send(99, flow: 3, tstamp: Ms);
        bench.Run();
        Assert.Equal(51, bench.Arrivals.Count);
        Assert.Equal(bench.Arrivals.Select(a => a.Time).Order(), bench.Times);
    }

    [Fact]
    public void A_socket_is_a_flow_at_its_own_rate_and_learns_that_it_is_paced()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root fq quantum 1000 initial_quantum 1000 timer_slack 0");
        TaskStruct task = new(bench.Machine, "test", Cred.Root(bench.Machine.InitUserNs), bench.Machine.InitNsproxy);
        Linnet.Kernel.Net.Socket? socket;
        using (task.Enter())
            Assert.Equal(0, Linnet.Kernel.Net.Socket.SockCreate(AF_INET, SOCK_DGRAM, 0, out socket));
        Sock sk = socket!.Sk!;
        sk.SkcState = TCP_ESTABLISHED;
        sk.SkMaxPacingRate = sk.SkPacingRate = 1_000_000;
        for (int i = 0; i < 5; i++)
            bench.Send(i, 1000, owner: sk);
        Assert.Equal(SockPacing.Fq, sk.SkPacingStatus);
        bench.Run();
        Assert.Equal(Enumerable.Range(0, 5).Select(i => i * Ms), bench.Times);
        sk.SkcState = TCP_CLOSE;
        using (task.Enter())
            Linnet.Kernel.Net.Socket.SockRelease(socket);
    }
}
