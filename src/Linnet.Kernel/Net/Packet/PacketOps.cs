using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <summary>Operations of packet sockets (<c>packet_ops</c>).</summary>
[LinuxStruct("packet_ops")]
internal class PacketOps(PacketModule module) : ProtoOps
{
    /// <inheritdoc/>
    public override int Family => PF_PACKET;

    /// <inheritdoc/>
    public override Module? Owner => module;

    /// <inheritdoc/>
    public override int Release(Socket sock) => AfPacket.PacketRelease(module, sock);

    /// <inheritdoc/>
    public override int Bind(Socket sock, ReadOnlySpan<byte> addr) => AfPacket.PacketBind(sock, addr);

    /// <inheritdoc/>
    public override int Getname(Socket sock, Span<byte> addr, int peer) => AfPacket.PacketGetname(sock, addr, peer);

    /// <inheritdoc/>
    public override uint Poll(File? file, Socket sock, PollTable? wait) => Datagram.DatagramPoll(file, sock.Sk!, wait);

    /// <inheritdoc/>
    public override int Ioctl(Socket sock, uint cmd, Sockptr arg) => AfPacket.PacketIoctl(sock, cmd, arg);

    /// <inheritdoc/>
    public override int Gettstamp(Socket sock, Sockptr userstamp, bool timeval, bool time32) =>
        sock.Sk!.SockGettstamp(userstamp, timeval, time32);

    /// <inheritdoc/>
    public override int Setsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen) =>
        AfPacket.PacketSetsockopt(sock, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override int Getsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen) =>
        AfPacket.PacketGetsockopt(sock, level, optname, optval, optlen);

    /// <inheritdoc/>
    public override long Sendmsg(Socket sock, MsgHdr m, long totalLen) => AfPacket.PacketSendmsg(sock, m, totalLen);

    /// <inheritdoc/>
    public override long Recvmsg(Socket sock, MsgHdr m, long totalLen, int flags) =>
        AfPacket.PacketRecvmsg(sock, m, totalLen, flags);

    // There is no ring that could be mapped.
    /// <inheritdoc/>
    public override int Mmap(File file, Socket sock, long length, int prot) => -EINVAL;
}

/// <summary>
/// Operations of obsolete <c>SOCK_PACKET</c> sockets (<c>packet_ops_spkt</c>), whose addresses are device names.
/// </summary>
[LinuxStruct("packet_ops_spkt")]
internal sealed class PacketOpsSpkt(PacketModule module) : PacketOps(module)
{
    /// <inheritdoc/>
    public override int Bind(Socket sock, ReadOnlySpan<byte> addr) => AfPacket.PacketBindSpkt(sock, addr);

    /// <inheritdoc/>
    public override int Getname(Socket sock, Span<byte> addr, int peer) => AfPacket.PacketGetnameSpkt(sock, addr, peer);

    /// <inheritdoc/>
    public override int Setsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen) => -EOPNOTSUPP;

    /// <inheritdoc/>
    public override int Getsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen) => -EOPNOTSUPP;

    /// <inheritdoc/>
    public override long Sendmsg(Socket sock, MsgHdr m, long totalLen) => AfPacket.PacketSendmsgSpkt(sock, m, totalLen);

    /// <inheritdoc/>
    public override int Mmap(File file, Socket sock, long length, int prot) => -ENODEV;
}
