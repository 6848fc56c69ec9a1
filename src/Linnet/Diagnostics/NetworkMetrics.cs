using System.Diagnostics.Metrics;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Uapi;

namespace Linnet.Diagnostics;

/// <summary>
/// The counters of all networks of the process as .NET metrics, of the meter <c>Linnet</c>. Each counter of <c>/proc/net/snmp</c>
/// and <c>/proc/net/netstat</c> is an instrument, <c>linnet.GROUP.COUNTER</c>, with a measurement for each host; those of
/// interfaces have the names of OpenTelemetry's conventions for systems. Nothing is measured until somebody listens.
/// </summary>
internal static class NetworkMetrics
{
    private static readonly Lock Gate = new();

    // Made with the first network; it lives as long as the process, as instruments cannot be taken back one by one.
    private static readonly Meter Meter = CreateMeter();
    private static volatile Network[] networks = [];

    /// <summary>Shows the counters of a network, until <see cref="Remove"/>.</summary>
    public static void Add(Network network)
    {
        lock (Gate)
            networks = [.. networks, network];
        GC.KeepAlive(Meter);
    }

    /// <summary>Shows them no more.</summary>
    public static void Remove(Network network)
    {
        lock (Gate)
            networks = [.. networks.Where(other => other != network)];
    }

    /// <summary>The instrument's name of a counter: its words in small letters with <c>_</c> between them.</summary>
    public static string NameOf(string group, string counter) => $"linnet.{group}.{Words(counter)}";

    private static Meter CreateMeter()
    {
        Meter meter = new("Linnet", typeof(Network).Assembly.GetName().Version?.ToString(3));
        Group(meter, "Ip", "ip", SnmpNames.Ip, "{packet}", net => net.IpStatistics, 0);
        Group(meter, "IpExt", "ip", SnmpNames.IpExt, "{packet}", net => net.IpStatistics, SnmpNames.IpCount);
        Group(meter, "Icmp", "icmp", SnmpNames.Icmp, "{message}", net => net.IcmpStatistics, 0);
        IcmpTypes(meter);
        TcpGroup(meter);
        Group(meter, "TcpExt", "tcp_ext", SnmpNames.TcpExt, "{event}", net => net.NetStatistics, 0);
        Group(meter, "Udp", "udp", SnmpNames.Udp, "{datagram}", net => net.UdpStatistics, 0);
        Interfaces(meter);
        return meter;
    }

    private static void Group(
        Meter meter, string linux, string group, ReadOnlySpan<string> names, string unit, Func<NetnsIpv4, SnmpCounters> counters, int first)
    {
        for (int i = 0; i < names.Length; i++)
        {
            int index = first + i;
            string name = names[i];
            string unitOf = name.EndsWith("Octets", StringComparison.Ordinal) ? "By" : unit;
            meter.CreateObservableCounter(
                NameOf(group, name), () => PerHost(net => counters(net).Read(index)), unitOf, $"{linux} {name}");
        }
    }

    // The first four of the group are settings, and one is no count but a level.
    private static void TcpGroup(Meter meter)
    {
        for (int i = (int)TcpMib.ActiveOpens; i < SnmpNames.Tcp.Length; i++)
        {
            int index = i;
            string name = SnmpNames.Tcp[i];
            string unit = name.EndsWith("Segs", StringComparison.Ordinal) || name is "InErrs" or "OutRsts" or "InCsumErrors"
                ? "{segment}"
                : "{connection}";
            string instrument = NameOf("tcp", name);
            if (i == (int)TcpMib.CurrEstab)
                meter.CreateObservableUpDownCounter(instrument, Observe, unit, $"Tcp {name}");
            else
                meter.CreateObservableCounter(instrument, Observe, unit, $"Tcp {name}");

            IEnumerable<Measurement<long>> Observe() => PerHost(net => net.TcpStatistics.Read(index));
        }
    }

    private static void IcmpTypes(Meter meter)
    {
        foreach ((string name, int type) in IcmpMsgMib.Named)
        {
            Add("In" + name, IcmpMsgMib.In(type));
            Add("Out" + name, IcmpMsgMib.Out(type));
        }

        void Add(string name, int index) => meter.CreateObservableCounter(
            NameOf("icmp", name), () => PerHost(net => net.IcmpmsgStatistics.Read(index)), "{message}", $"Icmp {name}");
    }

    private static void Interfaces(Meter meter)
    {
        Add("system.network.io", "By", "Bytes that an interface received and sent.", s => s.RxBytes, s => s.TxBytes);
        Add("system.network.packet.count", "{packet}", "Packets that an interface received and sent.", s => s.RxPackets, s => s.TxPackets);
        Add("system.network.packet.dropped", "{packet}", "Packets that were dropped.", s => s.RxDropped, s => s.TxDropped);
        Add("system.network.errors", "{error}", "Packets that were bad or could not be sent.", s => s.RxErrors, s => s.TxErrors);

        void Add(string name, string unit, string description, Func<NetDeviceStats, long> received, Func<NetDeviceStats, long> sent) =>
            meter.CreateObservableCounter(name, () => PerInterface(received, sent), unit, description);
    }

    private static IEnumerable<Measurement<long>> PerHost(Func<NetnsIpv4, long> read)
    {
        foreach (Network network in networks)
        {
            foreach (Host host in network.Hosts)
                yield return new Measurement<long>(read(host.Namespace.Ipv4), new KeyValuePair<string, object?>("host.name", host.Name));
        }
    }

    private static IEnumerable<Measurement<long>> PerInterface(Func<NetDeviceStats, long> received, Func<NetDeviceStats, long> sent)
    {
        foreach (Network network in networks)
        {
            foreach (Host host in network.Hosts)
            {
                foreach (NetDevice dev in host.Namespace.Devices.All)
                {
                    yield return Measure(received(dev.Stats), host, dev, "receive");
                    yield return Measure(sent(dev.Stats), host, dev, "transmit");
                }
            }
        }
    }

    private static Measurement<long> Measure(long value, Host host, NetDevice dev, string direction) => new(
        value,
        new KeyValuePair<string, object?>("host.name", host.Name),
        new KeyValuePair<string, object?>("network.interface.name", dev.Name),
        new KeyValuePair<string, object?>("network.io.direction", direction));

    // A word begins at a capital behind a small letter or digit, and at the last capital before a small letter.
    private static string Words(string name)
    {
        StringBuilder text = new();
        for (int i = 0; i < name.Length; i++)
        {
            bool begins = i > 0 && char.IsUpper(name[i])
                && (!char.IsUpper(name[i - 1]) || (i + 1 < name.Length && char.IsLower(name[i + 1])));
            if (begins)
                text.Append('_');
            text.Append(char.ToLowerInvariant(name[i]));
        }

        return text.ToString();
    }
}
