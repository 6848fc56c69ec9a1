using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <summary>
/// The socket calls of 32-bit programs (<c>net/compat.c</c>): <c>socketcall</c>, and the structures whose layout differs.
/// </summary>
[LinuxFile("net/compat.c")]
public static class Compat
{
    private const uint CompatFlag = MSG_CMSG_COMPAT;
    private const int CompatHeader = 12;

    /// <summary><c>socketcall(call, args)</c> of a 32-bit program: arguments are four bytes each.</summary>
    /// <param name="call"><c>SYS_SOCKET</c> and so on.</param>
    /// <param name="args">Where the arguments are.</param>
    [Linux("compat_sys_socketcall")]
    public static long CompatSysSocketcall(int call, uint args)
    {
        if (call is < SYS_SOCKET or > SYS_SENDMMSG)
            return -EINVAL;
        Span<uint> a = stackalloc uint[6];
        a.Clear();
        int length = SocketSyscalls.ArgumentBytes(call, sizeof(uint));
        if (Uaccess.User(args).CopyFrom(MemoryMarshal.AsBytes(a)[..length]) < 0)
            return -EFAULT;
        TaskStruct task = TaskStruct.Current;
        task.InCompatSyscall = true;
        try
        {
            return Dispatch(call, a);
        }
        finally
        {
            task.InCompatSyscall = false;
        }
    }

    /// <summary>Makes an iterator over pieces of memory that 32-bit <c>iovec</c>s describe.</summary>
    /// <returns>Bytes, -EINVAL or -EFAULT.</returns>
    internal static long ImportIovec(Sockptr vector, ulong count, ref Iovec[] scratch, out IovIter iter)
    {
        iter = default;
        int segments = (int)count;
        if (scratch.Length < segments)
            scratch = new Iovec[Math.Max(segments, UIO_FASTIOV)];
        long total = 0;
        for (int i = 0; i < segments; i++)
        {
            if (vector.Add(i * 2 * sizeof(uint)).Get(out (uint Base, int Length) piece) < 0)
                return -EFAULT;
            if (piece.Length < 0)
                return -EINVAL;
            long length = Math.Min(piece.Length, Uaccess.MaxRwCount - total);
            scratch[i] = new Iovec { IovBase = piece.Base, IovLen = (ulong)length };
            total += length;
        }

        iter = new IovIter(vector.Mm, scratch, segments);
        return total;
    }

    /// <summary>
    /// Turns a 32-bit caller's control messages into the layout that protocols read; the memory is pinned and charged to the
    /// socket.
    /// </summary>
    /// <returns>0, -EINVAL, -EFAULT or -ENOBUFS.</returns>
    [Linux("cmsghdr_from_user_compat_to_kern")]
    internal static int CmsghdrFromUserCompatToKern(Sockptr user, int length, Sock sk, out byte[]? control)
    {
        control = null;
        byte[] narrow = new byte[Math.Min(length, sk.SkNet.NetnsCore.SysctlOptmemMax)];
        if (user.CopyFrom(narrow) < 0)
            return -EFAULT;
        int err = WideLength(narrow, out int wide);
        if (err < 0)
            return err;
        if (length > narrow.Length || !sk.SockKmalloc(wide))
            return -ENOBUFS;
        control = GC.AllocateArray<byte>(wide, pinned: true);
        int from = 0;
        int to = 0;
        while (narrow.Length - from >= CompatHeader)
        {
            int size = BitConverter.ToInt32(narrow, from) - CompatHeader;
            Cmsghdr header = new()
            {
                CmsgLen = (ulong)CMSG_LEN(size),
                CmsgLevel = BitConverter.ToInt32(narrow, from + 4),
                CmsgType = BitConverter.ToInt32(narrow, from + 8),
            };
            MemoryMarshal.Write(control.AsSpan(to), in header);
            narrow.AsSpan(from + CompatHeader, size).CopyTo(control.AsSpan(to + CMSG_HDRLEN));
            to += CMSG_SPACE(size);
            from += (CompatHeader + size + 3) & ~3;
        }

        return 0;
    }

    private static int WideLength(ReadOnlySpan<byte> narrow, out int wide)
    {
        wide = 0;
        int from = 0;
        while (narrow.Length - from >= CompatHeader)
        {
            uint size = BitConverter.ToUInt32(narrow[from..]);
            if (size < CompatHeader || size > narrow.Length - from)
                return -EINVAL;
            wide += CMSG_SPACE((int)size - CompatHeader);
            from += ((int)size + 3) & ~3;
        }

        return wide == 0 ? -EINVAL : 0;
    }

    private static long Dispatch(int call, ReadOnlySpan<uint> a)
    {
        int fd = (int)a[0];
        return call switch
        {
            SYS_SOCKET => Socket.SysSocket(fd, (int)a[1], (int)a[2]),
            SYS_BIND => Socket.SysBind(fd, User(a[1]), (int)a[2]),
            SYS_CONNECT => Socket.SysConnect(fd, User(a[1]), (int)a[2]),
            SYS_LISTEN => Socket.SysListen(fd, (int)a[1]),
            SYS_ACCEPT => Socket.SysAccept4(fd, User(a[1]), User(a[2]), 0),
            SYS_GETSOCKNAME => Socket.SysGetsockname(fd, User(a[1]), User(a[2])),
            SYS_GETPEERNAME => Socket.SysGetpeername(fd, User(a[1]), User(a[2])),
            SYS_SOCKETPAIR => Socket.SysSocketpair(fd, (int)a[1], (int)a[2], User(a[3])),
            SYS_SHUTDOWN => Socket.SysShutdown(fd, (int)a[1]),
            SYS_SETSOCKOPT => Socket.SysSetsockopt(fd, (int)a[1], (int)a[2], User(a[3]), (int)a[4]),
            SYS_GETSOCKOPT => Socket.SysGetsockopt(fd, (int)a[1], (int)a[2], User(a[3]), User(a[4])),
            SYS_ACCEPT4 => Socket.SysAccept4(fd, User(a[1]), User(a[2]), (int)a[3]),
            _ => Message(call, fd, a),
        };
    }

    private static long Message(int call, int fd, ReadOnlySpan<uint> a) => call switch
    {
        SYS_SEND => Socket.SysSendto(fd, User(a[1]), a[2], (int)a[3], default, 0),
        SYS_SENDTO => Socket.SysSendto(fd, User(a[1]), a[2], (int)a[3], User(a[4]), (int)a[5]),
        SYS_RECV => Socket.SysRecvfrom(fd, User(a[1]), a[2], (int)(a[3] | CompatFlag), default, default),
        SYS_RECVFROM => Socket.SysRecvfrom(fd, User(a[1]), a[2], (int)(a[3] | CompatFlag), User(a[4]), User(a[5])),
        SYS_SENDMSG => Socket.SysSendmsg(fd, User(a[1]), a[2] | CompatFlag, forbidCmsgCompat: false),
        SYS_SENDMMSG => Socket.SysSendmmsg(fd, User(a[1]), a[2], a[3] | CompatFlag, forbidCmsgCompat: false),
        SYS_RECVMSG => Socket.SysRecvmsg(fd, User(a[1]), a[2] | CompatFlag, forbidCmsgCompat: false),
        _ => Socket.SysRecvmmsg(fd, User(a[1]), a[2], a[3] | CompatFlag, User(a[4]), forbidCmsgCompat: false),
    };

    private static Sockptr User(uint address) => Uaccess.User(address);
}
