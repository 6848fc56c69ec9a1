using Linnet.Kernel;
using Linnet.Kernel.Arch.X86;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>
/// Answers the calls of a program: those on Linnet's sockets are made on Linnet, with pointers that lead into the program's own
/// memory; others are left to the host.
/// </summary>
/// <param name="supervisor">Keeps the sockets.</param>
/// <param name="host">The host that the program runs on.</param>
/// <param name="listener">Where calls are answered.</param>
internal sealed unsafe partial class SupervisedCalls(Supervisor supervisor, Host host, SeccompListener listener)
{
    /// <summary>The result of a call that has been answered already.</summary>
    public const long Answered = long.MinValue;

    private const long LeftToHost = long.MinValue + 1;
    private const long OfAnother = long.MinValue + 2;

    private static readonly RemoteMemory AnyMemory = new();

    // Sees the call that this thread is making.
    [ThreadStatic]
    private static IObservedCall? observed;

    private readonly LostAnswers lost = new();

    /// <summary>Answers a call, or keeps it until it can be.</summary>
    public void Handle(in SeccompCall call)
    {
        while (true)
        {
            if (supervisor.ProcessOf(call, host, listener) is not { } process || !process.TryBeginCall())
            {
                listener.Respond(call.Id, -ESRCH);
                return;
            }

            try
            {
                if (TryServe(call, process))
                    return;
            }
            finally
            {
                process.EndCall();
            }

            supervisor.Outdate(process);
        }
    }

    /// <summary>Serves a call, unless its process is one that had the caller's number before.</summary>
    private bool TryServe(in SeccompCall call, HostProcess process)
    {
        HostProcess.ActFor(call.Tid, listener, call.Id);
        if (lost.TryTake(process, call, out long earlier))
        {
            Answer(process, call, earlier);
            return true;
        }

        supervisor.BeginCall();
        IObservedCall? seen = observed = Observe(process, call);
        CallMemory.OfThread.Begin();
        long result = call.Nr switch
        {
            __NR_socket => MakeSocket(call, process),
            __NR_io_uring_setup => LacksCall(call, process),
            __NR_splice => OnSplice(call, process),
            _ => OnDescriptor(call, process, (int)call.Arguments[0]),
        };
        CallMemory.OfThread.End();
        observed = null;
        bool isOutdated = result == OfAnother;
        if (isOutdated || result == LeftToHost)
            seen?.LeavesToHost();
        if (result == LeftToHost)
            listener.Continue(call.Id);
        else if (!isOutdated)
        {
            if (result != Answered)
                seen?.Ends(result);

            // What the call caused on this network is there when it returns, as on a loopback of Linux's.
            supervisor.PumpReady();
            if (result != Answered)
                Answer(process, call, result);
        }

        supervisor.EndCall();
        return !isOutdated;
    }

    private IObservedCall? Observe(HostProcess process, in SeccompCall call)
    {
        if (supervisor.Observer is not { } observer)
            return null;
        fixed (ulong* arguments = call.Arguments)
            return observer.Begin(process, call.Nr, new ReadOnlySpan<ulong>(arguments, 6));
    }

    // What waits is not done yet; all else is, whether its caller still waits for it or a signal has ended its wait.
    private void Answer(HostProcess process, in SeccompCall call, long result)
    {
        if (!listener.Respond(call.Id, result) && result != -EAGAIN)
            lost.Keep(process, call, result);
    }

    private long OnDescriptor(in SeccompCall call, HostProcess process, int fd)
    {
        if (!NeedsEnd(call) && process.Descriptors.TryRead(fd, out ulong inode, out int flags))
            return OnSocket(call, process, fd, inode == 0 ? null : supervisor.FindByInode(inode), new ProgramEnd(-1, flags));
        int theirs = process.Take(fd);
        if (theirs == -EBADF)
            return call.Nr is __NR_sendto or __NR_recvfrom && !IsInReach(call) ? -EFAULT : -EBADF;
        if (theirs < 0)
            return theirs == -ESRCH && process.Pidfd.HasEnded && listener.IsValid(call.Id) ? OfAnother : LeftToHost;
        try
        {
            return OnSocket(call, process, fd, supervisor.Find(theirs), new ProgramEnd(theirs, null));
        }
        finally
        {
            _ = Close(theirs);
        }
    }

    // Whether a call does something with the program's own end; others only have to know which socket it is.
    private static bool NeedsEnd(in SeccompCall call) => call.Nr switch
    {
        __NR_getsockname or __NR_getpeername or __NR_bind or __NR_ioctl => false,
        __NR_sendto or __NR_sendmsg or __NR_sendmmsg => false,
        __NR_getsockopt => (int)call.Arguments[1] == SOL_SOCKET && (int)call.Arguments[2] == SO_ERROR,
        __NR_setsockopt => IsMirrored(call),
        _ => !MovesData(call.Nr),
    };

    private long OnSocket(in SeccompCall call, HostProcess process, int fd, ShadowSocket? shadow, ProgramEnd end)
    {
        if (shadow == null)
            return IsAboutNetwork(call) ? AskThroughHostSocket(call, process, fd) : LeftToHost;

        // Whom signals go to is kept by the open file.
        if (call.Nr == __NR_ioctl && (int)call.Arguments[1] is FIOSETOWN or SIOCSPGRP or FIOGETOWN or SIOCGPGRP)
            return LeftToHost;
        lock (shadow.Gate)
        {
            shadow.LastSeen = (process, fd);

            // The pump may have been making the call when the signal came, and have its answer only now.
            if (lost.TryTake(process, call, out long earlier))
                return earlier;
            return shadow switch
            {
                _ when shadow.IsClosed => -EBADF,
                _ when MovesData(call.Nr) => AskAboutData(call, process, shadow, fd),
                StreamShadow stream => OnStream(call, process, stream, end),
                DatagramShadow datagram => OnDatagram(call, process, datagram, end),
                _ => -EBADF,
            };
        }
    }

    // Addresses that no program has are refused before anything else is looked at.
    private static bool IsInReach(in SeccompCall call) =>
        Uaccess.AccessOk(new Sockptr(AnyMemory, call.Arguments[1]), Math.Min(call.Arguments[2], (ulong)Uaccess.MaxRwCount));

    private long MakeSocket(in SeccompCall call, HostProcess process)
    {
        int family = (int)call.Arguments[0], type = (int)call.Arguments[1], protocol = (int)call.Arguments[2];
        process.ReadProgram();
        if (family == AF_NETLINK && protocol is not (NETLINK_ROUTE or NETLINK_SOCK_DIAG))
            return LeftToHost;
        long fd = Invoke(
            process, __NR_socket, (ulong)family, (ulong)(uint)type, (ulong)(uint)protocol);
        return fd < 0 ? fd : Give(call, process, (int)fd, type & SOCK_TYPE_MASK, type, listening: null, family == AF_NETLINK);
    }

    /// <summary>
    /// Gives the program a descriptor for a socket of Linnet's, or for a listener's connection; that is the answer to its call.
    /// </summary>
    private long Give(in SeccompCall call, HostProcess process, int fd, int type, int flags, StreamShadow? listening, bool isNetlink = false)
    {
        Syscalls owner = supervisor.OwnerOn(process.Host);

        // Who waits is the program, not the supervisor.
        _ = owner.Fcntl(fd, F_SETFL, O_NONBLOCK);
        bool stream = type == SOCK_STREAM, nonBlocking = (flags & SOCK_NONBLOCK) != 0;
        int ours = -1;
        int err = stream && listening == null
            ? UnixEnds.MakeAlone(nonBlocking, out int theirs, out ulong inode)
            : UnixEnds.MakePair(stream ? SOCK_STREAM : SOCK_SEQPACKET, nonBlocking, out theirs, out ours, out inode);
        if (err < 0)
        {
            owner.Close(fd);
            return err;
        }

        ShadowSocket shadow = stream
            ? new StreamShadow(supervisor, owner, fd, ours, inode) { State = listening == null ? StreamState.Fresh : StreamState.Connected }
            : new DatagramShadow(supervisor, owner, fd, ours, inode) { IsNetlink = isNetlink };
        if (shadow is StreamShadow { Socket: var socket } shown)
            socket.Between = shown.Between;
        if (listening != null)
            CopyTimeouts(shadow, theirs);
        int given;
        lock (shadow.Gate)
        {
            supervisor.Add(shadow);
            given = listener.RespondWithDescriptor(call.Id, theirs, (flags & SOCK_CLOEXEC) != 0);
            shadow.LastSeen = (process, given);

            // Before its end is closed here, which would be the program's last close.
            if (given < 0)
                shadow.Disown();
        }

        if (given >= 0)
            observed?.Ends(given);
        else if (given == -ENOENT)
            observed?.BreaksOff();
        _ = Close(theirs);
        if (given >= 0)
        {
            supervisor.Queue(shadow);
            return Answered;
        }

        // Nobody has it. Who makes the call once more because a signal ended it finds the connection.
        if (given == -ENOENT && listening != null)
            listening.Unclaim(fd);
        else
            owner.Close(fd);
        return given == -ENOENT ? Answered : given;
    }

    /// <summary>Makes a call on Linnet's socket with the program's own arguments; it does not wait.</summary>
    private long Ask(in SeccompCall call, HostProcess process, ShadowSocket shadow)
    {
        fixed (ulong* a = call.Arguments)
        {
            bool endsWithWrites = call.Nr is __NR_getsockname or __NR_getpeername or __NR_getsockopt
                || (call.Nr == __NR_recvfrom && shadow is DatagramShadow);
            if (!endsWithWrites || observed != null)
                return Invoke(process, call.Nr, (ulong)shadow.Fd, a[1], a[2], a[3], a[4], a[5]);
            CallMemory.OfThread.Defer();
            long result = Invoke(process, call.Nr, (ulong)shadow.Fd, a[1], a[2], a[3], a[4], a[5]);
            return CallMemory.OfThread.Flush() ? result : -EFAULT;
        }
    }

    private static long Invoke(HostProcess process, int nr, params ReadOnlySpan<ulong> arguments)
    {
        if (observed is not { } seen)
            return SyscallTable.Invoke(process.Task, nr, arguments);
        ulong[] copy = arguments.ToArray();
        return seen.Observe(() => SyscallTable.Invoke(process.Task, nr, copy));
    }

    /// <summary>Keeps a call until it can be answered.</summary>
    /// <param name="call">The call.</param>
    /// <param name="process">Who makes it.</param>
    /// <param name="shadow">Its socket.</param>
    /// <param name="timeoutOption">The option that says how long it may take.</param>
    /// <param name="expired">The result then.</param>
    /// <param name="attempt">Makes it; null while it has to wait.</param>
    /// <param name="progress">What it has done when it is made again behind a signal, or null where that is nothing.</param>
    /// <param name="earlier">The same call before a signal, if it is known.</param>
    private long Wait(
        in SeccompCall call, HostProcess process, ShadowSocket shadow, int timeoutOption, long expired, Func<long?> attempt,
        CallProgress? progress = null, PendingCall? earlier = null)
    {
        IObservedCall? seen = observed;
        if (seen != null)
        {
            seen.Waits();
            attempt = Observed(seen, attempt);
        }

        SeccompCall copy = call;
        void AnswerIt(long result)
        {
            if (listener.IsValid(copy.Id))
                seen?.Ends(result);
            else
                seen?.BreaksOff();
            Answer(process, copy, result);
        }

        attempt = WhileItRuns(process, attempt);
        earlier ??= shadow.TakeEarlier(call);
        earlier?.BrokenOff?.Invoke();

        // A signal does not begin the time anew: one that comes again and again would have it never end.
        long deadline = earlier is { Deadline: not long.MaxValue and var before } && before > Environment.TickCount64
            ? before
            : Deadline(shadow, timeoutOption);
        shadow.Park(new PendingCall(listener, call, seen == null ? result => Answer(process, copy, result) : AnswerIt, attempt, deadline, expired)
        {
            Shadow = shadow,
            Progress = progress,
            BrokenOff = seen == null ? null : seen.BreaksOff,
        });
        return Answered;
    }

    private static Func<long?> WhileItRuns(HostProcess process, Func<long?> attempt) => () =>
    {
        if (!process.TryBeginCall())
            return -ESRCH;
        try
        {
            return attempt();
        }
        finally
        {
            process.EndCall();
        }
    };

    private static Func<long?> Observed(IObservedCall seen, Func<long?> attempt) => () =>
    {
        IObservedCall? outer = observed;
        observed = seen;
        long? result = attempt();
        observed = outer;
        if (result == null)
            seen.Waits();
        return result;
    };

    /// <summary>Makes a call that needs the program's end, which is taken anew for it: by now something else may be at its number.</summary>
    private long? WithEnd(ShadowSocket shadow, HostProcess process, int fd, Func<int, long> make)
    {
        int theirs = supervisor.TakeEnd(shadow, process, fd);
        if (theirs < 0)
            return -EBADF;
        try
        {
            return make(theirs) is var result && result == -EAGAIN ? null : result;
        }
        finally
        {
            _ = Close(theirs);
        }
    }

    private static long Deadline(ShadowSocket shadow, int timeoutOption)
    {
        Span<byte> timeval = stackalloc byte[16];
        int length = timeval.Length;
        if (shadow.Owner.Getsockopt(shadow.Fd, SOL_SOCKET, timeoutOption, timeval, ref length) < 0)
            return long.MaxValue;
        long seconds = BitConverter.ToInt64(timeval), microseconds = BitConverter.ToInt64(timeval[8..]);
        return seconds == 0 && microseconds == 0
            ? long.MaxValue
            : Environment.TickCount64 + (seconds * 1000) + ((microseconds + 999) / 1000);
    }

    /// <summary>The program's end of a socket, as far as a call has to do with it.</summary>
    /// <param name="Number">A descriptor of this process's for it; -1 for calls that do without.</param>
    /// <param name="Flags">The flags of the open file; null where nobody has asked yet.</param>
    private readonly record struct ProgramEnd(int Number, int? Flags)
    {
        /// <summary>Whether calls on it wait.</summary>
        public bool IsBlocking => ((Flags ?? Fcntl(Number, F_GETFL, 0)) & O_NONBLOCK) == 0;
    }
}
