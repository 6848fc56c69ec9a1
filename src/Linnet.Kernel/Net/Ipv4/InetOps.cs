using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What the operations of all IPv4 sockets have in common.</summary>
public abstract class InetOps : ProtoOps
{
    /// <inheritdoc/>
    public override int Family => PF_INET;

    /// <inheritdoc/>
    public override int Release(Socket sock) => AfInet.InetRelease(sock);

    /// <inheritdoc/>
    public override int Bind(Socket sock, ReadOnlySpan<byte> addr) => AfInet.InetBind(sock, addr);

    /// <inheritdoc/>
    public override int Getname(Socket sock, Span<byte> addr, int peer) => AfInet.InetGetname(sock, addr, peer);

    /// <inheritdoc/>
    public override int Ioctl(Socket sock, uint cmd, Sockptr arg) => AfInet.InetIoctl(sock, cmd, arg);

    /// <inheritdoc/>
    public override int Gettstamp(Socket sock, Sockptr userstamp, bool timeval, bool time32) =>
        sock.Sk!.SockGettstamp(userstamp, timeval, time32);

    /// <inheritdoc/>
    public override int Shutdown(Socket sock, int how) => AfInet.InetShutdown(sock, how);

    /// <inheritdoc/>
    [Linux("sock_common_setsockopt", "net/core/sock.c")]
    public override int Setsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen)
    {
        Sock sk = sock.Sk!;
        return sk.SkProt.Setsockopt(sk, level, optname, optval, optlen);
    }

    /// <inheritdoc/>
    [Linux("sock_common_getsockopt", "net/core/sock.c")]
    public override int Getsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen)
    {
        Sock sk = sock.Sk!;
        return sk.SkProt.Getsockopt(sk, level, optname, optval, optlen);
    }

    /// <inheritdoc/>
    public override long Sendmsg(Socket sock, MsgHdr m, long totalLen) => AfInet.InetSendmsg(sock, m, totalLen);

    /// <inheritdoc/>
    public override long Recvmsg(Socket sock, MsgHdr m, long totalLen, int flags) =>
        AfInet.InetRecvmsg(sock, m, totalLen, flags);
}

/// <summary>Operations of UDP sockets (<c>inet_dgram_ops</c>).</summary>
[LinuxStruct("inet_dgram_ops")]
public sealed class InetDgramOps : InetOps
{
    /// <summary>The operations.</summary>
    public static readonly InetDgramOps Instance = new();

    private InetDgramOps()
    {
    }

    /// <inheritdoc/>
    public override int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags) =>
        AfInet.InetDgramConnect(sock, addr, flags);

    /// <inheritdoc/>
    public override uint Poll(File? file, Socket sock, PollTable? wait) => Udp.UdpPoll(file, sock, wait);

    /// <inheritdoc/>
    public override void SpliceEof(Socket sock) => AfInet.InetSpliceEof(sock);

    /// <inheritdoc/>
    public override bool HasSetPeekOff => true;

    /// <inheritdoc/>
    public override int SetPeekOff(Sock sk, int value) => Udp.UdpSetPeekOff(sk, value);

    /// <inheritdoc/>
    public override int ReadSkb(Sock sk, Func<Sock, SkBuff, int> receive) => Udp.UdpReadSkb(sk, receive);
}

/// <summary>Operations of raw and ping sockets (<c>inet_sockraw_ops</c>): as UDP's, without UDP's poll.</summary>
[LinuxStruct("inet_sockraw_ops")]
public sealed class InetSockrawOps : InetOps
{
    /// <summary>The operations.</summary>
    public static readonly InetSockrawOps Instance = new();

    private InetSockrawOps()
    {
    }

    /// <inheritdoc/>
    public override int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags) =>
        AfInet.InetDgramConnect(sock, addr, flags);

    /// <inheritdoc/>
    public override uint Poll(File? file, Socket sock, PollTable? wait) => Core.Datagram.DatagramPoll(file, sock.Sk!, wait);

    /// <inheritdoc/>
    public override void SpliceEof(Socket sock) => AfInet.InetSpliceEof(sock);
}
