namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// Where Linnet is allowed to differ from the host's kernel, and how. Everything else has to be equal.
/// </summary>
internal static class Exceptions
{
    /// <summary>The families that Linnet has; every other answers EAFNOSUPPORT, whatever the host's kernel has been built with.</summary>
    public static readonly int[] Families = [AF_INET, AF_PACKET];

    /// <summary>Protocols of AF_INET that the host may have and Linnet has not: it answers EPROTONOSUPPORT.</summary>
    public static readonly (int Type, int Protocol, string Why)[] Protocols =
    [
        (SOCK_STREAM, IPPROTO_MPTCP, "Multipath TCP comes with a later issue"),
        (SOCK_STREAM, IPPROTO_SCTP, "SCTP comes with a later issue"),
        (SOCK_SEQPACKET, IPPROTO_SCTP, "SCTP comes with a later issue"),
        (SOCK_DGRAM, IPPROTO_UDPLITE, "UDP-Lite is not planned"),
    ];

    /// <summary>Whether the result of <c>socket()</c> may differ, and then whether Linnet's is the right refusal.</summary>
    public static bool IsExpectedSocket(int family, int type, int protocol, long linnet)
    {
        int kind = type & 0xf;

        // Of netlink's protocols the host has those of its modules.
        if (family == AF_NETLINK)
            return linnet == -EPROTONOSUPPORT;
        if (!Families.Contains(family))
            return linnet == -EAFNOSUPPORT;
        return linnet == -EPROTONOSUPPORT && Protocols.Any(p => p.Type == kind && p.Protocol == protocol);
    }

    /// <summary>Options that the host may have and Linnet has not: it answers as for one that it does not know.</summary>
    public static readonly (int Level, int Name, string Why)[] Options =
    [
        (SOL_SOCKET, SO_TIMESTAMPING_OLD, "stamps of hardware clocks and at completion, and statistics with stamps, are refused"),
        (SOL_SOCKET, SO_TIMESTAMPING_NEW, "the same"),
        (IPPROTO_IP, IP_IPSEC_POLICY, "IPsec is not there"),
        (IPPROTO_IP, IP_XFRM_POLICY, "the same"),
        (IPPROTO_IP, 64, "netfilter is not there (IPT_SO_SET_REPLACE, IPT_SO_GET_INFO)"),
        (IPPROTO_IP, 65, "the same"),
        (IPPROTO_IP, 66, "the same"),
        (IPPROTO_IP, 67, "the same"),
        (IPPROTO_IP, 80, "connection tracking is not there (SO_ORIGINAL_DST)"),
        (IPPROTO_IP, 83, "the same"),
        (IPPROTO_TCP, TCP_MD5SIG, "signatures come with a later issue"),
        (IPPROTO_TCP, TCP_MD5SIG_EXT, "the same"),
        (IPPROTO_TCP, TCP_AO_REPAIR, "the same"),
        (IPPROTO_TCP, TCP_REPAIR, "moving connections between machines comes with a later issue"),
        (IPPROTO_TCP, TCP_REPAIR_WINDOW, "the same"),
        (IPPROTO_TCP, TCP_FASTOPEN, "Fast Open comes with a later issue"),
        (IPPROTO_TCP, TCP_FASTOPEN_CONNECT, "the same"),
        (IPPROTO_TCP, TCP_FASTOPEN_KEY, "the same"),
        (IPPROTO_TCP, TCP_FASTOPEN_NO_COOKIE, "the same"),
        (IPPROTO_TCP, TCP_ULP, "there are no upper layers such as kernel TLS"),
        (IPPROTO_TCP, TCP_ZEROCOPY_RECEIVE, "receiving without a copy comes with a later issue"),
        (IPPROTO_TCP, TCP_TX_DELAY, "sending later than now comes with a later issue"),
    ];

    // Options whose value is the machine's own.
    private static readonly (int Level, int Name, string Why)[] OwnValues =
    [
        (SOL_SOCKET, SO_COOKIE, "a number of the machine"),
        (SOL_SOCKET, SO_NETNS_COOKIE, "a number of the machine"),
        (IPPROTO_TCP, TCP_INFO, "times and memory; its fields have tests of their own"),
        (IPPROTO_TCP, TCP_CONGESTION, "the host's default is its administrator's choice"),
        (IPPROTO_TCP, TCP_CC_INFO, "goes with it"),
        (IPPROTO_TCP, TCP_TIMESTAMP, "time since boot, with a random offset"),
        (IPPROTO_TCP, TCP_RTO_MAX_MS, "rounded to the host's ticks"),
        (IPPROTO_TCP, TCP_RTO_MIN_US, "rounded to the host's ticks"),
        (IPPROTO_TCP, TCP_DELACK_MAX_US, "rounded to the host's ticks"),
    ];

    /// <summary>Whether the result of an option may differ, and then whether Linnet's is the right refusal.</summary>
    public static bool IsExpectedOption(Twin.Call call, long real, long linnet)
    {
        if (call.Nr is not (__NR_getsockopt or __NR_setsockopt))
            return false;
        int level = (int)call.Arguments[1], name = (int)call.Arguments[2];
        if (call.Nr == __NR_getsockopt && linnet >= 0 && OwnValues.Any(o => o.Level == level && o.Name == name))
            return true;
        if (Options.Any(o => o.Level == level && o.Name == name))
            return linnet is -ENOPROTOOPT or -EOPNOTSUPP or -EINVAL or -EFAULT || (call.Nr == __NR_getsockopt && linnet == 0);
        return false;
    }

    /// <summary>In random programs nothing may differ.</summary>
    public static bool IsExpectedRandom(Twin.Call call, long real, long linnet) => false;
}
