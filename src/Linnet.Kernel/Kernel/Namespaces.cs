using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>What all namespaces have in common (<c>struct ns_common</c>): an identity and the user namespace that owns them.</summary>
/// <param name="machine">The machine that the namespace belongs to.</param>
/// <param name="userNs">The owning user namespace; null only for the initial user namespace itself.</param>
[LinuxStruct("ns_common")]
public abstract class NsCommon(Machine machine, UserNamespace? userNs)
{
    private int count = 1;

    /// <summary>The machine that the namespace belongs to.</summary>
    public Machine Machine { get; } = machine;

    /// <summary>The user namespace in which capabilities over this one are checked.</summary>
    public UserNamespace UserNs => userNs ?? (UserNamespace)this;

    /// <summary>The number in <c>/proc/PID/ns</c>; unique on the machine.</summary>
    public uint Inum { get; } = machine.AllocateNamespaceNumber();

    /// <summary>The namespace's name in <c>/proc/PID/ns</c>, as <c>net</c>.</summary>
    public abstract string TypeName { get; }

    /// <summary>The <c>CLONE_NEW*</c> flag that asks for a namespace of this kind.</summary>
    public abstract int CloneFlag { get; }

    /// <summary>References: each <see cref="Nsproxy"/> that names the namespace holds one, and open descriptors of it.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Takes a reference.</summary>
    public void Get() => Interlocked.Increment(ref count);

    /// <summary>Gives a reference back; the last one ends the namespace.</summary>
    public void Put()
    {
        int left = Interlocked.Decrement(ref count);
        Bug.On(left < 0);
        if (left == 0)
            Free();
    }

    /// <summary>The last reference is gone.</summary>
    protected virtual void Free()
    {
    }
}

/// <summary>User and capability domain (<c>struct user_namespace</c>).</summary>
[LinuxStruct("user_namespace")]
public sealed class UserNamespace(Machine machine, UserNamespace? parent, uint owner = 0)
    : NsCommon(machine, parent)
{
    /// <summary>The namespace that this one was made in, or null for the initial one.</summary>
    public UserNamespace? Parent { get; } = parent;

    /// <summary>Effective user of the task that made the namespace; it has all capabilities in it.</summary>
    public uint Owner { get; } = owner;

    /// <inheritdoc/>
    public override string TypeName => "user";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWUSER;
}

/// <summary>Host and domain name (<c>struct uts_namespace</c>).</summary>
[LinuxStruct("uts_namespace")]
public sealed class UtsNamespace(Machine machine, UserNamespace userNs) : NsCommon(machine, userNs)
{
    /// <summary>The host's name, at most 64 bytes.</summary>
    public string NodeName { get; set; } = "linnet";

    /// <summary>The NIS domain name, at most 64 bytes.</summary>
    public string DomainName { get; set; } = "(none)";

    /// <summary>A namespace that begins with the same names (<c>clone_uts_ns</c>).</summary>
    public UtsNamespace Copy(UserNamespace owner) => new(Machine, owner) { NodeName = NodeName, DomainName = DomainName };

    /// <inheritdoc/>
    public override string TypeName => "uts";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWUTS;
}

/// <summary>System V IPC and POSIX message queues (<c>struct ipc_namespace</c>); Linnet has none of these, so it is an identity.</summary>
[LinuxStruct("ipc_namespace")]
public sealed class IpcNamespace(Machine machine, UserNamespace userNs) : NsCommon(machine, userNs)
{
    /// <inheritdoc/>
    public override string TypeName => "ipc";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWIPC;
}

/// <summary>Mounts (<c>struct mnt_namespace</c>); Linnet mounts nothing but sockfs and pipefs, so it is an identity.</summary>
[LinuxStruct("mnt_namespace")]
public sealed class MntNamespace(Machine machine, UserNamespace userNs) : NsCommon(machine, userNs)
{
    /// <inheritdoc/>
    public override string TypeName => "mnt";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWNS;
}

/// <summary>Process numbers (<c>struct pid_namespace</c>).</summary>
[LinuxStruct("pid_namespace")]
public sealed class PidNamespace(Machine machine, UserNamespace userNs, PidNamespace? parent)
    : NsCommon(machine, userNs)
{
    private readonly Dictionary<int, WeakReference<TaskStruct>> tasks = [];
    private int last;
    private int pruneAt = 64;

    /// <summary>The namespace that this one was made in, or null for the initial one.</summary>
    public PidNamespace? Parent { get; } = parent;

    /// <inheritdoc/>
    public override string TypeName => "pid";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWPID;

    /// <summary>Gives a task the next process number, under which it is found from now on.</summary>
    [Linux("alloc_pid", "kernel/pid.c")]
    public int AllocPid(TaskStruct task)
    {
        lock (tasks)
        {
            int pid = ++last;
            tasks.Add(pid, new WeakReference<TaskStruct>(task));
            if (tasks.Count >= pruneAt)
                Prune();
            return pid;
        }
    }

    /// <summary>The task with a process number, or null (<c>find_vpid</c>).</summary>
    public TaskStruct? FindTask(int pid)
    {
        lock (tasks)
            return tasks.TryGetValue(pid, out WeakReference<TaskStruct>? found) && found.TryGetTarget(out TaskStruct? task) ? task : null;
    }

    // A task has no end of its own: it is gone when nobody refers to it.
    private void Prune()
    {
        foreach ((int pid, WeakReference<TaskStruct> task) in tasks.ToArray())
        {
            if (!task.TryGetTarget(out _))
                tasks.Remove(pid);
        }

        pruneAt = Math.Max(64, tasks.Count * 2);
    }
}

/// <summary>Offsets of the monotonic and boot clocks (<c>struct time_namespace</c>).</summary>
[LinuxStruct("time_namespace")]
public sealed class TimeNamespace(Machine machine, UserNamespace userNs) : NsCommon(machine, userNs)
{
    /// <summary>Nanoseconds that are added to CLOCK_MONOTONIC for tasks in the namespace.</summary>
    public long MonotonicOffset { get; set; }

    /// <inheritdoc/>
    public override string TypeName => "time";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWTIME;
}

/// <summary>The visible root of the control groups (<c>struct cgroup_namespace</c>).</summary>
[LinuxStruct("cgroup_namespace")]
public sealed class CgroupNamespace(Machine machine, UserNamespace userNs, string root = "/") : NsCommon(machine, userNs)
{
    /// <summary>Path of the control group that tasks in the namespace see as root.</summary>
    public string Root { get; } = root;

    /// <inheritdoc/>
    public override string TypeName => "cgroup";

    /// <inheritdoc/>
    public override int CloneFlag => CLONE_NEWCGROUP;
}
