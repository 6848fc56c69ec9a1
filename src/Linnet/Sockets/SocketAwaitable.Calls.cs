using Linnet.Kernel;
using Linnet.Kernel.Fs;
using File = Linnet.Kernel.Fs.File;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet;

/// <content>The non-blocking calls themselves.</content>
internal sealed partial class SocketAwaitable
{
    // Inside of the kernel, as the task.
    private int Attempt() => call switch
    {
        SocketCall.Receive => TryReceive(),
        SocketCall.Send => TrySend(),
        SocketCall.Accept => TryAccept(),
        SocketCall.Connect => KernelSocket.SysConnectFile(file, message.NameBuffer[..addressLength], O_NONBLOCK),
        _ => TryPoll((uint)flags),
    };

    private bool IsPending(int result) =>
        result == -EAGAIN || (call == SocketCall.Connect && result is -EINPROGRESS or -EALREADY);

    private unsafe int TryReceive()
    {
        // A stream with no room to read into asks to be told that there is something, as SslStream and Kestrel do.
        if (buffer.IsEmpty && socket.Type == SOCK_STREAM)
            return Math.Min(TryPoll(EPOLLIN | EPOLLRDHUP), 0);
        fixed (byte* memory = buffer.Span)
        {
            message.Reset(new IovIter(Sockptr.Kernel(memory), buffer.Length), 0);
            message.HasName = sender != null;
            int received = (int)KernelSocket.SockRecvmsg(socket, message, flags | MSG_DONTWAIT);
            if (received >= 0 && sender != null)
                sender.EndPoint = SocketAddresses.Read(message.MsgName);
            return received;
        }
    }

    // A stream takes what fits; the rest is sent when there is room again.
    private unsafe int TrySend()
    {
        fixed (byte* memory = data.Span)
        {
            while (true)
            {
                message.Reset(new IovIter(Sockptr.Kernel(memory + done), data.Length - done), flags | MSG_DONTWAIT);
                message.HasName = addressLength > 0;
                message.MsgNamelen = addressLength;
                int sent = (int)KernelSocket.SockSendmsg(socket, message);
                if (sent < 0)
                    return sent;
                done += sent;
                if (done == data.Length || socket.Type != SOCK_STREAM)
                    return done;
            }
        }
    }

    private int TryAccept()
    {
        // The socket and the file of a connection are made before it is looked for; not for nothing each time.
        if (socket.Sk?.SkState == TCP_LISTEN && (file.FOp.Poll(file, null) & (EPOLLIN | EPOLLERR | EPOLLHUP)) == 0)
            return -EAGAIN;
        FilesStruct files = task.Files;
        int fd = files.GetUnusedFdFlags(flags);
        if (fd < 0)
            return fd;
        int err = KernelSocket.DoAccept(file, default, default, flags, O_NONBLOCK, out File? accepted);
        if (err < 0)
        {
            files.PutUnusedFd(fd);
            return err;
        }

        files.FdInstall(fd, accepted!);
        return fd;
    }

    private int TryPoll(uint events)
    {
        uint ready = file.FOp.Poll(file, null) & (events | EPOLLERR | EPOLLHUP);
        return ready != 0 ? (int)ready : -EAGAIN;
    }
}
