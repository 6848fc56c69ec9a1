using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Sched;

namespace Linnet.Kernel.Tests.Sched;

public sealed class TbfTests
{
    [Fact]
    public void A_burst_goes_at_once_and_the_rest_at_the_rate()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf rate 8mbit burst 3000 limit 100kb");
        bench.SendMany(8, 1000);
        bench.Run();
        Assert.Equal([0, 0, 0, 1_000_000, 2_000_000, 3_000_000, 4_000_000, 5_000_000], bench.Times);
        Assert.Equal(Enumerable.Range(0, 8), bench.Numbers);
    }

    [Theory]
    [InlineData(1_000_000, 1514)]
    [InlineData(9_999_999, 64)]
    [InlineData(100_000_000, 777)]
    [InlineData(12_345_678_901, 1514)]
    public void The_rate_is_exact_over_any_number_of_packets(long rate, int length)
    {
        using QdiscBench bench = new();
        using (bench.Machine.Enter())
        {
            TbfOptions options = new() { Rate = (ulong)rate / 8, Burst = 2000, Limit = 100_000_000 };
            Assert.Equal(0, SchApi.Replace(bench.Dev, options));
        }

        const int Count = 5000;
        bench.SendMany(Count, length);
        bench.Run();
        long first = 2000 / length;
        long bytes = (Count - first) * length;
        double expected = (double)(bytes - (2000 - first * length)) * 1e9 / (rate / 8);

        // Each packet's time is rounded up to whole nanoseconds.
        Assert.InRange(bench.Times.Last(), (long)expected, (long)expected + Count + 1);
        Assert.Equal(Count, bench.Arrivals.Count);
    }

    [Fact]
    public void No_interval_carries_more_than_burst_and_rate_allow()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf rate 10mbit burst 5000 limit 1mb");
        Random random = new(1);
        for (int i = 0; i < 400; i++)
        {
            bench.Send(i, random.Next(60, 1500));
            bench.RunFor(TimeSpan.FromMicroseconds(random.Next(0, 2000)));
        }

        bench.Run();
        Assert.Equal(Enumerable.Range(0, 400), bench.Numbers);
        QdiscBench.Arrival[] all = [.. bench.Arrivals];
        for (int from = 0; from < all.Length; from++)
        {
            long bytes = 0;
            for (int to = from; to < all.Length; to++)
            {
                bytes += all[to].Length;
                Assert.True(bytes <= 5000 + (all[to].Time - all[from].Time) * 10e6 / 8 / 1e9 + 1, $"{from} to {to}");
            }
        }
    }

    [Fact]
    public void A_peak_rate_holds_within_a_burst()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf rate 1mbit burst 10000 limit 100kb peakrate 8mbit mtu 1000");
        bench.SendMany(12, 1000);
        bench.Run();
        long[] times = [.. bench.Times];

        // The bucket's 10000 bytes, and what it gains meanwhile, go at 1 ms a packet; then the rate itself.
        Assert.Equal(Enumerable.Range(0, 11).Select(i => i * 1_000_000L), times[..11]);
        Assert.Equal(16_000_000, times[11]);
    }

    [Fact]
    public void What_does_not_fit_the_limit_is_refused_to_the_sender()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf rate 1mbit burst 1500 limit 3000");
        int[] results = [.. Enumerable.Range(0, 7).Select(i => bench.Send(i, 1000))];
        Assert.Equal([0, 0, 0, 0, 1, 1, 1], results);
        Assert.Equal(3, bench.Qdisc.Stats.Drops);
        Assert.True(bench.Qdisc.Stats.Overlimits > 0);
        Assert.Equal(Dev.NET_XMIT_DROP, bench.Send(9, 1501));
    }

    [Fact]
    public void A_latency_is_a_limit_of_the_bytes_that_pass_in_it()
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf rate 1mbit burst 1500 latency 80ms");
        Assert.Equal(11_500, ((TbfOptions)bench.Qdisc.Dump).Limit);
        bench.SendMany(100, 1000);
        bench.Run();
        Assert.InRange(bench.Times.Last(), 80_000_000 - 8_000_000, 92_000_000);
    }

    [Fact]
    public void Overhead_smallest_packet_and_cells_count()
    {
        Assert.Equal(8_000_000, Interval("rate 1mbit burst 1000 limit 10kb", 1000));
        Assert.Equal(8_160_000, Interval("rate 1mbit burst 1000 limit 10kb overhead 20", 1000));
        Assert.Equal(1_600_000, Interval("rate 1mbit burst 200 limit 10kb mpu 200", 100));

        // 1000 bytes are 21 cells of 53.
        Assert.Equal(21 * 53 * 8000, Interval("rate 1mbit burst 1200 limit 10kb linklayer atm", 1000));
    }

    // How long after the second packet the third comes.
    private static long Interval(string words, int length)
    {
        using QdiscBench bench = new();
        bench.Tc("qdisc add dev a root tbf " + words);
        bench.Send(0, length);
        bench.Send(1, length);
        bench.Send(2, length);
        bench.Run();
        return bench.Arrivals[2].Time - bench.Arrivals[1].Time;
    }
}
