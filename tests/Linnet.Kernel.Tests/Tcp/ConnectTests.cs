using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Infrastructure;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Connections come about, carry data, and end.</summary>
public class ConnectTests
{
    [Fact]
    public void A_connection_carries_data_both_ways_and_ends_in_order()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, client));
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.One, server));
        Assert.Equal(1, hosts.OneIpv4.TcpStatistics[TcpMib.CurrEstab]);

        Assert.Equal(5, hosts.Other.Send(client, "hello"u8, 0));
        hosts.Settle();
        Assert.Equal("hello"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
        Assert.Equal(6, hosts.One.Send(server, "world!"u8, 0));
        hosts.Settle();
        Assert.Equal("world!"u8.ToArray(), TcpHosts.ReadAll(hosts.Other, client));

        Assert.Equal(0, hosts.Other.Close(client));
        hosts.Settle();
        byte[] nothing = new byte[1];
        Assert.Equal(0, hosts.One.Recv(server, nothing, 0));
        Assert.Equal(TCP_CLOSE_WAIT, TcpHosts.State(hosts.One, server));
        Assert.Equal(0, hosts.One.Close(server));
        hosts.Settle();
        Assert.Equal(0, hosts.OneIpv4.TcpStatistics[TcpMib.CurrEstab]);
        Assert.Equal(1, hosts.OtherIpv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void A_megabyte_arrives_as_it_was_sent()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        byte[] data = new byte[1 << 20];
        new Random(7).NextBytes(data);
        List<byte> received = [];
        int sent = 0;
        for (int rounds = 0; received.Count < data.Length && rounds < 100_000; rounds++)
        {
            if (sent < data.Length)
            {
                long n = hosts.Other.Send(client, data.AsSpan(sent), 0);
                Assert.True(n is > 0 or -EAGAIN, $"send: {n}");
                sent += (int)Math.Max(0, n);
            }

            hosts.Settle();
            received.AddRange(TcpHosts.ReadAll(hosts.One, server));
        }

        Assert.Equal(data, received);
        Assert.Equal(0, hosts.OtherIpv4.TcpStatistics[TcpMib.RetransSegs]);
    }

    [Fact]
    public void Nobody_listens()
    {
        using TcpHosts hosts = new();
        int fd = hosts.Connect(81);
        hosts.Settle();
        Assert.Equal(ECONNREFUSED, TcpHosts.GetInt(hosts.Other, fd, SOL_SOCKET, SO_ERROR));
        Assert.Equal(1, hosts.OneIpv4.TcpStatistics[TcpMib.OutRsts]);
        Assert.Equal(1, hosts.OtherIpv4.TcpStatistics[TcpMib.AttemptFails]);
    }

    [Fact]
    public void Connecting_again_is_refused()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        int fd = TcpHosts.NewSocket(hosts.Other);
        Assert.Equal(-EINPROGRESS, hosts.Other.Connect(fd, TcpHosts.At(TcpHosts.OneAddress, 80)));
        hosts.Settle();
        Assert.Equal(0, hosts.Other.Connect(fd, TcpHosts.At(TcpHosts.OneAddress, 80)));
        Assert.Equal(-EISCONN, hosts.Other.Connect(fd, TcpHosts.At(TcpHosts.OneAddress, 80)));
        hosts.One.Close(listener);
    }

    [Fact]
    public void Calls_on_a_socket_without_a_connection()
    {
        using TcpHosts hosts = new();
        int fd = TcpHosts.NewSocket(hosts.One);
        byte[] buffer = new byte[1];
        Assert.Equal(-ENOTCONN, hosts.One.Recv(fd, buffer, 0));
        Assert.Equal(-EPIPE, hosts.One.Send(fd, buffer, MSG_NOSIGNAL));
        Assert.Equal((uint)(EPOLLHUP | EPOLLOUT | EPOLLWRNORM), TcpHosts.PollMask(hosts.One, fd));
        Assert.Equal(-ENOTCONN, hosts.One.Shutdown(fd, SHUT_RDWR));
        Assert.Equal(0, hosts.One.Listen(fd, 1));
        Assert.Equal(-ENOTCONN, hosts.One.Recv(fd, buffer, 0));
        Assert.Equal(-EPIPE, hosts.One.Send(fd, buffer, MSG_NOSIGNAL));
        Assert.Equal(0u, TcpHosts.PollMask(hosts.One, fd));
        Assert.NotEqual(0, TcpHosts.LocalPort(hosts.One, fd));
        Assert.Equal(-EISCONN, hosts.One.Connect(fd, TcpHosts.At(TcpHosts.OtherAddress, 1)));
    }

    [Fact]
    public void An_ACK_before_the_SYN_ACK_does_not_forget_the_window_scale()
    {
        using TcpBench bench = new(options: true);
        int fd = bench.Connecting();
        string syn = bench.Take().Options!;
        int scale = int.Parse(syn[(syn.LastIndexOf(' ') + 1)..]);
        Assert.InRange(scale, 1, 14);
        bench.In(". 1:1(0) ack 1 win 511");
        bench.In("S. 0:0(0) ack 1 win 65535 <mss 1000,nop,wscale 7>");
        TcpSegment ack = bench.Take();
        Assert.InRange(ack.Window!.Value, 60000 >> scale, 65535 >> scale);
        bench.Calls.Close(fd);
    }
}
