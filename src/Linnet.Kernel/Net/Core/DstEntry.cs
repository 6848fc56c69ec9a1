using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>
/// Where packets go next (<c>struct dst_entry</c>): the result of a route lookup, shared by packets and cached by sockets.
/// A route that changed marks its entries obsolete; holders look again when <see cref="Check"/> says so.
/// </summary>
[LinuxStruct("dst_entry")]
public abstract class DstEntry(NetDevice dev)
{
    /// <summary>The device that packets leave or came in by.</summary>
    public NetDevice Dev { get; } = dev;

    /// <summary>Negative errno that <see cref="Input"/> and <see cref="Output"/> answer with, or 0.</summary>
    public int Error { get; init; }

    /// <summary>Whether the entry may still be used (<c>dst_check</c>).</summary>
    public abstract bool Check();

    /// <summary>Path MTU, in bytes of network packet (<c>dst_mtu</c>).</summary>
    public abstract int Mtu { get; }

    /// <summary>The MSS that is advertised over this route, in bytes (<c>dst_metric_advmss</c>).</summary>
    public abstract int Advmss { get; }

    /// <summary>A metric of the route, <c>RTAX_*</c>; 0 where none is set (<c>dst_metric</c>).</summary>
    public virtual uint Metric(int metric) => 0;

    /// <summary>Whether path MTU discovery must not change the MTU (<c>dst_metric_locked</c>).</summary>
    public virtual bool MetricLocked(int metric) => (Metric(RTAX_LOCK) & 1u << metric) != 0;

    /// <summary>Handles a packet that came in and was routed here (<c>dst_input</c>). Takes over the packet.</summary>
    /// <returns>0 or a negative errno.</returns>
    public abstract int Input(SkBuff skb);

    /// <summary>Sends a packet that has its network header (<c>dst_output</c>). Takes over the packet.</summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or a negative errno.</returns>
    public abstract int Output(NetNamespace net, Sock? sk, SkBuff skb);

    /// <summary>A higher layer heard from the sender of a packet, so that the next hop works (<c>dst_confirm_neigh</c>).</summary>
    /// <param name="skb">The packet that came in.</param>
    public virtual void ConfirmNeigh(SkBuff skb)
    {
    }

    /// <summary>A packet could not be delivered: look for another way (<c>dst_negative_advice</c>).</summary>
    public virtual void NegativeAdvice(Sock sk)
    {
    }

    /// <summary>A path MTU was learned (<c>update_pmtu</c>).</summary>
    public virtual void UpdatePmtu(Sock? sk, SkBuff? skb, int mtu)
    {
    }
}
