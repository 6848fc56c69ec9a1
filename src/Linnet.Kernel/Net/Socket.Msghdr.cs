using System.Runtime.CompilerServices;
using System.Runtime.InteropServices;
using Linnet.Kernel.Fs;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net;

/// <content>Calls whose message is described by a <c>msghdr</c> in the caller's memory, one or several at a time.</content>
public sealed partial class Socket
{
    // Control data up to so much is copied to the stack; more is charged to the socket's option memory.
    private const int StackControl = CMSG_HDRLEN + 20;

    /// <summary>The <c>sendmsg</c> call (<c>__sys_sendmsg</c>).</summary>
    /// <param name="fd">The socket's descriptor.</param>
    /// <param name="umsg">The message.</param>
    /// <param name="flags"><c>MSG_*</c></param>
    /// <param name="forbidCmsgCompat">Whether the flag of 32-bit callers is refused: it is theirs alone.</param>
    /// <returns>Bytes sent, or a negative errno.</returns>
    [Linux("__sys_sendmsg")]
    public static long SysSendmsg(int fd, Sockptr umsg, uint flags, bool forbidCmsgCompat = true)
    {
        if (forbidCmsgCompat && IsCompat(flags))
            return -EINVAL;
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        SocketCall call = SocketCall.Rent(sock.Machine);
        long ret = SendOne(sock, file, call, umsg, (int)flags, allowedFlags: 0, usedAddress: default, out _);
        call.Return();
        file.Fput();
        return ret;
    }

    /// <summary>The <c>sendmmsg</c> call (<c>__sys_sendmmsg</c>): stops at the first message that cannot be sent.</summary>
    /// <returns>How many were sent, or the first one's errno.</returns>
    [Linux("__sys_sendmmsg")]
    public static int SysSendmmsg(int fd, Sockptr mmsg, uint vlen, uint flags, bool forbidCmsgCompat = true)
    {
        if (forbidCmsgCompat && IsCompat(flags))
            return -EINVAL;
        MsghdrLayout layout = MsghdrLayout.Of(flags);
        vlen = Math.Min(vlen, UIO_MAXIOV);
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        SocketCall call = SocketCall.Rent(sock.Machine);
        int sent = 0;
        UsedAddress used = new();
        while (sent < vlen)
        {
            Sockptr entry = mmsg.Add(sent * layout.MmsghdrSize);
            int each = (int)flags | (sent == vlen - 1 ? 0 : MSG_BATCH);
            long n = SendOne(sock, file, call, entry, each, MSG_EOR, used, out bool whole);
            err = n < 0 ? (int)n : entry.Add(layout.MsghdrSize).Put((uint)n);
            if (err < 0)
                break;
            sent++;
            if (!whole)
                break;
        }

        call.Return();
        file.Fput();
        return sent != 0 ? sent : err;
    }

    /// <summary>The <c>recvmsg</c> call (<c>__sys_recvmsg</c>).</summary>
    /// <returns>Bytes received, 0 at the end of a stream, or a negative errno.</returns>
    [Linux("__sys_recvmsg")]
    public static long SysRecvmsg(int fd, Sockptr umsg, uint flags, bool forbidCmsgCompat = true)
    {
        if (forbidCmsgCompat && IsCompat(flags))
            return -EINVAL;
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        SocketCall call = SocketCall.Rent(sock.Machine);
        long ret = RecvOne(sock, file, call, umsg, (int)flags, nosec: false);
        call.Return();
        file.Fput();
        return ret;
    }

    /// <summary>The <c>recvmmsg</c> call (<c>__sys_recvmmsg</c>).</summary>
    /// <param name="fd">The socket's descriptor.</param>
    /// <param name="mmsg">The messages.</param>
    /// <param name="vlen">How many there are.</param>
    /// <param name="flags"><c>MSG_*</c>; with MSG_WAITFORONE only the first is waited for.</param>
    /// <param name="timeout">A <c>timespec</c>, looked at after each message only; null for none. What is left is written back.</param>
    /// <param name="forbidCmsgCompat">Whether the flag of 32-bit callers is refused.</param>
    /// <returns>How many were received, or the first one's errno.</returns>
    [Linux("__sys_recvmmsg")]
    public static int SysRecvmmsg(int fd, Sockptr mmsg, uint vlen, uint flags, Sockptr timeout, bool forbidCmsgCompat = true)
    {
        if (forbidCmsgCompat && IsCompat(flags))
            return -EINVAL;
        if (timeout.IsNull)
            return DoRecvmmsg(fd, mmsg, vlen, (int)flags, deadline: null);
        MsghdrLayout layout = MsghdrLayout.Of(flags);
        if (!layout.ReadTimespec(timeout, out Timespec ts))
            return -EFAULT;
        if (!Deadline.IsValid(ts))
            return -EINVAL;
        Machine machine = TaskStruct.Current.Machine;
        long deadline = Deadline.After(machine, ts);
        int received = DoRecvmmsg(fd, mmsg, vlen, (int)flags, deadline);
        if (received > 0 && layout.WriteTimespec(timeout, Deadline.Remaining(machine, deadline)) < 0)
            return -EFAULT;
        return received;
    }

    [Linux("do_recvmmsg")]
    private static int DoRecvmmsg(int fd, Sockptr mmsg, uint vlen, int flags, long? deadline)
    {
        int err = SockfdLookup(fd, out File file, out Socket sock);
        if (err < 0)
            return err;
        int received = (flags & MSG_ERRQUEUE) != 0 ? 0 : sock.Sk!.SockError();
        if (received == 0)
        {
            SocketCall call = SocketCall.Rent(sock.Machine);
            received = RecvMany(sock, file, call, mmsg, vlen, flags, deadline);
            call.Return();
        }

        file.Fput();
        return received;
    }

    private static int RecvMany(
        Socket sock, File file, SocketCall call, Sockptr mmsg, uint vlen, int flags, long? deadline)
    {
        MsghdrLayout layout = MsghdrLayout.Of((uint)flags);
        int received = 0;
        int err = 0;
        while (received < vlen)
        {
            Sockptr entry = mmsg.Add(received * layout.MmsghdrSize);
            long n = RecvOne(sock, file, call, entry, flags & ~MSG_WAITFORONE, nosec: received > 0);
            err = n < 0 ? (int)n : entry.Add(layout.MsghdrSize).Put((uint)n);
            if (err < 0)
                break;
            received++;
            if ((flags & MSG_WAITFORONE) != 0)
                flags |= MSG_DONTWAIT;
            if (deadline <= sock.Machine.Clock.Now || (call.Msg.MsgFlags & MSG_OOB) != 0)
                break;
        }

        if (err == 0)
            return received;
        if (received == 0)
            return err;
        // What was received is told now, the error next time; that there is no more for now is no error.
        if (err != -EAGAIN)
            Volatile.Write(ref sock.Sk!.SkErr, -err);
        return received;
    }

    // ___sys_sendmsg. Tells whether everything that was given was sent.
    private static long SendOne(
        Socket sock, File file, SocketCall call, Sockptr umsg, int flags, int allowedFlags, UsedAddress? usedAddress,
        out bool whole)
    {
        MsgHdr msg = call.Msg;
        whole = false;
        long err = CopyMsghdrFromUser(
            msg, umsg, MsghdrLayout.Of((uint)flags), forReceive: false, call, out ulong controllen, out _);
        if (err < 0)
            return err;
        err = SysSendmsgCore(sock, file, msg, controllen, flags, allowedFlags, usedAddress);
        whole = msg.MsgIter.Count == 0;
        return err;
    }

    [Linux("____sys_sendmsg")]
    private static unsafe long SysSendmsgCore(
        Socket sock, File file, MsgHdr msg, ulong controllen, int flags, int allowedFlags, UsedAddress? usedAddress)
    {
        if (controllen > int.MaxValue)
            return -ENOBUFS;
        flags |= msg.MsgFlags & allowedFlags;
        msg.MsgFlags = (flags & ~InternalSendmsgFlags) | DontWait(file);
        int length = (int)controllen;
        if (length == 0)
            return SendTo(sock, msg, usedAddress);
        Sockptr user = msg.MsgControl;
        if (IsCompat((uint)flags))
            return SendWithCompatControl(sock, msg, user, length, usedAddress);
        if (length <= StackControl)
        {
            byte* control = stackalloc byte[StackControl];
            return SendWithControl(sock, msg, user, new Span<byte>(control, length), usedAddress);
        }

        // The memory counts against the socket, so that callers cannot take the kernel's by giving large control data.
        Sock sk = sock.Sk!;
        if (!sk.SockKmalloc(length))
            return -ENOBUFS;
        byte[] buffer = GC.AllocateUninitializedArray<byte>(length, pinned: true);
        long ret = SendWithControl(sock, msg, user, buffer, usedAddress);
        sk.SockKfree(length);
        return ret;
    }

    // The control data is copied once, so that the caller cannot change it after it was checked. The memory is pinned.
    private static unsafe long SendWithControl(
        Socket sock, MsgHdr msg, Sockptr user, Span<byte> pinned, UsedAddress? usedAddress)
    {
        if (user.CopyFrom(pinned) < 0)
            return -EFAULT;
        msg.MsgControl = Sockptr.Kernel(Unsafe.AsPointer(ref MemoryMarshal.GetReference(pinned)));
        msg.MsgControllen = pinned.Length;
        return SendTo(sock, msg, usedAddress);
    }

    // A 32-bit caller's control data takes more room in the layout that protocols read.
    private static long SendWithCompatControl(Socket sock, MsgHdr msg, Sockptr user, int length, UsedAddress? usedAddress)
    {
        long err = Compat.CmsghdrFromUserCompatToKern(user, length, sock.Sk!, out byte[]? control);
        if (err < 0)
            return err;
        msg.MsgControl = Sockptr.Pinned(control);
        msg.MsgControllen = control!.Length;
        err = SendTo(sock, msg, usedAddress);
        sock.Sk!.SockKfree(control.Length);
        return err;
    }

    // Of several messages in one call the security modules see the first to each address.
    private static long SendTo(Socket sock, MsgHdr msg, UsedAddress? usedAddress)
    {
        if (usedAddress == null)
            return SockSendmsgCore(sock, msg);
        if (usedAddress.Is(msg))
            return SockSendmsgNosec(sock, msg);
        long ret = SockSendmsgCore(sock, msg);
        if (ret >= 0)
            usedAddress.Remember(msg);
        return ret;
    }

    // ___sys_recvmsg.
    private static long RecvOne(Socket sock, File file, SocketCall call, Sockptr umsg, int flags, bool nosec)
    {
        MsgHdr msg = call.Msg;
        long err = CopyMsghdrFromUser(
            msg, umsg, MsghdrLayout.Of((uint)flags), forReceive: true, call, out ulong controllen, out Sockptr uaddr);
        return err < 0 ? err : SysRecvmsgCore(sock, file, msg, umsg, uaddr, controllen, flags, nosec);
    }

    [Linux("____sys_recvmsg")]
    private static long SysRecvmsgCore(
        Socket sock, File file, MsgHdr msg, Sockptr umsg, Sockptr uaddr, ulong controllen, int flags, bool nosec)
    {
        MsghdrLayout layout = MsghdrLayout.Of((uint)flags);
        ulong controlStart = msg.MsgControl.Address;
        msg.MsgControllen = (int)Math.Min(controllen, int.MaxValue);
        msg.MsgFlags = flags & (MSG_CMSG_CLOEXEC | unchecked((int)MSG_CMSG_COMPAT));
        msg.HasName = true;
        msg.MsgNamelen = 0;
        flags |= DontWait(file);
        long len = nosec ? SockRecvmsgNosec(sock, msg, flags) : SockRecvmsg(sock, msg, flags);
        if (len < 0)
            return len;
        if (!uaddr.IsNull)
        {
            int err = MoveAddrToUser(msg.MsgName, uaddr, umsg.Add(layout.NamelenOffset));
            if (err < 0)
                return err;
        }

        if (umsg.Add(layout.FlagsOffset).Put(msg.MsgFlags & ~unchecked((int)MSG_CMSG_COMPAT)) < 0)
            return -EFAULT;
        return layout.WriteControllen(umsg, msg.MsgControl.Address - controlStart) < 0 ? -EFAULT : len;
    }

    /// <summary>Copies a message's description out of the caller's memory and checks it (<c>copy_msghdr_from_user</c>).</summary>
    /// <param name="msg">Filled in; when receiving, without the address.</param>
    /// <param name="umsg">The <c>user_msghdr</c>.</param>
    /// <param name="layout">How it is laid out.</param>
    /// <param name="forReceive">Whether the address is wanted rather than given.</param>
    /// <param name="call">Lends room for the pieces of data.</param>
    /// <param name="controllen">Bytes of control data, not checked.</param>
    /// <param name="uaddr">Where a received message's address goes.</param>
    /// <returns>Bytes of data, or a negative errno.</returns>
    [Linux("copy_msghdr_from_user")]
    private static long CopyMsghdrFromUser(
        MsgHdr msg, Sockptr umsg, in MsghdrLayout layout, bool forReceive, SocketCall call, out ulong controllen,
        out Sockptr uaddr)
    {
        controllen = 0;
        uaddr = default;
        if (!layout.ReadMsghdr(umsg, out UserMsghdr user))
            return -EFAULT;
        msg.Reset(default, (int)user.MsgFlags);
        msg.MsgControl = new Sockptr(umsg.Mm, user.MsgControl);
        controllen = user.MsgControllen;
        int namelen = user.MsgName == 0 ? 0 : user.MsgNamelen;
        if (namelen < 0)
            return -EINVAL;
        namelen = Math.Min(namelen, StorageSize);
        if (forReceive)
        {
            uaddr = new Sockptr(umsg.Mm, user.MsgName);
        }
        else if (namelen != 0)
        {
            int err = MoveAddrToKernel(new Sockptr(umsg.Mm, user.MsgName), namelen, msg.NameBuffer);
            if (err < 0)
                return err;
            msg.HasName = true;
            msg.MsgNamelen = namelen;
        }

        if (user.MsgIovlen > UIO_MAXIOV)
            return -EMSGSIZE;
        Sockptr iovec = new(umsg.Mm, user.MsgIov);
        return layout.IsCompat
            ? Compat.ImportIovec(iovec, user.MsgIovlen, ref call.Iovecs, out msg.MsgIter)
            : Uaccess.ImportIovec(iovec, user.MsgIovlen, ref call.Iovecs, out msg.MsgIter);
    }

    // 32-bit callers have their own calls; from others their flag is refused.
    private static bool IsCompat(uint flags) => (flags & MSG_CMSG_COMPAT) != 0;

    /// <summary>The address that the last message of a <c>sendmmsg</c> went to (<c>struct used_address</c>).</summary>
    [LinuxStruct("used_address")]
    private sealed class UsedAddress
    {
        private readonly byte[] name = new byte[StorageSize];
        private int length = -1;

        public bool Is(MsgHdr msg) =>
            length >= 0 && msg.HasName && length == msg.MsgNamelen && msg.MsgName.SequenceEqual(name.AsSpan(0, length));

        public void Remember(MsgHdr msg)
        {
            length = msg.MsgNamelen;
            msg.MsgName.CopyTo(name);
        }
    }
}
