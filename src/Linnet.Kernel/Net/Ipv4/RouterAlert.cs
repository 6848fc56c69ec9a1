using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>Packets with a router alert (RFC 2113) that pass through: raw sockets that asked for them get them instead.</summary>
[LinuxFile("net/ipv4/ip_sockglue.c")]
internal static class RouterAlert
{
    /// <summary>Switches <c>IP_ROUTER_ALERT</c> of a socket.</summary>
    /// <returns>0, -EINVAL for other than raw sockets, -EADDRINUSE when it is on already, -ENOBUFS when it is off.</returns>
    [Linux("ip_ra_control")]
    public static int IpRaControl(InetSock sk, bool on)
    {
        if (sk is not RawSock raw || sk.SkcNum == IPPROTO_RAW)
            return -EINVAL;
        NetnsIpv4 ipv4 = sk.SkNet.Ipv4;
        lock (ipv4)
        {
            RawSock[] chain = ipv4.RaChain;
            bool there = chain.Contains(raw);
            if (there == on)
                return on ? -EADDRINUSE : -ENOBUFS;
            Volatile.Write(ref ipv4.RaChain, on ? [.. chain, raw] : [.. chain.Where(other => other != raw)]);
        }

        sk.Assign(InetFlags.Rtalert, on);
        return 0;
    }

    /// <summary>Gives a packet that would be forwarded to the sockets of its protocol.</summary>
    /// <returns>Whether it was taken over.</returns>
    [Linux("ip_call_ra_chain", "net/ipv4/ip_input.c")]
    public static bool IpCallRaChain(NetNamespace net, SkBuff skb)
    {
        NetDevice dev = skb.Dev!;
        byte protocol = skb.IpHdr.Protocol;
        RawSock? last = null;
        foreach (RawSock sk in Volatile.Read(ref net.Ipv4.RaChain))
        {
            if (sk.SkcNum != protocol || (sk.SkcBoundDevIf != 0 && sk.SkcBoundDevIf != dev.Ifindex))
                continue;
            if (last == null && skb.IpHdr.IsFragment)
            {
                SkBuff? whole = IpFragment.IpDefrag(net, skb, IpFragment.DefragUser.CallRaChain);
                if (whole == null)
                    return true;
                skb = whole;
            }

            if (last != null)
                Raw.RawRcv(last, skb.Clone());
            last = sk;
        }

        if (last == null)
            return false;
        Raw.RawRcv(last, skb);
        return true;
    }
}
