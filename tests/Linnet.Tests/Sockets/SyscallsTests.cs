using System.Net;
using System.Text;
using Linnet.Kernel.Uapi;
using Linnet.Testing;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.FcntlH;
using static Linnet.Kernel.Uapi.PollH;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Tests.Sockets;

public class SyscallsTests
{
    [Fact]
    public void Failures_are_negative_errnos()
    {
        using TwoHosts net = new();
        Syscalls sys = net.One.NewTask("test");
        Assert.Equal(-EBADF, sys.Close(3));
        Assert.Equal(-ENOTSOCK, sys.Listen(0, 1));
        Assert.Equal(-EAFNOSUPPORT, sys.Socket(60, SOCK_STREAM, 0));
        Assert.Equal(-EPROTONOSUPPORT, sys.Socket(AF_INET, SOCK_STREAM, 17));
        int s = sys.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(3, s);
        Assert.Equal(-EINVAL, sys.Bind(s, [2, 0, 0, 80]));
        Assert.Equal(-ENOTCONN, sys.Shutdown(s, 2));
        Assert.Equal(-EPIPE, sys.Send(s, "x"u8, MSG_NOSIGNAL));
        Assert.Equal(0, sys.Close(s));
    }

    [Fact]
    public void Descriptors_are_the_lowest_free_ones_and_each_task_has_its_own()
    {
        using TwoHosts net = new();
        Syscalls one = net.One.NewTask("one"), other = net.One.NewTask("other");
        Assert.Equal([3, 4, 5], Enumerable.Range(0, 3).Select(_ => one.Socket(AF_INET, SOCK_DGRAM, 0)));
        Assert.Equal(3, other.Socket(AF_INET, SOCK_DGRAM, 0));
        Assert.Equal(0, one.Close(4));
        Assert.Equal(4, one.Dup(5));
        Assert.Equal(7, one.Dup2(5, 7));
        Assert.Equal(0, one.Read(0, new byte[1]));
        Assert.Equal(3, one.Write(1, "out"u8));
    }

    [Fact]
    public void A_non_blocking_descriptor_does_not_wait()
    {
        using TwoHosts net = new();
        Syscalls sys = net.One.NewTask("test");
        int s = sys.Socket(AF_INET, SOCK_STREAM | SOCK_NONBLOCK, 0);
        Assert.Equal(0, sys.Bind(s, Syscalls.Sockaddr(net.At(80))));
        Assert.Equal(0, sys.Listen(s, 1));
        Assert.Equal(-EAGAIN, sys.Accept(s));
        Assert.Equal(O_NONBLOCK, sys.Fcntl(s, F_GETFL) & O_NONBLOCK);
    }

    [Fact]
    public void Poll_and_epoll_tell_of_a_connection()
    {
        using TwoHosts net = new();
        Syscalls server = net.One.NewTask("server");
        int s = server.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, server.Bind(s, Syscalls.Sockaddr(net.At(80))));
        Assert.Equal(0, server.Listen(s, 1));
        int ep = server.EpollCreate1(0);
        Assert.Equal(0, server.EpollCtl(ep, EpollAdd, s, new EpollEvent { Events = EPOLLIN, Data = 17 }));
        Assert.Equal(0, server.EpollWait(ep, new EpollEvent[4], 0));

        Task client = net.Other.Start("client", sys =>
        {
            int c = sys.Socket(AF_INET, SOCK_STREAM, 0);
            Assert.Equal(0, sys.Connect(c, Syscalls.Sockaddr(net.At(80))));
        });

        // The test's own thread waits, and drives the simulation meanwhile.
        Pollfd[] fds = [new Pollfd { Fd = s, Events = POLLIN }];
        Assert.Equal(1, server.Poll(fds, -1));
        Assert.Equal(POLLIN, fds[0].Revents);
        EpollEvent[] events = new EpollEvent[4];
        Assert.Equal(1, server.EpollWait(ep, events, -1));
        Assert.Equal(17UL, events[0].Data);
        net.Simulation.RunUntil(() => client.IsCompleted);
    }

    [Fact]
    public void A_poll_with_a_timeout_takes_that_long()
    {
        using TwoHosts net = new();
        Syscalls sys = net.One.NewTask("test");
        int s = sys.Socket(AF_INET, SOCK_DGRAM, 0);
        Assert.Equal(0, sys.Poll([new Pollfd { Fd = s, Events = POLLIN }], 1500));
        Assert.InRange(net.Simulation.Elapsed.TotalSeconds, 1.5, 1.502);
    }

    [Fact]
    public void The_calls_wait_without_a_thread_too()
    {
        using TwoHosts net = new();
        string got = "";
        net.Run(async () =>
        {
            Syscalls server = net.One.NewTask("server"), client = net.Other.NewTask("client");
            int s = server.Socket(AF_INET, SOCK_STREAM, 0);
            Assert.Equal(0, server.Bind(s, Syscalls.Sockaddr(net.At(80))));
            Assert.Equal(0, server.Listen(s, 1));
            ValueTask<int> accept = server.Accept4Async(s);
            int c = client.Socket(AF_INET, SOCK_STREAM, 0);
            Assert.Equal(0, await client.ConnectAsync(c, Syscalls.Sockaddr(net.At(80))));
            int connection = await accept;
            ValueTask<int> poll = server.PollAsync(connection, (uint)POLLIN);
            Assert.Equal(5, await client.SendAsync(c, "hello"u8.ToArray()));
            Assert.Equal(POLLIN, await poll);
            byte[] buffer = new byte[100];
            got = Encoding.ASCII.GetString(buffer, 0, await server.RecvAsync(connection, buffer));
            Assert.Equal(-EBADF, await server.RecvAsync(99, buffer));
        });
        Assert.Equal("hello", got);
    }

    [Fact]
    public void A_task_without_the_capability_cannot_bind_a_low_port()
    {
        using TwoHosts net = new();
        Kernel.UserNamespace user = net.Network.Machine.InitUserNs;
        Syscalls sys = net.One.NewTask("user", Kernel.Cred.User(user, 1000, 1000));
        int s = sys.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(-EACCES, sys.Bind(s, Syscalls.Sockaddr(net.At(80))));
        Assert.Equal(0, sys.Bind(s, Syscalls.Sockaddr(net.At(8080))));
        Assert.Equal(-EPERM, sys.Socket(AF_INET, SOCK_RAW, 1));
    }

    private const int EpollAdd = 1;
}
