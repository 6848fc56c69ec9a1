using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing.Hostile;
using static Linnet.Testing.Hostile.HostileNet;
using static Linnet.Testing.Hostile.HostilePackets;

namespace Linnet.Kernel.Tests.Hostile;

/// <summary>Packets in numbers, from addresses that are invented.</summary>
public sealed class FloodTests
{
    private const int Many = 20_000;

    [Fact]
    public void A_flood_of_SYNs_is_answered_by_cookies_and_honest_clients_get_in()
    {
        using HostileBench bench = new();
        bench.Survives(Many, StrangersSyn);
        Assert.InRange(bench.Net.Peak.Requests, 1, 129);
        Assert.True(bench.Count(LinuxMib.SyncookiesSent) > Many / 2);
        Assert.True(bench.Count(LinuxMib.TCPReqQFullDoCookies) > 0);
        Assert.InRange(bench.Net.Peak.Packets, 0, 1500);
    }

    [Fact]
    public void Without_cookies_a_flood_of_SYNs_fills_the_queue_and_no_more()
    {
        using HostileBench bench = new();
        bench.Net.Server.SetSysctl("net.ipv4.tcp_syncookies", "0");
        bench.Survives(Many, StrangersSyn, limit: 200);
        Assert.InRange(bench.Net.Peak.Requests, 1, 129);
        Assert.True(bench.Count(LinuxMib.TCPReqQFullDrop) > Many / 2);
        Assert.Equal(0, bench.Count(LinuxMib.SyncookiesSent));
    }

    [Fact]
    public void A_SYN_costs_as_much_when_the_queue_is_full()
    {
        using HostileBench bench = new();
        bench.WorkStaysEven(StrangersSyn);
    }

    [Fact]
    public void Forged_cookies_open_nothing()
    {
        using HostileBench bench = new();
        bench.Net.Attack(2000, TimeSpan.FromMilliseconds(100), StrangersSyn);
        bench.Survives(Many, i => ForgeTcp(Stranger(i), 1024 + i % 60000, Victim, Port, 1, (uint)i * 2654435761, Ack));
        Assert.Empty(bench.Net.Strangers);
        Assert.True(bench.Count(LinuxMib.SyncookiesFailed) > 0);
        Assert.InRange(bench.Net.Peak.Requests, 0, 129);
    }

    [Fact]
    public void A_flood_of_ACKs_that_belong_to_nothing_is_answered_and_leaves_nothing()
    {
        using HostileBench bench = new();
        Func<int, byte[]?> ack = i => ForgeTcp(Stranger(i), 1024 + i % 60000, Victim, i % 2 == 0 ? Port : 4000 + i % 1000, (uint)i, 77, Ack);
        bench.Survives(Many, ack);

        // The honest client's own request.
        Assert.InRange(bench.Net.Peak.Requests, 0, 1);
        Assert.Equal(0, bench.Net.Peak.TimeWaits);
        Assert.InRange(bench.Net.Peak.Packets, 0, 1500);
        bench.WorkStaysEven(ack);
    }

    [Fact]
    public void A_flood_of_datagrams_to_closed_ports_gets_no_more_answers_than_the_limit()
    {
        using HostileBench bench = new();
        Func<int, byte[]?> datagram = i => ForgeUdp(Stranger(i), 1024 + i % 60000, Victim, 20000 + i % 10000, 64);
        bench.Survives(Many, datagram);

        // 1000 a second and 50 at once (icmp_msgs_per_sec, icmp_msgs_burst).
        Assert.InRange(bench.Net.Answers, 1000, 2 * 1000 + 2 * 50);
        Assert.True(bench.Ipv4.IcmpStatistics[IcmpMib.OutRateLimitGlobal] > Many / 2);
        bench.WorkStaysEven(datagram);
    }

    [Fact]
    public void One_stranger_gets_one_answer_a_second()
    {
        using HostileBench bench = new();
        bench.Survives(Many, i => ForgeUdp(Stranger(7), 5000, Victim, 20000 + i % 10000, 64));
        Assert.InRange(bench.Net.Answers, 2, 6 + 2);
        Assert.True(bench.Ipv4.IcmpStatistics[IcmpMib.OutRateLimitHost] > 0);
    }

    [Fact]
    public void A_flood_of_pings_is_answered_and_leaves_nothing()
    {
        using HostileBench bench = new();
        bench.Survives(Many, i => Ping(i));
        Assert.True(bench.Net.Answers > Many / 2);
        Assert.InRange(bench.Net.Peak.Packets, 0, 1500);
    }

    [Fact]
    public void A_flood_of_ARP_requests_fills_the_table_of_neighbours_and_no_more()
    {
        using HostileBench bench = new(tap: true);
        Func<int, byte[]?> request = i => ArpRequest([2, 9, 0, (byte)(i >> 16), (byte)(i >> 8), (byte)i], 0xC6336500 + (uint)i, Victim);
        bench.Survives(Many, request);
        Assert.InRange(bench.Net.Peak.Neighbours, 500, 1024);
        bench.WorkStaysEven(request);
    }

    [Fact]
    public void A_full_table_of_neighbours_is_not_searched_for_every_packet()
    {
        using HostileBench bench = new(tap: true);
        bench.Net.StartHonest();
        bench.Net.RunFor(TimeSpan.FromMilliseconds(200));
        int searches = bench.CallsOf("neigh_forced_gc", () => bench.Net.Attack(
            Many, TimeSpan.FromMilliseconds(200), i => ArpRequest([2, 9, 0, (byte)(i >> 16), (byte)(i >> 8), (byte)i], 0xC6336500 + (uint)i, Victim)));
        Assert.InRange(searches, 1, 201);
        Assert.True(bench.Net.Finish(TimeSpan.FromSeconds(30)));
    }

    [Fact]
    public void Packets_from_neighbours_that_are_none_fill_no_queues()
    {
        // Each asks for an answer to an address on the link whose owner does not answer ARP.
        using HostileBench bench = new(tap: true);
        byte[] mac = bench.Net.Device.DevAddr;
        Func<int, byte[]?> packet = i => [.. mac, 2, 9, 0, 0, 0, 1, 8, 0, .. ForgeTcp(0xC6336400 + (uint)(2 + i % 250), 1024 + i % 60000, Victim, 4000, 1, 1, Ack)];
        bench.Survives(Many, packet);
        Assert.InRange(bench.Net.Peak.Neighbours, 100, 1024);

        // 250 neighbours hold 212992 bytes of packets each at most (unres_qlen_bytes).
        Assert.InRange(bench.Net.Peak.Packets, 0, 250L * 212992 / 768 + 1500);
    }

    [Fact]
    public void Connections_that_come_and_go_leave_no_more_TIME_WAITs_than_are_allowed()
    {
        using HostileBench bench = new();
        bench.Net.Server.SetSysctl("net.ipv4.tcp_max_tw_buckets", "50");
        for (int i = 0; i < 300; i++)
        {
            // The server has the last word and so keeps the TIME_WAIT: it closes on an empty request.
            HostileConnection connection = bench.Net.Connect(2000 + i);
            bench.Net.Inject(connection.Segment(0, 0, Fin | Ack));
            bench.Net.RunFor(TimeSpan.FromMilliseconds(1));
            bench.Net.Sample();
        }

        Assert.InRange(bench.Net.Peak.TimeWaits, 0, 50);
        bench.Survives(1, _ => null);
    }

    private static byte[] StrangersSyn(int i) =>
        ForgeTcp(Stranger(i), 1024 + i % 60000, Victim, Port, (uint)i * 977, 0, Syn, options: [2, 4, 5, 180]);

    private static byte[] Ping(int i)
    {
        byte[] message = [8, 0, 0, 0, 0, 1, (byte)(i >> 8), (byte)i, .. new byte[56]];
        ushort sum = Linnet.Kernel.Net.Core.Checksum.CsumFold(Linnet.Kernel.Net.Core.Checksum.CsumPartial(message, 0));
        (message[2], message[3]) = ((byte)(sum >> 8), (byte)sum);
        return ForgeIp(Stranger(i), Victim, IPPROTO_ICMP, message);
    }
}
