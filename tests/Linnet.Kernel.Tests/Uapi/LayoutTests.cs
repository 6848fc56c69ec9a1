using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Uapi;

namespace Linnet.Kernel.Tests.Uapi;

/// <summary>Sizes and offsets as a C compiler gives them for x86-64 (sizeof, offsetof over Linux's headers).</summary>
public sealed class LayoutTests
{
    public static TheoryData<string, int, int> Sizes => new()
    {
        { "sockaddr", Unsafe.SizeOf<Sockaddr>(), 16 },
        { "sockaddr_in", Unsafe.SizeOf<SockaddrIn>(), 16 },
        { "sockaddr_in6", Unsafe.SizeOf<SockaddrIn6>(), 28 },
        { "sockaddr_ll", Unsafe.SizeOf<SockaddrLl>(), 20 },
        { "sockaddr_nl", Unsafe.SizeOf<SockaddrNl>(), 12 },
        { "sockaddr_un", Unsafe.SizeOf<SockaddrUn>(), 110 },
        { "sockaddr_storage", Unsafe.SizeOf<SockaddrStorage>(), 128 },
        { "iovec", Unsafe.SizeOf<Iovec>(), 16 },
        { "msghdr", Unsafe.SizeOf<UserMsghdr>(), 56 },
        { "mmsghdr", Unsafe.SizeOf<Mmsghdr>(), 64 },
        { "cmsghdr", Unsafe.SizeOf<Cmsghdr>(), 16 },
        { "linger", Unsafe.SizeOf<Linger>(), 8 },
        { "timeval", Unsafe.SizeOf<Timeval>(), 16 },
        { "timespec", Unsafe.SizeOf<Timespec>(), 16 },
        { "itimerspec", Unsafe.SizeOf<Itimerspec>(), 32 },
        { "pollfd", Unsafe.SizeOf<Pollfd>(), 8 },
        { "epoll_event", Unsafe.SizeOf<EpollEvent>(), 12 },
        { "tcp_info", Unsafe.SizeOf<TcpInfo>(), 280 },
        { "ip_mreq", Unsafe.SizeOf<IpMreq>(), 8 },
        { "ip_mreqn", Unsafe.SizeOf<IpMreqn>(), 12 },
        { "ip_mreq_source", Unsafe.SizeOf<IpMreqSource>(), 12 },
        { "group_req", Unsafe.SizeOf<GroupReq>(), 136 },
        { "group_source_req", Unsafe.SizeOf<GroupSourceReq>(), 264 },
        { "in_pktinfo", Unsafe.SizeOf<InPktinfo>(), 12 },
        { "in6_pktinfo", Unsafe.SizeOf<In6Pktinfo>(), 20 },
        { "ipv6_mreq", Unsafe.SizeOf<Ipv6Mreq>(), 20 },
        { "ucred", Unsafe.SizeOf<Ucred>(), 12 },
        { "ifreq", Unsafe.SizeOf<Ifreq>(), 40 },
        { "ifconf", Unsafe.SizeOf<Ifconf>(), 16 },
        { "ifmap", Unsafe.SizeOf<Ifmap>(), 24 },
        { "arpreq", Unsafe.SizeOf<Arpreq>(), 68 },
        { "packet_mreq", Unsafe.SizeOf<PacketMreq>(), 16 },
        { "tpacket_stats", Unsafe.SizeOf<TpacketStats>(), 8 },
        { "sock_extended_err", Unsafe.SizeOf<SockExtendedErr>(), 16 },
        { "sock_filter", Unsafe.SizeOf<SockFilter>(), 8 },
        { "sock_fprog", Unsafe.SizeOf<SockFprog>(), 16 },
        { "rlimit", Unsafe.SizeOf<Rlimit>(), 16 },
        { "scm_timestamping", Unsafe.SizeOf<ScmTimestamping>(), 48 },
        { "f_owner_ex", Unsafe.SizeOf<FOwnerEx>(), 8 },
        { "tcp_repair_opt", Unsafe.SizeOf<TcpRepairOpt>(), 8 },
        { "tcp_repair_window", Unsafe.SizeOf<TcpRepairWindow>(), 20 },
        { "icmp_filter", Unsafe.SizeOf<IcmpFilter>(), 4 },
        { "inet_diag_sockid", Unsafe.SizeOf<InetDiagSockid>(), 48 },
        { "inet_diag_req", Unsafe.SizeOf<InetDiagReq>(), 60 },
        { "inet_diag_req_v2", Unsafe.SizeOf<InetDiagReqV2>(), 56 },
        { "inet_diag_msg", Unsafe.SizeOf<InetDiagMsg>(), 72 },
        { "inet_diag_bc_op", Unsafe.SizeOf<InetDiagBcOp>(), 4 },
        { "inet_diag_hostcond", Unsafe.SizeOf<InetDiagHostcond>(), 8 },
        { "packet_diag_req", Unsafe.SizeOf<PacketDiagReq>(), 20 },
        { "packet_diag_msg", Unsafe.SizeOf<PacketDiagMsg>(), 16 },
        { "packet_diag_info", Unsafe.SizeOf<PacketDiagInfo>(), 24 },
        { "packet_diag_mclist", Unsafe.SizeOf<PacketDiagMclist>(), 44 },
        { "ip_msfilter", Unsafe.SizeOf<IpMsfilter>(), 16 },
    };

    public static TheoryData<string, int, int> Offsets => new()
    {
        { "msg_iov", Offset<UserMsghdr>(nameof(UserMsghdr.MsgIov)), 16 },
        { "msg_control", Offset<UserMsghdr>(nameof(UserMsghdr.MsgControl)), 32 },
        { "msg_flags", Offset<UserMsghdr>(nameof(UserMsghdr.MsgFlags)), 48 },
        { "msg_len", Offset<Mmsghdr>(nameof(Mmsghdr.MsgLen)), 56 },
        { "epoll data", Offset<EpollEvent>(nameof(EpollEvent.Data)), 4 },
        { "sll_addr", Offset<SockaddrLl>(nameof(SockaddrLl.SllAddr)), 12 },
        { "filter", Offset<SockFprog>(nameof(SockFprog.Filter)), 8 },
        { "gr_group", Offset<GroupReq>(nameof(GroupReq.GrGroup)), 8 },
        { "gsr_source", Offset<GroupSourceReq>(nameof(GroupSourceReq.GsrSource)), 136 },
        { "ee_info", Offset<SockExtendedErr>(nameof(SockExtendedErr.EeInfo)), 8 },
        { "ifc_buf", Offset<Ifconf>(nameof(Ifconf.IfcBuf)), 8 },
        { "arp_netmask", Offset<Arpreq>(nameof(Arpreq.ArpNetmask)), 36 },
        { "arp_dev", Offset<Arpreq>(nameof(Arpreq.ArpDev)), 52 },
        { "tcpi_rto", Offset<TcpInfo>(nameof(TcpInfo.TcpiRto)), 8 },
        { "tcpi_rtt", Offset<TcpInfo>(nameof(TcpInfo.TcpiRtt)), 68 },
        { "tcpi_snd_cwnd", Offset<TcpInfo>(nameof(TcpInfo.TcpiSndCwnd)), 80 },
        { "tcpi_total_retrans", Offset<TcpInfo>(nameof(TcpInfo.TcpiTotalRetrans)), 100 },
        { "tcpi_pacing_rate", Offset<TcpInfo>(nameof(TcpInfo.TcpiPacingRate)), 104 },
        { "tcpi_bytes_acked", Offset<TcpInfo>(nameof(TcpInfo.TcpiBytesAcked)), 120 },
        { "tcpi_notsent_bytes", Offset<TcpInfo>(nameof(TcpInfo.TcpiNotsentBytes)), 144 },
        { "tcpi_delivery_rate", Offset<TcpInfo>(nameof(TcpInfo.TcpiDeliveryRate)), 160 },
        { "tcpi_busy_time", Offset<TcpInfo>(nameof(TcpInfo.TcpiBusyTime)), 168 },
        { "tcpi_delivered", Offset<TcpInfo>(nameof(TcpInfo.TcpiDelivered)), 192 },
        { "tcpi_bytes_sent", Offset<TcpInfo>(nameof(TcpInfo.TcpiBytesSent)), 200 },
        { "tcpi_rcv_ooopack", Offset<TcpInfo>(nameof(TcpInfo.TcpiRcvOoopack)), 224 },
        { "tcpi_snd_wnd", Offset<TcpInfo>(nameof(TcpInfo.TcpiSndWnd)), 228 },
    };

    [Theory, MemberData(nameof(Sizes))]
    public void A_struct_has_the_size_that_C_gives_it(string name, int actual, int expected) =>
        Assert.True(expected == actual, $"struct {name} has {actual} bytes, in C {expected}");

    [Theory, MemberData(nameof(Offsets))]
    public void A_field_lies_where_C_puts_it(string name, int actual, int expected) =>
        Assert.True(expected == actual, $"{name} lies at {actual}, in C at {expected}");

    [Fact]
    public void Sockaddr_in_carries_port_and_address_in_network_order()
    {
        Span<byte> bytes = stackalloc byte[SockaddrIn.Size];
        bytes.Fill(0xff);

        Assert.Equal(16, SockaddrIn.Write(bytes, 0xc0000201, 0x1234));

        Assert.Equal([2, 0, 0x12, 0x34, 192, 0, 2, 1, 0, 0, 0, 0, 0, 0, 0, 0], bytes.ToArray());
        SockaddrIn.Read(bytes, out var family, out var addr, out var port);
        Assert.Equal((AF_INET, 0xc0000201u, 0x1234), (family, addr, port));
    }

    private static int Offset<T>(string field) where T : unmanaged => (int)Marshal.OffsetOf<T>(field);
}
