using System.Buffers.Binary;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>Ping sockets over the loopback device.</summary>
public class PingTests : InetFixture
{
    public PingTests() => Net.Ipv4.PingGroupRange = (0, uint.MaxValue);

    private TestSocket Ping() => NewSocket(SOCK_DGRAM, IPPROTO_ICMP);

    private static byte[] Echo(byte type = 8, byte code = 0, ushort sequence = 1, string payload = "ping")
    {
        byte[] message = [type, code, 0, 0, 0x12, 0x34, (byte)(sequence >> 8), (byte)sequence, .. System.Text.Encoding.ASCII.GetBytes(payload)];
        return message;
    }

    [Fact]
    public void An_echo_comes_back_with_the_sockets_identifier()
    {
        TestSocket s = Ping();
        Assert.Equal(12, s.SendTo(Echo(), Localhost, 0));
        Received reply = s.Recv();
        Assert.Equal(12, reply.Result);
        Assert.Equal((0, 0), (reply.Data[0], reply.Data[1]));
        Assert.Equal(s.Name().Port, BinaryPrimitives.ReadUInt16BigEndian(reply.Data.AsSpan(4)));
        Assert.Equal(1, BinaryPrimitives.ReadUInt16BigEndian(reply.Data.AsSpan(6)));
        Assert.Equal("ping"u8.ToArray(), reply.Data[8..]);
        Assert.Equal((Localhost, (ushort)0), (reply.From, reply.FromPort));
    }

    [Fact]
    public void Replies_go_to_the_socket_that_asked()
    {
        TestSocket first = Ping();
        TestSocket second = Ping();
        first.SendTo(Echo(payload: "1"), Localhost, 0);
        second.SendTo(Echo(payload: "2"), Localhost, 0);
        Assert.Equal((byte)'1', first.Recv().Data[8]);
        Assert.Equal((byte)'2', second.Recv().Data[8]);
        Assert.Equal(-EAGAIN, first.Recv().Result);
    }

    [Fact]
    public void Only_echo_requests_can_be_sent()
    {
        TestSocket s = Ping();
        Assert.Equal(-EINVAL, s.SendTo(Echo(type: 0), Localhost, 0));
        Assert.Equal(-EINVAL, s.SendTo(Echo(code: 1), Localhost, 0));
        Assert.Equal(-EINVAL, s.SendTo(new byte[7], Localhost, 0));
        Assert.Equal(-EMSGSIZE, s.SendTo(new byte[65536], Localhost, 0));
        Assert.Equal(-EDESTADDRREQ, s.Send(Echo()));
        Assert.Equal(-EAFNOSUPPORT, s.Sendmsg(Echo(), TestSocket.Sin(Localhost, 0, AF_UNSPEC), 0, []));
        Assert.Equal(-EOPNOTSUPP, s.SendTo(Echo(), Localhost, 0, MSG_OOB));
        Assert.Equal(-EOPNOTSUPP, s.Recv(flags: MSG_OOB).Result);
    }

    [Fact]
    public void An_identifier_can_be_bound_and_taken_once()
    {
        TestSocket s = Ping();
        Assert.Equal(0, s.Set(SOL_SOCKET, SO_REUSEADDR, 0));
        Assert.Equal(0, s.Bind(Localhost, 77));
        Assert.Equal((Localhost, (ushort)77), s.Name());
        TestSocket other = Ping();
        Assert.Equal(-EADDRINUSE, other.Bind(Localhost, 77));
        Assert.Equal(-EADDRNOTAVAIL, other.Bind(0x08080808, 78));
        Assert.Equal(-EADDRNOTAVAIL, other.Bind(0xE0000001, 78));
        Assert.Equal(-EINVAL, s.Bind(Localhost, 78));
        s.SendTo(Echo(), Localhost, 0);
        Assert.Equal(77, BinaryPrimitives.ReadUInt16BigEndian(s.Recv().Data.AsSpan(4)));
    }

    [Fact]
    public void Connected_sockets_need_no_address()
    {
        TestSocket s = Ping();
        Assert.Equal(0, s.Connect(Localhost, 0));
        Assert.Equal(12, s.Send(Echo()));
        Assert.Equal(12, s.Recv().Result);
    }

    [Fact]
    public void A_lost_destination_is_reported_to_the_error_queue()
    {
        TestSocket s = Ping();
        s.Set(SOL_IP, IP_RECVERR, 1);
        s.Bind(Here, 99);
        byte[] echo = Echo();
        BinaryPrimitives.WriteUInt16BigEndian(echo.AsSpan(4), 99);
        byte[] offending = UdpPacket.Ip(Here, There, IPPROTO_ICMP, echo);
        Inject(UdpPacket.IcmpError(There, Here, type: 3, code: 1, info: 0, offending));
        Assert.Equal(EHOSTUNREACH, s.PendingError());
        Received error = s.Recv(200, MSG_ERRQUEUE, 200);
        Assert.Equal(echo, error.Data);
        Assert.Equal(There, error.From);
    }
}
