using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>Calls on TCP sockets.</summary>
internal sealed unsafe partial class SupervisedCalls
{
    private const int MostOption = 16;

    private long OnStream(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        int theirs = end.Number;
        switch (call.Nr)
        {
            case __NR_connect:
                return ConnectStream(call, process, shadow, end);
            case __NR_accept:
            case __NR_accept4:
                return Accept(call, process, shadow, end);
            case __NR_bind:
                return Bind(call, process, shadow);
            case __NR_listen:
                return Listen(call, process, shadow, end);
            case __NR_shutdown:
                return Shutdown(call, process, shadow, theirs);
            case __NR_setsockopt:
                Mirror(call, process, shadow, theirs);
                return Ask(call, process, shadow);
            case __NR_ioctl when (int)call.Arguments[1] == SIOCATMARK && shadow.State == StreamState.Connected:
                return LeftToHost;
            case __NR_getsockopt when (int)call.Arguments[1] == SOL_SOCKET && (int)call.Arguments[2] == SO_ERROR:
                ShareError(shadow, theirs);
                return Ask(call, process, shadow);
            case __NR_sendto:
            case __NR_sendmsg:
            case __NR_sendmmsg:
                return SendOnStream(call, process, shadow, end);
            case __NR_recvfrom:
            case __NR_recvmsg:
            case __NR_recvmmsg:
                return ReceiveOnStream(call, process, shadow, end);
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

    private long Listen(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        int theirs = end.Number;
        long result = Ask(call, process, shadow);
        if (result == -EADDRINUSE)
        {
            supervisor.NoticeCloses();
            result = Ask(call, process, shadow);
        }

        if (result < 0)
            return result;
        if (shadow.State == StreamState.Listening)
            shadow.UpdateTokens(theirs);
        else if (shadow.State == StreamState.Fresh || Renew(call, process, shadow, end))
            return shadow.BeginListening(theirs);
        return 0;
    }

    private long ConnectStream(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        int theirs = end.Number;
        process.ReadProgram();
        supervisor.NoticeClosedListeners();
        long result = Ask(call, process, shadow);
        bool blocking = end.IsBlocking;
        if (result != 0 && result != -EINPROGRESS && (result != -EALREADY || !blocking))
            return result;

        // An end that showed something else, or a connection that was dissolved by AF_UNSPEC, is of no use any more.
        if (shadow.State is StreamState.Broken or StreamState.Listening || (shadow.State != StreamState.Fresh && shadow.IsUnconnected))
            Renew(call, process, shadow, end);
        if (result == 0)
            return shadow.IsUnconnected ? 0 : shadow.BecomeConnected(theirs);
        if (shadow.State == StreamState.Fresh && shadow.BeginConnecting(theirs) is var err and < 0)
            return err;
        return blocking ? WaitToConnect(call, process, shadow) : result;
    }

    private long WaitToConnect(SeccompCall call, HostProcess process, StreamShadow shadow) =>
        Wait(call, process, shadow, SO_SNDTIMEO, -EINPROGRESS, () => FinishConnect(call, process, shadow));

    private long? FinishConnect(in SeccompCall call, HostProcess process, StreamShadow shadow)
    {
        if ((shadow.Readiness & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == 0)
            return null;
        long result = Ask(call, process, shadow);
        if (result is -EALREADY or -EINPROGRESS)
            return null;
        if (result == 0)
            return shadow.BecomeConnected(-1);
        shadow.GiveUpConnecting();
        return result;
    }

    /// <summary>
    /// Puts a new end where the program has one that cannot be used again: a Unix socket connects once. Other processes that
    /// have it too keep the old one.
    /// </summary>
    /// <returns>Whether there is a new one.</returns>
    private bool Renew(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        if (UnixEnds.MakeAlone(!end.IsBlocking, out int renewed, out ulong inode) < 0)
            return false;
        List<int> descriptors = process.Search(shadow.Inode);
        EpollEntries watched = EpollEntries.Of(process, descriptors);
        foreach (int fd in descriptors)
            listener.Replace(call.Id, renewed, fd, process.ClosesOnExec(fd));
        watched.Enter(process, renewed);

        // This call's own copy is the new one from here on.
        _ = Dup3(renewed, end.Number, O_CLOEXEC);
        _ = Close(renewed);
        shadow.BecomeFresh(inode);
        CopyTimeouts(shadow, end.Number);
        return true;
    }

    // A read takes an error from the program's end, this call from Linnet's socket; either is told, not both.
    private static void ShareError(StreamShadow shadow, int theirs)
    {
        int told;
        uint length = sizeof(int);
        if (Getsockopt(theirs, SOL_SOCKET, SO_ERROR, &told, &length) == 0 && told == 0
            && shadow.State == StreamState.Broken && shadow.TellsError && shadow.Socket.Sk is { } sk)
            sk.SkErr = 0;
    }

    private long Accept(in SeccompCall call, HostProcess process, StreamShadow shadow, ProgramEnd end)
    {
        long result = TryAccept(call, process, shadow, end.Number);
        return result == -EAGAIN && end.IsBlocking ? WaitToAccept(call, process, shadow) : result;
    }

    private long WaitToAccept(in SeccompCall call, HostProcess process, StreamShadow shadow)
    {
        SeccompCall copy = call;
        int fd = (int)call.Arguments[0];
        return Wait(call, process, shadow, SO_RCVTIMEO, -EAGAIN, () => WithEnd(shadow, process, fd, theirs => TryAccept(copy, process, shadow, theirs)));
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
                && Invoke(process, __NR_getpeername, (ulong)claimed, address, length) is < 0 and var error)
            {
                shadow.Owner.Close(claimed);
                return error;
            }
        }
        else
        {
            connection = Invoke(
                process, __NR_accept4, (ulong)shadow.Fd, address, length, (ulong)flags);
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
            observed?.BreaksOff();
            return Answered;
        }

        return Give(call, process, (int)connection, SOCK_STREAM, flags, listening: shadow);
    }

    private long Shutdown(in SeccompCall call, HostProcess process, StreamShadow shadow, int theirs)
    {
        int how = (int)call.Arguments[1];
        if (shadow.State == StreamState.Connected && how is >= SHUT_RD and <= SHUT_RDWR)
            shadow.Flush();
        if (shadow.State != StreamState.Connected || how is < SHUT_RD or > SHUT_RDWR || shadow.IsUnconnected)
        {
            supervisor.Queue(shadow);
            return Ask(call, process, shadow);
        }

        // The end of what is sent comes after what was written: the pair keeps the order.
        _ = Native.Shutdown(theirs, how);
        if (how != SHUT_WR)
            shadow.Owner.Shutdown(shadow.Fd, SHUT_RD);
        return 0;
    }

    // Options by which the program's own end waits, or takes as much as Linnet's socket would.
    private static bool IsMirrored(in SeccompCall call) => (int)call.Arguments[1] == SOL_SOCKET
        && (int)call.Arguments[2] is SO_RCVTIMEO or SO_SNDTIMEO or SO_RCVLOWAT or SO_SNDBUF or SO_RCVBUF or SO_OOBINLINE;

    private static void Mirror(in SeccompCall call, HostProcess process, ShadowSocket shadow, int theirs)
    {
        if (!IsMirrored(call))
            return;
        int option = (int)call.Arguments[2];
        if (option is SO_SNDBUF or SO_RCVBUF && shadow is not StreamShadow)
            return;
        int length = Math.Clamp((int)call.Arguments[4], 0, MostOption);
        byte* value = stackalloc byte[MostOption];
        if (process.Memory.CopyFromUser(new Span<byte>(value, length), call.Arguments[3]) != 0)
            return;

        // What is received waits in the buffer of whoever sends it into the pair.
        if (option == SO_RCVBUF)
            _ = Setsockopt(shadow.End, SOL_SOCKET, SO_SNDBUF, value, (uint)length);
        else
            _ = Setsockopt(theirs, SOL_SOCKET, option, value, (uint)length);
    }

    // A connection has its listener's.
    private static void CopyTimeouts(ShadowSocket shadow, int theirs)
    {
        if (shadow.Socket.Sk is not { } sk || (sk.SkRcvtimeo == long.MaxValue && sk.SkSndtimeo == long.MaxValue && sk.SkRcvlowat == 1))
            return;
        byte* value = stackalloc byte[MostOption];
        foreach (int option in (ReadOnlySpan<int>)[SO_RCVTIMEO, SO_SNDTIMEO, SO_RCVLOWAT])
        {
            int length = MostOption;
            if (shadow.Owner.Getsockopt(shadow.Fd, SOL_SOCKET, option, new Span<byte>(value, length), ref length) == 0)
                _ = Setsockopt(theirs, SOL_SOCKET, option, value, (uint)length);
        }
    }

    // The flags of a send or receive, and whether it has neither an address nor control messages.
    private static (int Flags, bool Plain) Shape(in SeccompCall call, HostProcess process)
    {
        const int NamelenOffset = 8, ControllenOffset = 40;
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
