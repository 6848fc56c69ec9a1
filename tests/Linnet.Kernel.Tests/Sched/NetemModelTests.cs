using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

/// <summary>netem's models against what theory says of them, over many packets.</summary>
public sealed class NetemModelTests
{
    private const int Many = 20_000;

    [Theory]
    [InlineData(0.01)]
    [InlineData(0.3)]
    public void Random_loss_takes_its_share_of_packets_independently(double loss)
    {
        bool[] lost = Lost($"loss {loss * 100}%");
        Near(loss, Share(lost), lost.Length);

        // Whether the packet before was lost makes no difference.
        Near(loss, Share([.. lost.Zip(lost.Skip(1)).Where(pair => pair.First).Select(pair => pair.Second)]), lost.Length * loss);
    }

    [Fact]
    public void Correlated_loss_comes_in_runs()
    {
        bool[] lost = Lost("loss 30% 60%");
        double after = Share([.. lost.Zip(lost.Skip(1)).Where(pair => pair.First).Select(pair => pair.Second)]);
        Assert.True(after > Share(lost) * 1.5, $"{after} after a loss, {Share(lost)} overall");
    }

    [Fact]
    public void Gilbert_Elliott_is_bad_for_p_of_p_plus_r_and_in_runs_of_1_of_r()
    {
        bool[] lost = Lost("loss gemodel 2% 20%");
        Near(0.02 / 0.22, Share(lost), lost.Length / 10.0);
        Assert.InRange(Runs(lost).Average(), 4.4, 5.6);

        bool[] mixed = Lost("loss gemodel 10% 30% 50% 1%");
        Near(0.25 * 0.5 + 0.75 * 0.01, Share(mixed), mixed.Length / 4.0);
    }

    [Fact]
    public void The_model_of_four_states_reaches_its_stationary_shares()
    {
        // From 1 to 3 with 2 %, back with 30 %, within the burst to 2 with 20 % and back with 50 %, alone lost 1 %.
        const double P13 = 0.02, P31 = 0.3, P32 = 0.2, P23 = 0.5, P14 = 0.01;
        bool[] lost = Lost("loss state 2% 30% 20% 50% 1%");
        double three = P13 / P31;
        double two = three * P32 / P23;
        double four = P14;
        double all = 1 + two + three + four;
        Near((three + four) / all, Share(lost), lost.Length / 4.0);
    }

    [Fact]
    public void A_seed_loses_the_same_packets_again()
    {
        bool[] first = Lost("loss 10% seed 42", machineSeed: 1);
        bool[] second = Lost("loss 10% seed 42", machineSeed: 2);
        bool[] other = Lost("loss 10% seed 43", machineSeed: 1);
        Assert.Equal(first, second);
        Assert.NotEqual(first, other);
    }

    [Fact]
    public void Loss_marks_those_that_can_hear_when_it_is_told_to()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem loss 100% ecn");
        bench.Send(0, ecn: 0);
        bench.Send(1, ecn: 1);
        bench.Send(2, ecn: 2);
        bench.Send(3, ecn: 3);
        bench.Run();
        Assert.Equal([(1, 3), (2, 3), (3, 3)], bench.Arrivals.Select(a => (a.Number, a.Ecn)));
        Assert.Equal(4, bench.Qdisc.Stats.Drops);
    }

    [Theory]
    [InlineData("uniform", 0, 0.577, 1.001)]
    [InlineData("normal", 0, 1, 4.1)]
    [InlineData("pareto", 0, 0.8, 4.01)]
    [InlineData("paretonormal", 0, 0.85, 4.1)]
    public void Delays_have_their_distribution(string distribution, double mean, double deviation, double most)
    {
        double[] delays = Delays($"delay 50ms 10ms distribution {distribution}");
        double[] sigmas = [.. delays.Select(delay => (delay - 50) / 10)];
        Assert.InRange(sigmas.Average(), mean - 0.05, mean + 0.05);
        Assert.InRange(Deviation(sigmas), deviation * 0.9, deviation * 1.1);
        Assert.True(sigmas.Max(Math.Abs) <= most);
    }

    [Fact]
    public void A_normal_distribution_has_its_quantiles()
    {
        double[] sigmas = [.. Delays("delay 100ms 10ms distribution normal").Select(d => (d - 100) / 10).Order()];
        foreach ((double quantile, double sigma) in new[] { (0.0228, -2.0), (0.1587, -1.0), (0.5, 0.0), (0.8413, 1.0), (0.9772, 2.0) })
            Assert.InRange(sigmas[(int)(quantile * sigmas.Length)], sigma - 0.08, sigma + 0.08);
    }

    [Fact]
    public void Correlated_delays_follow_each_other()
    {
        double[] correlated = DelaysInOrder("delay 100ms 20ms 75%");
        double[] free = DelaysInOrder("delay 100ms 20ms");
        Assert.InRange(Correlation(free), -0.03, 0.03);
        Assert.InRange(Correlation(correlated), 0.7, 0.8);
    }

    [Fact]
    public void Duplicates_corruption_and_reordering_take_their_shares()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem duplicate 10% limit 100000");
        bench.SendMany(Many);
        bench.Run();
        Near(0.1, bench.Arrivals.Count / (double)Many - 1, Many);

        bench.Arrivals.Clear();
        bench.Tc("qdisc replace dev a root netem delay 10ms reorder 25% gap 4 limit 100000");
        bench.SendMany(Many);
        bench.RunFor(TimeSpan.Zero);

        // At least three wait between two that overtake: 1 / (3 + 1/0.25) of all.
        Near(1 / 7.0, bench.Arrivals.Count / (double)Many, Many);
        Assert.Equal(bench.Arrivals.Count, bench.Qdisc.Stats.Requeues);
    }

    [Fact]
    public void A_duplicate_is_not_duplicated_and_counts()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem duplicate 100% delay 1ms");
        bench.Send(1);
        Assert.Equal(2, bench.Qdisc.Stats.Qlen);
        bench.Run();
        Assert.Equal([1, 1], bench.Numbers);
        Assert.Equal((2, 200, 0), (bench.Qdisc.Stats.Packets, bench.Qdisc.Stats.Bytes, bench.Qdisc.Stats.Qlen));
    }

    [Fact]
    public void A_rate_counts_overhead_and_cells()
    {
        Assert.Equal(new long[] { 800_000, 1_600_000 }, Times("rate 1mbit", 100));
        Assert.Equal(new long[] { 960_000, 1_920_000 }, Times("rate 1mbit 20", 100));
        Assert.Equal(new long[] { 640_000, 1_280_000 }, Times("rate 1mbit -20", 100));

        // 120 bytes are three cells of 48, each with 5 bytes more.
        Assert.Equal(new long[] { 3 * 53 * 8000, 6 * 53 * 8000 }, Times("rate 1mbit 20 48 5", 100));
    }

    [Fact]
    public void A_rate_delays_packets_that_come_later_by_no_more_than_the_wire_is_busy()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem delay 10ms rate 1mbit");
        bench.Send(0);
        bench.RunFor(TimeSpan.FromMicroseconds(500));
        bench.Send(1);
        bench.RunFor(TimeSpan.FromMilliseconds(5));
        bench.Send(2);
        bench.Run();
        Assert.Equal([10_800_000, 11_600_000, 16_300_000], bench.Times);
    }

    [Fact]
    public void Slots_let_packets_go_together()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem delay 1ms slot 10ms 10ms packets 3");
        for (int i = 0; i < 10; i++)
        {
            bench.Send(i);
            bench.RunFor(TimeSpan.FromMilliseconds(1));
        }

        bench.Run();
        Assert.Equal(Enumerable.Range(0, 10), bench.Numbers);
        int[] together = [.. bench.Arrivals.GroupBy(a => a.Time).Select(slot => slot.Count())];
        Assert.All(together, count => Assert.InRange(count, 1, 3));
        Assert.Contains(3, together);
    }

    [Fact]
    public void A_child_takes_what_comes_out_of_the_delay()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: netem delay 10ms");
        bench.Tc("qdisc add dev a parent 1:1 handle 10: tbf rate 1mbit burst 1000 limit 2500");
        bench.SendMany(5, 1000);
        Assert.Equal((5, 5000), (bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
        bench.Run();
        Assert.Equal([10_000_000, 18_000_000], bench.Times);
        Assert.Equal((3, 0, 0), (bench.Qdisc.Stats.Drops, bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
        Assert.Equal(3, bench.Qdisc.Leaf!.Stats.Drops);
    }

    [Fact]
    public void As_a_child_it_counts_what_it_loses_and_doubles()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root handle 1: tbf rate 1mbit burst 1000 limit 10kb");
        bench.Tc("qdisc add dev a parent 1:1 handle 10: netem loss 20% duplicate 20% delay 1ms limit 10000");
        bench.SendMany(2000, 1000);
        QdiscStats below = bench.Qdisc.Leaf!.Stats;
        Assert.Equal((below.Qlen, below.Backlog), (bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
        bench.Run();
        Assert.Equal((0, 0), (bench.Qdisc.Stats.Qlen, bench.Qdisc.Stats.Backlog));
        Assert.Equal(bench.Arrivals.Count, bench.Qdisc.Stats.Packets);
    }

    [Fact]
    public void Changing_it_keeps_what_is_under_way()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem delay 50ms");
        bench.Send(0);
        bench.Tc("qdisc change dev a root netem delay 10ms");
        bench.Send(1);
        bench.Tc("qdisc replace dev a root netem loss 100%");
        bench.Send(2);
        bench.Run();
        Assert.Equal([(1, 10_000_000L), (0, 50_000_000L)], bench.Arrivals.Select(a => (a.Number, a.Time)));
    }

    private static long[] Times(string words, int length)
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem " + words);
        bench.SendMany(2, length);
        bench.Run();
        return [.. bench.Times];
    }

    private static bool[] Lost(string words, ulong machineSeed = 7)
    {
        using QdiscBench bench = new(machineSeed);
        bench.Tc("qdisc add dev a root netem limit 100000 " + words);
        bench.SendMany(Many);
        bench.Run();
        bool[] lost = [.. Enumerable.Repeat(true, Many)];
        foreach (int number in bench.Numbers)
            lost[number] = false;
        Assert.Equal(Many - bench.Arrivals.Count, bench.Qdisc.Stats.Drops);
        return lost;
    }

    // Milliseconds, in the order of sending.
    private static double[] DelaysInOrder(string words)
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root netem limit 100000 " + words);
        bench.SendMany(Many);
        bench.Run();
        return [.. bench.Arrivals.OrderBy(a => a.Number).Select(a => a.Time / 1e6)];
    }

    private static double[] Delays(string words) => DelaysInOrder(words);

    private static double Share(bool[] events) => events.Count(e => e) / (double)events.Length;

    // Within five standard deviations of a count out of so many independent ones.
    private static void Near(double expected, double actual, double count)
    {
        double slack = 5 * Math.Sqrt(expected * (1 - expected) / count);
        Assert.InRange(actual, expected - slack, expected + slack);
    }

    private static IEnumerable<int> Runs(bool[] events)
    {
        int run = 0;
        foreach (bool e in events)
        {
            if (e)
                run++;
            else if (run > 0)
                yield return run;
            if (!e)
                run = 0;
        }
    }

    private static double Deviation(double[] values) =>
        values.Average() is var mean ? Math.Sqrt(values.Average(v => (v - mean) * (v - mean))) : 0;

    private static double Correlation(double[] values)
    {
        double mean = values.Average();
        double variance = values.Average(v => (v - mean) * (v - mean));
        return values.Zip(values.Skip(1), (a, b) => (a - mean) * (b - mean)).Average() / variance;
    }
}
