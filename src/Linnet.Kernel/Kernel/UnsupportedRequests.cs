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
    [ThreadStatic]
    private static TaskStruct? actsFor;

    private readonly ConcurrentDictionary<(Request Request, Asker Asker), long> counts = new();

    /// <summary>One thing that was asked for. What the numbers are depends on the kind; unused ones are 0.</summary>
    public readonly record struct Request(RequestKind Kind, long First, long Second = 0, long Third = 0, string? Text = null);

    /// <summary>Who asked for it.</summary>
    /// <param name="Program">The program's name (<c>comm</c>), or null where no task asked.</param>
    /// <param name="Host">The host that it runs on, as <c>uname -n</c> tells it, or null where no task asked.</param>
    public readonly record struct Asker(string? Program, string? Host);

    /// <summary>Counts a request of the running task's.</summary>
    public void Add(RequestKind kind, long first, long second = 0, long third = 0, string? text = null) =>
        Add(actsFor ?? Cpu.This.Task, kind, first, second, third, text);

    /// <summary>Counts a request.</summary>
    public void Add(TaskStruct? task, RequestKind kind, long first, long second = 0, long third = 0, string? text = null) =>
        counts.AddOrUpdate(
            (new Request(kind, first, second, third, text), new Asker(task?.Comm, task?.Nsproxy.UtsNs.NodeName)), 1, static (_, count) => count + 1);

    /// <summary>Counts what is asked for on this thread as asked for by another task than the running one, until it is disposed.</summary>
    public static ActingScope ActFor(TaskStruct? task)
    {
        ActingScope scope = new(actsFor);
        actsFor = task;
        return scope;
    }

    /// <summary>Everything that was asked for, with how often, in the order of kind and numbers.</summary>
    public IReadOnlyList<(Request Request, long Count)> Snapshot() =>
        [.. InOrder(counts.GroupBy(pair => pair.Key.Request, (request, pairs) => (request, pairs.Sum(pair => pair.Value))), entry => entry.request)];

    /// <summary>The same by who asked: in the order of hosts' and programs' names, then as <see cref="Snapshot"/>.</summary>
    public IReadOnlyList<(Asker Asker, Request Request, long Count)> ByAsker() =>
        [.. InOrder(counts.Select(pair => (pair.Key.Asker, pair.Key.Request, pair.Value)), entry => entry.Request)
            .OrderBy(entry => entry.Asker.Host, StringComparer.Ordinal)
            .ThenBy(entry => entry.Asker.Program, StringComparer.Ordinal)];

    /// <summary>How often something was asked for.</summary>
    public long CountOf(RequestKind kind, long first, long second = 0, long third = 0, string? text = null)
    {
        Request request = new(kind, first, second, third, text);
        return counts.Where(pair => pair.Key.Request == request).Sum(pair => pair.Value);
    }

    private static IOrderedEnumerable<T> InOrder<T>(IEnumerable<T> entries, Func<T, Request> requestOf) =>
        entries.OrderBy(entry => requestOf(entry).Kind)
            .ThenBy(entry => requestOf(entry).First)
            .ThenBy(entry => requestOf(entry).Second)
            .ThenBy(entry => requestOf(entry).Third)
            .ThenBy(entry => requestOf(entry).Text, StringComparer.Ordinal);

    /// <summary>A stretch in which a thread asks for another task.</summary>
    public readonly struct ActingScope : IDisposable
    {
        private readonly TaskStruct? before;

        internal ActingScope(TaskStruct? before) => this.before = before;

        /// <summary>Ends it.</summary>
        public void Dispose() => actsFor = before;
    }
}
