using System.Text;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Options of level SOL_TCP: defaults, ranges and errors are Linux 6.18's.</summary>
public class OptionTests
{
    [Theory]
    [InlineData(TCP_NODELAY, 0)]
    [InlineData(TCP_MAXSEG, 536)]
    [InlineData(TCP_CORK, 0)]
    [InlineData(TCP_KEEPIDLE, 7200)]
    [InlineData(TCP_KEEPINTVL, 75)]
    [InlineData(TCP_KEEPCNT, 9)]
    [InlineData(TCP_SYNCNT, 6)]
    [InlineData(TCP_LINGER2, 60)]
    [InlineData(TCP_DEFER_ACCEPT, 0)]
    [InlineData(TCP_WINDOW_CLAMP, 0)]
    [InlineData(TCP_QUICKACK, 1)]
    [InlineData(TCP_THIN_LINEAR_TIMEOUTS, 0)]
    [InlineData(TCP_THIN_DUPACK, 0)]
    [InlineData(TCP_USER_TIMEOUT, 0)]
    [InlineData(TCP_NOTSENT_LOWAT, 0)]
    [InlineData(TCP_SAVE_SYN, 0)]
    [InlineData(TCP_INQ, 0)]
    [InlineData(TCP_IS_MPTCP, 0)]
    [InlineData(TCP_RTO_MAX_MS, 120000)]
    [InlineData(TCP_RTO_MIN_US, 200000)]
    [InlineData(TCP_DELACK_MAX_US, 200000)]
    public void Default(int option, int expected)
    {
        using TcpHosts hosts = new();
        Assert.Equal(expected, TcpHosts.GetInt(hosts.One, TcpHosts.NewSocket(hosts.One), SOL_TCP, option));
    }

    [Theory]
    [InlineData(TCP_NODELAY, 5, 0, 1)]
    [InlineData(TCP_MAXSEG, 87, -EINVAL, 536)]
    [InlineData(TCP_MAXSEG, 88, 0, 88)]
    [InlineData(TCP_MAXSEG, 32767, 0, 32767)]
    [InlineData(TCP_MAXSEG, 32768, -EINVAL, 536)]
    [InlineData(TCP_MAXSEG, 0, 0, 536)]
    [InlineData(TCP_KEEPIDLE, 0, -EINVAL, 7200)]
    [InlineData(TCP_KEEPIDLE, 32767, 0, 32767)]
    [InlineData(TCP_KEEPIDLE, 32768, -EINVAL, 7200)]
    [InlineData(TCP_KEEPINTVL, 0, -EINVAL, 75)]
    [InlineData(TCP_KEEPINTVL, 1, 0, 1)]
    [InlineData(TCP_KEEPCNT, 128, -EINVAL, 9)]
    [InlineData(TCP_KEEPCNT, 127, 0, 127)]
    [InlineData(TCP_SYNCNT, 0, -EINVAL, 6)]
    [InlineData(TCP_SYNCNT, 127, 0, 127)]
    [InlineData(TCP_LINGER2, -5, 0, -1)]
    [InlineData(TCP_LINGER2, 7, 0, 7)]
    [InlineData(TCP_LINGER2, 500, 0, 120)]
    [InlineData(TCP_DEFER_ACCEPT, 1, 0, 1)]
    [InlineData(TCP_DEFER_ACCEPT, 2, 0, 3)]
    [InlineData(TCP_DEFER_ACCEPT, 8, 0, 15)]
    [InlineData(TCP_DEFER_ACCEPT, -1, 0, 0)]
    [InlineData(TCP_WINDOW_CLAMP, 1, 0, 1152)]
    [InlineData(TCP_WINDOW_CLAMP, 5000, 0, 5000)]
    [InlineData(TCP_QUICKACK, 0, 0, 0)]
    [InlineData(TCP_THIN_LINEAR_TIMEOUTS, 2, -EINVAL, 0)]
    [InlineData(TCP_THIN_DUPACK, 1, 0, 0)]
    [InlineData(TCP_USER_TIMEOUT, -1, -EINVAL, 0)]
    [InlineData(TCP_USER_TIMEOUT, 1234, 0, 1234)]
    [InlineData(TCP_SAVE_SYN, 3, -EINVAL, 0)]
    [InlineData(TCP_INQ, 2, -EINVAL, 0)]
    [InlineData(TCP_RTO_MAX_MS, 999, -EINVAL, 120000)]
    [InlineData(TCP_RTO_MAX_MS, 1000, 0, 1000)]
    [InlineData(TCP_RTO_MIN_US, 200001, -EINVAL, 200000)]
    [InlineData(TCP_RTO_MIN_US, 50000, 0, 50000)]
    [InlineData(TCP_DELACK_MAX_US, 1000, -EINVAL, 200000)]
    [InlineData(TCP_DELACK_MAX_US, 2000, 0, 2000)]
    public void Setting(int option, int value, int expected, int after)
    {
        using TcpHosts hosts = new();
        int fd = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(expected, hosts.One.Setsockopt(fd, SOL_TCP, option, value));
        Assert.Equal(after, TcpHosts.GetInt(hosts.One, fd, SOL_TCP, option));
    }

    [Theory]
    [InlineData(TCP_FASTOPEN)]
    [InlineData(TCP_FASTOPEN_CONNECT)]
    [InlineData(TCP_FASTOPEN_KEY)]
    [InlineData(TCP_MD5SIG)]
    [InlineData(TCP_ULP)]
    [InlineData(TCP_TX_DELAY)]
    [InlineData(TCP_ZEROCOPY_RECEIVE)]
    [InlineData(TCP_AO_ADD_KEY)]
    [InlineData(TCP_REPAIR)]
    [InlineData(1000)]
    public void What_is_not_there_is_refused(int option)
    {
        using TcpHosts hosts = new();
        int fd = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(-ENOPROTOOPT, hosts.One.Setsockopt(fd, SOL_TCP, option, 1));
    }

    [Fact]
    public void Lengths_of_values()
    {
        using TcpHosts hosts = new();
        int fd = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(-EINVAL, hosts.One.Setsockopt(fd, SOL_TCP, TCP_NODELAY, new byte[3]));
        Assert.Equal(0, hosts.One.Setsockopt(fd, SOL_TCP, TCP_NODELAY, [1, 0, 0, 0, 9, 9]));
        byte[] value = [9, 9, 9, 9, 9, 9];
        int length = 1;
        Assert.Equal(0, hosts.One.Getsockopt(fd, SOL_TCP, TCP_NODELAY, value, ref length));
        Assert.Equal((1, (byte)1, (byte)9), (length, value[0], value[1]));
        length = 6;
        Assert.Equal(0, hosts.One.Getsockopt(fd, SOL_TCP, TCP_NODELAY, value, ref length));
        Assert.Equal(4, length);
        length = -1;
        Assert.Equal(-EINVAL, hosts.One.Getsockopt(fd, SOL_TCP, TCP_NODELAY, value, ref length));
    }

    [Fact]
    public void Congestion_control_by_name()
    {
        using TcpHosts hosts = new();
        int fd = TcpHosts.NewSocket(hosts.One);
        byte[] name = new byte[16];
        int length = name.Length;
        Assert.Equal(0, hosts.One.Setsockopt(fd, SOL_TCP, TCP_CONGESTION, "reno"u8));
        Assert.Equal(0, hosts.One.Getsockopt(fd, SOL_TCP, TCP_CONGESTION, name, ref length));
        Assert.Equal((16, "reno"), (length, Encoding.ASCII.GetString(name).TrimEnd('\0')));
        Assert.Equal(-ENOENT, hosts.One.Setsockopt(fd, SOL_TCP, TCP_CONGESTION, "no such thing"u8));
        Assert.Equal(-EINVAL, hosts.One.Setsockopt(fd, SOL_TCP, TCP_CONGESTION, []));
    }

    [Fact]
    public void Info_of_a_connection()
    {
        using TcpHosts hosts = new();
        (int client, int server) = hosts.Pair();
        hosts.Other.Send(client, new byte[3000], 0);
        hosts.RunFor(0.3);
        TcpInfo info = TcpHosts.Info(hosts.Other, client);
        Assert.Equal(TCP_ESTABLISHED, info.TcpiState);
        Assert.Equal(TCPI_OPT_TIMESTAMPS | TCPI_OPT_SACK | TCPI_OPT_WSCALE, info.TcpiOptions);
        Assert.Equal(1448u, info.TcpiSndMss);
        Assert.Equal(1500u, info.TcpiPmtu);
        Assert.Equal(1448u, info.TcpiAdvmss);
        Assert.Equal((3000ul, 3001ul), (info.TcpiBytesSent, info.TcpiBytesAcked));
        Assert.Equal(0u, info.TcpiUnacked);
        Assert.Equal(10u, info.TcpiSndCwnd);
        Assert.Equal(3000ul, TcpHosts.Info(hosts.One, server).TcpiBytesReceived);
    }
}
