namespace Linnet.Kernel.Net.Sched;

/// <summary>
/// Tables of how delays are distributed: entry i of n is the delay that (i + 1/2) / n of all packets fall short of, in
/// 1/<see cref="NETEM_DIST_SCALE"/> of the jitter around the mean. Computed, to the shapes that the tables of iproute2 have.
/// </summary>
internal static class NetemDistribution
{
    private const int TableSize = 16384;

    // A fixed table could not hold more, and none of the shapes goes further than this in the other direction.
    private const double Most = short.MaxValue / (double)NETEM_DIST_SCALE;

    private static readonly Lazy<short[]> NormalTable = new(() => Make(NormalQuantiles()));
    private static readonly Lazy<short[]> ParetoTable = new(() => Make(ParetoQuantiles()));
    private static readonly Lazy<short[]> ParetoNormalTable = new(() => Make(ParetoNormalQuantiles()));

    /// <summary>The table; null for even delays.</summary>
    public static short[]? Table(DelayDistribution distribution) => distribution switch
    {
        DelayDistribution.Normal => NormalTable.Value,
        DelayDistribution.Pareto => ParetoTable.Value,
        DelayDistribution.ParetoNormal => ParetoNormalTable.Value,
        _ => null,
    };

    private static short[] Make(double[] quantiles) =>
        [.. quantiles.Select(q => (short)Math.Round(Math.Min(q, Most) * NETEM_DIST_SCALE))];

    // Inverts the integral of the density, which Simpson's rule gives to 14 digits with this step.
    private static double[] NormalQuantiles()
    {
        const double Step = 1.0 / 1024;
        double[] quantiles = new double[TableSize];
        double x = -6;
        double below = 0;
        double slice = Slice(x, Step);
        for (int i = 0; i < TableSize; i++)
        {
            double target = (i + 0.5) / TableSize;
            while (below + slice < target)
            {
                below += slice;
                x += Step;
                slice = Slice(x, Step);
            }

            quantiles[i] = x + Step * (target - below) / slice;
        }

        return quantiles;
    }

    private static double Slice(double x, double step) =>
        (Density(x) + 4 * Density(x + step / 2) + Density(x + step)) * step / 6;

    private static double Density(double x) => Math.Exp(-x * x / 2) / Math.Sqrt(2 * Math.PI);

    // Pareto's distribution with a = 3, around its mean of 3/2 and in units of its deviation of sqrt(3)/2, of which iproute2 takes 3/4.
    private static double[] ParetoQuantiles()
    {
        double[] quantiles = new double[TableSize];
        for (int i = 0; i < TableSize; i++)
            quantiles[i] = (Math.Pow(1 - (i + 0.5) / TableSize, -1.0 / 3) - 1.5) * 4 / 3;
        return quantiles;
    }

    // A quarter of the one and three quarters of the other.
    private static double[] ParetoNormalQuantiles() =>
        [.. NormalQuantiles().Zip(ParetoQuantiles(), (normal, pareto) => normal / 4 + pareto * 3 / 4)];
}
