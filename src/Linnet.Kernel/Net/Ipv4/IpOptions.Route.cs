using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Options of packets on their way: answers, source routes that are followed, routes and times that are recorded.</content>
public partial struct IpOptions
{
    /// <summary>
    /// The options that an answer to a packet carries: routes and timestamps go on being recorded, a source route is gone
    /// back (RFC 1122 section 3.2.1.8); other options are left out.
    /// </summary>
    /// <returns>The options, or null for none.</returns>
    [Linux("__ip_options_echo")]
    public static IpOptionsRcu? IpOptionsEcho(NetNamespace net, SkBuff skb, in IpOptions sopt)
    {
        if (sopt.Optlen == 0 || (sopt.Rr == 0 && sopt.Ts == 0 && sopt.Srr == 0))
            return null;
        ReadOnlySpan<byte> header = skb.NetworkHeaderSpan;
        byte[] data = new byte[MAX_IPOPTLEN];
        int used = 0;
        IpOptions dopt = default;
        if (sopt.Rr != 0)
        {
            int length = header[sopt.Rr + 1];
            dopt.Rr = (byte)(HeaderSize + used);
            header.Slice(sopt.Rr, length).CopyTo(data.AsSpan(used));
            // The answer's way back is recorded where there is room.
            int pointer = header[sopt.Rr + 2];
            if (sopt.RrNeedaddr && pointer + 3 <= length)
            {
                data[used + 2] = (byte)(pointer + 4);
                dopt.RrNeedaddr = true;
            }

            used += length;
        }

        if (sopt.Ts != 0)
        {
            int length = header[sopt.Ts + 1];
            dopt.Ts = (byte)(HeaderSize + used);
            header.Slice(sopt.Ts, length).CopyTo(data.AsSpan(used));
            EchoTimestamp(net, ref dopt, in sopt, data.AsSpan(used, length));
            used += length;
        }

        if (sopt.Srr != 0)
            used += EchoSourceRoute(header, ref dopt, in sopt, data.AsSpan(used), used);
        if (used == 0)
            return null;
        dopt.Optlen = (byte)((used + 3) & ~3);
        return new IpOptionsRcu { Opt = dopt, Data = data[..dopt.Optlen] };
    }

    /// <summary>A packet with a source route came in: where this host is on the route, the packet goes on to the next.</summary>
    /// <returns>0, or -EINVAL when the packet is to be dropped; the sender was told where that is due.</returns>
    [Linux("ip_options_rcv_srr")]
    internal static int IpOptionsRcvSrr(SkBuff skb, NetDevice dev)
    {
        if (skb.Dst is not Rtable rt)
            return 0;
        if (skb.PktType != PACKET_HOST)
            return -EINVAL;
        ref IpOptions opt = ref skb.IpCb.Opt;
        if (rt.RtType == RTN_UNICAST)
        {
            // On the way between two hops of the route, which a strict one does not allow.
            if (!opt.IsStrictroute)
                return 0;
            const uint PointsAtDestination = 16;
            Icmp.IcmpSend(skb, ICMP_PARAMETERPROB, 0, PointsAtDestination << 24);
            return -EINVAL;
        }

        if (rt.RtType != RTN_LOCAL)
            return -EINVAL;
        Span<byte> option = skb.NetworkHeaderSpan[opt.Srr..];
        int length = option[1];
        int pointer = option[2];
        for (; pointer <= length; pointer += 4)
        {
            if (pointer + 3 > length)
            {
                Icmp.IcmpSend(skb, ICMP_PARAMETERPROB, 0, (uint)(opt.Srr + 2) << 24);
                return -EINVAL;
            }

            uint nexthop = BinaryPrimitives.ReadUInt32BigEndian(option[(pointer - 1)..]);
            if (!RouteToNextHop(skb, dev, nexthop, out bool local))
                return -EINVAL;
            opt.IsChanged = true;
            if (!local)
            {
                opt.SrrIsHit = true;
                opt.Nexthop = nexthop;
                break;
            }

            // The next hop is this host again.
            Iphdr iph = skb.IpHdr;
            iph.Daddr = nexthop;
        }

        return 0;
    }

    /// <summary>Writes this host's address and time into a packet that it forwards (<c>ip_forward_options</c>).</summary>
    [Linux("ip_forward_options")]
    internal static void IpForwardOptions(SkBuff skb)
    {
        ref IpOptions opt = ref skb.IpCb.Opt;
        Span<byte> header = skb.NetworkHeaderSpan;
        if (opt.RrNeedaddr)
        {
            WriteAddress(header, opt.Rr + header[opt.Rr + 2] - 5, Route.IpRtGetSource(skb));
            opt.IsChanged = true;
        }

        if (opt.SrrIsHit)
            ForwardSourceRoute(skb, ref opt, header);
        if (opt.IsChanged)
        {
            opt.IsChanged = false;
            skb.IpHdr.SendCheck();
        }
    }

    private static bool RouteToNextHop(SkBuff skb, NetDevice dev, uint nexthop, out bool local)
    {
        Iphdr iph = skb.IpHdr;
        DstEntry? before = skb.Dst;
        local = false;
        skb.Dst = null;
        if (Route.IpRouteInput(skb, nexthop, iph.Saddr, iph.Tos, dev) == 0
            && skb.Dst is Rtable { RtType: RTN_UNICAST or RTN_LOCAL } next)
        {
            local = next.RtType == RTN_LOCAL;
            return true;
        }

        skb.Dst = before;
        return false;
    }

    // The next hop becomes the destination, and its place in the list takes the address that the packet leaves by.
    private static void ForwardSourceRoute(SkBuff skb, ref IpOptions opt, Span<byte> header)
    {
        Span<byte> option = header[opt.Srr..];
        int length = option[1];
        for (int pointer = option[2]; pointer + 3 <= length; pointer += 4)
        {
            if (BinaryPrimitives.ReadUInt32BigEndian(option[(pointer - 1)..]) != opt.Nexthop)
                continue;
            opt.IsChanged = true;
            Iphdr iph = skb.IpHdr;
            iph.Daddr = opt.Nexthop;
            BinaryPrimitives.WriteUInt32BigEndian(option[(pointer - 1)..], Route.IpRtGetSource(skb));
            option[2] = (byte)(pointer + 4);
            break;
        }

        if (opt.TsNeedaddr)
        {
            WriteAddress(header, opt.Ts + header[opt.Ts + 2] - 9, Route.IpRtGetSource(skb));
            opt.IsChanged = true;
        }
    }

    // The hops that the packet passed, in reverse; the last of them is where the answer is sent first.
    private static int EchoSourceRoute(
        ReadOnlySpan<byte> header, ref IpOptions dopt, in IpOptions sopt, Span<byte> to, int used)
    {
        ReadOnlySpan<byte> option = header[sopt.Srr..];
        int from = Math.Min(option[2], option[1] + 1) - 4;
        if (from <= 3)
            return 0;
        uint first = BinaryPrimitives.ReadUInt32BigEndian(option[(from - 1)..]);
        int length = 4;
        for (from -= 4; from > 3; from -= 4, length += 4)
            option.Slice(from - 1, 4).CopyTo(to[(length - 1)..]);
        // A route that began with the sender itself was not right (RFC 1812 section 5.2.4.1).
        if (header.Slice(12, 4).SequenceEqual(option.Slice(from + 3, 4)))
            length -= 4;
        if (length <= 3)
            return 0;
        dopt.Faddr = first;
        to[0] = option[0];
        to[1] = (byte)(length + 3);
        to[2] = 4;
        dopt.Srr = (byte)(HeaderSize + used);
        dopt.IsStrictroute = sopt.IsStrictroute;
        return length + 3;
    }

    private static void EchoTimestamp(NetNamespace net, ref IpOptions dopt, in IpOptions sopt, Span<byte> option)
    {
        int pointer = option[2];
        int slot = (sopt.TsNeedaddr ? 4 : 0) + (sopt.TsNeedtime ? 4 : 0);
        if (slot == 0 || pointer + slot - 1 > option.Length)
            return;
        if ((option[3] & 15) == IPOPT_TS_PRESPEC)
        {
            if (pointer + 7 > option.Length
                || FibFrontend.InetAddrType(net, BinaryPrimitives.ReadUInt32BigEndian(option[(pointer - 1)..])) == RTN_UNICAST)
                return;
            slot = 8;
        }

        dopt.TsNeedaddr = sopt.TsNeedaddr;
        dopt.TsNeedtime = sopt.TsNeedtime;
        option[2] = (byte)(pointer + slot);
    }
}
