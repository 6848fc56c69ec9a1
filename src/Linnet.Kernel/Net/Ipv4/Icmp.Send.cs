using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Sending: answers and errors, and the limits on both.</content>
public static partial class Icmp
{
    // RFC 1812 section 4.3.2.3: an error message is at most 576 bytes long.
    private const int LargestError = 576;

    /// <summary>
    /// Tells the sender of a packet that something is wrong with it, unless RFC 1122 section 3.2.2 forbids that or the
    /// rate limit is reached (<c>icmp_send</c>). The packet stays the caller's; it has its route, and its network offset
    /// is that of its IP header.
    /// </summary>
    /// <param name="skb">The packet.</param>
    /// <param name="type">ICMP type.</param>
    /// <param name="code">ICMP code.</param>
    /// <param name="info">The second word of the message.</param>
    [Linux("__icmp_send")]
    public static void IcmpSend(SkBuff skb, int type, int code, uint info)
    {
        if (skb.Dst is not Rtable rt)
            return;
        NetNamespace net = rt.Dev.Net;
        if (!MayTell(skb, rt, type))
            return;
        if (!Icmpv4GlobalAllow(net.Ipv4, type, code, out bool limited))
            return;
        Iphdr iph = skb.IpHdr;
        byte tos = Icmphdr.IsErr(type)
            ? (byte)((iph.Tos & IPTOS_TOS_MASK) | IPTOS_PREC_INTERNETCONTROL)
            : iph.Tos;
        uint mark = net.Ipv4.SysctlFwmarkReflect ? skb.Mark : 0;
        IpOptionsRcu? opt = IpOptions.IpOptionsEcho(net, skb, in skb.IpCb.Opt);
        uint daddr = opt is { Opt.Srr: not 0 } ? opt.Opt.Faddr : iph.Saddr;
        Flowi4 fl4 = Flowi4.InitOutput(
            0, mark, (byte)(tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, IPPROTO_ICMP, 0, daddr, ErrorSource(skb, rt, iph), 0, 0, 0);
        fl4.FlIcmpType = (byte)type;
        fl4.FlIcmpCode = (byte)code;
        if (Route.IpRouteOutputKey(net, ref fl4, out Rtable? back) < 0)
            return;
        if (!Icmpv4XrlimAllow(net.Ipv4, back!, in fl4, limited))
            return;

        int room = Math.Min(back!.Mtu, LargestError) - Iphdr.Size - (opt?.Opt.Optlen ?? 0) - Icmphdr.Size;
        if (room <= Iphdr.Size)
            return;
        int offset = skb.NetworkHeader - skb.DataOffset;
        int length = Math.Min(room, skb.Len - offset);
        SkBuff reply = IpOutput.NewReply(
            net, back, in fl4, opt, iph.Saddr, Icmphdr.Size + length, tos, (byte)back.Hoplimit, IPPROTO_ICMP);
        Span<byte> message = reply.Put(Icmphdr.Size + length);
        _ = new Icmphdr(message) { Type = (byte)type, Code = (byte)code, Gateway = info };
        CopyQuoted(skb, offset, message[Icmphdr.Size..]);
        IcmpPushReply(net, reply, message, mark);
    }

    /// <summary>Counts a message that is sent (<c>icmp_out_count</c>).</summary>
    public static void IcmpOutCount(NetNamespace net, int type)
    {
        net.Ipv4.IcmpmsgStatistics.Add(IcmpMsgMib.Out(type), 1);
        net.Ipv4.IcmpStatistics.Inc(IcmpMib.OutMsgs);
    }

    /// <summary>Whether the sender of a packet may be told of an error at all (RFC 1122 section 3.2.2).</summary>
    private static bool MayTell(SkBuff skb, Rtable rt, int type)
    {
        if (skb.NetworkHeader == SkBuff.NoHeader || skb.NetworkHeaderSpan.Length < Iphdr.Size)
            return false;
        // Not for packets that went to many, on the link or above it.
        if (skb.PktType != PACKET_HOST || (rt.RtFlags & (Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST)) != 0)
            return false;
        Iphdr iph = skb.IpHdr;
        // Only for the first fragment.
        if ((iph.FragOff & IP_OFFSET) != 0)
            return false;
        if (!Icmphdr.IsErr(type) || iph.Protocol != IPPROTO_ICMP)
            return true;
        // Never an error about an error.
        int at = skb.NetworkHeader - skb.DataOffset + iph.HeaderLength;
        if (at < 0 ? skb.NetworkHeaderSpan.Length <= iph.HeaderLength : at >= skb.Len)
            return false;
        Span<byte> inner = stackalloc byte[1];
        if (at < 0)
            inner[0] = skb.NetworkHeaderSpan[iph.HeaderLength];
        else
            skb.CopyBits(at, inner);
        return inner[0] <= NR_ICMP_TYPES && !Icmphdr.IsErr(inner[0]);
    }

    // The address that the packet was sent to if it is this host's; a router answers from the address that it chooses.
    private static uint ErrorSource(SkBuff skb, Rtable rt, Iphdr iph)
    {
        if ((rt.RtFlags & Rtable.RTCF_LOCAL) != 0)
            return iph.Daddr;
        NetNamespace net = rt.Dev.Net;
        if (!rt.RtIsInput || !net.Ipv4.SysctlIcmpErrorsUseInboundIfaddr)
            return 0;
        NetDevice? dev = net.Devices.DevGetByIndex(rt.RtIif);
        return dev == null ? 0 : Devinet.InetSelectAddr(dev, iph.Saddr, RT_SCOPE_LINK);
    }

    // The header may lie before the data, where a transport protocol has pulled it already.
    private static void CopyQuoted(SkBuff skb, int offset, Span<byte> to)
    {
        if (offset < 0)
        {
            int before = Math.Min(-offset, to.Length);
            skb.NetworkHeaderSpan[..before].CopyTo(to);
            to = to[before..];
            offset = 0;
        }

        if (!to.IsEmpty)
            skb.CopyBits(offset, to);
    }

    /// <summary>Answers a message.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="skb">The message; its data is behind the ICMP header.</param>
    /// <param name="head">The ICMP header of the answer, and what is not copied of its data.</param>
    /// <param name="dataLength">Bytes of the message's data to send back.</param>
    [Linux("icmp_reply")]
    private static void IcmpReply(NetNamespace net, SkBuff skb, ReadOnlySpan<byte> head, int dataLength)
    {
        int type = head[0];
        int code = head[1];
        if (!Icmpv4GlobalAllow(net.Ipv4, type, code, out bool limited))
            return;
        Iphdr iph = skb.IpHdr;
        IpOptionsRcu? opt = IpOptions.IpOptionsEcho(net, skb, in skb.IpCb.Opt);
        uint mark = net.Ipv4.SysctlFwmarkReflect ? skb.Mark : 0;
        uint daddr = opt is { Opt.Srr: not 0 } ? opt.Opt.Faddr : iph.Saddr;
        Flowi4 fl4 = Flowi4.InitOutput(
            0, mark, (byte)(iph.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, IPPROTO_ICMP, 0, daddr,
            FibFrontend.FibComputeSpecDst(skb), 0, 0, 0);
        if (Route.IpRouteOutputKey(net, ref fl4, out Rtable? rt) < 0)
            return;
        if (!Icmpv4XrlimAllow(net.Ipv4, rt!, in fl4, limited))
            return;
        int length = head.Length + dataLength;
        SkBuff reply = IpOutput.NewReply(net, rt!, in fl4, opt, iph.Saddr, length, iph.Tos, (byte)rt!.Hoplimit, IPPROTO_ICMP);
        reply.IgnoreDf = true;
        Span<byte> message = reply.Put(length);
        head.CopyTo(message);
        skb.CopyBits(0, message[head.Length..]);
        IcmpPushReply(net, reply, message, mark);
    }

    [Linux("icmp_push_reply")]
    private static void IcmpPushReply(NetNamespace net, SkBuff reply, Span<byte> message, uint mark)
    {
        Icmphdr icmph = new(message);
        icmph.Checksum = 0;
        icmph.Checksum = Checksum.CsumFold(Checksum.CsumPartial(message, 0));
        IcmpOutCount(net, icmph.Type);
        reply.Mark = mark;
        IpOutput.IpSelectIdentCore(net, reply.IpHdr, 1);
        IpOutput.IpLocalOut(net, null, reply);
    }

    // Types that are not limited, and path MTU discovery, pass; the others take a token.
    [Linux("icmpv4_global_allow")]
    private static bool Icmpv4GlobalAllow(NetnsIpv4 ipv4, int type, int code, out bool limited)
    {
        limited = false;
        if (type > NR_ICMP_TYPES || (type == ICMP_DEST_UNREACH && code == ICMP_FRAG_NEEDED))
            return true;
        if ((1 << type & ipv4.SysctlIcmpRatemask) == 0)
            return true;
        if (ipv4.IcmpGlobal.Allow(ipv4.Net.Machine.Clock.Jiffies, ipv4.SysctlIcmpMsgsPerSec, ipv4.SysctlIcmpMsgsBurst))
        {
            limited = true;
            return true;
        }

        ipv4.IcmpStatistics.Inc(IcmpMib.OutRateLimitGlobal);
        return false;
    }

    [Linux("icmpv4_xrlim_allow")]
    private static bool Icmpv4XrlimAllow(NetnsIpv4 ipv4, Rtable rt, in Flowi4 fl4, bool limited)
    {
        const int XrlimBurstFactor = 6;
        if (!limited || (rt.Dev.Flags & IFF_LOOPBACK) != 0)
            return true;
        int cost = ipv4.SysctlIcmpRatelimit;
        if (cost == 0 || ipv4.IcmpLimits.Allow(fl4.Daddr, ipv4.Net.Machine.Clock.Jiffies, cost, cost * XrlimBurstFactor))
            return true;
        ipv4.IcmpStatistics.Inc(IcmpMib.OutRateLimitHost);
        return false;
    }
}

/// <summary>The bucket of tokens for all ICMP messages that are limited (<c>icmp_global_allow</c>).</summary>
internal sealed class IcmpGlobalBucket(Machine machine)
{
    private readonly Lock guard = new();
    private long stamp;
    private int credit = -1;

    /// <summary>Whether one more message may be sent.</summary>
    /// <param name="now">Ms since boot.</param>
    /// <param name="perSecond">Messages a second.</param>
    /// <param name="burst">Messages at once.</param>
    public bool Allow(long now, int perSecond, int burst)
    {
        const int RefillAfter = 20;
        lock (guard)
        {
            if (credit < 0)
                credit = burst;
            long delta = Math.Min(now - stamp, Clock.Hz);
            if (delta >= RefillAfter)
            {
                int refill = (int)(perSecond * delta / Clock.Hz);
                if (refill > 0)
                {
                    stamp = now;
                    credit = Math.Min(credit + refill, burst);
                }
            }

            if (credit == 0)
                return false;
            // One token on average, but at random, so that others cannot count them from outside (CVE-2020-25705).
            credit = Math.Max(credit - (int)machine.Random.NextBelow(3), 0);
            return true;
        }
    }
}
