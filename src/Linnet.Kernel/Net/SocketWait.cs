using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net;

/// <summary>
/// The blocking form of the calls: tries the operation, parks the thread until the socket says that something happened,
/// and tries again. Everything about <em>what</em> is tried is in <see cref="SocketOperation"/>.
/// </summary>
public static class SocketWait
{
    /// <summary>Sends a message; waits unless its flags have MSG_DONTWAIT.</summary>
    /// <returns>Bytes sent, or a negative errno; -EPIPE comes with SIGPIPE unless MSG_NOSIGNAL is set.</returns>
    public static long Sendmsg(Socket sock, MsgHdr msg)
    {
        SocketOperation operation = SocketOperation.Send(sock, msg);
        long result = Run(ref operation);
        if (result == -EPIPE)
            RaiseSigpipe(sock, msg.MsgFlags);
        return result;
    }

    /// <summary>Receives a message; waits unless <paramref name="flags"/> have MSG_DONTWAIT.</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    public static long Recvmsg(Socket sock, MsgHdr msg, int flags)
    {
        SocketOperation operation = SocketOperation.Recv(sock, msg, flags);
        return Run(ref operation);
    }

    /// <summary>Accepts a connection; waits unless <paramref name="fileFlags"/> have O_NONBLOCK.</summary>
    /// <returns>0 or a negative errno.</returns>
    public static int Accept(Socket sock, Socket newsock, int fileFlags)
    {
        SocketOperation operation = SocketOperation.Accept(sock, newsock, fileFlags);
        return (int)Run(ref operation);
    }

    /// <summary>Connects; waits unless <paramref name="fileFlags"/> have O_NONBLOCK.</summary>
    /// <returns>0 or a negative errno.</returns>
    public static int Connect(Socket sock, ReadOnlySpan<byte> address, int fileFlags)
    {
        SocketCall call = SocketCall.Rent(sock.Machine);
        address.CopyTo(call.Msg.NameBuffer);
        call.Msg.MsgNamelen = address.Length;
        SocketOperation operation = SocketOperation.Connect(sock, call.Msg, fileFlags);
        int result = (int)Run(ref operation, call);
        call.Return();
        return result;
    }

    /// <summary>SIGPIPE for the sender on a stream that nobody reads any more, unless he asked not to have it.</summary>
    public static void RaiseSigpipe(Socket sock, int flags)
    {
        if ((flags & MSG_NOSIGNAL) == 0 && sock.Sk?.SkType == SOCK_STREAM)
            Cpu.This.Task?.SendSignal(SIGPIPE);
    }

    /// <summary>Runs an operation to its end, waiting on the calling thread.</summary>
    public static long Run(ref SocketOperation operation)
    {
        if (operation.Try(out long result))
            return result;
        SocketCall call = SocketCall.Rent(operation.Sock.Machine);
        result = Wait(ref operation, call);
        call.Return();
        return result;
    }

    private static long Run(ref SocketOperation operation, SocketCall call) =>
        operation.Try(out long result) ? result : Wait(ref operation, call);

    private static long Wait(ref SocketOperation operation, SocketCall call)
    {
        Socket sock = operation.Sock;
        TaskStruct? task = Cpu.This.Task;
        long deadline = DeadlineOf(sock.Machine, operation.Timeout);
        SocketCall.WaitEntry entry = call.Entry;
        entry.Events = operation.Events;
        entry.Exclusive = operation.Exclusive;
        entry.Prepare();
        task?.BeginWait();
        bool reads = operation.Kind == SocketOperationKind.Recv;
        sock.Wq.Wait.Add(entry);
        if (reads)
            sock.Wq.AsyncWaitdata = true;
        try
        {
            return Loop(ref operation, call, task, deadline);
        }
        finally
        {
            if (reads)
                sock.Wq.AsyncWaitdata = false;
            sock.Wq.Wait.Remove(entry);
            task?.EndWait();
        }
    }

    private static long Loop(ref SocketOperation operation, SocketCall call, TaskStruct? task, long deadline)
    {
        SocketCall.WaitEntry entry = call.Entry;
        while (true)
        {
            entry.Prepare();
            if (operation.Try(out long result))
                return result;
            if (entry.Woken)
                continue;
            if (task is { SignalPending: true })
                return Leave(ref operation, entry, interrupted: true);
            if (!call.ScheduleUntil(deadline) && !entry.Woken)
                return Leave(ref operation, entry, interrupted: false);
        }
    }

    // A wake-up that was meant for one waiter and came too late for this one goes to the next.
    private static long Leave(ref SocketOperation operation, SocketCall.WaitEntry entry, bool interrupted)
    {
        WaitQueueHead queue = operation.Sock.Wq.Wait;
        queue.Remove(entry);
        if (entry is { Exclusive: true, Woken: true })
            queue.WakeUp(operation.Events);
        return operation.GiveUp(interrupted);
    }

    private static long DeadlineOf(Machine machine, long timeout)
    {
        long now = machine.Clock.Now;
        return timeout >= long.MaxValue - now ? long.MaxValue : now + timeout;
    }
}
