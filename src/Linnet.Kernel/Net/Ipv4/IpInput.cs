using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netfilter;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Receives packets of protocol <c>ETH_P_IP</c> (<c>ip_packet_type</c>).</summary>
public sealed class IpPacketType() : PacketType(ETH_P_IP)
{
    /// <inheritdoc/>
    public override int Func(SkBuff skb, NetDevice dev) => IpInput.IpRcv(skb, dev);
}

/// <summary>From devices to transport protocols.</summary>
[LinuxFile("net/ipv4/ip_input.c")]
public static class IpInput
{
    /// <summary>A packet came in (<c>ip_rcv</c>); its data begins at the IP header. Takes over the packet.</summary>
    [Linux("ip_rcv")]
    public static int IpRcv(SkBuff skb, NetDevice dev)
    {
        NetNamespace net = dev.Net;
        if (!IpRcvCore(skb, net.Ipv4))
        {
            skb.Free();
            return Dev.NET_RX_DROP;
        }

        return NfCore.PreRouting(net, skb, dev) ? IpRcvFinish(net, skb, dev) : Dev.NET_RX_DROP;
    }

    /// <summary>Checks the header (RFC 1122 section 3.2.1) and trims what the link padded.</summary>
    /// <returns>False when the packet is to be dropped; the drop is counted.</returns>
    [Linux("ip_rcv_core")]
    private static bool IpRcvCore(SkBuff skb, NetnsIpv4 ipv4)
    {
        SnmpMib<IpstatsMib> stats = ipv4.IpStatistics;
        if (skb.PktType == PACKET_OTHERHOST)
            return false;
        stats.Inc(IpstatsMib.InReceives);
        stats.Add(IpstatsMib.InOctets, skb.Len);
        if (!skb.PskbMayPull(Iphdr.Size))
            return Drop(stats, IpstatsMib.InHdrErrors);
        Iphdr iph = new(skb.Data);
        if (iph.Ihl < 5 || iph.Version != 4)
            return Drop(stats, IpstatsMib.InHdrErrors);
        stats.Add(IpstatsMib.InNoECTPkts + (iph.Tos & 3), Math.Max(1, skb.GsoSegs));
        int headerLength = iph.HeaderLength;
        if (!skb.PskbMayPull(headerLength))
            return Drop(stats, IpstatsMib.InHdrErrors);
        iph = new Iphdr(skb.Data);
        if (Iphdr.FastCsum(iph.Bytes) != 0)
        {
            stats.Inc(IpstatsMib.InCsumErrors);
            return Drop(stats, IpstatsMib.InHdrErrors);
        }

        // A packet of many segments may be longer than the field can say; it never came over a wire.
        int length = iph.TotLen == 0 && skb.IsGso ? skb.Len : iph.TotLen;
        if (skb.Len < length)
            return Drop(stats, IpstatsMib.InTruncatedPkts);
        if (length < headerLength)
            return Drop(stats, IpstatsMib.InHdrErrors);
        if (skb.Len > length)
        {
            skb.PskbTrim(length);
            if (skb.IpSummed == ChecksumState.Complete)
                skb.IpSummed = ChecksumState.None;
        }

        skb.ResetNetworkHeader();
        skb.ResetTransportHeader(headerLength);
        skb.IpCb = default;
        skb.IpCb.Iif = skb.SkbIif;
        if (skb.Sk != null)
            skb.Orphan();
        return true;
    }

    /// <summary>
    /// Routes a packet and hands it on: what comes after the hooks, and where one that a hook took goes on. Takes over the packet.
    /// </summary>
    [Linux("ip_rcv_finish")]
    public static int IpRcvFinish(NetNamespace net, SkBuff skb, NetDevice dev)
    {
        int err = IpRcvFinishCore(net, skb, dev);
        if (err < 0)
        {
            skb.Free();
            return Dev.NET_RX_DROP;
        }

        return skb.Dst!.Input(skb);
    }

    [Linux("ip_rcv_finish_core")]
    private static int IpRcvFinishCore(NetNamespace net, SkBuff skb, NetDevice dev)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        Iphdr iph = skb.IpHdr;
        if (ipv4.SysctlIpEarlyDemux && skb.Dst == null && skb.Sk == null && !iph.IsFragment
            && ipv4.Protos[iph.Protocol] is { HasEarlyDemux: true } protocol)
        {
            int demuxed = protocol.EarlyDemux(skb);
            if (demuxed < 0)
                return CountRouteError(ipv4, demuxed);
            iph = skb.IpHdr;
        }

        if (skb.Dst == null)
        {
            int err = Route.IpRouteInput(skb, iph.Daddr, iph.Saddr, iph.Tos, dev);
            if (err < 0)
                return CountRouteError(ipv4, err);
        }

        if (iph.Ihl > 5 && !IpRcvOptions(skb, dev, ipv4))
            return -EINVAL;
        if (skb.Dst is Rtable rt)
        {
            if (rt.RtType == RTN_MULTICAST)
            {
                ipv4.IpStatistics.Inc(IpstatsMib.InMcastPkts);
                ipv4.IpStatistics.Add(IpstatsMib.InMcastOctets, skb.Len);
            }
            else if (rt.RtType == RTN_BROADCAST)
            {
                ipv4.IpStatistics.Inc(IpstatsMib.InBcastPkts);
                ipv4.IpStatistics.Add(IpstatsMib.InBcastOctets, skb.Len);
            }
            else if (skb.PktType is PACKET_BROADCAST or PACKET_MULTICAST
                && InDevice.Get(dev)?.OrConf(Ipv4Devconf.DropUnicastInL2Multicast) == true)
            {
                // A unicast packet in a link-layer broadcast gets around host isolation (RFC 1122 section 3.3.6).
                return -EINVAL;
            }
        }

        return 0;
    }

    /// <summary>Parses the options of a packet; source routing is refused unless an administrator allowed it.</summary>
    [Linux("ip_rcv_options")]
    private static bool IpRcvOptions(SkBuff skb, NetDevice dev, NetnsIpv4 ipv4)
    {
        // The options may be rewritten, and clones see the same bytes.
        skb.EnsureWritableHead(0);
        Iphdr iph = skb.IpHdr;
        ref IpOptions opt = ref skb.IpCb.Opt;
        opt.Optlen = (byte)(iph.HeaderLength - Iphdr.Size);
        if (IpOptions.IpOptionsCompile(dev.Net, ref opt, iph.Bytes[Iphdr.Size..], skb, out int errorAt) < 0)
        {
            ipv4.IpStatistics.Inc(IpstatsMib.InHdrErrors);
            Icmp.IcmpSend(skb, ICMP_PARAMETERPROB, 0, (uint)errorAt << 24);
            return false;
        }

        if (opt.Srr == 0)
            return true;
        // Followed only where an administrator wants it (RFC 7126 sections 4.3, 4.4).
        if (InDevice.Get(dev) is { } inDev && !inDev.AndConf(Ipv4Devconf.AcceptSourceRoute))
        {
            if (inDev.OrConf(Ipv4Devconf.LogMartians) && ipv4.MessageLimit.Allow(ipv4.Net.Machine.Clock.Jiffies))
            {
                ipv4.Net.Machine.Log.Write(
                    LogLevel.Info, $"IPv4: source route option {Ipv4Addr.Text(skb.IpHdr.Saddr)} -> {Ipv4Addr.Text(skb.IpHdr.Daddr)}");
            }

            return false;
        }

        return IpOptions.IpOptionsRcvSrr(skb, dev) == 0;
    }

    /// <summary>A packet is for this host (<c>ip_local_deliver</c>): whole datagrams go on. Takes over the packet.</summary>
    [Linux("ip_local_deliver")]
    internal static int IpLocalDeliver(SkBuff skb)
    {
        NetNamespace net = skb.Dev!.Net;
        if (skb.IpHdr.IsFragment)
        {
            SkBuff? whole = IpFragment.IpDefrag(net, skb, IpFragment.DefragUser.LocalDeliver);
            if (whole == null)
                return 0;
            skb = whole;
        }

        return IpLocalDeliverFinish(net, skb);
    }

    [Linux("ip_local_deliver_finish")]
    private static int IpLocalDeliverFinish(NetNamespace net, SkBuff skb)
    {
        skb.Pull(skb.TransportHeader - skb.NetworkHeader);
        IpProtocolDeliverRcu(net, skb, skb.IpHdr.Protocol);
        return 0;
    }

    /// <summary>Gives a packet to raw sockets and to its transport protocol. Takes over the packet.</summary>
    [Linux("ip_protocol_deliver_rcu")]
    private static void IpProtocolDeliverRcu(NetNamespace net, SkBuff skb, int protocol)
    {
        NetnsIpv4 ipv4 = net.Ipv4;
        while (true)
        {
            bool raw = ipv4.Protos.RawLocalDeliver?.Invoke(skb, protocol) == true;
            if (ipv4.Protos[protocol] is { } handler)
            {
                ipv4.IpStatistics.Inc(IpstatsMib.InDelivers);
                int ret = handler.Handler(skb);
                if (ret >= 0)
                    return;
                protocol = -ret;
                continue;
            }

            if (!raw)
            {
                ipv4.IpStatistics.Inc(IpstatsMib.InUnknownProtos);
                Icmp.IcmpSend(skb, ICMP_DEST_UNREACH, ICMP_PROT_UNREACH, 0);
            }
            else
            {
                ipv4.IpStatistics.Inc(IpstatsMib.InDelivers);
            }

            skb.Free();
            return;
        }
    }

    private static int CountRouteError(NetnsIpv4 ipv4, int err)
    {
        if (err == -EXDEV)
            ipv4.NetStatistics.Inc(LinuxMib.IPReversePathFilter);
        else if (err == -EHOSTUNREACH)
            ipv4.IpStatistics.Inc(IpstatsMib.InAddrErrors);
        else if (err == -ENETUNREACH)
            ipv4.IpStatistics.Inc(IpstatsMib.InNoRoutes);
        return err;
    }

    private static bool Drop(SnmpMib<IpstatsMib> stats, IpstatsMib why)
    {
        stats.Inc(why);
        return false;
    }
}
