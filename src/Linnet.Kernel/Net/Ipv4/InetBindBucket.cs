using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A local port in use (<c>struct inet_bind_bucket</c>). It remembers what its sockets have in common, so that most binds
/// need not look at them. Guarded by its chain's lock in the bind table.
/// </summary>
[LinuxStruct("inet_bind_bucket")]
public sealed class InetBindBucket(NetNamespace net, ushort port)
{
    /// <summary>The namespace.</summary>
    public readonly NetNamespace IbNet = net;

    /// <summary>The port.</summary>
    public readonly ushort Port = port;

    /// <summary>
    /// Whether all sockets have <c>SO_REUSEADDR</c> and do not listen: 1 yes, 0 no, -1 the port was taken by connects and
    /// cannot be bound.
    /// </summary>
    public sbyte Fastreuse;

    /// <summary>Whether all have <c>SO_REUSEPORT</c>, <c>FASTREUSEPORT_*</c>.</summary>
    public sbyte Fastreuseport;

    /// <summary>The user of the sockets, for <see cref="Fastreuseport"/>.</summary>
    public uint Fastuid;

    /// <summary>The address of the sockets, for <see cref="Fastreuseport"/>.</summary>
    public uint FastRcvSaddr;

    /// <summary>Next in the chain.</summary>
    public InetBindBucket? Next;

    /// <summary>The buckets of the addresses that use the port.</summary>
    public InetBind2Bucket? Bhash2;
}

/// <summary>
/// A local address and port in use (<c>struct inet_bind2_bucket</c>), and the sockets on it. Guarded by its port's chain
/// lock and by its own chain's.
/// </summary>
[LinuxStruct("inet_bind2_bucket")]
public sealed class InetBind2Bucket(InetBindBucket tb, uint rcvSaddr)
{
    /// <summary>The port's bucket.</summary>
    public readonly InetBindBucket Tb = tb;

    /// <summary>The local address; 0 for any.</summary>
    public readonly uint RcvSaddr = rcvSaddr;

    /// <summary>As <see cref="InetBindBucket.Fastreuse"/>, of the sockets on this address.</summary>
    public sbyte Fastreuse;

    /// <summary>As <see cref="InetBindBucket.Fastreuseport"/>, of the sockets on this address.</summary>
    public sbyte Fastreuseport;

    /// <summary>Hash of namespace, address and port.</summary>
    public uint Hash;

    /// <summary>Next in the chain of the table.</summary>
    public InetBind2Bucket? Next;

    /// <summary>Next among the port's buckets.</summary>
    public InetBind2Bucket? BhashNext;

    /// <summary>First of the sockets, TIME_WAIT ones too; linked by <see cref="SockCommon.SkcBindNext"/>.</summary>
    public SockCommon? Owners;

    /// <summary>Adds a socket (<c>sk_add_bind_node</c>).</summary>
    public void AddOwner(SockCommon sk)
    {
        sk.SkcBindPrev = null;
        sk.SkcBindNext = Owners;
        if (Owners != null)
            Owners.SkcBindPrev = sk;
        Owners = sk;
    }

    /// <summary>Removes a socket (<c>__sk_del_bind_node</c>).</summary>
    public void RemoveOwner(SockCommon sk)
    {
        if (sk.SkcBindPrev != null)
            sk.SkcBindPrev.SkcBindNext = sk.SkcBindNext;
        else
            Owners = sk.SkcBindNext;
        if (sk.SkcBindNext != null)
            sk.SkcBindNext.SkcBindPrev = sk.SkcBindPrev;
        sk.SkcBindNext = sk.SkcBindPrev = null;
    }
}
