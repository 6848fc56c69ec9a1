using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Tests.Tcp;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SockDiagH;

namespace Linnet.Kernel.Tests.Diag;

/// <summary>What is told of TCP's sockets.</summary>
public sealed class TcpDiagTests : IDisposable
{
    private readonly TcpHosts hosts = new();
    private readonly DiagClient diag;

    public TcpDiagTests() => diag = new DiagClient(hosts.One);

    public void Dispose()
    {
        diag.Close();
        hosts.Dispose();
    }

    private static InetDiagReqV2 Tcp(uint states = uint.MaxValue, int ext = 0, int sport = 0, int dport = 0) =>
        DiagClient.Request(IPPROTO_TCP, states, ext, sport, dport);

    private static InetDiagReqV2 Connection(uint here, int sport, uint there, int dport)
    {
        InetDiagReqV2 req = Tcp(sport: sport, dport: dport);
        BinaryPrimitives.WriteUInt32BigEndian(req.Id.IdiagSrc, here);
        BinaryPrimitives.WriteUInt32BigEndian(req.Id.IdiagDst, there);
        return req;
    }

    [Fact]
    public void Listeners_and_connections_are_told_of_by_state()
    {
        int listener = hosts.Listen(80, backlog: 7);
        int client = hosts.Connect(80, localPort: 4000);
        hosts.Settle();
        DiagAnswer listening = Assert.Single(diag.Dump(Tcp(TCPF_LISTEN)));
        Assert.Equal((80, 0, TCP_LISTEN), (listening.Sport, listening.Dport, listening.Msg.IdiagState));
        Assert.Equal((1u, 7u), (listening.Msg.IdiagRqueue, listening.Msg.IdiagWqueue));
        DiagAnswer connection = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED)));
        Assert.Equal((80, 4000), (connection.Sport, connection.Dport));
        Assert.Equal((TcpHosts.OneAddress, TcpHosts.OtherAddress), (connection.Src, connection.Dst));
        Assert.Equal(0u, connection.Msg.IdiagInode);
        hosts.Accept(listener);
        Assert.NotEqual(0u, Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED))).Msg.IdiagInode);
        Assert.Equal([TCP_LISTEN, TCP_ESTABLISHED], diag.Dump(Tcp()).Select(answer => (int)answer.Msg.IdiagState));
        Assert.Empty(diag.Dump(Tcp(TCPF_SYN_SENT | TCPF_CLOSE)));
        Assert.True(client >= 0);
    }

    [Fact]
    public void Sockets_that_are_only_bound_have_a_state_of_their_own()
    {
        int fd = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(0, hosts.One.Bind(fd, TcpHosts.At(TcpHosts.OneAddress, 5000)));
        TcpHosts.NewSocket(hosts.One);
        DiagAnswer bound = Assert.Single(diag.Dump(Tcp(TCPF_BOUND_INACTIVE)));
        Assert.Equal((5000, TCP_CLOSE), (bound.Sport, bound.Msg.IdiagState));
        Assert.Empty(diag.Dump(Tcp(TCPF_CLOSE)));
        Assert.Equal(0, hosts.One.Listen(fd, 1));
        Assert.Empty(diag.Dump(Tcp(TCPF_BOUND_INACTIVE)));
    }

    [Fact]
    public void Timers_say_what_is_waited_for()
    {
        (int client, int server) = hosts.Pair();
        Assert.Equal(0, Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED))).Msg.IdiagTimer);
        Assert.Equal(0, hosts.One.Setsockopt(server, SOL_SOCKET, SO_KEEPALIVE, 1));
        DiagAnswer idle = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED)));
        Assert.Equal(2, idle.Msg.IdiagTimer);
        Assert.InRange(idle.Msg.IdiagExpires, 7_190_000u, 7_200_000u);
        hosts.Other.Send(client, "abcd"u8, 0);
        hosts.Settle();
        Assert.Equal(4u, Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED))).Msg.IdiagRqueue);

        // Until the peer, which does not read, has no room any more.
        byte[] much = new byte[65536];
        for (int i = 0; i < 1000 && hosts.One.Send(server, much, MSG_DONTWAIT) > 0; i++)
            hosts.Settle();
        hosts.RunFor(0.1);
        DiagAnswer sending = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED)));
        Assert.Equal(4, sending.Msg.IdiagTimer);
        Assert.InRange(sending.Msg.IdiagExpires, 1u, 1000u);
        Assert.InRange(sending.Msg.IdiagWqueue, 1u, 100_000_000u);
        int nobody = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(-EINPROGRESS, hosts.One.Connect(nobody, TcpHosts.At(TcpHosts.OneAddress + 98, 1)));
        DiagAnswer connecting = Assert.Single(diag.Dump(Tcp(TCPF_SYN_SENT)));
        Assert.Equal((1, 0, 1u), (connecting.Msg.IdiagTimer, connecting.Msg.IdiagRetrans, connecting.Msg.IdiagWqueue));
        Assert.InRange(connecting.Msg.IdiagExpires, 900u, 1000u);
        hosts.One.Close(nobody);
        hosts.One.Close(server);
        hosts.Other.Close(client);
        hosts.RunFor(1);
    }

    [Fact]
    public void A_connection_in_time_wait_says_how_long_it_stays()
    {
        (int client, int server) = hosts.Pair();
        hosts.One.Close(server);
        hosts.Settle();
        Assert.Equal(TCP_FIN_WAIT2, Assert.Single(diag.Dump(Tcp(TCPF_FIN_WAIT2))).Msg.IdiagState);
        hosts.Other.Close(client);
        hosts.RunFor(1);
        DiagAnswer left = Assert.Single(diag.Dump(Tcp(TCPF_TIME_WAIT)));
        Assert.Equal((TCP_TIME_WAIT, 3, 0u), (left.Msg.IdiagState, left.Msg.IdiagTimer, left.Msg.IdiagInode));
        Assert.InRange(left.Msg.IdiagExpires, 50_000u, 60_000u);
        Assert.Equal(0, diag.Get(Connection(left.Src, left.Sport, left.Dst, left.Dport), out DiagAnswer? same));
        Assert.Equal(left.Msg.Id.IdiagCookieLow, same!.Msg.Id.IdiagCookieLow);
        Assert.Equal(0, diag.Destroy(Connection(left.Src, left.Sport, left.Dst, left.Dport)));
        Assert.Empty(diag.Dump(Tcp(TCPF_TIME_WAIT)));
    }

    [Fact]
    public void What_is_asked_for_beside_comes_as_attributes()
    {
        (_, int server) = hosts.Pair();
        hosts.One.Setsockopt(server, SOL_IP, IP_TOS, 0x10);
        hosts.One.Setsockopt(server, SOL_SOCKET, SO_MARK, 77);
        Dictionary<int, byte[]> little = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED))).InetAttributes;
        Assert.Equal([INET_DIAG_SHUTDOWN, INET_DIAG_MARK, INET_DIAG_SOCKOPT], little.Keys.Order());
        Assert.Equal(77u, BitConverter.ToUInt32(little[INET_DIAG_MARK]));

        // is_icsk, mc_loop and mc_all, as for any socket of Linux's.
        Assert.Equal(0x52, BitConverter.ToUInt16(little[INET_DIAG_SOCKOPT]));
        Dictionary<int, byte[]> all = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED, ext: 0xFF))).InetAttributes;
        Assert.Equal(
            [INET_DIAG_MEMINFO, INET_DIAG_INFO, INET_DIAG_CONG, INET_DIAG_TOS, INET_DIAG_SKMEMINFO, INET_DIAG_SHUTDOWN, INET_DIAG_MARK,
                INET_DIAG_CLASS_ID, INET_DIAG_SOCKOPT],
            all.Keys.Order());
        Assert.Equal("cubic\0", Encoding.ASCII.GetString(all[INET_DIAG_CONG]));
        Assert.Equal([0x10], all[INET_DIAG_TOS]);
        Assert.Equal(Unsafe.SizeOf<TcpInfo>(), all[INET_DIAG_INFO].Length);
        Assert.Equal(TcpHosts.Info(hosts.One, server).TcpiSndMss, MemoryMarshal.Read<TcpInfo>(all[INET_DIAG_INFO]).TcpiSndMss);
        Assert.Equal((uint)TcpHosts.GetInt(hosts.One, server, SOL_SOCKET, SO_SNDBUF), BitConverter.ToUInt32(all[INET_DIAG_SKMEMINFO], 12));
    }

    [Fact]
    public void One_socket_is_found_by_its_addresses_and_its_cookie()
    {
        hosts.Listen(80);
        hosts.Connect(80, localPort: 4000);
        hosts.Settle();
        InetDiagReqV2 req = Connection(TcpHosts.OneAddress, 80, TcpHosts.OtherAddress, 4000);
        Assert.Equal(0, diag.Get(req, out DiagAnswer? found));
        Assert.Equal(TCP_ESTABLISHED, found!.Msg.IdiagState);
        req.Id = found.Msg.Id;
        Assert.Equal(0, diag.Get(req, out _));
        req.Id.IdiagCookieLow++;
        Assert.Equal(-ENOENT, diag.Get(req, out _));
        Assert.Equal(0, diag.Get(Connection(TcpHosts.OneAddress, 80, TcpHosts.OtherAddress, 4001), out found));
        Assert.Equal(TCP_LISTEN, found!.Msg.IdiagState);
        Assert.Equal(-ENOENT, diag.Get(Connection(TcpHosts.OneAddress, 81, TcpHosts.OtherAddress, 4001), out _));
        req.SdiagFamily = AF_INET6;
        Assert.Equal(-ENOENT, diag.Get(req, out _));
    }

    [Fact]
    public void Many_sockets_are_each_told_of_once()
    {
        int[] ports = [.. Enumerable.Range(2000, 300)];
        foreach (int port in ports)
            hosts.Listen(port, backlog: 1);
        Assert.Equal(ports, diag.Dump(Tcp(ext: 0xFF)).Select(answer => answer.Sport));
        Assert.Equal([2007], diag.Dump(Tcp(sport: 2007)).Select(answer => answer.Sport));
    }

    [Fact]
    public void Who_may_ends_a_connection()
    {
        (int client, int server) = hosts.Pair();
        DiagAnswer connection = Assert.Single(diag.Dump(Tcp(TCPF_ESTABLISHED)));
        InetDiagReqV2 req = Tcp();
        req.Id = connection.Msg.Id;
        Assert.Equal(0, diag.Destroy(req));
        hosts.Settle();
        byte[] buffer = new byte[1];
        Assert.Equal(-ECONNABORTED, hosts.One.Recv(server, buffer, 0));
        Assert.Equal(-ECONNRESET, hosts.Other.Recv(client, buffer, 0));
        Assert.Equal(-ENOENT, diag.Destroy(req));
    }

    [Fact]
    public void Hosts_tell_only_of_their_own()
    {
        hosts.Listen(80);
        DiagClient other = new(hosts.Other);
        Assert.Empty(other.Dump(Tcp()));
        other.Close();
    }

    [Fact]
    public void The_old_way_to_ask_is_answered_too()
    {
        hosts.Listen(80);
        var req = new InetDiagReq { IdiagFamily = AF_INET, IdiagStates = TCPF_LISTEN };
        Assert.Equal(0, diag.Ask(TCPDIAG_GETSOCK, NetlinkH.NLM_F_REQUEST | NetlinkH.NLM_F_DUMP, DiagClient.Bytes(req), out var answers));
        Assert.Equal(80, Assert.Single(answers).Sport);
        Assert.Equal(-EINVAL, diag.Ask(TCPDIAG_GETSOCK, NetlinkH.NLM_F_REQUEST | NetlinkH.NLM_F_DUMP, DiagClient.Bytes(Tcp()), out _));
    }
}
