using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Operations of TCP sockets (<c>inet_stream_ops</c>).</summary>
[LinuxStruct("inet_stream_ops")]
public sealed class InetStreamOps : InetOps
{
    /// <summary>The operations.</summary>
    public static readonly InetStreamOps Instance = new();

    private InetStreamOps()
    {
    }

    /// <inheritdoc/>
    public override int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags) =>
        AfInet.InetStreamConnect(sock, addr, flags);

    /// <inheritdoc/>
    public override int Accept(Socket sock, Socket newsock, int flags, bool kern) =>
        AfInet.InetAccept(sock, newsock, flags, kern);

    /// <inheritdoc/>
    public override uint Poll(File? file, Socket sock, PollTable? wait) => Tcp.TcpPoll(file, sock, wait);

    /// <inheritdoc/>
    public override int Listen(Socket sock, int backlog) => AfInet.InetListen(sock, backlog);

    /// <inheritdoc/>
    public override int Mmap(File file, Socket sock, long length, int prot) => Tcp.TcpMmap(file, sock, length, prot);

    /// <inheritdoc/>
    public override void SpliceEof(Socket sock) => AfInet.InetSpliceEof(sock);

    /// <inheritdoc/>
    public override bool HasSpliceRead => true;

    /// <inheritdoc/>
    public override long SpliceRead(Socket sock, Pipe pipe, long length, uint flags) =>
        Tcp.TcpSpliceRead(sock, pipe, length, flags);

    /// <inheritdoc/>
    public override bool HasSetPeekOff => true;

    /// <inheritdoc/>
    public override int SetPeekOff(Sock sk, int value) => sk.SkSetPeekOff(value);

    /// <inheritdoc/>
    public override int PeekLen(Socket sock) => Tcp.TcpPeekLen(sock);

    /// <inheritdoc/>
    public override int ReadSock(Sock sk, ReadActor receive) => Tcp.TcpReadSock(sk, receive);

    /// <inheritdoc/>
    public override int ReadSkb(Sock sk, Func<Sock, SkBuff, int> receive) => Tcp.TcpReadSkb(sk, receive);

    /// <inheritdoc/>
    public override long SendmsgLocked(Sock sk, MsgHdr m, long size) => Tcp.TcpSendmsgLocked(sk, m, size);

    /// <inheritdoc/>
    public override int SetRcvlowat(Sock sk, int value) => Tcp.TcpSetRcvlowat(sk, value);
}
