using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>How a socket is made: from the call to the family's <c>create</c>, and back if anything refuses.</content>
public sealed partial class Socket
{
    private const int SockTypeFlags = SOCK_CLOEXEC | SOCK_NONBLOCK;

    /// <summary>The <c>socket</c> call (<c>__sys_socket</c>): makes a socket in the task's network namespace.</summary>
    /// <param name="family">Protocol family, <c>AF_*</c>.</param>
    /// <param name="type">Type, <c>SOCK_*</c>, with <c>SOCK_CLOEXEC</c> and <c>SOCK_NONBLOCK</c>.</param>
    /// <param name="protocol">Protocol; 0 for the type's default.</param>
    /// <returns>A descriptor, or a negative errno.</returns>
    [Linux("__sys_socket")]
    public static int SysSocket(int family, int type, int protocol)
    {
        int err = SysSocketCreate(
            family, type, UpdateSocketProtocol(TaskStruct.Current.Machine, family, type, protocol), out Socket? sock);
        if (err < 0)
            return err;
        // SOCK_NONBLOCK and O_NONBLOCK, SOCK_CLOEXEC and O_CLOEXEC are the same bits on x86.
        int flags = type & ~SOCK_TYPE_MASK;
        return SockMapFd(sock!, flags & (O_CLOEXEC | O_NONBLOCK));
    }

    /// <summary>A hook that may give a new socket another protocol, as MPTCP instead of TCP (<c>update_socket_protocol</c>).</summary>
    /// <returns>The protocol to use.</returns>
    [Linux("update_socket_protocol")]
    public static int UpdateSocketProtocol(Machine machine, int family, int type, int protocol) =>
        LayerOf(machine).UpdateSocketProtocol is { } hook ? hook(family, type, protocol) : protocol;

    /// <summary>Replaces what <see cref="UpdateSocketProtocol"/> answers with on a machine; null restores it.</summary>
    /// <param name="machine">The machine.</param>
    /// <param name="hook">Given family, type (with flags) and protocol, returns the protocol to use.</param>
    public static void SetUpdateSocketProtocol(Machine machine, Func<int, int, int, int>? hook) =>
        LayerOf(machine).UpdateSocketProtocol = hook;

    /// <summary>Checks the type's flags and makes the socket, without a descriptor (<c>__sys_socket_create</c>).</summary>
    [Linux("__sys_socket_create")]
    internal static int SysSocketCreate(int family, int type, int protocol, out Socket? sock)
    {
        sock = null;
        if ((type & ~SOCK_TYPE_MASK & ~SockTypeFlags) != 0)
            return -EINVAL;
        return SockCreate(family, type & SOCK_TYPE_MASK, protocol, out sock);
    }

    /// <summary>Makes a socket in the current task's network namespace (<c>sock_create</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("sock_create")]
    public static int SockCreate(int family, int type, int protocol, out Socket? res) =>
        SockCreateCore(TaskStruct.Current.Nsproxy.NetNs, family, type, protocol, out res, kern: false);

    /// <summary>Makes a socket for the kernel itself, which has no descriptor and does not keep its namespace (<c>sock_create_kern</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("sock_create_kern")]
    public static int SockCreateKern(NetNamespace net, int family, int type, int protocol, out Socket? res) =>
        SockCreateCore(net, family, type, protocol, out res, kern: true);

    /// <summary>Makes a socket without a network half, for the caller to fill in (<c>sock_create_lite</c>).</summary>
    /// <returns>0 or a negative errno.</returns>
    [Linux("sock_create_lite")]
    public static int SockCreateLite(Machine machine, int family, int type, int protocol, out Socket? res)
    {
        res = null;
        int err = Lsm.SecuritySocketCreate(machine, family, type, protocol, kern: true);
        if (err != 0)
            return err;
        Socket sock = SockAlloc(machine);
        sock.Type = type;
        err = Lsm.SecuritySocketPostCreate(sock, family, type, protocol, kern: true);
        if (err != 0)
            SockRelease(sock);
        else
            res = sock;
        return err;
    }

    /// <summary>Makes a socket (<c>__sock_create</c>); what was done is undone in reverse order when a step refuses.</summary>
    /// <param name="net">The network namespace.</param>
    /// <param name="family">Protocol family, <c>AF_*</c>.</param>
    /// <param name="type">Type, <c>SOCK_*</c>, without flags.</param>
    /// <param name="protocol">Protocol; 0 for the type's default.</param>
    /// <param name="res">The socket, or null.</param>
    /// <param name="kern">Whether the kernel makes it for itself.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("__sock_create")]
    public static int SockCreateCore(NetNamespace net, int family, int type, int protocol, out Socket? res, bool kern)
    {
        res = null;
        Machine machine = net.Machine;
        if (family is < 0 or >= NPROTO)
            return -EAFNOSUPPORT;
        if (type is < 0 or >= SOCK_MAX)
            return -EINVAL;
        if (family == PF_INET && type == SOCK_PACKET)
        {
            string comm = Cpu.This.Task?.Comm ?? "kernel";
            machine.Log.WriteOnce(LogLevel.Info, "SOCK_PACKET", $"{comm} uses obsolete (PF_INET,SOCK_PACKET)");
            family = PF_PACKET;
        }

        int err = Lsm.SecuritySocketCreate(machine, family, type, protocol, kern);
        if (err != 0)
            return err;
        Socket sock = SockAlloc(machine);
        sock.Type = type;
        err = CreateInFamily(net, sock, family, protocol, kern);
        if (err == 0)
            err = Lsm.SecuritySocketPostCreate(sock, family, type, protocol, kern);
        if (err != 0)
            SockRelease(sock);
        else
            res = sock;
        return err;
    }

    /// <summary>The <c>socketpair</c> call (<c>__sys_socketpair</c>): two sockets that are connected to each other.</summary>
    /// <param name="family">Protocol family, <c>AF_*</c>.</param>
    /// <param name="type">Type with flags.</param>
    /// <param name="protocol">Protocol; 0 for the type's default.</param>
    /// <param name="usockvec">Where the two descriptors go.</param>
    /// <returns>0 or a negative errno.</returns>
    [Linux("__sys_socketpair")]
    public static int SysSocketpair(int family, int type, int protocol, Sockptr usockvec)
    {
        int flags = type & ~SOCK_TYPE_MASK;
        if ((flags & ~SockTypeFlags) != 0)
            return -EINVAL;
        FilesStruct files = TaskStruct.Current.Files;
        // Descriptors first: they can be given back, while sockets that were connected could not be disconnected unseen.
        int fd1 = files.GetUnusedFdFlags(flags);
        if (fd1 < 0)
            return fd1;
        int fd2 = files.GetUnusedFdFlags(flags);
        if (fd2 < 0)
        {
            files.PutUnusedFd(fd1);
            return fd2;
        }

        int err = usockvec.Put(fd1);
        if (err == 0)
            err = usockvec.Add(sizeof(int)).Put(fd2);
        File? file1 = null;
        File? file2 = null;
        if (err == 0)
            err = CreatePair(family, type & SOCK_TYPE_MASK, protocol, flags, out file1, out file2);
        if (err < 0)
        {
            files.PutUnusedFd(fd2);
            files.PutUnusedFd(fd1);
            return err;
        }

        files.FdInstall(fd1, file1!);
        files.FdInstall(fd2, file2!);
        return 0;
    }

    private static int CreatePair(int family, int type, int protocol, int flags, out File? file1, out File? file2)
    {
        file1 = file2 = null;
        int err = SockCreate(family, type, protocol, out Socket? sock1);
        if (err < 0)
            return err;
        err = SockCreate(family, type, protocol, out Socket? sock2);
        if (err < 0)
        {
            SockRelease(sock1!);
            return err;
        }

        err = Lsm.SecuritySocketSocketpair(sock1!, sock2!);
        if (err == 0)
            err = sock1!.Ops!.Socketpair(sock1, sock2!);
        if (err < 0)
        {
            SockRelease(sock2!);
            SockRelease(sock1!);
            return err;
        }

        // A file that cannot be made releases its socket.
        err = SockAllocFile(sock1!, flags, out file1);
        if (err < 0)
        {
            SockRelease(sock2!);
            return err;
        }

        err = SockAllocFile(sock2!, flags, out file2);
        if (err < 0)
            file1!.Fput();
        return err;
    }

    // The middle of __sock_create: the family is found, loading its module where needed, kept while it creates, and the
    // operations' module is kept for as long as the socket has them.
    private static int CreateInFamily(NetNamespace net, Socket sock, int family, int protocol, bool kern)
    {
        Machine machine = net.Machine;
        NetProtoFamily?[] families = LayerOf(machine).NetFamilies;
        if (Volatile.Read(ref families[family]) == null)
            machine.Modules.RequestModule($"net-pf-{family}");
        NetProtoFamily? pf = Volatile.Read(ref families[family]);
        if (pf == null)
        {
            machine.Unsupported.Add(RequestKind.Family, family);
            return -EAFNOSUPPORT;
        }

        if (!Module.TryModuleGet(pf.Owner))
            return -EAFNOSUPPORT;
        int err = pf.Create(net, sock, protocol, kern);
        if (err < 0)
        {
            if (err is -EPROTONOSUPPORT or -ESOCKTNOSUPPORT)
                machine.Unsupported.Add(RequestKind.Protocol, family, sock.Type, protocol);
        }
        else if (!Module.TryModuleGet(sock.Ops!.Owner))
        {
            err = -EAFNOSUPPORT;
            DropSk(sock);
        }

        if (err < 0)
            sock.Ops = null;
        Module.ModulePut(pf.Owner);
        return err;
    }

    // The operations are going away, so their release must not be called; the network half holds its own protocol.
    private static void DropSk(Socket sock)
    {
        if (sock.Sk is not { } sk)
            return;
        sock.Sk = null;
        sk.SkProt.Close(sk, 0);
    }
}
