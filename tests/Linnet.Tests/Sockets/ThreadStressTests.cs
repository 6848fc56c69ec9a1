using System.Net;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.Errno;
using static Linnet.Kernel.Uapi.SocketH;

namespace Linnet.Tests.Sockets;

/// <summary>Many threads at once on real time: nothing may be lost, stick or be torn, whatever the interleaving.</summary>
public class ThreadStressTests
{
    private static readonly TimeSpan Limit = TimeSpan.FromMinutes(2);

    [Fact]
    public async Task Echo_on_many_connections_at_once()
    {
        const int Clients = 8;
        const int Rounds = 150;
        using Network network = new();
        Host host = network.AddHost("one");
        byte[] address = Syscalls.Sockaddr(new IPEndPoint(IPAddress.Loopback, 7));
        Task server = host.Start("server", s =>
        {
            int listener = Listen(s, address);
            List<Task> connections = [];
            for (int i = 0; i < Clients; i++)
            {
                int fd = s.Accept(listener);
                Assert.True(fd >= 0, Name(-fd));
                connections.Add(System.Threading.Tasks.Task.Factory.StartNew(
                    () => Echo(s, fd), CancellationToken.None, TaskCreationOptions.LongRunning, TaskScheduler.Default));
            }

            System.Threading.Tasks.Task.WaitAll([.. connections]);
            s.Close(listener);
        });
        Task[] clients = [.. Enumerable.Range(0, Clients).Select(i => host.Start($"client{i}", s => Talk(s, address, i, Rounds)))];
        await System.Threading.Tasks.Task.WhenAll([server, .. clients]).WaitAsync(Limit);
    }

    [Fact]
    public async Task Connections_come_and_go()
    {
        const int Clients = 6;
        const int Rounds = 100;
        using Network network = new();
        Host host = network.AddHost("one");
        byte[] address = Syscalls.Sockaddr(new IPEndPoint(IPAddress.Loopback, 9));
        Task server = host.Start("server", s =>
        {
            int listener = Listen(s, address);
            byte[] buffer = new byte[64];
            for (int i = 0; i < Clients * Rounds; i++)
            {
                int fd = s.Accept(listener);
                Assert.True(fd >= 0, Name(-fd));
                Assert.Equal(4, s.Recv(fd, buffer.AsSpan(0, 4), MSG_WAITALL));
                Assert.Equal(4, s.Send(fd, buffer.AsSpan(0, 4), 0));
                Assert.Equal(0, s.Recv(fd, buffer, 0));
                Assert.Equal(0, s.Close(fd));
            }

            s.Close(listener);
        });
        Task[] clients = [.. Enumerable.Range(0, Clients).Select(i => host.Start($"client{i}", s =>
        {
            byte[] buffer = new byte[4];
            for (int round = 0; round < Rounds; round++)
            {
                int fd = s.Socket(AF_INET, SOCK_STREAM, 0);
                Assert.Equal(0, Connect(s, fd, address));
                BitConverter.TryWriteBytes(buffer, (i * Rounds) + round);
                Assert.Equal(4, s.Send(fd, buffer, 0));
                Assert.Equal(4, s.Recv(fd, buffer, MSG_WAITALL));
                Assert.Equal((i * Rounds) + round, BitConverter.ToInt32(buffer));
                Assert.Equal(0, s.Close(fd));
            }
        }))];
        await System.Threading.Tasks.Task.WhenAll([server, .. clients]).WaitAsync(Limit);
    }

    // The server may be slower to listen than the client to connect.
    private static int Connect(Syscalls s, int fd, byte[] address)
    {
        int err;
        do
            err = s.Connect(fd, address);
        while (err == -ECONNREFUSED);
        return err;
    }

    private static int Listen(Syscalls s, byte[] address)
    {
        int listener = s.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, s.Bind(listener, address));
        Assert.Equal(0, s.Listen(listener, 128));
        return listener;
    }

    private static void Echo(Syscalls s, int fd)
    {
        byte[] buffer = new byte[10_000];
        while (true)
        {
            long got = s.Recv(fd, buffer, 0);
            Assert.True(got >= 0, Name((int)-got));
            if (got == 0)
                break;
            Assert.Equal(got, s.Send(fd, buffer.AsSpan(0, (int)got), 0));
        }

        s.Close(fd);
    }

    private static void Talk(Syscalls s, byte[] address, int seed, int rounds)
    {
        Random random = new(seed);
        int fd = s.Socket(AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, Connect(s, fd, address));
        for (int round = 0; round < rounds; round++)
        {
            byte[] sent = new byte[random.Next(1, round % 10 == 0 ? 100_000 : 2_000)];
            random.NextBytes(sent);
            byte[] received = new byte[sent.Length];
            long n = s.Send(fd, sent, 0);
            Assert.Equal(sent.Length, n);
            Assert.Equal(sent.Length, s.Recv(fd, received, MSG_WAITALL));
            Assert.True(sent.AsSpan().SequenceEqual(received), $"torn data in round {round}");
        }

        Assert.Equal(0, s.Close(fd));
    }
}
