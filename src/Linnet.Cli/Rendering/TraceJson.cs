using System.Text.Json;
using Linnet.Kernel.Trace;

namespace Linnet.Cli.Rendering;

/// <summary>Recorded calls as JSON, for tools.</summary>
internal static class TraceJson
{
    /// <summary>Writes an array of calls, each with the array of its own.</summary>
    public static void Write(Utf8JsonWriter json, IEnumerable<TraceNode> nodes)
    {
        json.WriteStartArray();
        foreach (TraceNode node in nodes)
            Write(json, node);
        json.WriteEndArray();
    }

    private static void Write(Utf8JsonWriter json, TraceNode node)
    {
        TraceCall call = node.Call;
        json.WriteStartObject();
        json.WriteString("symbol", call.Point.Symbol);
        json.WriteString("file", call.Point.File);
        json.WriteString("method", $"{call.Point.Type}.{call.Point.Method}");
        json.WriteString("source", $"{call.Point.SourceFile}:{call.Point.SourceLine}");
        json.WriteNumber("timeNs", call.EnteredAt);
        json.WriteNumber("elapsedNs", call.LeftAt - call.EnteredAt);
        if (call.Comm != null)
        {
            json.WriteString("comm", call.Comm);
            json.WriteNumber("pid", call.Pid);
        }

        json.WriteBoolean("softirq", call.InSoftirq);
        json.WriteStartArray("args");
        foreach (TraceValue value in call.Arguments)
            Write(json, value);
        json.WriteEndArray();
        if (call.Outputs.Count > 0)
        {
            json.WriteStartArray("outputs");
            foreach (TraceValue value in call.Outputs)
                Write(json, value);
            json.WriteEndArray();
        }

        if (call.Result is { } result)
        {
            json.WritePropertyName("result");
            Write(json, result);
        }

        if (call.Errno != 0)
            json.WriteString("errno", Linnet.Kernel.Trace.Beauty.Names.ErrnoName(call.Errno));
        if (call.Exception != null)
            json.WriteString("exception", call.Exception);
        json.WritePropertyName("calls");
        Write(json, node.Children);
        json.WriteEndObject();
    }

    private static void Write(Utf8JsonWriter json, TraceValue value)
    {
        json.WriteStartObject();
        if (value.Parameter.Name.Length > 0)
            json.WriteString("name", value.Parameter.Name);
        json.WriteString("type", value.Parameter.Type);
        json.WriteString("text", value.Text);
        if (value.Raw is { } raw)
            json.WriteNumber("value", raw);
        json.WriteEndObject();
    }
}
