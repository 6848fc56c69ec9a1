using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// All UDP sockets of a machine (<c>struct udp_table</c>), hashed by port and by local address and port. Lookups read a
/// chain without a lock; who changes one replaces it whole under its lock. The lock of a port's chain is taken before
/// that of an address's.
/// </summary>
[LinuxStruct("udp_table")]
public sealed class UdpTable
{
    /// <summary>Slots are a power of two: 2 to this.</summary>
    public const int Log = 12;

    /// <summary>How many slots each of the two tables has.</summary>
    public const int Size = 1 << Log;

    private const int PageSize = 4096;

    private static readonly StateSlot<UdpTable> Slot = new();

    private readonly UdpHslot[] hash = new UdpHslot[Size];
    private readonly UdpHslot[] hash2 = new UdpHslot[Size];

    /// <summary>The key that spreads flows over the sockets of a reuseport group.</summary>
    internal readonly SiphashKey EhashKey;

    private UdpTable(Machine machine)
    {
        EhashKey = SiphashKey.New(machine.Random);
        // Three quarters, all and one and a half of an eighth of the memory of a machine with 4 GiB.
        const long limit = (4L << 30) / PageSize / 8;
        Memory.Limits = [limit / 4 * 3, limit, limit / 4 * 6];
    }

    /// <summary>Memory of the packets that wait in all UDP sockets; limits are <c>net.ipv4.udp_mem</c>.</summary>
    public ProtoMemory Memory { get; } = new();

    /// <summary>The table of a machine.</summary>
    public static UdpTable Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Gives a machine its table (<c>udp_table_init</c>).</summary>
    [Linux("udp_table_init", "net/ipv4/udp.c")]
    internal static void UdpTableInit(Machine machine) => Slot.Set(machine.Slots, new UdpTable(machine));

    /// <summary>Slot of a port (<c>udp_hashfn</c>).</summary>
    public static int SlotOf(NetNamespace net, ushort port) => (int)((port + net.HashMix) & (Size - 1));

    /// <summary>Hash of a local address and port (<c>ipv4_portaddr_hash</c>); the port can be changed by XOR.</summary>
    public static uint PortaddrHash(NetNamespace net, uint saddr, ushort port)
    {
        uint mixed = (saddr ^ net.HashMix) * 0x9E3779B1;
        mixed ^= mixed >> 15;
        return (mixed * 0x85EBCA77 >> 8) ^ port;
    }

    /// <summary>The chain of a port.</summary>
    public ref UdpHslot Hash(NetNamespace net, ushort port) => ref hash[SlotOf(net, port)];

    /// <summary>The chain at a slot of the table by port; for walks over all sockets.</summary>
    public ref UdpHslot Hash(int slot) => ref hash[slot];

    /// <summary>The chain of an address and port.</summary>
    public ref UdpHslot Hash2(uint portaddrHash) => ref hash2[portaddrHash & (Size - 1)];
}

/// <summary>One chain of the table (<c>struct udp_hslot</c>).</summary>
[LinuxStruct("udp_hslot")]
public struct UdpHslot
{
    /// <summary>Taken by who changes the chain.</summary>
    public Spinlock Guard;

    private UdpSock[]? socks;

    /// <summary>The sockets, newest first; the array is never changed.</summary>
    public UdpSock[] Socks
    {
        get => Volatile.Read(ref socks) ?? [];
        private set => Volatile.Write(ref socks, value);
    }

    /// <summary>How many sockets there are.</summary>
    public int Count => Socks.Length;

    /// <summary>Adds a socket; lock held.</summary>
    public void AddHead(UdpSock sk) => Socks = [sk, .. Socks];

    /// <summary>Removes a socket; lock held.</summary>
    /// <returns>Whether it was there.</returns>
    public bool Remove(UdpSock sk)
    {
        UdpSock[] before = Socks;
        int index = Array.IndexOf(before, sk);
        if (index < 0)
            return false;
        Socks = [.. before[..index], .. before[(index + 1)..]];
        return true;
    }
}
