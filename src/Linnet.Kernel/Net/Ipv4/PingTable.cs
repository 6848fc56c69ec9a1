using System.Diagnostics;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The ping sockets of a machine by identifier (<c>struct ping_table</c>). Chains are replaced whole under the lock of
/// this object, and read without a lock.
/// </summary>
[LinuxStruct("ping_table")]
internal sealed class PingTable
{
    private const int Slots = 64;

    private static readonly StateSlot<PingTable> Slot = new();

    private readonly InetSock[][] chains = [.. Enumerable.Repeat(Array.Empty<InetSock>(), Slots)];
    private ushort rover;

    private PingTable(ushort rover) => this.rover = rover;

    public static PingTable Of(Machine machine) => Slot.Of(machine.Slots);

    // Identifiers are given out in turn, from a random one on.
    public static void Install(Machine machine) =>
        Slot.Set(machine.Slots, new PingTable((ushort)machine.Random.NextU32()));

    /// <summary>All sockets, slot by slot.</summary>
    public IEnumerable<InetSock> All => chains.SelectMany(chain => chain);

    /// <summary>Slot of an identifier.</summary>
    public static int SlotOf(NetNamespace net, ushort ident) => (int)((ident + net.HashMix) % Slots);

    /// <summary>The first socket with an identifier that fits.</summary>
    public InetSock? Find(NetNamespace net, ushort ident, Func<InetSock, bool> fits)
    {
        foreach (InetSock sk in Volatile.Read(ref chains[SlotOf(net, ident)]))
        {
            if (sk.SkcNet == net && sk.SkcNum == ident && fits(sk))
                return sk;
        }

        return null;
    }

    /// <summary>The next identifier that nobody has; 0 when all are taken.</summary>
    public ushort NextFree(NetNamespace net)
    {
        Debug.Assert(Monitor.IsEntered(this));
        for (int i = 0; i <= ushort.MaxValue; i++)
        {
            if (++rover != 0 && Find(net, rover, _ => true) == null)
                return rover;
        }

        return 0;
    }

    public void Add(InetSock sk)
    {
        Debug.Assert(Monitor.IsEntered(this));
        ref InetSock[] chain = ref chains[SlotOf(sk.SkNet, sk.SkcNum)];
        if (!chain.Contains(sk))
            Volatile.Write(ref chain, [sk, .. chain]);
    }

    public bool Remove(InetSock sk)
    {
        Debug.Assert(Monitor.IsEntered(this));
        ref InetSock[] chain = ref chains[SlotOf(sk.SkNet, sk.SkcNum)];
        if (!chain.Contains(sk))
            return false;
        Volatile.Write(ref chain, [.. chain.Where(other => other != sk)]);
        return true;
    }
}
