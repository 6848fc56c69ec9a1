using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Which socket a datagram belongs to.</content>
public static partial class Udp
{
    /// <summary>
    /// Finds the socket for a datagram: the most specific one, of equals the newest or one of their group.
    /// </summary>
    /// <param name="net">Where it came in.</param>
    /// <param name="saddr">Source address.</param>
    /// <param name="sport">Source port.</param>
    /// <param name="daddr">Destination address.</param>
    /// <param name="dport">Destination port.</param>
    /// <param name="dif">Index of the device that it came in by.</param>
    /// <returns>The socket, or null.</returns>
    [Linux("__udp4_lib_lookup")]
    public static UdpSock? Udp4LibLookup(
        NetNamespace net, uint saddr, ushort sport, uint daddr, ushort dport, int dif)
    {
        UdpTable table = UdpTable.Of(net.Machine);
        UdpSock[] bound = table.Hash2(UdpTable.PortaddrHash(net, daddr, dport)).Socks;
        UdpSock? result = bound.Length == 0
            ? null
            : Udp4LibLookup2(table, net, saddr, sport, daddr, daddr, dport, dif, bound);
        if (result != null)
            return result;
        UdpSock[] any = table.Hash2(UdpTable.PortaddrHash(net, INADDR_ANY, dport)).Socks;
        return any.Length == 0 ? null : Udp4LibLookup2(table, net, saddr, sport, daddr, INADDR_ANY, dport, dif, any);
    }

    [Linux("udp4_lib_lookup2")]
    private static UdpSock? Udp4LibLookup2(
        UdpTable table, NetNamespace net, uint saddr, ushort sport, uint daddr, uint bound, ushort dport, int dif,
        UdpSock[] chain)
    {
        UdpSock? result = null;
        int badness = 0;
        foreach (UdpSock sk in chain)
        {
            int score = ComputeScore(sk, net, saddr, sport, bound, dport, dif);
            if (score <= badness)
                continue;
            badness = score;
            result = sk;
            if (sk.SkState == TCP_ESTABLISHED || !sk.SkcReuseport || sk.SkReuseportCb is not { } group)
                continue;
            uint hash = UdpEhashfn(table, daddr, dport, saddr, sport);
            if (group.ReuseportSelectSock(hash, NotConnected) is not UdpSock selected)
                continue;
            result = selected;
            // Members that are connected to this very peer go before the choice by hash.
            if (!group.HasConns)
                return result;
            badness = ComputeScore(selected, net, saddr, sport, bound, dport, dif);
        }

        return result;
    }

    private static readonly Func<Sock, bool> NotConnected = sk => sk.SkState != TCP_ESTABLISHED;

    // -1 when the datagram is not for the socket; otherwise the higher, the more the socket asked for exactly this.
    private static int ComputeScore(
        UdpSock sk, NetNamespace net, uint saddr, ushort sport, uint daddr, ushort hnum, int dif)
    {
        if (sk.SkcNet != net || sk.UdpPortHash != hnum || sk.SkcIpv6only || sk.SkcRcvSaddr != daddr)
            return -1;
        int score = sk.SkcFamily == PF_INET ? 2 : 1;
        if (sk.SkcDaddr != 0)
        {
            if (sk.SkcDaddr != saddr)
                return -1;
            score += 4;
        }

        if (sk.SkcDport != 0)
        {
            if (sk.SkcDport != sport)
                return -1;
            score += 4;
        }

        if (sk.SkcBoundDevIf != 0)
        {
            if (sk.SkcBoundDevIf != dif)
                return -1;
            score += 4;
        }

        return score;
    }

    [Linux("udp_ehashfn")]
    private static uint UdpEhashfn(UdpTable table, uint laddr, ushort lport, uint faddr, ushort fport) =>
        (uint)Siphash.Hash2((ulong)laddr << 32 | faddr, (ulong)lport << 16 | fport, table.EhashKey);

    // Whether a datagram to a group or a broadcast address is for the socket.
    private static bool UdpIsMcastSock(
        UdpSock sk, NetNamespace net, ushort locPort, uint locAddr, ushort rmtPort, uint rmtAddr, int dif) =>
        sk.SkcNet == net && sk.UdpPortHash == locPort
        && (sk.SkcDaddr == 0 || sk.SkcDaddr == rmtAddr)
        && (sk.SkcDport == 0 || sk.SkcDport == rmtPort)
        && (sk.SkcRcvSaddr == 0 || sk.SkcRcvSaddr == locAddr)
        && !sk.SkcIpv6only && (sk.SkcBoundDevIf == 0 || sk.SkcBoundDevIf == dif)
        && Igmp.IpMcSfAllow(sk, locAddr, rmtAddr, dif);
}
