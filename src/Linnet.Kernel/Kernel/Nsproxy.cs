using Linnet.Kernel.Trace;

namespace Linnet.Kernel;

/// <summary>
/// The namespaces of a task (<c>struct nsproxy</c>), shared by tasks that share all of them. It is immutable: a task that
/// unshares one gets a new proxy, so that readers need no lock. Each proxy holds a reference to each of its namespaces.
/// </summary>
[LinuxStruct("nsproxy")]
[LinuxFile("kernel/nsproxy.c")]
public sealed class Nsproxy
{
    /// <summary>The clone flags that ask for new namespaces of a proxy.</summary>
    public const int NamespaceFlags = CLONE_NEWNS | CLONE_NEWUTS | CLONE_NEWIPC | CLONE_NEWPID | CLONE_NEWNET
        | CLONE_NEWCGROUP | CLONE_NEWTIME;

    private int count = 1;

    /// <summary>A proxy that takes over the caller's reference to each namespace.</summary>
    public Nsproxy(
        UtsNamespace utsNs,
        IpcNamespace ipcNs,
        MntNamespace mntNs,
        PidNamespace pidNsForChildren,
        NsCommon netNsCommon,
        TimeNamespace timeNs,
        TimeNamespace timeNsForChildren,
        CgroupNamespace cgroupNs)
    {
        UtsNs = utsNs;
        IpcNs = ipcNs;
        MntNs = mntNs;
        PidNsForChildren = pidNsForChildren;
        NetNsCommon = netNsCommon;
        TimeNs = timeNs;
        TimeNsForChildren = timeNsForChildren;
        CgroupNs = cgroupNs;
    }

    /// <summary>Host and domain name.</summary>
    public UtsNamespace UtsNs { get; }

    /// <summary>System V IPC and message queues.</summary>
    public IpcNamespace IpcNs { get; }

    /// <summary>Mounts.</summary>
    public MntNamespace MntNs { get; }

    /// <summary>Where the process numbers of children come from; the task's own were given out when it was made.</summary>
    public PidNamespace PidNsForChildren { get; }

    /// <summary>The network namespace (<c>net_ns</c>), whose type the kernel core does not know.</summary>
    public NsCommon NetNsCommon { get; }

    /// <summary>Clock offsets.</summary>
    public TimeNamespace TimeNs { get; }

    /// <summary>Clock offsets of children.</summary>
    public TimeNamespace TimeNsForChildren { get; }

    /// <summary>Visible root of the control groups.</summary>
    public CgroupNamespace CgroupNs { get; }

    /// <summary>How many tasks hold the proxy.</summary>
    public int Count => Volatile.Read(ref count);

    /// <summary>Takes a reference (<c>get_nsproxy</c>).</summary>
    public Nsproxy Get()
    {
        Interlocked.Increment(ref count);
        return this;
    }

    /// <summary>Gives a reference back; the last one lets go of the namespaces (<c>put_nsproxy</c>).</summary>
    public void Put()
    {
        int left = Interlocked.Decrement(ref count);
        Bug.On(left < 0);
        if (left == 0)
            FreeNsproxy();
    }

    /// <summary>The first proxy of a machine that boots.</summary>
    internal static Nsproxy Initial(Machine machine, NsCommon net)
    {
        UserNamespace user = machine.InitUserNs;
        TimeNamespace time = new(machine, user);
        time.Get();
        return new Nsproxy(
            new UtsNamespace(machine, user),
            new IpcNamespace(machine, user),
            new MntNamespace(machine, user),
            new PidNamespace(machine, user, parent: null),
            net,
            time,
            time,
            new CgroupNamespace(machine, user));
    }

    /// <summary>The namespaces of a child that is cloned with <paramref name="flags"/> (<c>copy_namespaces</c>).</summary>
    /// <returns>0; -EPERM without CAP_SYS_ADMIN over the user namespace; -EINVAL; or what making a namespace answered.</returns>
    [Linux("copy_namespaces")]
    public static int CopyNamespaces(ulong flags, TaskStruct parent, Cred childCred, out Nsproxy? copy)
    {
        Nsproxy old = parent.Nsproxy;
        copy = null;
        if ((flags & NamespaceFlags) == 0 && old.TimeNsForChildren == old.TimeNs)
        {
            copy = old.Get();
            return 0;
        }

        if ((flags & NamespaceFlags) != 0 && !childCred.HasCapability(childCred.UserNs, CAP_SYS_ADMIN))
            return -EPERM;
        // A child of a new IPC namespace cannot inherit System V undo lists.
        if ((flags & (CLONE_NEWIPC | CLONE_SYSVSEM)) == (CLONE_NEWIPC | CLONE_SYSVSEM))
            return -EINVAL;
        return CreateNewNamespaces(flags, old, childCred.UserNs, forChild: true, out copy);
    }

    /// <summary>The namespaces that a task has after <c>unshare</c> (<c>unshare_nsproxy_namespaces</c>).</summary>
    [Linux("unshare_nsproxy_namespaces")]
    public static int UnshareNsproxyNamespaces(ulong unshareFlags, TaskStruct task, Cred? newCred, out Nsproxy? proxy)
    {
        proxy = null;
        if ((unshareFlags & NamespaceFlags) == 0)
            return 0;
        Cred cred = newCred ?? task.Cred;
        if (!cred.HasCapability(cred.UserNs, CAP_SYS_ADMIN))
            return -EPERM;
        return CreateNewNamespaces(unshareFlags, task.Nsproxy, cred.UserNs, forChild: false, out proxy);
    }

    /// <summary>Gives a task other namespaces and lets go of those that it had (<c>switch_task_namespaces</c>).</summary>
    [Linux("switch_task_namespaces")]
    public static void SwitchTaskNamespaces(TaskStruct task, Nsproxy proxy)
    {
        Nsproxy old = task.Nsproxy;
        task.Nsproxy = proxy;
        old.Put();
    }

    /// <summary>Moves the current task into a namespace (<c>setns</c>); the descriptor was looked up already.</summary>
    /// <param name="task">The task.</param>
    /// <param name="ns">The namespace.</param>
    /// <param name="nstype">The <c>CLONE_NEW*</c> flag that the caller expects, or 0.</param>
    /// <returns>0; -EINVAL when the type differs; -EPERM without CAP_SYS_ADMIN over it and in the task's own user namespace.</returns>
    [Linux("__x64_sys_setns")]
    public static int Setns(TaskStruct task, NsCommon ns, int nstype)
    {
        if (nstype != 0 && nstype != ns.CloneFlag)
            return -EINVAL;
        if (ns is UserNamespace user)
            return UsernsInstall(task, user);
        if (!task.NsCapable(ns.UserNs, CAP_SYS_ADMIN) || !task.NsCapable(task.Cred.UserNs, CAP_SYS_ADMIN))
            return -EPERM;
        Nsproxy old = task.Nsproxy;
        Nsproxy proxy = Compose(
            Pick(old.UtsNs, ns),
            Pick(old.IpcNs, ns),
            Pick(old.MntNs, ns),
            Pick(old.PidNsForChildren, ns),
            ns.CloneFlag == CLONE_NEWNET ? ns : old.NetNsCommon,
            Pick(old.TimeNs, ns),
            Pick(old.TimeNsForChildren, ns),
            Pick(old.CgroupNs, ns));
        SwitchTaskNamespaces(task, proxy);
        return 0;
    }

    [Linux("userns_install", "kernel/user_namespace.c")]
    private static int UsernsInstall(TaskStruct task, UserNamespace user)
    {
        if (user == task.Cred.UserNs)
            return -EINVAL;
        if (!task.NsCapable(user, CAP_SYS_ADMIN))
            return -EPERM;
        task.Cred = Cred.Root(user) with { Uid = task.Cred.Uid, Gid = task.Cred.Gid, Euid = task.Cred.Euid, Egid = task.Cred.Egid };
        return 0;
    }

    [Linux("create_new_namespaces")]
    private static int CreateNewNamespaces(ulong flags, Nsproxy old, UserNamespace userNs, bool forChild, out Nsproxy? proxy)
    {
        Machine machine = userNs.Machine;
        proxy = null;
        NsCommon net = old.NetNsCommon;
        // The one that can fail is made first, so that nothing has to be taken back.
        if ((flags & CLONE_NEWNET) != 0)
        {
            int err = machine.NetNsOperations!.Copy(userNs, out NsCommon? made);
            if (err < 0)
                return err;
            net = made!;
        }

        TimeNamespace forChildren = (flags & CLONE_NEWTIME) != 0
            ? new TimeNamespace(machine, userNs) { MonotonicOffset = old.TimeNsForChildren.MonotonicOffset }
            : old.TimeNsForChildren;
        proxy = Compose(
            (flags & CLONE_NEWUTS) != 0 ? old.UtsNs.Copy(userNs) : old.UtsNs,
            (flags & CLONE_NEWIPC) != 0 ? new IpcNamespace(machine, userNs) : old.IpcNs,
            (flags & CLONE_NEWNS) != 0 ? new MntNamespace(machine, userNs) : old.MntNs,
            (flags & CLONE_NEWPID) != 0 ? new PidNamespace(machine, userNs, old.PidNsForChildren) : old.PidNsForChildren,
            net,
            forChild ? forChildren : old.TimeNs,
            forChildren,
            (flags & CLONE_NEWCGROUP) != 0 ? new CgroupNamespace(machine, userNs, old.CgroupNs.Root) : old.CgroupNs);
        ReleaseMadeHere(proxy, old);
        return 0;
    }

    private static Nsproxy Compose(
        UtsNamespace uts, IpcNamespace ipc, MntNamespace mnt, PidNamespace pid, NsCommon net, TimeNamespace time,
        TimeNamespace timeForChildren, CgroupNamespace cgroup)
    {
        Nsproxy proxy = new(uts, ipc, mnt, pid, net, time, timeForChildren, cgroup);
        foreach (NsCommon ns in proxy.All())
            ns.Get();
        return proxy;
    }

    // Compose took a reference to each; those that were made for the proxy had their maker's too.
    private static void ReleaseMadeHere(Nsproxy proxy, Nsproxy old)
    {
        HashSet<NsCommon> made = [.. proxy.All()];
        made.ExceptWith(old.All());
        foreach (NsCommon ns in made)
            ns.Put();
    }

    private static T Pick<T>(T current, NsCommon wanted)
        where T : NsCommon => wanted as T ?? current;

    private IEnumerable<NsCommon> All() =>
        [UtsNs, IpcNs, MntNs, PidNsForChildren, NetNsCommon, TimeNs, TimeNsForChildren, CgroupNs];

    [Linux("free_nsproxy")]
    private void FreeNsproxy()
    {
        foreach (NsCommon ns in All())
            ns.Put();
    }
}

/// <summary>How namespaces of one kind are made (<c>struct proc_ns_operations</c>), for kinds that the kernel core does not know.</summary>
[LinuxStruct("proc_ns_operations")]
internal abstract class ProcNsOperations
{
    /// <summary>Makes a namespace that <paramref name="userNs"/> owns; the caller holds the only reference.</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int Copy(UserNamespace userNs, out NsCommon? copy);
}
