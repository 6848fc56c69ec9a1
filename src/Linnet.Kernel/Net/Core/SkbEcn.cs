using System.Buffers.Binary;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Explicit congestion notification (RFC 3168) by those that forward packets.</summary>
[LinuxFile("include/net/inet_ecn.h")]
public static class SkbEcn
{
    private const int EcnMask = 3;
    private const int EcnCe = 3;

    /// <summary>
    /// Marks a packet as having met congestion, when its sender can hear that (<c>INET_ECN_set_ce</c>). IPv4's checksum is mended.
    /// </summary>
    /// <returns>Whether the packet is marked now; false for one whose sender has to be told by a loss.</returns>
    [Linux("INET_ECN_set_ce")]
    public static bool InetEcnSetCe(SkBuff skb)
    {
        if (skb.NetworkHeader == SkBuff.NoHeader)
            return false;
        return skb.Protocol switch
        {
            ETH_P_IP => Ipv4SetCe(skb),
            ETH_P_IPV6 => Ipv6SetCe(skb),
            _ => false,
        };
    }

    private static bool Ipv4SetCe(SkBuff skb)
    {
        if (skb.NetworkHeaderSpan.Length < 20)
            return false;
        int ecn = skb.NetworkHeaderSpan[1] & EcnMask;
        if (ecn is 0 or EcnCe)
            return ecn == EcnCe;
        skb.EnsureWritableHead(skb.DataOffset);
        Span<byte> header = skb.NetworkHeaderSpan;
        header[1] |= EcnCe;

        // RFC 1624 (3): the sum changes by what the word changed by.
        uint sum = (uint)(ushort)~BinaryPrimitives.ReadUInt16BigEndian(header[10..]) + (uint)(EcnCe - ecn);
        BinaryPrimitives.WriteUInt16BigEndian(header[10..], (ushort)~(ushort)((sum & 0xFFFF) + (sum >> 16)));
        return true;
    }

    private static bool Ipv6SetCe(SkBuff skb)
    {
        if (skb.NetworkHeaderSpan.Length < 40)
            return false;
        int ecn = (skb.NetworkHeaderSpan[1] >> 4) & EcnMask;
        if (ecn is 0 or EcnCe)
            return ecn == EcnCe;
        skb.EnsureWritableHead(skb.DataOffset);
        skb.NetworkHeaderSpan[1] |= EcnCe << 4;
        return true;
    }
}
