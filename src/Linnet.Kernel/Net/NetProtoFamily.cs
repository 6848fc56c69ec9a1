using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <summary>A protocol family, which makes sockets (<c>struct net_proto_family</c>).</summary>
[LinuxStruct("net_proto_family")]
public abstract class NetProtoFamily
{
    /// <summary>The family, <c>PF_*</c>.</summary>
    public abstract int Family { get; }

    /// <summary>The module that the family is in, or null when it is built in.</summary>
    public virtual Module? Owner => null;

    /// <summary>Fills in a new socket: its operations, its <see cref="Sock"/> (<c>create</c>).</summary>
    /// <param name="net">Where the socket is born.</param>
    /// <param name="sock">The socket, with its type set.</param>
    /// <param name="protocol">Protocol; 0 for the type's default.</param>
    /// <param name="kern">Whether the kernel makes it for itself.</param>
    /// <returns>0 or a negative errno.</returns>
    public abstract int Create(NetNamespace net, Socket sock, int protocol, bool kern);
}
