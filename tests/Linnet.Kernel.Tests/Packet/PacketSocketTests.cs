using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Tests.Ipv4;
using Linnet.Kernel.Uapi;
using static Linnet.Kernel.Uapi.IfH;
using static Linnet.Kernel.Uapi.IfPacketH;
using static Linnet.Kernel.Uapi.SocketIoctlH;

namespace Linnet.Kernel.Tests.Packet;

/// <summary>Packet sockets, and the module that they come from.</summary>
public class PacketSocketTests : InetFixture
{
    private readonly List<TestSocket> open = [];

    private static int Htons(int value) => BinaryPrimitives.ReverseEndianness((ushort)value);

    private int Create(int type, int protocol, TaskStruct? task, out TestSocket? socket)
    {
        using KernelEntry entry = (task ?? Root).Enter();
        int err = Socket.SockCreate(AF_PACKET, type, Htons(protocol), out Socket? sock);
        socket = sock == null ? null : new TestSocket(task ?? Root, sock);
        return err;
    }

    private TestSocket Packet(int type, int protocol = ETH_P_ALL)
    {
        Assert.Equal(0, Create(type, protocol, null, out TestSocket? socket));
        open.Add(socket!);
        return socket!;
    }

    private static byte[] Ll(int ifindex, int protocol, byte[]? address = null)
    {
        var sll = new SockaddrLl
        {
            SllFamily = AF_PACKET,
            SllProtocol = (ushort)Htons(protocol),
            SllIfindex = ifindex,
            SllHalen = (byte)(address?.Length ?? 0),
        };
        address?.CopyTo((Span<byte>)sll.SllAddr);
        return MemoryMarshal.AsBytes(new ReadOnlySpan<SockaddrLl>(in sll)).ToArray();
    }

    private void CloseAll() => open.ForEach(socket => socket.Close());

    [Fact]
    public void The_family_comes_as_a_module_and_stays_while_it_is_used()
    {
        Assert.DoesNotContain(Test.Machine.Modules.Loaded, module => module.Name == "af_packet");
        TestSocket s = Packet(SOCK_RAW);
        Module module = Assert.Single(Test.Machine.Modules.Loaded, module => module.Name == "af_packet");
        Assert.True(module.RefCount > 0);
        using (Root.Enter())
            Assert.Equal(-EWOULDBLOCK, Test.Machine.Modules.DeleteModule("af_packet"));
        s.Close();
        using (Root.Enter())
            Assert.Equal(0, Test.Machine.Modules.DeleteModule("af_packet"));
        Assert.False(Socket.SockIsRegistered(Test.Machine, PF_PACKET));
        Packet(SOCK_DGRAM).Close();
    }

    [Fact]
    public void Making_one_needs_a_capability_and_a_type()
    {
        Assert.Equal(-EPERM, Create(SOCK_RAW, ETH_P_ALL, NewUser(), out _));
        Assert.Equal(-ESOCKTNOSUPPORT, Create(SOCK_STREAM, 0, null, out _));
        Assert.Equal(-EPERM, Create(SOCK_STREAM, 0, NewUser(), out _));
    }

    [Fact]
    public void Loopback_traffic_is_seen_going_out_and_coming_in()
    {
        TestSocket raw = Packet(SOCK_RAW);
        TestSocket cooked = Packet(SOCK_DGRAM);
        TestSocket ipOnly = Packet(SOCK_DGRAM, ETH_P_IP);
        BoundUdp(7000);
        Udp().SendTo("hello"u8, Localhost, 7000);
        Received sent = raw.Recv();
        Received received = raw.Recv();
        Assert.Equal(14 + 20 + 8 + 5, sent.Result);
        Assert.Equal((PACKET_OUTGOING, PACKET_HOST), (From(sent).SllPkttype, From(received).SllPkttype));
        Assert.Equal(sent.Data, received.Data);
        Assert.Equal(ETH_P_IP, BinaryPrimitives.ReadUInt16BigEndian(sent.Data.AsSpan(12)));
        SockaddrLl from = From(received);
        Assert.Equal((1, Htons(ETH_P_IP), ARPHRD_LOOPBACK, 6), (from.SllIfindex, from.SllProtocol, from.SllHatype, from.SllHalen));
        Assert.Equal(0x45, cooked.Recv().Data[0]);
        Assert.Equal(33, cooked.Recv().Result);
        Assert.Equal(PACKET_HOST, From(ipOnly.Recv()).SllPkttype);
        Assert.Equal(-EAGAIN, ipOnly.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void A_frame_that_is_sent_raw_arrives_as_it_is()
    {
        TestSocket reader = Packet(SOCK_RAW, 0x88B5);
        TestSocket writer = Packet(SOCK_RAW, 0);
        byte[] frame = [.. new byte[12], 0x88, 0xB5, .. "anything"u8];
        Assert.Equal(frame.Length, writer.Sendmsg(frame, Ll(1, 0x88B5), 0, []));
        Assert.Equal(frame, reader.Recv().Data);
        Assert.Equal(-EAGAIN, writer.Recv().Result);
        Assert.Equal(-ENXIO, writer.Send(frame));
        Assert.Equal(-ENXIO, writer.Sendmsg(frame, Ll(99, 0x88B5), 0, []));
        Assert.Equal(-EINVAL, writer.Sendmsg(frame[..13], Ll(1, 0x88B5), 0, []));
        Assert.Equal(-EINVAL, writer.Sendmsg(frame, Ll(1, 0x88B5)[..19], 0, []));
        Assert.Equal(-EMSGSIZE, writer.Sendmsg(new byte[65536 + 19], Ll(1, 0x88B5), 0, []));
        CloseAll();
    }

    [Fact]
    public void A_cooked_packet_gets_its_link_header()
    {
        TestSocket reader = Packet(SOCK_RAW, 0x88B5);
        TestSocket writer = Packet(SOCK_DGRAM, 0);
        Assert.Equal(3, writer.Sendmsg("abc"u8, Ll(1, 0x88B5, [1, 2, 3, 4, 5, 6]), 0, []));
        Received got = reader.Recv();
        Assert.Equal(17, got.Result);
        Assert.Equal([1, 2, 3, 4, 5, 6, 0, 0, 0, 0, 0, 0, 0x88, 0xB5], got.Data[..14]);
        CloseAll();
    }

    [Fact]
    public void Binding_narrows_to_a_device_and_a_protocol()
    {
        TestSocket s = Packet(SOCK_DGRAM, 0);
        Udp().SendTo("1"u8, Localhost, 9);
        Assert.Equal(-EAGAIN, s.Recv().Result);
        Assert.Equal(-EINVAL, s.Bind(Ll(1, ETH_P_IP)[..19]));
        Assert.Equal(-ENODEV, s.Bind(Ll(99, ETH_P_IP)));
        Assert.Equal(0, s.Bind(Ll(1, ETH_P_IP)));
        Udp().SendTo("2"u8, Localhost, 9);
        Assert.Equal(29, s.Recv().Result);
        byte[] name = new byte[128];
        using (Root.Enter())
        {
            Assert.Equal(18, s.Sock.Ops!.Getname(s.Sock, name, 0));
            Assert.Equal(-EOPNOTSUPP, s.Sock.Ops.Getname(s.Sock, name, 1));
        }

        SockaddrLl sll = MemoryMarshal.Read<SockaddrLl>(name);
        Assert.Equal((1, Htons(ETH_P_IP)), (sll.SllIfindex, sll.SllProtocol));
        CloseAll();
    }

    [Fact]
    public void A_device_that_goes_down_is_an_error_and_comes_back()
    {
        TestSocket s = Packet(SOCK_DGRAM, ETH_P_IP);
        s.Bind(Ll(1, ETH_P_IP));
        using (Root.Enter())
            Dev.DevClose(Net.LoopbackDev);
        Assert.Equal(-ENETDOWN, s.Recv().Result);
        Assert.Equal(-ENETDOWN, s.Sendmsg("x"u8, Ll(1, ETH_P_IP, new byte[6]), 0, []));
        using (Root.Enter())
            Dev.DevOpen(Net.LoopbackDev);
        Udp().SendTo("1"u8, Localhost, 9);
        Assert.Equal(29, s.Recv().Result);
        CloseAll();
    }

    [Fact]
    public void Statistics_count_what_came_and_what_was_lost_since_they_were_read()
    {
        TestSocket s = Packet(SOCK_DGRAM, ETH_P_IP);
        s.Set(SOL_SOCKET, SO_RCVBUF, 2304);
        TestSocket client = Udp();
        for (int i = 0; i < 10; i++)
            client.SendTo(new byte[1000], Localhost, 9);
        byte[] stats = new byte[8];
        Assert.Equal(0, s.Get(SOL_PACKET, PACKET_STATISTICS, stats, out int length));
        Assert.Equal(8, length);
        uint packets = BitConverter.ToUInt32(stats);
        uint drops = BitConverter.ToUInt32(stats, 4);
        Assert.InRange(drops, 1u, packets - 1);
        Assert.Equal(drops, (uint)s.Sock.Sk!.SkDrops);
        Assert.Equal(0, s.Get(SOL_PACKET, PACKET_STATISTICS, stats, out _));
        Assert.Equal(0u, BitConverter.ToUInt32(stats));
        CloseAll();
    }

    [Fact]
    public void Promiscuous_mode_is_counted()
    {
        TestSocket first = Packet(SOCK_RAW);
        TestSocket second = Packet(SOCK_RAW);
        byte[] mreq = [1, 0, 0, 0, PACKET_MR_PROMISC, 0, 0, 0, .. new byte[8]];
        Assert.Equal(0, first.Set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq));
        Assert.Equal(0, second.Set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq));
        first.Close();
        Assert.NotEqual(0u, Net.LoopbackDev.Flags & IFF_PROMISC);
        Assert.Equal(0, second.Set(SOL_PACKET, PACKET_DROP_MEMBERSHIP, mreq));
        Assert.Equal(0u, Net.LoopbackDev.Flags & IFF_PROMISC);
        Assert.Equal(-EADDRNOTAVAIL, second.Set(SOL_PACKET, PACKET_DROP_MEMBERSHIP, mreq));
        Assert.Equal(-ENODEV, second.Set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, [99, .. mreq[1..]]));
        Assert.Equal(-EINVAL, second.Set(SOL_PACKET, PACKET_ADD_MEMBERSHIP, mreq[..15]));
        Assert.Equal(-ENOPROTOOPT, second.Set(SOL_PACKET, PACKET_FANOUT, 1));
        Assert.Equal(-ENOPROTOOPT, second.Set(SOL_IP, IP_TTL, 1));
        CloseAll();
    }

    [Fact]
    public void Auxiliary_data_tells_the_true_length()
    {
        TestSocket s = Packet(SOCK_RAW, ETH_P_IP);
        Assert.Equal(0, s.Set(SOL_PACKET, PACKET_AUXDATA, 1));
        Udp().SendTo(new byte[100], Localhost, 9);
        Received got = s.Recv(50, controlSize: 64);
        Assert.Equal((50, MSG_TRUNC), (got.Result, got.Flags & MSG_TRUNC));
        byte[] aux = got.Cmsg(SOL_PACKET, PACKET_AUXDATA);
        Assert.Equal(20, aux.Length);
        Assert.Equal((142, 142, 14), (BitConverter.ToInt32(aux, 4), BitConverter.ToInt32(aux, 8), BitConverter.ToInt16(aux, 14)));
        CloseAll();
    }

    [Fact]
    public void Old_packet_sockets_name_the_device()
    {
        using KernelEntry entry = Root.Enter();
        Assert.Equal(0, Socket.SockCreate(AF_INET, SOCK_PACKET, Htons(ETH_P_IP), out Socket? sock));
        var s = new TestSocket(Root, sock!);
        byte[] lo = [17, 0, (byte)'l', (byte)'o', .. new byte[12]];
        Assert.Equal(0, s.Bind(lo));
        Assert.Equal(-EINVAL, s.Bind(lo[..15]));
        Udp().SendTo("1"u8, Localhost, 9);
        Cpu.This.RunSoftirqs();
        Received got = s.Recv();
        Assert.Equal(43, got.Result);
        Assert.Equal(18, got.Name.Length);
        Assert.Equal("lo"u8.ToArray(), got.Name[2..4]);
        byte[] frame = got.Data;
        Assert.Equal(-ENOTCONN, s.Send(frame));
        Assert.Equal(frame.Length, s.Sendmsg(frame, lo, 0, []));
        s.Close();
    }

    [Fact]
    public void What_packet_sockets_cannot_do_is_refused()
    {
        TestSocket s = Packet(SOCK_RAW);
        using (Root.Enter())
        {
            Assert.Equal(-EOPNOTSUPP, s.Sock.Ops!.Connect(s.Sock, Ll(1, 0), 0));
            Assert.Equal(-EOPNOTSUPP, s.Sock.Ops.Listen(s.Sock, 1));
            Assert.Equal(-EOPNOTSUPP, s.Sock.Ops.Shutdown(s.Sock, SHUT_RD));
        }

        Assert.Equal(-EINVAL, s.Recv(flags: MSG_OOB).Result);
        Assert.Equal(-EAGAIN, s.Recv(flags: MSG_ERRQUEUE).Result);
        Assert.Equal((0, 0), (s.Ioctl(SIOCINQ, out int waiting), waiting));
        ProcNet.Of(Test.Machine).Read(Net, "packet", out string text);
        Assert.Contains(" 3    0003   0     1 ", text, StringComparison.Ordinal);
        CloseAll();
    }

    private static SockaddrLl From(Received got) => MemoryMarshal.Read<SockaddrLl>(got.Name);
}
