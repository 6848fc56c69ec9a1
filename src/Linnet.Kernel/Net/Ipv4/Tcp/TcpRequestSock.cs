using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A request of TCP (<c>struct tcp_request_sock</c>).</summary>
[LinuxStruct("tcp_request_sock")]
public sealed class TcpRequestSock : InetRequestSock
{
    /// <summary>Operations of the address family.</summary>
    public TcpRequestSockOps AfSpecific = null!;

    /// <summary>
    /// When the SYN-ACK was first sent, in µs; 0 when it was sent again, so that it gives no RTT sample.
    /// </summary>
    public long SntSynack;

    /// <summary>Hash of the flow as this side sends it.</summary>
    public uint Txhash;

    /// <summary>The peer's initial sequence number.</summary>
    public uint RcvIsn;

    /// <summary>Our initial sequence number.</summary>
    public uint SntIsn;

    /// <summary>What is added to our timestamps.</summary>
    public uint TsOff;

    /// <summary>Timestamp of the first SYN-ACK; 0 before it.</summary>
    public uint SntTsvalFirst;

    /// <summary>Timestamp of the last SYN-ACK.</summary>
    public uint SntTsvalLast;

    /// <summary>When an out-of-window segment was last answered, in ms.</summary>
    public uint LastOowAckTime;

    /// <summary>Next byte expected; more than <see cref="RcvIsn"/> + 1 only with data in the SYN.</summary>
    public uint RcvNxt;

    /// <summary>TOS of the SYN.</summary>
    public byte SynTos;

    /// <summary>Timestamps count µs rather than ms.</summary>
    public bool ReqUsecTs;

    /// <summary>The request as TCP's (<c>tcp_rsk</c>).</summary>
    public static TcpRequestSock Of(RequestSock req) => System.Runtime.CompilerServices.Unsafe.As<TcpRequestSock>(req);
}

/// <summary>What TCP needs of the address family for requests (<c>struct tcp_request_sock_ops</c>).</summary>
[LinuxStruct("tcp_request_sock_ops")]
public abstract class TcpRequestSockOps
{
    /// <summary>Least MSS that the family guarantees, in bytes.</summary>
    public abstract ushort MssClamp { get; }

    /// <summary>Fills in the request's addresses and finds the route to the peer (<c>route_req</c>).</summary>
    /// <param name="sk">The listener.</param>
    /// <param name="skb">The SYN.</param>
    /// <param name="req">The request.</param>
    /// <param name="twIsn">Sequence number that follows a TIME_WAIT connection's; 0 for none.</param>
    /// <returns>The route, or null when there is none or the connection is refused.</returns>
    public abstract DstEntry? RouteReq(Sock sk, SkBuff skb, RequestSock req, uint twIsn);

    /// <summary>Initial sequence number (<c>init_seq</c>).</summary>
    public abstract uint InitSeq(SkBuff skb);

    /// <summary>Offset of our timestamps (<c>init_ts_off</c>).</summary>
    public abstract uint InitTsOff(NetNamespace net, SkBuff skb);

    /// <summary>Sends a SYN-ACK (<c>send_synack</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int SendSynack(Sock sk, DstEntry? dst, RequestSock req, TcpSynackType type, SkBuff? synSkb);
}

/// <summary>What kind of SYN-ACK is made (<c>enum tcp_synack_type</c>).</summary>
public enum TcpSynackType
{
    /// <summary>An ordinary one.</summary>
    Normal,

    /// <summary>Of a request that took data from its SYN.</summary>
    Fastopen,

    /// <summary>One that carries a SYN cookie.</summary>
    Cookie,
}
