using System.Collections.Concurrent;

namespace Linnet.Kernel;

/// <summary>What kind of thing a program asked for.</summary>
public enum RequestKind
{
    /// <summary>A system call, by number.</summary>
    Syscall,

    /// <summary>A socket family, <c>AF_*</c>.</summary>
    Family,

    /// <summary>A protocol of a family: family, type and protocol.</summary>
    Protocol,

    /// <summary>A socket option: level and name.</summary>
    SocketOption,

    /// <summary>An ioctl request.</summary>
    Ioctl,

    /// <summary>A flag of a call that has no effect in Linnet: the call's number and the flag.</summary>
    Flag,

    /// <summary>A netlink message: protocol, type and family.</summary>
    Netlink,

    /// <summary>A module that is not there.</summary>
    Module,

    /// <summary>A file of <c>/proc/net</c> or <c>/proc/sys/net</c> that is not there.</summary>
    File,
}

/// <summary>
/// Counts what programs asked for and Linnet does not have: the answer to "what did my program want that Linnet lacks?".
/// Each was refused with the errno that Linux has for what it does not know.
/// </summary>
public sealed class UnsupportedRequests
{
    private readonly ConcurrentDictionary<Request, long> counts = new();

    /// <summary>One thing that was asked for. What the numbers are depends on the kind; unused ones are 0.</summary>
    public readonly record struct Request(RequestKind Kind, long First, long Second = 0, long Third = 0, string? Text = null);

    /// <summary>Counts a request.</summary>
    public void Add(RequestKind kind, long first, long second = 0, long third = 0, string? text = null) =>
        counts.AddOrUpdate(new Request(kind, first, second, third, text), 1, static (_, count) => count + 1);

    /// <summary>Everything that was asked for, with how often, in the order of kind and numbers.</summary>
    public IReadOnlyList<(Request Request, long Count)> Snapshot() =>
        [.. counts.Select(pair => (pair.Key, pair.Value))
            .OrderBy(entry => entry.Key.Kind)
            .ThenBy(entry => entry.Key.First)
            .ThenBy(entry => entry.Key.Second)
            .ThenBy(entry => entry.Key.Third)
            .ThenBy(entry => entry.Key.Text, StringComparer.Ordinal)];

    /// <summary>How often something was asked for.</summary>
    public long CountOf(RequestKind kind, long first, long second = 0, long third = 0, string? text = null) =>
        counts.GetValueOrDefault(new Request(kind, first, second, third, text));
}
