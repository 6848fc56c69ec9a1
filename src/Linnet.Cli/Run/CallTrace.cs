using System.Collections.Concurrent;
using System.Diagnostics;
using System.Globalization;
using Linnet.Cli.Rendering;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Linux;

namespace Linnet.Cli.Run;

/// <summary>Prints the calls of programs when they end, and the data and packets between them.</summary>
/// <param name="terminal">Where to.</param>
/// <param name="detail">How much.</param>
/// <param name="showHost">Whether each line says which host it is about.</param>
internal sealed class CallTrace(Terminal terminal, TraceDetail detail, bool showHost) : ICallObserver
{
    // How far what belongs to a call is indented behind the times.
    private const string Below = "             ";

    private readonly Terminal terminal = terminal;
    private readonly long start = Stopwatch.GetTimestamp();
    private readonly Lock gate = new();
    private readonly ConcurrentQueue<Line> packets = [];

    // What is being seen, whose line comes before the packets that it causes.
    private int unprinted;

    private bool ShowsTrees => detail == TraceDetail.Tree;

    /// <inheritdoc/>
    public IObservedCall Begin(HostProcess process, int nr, ReadOnlySpan<ulong> arguments) =>
        new Observed(this, process, nr, (int)arguments[0], (int)arguments[1]);

    /// <inheritdoc/>
    public ICarryObserver Carry(TaskStruct owner) => new Carried(this, owner);

    /// <summary>Prints a packet, behind the call that is being observed. Callable with the kernel's locks held.</summary>
    public void Add(LoggedPacket packet, string host)
    {
        string direction = packet.IsOutgoing ? "->" : "<-";
        packets.Enqueue(new Line().Add(Time(Stopwatch.GetTimestamp()), Ink.Faint)
            .Add($"   {(showHost ? host + " " : "")}{packet.Device.Name} {direction} {packet.Text}", Ink.Value));

        // Who holds the gate may want a lock that the caller has: it prints the packet when it is done.
        if (!gate.TryEnter())
            return;
        if (Volatile.Read(ref unprinted) == 0)
            PrintPackets();
        gate.Exit();
    }

    private static string Seconds(double seconds) => seconds.ToString("F6", CultureInfo.InvariantCulture);

    // Since the beginning of the trace.
    private string Time(long timestamp) => Seconds(Stopwatch.GetElapsedTime(start, timestamp).TotalSeconds).PadLeft(12);

    private string Caller(HostProcess? process)
    {
        if (process == null)
            return "?";
        string caller = string.Create(CultureInfo.InvariantCulture, $"{process.Task.Comm}[{process.Pid}]");
        return showHost ? $"{process.Host.Name} {caller}" : caller;
    }

    private Line Begin(long timestamp, HostProcess? process) =>
        new Line().Add(Time(timestamp) + " ", Ink.Faint).Add(Caller(process) + " ", Ink.Accent);

    // Of the entry nothing is shown but what it called: the line above says the rest. Other threads carry as the same task.
    private void PrintTrees(IEnumerable<TraceNode> trees, string entry, (int Own, int Given)? descriptor)
    {
        if (!ShowsTrees)
            return;
        foreach (TraceNode root in trees)
        {
            if (descriptor != null && root.Call.Argument("fd") is { } fd && fd != descriptor.Value.Own)
                continue;
            new TraceView(terminal) { Prefix = Below, Descriptor = descriptor }
                .Print(root.Call.Point.Symbol == entry ? root.Children : [root]);
        }
    }

    private void PrintPackets()
    {
        while (packets.TryDequeue(out Line? line))
            terminal.Write(line);
    }

    // Other threads make calls for the same task at the same time.
    private sealed class OwnThread(TraceTree tree) : ITraceSink
    {
        private readonly int thread = Environment.CurrentManagedThreadId;

        public void Entered(TraceCall call)
        {
            if (Environment.CurrentManagedThreadId == thread)
                tree.Entered(call);
        }

        public void Left(TraceCall call)
        {
            if (Environment.CurrentManagedThreadId == thread)
                tree.Left(call);
        }
    }

    // A call of a program's.
    private sealed class Observed(CallTrace trace, HostProcess process, int nr, int first, int second) : IObservedCall
    {
        private const string Entry = "__x64_sys_";

        private readonly long began = Stopwatch.GetTimestamp();
        private readonly string name = Names.Syscall(nr);
        private readonly List<TraceNode> trees = [];

        // What Linnet was asked last for this call.
        private TraceCall? asked;
        private bool isUnprinted;
        private bool isBrokenOff;

        public long Observe(Func<long> make)
        {
            Hold();
            TraceTree tree = new();
            TaskStruct task = process.Task;
            if (!trace.ShowsTrees)
            {
                using (TraceSession.Start(new OwnThread(tree), Beautifier.Instance, task.Machine, task, onlyOutermost: true))
                    return Keep(make(), tree);
            }

            // One after the other: what one causes is not to be taken for another's.
            lock (trace.gate)
            {
                using (TraceSession.Start(new OwnThread(tree), Beautifier.Instance, task.Machine, task))
                    return Keep(make(), tree);
            }
        }

        // A line says how a call ended; a tree also what it did before it had to wait.
        public void Waits()
        {
            if (trees.Any(root => root.Walk().Skip(1).Any()))
                Print(" waits", Ink.Faint);
            Release();
        }

        public void Ends(long result)
        {
            if (result < 0)
                Print(" = " + ErrorText.Of((int)-result), Ink.Bad);
            else
                Print(" = " + result.ToString(CultureInfo.InvariantCulture), Ink.Good);
        }

        public void LeavesToHost() => Release();

        public void BreaksOff()
        {
            if (!isBrokenOff)
                Print(" = ? (a signal ended it)", Ink.Bad);
            isBrokenOff = true;
        }

        private void Hold()
        {
            if (!isUnprinted)
                Interlocked.Increment(ref trace.unprinted);
            isUnprinted = true;
        }

        private void Release()
        {
            trees.Clear();
            if (isUnprinted)
                Interlocked.Decrement(ref trace.unprinted);
            isUnprinted = false;
        }

        private long Keep(long result, TraceTree tree)
        {
            foreach (TraceNode root in tree.Take())
            {
                if (root.Call.Point.Symbol == Entry + name)
                    asked = root.Call;
                trees.Add(root);
            }

            return result;
        }

        private void Print(string outcome, Ink ink)
        {
            Line line = trace.Begin(began, process).Add(name, Ink.Strong).Add("(");
            AddArguments(line);
            line.Add(")").Add(outcome, ink).Add($" <{Seconds(Stopwatch.GetElapsedTime(began).TotalSeconds)}>", Ink.Faint);
            lock (trace.gate)
            {
                trace.terminal.Write(line);
                trace.PrintTrees(trees, Entry + name, Descriptor);
                trace.PrintPackets();
            }

            Release();
        }

        private (int Own, int Given)? Descriptor => asked?.Argument("fd") is { } own ? ((int)own, first) : null;

        private void AddArguments(Line line)
        {
            if (asked != null)
            {
                TraceView.AddArguments(line, asked, Descriptor);
                return;
            }

            line.Add("fd: ", Ink.Faint).Add(first.ToString(CultureInfo.InvariantCulture), Ink.Value);
            if (nr == __NR_shutdown)
                line.Add(", how: ", Ink.Faint).Add(Names.Shutdown(second), Ink.Value);
        }
    }

    // What the pair carries.
    private sealed class Carried : ICarryObserver
    {
        private readonly CallTrace trace;
        private readonly long began = Stopwatch.GetTimestamp();
        private readonly TraceTree tree = new();
        private readonly TraceSession? session;

        public Carried(CallTrace trace, TaskStruct owner)
        {
            this.trace = trace;
            Interlocked.Increment(ref trace.unprinted);
            if (trace.ShowsTrees)
                session = TraceSession.Start(new OwnThread(tree), Beautifier.Instance, owner.Machine, owner);
        }

        public void End(ShadowSocket shadow, Carriage what, ReadOnlySpan<byte> data, long result)
        {
            session?.Dispose();
            Print(shadow, what, data, result);
            Interlocked.Decrement(ref trace.unprinted);
        }

        private void Print(ShadowSocket shadow, Carriage what, ReadOnlySpan<byte> data, long result)
        {
            bool isEndOfStream = what == Carriage.Received && result == 0 && shadow is StreamShadow;
            if (result == -EAGAIN || (what is Carriage.Sent or Carriage.Received && data.IsEmpty && result >= 0 && !isEndOfStream))
                return;
            (HostProcess? process, int descriptor) = shadow.LastSeen;
            Line line = trace.Begin(began, process).Add(Name(what), Ink.Strong)
                .Add(string.Create(CultureInfo.InvariantCulture, $"(fd: {descriptor}"));
            if (isEndOfStream || what == Carriage.Ended)
                line.Add(", end of stream");
            else if (what is Carriage.Sent or Carriage.Received && result >= 0)
                line.Add(", ").Add(Beautifier.Quote(data, data.Length), Ink.Value);
            line.Add(")").Add(result < 0 ? " = " + ErrorText.Of((int)-result) : string.Create(CultureInfo.InvariantCulture, $" = {result}"),
                result < 0 ? Ink.Bad : Ink.Good);
            lock (trace.gate)
            {
                trace.terminal.Write(line);
                trace.PrintTrees(tree.Take(), Entry(what), (shadow.Fd, descriptor));
                trace.PrintPackets();
            }
        }

        private static string Name(Carriage what) => what switch
        {
            Carriage.Sent or Carriage.Ended => "sent",
            Carriage.Received => "received",
            _ => "closed",
        };

        private static string Entry(Carriage what) => what switch
        {
            Carriage.Sent => "__x64_sys_sendto",
            Carriage.Received => "__x64_sys_recvfrom",
            Carriage.Ended => "__x64_sys_shutdown",
            _ => "close_fd",
        };
    }
}
