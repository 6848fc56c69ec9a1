using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What TCP keeps for the whole machine: memory, and connections that no socket owns any more.</summary>
public sealed class TcpMachine
{
    // tcp_mem counts pages; a machine of 8 GiB is assumed, of which TCP uses a sixteenth before it feels pressure.
    private const long PressurePages = 2L * 1024 * 1024 / 16;

    private static readonly StateSlot<TcpMachine> Slot = new();

    private int orphans;

    private TcpMachine()
    {
        Memory.Limits = [PressurePages / 4 * 3, PressurePages, PressurePages / 4 * 6];
        Memory.EnteredPressure = net => net.Ipv4.NetStatistics.Inc(LinuxMib.TCPMemoryPressures);
    }

    /// <summary>Memory that all sockets use (<c>tcp_memory_allocated</c>, <c>net.ipv4.tcp_mem</c>).</summary>
    public ProtoMemory Memory { get; } = new();

    /// <summary><c>net.ipv4.tcp_max_orphans</c></summary>
    public int SysctlTcpMaxOrphans { get; set; } = 65536;

    /// <summary>Connections without a socket (<c>tcp_orphan_count</c>).</summary>
    public int OrphanCount => Volatile.Read(ref orphans);

    /// <summary>A connection lost its socket.</summary>
    public void OrphanInc() => Interlocked.Increment(ref orphans);

    /// <summary>A connection without a socket is gone.</summary>
    public void OrphanDec() => Interlocked.Decrement(ref orphans);

    /// <summary>The machine's state of TCP.</summary>
    public static TcpMachine Of(Machine machine) => Slot.Of(machine.Slots);

    /// <summary>Sets up a machine that boots.</summary>
    internal static void Init(Machine machine) => Slot.Set(machine.Slots, new TcpMachine());
}
