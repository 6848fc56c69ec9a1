using System.Collections.Concurrent;
using System.Globalization;
using Linnet.Cli.Rendering;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>Prints the calls of programs as they are made, and the data and packets between them.</summary>
/// <param name="terminal">Where to.</param>
/// <param name="detail">How much.</param>
/// <param name="showHost">Whether each line says which host it is about.</param>
internal sealed class CallTrace(Terminal terminal, TraceDetail detail, bool showHost) : ICallObserver
{
    // The calls into Linnet that this thread has made for one call of a program's.
    [ThreadStatic]
    private static List<(HostProcess Process, int Descriptor, IReadOnlyList<TraceNode> Tree)>? made;

    [ThreadStatic]
    private static int? given;

    [ThreadStatic]
    private static bool waits;

    private readonly Lock gate = new();
    private readonly ConcurrentQueue<string> packets = [];
    private bool isObserving;

    private TraceDetail Detail => detail;

    /// <inheritdoc/>
    public long Observe(HostProcess process, int descriptor, Func<long> call)
    {
        lock (gate)
        {
            isObserving = true;
            TraceTree tree = new();
            long result;
            using (TraceSession.Start(tree, Beautifier.Instance, process.Task.Machine, process.Task))
                result = call();
            isObserving = false;
            (made ??= []).Add((process, descriptor, tree.Take()));
            return result;
        }
    }

    /// <inheritdoc/>
    public void Given(int descriptor) => given = descriptor;

    /// <inheritdoc/>
    public void Waits() => waits = true;

    /// <inheritdoc/>
    public void Done()
    {
        if (made is not { Count: > 0 } calls)
            return;
        lock (gate)
        {
            foreach ((HostProcess process, int descriptor, IReadOnlyList<TraceNode> tree) in calls)
            {
                // A line says how a call ended; a tree also what it did before it had to wait.
                if (!waits)
                    Print(process, descriptor, tree);
                else if (Detail == TraceDetail.Tree && tree.Any(root => root.Walk().Skip(1).Any()))
                    Print(process, descriptor, tree);
            }

            PrintPackets();
        }

        calls.Clear();
        (given, waits) = (null, false);
    }

    /// <inheritdoc/>
    public ICarryObserver Carry(TaskStruct owner) => new Carried(this, owner);

    /// <summary>Prints a packet, behind the call that is being observed. Callable with the kernel's locks held.</summary>
    public void Add(LoggedPacket packet, string host)
    {
        packets.Enqueue(showHost ? $"{host}: {packet.Text}" : packet.Text);

        // Who holds the gate may want a lock that the caller has: it prints the packet when it is done.
        if (!gate.TryEnter())
            return;
        if (!isObserving)
            PrintPackets();
        gate.Exit();
    }

    private void Print(HostProcess process, int descriptor, IReadOnlyList<TraceNode> tree)
    {
        bool onlyCalls = Detail == TraceDetail.Calls;
        string caller = Caller(process);
        if (!onlyCalls)
            terminal.Write(descriptor < 0 ? caller : string.Create(CultureInfo.InvariantCulture, $"{caller} on its descriptor {descriptor}"), Ink.Accent);
        new TraceView(terminal)
        {
            OnlyCalls = onlyCalls,
            Prefix = onlyCalls ? caller + " " : "",
            Descriptor = onlyCalls && descriptor >= 0 ? descriptor : null,
            NewDescriptor = onlyCalls ? given : null,
        }.Print(tree);
    }

    private void PrintCarried(HostProcess? process, int descriptor, bool toNetwork, ReadOnlySpan<byte> data, IReadOnlyList<TraceNode> tree)
    {
        string what = toNetwork ? "sent" : "received";
        string text = string.Create(
            CultureInfo.InvariantCulture, $" {what}(fd: {descriptor}, {Beautifier.Quote(data, data.Length)}) = {data.Length}");
        lock (gate)
        {
            terminal.Write(new Line().Add(process == null ? "?" : Caller(process), Ink.Accent).Add(text));
            if (Detail == TraceDetail.Tree)
                new TraceView(terminal) { Prefix = "  " }.Print(tree);
            PrintPackets();
        }
    }

    private string Caller(HostProcess process)
    {
        string caller = string.Create(CultureInfo.InvariantCulture, $"{process.Task.Comm}[{process.Pid}]");
        return showHost ? $"{process.Host.Name} {caller}" : caller;
    }

    private void PrintPackets()
    {
        while (packets.TryDequeue(out string? text))
            terminal.Write("  " + text, Ink.Value);
    }

    private sealed class Carried : ICarryObserver
    {
        private readonly CallTrace trace;
        private readonly TraceTree tree = new();
        private readonly TraceSession? session;

        public Carried(CallTrace trace, TaskStruct owner)
        {
            this.trace = trace;
            if (trace.Detail == TraceDetail.Tree)
                session = TraceSession.Start(tree, Beautifier.Instance, owner.Machine, owner);
        }

        public void End(HostProcess? process, int descriptor, bool toNetwork, ReadOnlySpan<byte> data)
        {
            session?.Dispose();
            if (!data.IsEmpty)
                trace.PrintCarried(process, descriptor, toNetwork, data, tree.Take());
        }
    }
}
