using System.Net;
using Linnet.Kernel;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;

namespace Linnet;

/// <summary>The way of a packet: what <see cref="HostRoutes.Find"/> answers.</summary>
/// <param name="Interface">Name of the interface that it leaves by.</param>
/// <param name="Gateway">The next router; null when the destination is on the link, or this host.</param>
/// <param name="Source">Its source address.</param>
/// <param name="Mtu">Largest packet on the way, as far as it is known, in bytes.</param>
public sealed record RouteDecision(string Interface, IPAddress? Gateway, IPAddress Source, int Mtu);

/// <summary>The routes of a host (<c>ip route</c>).</summary>
public sealed class HostRoutes
{
    private readonly Host host;

    internal HostRoutes(Host host) => this.host = host;

    private NetNamespace Net => host.Namespace;

    /// <summary>The routes of a table, in the order of their networks; none when there is no such table.</summary>
    /// <param name="table">Its number; 254 is the main one.</param>
    public IReadOnlyList<HostRoute> List(uint table = RT_TABLE_MAIN) => Net.Ipv4.FibGetTable(table) is { } found
        ? [.. found.Snapshot().Select(route => HostRoute.From(table, route.Prefix, route.Length, route.Alias))]
        : [];

    /// <summary>Adds a route (<c>ip route add</c>).</summary>
    /// <exception cref="InvalidOperationException">
    /// There is one to the same network with the same metric and type of service, the gateway is not on a link, or what the route
    /// says does not fit together.
    /// </exception>
    public void Add(HostRoute route) => Change(route, NLM_F_CREATE | NLM_F_EXCL);

    /// <summary>Adds a route in the place of the one to the same network with the same metric (<c>ip route replace</c>).</summary>
    /// <exception cref="InvalidOperationException">As for <see cref="Add"/>.</exception>
    public void Replace(HostRoute route) => Change(route, NLM_F_CREATE | NLM_F_REPLACE);

    /// <summary>Deletes a route (<c>ip route del</c>).</summary>
    /// <exception cref="InvalidOperationException">There is none.</exception>
    public void Remove(HostRoute route)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        FibConfig cfg = route.ToConfig(Net, 0) with { Protocol = 0, Metrics = RouteMetrics.None };
        Host.Check(FibFrontend.InetRtmDelroute(Net, cfg), $"delete the route to {route.Destination}");
    }

    /// <summary>Finds the way of a packet that the host would send (<c>ip route get</c>).</summary>
    /// <param name="destination">Where to.</param>
    /// <param name="source">Where from; null to have it chosen.</param>
    /// <param name="mark">Its mark, which rules may look at.</param>
    /// <returns>The way, or null when there is none.</returns>
    public RouteDecision? Find(IPAddress destination, IPAddress? source = null, uint mark = 0)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Flowi4 flow = new()
        {
            Daddr = SocketAddresses.ToHostOrder(destination),
            Saddr = source == null ? 0 : SocketAddresses.ToHostOrder(source),
            Flowi4Mark = mark,
        };
        if (Route.IpRouteOutputKey(Net, ref flow, out Rtable? rt) < 0)
            return null;
        return new RouteDecision(
            rt!.Dev.Name, rt.RtGw4 == 0 ? null : SocketAddresses.FromHostOrder(rt.RtGw4), SocketAddresses.FromHostOrder(flow.Saddr), rt.Mtu);
    }

    internal static int IndexOf(NetNamespace net, string name) => net.Devices.DevGetByName(name)?.Ifindex
        ?? throw new InvalidOperationException($"there is no interface '{name}'");

    private void Change(HostRoute route, int flags)
    {
        using KernelEntry entry = host.Network.Machine.Enter();
        Host.Check(FibFrontend.InetRtmNewroute(Net, route.ToConfig(Net, flags)), $"add the route to {route.Destination}");
    }
}
