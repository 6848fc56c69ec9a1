using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Which sockets there are, and binding them.</summary>
public class AfInetTests : InetFixture
{
    private const uint Nonlocal = 0x08080808;

    [Theory]
    [InlineData(SOCK_DGRAM, 0, 0)]
    [InlineData(SOCK_DGRAM, IPPROTO_UDP, 0)]
    [InlineData(SOCK_DGRAM, IPPROTO_TCP, -EPROTONOSUPPORT)]
    [InlineData(SOCK_DGRAM, IPPROTO_ICMP, -EACCES)]
    [InlineData(SOCK_STREAM, 0, 0)]
    [InlineData(SOCK_STREAM, IPPROTO_TCP, 0)]
    [InlineData(SOCK_STREAM, IPPROTO_UDP, -EPROTONOSUPPORT)]
    [InlineData(SOCK_RAW, 0, -EPROTONOSUPPORT)]
    [InlineData(SOCK_RAW, IPPROTO_ICMP, 0)]
    [InlineData(SOCK_RAW, IPPROTO_RAW, 0)]
    [InlineData(SOCK_RAW, 254, 0)]
    [InlineData(SOCK_RDM, 0, -ESOCKTNOSUPPORT)]
    [InlineData(SOCK_SEQPACKET, 0, -ESOCKTNOSUPPORT)]
    [InlineData(SOCK_SEQPACKET, 132, -ESOCKTNOSUPPORT)]
    [InlineData(0, 0, -ESOCKTNOSUPPORT)]
    [InlineData(SOCK_MAX, 0, -EINVAL)]
    [InlineData(SOCK_DGRAM, -1, -EINVAL)]
    [InlineData(SOCK_DGRAM, IPPROTO_MAX, -EINVAL)]
    [InlineData(SOCK_DGRAM, IPPROTO_MPTCP, -EPROTONOSUPPORT)]
    public void Type_and_protocol_choose_the_socket_or_the_refusal(int type, int protocol, int expected) =>
        Assert.Equal(expected, TrySocket(type, protocol));

    [Fact]
    public void A_missing_protocol_is_asked_for_as_a_module_first_precisely_then_broadly()
    {
        List<string> asked = [];
        Test.Machine.Modules.RequestFailed = asked.Add;
        Assert.Equal(-ESOCKTNOSUPPORT, TrySocket(SOCK_SEQPACKET, 132));
        Assert.Equal(["net-pf-2-proto-132-type-5", "net-pf-2-proto-132"], asked);
    }

    [Fact]
    public void Raw_sockets_need_a_capability_which_is_looked_at_after_the_protocol()
    {
        TaskStruct user = NewUser();
        Assert.Equal(-EPERM, TrySocket(SOCK_RAW, IPPROTO_ICMP, user));
        Assert.Equal(-EPROTONOSUPPORT, TrySocket(SOCK_RAW, 0, user));
        Assert.Equal(0, TrySocket(SOCK_DGRAM, 0, user));
    }

    [Fact]
    public void Ping_sockets_are_for_the_groups_in_the_range()
    {
        Net.Ipv4.PingGroupRange = (100, 200);
        Assert.Equal(-EACCES, TrySocket(SOCK_DGRAM, IPPROTO_ICMP, NewUser(gid: 99)));
        Assert.Equal(0, TrySocket(SOCK_DGRAM, IPPROTO_ICMP, NewUser(gid: 200)));
    }

    [Fact]
    public void A_permanent_protocol_cannot_be_overridden()
    {
        InetProtosw mine = new(SOCK_DGRAM, IPPROTO_UDP, RawProt.Instance, InetDgramOps.Instance, InetProtoswFlags.None);
        AfInet.InetRegisterProtosw(Test.Machine, mine);
        Assert.Contains("Attempt to override permanent protocol 17", Test.Log);
        AfInet.InetRegisterProtosw(Test.Machine, mine with { Type = SOCK_MAX });
        Assert.Contains("Ignoring attempt to register invalid socket type 11", Test.Log);
    }

    [Fact]
    public void A_new_entry_overrides_what_is_not_permanent_until_it_goes()
    {
        InetProtosw mine = new(SOCK_DGRAM, IPPROTO_ICMP, UdpProt.Instance, InetDgramOps.Instance, InetProtoswFlags.None);
        AfInet.InetRegisterProtosw(Test.Machine, mine);
        Assert.Same(UdpProt.Instance, NewSocket(SOCK_DGRAM, IPPROTO_ICMP).Sk.SkProt);
        Assert.Same(InetDgramOps.Instance, NewSocket(SOCK_DGRAM).Sock.Ops);
        AfInet.InetUnregisterProtosw(Test.Machine, mine);
        Net.Ipv4.PingGroupRange = (0, uint.MaxValue);
        Assert.Same(PingProt.Instance, NewSocket(SOCK_DGRAM, IPPROTO_ICMP).Sk.SkProt);
    }

    [Fact]
    public void A_wild_card_entry_does_not_take_over_the_default_of_its_type()
    {
        InetProtosw wild = new(SOCK_DGRAM, IPPROTO_IP, RawProt.Instance, InetSockrawOps.Instance, InetProtoswFlags.None);
        AfInet.InetRegisterProtosw(Test.Machine, wild);
        Assert.Same(UdpProt.Instance, NewSocket(SOCK_DGRAM).Sk.SkProt);
        Assert.Same(RawProt.Instance, NewSocket(SOCK_DGRAM, 99).Sk.SkProt);
    }

    [Fact]
    public void Binding_refuses_in_Linuxs_order()
    {
        TaskStruct user = NewUser();
        TestSocket s = Udp(user);
        Assert.Equal(-EINVAL, s.Bind(TestSocket.Sin(0, 0)[..15]));
        Assert.Equal(-EAFNOSUPPORT, s.Bind(TestSocket.Sin(0, 0, AF_INET6)));
        Assert.Equal(-EAFNOSUPPORT, s.Bind(TestSocket.Sin(Localhost, 0, AF_UNSPEC)));
        Assert.Equal(-EADDRNOTAVAIL, s.Bind(Nonlocal, 80));
        Assert.Equal(-EACCES, s.Bind(Localhost, 80));
        Assert.Equal(0, s.Bind(TestSocket.Sin(0, 8080, AF_UNSPEC)));
        Assert.Equal(-EINVAL, s.Bind(Localhost, 8081));
        Assert.Equal(-EADDRINUSE, Udp(user).Bind(Localhost, 8080));
    }

    [Fact]
    public void Foreign_addresses_can_be_bound_where_that_is_asked_for()
    {
        TestSocket s = Udp();
        Assert.Equal(0, s.Set(SOL_IP, IP_FREEBIND, 1));
        Assert.Equal(0, s.Bind(Nonlocal, 80));
        Net.Ipv4.SysctlIpNonlocalBind = 1;
        Assert.Equal(0, Udp().Bind(Nonlocal, 81));
    }

    [Fact]
    public void Privilege_begins_below_ip_unprivileged_port_start()
    {
        Net.Ipv4.SysctlIpProtSock = 80;
        TaskStruct user = NewUser();
        Assert.Equal(0, Udp(user).Bind(Localhost, 80));
        Assert.Equal(-EACCES, Udp(user).Bind(Localhost, 79));
    }

    [Fact]
    public void Groups_and_broadcast_addresses_are_bound_without_becoming_a_source()
    {
        TestSocket s = Udp();
        Assert.Equal(0, s.Bind(0xE0000001, 5000));
        Assert.Equal((0xE0000001u, (ushort)5000), s.Name());
        Assert.Equal(0u, s.Sk.InetSaddr);
    }

    [Fact]
    public void An_address_can_be_bound_without_a_port()
    {
        TestSocket s = Udp();
        s.Set(SOL_IP, IP_BIND_ADDRESS_NO_PORT, 1);
        Assert.Equal(0, s.Bind(Localhost, 0));
        Assert.Equal((Localhost, (ushort)0), s.Name());
    }

    [Fact]
    public void Connecting_needs_a_whole_address_of_the_family()
    {
        TestSocket s = Udp();
        Assert.Equal(-EINVAL, s.Connect(new byte[1]));
        Assert.Equal(-EINVAL, s.Connect(TestSocket.Sin(Localhost, 1)[..15]));
        Assert.Equal(-EAFNOSUPPORT, s.Connect(TestSocket.Sin(Localhost, 1, AF_INET6)));
        Assert.Equal(-ENETUNREACH, s.Connect(Nonlocal, 1));
        Assert.Equal(-EACCES, s.Connect(0x7fffffff, 1));
        Assert.Equal(0, s.Set(SOL_SOCKET, SO_BROADCAST, 1));
        Assert.Equal(0, s.Connect(0x7fffffff, 1));
    }

    [Fact]
    public void Datagram_sockets_neither_listen_nor_accept_nor_pair()
    {
        TestSocket s = Udp();
        Assert.Equal(-EOPNOTSUPP, s.Sock.Ops!.Listen(s.Sock, 1));
        Assert.Equal(-EOPNOTSUPP, s.Sock.Ops.Accept(s.Sock, s.Sock, 0, false));
        Assert.Equal(-EOPNOTSUPP, s.Sock.Ops.Socketpair(s.Sock, s.Sock));
    }
}
