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

        SocketLayer layer = Slot.Of(machine.Slots);
        if (Interlocked.CompareExchange(ref layer.NetFamilies[ops.Family], ops, null) != null)
            return -EEXIST;
        machine.Log.Write(LogLevel.Info, $"NET: Registered PF_{ops.Family} protocol family");
        return 0;
    }

    /// <summary>Makes a protocol family unknown; its module's references keep sockets of it working (<c>sock_unregister</c>).</summary>
    [Linux("sock_unregister")]
    public static void SockUnregister(Machine machine, int family)
    {
        Bug.On((uint)family >= NPROTO);
        Volatile.Write(ref Slot.Of(machine.Slots).NetFamilies[family], null);
        machine.Log.Write(LogLevel.Info, $"NET: Unregistered PF_{family} protocol family");
    }

    /// <summary>Whether a family is known (<c>sock_is_registered</c>).</summary>
    public static bool SockIsRegistered(Machine machine, int family) =>
        (uint)family < NPROTO && Volatile.Read(ref Slot.Of(machine.Slots).NetFamilies[family]) != null;

    /// <summary>Makes a socket with an inode of sockfs, which nothing refers to yet (<c>sock_alloc</c>).</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="uid">User that the inode belongs to (<c>current_fsuid</c>).</param>
    [Linux("sock_alloc")]
    internal static Socket SockAlloc(Machine machine, uint uid)
    {
        SocketLayer layer = Slot.Of(machine.Slots);
        return new Socket(machine, Interlocked.Increment(ref layer.LastIno)) { Uid = uid };
    }

    // net_families: changed by compare-and-swap, read without a lock.
    private sealed class SocketLayer
    {
        public readonly NetProtoFamily?[] NetFamilies = new NetProtoFamily?[NPROTO];
        public long LastIno;
    }
}
