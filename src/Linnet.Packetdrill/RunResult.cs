namespace Linnet.Packetdrill;

/// <summary>How a script went.</summary>
public sealed record RunResult
{
    /// <summary>The script's file.</summary>
    public required string Path { get; init; }

    /// <summary>What went otherwise than written, as packetdrill says it (<c>file:line: what</c>); null when nothing did.</summary>
    public string? Error { get; init; }

    /// <summary>The line that <see cref="Error"/> speaks of; 0 for none.</summary>
    public int ErrorLine { get; init; }

    /// <summary>
    /// What the stack did since the event before, or on the way to the packet that was not expected: one function a line, indented
    /// by the calls around it. Empty when the script went as written.
    /// </summary>
    public IReadOnlyList<string> Trace { get; init; } = [];

    /// <summary>Mismatches that <c>--non_fatal</c> let pass.</summary>
    public IReadOnlyList<string> Warnings { get; init; } = [];

    /// <summary>What the script's code printed.</summary>
    public IReadOnlyList<string> Printed { get; init; } = [];

    /// <summary>What <c>--verbose</c> shows, in order: packets as they are on the wire, and calls as they end.</summary>
    public IReadOnlyList<string> Log { get; init; } = [];

    /// <summary>How much virtual time the script took.</summary>
    public TimeSpan VirtualTime { get; init; }

    /// <summary>
    /// Packets that were made and not freed when all sockets had been closed and reset, and their timers had run out: a leak of
    /// Linnet's. Counted in debug builds only.
    /// </summary>
    public long PacketsLeft { get; init; }

    /// <summary>Whether the script went as written.</summary>
    public bool Passed => Error == null;
}
