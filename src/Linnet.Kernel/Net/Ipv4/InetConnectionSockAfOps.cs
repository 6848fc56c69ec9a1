using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What a connection-oriented protocol needs of the network layer under it
/// (<c>struct inet_connection_sock_af_ops</c>): IPv4's and IPv6's answers to the same questions.
/// </summary>
[LinuxStruct("inet_connection_sock_af_ops")]
public abstract class InetConnectionSockAfOps
{
    /// <summary>Bytes of network header without options.</summary>
    public abstract int NetHeaderLen { get; }

    /// <summary>Bytes of a sockaddr.</summary>
    public abstract int SockaddrLen { get; }

    /// <summary>Sends a segment on the socket's route (<c>queue_xmit</c>). Takes over the packet.</summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or a negative errno.</returns>
    public abstract int QueueXmit(Sock sk, SkBuff skb);

    /// <summary>Fills in or prepares the transport checksum (<c>send_check</c>).</summary>
    public abstract void SendCheck(Sock sk, SkBuff skb);

    /// <summary>Finds the route anew when it was dropped (<c>rebuild_header</c>).</summary>
    public abstract int RebuildHeader(Sock sk);

    /// <summary>Keeps the route that a packet came in by (<c>sk_rx_dst_set</c>).</summary>
    public abstract void SkRxDstSet(Sock sk, SkBuff skb);

    /// <summary>Handles a SYN for a listener (<c>conn_request</c>).</summary>
    public abstract int ConnRequest(Sock sk, SkBuff skb);

    /// <summary>Makes the child for a finished handshake (<c>syn_recv_sock</c>).</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="skb">The ACK that finished the handshake.</param>
    /// <param name="req">The request.</param>
    /// <param name="dst">The route, when known.</param>
    /// <param name="reqUnhash">The request that leaves the table for the child, or null.</param>
    /// <param name="ownReq">Whether the child took the request's place in the table.</param>
    public abstract Sock? SynRecvSock(
        Sock sk, SkBuff skb, RequestSock req, DstEntry? dst, RequestSock? reqUnhash, out bool ownReq);

    /// <summary>Options of the network layer's level (<c>setsockopt</c>).</summary>
    public abstract int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen);

    /// <summary>Options of the network layer's level (<c>getsockopt</c>).</summary>
    public abstract int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen);

    /// <summary>The path MTU was lowered (<c>mtu_reduced</c>).</summary>
    public abstract void MtuReduced(Sock sk);
}
