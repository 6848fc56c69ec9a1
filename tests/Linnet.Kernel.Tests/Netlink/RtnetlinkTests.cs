using System.Buffers.Binary;
using System.Runtime.InteropServices;
using System.Text;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.IfAddrH;
using static Linnet.Kernel.Uapi.IfH;
using static Linnet.Kernel.Uapi.IfLinkH;
using static Linnet.Kernel.Uapi.NeighbourH;
using static Linnet.Kernel.Uapi.NetlinkH;
using static Linnet.Kernel.Uapi.RtnetlinkH;

namespace Linnet.Kernel.Tests.Netlink;

/// <summary>NETLINK_ROUTE: what is told of links, addresses, routes, neighbours and rules, and how they are changed.</summary>
public class RtnetlinkTests : NetlinkFixture
{
    private const int Dump = NLM_F_REQUEST | NLM_F_DUMP;
    private const int Ack = NLM_F_REQUEST | NLM_F_ACK;

    private readonly TestSocket s;

    public RtnetlinkTests()
    {
        s = Netlink(NETLINK_ROUTE);
        Assert.Equal(0, s.Bind(Nl()));
    }

    private static byte[] Bytes<T>(T value)
        where T : unmanaged => MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)).ToArray();

    private static byte[] Attr(int type, params byte[] value)
    {
        byte[] attribute = new byte[NLA_HDRLEN + value.Length + 3 & ~3];
        MemoryMarshal.Write(attribute, new Nlattr { NlaLen = (ushort)(NLA_HDRLEN + value.Length), NlaType = (ushort)type });
        value.CopyTo(attribute, NLA_HDRLEN);
        return attribute;
    }

    private static byte[] Attr(int type, uint value) => Attr(type, BitConverter.GetBytes(value));

    private static byte[] Attr(int type, string value) => Attr(type, Encoding.UTF8.GetBytes(value + "\0"));

    private static byte[] Ip(uint address) => BitConverter.GetBytes(BinaryPrimitives.ReverseEndianness(address));

    private static string Text(byte[] value) => Encoding.UTF8.GetString(value).TrimEnd('\0');

    private List<(Nlmsghdr Head, byte[] Payload)> Ask(int type, int flags, byte[] payload)
    {
        Assert.Equal(NLMSG_HDRLEN + payload.Length, s.Send(Message(type, flags, payload)));
        List<(Nlmsghdr Head, byte[] Payload)> all = [];
        while (s.Recv(32768) is { Result: > 0 } got)
            all.AddRange(Split(got.Data));
        return all;
    }

    /// <summary>A dump that has to end well, without its end.</summary>
    private List<(Nlmsghdr Head, byte[] Payload)> DumpOf(int type, byte[] payload)
    {
        List<(Nlmsghdr Head, byte[] Payload)> all = Ask(type, Dump, payload);
        Assert.Equal((NLMSG_DONE, 0), (all[^1].Head.NlmsgType, MemoryMarshal.Read<int>(all[^1].Payload)));
        return all[..^1];
    }

    private int Change(int type, int flags, params byte[][] payload)
    {
        (Nlmsghdr head, byte[] answer) = Assert.Single(Ask(type, Ack | flags, [.. payload.SelectMany(part => part)]));
        Assert.Equal(NLMSG_ERROR, head.NlmsgType);
        return MemoryMarshal.Read<int>(answer);
    }

    private NetDevice NewVeth()
    {
        using KernelEntry entry = Root.Enter();
        Assert.Equal(0, Veth.VethNewlink(Net, "v0", Net, "v1", out NetDevice dev, out _));
        return dev;
    }

    [Fact]
    public void Links_are_told_with_what_makes_them_up()
    {
        NewVeth();
        List<(Nlmsghdr Head, byte[] Payload)> links = DumpOf(RTM_GETLINK, [AF_UNSPEC]);
        Assert.Equal([1, 2, 3], links.Select(l => MemoryMarshal.Read<Ifinfomsg>(l.Payload).IfiIndex));
        Assert.All(links, l => Assert.Equal((RTM_NEWLINK, NLM_F_MULTI), (l.Head.NlmsgType, l.Head.NlmsgFlags)));
        Dictionary<int, byte[]> lo = Attributes(links[0].Payload.AsSpan(16));
        Assert.Equal(("lo", "noqueue", 65536), (Text(lo[IFLA_IFNAME]), Text(lo[IFLA_QDISC]), BitConverter.ToInt32(lo[IFLA_MTU])));
        Assert.Equal((200, 96, 6), (lo[IFLA_STATS64].Length, lo[IFLA_STATS].Length, lo[IFLA_ADDRESS].Length));
        Dictionary<int, byte[]> v0 = Attributes(links[2].Payload.AsSpan(16));
        Assert.Equal(("v0", "noop", 2), (Text(v0[IFLA_IFNAME]), Text(v0[IFLA_QDISC]), BitConverter.ToInt32(v0[IFLA_LINK])));
        Assert.Equal("veth", Text(Attributes(v0[IFLA_LINKINFO])[IFLA_INFO_KIND]));
        Assert.False(v0.ContainsKey(IFLA_LINK_NETNSID));
        CloseAll();
    }

    [Fact]
    public void One_link_is_found_by_number_or_name()
    {
        var head = new Ifinfomsg { IfiIndex = 1 };
        (Nlmsghdr, byte[] Payload) one = Assert.Single(Ask(RTM_GETLINK, NLM_F_REQUEST, Bytes(head)));
        Assert.Equal("lo", Text(Attributes(one.Payload.AsSpan(16))[IFLA_IFNAME]));
        one = Assert.Single(Ask(RTM_GETLINK, NLM_F_REQUEST, [.. Bytes(default(Ifinfomsg)), .. Attr(IFLA_IFNAME, "lo"), .. Attr(IFLA_EXT_MASK, (uint)RTEXT_FILTER_SKIP_STATS)]));
        Dictionary<int, byte[]> lo = Attributes(one.Payload.AsSpan(16));
        Assert.Equal("lo", Text(lo[IFLA_IFNAME]));
        Assert.False(lo.ContainsKey(IFLA_STATS64));
        Assert.Equal(-ENODEV, Change(RTM_GETLINK, 0, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "eth9")));
        Assert.Equal(-EINVAL, Change(RTM_GETLINK, 0, Bytes(default(Ifinfomsg))));
        CloseAll();
    }

    [Fact]
    public void Strict_checks_refuse_what_they_do_not_know()
    {
        s.Set(SOL_NETLINK, NETLINK_GET_STRICT_CHK, 1);
        s.Set(SOL_NETLINK, NETLINK_EXT_ACK, 1);
        Assert.Single(DumpOf(RTM_GETLINK, Bytes(default(Ifinfomsg))));
        Assert.Equal(-EINVAL, DumpError(RTM_GETLINK, [AF_UNSPEC]));
        Assert.Equal(-EINVAL, DumpError(RTM_GETLINK, Bytes(new Ifinfomsg { IfiIndex = 1 })));
        Assert.Equal(-EINVAL, DumpError(RTM_GETADDR, Bytes(new Ifaddrmsg { IfaFamily = AF_INET, IfaScope = 1 })));
        Assert.Single(DumpOf(RTM_GETADDR, Bytes(new Ifaddrmsg { IfaFamily = AF_INET, IfaIndex = 1 })).DistinctBy(a => a.Payload[4]));
        Assert.Equal(-ENODEV, DumpError(RTM_GETADDR, Bytes(new Ifaddrmsg { IfaFamily = AF_INET, IfaIndex = 9 })));
        Assert.Equal(-ENOENT, DumpError(RTM_GETROUTE, [.. Bytes(new Rtmsg { RtmFamily = AF_INET }), .. Attr(RTA_TABLE, 77u)]));
        Assert.NotEmpty(DumpOf(RTM_GETROUTE, [.. Bytes(new Rtmsg { RtmFamily = AF_INET }), .. Attr(RTA_TABLE, (uint)RT_TABLE_LOCAL)]));
        Assert.Equal(-EINVAL, DumpError(RTM_GETROUTE, [.. Bytes(new Rtmsg { RtmFamily = AF_INET }), .. Attr(RTA_MARK, 1u)]));
        Assert.Equal(-EINVAL, DumpError(RTM_GETNEIGH, Bytes(new Ndmsg { NdmFamily = AF_INET, NdmState = 1 })));
        Assert.Equal(-EINVAL, DumpError(RTM_GETRULE, Bytes(new FibRuleHdr { Family = AF_INET, Action = 1 })));
        CloseAll();
    }

    // A dump's error stands in its last message.
    private int DumpError(int type, byte[] payload)
    {
        (Nlmsghdr head, byte[] answer) = Assert.Single(Ask(type, Dump, payload));
        Assert.True(head.NlmsgType is NLMSG_DONE or NLMSG_ERROR);
        return MemoryMarshal.Read<int>(answer);
    }

    [Fact]
    public void A_message_that_nobody_knows_is_told_and_counted()
    {
        Assert.Equal(-EOPNOTSUPP, Change(RTM_GETDCB, 0, [0]));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_GETMULTICAST, NLM_F_DUMP, [AF_INET]));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_MAX + 1, 0, [0]));
        Assert.Equal(0, Change(RTM_GETLINK, 0));
        Assert.Equal(1, Test.Machine.Unsupported.CountOf(RequestKind.Netlink, NETLINK_ROUTE, RTM_GETDCB));
        CloseAll();
    }

    [Fact]
    public void Addresses_are_added_told_and_deleted()
    {
        var head = new Ifaddrmsg { IfaFamily = AF_INET, IfaPrefixlen = 16, IfaIndex = 1 };
        byte[][] address = [Bytes(head), Attr(IFA_LOCAL, Ip(0x0A010203)), Attr(IFA_ADDRESS, Ip(0x0A010203)), Attr(IFA_LABEL, "lo:1")];
        TestSocket monitor = Netlink(NETLINK_ROUTE, NewUser());
        Assert.Equal(0, monitor.Bind(Nl(groups: RTMGRP_IPV4_IFADDR | RTMGRP_IPV4_ROUTE)));
        Assert.Equal(0, Change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address));
        Assert.Equal(-EEXIST, Change(RTM_NEWADDR, NLM_F_CREATE | NLM_F_EXCL, address));
        Dictionary<int, byte[]> told = DumpOf(RTM_GETADDR, Bytes(default(Ifaddrmsg)))
            .Select(a => Attributes(a.Payload.AsSpan(8))).Single(a => Text(a[IFA_LABEL]) == "lo:1");
        Assert.Equal(Ip(0x0A010203), told[IFA_LOCAL]);
        Assert.Equal((uint)0x80, BitConverter.ToUInt32(told[IFA_FLAGS]));
        Assert.Equal(0, Change(RTM_DELADDR, 0, address));
        Assert.Equal(-EADDRNOTAVAIL, Change(RTM_DELADDR, 0, address));
        List<int> news = [];
        while (monitor.Recv() is { Result: > 0 } got)
            news.Add(Assert.Single(Split(got.Data)).Head.NlmsgType);
        Assert.Equal(RTM_NEWADDR, news[0]);
        Assert.Contains(RTM_NEWROUTE, news);
        Assert.True(news.IndexOf(RTM_DELADDR) < news.IndexOf(RTM_DELROUTE));
        CloseAll();
    }

    [Fact]
    public void Only_those_who_may_change_things()
    {
        TestSocket user = Netlink(NETLINK_ROUTE, NewUser());
        user.Send(Message(RTM_SETLINK, Ack, [.. Bytes(new Ifinfomsg { IfiIndex = 1 }), .. Attr(IFLA_MTU, 1400u)]));
        Assert.Equal(-EPERM, AckOf(user));
        Assert.Equal(65536, Net.LoopbackDev.Mtu);
        user.Send(Message(RTM_GETLINK, NLM_F_REQUEST, Bytes(new Ifinfomsg { IfiIndex = 1 })));
        Assert.Equal(RTM_NEWLINK, Assert.Single(Split(user.Recv().Data)).Head.NlmsgType);
        CloseAll();
    }

    [Fact]
    public void Links_are_made_changed_and_removed()
    {
        TestSocket monitor = Netlink(NETLINK_ROUTE);
        Assert.Equal(0, monitor.Bind(Nl(groups: RTMGRP_LINK)));
        byte[] peer = Attr(VETH_INFO_PEER, [.. Bytes(default(Ifinfomsg)), .. Attr(IFLA_IFNAME, "b")]);
        byte[] info = Attr(IFLA_LINKINFO, [.. Attr(IFLA_INFO_KIND, "veth"), .. Attr(IFLA_INFO_DATA, peer)]);
        Assert.Equal(0, Change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "a"), Attr(IFLA_MTU, 1400u), info));
        Assert.Equal(-EEXIST, Change(RTM_NEWLINK, NLM_F_CREATE | NLM_F_EXCL, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "a"), info));
        NetDevice a = Net.Devices.DevGetByName("a")!, b = Net.Devices.DevGetByName("b")!;
        Assert.Equal((1400, 1500), (a.Mtu, b.Mtu));
        Ifinfomsg up = new() { IfiIndex = a.Ifindex, IfiFlags = IFF_UP, IfiChange = IFF_UP };
        Assert.Equal(0, Change(RTM_NEWLINK, 0, Bytes(up), Attr(IFLA_TXQLEN, 7u)));
        Assert.Equal((true, 7), (a.IsUp, a.TxQueueLen));
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex }), Attr(IFLA_IFNAME, "c")));
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex }), Attr(IFLA_IFNAME, "a")));
        Assert.Equal(-EEXIST, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex }), Attr(IFLA_IFNAME, "b")));
        Assert.Equal(-EINVAL, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex }), Attr(IFLA_MTU, 10u)));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex }), Attr(IFLA_NET_NS_PID, 10u)));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_NEWLINK, NLM_F_CREATE, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "x"), Attr(IFLA_LINKINFO, Attr(IFLA_INFO_KIND, "bond"))));
        Assert.Equal(0, Change(RTM_NEWLINK, NLM_F_CREATE, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "br"), Attr(IFLA_LINKINFO, Attr(IFLA_INFO_KIND, "bridge"))));
        NetDevice br = Net.Devices.DevGetByName("br")!;
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(new Ifinfomsg { IfiIndex = b.Ifindex }), Attr(IFLA_MASTER, (uint)br.Ifindex)));
        Assert.Equal(br, b.Master);
        byte[] vlan = Attr(IFLA_LINKINFO, [.. Attr(IFLA_INFO_KIND, "vlan"), .. Attr(IFLA_INFO_DATA, Attr(IFLA_VLAN_ID, [5, 0]))]);
        Assert.Equal(0, Change(RTM_NEWLINK, NLM_F_CREATE, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "a.5"), Attr(IFLA_LINK, (uint)a.Ifindex), vlan));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_DELLINK, 0, Bytes(new Ifinfomsg { IfiIndex = 1 })));
        Assert.Equal(0, Change(RTM_DELLINK, 0, Bytes(default(Ifinfomsg)), Attr(IFLA_IFNAME, "a.5")));
        Assert.Equal(0, Change(RTM_DELLINK, 0, Bytes(new Ifinfomsg { IfiIndex = a.Ifindex })));
        Assert.Null(Net.Devices.DevGetByName("b"));
        List<(int, int)> news = [];
        while (monitor.Recv() is { Result: > 0 } got)
        {
            (Nlmsghdr head, byte[] payload) = Assert.Single(Split(got.Data));
            news.Add((head.NlmsgType, MemoryMarshal.Read<Ifinfomsg>(payload).IfiIndex));
        }

        Assert.Equal([(RTM_NEWLINK, b.Ifindex), (RTM_NEWLINK, a.Ifindex)], news[..2]);
        Assert.Contains((RTM_DELLINK, a.Ifindex), news);
        Assert.Contains((RTM_DELLINK, b.Ifindex), news);
        CloseAll();
    }

    [Fact]
    public void A_user_counts_once_among_those_who_want_all_frames()
    {
        uint Told() => MemoryMarshal.Read<Ifinfomsg>(Ask(RTM_GETLINK, NLM_F_REQUEST, Bytes(new Ifinfomsg { IfiIndex = 1 }))[0].Payload).IfiFlags;
        Ifinfomsg on = new() { IfiIndex = 1, IfiFlags = IFF_PROMISC, IfiChange = IFF_PROMISC };
        using (Root.Enter())
            Dev.DevSetPromiscuity(Net.LoopbackDev, 1);
        Assert.Equal(0u, Told() & IFF_PROMISC);
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(on)));
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(on)));
        Assert.Equal((2, (uint)IFF_PROMISC), (Net.LoopbackDev.Promiscuity, Told() & IFF_PROMISC));
        Assert.Equal(0, Change(RTM_SETLINK, 0, Bytes(on with { IfiFlags = 0 })));
        Assert.Equal((1, 0u), (Net.LoopbackDev.Promiscuity, Told() & IFF_PROMISC));
        CloseAll();
    }

    [Fact]
    public void Routes_are_added_looked_up_and_deleted()
    {
        var head = new Rtmsg { RtmFamily = AF_INET, RtmDstLen = 24, RtmTable = RT_TABLE_MAIN, RtmProtocol = RTPROT_STATIC, RtmScope = RT_SCOPE_LINK, RtmType = RTN_UNICAST };
        byte[][] route = [Bytes(head), Attr(RTA_DST, Ip(0x0A090800)), Attr(RTA_OIF, 1u), Attr(RTA_PRIORITY, 50u), Attr(RTA_METRICS, Attr(RTAX_MTU, 1300u))];
        Assert.Equal(0, Change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route));
        Assert.Equal(-EEXIST, Change(RTM_NEWROUTE, NLM_F_CREATE | NLM_F_EXCL, route));
        Dictionary<int, byte[]> told = DumpOf(RTM_GETROUTE, Bytes(new Rtmsg { RtmFamily = AF_INET }))
            .Select(r => Attributes(r.Payload.AsSpan(12))).Single(r => r.ContainsKey(RTA_PRIORITY));
        Assert.Equal(Ip(0x0A090800), told[RTA_DST]);
        Assert.Equal(1300, BitConverter.ToInt32(Attributes(told[RTA_METRICS])[RTAX_MTU]));
        Rtmsg get = new() { RtmFamily = AF_INET, RtmDstLen = 32, RtmFlags = RTM_F_LOOKUP_TABLE };
        (Nlmsghdr, byte[] Payload) found = Assert.Single(Ask(RTM_GETROUTE, NLM_F_REQUEST, [.. Bytes(get), .. Attr(RTA_DST, Ip(0x0A090805))]));
        Assert.Equal((32, RTN_UNICAST), (found.Payload[1], found.Payload[7]));
        Assert.Equal(1, BitConverter.ToInt32(Attributes(found.Payload.AsSpan(12))[RTA_OIF]));
        get.RtmFlags |= RTM_F_FIB_MATCH;
        found = Assert.Single(Ask(RTM_GETROUTE, NLM_F_REQUEST, [.. Bytes(get), .. Attr(RTA_DST, Ip(0x0A090805))]));
        Assert.Equal(24, found.Payload[1]);
        Assert.Equal(-ENETUNREACH, Change(RTM_GETROUTE, 0, Bytes(get), Attr(RTA_DST, Ip(0x08080808))));
        Assert.Equal(-EINVAL, Change(RTM_NEWROUTE, NLM_F_CREATE, Bytes(head), Attr(RTA_DST, Ip(0x0A090801)), Attr(RTA_OIF, 1u)));
        Assert.Equal(-EOPNOTSUPP, Change(RTM_NEWROUTE, NLM_F_CREATE, Bytes(head), Attr(RTA_NH_ID, 1u)));
        Assert.Equal(0, Change(RTM_DELROUTE, 0, route));
        Assert.Equal(-ESRCH, Change(RTM_DELROUTE, 0, route));
        CloseAll();
    }

    [Fact]
    public void Several_next_hops_come_and_go_in_one_route()
    {
        byte[] Hop(uint gw, byte hops) =>
            [.. Bytes(new Rtnexthop { RtnhLen = 16, RtnhHops = hops, RtnhIfindex = 1 }), .. Attr(RTA_GATEWAY, Ip(gw))];
        var head = new Rtmsg { RtmFamily = AF_INET, RtmDstLen = 8, RtmTable = RT_TABLE_MAIN, RtmType = RTN_UNICAST, RtmProtocol = RTPROT_BOOT };
        byte[] two = Attr(RTA_MULTIPATH, [.. Hop(0xC0000203, 0), .. Hop(0xC0000204, 4)]);
        Assert.Equal(0, Change(RTM_NEWROUTE, NLM_F_CREATE, Bytes(head), Attr(RTA_DST, Ip(0x0B000000)), two));
        byte[] told = DumpOf(RTM_GETROUTE, Bytes(new Rtmsg { RtmFamily = AF_INET }))
            .Select(r => Attributes(r.Payload.AsSpan(12))).Single(r => r.ContainsKey(RTA_MULTIPATH))[RTA_MULTIPATH];
        Assert.Equal(two[4..], told);
        Assert.Equal(-EINVAL, Change(RTM_NEWROUTE, NLM_F_CREATE, Bytes(head), Attr(RTA_DST, Ip(0x0C000000)), Attr(RTA_MULTIPATH, [.. Hop(1, 0)[..12]])));
        CloseAll();
    }

    [Fact]
    public void Neighbours_are_added_told_and_deleted()
    {
        NetDevice dev = NewVeth();
        using (Root.Enter())
        {
            Dev.DevOpen(dev);
            Dev.DevOpen((NetDevice)dev.Priv!);
            Assert.Equal(0, Devinet.InetAddrAdd(dev, 0x0A000001, 24));
        }

        TestSocket monitor = Netlink(NETLINK_ROUTE);
        Assert.Equal(0, monitor.Bind(Nl(groups: RTMGRP_NEIGH)));
        var head = new Ndmsg { NdmFamily = AF_INET, NdmIfindex = dev.Ifindex, NdmState = (ushort)Nud.PERMANENT };
        byte[][] neigh = [Bytes(head), Attr(NDA_DST, Ip(0x0A000002)), Attr(NDA_LLADDR, [2, 0, 0, 0, 0, 9])];
        Assert.Equal(0, Change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, neigh));
        Assert.Equal(-EEXIST, Change(RTM_NEWNEIGH, NLM_F_CREATE | NLM_F_EXCL, neigh));
        (Nlmsghdr, byte[] Payload) told = Assert.Single(DumpOf(RTM_GETNEIGH, [AF_INET]));
        Assert.Equal(new byte[] { 2, 0, 0, 0, 0, 9 }, Attributes(told.Payload.AsSpan(12))[NDA_LLADDR]);
        told = Assert.Single(Ask(RTM_GETNEIGH, NLM_F_REQUEST, [.. neigh[0], .. neigh[1]]));
        Assert.Equal((ushort)Nud.PERMANENT, MemoryMarshal.Read<Ndmsg>(told.Payload).NdmState);
        Assert.Equal(-EAFNOSUPPORT, Change(RTM_NEWNEIGH, NLM_F_CREATE, Bytes(head with { NdmFamily = AF_INET6 }), Attr(NDA_DST, new byte[16])));
        Assert.Equal(-EINVAL, Change(RTM_NEWNEIGH, NLM_F_CREATE, Bytes(head)));
        Assert.Equal(0, Change(RTM_DELNEIGH, 0, neigh));
        Assert.Equal(-ENOENT, Change(RTM_DELNEIGH, 0, neigh));
        List<int> news = [];
        while (monitor.Recv() is { Result: > 0 } got)
            news.Add(Assert.Single(Split(got.Data)).Head.NlmsgType);
        Assert.Equal(RTM_NEWNEIGH, news[0]);
        Assert.Equal(RTM_DELNEIGH, news[^1]);
        CloseAll();
    }

    [Fact]
    public void Rules_are_added_told_and_deleted()
    {
        Assert.Equal(3, DumpOf(RTM_GETRULE, Bytes(new FibRuleHdr { Family = AF_INET })).Count);
        var head = new FibRuleHdr { Family = AF_INET, Action = FibRulesH.FR_ACT_TO_TBL, SrcLen = 8, Table = 99 };
        byte[][] rule = [Bytes(head), Attr(FibRulesH.FRA_SRC, Ip(0x0A000000)), Attr(FibRulesH.FRA_PRIORITY, 1000u)];
        Assert.Equal(0, Change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule));
        Assert.Equal(-EEXIST, Change(RTM_NEWRULE, NLM_F_CREATE | NLM_F_EXCL, rule));
        byte[] told = DumpOf(RTM_GETRULE, Bytes(new FibRuleHdr { Family = AF_INET }))[1].Payload;
        Assert.Equal((8, 99), (told[2], told[4]));
        Assert.Equal(Ip(0x0A000000), Attributes(told.AsSpan(12))[FibRulesH.FRA_SRC]);
        Assert.Equal(-EOPNOTSUPP, Change(RTM_NEWRULE, NLM_F_CREATE, Bytes(head with { SrcLen = 0 }), Attr(FibRulesH.FRA_L3MDEV, 1)));
        Assert.Equal(0, Change(RTM_DELRULE, 0, rule));
        Assert.Equal(-ENOENT, Change(RTM_DELRULE, 0, rule));
        CloseAll();
    }

    [Fact]
    public void A_dump_of_many_comes_in_parts_that_fit_the_readers_buffer()
    {
        using (Root.Enter())
        {
            for (uint i = 0; i < 300; i++)
                Assert.Equal(0, Devinet.InetAddrAdd(Net.LoopbackDev, 0x0A000001 + (i << 8), 32));
        }

        s.Send(Message(RTM_GETADDR, Dump, [AF_INET]));
        int parts = 0;
        HashSet<uint> addresses = [];
        while (s.Recv(4096) is { Result: > 0 } got)
        {
            parts++;
            Assert.Equal(0, got.Flags & MSG_TRUNC);
            foreach ((Nlmsghdr head, byte[] payload) in Split(got.Data).Where(m => m.Head.NlmsgType == RTM_NEWADDR))
                Assert.True(addresses.Add(BitConverter.ToUInt32(Attributes(payload.AsSpan(8))[IFA_LOCAL])));
        }

        Assert.Equal(302, addresses.Count);
        Assert.InRange(parts, 6, 20);
        CloseAll();
    }
}
