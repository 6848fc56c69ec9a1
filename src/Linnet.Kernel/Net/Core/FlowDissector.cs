using System.Buffers.Binary;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>What tells the flow of a packet (<c>struct flow_keys</c>). IPv4 addresses are in the lowest 32 bits.</summary>
[LinuxStruct("flow_keys")]
public struct FlowKeys
{
    /// <summary>Version of IP, 4 or 6; 0 when there are no addresses.</summary>
    public byte Version;

    /// <summary>Transport protocol, <c>IPPROTO_*</c>.</summary>
    public byte IpProto;

    /// <summary>Whether the addresses are those of a packet inside of a tunnel's.</summary>
    public bool IsEncapsulated;

    /// <summary>Source address.</summary>
    public UInt128 Src;

    /// <summary>Destination address.</summary>
    public UInt128 Dst;

    /// <summary>Source port; 0 for fragments and protocols without ports.</summary>
    public ushort Sport;

    /// <summary>Destination port.</summary>
    public ushort Dport;

    /// <summary>Flow label of IPv6.</summary>
    public uint FlowLabel;
}

/// <summary>Reads the flow of a packet out of its headers, without changing it.</summary>
[LinuxFile("net/core/flow_dissector.c")]
public static class FlowDissector
{
    private const int MostHeaders = 15;
    private const int Ipv4HeaderSize = 20;
    private const int Ipv6HeaderSize = 40;

    /// <summary>Reads the flow of an IPv4 packet whose data begins at its header, or before.</summary>
    /// <param name="skb">The packet.</param>
    /// <param name="stopAtEncapsulation">Whether the outermost packet is meant, not the one in a tunnel.</param>
    /// <param name="keys">The flow, as far as it could be read.</param>
    /// <returns>Whether all headers could be read.</returns>
    [Linux("skb_flow_dissect_flow_keys", "include/linux/skbuff.h")]
    public static bool SkbFlowDissectFlowKeys(SkBuff skb, bool stopAtEncapsulation, out FlowKeys keys)
    {
        keys = default;
        int at = skb.NetworkHeader - skb.DataOffset;
        int version = 4;
        for (int i = 0; i < MostHeaders; i++)
        {
            if (!(version == 4 ? ReadIpv4(skb, ref at, ref keys, out bool fragment) : ReadIpv6(skb, ref at, ref keys, out fragment)))
                return false;
            if (fragment)
                return true;
            int inner = Encapsulated(skb, ref at, keys.IpProto);
            if (inner < 0)
                return false;
            if (inner == 0)
                return SkbFlowDissectPorts(skb, at, ref keys);
            if (stopAtEncapsulation)
                return true;
            keys.IsEncapsulated = true;
            version = inner;
        }

        return false;
    }

    private static bool ReadIpv4(SkBuff skb, ref int at, ref FlowKeys keys, out bool fragment)
    {
        fragment = false;
        Span<byte> header = stackalloc byte[Ipv4HeaderSize];
        if (!Read(skb, at, header) || header[0] >> 4 != 4 || (header[0] & 15) < 5)
            return false;
        keys.Version = 4;
        keys.IpProto = header[9];
        keys.Src = BinaryPrimitives.ReadUInt32BigEndian(header[12..]);
        keys.Dst = BinaryPrimitives.ReadUInt32BigEndian(header[16..]);
        fragment = (BinaryPrimitives.ReadUInt16BigEndian(header[6..]) & 0x3FFF) != 0;
        at += (header[0] & 15) * 4;
        return true;
    }

    private static bool ReadIpv6(SkBuff skb, ref int at, ref FlowKeys keys, out bool fragment)
    {
        fragment = false;
        Span<byte> header = stackalloc byte[Ipv6HeaderSize];
        if (!Read(skb, at, header) || header[0] >> 4 != 6)
            return false;
        keys.Version = 6;
        keys.FlowLabel = BinaryPrimitives.ReadUInt32BigEndian(header) & 0xFFFFF;
        keys.Src = BinaryPrimitives.ReadUInt128BigEndian(header[8..]);
        keys.Dst = BinaryPrimitives.ReadUInt128BigEndian(header[24..]);
        keys.IpProto = header[6];
        at += Ipv6HeaderSize;
        Span<byte> extension = stackalloc byte[8];
        for (int i = 0; i < MostHeaders && keys.IpProto is IPPROTO_HOPOPTS or IPPROTO_ROUTING or IPPROTO_DSTOPTS or IPPROTO_FRAGMENT; i++)
        {
            if (!Read(skb, at, extension))
                return false;
            fragment = keys.IpProto == IPPROTO_FRAGMENT;
            keys.IpProto = extension[0];
            at += fragment ? extension.Length : (extension[1] + 1) * 8;
            if (fragment)
                return true;
        }

        return true;
    }

    // The version of IP of the packet in a tunnel's packet; 0 when it is none, -1 when it cannot be told.
    private static int Encapsulated(SkBuff skb, ref int at, byte protocol)
    {
        switch (protocol)
        {
            case IPPROTO_IPIP:
                return 4;
            case IPPROTO_IPV6:
                return 6;
            case IPPROTO_GRE:
                const int Checksum = 0x8000;
                const int Key = 0x2000;
                const int Sequence = 0x1000;
                const int VersionAndRouting = 0x4007;
                Span<byte> gre = stackalloc byte[4];
                if (!Read(skb, at, gre))
                    return -1;
                int flags = BinaryPrimitives.ReadUInt16BigEndian(gre);
                if ((flags & VersionAndRouting) != 0)
                    return 0;
                at += 4 + ((flags & Checksum) != 0 ? 4 : 0) + ((flags & Key) != 0 ? 4 : 0) + ((flags & Sequence) != 0 ? 4 : 0);
                return BinaryPrimitives.ReadUInt16BigEndian(gre[2..]) switch { ETH_P_IP => 4, ETH_P_IPV6 => 6, _ => 0 };
            default:
                return 0;
        }
    }

    [Linux("__skb_flow_dissect_ports")]
    private static bool SkbFlowDissectPorts(SkBuff skb, int at, ref FlowKeys keys)
    {
        switch ((int)keys.IpProto)
        {
            case IPPROTO_TCP or IPPROTO_UDP or IPPROTO_DCCP or IPPROTO_ESP or IPPROTO_SCTP or IPPROTO_UDPLITE:
                break;
            case IPPROTO_AH:
                at += 4;
                break;
            default:
                return true;
        }

        Span<byte> ports = stackalloc byte[4];
        if (!Read(skb, at, ports))
            return false;
        keys.Sport = BinaryPrimitives.ReadUInt16BigEndian(ports);
        keys.Dport = BinaryPrimitives.ReadUInt16BigEndian(ports[2..]);
        return true;
    }

    private static bool Read(SkBuff skb, int at, Span<byte> to)
    {
        if (at < 0 || at + to.Length > skb.Len)
            return false;
        skb.CopyBits(at, to);
        return true;
    }
}
