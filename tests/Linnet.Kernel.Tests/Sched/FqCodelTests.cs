using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>RFC 8290 behind a link of 10 Mbit/s, where 1250 bytes take a millisecond.</summary>
public sealed class FqCodelTests
{
    private const string Link = "qdisc add dev a root handle 1: tbf rate 10mbit burst 1600 limit 10mb";
    private const string Queue = "qdisc add dev a parent 1:1 handle 2: fq_codel";

    [Fact]
    public void Defaults_are_Linuxs()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: fq_codel");
        Assert.Equal(
            "qdisc fq_codel 1: root refcnt 2 limit 10240p flows 1024 quantum 1514 target 5ms interval 100ms memory_limit 32Mb ecn drop_batch 64 \n",
            bench.Tc("qdisc show dev a"));
    }

    [Fact]
    public void A_sender_that_does_not_listen_still_waits_less_and_less()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " noecn limit 500");

        // A twentieth more than the link carries: without control 500 packets would wait, half a second.
        long[] delays = Delays(bench, TimeSpan.FromSeconds(20), (0, Microseconds(952), 1250, 0));
        Assert.InRange(delays.Max() / 1e6, 10, 100);
        Assert.InRange(Median(delays[(delays.Length / 4)..]) / 1e6, 4, 10);
        Assert.Equal(0, ((FqCodel)bench.Qdisc.Leaf!).FqCodelStats.EcnMark);
    }

    [Fact]
    public void Packets_of_a_responsive_sender_wait_about_the_target()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue);
        long[] delays = Responsive(bench, TimeSpan.FromSeconds(30));
        Assert.InRange(Median(delays[(delays.Length / 3)..]) / 1e6, 2, 9);
        Assert.True(((FqCodel)bench.Qdisc.Leaf!).FqCodelStats.EcnMark > 10);

        // The link stays busy: 1250 bytes each millisecond.
        Assert.InRange(bench.Arrivals.Count, 28_000, 30_100);
    }

    [Fact]
    public void The_first_drop_comes_after_target_and_interval_and_the_next_by_the_square_root()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " noecn");
        List<long> drops = [];
        long before = 0;
        for (int i = 0; i < 2000; i++)
        {
            bench.Send(i, 1250);
            bench.RunFor(Microseconds(500));
            if (bench.Qdisc.Leaf!.Stats.Drops > before)
                drops.Add(bench.Now);
            before = bench.Qdisc.Leaf.Stats.Drops;
        }

        // Twice what goes out: the queue is 5 ms long after 10 ms; 100 ms later the first is dropped.
        Assert.InRange(drops[0], 105_000_000, 120_000_000);
        Assert.InRange(drops[1] - drops[0], 98_000_000, 103_000_000);

        // One step of Newton's method for each: 1/2, 9/16 and 0.488 where the square roots are 0.707, 0.577 and 0.5.
        Assert.InRange(drops[2] - drops[1], 49_000_000, 52_000_000);
        Assert.InRange(drops[3] - drops[2], 55_000_000, 58_000_000);
        Assert.InRange(drops[4] - drops[3], 47_500_000, 50_500_000);
    }

    [Fact]
    public void Who_can_hear_of_congestion_is_marked_and_not_dropped()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue);
        bench.Offer(TimeSpan.FromSeconds(2), (0, Microseconds(900), 1250, 2));
        FqCodelStats stats = ((FqCodel)bench.Qdisc.Leaf!).FqCodelStats;
        Assert.True(stats.EcnMark > 0);
        Assert.Equal(stats.EcnMark, bench.Arrivals.Count(a => a.Ecn == 3));
        Assert.Equal(0, bench.Qdisc.Leaf.Stats.Drops);
    }

    [Fact]
    public void A_threshold_marks_all_that_waited_longer()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " ce_threshold 2ms");
        for (int i = 0; i < 6; i++)
            bench.Send(i, 1250, ecn: 1);
        bench.Run();

        // They wait for 0, 0, 0.72, 1.72, 2.72 ... ms until the bucket looks at them.
        Assert.Equal([1, 1, 1, 1, 3, 3], bench.Arrivals.Select(a => a.Ecn));
        Assert.Equal(2, ((FqCodel)bench.Qdisc.Leaf!).FqCodelStats.CeMark);
    }

    [Fact]
    public void Two_flows_share_evenly_whatever_they_send()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " noecn");
        bench.Offer(TimeSpan.FromSeconds(5), (1, Microseconds(300), 1250, 0), (2, Microseconds(1500), 1250, 0));
        long[] bytes = [.. Enumerable.Range(1, 2).Select(flow => bench.Arrivals.Where(a => a.Flow == flow).Sum(a => (long)a.Length))];
        Assert.InRange(bytes[1] / (double)bytes[0], 0.95, 1.05);
    }

    [Fact]
    public void Two_flows_share_bytes_and_not_packets()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " noecn quantum 300");
        bench.Offer(TimeSpan.FromSeconds(4), (1, Microseconds(500), 1500, 0), (2, Microseconds(50), 150, 0));
        long[] bytes = [.. Enumerable.Range(1, 2).Select(flow => bench.Arrivals.Where(a => a.Flow == flow).Sum(a => (long)a.Length))];
        Assert.InRange(bytes[1] / (double)bytes[0], 0.9, 1.1);
    }

    [Fact]
    public void A_sparse_flow_does_not_wait_behind_a_fat_one()
    {
        using QdiscBench bench = new();
        bench.Tc(Link);
        bench.Tc(Queue + " noecn");
        bench.Offer(TimeSpan.FromSeconds(3), (1, Microseconds(200), 1250, 0), (2, TimeSpan.FromMilliseconds(20), 100, 0));
        QdiscBench.Arrival[] sparse = [.. bench.Arrivals.Where(a => a.Flow == 2)];
        Assert.Equal(150, sparse.Length);
        Assert.All(sparse, a => Assert.InRange(a.Time - a.Number * 20_000_000L, 0, 2_100_000));
    }

    [Fact]
    public void Too_many_packets_are_dropped_from_the_longest_queue_in_batches()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 1kbit burst 1600 limit 10mb");
        bench.Tc("qdisc add dev a parent 1:1 handle 2: fq_codel limit 100 drop_batch 10 flows 64");
        for (int i = 0; i < 90; i++)
            Assert.Equal(0, bench.Send(i, 100, flow: 1));
        int[] results = [.. Enumerable.Range(0, 40).Select(i => bench.Send(i, 100, flow: 2))];
        FqCodelStats stats = ((FqCodel)bench.Qdisc.Leaf!).FqCodelStats;
        Assert.All(results, result => Assert.Equal(0, result));
        Assert.Equal(0, stats.DropOverlimit % 10);
        Assert.InRange(stats.DropOverlimit, 10, 30);
        Assert.InRange(bench.Qdisc.Stats.Qlen, 80, 101);
        Assert.Equal(bench.Qdisc.Leaf.Stats.Backlog, bench.Qdisc.Stats.Backlog);

        // The one whose own packets are dropped hears of it.
        Assert.Contains(Dev.NET_XMIT_CN, Enumerable.Range(0, 60).Select(i => bench.Send(i, 100, flow: 1)));
        Assert.Equal(bench.Qdisc.Leaf.Stats.Backlog, bench.Qdisc.Stats.Backlog);
        Assert.Equal(bench.Qdisc.Leaf.Stats.Qlen, bench.Qdisc.Stats.Qlen);
    }

    [Fact]
    public void Memory_is_limited_too()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 1kbit burst 1600 limit 10mb");
        bench.Tc("qdisc add dev a parent 1:1 handle 2: fq_codel memory_limit 100kb");
        bench.SendMany(1000, 1400);
        FqCodelStats stats = ((FqCodel)bench.Qdisc.Leaf!).FqCodelStats;
        Assert.InRange(stats.MemoryUsage, 40_000, 102_400);
        Assert.True(stats.DropOvermemory > 900);
    }

    // Additive increase, multiplicative decrease once a round trip: what a congestion control does with marks.
    private static long[] Responsive(QdiscBench bench, TimeSpan duration)
    {
        const int RoundTripMs = 20;
        double window = 10;
        int inFlight = 0;
        int number = 0;
        long lastCut = 0;
        int seen = 0;
        List<long> delays = [];
        List<long> sent = [];
        for (long ms = 0; ms < duration.TotalMilliseconds; ms++)
        {
            for (; seen < bench.Arrivals.Count && bench.Arrivals[seen].Time <= bench.Now - RoundTripMs * 1_000_000; seen++)
            {
                inFlight--;
                window += 1 / window;
                if (bench.Arrivals[seen].Ecn == 3 && bench.Now - lastCut > RoundTripMs * 1_000_000)
                {
                    window = Math.Max(2, window * 0.7);
                    lastCut = bench.Now;
                }
            }

            while (inFlight < (int)window)
            {
                sent.Add(bench.Now);
                bench.Send(number++, 1250, ecn: 2);
                inFlight++;
            }

            bench.RunFor(TimeSpan.FromMilliseconds(1));
        }

        foreach (QdiscBench.Arrival arrival in bench.Arrivals)
            delays.Add(arrival.Time - sent[arrival.Number]);
        return [.. delays];
    }

    private static long[] Delays(QdiscBench bench, TimeSpan duration, params (int Flow, TimeSpan Interval, int Length, int Ecn)[] senders)
    {
        bench.Offer(duration, senders);
        return [.. bench.Arrivals.Select(a => a.Time - (a.Number * senders[0].Interval.Ticks * 100 + 1))];
    }

    private static long Median(long[] values) => values.Order().ElementAt(values.Length / 2);

    private static TimeSpan Microseconds(int us) => TimeSpan.FromMicroseconds(us);
}
