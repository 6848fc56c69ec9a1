using System.Buffers.Binary;
using System.Runtime.InteropServices;
using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Net.Netlink;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Addresses in netlink's messages.</content>
public static partial class Devinet
{
    private static readonly NlaPolicy[] IfaIpv4Policy = MakeIfaPolicy();

    private static void RegisterNetlink(Machine machine)
    {
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_NEWADDR, InetRtmNewaddrMsg);
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_DELADDR, InetRtmDeladdrMsg);
        Rtnetlink.RtnlRegister(machine, PF_INET, RTM_GETADDR, null, InetDumpIfaddr);
        Rtnetlink.RtnlAfRegister(machine, new InetAfOps());
    }

    /// <summary>Tells who listens that an address came or went.</summary>
    [Linux("rtmsg_ifa")]
    private static void RtmsgIfa(int type, InIfaddr ifa, NlInfo info) =>
        Rtnetlink.RtnlNotify(ifa.IfaDev.Dev.Net, RTNLGRP_IPV4_IFADDR, info, skb => InetFillIfaddr(skb, ifa, type, info, 0));

    [Linux("inet_fill_ifaddr")]
    private static int InetFillIfaddr(NlmsgWriter skb, InIfaddr ifa, int type, NlInfo info, int flags)
    {
        var ifm = new Ifaddrmsg
        {
            IfaFamily = AF_INET,
            IfaPrefixlen = (byte)ifa.IfaPrefixlen,
            IfaFlags = (byte)ifa.IfaFlags,
            IfaScope = ifa.IfaScope,
            IfaIndex = (uint)ifa.IfaDev.Dev.Ifindex,
        };
        if (!skb.NlmsgPut(info.Portid, info.Seq, type, flags, in ifm))
            return -EMSGSIZE;
        if (ifa.IfaAddress != 0)
            skb.NlaPutBe32(IFA_ADDRESS, ifa.IfaAddress);
        if (ifa.IfaLocal != 0)
            skb.NlaPutBe32(IFA_LOCAL, ifa.IfaLocal);
        if (ifa.IfaBroadcast != 0)
            skb.NlaPutBe32(IFA_BROADCAST, ifa.IfaBroadcast);
        if (ifa.IfaLabel.Length > 0)
            skb.NlaPutString(IFA_LABEL, ifa.IfaLabel);
        if (ifa.IfaProto != 0)
            skb.NlaPut(IFA_PROTO, ifa.IfaProto);
        skb.NlaPut(IFA_FLAGS, ifa.IfaFlags);
        if (ifa.IfaRtPriority != 0)
            skb.NlaPut(IFA_RT_PRIORITY, ifa.IfaRtPriority);
        uint stamp = Rtnetlink.ClockT(ifa.IfaCstamp);
        skb.NlaPut(IFA_CACHEINFO, new IfaCacheinfo { IfaPrefered = uint.MaxValue, IfaValid = uint.MaxValue, Cstamp = stamp, Tstamp = stamp });
        return skb.NlmsgEnd();
    }

    [Linux("inet_dump_ifaddr")]
    private static int InetDumpIfaddr(NlmsgWriter skb, NetlinkCallback cb)
    {
        int err = InetValidDumpIfaddrReq(cb, out int ifindex);
        if (err < 0)
            return err;
        NetNamespace net = cb.Net;
        if (ifindex != 0)
        {
            cb.AnswerFlags |= NLM_F_DUMP_FILTERED;
            if (net.Devices.DevGetByIndex(ifindex) == null)
                return -ENODEV;
        }

        NlInfo info = new(cb.Request.Portid, cb.Request.Header.NlmsgSeq, false);
        // The device that was last, and how many of its addresses are written.
        foreach (NetDevice dev in net.Devices.All)
        {
            if (dev.Ifindex < cb.Args[0] || (ifindex != 0 && dev.Ifindex != ifindex) || InDevice.Get(dev) is not { } inDev)
                continue;
            if (dev.Ifindex > cb.Args[0])
                (cb.Args[0], cb.Args[1]) = (dev.Ifindex, 0);
            InIfaddr[] list = inDev.IfaList;
            for (; cb.Args[1] < list.Length; cb.Args[1]++)
            {
                if (InetFillIfaddr(skb, list[cb.Args[1]], RTM_NEWADDR, info, NLM_F_MULTI | cb.AnswerFlags) < 0)
                    return -EMSGSIZE;
            }
        }

        return 0;
    }

    [Linux("inet_valid_dump_ifaddr_req")]
    private static int InetValidDumpIfaddrReq(NetlinkCallback cb, out int ifindex)
    {
        ifindex = 0;
        if (!cb.StrictCheck)
            return 0;
        int headLength = Marshal.SizeOf<Ifaddrmsg>();
        if (cb.Request.Payload.Length < headLength)
            return cb.Extack.Error(-EINVAL, "ipv4: Invalid header for address dump request");
        Ifaddrmsg ifm = MemoryMarshal.Read<Ifaddrmsg>(cb.Request.Payload);
        if (ifm.IfaPrefixlen != 0 || ifm.IfaFlags != 0 || ifm.IfaScope != 0)
            return cb.Extack.Error(-EINVAL, "ipv4: Invalid values in header for address dump request");
        ifindex = (int)ifm.IfaIndex;
        int err = NlAttributes.NlmsgParse(cb.Request, headLength, IfaIpv4Policy, strict: true, out NlAttributes tb);
        if (err < 0)
            cb.Extack = cb.Request.Extack;
        for (int type = 1; err == 0 && type <= IFA_MAX; type++)
        {
            if (tb.Has(type))
                err = cb.Extack.Error(-EINVAL, "ipv4: Unsupported attribute in dump request");
        }

        return err;
    }

    private static int InetRtmNewaddrMsg(NetlinkRequest request)
    {
        int err = RtmToIfaddr(request, out InetAddressConfig? cfg, out NlAttributes tb);
        if (err < 0)
            return err;
        if (tb.Has(IFA_CACHEINFO))
        {
            IfaCacheinfo ci = tb.Get<IfaCacheinfo>(IFA_CACHEINFO);
            if (ci.IfaValid == 0 || ci.IfaPrefered > ci.IfaValid)
                return request.Extack.Error(-EINVAL, "ipv4: Invalid cacheinfo");
            // Addresses here have no end.
            if (ci.IfaValid != uint.MaxValue || ci.IfaPrefered != uint.MaxValue)
                return -EOPNOTSUPP;
        }

        err = InetRtmNewaddr(request.Net, cfg!, NlInfo.Of(request));
        return err == -EEXIST ? request.Extack.Error(err, "ipv4: Address already assigned") : err;
    }

    [Linux("rtm_to_ifaddr")]
    private static int RtmToIfaddr(NetlinkRequest request, out InetAddressConfig? cfg, out NlAttributes tb)
    {
        cfg = null;
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ifaddrmsg>(), IfaIpv4Policy, strict: false, out tb);
        if (err < 0)
            return err;
        Ifaddrmsg ifm = MemoryMarshal.Read<Ifaddrmsg>(request.Payload);
        if (ifm.IfaPrefixlen > 32)
            return request.Extack.Error(-EINVAL, "ipv4: Invalid prefix length");
        if (!tb.Has(IFA_LOCAL))
            return request.Extack.Error(-EINVAL, "ipv4: Local address is not supplied");
        if (request.Net.Devices.DevGetByIndex((int)ifm.IfaIndex) == null)
            return request.Extack.Error(-ENODEV, "ipv4: Device not found");
        cfg = new InetAddressConfig
        {
            Ifindex = (int)ifm.IfaIndex,
            Local = tb.GetBe32(IFA_LOCAL),
            Address = tb.Has(IFA_ADDRESS) ? tb.GetBe32(IFA_ADDRESS) : tb.GetBe32(IFA_LOCAL),
            PrefixLength = ifm.IfaPrefixlen,
            Broadcast = tb.GetBe32(IFA_BROADCAST),
            Scope = ifm.IfaScope,
            Label = tb.GetString(IFA_LABEL),
            Flags = tb.Has(IFA_FLAGS) ? tb.Get<uint>(IFA_FLAGS) : ifm.IfaFlags,
            Priority = tb.Get<uint>(IFA_RT_PRIORITY),
            Protocol = tb.Get<byte>(IFA_PROTO),
            NlFlags = request.Header.NlmsgFlags,
        };
        return 0;
    }

    private static int InetRtmDeladdrMsg(NetlinkRequest request)
    {
        int err = NlAttributes.NlmsgParse(request, Marshal.SizeOf<Ifaddrmsg>(), IfaIpv4Policy, strict: false, out NlAttributes tb);
        if (err < 0)
            return err;
        Ifaddrmsg ifm = MemoryMarshal.Read<Ifaddrmsg>(request.Payload);
        if (request.Net.Devices.DevGetByIndex((int)ifm.IfaIndex) is not { } dev || InDevice.Get(dev) is not { } inDev)
            return request.Extack.Error(-ENODEV, "ipv4: Device not found");
        lock (request.Net.Ipv4.AddressLock)
        {
            foreach (InIfaddr ifa in inDev.IfaList)
            {
                if ((tb.Has(IFA_LOCAL) && tb.GetBe32(IFA_LOCAL) != ifa.IfaLocal)
                    || (tb.GetString(IFA_LABEL) is { } label && label != ifa.IfaLabel))
                    continue;
                if (tb.Has(IFA_ADDRESS) && (ifm.IfaPrefixlen != ifa.IfaPrefixlen || !ifa.Match(tb.GetBe32(IFA_ADDRESS))))
                    continue;
                InetDelIfa(inDev, ifa, NlInfo.Of(request));
                return 0;
            }
        }

        return request.Extack.Error(-EADDRNOTAVAIL, "ipv4: Address not found");
    }

    private static NlaPolicy[] MakeIfaPolicy()
    {
        var policy = new NlaPolicy[IFA_MAX + 1];
        foreach (int type in new[] { IFA_LOCAL, IFA_ADDRESS, IFA_BROADCAST, IFA_FLAGS, IFA_RT_PRIORITY, IFA_TARGET_NETNSID })
            policy[type] = new NlaPolicy(NlaKind.U32);
        policy[IFA_LABEL] = new NlaPolicy(NlaKind.String, IFNAMSIZ - 1);
        policy[IFA_CACHEINFO] = new NlaPolicy(NlaKind.MinLen, 16);
        policy[IFA_PROTO] = new NlaPolicy(NlaKind.U8);
        return policy;
    }

    // IPv4's settings of a link, by their numbers in the interface of netlink.
    private sealed class InetAfOps : RtnlAfOps
    {
        private static readonly (int Number, Ipv4Devconf Setting)[] Numbers =
        [
            (1, Ipv4Devconf.Forwarding), (3, Ipv4Devconf.ProxyArp), (4, Ipv4Devconf.AcceptRedirects),
            (5, Ipv4Devconf.SecureRedirects), (6, Ipv4Devconf.SendRedirects), (7, Ipv4Devconf.SharedMedia),
            (8, Ipv4Devconf.RpFilter), (9, Ipv4Devconf.AcceptSourceRoute), (11, Ipv4Devconf.LogMartians),
            (13, Ipv4Devconf.ArpFilter), (14, Ipv4Devconf.MediumId), (17, Ipv4Devconf.ForceIgmpVersion),
            (18, Ipv4Devconf.ArpAnnounce), (19, Ipv4Devconf.ArpIgnore), (20, Ipv4Devconf.PromoteSecondaries),
            (21, Ipv4Devconf.ArpAccept), (22, Ipv4Devconf.ArpNotify), (23, Ipv4Devconf.AcceptLocal),
            (24, Ipv4Devconf.SrcValidMark), (25, Ipv4Devconf.ProxyArpPvlan), (26, Ipv4Devconf.RouteLocalnet),
            (27, Ipv4Devconf.Igmpv2UnsolicitedReportInterval), (28, Ipv4Devconf.Igmpv3UnsolicitedReportInterval),
            (29, Ipv4Devconf.IgnoreRoutesWithLinkdown), (30, Ipv4Devconf.DropUnicastInL2Multicast),
            (31, Ipv4Devconf.DropGratuitousArp), (32, Ipv4Devconf.BcForwarding), (33, Ipv4Devconf.ArpEvictNocarrier),
        ];

        public override int Family => AF_INET;

        [Linux("inet_fill_link_af")]
        public override bool FillLinkAf(NlmsgWriter skb, NetDevice dev)
        {
            if (InDevice.Get(dev) is not { } inDev)
                return false;
            Span<int> values = stackalloc int[33];
            values.Clear();
            foreach ((int number, Ipv4Devconf setting) in Numbers)
                values[number - 1] = inDev.Cnf[setting];
            skb.NlaPut(IFLA_INET_CONF, MemoryMarshal.AsBytes(values));
            return true;
        }
    }
}
