using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <summary>A parsed script: a tree that never changes.</summary>
/// <param name="Path">The file's name, as error messages give it.</param>
/// <param name="OptionLines">The option lines at the script's head, in order.</param>
/// <param name="Options">What these and the command line's options, which win, come to.</param>
/// <param name="InitCommand">The command before the first event, or null.</param>
/// <param name="Events">The events, in the file's order; at least one.</param>
/// <param name="CleanupCommand">The command after the last event, which runs whether the script passes or not; or null.</param>
public sealed record Script(
    string Path,
    ImmutableArray<OptionSetting> OptionLines,
    PacketdrillOptions Options,
    CommandAction? InitCommand,
    ImmutableArray<ScriptEvent> Events,
    CommandAction? CleanupCommand);

/// <summary>One option as it was written: <c>--mss=1000</c>, or <c>--strict_segments</c> with a null value.</summary>
/// <param name="Name">The name, without dashes.</param>
/// <param name="Value">What stood behind the equals sign, or null.</param>
/// <param name="Line">The line in the script; 0 for an option of the command line.</param>
public sealed record OptionSetting(string Name, string? Value, int Line = 0);

/// <summary>The forms of an event's time.</summary>
public enum EventTimeKind
{
    /// <summary><c>1.5</c>: since the script's start.</summary>
    Absolute,

    /// <summary><c>+.1</c>: since the event before.</summary>
    Relative,

    /// <summary><c>1.0~1.2</c>: outbound packets only.</summary>
    AbsoluteRange,

    /// <summary><c>+.1~+.2</c>: outbound packets only.</summary>
    RelativeRange,

    /// <summary><c>*</c>: whenever it comes; outbound packets only.</summary>
    Any,
}

/// <summary>When an event happens.</summary>
/// <param name="Kind">The form.</param>
/// <param name="Usecs">Microseconds; 0 for <see cref="EventTimeKind.Any"/>.</param>
/// <param name="EndUsecs">Microseconds of a range's end, counted from where <paramref name="Usecs"/> counts; else null.</param>
public readonly record struct EventTime(EventTimeKind Kind, long Usecs, long? EndUsecs = null);

/// <summary>A time, and what happens then.</summary>
/// <param name="Line">The line of the time, which is the one that messages about the event name.</param>
/// <param name="Time">When.</param>
/// <param name="Action">What.</param>
public sealed record ScriptEvent(int Line, EventTime Time, EventAction Action);

/// <summary>What an event does.</summary>
/// <param name="Line">The line on which it begins.</param>
public abstract record EventAction(int Line);

/// <summary>A command line between backticks.</summary>
/// <param name="Line">The line on which it begins.</param>
/// <param name="CommandLine">The text between the backticks.</param>
public sealed record CommandAction(int Line, string CommandLine) : EventAction(Line);

/// <summary>Code between <c>%{</c> and <c>}%</c>.</summary>
/// <param name="Line">The line on which it begins.</param>
/// <param name="Text">The text between the braces, without blanks at its ends.</param>
public sealed record CodeAction(int Line, string Text) : EventAction(Line);

/// <summary>A system call and what it returns: <c>read(4, ..., 1000) = -1 EAGAIN (Resource temporarily unavailable)</c>.</summary>
/// <param name="Line">The line of the function's name.</param>
/// <param name="Name">The call's name.</param>
/// <param name="Arguments">Its arguments.</param>
/// <param name="Result">What it returns; an <see cref="EllipsisExpression"/> takes anything.</param>
/// <param name="Error">The error, or null where none was written.</param>
/// <param name="Note">A remark in parentheses, which means nothing; or null.</param>
/// <param name="EndUsecs">
/// For a call that blocks (<c>+0...0.1 connect(...)</c>), when it ends: in microseconds, counted from where the event's time
/// counts. Else null.
/// </param>
public sealed record SyscallAction(
    int Line,
    string Name,
    ImmutableArray<Expression> Arguments,
    Expression Result,
    ErrnoSpec? Error,
    string? Note,
    long? EndUsecs) : EventAction(Line);

/// <summary>An error by its name, with a text that is not compared.</summary>
/// <param name="Name">For example <c>EAGAIN</c>.</param>
/// <param name="Text">The text in parentheses.</param>
public sealed record ErrnoSpec(string Name, string Text);
