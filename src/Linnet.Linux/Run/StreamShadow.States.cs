using Linnet.Kernel.Net.Core;
using static Linnet.Linux.Native;

namespace Linnet.Linux;

/// <summary>How the program's end shows that a socket listens, connects, or is broken.</summary>
internal sealed unsafe partial class StreamShadow
{
    /// <summary>Whether the socket has been disconnected, or was never connected.</summary>
    public bool IsUnconnected => Socket.Sk is not { } sk || sk.SkState == TCP_CLOSE;

    /// <summary>Whether the program's end tells of an error, which whoever asks first takes.</summary>
    public bool TellsError { get; private set; }

    /// <summary>It listens from now on. Called with the gate.</summary>
    /// <param name="theirs">The program's end.</param>
    /// <returns>0 or a negative errno.</returns>
    public int BeginListening(int theirs)
    {
        int err = PairWith(theirs);
        if (err < 0)
            return err;
        State = StreamState.Listening;
        Supervisor.Listens(this);

        // A listener is never writable; who writes all the same is told at once.
        Fill(theirs);
        _ = Native.Shutdown(theirs, SHUT_WR);
        return 0;
    }

    /// <summary>It is neither readable nor writable from now on, until the connection is there.</summary>
    /// <param name="theirs">The program's end.</param>
    /// <returns>0 or a negative errno.</returns>
    public int BeginConnecting(int theirs)
    {
        int err = PairWith(theirs);
        if (err < 0)
            return err;
        if ((Readiness & (EPOLLOUT | EPOLLERR | EPOLLHUP)) == EPOLLOUT)
        {
            State = StreamState.Connected;
        }
        else
        {
            Fill(theirs);
            State = StreamState.Connecting;
        }

        Supervisor.Queue(this);
        return 0;
    }

    /// <summary>It is connected.</summary>
    /// <param name="theirs">The program's end; -1 when it has been connecting.</param>
    /// <returns>0 or a negative errno.</returns>
    public int BecomeConnected(int theirs)
    {
        if (State == StreamState.Connected)
            return 0;
        if (State == StreamState.Connecting)
            Unfill();
        else if (PairWith(theirs) is var err and < 0)
            return err;
        State = StreamState.Connected;
        NoticeWritten();
        Supervisor.Queue(this);
        return 0;
    }

    /// <summary>A call that waited for the connection tells that it failed; the program may try again.</summary>
    public void GiveUpConnecting()
    {
        if (State != StreamState.Connecting)
            return;
        Unfill();
        State = StreamState.Fresh;
    }

    /// <summary>The program has another end from now on, as of a fresh socket.</summary>
    public void BecomeFresh(ulong inode)
    {
        Replace(inode);
        State = StreamState.Fresh;
        outgoing.Clear();
        incoming.Clear();
        programEnded = networkEnded = isBreaking = TellsError = false;
        waitsForRoom = false;
        (Tokens, error, filled, urgent) = (0, 0, 0, Nothing);
    }

    /// <summary>Makes the listener's end readable or not, by what there is to accept.</summary>
    /// <param name="theirs">The program's end, from which tokens are taken; -1 to only add one.</param>
    public void UpdateTokens(int theirs)
    {
        // One that listens no more is looked at too.
        bool pending = unclaimed.Count > 0 || (Readiness & (EPOLLIN | EPOLLHUP)) != 0;
        if (pending && theirs < 0 && Tokens < MostTokens)
        {
            byte token = 0;
            Tokens += (int)Math.Max(0, Native.Send(End, &token, 1, MSG_DONTWAIT | MSG_NOSIGNAL));
        }
        else if (!pending && theirs >= 0)
        {
            Drain(theirs);
            Tokens = 0;
        }
    }

    private static void Drain(int fd)
    {
        fixed (byte* junk = Scratch)
        {
            while (Native.Recv(fd, junk, BufferSize, MSG_DONTWAIT) > 0)
            {
            }
        }
    }

    private void Fill(int theirs)
    {
        // What was written before there was a connection belongs to none.
        Drain(End);
        filled = 0;
        fixed (byte* junk = Scratch)
        {
            for (int size = 32 * 1024; size > 0; size = size == 1 ? 0 : Math.Max(1, size / 8))
            {
                nint sent;
                while ((sent = Native.Send(theirs, junk, (nuint)size, MSG_DONTWAIT | MSG_NOSIGNAL)) > 0)
                    filled += sent;
            }
        }
    }

    // The end is writable before all is taken out: what comes behind that is the program's.
    private void Unfill()
    {
        fixed (byte* junk = Scratch)
        {
            nint taken;
            while (filled > 0 && (taken = Native.Recv(End, junk, (nuint)Math.Min(filled, BufferSize), MSG_DONTWAIT)) > 0)
                filled -= taken;
        }
    }

    private int PairWith(int theirs)
    {
        if (End >= 0)
            return 0;
        int end = UnixEnds.Connect(theirs);
        if (end < 0)
            return end;
        if (Socket.Sk is { } sk && sk.SkUserlocks.HasFlag(SockUserLocks.Rcvbuf))
        {
            // As with an option that is set later; the host doubles it, too.
            int half = sk.SkRcvbuf / 2;
            _ = Setsockopt(end, SOL_SOCKET, SO_SNDBUF, &half, sizeof(int));
        }

        Pair(end);
        return 0;
    }

    // The connection came about, or failed.
    private void Complete()
    {
        // A call that waits for it is told.
        RetryWaiting();
        if (State != StreamState.Connecting)
            return;
        uint ready = Readiness;
        if ((ready & (EPOLLERR | EPOLLHUP)) != 0)
        {
            // What the program's end was filled with is unread, so its closing reads as an error.
            TellsError = true;
            State = StreamState.Broken;
            Unpair();
        }
        else if ((ready & EPOLLOUT) != 0)
        {
            BecomeConnected(-1);
        }
    }

    // Without data to carry only the program's last close matters.
    private bool NoticeClose()
    {
        if (!MayHaveEnded || !HasHungUp)
            return false;
        foreach (int connection in unclaimed)
            Owner.Close(connection);
        Close();
        return true;
    }

    // The connection is broken: nothing can be written any more, and what came before is still to be read.
    private void Break(int reason)
    {
        error = reason;
        if (isBreaking)
            return;
        isBreaking = true;
        outgoing.Clear();
        TellsError = Plant();
        _ = Native.Shutdown(End, SHUT_RD);
    }

    // An end that is closed with unread data is read as reset.
    private bool Plant()
    {
        int unread = 0;
        if (Ioctl(End, FIONREAD, &unread) == 0 && unread > 0)
            return true;
        if (HasHungUp)
            return false;
        (HostProcess? process, int fd) = LastSeen;
        int theirs = Supervisor.TakeEnd(this, process, fd);
        if (theirs < 0)
            return false;
        byte junk = 0;
        bool planted = Native.Send(theirs, &junk, 1, MSG_DONTWAIT | MSG_NOSIGNAL) > 0;
        _ = Native.Close(theirs);
        return planted;
    }

    // Behind the end of what comes in, a reset ends what goes out; nothing that is carried tells of it.
    private void NoticeReset()
    {
        if (IsClosed || isBreaking || !networkEnded || State != StreamState.Connected || Socket.Sk is not { SkErr: not 0 and var reason })
            return;
        (isBreaking, error) = (true, reason);
        outgoing.Clear();
        ShowBroken();
    }

    private void ShowBroken()
    {
        // The pump's own call took it, which is the program's to ask for.
        if (error != EPIPE && Socket.Sk is { } sk)
            sk.SkErr = error;
        State = StreamState.Broken;
        Unpair();
    }
}
