using System.Runtime.InteropServices;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Core;

/// <content>
/// Control messages of the socket level: when a packet came, how many were dropped before it, its mark.
/// </content>
public partial class Sock
{
    private const uint TsflagsAny = (uint)SOF_TIMESTAMPING_SOFTWARE | SOF_TIMESTAMPING_RAW_HARDWARE;
    private const uint TsflagsRecord = SOF_TIMESTAMPING_TX_HARDWARE | SOF_TIMESTAMPING_TX_SOFTWARE
        | SOF_TIMESTAMPING_TX_SCHED | SOF_TIMESTAMPING_TX_ACK;

    /// <summary>
    /// Delivers what the socket asked for about a packet that is being read (<c>sock_recv_cmsgs</c>).
    /// </summary>
    public void SockRecvCmsgs(MsgHdr msg, SkBuff skb)
    {
        const SockFlags wanted = SockFlags.RxqOvfl | SockFlags.Rcvtstamp | SockFlags.Rcvmark | SockFlags.Rcvpriority;
        if ((SkFlags & wanted) != 0 || (SkTsflags & TsflagsAny) != 0)
            SockRecvCmsgsCore(msg, skb);
        else if (SockFlag(SockFlags.Timestamp))
            SkStamp = skb.Tstamp;
        else if (SkStamp == SkDefaultStamp)
            SkStamp = 0;
    }

    /// <summary>Delivers or remembers when a packet came (<c>sock_recv_timestamp</c>).</summary>
    public void SockRecvTimestamp(MsgHdr msg, SkBuff skb)
    {
        bool software = skb.Tstamp != 0 && (SkTsflags & SOF_TIMESTAMPING_SOFTWARE) != 0;
        if (SockFlag(SockFlags.Rcvtstamp) || (SkTsflags & SOF_TIMESTAMPING_RX_SOFTWARE) != 0 || software)
            SockRecvTimestampCore(msg, skb);
        else
            SkStamp = skb.Tstamp;
    }

    /// <summary>
    /// Writes when the last packet that was read came (<c>SIOCGSTAMP</c>); from then on packets are stamped.
    /// </summary>
    /// <returns>0, -ENOENT before the first packet, -EFAULT.</returns>
    [Linux("sock_gettstamp")]
    public int SockGettstamp(Sockptr userstamp, bool timeval, bool time32)
    {
        SockEnableTimestamp(SockFlags.Timestamp);
        long stamp = SkStamp;
        if (stamp == SkDefaultStamp)
            return -ENOENT;
        if (stamp < Clock.NsecPerSec)
            SkStamp = stamp = Machine.Clock.RealNow;
        long seconds = stamp / Clock.NsecPerSec;
        long fraction = stamp % Clock.NsecPerSec / (timeval ? 1000 : 1);
        if (!time32)
            return userstamp.CopyTo(MemoryMarshal.AsBytes<long>([seconds, fraction]));
        return userstamp.CopyTo(MemoryMarshal.AsBytes<int>([(int)seconds, (int)fraction]));
    }

    /// <summary>Takes a control message of the socket level into account that came with a send.</summary>
    /// <param name="cmsg">The message.</param>
    /// <param name="mark">Packet mark.</param>
    /// <param name="priority">Queueing priority.</param>
    /// <param name="tsflags">Timestamps that are asked for.</param>
    /// <param name="transmitTime">When the packet is to leave, ns on the clock of <c>SO_TXTIME</c>; 0 for at once.</param>
    /// <returns>0, -EINVAL, -EPERM.</returns>
    [Linux("__sock_cmsg_send")]
    public int SockCmsgSendCore(in CmsgReader cmsg, ref uint mark, ref uint priority, ref uint tsflags, ref long transmitTime)
    {
        uint value;
        switch (cmsg.Type)
        {
            case SO_MARK:
                TaskStruct task = TaskStruct.Current;
                if (!task.NsCapable(SkNet.UserNs, CAP_NET_RAW) && !task.NsCapable(SkNet.UserNs, CAP_NET_ADMIN))
                    return -EPERM;
                if (!cmsg.TryRead(out value))
                    return -EINVAL;
                mark = value;
                return 0;
            case SO_TIMESTAMPING_OLD or SO_TIMESTAMPING_NEW:
                if (!cmsg.TryRead(out value) || (value & ~TsflagsRecord) != 0)
                    return -EINVAL;
                tsflags = (tsflags & ~TsflagsRecord) | value;
                return 0;
            case SO_PRIORITY:
                if (!cmsg.TryRead(out value))
                    return -EINVAL;
                if (!MaySetPriority(value))
                    return -EPERM;
                priority = value;
                return 0;
            case SCM_TXTIME:
                // For a queueing discipline that sends by it, as fq does.
                if (!SockFlag(SockFlags.Txtime) || !cmsg.TryRead(out ulong time))
                    return -EINVAL;
                transmitTime = (long)time;
                return 0;
            case SCM_RIGHTS or SCM_CREDENTIALS:
                // They mean something to Unix sockets only, but have always been let through.
                return 0;
            default:
                return -EINVAL;
        }
    }

    [Linux("__sock_recv_cmsgs", "net/socket.c")]
    private void SockRecvCmsgsCore(MsgHdr msg, SkBuff skb)
    {
        SockRecvTimestamp(msg, skb);
        uint dropcount = Dropcount(skb);
        if (SockFlag(SockFlags.RxqOvfl) && dropcount != 0)
            PutCmsg(msg, SO_RXQ_OVFL, dropcount);
        if (SockFlag(SockFlags.Rcvmark))
            PutCmsg(msg, SO_MARK, skb.Mark);
        if (SockFlag(SockFlags.Rcvpriority))
            PutCmsg(msg, SO_PRIORITY, skb.Priority);
    }

    [Linux("__sock_recv_timestamp", "net/socket.c")]
    private void SockRecvTimestampCore(MsgHdr msg, SkBuff skb)
    {
        bool isNew = SockFlag(SockFlags.TstampNew);
        long stamp = skb.Tstamp;
        if (SockFlag(SockFlags.Rcvtstamp))
        {
            // The packet came before stamping was switched on.
            if (stamp == 0)
                stamp = Machine.Clock.RealNow;
            bool ns = SockFlag(SockFlags.Rcvtstampns);
            int type = ns
                ? isNew ? SO_TIMESTAMPNS_NEW : SO_TIMESTAMPNS_OLD
                : isNew ? SO_TIMESTAMP_NEW : SO_TIMESTAMP_OLD;
            PutCmsg(msg, type, (stamp / Clock.NsecPerSec, stamp % Clock.NsecPerSec / (ns ? 1 : 1000)));
        }

        if ((SkTsflags & SOF_TIMESTAMPING_SOFTWARE) == 0 || stamp == 0)
            return;
        var stamps = new ScmTimestamping
        {
            Ts0 = new Timespec { TvSec = stamp / Clock.NsecPerSec, TvNsec = stamp % Clock.NsecPerSec },
        };
        PutCmsg(msg, isNew ? SO_TIMESTAMPING_NEW : SO_TIMESTAMPING_OLD, stamps);
    }

    // Priorities up to 6 are free for all, others are the administrator's.
    private bool MaySetPriority(uint priority)
    {
        TaskStruct task = TaskStruct.Current;
        return priority <= 6 || task.NsCapable(SkNet.UserNs, CAP_NET_RAW)
            || task.NsCapable(SkNet.UserNs, CAP_NET_ADMIN);
    }

    private static void PutCmsg<T>(MsgHdr msg, int type, in T value)
        where T : unmanaged => msg.PutCmsg(SOL_SOCKET, type, MemoryMarshal.AsBytes(new ReadOnlySpan<T>(in value)));
}
