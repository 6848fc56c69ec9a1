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
}
