using System.Text;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <summary>What can be done with the file of a socket (<c>socket_file_ops</c>).</summary>
[LinuxFile("net/socket.c")]
public sealed class SocketFileOps : FileOperations
{
    /// <summary>The operations.</summary>
    public static readonly SocketFileOps Instance = new();

    private SocketFileOps()
    {
    }

    /// <inheritdoc/>
    [Linux("sock_read_iter")]
    public override long ReadIter(File file, ref IovIter to)
    {
        Socket sock = SocketOf(file);
        if (to.Count == 0)
            return 0;
        SocketCall call = SocketCall.Rent(sock.Machine);
        call.Msg.Reset(to, 0);
        long ret = Socket.SockRecvmsg(sock, call.Msg, DontWait(file));
        to = call.Msg.MsgIter;
        call.Return();
        return ret;
    }

    /// <inheritdoc/>
    [Linux("sock_write_iter")]
    public override long WriteIter(File file, ref IovIter from) => Write(file, ref from, 0);

    /// <inheritdoc/>
    [Linux("sock_poll")]
    public override uint Poll(File file, PollTable? wait)
    {
        Socket sock = SocketOf(file);
        return sock.Ops!.Poll(file, sock, wait);
    }

    /// <inheritdoc/>
    public override int Ioctl(File file, uint cmd, Sockptr arg) => Socket.SockIoctl(file, cmd, arg);

    /// <inheritdoc/>
    public override void Release(File file) => Socket.SockClose(SocketOf(file));

    /// <inheritdoc/>
    [Linux("sock_fasync")]
    public override int Fasync(int fd, File file, bool on)
    {
        Socket sock = SocketOf(file);
        if (sock.Sk is not { } sk)
            return -EINVAL;
        sk.LockSock();
        sock.FasyncList.FasyncHelper(fd, file, on);
        sock.Wq.Fasync = sock.FasyncList.Active ? sock.FasyncList.KillFasync : null;
        sk.ReleaseSock();
        return 0;
    }

    /// <inheritdoc/>
    [Linux("sock_show_fdinfo")]
    public override void ShowFdinfo(StringBuilder output, File file)
    {
        Socket sock = SocketOf(file);
        sock.Ops!.ShowFdinfo(output, sock);
    }

    /// <inheritdoc/>
    [Linux("sock_splice_read")]
    public override long SpliceRead(File file, Pipe pipe, long length, uint flags)
    {
        Socket sock = SocketOf(file);
        if (!sock.Ops!.HasSpliceRead)
            return FsSplice.CopySpliceRead(file, pipe, length, flags);
        SocketOperation operation = SocketOperation.Splice(sock, pipe, length, flags, file.FFlags);
        return SocketWait.Run(ref operation);
    }

    /// <inheritdoc/>
    public override long SpliceWrite(File file, Pipe pipe, long length, uint flags) =>
        FsSplice.IterFileSpliceWrite(file, pipe, length, flags);

    /// <inheritdoc/>
    public override long WriteSpliced(File file, ref IovIter data, bool more) =>
        Write(file, ref data, more ? MSG_MORE : 0);

    /// <inheritdoc/>
    [Linux("sock_splice_eof")]
    public override void SpliceEof(File file)
    {
        Socket sock = SocketOf(file);
        sock.Ops!.SpliceEof(sock);
    }

    /// <inheritdoc/>
    public override void Getattr(File file, ref Stat stat)
    {
        Socket sock = SocketOf(file);
        stat.StMode = S_IFSOCK | S_IRWXU | S_IRWXG | S_IRWXO;
        stat.StIno = (ulong)sock.Ino;
        stat.StUid = sock.Uid;
    }

    private static long Write(File file, ref IovIter from, int flags)
    {
        Socket sock = SocketOf(file);
        SocketCall call = SocketCall.Rent(sock.Machine);
        call.Msg.Reset(from, flags | DontWait(file) | (sock.Type == SOCK_SEQPACKET ? MSG_EOR : 0));
        long ret = Socket.SockSendmsgCore(sock, call.Msg);
        from = call.Msg.MsgIter;
        call.Return();
        return ret;
    }

    private static Socket SocketOf(File file) => (Socket)file.PrivateData!;

    private static int DontWait(File file) => (file.FFlags & O_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;
}
