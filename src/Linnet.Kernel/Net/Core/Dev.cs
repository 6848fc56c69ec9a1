using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Packets between protocols and devices. Going out: queueing discipline, segmentation and checksums where the device does
/// not do them, taps, driver. Coming in: the CPU's backlog, taps, the network protocol.
/// </summary>
[LinuxFile("net/core/dev.c")]
public static partial class Dev
{
    /// <summary>A packet was accepted (<c>NET_XMIT_SUCCESS</c>).</summary>
    public const int NET_XMIT_SUCCESS = 0;

    /// <summary>A packet was dropped (<c>NET_XMIT_DROP</c>).</summary>
    public const int NET_XMIT_DROP = 1;

    /// <summary>A packet was accepted, but one was or soon will be dropped (<c>NET_XMIT_CN</c>).</summary>
    public const int NET_XMIT_CN = 2;

    /// <summary>The driver took the packet.</summary>
    public const int NETDEV_TX_OK = 0;

    /// <summary>The driver has no room; the packet was not taken.</summary>
    public const int NETDEV_TX_BUSY = 0x10;

    /// <summary>A received packet was taken in (<c>NET_RX_SUCCESS</c>).</summary>
    public const int NET_RX_SUCCESS = 0;

    /// <summary>A received packet was dropped (<c>NET_RX_DROP</c>).</summary>
    public const int NET_RX_DROP = 1;

    /// <summary>
    /// Sends a packet that has its link header by its device (<c>dev_queue_xmit</c>). Takes over the packet.
    /// </summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or -ENETDOWN.</returns>
    [Linux("__dev_queue_xmit")]
    public static int DevQueueXmit(SkBuff skb)
    {
        NetDevice dev = skb.Dev!;
        skb.ResetMacHeader();
        if ((skb.TxFlags & TxTimestamp.SKBTX_SCHED_TSTAMP) != 0)
            TxTimestamp.SkbTstampTx(skb, skb.Sk, SCM_TSTAMP_SCHED);
        if (dev.Qdisc is { } qdisc)
            return qdisc.XmitSkb(skb);
        if (dev.IsUp)
            return ValidateAndXmit(skb, dev) ? NET_XMIT_SUCCESS : -ENETDOWN;
        Interlocked.Increment(ref dev.Stats.TxDropped);
        skb.Free();
        return -ENETDOWN;
    }

    /// <summary>Does what the device leaves to software and gives the result to the driver (<c>sch_direct_xmit</c>).</summary>
    /// <returns>Whether the driver took it, or a segment of it; what it did not take was freed.</returns>
    internal static bool ValidateAndXmit(SkBuff skb, NetDevice dev)
    {
        // When it was to leave is past; from here on the field would be taken for when it came.
        skb.Tstamp = 0;
        SkBuff? next = ValidateXmitSkb(skb, dev);
        bool sent = false;
        while (next != null)
        {
            SkBuff segment = next;
            next = segment.Next;
            segment.Next = null;
            sent |= DevHardStartXmit(segment, dev);
        }

        return sent;
    }

    /// <summary>Segments and sums what the device does not (<c>validate_xmit_skb</c>).</summary>
    /// <returns>The packet or its segments, linked by <see cref="SkBuff.Next"/>; null when it was dropped.</returns>
    [Linux("validate_xmit_skb")]
    internal static SkBuff? ValidateXmitSkb(SkBuff skb, NetDevice dev)
    {
        if (skb.VlanTagPresent && (dev.Features & NetdevFeatures.HwVlanTx) == 0)
            IfVlan.VlanHwaccelPushInside(skb);
        if (skb.IsGso && NetifNeedsGso(skb, dev))
            return SegmentForDevice(skb, dev);
        if (skb.IpSummed == ChecksumState.Partial && (dev.Features & NetdevFeatures.HwCsum) == 0)
            skb.ChecksumHelp();
        if (skb.DataLen != 0 && (dev.Features & NetdevFeatures.Sg) == 0)
            Bug.On(!skb.PskbMayPull(skb.Len));
        return skb;
    }

    /// <summary>Shows the packet to the taps and gives it to the driver (<c>dev_hard_start_xmit</c>). Takes over the packet.</summary>
    /// <returns>Whether the driver took it; a packet that it did not take was freed and counted.</returns>
    [Linux("dev_hard_start_xmit")]
    internal static bool DevHardStartXmit(SkBuff skb, NetDevice dev)
    {
        if (dev.Taps.Length > 0)
            DevQueueXmitNit(skb, dev);
        if (dev.Ops.StartXmit(skb, dev) == NETDEV_TX_OK)
            return true;
        Interlocked.Increment(ref dev.Stats.TxDropped);
        skb.Free();
        return false;
    }

    /// <summary>
    /// A packet came in on a device, with its data at the network header and its protocol set (<c>netif_rx</c>): queues it on
    /// this CPU. Takes over the packet.
    /// </summary>
    /// <returns><c>NET_RX_SUCCESS</c> or <c>NET_RX_DROP</c>.</returns>
    public static int NetifRx(SkBuff skb)
    {
        // Reading the clock costs more than the rest, so that it is done only while a socket wants to know.
        if (skb.Tstamp == 0 && skb.Dev!.Net.Core.NetstampNeeded)
            skb.Tstamp = skb.Dev.Net.Machine.Clock.RealNow;
        return SoftnetData.This.EnqueueToBacklog(skb);
    }

    /// <summary>Passes a packet that came in up to its protocol (<c>netif_receive_skb</c>). Takes over the packet.</summary>
    [Linux("netif_receive_skb")]
    public static int NetifReceiveSkb(SkBuff skb)
    {
        SkBuff? current = skb;
        while (current is { } packet)
        {
            NetDevice dev = packet.Dev!;
            packet.SkbIif = dev.Ifindex;
            packet.ResetNetworkHeader();
            packet.TransportHeader = packet.NetworkHeader;
            if (IfVlan.EthTypeVlan(packet.Protocol) && !IfVlan.SkbVlanUntag(packet))
                return Drop(packet, dev);
            foreach (PacketTap tap in dev.Taps)
                tap.Packet(packet, dev, outgoing: false);
            if (packet.VlanTagPresent && (VlanReceive(ref current) || current == null))
                continue;
            RxHandlerResult handled = dev.RxHandler?.Handle(packet) ?? RxHandlerResult.Pass;
            if (handled == RxHandlerResult.Consumed)
                return NET_RX_SUCCESS;
            if (handled == RxHandlerResult.Another || (packet.VlanTagPresent && (ForgetTag(ref current) || current == null)))
                continue;
            return dev.Net.Core.FindPacketType(packet.Protocol) is { } type ? type.Func(packet, dev) : Drop(packet, dev);
        }

        return NET_RX_SUCCESS;
    }

    private static bool VlanReceive(ref SkBuff? skb) => skb!.Dev!.Vlans is { } vlans && vlans.DoReceive(ref skb);

    // No VLAN device wanted the packet: it is for nobody here, unless the tag has only a priority. Behind such a tag there may be
    // another one.
    private static bool ForgetTag(ref SkBuff? skb)
    {
        SkBuff packet = skb!;
        while (packet.VlanTagId == 0 && IfVlan.EthTypeVlan(packet.Protocol))
        {
            IfVlan.VlanHwaccelClearTag(packet);
            if (!IfVlan.SkbVlanUntag(packet))
            {
                Drop(packet, packet.Dev!);
                skb = null;
                return false;
            }

            bool received = VlanReceive(ref skb);
            if (received || skb == null)
                return received;
        }

        if (packet.VlanTagId != 0)
            packet.PktType = PACKET_OTHERHOST;
        IfVlan.VlanHwaccelClearTag(packet);
        return false;
    }

    private static int Drop(SkBuff skb, NetDevice dev)
    {
        Interlocked.Increment(ref dev.Stats.RxDropped);
        skb.Free();
        return NET_RX_DROP;
    }

    [Linux("dev_queue_xmit_nit")]
    private static void DevQueueXmitNit(SkBuff skb, NetDevice dev)
    {
        foreach (PacketTap tap in dev.Taps)
            tap.Packet(skb, dev, outgoing: true);
    }

    private static bool NetifNeedsGso(SkBuff skb, NetDevice dev)
    {
        NetdevFeatures needed = (skb.GsoType & GsoType.UdpL4) != 0 ? NetdevFeatures.GsoUdpL4 : NetdevFeatures.Tso;
        return (dev.Features & needed) == 0 || skb.IpSummed != ChecksumState.Partial;
    }

    private static SkBuff? SegmentForDevice(SkBuff skb, NetDevice dev)
    {
        SkBuff? first = Gso.SkbGsoSegment(skb, dev.Features);
        if (first == null)
            Interlocked.Increment(ref dev.Stats.TxDropped);
        skb.Free();
        for (SkBuff? segment = first; segment != null; segment = segment.Next)
        {
            SkBuff? next = segment.Next;
            segment.Next = null;
            ValidateXmitSkb(segment, dev);
            segment.Next = next;
        }

        return first;
    }
}

/// <summary>The packets that came in and that this CPU has yet to process (<c>struct softnet_data</c>).</summary>
[LinuxStruct("softnet_data")]
[LinuxFile("net/core/dev.c")]
internal sealed class SoftnetData : SoftirqAction
{
    private static readonly StateSlot<SoftnetData> Slot = new();

    // net.core.netdev_max_backlog.
    private const int MaxBacklog = 1000;

    private readonly Cpu cpu;
    private SkBuffHead inputPktQueue;

    private SoftnetData(Cpu cpu) => this.cpu = cpu;

    /// <summary>The calling CPU's.</summary>
    public static SoftnetData This
    {
        get
        {
            Cpu cpu = Cpu.This;
            SoftnetData? data = Slot.Find(cpu.Slots);
            if (data == null)
                Slot.Set(cpu.Slots, data = new SoftnetData(cpu));
            return data;
        }
    }

    /// <summary>Queues a packet, or drops it when too many wait (<c>enqueue_to_backlog</c>).</summary>
    [Linux("enqueue_to_backlog")]
    public int EnqueueToBacklog(SkBuff skb)
    {
        if (inputPktQueue.Qlen >= MaxBacklog)
        {
            Interlocked.Increment(ref skb.Dev!.Stats.RxDropped);
            skb.Free();
            return Dev.NET_RX_DROP;
        }

        inputPktQueue.QueueTail(skb);
        cpu.Raise(this);
        return Dev.NET_RX_SUCCESS;
    }

    /// <summary>Processes what is queued (<c>net_rx_action</c>).</summary>
    protected internal override void Run()
    {
        while (inputPktQueue.Dequeue() is { } skb)
            Dev.NetifReceiveSkb(skb);
    }
}
