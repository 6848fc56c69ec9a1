using System.Buffers.Binary;
using System.Runtime.CompilerServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// A view of an ARP message for IPv4 (RFC 826). Values are in host order. Making one over too few bytes throws.
/// </summary>
[LinuxStruct("arphdr")]
public readonly ref struct Arphdr
{
    private readonly Span<byte> bytes;
    private readonly int hln;

    /// <summary>A view of a message.</summary>
    /// <param name="bytes">The message, and whatever follows it.</param>
    /// <param name="hln">Bytes of link address.</param>
    public Arphdr(Span<byte> bytes, int hln)
    {
        this.bytes = bytes[..SizeOf(hln)];
        this.hln = hln;
    }

    /// <summary>Kind of link, <c>ARPHRD_*</c>.</summary>
    public ushort Hrd
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes, value);
    }

    /// <summary>Protocol of the addresses, <c>ETH_P_IP</c>.</summary>
    public ushort Pro
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[2..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[2..], value);
    }

    /// <summary>Bytes of link address.</summary>
    public byte Hln
    {
        get => bytes[4];
        set => bytes[4] = value;
    }

    /// <summary>Bytes of protocol address.</summary>
    public byte Pln
    {
        get => bytes[5];
        set => bytes[5] = value;
    }

    /// <summary>Operation, <c>ARPOP_*</c>.</summary>
    public ushort Op
    {
        get => BinaryPrimitives.ReadUInt16BigEndian(bytes[6..]);
        set => BinaryPrimitives.WriteUInt16BigEndian(bytes[6..], value);
    }

    /// <summary>Link address of the sender.</summary>
    public Span<byte> Sha => bytes.Slice(8, hln);

    /// <summary>IPv4 address of the sender.</summary>
    public uint Sip
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(bytes[(8 + hln)..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(bytes[(8 + hln)..], value);
    }

    /// <summary>Link address of the target.</summary>
    public Span<byte> Tha => bytes.Slice(12 + hln, hln);

    /// <summary>IPv4 address of the target.</summary>
    public uint Tip
    {
        get => BinaryPrimitives.ReadUInt32BigEndian(bytes[(12 + 2 * hln)..]);
        set => BinaryPrimitives.WriteUInt32BigEndian(bytes[(12 + 2 * hln)..], value);
    }

    /// <summary>Bytes of a message (<c>arp_hdr_len</c>).</summary>
    public static int SizeOf(int hln) => 16 + 2 * hln;
}

/// <summary>The neighbours of IPv4 (<c>arp_tbl</c>).</summary>
[LinuxFile("net/ipv4/arp.c")]
public sealed class ArpTable(NetNamespace net) : NeighTable(net)
{
    private static readonly StateSlot<NeighParms> Slot = new();

    /// <inheritdoc/>
    public override NeighParms? ParmsOf(NetDevice dev) => Slot.Find(dev.Slots);

    internal void AddDevice(NetDevice dev) => Slot.Set(dev.Slots, DefaultParms.Clone());

    /// <inheritdoc/>
    public override int Family => AF_INET;

    /// <inheritdoc/>
    public override int KeyLen => sizeof(uint);

    /// <inheritdoc/>
    [Linux("arp_constructor")]
    protected override int Constructor(Neighbour neighbour)
    {
        NetDevice dev = neighbour.Dev;
        uint addr = (uint)neighbour.Key;
        if (InDevice.Get(dev) == null)
            return -EINVAL;
        int type = FibFrontend.InetAddrTypeDevTable(Net, dev, addr);
        neighbour.Type = (byte)type;
        if (type == RTN_MULTICAST)
        {
            neighbour.SetStatic(Nud.NOARP, MulticastAddress(addr, dev));
        }
        else if ((dev.Flags & (IFF_NOARP | IFF_LOOPBACK)) != 0)
        {
            neighbour.SetStatic(Nud.NOARP, dev.DevAddr);
        }
        else if (type == RTN_BROADCAST || (dev.Flags & IFF_POINTOPOINT) != 0)
        {
            neighbour.SetStatic(Nud.NOARP, dev.Broadcast);
        }

        return 0;
    }

    /// <inheritdoc/>
    [Linux("arp_solicit")]
    protected internal override void Solicit(Neighbour neighbour, SkBuff? skb)
    {
        NetDevice dev = neighbour.Dev;
        if (InDevice.Get(dev) is not { } inDev)
            return;
        uint target = (uint)neighbour.Key;
        uint source = SourceFor(inDev, target, skb);
        if (source == 0)
            source = Devinet.InetSelectAddr(dev, target, RT_SCOPE_LINK);
        // A known neighbour is asked directly first, then a program where there is one, then everybody.
        int probes = neighbour.Probes - neighbour.Parms.UcastProbes;
        if (probes >= 0 && probes < neighbour.Parms.AppProbes)
        {
            AppNs?.Invoke(neighbour);
            return;
        }

        Arp.ArpSend(ARPOP_REQUEST, target, dev, source, probes < 0 ? neighbour.Ha : default, dev.DevAddr, default);
    }

    /// <inheritdoc/>
    [Linux("parp_redo")]
    protected override void ProxyRedo(SkBuff skb)
    {
        if (!Arp.ArpProcess(skb, skb.Dev!, waited: true))
            skb.Free();
    }

    /// <inheritdoc/>
    [Linux("arp_error_report")]
    protected internal override void ErrorReport(Neighbour neighbour, SkBuff skb)
    {
        if (skb.Dst is Rtable rt)
            Route.Ipv4LinkFailure(rt, skb);
        skb.Free();
    }

    // net.ipv4.conf.*.arp_announce: 0 any local address of the waiting packet, 1 one of the target's subnet, 2 the best.
    private static uint SourceFor(InDevice inDev, uint target, SkBuff? skb)
    {
        if (skb == null || skb.NetworkHeader == SkBuff.NoHeader || skb.NetworkHeaderSpan.Length < Iphdr.Size)
            return 0;
        uint source = skb.IpHdr.Saddr;
        NetNamespace net = inDev.Dev.Net;
        switch (inDev.MaxConf(Ipv4Devconf.ArpAnnounce))
        {
            case 0:
                return FibFrontend.InetAddrTypeDevTable(net, inDev.Dev, source) == RTN_LOCAL ? source : 0;
            case 1:
                return FibFrontend.InetAddrTypeDevTable(net, inDev.Dev, source) == RTN_LOCAL
                    && Devinet.InetAddrOnlink(inDev, target, source) ? source : 0;
            default:
                return 0;
        }
    }

    // RFC 1112 section 6.4; links without multicast send to everybody.
    private static byte[] MulticastAddress(uint group, NetDevice dev)
    {
        if (dev.Type != ARPHRD_ETHER || (dev.Flags & IFF_MULTICAST) == 0)
            return dev.Broadcast;
        return IpEthMcMap(group);
    }

    /// <summary>The Ethernet address of a group (RFC 1112 section 6.4).</summary>
    [Linux("ip_eth_mc_map", "include/net/ip.h")]
    internal static byte[] IpEthMcMap(uint group) => [0x01, 0x00, 0x5e, (byte)(group >> 16 & 0x7f), (byte)(group >> 8), (byte)group];
}

/// <summary>Receives packets of protocol <c>ETH_P_ARP</c> (<c>arp_packet_type</c>).</summary>
public sealed class ArpPacketType() : PacketType(ETH_P_ARP)
{
    /// <inheritdoc/>
    public override int Func(SkBuff skb, NetDevice dev) => Arp.ArpRcv(skb, dev);
}

/// <summary>The address resolution protocol (RFC 826, RFC 5227).</summary>
[LinuxFile("net/ipv4/arp.c")]
public static partial class Arp
{
    /// <summary>Registers ARP on a machine that boots.</summary>
    [Linux("arp_init")]
    public static void ArpInit(Machine machine) => NetCore.Of(machine).DevAddPack(new ArpPacketType());

    /// <summary>The neighbour that packets to a next hop go to; made when there is none (<c>ip_neigh_gw4</c>).</summary>
    [MethodImpl(MethodImplOptions.AggressiveInlining)]
    public static Neighbour? IpNeighGw4(NetDevice dev, uint nexthop)
    {
        uint key = KeyOf(dev, nexthop);
        NeighTable table = dev.Net.Ipv4.ArpTbl;
        return table.Lookup(key, dev) ?? table.Create(key, dev);
    }

    /// <summary>The neighbour that packets to a next hop go to, or null (<c>__ipv4_neigh_lookup</c>).</summary>
    public static Neighbour? Ipv4NeighLookup(NetDevice dev, uint nexthop) =>
        dev.Net.Ipv4.ArpTbl.Lookup(KeyOf(dev, nexthop), dev);

    /// <summary>A device's link came or went: without it, what was learned of its neighbours may not be true any more.</summary>
    [Linux("arp_netdev_event")]
    internal static void ArpNetdevEvent(InDevice inDev)
    {
        NetDevice dev = inDev.Dev;
        if (!dev.IsRunning && inDev.AndConf(Ipv4Devconf.ArpEvictNocarrier))
            dev.Net.Ipv4.ArpTbl.NeighCarrierDown(dev);
    }

    /// <summary>Sends a message.</summary>
    /// <param name="op">Operation, <c>ARPOP_*</c>.</param>
    /// <param name="destIp">Target's address.</param>
    /// <param name="dev">The device.</param>
    /// <param name="srcIp">Sender's address.</param>
    /// <param name="destHw">Link address to send to; empty for everybody.</param>
    /// <param name="srcHw">Sender's link address.</param>
    /// <param name="targetHw">Target's link address; empty when not known.</param>
    [Linux("arp_send")]
    public static void ArpSend(
        int op, uint destIp, NetDevice dev, uint srcIp, ReadOnlySpan<byte> destHw, ReadOnlySpan<byte> srcHw,
        ReadOnlySpan<byte> targetHw)
    {
        if ((dev.Flags & IFF_NOARP) != 0)
            return;
        int hln = dev.DevAddr.Length;
        SkBuff skb = dev.Net.SkbPool.Alloc(dev.HardHeaderLen + 16 + Arphdr.SizeOf(hln));
        skb.Reserve((dev.HardHeaderLen + 15) & ~15);
        skb.ResetNetworkHeader();
        Arphdr arp = new(skb.Put(Arphdr.SizeOf(hln)), hln)
        {
            Hrd = dev.Type,
            Pro = ETH_P_IP,
            Hln = (byte)hln,
            Pln = 4,
            Op = (ushort)op,
            Sip = srcIp,
            Tip = destIp,
        };
        srcHw.CopyTo(arp.Sha);
        if (targetHw.IsEmpty)
            arp.Tha.Clear();
        else
            targetHw.CopyTo(arp.Tha);
        skb.Dev = dev;
        skb.Protocol = ETH_P_ARP;
        if (dev.HeaderOps.Create(skb, dev, ETH_P_ARP, destHw.IsEmpty ? dev.Broadcast : destHw, srcHw) < 0)
        {
            skb.Free();
            return;
        }

        ArpXmit(skb);
    }

    /// <summary>A message came in; its data begins at the ARP header. Takes over the packet.</summary>
    [Linux("arp_rcv")]
    internal static int ArpRcv(SkBuff skb, NetDevice dev)
    {
        int size = Arphdr.SizeOf(dev.DevAddr.Length);
        if ((dev.Flags & IFF_NOARP) == 0 && skb.PktType is not (PACKET_OTHERHOST or PACKET_LOOPBACK)
            && skb.PskbMayPull(size))
        {
            Arphdr arp = new(skb.Data, dev.DevAddr.Length);
            if (arp.Hln == dev.DevAddr.Length && arp.Pln == 4 && ArpProcess(skb, dev, waited: false))
                return 0;
        }

        skb.Free();
        return 0;
    }

    /// <summary>Answers a message, and learns from it.</summary>
    /// <param name="skb">The message.</param>
    /// <param name="dev">The device that it came in by.</param>
    /// <param name="waited">Whether it waited for its answer on behalf of another host already.</param>
    /// <returns>Whether the packet was taken over, since it has to wait.</returns>
    [Linux("arp_process")]
    internal static bool ArpProcess(SkBuff skb, NetDevice dev, bool waited)
    {
        Arphdr arp = new(skb.Data, dev.DevAddr.Length);
        if (InDevice.Get(dev) is not { } inDev || !TypeFits(dev, arp) || arp.Op is not (ARPOP_REQUEST or ARPOP_REPLY))
            return false;
        uint sip = arp.Sip;
        uint tip = arp.Tip;
        if (Ipv4Addr.IsMulticast(tip) || (Ipv4Addr.IsLoopback(tip) && !inDev.OrConf(Ipv4Devconf.RouteLocalnet)))
            return false;
        if (sip == tip && inDev.OrConf(Ipv4Devconf.DropGratuitousArp))
            return false;
        if (sip == 0)
        {
            // Somebody probes for a duplicate of the address that it wants (RFC 5227 section 2.1.1).
            if (arp.Op == ARPOP_REQUEST && FibFrontend.InetAddrTypeDevTable(dev.Net, dev, tip) == RTN_LOCAL
                && !ArpIgnore(inDev, sip, tip))
                ArpSend(ARPOP_REPLY, sip, dev, tip, arp.Sha, dev.DevAddr, arp.Sha);
            return false;
        }

        if (arp.Op == ARPOP_REQUEST && AnswerRequest(skb, inDev, arp, waited, out bool taken))
            return taken;
        Learn(skb, inDev, arp);
        return false;
    }

    private static bool TypeFits(NetDevice dev, Arphdr arp)
    {
        bool hardware = arp.Hrd == dev.Type || (dev.Type == ARPHRD_ETHER && arp.Hrd == ARPHRD_IEEE802);
        return hardware && arp.Pro == ETH_P_IP;
    }

    // Who asks for an address of this host's, or one that it answers for, is answered, and known from then on.
    private static bool AnswerRequest(SkBuff skb, InDevice inDev, Arphdr arp, bool waited, out bool taken)
    {
        taken = false;
        NetDevice dev = inDev.Dev;
        // The rules on source addresses hold for ARP too.
        if (Route.IpRouteInput(skb, arp.Tip, arp.Sip, 0, dev) != 0)
            return false;
        Rtable rt = (Rtable)skb.Dst!;
        skb.Dst = null;
        if (rt.RtType == RTN_LOCAL)
        {
            if (ArpIgnore(inDev, arp.Sip, arp.Tip))
                return true;
            if (inDev.OrConf(Ipv4Devconf.ArpFilter) && ArpFilter(arp.Sip, arp.Tip, dev))
                return true;
            if (NeighEventNs(dev, arp.Sip, arp.Sha) != null)
                ArpSend(ARPOP_REPLY, arp.Sip, dev, arp.Tip, arp.Sha, dev.DevAddr, arp.Sha);
            return true;
        }

        if (rt.RtType != RTN_UNICAST || inDev.Cnf[Ipv4Devconf.Forwarding] == 0 || !ProxyFor(inDev, rt, arp.Sip, arp.Tip))
            return false;
        NeighEventNs(dev, arp.Sip, arp.Sha);
        NeighTable table = dev.Net.Ipv4.ArpTbl;
        NeighParms parms = table.ParmsOf(dev)!;
        if (waited || skb.PktType == PACKET_HOST || parms.ProxyDelay == 0)
        {
            ArpSend(ARPOP_REPLY, arp.Sip, dev, arp.Tip, arp.Sha, dev.DevAddr, arp.Sha);
        }
        else
        {
            table.PneighEnqueue(parms, skb);
            taken = true;
        }

        return true;
    }

    private static bool ProxyFor(InDevice inDev, Rtable rt, uint sip, uint tip) =>
        ArpFwdProxy(inDev, rt) || ArpFwdPvlan(inDev, rt, sip, tip)
        || (rt.Dev != inDev.Dev && inDev.Dev.Net.Ipv4.ArpTbl.PneighLookup(tip, inDev.Dev) != null);

    /// <summary>Whether this host answers for what is behind it (<c>proxy_arp</c>), unless both are on one medium.</summary>
    [Linux("arp_fwd_proxy")]
    private static bool ArpFwdProxy(InDevice inDev, Rtable rt)
    {
        if (rt.Dev == inDev.Dev || !inDev.OrConf(Ipv4Devconf.ProxyArp))
            return false;
        int medium = inDev.Cnf[Ipv4Devconf.MediumId];
        if (medium is 0 or -1)
            return medium == 0;
        int other = InDevice.Get(rt.Dev)?.Cnf[Ipv4Devconf.MediumId] ?? -1;
        return other != medium && other != -1;
    }

    /// <summary>
    /// Whether this host answers for others on the same link, whose switch keeps them apart (RFC 3069;
    /// <c>proxy_arp_pvlan</c>).
    /// </summary>
    [Linux("arp_fwd_pvlan")]
    private static bool ArpFwdPvlan(InDevice inDev, Rtable rt, uint sip, uint tip) =>
        rt.Dev == inDev.Dev && sip != tip && inDev.OrConf(Ipv4Devconf.ProxyArpPvlan);

    private static void Learn(SkBuff skb, InDevice inDev, Arphdr arp)
    {
        NetDevice dev = inDev.Dev;
        NeighTable table = dev.Net.Ipv4.ArpTbl;
        Neighbour? n = table.Lookup(arp.Sip, dev);
        bool accept = ArpAccept(inDev, arp.Sip);
        if (n == null && !accept)
            return;
        bool gratuitous = ArpIsGarp(dev, arp);
        if (n == null && (gratuitous || (arp.Op == ARPOP_REPLY
            && FibFrontend.InetAddrTypeDevTable(dev.Net, dev, arp.Sip) == RTN_UNICAST)))
            n = table.LookupOrCreate(arp.Sip, dev);
        if (n == null)
            return;
        // Of several answers in short order the first counts: proxies are slower than the host itself.
        bool overrides = dev.Net.Machine.Clock.Jiffies > n.Updated + n.Parms.Locktime || gratuitous;
        bool solicited = arp.Op == ARPOP_REPLY && skb.PktType == PACKET_HOST;
        n.Update(arp.Sha, solicited ? Nud.REACHABLE : Nud.STALE, overrides ? NeighUpdate.Override : NeighUpdate.None);
    }

    /// <summary>Whether neighbours are learned from messages that nobody asked for: 1 all, 2 those of the device's subnets.</summary>
    [Linux("arp_accept")]
    private static bool ArpAccept(InDevice inDev, uint sip) => inDev.MaxConf(Ipv4Devconf.ArpAccept) switch
    {
        1 => true,
        2 => Devinet.InetConfirmAddr(inDev.Dev.Net, inDev, sip, 0, RT_SCOPE_LINK) != 0,
        _ => false,
    };

    /// <summary>Whether a host announces its own address; in a reply the target's link address has to be its own too.</summary>
    [Linux("arp_is_garp")]
    private static bool ArpIsGarp(NetDevice dev, Arphdr arp) =>
        arp.Tip == arp.Sip && (arp.Op != ARPOP_REPLY || arp.Tha.SequenceEqual(arp.Sha))
        && FibFrontend.InetAddrTypeDevTable(dev.Net, dev, arp.Sip) == RTN_UNICAST;

    [Linux("neigh_event_ns", "net/core/neighbour.c")]
    private static Neighbour? NeighEventNs(NetDevice dev, uint addr, ReadOnlySpan<byte> lladdr)
    {
        Neighbour? n = dev.Net.Ipv4.ArpTbl.LookupOrCreate(addr, dev);
        n?.Update(lladdr, Nud.STALE, NeighUpdate.Override);
        return n;
    }

    /// <summary>Whether a request goes unanswered by <c>arp_ignore</c>.</summary>
    [Linux("arp_ignore")]
    private static bool ArpIgnore(InDevice inDev, uint sip, uint tip)
    {
        NetNamespace net = inDev.Dev.Net;
        switch (inDev.MaxConf(Ipv4Devconf.ArpIgnore))
        {
            case 0:
                return false;
            case 1:
                return Devinet.InetConfirmAddr(net, inDev, 0, tip, RT_SCOPE_HOST) == 0;
            case 2:
                return Devinet.InetConfirmAddr(net, inDev, sip, tip, RT_SCOPE_HOST) == 0;
            case 3:
                return Devinet.InetConfirmAddr(net, null, 0, tip, RT_SCOPE_LINK) == 0;
            case 8:
                return true;
            default:
                return false;
        }
    }

    /// <summary>Whether a request goes unanswered because an answer would leave by another device (<c>arp_filter</c>).</summary>
    [Linux("arp_filter")]
    private static bool ArpFilter(uint sip, uint tip, NetDevice dev)
    {
        Flowi4 fl4 = new() { Daddr = sip, Saddr = tip };
        if (Route.IpRouteOutputKey(dev.Net, ref fl4, out Rtable? rt) < 0)
            return true;
        if (rt!.Dev == dev)
            return false;
        dev.Net.Ipv4.NetStatistics.Inc(LinuxMib.ArpFilter);
        return true;
    }

    [Linux("arp_xmit")]
    private static void ArpXmit(SkBuff skb) => Dev.DevQueueXmit(skb);

    private static uint KeyOf(NetDevice dev, uint nexthop) =>
        (dev.Flags & (IFF_LOOPBACK | IFF_POINTOPOINT)) != 0 ? INADDR_ANY : nexthop;
}
