using Linnet.Kernel.Trace.Beauty;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Trace;

public class BeautyTests
{
    [Theory]
    [InlineData(AF_INET, "AF_INET")]
    [InlineData(AF_UNIX, "AF_UNIX")]
    [InlineData(AF_NETLINK, "AF_NETLINK")]
    [InlineData(-2, "-2")]
    [InlineData(60, "60")]
    public void Families(int value, string text) => Assert.Equal(text, Names.Family(value));

    [Theory]
    [InlineData(SOCK_STREAM, "SOCK_STREAM")]
    [InlineData(SOCK_DGRAM | SOCK_NONBLOCK | SOCK_CLOEXEC, "SOCK_DGRAM|SOCK_NONBLOCK|SOCK_CLOEXEC")]
    [InlineData(SOCK_RAW | 0x10, "SOCK_RAW|0x10")]
    [InlineData(7, "7")]
    public void Types(int value, string text) => Assert.Equal(text, Names.SockType(value));

    [Theory]
    [InlineData(AF_INET, 0, "IPPROTO_IP")]
    [InlineData(AF_INET, 6, "IPPROTO_TCP")]
    [InlineData(AF_INET6, 58, "IPPROTO_ICMPV6")]
    [InlineData(AF_INET, 256, "IPPROTO_SMC")]
    [InlineData(AF_INET, 300, "300")]
    [InlineData(AF_NETLINK, 0, "NETLINK_ROUTE")]
    [InlineData(AF_UNIX, 6, "6")]
    [InlineData(AF_PACKET, 0x0008, "htons(ETH_P_IP)")]
    public void Protocols(int family, int value, string text) => Assert.Equal(text, Names.Protocol(family, value));

    [Theory]
    [InlineData(SOL_SOCKET, SO_REUSEADDR, "SO_REUSEADDR")]
    [InlineData(SOL_TCP, TCP_NODELAY, "TCP_NODELAY")]
    [InlineData(SOL_TCP, TCP_INFO, "TCP_INFO")]
    [InlineData(SOL_IP, IP_TTL, "IP_TTL")]
    [InlineData(SOL_IP, IP_MTU_DISCOVER, "IP_MTU_DISCOVER")]
    [InlineData(SOL_UDP, 1, "UDP_CORK")]
    [InlineData(SOL_IP, 1234, "1234")]
    public void Options(int level, int value, string text) => Assert.Equal(text, Names.Option(level, value));

    [Fact]
    public void States_flags_and_masks()
    {
        Assert.Equal("TCP_ESTABLISHED", Names.TcpState(TCP_ESTABLISHED));
        Assert.Equal("TCP_CLOSING", Names.TcpState(TCP_CLOSING));
        Assert.Equal("MSG_PEEK|MSG_DONTWAIT", Names.MsgFlags(MSG_DONTWAIT | MSG_PEEK));
        Assert.Equal("O_RDWR|O_NONBLOCK", Names.OpenFlags(O_RDWR | O_NONBLOCK));
        Assert.Equal("0", Names.OpenFlags(0));
        Assert.Equal("SOCK_NONBLOCK", Names.SockFlags(SOCK_NONBLOCK));
        Assert.Equal("SHUT_WR", Names.Shutdown(SHUT_WR));
        Assert.Equal("F_SETFL", Names.Fcntl(F_SETFL));
        Assert.Equal("EPOLL_CTL_MOD", Names.EpollOp(EPOLL_CTL_MOD));
        Assert.Equal("EPOLLIN|EPOLLRDHUP|EPOLLET", Names.PollMask(EPOLLIN | EPOLLRDHUP | EPOLLET));
        Assert.Equal("CAP_NET_RAW", Names.Capability(CAP_NET_RAW));
        Assert.Equal("192.0.2.1", Names.Ipv4(0xC0000201));
    }

    [Fact]
    public void Socket_addresses()
    {
        byte[] address = new byte[SockaddrIn.Size];
        SockaddrIn.Write(address, 0x0A000001, 80);
        Assert.Equal("{ .family: AF_INET, .port: 80, .addr: 10.0.0.1 }", SockaddrText.Format(address));
        Assert.Equal("{ .family: AF_INET }", SockaddrText.Format(address.AsSpan(0, 6)));
        Assert.Equal("NULL", SockaddrText.Format([]));
        Assert.Equal("{ .family: AF_UNIX, .path: /tmp/s }", SockaddrText.Format([1, 0, .. "/tmp/s\0"u8]));
    }

    [Fact]
    public void Bytes_are_quoted_as_in_C() =>
        Assert.Equal(@"""a\n\""\x00\xff""", Beautifier.Quote("a\n\"\0"u8.ToArray().Append((byte)0xff).ToArray(), 5));

    [Fact]
    public void Names_lead_back_to_numbers()
    {
        Assert.True(UapiConstants.TryGet("SO_REUSEADDR", out long value));
        Assert.Equal(SO_REUSEADDR, value);
        Assert.False(UapiConstants.TryGet("SO_NOTHING", out _));
    }
}
