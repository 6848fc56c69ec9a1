using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Security;

/// <summary>
/// A security module: asked before each operation on a socket, it answers 0 to let it pass or a negative errno to refuse
/// it. Modules are stacked: the first refusal ends the walk, and a later module is not asked (Linux's
/// <c>union security_list_options</c>).
/// </summary>
/// <remarks>
/// Hooks run in the calling task (<see cref="TaskStruct.Current"/>), without socket locks, from any thread. They must not
/// wait. Sockets that the kernel makes for itself pass here too, with <c>kern</c> set and perhaps without a task.
/// </remarks>
public abstract class SecurityModule
{
    /// <summary>The module's name, as in <c>/sys/kernel/security/lsm</c>.</summary>
    public abstract string Name { get; }

    /// <summary>Before a socket is made (<c>socket_create</c>).</summary>
    public virtual int SocketCreate(Machine machine, int family, int type, int protocol, bool kern) => 0;

    /// <summary>After it was made; a refusal releases it again (<c>socket_post_create</c>).</summary>
    public virtual int SocketPostCreate(Socket sock, int family, int type, int protocol, bool kern) => 0;

    /// <summary>Before two sockets are connected to each other (<c>socket_socketpair</c>).</summary>
    public virtual int SocketSocketpair(Socket sock1, Socket sock2) => 0;

    /// <summary>Before a local address is taken (<c>socket_bind</c>).</summary>
    public virtual int SocketBind(Socket sock, ReadOnlySpan<byte> address) => 0;

    /// <summary>Before a connection is begun (<c>socket_connect</c>).</summary>
    public virtual int SocketConnect(Socket sock, ReadOnlySpan<byte> address) => 0;

    /// <summary>Before a socket begins to listen (<c>socket_listen</c>).</summary>
    public virtual int SocketListen(Socket sock, int backlog) => 0;

    /// <summary>Before a connection is accepted; <paramref name="newsock"/> has no sock yet (<c>socket_accept</c>).</summary>
    public virtual int SocketAccept(Socket sock, Socket newsock) => 0;

    /// <summary>Before a message is sent (<c>socket_sendmsg</c>).</summary>
    public virtual int SocketSendmsg(Socket sock, MsgHdr msg, long size) => 0;

    /// <summary>Before a message is received (<c>socket_recvmsg</c>).</summary>
    public virtual int SocketRecvmsg(Socket sock, MsgHdr msg, long size, int flags) => 0;

    /// <summary>Before the local address is told (<c>socket_getsockname</c>).</summary>
    public virtual int SocketGetsockname(Socket sock) => 0;

    /// <summary>Before the peer's address is told (<c>socket_getpeername</c>).</summary>
    public virtual int SocketGetpeername(Socket sock) => 0;

    /// <summary>Before an option is read (<c>socket_getsockopt</c>).</summary>
    public virtual int SocketGetsockopt(Socket sock, int level, int optname) => 0;

    /// <summary>Before an option is set (<c>socket_setsockopt</c>).</summary>
    public virtual int SocketSetsockopt(Socket sock, int level, int optname) => 0;

    /// <summary>Before a half is shut (<c>socket_shutdown</c>).</summary>
    public virtual int SocketShutdown(Socket sock, int how) => 0;

    /// <summary>Before a packet enters a sock's queue (<c>socket_sock_rcv_skb</c>); runs in softirq.</summary>
    public virtual int SocketSockRcvSkb(Sock sk, SkBuff skb) => 0;

    /// <summary>A sock is made (<c>sk_alloc_security</c>); a refusal fails it for want of memory.</summary>
    public virtual int SkAllocSecurity(Sock sk, int family) => 0;

    /// <summary>A sock is freed (<c>sk_free_security</c>).</summary>
    public virtual void SkFreeSecurity(Sock sk)
    {
    }

    /// <summary>A sock is copied for a connection (<c>sk_clone_security</c>).</summary>
    public virtual void SkCloneSecurity(Sock sk, Sock newsk)
    {
    }

    /// <summary>A socket's inode is freed (<c>inode_free_security</c>).</summary>
    public virtual void InodeFreeSecurity(Socket sock)
    {
    }

    /// <summary>A task is made (<c>task_alloc</c>).</summary>
    public virtual int TaskAlloc(TaskStruct task, ulong cloneFlags) => 0;

    /// <summary>A task is gone (<c>task_free</c>).</summary>
    public virtual void TaskFree(TaskStruct task)
    {
    }

    /// <summary>Before a signal is sent to <paramref name="target"/> (<c>task_kill</c>).</summary>
    public virtual int TaskKill(TaskStruct target, int signal) => 0;
}
