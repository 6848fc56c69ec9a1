using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What <c>socket(AF_INET, type, protocol)</c> becomes (<c>struct inet_protosw</c>).</summary>
/// <param name="Type">Socket type, the first part of the key.</param>
/// <param name="Protocol">Protocol, the second part; <c>IPPROTO_IP</c> takes any.</param>
/// <param name="Prot">The transport's operations.</param>
/// <param name="Ops">The socket's operations.</param>
/// <param name="Flags">What is special.</param>
[LinuxStruct("inet_protosw")]
public sealed record InetProtosw(int Type, int Protocol, Proto Prot, ProtoOps Ops, InetProtoswFlags Flags);

/// <summary>What is special about a protocol (<c>INET_PROTOSW_*</c>).</summary>
[Flags]
public enum InetProtoswFlags
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Its sockets may share their port from birth (<c>INET_PROTOSW_REUSE</c>).</summary>
    Reuse = 1,

    /// <summary>It cannot be overridden or removed (<c>INET_PROTOSW_PERMANENT</c>).</summary>
    Permanent = 2,

    /// <summary>Its sockets are connection-oriented (<c>INET_PROTOSW_ICSK</c>).</summary>
    Icsk = 4,
}
