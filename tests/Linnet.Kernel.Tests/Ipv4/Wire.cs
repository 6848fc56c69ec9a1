using System.Buffers.Binary;
using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Testing;

namespace Linnet.Kernel.Tests.Ipv4;

/// <summary>
/// A host on an Ethernet whose other end is the test: frames go in with <see cref="Give"/>, what the host sends is in
/// <see cref="Sent"/>. The host is 192.0.2.1/24; the test speaks as the neighbour 192.0.2.2.
/// </summary>
internal sealed class Wire : IDisposable
{
    public const uint Host = 0xC0000201;
    public const uint Peer = 0xC0000202;
    public static readonly byte[] PeerMac = [2, 0, 0, 0, 0, 2];

    private readonly TestMachine machine;

    public Wire(bool addressed = true, ulong seed = 1, bool checkLeaks = true)
    {
        machine = new TestMachine(seed) { CheckLeaks = checkLeaks };
        using KernelEntry entry = machine.Machine.Enter();
        Net = machine.Machine.InitNsproxy.NetNs;
        Assert.Equal(0, Dev.DevOpen(Net.LoopbackDev));
        Assert.Equal(0, Tun.TunSetIff(Net, "eth%d", tap: true, out Tun tun));
        Tap = tun;
        tun.Transmit = frame => Sent.Add(frame.ToArray());
        Assert.Equal(0, Dev.DevOpen(tun.Dev));
        if (addressed)
            Assert.Equal(0, Devinet.InetAddrAdd(tun.Dev, Host, 24));
    }

    public NetNamespace Net { get; }

    public NetnsIpv4 Ipv4 => Net.Ipv4;

    public Tun Tap { get; }

    public NetDevice Dev0 => Tap.Dev;

    public List<byte[]> Sent { get; } = [];

    public Machine Machine => machine.Machine;

    public byte[] Mac => Dev0.DevAddr;

    /// <summary>Enters the kernel for the length of <paramref name="action"/>.</summary>
    public void In(Action action)
    {
        try
        {
            using KernelEntry entry = Machine.Enter();
            action();
        }
        catch
        {
            // What broke is of interest, not what it left behind.
            machine.CheckLeaks = false;
            throw;
        }
    }

    public void RunFor(double seconds) => machine.RunFor(TimeSpan.FromSeconds(seconds));

    /// <summary>The host receives a frame.</summary>
    public void Give(byte[] frame) => In(() => Tap.Receive(frame));

    /// <summary>The host receives an IP packet from the peer's link address.</summary>
    public void GiveIp(byte[] packet, byte[]? to = null) => Give(Frame(to ?? Mac, PeerMac, ETH_P_IP, packet));

    /// <summary>What was sent of one protocol, without the link header; forgets it.</summary>
    public List<byte[]> Take(int type)
    {
        List<byte[]> taken = [.. Sent.Where(f => BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(12)) == type).Select(f => f[14..])];
        Sent.RemoveAll(f => BinaryPrimitives.ReadUInt16BigEndian(f.AsSpan(12)) == type);
        return taken;
    }

    /// <summary>The host learns the peer's link address.</summary>
    public void Introduce(uint peer = Peer, byte[]? mac = null)
    {
        Give(Frame(Mac, mac ?? PeerMac, ETH_P_ARP, Arp(1, peer, mac ?? PeerMac, Host, new byte[6])));
        Sent.Clear();
    }

    /// <summary>A UDP socket of the host; the test closes it.</summary>
    public TestSocket NewUdp()
    {
        TaskStruct task = machine.NewTask();
        using KernelEntry entry = task.Enter();
        Assert.Equal(0, Linnet.Kernel.Net.Socket.SockCreate(SocketH.AF_INET, SocketH.SOCK_DGRAM, 0, out Linnet.Kernel.Net.Socket? sock));
        return new TestSocket(task, sock!);
    }

    public long Count(IpstatsMib counter) => Ipv4.IpStatistics[counter];

    public static byte[] Frame(byte[] to, byte[] from, int type, byte[] payload) =>
        [.. to, .. from, (byte)(type >> 8), (byte)type, .. payload];

    public static byte[] Arp(int op, uint sip, byte[] sha, uint tip, byte[] tha) =>
        [0, 1, 8, 0, 6, 4, 0, (byte)op, .. sha, .. Be(sip), .. tha, .. Be(tip)];

    /// <summary>An IP packet with a right checksum.</summary>
    public static byte[] Ip(
        uint from, uint to, int protocol, byte[] payload, int id = 1, int fragOff = 0, int ttl = 64, int tos = 0, byte[]? options = null)
    {
        options ??= [];
        int headerLength = 20 + options.Length;
        byte[] packet = new byte[headerLength + payload.Length];
        Iphdr iph = new(packet)
        {
            VersionIhl = (byte)(0x40 | headerLength / 4),
            Tos = (byte)tos,
            TotLen = (ushort)packet.Length,
            Id = (ushort)id,
            FragOff = (ushort)fragOff,
            Ttl = (byte)ttl,
            Protocol = (byte)protocol,
            Saddr = from,
            Daddr = to,
        };
        options.CopyTo(packet, 20);
        payload.CopyTo(packet, headerLength);
        iph.SendCheck();
        return packet;
    }

    /// <summary>An ICMP message with a right checksum.</summary>
    public static byte[] IcmpMessage(int type, int code, uint second, byte[] data)
    {
        byte[] message = [(byte)type, (byte)code, 0, 0, .. Be(second), .. data];
        ushort sum = Checksum.CsumFold(Checksum.CsumPartial(message, 0));
        BinaryPrimitives.WriteUInt16BigEndian(message.AsSpan(2), sum);
        return message;
    }

    public static byte[] Echo(uint from, uint to, byte[] data, int ttl = 64) =>
        Ip(from, to, IPPROTO_ICMP, IcmpMessage(8, 0, 0x00010001, data), ttl: ttl);

    public static byte[] Be(uint value) => [(byte)(value >> 24), (byte)(value >> 16), (byte)(value >> 8), (byte)value];

    public static uint Addr(string text)
    {
        string[] parts = text.Split('.');
        return uint.Parse(parts[0]) << 24 | uint.Parse(parts[1]) << 16 | uint.Parse(parts[2]) << 8 | uint.Parse(parts[3]);
    }

    public void Dispose() => machine.Dispose();
}
