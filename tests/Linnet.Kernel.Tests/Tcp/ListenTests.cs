using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Listen queues: what happens when nobody accepts, and when SYNs come without end.</summary>
public class ListenTests
{
    [Fact]
    public void A_full_accept_queue_keeps_connections_out_until_there_is_room()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80, backlog: 1);
        int[] clients = [.. Enumerable.Range(0, 4).Select(_ => hosts.Connect(80))];
        hosts.RunFor(0.5);
        // One more than the backlog fits.
        Assert.Equal(2, (int)TcpHosts.Info(hosts.One, listener).TcpiUnacked);
        Assert.Equal(1, (int)TcpHosts.Info(hosts.One, listener).TcpiSacked);
        Assert.True(hosts.OneIpv4.NetStatistics[LinuxMib.ListenOverflows] > 0);
        Assert.True(hosts.OneIpv4.NetStatistics[LinuxMib.ListenDrops] > 0);
        Assert.Equal((uint)(EPOLLIN | EPOLLRDNORM), TcpHosts.PollMask(hosts.One, listener));
        int accepted = 0;
        for (int i = 0; i < 20 && accepted < clients.Length; i++)
        {
            while (hosts.One.Accept4(listener, SOCK_NONBLOCK) >= 0)
                accepted++;
            hosts.RunFor(2);
        }

        Assert.Equal(clients.Length, accepted);
        Assert.All(clients, fd => Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, fd)));
    }

    [Fact]
    public void With_abort_on_overflow_a_full_queue_resets()
    {
        using TcpHosts hosts = new();
        hosts.One.Host.SetSysctl("net.ipv4.tcp_abort_on_overflow", "1");
        hosts.Listen(80, backlog: 0);
        int first = hosts.Connect(80);
        int second = hosts.Connect(80);
        hosts.RunFor(0.1);
        Assert.Equal(0, TcpHosts.GetInt(hosts.Other, first, SOL_SOCKET, SO_ERROR));
        Assert.Equal(TCP_SYN_SENT, TcpHosts.State(hosts.Other, second));
    }

    [Fact]
    public void Closing_a_listener_resets_what_nobody_accepted()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        int client = hosts.Connect(80);
        hosts.Settle();
        hosts.One.Close(listener);
        hosts.Settle();
        byte[] buffer = new byte[1];
        Assert.Equal(-ECONNRESET, hosts.Other.Recv(client, buffer, 0));
        Assert.Equal(0, hosts.OneIpv4.TcpStatistics[TcpMib.CurrEstab]);
    }

    [Fact]
    public void Shutdown_of_a_listener_ends_listening()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        Assert.Equal(0, hosts.One.Shutdown(listener, SHUT_RD));
        Assert.Equal(-EINVAL, hosts.One.Accept4(listener, SOCK_NONBLOCK));
        Assert.Equal(0, hosts.One.Listen(listener, 1));
    }

    [Fact]
    public void A_connection_inherits_the_listeners_options()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_TCP, TCP_NODELAY, 1));
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_SOCKET, SO_KEEPALIVE, 1));
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_TCP, TCP_KEEPIDLE, 77));
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_IP, InH.IP_TTL, 33));
        hosts.Connect(80);
        hosts.Settle();
        int server = hosts.Accept(listener);
        Assert.Equal(1, TcpHosts.GetInt(hosts.One, server, SOL_TCP, TCP_NODELAY));
        Assert.Equal(1, TcpHosts.GetInt(hosts.One, server, SOL_SOCKET, SO_KEEPALIVE));
        Assert.Equal(77, TcpHosts.GetInt(hosts.One, server, SOL_TCP, TCP_KEEPIDLE));
        Assert.Equal(33, TcpHosts.GetInt(hosts.One, server, SOL_IP, InH.IP_TTL));
        Assert.Equal(0, TcpHosts.GetInt(hosts.One, server, SOL_SOCKET, SO_ACCEPTCONN));
        Assert.Equal(1, TcpHosts.GetInt(hosts.One, listener, SOL_SOCKET, SO_ACCEPTCONN));
    }

    [Fact]
    public void Deferred_accept_waits_for_data()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_TCP, TCP_DEFER_ACCEPT, 5));
        int client = hosts.Connect(80);
        hosts.RunFor(0.5);
        Assert.Equal(TCP_ESTABLISHED, TcpHosts.State(hosts.Other, client));
        Assert.Equal(-EAGAIN, hosts.One.Accept4(listener, SOCK_NONBLOCK));
        Assert.Equal(1, hosts.OneIpv4.NetStatistics[LinuxMib.TCPDeferAcceptDrop]);
        Assert.Equal(1, hosts.Other.Send(client, "x"u8, 0));
        hosts.Settle();
        Assert.Equal("x"u8.ToArray(), TcpHosts.ReadAll(hosts.One, hosts.Accept(listener)));
    }

    [Fact]
    public void Cookies_carry_a_handshake_when_there_is_no_room_for_requests()
    {
        using TcpHosts hosts = new();
        hosts.One.Host.SetSysctl("net.ipv4.tcp_syncookies", "2");
        int listener = hosts.Listen(80);
        int client = hosts.Connect(80);
        hosts.Settle();
        int server = hosts.Accept(listener);
        Assert.Equal(1, hosts.OneIpv4.NetStatistics[LinuxMib.SyncookiesSent]);
        Assert.Equal(1, hosts.OneIpv4.NetStatistics[LinuxMib.SyncookiesRecv]);
        TcpInfo info = TcpHosts.Info(hosts.One, server);
        Assert.Equal(TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE, info.TcpiOptions);
        Assert.Equal(3, hosts.Other.Send(client, "abc"u8, 0));
        hosts.Settle();
        Assert.Equal("abc"u8.ToArray(), TcpHosts.ReadAll(hosts.One, server));
    }

    [Fact]
    public void The_saved_syn_can_be_read_once()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80);
        Assert.Equal(0, hosts.One.Setsockopt(listener, SOL_TCP, TCP_SAVE_SYN, 1));
        hosts.Connect(80);
        hosts.Settle();
        int server = hosts.Accept(listener);
        byte[] syn = new byte[200];
        int length = syn.Length;
        Assert.Equal(0, hosts.One.Getsockopt(server, SOL_TCP, TCP_SAVED_SYN, syn, ref length));
        Assert.Equal(60, length);
        Assert.Equal(0x45, syn[0]);
        length = syn.Length;
        Assert.Equal(0, hosts.One.Getsockopt(server, SOL_TCP, TCP_SAVED_SYN, syn, ref length));
        Assert.Equal(0, length);
    }
}
