using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The two bits of ECN in the IP header (RFC 3168 section 5), and what a socket sends in them.</summary>
[LinuxFile("include/net/inet_ecn.h")]
public static class EcnBits
{
    /// <summary>Not capable of ECN.</summary>
    public const byte INET_ECN_NOT_ECT = 0;

    /// <summary>Capable, ECT(1).</summary>
    public const byte INET_ECN_ECT_1 = 1;

    /// <summary>Capable, ECT(0).</summary>
    public const byte INET_ECN_ECT_0 = 2;

    /// <summary>Congestion experienced.</summary>
    public const byte INET_ECN_CE = 3;

    /// <summary>Where the bits are in the type of service.</summary>
    public const byte INET_ECN_MASK = 3;

    /// <summary>Has a socket's packets sent with ECT(0) (<c>INET_ECN_xmit</c>).</summary>
    public static void InetEcnXmit(InetSock sk) => sk.Tos |= INET_ECN_ECT_0;

    /// <summary>Has a socket's packets sent unmarked (<c>INET_ECN_dontxmit</c>).</summary>
    public static void InetEcnDontxmit(InetSock sk) => sk.Tos &= unchecked((byte)~INET_ECN_MASK);
}
