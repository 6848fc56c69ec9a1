using System.Collections.Concurrent;
using Linnet.Cli.Rendering;
using Linnet.Diagnostics;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>Prints the calls of programs as they are made.</summary>
/// <param name="terminal">Where to.</param>
/// <param name="detail">How much.</param>
internal sealed class CallTrace(Terminal terminal, TraceDetail detail) : ICallObserver
{
    private readonly Lock gate = new();
    private readonly ConcurrentQueue<string> packets = [];

    // Who was told to wait: the same answer again is no news.
    private readonly HashSet<int> waiting = [];
    private bool isObserving;

    /// <inheritdoc/>
    public long Observe(HostProcess process, Func<long> call)
    {
        lock (gate)
        {
            isObserving = true;
            TraceTree tree = new();
            long result;
            using (TraceSession.Start(tree, Beautifier.Instance, process.Task.Machine, process.Task))
                result = call();
            bool waits = result == -Errno.EAGAIN;
            if (!waits || waiting.Add(process.Pid))
                Print(process, tree.Take());
            if (!waits)
                waiting.Remove(process.Pid);
            PrintPackets();
            isObserving = false;
            return result;
        }
    }

    /// <summary>Prints a packet, behind the call that is being observed. Callable with the kernel's locks held.</summary>
    public void Add(LoggedPacket packet)
    {
        packets.Enqueue(packet.Text);

        // Who holds the gate may want a lock that the caller has: it prints the packet when it is done.
        if (!gate.TryEnter())
            return;
        if (!isObserving)
            PrintPackets();
        gate.Exit();
    }

    private void Print(HostProcess process, IReadOnlyList<TraceNode> calls)
    {
        string caller = $"{process.Task.Comm}[{process.Pid}] ";
        bool onlyCalls = detail == TraceDetail.Calls;
        TraceView view = new(terminal)
        {
            OnlyCalls = onlyCalls,
            Prefix = onlyCalls ? caller : "",
        };
        if (!onlyCalls)
            terminal.Write(caller, Ink.Accent);
        view.Print(calls);
    }

    private void PrintPackets()
    {
        while (packets.TryDequeue(out string? text))
            terminal.Write("  " + text, Ink.Value);
    }
}
