namespace Linnet.Bench.Programs;

/// <summary>A group of figures that are taken in turn, and compared with one of them.</summary>
/// <param name="name">Name for <c>--only</c>.</param>
/// <param name="unit">Unit of the figures.</param>
internal abstract class Measurement(string name, string unit)
{
    private readonly List<Figure> figures = [];

    public string Name => name;

    public string Unit => unit;

    /// <summary>The figure that the others are divided by.</summary>
    public abstract string Baseline { get; }

    /// <summary>Whether a smaller figure is the better one.</summary>
    public virtual bool LowerIsBetter => false;

    /// <summary>Programs that it needs.</summary>
    public virtual string[] Programs => [];

    /// <summary>The figures, in the order in which they first came.</summary>
    public IReadOnlyList<Figure> Figures => figures;

    /// <summary>Takes each figure once.</summary>
    /// <exception cref="FailedException">One could not be taken.</exception>
    public abstract void RunOnce();

    /// <summary>Keeps a figure.</summary>
    /// <param name="figure">Its name.</param>
    /// <param name="value">The value.</param>
    /// <param name="cost">Processor seconds for each GB, where that was measured.</param>
    /// <param name="baseline">The name of the figure that it is divided by, where it is not the group's.</param>
    protected void Add(string figure, double value, double? cost = null, string? baseline = null)
    {
        if (figures.Find(known => known.Name == figure) is not { } entry)
            figures.Add(entry = new Figure(figure, baseline ?? Baseline));
        entry.Values.Add(value);
        if (cost is { } seconds)
            entry.Costs.Add(seconds);
    }
}

/// <summary>A figure of several runs.</summary>
/// <param name="Name">What it is of.</param>
/// <param name="Baseline">The figure that it is divided by.</param>
internal sealed record Figure(string Name, string Baseline)
{
    public List<double> Values { get; } = [];

    public List<double> Costs { get; } = [];

    public double Median => MedianOf(Values);

    public double? Cost => Costs.Count == 0 ? null : MedianOf(Costs);

    private static double MedianOf(List<double> values)
    {
        double[] sorted = [.. values.Order()];
        int middle = sorted.Length / 2;
        return sorted.Length % 2 == 1 ? sorted[middle] : (sorted[middle - 1] + sorted[middle]) / 2;
    }
}
