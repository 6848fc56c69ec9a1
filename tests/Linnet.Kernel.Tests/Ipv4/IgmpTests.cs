using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>What a host tells multicast routers of its groups: IGMPv3 (RFC 3376), and older versions where a router speaks those.</summary>
public sealed class IgmpTests : IDisposable
{
    private const uint Group = 0xEF010203;
    private const uint Other = 0xEF010204;
    private const uint AllSystems = 0xE0000001;
    private const uint A = 0xC0000211;
    private const uint B = 0xC0000212;

    private readonly Wire wire = new();
    private readonly List<TestSocket> sockets = [];

    public void Dispose()
    {
        foreach (TestSocket socket in sockets)
            socket.Close();
        wire.Dispose();
    }

    [Fact]
    public void A_join_is_reported_twice_and_a_leave_too()
    {
        TestSocket socket = Udp();
        Assert.Equal(0, socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group)));
        wire.RunFor(0.1);
        (byte[] packet, byte[] message) = TakeMessages().Single();
        Assert.Equal("46C0", Convert.ToHexString(packet.AsSpan(0, 2)));
        Assert.Equal(1, packet[8]);
        Assert.Equal("940400", Convert.ToHexString(packet.AsSpan(20, 3)));
        Assert.Equal(0xE0000016, BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(16)));
        Assert.Equal([new Record(4, Group)], Records(message));
        wire.RunFor(1.5);
        Assert.Equal([new Record(4, Group)], Records(TakeMessages().Single().Message));
        wire.RunFor(60);
        Assert.Empty(TakeMessages());

        Assert.Equal(0, socket.Set(SOL_IP, IP_DROP_MEMBERSHIP, Mreq(Group)));
        wire.RunFor(60);
        Assert.Equal([[new Record(3, Group)], [new Record(3, Group)]], TakeMessages().Select(m => Records(m.Message)));
    }

    [Fact]
    public void Closing_a_socket_leaves_its_groups()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(5);
        TakeMessages();
        socket.Close();
        wire.RunFor(5);
        Assert.Equal([[new Record(3, Group)], [new Record(3, Group)]], TakeMessages().Select(m => Records(m.Message)));
    }

    [Fact]
    public void Sources_are_reported_as_they_come_and_go()
    {
        TestSocket socket = Udp();
        Assert.Equal(0, socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Group, A)));
        wire.RunFor(5);
        Assert.Equal([[new Record(5, Group, A)], [new Record(5, Group, A)]], TakeMessages().Select(m => Records(m.Message)));
        Assert.Equal(0, socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Group, B)));
        wire.RunFor(5);
        Assert.Equal([[new Record(5, Group, B)], [new Record(5, Group, B)]], TakeMessages().Select(m => Records(m.Message)));
        Assert.Equal(0, socket.Set(SOL_IP, IP_DROP_SOURCE_MEMBERSHIP, MreqSource(Group, A)));
        wire.RunFor(5);
        Assert.Equal([[new Record(6, Group, A)], [new Record(6, Group, A)]], TakeMessages().Select(m => Records(m.Message)));
        Assert.Equal(0, socket.Set(SOL_IP, IP_DROP_SOURCE_MEMBERSHIP, MreqSource(Group, B)));
        wire.RunFor(5);
        Assert.Equal([[new Record(6, Group, B)], [new Record(6, Group, B)]], TakeMessages().Select(m => Records(m.Message)));
    }

    [Fact]
    public void Blocking_a_source_is_reported_only_when_all_sockets_block_it()
    {
        TestSocket one = Udp(), other = Udp();
        one.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        other.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(5);
        TakeMessages();
        Assert.Equal(0, one.Set(SOL_IP, IP_BLOCK_SOURCE, MreqSource(Group, A)));
        wire.RunFor(5);
        Assert.Empty(TakeMessages());
        Assert.Equal(0, other.Set(SOL_IP, IP_BLOCK_SOURCE, MreqSource(Group, A)));
        wire.RunFor(5);
        Assert.Equal([[new Record(6, Group, A)], [new Record(6, Group, A)]], TakeMessages().Select(m => Records(m.Message)));
        Assert.Equal(0, one.Set(SOL_IP, IP_UNBLOCK_SOURCE, MreqSource(Group, A)));
        wire.RunFor(5);
        Assert.Equal([[new Record(5, Group, A)], [new Record(5, Group, A)]], TakeMessages().Select(m => Records(m.Message)));
    }

    [Fact]
    public void A_change_of_the_mode_is_reported_with_the_sources()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Group, A));
        wire.RunFor(5);
        TakeMessages();
        Assert.Equal(0, socket.Set(SOL_IP, IP_MSFILTER, Msfilter(Group, MCAST_EXCLUDE, B)));
        wire.RunFor(5);
        Assert.Equal([[new Record(4, Group, B)], [new Record(4, Group, B)]], TakeMessages().Select(m => Records(m.Message)));
        Assert.Equal(0, socket.Set(SOL_IP, IP_MSFILTER, Msfilter(Group, MCAST_INCLUDE, A, B)));
        wire.RunFor(5);
        Assert.Equal(
            [[new Record(3, Group, B, A)], [new Record(3, Group, B, A)]], TakeMessages().Select(m => Records(m.Message)));
    }

    [Fact]
    public void A_general_query_is_answered_once_within_its_time_with_all_groups()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Other, A));
        wire.RunFor(5);
        TakeMessages();
        Query(AllSystems, group: 0, code: 20);
        wire.RunFor(2.1);
        Assert.Equal([new Record(1, Other, A), new Record(2, Group)], Records(TakeMessages().Single().Message));
        wire.RunFor(20);
        Assert.Empty(TakeMessages());
    }

    [Fact]
    public void A_query_for_a_group_or_its_sources_is_answered_by_those_concerned()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Other, A));
        wire.RunFor(5);
        TakeMessages();
        Query(Group, Group, code: 10);
        wire.RunFor(1.1);
        Assert.Equal([new Record(2, Group)], Records(TakeMessages().Single().Message));
        Query(Other, Other, code: 10, B);
        wire.RunFor(5);
        Assert.Empty(TakeMessages());
        Query(Other, Other, code: 10, A, B);
        wire.RunFor(5);
        Assert.Equal([new Record(1, Other, A)], Records(TakeMessages().Single().Message));
    }

    [Fact]
    public void The_robustness_variable_of_the_router_says_how_often_changes_are_told()
    {
        Query(AllSystems, group: 0, code: 10, qrv: 4);
        wire.RunFor(2);
        TakeMessages();
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        Assert.Equal(4, TakeMessages().Count);
    }

    [Fact]
    public void A_router_of_version_2_is_spoken_to_in_version_2_until_it_was_silent_for_long()
    {
        OldQuery(code: 10);
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        List<(byte[] Packet, byte[] Message)> reports = TakeMessages();
        Assert.Equal(2, reports.Count);
        Assert.All(reports, report =>
        {
            Assert.Equal(0x16, report.Message[0]);
            Assert.Equal(Group, BinaryPrimitives.ReadUInt32BigEndian(report.Packet.AsSpan(16)));
            Assert.Equal(Group, BinaryPrimitives.ReadUInt32BigEndian(report.Message.AsSpan(4)));
        });
        socket.Set(SOL_IP, IP_DROP_MEMBERSHIP, Mreq(Group));
        wire.RunFor(1);
        (byte[] packet, byte[] message) = TakeMessages().Single();
        Assert.Equal(0x17, message[0]);
        Assert.Equal(0xE0000002, BinaryPrimitives.ReadUInt32BigEndian(packet.AsSpan(16)));

        // Twice the query interval and the response interval: 260 s.
        wire.RunFor(240);
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(5);
        Assert.Equal(0x22, TakeMessages()[0].Message[0]);
    }

    [Fact]
    public void Who_hears_another_report_of_version_2_keeps_silent_and_leaves_silently()
    {
        OldQuery(code: 10);
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        TakeMessages();
        OldQuery(code: 100);
        Give(Group, 0x16, 0, Group, []);
        wire.RunFor(20);
        Assert.Empty(TakeMessages());
        socket.Set(SOL_IP, IP_DROP_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        Assert.Empty(TakeMessages());
    }

    [Fact]
    public void A_router_of_version_1_gets_reports_of_version_1_and_no_leave()
    {
        OldQuery(code: 0);
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        Assert.All(TakeMessages(), report => Assert.Equal(0x12, report.Message[0]));
        socket.Set(SOL_IP, IP_DROP_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        Assert.Empty(TakeMessages());
    }

    [Fact]
    public void Settings_choose_the_version_and_keep_link_local_groups_quiet()
    {
        Sysctl("net.ipv4.igmp_link_local_mcast_reports", "0");
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(0xE00000FB));
        wire.RunFor(5);
        Assert.Empty(TakeMessages());
        Sysctl("net.ipv4.conf.eth0.force_igmp_version", "2");
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(20);
        Assert.All(TakeMessages(), report => Assert.Equal(0x16, report.Message[0]));
        Assert.Equal(-EINVAL, wire.Net.Sysctl.Write("net.ipv4.igmp_qrv", "0"));
    }

    [Fact]
    public void Many_groups_and_sources_go_in_as_many_reports_as_they_need()
    {
        Sysctl("net.ipv4.igmp_max_memberships", "400");
        Sysctl("net.ipv4.igmp_max_msf", "600");
        TestSocket socket = Udp();
        for (uint i = 0; i < 300; i++)
            Assert.Equal(0, socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(0xEF020000 + i)));
        uint[] sources = [.. Enumerable.Range(0, 500).Select(i => 0xC6120000u + (uint)i)];
        socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Group, A));
        Assert.Equal(0, socket.Set(SOL_IP, IP_MSFILTER, Msfilter(Group, MCAST_INCLUDE, sources)));
        wire.RunFor(20);
        TakeMessages();
        Query(AllSystems, group: 0, code: 10);
        wire.RunFor(2);
        List<(byte[] Packet, byte[] Message)> reports = TakeMessages();
        Assert.True(reports.Count >= 3);
        Assert.All(reports, report => Assert.True(report.Packet.Length <= 1500));
        List<Record> records = [.. reports.SelectMany(report => Records(report.Message))];
        Assert.Equal(300, records.Count(r => r.Type == 2));
        Assert.Equal(sources, records.Where(r => r.Group == Group && r.Type == 1).SelectMany(r => r.Sources));
    }

    [Fact]
    public void What_is_broken_is_not_answered()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(5);
        TakeMessages();
        byte[] query = Wire.Ip(Wire.Peer, AllSystems, IPPROTO_IGMP, [0x11, 10, 0, 0, 0, 0, 0, 0], ttl: 1);
        wire.GiveIp(query, MacOf(AllSystems));
        Give(AllSystems, 0x11, 10, 0, [2, 125]);
        Give(AllSystems, 0x11, 10, Group, [2, 125, 0, 9, 1, 2, 3, 4]);
        wire.RunFor(20);
        Assert.Empty(TakeMessages());
    }

    [Fact]
    public void A_device_that_comes_up_again_reports_its_groups_again()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        wire.RunFor(5);
        TakeMessages();
        wire.In(() => Dev.DevClose(wire.Dev0));
        wire.RunFor(5);
        Assert.Empty(TakeMessages());
        wire.In(() => Dev.DevOpen(wire.Dev0));
        wire.RunFor(5);
        Assert.Equal(2, TakeMessages().Count(m => Records(m.Message) is [{ Type: 4, Group: Group }]));
    }

    [Fact]
    public void Groups_filters_and_link_addresses_are_shown_as_Linux_shows_them()
    {
        TestSocket socket = Udp();
        socket.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        socket.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Other, A));
        wire.RunFor(10);
        Assert.Equal(
            "Idx\tDevice    : Count Querier\tGroup    Users Timer\tReporter\n"
            + "1\tlo        :     1      V3\n\t\t\t\t010000E0     1 0:00000000\t\t0\n"
            + "2\teth0      :     3      V3\n\t\t\t\t040201EF     1 0:00000000\t\t0\n\t\t\t\t030201EF     1 0:00000000\t\t0\n"
            + "\t\t\t\t010000E0     1 0:00000000\t\t0\n",
            Text("igmp"));
        Assert.Equal(
            "Idx Device        MCA        SRC    INC    EXC\n  2   eth0 0xef010204 0xc0000211      1      0\n", Text("mcfilter"));
        Assert.Equal(
            "2    eth0            1     0     01005e000001\n2    eth0            1     0     01005e010203\n"
            + "2    eth0            1     0     01005e010204\n",
            Text("dev_mcast"));
    }

    [Fact]
    public void Only_the_sources_that_sockets_want_get_through()
    {
        TestSocket picky = Udp(), open = Udp();
        foreach (TestSocket socket in sockets)
            Assert.Equal(0, socket.Set(SOL_SOCKET, SO_REUSEADDR, 1));
        Assert.Equal(0, picky.Bind(Group, 5000));
        picky.Set(SOL_IP, IP_ADD_SOURCE_MEMBERSHIP, MreqSource(Group, A));
        GiveUdp(A, 1);
        GiveUdp(B, 2);
        Assert.Equal(1, picky.Recv().Data[0]);
        Assert.Equal(-EAGAIN, picky.Recv().Result);

        Assert.Equal(0, open.Bind(Group, 5000));
        open.Set(SOL_IP, IP_ADD_MEMBERSHIP, Mreq(Group));
        open.Set(SOL_IP, IP_BLOCK_SOURCE, MreqSource(Group, A));
        GiveUdp(A, 3);
        GiveUdp(B, 4);
        Assert.Equal(3, picky.Recv().Data[0]);
        Assert.Equal(4, open.Recv().Data[0]);
        Assert.Equal(-EAGAIN, picky.Recv().Result);
        Assert.Equal(-EAGAIN, open.Recv().Result);
    }

    private TestSocket Udp()
    {
        TestSocket socket = wire.NewUdp();
        sockets.Add(socket);
        return socket;
    }

    private void GiveUdp(uint from, byte payload)
    {
        byte[] udp = [0x10, 0, 0x13, 0x88, 0, 9, 0, 0, payload];
        wire.GiveIp(Wire.Ip(from, Group, IPPROTO_UDP, udp), MacOf(Group));
    }

    private void Query(uint to, uint group, byte code, params uint[] sources) => Query(to, group, code, 2, sources);

    private void Query(uint to, uint group, byte code, int qrv, params uint[] sources) =>
        Give(to, 0x11, code, group, [(byte)qrv, 125, 0, (byte)sources.Length, .. sources.SelectMany(Wire.Be)]);

    private void OldQuery(byte code) => Give(AllSystems, 0x11, code, 0, []);

    private void Give(uint to, byte type, byte code, uint group, byte[] rest) =>
        wire.GiveIp(Wire.Ip(Wire.Peer, to, IPPROTO_IGMP, Wire.IcmpMessage(type, code, group, rest), ttl: 1), MacOf(to));

    private List<(byte[] Packet, byte[] Message)> TakeMessages()
    {
        List<(byte[], byte[])> messages = [];
        foreach (byte[] packet in wire.Take(ETH_P_IP).Where(p => p[9] == IPPROTO_IGMP))
        {
            byte[] message = packet[24..];
            Assert.Equal(0, Checksum.CsumFold(Checksum.CsumPartial(message, 0)));
            messages.Add((packet, message));
        }

        return messages;
    }

    private static List<Record> Records(byte[] message)
    {
        Assert.Equal(0x22, message[0]);
        List<Record> records = [];
        int at = 8;
        for (int i = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(6)); i > 0; i--)
        {
            int sources = BinaryPrimitives.ReadUInt16BigEndian(message.AsSpan(at + 2));
            uint group = BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(at + 4));
            records.Add(new Record(message[at], group, [.. Enumerable.Range(0, sources)
                .Select(s => BinaryPrimitives.ReadUInt32BigEndian(message.AsSpan(at + 8 + (4 * s))))]));
            at += 8 + (4 * sources);
        }

        Assert.Equal(message.Length, at);
        return records;
    }

    private static byte[] MacOf(uint group) => [1, 0, 0x5e, (byte)(group >> 16 & 0x7f), (byte)(group >> 8), (byte)group];

    private static byte[] Mreq(uint group) => [.. Wire.Be(group), .. Wire.Be(Wire.Host)];

    private static byte[] MreqSource(uint group, uint source) => [.. Wire.Be(group), .. Wire.Be(Wire.Host), .. Wire.Be(source)];

    private static byte[] Msfilter(uint group, int mode, params uint[] sources) =>
        [.. Wire.Be(group), .. Wire.Be(Wire.Host), .. BitConverter.GetBytes(mode), .. BitConverter.GetBytes(sources.Length),
            .. sources.SelectMany(Wire.Be)];

    private void Sysctl(string path, string value) => wire.In(() => Assert.Equal(0, wire.Net.Sysctl.Write(path, value)));

    private string Text(string file)
    {
        Assert.Equal(0, ProcNet.Of(wire.Machine).Read(wire.Net, file, out string text));
        return text;
    }

    private sealed record Record(int Type, uint Group, params uint[] Sources)
    {
        public bool Equals(Record? other) =>
            other != null && Type == other.Type && Group == other.Group && Sources.SequenceEqual(other.Sources);

        public override int GetHashCode() => HashCode.Combine(Type, Group, Sources.Length);
    }
}
