using System.Globalization;
using Linnet.Kernel.Trace;

namespace Linnet.Cli.Rendering;

/// <summary>Prints recorded calls as a tree: what called what, with which arguments and what result.</summary>
/// <param name="terminal">Where to.</param>
internal sealed class TraceView(Terminal terminal)
{
    private const string CallPrefix = "__x64_sys_";

    /// <summary>Whether each function's C# file is printed beside its Linux file.</summary>
    public bool ShowSource { get; init; }

    /// <summary>Whether the machine's time at each call is printed, in microseconds since boot.</summary>
    public bool ShowTime { get; init; }

    /// <summary>How many levels of calls are printed.</summary>
    public int Depth { get; init; } = int.MaxValue;

    /// <summary>Whether only the system calls themselves are printed, as strace does.</summary>
    public bool OnlyCalls { get; init; }

    /// <summary>The number that stands for the socket in the program, in place of Linnet's own.</summary>
    public int? Descriptor { get; init; }

    /// <summary>The number that the program got for a new socket, in place of Linnet's own.</summary>
    public int? NewDescriptor { get; init; }

    /// <summary>What stands in front of each tree.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>Prints trees, one after the other.</summary>
    public void Print(IEnumerable<TraceNode> roots)
    {
        foreach (TraceNode root in roots.Where(root => !OnlyCalls || !root.Call.InSoftirq))
            Print(root, Prefix, "", 1);
    }

    private void Print(TraceNode node, string first, string rest, int level)
    {
        TraceCall call = node.Call;
        bool isRefusal = call.Errno != 0 || call.Exception != null;
        var line = new Line().Add(first, Ink.Faint);
        if (ShowTime)
            line.Add(string.Create(CultureInfo.InvariantCulture, $"{call.EnteredAt / 1000.0,12:F3} "), Ink.Faint);
        if (call.InSoftirq && call.Parent is null or { InSoftirq: false })
            line.Add("[softirq] ", Ink.Accent);
        string symbol = OnlyCalls ? call.Point.Symbol.Replace(CallPrefix, "", StringComparison.Ordinal) : call.Point.Symbol;
        line.Add(symbol, isRefusal ? Ink.Bad : Ink.Strong).Add("(");
        for (int i = 0; i < call.Arguments.Count; i++)
        {
            TraceValue argument = call.Arguments[i];
            line.Add(i > 0 ? ", " : "").Add(argument.Parameter.Name + ": ", Ink.Faint);
            line.Add(argument.Parameter.Name == "fd" && Descriptor is { } descriptor ? Number(descriptor) : argument.Text, Ink.Value);
        }

        line.Add(")");
        AddResult(line, call);
        if (!OnlyCalls)
            line.Add("  " + call.Point.File, Ink.Faint);
        if (ShowSource)
            line.Add(string.Create(CultureInfo.InvariantCulture, $"  {call.Point.SourceFile}:{call.Point.SourceLine}"), Ink.Faint);
        int hidden = level < Depth || OnlyCalls ? 0 : node.Walk().Count() - 1;
        if (hidden > 0)
            line.Add(string.Create(CultureInfo.InvariantCulture, $"  +{hidden} {(hidden == 1 ? "call" : "calls")}"), Ink.Faint);
        terminal.Write(line);
        if (level >= Depth || OnlyCalls)
            return;

        for (int i = 0; i < node.Children.Count; i++)
        {
            bool isLast = i == node.Children.Count - 1;
            if (terminal.IsRich)
                Print(node.Children[i], rest + (isLast ? "└─ " : "├─ "), rest + (isLast ? "   " : "│  "), level + 1);
            else
                Print(node.Children[i], rest + "  ", rest + "  ", level + 1);
        }
    }

    private void AddResult(Line line, TraceCall call)
    {
        if (call.Exception == nameof(SimulationDeadlockException))
            line.Add(" waits for ever", Ink.Bad);
        else if (call.Exception != null)
            line.Add(" ! ", Ink.Bad).Add(call.Exception, Ink.Bad);
        else if (!call.HasLeft)
            line.Add(" ...", Ink.Faint);
        else if (call.Result is { } result)
            line.Add(" = ").Add(call.Errno == 0 && NewDescriptor is { } descriptor ? Number(descriptor) : result.Text, call.Errno != 0 ? Ink.Bad : Ink.Good);
        // Of what goes both ways, only what the function changed.
        foreach (TraceValue output in call.Outputs.Except(call.Arguments))
            line.Add(", ").Add(output.Parameter.Name + ": ", Ink.Faint).Add(output.Text, Ink.Value);
    }

    private static string Number(int descriptor) => descriptor.ToString(CultureInfo.InvariantCulture);
}
