using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net;

/// <summary>Which call a <see cref="SocketOperation"/> is.</summary>
public enum SocketOperationKind
{
    /// <summary>Sending a message.</summary>
    Send,

    /// <summary>Receiving a message.</summary>
    Recv,

    /// <summary>Accepting a connection.</summary>
    Accept,

    /// <summary>Connecting.</summary>
    Connect,

    /// <summary>Moving received data into a pipe.</summary>
    Splice,
}

/// <summary>
/// One call on a socket that may have to be tried several times before it is done: what the blocking form and the
/// asynchronous form of a call share. <see cref="Try"/> asks the protocol once, without waiting; while it answers false,
/// the caller registers a <see cref="WaitQueueEntry"/> with <see cref="Events"/> and <see cref="Exclusive"/> in
/// <see cref="Socket.Wq"/>, tries again (something may have happened before it was in the queue), and waits for a wake-up,
/// for <see cref="Timeout"/> or for a signal. When it stops waiting without success, <see cref="GiveUp"/> says what the
/// call returns.
/// </summary>
/// <remarks>A mutable struct: keep it in one place and pass it by reference.</remarks>
public struct SocketOperation
{
    private readonly MsgHdr? msg;
    private readonly Socket? newsock;
    private readonly Pipe? pipe;
    private readonly IovIter start;
    private readonly long size;
    private readonly long target;
    private readonly int flags;
    private long total;
    private int pending;
    private SkBuff? notification;

    private SocketOperation(
        SocketOperationKind kind, Socket sock, MsgHdr? msg, Socket? newsock, long size, int flags, bool dontWait,
        Pipe? pipe = null)
    {
        Kind = kind;
        Sock = sock;
        this.msg = msg;
        this.newsock = newsock;
        this.pipe = pipe;
        this.size = size;
        this.flags = flags;
        start = msg?.MsgIter ?? default;
        pending = -EAGAIN;
        Core.Sock sk = sock.Sk!;
        Timeout = dontWait ? 0 : kind is SocketOperationKind.Send or SocketOperationKind.Connect ? sk.SkSndtimeo : sk.SkRcvtimeo;
        target = size;
        if (kind == SocketOperationKind.Recv && sk.SkType == SOCK_STREAM)
            target = (flags & MSG_WAITALL) != 0 ? size : Math.Max(1, Math.Min(sk.SkRcvlowat, size));
    }

    /// <summary>Which call it is.</summary>
    public SocketOperationKind Kind { get; }

    /// <summary>The socket.</summary>
    public Socket Sock { get; }

    /// <summary>How long the call may wait, in ns: 0 not at all, <see cref="long.MaxValue"/> for ever.</summary>
    public long Timeout { get; }

    /// <summary>Poll mask of the wake-ups that matter.</summary>
    public readonly uint Events => Kind switch
    {
        SocketOperationKind.Send or SocketOperationKind.Connect => EPOLLOUT | EPOLLWRNORM | EPOLLERR | EPOLLHUP,
        _ => EPOLLIN | EPOLLRDNORM | EPOLLERR | EPOLLHUP | EPOLLRDHUP,
    };

    /// <summary>Whether one wake-up is for one waiter only: what is received or accepted by one is gone for others.</summary>
    public readonly bool Exclusive =>
        Kind == SocketOperationKind.Accept || (Kind == SocketOperationKind.Recv && Sock.Sk?.SkType != SOCK_STREAM);

    /// <summary>Sends what is left in the message's iterator; flags are the message's.</summary>
    public static SocketOperation Send(Socket sock, MsgHdr msg) =>
        new(SocketOperationKind.Send, sock, msg, null, msg.MsgIter.Count, msg.MsgFlags, (msg.MsgFlags & MSG_DONTWAIT) != 0);

    /// <summary>Receives into the message's iterator.</summary>
    public static SocketOperation Recv(Socket sock, MsgHdr msg, int flags) =>
        // Errors and urgent data are there or not: nobody waits for them.
        new(SocketOperationKind.Recv, sock, msg, null, msg.MsgIter.Count, flags,
            (flags & (MSG_DONTWAIT | MSG_ERRQUEUE | MSG_OOB)) != 0);

    /// <summary>Accepts a connection into <paramref name="newsock"/>, whose type and operations are set.</summary>
    /// <param name="sock">The listening socket.</param>
    /// <param name="newsock">The new one.</param>
    /// <param name="fileFlags">With O_NONBLOCK the call does not wait.</param>
    public static SocketOperation Accept(Socket sock, Socket newsock, int fileFlags) =>
        new(SocketOperationKind.Accept, sock, null, newsock, 0, fileFlags, (fileFlags & O_NONBLOCK) != 0);

    /// <summary>Connects to the address in <see cref="MsgHdr.MsgName"/> of <paramref name="msg"/>.</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="msg">Holds the address while the operation lives.</param>
    /// <param name="fileFlags">With O_NONBLOCK the call does not wait.</param>
    public static SocketOperation Connect(Socket sock, MsgHdr msg, int fileFlags) =>
        new(SocketOperationKind.Connect, sock, msg, null, 0, fileFlags, (fileFlags & O_NONBLOCK) != 0);

    /// <summary>Moves received data into a pipe that has room.</summary>
    /// <param name="sock">The socket.</param>
    /// <param name="pipe">The pipe.</param>
    /// <param name="length">Most bytes to move.</param>
    /// <param name="flags"><c>SPLICE_F_*</c></param>
    /// <param name="fileFlags">With O_NONBLOCK the call does not wait.</param>
    public static SocketOperation Splice(Socket sock, Pipe pipe, long length, uint flags, int fileFlags) =>
        new(SocketOperationKind.Splice, sock, null, null, length, (int)flags, (fileFlags & O_NONBLOCK) != 0, pipe);

    /// <summary>Asks the protocol once.</summary>
    /// <param name="result">What the call returns when it is done.</param>
    /// <returns>Whether it is done; when it may not wait it is done at once.</returns>
    public bool Try(out long result)
    {
        bool done = Kind switch
        {
            SocketOperationKind.Send => TrySend(out result),
            SocketOperationKind.Recv => TryRecv(out result),
            SocketOperationKind.Accept => TryAccept(out result),
            SocketOperationKind.Splice => TrySplice(out result),
            _ => TryConnect(out result),
        };
        if (!done && Timeout == 0)
        {
            result = GiveUp(interrupted: false);
            return true;
        }

        return done;
    }

    /// <summary>What the call returns when it stops waiting: what was done so far, or why it stopped.</summary>
    /// <param name="interrupted">Whether a signal stopped it, rather than the timeout.</param>
    public long GiveUp(bool interrupted)
    {
        FinishZerocopy();
        if (total > 0)
            return total;
        if (!interrupted)
            return pending;
        // A call without a timeout is restarted after the signal's handler ran, one with a timeout is not (sock_intr_errno).
        return Timeout == long.MaxValue ? -ERESTARTSYS : -EINTR;
    }

    private bool TrySend(out long result)
    {
        if ((flags & MSG_ZEROCOPY) == 0 || size == 0 || !Sock.Sk!.SockFlag(SockFlags.Zerocopy))
            return SendRest(out result);
        notification ??= MsgZerocopy.MsgZerocopyAlloc(Sock.Sk);
        if (notification == null)
        {
            result = -ENOBUFS;
            return true;
        }

        bool done = SendRest(out result);
        if (done)
            FinishZerocopy();
        return done;
    }

    private bool SendRest(out long result)
    {
        bool stream = Sock.Sk!.SkType == SOCK_STREAM;
        while (true)
        {
            result = Sock.Ops!.Sendmsg(Sock, msg!, size - total);
            if (result == -EAGAIN && !msg!.AgainIsFinal)
                return false;
            if (result < 0)
            {
                result = total > 0 ? total : result;
                return true;
            }

            total += result;
            result = total;
            if (!stream || total >= size)
                return true;
        }
    }

    // The caller may write to its memory again; nothing was taken from it when nothing was sent.
    private void FinishZerocopy()
    {
        if (notification is not { } skb)
            return;
        notification = null;
        if (total > 0)
            MsgZerocopy.MsgZerocopyCallback(Sock.Sk!, skb);
        else
            skb.Free();
    }

    private bool TryRecv(out long result)
    {
        Core.Sock sk = Sock.Sk!;
        bool peek = (flags & MSG_PEEK) != 0;
        if (total > 0 && NothingMoreComes(sk))
        {
            result = total;
            return true;
        }

        // A peek begins again with each try, as it takes nothing.
        if (peek)
            msg!.MsgIter = start;
        result = Sock.Ops!.Recvmsg(Sock, msg!, peek ? size : size - total, flags);
        if (result == -EAGAIN)
            return false;
        if (result < 0)
        {
            if (total > 0)
            {
                Interlocked.CompareExchange(ref sk.SkErr, -(int)result, 0);
                result = total;
            }

            return true;
        }

        bool end = result == 0;
        total = peek ? result : total + result;
        result = total;
        return end || sk.SkType != SOCK_STREAM || total >= target || NothingMoreComes(sk);
    }

    private bool TryAccept(out long result)
    {
        result = Sock.Ops!.Accept(Sock, newsock!, flags | O_NONBLOCK, kern: AcceptsForKernel);
        return result != -EAGAIN;
    }

    private bool TrySplice(out long result)
    {
        // The caller's own flag is about the pipe; whether the socket may be waited for is known here.
        uint how = (uint)(flags & ~SPLICE_F_NONBLOCK) | (Timeout == 0 ? (uint)SPLICE_F_NONBLOCK : 0);
        result = Sock.Ops!.SpliceRead(Sock, pipe!, size, how);
        return result != -EAGAIN;
    }

    private readonly bool AcceptsForKernel => newsock!.File == null;

    private bool TryConnect(out long result)
    {
        result = Sock.Ops!.Connect(Sock, msg!.MsgName, flags | O_NONBLOCK);
        if (result is not (-EINPROGRESS or -EALREADY))
            return true;
        // The first answer is what a caller sees who does not wait until the end.
        if (pending == -EAGAIN)
            pending = (int)result;
        return false;
    }

    // An error or the end that comes after the data belongs to the next call.
    private static bool NothingMoreComes(Core.Sock sk) =>
        Volatile.Read(ref sk.SkErr) != 0 || sk.SkState == TCP_CLOSE || (sk.SkShutdown & Core.Sock.RCV_SHUTDOWN) != 0;
}
