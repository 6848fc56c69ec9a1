using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A raw IPv4 socket (<c>struct raw_sock</c>); its protocol is its "port".</summary>
[LinuxStruct("raw_sock")]
public sealed class RawSock : InetSock
{
    /// <summary><c>ICMP_FILTER</c>: bit n set drops ICMP messages of type n.</summary>
    public uint Filter;

    /// <summary>Whether the socket has left the table for good. Guarded by the receive queue's lock.</summary>
    internal bool Closed;
}
