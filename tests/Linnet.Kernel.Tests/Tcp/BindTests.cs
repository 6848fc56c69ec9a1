using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Tcp;

/// <summary>Which binds conflict, and which ports are chosen.</summary>
public class BindTests
{
    private const int Port = 8080;

    /// <summary>
    /// What the first socket has, what the second has, whether the first listens, and the second bind's answer.
    /// </summary>
    public static TheoryData<string, string, bool, int> Conflicts => new()
    {
        { "", "", false, -EADDRINUSE },
        { "reuseaddr", "", false, -EADDRINUSE },
        { "", "reuseaddr", false, -EADDRINUSE },
        { "reuseaddr", "reuseaddr", false, 0 },
        { "reuseaddr", "reuseaddr", true, -EADDRINUSE },
        { "reuseport", "reuseport", false, 0 },
        { "reuseport", "reuseport", true, 0 },
        { "reuseport", "", true, -EADDRINUSE },
        { "reuseport", "reuseaddr", false, -EADDRINUSE },
        { "any", "", false, -EADDRINUSE },
        { "", "any", false, -EADDRINUSE },
        { "loopback", "", false, 0 },
        { "loopback", "any", false, -EADDRINUSE },
        { "any reuseaddr", "reuseaddr", false, 0 },
        { "any reuseaddr", "reuseaddr", true, -EADDRINUSE },
    };

    [Theory]
    [MemberData(nameof(Conflicts))]
    public void Second_bind_to_a_port(string first, string second, bool listens, int expected)
    {
        using TcpHosts hosts = new();
        int one = Make(hosts, first);
        Assert.Equal(0, hosts.One.Bind(one, Address(first)));
        if (listens)
            Assert.Equal(0, hosts.One.Listen(one, 1));
        int two = Make(hosts, second);
        Assert.Equal(expected, hosts.One.Bind(two, Address(second)));
        hosts.One.Close(one);
        if (expected != 0)
            Assert.Equal(0, hosts.One.Bind(two, Address(second)));
    }

    [Fact]
    public void Reuseaddr_sockets_on_one_port_cannot_both_listen()
    {
        using TcpHosts hosts = new();
        int one = Make(hosts, "reuseaddr");
        int two = Make(hosts, "reuseaddr");
        Assert.Equal(0, hosts.One.Bind(one, Address("")));
        Assert.Equal(0, hosts.One.Bind(two, Address("")));
        Assert.Equal(0, hosts.One.Listen(one, 1));
        Assert.Equal(-EADDRINUSE, hosts.One.Listen(two, 1));
    }

    [Fact]
    public void Users_do_not_share_a_port_with_reuseport()
    {
        using TcpHosts hosts = new();
        int one = Make(hosts, "reuseport");
        Assert.Equal(0, hosts.One.Bind(one, Address("")));
        Syscalls stranger = hosts.One.Host.NewTask("stranger");
        stranger.Task.Cred = Cred.User(hosts.Machine.InitUserNs, 1000, 1000);
        int two = TcpHosts.NewSocket(stranger);
        Assert.Equal(0, stranger.Setsockopt(two, SOL_SOCKET, SO_REUSEPORT, 1));
        Assert.Equal(-EADDRINUSE, stranger.Bind(two, Address("")));
    }

    [Fact]
    public void Low_ports_need_the_privilege()
    {
        using TcpHosts hosts = new();
        Syscalls user = hosts.One.Host.NewTask("user");
        user.Task.Cred = Cred.User(hosts.Machine.InitUserNs, 1000, 1000);
        int fd = TcpHosts.NewSocket(user);
        Assert.Equal(-EACCES, user.Bind(fd, TcpHosts.At(0, 80)));
        Assert.Equal(0, user.Bind(fd, TcpHosts.At(0, 1024)));
    }

    [Fact]
    public void Port_zero_takes_each_free_port_of_the_range_once()
    {
        using TcpHosts hosts = new();
        hosts.One.Host.SetSysctl("net.ipv4.ip_local_port_range", "40000 40019");
        hosts.One.Host.SetSysctl("net.ipv4.ip_local_reserved_ports", "40003,40010-40012");
        HashSet<int> ports = [];
        for (int i = 0; i < 16; i++)
        {
            int fd = TcpHosts.NewSocket(hosts.One);
            Assert.Equal(0, hosts.One.Bind(fd, TcpHosts.At(0, 0)));
            Assert.True(ports.Add(TcpHosts.LocalPort(hosts.One, fd)));
        }

        Assert.Equal([40000, 40001, 40002, 40004, 40005, 40006, 40007, 40008, 40009, 40013, 40014, 40015, 40016, 40017, 40018, 40019],
            ports.Order());
        int last = TcpHosts.NewSocket(hosts.One);
        Assert.Equal(-EADDRINUSE, hosts.One.Bind(last, TcpHosts.At(0, 0)));
    }

    [Fact]
    public void Connects_share_ports_between_destinations_but_not_for_one()
    {
        using TcpHosts hosts = new();
        hosts.Other.Host.SetSysctl("net.ipv4.ip_local_port_range", "40000 40003");
        hosts.Listen(80, 64);
        hosts.Listen(81, 64);
        int[] first = [.. Enumerable.Range(0, 4).Select(_ => TcpHosts.LocalPort(hosts.Other, hosts.Connect(80)))];
        Assert.Equal([40000, 40001, 40002, 40003], first.Order());
        int refused = TcpHosts.NewSocket(hosts.Other);
        Assert.Equal(-EADDRNOTAVAIL, hosts.Other.Connect(refused, TcpHosts.At(TcpHosts.OneAddress, 80)));
        int[] second = [.. Enumerable.Range(0, 4).Select(_ => TcpHosts.LocalPort(hosts.Other, hosts.Connect(81)))];
        Assert.Equal(first.Order(), second.Order());
    }

    [Fact]
    public void Ports_that_connects_took_cannot_be_bound_and_bound_ports_are_not_taken()
    {
        using TcpHosts hosts = new();
        hosts.Other.Host.SetSysctl("net.ipv4.ip_local_port_range", "40000 40001");
        hosts.Listen(80);
        int bound = TcpHosts.NewSocket(hosts.Other);
        Assert.Equal(0, hosts.Other.Bind(bound, TcpHosts.At(0, 40000)));
        Assert.Equal(40001, TcpHosts.LocalPort(hosts.Other, hosts.Connect(80)));
        int late = TcpHosts.NewSocket(hosts.Other);
        Assert.Equal(-EADDRINUSE, hosts.Other.Bind(late, TcpHosts.At(0, 40001)));
    }

    [Fact]
    public void Reuseport_listeners_share_the_connections()
    {
        using TcpHosts hosts = new();
        int[] listeners = new int[4];
        for (int i = 0; i < listeners.Length; i++)
        {
            listeners[i] = Make(hosts, "reuseport");
            Assert.Equal(0, hosts.One.Bind(listeners[i], Address("")));
            Assert.Equal(0, hosts.One.Listen(listeners[i], 128));
        }

        for (int i = 0; i < 64; i++)
            hosts.Connect(Port);
        hosts.Settle();
        int[] accepted = new int[listeners.Length];
        for (int i = 0; i < listeners.Length; i++)
        {
            while (hosts.One.Accept4(listeners[i], SOCK_NONBLOCK) >= 0)
                accepted[i]++;
        }

        Assert.Equal(64, accepted.Sum());
        Assert.All(accepted, n => Assert.InRange(n, 4, 40));
    }

    [Fact]
    public void Tables_grow_and_shrink_with_thousands_of_connections()
    {
        using TcpHosts hosts = new();
        int listener = hosts.Listen(80, 4096);
        for (int i = 0; i < 3000; i++)
        {
            hosts.Connect(80);
            if (i % 500 == 0)
                hosts.Settle();
        }

        hosts.Settle();
        InetHashinfo tables = InetHashinfo.Of(hosts.Machine);
        Assert.Equal(6000, tables.Ehash.Count);
        Assert.True(tables.Ehash.Size >= 6000);
        for (int i = 0; i < 3000; i++)
            hosts.Accept(listener);
        Assert.Equal(-EAGAIN, hosts.One.Accept4(listener, SOCK_NONBLOCK));
    }

    private static int Make(TcpHosts hosts, string with)
    {
        int fd = TcpHosts.NewSocket(hosts.One);
        if (with.Contains("reuseaddr"))
            Assert.Equal(0, hosts.One.Setsockopt(fd, SOL_SOCKET, SO_REUSEADDR, 1));
        if (with.Contains("reuseport"))
            Assert.Equal(0, hosts.One.Setsockopt(fd, SOL_SOCKET, SO_REUSEPORT, 1));
        return fd;
    }

    private static byte[] Address(string with) => TcpHosts.At(
        with.Contains("any") ? 0 : with.Contains("loopback") ? 0x7F000001 : TcpHosts.OneAddress, Port);
}
