using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>
/// The tables by which TCP finds its sockets (<c>struct inet_hashinfo</c>), one set for the machine. The hashes are keyed
/// with secrets, so that peers cannot choose chains.
/// </summary>
[LinuxStruct("inet_hashinfo")]
public sealed class InetHashinfo
{
    /// <summary>
    /// Length of <see cref="TablePerturb"/>; a power of two (RFC 6056 section 3.3.4 calls it TABLE_LENGTH).
    /// </summary>
    public const int INET_TABLE_PERTURB_SIZE = 8192;

    private static readonly StateSlot<InetHashinfo> Slot = new();

    private readonly SiphashKey ehashSecret;
    private readonly SiphashKey bhashSecret;

    private InetHashinfo(RandomSource random)
    {
        ehashSecret = SiphashKey.New(random);
        bhashSecret = SiphashKey.New(random);
        random.GetBytes(System.Runtime.InteropServices.MemoryMarshal.AsBytes(TablePerturb.AsSpan()));
    }

    /// <summary>Connections by four-tuple: full, in their handshake, and in TIME_WAIT.</summary>
    public SockHashTable Ehash { get; } = new(1024);

    /// <summary>Listeners by local address and port.</summary>
    public SockHashTable Lhash2 { get; } = new(256);

    /// <summary>Ports in use.</summary>
    public InetBindTable Bhash { get; } = new();

    /// <summary>Counters that move the search for a port on, shared by destinations that have the same hash.</summary>
    internal uint[] TablePerturb { get; } = new uint[INET_TABLE_PERTURB_SIZE];

    /// <summary>The machine's tables.</summary>
    public static InetHashinfo Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Makes the tables of a machine that boots.</summary>
    internal static void Init(Machine machine) => Slot.Set(machine.Slots, new InetHashinfo(machine.Random));

    /// <summary>Hash of a connection (<c>inet_ehashfn</c>).</summary>
    public uint Ehashfn(NetNamespace net, uint laddr, ushort lport, uint faddr, ushort fport) =>
        Siphash.Hsiphash2(
            (ulong)laddr << 32 | faddr, (ulong)net.HashMix << 32 | (uint)lport << 16 | fport, ehashSecret);

    /// <summary>Hash of a local address and port, for binds and listeners (<c>ipv4_portaddr_hash</c>).</summary>
    public uint Bhash2Fn(NetNamespace net, uint addr, ushort port) =>
        Siphash.Hsiphash2(addr, (ulong)net.HashMix << 32 | port, bhashSecret);
}
