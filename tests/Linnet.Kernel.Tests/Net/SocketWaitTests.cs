using Linnet.Kernel.Net;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SignalH;

namespace Linnet.Kernel.Tests.Net;

/// <summary>How calls wait, on virtual time: for data, for room, for connections, until timeouts and signals.</summary>
public class SocketWaitTests : SocketFixture
{
    private const long Second = 1_000_000_000;

    private readonly List<string> events = [];

    [Fact]
    public void A_reader_waits_for_data()
    {
        (int a, int b) = NewPair();
        Thread(t => Log($"read {RecvAs(t, b)}"));
        After(Second, () => Send(a, "x"));
        Test.Run();
        Assert.Equal(["1s read x"], events);
    }

    [Fact]
    public void A_writer_waits_until_all_is_sent()
    {
        (int a, int b) = NewPair();
        Thread(t =>
        {
            Memory.Put(Buffer, "0123456789abcdef0123"u8.ToArray());
            Log($"sent {CallAs(t, __NR_sendto, a, (long)Buffer, 20, 0, 0, 0)}");
        });
        After(Second, () => Log(Recv(b)));
        After(2 * Second, () => Log(Recv(b)));
        Test.Run();
        Assert.Equal(["1s 01234567", "2s 89abcdef", "2s sent 20"], events);
        Assert.Equal("0123", Recv(b));
    }

    [Fact]
    public void What_was_sent_counts_when_the_rest_fails()
    {
        (int a, int b) = NewPair();
        TaskStruct writer = Thread(t =>
        {
            Log($"sent {CallAs(t, __NR_sendto, a, (long)Buffer, 20, 0, 0, 0)}");
            Log($"sent {CallAs(t, __NR_sendto, a, (long)Buffer, 20, 0, 0, 0)}");
        });
        After(Second, () => Call(__NR_close, b));
        Test.Run();
        Assert.Equal(["1s sent 8", $"1s sent {-EPIPE}"], events);
        Assert.Equal(SIGPIPE, writer.DequeueSignal());
    }

    [Fact]
    public void A_broken_pipe_is_a_signal_on_streams_only_and_only_if_wanted()
    {
        (int a, int b) = NewPair();
        (int c, int d) = NewPair(SOCK_DGRAM);
        Call(__NR_close, b);
        Call(__NR_close, d);
        Assert.Equal(-EPIPE, Send(c, "x"));
        Assert.Equal(-EPIPE, Send(a, "x", MSG_NOSIGNAL));
        Assert.False(Task.SignalPending);
        Assert.Equal(-EPIPE, Send(a, "x"));
        Assert.Equal(SIGPIPE, Task.DequeueSignal());
        Task.IgnoredSignals = 1UL << (SIGPIPE - 1);
        Assert.Equal(-EPIPE, Send(a, "x"));
        Assert.False(Task.SignalPending);
    }

    [Fact]
    public void Waitall_waits_for_the_whole_buffer_and_ends_with_the_stream()
    {
        (int a, int b) = NewPair();
        Thread(t =>
        {
            Log(RecvAs(t, b, 4, MSG_WAITALL));
            Log(RecvAs(t, b, 4, MSG_WAITALL));
            Log(RecvAs(t, b, 4, MSG_WAITALL));
        });
        After(Second, () => Send(a, "ab"));
        After(2 * Second, () => Send(a, "cdef"));
        After(3 * Second, () => Call(__NR_close, a));
        Test.Run();
        Assert.Equal(["2s abcd", "3s ef", "3s "], events);
    }

    [Fact]
    public void Data_and_end_that_come_together_end_the_wait_together()
    {
        (int a, int b) = NewPair();
        Thread(t => Log(RecvAs(t, b, 4, MSG_WAITALL)));
        After(Second, () =>
        {
            Send(a, "ab");
            Call(__NR_close, a);
        });
        Test.Run();
        Assert.Equal(["1s ab"], events);
        (a, b) = NewPair();
        Send(a, "cd");
        Call(__NR_close, a);
        Assert.Equal("cd", Recv(b, 4, MSG_WAITALL));
    }

    [Fact]
    public void A_peek_for_all_takes_nothing()
    {
        (int a, int b) = NewPair();
        Thread(t => Log(RecvAs(t, b, 4, MSG_WAITALL | MSG_PEEK)));
        After(Second, () => Send(a, "ab"));
        After(2 * Second, () => Send(a, "cd"));
        Test.Run();
        Assert.Equal(["2s abcd"], events);
        Assert.Equal("abcd", Recv(b));
    }

    [Fact]
    public void An_error_ends_the_wait_and_waits_for_its_turn_behind_data()
    {
        (int a, int b) = NewPair();
        Thread(t =>
        {
            Log(RecvAs(t, b, 4, MSG_WAITALL));
            Log(RecvAs(t, b, 4, MSG_WAITALL));
        });
        After(Second, () => Send(a, "ab"));
        After(2 * Second, () => Fail(b, ECONNRESET));
        Test.Run();
        Assert.Equal(["2s ab", "2s ECONNRESET"], events);
    }

    [Fact]
    public void Rcvlowat_is_the_least_that_a_read_returns()
    {
        (int a, int b) = NewPair();
        Memory.Put(Buffer, 3);
        Assert.Equal(0, Call(__NR_setsockopt, b, SOL_SOCKET, SO_RCVLOWAT, (long)Buffer, 4));
        Thread(t => Log(RecvAs(t, b, 8)));
        After(Second, () => Send(a, "ab"));
        After(2 * Second, () => Send(a, "cd"));
        Test.Run();
        Assert.Equal(["2s abcd"], events);
    }

    [Fact]
    public void Timeouts_end_a_wait()
    {
        (int a, int b) = NewPair();
        SetTimeout(a, SO_RCVTIMEO, 1, 500_000);
        SetTimeout(a, SO_SNDTIMEO, 4, 0);
        Thread(t => Log(RecvAs(t, a)));
        Thread(t => Log($"{CallAs(t, __NR_sendto, a, (long)Buffer, 12, 0, 0, 0)}"));
        Test.Run();
        Assert.Equal(["1s EAGAIN", "4s 8"], events);
        Assert.Equal(8, Recv(b).Length);
    }

    [Fact]
    public void A_signal_ends_a_wait()
    {
        (int _, int b) = NewPair();
        TaskStruct reader = Thread(t => Log(RecvAs(t, b)));
        After(Second, () => reader.SendSignal(SIGUSR1));
        Test.Run();
        Assert.Equal(["1s EINTR"], events);
    }

    [Fact]
    public void Connect_waits_until_the_protocol_says_so()
    {
        int fd = NewSocket();
        Thread(t => Log($"{CallAs(t, __NR_connect, fd, (long)Buffer, 4)}"));
        After(Second, () =>
        {
            SockOf(fd).Connected = true;
            SockOf(fd).SkStateChange(SockOf(fd));
        });
        Test.Run();
        Assert.Equal(["1s 0"], events);
        Assert.Equal(SocketState.SS_CONNECTED, SocketOf(fd).State);
    }

    [Fact]
    public void An_attempt_that_times_out_can_be_taken_up_again()
    {
        int fd = NewSocket();
        SetTimeout(fd, SO_SNDTIMEO, 1, 0);
        Thread(t =>
        {
            Log($"{CallAs(t, __NR_connect, fd, (long)Buffer, 4)}");
            Log($"{CallAs(t, __NR_connect, fd, (long)Buffer, 4)}");
            Log($"{CallAs(t, __NR_connect, fd, (long)Buffer, 4)}");
        });
        After(5 * Second / 2, () => Fail(fd, ECONNREFUSED));
        Test.Run();
        Assert.Equal([$"1s {-EINPROGRESS}", $"2s {-EALREADY}", $"2s {-ECONNREFUSED}"], events);
    }

    [Fact]
    public void Connect_does_not_wait_on_a_non_blocking_file()
    {
        int fd = NewSocket(flags: SOCK_NONBLOCK);
        Assert.Equal(-EINPROGRESS, Call(__NR_connect, fd, (long)Buffer, 4));
        Assert.Equal(-EALREADY, Call(__NR_connect, fd, (long)Buffer, 4));
    }

    [Fact]
    public void One_connection_wakes_one_of_those_who_accept()
    {
        int fd = NewSocket();
        for (int i = 0; i < 2; i++)
        {
            int number = i;
            Thread(t => Log($"{number} has {CallAs(t, __NR_accept, fd, 0, 0)}"));
        }

        After(Second, () => Connection(fd));
        After(2 * Second, () => Connection(fd));
        Test.Run();
        Assert.Equal(2, events.Count);
        Assert.StartsWith("1s", events[0], StringComparison.Ordinal);
        Assert.StartsWith("2s", events[1], StringComparison.Ordinal);
    }

    [Fact]
    public void A_connection_is_not_lost_with_the_waiter_that_it_woke()
    {
        int fd = NewSocket();
        TaskStruct first = Thread(t => Log($"{CallAs(t, __NR_accept, fd, 0, 0)}"));
        Thread(t => Log($"{CallAs(t, __NR_accept, fd, 0, 0)}"));
        After(Second, () =>
        {
            // Both happen before the woken thread runs again, and the connection is taken by somebody else meanwhile.
            Connection(fd);
            SockOf(fd).Waiting = 0;
            first.SendSignal(SIGUSR1);
        });
        After(2 * Second, () => Connection(fd));
        Test.Run();
        Assert.Equal([$"1s {-EINTR}", "2s 2"], events.Order(StringComparer.Ordinal));
    }

    [Fact]
    public void An_operation_can_be_tried_without_a_thread()
    {
        (int a, int b) = NewPair();
        using KernelEntry entry = Task.Enter();
        MsgHdrOf(b, out Linnet.Kernel.Net.Core.MsgHdr msg);
        SocketOperation operation = SocketOperation.Recv(SocketOf(b), msg, 0);
        Assert.False(operation.Try(out _));
        Assert.NotEqual(0u, operation.Events & EPOLLIN);
        Assert.Equal(long.MaxValue, operation.Timeout);
        Assert.Equal(-ERESTARTSYS, operation.GiveUp(interrupted: true));
        Send(a, "xyz");
        Assert.True(operation.Try(out long result));
        Assert.Equal(3, result);

        void MsgHdrOf(int fd, out Linnet.Kernel.Net.Core.MsgHdr made)
        {
            made = new Linnet.Kernel.Net.Core.MsgHdr();
            made.Reset(new IovIter(new Sockptr(Memory, Buffer), 16), 0);
        }
    }

    private void Log(string what) => events.Add($"{Test.Now / Second}s {what}");

    private void After(long nanoseconds, Action action)
    {
        TimerList timer = new(Machine.Timers, static data => ((Action)data)(), action);
        using KernelEntry entry = Machine.Enter();
        timer.Mod(Test.Now + nanoseconds);
    }

    private void Fail(int fd, int errno)
    {
        SockOf(fd).SkErr = errno;
        SockOf(fd).SkErrorReport(SockOf(fd));
    }

    private void Connection(int fd)
    {
        SockOf(fd).Waiting++;
        SockOf(fd).SkDataReady(SockOf(fd));
    }

    private void SetTimeout(int fd, int optname, long seconds, long microseconds)
    {
        Memory.Put(Buffer, new Timeval { TvSec = seconds, TvUsec = microseconds });
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, optname, (long)Buffer, 16));
    }
}
