using Linnet.Cli.Rendering;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Arch.X86;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;
using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;
using File = Linnet.Kernel.Fs.File;

namespace Linnet.Cli.Programs;

/// <summary>What a traced program runs on.</summary>
internal sealed record TraceMachineOptions
{
    /// <summary>A security policy to load, or null.</summary>
    public string? PolicyFile { get; init; }

    /// <summary>The program's name.</summary>
    public string Comm { get; init; } = "trace";

    /// <summary>The user, or null for root.</summary>
    public uint? Uid { get; init; }

    /// <summary>Whether the program has no capabilities.</summary>
    public bool DropCapabilities { get; init; }

    /// <summary>Where its packets are written, or null.</summary>
    public FileInfo? PcapFile { get; init; }
}

/// <summary>A call that was made, and what was seen of it.</summary>
/// <param name="Statement">The call.</param>
/// <param name="Outcome">What it returned; null when it would have waited for ever.</param>
/// <param name="Trace">The functions that ran.</param>
/// <param name="Refusal">Where it was refused, when it was.</param>
/// <param name="PolicyRefusals">What the policy says of what it refused.</param>
/// <param name="Packets">The packets on the loopback device, as tcpdump prints them.</param>
internal sealed record TracedCall(
    Statement Statement,
    CallOutcome? Outcome,
    IReadOnlyList<TraceNode> Trace,
    Refusal? Refusal,
    IReadOnlyList<string> PolicyRefusals,
    IReadOnlyList<string> Packets);

/// <summary>A machine with a loopback device, in virtual time, whose task makes the calls of a program.</summary>
internal sealed class TraceMachine : IDisposable
{
    private readonly VirtualTimeScheduler simulation = new();
    private readonly Machine machine;
    private readonly PcapngWriter? capture;
    private readonly TaskStruct task;
    private readonly CallRunner runner;
    private readonly TraceTree tree = new();
    private readonly List<string> refusals = [];
    private readonly List<string> packets = [];
    private readonly PacketLog log;

    /// <summary>Boots it.</summary>
    public TraceMachine(TraceMachineOptions options)
    {
        machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = simulation.TimeProvider,
            Scheduler = simulation,
            Random = RandomSources.Seeded(1),
        });
        NetDevice loopback = machine.InitNsproxy.NetNs.LoopbackDev;
        if (options.PcapFile != null)
        {
            capture = new PcapngWriter(CaptureFile.Open(options.PcapFile)!, machine);
            capture.Capture(loopback);
        }

        log = new PacketLog(packet => packets.Add(packet.Text));
        log.Watch(loopback);
        using (machine.Enter())
            Dev.DevOpen(loopback);
        if (options.PolicyFile != null)
            LoadPolicy(options.PolicyFile);
        task = new TaskStruct(machine, options.Comm, Credentials(options), machine.InitNsproxy);
        var memory = new ProgramMemory();
        task.Mm = memory;
        runner = new CallRunner(memory, Invoke);
        OpenStandardDescriptors();
    }

    /// <summary>Makes one call.</summary>
    public TracedCall Run(Statement statement)
    {
        CallOutcome? outcome = null;
        using (TraceSession.Start(tree, Beautifier.Instance, machine))
        {
            try
            {
                outcome = runner.Run(statement);
                simulation.RunReady();
            }
            catch (SimulationDeadlockException)
            {
            }
        }

        IReadOnlyList<TraceNode> trace = tree.Take();
        Refusal? refusal = outcome is { Result: < 0 and >= -4095 } ? Refusal.Find(trace, (int)-outcome.Result) : null;
        return new TracedCall(statement, outcome, trace, refusal, Take(refusals), Take(packets));
    }

    /// <summary>Ends the machine.</summary>
    public void Dispose()
    {
        simulation.Dispose();
        log.Dispose();
        capture?.Dispose();
    }

    private static string[] Take(List<string> lines)
    {
        string[] taken = [.. lines];
        lines.Clear();
        return taken;
    }

    private void LoadPolicy(string path)
    {
        var module = new PolicyModule(PolicyFile.Read(path));
        module.Refusing += refusal => refusals.Add(refusal.ToString());
        Lsm.SecurityAddHooks(machine, module);
    }

    private Cred Credentials(TraceMachineOptions options)
    {
        UserNamespace users = machine.InitUserNs;
        Cred cred = options.Uid is null or 0 ? Cred.Root(users) : Cred.User(users, options.Uid.Value, options.Uid.Value);
        return options.DropCapabilities ? cred with { CapEffective = 0 } : cred;
    }

    private long Invoke(int number, ReadOnlySpan<ulong> registers)
    {
        if (number >= 0)
            return SyscallTable.Invoke(task, number, registers);
        simulation.RunFor(TimeSpan.FromMilliseconds(registers[0]));
        return 0;
    }

    private void OpenStandardDescriptors()
    {
        using KernelEntry entry = task.Enter();
        for (int fd = 0; fd < 3; fd++)
        {
            int err = FileTable.AllocFilePseudo(machine, NullFile.Instance, null, FcntlH.O_RDWR, out File? file);
            int got = task.Files.GetUnusedFdFlags(0);
            if (err < 0 || got != fd)
                throw new InvalidOperationException($"descriptor {fd} is not free in a new task");
            task.Files.FdInstall(fd, file!);
        }
    }

    // What /dev/null does.
    private sealed class NullFile : FileOperations
    {
        public static NullFile Instance { get; } = new();

        public override long ReadIter(File file, ref IovIter to) => 0;

        public override long WriteIter(File file, ref IovIter from)
        {
            long count = from.Count;
            from.Advance(count);
            return count;
        }
    }
}
