using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// A task (<c>struct task_struct</c>): who makes a system call. It holds credentials, namespaces, limits and pending
/// signals; its descriptor table and other state of subsystems are in <see cref="Slots"/>.
/// </summary>
[LinuxStruct("task_struct")]
public sealed class TaskStruct
{
    private ulong pendingSignals;
    private ThreadWaiter? sleeping;

    /// <summary>Makes a task; it does nothing until a thread enters the kernel with it.</summary>
    /// <param name="machine">The machine that it belongs to.</param>
    /// <param name="comm">The program's name, at most 15 bytes as in Linux.</param>
    /// <param name="cred">Credentials.</param>
    /// <param name="nsproxy">Namespaces; the task takes a reference of its own.</param>
    public TaskStruct(Machine machine, string comm, Cred cred, Nsproxy nsproxy)
    {
        Machine = machine;
        Comm = comm.Length > 15 ? comm[..15] : comm;
        Cred = cred;
        Nsproxy = nsproxy.Get();
        Pid = nsproxy.PidNsForChildren.AllocPid(this);
    }

    /// <summary>The task of the calling thread (<c>current</c>); only inside of <see cref="Enter"/>.</summary>
    /// <exception cref="BugException">The thread is in no task: a timer or packet handler that asks for one.</exception>
    public static TaskStruct Current => Cpu.This.Task ?? throw new BugException("no current task");

    /// <summary>The machine that the task belongs to.</summary>
    public Machine Machine { get; }

    /// <summary>The task's number, unique in its PID namespace.</summary>
    public int Pid { get; }

    /// <summary>The process that the task stands for where it is another kernel's, by its number there; 0 for none.</summary>
    public int PidOutside { get; set; }

    /// <summary>
    /// Whether it is no program's, but makes calls for the machine itself (<c>PF_KTHREAD</c>); what it starts is a program's again.
    /// </summary>
    public bool IsKthread { get; set; }

    /// <summary>The program's name, at most 15 characters.</summary>
    public string Comm { get; set; }

    /// <summary>Path of the program, where one is known; what policies match beside <see cref="Comm"/>.</summary>
    public string? ExePath { get; set; }

    /// <summary>Credentials.</summary>
    public Cred Cred { get; set; }

    /// <summary>Namespaces.</summary>
    public Nsproxy Nsproxy { get; set; }

    /// <summary>Where the pointers of the task's system calls lead.</summary>
    public MmStruct? Mm { get; set; }

    /// <summary>Whether the running system call is one of the 32-bit interface, whose structures are narrower.</summary>
    public bool InCompatSyscall { get; internal set; }

    /// <summary>State of other subsystems (descriptors, resource limits, security).</summary>
    public SlotTable Slots { get; } = new();

    /// <summary>Signals that the task ignores; a bit for each, bit 0 for signal 1.</summary>
    public ulong IgnoredSignals { get; set; }

    /// <summary>Signals that wait until the task lets them in again; a bit for each, bit 0 for signal 1 (<c>blocked</c>).</summary>
    public ulong BlockedSignals { get; set; }

    /// <summary>
    /// The mask that <see cref="BlockedSignals"/> returns to once the signal that ended a call with a mask of its own
    /// (<c>ppoll</c>, <c>pselect6</c>, <c>epoll_pwait</c>) was taken (<c>saved_sigmask</c>).
    /// </summary>
    internal ulong? SavedSigmask { get; set; }

    /// <summary>Whether a signal waits to be handled, so that blocking calls end with EINTR (<c>signal_pending</c>).</summary>
    public bool SignalPending => (Volatile.Read(ref pendingSignals) & ~BlockedSignals) != 0;

    /// <summary>
    /// Whether a descriptor of the task's stands for a network namespace, where another kernel keeps its descriptors.
    /// </summary>
    public Func<int, bool>? IsForeignNetNs { get; set; }

    /// <summary>Called, outside of locks, when a signal is sent to the task.</summary>
    public Action<int>? SignalSent { get; set; }

    /// <summary>Enters the kernel as this task on the calling thread.</summary>
    public KernelEntry Enter() => new(Machine, this);

    /// <summary>Whether the task has <paramref name="capability"/> in the initial user namespace (<c>capable</c>).</summary>
    public bool Capable(int capability) => Cred.HasCapability(Machine.InitUserNs, capability);

    /// <summary>Whether the task has <paramref name="capability"/> over <paramref name="userNs"/> (<c>ns_capable</c>).</summary>
    public bool NsCapable(UserNamespace userNs, int capability) => Cred.HasCapability(userNs, capability);

    /// <summary>Sends a signal (<c>send_sig</c>): it ends the task's blocking call unless it is ignored.</summary>
    /// <param name="signal">1 to 64.</param>
    public void SendSignal(int signal)
    {
        if ((IgnoredSignals >> (signal - 1) & 1) != 0)
            return;
        Interlocked.Or(ref pendingSignals, 1UL << (signal - 1));
        Volatile.Read(ref sleeping)?.Signal();
        SignalSent?.Invoke(signal);
    }

    /// <summary>Takes the lowest pending signal that is not blocked, as delivery to the program does.</summary>
    /// <returns>The signal, or 0 when there is none.</returns>
    public int DequeueSignal()
    {
        while (true)
        {
            ulong pending = Volatile.Read(ref pendingSignals);
            ulong deliverable = pending & ~BlockedSignals;
            if (deliverable == 0)
                return 0;
            ulong bit = deliverable & (~deliverable + 1);
            if (Interlocked.CompareExchange(ref pendingSignals, pending & ~bit, pending) != pending)
                continue;
            if (SavedSigmask is { } saved)
            {
                BlockedSignals = saved;
                SavedSigmask = null;
            }

            return System.Numerics.BitOperations.TrailingZeroCount(bit) + 1;
        }
    }

    /// <summary>The calling thread's waiter, by which a signal to this task can wake it.</summary>
    /// <remarks>One thread at a time waits as a task; several threads of a program are several tasks.</remarks>
    public ThreadWaiter BeginWait()
    {
        ThreadWaiter waiter = Machine.ThreadWaiter;

        // A full barrier: either the caller sees a signal that was sent before, or the sender sees the waiter.
        Interlocked.Exchange(ref sleeping, waiter);
        return waiter;
    }

    /// <summary>Ends what <see cref="BeginWait"/> began.</summary>
    public void EndWait() => Volatile.Write(ref sleeping, null);
}
