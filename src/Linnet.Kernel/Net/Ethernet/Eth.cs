using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ethernet;

/// <summary>Ethernet's headers: destination, source, type.</summary>
[LinuxFile("net/ethernet/eth.c")]
public static class Eth
{
    /// <summary>
    /// Reads the link header at the beginning of the data, pulls it, and tells what protocol follows and whom the frame
    /// was for (<c>eth_type_trans</c>). The data has to hold at least <c>ETH_HLEN</c> bytes.
    /// </summary>
    [Linux("eth_type_trans")]
    public static ushort EthTypeTrans(SkBuff skb, NetDevice dev)
    {
        skb.Dev = dev;
        skb.ResetMacHeader();
        Span<byte> header = skb.Data[..ETH_HLEN];
        skb.Pull(ETH_HLEN);
        ReadOnlySpan<byte> destination = header[..ETH_ALEN];
        if (!destination.SequenceEqual(dev.DevAddr))
        {
            skb.PktType = (byte)((destination[0] & 1) == 0 ? PACKET_OTHERHOST
                : destination.SequenceEqual(dev.Broadcast) ? PACKET_BROADCAST
                : PACKET_MULTICAST);
        }

        ushort type = BinaryPrimitives.ReadUInt16BigEndian(header[(2 * ETH_ALEN)..]);

        // Smaller numbers are lengths of IEEE 802.3 frames.
        return type >= ETH_P_802_3_MIN ? type : (ushort)ETH_P_802_2;
    }

    /// <summary>A locally administered unicast address (<c>eth_random_addr</c>).</summary>
    public static byte[] EthRandomAddr(RandomSource random)
    {
        byte[] address = new byte[ETH_ALEN];
        random.GetBytes(address);
        address[0] = (byte)((address[0] & 0xFE) | 0x02);
        return address;
    }
}

/// <summary>Writes Ethernet headers (<c>eth_header_ops</c>).</summary>
[LinuxFile("net/ethernet/eth.c")]
public sealed class EthHeaderOps : HeaderOps
{
    /// <summary>The one instance.</summary>
    public static readonly EthHeaderOps Instance = new();

    private EthHeaderOps()
    {
    }

    /// <inheritdoc/>
    [Linux("eth_header")]
    public override int Create(
        SkBuff skb, NetDevice dev, ushort type, ReadOnlySpan<byte> daddr, ReadOnlySpan<byte> saddr)
    {
        skb.EnsureWritableHead(ETH_HLEN);
        Span<byte> header = skb.Push(ETH_HLEN);
        BinaryPrimitives.WriteUInt16BigEndian(header[(2 * ETH_ALEN)..], type);
        (saddr.IsEmpty ? dev.DevAddr : saddr).CopyTo(header[ETH_ALEN..]);
        if (!daddr.IsEmpty)
        {
            daddr.CopyTo(header);
            return ETH_HLEN;
        }

        // Loopback and links without ARP have nobody to name.
        if ((dev.Flags & (IFF_LOOPBACK | IFF_NOARP)) != 0)
        {
            header[..ETH_ALEN].Clear();
            return ETH_HLEN;
        }

        return -ETH_HLEN;
    }

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Parse(SkBuff skb) => skb.MacHeaderSpan.Slice(ETH_ALEN, ETH_ALEN);
}

/// <summary>A link without headers, as TUN devices are.</summary>
public sealed class NoHeaderOps : HeaderOps
{
    /// <summary>The one instance.</summary>
    public static readonly NoHeaderOps Instance = new();

    private NoHeaderOps()
    {
    }

    /// <inheritdoc/>
    public override int Create(
        SkBuff skb, NetDevice dev, ushort type, ReadOnlySpan<byte> daddr, ReadOnlySpan<byte> saddr) => 0;

    /// <inheritdoc/>
    public override ReadOnlySpan<byte> Parse(SkBuff skb) => default;
}
