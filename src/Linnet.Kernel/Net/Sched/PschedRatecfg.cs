using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Sched;

/// <summary>How the bytes of a packet are counted on its link (<c>TC_LINKLAYER_*</c>).</summary>
public enum LinkLayer
{
    /// <summary>As they are.</summary>
    Ethernet,

    /// <summary>In cells of 53 bytes that carry 48.</summary>
    Atm,
}

/// <summary>A rate, and what is added to packets before it (<c>struct psched_ratecfg</c>).</summary>
[LinuxStruct("psched_ratecfg")]
internal readonly struct PschedRatecfg(ulong bytesPerSecond, int overhead, int mpu, LinkLayer linkLayer)
{
    /// <summary>Bytes a second; 0 for no rate.</summary>
    public ulong BytesPerSecond => bytesPerSecond;

    /// <summary>How long a packet of so many bytes takes, ns, rounded up (<c>psched_l2t_ns</c>).</summary>
    public long L2tNs(int length)
    {
        long bytes = Math.Max(length + overhead, mpu);
        if (linkLayer == LinkLayer.Atm)
            bytes = (bytes + 47) / 48 * 53;
        UInt128 ns = ((UInt128)(ulong)bytes * (ulong)Clock.NsecPerSec + bytesPerSecond - 1) / bytesPerSecond;
        return ns > long.MaxValue ? long.MaxValue : (long)ns;
    }
}
