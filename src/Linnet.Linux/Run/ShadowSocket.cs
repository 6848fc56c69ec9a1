using Linnet.Kernel;
using static Linnet.Linux.Native;
using KernelSocket = Linnet.Kernel.Net.Socket;

namespace Linnet.Linux;

/// <summary>
/// A socket of Linnet's as a program has it. The program holds one end of a pair of Unix sockets, so that read, write, poll,
/// dup, fork and the rest work on it as on any descriptor; the supervisor holds the other end and carries what comes between
/// it and the socket. When the last descriptor of the program's end is closed, the host tells by the supervisor's end.
/// </summary>
internal abstract unsafe class ShadowSocket : WaitQueueEntry
{
    private readonly List<PendingCall> waiting = [];
    private readonly List<PendingCall> lost = [];
    private int queued;
    private bool mayHaveEnded;
    private bool mayHaveWritten = true;

    protected ShadowSocket(Supervisor supervisor, Syscalls owner, int fd, int end, ulong inode)
    {
        Supervisor = supervisor;
        Owner = owner;
        Fd = fd;
        End = end;
        Inode = inode;
        Generation = supervisor.NextGeneration();
        Socket = Find(owner, fd);

        // Programs look for the number that /proc/net says in /proc/PID/fd, where the host has it.
        Socket.Ino = (long)inode;
        Socket.Wq.Wait.Add(this);
    }

    /// <summary>Guards the object: calls of the program and the pump take turns.</summary>
    public Lock Gate { get; } = new();

    /// <summary>The identity of the program's end: it survives dup, fork, exec and passing.</summary>
    public ulong Inode { get; private set; }

    /// <summary>Linnet's descriptor, in the table of <see cref="Owner"/>.</summary>
    public int Fd { get; }

    /// <summary>Who holds <see cref="Fd"/>.</summary>
    public Syscalls Owner { get; }

    /// <summary>The socket.</summary>
    public KernelSocket Socket { get; }

    /// <summary>Whether the program has closed it.</summary>
    public bool IsClosed { get; private set; }

    /// <summary>Where the program was last seen to hold it; a hint.</summary>
    public (HostProcess? Process, int Fd) LastSeen { get; set; }

    /// <summary>Changes with each shadow, so that an old event of a reused descriptor is known.</summary>
    public uint Generation { get; private set; }

    /// <summary>The supervisor's end of the pair; -1 while the program's end is alone.</summary>
    public int End { get; private set; }

    /// <summary>Whether the pair says that nobody has the program's end open any more.</summary>
    public bool HasHungUp
    {
        get
        {
            PollFd poll = new() { Fd = End };
            return End >= 0 && Poll(&poll, 1, 0) > 0 && (poll.Revents & POLLHUP) != 0;
        }
    }

    protected Supervisor Supervisor { get; }

    /// <summary>Sends what the program wrote to its end.</summary>
    /// <returns>Bytes that were taken, or a negative errno.</returns>
    protected long SendToNetwork(ReadOnlySpan<byte> data)
    {
        ICarryObserver? observer = Supervisor.Observer?.Carry(Owner.Task);
        long sent = Owner.Send(Fd, data, MSG_DONTWAIT | MSG_NOSIGNAL);
        observer?.End(this, Carriage.Sent, data[..(int)Math.Max(0, sent)], sent);
        return sent;
    }

    /// <summary>Receives what the program is to read at its end.</summary>
    /// <returns>Bytes, 0 at the end, or a negative errno.</returns>
    protected long ReceiveFromNetwork(Span<byte> buffer, int flags)
    {
        ICarryObserver? observer = Supervisor.Observer?.Carry(Owner.Task);
        long received = Owner.Recv(Fd, buffer, flags);
        observer?.End(this, Carriage.Received, buffer[..(int)Math.Clamp(received, 0, buffer.Length)], received);
        return received;
    }

    /// <summary>What Linnet's socket is ready for (<c>EPOLL*</c>).</summary>
    public uint Readiness
    {
        get
        {
            using KernelEntry entry = Owner.Task.Enter();
            return Socket.File is { } file ? file.FOp.Poll(file, null) : EPOLLHUP;
        }
    }

    /// <summary>What the pump is to be told of at <see cref="End"/>.</summary>
    public abstract uint Watched { get; }

    /// <summary>Whether the program may have ended its direction: all that it wrote was there before.</summary>
    protected bool MayHaveEnded => Volatile.Read(ref mayHaveEnded);

    /// <summary>Whether something happened at the program's end since this was asked last: otherwise it has written nothing.</summary>
    protected bool MayHaveWritten => MayHaveEnded | Interlocked.Exchange(ref mayHaveWritten, false);

    /// <summary>The host told that the program's end was shut down or closed.</summary>
    public void NoticeEnd() => Volatile.Write(ref mayHaveEnded, true);

    /// <summary>The host told of the program's end, or what it told of is not dealt with yet.</summary>
    public void NoticeWritten() => Volatile.Write(ref mayHaveWritten, true);

    /// <summary>Carries what there is to carry, and tries again what waits. Called without the gate.</summary>
    public void Pump()
    {
        Volatile.Write(ref queued, 0);
        Interlocked.MemoryBarrier();
        lock (Gate)
        {
            if (IsClosed)
                return;
            Carry();
            RetryWaiting();
        }
    }

    /// <summary>Closes it when it has no pair, which would tell, and nobody has the program's end open any more.</summary>
    public void CloseIfAbandoned()
    {
        lock (Gate)
        {
            if (!IsClosed && End < 0 && !UnixEnds.IsOpen(Inode))
                Close();
        }
    }

    /// <summary>Keeps a call until it can be answered. Called with the gate.</summary>
    public void Park(PendingCall call)
    {
        // A thread makes one call at a time: one that a signal ended has not been told of otherwise.
        foreach (PendingCall other in waiting.FindAll(other => other.Tid == call.Tid))
        {
            other.BrokenOff?.Invoke();
            waiting.Remove(other);
        }

        waiting.Add(call);
        Supervisor.Watch(call);

        // Something may have happened since it was tried.
        Supervisor.Queue(this);
    }

    /// <summary>Finds what a call was that is made again because a signal ended it. Called with the gate.</summary>
    /// <returns>Null when it is a new one.</returns>
    public PendingCall? TakeEarlier(in SeccompCall call)
    {
        ForgetLost();
        return Take(waiting, call) ?? Take(lost, call);
    }

    /// <summary>Whether the pump has been asked to look at it already; it has from now on.</summary>
    public bool MarkQueued() => Interlocked.Exchange(ref queued, 1) != 0;

    /// <summary>The program has no descriptor of it any more, or it could not be given one. Called with the gate.</summary>
    public void Close()
    {
        if (IsClosed)
            return;

        // Who looks for sockets that programs have closed waits for this one as long as it is known.
        ICarryObserver? observer = Supervisor.Observer?.Carry(Owner.Task);
        int err = Owner.Close(Fd);
        observer?.End(this, Carriage.Closed, [], err);
        Disown();
    }

    /// <summary>Ends serving the socket, which stays. Called with the gate.</summary>
    public void Disown()
    {
        IsClosed = true;
        Socket.Wq.Wait.Remove(this);
        Supervisor.Forget(this);
        CloseEnd();
        foreach (PendingCall call in waiting)
            call.Answer(-EBADF);
        waiting.Clear();
    }

    /// <summary>Carries data between the program's end and Linnet's socket until one of them has to wait.</summary>
    protected abstract void Carry();

    /// <summary>Has the program's end in a pair from now on. Called with the gate.</summary>
    /// <param name="end">The supervisor's end, which this object owns.</param>
    protected void Pair(int end)
    {
        End = end;
        Generation = Supervisor.NextGeneration();
        Volatile.Write(ref mayHaveEnded, false);
        NoticeWritten();
        Supervisor.Paired(this);
    }

    /// <summary>Ends the pair, not the socket: the program's end reads as closed, or as reset where data is unread here.</summary>
    protected void Unpair()
    {
        if (End < 0)
            return;
        Supervisor.Unpaired(this);
        CloseEnd();
    }

    /// <summary>The program has another end from now on, which is alone.</summary>
    protected void Replace(ulong inode)
    {
        Unpair();
        Supervisor.Rename(this, inode, () => Inode = inode);
        Socket.Ino = (long)inode;
    }

    /// <summary>Tries the calls again that wait.</summary>
    protected void RetryWaiting()
    {
        for (int i = 0; i < waiting.Count && !IsClosed; i++)
        {
            PendingCall call = waiting[i];
            if (!call.TryAgain())
                continue;
            waiting.Remove(call);
            i--;
            if (call.LostAt == 0)
                continue;
            ForgetLost();
            lost.Add(call);
        }
    }

    /// <inheritdoc/>
    protected sealed override bool Wake(uint key)
    {
        Supervisor.Queue(this);
        return true;
    }

    private static PendingCall? Take(List<PendingCall> calls, in SeccompCall call)
    {
        for (int i = 0; i < calls.Count; i++)
        {
            if (calls[i] is var found && found.IsSame(call))
            {
                calls.RemoveAt(i);
                return found;
            }
        }

        return null;
    }

    private void ForgetLost()
    {
        long before = Environment.TickCount64 - LostAnswers.KeepMilliseconds;
        lost.RemoveAll(call => call.LostAt < before);
    }

    private static KernelSocket Find(Syscalls owner, int fd)
    {
        using KernelEntry entry = owner.Task.Enter();
        int err = KernelSocket.SockfdLookup(fd, out Kernel.Fs.File? file, out KernelSocket? socket);
        if (err < 0)
            throw new InvalidOperationException($"descriptor {fd} is no socket: {Errno.Describe(-err)}");
        file.Fput();
        return socket;
    }

    private void CloseEnd()
    {
        if (End >= 0)
            _ = Native.Close(End);
        End = -1;
    }
}
