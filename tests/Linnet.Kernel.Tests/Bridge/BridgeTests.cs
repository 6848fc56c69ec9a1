using System.Buffers.Binary;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Bridge;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Vlan;
using Linnet.Testing;

namespace Linnet.Kernel.Tests.Bridge;

/// <summary>A bridge of three TAP devices: what comes in by one, and where it goes out.</summary>
public sealed class BridgeTests : IDisposable
{
    private static readonly byte[] Everybody = [255, 255, 255, 255, 255, 255];
    private static readonly byte[] A = [2, 0, 0, 0, 0, 0xA];
    private static readonly byte[] B = [2, 0, 0, 0, 0, 0xB];

    private readonly TestMachine machine = new();
    private readonly List<Tun> taps = [];
    private readonly List<byte[]>[] sent = [[], [], []];
    private readonly NetBridge br;

    public BridgeTests()
    {
        using KernelEntry entry = machine.Machine.Enter();
        Assert.Equal(0, BrIf.BrAddBridge(Net, "br0", out NetBridge? made));
        br = made!;
        Assert.Equal(0, Dev.DevOpen(br.Dev));
        for (int i = 0; i < 3; i++)
        {
            Assert.Equal(0, Tun.TunSetIff(Net, "tap%d", tap: true, out Tun tap));
            List<byte[]> out1 = sent[i];
            tap.Transmit = frame => out1.Add(frame.ToArray());
            Assert.Equal(0, Dev.DevOpen(tap.Dev));
            Assert.Equal(0, BrIf.BrAddIf(br, tap.Dev));
            taps.Add(tap);
        }
    }

    private NetNamespace Net => machine.Machine.InitNsproxy.NetNs;

    public void Dispose() => machine.Dispose();

    [Fact]
    public void Frames_to_unknown_addresses_go_everywhere_and_then_only_where_the_address_is()
    {
        Assert.Equal([0, 1, 1], Give(0, B, A));
        Assert.Equal([1, 0, 0], Give(1, A, B));
        Assert.Equal([0, 1, 0], Give(0, B, A));
        Assert.Equal([1, 1, 0], Give(2, Everybody, [2, 0, 0, 0, 0, 0xC]));
        Assert.Equal(taps[0].Dev, br.Fdb.BrFdbFindRcu(A)!.Dst!.Dev);
        Assert.Equal(3, br.Fdb.Learned);

        // A host that moves is found at its new place.
        Give(2, Everybody, A);
        Assert.Equal([0, 0, 1], Give(1, A, B));
    }

    [Fact]
    public void Addresses_grow_old()
    {
        Give(0, Everybody, A);
        machine.RunFor(TimeSpan.FromSeconds(200));
        Give(1, Everybody, B);
        machine.RunFor(TimeSpan.FromSeconds(101));
        Assert.Equal(1, br.Fdb.Learned);
        Assert.Null(br.Fdb.BrFdbFindRcu(A));
        machine.RunFor(TimeSpan.FromSeconds(200));
        Assert.Equal(0, br.Fdb.Learned);
    }

    [Fact]
    public void Nobody_fills_the_table_beyond_its_limit()
    {
        BrIf.SetFdbMaxLearned(br, 100);
        for (int i = 0; i < 1000; i++)
            Give(0, Everybody, [2, 1, 0, 0, (byte)(i >> 8), (byte)i]);
        Assert.Equal(100, br.Fdb.Learned);
        br.Fdb.BrFdbFlush();
        Assert.Equal(0, br.Fdb.Learned);
        BrIf.BrSetAgeingTime(br, 0);
        Give(0, Everybody, A);
        Assert.Equal(0, br.Fdb.Learned);
    }

    [Fact]
    public void Set_addresses_stay_and_are_not_moved_by_frames()
    {
        Assert.Equal(0, br.Fdb.BrFdbAdd(Port(2), A));
        Give(0, Everybody, A);
        machine.RunFor(TimeSpan.FromHours(1));
        Assert.Equal([0, 0, 1], Give(1, A, B));
        Assert.Equal(0, br.Fdb.BrFdbDelete(A));
        Assert.Equal(-ENOENT, br.Fdb.BrFdbDelete(A));
        Assert.Equal(-EINVAL, br.Fdb.BrFdbAdd(Port(2), Everybody));
    }

    [Fact]
    public void Port_flags_say_what_goes_out()
    {
        byte[] group = [1, 0, 0x5e, 1, 2, 3];
        BrIf.BrSetPortFlag(Port(1), BrPortFlags.Flood, false);
        BrIf.BrSetPortFlag(Port(2), BrPortFlags.McastFlood, false);
        Assert.Equal([0, 0, 1], Give(0, B, A));
        Assert.Equal([0, 1, 0], Give(0, group, A));
        Assert.Equal([0, 1, 1], Give(0, Everybody, A));
        BrIf.BrSetPortFlag(Port(1), BrPortFlags.BcastFlood, false);
        Assert.Equal([0, 0, 1], Give(0, Everybody, A));
    }

    [Fact]
    public void A_frame_leaves_by_its_own_port_only_in_hairpin_mode()
    {
        Give(0, Everybody, B);
        Assert.Equal([0, 0, 0], Give(0, B, A));
        BrIf.BrSetPortFlag(Port(0), BrPortFlags.HairpinMode, true);
        Assert.Equal([1, 0, 0], Give(0, B, A));
    }

    [Fact]
    public void Isolated_ports_do_not_see_each_other()
    {
        BrIf.BrSetPortFlag(Port(0), BrPortFlags.Isolated, true);
        BrIf.BrSetPortFlag(Port(1), BrPortFlags.Isolated, true);
        Assert.Equal([0, 0, 1], Give(0, Everybody, A));
        Assert.Equal([1, 1, 0], Give(2, Everybody, B));
    }

    [Fact]
    public void Link_local_groups_stay_on_the_link_unless_the_mask_says_otherwise()
    {
        byte[] lldp = [1, 0x80, 0xc2, 0, 0, 0xe];
        byte[] pause = [1, 0x80, 0xc2, 0, 0, 1];
        byte[] bridges = [1, 0x80, 0xc2, 0, 0, 0];
        Assert.Equal([0, 0, 0], Give(0, lldp, A));
        Assert.Equal([0, 0, 0], Give(0, pause, A));
        Assert.Equal([0, 1, 1], Give(0, bridges, A));
        Assert.Equal(0, BrIf.SetGroupFwdMask(br, 1 << 0xe));
        Assert.Equal([0, 1, 1], Give(0, lldp, A));
        Assert.Equal(-EINVAL, BrIf.SetGroupFwdMask(br, 2));
    }

    [Fact]
    public void Frames_from_no_host_and_too_long_ones_are_dropped()
    {
        Assert.Equal([0, 0, 0], Give(0, B, Everybody));
        Assert.Equal([0, 0, 0], Give(0, B, new byte[6]));
        using (machine.Machine.Enter())
            Assert.Equal(0, Dev.DevSetMtu(taps[1].Dev, 1000));
        Assert.Equal([0, 0, 1], Give(0, Everybody, A, new byte[1400]));
        Assert.Equal(1000, br.Dev.Mtu);
    }

    [Fact]
    public void Tagged_frames_pass_as_they_are()
    {
        byte[] tagged = [0x20, 5, 8, 0, 1, 2, 3, 4];
        Assert.Equal([0, 1, 1], Give(0, B, A, tagged, ETH_P_8021Q));
        Assert.Equal([.. B, .. A, 0x81, 0, .. tagged], sent[1][^1]);
    }

    [Fact]
    public void What_cannot_be_a_port_is_refused_with_Linux_errors()
    {
        using KernelEntry entry = machine.Machine.Enter();
        Assert.Equal(-EINVAL, BrIf.BrAddIf(br, Net.LoopbackDev));
        Assert.Equal(0, Tun.TunSetIff(Net, "tun0", tap: false, out Tun tun));
        Assert.Equal(-EINVAL, BrIf.BrAddIf(br, tun.Dev));
        Assert.Equal(-EBUSY, BrIf.BrAddIf(br, taps[0].Dev));
        Assert.Equal(0, BrIf.BrAddBridge(Net, "br1", out NetBridge? other));
        Assert.Equal(-EBUSY, BrIf.BrAddIf(other!, taps[0].Dev));
        Assert.Equal(-ELOOP, BrIf.BrAddIf(br, other!.Dev));
        Assert.Equal(0, Vlan8021Q.VlanNewlink(br.Dev, null, ETH_P_8021Q, 5, out NetDevice? vlan));
        Assert.Equal(-ELOOP, BrIf.BrAddIf(br, vlan!));
        Assert.Equal(-EINVAL, BrIf.BrDelIf(other, taps[0].Dev));
        Assert.Equal(-EEXIST, BrIf.BrAddBridge(Net, "br1", out _));
        Assert.Equal(-EBUSY, BrIf.BrDelBridge(Net, "br0"));
        Assert.Equal(-EPERM, BrIf.BrDelBridge(Net, "tap0"));
        Assert.Equal(-ENXIO, BrIf.BrDelBridge(Net, "br7"));
        Dev.DevClose(br.Dev);
        Assert.Equal(0, BrIf.BrDelBridge(Net, "br0"));
        Assert.Null(taps[0].Dev.RxHandler);
        Assert.Null(Net.Devices.DevGetByName("br0.5"));
    }

    [Fact]
    public void The_bridge_has_the_lowest_address_and_the_link_of_its_ports()
    {
        using KernelEntry entry = machine.Machine.Enter();
        Assert.Equal(taps.Select(t => Convert.ToHexString(t.Dev.DevAddr)).Min(), Convert.ToHexString(br.Dev.DevAddr));
        byte[] low = [0, 0, 0, 0, 0, 1];
        Assert.Equal(0, Dev.DevSetMacAddress(taps[1].Dev, low));
        Assert.Equal(low, br.Dev.DevAddr);
        Assert.True(br.Fdb.BrFdbFindRcu(low)!.IsLocal);
        Assert.Equal(0, Dev.DevSetMacAddress(br.Dev, A));
        BrIf.BrDelIf(br, taps[1].Dev);
        Assert.Equal(A, br.Dev.DevAddr);
        Assert.True(br.Dev.IsRunning);
        Dev.DevClose(taps[0].Dev);
        Assert.Equal(BrState.Disabled, Port(0).State);
        Dev.UnregisterNetdev(taps[2].Dev);
        Assert.False(br.Dev.IsRunning);
        Assert.Equal([taps[0].Dev], br.PortList.Select(p => p.Dev));
    }

    [Fact]
    public void Configuration_messages_are_those_of_802_1D()
    {
        using (machine.Machine.Enter())
            BrStpIf.BrStpSetEnabled(br, true);
        machine.RunFor(TimeSpan.FromSeconds(1));
        byte[] frame = sent[0].Last();
        Assert.Equal("0180C2000000", Convert.ToHexString(frame[..6]));
        Assert.Equal(38, BinaryPrimitives.ReadUInt16BigEndian(frame.AsSpan(12)));
        string id = "8000" + Convert.ToHexString(br.Dev.DevAddr);
        Assert.Equal($"424203000000000{0}{id}00000000{id}8001000014000200{"0F00"}", Convert.ToHexString(frame[14..]));
        Assert.All(br.PortList, p => Assert.Equal(BrState.Listening, p.State));
        Assert.Equal([0, 0, 0], Give(0, Everybody, A, [], ETH_P_IP, onlyType: ETH_P_IP));
        machine.RunFor(TimeSpan.FromSeconds(15));
        Assert.All(br.PortList, p => Assert.Equal(BrState.Learning, p.State));
        machine.RunFor(TimeSpan.FromSeconds(15));
        Assert.All(br.PortList, p => Assert.Equal(BrState.Forwarding, p.State));
        using (machine.Machine.Enter())
            Dev.DevClose(br.Dev);
    }

    private NetBridgePort Port(int index) => NetBridgePort.Of(taps[index].Dev)!;

    // How many frames went out by each port.
    private int[] Give(
        int port, byte[] to, byte[] from, byte[]? payload = null, int type = 0x88B5, int onlyType = 0)
    {
        int[] before = [.. sent.Select(Count)];
        byte[] frame = [.. to, .. from, (byte)(type >> 8), (byte)type, .. payload ?? new byte[46]];
        using (machine.Machine.Enter())
            Assert.Equal(0, taps[port].Receive(frame));
        return [.. sent.Select(Count).Zip(before, (now, then) => now - then)];

        int Count(List<byte[]> frames) =>
            frames.Count(f => onlyType == 0 || BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(12)) == onlyType);
    }
}
