using System.Runtime.InteropServices;
using Linnet.Kernel.Uapi;
using Linnet.Testing;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.FcntlH;
using static Linnet.Kernel.Uapi.InH;
using static Linnet.Kernel.Uapi.PollH;
using static Linnet.Kernel.Uapi.SocketH;
using static Linnet.Kernel.Uapi.SocketIoctlH;
using static Linnet.Kernel.Uapi.TcpH;

namespace Linnet.Tests.Sockets;

/// <summary>
/// Several threads on one socket in real time: whatever the interleaving, no byte is lost, nobody is forgotten in a wait queue,
/// and closing ends it.
/// </summary>
public class SocketRaceTests
{
    private const int Port = 80;

    [Fact]
    public void Several_threads_send_and_receive_on_one_connection()
    {
        const int Writers = 3;
        const int Readers = 3;
        const int Pieces = 400;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        (int client, int server) = race.Pair(race.Listen(Port), Port);
        calls.Setsockopt(client, SOL_SOCKET, SO_SNDBUF, 20_000);
        long sent = 0, received = 0, sentSum = 0, receivedSum = 0;
        int writing = Writers;
        using CancellationTokenSource over = new();
        (string, Action)[] writers = [.. Enumerable.Range(0, Writers).Select(i => ($"writer {i}", (Action)(() =>
        {
            Random random = new(i);
            for (int piece = 0; piece < Pieces; piece++)
            {
                byte[] data = new byte[random.Next(1, 5000)];
                random.NextBytes(data);
                Assert.Equal(data.Length, calls.Send(client, data, 0));
                Interlocked.Add(ref sent, data.Length);
                Interlocked.Add(ref sentSum, data.Sum(b => (long)b));
            }

            if (Interlocked.Decrement(ref writing) == 0)
                Assert.Equal(0, calls.Shutdown(client, SHUT_WR));
        })))];
        (string, Action)[] readers = [.. Enumerable.Range(0, Readers).Select(i => ($"reader {i}", (Action)(() =>
        {
            byte[] buffer = new byte[3000 + i * 1000];
            for (long n; (n = calls.Recv(server, buffer, i == 0 ? MSG_WAITALL : 0)) > 0;)
            {
                Interlocked.Add(ref received, n);
                Interlocked.Add(ref receivedSum, buffer.Take((int)n).Sum(b => (long)b));
            }

            over.Cancel();
        })))];
        race.Run([.. writers, .. readers, ("options", () => ChangeOptions(calls, client, server, over.Token))]);
        Assert.Equal((sent, sentSum), (received, receivedSum));
    }

    [Theory]
    [InlineData(false)]
    [InlineData(true)]
    public void A_writer_that_polls_is_told_of_every_room(bool edgeTriggered)
    {
        const int Total = 8_000_000;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        (int client, int server) = race.Pair(race.Listen(Port), Port);

        // Small buffers: the writer finds them full, and the reader makes room, thousands of times.
        calls.Setsockopt(client, SOL_SOCKET, SO_SNDBUF, 5000);
        Assert.Equal(0, calls.Fcntl(client, F_SETFL, O_NONBLOCK));
        race.Run(
            ("writer", () => WriteAll(calls, client, Total, edgeTriggered)),
            ("reader", () =>
            {
                byte[] buffer = new byte[4096];
                long received = 0;
                for (long n; (n = calls.Recv(server, buffer, 0)) > 0;)
                    received += n;
                Assert.Equal(Total, received);
            }
        ));
    }

    [Fact]
    public void Waiting_accepts_share_a_storm_of_connections()
    {
        const int Acceptors = 4;
        const int Clients = 4;
        const int Rounds = 150;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port, 16);
        int accepted = 0, connecting = Clients;
        (string, Action)[] acceptors = [.. Enumerable.Range(0, Acceptors).Select(i => ($"acceptor {i}", (Action)(() =>
        {
            byte[] one = new byte[1];
            for (int fd; (fd = calls.Accept(listener)) != -EINVAL;)
            {
                ThreadRace.Allow(fd);
                Assert.Equal(1, calls.Recv(fd, one, 0));
                Assert.Equal(1, calls.Send(fd, one, 0));
                Interlocked.Increment(ref accepted);
                Assert.Equal(0, calls.Close(fd));
            }
        })))];
        (string, Action)[] clients = [.. Enumerable.Range(0, Clients).Select(i => ($"client {i}", (Action)(() =>
        {
            byte[] one = [(byte)i];
            for (int round = 0; round < Rounds; round++)
            {
                int fd = calls.Socket(AF_INET, SOCK_STREAM, 0);
                Assert.Equal(0, calls.Connect(fd, ThreadRace.At(Port)));
                Assert.Equal(1, calls.Send(fd, one, 0));
                Assert.Equal(1, calls.Recv(fd, one, 0));
                Assert.Equal(i, one[0]);
                Assert.Equal(0, calls.Close(fd));
            }

            // Wakes all that still wait to accept.
            if (Interlocked.Decrement(ref connecting) == 0)
                Assert.Equal(0, calls.Shutdown(listener, SHUT_RDWR));
        })))];
        race.Run([.. acceptors, .. clients]);
        Assert.Equal(Clients * Rounds, accepted);
    }

    [Fact]
    public void Shutdown_ends_every_call_that_waits_on_a_socket()
    {
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port);
        for (int round = 0; round < 100; round++)
        {
            (int client, int server) = race.Pair(listener, Port);
            // What the peer sends nevertheless may be read, as in Linux.
            Action receive = () => Assert.InRange(calls.Recv(client, new byte[10], 0), 0, 10);
            race.Run(
                ("recv", receive),
                ("recv 2", receive),
                ("poll", () => Assert.Equal(1, calls.Poll([new Pollfd { Fd = client, Events = POLLIN }], -1))),
                ("shutdown", () => Assert.Equal(0, calls.Shutdown(client, SHUT_RD))),
                ("send", () => ThreadRace.Allow(calls.Send(server, new byte[10], MSG_NOSIGNAL), EPIPE, ECONNRESET)));
            calls.Close(client);
            calls.Close(server);
        }
    }

    [Fact]
    public void Calls_race_with_close_and_with_the_peer()
    {
        int[] errors = [EBADF, EAGAIN, EPIPE, ECONNRESET, ENOTCONN, EINVAL, ENOTSOCK];
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port);
        for (int round = 0; round < 150; round++)
        {
            (int client, int server) = race.Pair(listener, Port);
            bool reset = round % 3 == 0;
            if (reset)
                Linger(calls, server);
            byte[] data = new byte[round * 50 + 1];
            race.Run(
                ("recv", () => ThreadRace.Allow(calls.Recv(client, new byte[100], 0), errors)),
                ("send", () => ThreadRace.Allow(calls.Send(client, data, MSG_NOSIGNAL), errors)),
                ("poll", () => ThreadRace.Allow(calls.Poll([new Pollfd { Fd = client, Events = POLLIN }], 1), errors)),
                ("options", () =>
                {
                    ThreadRace.Allow(calls.Setsockopt(client, IPPROTO_TCP, TCP_NODELAY, 1), errors);
                    ThreadRace.Allow(calls.Getsockopt(client, SOL_SOCKET, SO_ERROR, out _), errors);
                    ThreadRace.Allow(calls.Shutdown(client, SHUT_WR), errors);
                }
            ),
                ("close", () => Assert.Equal(0, calls.Close(client))),
                ("peer", () =>
                {
                    ThreadRace.Allow(calls.Send(server, data, MSG_NOSIGNAL | MSG_DONTWAIT), errors);
                    Assert.Equal(0, calls.Close(server));
                }
            ));
        }
    }

    [Fact]
    public void Sockets_come_and_go_in_several_threads()
    {
        const int Threads = 4;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        race.Run([.. Enumerable.Range(0, Threads).Select(i => ($"thread {i}", (Action)(() =>
        {
            for (int round = 0; round < 60; round++)
            {
                int port = 1000 + i * 1000 + round;
                int listener = race.Listen(port, 2);
                (int client, int server) = race.Pair(listener, port);
                Assert.Equal(100, calls.Send(client, new byte[100], 0));
                Assert.Equal(100, calls.Recv(server, new byte[100], MSG_WAITALL));
                int late = calls.Socket(AF_INET, SOCK_STREAM, 0);
                Assert.Equal(0, calls.Connect(late, ThreadRace.At(port)));

                // The listener goes with a connection that nobody accepted.
                Assert.Equal(0, calls.Close(listener));
                Assert.Equal(-ECONNRESET, calls.Recv(late, new byte[1], 0));
                foreach (int fd in new[] { client, server, late })
                    Assert.Equal(0, calls.Close(fd));
            }
        })))]);
    }

    private static void ChangeOptions(Syscalls calls, int client, int server, CancellationToken over)
    {
        Random random = new(7);
        byte[] info = new byte[256];
        byte[] outstanding = new byte[4];
        while (!over.IsCancellationRequested)
        {
            Assert.Equal(0, calls.Setsockopt(client, SOL_SOCKET, SO_SNDBUF, random.Next(5_000, 100_000)));
            Assert.Equal(0, calls.Setsockopt(server, SOL_SOCKET, SO_RCVBUF, random.Next(5_000, 100_000)));
            Assert.Equal(0, calls.Setsockopt(client, IPPROTO_TCP, TCP_NODELAY, random.Next(2)));
            Assert.Equal(0, calls.Setsockopt(client, IPPROTO_TCP, TCP_CORK, random.Next(2)));
            Assert.Equal(0, calls.Setsockopt(server, IPPROTO_TCP, TCP_QUICKACK, random.Next(2)));
            Assert.Equal(0, calls.Setsockopt(server, SOL_SOCKET, SO_RCVLOWAT, random.Next(1, 1000)));
            int length = info.Length;
            Assert.Equal(0, calls.Getsockopt(client, IPPROTO_TCP, TCP_INFO, info, ref length));
            Assert.Equal(0, calls.Ioctl(client, SIOCOUTQ, outstanding));
            Assert.True(calls.Poll([new Pollfd { Fd = server, Events = POLLIN | POLLOUT }], 0) >= 0);
        }
    }

    private static void WriteAll(Syscalls calls, int fd, int total, bool edgeTriggered)
    {
        byte[] data = new byte[3000];
        int epoll = calls.EpollCreate1(0);
        uint events = EPOLLOUT | (edgeTriggered ? EPOLLET : 0);
        Assert.Equal(0, calls.EpollCtl(epoll, EPOLL_CTL_ADD, fd, new EpollEvent { Events = events }));
        EpollEvent[] ready = new EpollEvent[1];
        for (long sent = 0; sent < total;)
        {
            long n = calls.Send(fd, data.AsSpan(0, (int)Math.Min(data.Length, total - sent)), 0);
            if (n >= 0)
                sent += n;
            else if (n != -EAGAIN)
                ThreadRace.Allow(n);
            else if (edgeTriggered || sent % 2 == 0)
                Assert.Equal(1, calls.EpollWait(epoll, ready, -1));
            else
                Assert.Equal(1, calls.Poll([new Pollfd { Fd = fd, Events = POLLOUT }], -1));
        }

        Assert.Equal(0, calls.Shutdown(fd, SHUT_WR));
    }

    private static void Linger(Syscalls calls, int fd)
    {
        Linger linger = new() { LOnoff = 1 };
        Assert.Equal(
            0, calls.Setsockopt(fd, SOL_SOCKET, SO_LINGER, MemoryMarshal.AsBytes(new ReadOnlySpan<Linger>(in linger))));
    }
}
