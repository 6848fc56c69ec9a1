using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SignalH;
using static Linnet.Kernel.Uapi.SocketIoctlH;

namespace Linnet.Kernel.Tests.Net;

/// <summary>The calls of the socket layer on TCP over loopback: a server and a client as programs write them.</summary>
public class TcpCallTests : SocketFixture
{
    private const ulong Address = Buffer + 0x4000;
    private const ulong ServerBuffer = Buffer + 0x20000;
    private const ulong ClientBuffer = Buffer + 0x60000;

    private readonly List<string> events = [];

    public TcpCallTests()
    {
        int fd = (int)Call(__NR_socket, AF_INET, SOCK_DGRAM, 0);
        Memory.Put(Buffer, new byte[40]);
        Memory.Put(Buffer, "lo"u8.ToArray());
        Memory.Put(Buffer + 16, (short)1);
        Assert.Equal(0, Call(__NR_ioctl, fd, SIOCSIFFLAGS, (long)Buffer));
        Call(__NR_close, fd);
    }

    [Fact]
    public void The_articles_server_answers_a_client()
    {
        Thread(Server);
        Thread(t =>
        {
            int fd = (int)CallAs(t, __NR_socket, AF_INET, SOCK_STREAM, 0);
            events.Add($"connect {CallAs(t, __NR_connect, fd, Sockaddr(8080), 16)}");
            Memory.Put(ClientBuffer, "GET / HTTP/1.1\r\n\r\n"u8.ToArray());
            CallAs(t, __NR_write, fd, (long)ClientBuffer, 18);
            events.Add($"client got {Text(ClientBuffer, CallAs(t, __NR_recvfrom, fd, (long)ClientBuffer, 100, MSG_WAITALL, 0, 0))}");
            CallAs(t, __NR_close, fd);
        });
        Test.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal(
        [
            "connect 0",
            "server got GET / HTTP/1.1\r\n\r\n",
            "client got HTTP/1.1 200 OK\r\n\r\nhello",
        ], events);
    }

    [Fact]
    public void A_large_send_waits_for_the_reader_and_arrives_whole()
    {
        const int Length = 200_000;
        byte[] data = new byte[Length];
        for (int i = 0; i < Length; i++)
            data[i] = (byte)(i * 7 + (i >> 8));
        Memory.Put(ServerBuffer, data);
        (int server, int client) = Connect();
        Small(server, SO_SNDBUF);
        Small(client, SO_RCVBUF);
        Thread(t => events.Add($"sent {CallAs(t, __NR_sendto, server, (long)ServerBuffer, Length, 0, 0, 0)}"));
        Thread(t => events.Add($"got {CallAs(t, __NR_recvfrom, client, (long)ClientBuffer, Length, MSG_WAITALL, 0, 0)}"));
        Test.RunFor(TimeSpan.FromMinutes(5));
        Assert.Equal(["got 200000", "sent 200000"], events.Order(StringComparer.Ordinal));
        Assert.Equal(data, Memory.Bytes(ClientBuffer, Length));
    }

    [Fact]
    public void Nobody_listens()
    {
        Thread(t =>
        {
            int fd = (int)CallAs(t, __NR_socket, AF_INET, SOCK_STREAM, 0);
            events.Add($"{CallAs(t, __NR_connect, fd, Sockaddr(81), 16)}");
            events.Add($"{CallAs(t, __NR_sendto, fd, (long)Buffer, 1, 0, 0, 0)} {t.DequeueSignal()}");
        });
        Test.RunFor(TimeSpan.FromSeconds(10));
        Assert.Equal([$"{-ECONNREFUSED}", $"{-EPIPE} {SIGPIPE}"], events);
    }

    [Fact]
    public void A_file_goes_out_by_sendfile_and_comes_in_by_splice()
    {
        (int server, int client) = Connect();
        Memory.Put(Buffer, "file\0"u8.ToArray());
        int file = (int)Call(__NR_memfd_create, (long)Buffer, 0);
        Memory.Put(ServerBuffer, "the content of a file"u8.ToArray());
        Assert.Equal(21, Call(__NR_write, file, (long)ServerBuffer, 21));
        Assert.Equal(0, Call(__NR_lseek, file, 0, 0));
        Assert.Equal(0, Call(__NR_pipe2, (long)Buffer, 0));
        (int read, int write) = (Memory.Get<int>(Buffer), Memory.Get<int>(Buffer + 4));
        Thread(t => events.Add($"spliced {CallAs(t, __NR_splice, client, 0, write, 0, 100, 0)}"));
        Test.RunReady();
        Assert.Empty(events);
        Thread(t => events.Add($"sent {CallAs(t, __NR_sendfile, server, file, 0, 100)}"));
        Test.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(["sent 21", "spliced 21"], events.Order(StringComparer.Ordinal));
        Assert.Equal(21, Call(__NR_splice, read, 0, server, 0, 21, 0));
        Test.RunFor(TimeSpan.FromSeconds(1));
        Assert.Equal(21, Call(__NR_recvfrom, client, (long)ClientBuffer, 100, MSG_DONTWAIT, 0, 0));
        Assert.Equal("the content of a file", Text(ClientBuffer, 21));
    }

    [Fact]
    public void Options_of_a_connection()
    {
        (int server, int client) = Connect();
        Memory.Put(Buffer2, 16);
        Assert.Equal(0, Call(__NR_getsockopt, client, SOL_SOCKET, SO_PEERNAME, (long)Buffer, (long)Buffer2));
        Assert.Equal(16, Memory.Get<int>(Buffer2));
        Assert.Equal(AF_INET, Memory.Get<short>(Buffer));
        Memory.Put(Buffer2, 4);
        Assert.Equal(0, Call(__NR_getsockopt, server, SOL_SOCKET, SO_PROTOCOL, (long)Buffer, (long)Buffer2));
        Assert.Equal(IPPROTO_TCP, Memory.Get<int>(Buffer));
    }

    private void Server(TaskStruct t)
    {
        int s = (int)CallAs(t, __NR_socket, AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, CallAs(t, __NR_bind, s, Sockaddr(8080), 16));
        Assert.Equal(0, CallAs(t, __NR_listen, s, 5));
        int c = (int)CallAs(t, __NR_accept, s, 0, 0);
        events.Add($"server got {Text(ServerBuffer, CallAs(t, __NR_read, c, (long)ServerBuffer, 100))}");
        Memory.Put(ServerBuffer, "HTTP/1.1 200 OK\r\n\r\nhello"u8.ToArray());
        Assert.Equal(24, CallAs(t, __NR_write, c, (long)ServerBuffer, 24));
        CallAs(t, __NR_close, c);
        CallAs(t, __NR_close, s);
    }

    private (int Server, int Client) Connect()
    {
        int listener = (int)Call(__NR_socket, AF_INET, SOCK_STREAM, 0);
        Assert.Equal(0, Call(__NR_bind, listener, Sockaddr(8080), 16));
        Assert.Equal(0, Call(__NR_listen, listener, 5));
        int client = (int)Call(__NR_socket, AF_INET, SOCK_STREAM, 0);
        Thread(t => Assert.Equal(0, CallAs(t, __NR_connect, client, Sockaddr(8080), 16)));
        Test.RunFor(TimeSpan.FromSeconds(1));
        int server = (int)Call(__NR_accept, listener, 0, 0);
        Assert.InRange(server, 0, 100);
        Call(__NR_close, listener);
        return (server, client);
    }

    private void Small(int fd, int option)
    {
        Memory.Put(Buffer, 4096);
        Assert.Equal(0, Call(__NR_setsockopt, fd, SOL_SOCKET, option, (long)Buffer, 4));
    }

    private long Sockaddr(ushort port)
    {
        byte[] address = new byte[16];
        SockaddrIn.Write(address, 0x7f000001, port);
        Memory.Put(Address, address);
        return (long)Address;
    }

    private string Text(ulong at, long length) =>
        length < 0 ? Linnet.Kernel.Uapi.Errno.Name((int)-length) : System.Text.Encoding.Latin1.GetString(Memory.Bytes(at, (int)length));
}
