using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Whether a packet may come from where it says (RFC 1812 section 5.3.8, RFC 3704).</content>
public static partial class FibFrontend
{
    /// <summary>Checks that a packet from <paramref name="src"/> may come in by <paramref name="dev"/>.</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="skb">The packet.</param>
    /// <param name="src">Its source.</param>
    /// <param name="dst">Its destination; 0 for many.</param>
    /// <param name="tos">Its type of service.</param>
    /// <param name="oif">Index of the device that it will leave by; 0 for none.</param>
    /// <param name="dev">The device that it came in by.</param>
    /// <param name="inDev">Its IPv4 part.</param>
    /// <returns>0, 1 when the sender is on the link, -EINVAL for a martian, or -EXDEV when the reverse path differs.</returns>
    [Linux("fib_validate_source")]
    public static int FibValidateSource(
        NetNamespace net, SkBuff skb, uint src, uint dst, byte tos, int oif, NetDevice dev, InDevice inDev)
    {
        int rpf = inDev.MaxConf(Ipv4Devconf.RpFilter);
        if (rpf == 0 && (dev.Ifindex != oif || !inDev.OrConf(Ipv4Devconf.SendRedirects)))
        {
            if (inDev.OrConf(Ipv4Devconf.AcceptLocal))
                return 0;
            // With local routes or rules of a user's, its own addresses alone do not tell what is local.
            if (!net.Ipv4.FibHasCustomLocalRoutes && !net.Ipv4.FibRules.HasCustomRules)
                return Devinet.InetLookupIfaddr(net, src) != null ? -EINVAL : 0;
        }

        return FibValidateSourceCore(net, skb, src, dst, tos, oif, dev, inDev, rpf);
    }

    [Linux("__fib_validate_source")]
    private static int FibValidateSourceCore(
        NetNamespace net, SkBuff skb, uint src, uint dst, byte tos, int oif, NetDevice dev, InDevice inDev, int rpf)
    {
        Flowi4 fl4 = new()
        {
            Flowi4Iif = oif != 0 ? oif : Flowi4.LOOPBACK_IFINDEX,
            Daddr = src,
            Saddr = dst,
            Flowi4Tos = tos,
            Flowi4Mark = inDev.OrConf(Ipv4Devconf.SrcValidMark) ? skb.Mark : 0,
        };
        if (Route.Fib4RulesEarlyFlowDissect(net, skb, ref fl4))
            (fl4.FlSport, fl4.FlDport) = (fl4.FlDport, fl4.FlSport);
        bool noAddress = inDev.IfaList.Length == 0;
        if (IpFib.FibLookup(net, in fl4, out FibResult res) != 0)
            return rpf != 0 ? -EXDEV : 0;
        if (res.Type != RTN_UNICAST && (res.Type != RTN_LOCAL || !inDev.OrConf(Ipv4Devconf.AcceptLocal)))
            return -EINVAL;
        if (FibSemantics.FibInfoNhUsesDev(res.Fi!, dev) || (res.Type == RTN_LOCAL && dev == net.LoopbackDev))
            return res.Nhc!.NhScope >= RT_SCOPE_HOST ? 1 : 0;
        if (noAddress)
            return rpf != 0 ? -EXDEV : 0;
        if (rpf == 1)
            return -EXDEV;
        fl4.Flowi4Oif = dev.Ifindex;
        if (IpFib.FibLookup(net, in fl4, out res, IpFib.FIB_LOOKUP_IGNORE_LINKSTATE) != 0 || res.Type != RTN_UNICAST)
            return 0;
        return res.Nhc!.NhScope >= RT_SCOPE_HOST ? 1 : 0;
    }
}
