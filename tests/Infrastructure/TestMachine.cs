using Linnet.Kernel;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;

namespace Linnet.Testing;

/// <summary>
/// A machine on virtual time for one test: a seed makes it repeat exactly. Disposing it checks that nothing was lost: no
/// packet or page leaked, no exception stayed in a thread.
/// </summary>
public sealed class TestMachine : IDisposable
{
    /// <summary>How long packets and timers may go on after the test's end: TIME_WAIT and the longest retransmission.</summary>
    private static readonly TimeSpan Aftermath = TimeSpan.FromMinutes(20);

    private readonly List<TaskStruct> tasks = [];

    /// <summary>Boots the machine.</summary>
    public TestMachine(ulong seed = 1)
    {
        Machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = Scheduler.TimeProvider,
            Scheduler = Scheduler,
            Random = RandomSources.Seeded(seed),
            Log = (_, line) => Log.Add(line),
        });
    }

    /// <summary>What runs the machine, in virtual time.</summary>
    public VirtualTimeScheduler Scheduler { get; } = new();

    /// <summary>The machine.</summary>
    public Machine Machine { get; }

    /// <summary>The lines of the kernel log.</summary>
    public List<string> Log { get; } = [];

    /// <summary>Whether <see cref="Dispose"/> looks for leaks; a test that breaks off in the middle turns it off.</summary>
    public bool CheckLeaks { get; set; } = true;

    /// <summary>Nanoseconds since boot.</summary>
    public long Now => Machine.Clock.Now;

    /// <summary>A new task in the initial namespaces, with all capabilities unless given other credentials.</summary>
    public TaskStruct NewTask(string comm = "test", Cred? cred = null)
    {
        TaskStruct task = new(Machine, comm, cred ?? Cred.Root(Machine.InitUserNs), Machine.InitNsproxy);
        lock (tasks)
            tasks.Add(task);
        return task;
    }

    /// <summary>Starts <paramref name="body"/> as a thread of the simulation; it runs inside one of the Run methods.</summary>
    public void Start(string name, Action body) => Scheduler.Start(name, body);

    /// <summary>Runs until nothing can happen any more; fails when a thread still waits.</summary>
    public void Run() => Scheduler.Run();

    /// <summary>Runs what can run without time passing.</summary>
    public void RunReady() => Scheduler.RunReady();

    /// <summary>Runs for so much virtual time.</summary>
    public void RunFor(TimeSpan duration) => Scheduler.RunFor(duration);

    /// <summary>Ends what is left and checks that nothing was lost.</summary>
    public void Dispose()
    {
        Scheduler.Dispose();
        IReadOnlyList<Exception> failures = Scheduler.TakeFailures();
        if (failures.Count > 0)
            throw new AggregateException("exceptions in threads of the machine", failures);
        if (CheckLeaks)
            CheckForLeaks();
    }

    // Packets that a connection still has to send are no leak until everybody has given up on them.
    private void CheckForLeaks()
    {
        foreach (TaskStruct task in tasks)
        {
            using KernelEntry entry = task.Enter();
            FilesStruct.ExitFiles(task);
        }

        Scheduler.RunFor(Aftermath);
        SkbPool pool = NetCore.Of(Machine).SkbPool;
        Assert.Equal(0, pool.Outstanding);
        Assert.Equal(0, pool.Pages.Outstanding);
    }
}
