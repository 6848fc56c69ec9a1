using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>A multicast group that a socket joined on one device (<c>struct ip_mc_socklist</c>); immutable.</summary>
/// <param name="Multiaddr">The group.</param>
/// <param name="Address">The interface address that the device was chosen by; 0 for none.</param>
/// <param name="Ifindex">The device.</param>
/// <param name="Sfmode"><c>MCAST_EXCLUDE</c> or <c>MCAST_INCLUDE</c>.</param>
/// <param name="Sources">Sources that are excluded or included, in the order in which they were given.</param>
[LinuxStruct("ip_mc_socklist")]
public sealed record IpMcSocklist(uint Multiaddr, uint Address, int Ifindex, int Sfmode, uint[] Sources)
{
    /// <summary>Whether packets of a source pass the filter.</summary>
    public bool Allows(uint source) => Sources.Contains(source) == (Sfmode == MCAST_INCLUDE);
}

/// <summary>
/// A group and the device on which it is joined, as users give it (<c>struct ip_mreqn</c>); host order.
/// </summary>
/// <param name="Multiaddr">The group.</param>
/// <param name="Address">An address of the device; 0 to choose by <paramref name="Ifindex"/> or by route.</param>
/// <param name="Ifindex">The device; 0 to choose by address or route.</param>
public record struct McRequest(uint Multiaddr, uint Address, int Ifindex);
