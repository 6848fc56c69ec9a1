using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Tests.Tcp;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.NetlinkH;
using static Linnet.Kernel.Uapi.SockDiagH;

namespace Linnet.Kernel.Tests.Diag;

/// <summary>What is told of UDP's, raw and packet sockets, and what is refused.</summary>
public sealed class DatagramDiagTests : IDisposable
{
    private readonly TcpHosts hosts = new();
    private readonly DiagClient diag;

    public DatagramDiagTests() => diag = new DiagClient(hosts.One);

    public void Dispose()
    {
        diag.Close();
        hosts.Dispose();
    }

    private int Udp(int port, int peer = 0)
    {
        int fd = hosts.One.Socket(AF_INET, SOCK_DGRAM | SOCK_NONBLOCK, 0);
        Assert.Equal(0, hosts.One.Bind(fd, TcpHosts.At(TcpHosts.OneAddress, port)));
        if (peer != 0)
            Assert.Equal(0, hosts.One.Connect(fd, TcpHosts.At(TcpHosts.OtherAddress, peer)));
        return fd;
    }

    [Fact]
    public void Udp_sockets_are_told_of_by_state_and_port()
    {
        Udp(53);
        Udp(54, peer: 9);
        Assert.Equal([53], diag.Dump(DiagClient.Request(IPPROTO_UDP, TCPF_CLOSE)).Select(answer => answer.Sport));
        Assert.Equal([54], diag.Dump(DiagClient.Request(IPPROTO_UDP, TCPF_ESTABLISHED)).Select(answer => answer.Sport));
        Assert.Equal([54], diag.Dump(DiagClient.Request(IPPROTO_UDP, sport: 54)).Select(answer => answer.Sport));
        Assert.Equal([54], diag.Dump(DiagClient.Request(IPPROTO_UDP, dport: 9)).Select(answer => answer.Sport));
        Assert.Equal(2, diag.Dump(DiagClient.Request(IPPROTO_UDP)).Count);
        Assert.Empty(diag.Dump(DiagClient.Request(IPPROTO_TCP)));
    }

    [Fact]
    public void What_is_queued_is_told()
    {
        int fd = Udp(53);
        hosts.One.Sendto(fd, new byte[100], 0, TcpHosts.At(TcpHosts.OneAddress, 53));
        hosts.Settle();
        DiagAnswer answer = Assert.Single(diag.Dump(DiagClient.Request(IPPROTO_UDP, ext: DiagClient.Ext(INET_DIAG_SKMEMINFO))));
        Assert.InRange(answer.Msg.IdiagRqueue, 100u, 2000u);
        Assert.Equal(answer.Msg.IdiagRqueue, BitConverter.ToUInt32(answer.InetAttributes[INET_DIAG_SKMEMINFO]));
        hosts.One.Recv(fd, new byte[200], 0);
        Assert.Equal(0u, Assert.Single(diag.Dump(DiagClient.Request(IPPROTO_UDP))).Msg.IdiagRqueue);
    }

    [Fact]
    public void One_udp_socket_is_found_from_its_peer_and_ended_from_itself()
    {
        int fd = Udp(54, peer: 9);
        InetDiagReqV2 mine = DiagClient.Request(IPPROTO_UDP, sport: 54, dport: 9);
        BinaryPrimitives.WriteUInt32BigEndian(mine.Id.IdiagSrc, TcpHosts.OneAddress);
        BinaryPrimitives.WriteUInt32BigEndian(mine.Id.IdiagDst, TcpHosts.OtherAddress);
        InetDiagReqV2 swapped = DiagClient.Request(IPPROTO_UDP, sport: 9, dport: 54);
        (swapped.Id.IdiagSrc, swapped.Id.IdiagDst) = (mine.Id.IdiagDst, mine.Id.IdiagSrc);
        Assert.Equal(-ENOENT, diag.Get(mine, out _));
        Assert.Equal(0, diag.Get(swapped, out DiagAnswer? found));
        Assert.Equal(54, found!.Sport);
        swapped.Id.IdiagCookieLow = found.Msg.Id.IdiagCookieLow + 1;
        Assert.Equal(-ESTALE, diag.Get(swapped, out _));
        Assert.Equal(-ENOENT, diag.Destroy(swapped));
        Assert.Equal(0, diag.Destroy(mine));
        Assert.Equal(-ECONNABORTED, hosts.One.Recv(fd, new byte[9], 0));
    }

    [Fact]
    public void Raw_sockets_say_their_protocol()
    {
        int fd = hosts.One.Socket(AF_INET, SOCK_RAW, 99);
        DiagAnswer answer = Assert.Single(diag.Dump(DiagClient.Request(IPPROTO_RAW)));
        Assert.Equal([99], answer.InetAttributes[INET_DIAG_PROTOCOL]);
        Assert.Equal(99, answer.Sport);
        InetDiagReqV2 req = DiagClient.Request(IPPROTO_RAW);
        Assert.Equal(-ENOENT, diag.Get(req, out _));
        req.Pad = 99;
        Assert.Equal(0, diag.Get(req, out _));
        Assert.Equal(0, diag.Destroy(req));
        Assert.Equal(-ECONNABORTED, hosts.One.Recv(fd, new byte[9], MSG_DONTWAIT));
    }

    [Fact]
    public void Packet_sockets_are_told_of_once_there_are_any()
    {
        byte[] req = DiagClient.Bytes(new PacketDiagReq { SdiagFamily = AF_PACKET, PdiagShow = 0x3F });
        Assert.Equal(0, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, req, out List<DiagAnswer> answers));
        Assert.Empty(answers);
        int fd = hosts.One.Socket(AF_PACKET, SOCK_RAW, BinaryPrimitives.ReverseEndianness((ushort)ETH_P_ALL));
        Assert.Equal(0, hosts.One.Setsockopt(fd, SOL_PACKET, IfPacketH.PACKET_ADD_MEMBERSHIP, [2, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0, 0]));
        Assert.Equal(0, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, req, out answers));
        DiagAnswer answer = Assert.Single(answers);
        Assert.Equal((AF_PACKET, SOCK_RAW, ETH_P_ALL), answer.Head<PacketDiagMsg>() is var head ? (head.PdiagFamily, head.PdiagType, head.PdiagNum) : default);
        Dictionary<int, byte[]> attributes = answer.Attributes(Unsafe.SizeOf<PacketDiagMsg>());
        Assert.Equal([PACKET_DIAG_INFO, PACKET_DIAG_MCLIST, PACKET_DIAG_UID, PACKET_DIAG_MEMINFO], attributes.Keys.Order());
        Assert.Equal((uint)PDI_RUNNING, MemoryMarshal.Read<PacketDiagInfo>(attributes[PACKET_DIAG_INFO]).PdiFlags);
        PacketDiagMclist membership = MemoryMarshal.Read<PacketDiagMclist>(attributes[PACKET_DIAG_MCLIST]);
        Assert.Equal((2u, 1u, (ushort)IfPacketH.PACKET_MR_PROMISC), (membership.PdmcIndex, membership.PdmcCount, membership.PdmcType));
        Assert.Equal(-EOPNOTSUPP, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, req, out _));
        hosts.One.Close(fd);
    }

    [Theory]
    [InlineData(AF_UNIX, SOCK_DIAG_BY_FAMILY, -ENOENT)]
    [InlineData(AF_UNSPEC, SOCK_DIAG_BY_FAMILY, -ENOENT)]
    [InlineData(7, SOCK_DESTROY, -ENOENT)]
    [InlineData(99, SOCK_DIAG_BY_FAMILY, -EINVAL)]
    [InlineData(AF_INET, 22, -EINVAL)]
    [InlineData(AF_INET, SOCK_DIAG_BY_FAMILY, -ENOENT)]
    public void What_is_not_there_is_refused(int family, int type, int expected)
    {
        InetDiagReqV2 req = DiagClient.Request(protocol: 77);
        req.SdiagFamily = (byte)family;
        Assert.Equal(expected, diag.Ask(type, NLM_F_REQUEST, DiagClient.Bytes(req), out _));
        Assert.Equal(-EINVAL, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, [2], out _));
        Assert.Equal(-EINVAL, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST, [2, 6, 0, 0], out _));
    }

    [Fact]
    public void A_protocol_may_come_in_an_attribute()
    {
        Udp(53);
        byte[] req = DiagClient.Bytes(DiagClient.Request(IPPROTO_TCP));
        byte[] udp = DiagClient.Attribute(INET_DIAG_REQ_PROTOCOL, BitConverter.GetBytes(IPPROTO_UDP));
        Assert.Equal(0, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, [.. req, .. udp], out List<DiagAnswer> answers));
        Assert.Equal(53, Assert.Single(answers).Sport);
        byte[] tooShort = DiagClient.Attribute(INET_DIAG_REQ_PROTOCOL, [17]);
        Assert.Equal(-EINVAL, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, [.. req, .. tooShort], out _));
        byte[] unknown = DiagClient.Attribute(INET_DIAG_REQ_PROTOCOL, BitConverter.GetBytes(262));
        Assert.Equal(-ENOENT, diag.Ask(SOCK_DIAG_BY_FAMILY, NLM_F_REQUEST | NLM_F_DUMP, [.. req, .. unknown], out _));
    }
}
