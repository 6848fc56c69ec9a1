using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// The transport side of a protocol (<c>struct proto</c>): what the address family's socket operations call. One singleton
/// for each protocol. No operation waits: what cannot be done now answers -EAGAIN (or -EINPROGRESS for a connect), and
/// the socket layer waits and asks again.
/// </summary>
[LinuxStruct("proto")]
public abstract class Proto
{
    /// <summary>Name in <c>/proc/net/protocols</c>, as <c>TCP</c>.</summary>
    public abstract string Name { get; }

    /// <summary>The module that the protocol is in, or null when it is built in.</summary>
    public virtual Module? Owner => null;

    /// <summary>Makes the protocol's kind of sock, not initialised (<c>sk_prot_alloc</c>).</summary>
    public abstract Sock AllocSock();

    /// <summary>Sets up a new sock (<c>init</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    public virtual int Init(Sock sk) => 0;

    /// <summary>Frees what the protocol holds (<c>destroy</c>).</summary>
    public virtual void Destroy(Sock sk)
    {
    }

    /// <summary>The user closes the socket (<c>close</c>).</summary>
    /// <param name="sk">The socket, not locked.</param>
    /// <param name="timeout">Longest time to linger, in ns.</param>
    public abstract void Close(Sock sk, long timeout);

    /// <summary>Connects to <paramref name="addr"/>, a sockaddr of the family (<c>connect</c>); socket owned.</summary>
    public virtual int Connect(Sock sk, ReadOnlySpan<byte> addr) => -EOPNOTSUPP;

    /// <summary>Undoes a connect (<c>disconnect</c>); socket owned.</summary>
    public virtual int Disconnect(Sock sk, int flags) => -EOPNOTSUPP;

    /// <summary>Takes a connection off the listener's queue (<c>accept</c>); -EAGAIN when there is none.</summary>
    public virtual int Accept(Sock sk, int flags, bool kern, out Sock? newsk)
    {
        newsk = null;
        return -EOPNOTSUPP;
    }

    /// <summary>Protocol's own requests (<c>ioctl</c>).</summary>
    /// <returns>0 or more, -ENOIOCTLCMD for what it does not know, or another negative errno.</returns>
    public virtual int Ioctl(Sock sk, uint cmd, Sockptr arg) => -ENOIOCTLCMD;

    /// <summary>Shuts one or both halves (<c>shutdown</c>); socket owned.</summary>
    public virtual void Shutdown(Sock sk, int how)
    {
    }

    /// <summary>Sets an option of the protocol's or the network layer's level (<c>setsockopt</c>).</summary>
    public virtual int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) => -ENOPROTOOPT;

    /// <summary>Reads an option (<c>getsockopt</c>).</summary>
    public virtual int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) => -ENOPROTOOPT;

    /// <summary>Keepalive was switched (<c>keepalive</c>).</summary>
    public virtual void Keepalive(Sock sk, bool on)
    {
    }

    /// <summary>Sends as much as fits (<c>sendmsg</c>).</summary>
    /// <returns>Bytes taken from the message's iterator, or a negative errno.</returns>
    public virtual long Sendmsg(Sock sk, MsgHdr msg, long size) => -EOPNOTSUPP;

    /// <summary>Receives what is there (<c>recvmsg</c>).</summary>
    /// <param name="sk">The socket, not locked.</param>
    /// <param name="msg">Where the data, the address and control data go.</param>
    /// <param name="size">Bytes wanted.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <returns>Bytes, 0 at the end of a stream, or a negative errno.</returns>
    public virtual long Recvmsg(Sock sk, MsgHdr msg, long size, int flags) => -EOPNOTSUPP;

    /// <summary>The splice that fed the socket ended (<c>splice_eof</c>).</summary>
    public virtual void SpliceEof(Sock sk)
    {
    }

    /// <summary>Binds to a local address (<c>bind</c>), for protocols that do it themselves.</summary>
    public virtual int Bind(Sock sk, ReadOnlySpan<byte> addr) => -EOPNOTSUPP;

    /// <summary>Whether <see cref="Bind"/> replaces the family's bind.</summary>
    public virtual bool HasBind => false;

    /// <summary>Processes a packet from the backlog (<c>backlog_rcv</c>); socket owned. Takes over the packet.</summary>
    public virtual int BacklogRcv(Sock sk, SkBuff skb) => throw new BugException($"{Name} has no backlog");

    /// <summary>Whether sending on an unbound socket does not bind it first (<c>no_autobind</c>).</summary>
    public virtual bool NoAutobind => false;

    /// <summary>Does what was deferred while the socket was owned (<c>release_cb</c>); spin lock held.</summary>
    public virtual void ReleaseCb(Sock sk)
    {
    }

    /// <summary>Enters the tables by which packets find the socket (<c>hash</c>).</summary>
    public virtual int Hash(Sock sk) => 0;

    /// <summary>Leaves them (<c>unhash</c>).</summary>
    public virtual void Unhash(Sock sk)
    {
    }

    /// <summary>The local address changed after binding (<c>rehash</c>).</summary>
    public virtual void Rehash(Sock sk)
    {
    }

    /// <summary>Reserves a local port (<c>get_port</c>); 0 picks one.</summary>
    /// <returns>0, or non-zero when the port is taken.</returns>
    public virtual int GetPort(Sock sk, ushort port) => 0;

    /// <summary>Gives the local port back (<c>put_port</c>).</summary>
    public virtual void PutPort(Sock sk)
    {
    }

    /// <summary>Memory pressure counters that are shared by all sockets of the protocol.</summary>
    public virtual ProtoMemory? MemoryOf(NetNamespace net) => null;

    /// <summary>Receive memory that every socket may have even when memory is short, in bytes (<c>sysctl_rmem[0]</c>).</summary>
    public virtual int SysctlRmem0(NetNamespace net) => 4096;

    /// <summary>Send memory that every socket may have even when memory is short, in bytes (<c>sysctl_wmem[0]</c>).</summary>
    public virtual int SysctlWmem0(NetNamespace net) => 4096;

    /// <summary>Whether a stream that has room in its send buffer may queue more (<c>stream_memory_free</c>).</summary>
    /// <param name="sk">The socket.</param>
    /// <param name="wake">1 when asked in order to wake a writer, 0 when a writer asks.</param>
    public virtual bool StreamMemoryFree(Sock sk, int wake) => true;

    /// <summary>Bytes that packets are made with for all headers (<c>max_header</c>).</summary>
    public virtual int MaxHeader => 0;

    /// <summary>The operations that the protocol has, for <c>/proc/net/protocols</c>.</summary>
    public virtual ProtoOperations Operations => ProtoOperations.None;

    /// <summary>How many sockets of a namespace packets can find (<c>sock_prot_inuse_get</c>).</summary>
    public virtual int InuseGet(NetNamespace net) => 0;

    /// <summary>Pages that all sockets have charged, or -1 when they are not counted (<c>memory_allocated</c>).</summary>
    public virtual long MemoryAllocated(NetNamespace net) => MemoryOf(net)?.Allocated ?? -1;

    /// <summary>Stops a connection with an error (<c>diag_destroy</c>).</summary>
    public virtual int DiagDestroy(Sock sk, int err) => -EOPNOTSUPP;
}

/// <summary>Memory that all sockets of a protocol have charged, in pages of 4096 bytes; atomic.</summary>
public sealed class ProtoMemory
{
    /// <summary>Pages charged (<c>memory_allocated</c>).</summary>
    public long Allocated;

    /// <summary>Sockets in use (<c>sockets_allocated</c>).</summary>
    public int SocketsAllocated;

    /// <summary>Whether usage is above the pressure mark (<c>memory_pressure</c>).</summary>
    public volatile bool Pressure;

    /// <summary>Called when memory becomes short, in the namespace of the socket that noticed (for its counters).</summary>
    public Action<NetNamespace>? EnteredPressure;

    /// <summary>Low, pressure and high marks in pages, as <c>net.ipv4.tcp_mem</c>.</summary>
    public long[] Limits = [long.MaxValue, long.MaxValue, long.MaxValue];
}
