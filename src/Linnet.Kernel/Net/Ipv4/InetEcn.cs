using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The two bits of ECN in the IP header (RFC 3168 section 5).</summary>
[LinuxFile("include/net/inet_ecn.h")]
public static class InetEcn
{
    /// <summary>Not capable of ECN.</summary>
    public const byte INET_ECN_NOT_ECT = 0;

    /// <summary>Capable, ECT(1).</summary>
    public const byte INET_ECN_ECT_1 = 1;

    /// <summary>Capable, ECT(0).</summary>
    public const byte INET_ECN_ECT_0 = 2;

    /// <summary>Congestion experienced.</summary>
    public const byte INET_ECN_CE = 3;

    /// <summary>Where the bits are in the type of service.</summary>
    public const byte INET_ECN_MASK = 3;

    /// <summary>Whether a type of service says that its sender can do ECN (<c>INET_ECN_is_capable</c>): ECT(0) or CE.</summary>
    public static bool InetEcnIsCapable(byte dsfield) => (dsfield & INET_ECN_ECT_0) != 0;

    /// <summary>Has a socket's packets sent with ECT(0) (<c>INET_ECN_xmit</c>).</summary>
    public static void InetEcnXmit(InetSock sk) => sk.Tos |= INET_ECN_ECT_0;

    /// <summary>Has a socket's packets sent unmarked (<c>INET_ECN_dontxmit</c>).</summary>
    public static void InetEcnDontxmit(InetSock sk) => sk.Tos &= unchecked((byte)~INET_ECN_MASK);

    /// <summary>Marks a header with CE and mends its checksum (<c>IP_ECN_set_ce</c>, RFC 1624).</summary>
    /// <param name="header">The IPv4 header.</param>
    /// <returns>Whether it is marked now; false when its sender cannot do ECN.</returns>
    public static bool IpEcnSetCe(Span<byte> header)
    {
        const int Tos = 1;
        const int Check = 10;
        int ecn = header[Tos] & INET_ECN_MASK;
        if (ecn == INET_ECN_NOT_ECT)
            return false;
        if (ecn == INET_ECN_CE)
            return true;
        ushort before = BinaryPrimitives.ReadUInt16BigEndian(header);
        header[Tos] |= INET_ECN_CE;
        ushort after = BinaryPrimitives.ReadUInt16BigEndian(header);
        uint sum = (uint)(ushort)~BinaryPrimitives.ReadUInt16BigEndian(header[Check..]) + (ushort)~before + after;
        BinaryPrimitives.WriteUInt16BigEndian(header[Check..], Checksum.CsumFold(sum));
        return true;
    }

    /// <summary>Marks a packet with CE instead of dropping it (<c>INET_ECN_set_ce</c>).</summary>
    /// <returns>Whether it is marked now; false for one whose sender cannot do ECN, or that is not IPv4.</returns>
    public static bool InetEcnSetCe(SkBuff skb)
    {
        if (skb.Protocol != ETH_P_IP || skb.NetworkHeaderSpan.Length < Iphdr.Size)
            return false;

        // A head that is shared is written by nobody: TCP's queues keep heads of their own, so that this is rare.
        return IpEcnSetCe(skb.NetworkHeaderSpan);
    }
}
