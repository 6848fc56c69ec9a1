using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>A packet filter that is attached to a socket (<c>struct sk_filter</c>), shared by a listener and its connections.</summary>
[LinuxStruct("sk_filter")]
public abstract class SkFilter
{
    /// <summary>Bytes that the filter is charged with to each socket that has it.</summary>
    protected abstract int Size { get; }

    /// <summary>Runs the filter on a packet's data.</summary>
    /// <returns>How many bytes of it to keep; 0 to drop it; negative (a large unsigned number) for all.</returns>
    public abstract int Run(SkBuff skb);

    /// <summary>Charges the filter to a socket (<c>sk_filter_charge</c>).</summary>
    /// <returns>Whether it fits under <c>net.core.optmem_max</c>.</returns>
    public bool Charge(Sock sk) => sk.SockKmalloc(Size);

    /// <summary>Takes the charge back (<c>sk_filter_uncharge</c>).</summary>
    public void Uncharge(Sock sk) => sk.SockKfree(Size);
}
