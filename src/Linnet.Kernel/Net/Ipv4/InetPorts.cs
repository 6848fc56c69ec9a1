using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>When the local addresses of two sockets are in each other's way.</summary>
[LinuxFile("net/ipv4/inet_connection_sock.c")]
internal static class InetPorts
{
    /// <summary>Whether a socket is bound to no address (<c>inet_rcv_saddr_any</c>).</summary>
    public static bool RcvSaddrAny(SockCommon sk) =>
        sk.SkcFamily == AF_INET6 ? sk.SkcV6RcvSaddr == 0 : sk.SkcRcvSaddr == 0;

    /// <summary>
    /// Whether two sockets are bound to addresses that overlap (<c>inet_rcv_saddr_equal</c>): equal ones, or with
    /// <paramref name="matchWildcard"/> any address on one side.
    /// </summary>
    public static bool RcvSaddrEqual(SockCommon sk, SockCommon sk2, bool matchWildcard) =>
        sk.SkcFamily == AF_INET6
            ? Ipv6RcvSaddrEqual(sk, sk2, matchWildcard)
            : Ipv4RcvSaddrEqual(sk.SkcRcvSaddr, sk2.SkcRcvSaddr, sk2.SkcIpv6only, matchWildcard);

    private static bool Ipv4RcvSaddrEqual(uint addr, uint addr2, bool ipv6Only, bool matchWildcard)
    {
        if (ipv6Only)
            return false;
        return addr == addr2 || (matchWildcard && (addr == 0 || addr2 == 0));
    }

    private static bool Ipv6RcvSaddrEqual(SockCommon sk, SockCommon sk2, bool matchWildcard)
    {
        bool sk2Mapped = sk2.SkcFamily == AF_INET || IsV4Mapped(sk2.SkcV6RcvSaddr);
        if (IsV4Mapped(sk.SkcV6RcvSaddr) && sk2Mapped)
            return Ipv4RcvSaddrEqual(sk.SkcRcvSaddr, sk2.SkcRcvSaddr, sk2.SkcIpv6only, matchWildcard);
        bool anyOwn = sk.SkcV6RcvSaddr == 0;
        bool anyOther = sk2.SkcFamily == AF_INET6 ? sk2.SkcV6RcvSaddr == 0 : sk2.SkcRcvSaddr == 0;
        if (anyOwn && anyOther)
            return true;
        if (matchWildcard && anyOther && !(sk2.SkcIpv6only && IsV4Mapped(sk.SkcV6RcvSaddr)))
            return true;
        if (matchWildcard && anyOwn && !(sk.SkcIpv6only && sk2Mapped))
            return true;
        return sk2.SkcFamily == AF_INET6 && sk.SkcV6RcvSaddr == sk2.SkcV6RcvSaddr;
    }

    private static bool IsV4Mapped(UInt128 address) => address >> 32 == 0xFFFF;
}
