using System.Diagnostics.CodeAnalysis;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>Socket, file and descriptor: how each leads to the next, and how they end.</content>
public sealed partial class Socket
{
    /// <summary>Gives a socket a file and a descriptor (<c>sock_map_fd</c>); takes over the socket.</summary>
    /// <param name="sock">The socket; released when there is no descriptor or file for it.</param>
    /// <param name="flags"><c>O_CLOEXEC</c> and <c>O_NONBLOCK</c>.</param>
    /// <returns>The descriptor, -EMFILE or -ENFILE.</returns>
    [Linux("sock_map_fd")]
    internal static int SockMapFd(Socket sock, int flags)
    {
        FilesStruct files = TaskStruct.Current.Files;
        int fd = files.GetUnusedFdFlags(flags);
        if (fd < 0)
        {
            SockRelease(sock);
            return fd;
        }

        int err = SockAllocFile(sock, flags, out File? newfile);
        if (err == 0)
        {
            files.FdInstall(fd, newfile!);
            return fd;
        }

        files.PutUnusedFd(fd);
        return err;
    }

    /// <summary>Makes a socket with an inode of sockfs, which nothing refers to yet (<c>sock_alloc</c>).</summary>
    [Linux("sock_alloc")]
    public static Socket SockAlloc(Machine machine)
    {
        SocketLayer layer = LayerOf(machine);
        Interlocked.Increment(ref layer.Inodes);
        return new Socket(machine, Interlocked.Increment(ref layer.LastIno)) { Uid = Cpu.This.Task?.Cred.Euid ?? 0 };
    }

    /// <summary>Makes the file of a socket (<c>sock_alloc_file</c>); on failure the socket is released.</summary>
    /// <returns>0 or -ENFILE.</returns>
    [Linux("sock_alloc_file")]
    public static int SockAllocFile(Socket sock, int flags, out File? file)
    {
        int err = FileTable.AllocFilePseudo(
            sock.Machine, SocketFileOps.Instance, sock, O_RDWR | (flags & O_NONBLOCK), out file);
        if (err < 0)
        {
            SockRelease(sock);
            return err;
        }

        sock.File = file;
        return 0;
    }

    /// <summary>The socket of a file (<c>sock_from_file</c>), or null for another kind of file.</summary>
    public static Socket? SockFromFile(File file) =>
        file.FOp == SocketFileOps.Instance ? (Socket?)file.PrivateData : null;

    /// <summary>
    /// The socket behind a descriptor of the current task (<c>sockfd_lookup</c>); its file is held until the caller's
    /// <see cref="File.Fput"/>.
    /// </summary>
    /// <returns>0, -EBADF or -ENOTSOCK.</returns>
    [Linux("sockfd_lookup")]
    public static int SockfdLookup(int fd, [NotNull] out File? file, [NotNull] out Socket? sock)
    {
        file = TaskStruct.Current.Files.Fget(fd);
        sock = null;
        if (file == null)
            return Nothing(-EBADF, out file, out sock);
        sock = SockFromFile(file);
        if (sock != null)
            return 0;
        file.Fput();
        return Nothing(-ENOTSOCK, out file, out sock);
    }

    /// <summary>Ends a socket that has no file (<c>sock_release</c>): its operations release it, its module is let go.</summary>
    [Linux("sock_release")]
    public static void SockRelease(Socket sock) => SockReleaseCore(sock);

    [Linux("__sock_release")]
    private static void SockReleaseCore(Socket sock)
    {
        if (sock.Ops is { } ops)
        {
            Module? owner = ops.Owner;
            ops.Release(sock);
            sock.Sk = null;
            sock.Ops = null;
            Module.ModulePut(owner);
        }

        sock.File = null;
        Lsm.SecurityInodeFree(sock);
        Interlocked.Decrement(ref LayerOf(sock.Machine).Inodes);
    }

    /// <summary>The last descriptor and the last call are gone (<c>sock_close</c>).</summary>
    [Linux("sock_close")]
    internal static void SockClose(Socket sock) => SockReleaseCore(sock);

    // Out parameters of a failed lookup: the caller looks at the errno first, and does not have to look at them.
    private static int Nothing(int err, out File file, out Socket sock)
    {
        file = null!;
        sock = null!;
        return err;
    }
}
