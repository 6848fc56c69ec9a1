using System.Net;
using Linnet.Kernel.Drivers;

namespace Linnet.Linux.Tests.Infrastructure;

/// <summary>
/// A Linnet host and a namespace of the real kernel on one wire: a TAP device, whose kernel end has 192.0.2.1 and whose Linnet
/// end has 192.0.2.2. All frames are captured; disposing lets tshark look for anything that Linnet did wrong.
/// </summary>
internal sealed class TapWire : IDisposable
{
    private readonly string captureFile = Path.Combine(Path.GetTempPath(), $"linnet-{Guid.NewGuid():N}.pcapng");
    private readonly HostTun tap;

    /// <summary>Sets the wire up, or skips the test where that is not allowed.</summary>
    public TapWire(int mtu = 1500)
    {
        Kernel = HostNamespace.CreateOrSkip();
        Network = new Network(new NetworkOptions { Capture = File.Create(captureFile) });
        Linnet = Network.AddHost("linnet");
        Tun device = Linnet.AddTun(tap: true, IPNetworkAddress.Parse("192.0.2.2/24"), mtu);
        HostTun? made = null;
        Kernel.Inside(() =>
        {
            made = HostTun.Create("tap0", tap: true);
            made.Configure(KernelAddress, 24, mtu);
        });
        tap = made!;
        tap.Attach(device);
    }

    /// <summary>The kernel's address.</summary>
    public static IPAddress KernelAddress { get; } = IPAddress.Parse("192.0.2.1");

    /// <summary>Linnet's address.</summary>
    public static IPAddress LinnetAddress { get; } = IPAddress.Parse("192.0.2.2");

    /// <summary>The kernel's end.</summary>
    public HostNamespace Kernel { get; }

    /// <summary>The network that Linnet's host is in.</summary>
    public Network Network { get; }

    /// <summary>Linnet's host.</summary>
    public Host Linnet { get; }

    /// <inheritdoc/>
    public void Dispose()
    {
        tap.Dispose();
        Network.Dispose();
        Kernel.Dispose();
        try
        {
            CaptureCheck.AssertClean(captureFile, LinnetAddress);
        }
        finally
        {
            File.Delete(captureFile);
        }
    }
}
