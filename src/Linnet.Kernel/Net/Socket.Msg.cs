using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Security;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>Sending and receiving: the calls with one buffer, and what all calls with a message come down to.</content>
public sealed partial class Socket
{
    // Flags that only the kernel itself may give (MSG_INTERNAL_SENDMSG_FLAGS).
    private const int InternalSendmsgFlags = MSG_SPLICE_PAGES | MSG_SENDPAGE_NOPOLICY | MSG_SENDPAGE_DECRYPTED;

    /// <summary>The <c>sendto</c> call (<c>__sys_sendto</c>); waits unless told not to.</summary>
    /// <returns>Bytes sent, or a negative errno.</returns>
    [Linux("__sys_sendto")]
    public static long SysSendto(int fd, Sockptr buff, ulong len, int flags, Sockptr addr, int addrLen)
    {
        int err = ImportUbuf(buff, ref len);
        if (err < 0)
            return err;
        err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        SocketCall call = SocketCall.Rent(sock.Machine);
        MsgHdr msg = call.Msg;
        msg.Reset(new IovIter(buff, (long)len), 0);
        long ret = 0;
        if (!addr.IsNull)
        {
            ret = MoveAddrToKernel(addr, addrLen, msg.NameBuffer);
            msg.HasName = true;
            msg.MsgNamelen = ret < 0 ? 0 : addrLen;
        }

        if (ret >= 0)
        {
            msg.MsgFlags = (flags & ~InternalSendmsgFlags) | DontWait(file);
            ret = SockSendmsgCore(sock, msg);
        }

        call.Return();
        file.Fput();
        return ret;
    }

    /// <summary>The <c>recvfrom</c> call (<c>__sys_recvfrom</c>); waits unless told not to.</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    [Linux("__sys_recvfrom")]
    public static long SysRecvfrom(int fd, Sockptr ubuf, ulong size, int flags, Sockptr addr, Sockptr addrLen)
    {
        int err = ImportUbuf(ubuf, ref size);
        if (err < 0)
            return err;
        err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        SocketCall call = SocketCall.Rent(sock.Machine);
        MsgHdr msg = call.Msg;
        msg.Reset(new IovIter(ubuf, (long)size), 0);
        msg.HasName = !addr.IsNull;
        long ret = SockRecvmsg(sock, msg, flags | DontWait(file));
        if (ret >= 0 && !addr.IsNull)
        {
            int err2 = MoveAddrToUser(msg.MsgName, addr, addrLen);
            if (err2 < 0)
                ret = err2;
        }

        call.Return();
        file.Fput();
        return ret;
    }

    /// <summary>Sends a message, asking the security modules first (<c>__sock_sendmsg</c>); waits unless told not to.</summary>
    /// <returns>Bytes sent, or a negative errno.</returns>
    [Linux("__sock_sendmsg")]
    internal static long SockSendmsgCore(Socket sock, MsgHdr msg)
    {
        int err = Lsm.SecuritySocketSendmsg(sock, msg, msg.MsgIter.Count);
        return err != 0 ? err : SockSendmsgNosec(sock, msg);
    }

    /// <summary>Sends a message for code in the kernel (<c>sock_sendmsg</c>).</summary>
    [Linux("sock_sendmsg")]
    public static long SockSendmsg(Socket sock, MsgHdr msg) => SockSendmsgCore(sock, msg);

    /// <summary>Sends a message that the security modules have seen (<c>sock_sendmsg_nosec</c>).</summary>
    [Linux("sock_sendmsg_nosec")]
    internal static long SockSendmsgNosec(Socket sock, MsgHdr msg) => SocketWait.Sendmsg(sock, msg);

    /// <summary>Receives a message, asking the security modules first (<c>sock_recvmsg</c>); waits unless told not to.</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    [Linux("sock_recvmsg")]
    public static long SockRecvmsg(Socket sock, MsgHdr msg, int flags)
    {
        int err = Lsm.SecuritySocketRecvmsg(sock, msg, msg.MsgIter.Count, flags);
        return err != 0 ? err : SockRecvmsgNosec(sock, msg, flags);
    }

    /// <summary>Receives a message that the security modules allowed (<c>sock_recvmsg_nosec</c>).</summary>
    [Linux("sock_recvmsg_nosec")]
    internal static long SockRecvmsgNosec(Socket sock, MsgHdr msg, int flags) => SocketWait.Recvmsg(sock, msg, flags);

    // MSG_DONTWAIT for a call on a non-blocking file.
    private static int DontWait(File file) => (file.FFlags & O_NONBLOCK) != 0 ? MSG_DONTWAIT : 0;

    // One buffer of the caller's: longer than a call transfers is cut (import_ubuf).
    private static int ImportUbuf(Sockptr buffer, ref ulong len)
    {
        len = Math.Min(len, (ulong)Uaccess.MaxRwCount);
        return Uaccess.AccessOk(buffer, len) ? 0 : -EFAULT;
    }
}
