using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>The texts about datagram sockets, as programs parse them; and the settings.</summary>
public class DatagramProcTests : InetFixture
{
    private string[] Lines(string file)
    {
        Assert.Equal(0, ProcNet.Of(Test.Machine).Read(Net, file, out string text));
        Assert.EndsWith("\n", text);
        return text.Split('\n')[..^1];
    }

    [Fact]
    public void A_udp_socket_is_a_line_of_127_columns()
    {
        TestSocket s = BoundUdp(0x1234);
        s.Connect(Here, 0x50);
        string[] lines = Lines("udp");
        Assert.Equal(2, lines.Length);
        Assert.All(lines, line => Assert.Equal(127, line.Length));
        string[] fields = lines[1].Split((char[]?)null, StringSplitOptions.RemoveEmptyEntries);
        Assert.Equal(
            ["0100007F:1234", "010200C0:0050", "01", "00000000:00000000", "00:00000000", "00000000", "0", "0"],
            fields[1..9]);
        Assert.Equal(s.Sock.Ino, long.Parse(fields[9]));
        Assert.Equal(13, fields.Length);
    }

    [Fact]
    public void Raw_and_ping_sockets_have_files_too()
    {
        Net.Ipv4.PingGroupRange = (0, 100);
        NewSocket(SOCK_RAW, 254);
        NewSocket(SOCK_DGRAM, IPPROTO_ICMP).Bind(Localhost, 7);
        Assert.StartsWith(" 254: 00000000:00FE 00000000:0000 07 ", Lines("raw")[1], StringComparison.Ordinal);
        Assert.Contains(": 0100007F:0007 00000000:0000 07 ", Lines("icmp")[1], StringComparison.Ordinal);
    }

    [Fact]
    public void Ping_groups_are_set_as_a_range()
    {
        Assert.Equal(0, Net.Sysctl.Write("net.ipv4.ping_group_range", "5 10"));
        Assert.Equal((5u, 10u), Net.Ipv4.PingGroupRange);
        Assert.Equal(0, Net.Sysctl.Write("net.ipv4.ping_group_range", "10 5"));
        Assert.Equal((1u, 0u), Net.Ipv4.PingGroupRange);
        Assert.Equal(-EINVAL, Net.Sysctl.Write("net.ipv4.ping_group_range", "-1 5"));
        Assert.Equal(-EINVAL, Net.Sysctl.Write("net.ipv4.ip_nonlocal_bind", "2"));
    }
}
