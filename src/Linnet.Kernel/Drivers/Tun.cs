using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ethernet;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Drivers;

/// <summary>
/// A device whose other end is a program (<c>tun</c> and <c>tap</c>): what the stack sends is given to
/// <see cref="Transmit"/>, what the program has for the stack is given to <see cref="Receive"/>. TUN carries network
/// packets, TAP Ethernet frames.
/// </summary>
[LinuxFile("drivers/net/tun.c")]
public sealed class Tun : NetDeviceOps
{
    // TUN_READQ_SIZE.
    private const int ReadQueueSize = 500;

    private Tun()
    {
    }

    /// <summary>The device.</summary>
    public NetDevice Dev { get; private set; } = null!;

    /// <summary>
    /// Takes what the stack sends: a frame (TAP) or packet (TUN), in one piece; with its checksums, and one segment at a time,
    /// unless <see cref="SetOffload"/> says otherwise. Called in softirq context, possibly by several threads: it must neither wait
    /// nor call into the stack. Null drops and counts.
    /// </summary>
    public ReadOnlySpanAction? Transmit { get; set; }

    /// <summary>Takes a frame or packet; the bytes are valid during the call only.</summary>
    public delegate void ReadOnlySpanAction(ReadOnlySpan<byte> frame);

    /// <summary>Makes a TUN or TAP device; it is down.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="name">Name; a <c>%d</c> becomes the lowest free number.</param>
    /// <param name="tap">Whether it carries Ethernet frames rather than IP packets.</param>
    /// <param name="tun">The device's driver.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("tun_set_iff")]
    public static int TunSetIff(NetNamespace net, string name, bool tap, out Tun tun)
    {
        tun = new Tun();
        tun.Dev = tap
            ? new NetDevice(net, name, tun, EthHeaderOps.Instance)
            {
                Flags = (uint)(IFF_BROADCAST | IFF_MULTICAST),
                DevAddr = Eth.EthRandomAddr(net.Machine.Random),
                Features = NetdevFeatures.Lltx,
                TxQueueLen = ReadQueueSize,
            }
            : new NetDevice(net, name, tun, NoHeaderOps.Instance)
            {
                Type = ARPHRD_NONE,
                Flags = (uint)(IFF_POINTOPOINT | IFF_NOARP | IFF_MULTICAST),
                HardHeaderLen = 0,
                DevAddr = [],
                Broadcast = [],
                Features = NetdevFeatures.Lltx | NetdevFeatures.VlanChallenged,
                TxQueueLen = ReadQueueSize,
            };
        return Net.Core.Dev.RegisterNetdev(tun.Dev);
    }

    /// <summary>
    /// Says what the program can take (<c>TUNSETOFFLOAD</c>): packets whose checksum only has the pseudo header in it, and packets
    /// that stand for several TCP segments. Nothing at first.
    /// </summary>
    /// <param name="offload"><c>TUN_F_*</c></param>
    /// <returns>0, or -EINVAL for bits that are not known, and for segmentation without checksums.</returns>
    [Linux("set_offload")]
    public int SetOffload(uint offload)
    {
        const uint tso = TUN_F_TSO4 | TUN_F_TSO6;
        if ((offload & ~(TUN_F_CSUM | tso | TUN_F_TSO_ECN)) != 0 || ((offload & tso) != 0 && (offload & TUN_F_CSUM) == 0))
            return -EINVAL;
        NetdevFeatures features = Dev.Features & ~(NetdevFeatures.HwCsum | NetdevFeatures.Tso);
        if ((offload & TUN_F_CSUM) != 0)
            features |= NetdevFeatures.HwCsum;
        if ((offload & tso) != 0)
            features |= NetdevFeatures.Tso;
        Dev.Features = features;
        return 0;
    }

    /// <inheritdoc/>
    [Linux("tun_net_open")]
    public override int Open(NetDevice dev)
    {
        Net.Core.Dev.NetifCarrierOn(dev);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("tun_net_close")]
    public override int Stop(NetDevice dev)
    {
        Net.Core.Dev.NetifCarrierOff(dev);
        return 0;
    }

    /// <inheritdoc/>
    [Linux("tun_net_xmit")]
    public override int StartXmit(SkBuff skb, NetDevice dev)
    {
        if (Transmit is { } transmit)
        {
            TxTimestamp.SkbTxTimestamp(skb);
            Interlocked.Increment(ref dev.Stats.TxPackets);
            Interlocked.Add(ref dev.Stats.TxBytes, skb.Len);
            transmit(skb.Data);
        }
        else
        {
            Interlocked.Increment(ref dev.Stats.TxDropped);
        }

        skb.Free();
        return Net.Core.Dev.NETDEV_TX_OK;
    }

    /// <inheritdoc/>
    public override int SetMacAddress(NetDevice dev, ReadOnlySpan<byte> address) => 0;

    /// <summary>
    /// Takes in a frame (TAP) or packet (TUN) from the program's side; it is processed before the call returns, when the
    /// caller is not in the kernel already. Malformed ones are dropped and counted.
    /// </summary>
    /// <param name="frame">The frame or packet.</param>
    /// <param name="gsoSize">
    /// For an IPv4 packet that stands for several TCP segments, the payload of each; 0 for one that is what it is.
    /// </param>
    /// <returns>0, -EIO while the device is down, or -EINVAL for a frame that is too short or of no known protocol.</returns>
    public int Receive(ReadOnlySpan<byte> frame, ushort gsoSize = 0) => TunGetUser(frame, gsoSize);

    [Linux("tun_get_user")]
    private int TunGetUser(ReadOnlySpan<byte> frame, ushort gsoSize)
    {
        if (!Dev.IsUp)
            return -EIO;
        bool tap = Dev.Type == ARPHRD_ETHER;
        int protocol = tap ? 0 : frame.IsEmpty ? -1 : (frame[0] >> 4) switch { 4 => ETH_P_IP, 6 => ETH_P_IPV6, _ => -1 };
        if (protocol < 0 || (tap && frame.Length < ETH_HLEN) || frame.Length > ushort.MaxValue + ETH_HLEN)
        {
            Interlocked.Increment(ref Dev.Stats.RxErrors);
            return -EINVAL;
        }

        using KernelEntry entry = Dev.Net.Machine.Enter();
        SkBuff skb = Dev.Net.SkbPool.Alloc(Headroom + frame.Length);

        // The network header lands on an even offset behind the 14 bytes of Ethernet, as NET_IP_ALIGN has it.
        skb.Reserve(Headroom);
        frame.CopyTo(skb.Put(frame.Length));
        skb.Truesize = TruesizeOf(frame.Length);
        skb.Dev = Dev;
        if (tap)
        {
            skb.Protocol = Eth.EthTypeTrans(skb, Dev);
        }
        else
        {
            skb.ResetMacHeader();
            skb.Protocol = (ushort)protocol;
        }

        VirtioNetHdrToSkb(skb, gsoSize);
        Interlocked.Increment(ref Dev.Stats.RxPackets);
        Interlocked.Add(ref Dev.Stats.RxBytes, frame.Length);
        Net.Core.Dev.NetifRx(skb);
        return 0;
    }

    // How many segments there are is not counted: whoever has to cut the packet does (SKB_GSO_DODGY).
    [Linux("virtio_net_hdr_to_skb", "include/linux/virtio_net.h")]
    private static void VirtioNetHdrToSkb(SkBuff skb, ushort gsoSize)
    {
        if (gsoSize == 0 || skb.Protocol != ETH_P_IP || skb.Len - SmallestHeaders <= gsoSize)
            return;
        skb.GsoSize = gsoSize;
        skb.GsoType = GsoType.Tcpv4;
    }

    // What tun_alloc_skb charges: up to a page in the head, larger ones in pages of up to eight each.
    private static int TruesizeOf(int length)
    {
        if (Pad + length < PageSize)
            return HeadTruesize(Pad + length);
        int truesize = HeadTruesize(Pad);
        int size = LargestPages;
        for (int left = length; left > 0; left -= size)
        {
            while (size > PageSize && (left + PageSize - 1) / PageSize * PageSize < size)
                size /= 2;
            truesize += size;
        }

        return truesize;
    }

    // __alloc_skb: the head and the shared info share a piece of memory, from the cache of small heads or of a power of two.
    private static int HeadTruesize(int size)
    {
        int whole = ((size + CacheLine - 1) & ~(CacheLine - 1)) + SharedInfo;
        return (whole <= SmallHead ? SmallHead : (int)System.Numerics.BitOperations.RoundUpToPowerOf2((uint)whole)) + SkbSize;
    }

    private const int Headroom = 34;
    private const int SmallestHeaders = 40;
    private const int CacheLine = 64;
    private const int Pad = 64;
    private const int PageSize = 4096;
    private const int LargestPages = 8 * PageSize;
    private const int SharedInfo = 320;
    private const int SkbSize = 256;
    private const int SmallHead = 640;
}
