using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Who may share a port, and who of those who do gets a datagram.</summary>
public class UdpPortTests : InetFixture
{
    private TestSocket With(int option, TaskStruct? task = null)
    {
        TestSocket s = Udp(task);
        Assert.Equal(0, s.Set(SOL_SOCKET, option, 1));
        return s;
    }

    [Fact]
    public void A_wild_card_and_an_address_exclude_each_other()
    {
        Udp().Bind(0, 5000);
        Assert.Equal(-EADDRINUSE, Udp().Bind(Localhost, 5000));
        Udp().Bind(Localhost, 5001);
        Assert.Equal(-EADDRINUSE, Udp().Bind(0, 5001));
        Assert.Equal(0, Udp().Bind(Here, 5001));
    }

    [Fact]
    public void SO_REUSEADDR_shares_when_both_have_it_and_the_newest_gets_the_datagrams()
    {
        TestSocket first = With(SO_REUSEADDR);
        TestSocket second = With(SO_REUSEADDR);
        Assert.Equal(0, first.Bind(Localhost, 5000));
        Assert.Equal(0, second.Bind(Localhost, 5000));
        Assert.Equal(-EADDRINUSE, Udp().Bind(Localhost, 5000));
        Udp().SendTo("x"u8, Localhost, 5000);
        Assert.Equal(1, second.Recv().Result);
        Assert.Equal(-EAGAIN, first.Recv().Result);
    }

    [Fact]
    public void SO_REUSEPORT_shares_among_one_users_sockets()
    {
        Assert.Equal(0, With(SO_REUSEPORT).Bind(Localhost, 5000));
        Assert.Equal(0, With(SO_REUSEPORT).Bind(Localhost, 5000));
        Assert.Equal(-EADDRINUSE, With(SO_REUSEPORT, NewUser()).Bind(Localhost, 5000));
        Assert.Equal(-EADDRINUSE, With(SO_REUSEADDR).Bind(Localhost, 5000));
    }

    [Fact]
    public void A_reuseport_group_spreads_flows_and_keeps_each_with_one_socket()
    {
        TestSocket[] group = [.. Enumerable.Range(0, 4).Select(_ => With(SO_REUSEPORT))];
        Assert.All(group, s => Assert.Equal(0, s.Bind(Localhost, 5000)));
        for (ushort port = 6000; port < 6064; port++)
        {
            TestSocket client = BoundUdp(port);
            client.SendTo("1"u8, Localhost, 5000);
            client.SendTo("2"u8, Localhost, 5000);
        }

        foreach (TestSocket s in group)
        {
            List<ushort> from = [];
            while (s.Recv() is { Result: > 0 } got)
                from.Add(got.FromPort);
            Assert.NotEmpty(from);
            Assert.All(from.GroupBy(port => port), flow => Assert.Equal(2, flow.Count()));
        }
    }

    [Fact]
    public void A_closed_member_leaves_its_group()
    {
        TestSocket first = With(SO_REUSEPORT);
        TestSocket second = With(SO_REUSEPORT);
        first.Bind(Localhost, 5000);
        second.Bind(Localhost, 5000);
        first.Close();
        for (ushort port = 6000; port < 6016; port++)
            BoundUdp(port).SendTo("x"u8, Localhost, 5000);
        Assert.All(Enumerable.Range(0, 16), _ => Assert.Equal(1, second.Recv().Result));
    }

    [Fact]
    public void The_most_specific_socket_wins()
    {
        TestSocket any = With(SO_REUSEADDR);
        TestSocket bound = With(SO_REUSEADDR);
        TestSocket connected = With(SO_REUSEADDR);
        connected.Bind(Localhost, 5000);
        connected.Connect(Localhost, 6000);
        bound.Bind(Localhost, 5000);
        any.Bind(0, 5000);
        BoundUdp(6000).SendTo("c"u8, Localhost, 5000);
        BoundUdp(6001).SendTo("b"u8, Localhost, 5000);
        BoundUdp(6002, Here).SendTo("a"u8, Here, 5000);
        Assert.Equal("c"u8.ToArray(), connected.Recv().Data);
        Assert.Equal("b"u8.ToArray(), bound.Recv().Data);
        Assert.Equal("a"u8.ToArray(), any.Recv().Data);
    }

    [Fact]
    public void Ports_are_free_again_after_close()
    {
        TestSocket s = BoundUdp(5000);
        s.Close();
        Assert.Equal(0, Udp().Bind(Localhost, 5000));
    }

    [Fact]
    public void Every_port_of_the_range_is_given_out_once_but_no_reserved_one()
    {
        Net.Ipv4.IpLocalPortRange = 40019u << 16 | 40000;
        ulong[] reserved = new ulong[1024];
        reserved[40005 >> 6] = 1UL << (40005 & 63);
        Net.Ipv4.IpLocalReservedPorts = reserved;
        List<ushort> ports = [];
        for (int i = 0; i < 19; i++)
        {
            TestSocket s = Udp();
            Assert.Equal(0, s.Bind(Localhost, 0));
            ports.Add(s.Name().Port);
        }

        Assert.Equal(19, ports.Distinct().Count());
        Assert.DoesNotContain((ushort)40005, ports);
        Assert.All(ports, port => Assert.InRange(port, 40000, 40019));
        Assert.NotEqual(ports.Order(), ports);
        Assert.Equal(-EADDRINUSE, Udp().Bind(Localhost, 0));
        Assert.Equal(-EAGAIN, Udp().SendTo("x"u8, Localhost, 1));
    }

    [Fact]
    public void A_socket_can_have_a_range_of_its_own()
    {
        TestSocket s = Udp();
        Assert.Equal(0, s.Set(SOL_IP, IP_LOCAL_PORT_RANGE, (50001 << 16) | 50000));
        s.Bind(Localhost, 0);
        Assert.InRange(s.Name().Port, 50000, 50001);
        Assert.Equal(-EINVAL, s.Set(SOL_IP, IP_LOCAL_PORT_RANGE, (50000 << 16) | 50001));
    }

    [Fact]
    public void Many_sockets_on_one_port_are_told_apart_by_address()
    {
        for (uint i = 0; i < 40; i++)
            BoundUdp(5000, 0x7f000100 + i);
        Assert.Equal(-EADDRINUSE, Udp().Bind(0x7f000105, 5000));
        Assert.Equal(-EADDRINUSE, Udp().Bind(0, 5000));
        Assert.Equal(0, Udp().Bind(0x7f000200, 5000));
    }

    [Fact]
    public void A_broadcast_reaches_every_socket_on_the_port()
    {
        TestSocket first = With(SO_REUSEADDR);
        TestSocket second = With(SO_REUSEADDR);
        first.Bind(0, 5000);
        second.Bind(0, 5000);
        TestSocket client = With(SO_BROADCAST);
        Assert.Equal(2, client.SendTo("hi"u8, 0x7fffffff, 5000));
        Assert.Equal("hi"u8.ToArray(), first.Recv().Data);
        Assert.Equal("hi"u8.ToArray(), second.Recv().Data);
    }
}
