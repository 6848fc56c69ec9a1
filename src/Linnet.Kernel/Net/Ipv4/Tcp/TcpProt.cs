using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>TCP over IPv4 (<c>tcp_prot</c>).</summary>
[LinuxStruct("tcp_prot")]
public sealed class TcpProt : Proto
{
    /// <summary>The operations.</summary>
    public static readonly TcpProt Instance = new();

    private TcpProt()
    {
    }

    /// <inheritdoc/>
    public override string Name => "TCP";

    /// <inheritdoc/>
    public override ProtoOperations Operations => ProtoOperations.All & ~ProtoOperations.Bind;

    /// <inheritdoc/>
    public override int MaxHeader => MAX_TCP_HEADER;

    /// <inheritdoc/>
    public override int InuseGet(NetNamespace net) => net.Ipv4.TcpInuse;

    /// <inheritdoc/>
    public override bool NoAutobind => true;

    /// <inheritdoc/>
    public override Sock AllocSock() => new TcpSock();

    /// <inheritdoc/>
    public override int Init(Sock sk) => TcpIpv4.TcpV4InitSock(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override void Destroy(Sock sk) => TcpIpv4.TcpV4DestroySock(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override void Close(Sock sk, long timeout) => Tcp.TcpClose(TcpSock.Of(sk), timeout);

    /// <inheritdoc/>
    public override int Connect(Sock sk, ReadOnlySpan<byte> addr) => TcpIpv4.TcpV4Connect(TcpSock.Of(sk), addr);

    /// <inheritdoc/>
    public override int Disconnect(Sock sk, int flags) => Tcp.TcpDisconnect(TcpSock.Of(sk), flags);

    /// <inheritdoc/>
    public override int Accept(Sock sk, int flags, bool kern, out Sock? newsk) =>
        InetConnectionSockOps.InetCskAccept(TcpSock.Of(sk), out newsk);

    /// <inheritdoc/>
    public override int Ioctl(Sock sk, uint cmd, Sockptr arg) => Tcp.TcpIoctl(TcpSock.Of(sk), cmd, arg);

    /// <inheritdoc/>
    public override void Shutdown(Sock sk, int how) => Tcp.TcpShutdown(TcpSock.Of(sk), how);

    /// <inheritdoc/>
    public override int Setsockopt(Sock sk, int level, int optname, Sockptr optval, int optlen) =>
        Tcp.TcpSetsockopt(TcpSock.Of(sk), level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Sock sk, int level, int optname, Sockptr optval, Sockptr optlen) =>
        Tcp.TcpGetsockopt(TcpSock.Of(sk), level, optname, optval, optlen);

    /// <inheritdoc/>
    public override void Keepalive(Sock sk, bool on) => TcpTimer.TcpSetKeepalive(TcpSock.Of(sk), on);

    /// <inheritdoc/>
    public override long Sendmsg(Sock sk, MsgHdr msg, long size) => Tcp.TcpSendmsg(TcpSock.Of(sk), msg, size);

    /// <inheritdoc/>
    public override long Recvmsg(Sock sk, MsgHdr msg, long size, int flags) =>
        Tcp.TcpRecvmsg(TcpSock.Of(sk), msg, size, flags);

    /// <inheritdoc/>
    public override void SpliceEof(Sock sk) => Tcp.TcpSpliceEof(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override int BacklogRcv(Sock sk, SkBuff skb) => TcpIpv4.TcpV4DoRcv(TcpSock.Of(sk), skb);

    /// <inheritdoc/>
    public override void ReleaseCb(Sock sk) => TcpTimer.TcpReleaseCb(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override int Hash(Sock sk) => InetHashtables.InetHash(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override void Unhash(Sock sk) => InetHashtables.InetUnhash(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override int GetPort(Sock sk, ushort port) => InetConnectionSockOps.InetCskGetPort(TcpSock.Of(sk), port);

    /// <inheritdoc/>
    public override void PutPort(Sock sk) => InetHashtables.InetPutPort(TcpSock.Of(sk));

    /// <inheritdoc/>
    public override ProtoMemory MemoryOf(NetNamespace net) => net.Ipv4.TcpMachine.Memory;

    /// <inheritdoc/>
    public override int SysctlRmem0(NetNamespace net) => net.Ipv4.SysctlTcpRmem[0];

    /// <inheritdoc/>
    public override int SysctlWmem0(NetNamespace net) => net.Ipv4.SysctlTcpWmem[0];

    /// <inheritdoc/>
    public override bool StreamMemoryFree(Sock sk, int wake) => TcpSock.Of(sk).TcpStreamMemoryFree(wake);

    /// <inheritdoc/>
    public override int DiagDestroy(Sock sk, int err) => Tcp.TcpAbort(sk, err);
}
