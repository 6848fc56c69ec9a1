using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>UDP over IPv4, as its sockets see it (<c>udp_prot</c>).</summary>
[LinuxStruct("udp_prot")]
[LinuxFile("net/ipv4/udp.c")]
public sealed class UdpProt : Proto
{
    /// <summary>The protocol.</summary>
    public static readonly UdpProt Instance = new();

    private UdpProt()
    {
    }

    /// <inheritdoc/>
    public override string Name => "UDP";

    /// <inheritdoc/>
    public override ProtoOperations Operations => ProtoOperations.All & ~(ProtoOperations.Accept | ProtoOperations.Shutdown
        | ProtoOperations.Bind | ProtoOperations.BacklogRcv | ProtoOperations.EnterMemoryPressure);

    /// <inheritdoc/>
    public override int InuseGet(NetNamespace net) => Proc.UdpInuse(net);

    /// <inheritdoc/>
    public override long MemoryAllocated(NetNamespace net) => UdpTable.Of(net.Machine).Memory.Allocated;

    /// <inheritdoc/>
    public override Sock AllocSock() => new UdpSock();

    /// <inheritdoc/>
    public override int Init(Sock sk) => Udp.UdpInitSock((UdpSock)sk);

    /// <inheritdoc/>
    public override void Destroy(Sock sk) => Udp.UdpDestroySock((UdpSock)sk);

    /// <inheritdoc/>
    [Linux("udp_lib_close", "include/net/udp.h")]
    public override void Close(Sock sk, long timeout) => Sock.SkCommonRelease(sk);

    /// <inheritdoc/>
    public override int Connect(Sock sk, ReadOnlySpan<byte> addr) => Udp.UdpConnect((UdpSock)sk, addr);

    /// <inheritdoc/>
    public override int Disconnect(Sock sk, int flags) => Udp.UdpDisconnect((UdpSock)sk);

    /// <inheritdoc/>
    public override int Ioctl(Sock sk, uint cmd, Sockptr arg) => Udp.UdpIoctl((UdpSock)sk, cmd, arg);

    /// <inheritdoc/>
    public override int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) =>
        Udp.UdpSetsockopt((UdpSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        Udp.UdpGetsockopt((UdpSock)sk, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override long Sendmsg(Sock sk, MsgHdr msg, long size) => Udp.UdpSendmsg((UdpSock)sk, msg, size);

    /// <inheritdoc/>
    public override long Recvmsg(Sock sk, MsgHdr msg, long size, int flags) =>
        Udp.UdpRecvmsg((UdpSock)sk, msg, size, flags);

    /// <inheritdoc/>
    public override void SpliceEof(Sock sk) => Udp.UdpSpliceEof((UdpSock)sk);

    /// <inheritdoc/>
    public override void ReleaseCb(Sock sk) => Datagram.Ip4DatagramReleaseCb((InetSock)sk);

    /// <inheritdoc/>
    [Linux("udp_lib_hash")]
    public override int Hash(Sock sk) => throw new BugException("UDP sockets are hashed by their port");

    /// <inheritdoc/>
    public override void Unhash(Sock sk) => Udp.UdpLibUnhash((UdpSock)sk);

    /// <inheritdoc/>
    public override void Rehash(Sock sk) => Udp.UdpV4Rehash((UdpSock)sk);

    /// <inheritdoc/>
    public override int GetPort(Sock sk, ushort port) => Udp.UdpV4GetPort((UdpSock)sk, port);

    /// <inheritdoc/>
    public override void PutPort(Sock sk) => Udp.UdpLibUnhash((UdpSock)sk);

    /// <inheritdoc/>
    public override int DiagDestroy(Sock sk, int err) => Udp.UdpAbort((UdpSock)sk, err);
}
