using System.Net;
using Linnet.Diagnostics;
using Linnet.Kernel;
using Linnet.Kernel.Drivers;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Ipv4;
using Linnet.Kernel.Net.Sched;

namespace Linnet;

/// <summary>
/// Hosts and the links between them, on one booted machine: every host is a network namespace of it, with its own
/// interfaces, addresses, routes and sockets.
/// </summary>
public sealed class Network : IDisposable
{
    private readonly HostScheduler? realTime;
    private readonly PcapngWriter? capture;
    // Replaced whole: metrics are read by other threads.
    private volatile Host[] hosts = [];

    /// <summary>Boots a machine with no hosts.</summary>
    public Network(NetworkOptions? options = null)
    {
        options ??= new NetworkOptions();
        Simulation = options.VirtualTime ? new VirtualTimeScheduler(options.StartTime) : null;
        realTime = options.VirtualTime ? null : new HostScheduler();
        TimeProvider = Simulation?.TimeProvider ?? TimeProvider.System;
        ulong? seed = options.Seed ?? (options.VirtualTime ? 1 : null);
        Machine = StartKernel.Boot(new MachineOptions
        {
            TimeProvider = TimeProvider,
            Scheduler = (Scheduler?)Simulation ?? realTime!,
            Random = seed is { } s ? RandomSources.Seeded(s) : RandomSources.System(),
            Log = options.Log,
        });
        capture = options.Capture is { } output ? new PcapngWriter(output, Machine) : null;
        NetworkMetrics.Add(this);
    }

    /// <summary>The kernel.</summary>
    public Machine Machine { get; }

    /// <summary>The network's clock; code that runs in it takes its delays from here.</summary>
    public TimeProvider TimeProvider { get; }

    /// <summary>What runs a network in virtual time; null in real time.</summary>
    public VirtualTimeScheduler? Simulation { get; }

    /// <summary>The hosts, in the order in which they were added.</summary>
    public IReadOnlyList<Host> Hosts => hosts;

    internal SocketAwaitablePool Awaitables { get; } = new();

    /// <summary>A network in virtual time.</summary>
    /// <param name="seed">What random numbers begin with; the same seed gives the same packets.</param>
    public static Network Simulate(ulong seed = 1) => new(new NetworkOptions { VirtualTime = true, Seed = seed });

    /// <summary>Adds a host that has only its loopback interface.</summary>
    /// <param name="name">Its name (<c>uname -n</c>), which is also that of its interfaces in captures.</param>
    public Host AddHost(string name)
    {
        using KernelEntry entry = Machine.Enter();
        Host host = new(this, name);
        hosts = [.. hosts, host];
        Capture(host.Interfaces[0]);
        return host;
    }

    /// <summary>Wires two hosts to each other by an Ethernet cable; their interfaces are up then.</summary>
    /// <param name="one">A host; it gets an interface with the first free name of <c>eth0</c>, <c>eth1</c> ...</param>
    /// <param name="oneAddress">Its address and prefix, as <c>10.0.0.1/24</c>.</param>
    /// <param name="other">The other host.</param>
    /// <param name="otherAddress">Its address and prefix.</param>
    /// <param name="mtu">Largest packet in bytes.</param>
    public Link Connect(Host one, string oneAddress, Host other, string otherAddress, int mtu = 1500)
    {
        Link link = Wire(one, other, mtu);
        link.One.AddAddress(IPNetworkAddress.Parse(oneAddress));
        link.Other.AddAddress(IPNetworkAddress.Parse(otherAddress));
        return link;
    }

    /// <summary>Adds an Ethernet switch without ports.</summary>
    /// <param name="name">Its name, which is also that of its interfaces in captures.</param>
    public Switch AddSwitch(string name) => new(this, name);

    /// <summary>
    /// Runs async code to its end: in virtual time together with everything else in the network, in real time by blocking the
    /// caller.
    /// </summary>
    /// <param name="main">The program.</param>
    /// <param name="limit">How much virtual time it may take; no limit when not given.</param>
    public void Run(Func<Task> main, TimeSpan? limit = null)
    {
        if (Simulation != null)
            Simulation.Run(main, limit);
        else
            main().GetAwaiter().GetResult();
    }

    /// <summary>
    /// Makes a congestion control algorithm of your own available to all hosts: programs choose it by
    /// <see cref="LinnetSocket.CongestionControl"/> or <c>TCP_CONGESTION</c>, hosts by <c>net.ipv4.tcp_congestion_control</c>.
    /// </summary>
    /// <param name="name">Its name: 1 to 15 printable ASCII characters without blanks.</param>
    /// <param name="create">Makes the object for a connection; must not wait.</param>
    /// <param name="options">Who may choose it, and what it wants; the defaults when not given.</param>
    /// <exception cref="ArgumentException">The name is not one, or is taken.</exception>
    public void AddCongestionControl(
        string name, Func<CongestionControl> create, CongestionControlOptions? options = null)
    {
        ArgumentNullException.ThrowIfNull(name);
        ArgumentNullException.ThrowIfNull(create);
        using KernelEntry entry = Machine.Enter();
        ManagedCongestionOps ops = new(name, create, options ?? new CongestionControlOptions());
        int err = TcpCong.TcpRegisterCongestionControl(Machine, ops);
        if (err < 0)
            throw new ArgumentException(err == -EEXIST ? $"{name} is taken" : $"{name} cannot be a name", nameof(name));
    }

    /// <summary>Ends the network. What its programs still wait for does not happen any more.</summary>
    public void Dispose()
    {
        NetworkMetrics.Remove(this);
        Simulation?.Dispose();
        foreach (Host host in hosts)
            host.End();
        capture?.Dispose();
        realTime?.Dispose();
    }

    /// <summary>A cable between new interfaces, which are up and have no addresses.</summary>
    internal Link Wire(Host one, Host other, int mtu)
    {
        using KernelEntry entry = Machine.Enter();
        Host.Check(
            Veth.VethNewlink(one.Namespace, "eth%d", other.Namespace, "eth%d", out NetDevice dev, out NetDevice peer),
            "make a pair of devices");
        Link link = new(new HostInterface(one, dev), new HostInterface(other, peer));
        foreach (HostInterface end in new[] { link.One, link.Other })
        {
            end.SetMtu(mtu);
            end.Up();
        }

        Capture(link.One);
        return link;
    }

    internal void Capture(HostInterface end) => capture?.Capture(end.Device, $"{end.Host.Name}:{end.Name}");
}

/// <summary>A cable between two hosts.</summary>
/// <param name="One">One end.</param>
/// <param name="Other">The other end.</param>
public sealed record Link(HostInterface One, HostInterface Other)
{
    /// <summary>Treats packets of both directions as a bad network would; see <see cref="HostInterface.Emulate"/>.</summary>
    /// <param name="options">What happens to packets, each way; null for nothing.</param>
    public void Emulate(NetemOptions? options)
    {
        One.Emulate(options);
        Other.Emulate(options);
    }
}

/// <summary>An address with the length of its network's prefix, as <c>10.0.0.1/24</c>.</summary>
/// <param name="Address">The address.</param>
/// <param name="PrefixLength">Bits of the network's prefix, 0 to 32.</param>
public readonly record struct IPNetworkAddress(IPAddress Address, int PrefixLength)
{
    /// <summary>Reads the usual notation.</summary>
    /// <exception cref="FormatException">It is none.</exception>
    public static IPNetworkAddress Parse(string text) =>
        TryParse(text, out IPNetworkAddress result) ? result : throw new FormatException($"'{text}' is no address with a prefix, as 10.0.0.1/24 is");

    /// <summary>Reads the usual notation.</summary>
    public static bool TryParse(string text, out IPNetworkAddress result)
    {
        result = default;
        int slash = text.IndexOf('/');
        if (slash < 0 || !IPAddress.TryParse(text.AsSpan(0, slash), out IPAddress? address)
            || !int.TryParse(text.AsSpan(slash + 1), out int length) || length is < 0 or > 32)
            return false;
        result = new IPNetworkAddress(address, length);
        return true;
    }

    /// <inheritdoc/>
    public override string ToString() => $"{Address}/{PrefixLength}";
}
