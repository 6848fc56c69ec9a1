using System.Globalization;

namespace Linnet.Kernel.Trace;

/// <summary>Which way a parameter carries its value.</summary>
public enum TraceDirection
{
    /// <summary>Into the function.</summary>
    In,

    /// <summary>Out of it: known only when it has returned.</summary>
    Out,

    /// <summary>Both ways.</summary>
    Ref,
}

/// <summary>A parameter, or the result, of a traced function.</summary>
/// <param name="Name">The C# name; <c>this</c> for the object of an instance method, empty for the result.</param>
/// <param name="Type">The C# type, keywords for the built-in ones, without namespace.</param>
/// <param name="Direction">Which way the value goes.</param>
public sealed record TraceParameter(string Name, string Type, TraceDirection Direction);

/// <summary>A function of Linux's that exists here: what the trace and the symbol map know of it.</summary>
public sealed class TracePoint
{
    private static readonly Lazy<TracePoint[]> Table = new(Load);

    private TracePoint(int index, string[] fields)
    {
        Index = index;
        Symbol = fields[0];
        File = fields[1];
        Type = fields[2];
        Method = fields[3];
        SourceFile = fields[4];
        SourceLine = int.Parse(fields[5], CultureInfo.InvariantCulture);
        IsTraced = fields[6] == "1";
        Result = new TraceParameter("", fields[7], TraceDirection.Out);
        Parameters = [.. fields[8].Split(',', StringSplitOptions.RemoveEmptyEntries).Select(Parameter)];
    }

    /// <summary>All functions that carry <see cref="LinuxAttribute"/>.</summary>
    public static IReadOnlyList<TracePoint> All => Table.Value;

    /// <summary>Position in <see cref="All"/>.</summary>
    public int Index { get; }

    /// <summary>Linux's symbol.</summary>
    public string Symbol { get; }

    /// <summary>The file in Linux's tree that holds it.</summary>
    public string File { get; }

    /// <summary>Full name of the C# type.</summary>
    public string Type { get; }

    /// <summary>Name of the C# method.</summary>
    public string Method { get; }

    /// <summary>The C# file, relative to <c>src/Linnet.Kernel</c>; empty for a method without a body.</summary>
    public string SourceFile { get; }

    /// <summary>Line of the method's first statement; 0 for a method without a body.</summary>
    public int SourceLine { get; }

    /// <summary>Whether calls are reported; not so for abstract methods, whose overrides are.</summary>
    public bool IsTraced { get; }

    /// <summary>The result; its type is <c>void</c> where there is none.</summary>
    public TraceParameter Result { get; }

    /// <summary>The parameters, in order.</summary>
    public IReadOnlyList<TraceParameter> Parameters { get; }

    /// <inheritdoc/>
    public override string ToString() => $"{Symbol} ({File})";

    private static TraceParameter Parameter(string text)
    {
        string[] parts = text.Split(':', 3);
        TraceDirection direction = parts[1] switch
        {
            "o" => TraceDirection.Out,
            "r" => TraceDirection.Ref,
            _ => TraceDirection.In,
        };
        return new TraceParameter(parts[0], parts[2].Replace(";", ", ", StringComparison.Ordinal), direction);
    }

    private static TracePoint[] Load() =>
        [.. WovenTables.TracePoints().Split('\n', StringSplitOptions.RemoveEmptyEntries)
            .Select((line, index) => new TracePoint(index, line.Split('\t')))];
}
