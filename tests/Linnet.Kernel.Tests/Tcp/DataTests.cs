using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Flags of send and recv, urgent data, what is ready, and the small requests.</summary>
public class DataTests
{
    [Fact]
    public void Peek_leaves_the_data_and_an_offset_moves_on()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Send(client, "abcdef"u8, 0);
        hosts.Settle();
        byte[] two = new byte[2];
        Assert.Equal(2, hosts.One.Recv(server, two, MSG_PEEK));
        Assert.Equal("ab"u8.ToArray(), two);
        Assert.Equal(0, hosts.One.Setsockopt(server, SOL_SOCKET, SO_PEEK_OFF, 1));
        Assert.Equal(2, hosts.One.Recv(server, two, MSG_PEEK));
        Assert.Equal("bc"u8.ToArray(), two);
        Assert.Equal(2, hosts.One.Recv(server, two, MSG_PEEK));
        Assert.Equal("de"u8.ToArray(), two);
        Assert.Equal(2, hosts.One.Recv(server, two, 0));
        Assert.Equal("ab"u8.ToArray(), two);
        Assert.Equal(3, TcpHosts.GetInt(hosts.One, server, SOL_SOCKET, SO_PEEK_OFF));
        Assert.Equal("cdef"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
    }

    [Fact]
    public void Trunc_throws_data_away()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Send(client, "abcdef"u8, 0);
        hosts.Settle();
        byte[] buffer = [9, 9, 9, 9];
        Assert.Equal(4, hosts.One.Recv(server, buffer, MSG_TRUNC));
        Assert.Equal([9, 9, 9, 9], buffer);
        Assert.Equal("ef"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
    }

    [Fact]
    public void Urgent_data_waits_beside_the_stream()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        byte[] buffer = new byte[16];
        Assert.Equal(-EINVAL, hosts.One.Recv(server, buffer, MSG_OOB));
        hosts.Other.Send(client, "ab"u8, 0);
        hosts.Other.Send(client, "!"u8, MSG_OOB);
        hosts.Other.Send(client, "cd"u8, 0);
        hosts.Settle();
        Assert.NotEqual(0u, TcpHosts.PollMask(hosts.One, server) & EPOLLPRI);
        Assert.Equal(2, Ioctl(hosts.One, server, SocketIoctlH.SIOCINQ));
        Assert.Equal(0, Ioctl(hosts.One, server, SocketIoctlH.SIOCATMARK));
        Assert.Equal(2, hosts.One.Recv(server, buffer, 0));
        Assert.Equal(1, Ioctl(hosts.One, server, SocketIoctlH.SIOCATMARK));
        Assert.Equal(1, hosts.One.Recv(server, buffer, MSG_OOB));
        Assert.Equal((byte)'!', buffer[0]);
        Assert.Equal(-EINVAL, hosts.One.Recv(server, buffer, MSG_OOB));
        Assert.Equal("cd"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
    }

    [Fact]
    public void Urgent_data_inline_ends_a_read_before_it()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, hosts.One.Setsockopt(server, SOL_SOCKET, SO_OOBINLINE, 1));
        hosts.Other.Send(client, "ab!"u8, MSG_OOB);
        hosts.Settle();
        byte[] buffer = new byte[16];
        Assert.Equal(2, hosts.One.Recv(server, buffer, 0));
        Assert.Equal(1, hosts.One.Recv(server, buffer, 0));
        Assert.Equal((byte)'!', buffer[0]);
    }

    [Fact]
    public void A_corked_socket_holds_small_writes_back()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, hosts.Other.Setsockopt(client, SOL_TCP, TCP_CORK, 1));
        hosts.Other.Send(client, "one "u8, 0);
        hosts.Other.Send(client, "two"u8, 0);
        hosts.Settle();
        Assert.Equal(7, Ioctl(hosts.Other, client, SocketIoctlH.SIOCOUTQNSD));
        Assert.Empty(TcpHosts.ReadAll(hosts.One, server));
        Assert.Equal(0, hosts.Other.Setsockopt(client, SOL_TCP, TCP_CORK, 0));
        hosts.Settle();
        Assert.Equal("one two"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
        Assert.Equal(1, (int)TcpHosts.Info(hosts.Other, client).TcpiDataSegsOut);
    }

    [Fact]
    public void More_holds_back_and_the_next_write_sends()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Send(client, "head "u8, MSG_MORE);
        hosts.Settle();
        Assert.Empty(TcpHosts.ReadAll(hosts.One, server));
        hosts.Other.Send(client, "body"u8, 0);
        hosts.Settle();
        Assert.Equal("head body"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
    }

    [Fact]
    public void A_full_send_buffer_takes_what_fits_and_tells_when_there_is_room()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        byte[] data = new byte[64 * 1024];
        long total = 0;
        long n;
        while ((n = hosts.Other.Send(client, data, 0)) > 0)
        {
            total += n;
            hosts.Settle();
        }

        Assert.Equal(-EAGAIN, n);
        Assert.Equal(0u, TcpHosts.PollMask(hosts.Other, client) & EPOLLOUT);
        Assert.True(Ioctl(hosts.Other, client, SocketIoctlH.SIOCOUTQ) > 0);
        long read = 0;
        for (int i = 0; i < 2000 && read < total; i++)
        {
            read += TcpHosts.ReadAll(hosts.One, server).Length;
            hosts.RunFor(0.05);
        }

        Assert.Equal(total, read);
        Assert.NotEqual(0u, TcpHosts.PollMask(hosts.Other, client) & EPOLLOUT);
        Assert.Equal(0, Ioctl(hosts.Other, client, SocketIoctlH.SIOCOUTQ));
    }

    [Fact]
    public void Inq_tells_what_is_left()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, hosts.One.Setsockopt(server, SOL_TCP, TCP_INQ, 1));
        hosts.Other.Send(client, "abcdef"u8, 0);
        hosts.Settle();
        Assert.Equal((2, 4), RecvWithInq(hosts.One, server, 2));
        hosts.Other.Close(client);
        hosts.Settle();
        Assert.Equal((4, 1), RecvWithInq(hosts.One, server, 16));
    }

    [Fact]
    public void Fast_open_is_refused()
    {
        using TcpHosts hosts = new();
        (int client, _) = hosts.Pair();
        Assert.Equal(-EOPNOTSUPP, hosts.Other.Send(client, "x"u8, MSG_FASTOPEN));
    }

    private static unsafe (long Bytes, int Inq) RecvWithInq(Syscalls sys, int fd, int size)
    {
        byte* data = stackalloc byte[size];
        byte* control = stackalloc byte[64];
        Iovec iov = new() { IovBase = (ulong)data, IovLen = (ulong)size };
        UserMsghdr msg = new() { MsgIov = (ulong)(&iov), MsgIovlen = 1, MsgControl = (ulong)control, MsgControllen = 64 };
        long n = sys.Recvmsg(fd, ref msg, 0);
        Cmsghdr head = MemoryMarshal.Read<Cmsghdr>(new ReadOnlySpan<byte>(control, 64));
        Assert.Equal((SOL_TCP, TCP_CM_INQ), (head.CmsgLevel, head.CmsgType));
        return (n, MemoryMarshal.Read<int>(new ReadOnlySpan<byte>(control + CmsgH.CMSG_HDRLEN, 4)));
    }

    private static int Ioctl(Syscalls sys, int fd, uint request)
    {
        byte[] value = new byte[4];
        Assert.Equal(0, sys.Ioctl(fd, request, value));
        return BitConverter.ToInt32(value);
    }
}
