using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.IcmpH;
using static Linnet.Kernel.Uapi.SocketIoctlH;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Raw sockets over the loopback device.</summary>
public class RawTests : InetFixture
{
    private TestSocket Raw(int protocol) => NewSocket(SOCK_RAW, protocol);

    [Fact]
    public void Every_socket_of_the_protocol_gets_the_packet_with_its_header()
    {
        TestSocket first = Raw(254);
        TestSocket second = Raw(254);
        TestSocket other = Raw(253);
        Assert.Equal(4, Raw(254).SendTo("data"u8, Localhost, 0));
        Received got = first.Recv();
        Assert.Equal(24, got.Result);
        Assert.Equal(0x45, got.Data[0]);
        Assert.Equal(254, got.Data[9]);
        Assert.Equal("data"u8.ToArray(), got.Data[20..]);
        Assert.Equal((Localhost, (ushort)0), (got.From, got.FromPort));
        Assert.Equal(24, second.Recv().Result);
        Assert.Equal(-EAGAIN, other.Recv().Result);
    }

    [Fact]
    public void Binding_and_connecting_narrow_what_comes_in()
    {
        TestSocket bound = Raw(254);
        TestSocket connected = Raw(254);
        Assert.Equal(0, bound.Bind(Here, 0));
        Assert.Equal(0, connected.Connect(Here, 0));
        Raw(254).SendTo("1"u8, Localhost, 0);
        Assert.Equal(-EAGAIN, bound.Recv().Result);
        Assert.Equal(-EAGAIN, connected.Recv().Result);
        Raw(254).SendTo("2"u8, Here, 0);
        Assert.Equal(21, bound.Recv().Result);
        Assert.Equal(1, connected.Send("3"u8));
        Assert.Equal(-EADDRNOTAVAIL, Raw(254).Bind(0x08080808, 0));
        Assert.Equal(-EINVAL, Raw(254).Bind(TestSocket.Sin(Here, 0)[..15]));
        Assert.Equal(-EINVAL, connected.Bind(Here, 0));
    }

    [Fact]
    public void A_header_of_the_users_own_is_completed_not_changed()
    {
        TestSocket reader = Raw(254);
        TestSocket sender = Raw(IPPROTO_RAW);
        byte[] packet = UdpPacket.Ip(0, Localhost, 254, "own"u8);
        packet[8] = 7;
        packet[10] = 0xEE;
        BinaryPrimitives.WriteUInt16BigEndian(packet.AsSpan(2), 9);
        Assert.Equal(23, sender.SendTo(packet, Localhost, 0));
        Received got = reader.Recv();
        Assert.Equal(23, got.Result);
        Assert.Equal(7, got.Data[8]);
        Assert.Equal(23, BinaryPrimitives.ReadUInt16BigEndian(got.Data.AsSpan(2)));
        Assert.Equal(Localhost, got.From);
        Assert.Equal(-EINVAL, sender.SendTo(new byte[19], Localhost, 0));
        Assert.Equal(-EAGAIN, sender.Recv().Result);
        packet[0] = 0x4F;
        Assert.Equal(-EINVAL, sender.SendTo(packet, Localhost, 0));
    }

    [Fact]
    public void A_packet_with_header_must_fit_the_device()
    {
        TestSocket s = Raw(IPPROTO_RAW);
        s.Set(SOL_IP, IP_RECVERR, 1);
        using (Root.Enter())
            Dev.DevSetMtu(Net.LoopbackDev, 1500);
        Assert.Equal(-EMSGSIZE, s.SendTo(UdpPacket.Ip(0, Localhost, 254, new byte[1481]), Localhost, 0));
        byte[] report = s.Recv(10, MSG_ERRQUEUE, 100).Cmsg(SOL_IP, IP_RECVERR);
        Assert.Equal(EMSGSIZE, BitConverter.ToInt32(report));
        Assert.Equal(1500, BitConverter.ToInt32(report, 8));
        Assert.Equal(1, report[4]);
    }

    [Fact]
    public void ICMP_FILTER_keeps_types_away()
    {
        TestSocket s = Raw(IPPROTO_ICMP);
        Assert.Equal(0, s.Set(SOL_RAW, ICMP_FILTER, ~(1 << ICMP_ECHOREPLY)));
        Assert.Equal(0, s.Get(SOL_RAW, ICMP_FILTER, out int filter));
        Assert.Equal(~1, filter);
        byte[] echo = [8, 0, 0xF7, 0xFF, 0, 0, 0, 0];
        Assert.Equal(8, s.SendTo(echo, Localhost, 0));
        Received reply = s.Recv();
        Assert.Equal(ICMP_ECHOREPLY, reply.Data[20]);
        Assert.Equal(-EAGAIN, s.Recv().Result);
        Assert.Equal(-EOPNOTSUPP, Raw(254).Set(SOL_RAW, ICMP_FILTER, 1));
        Assert.Equal(-ENOPROTOOPT, s.Set(SOL_RAW, 99, 1));
    }

    [Fact]
    public void A_protocol_with_a_reader_is_not_unreachable()
    {
        Raw(254).SendTo("x"u8, Localhost, 0);
        Assert.Equal(0, Net.Ipv4.IpStatistics[IpstatsMib.InUnknownProtos]);
        NewSocket(SOCK_RAW, IPPROTO_RAW).SendTo(UdpPacket.Ip(0, Localhost, 250, "x"u8), Localhost, 0);
        Assert.Equal(1, Net.Ipv4.IpStatistics[IpstatsMib.InUnknownProtos]);
    }

    [Fact]
    public void A_connected_socket_hears_of_permanent_errors()
    {
        TestSocket s = Raw(253);
        s.Connect(Here, 0);
        byte[] offending = UdpPacket.Ip(Here, Here, 253, "12345678"u8);
        Inject(UdpPacket.IcmpError(There, Here, 3, 2, 0, offending));
        Assert.Equal(ENOPROTOOPT, s.PendingError());
    }

    [Fact]
    public void Arguments_are_refused_as_in_Linux()
    {
        TestSocket s = Raw(254);
        Assert.Equal(-EDESTADDRREQ, s.Send("x"u8));
        Assert.Equal(-EMSGSIZE, s.SendTo(new byte[65536], Localhost, 0));
        Assert.Equal(-EOPNOTSUPP, s.SendTo("x"u8, Localhost, 0, MSG_OOB));
        Assert.Equal(-EAFNOSUPPORT, s.Sendmsg("x"u8, TestSocket.Sin(Localhost, 0, AF_INET6), 0, []));
        Assert.Equal(1, s.Sendmsg("x"u8, TestSocket.Sin(Localhost, 0, AF_UNSPEC), 0, []));
        Assert.Equal((0, 21), (s.Ioctl(SIOCINQ, out int waiting), waiting));
        Assert.Equal(-ENOIOCTLCMD, s.Ioctl(0x12345, out _));
    }

    [Fact]
    public void Router_alerts_that_pass_through_go_to_who_asked_for_them()
    {
        TestSocket s = Raw(254);
        Assert.Equal(-ENOBUFS, s.Set(SOL_IP, IP_ROUTER_ALERT, 0));
        Assert.Equal(0, s.Set(SOL_IP, IP_ROUTER_ALERT, 1));
        Assert.Equal(-EADDRINUSE, s.Set(SOL_IP, IP_ROUTER_ALERT, 1));
        Assert.Equal((0, 1), (s.Get(SOL_IP, IP_ROUTER_ALERT, out int on), on));
        Assert.Equal(0, Net.Sysctl.Write("net.ipv4.ip_forward", "1"));
        byte[] alert = UdpPacket.WithOptions(UdpPacket.Ip(There, 0xCB007101, 254, "ra"u8), [148, 4, 0, 0]);
        using (Root.Enter())
            Devinet.InetAddrAdd(Net.LoopbackDev, Here + 1, 32, peer: 0xCB007101);
        Inject(alert);
        Received got = s.Recv();
        Assert.Equal(alert.Length, got.Result);
        Assert.Equal(0xCB, got.Data[16]);
    }
}
