using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A UDP socket of either internet family (<c>struct udp_sock</c>).</summary>
[LinuxStruct("udp_sock")]
public class UdpSock : InetSock
{
    /// <summary>Hash of namespace and port: where the socket is in the table by port.</summary>
    public uint UdpPortHash;

    /// <summary>Hash of namespace, local address and port: where it is in the table by both.</summary>
    public uint UdpPortaddrHash;

    /// <summary>Family of the datagram that is being put together; 0 when there is none (<c>pending</c>).</summary>
    public int Pending;

    /// <summary>Bytes of that datagram so far, header included.</summary>
    public int Len;

    /// <summary>Payload of each segment (<c>UDP_SEGMENT</c>); 0 for one datagram.</summary>
    public ushort GsoSize;

    /// <summary><c>UDP_CORK</c></summary>
    public bool Corkflag;

    /// <summary><c>UDP_GRO</c></summary>
    public bool GroEnabled;

    /// <summary><c>UDP_NO_CHECK6_TX</c></summary>
    public bool NoCheck6Tx;

    /// <summary><c>UDP_NO_CHECK6_RX</c></summary>
    public bool NoCheck6Rx;

    /// <summary>Whether the socket is in the tables; guarded by the lock of its port's chain.</summary>
    internal bool Hashed;

    /// <summary>
    /// Whether the socket has left the tables for good; no packet is queued to it then. Guarded by the receive queue's
    /// lock.
    /// </summary>
    internal bool Closed;

    /// <summary>Memory that the reader freed but has not given back yet (<c>forward_deficit</c>).</summary>
    internal int ForwardDeficit;
}
