using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Dumps: answers of many messages, made as the user reads them.</content>
public static partial class AfNetlink
{
    // What fits in a page beside a packet's bookkeeping (NLMSG_GOODSIZE).
    private const int NlmsgGoodsize = 4096 - SharedInfoSize;

    /// <summary>Begins a dump for the sender of a request; the first part is made at once.</summary>
    /// <returns>-EINTR, which asks for no acknowledgement; -EBUSY when a dump is under way, or what the dump's start answers.</returns>
    [Linux("__netlink_dump_start")]
    public static int NetlinkDumpStart(NetlinkRequest request, NetlinkDumpControl control)
    {
        NetlinkSock? sk = request.Sk.Table.NetlinkLookup(request.KernelSk.SkNet, request.Portid);
        if (sk == null)
            return -ECONNREFUSED;
        int err = 0;
        lock (sk.CbMutex)
        {
            if (sk.CbRunning)
            {
                err = -EBUSY;
            }
            else
            {
                NetlinkCallback cb = new(request, control) { Extack = request.Extack };
                err = control.Start?.Invoke(cb) ?? 0;
                cb.Extack = new NetlinkExtAck();
                if (err == 0)
                    Volatile.Write(ref sk.Cb, cb);
            }
        }

        if (err == 0)
            err = NetlinkDump(sk);
        sk.SockPut();
        return err != 0 ? err : -EINTR;
    }

    /// <summary>Makes the next part of a dump, and the last message once there is nothing more.</summary>
    [Linux("netlink_dump")]
    private static int NetlinkDump(NetlinkSock sk)
    {
        SkBuff skb;
        Action<NetlinkCallback>? done = null;
        NetlinkCallback cb;
        lock (sk.CbMutex)
        {
            if (sk.Cb is not { } running)
                return -EINVAL;
            if (Volatile.Read(ref sk.SkRmemAlloc) >= sk.SkRcvbuf)
                return 0;
            cb = running;
            int size = Math.Max(Math.Max(cb.Control.MinDumpAlloc, NlmsgGoodsize), sk.MaxRecvmsgLen);
            NlmsgWriter writer = new(size);
            bool ended = FillPart(sk, cb, writer);
            skb = writer.ToSkb(sk.SkNet.SkbPool);
            skb.Truesize = SkBuff.TruesizeOf(size);
            sk.SkbSetOwnerR(skb);
            if (ended)
            {
                done = cb.Control.Done;
                Volatile.Write(ref sk.Cb, null);
            }
        }

        if (sk.SkFilterTrimCap(skb, 1) != 0)
            skb.Free();
        else
            NetlinkSendskb(sk, skb);
        done?.Invoke(cb);
        return 0;
    }

    // Whether that was all, so that the last message is in the part too.
    private static bool FillPart(NetlinkSock sk, NetlinkCallback cb, NlmsgWriter writer)
    {
        if (cb.DumpDoneErrno > 0)
        {
            int err = cb.Control.Dump(writer, cb);
            // No room for more, but something is there: the rest comes in the next part.
            cb.DumpDoneErrno = err == -EMSGSIZE && writer.Length > 0 ? writer.Length : err;
        }

        return cb.DumpDoneErrno <= 0 && NetlinkDumpDone(sk, writer, cb);
    }

    [Linux("netlink_dump_done")]
    private static bool NetlinkDumpDone(NetlinkSock sk, NlmsgWriter writer, NetlinkCallback cb)
    {
        if (!cb.Put(writer, NLMSG_DONE, cb.DumpDoneErrno))
            return false;
        // The words are left out where there is no room for them.
        if (cb.Extack.Msg is { } msg && sk.Has(NetlinkFlags.ExtAck)
            && writer.Room >= NLA_HDRLEN + NLA_ALIGNTO + Encoding.UTF8.GetByteCount(msg))
        {
            writer.AddFlags(NLM_F_ACK_TLVS);
            writer.NlaPutString(NLMSGERR_ATTR_MSG, msg);
        }

        return writer.NlmsgEnd() == 0;
    }

    private static void ContinueDump(NetlinkSock sk)
    {
        if (!sk.CbRunning || Volatile.Read(ref sk.SkRmemAlloc) > sk.SkRcvbuf / 2)
            return;
        int err = NetlinkDump(sk);
        // -EINVAL says that another reader has seen the end meanwhile.
        if (err is 0 or -EINVAL)
            return;
        Volatile.Write(ref sk.SkErr, -err);
        sk.SkErrorReport(sk);
    }

    private static void EndDump(NetlinkSock sk)
    {
        NetlinkCallback? cb;
        lock (sk.CbMutex)
        {
            cb = sk.Cb;
            Volatile.Write(ref sk.Cb, null);
        }

        cb?.Control.Done?.Invoke(cb);
    }
}
