using System.Diagnostics.Metrics;
using System.Net;
using Linnet.Diagnostics;
using Linnet.Kernel.Uapi;
using Linnet.Testing;

namespace Linnet.Tests.Diagnostics;

/// <summary>The counters of hosts as .NET metrics.</summary>
public sealed class NetworkMetricsTests : IDisposable
{
    private readonly MeterListener listener = new();
    private readonly Dictionary<string, Instrument> instruments = [];
    private readonly List<(string Name, long Value, Dictionary<string, object?> Tags)> measured = [];

    public NetworkMetricsTests()
    {
        listener.InstrumentPublished = (instrument, listening) =>
        {
            if (instrument.Meter.Name != "Linnet")
                return;
            instruments.Add(instrument.Name, instrument);
            listening.EnableMeasurementEvents(instrument);
        };
        listener.SetMeasurementEventCallback<long>(
            (instrument, value, tags, _) => measured.Add((instrument.Name, value, tags.ToArray().ToDictionary())));
        listener.Start();
    }

    public void Dispose() => listener.Dispose();

    [Fact]
    public void Every_counter_is_an_instrument()
    {
        using Network network = Network.Simulate();
        int settings = (int)TcpMib.MaxConn + 1;
        int icmpTypes = 2 * IcmpMsgMib.Named.Length;
        const int OfInterfaces = 4;
        Assert.Equal(
            SnmpNames.Ip.Length + SnmpNames.IpExt.Length + SnmpNames.Icmp.Length + icmpTypes + SnmpNames.Tcp.Length - settings
                + SnmpNames.TcpExt.Length + SnmpNames.Udp.Length + OfInterfaces,
            instruments.Count);
        Assert.Equal("By", instruments["linnet.ip.in_octets"].Unit);
        Assert.Equal("TcpExt TCPFastRetrans", instruments["linnet.tcp_ext.tcp_fast_retrans"].Description);
        Assert.Equal("{event}", instruments["linnet.tcp_ext.tcp_fast_retrans"].Unit);
        Assert.IsType<ObservableUpDownCounter<long>>(instruments["linnet.tcp.curr_estab"]);
        Assert.IsType<ObservableCounter<long>>(instruments["system.network.io"]);
        Assert.All(instruments.Keys, name => Assert.Matches("^[a-z][a-z0-9_.]*$", name));
    }

    [Fact]
    public void Each_host_is_measured()
    {
        string one = $"one-{Guid.NewGuid():N}";
        using Network network = Network.Simulate();
        Host server = network.AddHost(one), client = network.AddHost($"{one}-client");
        network.Connect(server, "10.0.0.1/24", client, "10.0.0.2/24");
        long received = 0;
        network.Run(async () =>
        {
            using LinnetSocket listening = server.Listen(80);
            Task<LinnetSocket> accept = listening.AcceptAsync().AsTask();
            await using LinnetStream stream = await client.ConnectAsync(new IPEndPoint(server.Address, 80));
            using LinnetSocket accepted = await accept;
            received = server.Interfaces[1].Device.Stats.RxBytes;
            listener.RecordObservableInstruments();
        });
        Assert.Equal(1, Of("linnet.tcp.passive_opens", one));
        Assert.Equal(0, Of("linnet.tcp.active_opens", one));
        Assert.Equal(1, Of("linnet.tcp.curr_estab", one));
        Assert.Equal(1, Of("linnet.tcp.active_opens", $"{one}-client"));
        Assert.Equal(received, Of("system.network.io", one, "eth0", "receive"));
        Assert.True(Of("system.network.packet.count", one, "eth0", "transmit") > 0);

        measured.Clear();
        network.Dispose();
        listener.RecordObservableInstruments();
        Assert.DoesNotContain(measured, m => one.Equals(m.Tags["host.name"]));
    }

    private long Of(string name, string host, string? dev = null, string? direction = null) => Assert.Single(measured, m =>
        m.Name == name && host.Equals(m.Tags["host.name"]) && (dev == null || dev.Equals(m.Tags["network.interface.name"]))
        && (direction == null || direction.Equals(m.Tags["network.io.direction"]))).Value;
}
