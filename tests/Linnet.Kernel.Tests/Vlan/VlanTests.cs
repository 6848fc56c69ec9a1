using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Vlan;
using Linnet.Kernel.Tests.Ipv4;

namespace Linnet.Kernel.Tests.Vlan;

/// <summary>VLAN devices over a TAP device: tags of frames that go out and come in.</summary>
public sealed class VlanTests : IDisposable
{
    private const uint Here = 0xC6336401;
    private const uint There = 0xC6336402;

    private readonly Wire wire = new();

    public void Dispose() => wire.Dispose();

    [Fact]
    public void A_ping_to_a_VLAN_is_answered_with_its_tag()
    {
        Add(5);
        Assert.Equal("8100 0005", Answer(Tag(5)));
    }

    [Fact]
    public void Frames_of_unknown_VLANs_are_for_nobody_here()
    {
        Add(5);
        Assert.Null(Answer(Tag(6)));
        Assert.Null(Answer(Tag(5), to: Wire.Host));
        Assert.Null(Answer([]));
    }

    [Fact]
    public void A_tag_with_only_a_priority_is_taken_as_none()
    {
        byte[] priority = [0x81, 0, 0xE0, 0];
        Assert.Equal("", Answer(priority, to: Wire.Host, network: Wire.Peer));
        Add(5);
        Assert.Equal("8100 0005", Answer([.. priority, .. Tag(5)]));
        Assert.Null(Answer([.. priority, .. Tag(6)]));
    }

    [Fact]
    public void VLANs_stack()
    {
        NetDevice outer = Add(100, addressed: false, protocol: ETH_P_8021AD);
        Add(5, over: outer);
        Assert.Equal("88A8 0064 8100 0005", Answer([0x88, 0xA8, 0, 100, .. Tag(5)]));
        Assert.Null(Answer([0x81, 0, 0, 100, .. Tag(5)]));
    }

    [Fact]
    public void Priorities_are_mapped_both_ways()
    {
        NetDevice vlan = Add(5);
        wire.In(() =>
        {
            VlanDev.VlanDevSetEgressPriority(vlan, 6, 7);
            VlanDev.VlanDevSetIngressPriority(vlan, 3, 4);
        });
        List<uint> priorities = [];
        Dev.AddTap(vlan, new PriorityTap(priorities));
        TestSocket socket = wire.NewUdp();
        Assert.Equal("8100 0005", Answer([0x81, 0, 0x80, 5]));
        Assert.Equal(3u, priorities[0]);
        Assert.Equal(0, socket.Set(SOL_SOCKET, SO_PRIORITY, 6));
        wire.Sent.Clear();
        socket.SendTo([1], There, 9);
        Assert.Equal("8100 E005", Tags(wire.Sent.Single(f => IsIp(f))));
        socket.Close();
    }

    [Fact]
    public void Without_reordering_the_tag_stands_in_the_frame_on_the_VLAN_too()
    {
        NetDevice vlan = Add(5, flags: VlanFlags.None);
        List<string> frames = [];
        Dev.AddTap(vlan, new FrameTap(frames));
        Assert.Equal("8100 0005", Answer(Tag(5)));
        Assert.All(frames, frame => Assert.StartsWith("81000005", frame));
        Assert.NotEmpty(frames);
    }

    [Fact]
    public void A_VLAN_follows_the_device_below()
    {
        NetDevice vlan = Add(5);
        Assert.Equal(wire.Mac, vlan.DevAddr);
        wire.In(() =>
        {
            Assert.Equal(-ERANGE, Dev.DevSetMtu(vlan, 1501));
            Assert.Equal(0, Dev.DevSetMtu(wire.Dev0, 1400));
            Assert.Equal(1400, vlan.Mtu);
            byte[] address = [2, 1, 1, 1, 1, 1];
            Assert.Equal(0, Dev.DevSetMacAddress(wire.Dev0, address));
            Assert.Equal(address, vlan.DevAddr);
            Dev.DevClose(wire.Dev0);
            Assert.False(vlan.IsUp);
            Assert.Equal(-ENETDOWN, Dev.DevOpen(vlan));
            Assert.Equal(0, Dev.DevOpen(wire.Dev0));
            Assert.True(vlan.IsRunning);
            Dev.UnregisterNetdev(wire.Dev0);
            Assert.Null(wire.Net.Devices.DevGetByName("eth0.5"));
        });
    }

    [Fact]
    public void Multicast_addresses_are_passed_down()
    {
        Add(5);
        Assert.Contains(wire.Dev0.Mc, ha => Convert.ToHexString(ha.Addr) == "01005E000001" && ha.Refcount == 2);
        wire.In(() => Dev.DevClose(wire.Net.Devices.DevGetByName("eth0.5")!));
        Assert.Contains(wire.Dev0.Mc, ha => Convert.ToHexString(ha.Addr) == "01005E000001" && ha.Refcount == 1);
    }

    [Fact]
    public void What_is_no_VLAN_is_refused_with_Linux_errors()
    {
        Add(5);
        wire.In(() =>
        {
            Assert.Equal(-EEXIST, Vlan8021Q.VlanNewlink(wire.Dev0, "other", ETH_P_8021Q, 5, out _));
            Assert.Equal(-ERANGE, Vlan8021Q.VlanNewlink(wire.Dev0, null, ETH_P_8021Q, 4095, out _));
            Assert.Equal(-EPROTONOSUPPORT, Vlan8021Q.VlanNewlink(wire.Dev0, null, ETH_P_IP, 5, out _));
            Assert.Equal(-EOPNOTSUPP, Vlan8021Q.VlanNewlink(wire.Net.LoopbackDev, null, ETH_P_8021Q, 5, out _));
        });
    }

    [Fact]
    public void Proc_shows_VLANs_as_Linux_does()
    {
        NetDevice vlan = Add(5);
        Answer(Tag(5));
        Assert.Equal(0, ProcNet.Of(wire.Machine).Read(wire.Net, "vlan/config", out string config));
        Assert.Equal(
            "VLAN Dev name\t | VLAN ID\nName-Type: VLAN_NAME_TYPE_RAW_PLUS_VID_NO_PAD\neth0.5         | 5  | eth0\n", config);
        Assert.Equal(0, ProcNet.Of(wire.Machine).Read(wire.Net, "vlan/eth0.5", out string text));
        Assert.StartsWith("eth0.5  VID: 5\t REORDER_HDR: 1  dev->priv_flags: 1\n         total frames received ", text);
        Assert.Contains("\nDevice: eth0\nINGRESS priority mappings: 0:0  1:0  2:0  3:0  4:0  5:0  6:0 7:0\n EGRESS priority mappings: \n", text);
        wire.In(() => Vlan8021Q.UnregisterVlanDev(vlan));
        Assert.Equal(-ENOENT, ProcNet.Of(wire.Machine).Read(wire.Net, "vlan/eth0.5", out _));
    }

    private NetDevice Add(
        int id, NetDevice? over = null, bool addressed = true, ushort protocol = ETH_P_8021Q, VlanFlags flags = VlanFlags.ReorderHdr)
    {
        NetDevice? vlan = null;
        wire.In(() =>
        {
            Assert.Equal(0, Vlan8021Q.VlanNewlink(over ?? wire.Dev0, null, protocol, id, out vlan, flags));
            Assert.Equal(0, Dev.DevOpen(vlan!));
            if (addressed)
                Assert.Equal(0, Devinet.InetAddrAdd(vlan!, Here, 24));
        });
        return vlan!;
    }

    // The tags of the answer to a ping that comes with tags; null for no answer.
    private string? Answer(byte[] tags, uint to = Here, uint network = There)
    {
        uint from = to == Here ? network : Wire.Peer;
        Give(tags, ETH_P_ARP, Wire.Arp(1, from, Wire.PeerMac, to, new byte[6]));
        wire.Sent.Clear();
        Give(tags, ETH_P_IP, Wire.Echo(from, to, [1, 2, 3]));
        byte[]? answer = wire.Sent.SingleOrDefault(IsIp);
        return answer == null ? null : Tags(answer);
    }

    private void Give(byte[] tags, int type, byte[] payload) =>
        wire.Give([.. wire.Mac, .. Wire.PeerMac, .. tags, (byte)(type >> 8), (byte)type, .. payload]);

    private static byte[] Tag(int id) => [0x81, 0, (byte)(id >> 8), (byte)id];

    private static bool IsIp(byte[] frame) => TypeOf(frame, out _) == ETH_P_IP;

    private static string Tags(byte[] frame)
    {
        TypeOf(frame, out int end);
        return string.Join(' ', Convert.ToHexString(frame[12..end]).Chunk(4).Select(c => new string(c)));
    }

    private static int TypeOf(byte[] frame, out int at)
    {
        at = 12;
        int type;
        while ((type = BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(at))) is ETH_P_8021Q or ETH_P_8021AD)
            at += 4;
        return type;
    }

    private sealed class PriorityTap(List<uint> priorities) : PacketTap
    {
        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
        {
            if (!outgoing)
                priorities.Add(skb.Priority);
        }
    }

    private sealed class FrameTap(List<string> frames) : PacketTap
    {
        public override void Packet(SkBuff skb, NetDevice dev, bool outgoing) =>
            frames.Add(Convert.ToHexString(skb.MacHeaderSpan.Slice(12, 4)));
    }
}
