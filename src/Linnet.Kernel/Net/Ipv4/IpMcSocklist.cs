using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A multicast group that a socket joined on one device (<c>struct ip_mc_socklist</c>); immutable.</summary>
/// <param name="Multiaddr">The group.</param>
/// <param name="Ifindex">The device.</param>
/// <param name="Sfmode"><c>MCAST_EXCLUDE</c> or <c>MCAST_INCLUDE</c>.</param>
/// <param name="Sources">Sources that are excluded or included, in the order in which they were given.</param>
[LinuxStruct("ip_mc_socklist")]
public sealed record IpMcSocklist(uint Multiaddr, int Ifindex, int Sfmode, uint[] Sources);
