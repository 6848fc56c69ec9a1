using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>The ways in which connections end.</summary>
public class EndOfConnectionTests
{
    private readonly byte[] one = new byte[1];

    [Fact]
    public void Unread_data_makes_a_close_a_reset()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Send(client, "unread"u8, 0);
        hosts.Settle();
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal(-ECONNRESET, hosts.Other.Recv(client, one, 0));
        Assert.Equal(1, hosts.OneIpv4.NetStatistics[LinuxMib.TCPAbortOnClose]);
        Assert.Equal(-EPIPE, hosts.Other.Send(client, one, MSG_NOSIGNAL));
    }

    [Fact]
    public void Zero_linger_resets()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Linger(hosts.One, server, 0);
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal(-ECONNRESET, hosts.Other.Recv(client, one, 0));
        Assert.Equal(1, hosts.OneIpv4.NetStatistics[LinuxMib.TCPAbortOnData]);
        Assert.Equal(0, hosts.OneIpv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void The_first_to_close_keeps_TIME_WAIT_for_a_minute()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        int port = TcpHosts.LocalPort(hosts.Other, client);
        hosts.Other.Close(client);
        hosts.Settle();
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal((0, 1), (hosts.OneIpv4.TcpDeathRow.TwCount, hosts.OtherIpv4.TcpDeathRow.TwCount));
        int again = TcpHosts.NewSocket(hosts.Other);
        hosts.RunFor(59);
        Assert.Equal(1, hosts.OtherIpv4.TcpDeathRow.TwCount);
        Assert.Equal(-EADDRINUSE, hosts.Other.Bind(again, TcpHosts.At(TcpHosts.OtherAddress, port)));
        hosts.RunFor(2);
        Assert.Equal(0, hosts.OtherIpv4.TcpDeathRow.TwCount);
        Assert.Equal(0, hosts.Other.Bind(again, TcpHosts.At(TcpHosts.OtherAddress, port)));
    }

    [Fact]
    public void A_bound_port_in_TIME_WAIT_needs_reuseaddr()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.One.Close(server);
        hosts.Settle();
        hosts.Other.Close(client);
        hosts.Settle();
        Assert.Equal(1, hosts.OneIpv4.TcpDeathRow.TwCount);
        int next = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(-EADDRINUSE, hosts.One.Bind(next, TcpHosts.At(0, 80)));
        Assert.Equal(0, hosts.One.Setsockopt(next, SOL_SOCKET, SO_REUSEADDR, 1));
        // The port's other sockets had not allowed it.
        Assert.Equal(-EADDRINUSE, hosts.One.Bind(next, TcpHosts.At(0, 80)));
        hosts.RunFor(61);
        Assert.Equal(0, hosts.One.Bind(next, TcpHosts.At(0, 80)));
    }

    [Fact]
    public void A_new_connection_takes_over_the_peers_TIME_WAIT()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_SOCKET, SO_REUSEADDR, 1));
        int client = hosts.Connect(80, localPort: 5555);
        hosts.Settle();
        int server = hosts.Accept(listener);
        hosts.One.Close(server);
        hosts.Settle();
        hosts.Other.Close(client);
        hosts.RunFor(1.5);
        Assert.Equal(1, hosts.OneIpv4.TcpDeathRow.TwCount);
        client = hosts.Connect(80, localPort: 5555);
        hosts.Settle();
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, client));
        Assert.Equal(0, hosts.OneIpv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void Reuse_of_TIME_WAIT_by_connects_waits_for_the_delay()
    {
        using TcpHosts hosts = new();
        hosts.Other.Host.SetSysctl("net.ipv4.tcp_tw_reuse", "1");
        hosts.Other.Host.SetSysctl("net.ipv4.ip_local_port_range", "40000 40000");
        int listener = hosts.Listen(80);
        int client = hosts.Connect(80);
        hosts.Settle();
        int server = hosts.Accept(listener);
        hosts.Other.Close(client);
        hosts.Settle();
        hosts.One.Close(server);
        hosts.Settle();
        int next = TcpHosts.NewSocket(hosts.Other);
        Assert.Equal(-EADDRNOTAVAIL, hosts.Other.Connect(next, TcpHosts.At(TcpHosts.OneAddress, 80)));
        hosts.RunFor(1.1);
        Assert.Equal(-EINPROGRESS, hosts.Other.Connect(next, TcpHosts.At(TcpHosts.OneAddress, 80)));
        hosts.Settle();
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, next));
        Assert.Equal(1, hosts.OtherIpv4.NetStatistics[LinuxMib.TWRecycled]);
    }

    [Fact]
    public void An_orphan_in_FIN_WAIT2_ends_after_fin_timeout()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Close(client);
        hosts.Settle();
        Assert.Equal(1, hosts.OtherIpv4.TcpDeathRow.TwCount);
        Assert.Contains(" 05 ", ProcNetTcp(hosts.OtherIpv4));
        hosts.RunFor(61);
        Assert.Equal(0, hosts.OtherIpv4.TcpDeathRow.TwCount);
        Assert.Equal(TCP_CLOSE_WAIT, TcpHosts.State(hosts.One, server));
        // The FIN finds nobody.
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal(1, hosts.OtherIpv4.TcpStatistics[TcpMib.OutRsts]);
    }

    [Fact]
    public void Negative_linger2_leaves_FIN_WAIT2_out()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, hosts.Other.Setsockopt(client, SOL_TCP, TCP_LINGER2, -1));
        hosts.Other.Shutdown(client, SHUT_WR);
        hosts.Settle();
        Assert.Equal(TCP_FIN_WAIT2, TcpHosts.State(hosts.Other, client));
        hosts.Other.Close(client);
        hosts.Settle();
        Assert.Equal(1, hosts.OtherIpv4.NetStatistics[LinuxMib.TCPAbortOnLinger]);
        Assert.Equal(TCP_CLOSE, TcpHosts.State(hosts.One, server));
        Assert.Equal(0, hosts.One.Recv(server, one, 0));
        Assert.Equal(EPIPE, TcpHosts.GetInt(hosts.One, server, SOL_SOCKET, SO_ERROR));
    }

    [Fact]
    public void Half_closed_connections_carry_data_the_other_way()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, hosts.Other.Shutdown(client, SHUT_WR));
        hosts.Settle();
        Assert.Equal(-EPIPE, hosts.Other.Send(client, one, MSG_NOSIGNAL));
        Assert.Equal(0, hosts.One.Recv(server, one, 0));
        Assert.Equal(
            (uint)(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLOUT | EPOLLWRNORM), TcpHosts.PollMask(hosts.One, server));
        hosts.One.Send(server, "late"u8, 0);
        hosts.Settle();
        Assert.Equal("late"u8.ToArray(), TcpHosts.ReadAll(hosts.Other, client));
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal(
            (uint)(EPOLLIN | EPOLLRDNORM | EPOLLRDHUP | EPOLLHUP | EPOLLOUT | EPOLLWRNORM),
            TcpHosts.PollMask(hosts.Other, client));
    }

    [Fact]
    public void Both_close_at_once()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Shutdown(client, SHUT_WR);
        hosts.One.Shutdown(server, SHUT_WR);
        hosts.Settle();
        Assert.Equal(0, hosts.Other.Recv(client, one, 0));
        Assert.Equal(0, hosts.One.Recv(server, one, 0));
        hosts.Other.Close(client);
        hosts.One.Close(server);
        hosts.RunFor(61);
        Assert.Equal(0, hosts.OneIpv4.TcpDeathRow.TwCount + hosts.OtherIpv4.TcpDeathRow.TwCount);
    }

    [Fact]
    public void Disconnect_makes_a_socket_as_new()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        int client = hosts.Connect(80);
        hosts.Settle();
        int server = hosts.Accept(listener);
        byte[] unspec = new byte[SockaddrIn.Size];
        Assert.Equal(0, hosts.Other.Connect(client, unspec));
        hosts.Settle();
        Assert.Equal(-ECONNRESET, hosts.One.Recv(server, one, 0));
        Assert.Equal(-EINPROGRESS, hosts.Other.Connect(client, TcpHosts.At(TcpHosts.OneAddress, 80)));
        hosts.Settle();
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, client));
    }

    [Fact]
    public void Too_many_orphans_are_reset()
    {
        using TcpHosts hosts = new();
        hosts.Other.Host.SetSysctl("net.ipv4.tcp_max_orphans", "0");
        (int client, int server) = hosts.Pair();
        hosts.Other.Close(client);
        hosts.Settle();
        Assert.Equal(1, hosts.OtherIpv4.NetStatistics[LinuxMib.TCPAbortOnMemory]);
        hosts.One.Close(server);
    }

    [Fact]
    public void Tables_are_shown_as_proc_net_tcp_does()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80, 5);
        hosts.Connect(80, localPort: 5555);
        hosts.Settle();
        hosts.Accept(listener);
        string[] lines = ProcNetTcp(hosts.OneIpv4).Split('\n', StringSplitOptions.RemoveEmptyEntries);
        Assert.All(lines, line => Assert.Equal(149, line.Length));
        Assert.StartsWith("  sl  local_address rem_address   st tx_queue rx_queue tr tm->when retrnsmt   uid  timeout inode", lines[0]);
        Assert.StartsWith("   0: 0100000A:0050 00000000:0000 0A 00000000:00000000 00:00000000 00000000     0        0 ", lines[1]);
        Assert.StartsWith("   1: 0100000A:0050 0200000A:15B3 01 00000000:00000000 00:00000000 00000000     0        0 ", lines[2]);
    }

    private static string ProcNetTcp(NetnsIpv4 ipv4)
    {
        StringBuilder text = new();
        TcpIpv4.Tcp4SeqShow(ipv4.Net, text);
        return text.ToString();
    }

    private static void Linger(Syscalls sys, int fd, int seconds)
    {
        Linger linger = new() { LOnoff = 1, LLinger = seconds };
        Assert.Equal(0, sys.Setsockopt(fd, SOL_SOCKET, SO_LINGER, MemoryMarshal.AsBytes(new ReadOnlySpan<Linger>(in linger))));
    }
}
