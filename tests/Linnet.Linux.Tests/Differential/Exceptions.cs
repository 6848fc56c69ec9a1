namespace Linnet.Linux.Tests.Differential;

/// <summary>
/// Where Linnet is allowed to differ from the host's kernel, and how. Everything else has to be equal.
/// </summary>
internal static class Exceptions
{
    /// <summary>The families that Linnet has; every other answers EAFNOSUPPORT, whatever the host's kernel has been built with.</summary>
    public static readonly int[] Families = [AF_INET];

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

        // SOCK_PACKET of AF_INET is a way to ask for AF_PACKET.
        bool lacksFamily = !Families.Contains(family) || (kind == 10 && family == AF_INET);
        if (lacksFamily)
            return linnet == -EAFNOSUPPORT;
        return linnet == -EPROTONOSUPPORT && Protocols.Any(p => p.Type == kind && p.Protocol == protocol);
    }

    /// <summary>Options that the host may have and Linnet has not: it answers as for one that it does not know.</summary>
    public static readonly (int Level, int Name, string Why)[] Options =
    [
        (SOL_SOCKET, SO_BUSY_POLL, "no device of Linnet has queues to poll: as a kernel without CONFIG_NET_RX_BUSY_POLL"),
        (SOL_SOCKET, SO_INCOMING_NAPI_ID, "the same"),
        (SOL_SOCKET, SO_PREFER_BUSY_POLL, "the same"),
        (SOL_SOCKET, SO_BUSY_POLL_BUDGET, "the same"),
    ];

    // Options whose value is the machine's own.
    private static readonly (int Level, int Name)[] OwnValues = [(SOL_SOCKET, SO_COOKIE)];

    /// <summary>Whether the result of an option may differ, and then whether Linnet's is the right refusal.</summary>
    public static bool IsExpectedOption(Twin.Call call, long real, long linnet)
    {
        if (call.Nr is not (__NR_getsockopt or __NR_setsockopt))
            return false;
        int level = (int)call.Arguments[1], name = (int)call.Arguments[2];
        if (real == linnet && call.Nr == __NR_getsockopt && OwnValues.Contains((level, name)))
            return true;
        return linnet is -ENOPROTOOPT or -EOPNOTSUPP && Options.Any(o => o.Level == level && o.Name == name);
    }
}
