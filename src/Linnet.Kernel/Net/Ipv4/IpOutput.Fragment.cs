using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Fragmentation (RFC 791 section 3.2).</content>
public static partial class IpOutput
{
    /// <summary>Cuts a packet that does not fit, or tells its sender that it may not be cut. Takes over the packet.</summary>
    [Linux("ip_fragment")]
    private static int IpFragment(NetNamespace net, Sock? sk, SkBuff skb, int mtu)
    {
        ref InetSkbParm cb = ref skb.IpCb;
        if (skb.Len <= mtu && cb.FragMaxSize == 0)
            return IpFinishOutput2(net, skb);
        if ((skb.IpHdr.FragOff & IP_DF) == 0)
            return IpDoFragment(net, skb, mtu);
        if (!skb.IgnoreDf || (cb.FragMaxSize != 0 && cb.FragMaxSize > mtu))
        {
            net.Ipv4.IpStatistics.Inc(IpstatsMib.FragFails);
            Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, (uint)mtu);
            skb.Free();
            return -EMSGSIZE;
        }

        return IpDoFragment(net, skb, mtu);
    }

    [Linux("ip_do_fragment")]
    private static int IpDoFragment(NetNamespace net, SkBuff skb, int mtu)
    {
        if (skb.IpSummed == ChecksumState.Partial)
            skb.ChecksumHelp();
        SnmpMib<IpstatsMib> stats = net.Ipv4.IpStatistics;
        ushort largest = skb.IpCb.FragMaxSize;
        if (largest != 0 && largest < mtu)
            mtu = largest;
        int hlen = skb.IpHdr.HeaderLength;
        int room = (mtu - hlen) & ~7;
        if (room < 8)
        {
            stats.Inc(IpstatsMib.FragFails);
            skb.Free();
            return -EINVAL;
        }

        skb.IpCb.Flags |= InetSkbParm.IPSKB_FRAG_COMPLETE;
        int total = skb.Len - hlen;
        int err = 0;
        for (int offset = 0; offset < total && err == 0;)
        {
            int length = total - offset;
            if (length > mtu - hlen)
                length = room;
            SkBuff fragment = IpFragNext(skb, hlen, offset, length);
            offset += length;
            err = IpFinishOutput2(net, fragment);
            if (err == 0)
                stats.Inc(IpstatsMib.FragCreates);
        }

        stats.Inc(err == 0 ? IpstatsMib.FragOKs : IpstatsMib.FragFails);
        skb.Free();
        return err;
    }

    [Linux("ip_frag_next")]
    private static SkBuff IpFragNext(SkBuff skb, int hlen, int offset, int length)
    {
        SkBuff fragment = skb.Pool.Alloc(LlMaxHeader + hlen + length);
        fragment.Reserve(LlMaxHeader);
        fragment.ResetNetworkHeader();
        Span<byte> all = fragment.Put(hlen + length);
        fragment.ResetTransportHeader(hlen);
        skb.CopyBits(0, all[..hlen]);
        skb.CopyBits(hlen + offset, all[hlen..]);
        fragment.PktType = skb.PktType;
        fragment.Priority = skb.Priority;
        fragment.Protocol = skb.Protocol;
        fragment.Mark = skb.Mark;
        fragment.Dst = skb.Dst;
        fragment.Dev = skb.Dev;
        fragment.SkbIif = skb.SkbIif;
        fragment.Tstamp = skb.Tstamp;
        fragment.IpCb = skb.IpCb;

        // Socket accounting stays with the whole packet, which lives until its last fragment is on its way.
        Iphdr iph = fragment.IpHdr;
        ushort original = iph.FragOff;
        int units = (original & IP_OFFSET) + (offset >> 3);
        bool more = offset + length < skb.Len - hlen || (original & IP_MF) != 0;
        int keepDf = (skb.IpCb.Flags & InetSkbParm.IPSKB_FRAG_PMTU) != 0 ? IP_DF : 0;
        iph.FragOff = (ushort)(units | keepDf | (more ? IP_MF : 0));
        if (offset == 0 && hlen > Iphdr.Size)
            IpOptions.IpOptionsFragment(skb.NetworkHeaderSpan[Iphdr.Size..hlen]);
        iph.TotLen = (ushort)(hlen + length);
        iph.SendCheck();
        return fragment;
    }
}

/// <summary>
/// Counters of the identification field, shared by hash of addresses and protocol. They move on by a random step after
/// idle time, so that a third host cannot count what two others exchange.
/// </summary>
internal sealed class IpIdents(Machine machine)
{
    private const int Count = 2048;

    private readonly SiphashKey key = SiphashKey.New(machine.Random);
    private readonly int[] counters = new int[Count];
    private readonly long[] stamps = new long[Count];

    /// <summary>Reserves <paramref name="segs"/> identifications (<c>ip_idents_reserve</c>).</summary>
    public ushort Reserve(uint daddr, uint saddr, byte protocol, int segs)
    {
        int index = (int)(Siphash.Hsiphash2((ulong)daddr << 32 | saddr, protocol, in key) & (Count - 1));
        long now = machine.Clock.Jiffies;
        long old = Volatile.Read(ref stamps[index]);
        int delta = 0;
        if (old != now && Interlocked.CompareExchange(ref stamps[index], now, old) == old && old != 0)
            delta = (int)machine.Random.NextBelow((uint)Math.Min(now - old, int.MaxValue));
        return (ushort)(Interlocked.Add(ref counters[index], segs + delta) - segs);
    }
}
