using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Putting datagrams together from fragments (RFC 791 section 3.2, RFC 815, RFC 5722's rule on overlaps).</summary>
[LinuxFile("net/ipv4/ip_fragment.c")]
public static class IpFragment
{
    private const int LargestDatagram = 65535;

    /// <summary>For whom fragments are put together (<c>enum ip_defrag_users</c>); their datagrams do not mix.</summary>
    public enum DefragUser
    {
        /// <summary>The transport protocols of this host.</summary>
        LocalDeliver,

        /// <summary>Senders of router alerts.</summary>
        CallRaChain,

        /// <summary>Packet sockets that spread flows over a group.</summary>
        AfPacket,
    }

    /// <summary>Takes over a fragment whose data begins at the IP header.</summary>
    /// <returns>The datagram once its last part is here, with data at the IP header and the transport offset set; or null.</returns>
    [Linux("ip_defrag")]
    public static SkBuff? IpDefrag(NetNamespace net, SkBuff skb, DefragUser user)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        ipv4.IpStatistics.Inc(IpstatsMib.ReasmReqds);
        skb.Orphan();
        Iphdr iph = skb.IpHdr;
        FragKey key = new(iph.Saddr, iph.Daddr, iph.Id, iph.Protocol, (int)user);
        SkBuff? whole = ipv4.FragQueues.WithQueue(in key, skb, IpFragQueue, out bool noRoom);
        if (noRoom)
        {
            ipv4.IpStatistics.Inc(IpstatsMib.ReasmFails);
            skb.Free();
        }

        return whole;
    }

    /// <summary>Adds a fragment to its queue; the guard of the queues is held. Takes over the fragment.</summary>
    [Linux("ip_frag_queue")]
    private static SkBuff? IpFragQueue(FragQueue qp, SkBuff skb)
    {
        SnmpMib<IpstatsMib> stats = qp.Fqdir.Net.Ipv4.IpStatistics;
        Iphdr iph = skb.IpHdr;
        int headerLength = iph.HeaderLength;
        int offset = (iph.FragOff & IP_OFFSET) << 3;
        int end = offset + skb.Len - headerLength;
        bool more = (iph.FragOff & IP_MF) != 0;
        if (!CheckEnd(qp, offset, ref end, more))
            return DiscardQueue(qp, skb, stats);
        bool df = (iph.FragOff & IP_DF) != 0;
        byte ecn = (byte)(1 << (iph.Tos & 3));
        NetDevice dev = skb.Dev!;
        skb.Pull(headerLength);
        skb.PskbTrim(end - offset);

        int placed = qp.Insert(skb, offset, end);
        if (placed == 1)
        {
            skb.Free();
            return null;
        }

        if (placed < 0)
        {
            stats.Inc(IpstatsMib.ReasmOverlaps);
            return DiscardQueue(qp, skb, stats);
        }

        qp.Dev = dev;
        qp.Meat += skb.Len;
        qp.Ecn |= ecn;
        qp.Fqdir.Charge(qp, skb.Truesize);
        qp.FirstIn |= offset == 0;
        int fragsize = skb.Len + headerLength;
        qp.MaxSize = Math.Max(qp.MaxSize, fragsize);
        if (df)
            qp.MaxDfSize = Math.Max(qp.MaxDfSize, fragsize);
        if (qp.FirstIn && qp.LastIn && qp.Meat == qp.Len)
            return IpFragReasm(qp, skb, stats);
        skb.Dst = null;
        return null;
    }

    // The end of the datagram must be where the last fragment says, and no other fragment may reach beyond it.
    private static bool CheckEnd(FragQueue qp, int offset, ref int end, bool more)
    {
        if (!more)
        {
            if (end < qp.Len || (qp.LastIn && end != qp.Len))
                return false;
            qp.LastIn = true;
            qp.Len = end;
        }
        else
        {
            end = offset + ((end - offset) & ~7);
            if (end > qp.Len)
            {
                if (qp.LastIn)
                    return false;
                qp.Len = end;
            }
        }

        return end > offset;
    }

    /// <summary>Makes the datagram out of its fragments; the guard of the queues is held.</summary>
    [Linux("ip_frag_reasm")]
    private static SkBuff? IpFragReasm(FragQueue qp, SkBuff last, SnmpMib<IpstatsMib> stats)
    {
        SkBuff head = qp.Fragments[0];
        int headerLength = head.IpHdr.HeaderLength;
        int total = headerLength + qp.Len;
        int ecn = EcnOf(qp.Ecn);
        if (ecn < 0 || total > LargestDatagram)
        {
            FragQueue.FreeList(qp.Fqdir.Kill(qp));
            stats.Inc(IpstatsMib.ReasmFails);
            return null;
        }

        SkBuff whole = head.Pool.Alloc(IpOutput.LlMaxHeader + total);
        whole.Reserve(IpOutput.LlMaxHeader);
        whole.ResetNetworkHeader();
        head.NetworkHeaderSpan[..headerLength].CopyTo(whole.Put(headerLength));
        whole.ResetTransportHeader(headerLength);
        foreach (SkBuff fragment in qp.Fragments)
            fragment.CopyBits(0, whole.Put(fragment.Len));
        whole.Dev = last.Dev;
        whole.Dst = last.Dst;
        whole.SkbIif = last.SkbIif;
        whole.Mark = last.Mark;
        whole.Tstamp = last.Tstamp;
        whole.PktType = last.PktType;
        whole.Protocol = last.Protocol;
        whole.IpCb = head.IpCb;
        FinishHeader(whole, qp, total, ecn);
        FragQueue.FreeList(qp.Fqdir.Kill(qp));
        stats.Inc(IpstatsMib.ReasmOKs);
        return whole;
    }

    private static void FinishHeader(SkBuff whole, FragQueue qp, int total, int ecn)
    {
        ref InetSkbParm cb = ref whole.IpCb;
        cb.FragMaxSize = (ushort)Math.Max(qp.MaxSize, qp.MaxDfSize);
        Iphdr iph = whole.IpHdr;
        iph.TotLen = (ushort)total;
        iph.Tos = (byte)(iph.Tos | ecn);
        // DF stays only when the largest fragment had it: then the path has no smaller MTU.
        if (qp.MaxDfSize == qp.MaxSize)
        {
            cb.Flags |= InetSkbParm.IPSKB_FRAG_PMTU;
            iph.FragOff = IP_DF;
        }
        else
        {
            iph.FragOff = 0;
        }

        iph.SendCheck();
    }

    // RFC 3168 section 5.3: any CE makes the whole CE; a mix of not-ECT with others cannot be.
    private static int EcnOf(byte seen)
    {
        const int NotEct = 1 << 0;
        const int Ce = 1 << 3;
        if ((seen & NotEct) != 0 && seen != NotEct)
            return -1;
        return (seen & Ce) != 0 ? 3 : 0;
    }

    private static SkBuff? DiscardQueue(FragQueue qp, SkBuff skb, SnmpMib<IpstatsMib> stats)
    {
        FragQueue.FreeList(qp.Fqdir.Kill(qp));
        stats.Inc(IpstatsMib.ReasmFails);
        skb.Free();
        return null;
    }

    /// <summary>A datagram was not completed in time: its sender is told if the first fragment came.</summary>
    [Linux("ip_expire")]
    internal static void IpExpire(FragQueue qp)
    {
        NetNamespace net = qp.Fqdir.Net;
        SkBuff? fragments = qp.Fqdir.Expire(qp);
        if (fragments == null)
            return;
        net.Ipv4.IpStatistics.Inc(IpstatsMib.ReasmFails);
        net.Ipv4.IpStatistics.Inc(IpstatsMib.ReasmTimeout);
        if (qp.FirstIn && qp.Dev!.IsUp)
            ReportTimeout(fragments);
        FragQueue.FreeList(fragments);
    }

    private static void ReportTimeout(SkBuff head)
    {
        head.Push(head.DataOffset - head.NetworkHeader);
        Iphdr iph = head.IpHdr;
        if (Route.IpRouteInput(head, iph.Daddr, iph.Saddr, iph.Tos, head.Dev!) < 0)
            return;
        // Only an end host that had to put the datagram together tells (RFC 792).
        if (head.Dst is Rtable { RtType: RTN_LOCAL })
            Icmp.IcmpSend(head, ICMP_TIME_EXCEEDED, ICMP_EXC_FRAGTIME, 0);
    }
}
