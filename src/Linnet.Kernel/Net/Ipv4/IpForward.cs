using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Packets for others pass through (RFC 1812).</summary>
[LinuxFile("net/ipv4/ip_forward.c")]
public static class IpForward
{
    /// <summary>Passes a packet on to where its route leads. Takes over the packet.</summary>
    /// <returns>0, a positive <c>NET_XMIT_*</c> code, or a negative errno.</returns>
    [Linux("ip_forward")]
    internal static int Forward(SkBuff skb)
    {
        NetNamespace net = skb.Dst!.Dev.Net;
        SnmpMib<IpstatsMib> stats = net.Ipv4.IpStatistics;
        Rtable rt = (Rtable)skb.Dst;
        if (skb.PktType != PACKET_HOST || skb.Sk != null)
            return Drop(skb);
        if (skb.IpCb.Opt.RouterAlert != 0 && RouterAlert.IpCallRaChain(net, skb))
            return 0;
        if (skb.IpHdr.Ttl <= 1)
        {
            stats.Inc(IpstatsMib.InHdrErrors);
            Icmp.IcmpSend(skb, ICMP_TIME_EXCEEDED, ICMP_EXC_TTL, 0);
            return Drop(skb);
        }

        ref InetSkbParm cb = ref skb.IpCb;
        if (cb.Opt.IsStrictroute && rt.RtUsesGateway)
        {
            Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_SR_FAILED, 0);
            return Drop(skb);
        }

        cb.Flags |= InetSkbParm.IPSKB_FORWARDED;
        int mtu = MtuOf(rt);
        if (IpExceedsMtu(skb, mtu))
        {
            stats.Inc(IpstatsMib.FragFails);
            Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_FRAG_NEEDED, (uint)mtu);
            return Drop(skb);
        }

        skb.EnsureWritableHead((rt.Dev.HardHeaderLen + 15) & ~15);
        IpDecreaseTtl(skb.IpHdr);
        if ((cb.Flags & InetSkbParm.IPSKB_DOREDIRECT) != 0 && cb.Opt.Srr == 0)
            Route.IpRtSendRedirect(skb);
        if (net.Ipv4.SysctlIpFwdUpdatePriority)
            skb.Priority = IpSockglue.RtTos2Priority(skb.IpHdr.Tos);
        return IpForwardFinish(net, skb);
    }

    /// <summary>The MTU that packets are forwarded by: not what ICMP messages claim, unless that is allowed (<c>ip_dst_mtu_maybe_forward</c>).</summary>
    internal static int MtuOf(Rtable rt)
    {
        NetnsIpv4 ipv4 = rt.Dev.Net.Ipv4;
        if (ipv4.SysctlIpFwdUsePmtu || rt.MtuLocked)
            return rt.Mtu;
        uint metric = rt.Metrics[RTAX_MTU];
        return metric != 0 ? (int)metric : Math.Min(rt.Dev.Mtu, 0xFFFF);
    }

    [Linux("ip_forward_finish")]
    private static int IpForwardFinish(NetNamespace net, SkBuff skb)
    {
        net.Ipv4.IpStatistics.Inc(IpstatsMib.ForwDatagrams);
        if (skb.IpCb.Opt.Optlen != 0)
            IpOptions.IpForwardOptions(skb);
        skb.Tstamp = 0;
        return skb.Dst!.Output(net, null, skb);
    }

    [Linux("ip_exceeds_mtu")]
    private static bool IpExceedsMtu(SkBuff skb, int mtu)
    {
        if (skb.Len <= mtu || (skb.IpHdr.FragOff & IP_DF) == 0)
            return false;
        if (skb.IpCb.FragMaxSize > mtu)
            return true;
        if (skb.IgnoreDf)
            return false;
        return !skb.IsGso || skb.GsoSize + (skb.TransportHeader - skb.NetworkHeader) + 20 > mtu;
    }

    // The checksum is mended rather than made again, so that an error in memory stays visible (RFC 1624).
    [Linux("ip_decrease_ttl", "include/net/ip.h")]
    private static void IpDecreaseTtl(Iphdr iph)
    {
        uint check = iph.Check + 0x0100u;
        iph.Check = (ushort)(check + (check >= 0xFFFF ? 1 : 0));
        iph.Ttl--;
    }

    private static int Drop(SkBuff skb)
    {
        skb.Free();
        return Dev.NET_RX_DROP;
    }
}
