using System.Globalization;
using Linnet.Packetdrill.Syntax;

namespace Linnet.Packetdrill.Running;

/// <summary>An event whose time has been fixed.</summary>
/// <param name="source">The event in the script.</param>
internal sealed class TimedEvent(ScriptEvent source)
{
    /// <summary>The event in the script.</summary>
    public ScriptEvent Source { get; } = source;

    /// <summary>When it is to happen: microseconds since the script's start.</summary>
    public long Usecs { get; set; } = source.Time.Usecs;

    /// <summary>When its range ends; equal to <see cref="Usecs"/> where it has none.</summary>
    public long EndUsecs { get; set; } = source.Time.EndUsecs ?? source.Time.Usecs;

    /// <summary>What relative times were counted from.</summary>
    public long OffsetUsecs { get; set; }

    /// <summary>The line that messages name.</summary>
    public int Line => Source.Line;
}

/// <summary>The state of a run: what the events share.</summary>
/// <param name="script">The script.</param>
/// <param name="options">The configuration.</param>
/// <param name="bed">What it runs on.</param>
internal sealed class ScriptRun(Script script, PacketdrillOptions options, TestBed bed)
{
    private const double UsecsPerSecond = 1e6;

    /// <summary>The script.</summary>
    public Script Script { get; } = script;

    /// <summary>The configuration.</summary>
    public PacketdrillOptions Options { get; } = options;

    /// <summary>What it runs on.</summary>
    public TestBed Bed { get; } = bed;

    /// <summary>All sockets, the newest first.</summary>
    public List<TrackedSocket> Sockets { get; } = [];

    /// <summary>The socket that packets are matched with.</summary>
    public TrackedSocket? UnderTest { get; set; }

    /// <summary>The event that is running.</summary>
    public TimedEvent Current { get; private set; } = null!;

    /// <summary>The event before it.</summary>
    public TimedEvent? Last { get; private set; }

    /// <summary>Which event is running, counted from 0.</summary>
    public int Index { get; private set; } = -1;

    /// <summary>Mismatches that <c>--non_fatal</c> lets pass.</summary>
    public List<string> Warnings { get; } = [];

    /// <summary>What <c>--verbose</c> shows: packets as they are on the wire, and calls as they end.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Notes a packet for <c>--verbose</c>.</summary>
    public void LogPacket(string what, WirePacket packet, long usecs)
    {
        if (Options.Verbose)
            Log.Add(string.Create(CultureInfo.InvariantCulture, $"{what} packet: {usecs / UsecsPerSecond,9:F6} {packet.Text()}"));
    }

    /// <summary>Notes that a call returned, for <c>--verbose</c>.</summary>
    public void LogCall(string name)
    {
        if (Options.Verbose)
            Log.Add(string.Create(CultureInfo.InvariantCulture, $"{name} syscall: {Bed.NowUsecs / UsecsPerSecond,9:F6}"));
    }

    /// <summary>Goes on to the next event, and fixes its time.</summary>
    public void Begin(ScriptEvent source)
    {
        TimedEvent next = new(source);
        Last = Current;
        Current = next;
        Index++;
        if (Last == null && source.Time.Usecs != 0)
            throw Failure(next, "first event should be at time 0");
        if (Last != null && IsAbsolute(Last) && IsAbsolute(next) && next.Usecs < Last.Usecs)
            throw Failure(next, $"time goes backward in script from {Last.Usecs} usec to {next.Usecs} usec");
        if (IsAbsolute(next))
            return;

        // Inbound packets in a row are counted from each other's times, all else from the time that it is.
        bool chained = Last != null && IsInbound(Last) && IsInbound(next);
        next.OffsetUsecs = chained ? Last!.Usecs : Bed.NowUsecs;
        next.Usecs += next.OffsetUsecs;
        next.EndUsecs += next.OffsetUsecs;
    }

    /// <summary>Waits for the running event's time.</summary>
    /// <param name="what">What it is, for messages.</param>
    public void WaitForEvent(string what)
    {
        Bed.WaitUntil(Current.Usecs);
        if (Index > 0)
            CheckTime(Current, Current.Source.Time.Kind, Current.Usecs, Current.EndUsecs, Bed.NowUsecs, Last?.Usecs, what);
    }

    /// <summary>Says that an event did not go as written.</summary>
    public ScriptException Failure(TimedEvent of, string message) => new(Script.Path, of.Line, message);

    /// <summary>Checks that something happened when it was to, and throws otherwise.</summary>
    public void CheckTime(
        TimedEvent of, EventTimeKind kind, long usecs, long endUsecs, long actual, long? lastUsecs, string what)
    {
        if (TimeError(of, kind, usecs, endUsecs, actual, lastUsecs, what) is { } error)
            throw Failure(of, error);
    }

    /// <summary>Checks that something happened when it was to.</summary>
    /// <param name="of">The event.</param>
    /// <param name="kind">The form of its time.</param>
    /// <param name="usecs">When it was to happen.</param>
    /// <param name="endUsecs">When the latest, of a range.</param>
    /// <param name="actual">When it did.</param>
    /// <param name="lastUsecs">When the event before was to happen: the tolerance grows with the gap.</param>
    /// <param name="what">What it was.</param>
    /// <returns>Null, or what is wrong.</returns>
    public string? TimeError(
        TimedEvent of, EventTimeKind kind, long usecs, long endUsecs, long actual, long? lastUsecs, string what)
    {
        if (kind == EventTimeKind.Any)
            return null;
        long tolerance = Options.ToleranceUsecs;
        if (lastUsecs is { } last)
            tolerance = Math.Max(tolerance, (long)(Options.TolerancePercent / 100 * (usecs - last)));
        bool isRange = kind is EventTimeKind.AbsoluteRange or EventTimeKind.RelativeRange;
        if (actual >= usecs - tolerance && actual <= (isRange ? endUsecs : usecs) + tolerance)
            return null;
        if (!isRange)
        {
            return $"timing error: expected {what} at {Seconds(usecs)} sec but happened at {Seconds(actual)} sec; "
                + $"tolerance {Seconds(tolerance)} sec";
        }

        if (kind == EventTimeKind.AbsoluteRange)
        {
            return $"timing error: expected {what} in time range {Seconds(usecs)}~{Seconds(endUsecs)} sec "
                + $"but happened at {Seconds(actual)} sec";
        }

        long offset = of.OffsetUsecs;
        return $"timing error: expected {what} in relative time range +{Seconds(usecs - offset)}~+{Seconds(endUsecs - offset)} sec "
            + $"but happened at +{Seconds(actual - offset)} sec";
    }

    /// <summary>Microseconds as seconds, to six places.</summary>
    public static string Seconds(long usecs) => (usecs / UsecsPerSecond).ToString("F6", CultureInfo.InvariantCulture);

    private static bool IsAbsolute(TimedEvent of) => of.Source.Time.Kind is EventTimeKind.Absolute or EventTimeKind.AbsoluteRange;

    private static bool IsInbound(TimedEvent of) => of.Source.Action is PacketAction { Direction: PacketDirection.Inbound };
}
