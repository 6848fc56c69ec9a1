using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.SocketIoctlH;
using static Linnet.Kernel.Uapi.UdpH;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>UDP over the loopback device.</summary>
public class UdpTests : InetFixture
{
    private long Counter(UdpMib counter) => Net.Ipv4.UdpStatistics[counter];

    [Fact]
    public void A_datagram_arrives_with_its_senders_address()
    {
        TestSocket server = BoundUdp(7000);
        TestSocket client = BoundUdp(7001);
        Assert.Equal(5, client.SendTo("hello"u8, Localhost, 7000));
        Received got = server.Recv();
        Assert.Equal("hello"u8.ToArray(), got.Data);
        Assert.Equal((Localhost, (ushort)7001), (got.From, got.FromPort));
        Assert.Equal(1, Counter(UdpMib.InDatagrams));
        Assert.Equal(1, Counter(UdpMib.OutDatagrams));
        Assert.Equal(-EAGAIN, server.Recv().Result);
    }

    [Fact]
    public void Sending_binds_to_a_port_of_the_local_range()
    {
        TestSocket client = Udp();
        Assert.Equal(1, client.SendTo("x"u8, Localhost, 7000));
        Assert.InRange(client.Name().Port, 32768, 60999);
    }

    [Fact]
    public void Arguments_are_refused_in_Linuxs_order()
    {
        TestSocket s = Udp();
        Assert.Equal(-EDESTADDRREQ, s.Send("x"u8));
        Assert.Equal(-EINVAL, s.SendTo("x"u8, Localhost, 0));
        Assert.Equal(-EAFNOSUPPORT, s.Sendmsg("x"u8, TestSocket.Sin(Localhost, 1, AF_INET6), 0, []));
        Assert.Equal(-EINVAL, s.Sendmsg("x"u8, TestSocket.Sin(Localhost, 1)[..8], 0, []));
        Assert.Equal(-EOPNOTSUPP, s.SendTo("x"u8, Localhost, 1, MSG_OOB));
        Assert.Equal(-EMSGSIZE, s.SendTo(new byte[65536], Localhost, 1));
        Assert.Equal(-EMSGSIZE, s.SendTo(new byte[65508], Localhost, 1));
        Assert.Equal(65507, s.SendTo(new byte[65507], Localhost, 1));
        Assert.Equal(-EACCES, s.SendTo("x"u8, 0x7fffffff, 1));
        Assert.Equal(-ENETUNREACH, s.SendTo("x"u8, 0x08080808, 1));
    }

    [Fact]
    public void A_datagram_is_cut_to_the_readers_room()
    {
        TestSocket server = BoundUdp(7000);
        Udp().SendTo("0123456789"u8, Localhost, 7000);
        Received peeked = server.Recv(4, MSG_PEEK);
        Assert.Equal(4, peeked.Result);
        Assert.Equal(MSG_TRUNC, peeked.Flags & MSG_TRUNC);
        Assert.Equal(10, server.Recv(4, MSG_TRUNC).Result);
        Assert.Equal(-EAGAIN, server.Recv().Result);
    }

    [Fact]
    public void Peeking_moves_on_with_SO_PEEK_OFF()
    {
        TestSocket server = BoundUdp(7000);
        TestSocket client = Udp();
        client.SendTo("abcd"u8, Localhost, 7000);
        client.SendTo("efgh"u8, Localhost, 7000);
        Assert.Equal(0, server.Set(SOL_SOCKET, SO_PEEK_OFF, 0));
        Assert.Equal("ab"u8.ToArray(), server.Recv(2, MSG_PEEK).Data);
        Assert.Equal("cd"u8.ToArray(), server.Recv(2, MSG_PEEK).Data);
        Assert.Equal("ef"u8.ToArray(), server.Recv(2, MSG_PEEK).Data);
        Assert.Equal("abcd"u8.ToArray(), server.Recv().Data);
        Assert.Equal("gh"u8.ToArray(), server.Recv(9, MSG_PEEK).Data);
    }

    [Fact]
    public void A_connected_socket_hears_its_peer_alone()
    {
        TestSocket server = BoundUdp(7000);
        TestSocket peer = BoundUdp(7001);
        TestSocket other = BoundUdp(7002);
        Assert.Equal(0, server.Connect(Localhost, 7001));
        other.SendTo("no"u8, Localhost, 7000);
        peer.SendTo("yes"u8, Localhost, 7000);
        Assert.Equal("yes"u8.ToArray(), server.Recv().Data);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        Assert.Equal(2, server.Send("ok"u8));
        Assert.Equal("ok"u8.ToArray(), peer.Recv().Data);
        Assert.Equal((Localhost, (ushort)7001), server.Name(1));
    }

    [Fact]
    public void Disconnecting_keeps_what_was_bound_and_forgets_the_rest()
    {
        TestSocket bound = BoundUdp(7000);
        bound.Connect(Localhost, 7001);
        Assert.Equal(0, bound.Connect(new byte[16]));
        Assert.Equal((Localhost, (ushort)7000), bound.Name());
        Assert.Equal(-ENOTCONN, bound.PeerNameError());
        TestSocket free = Udp();
        free.Connect(Localhost, 7001);
        Assert.Equal(Localhost, free.Name().Address);
        free.Connect(new byte[16]);
        Assert.Equal((0u, (ushort)0), free.Name());
    }

    [Fact]
    public void Nobodys_port_is_answered_with_port_unreachable()
    {
        TestSocket client = Udp();
        client.Connect(Localhost, 7009);
        Assert.Equal(1, client.Send("x"u8));
        Assert.Equal(1, Counter(UdpMib.NoPorts));
        Assert.Equal(EPOLLERR, (int)client.Poll() & EPOLLERR);
        Assert.Equal(-ECONNREFUSED, client.Recv().Result);
        Assert.Equal(-EAGAIN, client.Recv().Result);
        TestSocket unconnected = Udp();
        unconnected.SendTo("x"u8, Localhost, 7009);
        Assert.Equal(0, unconnected.PendingError());
    }

    [Fact]
    public void The_error_queue_tells_who_complained_about_what()
    {
        TestSocket client = BoundUdp(7001);
        Assert.Equal(0, client.Set(SOL_IP, IP_RECVERR, 1));
        client.SendTo("payload"u8, Localhost, 7009);
        Received error = client.Recv(100, MSG_ERRQUEUE, 200);
        Assert.Equal("payload"u8.ToArray(), error.Data);
        Assert.Equal(MSG_ERRQUEUE, error.Flags & MSG_ERRQUEUE);
        Assert.Equal((Localhost, (ushort)7009), (error.From, error.FromPort));
        byte[] report = error.Cmsg(SOL_IP, IP_RECVERR);
        Assert.Equal(32, report.Length);
        Assert.Equal(ECONNREFUSED, BitConverter.ToInt32(report));
        Assert.Equal(new byte[] { 2, 3, 3, 0 }, report[4..8]);
        SockaddrIn.Read(report.AsSpan(16), out uint offender, out _);
        Assert.Equal(Localhost, offender);
        Assert.Equal(-EAGAIN, client.Recv(100, MSG_ERRQUEUE, 200).Result);
        Assert.Equal(0, client.PendingError());
    }

    [Fact]
    public void A_full_receive_buffer_drops_and_counts()
    {
        TestSocket server = BoundUdp(7000);
        server.Set(SOL_SOCKET, SO_RCVBUF, 4096);
        TestSocket client = Udp();
        int sent = 0;
        while (Counter(UdpMib.RcvbufErrors) == 0 && sent < 1000)
        {
            client.SendTo(new byte[500], Localhost, 7000);
            sent++;
        }

        Assert.Equal(1, Counter(UdpMib.RcvbufErrors));
        Assert.Equal(1, Counter(UdpMib.InErrors));
        Assert.Equal(1, server.Sk.SkDrops);
        int received = 0;
        while (server.Recv().Result == 500)
            received++;
        Assert.Equal(sent - 1, received);
        client.SendTo("room"u8, Localhost, 7000);
        Assert.Equal("room"u8.ToArray(), server.Recv().Data);
    }

    [Fact]
    public void Corked_pieces_become_one_datagram()
    {
        TestSocket server = BoundUdp(7000);
        TestSocket client = Udp();
        client.Connect(Localhost, 7000);
        Assert.Equal(3, client.Send("abc"u8, MSG_MORE));
        Assert.Equal(3, client.Send("def"u8));
        Assert.Equal("abcdef"u8.ToArray(), server.Recv().Data);
        client.Set(SOL_UDP, UDP_CORK, 1);
        client.Send("1"u8);
        client.Send("23"u8);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        client.Set(SOL_UDP, UDP_CORK, 0);
        Assert.Equal("123"u8.ToArray(), server.Recv().Data);
    }

    [Fact]
    public void Segments_arrive_one_by_one_or_whole_with_UDP_GRO()
    {
        TestSocket server = BoundUdp(7000);
        TestSocket client = Udp();
        client.Set(SOL_UDP, UDP_SEGMENT, 4);
        Assert.Equal(10, client.SendTo("aaaabbbbcc"u8, Localhost, 7000));
        Assert.Equal("aaaa"u8.ToArray(), server.Recv().Data);
        Assert.Equal("bbbb"u8.ToArray(), server.Recv().Data);
        Assert.Equal("cc"u8.ToArray(), server.Recv().Data);
        server.Set(SOL_UDP, UDP_GRO, 1);
        client.SendTo("aaaabbbbcc"u8, Localhost, 7000);
        Received whole = server.Recv(controlSize: 64);
        Assert.Equal(10, whole.Result);
        Assert.Equal(4, whole.Cmsg<int>(SOL_UDP, UDP_GRO));
    }

    [Fact]
    public void Options_have_Linuxs_ranges_and_lengths()
    {
        TestSocket s = Udp();
        Assert.Equal(-EINVAL, s.Set(SOL_UDP, UDP_CORK, new byte[3]));
        Assert.Equal(-EINVAL, s.Set(SOL_UDP, UDP_SEGMENT, 65536));
        Assert.Equal(-ENOPROTOOPT, s.Set(SOL_UDP, 999, 1));
        Assert.Equal(0, s.Set(SOL_UDP, UDP_SEGMENT, 1400));
        Assert.Equal(0, s.Get(SOL_UDP, UDP_SEGMENT, out int size));
        Assert.Equal(1400, size);
        byte[] two = new byte[2];
        Assert.Equal(0, s.Get(SOL_UDP, UDP_SEGMENT, two, out int length));
        Assert.Equal((2, 1400), (length, BitConverter.ToUInt16(two)));
        Assert.Equal(-ENOPROTOOPT, s.Get(SOL_UDP, 999, out _));
    }

    [Fact]
    public void Queue_lengths_can_be_asked_for()
    {
        TestSocket server = BoundUdp(7000);
        Assert.Equal((0, 0), (server.Ioctl(SIOCINQ, out int none), none));
        Udp().SendTo("12345"u8, Localhost, 7000);
        Assert.Equal((0, 5), (server.Ioctl(SIOCINQ, out int waiting), waiting));
        Assert.Equal(0, server.Ioctl(SIOCOUTQ, out _));
        Assert.Equal(EPOLLIN | EPOLLRDNORM, (int)server.Poll() & (EPOLLIN | EPOLLRDNORM));
    }

    [Fact]
    public void Shutting_down_hangs_up()
    {
        TestSocket s = BoundUdp(7000);
        Assert.Equal(-ENOTCONN, s.Shutdown(SHUT_RDWR));
        Assert.Equal(EPOLLHUP, (int)s.Poll() & EPOLLHUP);
        TestSocket connected = Udp();
        connected.Connect(Localhost, 7000);
        Assert.Equal(0, connected.Shutdown(SHUT_WR));
        Assert.Equal(-EPIPE, connected.Send("x"u8));
        Assert.Equal(-EINVAL, connected.Shutdown(3));
    }

    [Theory]
    [InlineData(1)]
    [InlineData(76)]
    [InlineData(200)]
    public void A_wrong_checksum_is_never_delivered(int length)
    {
        TestSocket server = BoundUdp(7000, Here);
        byte[] packet = UdpPacket.Build(There, Here, 9, 7000, new byte[length]);
        packet[^1] ^= 1;
        Inject(packet);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        Assert.Equal(1, Counter(UdpMib.InCsumErrors));
        Assert.Equal(1, Counter(UdpMib.InErrors));
        packet[^1] ^= 1;
        Inject(packet);
        Assert.Equal(length, server.Recv().Result);
    }

    [Fact]
    public void Lengths_that_lie_are_dropped_and_padding_is_cut_off()
    {
        TestSocket server = BoundUdp(7000, Here);
        byte[] tooLong = UdpPacket.Build(There, Here, 9, 7000, "abc"u8, udpLength: 100, checksum: false);
        byte[] tooShort = UdpPacket.Build(There, Here, 9, 7000, "abc"u8, udpLength: 7, checksum: false);
        byte[] padded = UdpPacket.Build(There, Here, 9, 7000, "abc"u8, udpLength: 9, checksum: false);
        Inject(tooLong);
        Inject(tooShort);
        Assert.Equal(2, Counter(UdpMib.InErrors));
        Inject(padded);
        Assert.Equal("a"u8.ToArray(), server.Recv().Data);
        Assert.Equal(-EAGAIN, server.Recv().Result);
    }
}
