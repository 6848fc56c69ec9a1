using System.Globalization;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;

namespace Linnet.Packetdrill.Running;

/// <summary>
/// Keeps the last functions that the stack ran, and, when it sends a packet, those that led to it.
/// </summary>
internal sealed class CallTrace : ITraceSink
{
    private const int Kept = 60;

    private readonly Queue<TraceCall> ring = new();
    private readonly List<TraceCall> running = [];
    private readonly Dictionary<int, TraceCall[]> ways = [];
    private TestBed? bed;
    private TraceSession? session;

    /// <summary>Begins.</summary>
    public void Start(TestBed on)
    {
        bed = on;
        on.Sending = packet => ways[packet] = [.. running];
        session = TraceSession.Start(this, Beautifier.Instance, on.Machine);
    }

    /// <summary>Ends.</summary>
    public void Stop()
    {
        session?.Dispose();
        session = null;
    }

    /// <summary>The way to a packet, or, where there is none, the last functions that ran.</summary>
    /// <param name="isPacket">Whether the last packet that was looked at is what was not expected.</param>
    public IReadOnlyList<string> Lines(bool isPacket)
    {
        TraceCall[] calls = isPacket && bed != null && ways.TryGetValue(bed.LastTaken, out TraceCall[]? way) ? way : [.. ring];
        int least = calls.Length == 0 ? 0 : calls.Min(c => c.Depth);
        return [.. calls.Select(c => new string(' ', 2 * (c.Depth - least)) + Text(c))];
    }

    /// <inheritdoc/>
    public void Entered(TraceCall call)
    {
        running.Add(call);
        ring.Enqueue(call);
        if (ring.Count > Kept)
            ring.Dequeue();
    }

    /// <inheritdoc/>
    public void Left(TraceCall call) => running.Remove(call);

    private static string Text(TraceCall call)
    {
        string arguments = string.Join(", ", call.Arguments.Select(a => $"{a.Parameter.Name}={a.Text}"));
        string result = call.HasLeft && call.Result is { } value ? $" = {value.Text}" : "";
        return string.Create(CultureInfo.InvariantCulture, $"{call.Point.Symbol}({arguments}){result}");
    }
}
