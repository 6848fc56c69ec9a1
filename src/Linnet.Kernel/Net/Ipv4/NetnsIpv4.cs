using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The IPv4 part of a network namespace (<c>struct netns_ipv4</c>): settings, counters, routes, addresses. Other files
/// add the parts of their protocols.
/// </summary>
[LinuxStruct("netns_ipv4")]
public sealed partial class NetnsIpv4
{
    internal static readonly StateSlot<NetnsIpv4> Slot = new();

    private NetnsIpv4(NetNamespace net)
    {
        Net = net;
        Protos = InetProtos.Of(net.Machine);
        InitRouting();
    }

    /// <summary>The namespace.</summary>
    public NetNamespace Net { get; }

    /// <summary>Counters of groups Ip and IpExt.</summary>
    public SnmpMib<IpstatsMib> IpStatistics { get; } = new();

    /// <summary>Counters of group Icmp.</summary>
    public SnmpMib<IcmpMib> IcmpStatistics { get; } = new();

    /// <summary>Counters of ICMP messages by type; indices by <see cref="IcmpMsgMib"/>.</summary>
    public SnmpCounters IcmpmsgStatistics { get; } = new(IcmpMsgMib.Max);

    /// <summary>Counters of group Tcp.</summary>
    public SnmpMib<TcpMib> TcpStatistics { get; } = new();

    /// <summary>Counters of group Udp.</summary>
    public SnmpMib<UdpMib> UdpStatistics { get; } = new();

    /// <summary>Counters of group TcpExt.</summary>
    public SnmpMib<LinuxMib> NetStatistics { get; } = new();

    /// <summary>Handlers of the transport protocols, shared by all namespaces of the machine.</summary>
    internal InetProtos Protos { get; }

    /// <summary>
    /// Has every namespace of a machine, those that exist too, get its IPv4 part. Comes before all other initialisation of
    /// IPv4, and before namespaces get devices.
    /// </summary>
    internal static int Register(Machine machine) => NetCore.Of(machine).RegisterPernetSubsys(new Pernet());

    partial void InitRouting();

    private sealed class Pernet : PernetOperations
    {
        public override int Init(NetNamespace net)
        {
            Slot.Set(net.Slots, new NetnsIpv4(net));
            return 0;
        }

        public override void Exit(NetNamespace net) => net.Ipv4.FragQueues.Clear();
    }
}

/// <summary>Finds the IPv4 part of a namespace.</summary>
public static class NetnsIpv4Extensions
{
    extension(NetNamespace net)
    {
        /// <summary>The IPv4 part (<c>net->ipv4</c>).</summary>
        public NetnsIpv4 Ipv4 => NetnsIpv4.Slot.Of(net.Slots);
    }
}
