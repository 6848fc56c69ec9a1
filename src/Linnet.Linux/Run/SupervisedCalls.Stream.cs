using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Calls on TCP sockets.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    private long OnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        switch (call.Nr)
        {
            case __NR_connect:
                return ConnectStream(call, process, shadow, theirs);
            case __NR_accept:
            case __NR_accept4:
                return Accept(call, process, shadow, theirs);
            case __NR_bind:
                return Bind(call, process, shadow);
            case __NR_listen:
                return Listen(call, process, shadow, theirs);
            case __NR_shutdown:
                return Shutdown(call, process, shadow, theirs);
            case __NR_setsockopt:
                Mirror(call, process, theirs);
                return Ask(call, process, shadow);
            case __NR_sendto:
            case __NR_sendmsg:
            case __NR_sendmmsg:
                return SendOnStream(call, process, shadow, theirs);
            case __NR_recvfrom:
            case __NR_recvmsg:
            case __NR_recvmmsg:
                return ReceiveOnStream(call, process, shadow, theirs);
            default:
                return Ask(call, process, shadow);
        }
    }

    // What a program closed just before may still hold the address.
    private long Bind(in SeccompCall call, HostProcess process, ShadowSocket shadow)
    {
        process.ReadProgram();
        long result = Ask(call, process, shadow);
        if (result != -EADDRINUSE)
            return result;
        supervisor.NoticeCloses();
        return Ask(call, process, shadow);
    }

    private long Listen(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        long result = Ask(call, process, shadow);
        if (result == -EADDRINUSE)
        {
            supervisor.NoticeCloses();
            result = Ask(call, process, shadow);
        }

        if (result == 0 && shadow.State != StreamState.Listening)
        {
            shadow.State = StreamState.Listening;

            // A listener is never writable.
            shadow.Fill(theirs);
        }

        return result;
    }

    private long ConnectStream(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        process.ReadProgram();
        long result = Ask(call, process, shadow);
        if (result == 0)
        {
            Connected(shadow);
            return 0;
        }

        if (result != -EINPROGRESS && (result != -EALREADY || !IsBlocking(theirs)))
            return result;
        if (!IsBlocking(theirs))
            return Connecting(shadow, theirs);
        SeccompCall copy = call;
        return Wait(call, shadow, SO_SNDTIMEO, -EINPROGRESS, () => FinishConnect(copy, process, shadow));
    }

    private static long Connecting(StreamShadow shadow, int theirs)
    {
        if (shadow.State != StreamState.Fresh)
            return -EINPROGRESS;
        if ((shadow.Readiness & (EPOLLOUT | EPOLLERR | EPOLLHUP)) != EPOLLOUT)
        {
            shadow.Fill(theirs);
            shadow.State = StreamState.Connecting;
        }
        else
        {
            shadow.State = StreamState.Connected;
        }

        return -EINPROGRESS;
    }

    private long? FinishConnect(in SeccompCall call, HostProcess process, StreamShadow shadow)
    {
        if ((shadow.Readiness & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
            return null;
        long result = Ask(call, process, shadow);
        if (result is -EALREADY or -EINPROGRESS)
            return null;
        if (result == 0)
            Connected(shadow);
        return result;
    }

    private void Connected(StreamShadow shadow)
    {
        if (shadow.State != StreamState.Fresh)
            return;
        shadow.State = StreamState.Connected;
        supervisor.Queue(shadow);
    }

    private long Accept(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        SeccompCall copy = call;
        int fd = (int)call.Arguments[0];

        long result = TryAccept(copy, process, shadow, theirs);
        return result != -EAGAIN || !IsBlocking(theirs)
            ? result
            : Wait(call, shadow, SO_RCVTIMEO, -EAGAIN, () => WithEnd(process, fd, end => TryAccept(copy, process, shadow, end)));
    }

    private long TryAccept(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        ulong address = call.Arguments[1], length = call.Arguments[2];
        int flags = call.Nr == __NR_accept4 ? (int)call.Arguments[3] : 0;
        if ((flags & ~(SOCK_NONBLOCK | SOCK_CLOEXEC)) != 0)
            return -EINVAL;
        long connection;
        if (shadow.TryClaim(out int claimed))
        {
            connection = claimed;
            if (address != 0
                && Invoke(process, shadow.LastSeen.Fd, __NR_getpeername, (ulong)claimed, address, length) is < 0 and var error)
            {
                shadow.Owner.Close(claimed);
                return error;
            }
        }
        else
        {
            connection = Invoke(
                process, shadow.LastSeen.Fd, __NR_accept4, (ulong)shadow.Fd, address, length, (ulong)flags);
        }

        if (shadow.State == StreamState.Listening)
            shadow.UpdateTokens(theirs);
        if (connection < 0)
            return connection;
        if (!listener.IsValid(call.Id))
        {
            // A signal ended the call: the connection is for the next.
            shadow.Unclaim((int)connection);
            supervisor.Queue(shadow);
            return Answered;
        }

        return Give(call, process, (int)connection, SOCK_STREAM, flags, StreamState.Connected);
    }

    private long Shutdown(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        if (shadow.State != StreamState.Connected)
            return Ask(call, process, shadow);
        int how = (int)call.Arguments[1];
        if (how is < SHUT_RD or > SHUT_RDWR)
            return -EINVAL;

        // The end of what is sent comes after what was written: the pair keeps the order.
        _ = Native.Shutdown(theirs, how);
        if (how != SHUT_WR)
            shadow.Owner.Shutdown(shadow.Fd, SHUT_RD);
        return 0;
    }

    // Options by which the program's own end waits.
    private static void Mirror(in SeccompCall call, HostProcess process, int theirs)
    {
        if ((int)call.Arguments[1] != SOL_SOCKET
            || (int)call.Arguments[2] is not (SO_RCVTIMEO or SO_SNDTIMEO or SO_RCVLOWAT))
            return;
        int length = Math.Clamp((int)call.Arguments[4], 0, 16);
        byte* value = stackalloc byte[16];
        if (process.Memory.CopyFromUser(new Span<byte>(value, length), call.Arguments[3]) == 0)
            _ = Setsockopt(theirs, SOL_SOCKET, (int)call.Arguments[2], value, (uint)length);
    }

    // What the pair cannot say is sent by Linnet's socket itself, behind all that was written before.
    private long SendOnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        (int flags, bool plain) = Shape(call, process);
        if (plain && (flags & ~(MSG_DONTWAIT | MSG_NOSIGNAL | MSG_EOR)) == 0 && shadow.State == StreamState.Connected)
            return LeftToHost;
        SeccompCall copy = call;
        bool mayWait = IsBlocking(theirs) && (flags & MSG_DONTWAIT) == 0;
        return AskOrWait(call, shadow, mayWait, SO_SNDTIMEO, () =>
        {
            if (shadow.State == StreamState.Connected)
                shadow.Flush();
            return shadow.IsDrained ? Ask(copy, process, shadow) : -EAGAIN;
        });
    }

    private long ReceiveOnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        (int flags, _) = Shape(call, process);
        if ((flags & (MSG_OOB | MSG_ERRQUEUE)) != 0 || shadow.State is StreamState.Fresh or StreamState.Listening)
            return Ask(call, process, shadow);
        return LeftToHost;
    }

    // The flags of a send or receive, and whether it has neither an address nor control messages.
    private static (int Flags, bool Plain) Shape(in SeccompCall call, HostProcess process)
    {
        const int MsghdrSize = 56, NamelenOffset = 8, ControllenOffset = 40;
        switch (call.Nr)
        {
            case __NR_sendto:
            case __NR_recvfrom:
                return ((int)call.Arguments[3], call.Arguments[4] == 0);
            case __NR_sendmmsg:
            case __NR_recvmmsg:
                return ((int)call.Arguments[3], false);
            default:
                Span<byte> msghdr = stackalloc byte[MsghdrSize];
                bool plain = process.Memory.CopyFromUser(msghdr, call.Arguments[1]) == 0
                    && (BitConverter.ToUInt64(msghdr) == 0 || BitConverter.ToInt32(msghdr[NamelenOffset..]) == 0)
                    && BitConverter.ToUInt64(msghdr[ControllenOffset..]) == 0;
                return ((int)call.Arguments[2], plain);
        }
    }
}
