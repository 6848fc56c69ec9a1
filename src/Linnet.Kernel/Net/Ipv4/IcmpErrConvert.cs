using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>What an ICMP error means to a datagram socket; the mapping that UDP, ping and raw sockets share.</summary>
internal static class IcmpErrConvert
{
    /// <summary>Turns an ICMP error into an errno, and has the socket learn path MTUs and redirects.</summary>
    /// <param name="sk">The socket that sent the offending packet.</param>
    /// <param name="skb">The ICMP message.</param>
    /// <param name="type">ICMP type.</param>
    /// <param name="code">ICMP code.</param>
    /// <param name="info">MTU for fragmentation needed.</param>
    /// <param name="err">The errno, positive.</param>
    /// <param name="harderr">Whether the error is permanent.</param>
    /// <returns>False when there is nothing to report.</returns>
    public static bool Convert(InetSock sk, SkBuff skb, int type, int code, uint info, out int err, out bool harderr)
    {
        err = EHOSTUNREACH;
        harderr = false;
        switch (type)
        {
            case ICMP_SOURCE_QUENCH:
                return false;
            case ICMP_PARAMETERPROB:
                err = EPROTO;
                harderr = true;
                return true;
            case ICMP_REDIRECT:
                Route.Ipv4SkRedirect(skb, sk);
                return false;
            case ICMP_DEST_UNREACH when code == ICMP_FRAG_NEEDED:
                Route.Ipv4SkUpdatePmtu(skb, sk, info);
                err = EMSGSIZE;
                harderr = true;
                return sk.Pmtudisc != IP_PMTUDISC_DONT;
            case ICMP_DEST_UNREACH when code <= NR_ICMP_UNREACH:
                (err, harderr) = Icmp.IcmpErrConvert(code);
                return true;
            default:
                return true;
        }
    }
}
