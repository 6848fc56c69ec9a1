using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>ICMP (RFC 792, RFC 1122 section 3.2.2): receiving.</summary>
[LinuxFile("net/ipv4/icmp.c")]
public static partial class Icmp
{
    // Errno that each code of "destination unreachable" stands for, and whether it ends a connection.
    private static readonly (int Errno, bool Fatal)[] ErrConvert =
    [
        (ENETUNREACH, false),  // ICMP_NET_UNREACH
        (EHOSTUNREACH, false), // ICMP_HOST_UNREACH
        (ENOPROTOOPT, true),   // ICMP_PROT_UNREACH
        (ECONNREFUSED, true),  // ICMP_PORT_UNREACH
        (EMSGSIZE, false),     // ICMP_FRAG_NEEDED
        (EOPNOTSUPP, false),   // ICMP_SR_FAILED
        (ENETUNREACH, true),   // ICMP_NET_UNKNOWN
        (EHOSTDOWN, true),     // ICMP_HOST_UNKNOWN
        (ENONET, true),        // ICMP_HOST_ISOLATED
        (ENETUNREACH, true),   // ICMP_NET_ANO
        (EHOSTUNREACH, true),  // ICMP_HOST_ANO
        (ENETUNREACH, false),  // ICMP_NET_UNR_TOS
        (EHOSTUNREACH, false), // ICMP_HOST_UNR_TOS
        (EHOSTUNREACH, true),  // ICMP_PKT_FILTERED
        (EHOSTUNREACH, true),  // ICMP_PREC_VIOLATION
        (EHOSTUNREACH, true),  // ICMP_PREC_CUTOFF
    ];

    /// <summary>Errno (positive) of a code of "destination unreachable", and whether it ends a connection (<c>icmp_err_convert</c>).</summary>
    /// <param name="code">0 to <c>NR_ICMP_UNREACH</c>.</param>
    public static (int Errno, bool Fatal) IcmpErrConvert(int code) => ErrConvert[code];

    /// <summary>Registers ICMP on a machine that boots.</summary>
    /// <returns>0 or -1 when the protocol is taken.</returns>
    [Linux("icmp_init")]
    public static int IcmpInit(Machine machine) =>
        AfInetProtocols.InetAddProtocol(machine, IPPROTO_ICMP, new IcmpProtocol());

    /// <summary>A message came in; its data begins at the ICMP header. Takes over the packet.</summary>
    [Linux("icmp_rcv")]
    internal static int IcmpRcv(SkBuff skb)
    {
        NetnsIpv4 ipv4 = skb.Dev!.Net.Ipv4;
        SnmpMib<IcmpMib> stats = ipv4.IcmpStatistics;
        stats.Inc(IcmpMib.InMsgs);
        if (!ChecksumOk(skb))
        {
            stats.Inc(IcmpMib.InCsumErrors);
            stats.Inc(IcmpMib.InErrors);
        }
        else if (!skb.PskbMayPull(Icmphdr.Size))
        {
            stats.Inc(IcmpMib.InErrors);
        }
        else
        {
            skb.ResetTransportHeader();
            skb.Pull(Icmphdr.Size);
            if (!Dispatch(ipv4, skb))
                stats.Inc(IcmpMib.InErrors);
        }

        skb.Free();
        return 0;
    }

    private static bool ChecksumOk(SkBuff skb)
    {
        if (skb.IpSummed is ChecksumState.Unnecessary or ChecksumState.Partial)
            return true;
        if (skb.IpSummed == ChecksumState.Complete && Checksum.CsumFold(skb.Csum) == 0)
            return true;
        return Checksum.CsumFold(skb.Checksum(0, skb.Len, 0)) == 0;
    }

    // False counts the message as bad.
    private static bool Dispatch(NetnsIpv4 ipv4, SkBuff skb)
    {
        int type = skb.IcmpHdr.Type;
        ipv4.IcmpmsgStatistics.Add(IcmpMsgMib.In(type), 1);
        if (type > NR_ICMP_TYPES)
            return false;
        const uint Many = Rtable.RTCF_BROADCAST | Rtable.RTCF_MULTICAST;
        if (skb.Dst is Rtable rt && (rt.RtFlags & Many) != 0)
        {
            // RFC 1122 section 3.2.2.6: an echo that went to many may be ignored; errors to many are never right.
            if (type is ICMP_ECHO or ICMP_TIMESTAMP && ipv4.SysctlIcmpEchoIgnoreBroadcasts)
                return false;
            if (type is not (ICMP_ECHO or ICMP_TIMESTAMP or ICMP_ADDRESS or ICMP_ADDRESSREPLY))
                return false;
        }

        switch (type)
        {
            case ICMP_ECHOREPLY:
                ipv4.Protos.PingRcv?.Invoke(skb);
                return true;
            case ICMP_DEST_UNREACH:
            case ICMP_SOURCE_QUENCH:
            case ICMP_TIME_EXCEEDED:
            case ICMP_PARAMETERPROB:
                return IcmpUnreach(ipv4, skb);
            case ICMP_REDIRECT:
                return IcmpRedirect(ipv4, skb);
            case ICMP_ECHO:
                return IcmpEcho(ipv4, skb);
            case ICMP_TIMESTAMP:
                return IcmpTimestamp(ipv4, skb);
            default:
                return true;
        }
    }

    [Linux("icmp_unreach")]
    private static bool IcmpUnreach(NetnsIpv4 ipv4, SkBuff skb)
    {
        if (!skb.PskbMayPull(Iphdr.Size))
            return false;
        Icmphdr icmph = skb.IcmpHdr;
        Iphdr iph = new(skb.Data);
        if (iph.Ihl < 5)
            return false;
        uint info = 0;
        switch (icmph.Type)
        {
            case ICMP_DEST_UNREACH when icmph.Code == ICMP_FRAG_NEEDED:
                // 1: path MTU discovery is off; 3: only protocols that check the quoted packet strictly may use it.
                if (ipv4.SysctlIpNoPmtuDisc == 1)
                    break;
                if (ipv4.SysctlIpNoPmtuDisc == 3 && ipv4.Protos[iph.Protocol]?.IcmpStrictTagValidation != true)
                    return true;
                info = icmph.FragMtu;
                break;
            case ICMP_DEST_UNREACH when icmph.Code > NR_ICMP_UNREACH:
                return true;
            case ICMP_PARAMETERPROB:
                info = icmph.Gateway >> 24;
                break;
            case ICMP_TIME_EXCEEDED when icmph.Code == ICMP_EXC_FRAGTIME:
                return true;
        }

        if (!ipv4.SysctlIcmpIgnoreBogusErrorResponses
            && FibFrontend.InetAddrTypeDevTable(ipv4.Net, skb.Dev, iph.Daddr) == RTN_BROADCAST)
            return true;
        return IcmpSocketDeliver(ipv4, skb, info);
    }

    [Linux("icmp_redirect")]
    private static bool IcmpRedirect(NetnsIpv4 ipv4, SkBuff skb)
    {
        if (skb.Len < Iphdr.Size || !skb.PskbMayPull(Iphdr.Size))
            return false;
        return IcmpSocketDeliver(ipv4, skb, skb.IcmpHdr.Gateway);
    }

    /// <summary>Tells the protocol whose packet is quoted; it needs the header and 8 bytes behind it.</summary>
    [Linux("icmp_socket_deliver")]
    private static bool IcmpSocketDeliver(NetnsIpv4 ipv4, SkBuff skb, uint info)
    {
        Iphdr iph = new(skb.Data);
        if (!skb.PskbMayPull(iph.HeaderLength + 8))
            return false;
        int protocol = new Iphdr(skb.Data).Protocol;
        ipv4.Protos.RawIcmpError?.Invoke(skb, protocol, info);
        ipv4.Protos[protocol]?.ErrHandler(skb, info);
        return true;
    }

    [Linux("icmp_echo")]
    private static bool IcmpEcho(NetnsIpv4 ipv4, SkBuff skb)
    {
        if (ipv4.SysctlIcmpEchoIgnoreAll)
            return true;
        Span<byte> head = stackalloc byte[Icmphdr.Size];
        skb.TransportHeaderSpan[..Icmphdr.Size].CopyTo(head);
        head[0] = ICMP_ECHOREPLY;
        IcmpReply(ipv4.Net, skb, head, skb.Len);
        return true;
    }

    [Linux("icmp_timestamp")]
    private static bool IcmpTimestamp(NetnsIpv4 ipv4, SkBuff skb)
    {
        if (skb.Len < 4)
            return false;
        Span<byte> head = stackalloc byte[Icmphdr.Size + 12];
        skb.TransportHeaderSpan[..Icmphdr.Size].CopyTo(head);
        head[0] = ICMP_TIMESTAMPREPLY;
        head[1] = 0;
        skb.CopyBits(0, head.Slice(Icmphdr.Size, 4));
        uint now = IpOptions.Timestamp(ipv4.Net);
        BinaryPrimitives.WriteUInt32BigEndian(head[(Icmphdr.Size + 4)..], now);
        BinaryPrimitives.WriteUInt32BigEndian(head[(Icmphdr.Size + 8)..], now);
        IcmpReply(ipv4.Net, skb, head, 0);
        return true;
    }

    /// <summary>An error came about a message that was sent from here.</summary>
    [Linux("icmp_err")]
    private static int IcmpErr(SkBuff skb, uint info)
    {
        NetnsIpv4 ipv4 = skb.Dev!.Net.Ipv4;
        Icmphdr outer = skb.IcmpHdr;
        int quoted = new Iphdr(skb.Data).HeaderLength;
        if (skb.Data[quoted] != ICMP_ECHOREPLY)
            ipv4.Protos.PingErr?.Invoke(skb, info);
        else if (outer.Type == ICMP_REDIRECT)
            Route.Ipv4Redirect(skb, ipv4.Net, 0, IPPROTO_ICMP);
        else if (outer.Type == ICMP_DEST_UNREACH && outer.Code == ICMP_FRAG_NEEDED)
            Route.Ipv4UpdatePmtu(skb, ipv4.Net, info, 0, IPPROTO_ICMP);
        return 0;
    }

    private sealed class IcmpProtocol : NetProtocol
    {
        public override int Handler(SkBuff skb) => IcmpRcv(skb);

        public override int ErrHandler(SkBuff skb, uint info) => IcmpErr(skb, info);
    }
}
