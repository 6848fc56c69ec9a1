using System.Globalization;
using System.Text.Json;
using Linnet.Bench.Peers;
using Linnet.Bench.Workloads;

namespace Linnet.Bench;

/// <summary>Runs every workload on every peer in turn and prints the medians side by side.</summary>
internal static class Comparison
{
    public static int Run(bool quick, int runs, string? only, FileInfo? json)
    {
        if (runs < 1)
        {
            Console.Error.WriteLine("bench: --runs takes 1 or more.");
            return 2;
        }

        Workload[] workloads =
        [
            new Throughput("throughput, 64 KiB writes", 64 * 1024),
            new Throughput("throughput, 1 KiB writes", 1024),
            new RoundTrip(),
            new ConnectionRate(),
            new SocketRate(),
            new IdleMemory(),
            new Allocations(),
        ];
        workloads = [.. workloads.Where(w => only == null || w.Name.Contains(only, StringComparison.OrdinalIgnoreCase))];
        if (workloads.Length == 0)
        {
            Console.Error.WriteLine($"bench: no workload is called like '{only}'.");
            return 2;
        }

        TimeSpan duration = TimeSpan.FromSeconds(quick ? 0.7 : 1.5);
        int count = quick ? Math.Min(runs, 3) : runs;
        List<Figure> figures = [];
        Console.WriteLine($"{count} runs of {duration.TotalSeconds:0.0} s each, medians; {Environment.ProcessorCount} CPUs, .NET {Environment.Version}");
        Console.WriteLine($"{"",-28} {"unit",-8} {"linnet",12} {"kernel",12}   ratio (above 1: Linnet is better)");
        foreach (Workload workload in workloads)
        {
            Figure figure = Measure(workload, duration, count);
            figures.Add(figure);
            Console.WriteLine(
                $"{figure.Name,-28} {figure.Unit,-8} {Text(figure.Linnet.Median),12} {Text(figure.Kernel.Median),12}   {Ratio(figure)}");
        }

        if (json != null)
            File.WriteAllText(json.FullName, JsonSerializer.Serialize(figures, new JsonSerializerOptions { WriteIndented = true }));
        return 0;
    }

    // The peers take turns, so that a slow spell of the machine meets both.
    private static Figure Measure(Workload workload, TimeSpan duration, int count)
    {
        List<double> linnet = [];
        List<double> kernel = [];
        for (int i = 0; i < count; i++)
        {
            linnet.Add(RunOnce(workload, new LinnetPeer(), duration));
            kernel.Add(RunOnce(workload, new KernelPeer(), duration));
        }

        Series ours = Series.Of(linnet);
        Series theirs = Series.Of(kernel);
        double ratio = workload.LowerIsBetter ? theirs.Median / ours.Median : ours.Median / theirs.Median;

        // Where neither allocates there is nothing to divide.
        return new Figure(workload.Name, workload.Unit, ours, theirs, double.IsFinite(ratio) ? ratio : null);
    }

    private static double RunOnce(Workload workload, IPeer peer, TimeSpan duration)
    {
        using (peer)
            return workload.Run(peer, duration);
    }

    private static string Text(double value) =>
        value.ToString(value >= 1000 ? "N0" : value >= 10 ? "N1" : "N2", CultureInfo.InvariantCulture);

    private static string Ratio(Figure figure) => figure.Ratio?.ToString("0.00", CultureInfo.InvariantCulture) ?? "-";

    private sealed record Figure(string Name, string Unit, Series Linnet, Series Kernel, double? Ratio);

    private sealed record Series(double Median, double Min, double Max)
    {
        public static Series Of(List<double> values)
        {
            double[] sorted = [.. values.Order()];
            int middle = sorted.Length / 2;
            double median = sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
            return new Series(median, sorted[0], sorted[^1]);
        }
    }
}
