using System.Globalization;
using System.Text;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <summary>Operations of a protocol, in the order of their columns in <c>/proc/net/protocols</c>.</summary>
[Flags]
public enum ProtoOperations
{
    /// <summary>None.</summary>
    None = 0,

    /// <summary><c>cl</c></summary>
    Close = 1 << 0,

    /// <summary><c>co</c></summary>
    Connect = 1 << 1,

    /// <summary><c>di</c></summary>
    Disconnect = 1 << 2,

    /// <summary><c>ac</c></summary>
    Accept = 1 << 3,

    /// <summary><c>io</c></summary>
    Ioctl = 1 << 4,

    /// <summary><c>in</c></summary>
    Init = 1 << 5,

    /// <summary><c>de</c></summary>
    Destroy = 1 << 6,

    /// <summary><c>sh</c></summary>
    Shutdown = 1 << 7,

    /// <summary><c>ss</c></summary>
    Setsockopt = 1 << 8,

    /// <summary><c>gs</c></summary>
    Getsockopt = 1 << 9,

    /// <summary><c>se</c></summary>
    Sendmsg = 1 << 10,

    /// <summary><c>re</c></summary>
    Recvmsg = 1 << 11,

    /// <summary><c>bi</c></summary>
    Bind = 1 << 12,

    /// <summary><c>br</c></summary>
    BacklogRcv = 1 << 13,

    /// <summary><c>ha</c></summary>
    Hash = 1 << 14,

    /// <summary><c>uh</c></summary>
    Unhash = 1 << 15,

    /// <summary><c>gp</c></summary>
    GetPort = 1 << 16,

    /// <summary><c>em</c></summary>
    EnterMemoryPressure = 1 << 17,

    /// <summary>All.</summary>
    All = (1 << 18) - 1,
}

/// <summary>The protocols of a machine (<c>proto_list</c>), and their text in <c>/proc/net/protocols</c>.</summary>
[LinuxFile("net/core/sock.c")]
internal sealed class ProtoList
{
    private const int Columns = 18;
    private static readonly StateSlot<ProtoList> Slot = new();

    private readonly Dictionary<Proto, long> sizes = [];
    private Proto[] protos = [];

    /// <summary>Registers the file.</summary>
    [Linux("proto_init")]
    public static void ProtoInit(Machine machine) => ProcNet.Of(machine).Register("protocols", ProtoSeqShow);

    /// <summary>Lists a protocol.</summary>
    [Linux("proto_register")]
    public static void ProtoRegister(Machine machine, Proto prot)
    {
        ProtoList list = Of(machine);
        lock (list)
            list.protos = [prot, .. list.protos];
    }

    /// <summary>Takes it from the list.</summary>
    [Linux("proto_unregister")]
    public static void ProtoUnregister(Machine machine, Proto prot)
    {
        ProtoList list = Of(machine);
        lock (list)
            list.protos = [.. list.protos.Where(other => other != prot)];
    }

    [Linux("proto_seq_show")]
    private static void ProtoSeqShow(NetNamespace net, StringBuilder seq)
    {
        seq.Append("protocol  size sockets  memory press maxhdr  slab module     ")
            .Append("cl co di ac io in de sh ss gs se re bi br ha uh gp em\n");
        ProtoList list = Of(net.Machine);
        foreach (Proto prot in list.protos)
        {
            string pressure = prot.MemoryOf(net) is { } memory ? memory.Pressure ? "yes" : "no" : "NI";
            seq.Append(CultureInfo.InvariantCulture, $"{prot.Name,-9} {list.SizeOf(prot),4} {prot.InuseGet(net),6}  ")
                .Append(CultureInfo.InvariantCulture, $"{prot.MemoryAllocated(net),6}   {pressure,-3} {prot.MaxHeader,6}   ")
                .Append(CultureInfo.InvariantCulture, $"{"no",-3}  {prot.Owner?.Name ?? "kernel",-10} ");
            for (int i = 0; i < Columns; i++)
                seq.Append(i == 0 ? " " : "  ").Append(((int)prot.Operations >> i & 1) != 0 ? 'y' : 'n');
            seq.Append('\n');
        }
    }

    // What a socket takes when it is made, with what it allocates by itself: measured, since a runtime does not say.
    private long SizeOf(Proto prot)
    {
        lock (this)
        {
            if (sizes.TryGetValue(prot, out long size))
                return size;
            GC.KeepAlive(prot.AllocSock());
            long before = GC.GetAllocatedBytesForCurrentThread();
            GC.KeepAlive(prot.AllocSock());
            return sizes[prot] = GC.GetAllocatedBytesForCurrentThread() - before;
        }
    }

    private static ProtoList Of(Machine machine) => Slot.OfOrNew(machine.Slots, machine, _ => new ProtoList());
}
