using System.Buffers.Binary;
using System.Numerics;
using System.Text;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>The old requests on routes, with a <c>struct rtentry</c>.</content>
public static partial class FibFrontend
{
    // Offsets in struct rtentry on x86-64.
    private const int RtentrySize = 120;
    private const int RtDst = 8;
    private const int RtGateway = 24;
    private const int RtGenmask = 40;
    private const int RtFlags = 56;
    private const int RtMetric = 80;
    private const int RtDev = 88;
    private const int RtMtu = 96;
    private const int RtWindow = 104;

    /// <summary>Adds or deletes a route (<c>SIOCADDRT</c>, <c>SIOCDELRT</c>).</summary>
    /// <returns>0, -EPERM, -EFAULT, -EINVAL, -EAFNOSUPPORT, -ENODEV, or what the change answers.</returns>
    [Linux("ip_rt_ioctl")]
    public static int IpRtIoctl(NetNamespace net, uint cmd, Sockptr arg)
    {
        if (!TaskStruct.Current.NsCapable(net.UserNs, CAP_NET_ADMIN))
            return -EPERM;
        Span<byte> rt = stackalloc byte[RtentrySize];
        if (arg.CopyFrom(rt) < 0)
            return -EFAULT;
        int err = RtentryToFibConfig(net, cmd, rt, arg.Mm, out FibConfig? cfg);
        if (err < 0)
            return err;
        return cmd == SIOCDELRT ? InetRtmDelroute(net, cfg!) : InetRtmNewroute(net, cfg!);
    }

    [Linux("rtentry_to_fib_config")]
    private static int RtentryToFibConfig(NetNamespace net, uint cmd, ReadOnlySpan<byte> rt, MmStruct? mm, out FibConfig? cfg)
    {
        cfg = null;
        if (Family(rt, RtDst) != AF_INET)
            return -EAFNOSUPPORT;
        int flags = BinaryPrimitives.ReadUInt16LittleEndian(rt[RtFlags..]);
        uint dst = Address(rt, RtDst);
        int length = 32;
        if ((flags & RTF_HOST) == 0)
        {
            uint mask = Address(rt, RtGenmask);
            if (Family(rt, RtGenmask) != AF_INET && (mask != 0 || Family(rt, RtGenmask) != 0))
                return -EAFNOSUPPORT;
            if ((~mask & (~mask + 1)) != 0 || (dst & ~mask) != 0)
                return -EINVAL;
            length = BitOperations.PopCount(mask);
        }

        short metric = BinaryPrimitives.ReadInt16LittleEndian(rt[RtMetric..]);
        FibConfig made = new()
        {
            Dst = dst,
            DstLen = length,
            Protocol = (byte)(cmd == SIOCDELRT ? 0 : RTPROT_BOOT),
            Type = (byte)(cmd == SIOCDELRT ? RTN_UNSPEC : RTN_UNICAST),
            // The number is one more than the metric, so that 0 says that there is none.
            Priority = metric > 0 ? (uint)(metric - 1) : 0,
            NlFlags = NLM_F_CREATE,
        };
        if ((flags & RTF_REJECT) != 0)
        {
            cfg = made with { Scope = RT_SCOPE_HOST, Type = RTN_UNREACHABLE };
            return 0;
        }

        int err = ReadDevice(net, rt, mm, ref made);
        if (err < 0)
            return err;
        err = ReadGateway(net, cmd, rt, flags, ref made);
        if (err < 0)
            return err;
        cfg = made with { Metrics = ReadMetrics(rt, flags) };
        return 0;
    }

    private static int ReadDevice(NetNamespace net, ReadOnlySpan<byte> rt, MmStruct? mm, ref FibConfig cfg)
    {
        ulong pointer = BinaryPrimitives.ReadUInt64LittleEndian(rt[RtDev..]);
        if (pointer == 0)
            return 0;
        Span<byte> bytes = stackalloc byte[IFNAMSIZ];
        if (new Sockptr(mm, pointer).CopyFrom(bytes[..(IFNAMSIZ - 1)]) < 0)
            return -EFAULT;
        bytes[IFNAMSIZ - 1] = 0;
        string label = Encoding.UTF8.GetString(bytes[..bytes.IndexOf((byte)0)]);
        int colon = label.IndexOf(':', StringComparison.Ordinal);
        if (net.Devices.DevGetByName(colon < 0 ? label : label[..colon]) is not { } dev)
            return -ENODEV;
        cfg = cfg with { Oif = dev.Ifindex };
        if (colon < 0)
            return 0;
        // An alias stands for its address.
        if (InDevice.Get(dev) is not { } inDev || Array.Find(inDev.IfaList, ifa => ifa.IfaLabel == label) is not { } alias)
            return -ENODEV;
        cfg = cfg with { Prefsrc = alias.IfaLocal };
        return 0;
    }

    private static int ReadGateway(NetNamespace net, uint cmd, ReadOnlySpan<byte> rt, int flags, ref FibConfig cfg)
    {
        uint gateway = Address(rt, RtGateway);
        if (Family(rt, RtGateway) == AF_INET && gateway != 0)
        {
            cfg = cfg with { Gw = gateway };
            // A gateway that is this host's own address means the link.
            if ((flags & RTF_GATEWAY) != 0 && InetAddrType(net, gateway) == RTN_UNICAST)
                cfg = cfg with { Scope = RT_SCOPE_UNIVERSE };
        }

        if (cmd == SIOCDELRT)
            return 0;
        if ((flags & RTF_GATEWAY) != 0 && cfg.Gw == 0)
            return -EINVAL;
        cfg = cfg with { Scope = cfg.Scope ?? RT_SCOPE_LINK };
        return 0;
    }

    private static RouteMetrics ReadMetrics(ReadOnlySpan<byte> rt, int flags)
    {
        const int HeaderSize = 40;
        uint mtu = (uint)BinaryPrimitives.ReadUInt64LittleEndian(rt[RtMtu..]);
        return new RouteMetrics
        {
            // What the field calls MTU has always been the MSS here.
            [RTAX_ADVMSS] = (flags & RTF_MTU) != 0 ? mtu - HeaderSize : 0,
            [RTAX_WINDOW] = (flags & RTF_WINDOW) != 0 ? (uint)BinaryPrimitives.ReadUInt64LittleEndian(rt[RtWindow..]) : 0,
        };
    }

    private static int Family(ReadOnlySpan<byte> rt, int offset) => BinaryPrimitives.ReadUInt16LittleEndian(rt[offset..]);

    private static uint Address(ReadOnlySpan<byte> rt, int offset) => BinaryPrimitives.ReadUInt32BigEndian(rt[(offset + 4)..]);
}
