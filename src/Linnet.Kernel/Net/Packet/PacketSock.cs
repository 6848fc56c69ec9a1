using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Packet;

/// <summary>A packet socket (<c>struct packet_sock</c>). The binding is changed with the socket owned.</summary>
[LinuxStruct("packet_sock")]
public sealed class PacketSock : Sock
{
    /// <summary>Protocol that is listened to, <c>ETH_P_*</c>; 0 for none (<c>num</c>).</summary>
    public volatile ushort Num;

    /// <summary>Index of the device that is listened on; 0 for all, -1 once it is gone.</summary>
    public int Ifindex;

    /// <summary>The device itself, or null for all.</summary>
    public NetDevice? Dev;

    /// <summary>Whether packets are delivered.</summary>
    public volatile bool Running;

    /// <summary><c>PACKET_AUXDATA</c></summary>
    public bool Auxdata;

    /// <summary><c>PACKET_ORIGDEV</c></summary>
    public bool Origdev;

    /// <summary><c>PACKET_IGNORE_OUTGOING</c></summary>
    public bool IgnoreOutgoing;

    /// <summary>
    /// Packets delivered since <c>PACKET_STATISTICS</c> was read; guarded by the receive queue's lock.
    /// </summary>
    public uint TpPackets;

    /// <summary>Packets dropped since then; atomic.</summary>
    public int TpDrops;

    /// <summary>What was asked of devices with <c>PACKET_ADD_MEMBERSHIP</c>; used with the socket owned.</summary>
    internal readonly List<PacketMembership> Memberships = [];

    internal PacketSock() => Hook = new PacketHook(this);

    internal PacketHook Hook { get; }
}

/// <summary>One request to a device (<c>struct packet_mclist</c>), and how often it was made.</summary>
internal sealed class PacketMembership(int ifindex, ushort type, byte[] address)
{
    public int Count = 1;

    public int Ifindex { get; } = ifindex;

    public ushort Type { get; } = type;

    public byte[] Address { get; } = address;

    public bool Matches(int ifindex, ushort type, ReadOnlySpan<byte> address) =>
        Ifindex == ifindex && Type == type && address.SequenceEqual(Address);
}

/// <summary>The socket's place among the taps of devices (<c>prot_hook</c>).</summary>
internal sealed class PacketHook(PacketSock sk) : PacketTap
{
    public override void Packet(SkBuff skb, NetDevice dev, bool outgoing)
    {
        ushort wanted = sk.Num;
        // Only who wants everything sees what is sent, and nobody sees what he sent himself.
        bool all = wanted == ETH_P_ALL;
        if (outgoing ? !all || sk.IgnoreOutgoing || skb.Sk == sk : !all && wanted != skb.Protocol)
            return;
        if (sk.Running && skb.PktType != PACKET_LOOPBACK && dev.Net == sk.SkNet)
            AfPacket.PacketRcv(sk, skb, dev, outgoing);
    }
}

/// <summary>The packet sockets of a machine, for notifications and <c>/proc/net/packet</c>.</summary>
internal sealed class PacketTable
{
    private PacketSock[] socks = [];

    public PacketSock[] All => Volatile.Read(ref socks);

    public void Add(PacketSock sk)
    {
        lock (this)
            Volatile.Write(ref socks, [.. socks, sk]);
    }

    public void Remove(PacketSock sk)
    {
        lock (this)
            Volatile.Write(ref socks, [.. socks.Where(other => other != sk)]);
    }
}
