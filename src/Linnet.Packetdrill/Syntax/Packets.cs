using System.Collections.Immutable;

namespace Linnet.Packetdrill.Syntax;

/// <summary>Which way a packet goes.</summary>
public enum PacketDirection
{
    /// <summary><c>&lt;</c>: the script sends it to the stack under test.</summary>
    Inbound,

    /// <summary><c>&gt;</c>: the stack under test is to send it.</summary>
    Outbound,
}

/// <summary>A packet.</summary>
/// <param name="Line">The line of the direction.</param>
/// <param name="Direction">Which way it goes.</param>
/// <param name="Outer">The headers around it, outermost first; empty for nearly every packet.</param>
/// <param name="Ip">What was said about its IP header.</param>
public abstract record PacketAction(
    int Line, PacketDirection Direction, ImmutableArray<Encapsulation> Outer, IpInfo Ip) : EventAction(Line);

/// <summary>A TCP segment.</summary>
/// <param name="Line">The line of the direction.</param>
/// <param name="Direction">Which way it goes.</param>
/// <param name="Outer">The headers around it, outermost first.</param>
/// <param name="Ip">What was said about its IP header.</param>
/// <param name="Ports">Explicit ports, or null.</param>
/// <param name="Flags">The flags.</param>
/// <param name="Sequence">The first sequence number, relative to the initial one.</param>
/// <param name="PayloadBytes">The length of the data, all zero.</param>
/// <param name="Ack">The acknowledgement number, or null where none was written (which is 0 on the wire).</param>
/// <param name="Window">The window field; null (outbound only) is not compared.</param>
/// <param name="UrgentPointer">The urgent pointer; 0 where none was written.</param>
/// <param name="Options">The options in order; null for <c>&lt;...&gt;</c> (outbound only), which are not compared.</param>
public sealed record TcpPacket(
    int Line,
    PacketDirection Direction,
    ImmutableArray<Encapsulation> Outer,
    IpInfo Ip,
    PortPair? Ports,
    TcpFlags Flags,
    uint Sequence,
    int PayloadBytes,
    uint? Ack,
    ushort? Window,
    ushort UrgentPointer,
    ImmutableArray<TcpOption>? Options) : PacketAction(Line, Direction, Outer, Ip)
{
    /// <summary>The length of the options in bytes; 0 where they are not compared.</summary>
    public int OptionBytes => Options is { } options ? options.Sum(option => option.Length) : 0;
}

/// <summary>A UDP datagram.</summary>
/// <param name="Line">The line of the direction.</param>
/// <param name="Direction">Which way it goes.</param>
/// <param name="Outer">The headers around it, outermost first.</param>
/// <param name="Ip">What was said about its IP header.</param>
/// <param name="Ports">Explicit ports, or null.</param>
/// <param name="PayloadBytes">The length of the data, all zero.</param>
public sealed record UdpPacket(
    int Line, PacketDirection Direction, ImmutableArray<Encapsulation> Outer, IpInfo Ip, PortPair? Ports, int PayloadBytes)
    : PacketAction(Line, Direction, Outer, Ip);

/// <summary>An ICMP message.</summary>
/// <param name="Line">The line of the direction.</param>
/// <param name="Direction">Which way it goes.</param>
/// <param name="Outer">The headers around it, outermost first.</param>
/// <param name="Ip">What was said about its IP header.</param>
/// <param name="Type">The type field, of ICMP or of ICMPv6 as the script's IP version says.</param>
/// <param name="Code">The code field.</param>
/// <param name="TypeName">The type as it was written.</param>
/// <param name="Mtu">The MTU, of messages that have one; or null.</param>
/// <param name="EchoId">The identifier of an echo; 0 where none was written.</param>
/// <param name="Echoed">The packet that the message speaks of.</param>
public sealed record IcmpPacket(
    int Line,
    PacketDirection Direction,
    ImmutableArray<Encapsulation> Outer,
    IpInfo Ip,
    byte Type,
    byte Code,
    string TypeName,
    uint? Mtu,
    ushort EchoId,
    EchoedPacket Echoed) : PacketAction(Line, Direction, Outer, Ip);

/// <summary>What an ICMP message carries of the packet that caused it.</summary>
/// <param name="Protocol"><c>IPPROTO_TCP</c>, <c>IPPROTO_UDP</c>, or <c>IPPROTO_RAW</c> for a body of zeros.</param>
/// <param name="Sequence">TCP's sequence number, relative to the initial one; 0 where none was written.</param>
/// <param name="PayloadBytes">The length of the data of the packet; of the whole message for <c>IPPROTO_RAW</c>.</param>
public readonly record struct EchoedPacket(int Protocol, uint Sequence, int PayloadBytes);

/// <summary>Ports as they were written: <c>1000 &gt; 2000</c>.</summary>
public readonly record struct PortPair(ushort Source, ushort Destination);

/// <summary>How a packet's type of service is compared.</summary>
public enum TosCheck
{
    /// <summary>Not at all.</summary>
    None,

    /// <summary>The two bits of ECN.</summary>
    Ecn,

    /// <summary>ECT(0) or ECT(1), outbound only: <c>[ect01]</c>.</summary>
    Ect01,

    /// <summary>All eight bits: <c>[tos 0x10]</c>.</summary>
    Tos,
}

/// <summary>What a script says about a packet's IP header.</summary>
/// <param name="Check">How <paramref name="Tos"/> is compared.</param>
/// <param name="Tos">The value to send or to compare.</param>
/// <param name="FlowLabel">IPv6's flow label; 0 where none was written.</param>
/// <param name="Ttl">The time to live; 0 where none was written.</param>
public readonly record struct IpInfo(TosCheck Check, byte Tos, uint FlowLabel = 0, byte Ttl = 0);

/// <summary>TCP's nine flags, as they stand in the header's bytes 12 and 13.</summary>
[Flags]
public enum TcpFlagBits
{
    /// <summary>No flag.</summary>
    None = 0,

    /// <summary><c>F</c></summary>
    Fin = 0x001,

    /// <summary><c>S</c></summary>
    Syn = 0x002,

    /// <summary><c>R</c></summary>
    Rst = 0x004,

    /// <summary><c>P</c></summary>
    Psh = 0x008,

    /// <summary><c>.</c></summary>
    Ack = 0x010,

    /// <summary><c>U</c></summary>
    Urg = 0x020,

    /// <summary><c>E</c></summary>
    Ece = 0x040,

    /// <summary><c>W</c></summary>
    Cwr = 0x080,

    /// <summary><c>A</c>: AccECN's third bit.</summary>
    Ae = 0x100,
}

/// <summary>The flags of a segment.</summary>
/// <param name="Bits">The bits.</param>
/// <param name="IsAce">Whether the last three were written as a number from 1 to 7, which is how they are to be shown.</param>
public readonly record struct TcpFlags(TcpFlagBits Bits, bool IsAce);

/// <summary>A header around the packet that a script is about. Linnet has no tunnels: a run refuses them.</summary>
/// <param name="Line">The line on which it stands.</param>
/// <param name="Kind"><c>ipv4</c>, <c>ipv6</c>, <c>gre</c>, <c>mpls</c> or <c>psp</c>.</param>
public sealed record Encapsulation(int Line, string Kind);
