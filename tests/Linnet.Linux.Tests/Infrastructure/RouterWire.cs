using System.Net;
using Linnet.Kernel.Drivers;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>
/// Two namespaces of the real kernel, 10.1.0.1 and 10.2.0.1, whose only way to each other is a router on Linnet (10.1.0.254 and
/// 10.2.0.254) between two TAP devices. What the router sends is captured and looked at by tshark in the end.
/// </summary>
internal sealed class RouterWire : IDisposable
{
    private readonly string captureFile = Path.Combine(Path.GetTempPath(), $"linnet-{Guid.NewGuid():N}.pcapng");
    private readonly List<HostTun> taps = [];

    /// <summary>Sets the wires up, or skips the test where that is not allowed.</summary>
    /// <param name="farMtu">Largest packet on the second wire; on the first it is 1500 bytes.</param>
    public RouterWire(int farMtu = 1500)
    {
        One = HostNamespace.CreateOrSkip();
        Other = HostNamespace.CreateOrSkip();
        Network = new Network(new NetworkOptions { Capture = File.Create(captureFile) });
        Router = Network.AddHost("router");
        Router.IsForwarding = true;
        Wire(One, "10.1.0", 1500);
        Wire(Other, "10.2.0", farMtu);
    }

    /// <summary>Address of the first namespace.</summary>
    public static IPAddress OneAddress { get; } = IPAddress.Parse("10.1.0.1");

    /// <summary>Address of the second namespace.</summary>
    public static IPAddress OtherAddress { get; } = IPAddress.Parse("10.2.0.1");

    /// <summary>The first namespace.</summary>
    public HostNamespace One { get; }

    /// <summary>The second namespace.</summary>
    public HostNamespace Other { get; }

    /// <summary>The network that the router is in.</summary>
    public Network Network { get; }

    /// <summary>The router.</summary>
    public Host Router { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        foreach (HostTun tap in taps)
            tap.Dispose();
        Network.Dispose();
        One.Dispose();
        Other.Dispose();
        try
        {
            CaptureCheck.AssertInterfaceClean(captureFile, "router:tap0", IPAddress.Parse("10.1.0.254"), OtherAddress);
            CaptureCheck.AssertInterfaceClean(captureFile, "router:tap1", IPAddress.Parse("10.2.0.254"), OneAddress);
        }
        finally
        {
            File.Delete(captureFile);
        }
    }

    private void Wire(HostNamespace kernel, string network, int mtu)
    {
        Tun device = Router.AddTun(tap: true, IPNetworkAddress.Parse($"{network}.254/24"), mtu);
        HostTun? made = null;
        kernel.Inside(() =>
        {
            made = HostTun.Create("tap0", tap: true);
            made.Configure(IPAddress.Parse($"{network}.1"), 24, mtu);
        });
        taps.Add(made!);
        made!.Attach(device);
        kernel.Run("ip", "route", "add", "default", "via", $"{network}.254").ThrowIfFailed();
    }
}
