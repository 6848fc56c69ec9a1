using System.Runtime.InteropServices;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Options of level IPPROTO_IP: defaults, ranges, lengths; and control messages.</summary>
public class IpOptionTests : InetFixture
{
    [Theory]
    [InlineData(IP_TOS, 0)]
    [InlineData(IP_TTL, 64)]
    [InlineData(IP_MTU_DISCOVER, IP_PMTUDISC_WANT)]
    [InlineData(IP_MULTICAST_TTL, 1)]
    [InlineData(IP_MULTICAST_LOOP, 1)]
    [InlineData(IP_MULTICAST_ALL, 1)]
    [InlineData(IP_MINTTL, 0)]
    [InlineData(IP_RECVERR, 0)]
    [InlineData(IP_FREEBIND, 0)]
    [InlineData(IP_UNICAST_IF, 0)]
    [InlineData(IP_LOCAL_PORT_RANGE, 0)]
    [InlineData(IP_PROTOCOL, 0)]
    public void Defaults_are_Linuxs(int option, int expected)
    {
        Assert.Equal(0, Udp().Get(SOL_IP, option, out int value));
        Assert.Equal(expected, value);
    }

    [Theory]
    [InlineData(IP_TTL, 0, -EINVAL)]
    [InlineData(IP_TTL, 256, -EINVAL)]
    [InlineData(IP_TTL, -2, -EINVAL)]
    [InlineData(IP_TTL, -1, 0)]
    [InlineData(IP_TTL, 255, 0)]
    [InlineData(IP_MULTICAST_TTL, 256, -EINVAL)]
    [InlineData(IP_MULTICAST_TTL, -1, 0)]
    [InlineData(IP_MULTICAST_ALL, 2, -EINVAL)]
    [InlineData(IP_MTU_DISCOVER, 6, -EINVAL)]
    [InlineData(IP_MTU_DISCOVER, -1, -EINVAL)]
    [InlineData(IP_MINTTL, 256, -EINVAL)]
    [InlineData(IP_RECVERR_RFC4884, 2, -EINVAL)]
    [InlineData(IP_HDRINCL, 1, -ENOPROTOOPT)]
    [InlineData(IP_NODEFRAG, 1, -ENOPROTOOPT)]
    [InlineData(IP_ROUTER_ALERT, 1, -EINVAL)]
    [InlineData(IP_MTU, 1, -ENOPROTOOPT)]
    [InlineData(999, 1, -ENOPROTOOPT)]
    [InlineData(IP_UNICAST_IF, 0x7f000000, -EADDRNOTAVAIL)]
    public void Ranges_are_Linuxs(int option, int value, int expected) =>
        Assert.Equal(expected, Udp().Set(SOL_IP, option, value));

    [Fact]
    public void A_single_byte_is_a_value_too()
    {
        TestSocket s = Udp();
        Assert.Equal(0, s.Set(SOL_IP, IP_TTL, [33]));
        byte[] one = new byte[1];
        Assert.Equal(0, s.Get(SOL_IP, IP_TTL, one, out int length));
        Assert.Equal((1, 33), (length, one[0]));
        byte[] three = [9, 9, 9];
        Assert.Equal(0, s.Get(SOL_IP, IP_TTL, three, out length));
        Assert.Equal(1, length);
        Assert.Equal(new byte[] { 33, 9, 9 }, three);
        Assert.Equal(0, s.Get(SOL_IP, IP_TTL, [], out length));
        Assert.Equal(0, length);
        Assert.Equal(-EINVAL, s.Set(SOL_IP, IP_TTL, []));
        Assert.Equal(0, s.Set(SOL_IP, IP_TOS, []));
    }

    [Fact]
    public void Transparent_needs_a_capability()
    {
        TestSocket s = Udp(NewUser());
        Assert.Equal(-EPERM, s.Set(SOL_IP, IP_TRANSPARENT, 1));
        Assert.Equal(0, s.Set(SOL_IP, IP_TRANSPARENT, 0));
        Assert.Equal(0, Udp().Set(SOL_IP, IP_TRANSPARENT, 1));
    }

    [Fact]
    public void The_path_MTU_is_known_to_connected_sockets()
    {
        TestSocket s = Udp();
        Assert.Equal(-ENOTCONN, s.Get(SOL_IP, IP_MTU, out _));
        s.Connect(Localhost, 9);
        Assert.Equal(0, s.Get(SOL_IP, IP_MTU, out int mtu));
        Assert.Equal(65535, mtu);
    }

    [Fact]
    public void Other_levels_are_answered_apart()
    {
        TestSocket s = Udp();
        Assert.Equal(-ENOPROTOOPT, s.Set(77, 1, 1));
        Assert.Equal(-EOPNOTSUPP, s.Get(77, 1, out _));
    }

    [Fact]
    public void Datagrams_tell_how_they_came()
    {
        TestSocket server = BoundUdp(5000, 0);
        foreach (int option in (int[])[IP_PKTINFO, IP_RECVTTL, IP_RECVTOS, IP_RECVORIGDSTADDR])
            Assert.Equal(0, server.Set(SOL_IP, option, 1));
        TestSocket client = Udp();
        client.Set(SOL_IP, IP_TTL, 17);
        client.Set(SOL_IP, IP_TOS, 0xB8);
        client.SendTo("x"u8, Here, 5000);
        Received got = server.Recv(controlSize: 256);
        InPktinfo info = got.Cmsg<InPktinfo>(SOL_IP, IP_PKTINFO);
        Assert.Equal((1, 0x010200C0u, 0x010200C0u), (info.IpiIfindex, info.IpiSpecDst, info.IpiAddr));
        Assert.Equal(17, got.Cmsg<int>(SOL_IP, IP_TTL));
        Assert.Equal(0xB8, got.Cmsg<byte>(SOL_IP, IP_TOS));
        SockaddrIn.Read(got.Cmsg(SOL_IP, IP_ORIGDSTADDR), out uint address, out ushort port);
        Assert.Equal((Here, (ushort)5000), (address, port));
        Assert.Equal(MSG_CTRUNC, Truncated(server, client) & MSG_CTRUNC);
    }

    private static int Truncated(TestSocket server, TestSocket client)
    {
        client.SendTo("x"u8, Here, 5000);
        return server.Recv(controlSize: 20).Flags;
    }

    [Fact]
    public void Control_messages_change_one_datagram()
    {
        TestSocket server = BoundUdp(5000, 0);
        server.Set(SOL_IP, IP_RECVTTL, 1);
        server.Set(SOL_IP, IP_RECVTOS, 1);
        TestSocket client = Udp();
        byte[] control = [.. Cmsg(IP_TTL, 9), .. Cmsg(IP_TOS, 0x10), .. Pktinfo(0, Here)];
        Assert.Equal(1, client.Sendmsg("x"u8, TestSocket.Sin(Localhost, 5000), 0, control));
        Received got = server.Recv(controlSize: 128);
        Assert.Equal(Here, got.From);
        Assert.Equal(9, got.Cmsg<int>(SOL_IP, IP_TTL));
        Assert.Equal(0x10, got.Cmsg<byte>(SOL_IP, IP_TOS));
        Assert.Equal(-EINVAL, client.Sendmsg("x"u8, TestSocket.Sin(Localhost, 5000), 0, Cmsg(IP_TTL, 256)));
        Assert.Equal(-EINVAL, client.Sendmsg("x"u8, TestSocket.Sin(Localhost, 5000), 0, Cmsg(IP_MTU, 1)));
        Assert.Equal(-EINVAL, client.Sendmsg("x"u8, TestSocket.Sin(Localhost, 5000), 0, Pktinfo(0, Here)[..20]));
    }

    [Fact]
    public void Record_route_options_are_sent_and_delivered()
    {
        TestSocket server = BoundUdp(5000);
        server.Set(SOL_IP, IP_RECVOPTS, 1);
        TestSocket client = Udp();
        byte[] recordRoute = [7, 11, 4, 0, 0, 0, 0, 0, 0, 0, 0, 1];
        Assert.Equal(0, client.Set(SOL_IP, IP_OPTIONS, recordRoute));
        byte[] back = new byte[40];
        Assert.Equal(0, client.Get(SOL_IP, IP_OPTIONS, back, out int length));
        Assert.Equal(recordRoute, back[..length]);
        client.SendTo("x"u8, Localhost, 5000);
        byte[] delivered = server.Recv(controlSize: 128).Cmsg(SOL_IP, IP_RECVOPTS);
        Assert.Equal(7, delivered[0]);
        Assert.Equal(-EINVAL, client.Set(SOL_IP, IP_OPTIONS, new byte[41]));
        Assert.Equal(-EINVAL, client.Set(SOL_IP, IP_OPTIONS, [7, 2, 4]));
        Assert.Equal(0, client.Set(SOL_IP, IP_OPTIONS, []));
        Assert.Equal(0, client.Get(SOL_IP, IP_OPTIONS, back, out length));
        Assert.Equal(0, length);
    }

    [Fact]
    public void Groups_are_joined_left_and_filtered_by_source()
    {
        const uint group = 0xE0010203;
        TestSocket server = BoundUdp(5000, 0);
        server.Set(SOL_IP, IP_MULTICAST_ALL, 0);
        TestSocket client = Udp();
        Assert.Equal(0, client.Set(SOL_IP, IP_MULTICAST_IF, Network(Localhost)));
        client.SendTo("1"u8, group, 5000);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        byte[] mreq = [.. Network(group), .. Network(Localhost)];
        Assert.Equal(0, server.Set(SOL_IP, IP_ADD_MEMBERSHIP, mreq));
        Assert.Equal(-EADDRINUSE, server.Set(SOL_IP, IP_ADD_MEMBERSHIP, mreq));
        client.SendTo("2"u8, group, 5000);
        Assert.Equal("2"u8.ToArray(), server.Recv().Data);
        Assert.Equal(0, server.Set(SOL_IP, IP_BLOCK_SOURCE, [.. mreq, .. Network(Localhost)]));
        client.SendTo("3"u8, group, 5000);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        Assert.Equal(0, server.Set(SOL_IP, IP_UNBLOCK_SOURCE, [.. mreq, .. Network(Localhost)]));
        Assert.Equal(0, server.Set(SOL_IP, IP_DROP_MEMBERSHIP, mreq));
        Assert.Equal(-EADDRNOTAVAIL, server.Set(SOL_IP, IP_DROP_MEMBERSHIP, mreq));
        client.SendTo("4"u8, group, 5000);
        Assert.Equal(-EAGAIN, server.Recv().Result);
        Assert.Equal(-EINVAL, server.Set(SOL_IP, IP_ADD_MEMBERSHIP, [.. Network(Here), .. Network(Localhost)]));
        Assert.Equal(-ENODEV, server.Set(SOL_IP, IP_ADD_MEMBERSHIP, [.. Network(group), .. Network(There)]));
        Assert.Equal(-EINVAL, server.Set(SOL_IP, IP_ADD_MEMBERSHIP, mreq[..7]));
    }

    [Fact]
    public void Named_sources_are_let_in_and_can_be_read_back()
    {
        const uint group = 0xE8010203;
        TestSocket server = BoundUdp(5000, 0);
        byte[] mreq = [.. Network(group), .. Network(Localhost)];
        Assert.Equal(0, server.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, [.. mreq, .. Network(Here)]));
        byte[] filter = [.. mreq, 0, 0, 0, 0, 10, 0, 0, 0, .. new byte[40]];
        Assert.Equal(0, server.Get(SOL_IP, IP_MSFILTER, filter, out int length));
        Assert.Equal(20, length);
        Assert.Equal((MCAST_INCLUDE, 1), (BitConverter.ToInt32(filter, 8), BitConverter.ToInt32(filter, 12)));
        Assert.Equal(Network(Here), filter[16..20]);
        TestSocket client = BoundUdp(5001, Here);
        client.Set(SOL_IP, IP_MULTICAST_IF, Network(Localhost));
        client.SendTo("in"u8, group, 5000);
        Assert.Equal("in"u8.ToArray(), server.Recv().Data);
        Assert.Equal(0, server.Set(SOL_IP, IP_DROP_SOURCE_MEMBERSHIP, [.. mreq, .. Network(Here)]));
        Assert.Equal(-EADDRNOTAVAIL, server.Get(SOL_IP, IP_MSFILTER, filter, out _));
    }

    private static byte[] Network(uint address) =>
        [(byte)(address >> 24), (byte)(address >> 16), (byte)(address >> 8), (byte)address];

    private static byte[] Cmsg(int type, int value) => Cmsg(type, BitConverter.GetBytes(value));

    private static byte[] Pktinfo(int ifindex, uint source) =>
        Cmsg(IP_PKTINFO, [.. BitConverter.GetBytes(ifindex), .. Network(source), 0, 0, 0, 0]);

    private static byte[] Cmsg(int type, byte[] data)
    {
        byte[] cmsg = new byte[CmsgH.CMSG_SPACE(data.Length)];
        MemoryMarshal.Write(cmsg, new Cmsghdr
        {
            CmsgLen = (ulong)CmsgH.CMSG_LEN(data.Length),
            CmsgLevel = SOL_IP,
            CmsgType = type,
        });
        data.CopyTo(cmsg, 16);
        return cmsg;
    }
}
