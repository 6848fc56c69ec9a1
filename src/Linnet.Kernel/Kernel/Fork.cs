using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>How tasks come and go, and what they stop sharing (<c>kernel/fork.c</c>, <c>kernel/exit.c</c>).</summary>
[LinuxFile("kernel/fork.c")]
public static class Fork
{
    private const ulong UnshareFlags = CLONE_THREAD | CLONE_FS | CLONE_NEWNS | CLONE_SIGHAND | CLONE_VM | CLONE_FILES
        | CLONE_SYSVSEM | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWNET | CLONE_NEWUSER | CLONE_NEWPID | CLONE_NEWCGROUP
        | CLONE_NEWTIME;

    /// <summary>Makes a child of the task (<c>clone</c>): same program, memory and credentials, new namespaces where asked for.</summary>
    /// <param name="parent">The calling task.</param>
    /// <param name="flags"><c>CLONE_*</c>: CLONE_FILES shares the descriptors, CLONE_NEW* make namespaces.</param>
    /// <param name="child">The child, or null.</param>
    /// <returns>0, or a negative errno with nothing left of the child.</returns>
    [Linux("copy_process")]
    public static int CopyProcess(TaskStruct parent, ulong flags, out TaskStruct? child)
    {
        child = null;
        Cred cred = parent.Cred;
        if ((flags & CLONE_NEWUSER) != 0)
            cred = CreateUserNs(cred);
        int err = Nsproxy.CopyNamespaces(flags, parent, cred, out Nsproxy? nsproxy);
        if (err < 0)
            return err;
        TaskStruct made = new(parent.Machine, parent.Comm, cred, nsproxy!)
        {
            ExePath = parent.ExePath,
            Mm = parent.Mm,
            IgnoredSignals = parent.IgnoredSignals,
            BlockedSignals = parent.BlockedSignals,
        };
        // The task took a reference of its own.
        nsproxy!.Put();
        err = CopyParts(parent, made, flags);
        if (err < 0)
            made.Nsproxy.Put();
        else
            child = made;
        return err;
    }

    // The parts that other subsystems keep for a task, in order; a refusal takes those before it back.
    private static int CopyParts(TaskStruct parent, TaskStruct child, ulong flags)
    {
        TaskHooks[] hooks = parent.Machine.TaskHooks;
        for (int i = 0; i < hooks.Length; i++)
        {
            int err = hooks[i].Alloc(parent, child, flags);
            if (err >= 0)
                continue;
            while (--i >= 0)
                hooks[i].Free(child);
            return err;
        }

        return 0;
    }

    /// <summary>Ends a task (<c>do_exit</c>): its descriptors are closed and its namespaces let go.</summary>
    [Linux("do_exit", "kernel/exit.c")]
    public static void DoExit(TaskStruct task)
    {
        foreach (TaskHooks hooks in task.Machine.TaskHooks.Reverse())
            hooks.Free(task);
        task.Nsproxy.Put();
    }

    /// <summary>Stops sharing with other tasks (<c>ksys_unshare</c>).</summary>
    /// <returns>0; -EINVAL for flags that cannot be unshared; -EPERM; or what making a namespace answered.</returns>
    [Linux("ksys_unshare")]
    public static int KsysUnshare(TaskStruct task, ulong flags)
    {
        // A new user namespace needs a thread group and file system of its own; a single task has both.
        if ((flags & ~UnshareFlags) != 0)
            return -EINVAL;
        Cred? cred = (flags & CLONE_NEWUSER) != 0 ? CreateUserNs(task.Cred) : null;
        int err = Nsproxy.UnshareNsproxyNamespaces(flags, task, cred, out Nsproxy? proxy);
        if (err < 0)
            return err;
        foreach (TaskHooks hooks in task.Machine.TaskHooks)
            hooks.Unshare(task, flags);
        if (proxy != null)
            Nsproxy.SwitchTaskNamespaces(task, proxy);
        if (cred != null)
            task.Cred = cred;
        return 0;
    }

    // Its maker has every capability in a new user namespace, and none in the old one.
    [Linux("create_user_ns", "kernel/user_namespace.c")]
    private static Cred CreateUserNs(Cred cred)
    {
        UserNamespace made = new(cred.UserNs.Machine, cred.UserNs, cred.Euid);
        return Cred.Root(made) with { Uid = cred.Uid, Gid = cred.Gid, Euid = cred.Euid, Egid = cred.Egid, Groups = cred.Groups };
    }
}
