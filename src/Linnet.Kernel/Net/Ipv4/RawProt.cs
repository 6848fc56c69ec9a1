using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Raw IPv4, as its sockets see it (<c>raw_prot</c>).</summary>
[LinuxStruct("raw_prot")]
[LinuxFile("net/ipv4/raw.c")]
public sealed class RawProt : Proto
{
    /// <summary>The protocol.</summary>
    public static readonly RawProt Instance = new();

    private RawProt()
    {
    }

    /// <inheritdoc/>
    public override string Name => "RAW";

    /// <inheritdoc/>
    public override bool HasBind => true;

    /// <inheritdoc/>
    public override ProtoOperations Operations => ProtoOperations.All & ~(ProtoOperations.Accept | ProtoOperations.Shutdown
        | ProtoOperations.BacklogRcv | ProtoOperations.GetPort | ProtoOperations.EnterMemoryPressure);

    /// <inheritdoc/>
    public override int InuseGet(NetNamespace net) => Proc.RawInuse(net);

    /// <inheritdoc/>
    public override Sock AllocSock() => new RawSock();

    /// <inheritdoc/>
    public override int Init(Sock sk) => Raw.RawSkInit((RawSock)sk);

    /// <inheritdoc/>
    public override void Destroy(Sock sk) => Raw.RawDestroy((RawSock)sk);

    /// <inheritdoc/>
    [Linux("raw_close")]
    public override void Close(Sock sk, long timeout)
    {
        if (((RawSock)sk).Test(InetFlags.Rtalert))
            RouterAlert.IpRaControl((RawSock)sk, on: false);
        Sock.SkCommonRelease(sk);
    }

    /// <inheritdoc/>
    public override int Connect(Sock sk, ReadOnlySpan<byte> addr) => Datagram.Ip4DatagramConnect((InetSock)sk, addr);

    /// <inheritdoc/>
    public override int Disconnect(Sock sk, int flags) => Udp.UdpDisconnectCore((InetSock)sk);

    /// <inheritdoc/>
    public override int Bind(Sock sk, ReadOnlySpan<byte> addr) => Raw.RawBind((RawSock)sk, addr);

    /// <inheritdoc/>
    public override int Ioctl(Sock sk, uint cmd, Sockptr arg) => Raw.RawIoctl((RawSock)sk, cmd, arg);

    /// <inheritdoc/>
    public override int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) =>
        Raw.RawSetsockopt((RawSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        Raw.RawGetsockopt((RawSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override long Sendmsg(Sock sk, MsgHdr msg, long size) => Raw.RawSendmsg((RawSock)sk, msg, size);

    /// <inheritdoc/>
    public override long Recvmsg(Sock sk, MsgHdr msg, long size, int flags) =>
        Raw.RawRecvmsg((RawSock)sk, msg, size, flags);

    /// <inheritdoc/>
    public override void ReleaseCb(Sock sk) => Datagram.Ip4DatagramReleaseCb((InetSock)sk);

    /// <inheritdoc/>
    public override int Hash(Sock sk) => RawTable.Of(sk.Machine).RawHashSk((RawSock)sk);

    /// <inheritdoc/>
    public override void Unhash(Sock sk) => RawTable.Of(sk.Machine).RawUnhashSk((RawSock)sk);

    /// <inheritdoc/>
    [Linux("raw_abort")]
    public override int DiagDestroy(Sock sk, int err)
    {
        sk.LockSock();
        sk.SkErr = err;
        sk.SkErrorReport(sk);
        Udp.UdpDisconnectCore((InetSock)sk);
        sk.ReleaseSock();
        return 0;
    }
}

/// <summary>Ping sockets' protocol, as they see it (<c>ping_prot</c>).</summary>
[LinuxStruct("ping_prot")]
[LinuxFile("net/ipv4/ping.c")]
public sealed class PingProt : Proto
{
    /// <summary>The protocol.</summary>
    public static readonly PingProt Instance = new();

    private PingProt()
    {
    }

    /// <inheritdoc/>
    public override string Name => "PING";

    /// <inheritdoc/>
    public override bool HasBind => true;

    /// <inheritdoc/>
    public override ProtoOperations Operations => ProtoOperations.All & ~(ProtoOperations.Accept | ProtoOperations.Ioctl
        | ProtoOperations.Destroy | ProtoOperations.Shutdown | ProtoOperations.BacklogRcv | ProtoOperations.Hash
        | ProtoOperations.EnterMemoryPressure);

    /// <inheritdoc/>
    public override int InuseGet(NetNamespace net) => PingTable.Of(net.Machine).All.Count(sk => sk.SkcNet == net);

    /// <inheritdoc/>
    public override Sock AllocSock() => new InetSock();

    /// <inheritdoc/>
    public override int Init(Sock sk) => Ping.PingInitSock((InetSock)sk);

    /// <inheritdoc/>
    public override void Destroy(Sock sk)
    {
        sk.LockSock();
        IpOutput.IpFlushPendingFrames(sk);
        sk.ReleaseSock();
    }

    /// <inheritdoc/>
    [Linux("ping_close")]
    public override void Close(Sock sk, long timeout) => Sock.SkCommonRelease(sk);

    /// <inheritdoc/>
    public override int Connect(Sock sk, ReadOnlySpan<byte> addr) => Datagram.Ip4DatagramConnect((InetSock)sk, addr);

    /// <inheritdoc/>
    public override int Disconnect(Sock sk, int flags) => Udp.UdpDisconnectCore((InetSock)sk);

    /// <inheritdoc/>
    public override int Bind(Sock sk, ReadOnlySpan<byte> addr) => Ping.PingBind((InetSock)sk, addr);

    /// <inheritdoc/>
    public override int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) =>
        IpSockglue.IpSetsockopt((InetSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        IpSockglue.IpGetsockopt((InetSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override long Sendmsg(Sock sk, MsgHdr msg, long size) => Ping.PingV4Sendmsg((InetSock)sk, msg, size);

    /// <inheritdoc/>
    public override long Recvmsg(Sock sk, MsgHdr msg, long size, int flags) =>
        Ping.PingRecvmsg((InetSock)sk, msg, size, flags);

    /// <inheritdoc/>
    public override void ReleaseCb(Sock sk) => Datagram.Ip4DatagramReleaseCb((InetSock)sk);

    /// <inheritdoc/>
    public override int Hash(Sock sk) => throw new BugException("ping sockets are hashed by their identifier");

    /// <inheritdoc/>
    public override void Unhash(Sock sk) => Ping.PingUnhash((InetSock)sk);

    /// <inheritdoc/>
    public override int GetPort(Sock sk, ushort port) => Ping.PingGetPort((InetSock)sk, port);

    /// <inheritdoc/>
    public override void PutPort(Sock sk) => Ping.PingUnhash((InetSock)sk);
}
