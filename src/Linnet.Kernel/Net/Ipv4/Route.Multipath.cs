using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Hashes of flows, so that all packets of a flow take the same of several next hops.</content>
public static partial class Route
{
    // Bits of net.ipv4.fib_multipath_hash_fields.
    private const int FieldSrcIp = 1 << 0;
    private const int FieldDstIp = 1 << 1;
    private const int FieldIpProto = 1 << 2;
    private const int FieldSrcPort = 1 << 4;
    private const int FieldDstPort = 1 << 5;
    private const int FieldInnerSrcIp = 1 << 6;
    private const int FieldInnerDstIp = 1 << 7;
    private const int FieldInnerIpProto = 1 << 8;
    private const int FieldInnerFlowLabel = 1 << 9;
    private const int FieldInnerSrcPort = 1 << 10;
    private const int FieldInnerDstPort = 1 << 11;

    // One set of keys in the hash: two addresses, two ports, protocol, flow label.
    private const int KeySize = 16 + 16 + 2 + 2 + 4 + 4;

    /// <summary>
    /// The hash of a packet's or a socket's flow, by <c>net.ipv4.fib_multipath_hash_policy</c>, keyed with a secret of the
    /// namespace or with <c>fib_multipath_hash_seed</c> (<c>fib_multipath_hash</c>).
    /// </summary>
    /// <param name="net">The namespace.</param>
    /// <param name="fl4">The flow; what the packet says goes first.</param>
    /// <param name="skb">The packet that came in, or null for a socket's flow.</param>
    /// <returns>31 bits.</returns>
    [Linux("fib_multipath_hash")]
    internal static int FibMultipathHash(NetNamespace net, in Flowi4 fl4, SkBuff? skb)
    {
        FlowKeys outer = default, inner = default;
        switch (net.Ipv4.SysctlFibMultipathHashPolicy)
        {
            case 0:
                outer = skb != null ? IpMultipathL3Keys(skb) : AddressesOf(in fl4);
                break;
            case 1 when skb != null:
                FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: true, out outer);
                break;
            case 1:
                outer = AllOf(in fl4);
                break;
            case 2 when skb != null:
                FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: false, out FlowKeys found);
                if (found.IsEncapsulated)
                    outer = new FlowKeys { Version = found.Version, Src = found.Src, Dst = found.Dst, FlowLabel = found.FlowLabel, IpProto = found.Version == 6 ? found.IpProto : (byte)0 };
                else
                    outer = IpMultipathL3Keys(skb);
                break;
            case 2:
                outer = AddressesOf(in fl4);
                break;
            default:
                FibMultipathCustomHashSkb(net, in fl4, skb, out outer, out inner);
                break;
        }

        return FibMultipathHashFromKeys(net, in outer, in inner, fl4.Flowi4MultipathHash);
    }

    // An ICMP error takes the way of the packets that it is about.
    [Linux("ip_multipath_l3_keys")]
    private static FlowKeys IpMultipathL3Keys(SkBuff skb)
    {
        Iphdr iph = skb.IpHdr;
        FlowKeys keys = new() { Version = 4, Src = iph.Saddr, Dst = iph.Daddr };
        if (iph.Protocol != IPPROTO_ICMP || (iph.FragOff & IP_OFFSET) != 0)
            return keys;
        const int Needed = 8 + Iphdr.Size;
        int at = skb.NetworkHeader - skb.DataOffset + iph.HeaderLength;
        Span<byte> message = stackalloc byte[Needed];
        if (at < 0 || at + Needed > skb.Len)
            return keys;
        skb.CopyBits(at, message);
        if (!Icmphdr.IsErr(message[0]))
            return keys;
        Iphdr about = new(message[8..]);
        keys.Src = about.Saddr;
        keys.Dst = about.Daddr;
        return keys;
    }

    [Linux("fib_multipath_custom_hash_skb")]
    private static void FibMultipathCustomHashSkb(
        NetNamespace net, in Flowi4 fl4, SkBuff? skb, out FlowKeys outer, out FlowKeys inner)
    {
        int fields = net.Ipv4.SysctlFibMultipathHashFields;
        inner = default;
        if (skb == null)
        {
            outer = AllOf(in fl4);
        }
        else
        {
            FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: true, out outer);
            FlowDissector.SkbFlowDissectFlowKeys(skb, stopAtEncapsulation: false, out inner);
            if (!inner.IsEncapsulated)
                inner = default;
        }

        Keep(ref outer, fields, FieldSrcIp, FieldDstIp, FieldIpProto, FieldSrcPort, FieldDstPort);
        Keep(ref inner, fields, FieldInnerSrcIp, FieldInnerDstIp, FieldInnerIpProto, FieldInnerSrcPort, FieldInnerDstPort);
        if ((fields & FieldInnerFlowLabel) == 0)
            inner.FlowLabel = 0;
    }

    private static void Keep(ref FlowKeys keys, int fields, int src, int dst, int proto, int sport, int dport)
    {
        if ((fields & src) == 0)
            keys.Src = 0;
        if ((fields & dst) == 0)
            keys.Dst = 0;
        if ((fields & proto) == 0)
            keys.IpProto = 0;
        if ((fields & sport) == 0)
            keys.Sport = 0;
        if ((fields & dport) == 0)
            keys.Dport = 0;
    }

    private static FlowKeys AddressesOf(in Flowi4 fl4) => new() { Version = 4, Src = fl4.Saddr, Dst = fl4.Daddr };

    private static FlowKeys AllOf(in Flowi4 fl4) => new()
    {
        Version = 4,
        Src = fl4.Saddr,
        Dst = fl4.Daddr,
        IpProto = fl4.Flowi4Proto,
        Sport = fl4.FlSport,
        Dport = fl4.FlDport,
    };

    [Linux("fib_multipath_hash_from_keys", "include/net/ip_fib.h")]
    private static int FibMultipathHashFromKeys(NetNamespace net, in FlowKeys outer, in FlowKeys inner, uint extra)
    {
        Span<byte> bytes = stackalloc byte[2 * KeySize + 4];
        Write(bytes, in outer);
        Write(bytes[KeySize..], in inner);
        BinaryPrimitives.WriteUInt32LittleEndian(bytes[(2 * KeySize)..], extra);
        return (int)(Siphash.Hash(bytes, net.Ipv4.MultipathKey) & int.MaxValue);
    }

    private static void Write(Span<byte> to, in FlowKeys keys)
    {
        BinaryPrimitives.WriteUInt128LittleEndian(to, keys.Src);
        BinaryPrimitives.WriteUInt128LittleEndian(to[16..], keys.Dst);
        BinaryPrimitives.WriteUInt16LittleEndian(to[32..], keys.Sport);
        BinaryPrimitives.WriteUInt16LittleEndian(to[34..], keys.Dport);
        BinaryPrimitives.WriteUInt32LittleEndian(to[36..], keys.IpProto);
        BinaryPrimitives.WriteUInt32LittleEndian(to[40..], keys.FlowLabel);
    }
}
