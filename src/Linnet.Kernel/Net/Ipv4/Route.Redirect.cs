using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Redirects (RFC 1122 section 3.2.2.2): a gateway says that another one is nearer.</content>
public static partial class Route
{
    private const int RedirectLifetime = 300_000;

    /// <summary>A redirect came for a packet that was sent without a socket at hand (<c>ipv4_redirect</c>).</summary>
    [Linux("ipv4_redirect")]
    public static void Ipv4Redirect(SkBuff skb, NetNamespace net, int oif, byte protocol)
    {
        Iphdr iph = new(skb.Data);
        Flowi4 fl4 = Flowi4.InitOutput(
            oif, 0, (byte)(iph.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, protocol, 0, iph.Daddr, iph.Saddr, 0, 0, 0);
        if (IpRouteOutputKey(net, ref fl4, out Rtable? rt) == 0)
            IpDoRedirect(rt!, skb, ref fl4);
    }

    /// <summary>A redirect came for a packet of a socket (<c>ipv4_sk_redirect</c>).</summary>
    [Linux("ipv4_sk_redirect")]
    public static void Ipv4SkRedirect(SkBuff skb, Sock sk)
    {
        Iphdr iph = new(skb.Data);
        Flowi4 fl4 = Flowi4.InitOutput(
            sk.SkcBoundDevIf, sk.SkMark, (byte)(iph.Tos & Flowi4.INET_DSCP_MASK), RT_SCOPE_UNIVERSE, (byte)sk.SkProtocol, 0,
            iph.Daddr, iph.Saddr, 0, 0, sk.SkUid);
        if (IpRouteOutputKey(sk.SkNet, ref fl4, out Rtable? rt) == 0)
            IpDoRedirect(rt!, skb, ref fl4);
        if (sk.SkDstCache is Rtable cached && !cached.Check())
            sk.SkDstCache = null;
    }

    // Only the gateway that is in use may redirect, and only to a neighbour.
    [Linux("__ip_do_redirect")]
    private static void IpDoRedirect(Rtable rt, SkBuff skb, ref Flowi4 fl4)
    {
        uint newGw = skb.IcmpHdr.Gateway;
        uint oldGw = skb.IpHdr.Saddr;
        if (skb.IcmpHdr.Code > ICMP_REDIR_HOSTTOS || rt.RtGw4 != oldGw || oldGw == 0)
            return;
        NetDevice dev = rt.Dev;
        if (InDevice.Get(dev) is not { } inDev || !RedirectAllowed(inDev, oldGw, newGw))
            return;
        if (Arp.IpNeighGw4(dev, newGw) is not { } neighbour)
            return;
        if ((neighbour.NudState & Nud.VALID) == 0)
        {
            neighbour.EventSend(null);
            return;
        }

        NetNamespace net = dev.Net;
        if (IpFib.FibLookup(net, in fl4, out FibResult res) != 0 || res.Nhc is null)
            return;
        FibSemantics.FibSelectPath(net, ref res, ref fl4, skb: null);
        FibNh nh = res.Nhc!;
        lock (net.Ipv4.FnheLock)
            nh.Exceptions.Learn(net, fl4.Daddr, newGw, 0, false, net.Machine.Clock.Jiffies + RedirectLifetime);
        rt.Kill();
        nh.RthOutput?.Kill();
    }

    private static bool RedirectAllowed(InDevice inDev, uint oldGw, uint newGw)
    {
        if (newGw == oldGw || Ipv4Addr.IsMulticast(newGw) || Ipv4Addr.IsLbcast(newGw) || Ipv4Addr.IsZeronet(newGw))
            return false;
        bool accepted = Forwards(inDev)
            ? inDev.AndConf(Ipv4Devconf.AcceptRedirects)
            : inDev.OrConf(Ipv4Devconf.AcceptRedirects);
        if (!accepted)
            return false;
        NetNamespace net = inDev.Dev.Net;
        if (inDev.OrConf(Ipv4Devconf.SharedMedia))
            return FibFrontend.InetAddrType(net, newGw) == RTN_UNICAST;
        if (!Devinet.InetAddrOnlink(inDev, newGw, oldGw))
            return false;
        return !inDev.OrConf(Ipv4Devconf.SecureRedirects) || FibSemantics.IpFibCheckDefault(newGw, inDev.Dev);
    }

    /// <summary>Tells the sender of a packet that the gateway which it is forwarded to is on its own link.</summary>
    /// <param name="skb">The packet, which stays the caller's.</param>
    [Linux("ip_rt_send_redirect")]
    internal static void IpRtSendRedirect(SkBuff skb)
    {
        Rtable rt = (Rtable)skb.Dst!;
        if (InDevice.Get(rt.Dev) is not { } inDev || !inDev.OrConf(Ipv4Devconf.SendRedirects))
            return;
        NetnsIpv4 ipv4 = rt.Dev.Net.Ipv4;
        Iphdr iph = skb.IpHdr;
        uint gateway = rt.Nexthop(iph.Daddr);
        if (!ipv4.RedirectLimits.Allow(
            iph.Saddr, ipv4.Net.Machine.Clock.Jiffies, ipv4.SysctlIpRtRedirectLoad, ipv4.SysctlIpRtRedirectNumber,
            ipv4.SysctlIpRtRedirectSilence, out int sent))
            return;
        Icmp.IcmpSend(skb, ICMP_REDIRECT, ICMP_REDIR_HOST, gateway);
        if (sent == ipv4.SysctlIpRtRedirectNumber && inDev.OrConf(Ipv4Devconf.LogMartians)
            && ipv4.MessageLimit.Allow(ipv4.Net.Machine.Clock.Jiffies))
        {
            ipv4.Net.Machine.Log.Write(LogLevel.Warning,
                $"IPv4: host {Ipv4Addr.Text(iph.Saddr)}/if{rt.RtIif} ignores redirects for {Ipv4Addr.Text(iph.Daddr)} to {Ipv4Addr.Text(gateway)}");
        }
    }
}
