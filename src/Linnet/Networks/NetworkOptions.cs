using Linnet.Kernel;

namespace Linnet;

/// <summary>How a <see cref="Network"/> is booted.</summary>
public sealed class NetworkOptions
{
    /// <summary>
    /// Whether time is virtual: the network runs only inside of <see cref="Network.Run(Func{Task}, TimeSpan?)"/> and the methods of
    /// <see cref="Network.Simulation"/>, waits take no time, and a run repeats exactly. Otherwise it runs by itself, in real time.
    /// </summary>
    public bool VirtualTime { get; init; }

    /// <summary>
    /// What random numbers begin with. Without a seed a network in virtual time uses 1, and one in real time the operating
    /// system's numbers.
    /// </summary>
    public ulong? Seed { get; init; }

    /// <summary>What the wall clock says at first in virtual time; the beginning of 2026 when not given.</summary>
    public DateTimeOffset? StartTime { get; init; }

    /// <summary>Receives the lines of the kernel log; may be called from any thread.</summary>
    public Action<LogLevel, string>? Log { get; init; }

    /// <summary>
    /// Where all packets are written, as pcapng, which Wireshark opens; disposed with the network. Each packet on a link is
    /// written once.
    /// </summary>
    public Stream? Capture { get; init; }
}
