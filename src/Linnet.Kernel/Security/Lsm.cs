using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Security;

/// <summary>
/// The calls from the rest of the kernel into the security modules (<c>security/security.c</c>). Each asks the modules
/// in the order in which they were added; the first refusal is the answer.
/// </summary>
[LinuxFile("security/security.c")]
public static class Lsm
{
    private static readonly StateSlot<ModuleList> Slot = new();

    /// <summary>Makes the empty stack of modules of a machine that boots.</summary>
    [Linux("security_init")]
    internal static void SecurityInit(Machine machine)
    {
        Slot.Set(machine.Slots, new ModuleList());
        machine.TaskHooks = [.. machine.TaskHooks, new SecurityTaskHooks()];
    }

    /// <summary>Puts a module at the end of the stack; from now on it is asked.</summary>
    [Linux("security_add_hooks")]
    public static void SecurityAddHooks(Machine machine, SecurityModule module)
    {
        ModuleList list = Slot.Of(machine.Slots);
        lock (list)
            list.Modules = [.. list.Modules, module];
    }

    /// <summary>Takes a module off the stack, which Linux cannot: policies here belong to tests and experiments.</summary>
    public static void Remove(Machine machine, SecurityModule module)
    {
        ModuleList list = Slot.Of(machine.Slots);
        lock (list)
            list.Modules = [.. list.Modules.Where(other => other != module)];
    }

    /// <summary>The stacked modules, in the order in which they are asked.</summary>
    public static IReadOnlyList<SecurityModule> ModulesOf(Machine machine) => Modules(machine);

    /// <summary>Asks whether a socket may be made.</summary>
    [Linux("security_socket_create")]
    public static int SecuritySocketCreate(Machine machine, int family, int type, int protocol, bool kern)
    {
        foreach (SecurityModule module in Modules(machine))
        {
            int err = module.SocketCreate(machine, family, type, protocol, kern);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether the socket that was made may be handed out.</summary>
    [Linux("security_socket_post_create")]
    public static int SecuritySocketPostCreate(Socket sock, int family, int type, int protocol, bool kern)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketPostCreate(sock, family, type, protocol, kern);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether two sockets may be connected to each other.</summary>
    [Linux("security_socket_socketpair")]
    public static int SecuritySocketSocketpair(Socket sock1, Socket sock2)
    {
        foreach (SecurityModule module in Modules(sock1.Machine))
        {
            int err = module.SocketSocketpair(sock1, sock2);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a socket may take a local address.</summary>
    [Linux("security_socket_bind")]
    public static int SecuritySocketBind(Socket sock, ReadOnlySpan<byte> address)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketBind(sock, address);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a socket may connect.</summary>
    [Linux("security_socket_connect")]
    public static int SecuritySocketConnect(Socket sock, ReadOnlySpan<byte> address)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketConnect(sock, address);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a socket may listen.</summary>
    [Linux("security_socket_listen")]
    public static int SecuritySocketListen(Socket sock, int backlog)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketListen(sock, backlog);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a connection may be accepted.</summary>
    [Linux("security_socket_accept")]
    public static int SecuritySocketAccept(Socket sock, Socket newsock)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketAccept(sock, newsock);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a message may be sent.</summary>
    [Linux("security_socket_sendmsg")]
    public static int SecuritySocketSendmsg(Socket sock, MsgHdr msg, long size)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketSendmsg(sock, msg, size);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a message may be received.</summary>
    [Linux("security_socket_recvmsg")]
    public static int SecuritySocketRecvmsg(Socket sock, MsgHdr msg, long size, int flags)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketRecvmsg(sock, msg, size, flags);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether the local address may be told.</summary>
    [Linux("security_socket_getsockname")]
    public static int SecuritySocketGetsockname(Socket sock)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketGetsockname(sock);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether the peer's address may be told.</summary>
    [Linux("security_socket_getpeername")]
    public static int SecuritySocketGetpeername(Socket sock)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketGetpeername(sock);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether an option may be read.</summary>
    [Linux("security_socket_getsockopt")]
    public static int SecuritySocketGetsockopt(Socket sock, int level, int optname)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketGetsockopt(sock, level, optname);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether an option may be set.</summary>
    [Linux("security_socket_setsockopt")]
    public static int SecuritySocketSetsockopt(Socket sock, int level, int optname)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketSetsockopt(sock, level, optname);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a half may be shut.</summary>
    [Linux("security_socket_shutdown")]
    public static int SecuritySocketShutdown(Socket sock, int how)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
        {
            int err = module.SocketShutdown(sock, how);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a packet may enter a sock's queue.</summary>
    [Linux("security_sock_rcv_skb")]
    public static int SecuritySockRcvSkb(Sock sk, SkBuff skb)
    {
        foreach (SecurityModule module in Modules(sk.Machine))
        {
            int err = module.SocketSockRcvSkb(sk, skb);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Asks whether a signal may be sent.</summary>
    [Linux("security_task_kill")]
    public static int SecurityTaskKill(TaskStruct target, int signal)
    {
        foreach (SecurityModule module in Modules(target.Machine))
        {
            int err = module.TaskKill(target, signal);
            if (err != 0)
                return err;
        }

        return 0;
    }

    /// <summary>Tells the modules of a new sock; those that were told are told of its end when a later one refuses.</summary>
    [Linux("security_sk_alloc")]
    public static int SecuritySkAlloc(Sock sk, int family)
    {
        SecurityModule[] modules = Modules(sk.Machine);
        for (int i = 0; i < modules.Length; i++)
        {
            int err = modules[i].SkAllocSecurity(sk, family);
            if (err == 0)
                continue;
            while (--i >= 0)
                modules[i].SkFreeSecurity(sk);
            return err;
        }

        return 0;
    }

    /// <summary>Tells the modules that a sock is freed.</summary>
    [Linux("security_sk_free")]
    public static void SecuritySkFree(Sock sk)
    {
        foreach (SecurityModule module in Modules(sk.Machine))
            module.SkFreeSecurity(sk);
        sk.SkSecurity = null;
    }

    /// <summary>Tells the modules that <paramref name="newsk"/> was made as a copy of <paramref name="sk"/>.</summary>
    [Linux("security_sk_clone")]
    public static void SecuritySkClone(Sock sk, Sock newsk)
    {
        foreach (SecurityModule module in Modules(sk.Machine))
            module.SkCloneSecurity(sk, newsk);
    }

    /// <summary>Tells the modules that a socket's inode is freed.</summary>
    [Linux("security_inode_free")]
    public static void SecurityInodeFree(Socket sock)
    {
        foreach (SecurityModule module in Modules(sock.Machine))
            module.InodeFreeSecurity(sock);
        sock.Security = null;
    }

    /// <summary>Asks whether a task may be made; those that agreed are told of its end when a later one refuses.</summary>
    [Linux("security_task_alloc")]
    public static int SecurityTaskAlloc(TaskStruct task, ulong cloneFlags)
    {
        SecurityModule[] modules = Modules(task.Machine);
        for (int i = 0; i < modules.Length; i++)
        {
            int err = modules[i].TaskAlloc(task, cloneFlags);
            if (err == 0)
                continue;
            while (--i >= 0)
                modules[i].TaskFree(task);
            return err;
        }

        return 0;
    }

    /// <summary>Tells the modules that a task is gone.</summary>
    [Linux("security_task_free")]
    public static void SecurityTaskFree(TaskStruct task)
    {
        foreach (SecurityModule module in Modules(task.Machine))
            module.TaskFree(task);
    }

    private static SecurityModule[] Modules(Machine machine) => Volatile.Read(ref Slot.Of(machine.Slots).Modules);

    private sealed class SecurityTaskHooks : TaskHooks
    {
        public override int Alloc(TaskStruct parent, TaskStruct child, ulong cloneFlags) =>
            SecurityTaskAlloc(child, cloneFlags);

        public override void Free(TaskStruct task) => SecurityTaskFree(task);
    }

    private sealed class ModuleList
    {
        // Replaced whole under the list's lock, read without it.
        public SecurityModule[] Modules = [];
    }
}
