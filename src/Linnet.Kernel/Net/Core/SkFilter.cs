using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A packet filter that is attached to a socket (<c>struct sk_filter</c>).</summary>
[LinuxStruct("sk_filter")]
public abstract class SkFilter
{
    /// <summary>Runs the filter on a packet's data.</summary>
    /// <returns>How many bytes of it to keep; 0 to drop it.</returns>
    public abstract int Run(SkBuff skb);
}
