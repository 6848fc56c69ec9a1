using System.Text.RegularExpressions;

namespace Linnet.Programs.Tests;

/// <summary>The real <c>ip</c> on Linnet's network, and what asks for interfaces as it does.</summary>
public sealed partial class IpTests : IDisposable
{
    private readonly RealLab lab = new();

    public IpTests() => Need.Programs("ip", "python3", "node", "timeout");

    public void Dispose() => lab.Dispose();

    private async Task<string> OnOneHostAsync(string script)
    {
        LabOutcome outcome = await lab.UpAsync($"""
            hosts:
              one:
                run: {lab.Script("one", script)}
              other:
                run: sleep 60
            main: one
            """);
        return outcome.Succeeded().TextOf("one");
    }

    [Fact]
    public async Task Shows_links_addresses_routes_and_rules()
    {
        string text = await OnOneHostAsync("""
            ip addr
            ip route
            ip route get 10.0.0.2
            ip rule
            ip -d link show eth0
            ip -s link show lo
            ip neigh
            """);
        Assert.Contains("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000", text, StringComparison.Ordinal);
        Assert.Contains("    inet 127.0.0.1/8 scope host lo\n       valid_lft forever preferred_lft forever", text, StringComparison.Ordinal);
        Assert.Matches(EthernetLine(), text);
        Assert.Contains("inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0", text, StringComparison.Ordinal);
        Assert.Contains("10.0.0.0/24 dev eth0 proto kernel scope link src 10.0.0.1", text, StringComparison.Ordinal);
        Assert.Contains("10.0.0.2 dev eth0 src 10.0.0.1 uid 0", text, StringComparison.Ordinal);
        Assert.Contains("32766:\tfrom all lookup main", text, StringComparison.Ordinal);
        Assert.Contains("veth numtxqueues 1", text, StringComparison.Ordinal);
        Assert.Contains("RX:  bytes packets errors dropped  missed   mcast", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Changes_what_it_is_told_to_and_says_what_is_wrong()
    {
        string text = await OnOneHostAsync("""
            ip link set lo mtu 1400 && ip link show lo
            ip addr add 10.9.0.1/24 dev lo label lo:9 && ip -4 addr show lo
            ip addr add 10.9.0.1/24 dev lo 2>&1
            ip link add v0 type veth peer name v1 && ip link set v0 up && ip link set v1 up
            ip addr add 10.8.0.1/24 dev v0
            ip route add 10.77.0.0/16 via 10.8.0.2 metric 7 && ip route show 10.77.0.0/16
            ip route add 1.2.3.4 via 9.9.9.9 2>&1
            ip neigh add 10.8.0.2 lladdr 02:00:00:00:00:01 dev v0 && ip neigh
            ip rule add from 10.0.0.0/8 table 100 pref 500 && ip rule | head -2
            ip link add br0 type bridge && ip link set v1 master br0 && ip link show master br0
            ip link add link v0 name v0.5 type vlan id 5 && ip -d link show v0.5
            ip link add d0 type dummy 2>&1
            ip link del v0 && ip link show v1 2>&1
            ip link del lo 2>&1
            true
            """);
        foreach (string line in new[]
        {
            "mtu 1400", "inet 10.9.0.1/24 scope global lo:9", "ipv4: Address already assigned", "10.77.0.0/16 via 10.8.0.2 dev v0 metric 7",
            "Nexthop has invalid gateway", "10.8.0.2 dev v0 lladdr 02:00:00:00:00:01 PERMANENT", "500:\tfrom 10.0.0.0/8 lookup 100",
            "v1@v0: <BROADCAST,MULTICAST,", "master br0", "vlan protocol 802.1Q id 5 <REORDER_HDR>", "Unknown device type",
            "Device \"v1\" does not exist", "RTNETLINK answers: Operation not supported",
        })
            Assert.Contains(line, text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Monitor_tells_what_changes()
    {
        string text = await OnOneHostAsync("""
            timeout 2 ip monitor link address route neigh > monitor.out &
            sleep 0.7
            ip link set lo mtu 1400
            ip addr add 10.9.0.1/24 dev lo
            ip addr del 10.9.0.1/24 dev lo
            wait
            cat monitor.out
            """);
        Assert.Contains("1: lo: <LOOPBACK,UP,LOWER_UP> mtu 1400", text, StringComparison.Ordinal);
        Assert.Contains("1: lo    inet 10.9.0.1/24 scope global lo", text, StringComparison.Ordinal);
        Assert.Contains("local 10.9.0.1 dev lo table local proto kernel scope host src 10.9.0.1", text, StringComparison.Ordinal);
        Assert.Contains("Deleted 1: lo    inet 10.9.0.1/24 scope global lo", text, StringComparison.Ordinal);
    }

    [Fact]
    public async Task Languages_find_the_interfaces()
    {
        string text = await OnOneHostAsync("""
            python3 -c 'import socket; print(socket.if_nameindex()[0])'
            python3 -c 'import socket; print(socket.getaddrinfo("10.0.0.2", 80, 0, socket.SOCK_STREAM, 0, socket.AI_ADDRCONFIG)[0][4])'
            node -e 'for (const [n, a] of Object.entries(require("os").networkInterfaces())) console.log(n, a[0].cidr, a[0].internal)'
            """);
        Assert.Contains("(1, 'lo')", text, StringComparison.Ordinal);
        Assert.Contains("('10.0.0.2', 80)", text, StringComparison.Ordinal);
        Assert.Contains("lo 127.0.0.1/8 true", text, StringComparison.Ordinal);
        Assert.Contains("eth0 10.0.0.1/24 false", text, StringComparison.Ordinal);
    }

    [GeneratedRegex(@"2: eth0@if\d+: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc \S+ state UP group default qlen 1000")]
    private static partial Regex EthernetLine();
}
