using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Handles packets of one transport protocol over IPv4 (<c>struct net_protocol</c>).</summary>
[LinuxStruct("net_protocol")]
public abstract class NetProtocol
{
    /// <summary>Whether packets without an IPsec policy check are welcome (<c>no_policy</c>).</summary>
    public virtual bool NoPolicy => true;

    /// <summary>Whether the handler checks ICMP errors strictly itself (<c>icmp_strict_tag_validation</c>).</summary>
    public virtual bool IcmpStrictTagValidation => false;

    /// <summary>Whether <see cref="EarlyDemux"/> does anything.</summary>
    public virtual bool HasEarlyDemux => false;

    /// <summary>
    /// Finds the socket before the route is looked up, and takes the socket's route (<c>ip_early_demux</c>). The packet's
    /// data begins at the IP header; the transport offset is set.
    /// </summary>
    /// <returns>0, or a negative errno: the packet is dropped then.</returns>
    public virtual int EarlyDemux(SkBuff skb) => 0;

    /// <summary>Takes over a packet for this host; its data begins at the transport header.</summary>
    /// <returns>0 or more when it is done; a negative value asks to deliver it again to protocol -value.</returns>
    public abstract int Handler(SkBuff skb);

    /// <summary>
    /// An ICMP error came for a packet that this host sent: its IP header is where the data begins, the ICMP header at
    /// the transport offset (<c>err_handler</c>). The packet stays the caller's.
    /// </summary>
    /// <param name="skb">The ICMP message.</param>
    /// <param name="info">MTU for fragmentation needed, pointer for parameter problems.</param>
    /// <returns>0, or -ENOENT when no socket had sent such a packet.</returns>
    public virtual int ErrHandler(SkBuff skb, uint info) => 0;
}

/// <summary>Handlers of transport protocols by number, for the whole machine (<c>inet_protos</c>).</summary>
public sealed class InetProtos
{
    private static readonly StateSlot<InetProtos> Slot = new();

    // Written under the lock of this object, read without a lock.
    private readonly NetProtocol?[] table = new NetProtocol?[256];

    /// <summary>
    /// Gives each raw socket of the packet's protocol a copy (<c>raw_local_deliver</c>): packet and protocol in, whether
    /// any took one out. Null while there are no raw sockets.
    /// </summary>
    public Func<SkBuff, int, bool>? RawLocalDeliver { get; set; }

    /// <summary>Tells raw sockets of an ICMP error (<c>raw_icmp_error</c>): message, protocol, info.</summary>
    public Action<SkBuff, int, uint>? RawIcmpError { get; set; }

    /// <summary>Gives a copy of an echo reply to the ping socket that it belongs to (<c>ping_rcv</c>); whether there was one.</summary>
    public Func<SkBuff, bool>? PingRcv { get; set; }

    /// <summary>Tells ping sockets of an ICMP error (<c>ping_err</c>).</summary>
    public Action<SkBuff, uint>? PingErr { get; set; }

    /// <summary>The handler of a protocol, or null.</summary>
    public NetProtocol? this[int protocol] => Volatile.Read(ref table[protocol]);

    /// <summary>The machine's table; made when first asked for.</summary>
    public static InetProtos Of(Machine machine)
    {
        if (Slot.Find(machine.Slots) is { } found)
            return found;
        lock (machine.Slots)
        {
            if (Slot.Find(machine.Slots) == null)
                Slot.Set(machine.Slots, new InetProtos());
        }

        return Slot.Of(machine.Slots);
    }

    internal bool TryReplace(int protocol, NetProtocol? with, NetProtocol? expected) =>
        Interlocked.CompareExchange(ref table[protocol], with, expected) == expected;
}

/// <summary>Registration of transport protocols.</summary>
[LinuxFile("net/ipv4/protocol.c")]
public static class AfInetProtocols
{
    /// <summary>Registers the handler of a protocol.</summary>
    /// <returns>0, or -1 when the protocol has one already.</returns>
    [Linux("inet_add_protocol")]
    public static int InetAddProtocol(Machine machine, int protocol, NetProtocol handler) =>
        InetProtos.Of(machine).TryReplace(protocol, handler, expected: null) ? 0 : -1;

    /// <summary>Takes it back.</summary>
    /// <returns>0, or -1 when another handler is registered.</returns>
    [Linux("inet_del_protocol")]
    public static int InetDelProtocol(Machine machine, int protocol, NetProtocol handler) =>
        InetProtos.Of(machine).TryReplace(protocol, null, expected: handler) ? 0 : -1;
}
