using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What a device can do, so that the layers above leave it to the device (<c>NETIF_F_*</c>).</summary>
[Flags]
public enum NetdevFeatures : uint
{
    /// <summary>Nothing.</summary>
    None = 0,

    /// <summary>Fills in checksums of packets that are <see cref="ChecksumState.Partial"/>.</summary>
    HwCsum = 1 << 0,

    /// <summary>Takes packets with fragments.</summary>
    Sg = 1 << 1,

    /// <summary>Takes TCP packets of many segments.</summary>
    Tso = 1 << 2,

    /// <summary>Takes UDP packets of many segments.</summary>
    GsoUdpL4 = 1 << 3,

    /// <summary>Does its own locking; its transmit function may be called by several threads.</summary>
    Lltx = 1 << 4,

    /// <summary>Hands packets back to this machine (<c>NETIF_F_LOOPBACK</c>).</summary>
    Loopback = 1 << 5,

    /// <summary>Puts VLAN tags into frames itself, or hands them on beside them (<c>NETIF_F_HW_VLAN_*TAG_TX</c>).</summary>
    HwVlanTx = 1 << 6,

    /// <summary>Cannot carry VLANs (<c>NETIF_F_VLAN_CHALLENGED</c>).</summary>
    VlanChallenged = 1 << 7,
}

/// <summary>Counters of a device (<c>struct rtnl_link_stats64</c>); each is atomic.</summary>
[LinuxStruct("rtnl_link_stats64")]
public struct NetDeviceStats
{
    /// <summary>Packets received.</summary>
    public long RxPackets;

    /// <summary>Bytes received.</summary>
    public long RxBytes;

    /// <summary>Bad packets received.</summary>
    public long RxErrors;

    /// <summary>Packets received and dropped for want of room.</summary>
    public long RxDropped;

    /// <summary>Multicast packets received.</summary>
    public long Multicast;

    /// <summary>Packets sent.</summary>
    public long TxPackets;

    /// <summary>Bytes sent.</summary>
    public long TxBytes;

    /// <summary>Packets that could not be sent.</summary>
    public long TxErrors;

    /// <summary>Packets dropped instead of sent.</summary>
    public long TxDropped;

    /// <summary>Packets lost because the carrier was off.</summary>
    public long TxCarrierErrors;
}

/// <summary>
/// A network device (<c>struct net_device</c>): an interface with a name, addresses, queues and counters, and a driver
/// behind <see cref="Ops"/>.
/// </summary>
[LinuxStruct("net_device")]
public sealed class NetDevice
{
    /// <summary>Counters.</summary>
    public NetDeviceStats Stats;

    internal NetDevice(NetNamespace net, string name, NetDeviceOps ops, HeaderOps headerOps)
    {
        Net = net;
        Name = name;
        Ops = ops;
        HeaderOps = headerOps;
    }

    /// <summary>The namespace that the device is in.</summary>
    public NetNamespace Net { get; internal set; }

    /// <summary>Name, at most 15 bytes.</summary>
    public string Name { get; internal set; }

    /// <summary>Index, unique in the namespace; 1 is the loopback device.</summary>
    public int Ifindex { get; internal set; }

    /// <summary>Kind of link, <c>ARPHRD_*</c>.</summary>
    public ushort Type { get; init; } = ARPHRD_ETHER;

    /// <summary><c>IFF_*</c></summary>
    public uint Flags { get; internal set; }

    /// <summary>What users asked for of <c>IFF_PROMISC</c> and <c>IFF_ALLMULTI</c> (<c>gflags</c>).</summary>
    public uint Gflags { get; internal set; }

    /// <summary>Largest network packet, in bytes.</summary>
    public int Mtu { get; internal set; } = 1500;

    /// <summary>Bytes of link header.</summary>
    public int HardHeaderLen { get; init; } = ETH_HLEN;

    /// <summary>Link address, six bytes for Ethernet.</summary>
    public byte[] DevAddr { get; internal set; } = new byte[ETH_ALEN];

    /// <summary>Link broadcast address.</summary>
    public byte[] Broadcast { get; init; } = [255, 255, 255, 255, 255, 255];

    /// <summary>What the device does for the layers above.</summary>
    public NetdevFeatures Features { get; internal set; }

    /// <summary>Largest packet of many segments that the device takes, in bytes.</summary>
    public int GsoMaxSize { get; internal set; } = 65536;

    /// <summary>Length of the transmit queue, in packets; 0 for none.</summary>
    public int TxQueueLen { get; internal set; } = 1000;

    /// <summary>Whether the device sends at once unless it is told otherwise (<c>IFF_NO_QUEUE</c>): its other end is memory.</summary>
    public bool NoQueue { get; init; }

    /// <summary>How often the link came up (<c>carrier_up_count</c>).</summary>
    public int CarrierUpCount { get; internal set; }

    /// <summary>How often it was lost (<c>carrier_down_count</c>).</summary>
    public int CarrierDownCount { get; internal set; }

    /// <summary>Whether it was ever up, and has sent at once or through a discipline since.</summary>
    public bool HasBeenUp { get; internal set; }

    /// <summary>The driver.</summary>
    public NetDeviceOps Ops { get; }

    /// <summary>How link headers are made.</summary>
    public HeaderOps HeaderOps { get; }

    /// <summary>The queueing discipline, or null to send at once.</summary>
    public Qdisc? Qdisc { get; set; }

    /// <summary>State of the driver.</summary>
    public object? Priv { get; internal set; }

    /// <summary>What protocols keep for the device (<c>in_device</c> and so on).</summary>
    public SlotTable Slots { get; } = new();

    /// <summary>How many want the device to take frames for others (<c>promiscuity</c>).</summary>
    public int Promiscuity { get; internal set; }

    /// <summary>How many want it to take all multicast frames (<c>allmulti</c>).</summary>
    public int Allmulti { get; internal set; }

    /// <summary>Multicast link addresses that the device takes (<c>mc</c>); replaced whole.</summary>
    public NetdevHwAddr[] Mc { get; internal set => Volatile.Write(ref field, value); } = [];

    /// <summary>Captures and packet sockets that see all packets of the device.</summary>
    public PacketTap[] Taps { get; internal set; } = [];

    /// <summary>Sees frames before the protocols do, or null (<c>rx_handler</c>).</summary>
    public RxHandler? RxHandler { get; internal set => Volatile.Write(ref field, value); }

    /// <summary>The device that this one is a part of, as a bridge, or null (<c>netdev_master_upper_dev_get</c>).</summary>
    public NetDevice? Master { get; internal set; }

    /// <summary>The device that this one lies over, as a VLAN does, or null.</summary>
    public NetDevice? Lower { get; internal set; }

    /// <summary>The VLANs on the device, or null.</summary>
    public VlanReceiver? Vlans { get; internal set => Volatile.Write(ref field, value); }

    /// <summary>Whether the device is administratively up.</summary>
    public bool IsUp => (Flags & IFF_UP) != 0;

    /// <summary>Whether it is up and its link too (<c>netif_running</c> and <c>netif_carrier_ok</c>).</summary>
    public bool IsRunning => (Flags & (IFF_UP | IFF_RUNNING)) == (IFF_UP | IFF_RUNNING);

    /// <inheritdoc/>
    public override string ToString() => Name;
}

/// <summary>A driver (<c>struct net_device_ops</c>).</summary>
[LinuxStruct("net_device_ops")]
public abstract class NetDeviceOps
{
    /// <summary>The device is brought up (<c>ndo_open</c>).</summary>
    public virtual int Open(NetDevice dev) => 0;

    /// <summary>The device is brought down (<c>ndo_stop</c>).</summary>
    public virtual int Stop(NetDevice dev) => 0;

    /// <summary>Sends a packet that has its link header (<c>ndo_start_xmit</c>). Takes over the packet.</summary>
    /// <returns>0 (<c>NETDEV_TX_OK</c>), or 16 (<c>NETDEV_TX_BUSY</c>) with the packet not taken.</returns>
    public abstract int StartXmit(SkBuff skb, NetDevice dev);

    /// <summary>Changes the link address (<c>ndo_set_mac_address</c>).</summary>
    public virtual int SetMacAddress(NetDevice dev, ReadOnlySpan<byte> address) => -EOPNOTSUPP;

    /// <summary>Changes the MTU (<c>ndo_change_mtu</c>); range checks are done.</summary>
    public virtual int ChangeMtu(NetDevice dev, int mtu) => 0;

    /// <summary>Multicast addresses or the flags about them changed (<c>ndo_set_rx_mode</c>).</summary>
    public virtual void SetRxMode(NetDevice dev)
    {
    }

    /// <summary>The device leaves the machine (<c>ndo_uninit</c>).</summary>
    public virtual void Uninit(NetDevice dev)
    {
    }
}

/// <summary>How a kind of link writes its headers (<c>struct header_ops</c>).</summary>
[LinuxStruct("header_ops")]
public abstract class HeaderOps
{
    /// <summary>Pushes a link header (<c>create</c>).</summary>
    /// <param name="skb">The packet, with its data at the network header.</param>
    /// <param name="dev">The device.</param>
    /// <param name="type">Protocol, <c>ETH_P_*</c>.</param>
    /// <param name="daddr">Destination; empty when not known yet.</param>
    /// <param name="saddr">Source; empty for the device's own.</param>
    /// <returns>The header's length, negative when <paramref name="daddr"/> is missing.</returns>
    public abstract int Create(SkBuff skb, NetDevice dev, ushort type, ReadOnlySpan<byte> daddr, ReadOnlySpan<byte> saddr);

    /// <summary>Reads the source address of the packet's link header (<c>parse</c>).</summary>
    /// <returns>The address; empty when there is none.</returns>
    public abstract ReadOnlySpan<byte> Parse(SkBuff skb);
}

/// <summary>Sees packets that go out by and come in on a device (<c>ptype_all</c>).</summary>
public abstract class PacketTap
{
    /// <summary>Called with a packet whose link header is in place; it must not be changed or kept, a clone may be.</summary>
    /// <param name="skb">The packet; <see cref="SkBuff.MacHeader"/> says where the frame begins.</param>
    /// <param name="dev">The device.</param>
    /// <param name="outgoing">Whether the packet is being sent.</param>
    public abstract void Packet(SkBuff skb, NetDevice dev, bool outgoing);
}
