using System.Globalization;
using Linnet.Kernel.Trace;

namespace Linnet.Cli.Rendering;

/// <summary>Prints recorded calls as a tree: what called what, with which arguments and what result.</summary>
/// <param name="terminal">Where to.</param>
internal sealed class TraceView(Terminal terminal)
{
    /// <summary>Whether each function's C# file is printed beside its Linux file.</summary>
    public bool ShowSource { get; init; }

    /// <summary>Whether the machine's time at each call is printed, in microseconds since boot.</summary>
    public bool ShowTime { get; init; }

    /// <summary>How many levels of calls are printed.</summary>
    public int Depth { get; init; } = int.MaxValue;

    /// <summary>What stands in front of each line.</summary>
    public string Prefix { get; init; } = "";

    /// <summary>A descriptor of Linnet's, and the number that stands for it in the program.</summary>
    public (int Own, int Given)? Descriptor { get; init; }

    /// <summary>Prints trees, one after the other.</summary>
    public void Print(IEnumerable<TraceNode> roots)
    {
        foreach (TraceNode root in roots)
            Print(root, Prefix, Prefix, 1);
    }

    /// <summary>Adds the arguments of a call to a line, with what it wrote in place of the pointers that led there.</summary>
    /// <param name="line">The line.</param>
    /// <param name="call">The call.</param>
    /// <param name="descriptor">A descriptor of Linnet's, and the number that stands for it in the program.</param>
    public static void AddArguments(Line line, TraceCall call, (int Own, int Given)? descriptor = null)
    {
        for (int i = 0; i < call.Arguments.Count; i++)
        {
            TraceValue argument = call.Arguments[i];
            string text = argument.Parameter.Name == "fd" && argument.Raw == descriptor?.Own ? Number(descriptor!.Value.Given) : argument.Text;
            foreach (TraceValue output in call.Outputs)
            {
                if (IsBehind(argument, output))
                    text = output.Text;
            }

            line.Add(i > 0 ? ", " : "").Add(argument.Parameter.Name + ": ", Ink.Faint).Add(text, Ink.Value);
        }
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
        line.Add(call.Point.Symbol, isRefusal ? Ink.Bad : Ink.Strong).Add("(");
        AddArguments(line, call, Descriptor);
        line.Add(")");
        AddResult(line, call);
        line.Add("  " + call.Point.File, Ink.Faint);
        if (ShowSource)
            line.Add(string.Create(CultureInfo.InvariantCulture, $"  {call.Point.SourceFile}:{call.Point.SourceLine}"), Ink.Faint);
        int hidden = level < Depth ? 0 : node.Walk().Count() - 1;
        if (hidden > 0)
            line.Add(string.Create(CultureInfo.InvariantCulture, $"  +{hidden} {(hidden == 1 ? "call" : "calls")}"), Ink.Faint);
        terminal.Write(line);
        if (level >= Depth)
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

    // Whether a value is what the call wrote where an argument of it points.
    private static bool IsBehind(TraceValue argument, TraceValue output) =>
        output.Parameter == argument.Parameter && argument.Parameter.Type == "ulong";

    private static void AddResult(Line line, TraceCall call)
    {
        if (call.Exception == nameof(SimulationDeadlockException))
            line.Add(" waits for ever", Ink.Bad);
        else if (call.Exception != null)
            line.Add(" ! ", Ink.Bad).Add(call.Exception, Ink.Bad);
        else if (!call.HasLeft)
            line.Add(" ...", Ink.Faint);
        else if (call.Result is { } result)
            line.Add(" = ").Add(result.Text, call.Errno != 0 ? Ink.Bad : Ink.Good);
        // Of what goes both ways, only what the function changed.
        foreach (TraceValue output in call.Outputs.Except(call.Arguments).Where(output => !call.Arguments.Any(argument => IsBehind(argument, output))))
            line.Add(", ").Add(output.Parameter.Name + ": ", Ink.Faint).Add(output.Text, Ink.Value);
    }

    private static string Number(int descriptor) => descriptor.ToString(CultureInfo.InvariantCulture);
}
