using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The protocols that are there from the beginning.</content>
public static partial class AfInet
{
    // Upon start these go into inetsw, in this order.
    private static readonly InetProtosw[] InetswArray =
    [
        new(SOCK_STREAM, IPPROTO_TCP, TcpProt.Instance, InetStreamOps.Instance,
            InetProtoswFlags.Permanent | InetProtoswFlags.Icsk),
        new(SOCK_DGRAM, IPPROTO_UDP, UdpProt.Instance, InetDgramOps.Instance, InetProtoswFlags.Permanent),
        new(SOCK_DGRAM, IPPROTO_ICMP, PingProt.Instance, InetSockrawOps.Instance, InetProtoswFlags.Reuse),
        new(SOCK_RAW, IPPROTO_IP, RawProt.Instance, InetSockrawOps.Instance, InetProtoswFlags.Reuse),
    ];

    private static void AddProtocols(Machine machine)
    {
        Bug.On(Icmp.IcmpInit(machine) < 0);
        Bug.On(AfInetProtocols.InetAddProtocol(machine, IPPROTO_TCP, TcpProtocol.Instance) < 0);
        Bug.On(AfInetProtocols.InetAddProtocol(machine, IPPROTO_UDP, UdpProtocol.Instance) < 0);
        Bug.On(AfInetProtocols.InetAddProtocol(machine, IPPROTO_IGMP, IgmpProtocol.Instance) < 0);
    }
}

/// <summary>
/// A machine's <c>inetsw</c>: for each socket type the protocols, in the order in which they are looked at.
/// </summary>
[LinuxFile("net/ipv4/af_inet.c")]
internal sealed class InetswTable
{
    private static readonly StateSlot<InetswTable> Slot = new();

    // Each list is replaced whole under the lock of this object, and read without a lock.
    private readonly InetProtosw[][] lists = [.. Enumerable.Repeat(Array.Empty<InetProtosw>(), SOCK_MAX)];

    /// <summary>The entries of a type.</summary>
    public InetProtosw[] this[int type]
    {
        get => Volatile.Read(ref lists[type]);
        set => Volatile.Write(ref lists[type], value);
    }

    /// <summary>The table of a machine.</summary>
    public static InetswTable Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Gives a machine an empty table.</summary>
    public static void Install(Machine machine) => Slot.Set(machine.Slots, new InetswTable());
}
