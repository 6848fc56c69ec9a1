using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Messages in and out of sockets, to one and to many.</content>
public static partial class AfNetlink
{
    // What a send buffer has to have beside the message.
    private const int SendOverhead = 32;
    private const int LargestPart = 32768 - SharedInfoSize;
    private const int SharedInfoSize = 320;

    [Linux("netlink_sendmsg")]
    internal static long NetlinkSendmsg(Socket sock, MsgHdr msg, long len)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if ((msg.MsgFlags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        if (len == 0)
            return -ENODATA;
        TaskStruct task = TaskStruct.Current;
        NetlinkSkbParms parms = new() { Pid = task.Pid, Uid = task.Cred.Uid, Gid = task.Cred.Gid };
        int err = Destination(sk, msg, out uint dstPortid, out int dstGroup);
        parms.HasDst = msg.HasName && msg.MsgNamelen > 0;
        if (err == 0 && !sk.Bound)
            err = NetlinkAutobind(sk);
        if (err == 0 && len > sk.SkSndbuf - SendOverhead)
            err = -EMSGSIZE;
        if (err != 0)
            return err;
        SkBuff skb = sk.SkNet.SkbPool.Alloc((int)len);
        parms.Portid = sk.Portid;
        parms.DstGroup = dstGroup;
        skb.Cb<NetlinkSkbParms>() = parms;
        IovIter start = msg.MsgIter;
        if (msg.MsgIter.CopyFrom(skb.Put((int)len)) != len)
        {
            skb.Free();
            return -EFAULT;
        }

        if (dstGroup != 0)
            NetlinkBroadcast(sk, skb.Clone(), dstPortid, dstGroup);
        err = NetlinkUnicast(sk, skb, dstPortid);
        // Waiting is for the socket layer, which asks again.
        if (err == -EAGAIN)
            msg.MsgIter = start;
        return err;
    }

    [Linux("netlink_recvmsg")]
    internal static long NetlinkRecvmsg(Socket sock, MsgHdr msg, long len, int flags)
    {
        var sk = (NetlinkSock)sock.Sk!;
        if ((flags & MSG_OOB) != 0)
            return -EOPNOTSUPP;
        SkBuff? skb = Datagram.SkbRecvDatagram(sk, flags, out int err);
        long copied = 0;
        if (skb != null)
        {
            sk.MaxRecvmsgLen = (int)Math.Min(Math.Max(sk.MaxRecvmsgLen, len), LargestPart);
            copied = Math.Min(skb.Len, len);
            if (len < skb.Len)
                msg.MsgFlags |= MSG_TRUNC;
            err = Datagram.SkbCopyDatagramMsg(skb, 0, msg, (int)copied);
            DescribeSender(sk, msg, ref skb.Cb<NetlinkSkbParms>());
            if ((flags & MSG_TRUNC) != 0)
                copied = skb.Len;
            Datagram.SkbFreeDatagram(sk, skb);
            ContinueDump(sk);
        }

        NetlinkRcvWake(sk);
        return err != 0 ? err : copied;
    }

    /// <summary>Sends a message to one socket; takes over the packet.</summary>
    /// <returns>Its length, -ECONNREFUSED, or -EAGAIN when there is no room.</returns>
    [Linux("netlink_unicast")]
    internal static int NetlinkUnicast(NetlinkSock ssk, SkBuff skb, uint portid)
    {
        int len = skb.Len;
        NetlinkSock? sk = ssk.Table.NetlinkLookup(ssk.SkNet, portid);
        if (sk == null || (sk.SkState == NETLINK_CONNECTED && sk.DstPortid != ssk.Portid))
        {
            sk?.SockPut();
            skb.Free();
            return -ECONNREFUSED;
        }

        if (sk.Has(NetlinkFlags.KernelSocket))
            len = NetlinkUnicastKernel(sk, skb, ssk);
        else if (sk.SkFilterTrimCap(skb, 1) != 0)
            skb.Free();
        else if (NetlinkAttachskb(sk, skb, ssk))
            NetlinkSendskb(sk, skb);
        else
            len = -EAGAIN;
        sk.SockPut();
        return len;
    }

    /// <summary>Sends a message to all sockets of the namespace that listen to a group; takes over the packet.</summary>
    /// <param name="ssk">The sender, which does not get it.</param>
    /// <param name="skb">The message.</param>
    /// <param name="portid">Another socket that does not get it; 0 for none.</param>
    /// <param name="group">The group, counted from 1.</param>
    /// <returns>0, -ESRCH when nobody listens, -ENOBUFS when somebody who wants that told had no room.</returns>
    [Linux("netlink_broadcast")]
    internal static int NetlinkBroadcast(NetlinkSock ssk, SkBuff skb, uint portid, int group)
    {
        bool delivered = false;
        bool failed = false;
        skb.Cb<NetlinkSkbParms>().DstGroup = group;
        foreach (NetlinkSock sk in ssk.Table.McList)
        {
            if (sk == ssk || sk.Portid == portid || !sk.ListensTo(group) || sk.SkNet != ssk.SkNet)
                continue;
            int result = DoOneBroadcast(sk, skb);
            delivered |= result >= 0;
            failed |= result < 0 && sk.Has(NetlinkFlags.BroadcastSendError);
        }

        skb.Free();
        return failed ? -ENOBUFS : delivered ? 0 : -ESRCH;
    }

    /// <summary>Whether somebody of the namespace listens to a group (<c>netlink_has_listeners</c>).</summary>
    [Linux("netlink_has_listeners")]
    public static bool NetlinkHasListeners(NetlinkSock sk, int group)
    {
        foreach (NetlinkSock member in sk.Table.McList)
        {
            if (member.SkNet == sk.SkNet && member.ListensTo(group))
                return true;
        }

        return false;
    }

    [Linux("do_one_broadcast")]
    private static int DoOneBroadcast(NetlinkSock sk, SkBuff skb)
    {
        SkBuff clone = skb.Clone();
        if (sk.SkFilterTrimCap(clone, 1) != 0)
        {
            clone.Free();
            return 0;
        }

        int result = NetlinkBroadcastDeliver(sk, clone);
        if (result >= 0)
            return result;
        clone.Free();
        NetlinkOverrun(sk);
        return result;
    }

    [Linux("netlink_broadcast_deliver")]
    private static int NetlinkBroadcastDeliver(NetlinkSock sk, SkBuff skb)
    {
        if (Volatile.Read(ref sk.SkRmemAlloc) > sk.SkRcvbuf || sk.Congested)
            return -1;
        sk.SkbSetOwnerR(skb);
        NetlinkSendskb(sk, skb);
        return Volatile.Read(ref sk.SkRmemAlloc) > sk.SkRcvbuf >> 1 ? 1 : 0;
    }

    // The kernel has taken the message when the call returns.
    [Linux("netlink_unicast_kernel")]
    private static int NetlinkUnicastKernel(NetlinkSock sk, SkBuff skb, NetlinkSock ssk)
    {
        int ret = -ECONNREFUSED;
        if (sk.NetlinkRcv is { } input)
        {
            ret = skb.Len;
            input(sk, ssk, skb);
        }

        skb.Free();
        return ret;
    }

    // Whether there is room; else the sender is told when there is.
    [Linux("netlink_attachskb")]
    private static bool NetlinkAttachskb(NetlinkSock sk, SkBuff skb, NetlinkSock ssk)
    {
        if (Volatile.Read(ref sk.SkRmemAlloc) <= sk.SkRcvbuf && !sk.Congested)
        {
            sk.SkbSetOwnerR(skb);
            return true;
        }

        skb.Free();
        if (ssk.Has(NetlinkFlags.KernelSocket))
        {
            NetlinkOverrun(sk);
            return false;
        }

        lock (sk.BlockedSenders)
        {
            if (!sk.BlockedSenders.Contains(ssk))
                sk.BlockedSenders.Add(ssk);
        }

        return false;
    }

    [Linux("__netlink_sendskb")]
    private static void NetlinkSendskb(NetlinkSock sk, SkBuff skb) => sk.QueueOrFree(skb);

    // Messages are lost: the user is told once, and again after he has read what there is.
    [Linux("netlink_overrun")]
    private static void NetlinkOverrun(NetlinkSock sk)
    {
        if (!sk.Has(NetlinkFlags.RecvNoEnobufs) && !sk.Congested)
        {
            sk.Congested = true;
            Volatile.Write(ref sk.SkErr, ENOBUFS);
            sk.SkErrorReport(sk);
        }

        Interlocked.Increment(ref sk.SkDrops);
    }

    [Linux("netlink_rcv_wake")]
    private static void NetlinkRcvWake(NetlinkSock sk)
    {
        if (sk.SkReceiveQueue.First == null)
            sk.Congested = false;
        if (!sk.Congested)
            WakeSenders(sk);
    }

    private static void WakeSenders(NetlinkSock sk)
    {
        NetlinkSock[] senders;
        lock (sk.BlockedSenders)
        {
            if (sk.BlockedSenders.Count == 0)
                return;
            senders = [.. sk.BlockedSenders];
            sk.BlockedSenders.Clear();
        }

        foreach (NetlinkSock sender in senders)
            sender.SkWriteSpace(sender);
    }

    private static int Destination(NetlinkSock sk, MsgHdr msg, out uint dstPortid, out int dstGroup)
    {
        dstPortid = sk.DstPortid;
        dstGroup = sk.DstGroup;
        if (!msg.HasName || msg.MsgNamelen == 0)
            return 0;
        if (msg.MsgNamelen < SockaddrNlSize)
            return -EINVAL;
        SockaddrNl addr = MemoryMarshal.Read<SockaddrNl>(msg.MsgName);
        if (addr.NlFamily != AF_NETLINK)
            return -EINVAL;
        dstPortid = addr.NlPid;
        dstGroup = FirstGroup(addr.NlGroups);
        return (dstGroup != 0 || dstPortid != 0) && !NetlinkAllowed(sk, sk.Table.NonrootSend) ? -EPERM : 0;
    }

    private static void DescribeSender(NetlinkSock sk, MsgHdr msg, ref NetlinkSkbParms parms)
    {
        if (msg.HasName)
        {
            var addr = new SockaddrNl { NlFamily = AF_NETLINK, NlPid = parms.Portid, NlGroups = NetlinkGroupMask(parms.DstGroup) };
            MemoryMarshal.Write(msg.NameBuffer, in addr);
            msg.MsgNamelen = SockaddrNlSize;
        }

        if (sk.Has(NetlinkFlags.RecvPktinfo))
            NetlinkCmsgRecvPktinfo(msg, parms.DstGroup);
        if (sk.SkPassCred)
        {
            var ucred = new Ucred { Pid = parms.Pid, Uid = parms.Uid, Gid = parms.Gid };
            msg.PutCmsg(SOL_SOCKET, SCM_CREDENTIALS, MemoryMarshal.AsBytes(new ReadOnlySpan<Ucred>(in ucred)));
        }
    }

    [Linux("netlink_cmsg_recv_pktinfo")]
    private static void NetlinkCmsgRecvPktinfo(MsgHdr msg, int group)
    {
        var info = new NlPktinfo { Group = (uint)group };
        msg.PutCmsg(SOL_NETLINK, NETLINK_PKTINFO, MemoryMarshal.AsBytes(new ReadOnlySpan<NlPktinfo>(in info)));
    }
}
