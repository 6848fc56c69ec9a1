using Linnet.Kernel.Uapi;
using Linnet.Testing;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.FcntlH;
using static Linnet.Kernel.Uapi.PollH;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Tests.Sockets;

/// <summary>Epoll with several threads in real time: no event is lost, and files may be closed while they are looked at.</summary>
public class EpollRaceTests
{
    private const int Port = 80;

    [Theory]
    [InlineData(0u)]
    [InlineData(EPOLLET)]
    [InlineData((uint)EPOLLONESHOT)]
    [InlineData(EPOLLET | EPOLLONESHOT)]
    public void No_event_is_lost_between_several_waiters(uint mode)
    {
        const int Connections = 24;
        const int Waiters = 3;
        const int Writers = 3;
        const int Pieces = 60;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port);
        int epoll = calls.EpollCreate1(0);
        int[] clients = new int[Connections];
        for (int i = 0; i < Connections; i++)
        {
            (clients[i], int server) = race.Pair(listener, Port, SOCK_NONBLOCK);
            Assert.Equal(0, calls.EpollCtl(epoll, EPOLL_CTL_ADD, server, Watch(server, mode)));
        }

        long sent = 0, received = 0;
        int open = Connections;
        int wake = calls.Eventfd(0, 0);
        Assert.Equal(0, calls.EpollCtl(epoll, EPOLL_CTL_ADD, wake, Watch(wake, 0)));
        (string, Action)[] waiters = [.. Enumerable.Range(0, Waiters).Select(i => ($"waiter {i}", (Action)(() =>
        {
            EpollEvent[] events = new EpollEvent[4];
            while (Volatile.Read(ref open) > 0)
            {
                int count = calls.EpollWait(epoll, events, -1);
                ThreadRace.Allow(count);
                foreach (EpollEvent ready in events.AsSpan(0, count))
                {
                    int fd = (int)ready.Data;
                    if (fd == wake || !Drain(calls, fd, ref received))
                    {
                        if (fd != wake && (mode & EPOLLONESHOT) != 0)
                            ThreadRace.Allow(calls.EpollCtl(epoll, EPOLL_CTL_MOD, fd, Watch(fd, mode)), EBADF, ENOENT);
                        continue;
                    }

                    // Only one of those who see the end closes.
                    if (calls.EpollCtl(epoll, EPOLL_CTL_DEL, fd, default) != 0)
                        continue;
                    calls.Close(fd);
                    if (Interlocked.Decrement(ref open) == 0)
                        calls.Write(wake, BitConverter.GetBytes(1L));
                }
            }
        })))];
        (string, Action)[] writers = [.. Enumerable.Range(0, Writers).Select(i => ($"writer {i}", (Action)(() =>
        {
            Random random = new(i);
            byte[] data = new byte[300];
            for (int piece = 0; piece < Pieces; piece++)
            {
                for (int c = i; c < Connections; c += Writers)
                {
                    int size = random.Next(1, data.Length);
                    Assert.Equal(size, calls.Send(clients[c], data.AsSpan(0, size), 0));
                    Interlocked.Add(ref sent, size);
                }
            }

            for (int c = i; c < Connections; c += Writers)
                Assert.Equal(0, calls.Close(clients[c]));
        })))];
        race.Run([.. waiters, .. writers]);
        Assert.Equal(sent, received);
    }

    [Fact]
    public void Watched_files_are_closed_while_they_are_looked_at()
    {
        const int Rounds = 400;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port);
        int epoll = calls.EpollCreate1(0);
        int outer = calls.EpollCreate1(0);
        Assert.Equal(0, calls.EpollCtl(outer, EPOLL_CTL_ADD, epoll, Watch(epoll, 0)));
        bool over = false;

        // All ends are ready at all times, so that each look goes over all of them.
        Action look = () =>
        {
            EpollEvent[] events = new EpollEvent[8];
            while (!Volatile.Read(ref over))
            {
                ThreadRace.Allow(calls.EpollWait(epoll, events, 0));
                ThreadRace.Allow(calls.EpollWait(outer, events, 0));
            }
        };
        race.Run(
            ("waiter", look),
            ("waiter 2", look),
            ("closer", () =>
            {
                for (int round = 0; round < Rounds; round++)
                {
                    (int client, int server) = race.Pair(listener, Port);
                    Assert.Equal(0, calls.EpollCtl(epoll, EPOLL_CTL_ADD, client, Watch(client, 0, EPOLLOUT)));
                    Assert.Equal(0, calls.EpollCtl(epoll, EPOLL_CTL_ADD, server, Watch(server, 0, EPOLLOUT)));
                    Assert.Equal(0, calls.Close(client));
                    Assert.Equal(0, calls.Close(server));
                }

                Volatile.Write(ref over, true);
            }
        ));
    }

    [Fact]
    public void Poll_and_select_of_files_that_are_closed_meanwhile()
    {
        const int Rounds = 300;
        using ThreadRace race = new();
        Syscalls calls = race.Calls;
        int listener = race.Listen(Port);
        (int signal, int signalled) = race.Pair(listener, Port);
        for (int round = 0; round < Rounds; round++)
        {
            (int client, int server) = race.Pair(listener, Port);
            race.Run(
                ("poll", () =>
                {
                    Pollfd[] fds =
                    [
                        new() { Fd = signalled, Events = POLLIN }, new() { Fd = client, Events = POLLIN },
                        new() { Fd = server, Events = POLLIN },
                    ];
                    Assert.True(calls.Poll(fds, -1) > 0);
                }
            ),
                ("close", () =>
                {
                    calls.Close(client);
                    calls.Close(server);
                }
            ),
                ("signal", () => Assert.Equal(1, calls.Send(signal, new byte[1], 0))));
            Assert.Equal(1, calls.Recv(signalled, new byte[1], 0));
        }
    }

    private static EpollEvent Watch(int fd, uint mode, int events = EPOLLIN) =>
        new() { Events = (uint)events | mode, Data = (ulong)fd };

    // Whether the end was seen.
    private static bool Drain(Syscalls calls, int fd, ref long received)
    {
        byte[] buffer = new byte[200];
        while (true)
        {
            long n = calls.Recv(fd, buffer, 0);
            ThreadRace.Allow(n, EAGAIN, EBADF);
            if (n <= 0)
                return n == 0;
            Interlocked.Add(ref received, n);
        }
    }
}
