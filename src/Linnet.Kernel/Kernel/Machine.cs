namespace Linnet.Kernel;

/// <summary>What a machine is given when it boots: all of its contact with the outside.</summary>
public sealed class MachineOptions
{
    /// <summary>The machine's clocks.</summary>
    public required TimeProvider TimeProvider { get; init; }

    /// <summary>What parks threads, runs queued work and fires timers.</summary>
    public required Scheduler Scheduler { get; init; }

    /// <summary>Random numbers.</summary>
    public required RandomSource Random { get; init; }

    /// <summary>Receives the lines of the kernel log, or null to drop them.</summary>
    public Action<LogLevel, string>? Log { get; init; }
}

/// <summary>
/// A booted kernel: the root of all state. Nothing of Linnet's is static, so a process can hold any number of machines.
/// Boot one with <c>StartKernel.Boot</c>.
/// </summary>
public sealed class Machine
{
    [ThreadStatic]
    private static (Scheduler Scheduler, ThreadWaiter Waiter)? threadWaiter;

    private uint namespaceNumbers = 0xF000_0000;
    private Nsproxy? initNsproxy;
    private TaskStruct? initTask;

    internal Machine(MachineOptions options)
    {
        Clock = new Clock(options.TimeProvider);
        Scheduler = options.Scheduler;
        Random = options.Random;
        Log = new Printk(options.Log);
        Timers = new TimerBase(this);
        Modules = new ModuleTable(this);
        InitUserNs = new UserNamespace(this, parent: null);
    }

    /// <summary>The machine's clocks.</summary>
    public Clock Clock { get; }

    /// <summary>What runs the machine.</summary>
    public Scheduler Scheduler { get; }

    /// <summary>Random numbers.</summary>
    public RandomSource Random { get; }

    /// <summary>The kernel log.</summary>
    public Printk Log { get; }

    /// <summary>All timers.</summary>
    public TimerBase Timers { get; }

    /// <summary>Pooled memory: of packets, and of the buffers of pipes.</summary>
    public PagePool Pages { get; } = new();

    /// <summary>Loadable and loaded modules.</summary>
    public ModuleTable Modules { get; }

    /// <summary>The initial user namespace.</summary>
    public UserNamespace InitUserNs { get; }

    /// <summary>The namespaces of the first task (<c>init_nsproxy</c>).</summary>
    public Nsproxy InitNsproxy
    {
        get => initNsproxy ?? throw new BugException("the machine has not finished booting");
        internal set => initNsproxy = value;
    }

    /// <summary>The first task (<c>init_task</c>): user 0, every capability, <see cref="InitNsproxy"/>.</summary>
    public TaskStruct InitTask
    {
        get => initTask ?? throw new BugException("the machine has not finished booting");
        internal set => initTask = value;
    }

    /// <summary>What other subsystems keep for tasks, in the order in which it is made; they add themselves at boot.</summary>
    internal TaskHooks[] TaskHooks { get; set; } = [];

    /// <summary>How network namespaces are made; the network core sets it when the machine boots.</summary>
    internal ProcNsOperations? NetNsOperations { get; set; }

    /// <summary>What programs asked for that Linnet lacks.</summary>
    public UnsupportedRequests Unsupported { get; } = new();

    /// <summary>State of subsystems that belong to the whole machine.</summary>
    public SlotTable Slots { get; } = new();

    /// <summary>The calling thread's waiter.</summary>
    public ThreadWaiter ThreadWaiter
    {
        get
        {
            if (threadWaiter is not { } mine || mine.Scheduler != Scheduler)
                threadWaiter = mine = (Scheduler, Scheduler.CreateWaiter());
            return mine.Waiter;
        }
    }

    /// <summary>Enters the kernel on the calling thread without a task, as an interrupt does.</summary>
    public KernelEntry Enter() => new(this, null);

    internal uint AllocateNamespaceNumber() => Interlocked.Increment(ref namespaceNumbers) - 1;
}

/// <summary>What a subsystem does when tasks are made and end, with what it keeps for them.</summary>
internal abstract class TaskHooks
{
    /// <summary>A task is made.</summary>
    /// <returns>0, or a negative errno that ends the making.</returns>
    public virtual int Alloc(TaskStruct parent, TaskStruct child, ulong cloneFlags) => 0;

    /// <summary>A task stops sharing with others.</summary>
    public virtual void Unshare(TaskStruct task, ulong flags)
    {
    }

    /// <summary>A task is gone.</summary>
    public abstract void Free(TaskStruct task);
}
