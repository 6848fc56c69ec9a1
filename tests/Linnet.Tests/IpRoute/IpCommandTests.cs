using Linnet.Testing;

namespace Linnet.Tests.IpRoute;

/// <summary>The texts are those that iproute2 6.1 prints for the same commands on Linux.</summary>
public class IpCommandTests
{
    [Fact]
    public void Routes_are_added_changed_shown_and_deleted()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("route add 10.7.0.0/16 via 10.0.0.2 mtu lock 1200 advmss 1000 initcwnd 7 rto_min 50ms rtt 100ms window 9000 quickack 1 features ecn hoplimit 3");
        host.Ip("ip route add unreachable 10.9/16 metric 5");
        host.Ip("ro a default via 10.0.0.2 proto static src 10.0.0.1");
        Assert.Equal(
            "default via 10.0.0.2 dev eth0 proto static src 10.0.0.1 \n"
            + "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n"
            + "10.7.0.0/16 via 10.0.0.2 dev eth0 mtu lock 1200 window 9000 rtt 100ms advmss 1000 hoplimit 3 initcwnd 7 features ecn "
            + "rto_min lock 50ms quickack 1 \n"
            + "unreachable 10.9.0.0/16 metric 5 \n",
            host.Ip("route"));
        host.Ip("route replace 10.7.0.0/16 dev eth0");
        Assert.Equal("10.7.0.0/16 scope link \n", host.Ip("route show 10.7.0.0/16 dev eth0"));
        host.Ip("route change 10.7.0.0/16 via 10.0.0.9");
        Assert.Equal("10.7.0.0/16 via 10.0.0.9 dev eth0 \n", host.Ip("route list root 10.7.0.0/16"));
        host.Ip("route del 10.7.0.0/16");
        Assert.Equal("", host.Ip("route list root 10.7.0.0/16"));
        Assert.Contains("broadcast 10.0.0.255 dev eth0 proto kernel scope link src 10.0.0.1 \n", host.Ip("route show table local"));
        host.Ip("route flush proto static");
        Assert.Equal("", host.Ip("route show default"));
    }

    [Theory]
    [InlineData("route add 1.2.3.4 via 9.9.9.9", 2, "RTNETLINK answers: Network is unreachable")]
    [InlineData("route foo", 255, "Command \"foo\" is unknown, try \"ip route help\".")]
    [InlineData("route add", 255, "Command line is not complete. Try option \"help\"")]
    [InlineData("route add 1.2.3.4 via", 255, "Command line is not complete. Try option \"help\"")]
    [InlineData("route add 1.2.3.4 bogus x", 255, "Error: either \"to\" is duplicate, or \"bogus\" is a garbage.")]
    [InlineData("route add 300.1.1.1 via 1.1.1.1", 1, "Error: any valid prefix is expected rather than \"300.1.1.1\".")]
    [InlineData("route add 1.1.1.1 dev nodev", 1, "Cannot find device \"nodev\"")]
    [InlineData("route del 9.8.7.6", 2, "RTNETLINK answers: No such process")]
    [InlineData("route change 9.8.7.6 via 10.0.0.2", 2, "RTNETLINK answers: No such file or directory")]
    [InlineData("route add 10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1", 2, "RTNETLINK answers: File exists")]
    [InlineData("addr add 1.2.3.4", 255, "Not enough information: \"dev\" argument is required.")]
    [InlineData("addr add 10.0.0.1/24 dev eth0", 2, "RTNETLINK answers: File exists")]
    [InlineData("link set dev xx up", 1, "Cannot find device \"xx\"")]
    [InlineData("link set eth0 mtu 10", 2, "RTNETLINK answers: Invalid argument")]
    [InlineData("link set eth0 colour red", 255, "Error: either \"dev\" is duplicate, or \"colour\" is a garbage.")]
    [InlineData("bogus", 1, "Object \"bogus\" is unknown, try \"ip help\".")]
    [InlineData("-x route", 255, "Option \"-x\" is unknown, try \"ip -help\".")]
    public void What_cannot_be_done_is_said_with_the_exit_status_of_ip(string command, int exitCode, string error)
    {
        using TwoHosts net = new();
        string before = net.One.Ip("route show table all") + net.One.Ip("addr");
        Assert.Equal(new IpResult(exitCode, "", error), IpCommand.Run(net.One.Namespace, command));
        Assert.Equal(before, net.One.Ip("route show table all") + net.One.Ip("addr"));
        Assert.Throws<InvalidOperationException>(() => net.One.Ip(command));
    }

    [Fact]
    public void Addresses_are_added_shown_and_deleted()
    {
        using TwoHosts net = new();
        Host host = net.One;
        string mac = string.Join(':', host.Interfaces[1].PhysicalAddress.GetAddressBytes().Select(b => b.ToString("x2")));
        host.Ip("addr add 192.0.2.1/24 dev eth0");
        host.Ip("addr add 198.51.100.1/24 brd + dev eth0 label eth0:x metric 7");
        host.Ip("addr add 203.0.113.1 peer 203.0.113.2/32 dev eth0");
        Assert.Equal(
            "2: eth0@if2: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000\n"
            + $"    link/ether {mac} brd ff:ff:ff:ff:ff:ff\n"
            + "    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0\n       valid_lft forever preferred_lft forever\n"
            + "    inet 192.0.2.1/24 scope global eth0\n       valid_lft forever preferred_lft forever\n"
            + "    inet 198.51.100.1/24 metric 7 brd 198.51.100.255 scope global eth0:x\n       valid_lft forever preferred_lft forever\n"
            + "    inet 203.0.113.1 peer 203.0.113.2/32 scope global eth0\n       valid_lft forever preferred_lft forever\n",
            host.Ip("addr show dev eth0"));
        Assert.Equal(
            "10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1 \n192.0.2.0/24 dev eth0 proto kernel scope link src 192.0.2.1 \n"
            + "198.51.100.0/24 dev eth0 proto kernel scope link src 198.51.100.1 metric 7 \n"
            + "203.0.113.2 dev eth0 proto kernel scope link src 203.0.113.1 \n",
            host.Ip("route"));
        host.Ip("addr replace 198.51.100.1/24 dev eth0 metric 9");
        Assert.Equal("198.51.100.0/24 dev eth0 proto kernel scope link src 198.51.100.1 metric 9 \n", host.Ip("route show 198.51.100.0/24"));
        host.Ip("addr del 198.51.100.1/24 dev eth0");
        Assert.Equal("", host.Ip("route show 198.51.100.0/24"));
        Assert.Equal("lo               UNKNOWN        127.0.0.1/8 \n", host.Ip("-br addr show lo"));
        Assert.Equal("1: lo    inet 127.0.0.1/8 scope host lo\\       valid_lft forever preferred_lft forever\n", host.Ip("-o addr show lo"));
        host.Ip("addr flush dev eth0");
        Assert.Equal("", host.Ip("route"));
    }

    [Fact]
    public void Links_are_made_set_and_deleted()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("link set dev eth0 down mtu 1400 address 02:00:00:00:00:01");
        host.Ip("link set eth0 name wan0 txqueuelen 55");
        Assert.Equal(
            "2: wan0@if2: <BROADCAST,MULTICAST> mtu 1400 qdisc noop state DOWN mode DEFAULT group default qlen 55\n"
            + "    link/ether 02:00:00:00:00:01 brd ff:ff:ff:ff:ff:ff\n",
            host.Ip("link show wan0"));
        host.Ip("link set wan0 up");
        host.Ip("link add a type veth peer name b");
        host.Ip("link set a up arp off");
        Assert.Equal("4: a@b: <NO-CARRIER,BROADCAST,MULTICAST,NOARP,UP> mtu 1500 qdisc noqueue state DOWN mode DEFAULT group default qlen 1000",
            host.Ip("link show a").Split('\n')[0]);
        host.Ip("link set b up");
        Assert.StartsWith("4: a@b: <BROADCAST,MULTICAST,NOARP,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP", host.Ip("link show a"));
        host.Ip("link del b");
        Assert.Equal("Cannot find device \"a\"", IpCommand.Run(host.Namespace, "link show a").Error);
    }

    [Fact]
    public void Rules_are_added_shown_and_deleted()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("rule add from 10.0.0.0/8 fwmark 0x1/0xff tos 0x10 iif eth0 lookup 100");
        host.Ip("rule add pref 77 goto 32766");
        host.Ip("rule add to 1.2.3.4 ipproto tcp dport 80 unreachable");
        host.Ip("rule add uidrange 0-10 sport 100-200 table main suppress_prefixlength 0");
        host.Ip("rule add not from 1.1.1.1 blackhole");
        host.Ip("rule add prohibit oif eth1 pref 10");
        host.Ip("rule add goto 99999");
        host.Ip("rule add nop pref 5");
        Assert.Equal(
            "0:\tfrom all lookup local\n5:\tfrom all nop\n9:\tfrom all goto 99999 [unresolved]\n10:\tfrom all oif eth1 [detached] prohibit\n"
            + "74:\tnot from 1.1.1.1 blackhole\n75:\tfrom all uidrange 0-10 sport 100-200 lookup main suppress_prefixlength 0\n"
            + "76:\tfrom all to 1.2.3.4 ipproto tcp dport 80 unreachable\n77:\tfrom all goto 32766\n"
            + "32765:\tfrom 10.0.0.0/8 tos 0x10 fwmark 0x1/0xff iif eth0 lookup 100\n32766:\tfrom all lookup main\n"
            + "32767:\tfrom all lookup default\n",
            host.Ip("rule"));
        host.Ip("rule del pref 5");
        host.Ip("rule del from 10.0.0.0/8 table 100");
        Assert.Equal("RTNETLINK answers: No such file or directory", IpCommand.Run(host.Namespace, "rule del pref 5").Error);
        Assert.Equal("RTNETLINK answers: File exists", IpCommand.Run(host.Namespace, "rule add pref 77 goto 32766").Error);
        Assert.Equal(
            new IpResult(255, "", "Error: argument \"bogus\" is wrong: Failed to parse rule type"),
            IpCommand.Run(host.Namespace, "rule add bogus"));
        host.Ip("rule flush");
        Assert.Equal("0:\tfrom all lookup local\n", host.Ip("rule list"));
    }

    [Fact]
    public void Neighbours_are_added_shown_and_deleted()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("neigh add 10.0.0.7 lladdr 02:00:00:00:00:07 dev eth0");
        host.Ip("neigh add proxy 10.0.0.8 dev eth0");
        host.Ip("neigh add 10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 nud reachable");
        Assert.Equal(
            "10.0.0.7 dev eth0 lladdr 02:00:00:00:00:07 PERMANENT \n10.0.0.9 dev eth0 lladdr 02:00:00:00:00:09 REACHABLE \n", host.Ip("n"));
        Assert.Equal("10.0.0.8 dev eth0 proxy \n", host.Ip("neigh show proxy"));
        Assert.Equal("RTNETLINK answers: File exists", IpCommand.Run(host.Namespace, "neigh add 10.0.0.7 lladdr 02:00:00:00:00:08 dev eth0").Error);
        host.Ip("neigh replace 10.0.0.7 lladdr 02:00:00:00:00:08 dev eth0 nud stale");
        Assert.Equal("10.0.0.7 lladdr 02:00:00:00:00:08 STALE \n", host.Ip("neigh show to 10.0.0.7 dev eth0"));
        host.Ip("neigh flush nud stale");
        host.Ip("neigh del 10.0.0.9 dev eth0");
        host.Ip("neigh del proxy 10.0.0.8 dev eth0");
        Assert.Equal("", host.Ip("neigh") + host.Ip("neigh show proxy"));
        Assert.Equal("RTNETLINK answers: No such file or directory", IpCommand.Run(host.Namespace, "neigh del 10.0.0.9 dev eth0").Error);
        Assert.Equal(
            "RTNETLINK answers: No such file or directory",
            IpCommand.Run(host.Namespace, "neigh change 10.0.0.9 lladdr 02:00:00:00:00:08 dev eth0").Error);
    }

    [Fact]
    public void Routes_with_several_next_hops_are_added_and_shown()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("addr add 192.0.2.1/24 dev eth0");
        host.Ip("route add default proto static metric 100 nexthop via 10.0.0.2 weight 2 nexthop via 192.0.2.2 dev eth0 onlink");
        Assert.Equal(
            "default proto static metric 100 \n\tnexthop via 10.0.0.2 dev eth0 weight 2 \n\tnexthop via 192.0.2.2 dev eth0 weight 1 onlink \n",
            host.Ip("route show default"));
        Assert.Equal(
            "Error: \"nexthop\" or end of line is expected instead of \"metric\"",
            IpCommand.Run(host.Namespace, "route add default nexthop via 10.0.0.2 metric 5").Error);
        host.Ip("route del default");
        Assert.Equal("", host.Ip("route show default"));
    }

    [Fact]
    public void The_way_of_a_packet_is_told()
    {
        using TwoHosts net = new();
        Host host = net.One;
        host.Ip("route add 10.7.0.0/16 via 10.0.0.2 mtu 1400");
        host.Ip("route add blackhole 10.8.0.0/16");
        Assert.Equal("10.7.0.1 via 10.0.0.2 dev eth0 src 10.0.0.1 uid 0 \n    cache mtu 1400 \n", host.Ip("route get 10.7.0.1"));
        Assert.Equal("local 127.0.0.1 dev lo src 127.0.0.1 uid 0 \n    cache <local> \n", host.Ip("route get 127.0.0.1"));
        Assert.Equal(
            "broadcast 10.0.0.255 dev eth0 src 10.0.0.1 uid 0 \n    cache <local,brd> \n", host.Ip("route get 10.0.0.255"));
        Assert.Equal(new IpResult(2, "", "RTNETLINK answers: Invalid argument"), IpCommand.Run(host.Namespace, "route get 10.8.0.1"));
        Assert.Equal(new IpResult(2, "", "RTNETLINK answers: Network is unreachable"), IpCommand.Run(host.Namespace, "route get 8.8.8.8"));
        Assert.Equal(
            new IpResult(2, "", "RTNETLINK answers: No route to host"),
            IpCommand.Run(host.Namespace, "route get 10.7.0.1 from 10.0.0.2 iif eth0"));
        host.IsForwarding = true;
        Assert.Equal(
            "10.7.0.1 from 10.0.0.2 via 10.0.0.2 dev eth0 \n    cache <redirect> mtu 1400 iif eth0 \n",
            host.Ip("route get 10.7.0.1 from 10.0.0.2 iif eth0"));
    }
}
