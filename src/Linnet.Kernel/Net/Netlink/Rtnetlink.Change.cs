using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Netlink;

/// <content>Links that are made, changed and removed.</content>
public static partial class Rtnetlink
{
    // What can be said of a link that is there, or of a new one; all else is refused.
    private static readonly int[] SettableIfla =
    [
        IFLA_ADDRESS, IFLA_IFNAME, IFLA_ALT_IFNAME, IFLA_MTU, IFLA_LINK, IFLA_MASTER, IFLA_TXQLEN, IFLA_LINKINFO, IFLA_EXT_MASK,
    ];

    [Linux("rtnl_setlink")]
    private static int RtnlSetlink(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ifinfomsg>(), IflaPolicy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        Ifinfomsg ifm = MemoryMarshal.Read<Ifinfomsg>(request.Payload);
        err = FindDevice(request, ifm, tb, out NetDevice? dev);
        return err < 0 ? err : DoSetlink(request, dev!, ifm, tb);
    }

    [Linux("rtnl_newlink")]
    private static int RtnlNewlink(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ifinfomsg>(), IflaPolicy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        NlAttributes info = NlAttributes.Empty(LinkinfoPolicy.Length);
        if (tb.Has(IFLA_LINKINFO))
            err = tb.ParseNested(IFLA_LINKINFO, LinkinfoPolicy, strict: false, request.Extack, out info);
        if (err < 0)
            return err;
        return RtnlNewlinkCore(request, MemoryMarshal.Read<Ifinfomsg>(request.Payload), tb, info);
    }

    [Linux("__rtnl_newlink")]
    private static int RtnlNewlinkCore(NetlinkRequest request, Ifinfomsg ifm, NlAttributes tb, NlAttributes info)
    {
        string? kind = info.GetString(IFLA_INFO_KIND);
        RtnlLinkOps? ops = kind == null ? null : RtnlLinkOpsGet(request.Net.Machine, kind);
        if (ifm.IfiIndex < 0)
            return request.Extack.Error(-EINVAL, "ifindex can't be negative");
        int err = FindDevice(request, ifm, tb, out NetDevice? dev);
        // Without name and number something new is meant.
        if (err < 0 && err != -ENODEV && (ifm.IfiIndex != 0 || tb.Has(IFLA_IFNAME)))
            return err;
        NlAttributes data = NlAttributes.Empty(1);
        if (ops != null)
        {
            err = info.ParseNested(IFLA_INFO_DATA, ops.Policy, strict: false, request.Extack, out data);
            if (err < 0)
                return err;
        }

        if (dev != null)
            return RtnlChangelink(request, dev, ifm, tb, kind, ops, info.Has(IFLA_INFO_DATA) ? data : null);
        if (!request.Has(NLM_F_CREATE))
            return ifm.IfiIndex == 0 && tb.Has(IFLA_GROUP) ? Lacking(request, PF_UNSPEC) : -ENODEV;
        if (ops != null)
            return RtnlNewlinkCreate(request, ifm, tb, data, ops);
        if (kind != null)
            request.Net.Machine.Unsupported.Add(RequestKind.Module, 0, text: $"rtnl-link-{kind}");
        return request.Extack.Error(-EOPNOTSUPP, "Unknown device type");
    }

    [Linux("rtnl_changelink")]
    private static int RtnlChangelink(
        NetlinkRequest request, NetDevice dev, Ifinfomsg ifm, NlAttributes tb, string? kind, RtnlLinkOps? ops, NlAttributes? data)
    {
        if (request.Has(NLM_F_EXCL))
            return -EEXIST;
        if (request.Has(NLM_F_REPLACE))
            return -EOPNOTSUPP;
        if (kind != null)
        {
            if (ops == null || !ops.Owns(dev))
                return -EOPNOTSUPP;
            int err = data == null ? 0 : ops.Changelink(dev, data, request.Extack);
            if (err < 0)
                return err;
        }

        return DoSetlink(request, dev, ifm, tb);
    }

    [Linux("rtnl_newlink_create")]
    private static int RtnlNewlinkCreate(NetlinkRequest request, Ifinfomsg ifm, NlAttributes tb, NlAttributes data, RtnlLinkOps ops)
    {
        int err = CheckSettable(request, tb);
        if (err < 0)
            return err;
        err = ops.Newlink(
            new NewlinkParams { Net = request.Net, Name = tb.GetString(IFLA_IFNAME), Request = request, Tb = tb, Data = data },
            out NetDevice? dev);
        if (err < 0)
            return err;
        err = RtnlConfigureLink(request, dev!, ifm, tb);
        if (err == 0 && tb.Has(IFLA_MASTER))
            err = DoSetMaster(request, dev!, tb.Get<int>(IFLA_MASTER));
        if (err < 0)
            ops.Dellink(dev!);
        return err;
    }

    /// <summary>Gives a new device what is common to all kinds.</summary>
    [Linux("rtnl_configure_link")]
    internal static int RtnlConfigureLink(NetlinkRequest request, NetDevice dev, Ifinfomsg ifm, NlAttributes tb)
    {
        int err = SetNumbers(request, dev, tb);
        if (err == 0 && (ifm.IfiFlags != 0 || ifm.IfiChange != 0))
            err = Dev.DevChangeFlags(dev, RtnlDevCombineFlags(dev, ifm));
        return err;
    }

    [Linux("rtnl_dellink")]
    private static int RtnlDellink(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ifinfomsg>(), IflaPolicy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        Ifinfomsg ifm = MemoryMarshal.Read<Ifinfomsg>(request.Payload);
        if (ifm.IfiIndex <= 0 && !tb.Has(IFLA_IFNAME) && tb.Has(IFLA_GROUP))
            return Lacking(request, PF_UNSPEC);
        err = FindDevice(request, ifm, tb, out NetDevice? dev);
        if (err < 0)
            return err;
        return LinkOpsOf(dev!) is { } ops ? ops.Dellink(dev!) : -EOPNOTSUPP;
    }

    /// <summary>Does to a link what the message says, in this order; what was done before something failed stays done.</summary>
    [Linux("do_setlink")]
    private static int DoSetlink(NetlinkRequest request, NetDevice dev, Ifinfomsg ifm, NlAttributes tb)
    {
        int err = CheckSettable(request, tb);
        if (err == 0)
            err = SetNumbers(request, dev, tb);
        if (err == 0 && ifm.IfiIndex > 0 && tb.GetString(IFLA_IFNAME) is { Length: > 0 } name && name != dev.Name)
            err = Dev.DevChangeName(dev, name);
        if (err == 0 && tb.Has(IFLA_MASTER))
            err = DoSetMaster(request, dev, tb.Get<int>(IFLA_MASTER));
        if (err == 0 && (ifm.IfiFlags != 0 || ifm.IfiChange != 0))
            err = Dev.DevChangeFlags(dev, RtnlDevCombineFlags(dev, ifm));
        return err;
    }

    private static int CheckSettable(NetlinkRequest request, NlAttributes tb)
    {
        for (int type = 1; type <= IFLA_MAX; type++)
        {
            if (!tb.Has(type) || SettableIfla.Contains(type))
                continue;
            // All links are in the one group that there is.
            if (type == IFLA_GROUP && tb.Get<uint>(type) == 0)
                continue;
            request.Net.Machine.Unsupported.Add(RequestKind.Netlink, NETLINK_ROUTE, request.Header.NlmsgType, type);
            return request.Extack.ErrorAt(-EOPNOTSUPP, tb.OffsetOf(type), "Attribute is not supported");
        }

        return 0;
    }

    private static int SetNumbers(NetlinkRequest request, NetDevice dev, NlAttributes tb)
    {
        int err = 0;
        if (tb.Has(IFLA_ADDRESS))
        {
            ReadOnlySpan<byte> address = tb[IFLA_ADDRESS];
            err = address.Length < dev.DevAddr.Length ? -EINVAL : Dev.DevSetMacAddress(dev, address[..dev.DevAddr.Length]);
        }

        if (err == 0 && tb.Has(IFLA_MTU))
            err = SetMtu(request, dev, tb.Get<uint>(IFLA_MTU));
        if (err == 0 && tb.Has(IFLA_TXQLEN))
            err = Dev.DevChangeTxQueueLen(dev, tb.Get<uint>(IFLA_TXQLEN));
        return err;
    }

    private static int SetMtu(NetlinkRequest request, NetDevice dev, uint mtu)
    {
        bool loopback = dev.Type == ARPHRD_LOOPBACK;
        if (mtu == dev.Mtu)
            return 0;
        if (mtu > int.MaxValue)
            return request.Extack.Error(-EINVAL, "mtu less than device minimum");
        if (!loopback && mtu < LeastMtu)
            return request.Extack.Error(-EINVAL, "mtu less than device minimum");
        if (!loopback && mtu > Dev.LargestMtu)
            return request.Extack.Error(-EINVAL, "mtu greater than device maximum");
        return Dev.DevSetMtu(dev, (int)mtu);
    }

    [Linux("do_set_master")]
    private static int DoSetMaster(NetlinkRequest request, NetDevice dev, int ifindex)
    {
        if (dev.Master is { } before)
        {
            if (before.Ifindex == ifindex)
                return 0;
            int err = LinkOpsOf(before)?.DelSlave(before, dev) ?? -EOPNOTSUPP;
            if (err < 0)
                return err;
        }

        if (ifindex == 0)
            return 0;
        if (request.Net.Devices.DevGetByIndex(ifindex) is not { } master)
            return -EINVAL;
        return LinkOpsOf(master) is { } ops
            ? ops.AddSlave(master, dev, request.Extack)
            : request.Extack.Error(-EOPNOTSUPP, "Device does not support enslaving");
    }

    // The flags that are to change come from the message; an old program says nothing of which they are.
    [Linux("rtnl_dev_combine_flags")]
    private static uint RtnlDevCombineFlags(NetDevice dev, Ifinfomsg ifm) => ifm.IfiChange != 0
        ? (ifm.IfiFlags & ifm.IfiChange) | (Dev.DevGetFlags(dev) & ~ifm.IfiChange)
        : ifm.IfiFlags;
}
