using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <summary>Operations of netlink sockets (<c>netlink_ops</c>).</summary>
[LinuxStruct("netlink_ops")]
internal sealed class NetlinkOps : ProtoOps
{
    /// <inheritdoc/>
    public override int Family => PF_NETLINK;

    /// <inheritdoc/>
    public override int Release(Socket sock) => AfNetlink.NetlinkRelease(sock);

    /// <inheritdoc/>
    public override int Bind(Socket sock, ReadOnlySpan<byte> addr) => AfNetlink.NetlinkBind(sock, addr);

    /// <inheritdoc/>
    public override int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags) => AfNetlink.NetlinkConnect(sock, addr);

    /// <inheritdoc/>
    public override int Getname(Socket sock, Span<byte> addr, int peer) => AfNetlink.NetlinkGetname(sock, addr, peer);

    /// <inheritdoc/>
    public override uint Poll(File? file, Socket sock, PollTable? wait) => Datagram.DatagramPoll(file, sock.Sk!, wait);

    // Netlink has no requests of its own.
    /// <inheritdoc/>
    [Linux("netlink_ioctl", "net/netlink/af_netlink.c")]
    public override int Ioctl(Socket sock, uint cmd, Sockptr arg) => -ENOIOCTLCMD;

    /// <inheritdoc/>
    public override int Setsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen) =>
        AfNetlink.NetlinkSetsockopt(sock, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen) =>
        AfNetlink.NetlinkGetsockopt(sock, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override long Sendmsg(Socket sock, MsgHdr m, long totalLen) => AfNetlink.NetlinkSendmsg(sock, m, totalLen);

    /// <inheritdoc/>
    public override long Recvmsg(Socket sock, MsgHdr m, long totalLen, int flags) =>
        AfNetlink.NetlinkRecvmsg(sock, m, totalLen, flags);
}
