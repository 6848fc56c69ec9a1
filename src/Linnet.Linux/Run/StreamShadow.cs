using System.Buffers;
using System.Runtime.InteropServices;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>What a TCP socket is to its program.</summary>
internal enum StreamState
{
    /// <summary>Neither connected nor listening: the program's end is alone.</summary>
    Fresh,

    /// <summary>A connection is being made: the program's end is filled, so that it is not writable.</summary>
    Connecting,

    /// <summary>Data flows.</summary>
    Connected,

    /// <summary>It listens: a byte in the program's end says that a connection can be accepted.</summary>
    Listening,

    /// <summary>The connection failed or broke, and the program's end says so; for another one it needs another end.</summary>
    Broken,
}

/// <summary>A TCP socket as a program has it.</summary>
internal sealed unsafe partial class StreamShadow(Supervisor supervisor, Syscalls owner, int fd, int end, ulong inode)
    : ShadowSocket(supervisor, owner, fd, end, inode)
{
    private const int BufferSize = 256 * 1024;
    private const int MostTokens = 64;

    // What is carried for one socket before others get their turn.
    private const int Budget = 2 * 1024 * 1024;

    [ThreadStatic]
    private static byte[]? scratch;

    private readonly Queue<int> unclaimed = [];
    private Leftover outgoing;
    private Leftover incoming;
    private nint filled;
    private bool programEnded;
    private bool networkEnded;
    private bool waitsForRoom;
    private bool isBreaking;
    private int error;

    /// <summary>What the socket is.</summary>
    public StreamState State { get; set; }

    /// <summary>Bytes that lie in a listener's end to make it readable.</summary>
    public int Tokens { get; set; }

    /// <summary>Whether everything that the program wrote has reached Linnet's socket.</summary>
    public bool IsDrained => outgoing.Length == 0;

    /// <inheritdoc/>
    /// <remarks>A program that reads makes room at each read: that matters only where something waits for it.</remarks>
    public override uint Watched => EPOLLIN | EPOLLRDHUP | EPOLLET | (waitsForRoom ? EPOLLOUT : 0u);

    private static byte[] Scratch => scratch ??= GC.AllocateUninitializedArray<byte>(BufferSize, pinned: true);

    /// <summary>A connection that was accepted for a call which a signal then ended.</summary>
    public void Unclaim(int connection) => unclaimed.Enqueue(connection);

    /// <summary>Takes such a connection.</summary>
    public bool TryClaim(out int connection) => unclaimed.TryDequeue(out connection);

    /// <summary>Bytes in the pair and beside it: what the program has not read, and what it wrote and was not sent yet.</summary>
    public (int Unread, int Unsent) Between()
    {
        lock (Gate)
        {
            if (IsClosed || State != StreamState.Connected)
                return default;
            int unread = 0, unsent = 0;
            _ = Ioctl(End, FIONREAD, &unsent);

            // Only the program's own end knows how much lies there for it.
            (HostProcess? process, int fd) = LastSeen;
            if (Supervisor.TakeEnd(this, process, fd) is var theirs and >= 0)
            {
                _ = Ioctl(theirs, FIONREAD, &unread);
                _ = Native.Close(theirs);
            }

            return (unread + incoming.Length, unsent + outgoing.Length);
        }
    }

    // Behind the ends of both directions a pair says that it hangs up whether the program has its end or not.
    private bool IsAbandoned => HasHungUp && (!networkEnded || !UnixEnds.IsOpen(Inode));

    /// <summary>Carries what the program wrote, as a call that has to come after it needs.</summary>
    public void Flush()
    {
        if (!isBreaking)
            CarryOut();
    }

    /// <inheritdoc/>
    protected override void Carry()
    {
        switch (State)
        {
            case StreamState.Listening:
                UpdateTokens(-1);
                NoticeClose();
                break;
            case StreamState.Fresh:
                NoticeClose();
                break;
            case StreamState.Connecting:
                if (!NoticeClose())
                    Complete();
                break;
            case StreamState.Connected when !isBreaking:
                // What wakes it is as often the network.
                if (MayHaveWritten || outgoing.Length > 0)
                    CarryOut();
                if (!IsClosed)
                    CarryIn();
                NoticeReset();
                break;
            case StreamState.Connected when !NoticeClose():
                CarryIn();
                break;
            default:
                break;
        }
    }

    private void CarryOut()
    {
        int budget = Budget;
        while (!IsClosed)
        {
            if (outgoing.Length > 0)
            {
                long sent = SendToNetwork(outgoing.Data);
                if (sent <= 0)
                {
                    FailedToSend(sent);
                    return;
                }

                outgoing.Advance((int)sent);
                continue;
            }

            if (programEnded || budget <= 0)
                break;
            fixed (byte* buffer = Scratch)
            {
                nint read = Native.Recv(End, buffer, BufferSize, MSG_DONTWAIT);
                if (read <= 0)
                {
                    ProgramEnds(read);
                    return;
                }

                budget -= (int)read;
                long sent = SendToNetwork(new ReadOnlySpan<byte>(buffer, (int)read));
                if (sent < read)
                    outgoing.Keep(new ReadOnlySpan<byte>(buffer, (int)read)[(int)Math.Max(0, sent)..]);
                if (sent < 0)
                {
                    FailedToSend(sent);
                    return;
                }

                // That was all: more is told of, and so is an end.
                if (read < BufferSize && sent == read && !MayHaveEnded)
                    return;
            }
        }

        if (budget <= 0)
        {
            NoticeWritten();
            Supervisor.Queue(this);
        }
        else if (programEnded && !IsClosed && IsAbandoned)
        {
            NoticeLastClose();
        }
    }

    private void NoticeLastClose()
    {
        byte nothing;
        ProgramEnds(Native.Recv(End, &nothing, 1, MSG_DONTWAIT));
    }

    private void FailedToSend(long sent)
    {
        if (sent == -EAGAIN)
            return;
        Break((int)-sent);
        if (networkEnded)
            ShowBroken();
        else
            CarryIn();
    }

    private void ProgramEnds(nint read)
    {
        int error = read < 0 ? Marshal.GetLastPInvokeError() : 0;
        if (error == EAGAIN)
            return;
        if (error == ECONNRESET)
        {
            // It closed with data unread: as in Linux, the peer is to know that it was not read.
            Abort();
        }
        else if (IsAbandoned)
        {
            if (incoming.Length > 0)
                Abort();
            else
                Close();
        }
        else if (!programEnded)
        {
            programEnded = true;
            ICarryObserver? observer = Supervisor.Observer?.Carry(Owner.Task);
            int err = Owner.Shutdown(Fd, SHUT_WR);
            observer?.End(this, Carriage.Ended, [], err);
        }
    }

    private void CarryIn()
    {
        MoveIn();
        if (IsClosed || End < 0 || waitsForRoom == incoming.Length > 0)
            return;
        waitsForRoom = incoming.Length > 0;
        Supervisor.Rewatch(this);
    }

    private void MoveIn()
    {
        int budget = Budget;
        while (!networkEnded && State == StreamState.Connected)
        {
            if (incoming.Length > 0)
            {
                fixed (byte* data = incoming.Data)
                {
                    nint sent = Native.Send(End, data, (nuint)incoming.Length, MSG_DONTWAIT | MSG_NOSIGNAL);
                    if (sent < 0)
                    {
                        FailedToDeliver();
                        return;
                    }

                    incoming.Advance((int)sent);
                    continue;
                }
            }

            if (budget <= 0)
                break;
            if (!CarryUrgent())
                return;
            Span<byte> buffer = Scratch;
            long read = ReceiveFromNetwork(buffer, MSG_DONTWAIT);
            if (read <= 0)
            {
                NetworkEnds(read);
                return;
            }

            budget -= (int)read;
            nint delivered;
            fixed (byte* data = buffer)
                delivered = Native.Send(End, data, (nuint)read, MSG_DONTWAIT | MSG_NOSIGNAL);
            if (delivered < read)
                incoming.Keep(buffer[(int)Math.Max(0, delivered)..(int)read]);
            if (delivered < 0)
            {
                FailedToDeliver();
                return;
            }
        }

        if (budget <= 0)
            Supervisor.Queue(this);
    }

    // A program that reads no more leaves the data where it is; who closed is seen by the other direction.
    private void FailedToDeliver()
    {
        if (Marshal.GetLastPInvokeError() == EAGAIN)
            return;
        incoming.Clear();
        if (HasHungUp)
            Abort();
        else if (isBreaking)
            ShowBroken();
    }

    private void NetworkEnds(long read)
    {
        if (read == -EAGAIN)
            return;
        if (read < 0)
            Break((int)-read);
        if (isBreaking)
        {
            ShowBroken();
            return;
        }

        networkEnded = true;
        _ = Native.Shutdown(End, SHUT_WR);
    }

    private void Abort()
    {
        Span<byte> linger = stackalloc byte[8];
        linger.Clear();
        linger[0] = 1;
        Owner.Setsockopt(Fd, SOL_SOCKET, SO_LINGER, linger);
        Close();
    }

    // What was read and could not be passed on at once.
    private struct Leftover
    {
        private byte[]? rented;
        private int start;

        public int Length { get; private set; }

        public readonly Span<byte> Data => rented.AsSpan(start, Length);

        public void Keep(ReadOnlySpan<byte> data)
        {
            rented = ArrayPool<byte>.Shared.Rent(data.Length);
            data.CopyTo(rented);
            (start, Length) = (0, data.Length);
        }

        public void Advance(int count)
        {
            start += count;
            Length -= count;
            if (Length == 0)
                Clear();
        }

        public void Clear()
        {
            if (rented != null)
                ArrayPool<byte>.Shared.Return(rented);
            (rented, start, Length) = (null, 0, 0);
        }
    }
}
