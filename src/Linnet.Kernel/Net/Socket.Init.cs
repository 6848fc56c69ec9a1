using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>The family table, and what the socket layer keeps for a machine.</content>
public sealed partial class Socket
{
    private static readonly StateSlot<SocketLayer> Slot = new();

    /// <summary>Sets up the socket layer of a machine that boots (<c>sock_init</c>).</summary>
    [Linux("sock_init")]
    internal static void SockInit(Machine machine) => Slot.Set(machine.Slots, new SocketLayer());

    /// <summary>Makes a protocol family known (<c>sock_register</c>).</summary>
    /// <returns>0, -ENOBUFS for a family out of range, -EEXIST when it is taken.</returns>
    [Linux("sock_register")]
    public static int SockRegister(Machine machine, NetProtoFamily ops)
    {
        if ((uint)ops.Family >= NPROTO)
        {
            machine.Log.Write(LogLevel.Error, $"protocol {ops.Family} >= NPROTO({NPROTO})");
            return -ENOBUFS;
        }

        if (Interlocked.CompareExchange(ref LayerOf(machine).NetFamilies[ops.Family], ops, null) != null)
            return -EEXIST;
        machine.Log.Write(LogLevel.Info, $"NET: Registered PF_{ops.Family} protocol family");
        return 0;
    }

    /// <summary>Makes a protocol family unknown; its module's references keep sockets of it working (<c>sock_unregister</c>).</summary>
    [Linux("sock_unregister")]
    public static void SockUnregister(Machine machine, int family)
    {
        Bug.On((uint)family >= NPROTO);
        Volatile.Write(ref LayerOf(machine).NetFamilies[family], null);
        machine.Log.Write(LogLevel.Info, $"NET: Unregistered PF_{family} protocol family");
    }

    /// <summary>Whether a family is known (<c>sock_is_registered</c>).</summary>
    public static bool SockIsRegistered(Machine machine, int family) =>
        (uint)family < NPROTO && Volatile.Read(ref LayerOf(machine).NetFamilies[family]) != null;

    /// <summary>Sockets that exist on the machine, those of the kernel too.</summary>
    public static long InodesInUse(Machine machine) => Interlocked.Read(ref LayerOf(machine).Inodes);

    private static SocketLayer LayerOf(Machine machine) => Slot.Of(machine.Slots);

    private sealed class SocketLayer
    {
        // Changed by compare-and-swap, read without a lock.
        public readonly NetProtoFamily?[] NetFamilies = new NetProtoFamily?[NPROTO];
        public volatile Func<int, int, int, int>? UpdateSocketProtocol;
        public long LastIno;
        public long Inodes;
    }
}
