using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// What a route is looked up by, and what the lookup found out about addresses (<c>struct flowi4</c>). Addresses and ports
/// are in host order.
/// </summary>
[LinuxStruct("flowi4")]
public struct Flowi4 : IFlowi
{
    /// <summary>Index of every namespace's loopback device (<c>LOOPBACK_IFINDEX</c>).</summary>
    public const int LOOPBACK_IFINDEX = 1;

    /// <summary>Any source will do (<c>FLOWI_FLAG_ANYSRC</c>).</summary>
    public const byte FLOWI_FLAG_ANYSRC = 1;

    /// <summary>The next hop must be known even where the gateway is not (<c>FLOWI_FLAG_KNOWN_NH</c>).</summary>
    public const byte FLOWI_FLAG_KNOWN_NH = 2;

    /// <summary>The bits of the type of service that routes are looked up by: the DSCP (<c>INET_DSCP_MASK</c>).</summary>
    public const byte INET_DSCP_MASK = 0xFC;

    /// <summary>The bits of it that routes and rules are compared in (<c>INET_DSCP_LEGACY_TOS_MASK</c>).</summary>
    public const byte INET_DSCP_LEGACY_TOS_MASK = 0x1C;

    /// <summary>Index of the device to leave by; 0 for any.</summary>
    public int Flowi4Oif;

    /// <summary>Index of the device that the packet came in by; the loopback device for own packets.</summary>
    public int Flowi4Iif;

    /// <summary>Packet mark.</summary>
    public uint Flowi4Mark;

    /// <summary>Type of service: the DSCP, ECN bits cleared.</summary>
    public byte Flowi4Tos;

    /// <summary>Farthest scope that the destination may be in, <c>RT_SCOPE_*</c>.</summary>
    public byte Flowi4Scope;

    /// <summary>Transport protocol, <c>IPPROTO_*</c>.</summary>
    public byte Flowi4Proto;

    /// <summary><c>FLOWI_FLAG_*</c></summary>
    public byte Flowi4Flags;

    /// <summary>User that sends.</summary>
    public uint Flowi4Uid;

    /// <summary>Hash for the choice among several next hops; 0 when not computed.</summary>
    public uint Flowi4MultipathHash;

    /// <summary>Source address; filled in by the lookup when 0.</summary>
    public uint Saddr;

    /// <summary>Destination address; filled in by the lookup when 0.</summary>
    public uint Daddr;

    /// <summary>Source port.</summary>
    public ushort FlSport;

    /// <summary>Destination port.</summary>
    public ushort FlDport;

    /// <summary>ICMP type, where <see cref="Flowi4Proto"/> is ICMP.</summary>
    public byte FlIcmpType;

    /// <summary>ICMP code, where <see cref="Flowi4Proto"/> is ICMP.</summary>
    public byte FlIcmpCode;

    readonly int IFlowi.Oif => Flowi4Oif;

    readonly int IFlowi.Iif => Flowi4Iif;

    readonly uint IFlowi.Mark => Flowi4Mark;

    readonly uint IFlowi.Uid => Flowi4Uid;

    /// <summary>A flow for a packet that is sent from here (<c>flowi4_init_output</c>).</summary>
    public static Flowi4 InitOutput(
        int oif, uint mark, byte tos, byte scope, byte proto, byte flags, uint daddr, uint saddr, ushort dport, ushort sport,
        uint uid) => new()
        {
            Flowi4Oif = oif,
            Flowi4Iif = LOOPBACK_IFINDEX,
            Flowi4Mark = mark,
            Flowi4Tos = tos,
            Flowi4Scope = scope,
            Flowi4Proto = proto,
            Flowi4Flags = flags,
            Flowi4Uid = uid,
            Daddr = daddr,
            Saddr = saddr,
            FlDport = dport,
            FlSport = sport,
        };

    /// <summary>Whether a route or rule for a type of service is for this flow (<c>fib_dscp_masked_match</c>).</summary>
    public readonly bool MatchesTos(byte tos) => tos == (Flowi4Tos & INET_DSCP_LEGACY_TOS_MASK);

    /// <summary>Changes what a second lookup for the same flow is made with (<c>flowi4_update_output</c>).</summary>
    public void UpdateOutput(int oif, uint daddr, uint saddr)
    {
        Flowi4Oif = oif;
        Daddr = daddr;
        Saddr = saddr;
    }
}
