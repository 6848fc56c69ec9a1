using System.Buffers.Binary;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Parsing, building and rewriting of options (RFC 791 section 3.1).</content>
[LinuxFile("net/ipv4/ip_options.c")]
public partial struct IpOptions
{
    private const int HeaderSize = Iphdr.Size;

    /// <summary>Checks options that a user gave (<c>ip_options_get</c>).</summary>
    /// <param name="net">The namespace.</param>
    /// <param name="given">The options; padded to a multiple of four with end-of-options.</param>
    /// <param name="options">The checked options; null for none.</param>
    /// <returns>0 or -EINVAL.</returns>
    [Linux("ip_options_get")]
    public static int IpOptionsGet(NetNamespace net, ReadOnlySpan<byte> given, out IpOptionsRcu? options)
    {
        options = null;
        if (given.Length > MAX_IPOPTLEN)
            return -EINVAL;
        byte[] data = new byte[(given.Length + 3) & ~3];
        given.CopyTo(data);
        IpOptionsRcu made = new() { Data = data, Opt = new IpOptions { Optlen = (byte)data.Length } };
        if (data.Length > 0 && IpOptionsCompile(net, ref made.Opt, data, null, out _) < 0)
            return -EINVAL;
        options = made;
        return 0;
    }

    /// <summary>Writes options behind the header of a packet that is sent (<c>ip_options_build</c>).</summary>
    [Linux("ip_options_build")]
    public static void IpOptionsBuild(SkBuff skb, IpOptionsRcu options, uint daddr, Rtable rt)
    {
        Span<byte> header = skb.NetworkHeaderSpan;
        ref IpOptions opt = ref skb.IpCb.Opt;
        opt = options.Opt;
        options.Data.AsSpan(0, opt.Optlen).CopyTo(header[HeaderSize..]);
        if (opt.Srr != 0)
            BinaryPrimitives.WriteUInt32BigEndian(header[(opt.Srr + header[opt.Srr + 1] - 4)..], daddr);
        if (opt.RrNeedaddr)
            WriteAddress(header, opt.Rr + header[opt.Rr + 2] - 5, Devinet.InetSelectAddr(rt.Dev, rt.Nexthop(daddr), 0));
        if (opt.TsNeedaddr)
            WriteAddress(header, opt.Ts + header[opt.Ts + 2] - 9, Devinet.InetSelectAddr(rt.Dev, rt.Nexthop(daddr), 0));
        if (opt.TsNeedtime)
            WriteAddress(header, opt.Ts + header[opt.Ts + 2] - 5, Timestamp(rt.Dev.Net));
    }

    /// <summary>
    /// Parses options. With a packet, its own address and time are filled into record route and timestamp as for a packet
    /// that came in.
    /// </summary>
    /// <param name="net">The namespace.</param>
    /// <param name="opt">Its <see cref="Optlen"/> is set; the rest is filled in.</param>
    /// <param name="data">The options, <see cref="Optlen"/> bytes.</param>
    /// <param name="skb">The packet that they came in, or null for options of a user.</param>
    /// <param name="errorAt">Where the error is, from the beginning of the IP header.</param>
    /// <returns>0 or -EINVAL.</returns>
    [Linux("__ip_options_compile")]
    public static int IpOptionsCompile(NetNamespace net, ref IpOptions opt, Span<byte> data, SkBuff? skb, out int errorAt)
    {
        errorAt = 0;
        int at = 0;
        int left = opt.Optlen;
        Bug.On(left > data.Length);
        while (left > 0)
        {
            int type = data[at];
            if (type == IPOPT_END)
            {
                // What follows the end is padding, whatever it holds.
                if (data.Slice(at + 1, left - 1).IndexOfAnyExcept((byte)IPOPT_END) >= 0)
                {
                    data.Slice(at, left).Clear();
                    opt.IsChanged = true;
                }

                break;
            }

            if (type == IPOPT_NOOP)
            {
                at++;
                left--;
                continue;
            }

            int length = left < 2 ? 0 : data[at + 1];
            if (length < 2 || length > left)
                return ErrorAt(at, out errorAt);
            int err = CompileOne(net, ref opt, data.Slice(at, length), at, skb, out int offset);
            if (err < 0)
                return ErrorAt(at + offset, out errorAt);
            at += length;
            left -= length;
        }

        return 0;
    }

    /// <summary>Turns options that are not copied into fragments into padding, for all fragments but the first.</summary>
    [Linux("ip_options_fragment")]
    public static void IpOptionsFragment(Span<byte> options)
    {
        int at = 0;
        while (at < options.Length)
        {
            int type = options[at];
            if (type == IPOPT_END)
                return;
            if (type == IPOPT_NOOP)
            {
                at++;
                continue;
            }

            int length = at + 1 < options.Length ? options[at + 1] : 0;
            if (length < 2 || length > options.Length - at)
                return;
            if ((type & IPOPT_COPY) == 0)
                options.Slice(at, length).Fill(IPOPT_NOOP);
            at += length;
        }
    }

    /// <summary>What a user set, as it was set (<c>ip_options_undo</c>).</summary>
    [Linux("ip_options_undo")]
    public static byte[] IpOptionsUndo(IpOptionsRcu options)
    {
        byte[] data = options.Data[..options.Opt.Optlen];
        if (options.Opt.RrNeedaddr)
            Undo(data, options.Opt.Rr, 4);
        if (options.Opt.Ts != 0 && (options.Opt.TsNeedtime || options.Opt.TsNeedaddr))
            Undo(data, options.Opt.Ts, (options.Opt.TsNeedtime ? 4 : 0) + (options.Opt.TsNeedaddr ? 4 : 0));
        return data;

        static void Undo(byte[] data, int offset, int slot)
        {
            int option = offset - HeaderSize;
            data[option + 2] -= (byte)slot;
            data.AsSpan(option + data[option + 2] - 1, slot).Clear();
        }
    }

    private static int CompileOne(
        NetNamespace net, ref IpOptions opt, Span<byte> option, int at, SkBuff? skb, out int errorOffset)
    {
        errorOffset = 0;
        switch ((int)option[0])
        {
            case IPOPT_SSRR:
            case IPOPT_LSRR:
                return CompileSourceRoute(ref opt, option, at, skb, out errorOffset);
            case IPOPT_RR:
                return CompileRecordRoute(ref opt, option, at, skb, out errorOffset);
            case IPOPT_TIMESTAMP:
                return CompileTimestamp(net, ref opt, option, at, skb, out errorOffset);
            case IPOPT_RA:
                errorOffset = 1;
                if (option.Length < 4)
                    return -EINVAL;
                if (option[2] == 0 && option[3] == 0)
                    opt.RouterAlert = (byte)(at + HeaderSize);
                return 0;
            case IPOPT_CIPSO:
                if (opt.Cipso != 0 || (skb == null && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_RAW)))
                    return -EINVAL;
                opt.Cipso = (byte)(at + HeaderSize);
                return 0;
            default:
                return skb == null && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_RAW) ? -EINVAL : 0;
        }
    }

    private static int CompileSourceRoute(ref IpOptions opt, Span<byte> option, int at, SkBuff? skb, out int errorOffset)
    {
        errorOffset = 1;
        if (option.Length < 3)
            return -EINVAL;
        errorOffset = 2;
        if (option[2] < 4)
            return -EINVAL;
        errorOffset = 0;
        if (opt.Srr != 0)
            return -EINVAL;
        if (skb == null)
        {
            errorOffset = 2;
            if (option[2] != 4 || option.Length < 7 || ((option.Length - 3) & 3) != 0)
                return -EINVAL;
            // The first hop becomes the destination; the others move up and the real destination goes last.
            opt.Faddr = BinaryPrimitives.ReadUInt32BigEndian(option[3..]);
            if (option.Length > 7)
                option[7..].CopyTo(option[3..]);
        }

        opt.IsStrictroute = option[0] == IPOPT_SSRR;
        opt.Srr = (byte)(at + HeaderSize);
        return 0;
    }

    private static int CompileRecordRoute(ref IpOptions opt, Span<byte> option, int at, SkBuff? skb, out int errorOffset)
    {
        errorOffset = 0;
        if (opt.Rr != 0)
            return -EINVAL;
        errorOffset = 1;
        if (option.Length < 3)
            return -EINVAL;
        errorOffset = 2;
        if (option[2] < 4)
            return -EINVAL;
        if (option[2] <= option.Length)
        {
            if (option[2] + 3 > option.Length)
                return -EINVAL;
            if (skb?.Dst != null)
            {
                BinaryPrimitives.WriteUInt32BigEndian(option[(option[2] - 1)..], FibFrontend.FibComputeSpecDst(skb));
                opt.IsChanged = true;
            }

            option[2] += 4;
            opt.RrNeedaddr = true;
        }

        opt.Rr = (byte)(at + HeaderSize);
        return 0;
    }

    private static int CompileTimestamp(
        NetNamespace net, ref IpOptions opt, Span<byte> option, int at, SkBuff? skb, out int errorOffset)
    {
        errorOffset = 0;
        if (opt.Ts != 0)
            return -EINVAL;
        errorOffset = 1;
        if (option.Length < 4)
            return -EINVAL;
        errorOffset = 2;
        if (option[2] < 5)
            return -EINVAL;
        if (option[2] <= option.Length)
        {
            int kind = option[3] & 15;
            int slot = kind == IPOPT_TS_TSONLY ? 4 : 8;
            if (option[2] + slot - 1 > option.Length)
                return -EINVAL;
            errorOffset = 3;
            if (kind is not (IPOPT_TS_TSONLY or IPOPT_TS_TSANDADDR or IPOPT_TS_PRESPEC))
            {
                if (skb == null && !TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_RAW))
                    return -EINVAL;
            }
            else
            {
                StampTime(net, ref opt, option, kind, skb);
            }
        }
        else if ((option[3] & 0xF0) != 0xF0)
        {
            // No room left: the overflow counter goes up, and its own overflow is an error.
            errorOffset = 3;
            if (skb == null)
                return -EINVAL;
            if (option[3] >> 4 == 15)
                return -EINVAL;
            option[3] += 0x10;
            opt.IsChanged = true;
        }

        opt.Ts = (byte)(at + HeaderSize);
        return 0;
    }

    private static void StampTime(NetNamespace net, ref IpOptions opt, Span<byte> option, int kind, SkBuff? skb)
    {
        int slotAt = option[2] - 1;
        int timeAt = slotAt;
        if (kind == IPOPT_TS_TSANDADDR)
        {
            if (skb?.Dst != null)
                BinaryPrimitives.WriteUInt32BigEndian(option[slotAt..], FibFrontend.FibComputeSpecDst(skb));
            opt.TsNeedaddr = true;
            timeAt += 4;
        }
        else if (kind == IPOPT_TS_PRESPEC)
        {
            // Only a host that is asked by its address answers.
            if (skb != null && FibFrontend.InetAddrType(net, BinaryPrimitives.ReadUInt32BigEndian(option[slotAt..])) != RTN_LOCAL)
                return;
            timeAt += 4;
        }

        opt.TsNeedtime = true;
        if (skb != null)
        {
            BinaryPrimitives.WriteUInt32BigEndian(option[timeAt..], Timestamp(net));
            opt.IsChanged = true;
        }

        option[2] += (byte)(timeAt - slotAt + 4);
    }

    /// <summary>Milliseconds since midnight UTC (<c>inet_current_timestamp</c>).</summary>
    internal static uint Timestamp(NetNamespace net)
    {
        const long MsPerDay = 86_400_000;
        return (uint)(net.Machine.Clock.RealNow / Clock.NsecPerMsec % MsPerDay);
    }

    private static void WriteAddress(Span<byte> header, int offset, uint value) =>
        BinaryPrimitives.WriteUInt32BigEndian(header[offset..], value);

    private static int ErrorAt(int offset, out int errorAt)
    {
        errorAt = offset + HeaderSize;
        return -EINVAL;
    }
}
