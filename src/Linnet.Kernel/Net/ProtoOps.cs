using System.Text;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <summary>
/// The operations of a socket that its address family provides (<c>struct proto_ops</c>): what a system call on a socket
/// descriptor becomes. An operation that a family lacks answers as Linux's <c>sock_no_*</c> functions do.
/// </summary>
/// <remarks>
/// No operation waits, except <see cref="Release"/> of a lingering socket: what cannot be done now answers -EAGAIN, and
/// <see cref="Connect"/> -EINPROGRESS or -EALREADY. <c>SocketWait</c> waits and asks again where the caller wants to
/// block. Addresses are sockaddrs, as bytes of exactly the length that the caller gave (at most 128).
/// </remarks>
[LinuxStruct("proto_ops")]
public abstract class ProtoOps
{
    /// <summary>Protocol family, <c>PF_*</c>.</summary>
    public abstract int Family { get; }

    /// <summary>The module that the operations are in, or null when they are built in.</summary>
    public virtual Module? Owner => null;

    /// <summary>The last file is gone: ends the socket (<c>release</c>).</summary>
    public abstract int Release(Socket sock);

    /// <summary>Gives the socket a local address (<c>bind</c>).</summary>
    [Linux("sock_no_bind", "net/core/sock.c")]
    public virtual int Bind(Socket sock, ReadOnlySpan<byte> addr) => -EOPNOTSUPP;

    /// <summary>Connects to a peer (<c>connect</c>); asked again it tells how far the attempt came.</summary>
    [Linux("sock_no_connect", "net/core/sock.c")]
    public virtual int Connect(Socket sock, ReadOnlySpan<byte> addr, int flags) => -EOPNOTSUPP;

    /// <summary>Connects two new sockets to each other (<c>socketpair</c>).</summary>
    [Linux("sock_no_socketpair", "net/core/sock.c")]
    public virtual int Socketpair(Socket sock1, Socket sock2) => -EOPNOTSUPP;

    /// <summary>Grafts the next waiting connection on <paramref name="newsock"/> (<c>accept</c>); -EAGAIN when there is none.</summary>
    [Linux("sock_no_accept", "net/core/sock.c")]
    public virtual int Accept(Socket sock, Socket newsock, int flags, bool kern) => -EOPNOTSUPP;

    /// <summary>Writes the local or the peer's address (<c>getname</c>).</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="addr">Room for 128 bytes.</param>
    /// <param name="peer">0 for the local address, 1 for the peer's, 2 for the peer's even if not connected any more.</param>
    /// <returns>The address's length, or a negative errno.</returns>
    [Linux("sock_no_getname", "net/core/sock.c")]
    public virtual int Getname(Socket sock, Span<byte> addr, int peer) => -EOPNOTSUPP;

    /// <summary>Says what is ready and registers for what is not (<c>poll</c>).</summary>
    /// <returns>A mask of <c>EPOLL*</c>.</returns>
    public virtual uint Poll(File? file, Socket sock, PollTable? wait) => 0;

    /// <summary>Requests of the family (<c>ioctl</c>).</summary>
    /// <returns>0 or more, -ENOIOCTLCMD for what it does not know, or another negative errno.</returns>
    [Linux("sock_no_ioctl", "net/core/sock.c")]
    public virtual int Ioctl(Socket sock, uint cmd, Sockptr arg) => -EOPNOTSUPP;

    /// <summary>Writes when the last packet that was read arrived (<c>gettstamp</c>).</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="userstamp">Where to.</param>
    /// <param name="timeval">Whether as <c>timeval</c> rather than <c>timespec</c>.</param>
    /// <param name="time32">Whether with 32-bit seconds.</param>
    public virtual int Gettstamp(Socket sock, Sockptr userstamp, bool timeval, bool time32) => -ENOIOCTLCMD;

    /// <summary>Begins to listen (<c>listen</c>).</summary>
    [Linux("sock_no_listen", "net/core/sock.c")]
    public virtual int Listen(Socket sock, int backlog) => -EOPNOTSUPP;

    /// <summary>Shuts one or both halves (<c>shutdown</c>).</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="how"><c>SHUT_RD</c>, <c>SHUT_WR</c> or <c>SHUT_RDWR</c>.</param>
    [Linux("sock_no_shutdown", "net/core/sock.c")]
    public virtual int Shutdown(Socket sock, int how) => -EOPNOTSUPP;

    /// <summary>Sets an option of a level other than <c>SOL_SOCKET</c> (<c>setsockopt</c>).</summary>
    public virtual int Setsockopt(Socket sock, int level, int optname, Sockptr optval, int optlen) => -EOPNOTSUPP;

    /// <summary>Reads an option of a level other than <c>SOL_SOCKET</c> (<c>getsockopt</c>).</summary>
    public virtual int Getsockopt(Socket sock, int level, int optname, Sockptr optval, Sockptr optlen) => -EOPNOTSUPP;

    /// <summary>Adds lines to <c>/proc/PID/fdinfo/FD</c> (<c>show_fdinfo</c>).</summary>
    public virtual void ShowFdinfo(StringBuilder output, Socket sock)
    {
    }

    /// <summary>Sends as much as fits now (<c>sendmsg</c>).</summary>
    /// <returns>Bytes taken from the message's iterator, or a negative errno.</returns>
    [Linux("sock_no_sendmsg", "net/core/sock.c")]
    public virtual long Sendmsg(Socket sock, MsgHdr m, long totalLen) => -EOPNOTSUPP;

    /// <summary>Receives what is there now (<c>recvmsg</c>).</summary>
    /// <returns>Bytes, 0 at the end of a stream, or a negative errno.</returns>
    [Linux("sock_no_recvmsg", "net/core/sock.c")]
    public virtual long Recvmsg(Socket sock, MsgHdr m, long totalLen, int flags) => -EOPNOTSUPP;

    /// <summary>Maps the socket into memory (<c>mmap</c>).</summary>
    /// <param name="file">The socket's file.</param>
    /// <param name="sock">The socket.</param>
    /// <param name="length">Bytes.</param>
    /// <param name="prot"><c>PROT_*</c></param>
    [Linux("sock_no_mmap", "net/core/sock.c")]
    public virtual int Mmap(File file, Socket sock, long length, int prot) => -ENODEV;

    /// <summary>Whether there is a <see cref="SpliceRead"/>; without, data is copied through a read.</summary>
    public virtual bool HasSpliceRead => false;

    /// <summary>Moves received data into a pipe (<c>splice_read</c>); -EAGAIN when there is none.</summary>
    public virtual long SpliceRead(Socket sock, Pipe pipe, long length, uint flags) => -EINVAL;

    /// <summary>The splice that fed the socket ended (<c>splice_eof</c>).</summary>
    public virtual void SpliceEof(Socket sock)
    {
    }

    /// <summary>Sets <c>SO_PEEK_OFF</c> (<c>set_peek_off</c>).</summary>
    public virtual int SetPeekOff(Sock sk, int value) => -EOPNOTSUPP;

    /// <summary>Whether there is a <see cref="SetPeekOff"/>: without, <c>SO_PEEK_OFF</c> cannot be read either.</summary>
    public virtual bool HasSetPeekOff => false;

    /// <summary>Bytes that the next read could return (<c>peek_len</c>).</summary>
    public virtual int PeekLen(Socket sock) => -EOPNOTSUPP;

    /// <summary>Hands received data to <paramref name="receive"/> without copying (<c>read_sock</c>); socket owned.</summary>
    /// <returns>Bytes consumed, or a negative errno.</returns>
    public virtual int ReadSock(Sock sk, ReadActor receive) => -EOPNOTSUPP;

    /// <summary>Hands one received packet to <paramref name="receive"/>, which takes it over (<c>read_skb</c>).</summary>
    /// <returns>What <paramref name="receive"/> returned, or a negative errno.</returns>
    public virtual int ReadSkb(Sock sk, Func<Sock, SkBuff, int> receive) => -EOPNOTSUPP;

    /// <summary>Sends with the socket owned already (<c>sendmsg_locked</c>).</summary>
    public virtual long SendmsgLocked(Sock sk, MsgHdr m, long size) => -EOPNOTSUPP;

    /// <summary>Sets <c>SO_RCVLOWAT</c> where the protocol has more to do than to store it (<c>set_rcvlowat</c>); socket owned.</summary>
    public virtual int SetRcvlowat(Sock sk, int value)
    {
        sk.SkRcvlowat = value == 0 ? 1 : value;
        return 0;
    }

    /// <summary>Whether the operations also take the <c>SOL_SOCKET</c> options (as MPTCP's do).</summary>
    public virtual bool HandlesSocketLevel => false;
}

/// <summary>Consumes received data that lies in <paramref name="data"/>.</summary>
/// <returns>How many bytes were consumed; fewer than given end the walk. A negative errno ends it too.</returns>
public delegate int ReadActor(ReadOnlySpan<byte> data);
