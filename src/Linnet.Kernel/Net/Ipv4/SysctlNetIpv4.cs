using Linnet.Kernel.Net.Core;
using Linnet.Kernel.Trace;

namespace Linnet.Kernel.Net.Ipv4;

/// <summary>The settings of IPv4 that are honoured, under Linux's paths. Protocols add their own.</summary>
[LinuxFile("net/ipv4/sysctl_net_ipv4.c")]
internal static class SysctlNetIpv4
{
    private static readonly (string Name, Ipv4Devconf Setting)[] DevconfNames =
    [
        ("forwarding", Ipv4Devconf.Forwarding),
        ("accept_redirects", Ipv4Devconf.AcceptRedirects),
        ("secure_redirects", Ipv4Devconf.SecureRedirects),
        ("shared_media", Ipv4Devconf.SharedMedia),
        ("rp_filter", Ipv4Devconf.RpFilter),
        ("accept_local", Ipv4Devconf.AcceptLocal),
        ("route_localnet", Ipv4Devconf.RouteLocalnet),
        ("log_martians", Ipv4Devconf.LogMartians),
        ("arp_filter", Ipv4Devconf.ArpFilter),
        ("arp_announce", Ipv4Devconf.ArpAnnounce),
        ("arp_ignore", Ipv4Devconf.ArpIgnore),
        ("arp_accept", Ipv4Devconf.ArpAccept),
        ("arp_notify", Ipv4Devconf.ArpNotify),
        ("drop_gratuitous_arp", Ipv4Devconf.DropGratuitousArp),
        ("drop_unicast_in_l2_multicast", Ipv4Devconf.DropUnicastInL2Multicast),
        ("promote_secondaries", Ipv4Devconf.PromoteSecondaries),
        ("src_valid_mark", Ipv4Devconf.SrcValidMark),
        ("bc_forwarding", Ipv4Devconf.BcForwarding),
        ("send_redirects", Ipv4Devconf.SendRedirects),
        ("accept_source_route", Ipv4Devconf.AcceptSourceRoute),
        ("ignore_routes_with_linkdown", Ipv4Devconf.IgnoreRoutesWithLinkdown),
        ("proxy_arp", Ipv4Devconf.ProxyArp),
        ("proxy_arp_pvlan", Ipv4Devconf.ProxyArpPvlan),
        ("medium_id", Ipv4Devconf.MediumId),
        ("arp_evict_nocarrier", Ipv4Devconf.ArpEvictNocarrier),
        ("force_igmp_version", Ipv4Devconf.ForceIgmpVersion),
        ("igmpv2_unsolicited_report_interval", Ipv4Devconf.Igmpv2UnsolicitedReportInterval),
        ("igmpv3_unsolicited_report_interval", Ipv4Devconf.Igmpv3UnsolicitedReportInterval),
    ];

    /// <summary>Registers the settings of a new namespace.</summary>
    [Linux("ipv4_sysctl_init_net")]
    internal static void Ipv4SysctlInitNet(NetnsIpv4 ipv4)
    {
        SysctlTable table = ipv4.Net.Sysctl;
        table.Register("net.ipv4.ip_forward", new SysctlInt(
            () => ipv4.DevconfAll[Ipv4Devconf.Forwarding], value => SetForwarding(ipv4, (int)value)));
        table.Register("net.ipv4.ip_default_ttl", Int(() => ipv4.SysctlDefaultTtl, v => ipv4.SysctlDefaultTtl = v, 1, 255));
        table.Register("net.ipv4.ip_no_pmtu_disc", Int(() => ipv4.SysctlIpNoPmtuDisc, v => ipv4.SysctlIpNoPmtuDisc = v, 0, 3));
        table.Register("net.ipv4.ip_early_demux", Bool(() => ipv4.SysctlIpEarlyDemux, v => ipv4.SysctlIpEarlyDemux = v));
        table.Register("net.ipv4.ip_forward_use_pmtu", Bool(() => ipv4.SysctlIpFwdUsePmtu, v => ipv4.SysctlIpFwdUsePmtu = v));
        table.Register("net.ipv4.fwmark_reflect", Bool(() => ipv4.SysctlFwmarkReflect, v => ipv4.SysctlFwmarkReflect = v));
        table.Register("net.ipv4.ip_nonlocal_bind", Bool(() => ipv4.SysctlIpNonlocalBind != 0, v => ipv4.SysctlIpNonlocalBind = v ? (byte)1 : (byte)0));
        table.Register("net.ipv4.igmp_max_memberships", Int(() => ipv4.SysctlIgmpMaxMemberships, v => ipv4.SysctlIgmpMaxMemberships = v));
        table.Register("net.ipv4.igmp_max_msf", Int(() => ipv4.SysctlIgmpMaxMsf, v => ipv4.SysctlIgmpMaxMsf = v));
        table.Register("net.ipv4.ping_group_range", new SysctlInts(
            () => [ipv4.PingGroupRange.Low, ipv4.PingGroupRange.High], range => SetPingGroupRange(ipv4, range)));
        RegisterIcmp(table, ipv4);
        RegisterRoute(table, ipv4);
        RegisterFragments(table, ipv4);
        RegisterDevconf(table, "net.ipv4.conf.all.", ipv4.DevconfAll, ipv4, all: true);
        RegisterDevconf(table, "net.ipv4.conf.default.", ipv4.DevconfDflt, ipv4, all: false);
        SysctlNeigh.NeighSysctlRegister(table, "net.ipv4.neigh.default.", ipv4.ArpTbl, ipv4.ArpTbl.DefaultParms);
        NeighTable arp = ipv4.ArpTbl;
        table.Register("net.ipv4.neigh.default.gc_thresh1", Int(() => arp.GcThresh1, v => arp.GcThresh1 = v, 0));
        table.Register("net.ipv4.neigh.default.gc_thresh2", Int(() => arp.GcThresh2, v => arp.GcThresh2 = v, 0));
        table.Register("net.ipv4.neigh.default.gc_thresh3", Int(() => arp.GcThresh3, v => arp.GcThresh3 = v, 0));
    }

    /// <summary>Registers the settings of a device.</summary>
    [Linux("devinet_sysctl_register", "net/ipv4/devinet.c")]
    internal static void DevinetSysctlRegister(InDevice inDev)
    {
        NetDevice dev = inDev.Dev;
        RegisterDevconf(dev.Net.Sysctl, $"net.ipv4.conf.{dev.Name}.", inDev.Cnf, dev.Net.Ipv4, all: false);
        if (dev.Net.Ipv4.ArpTbl.ParmsOf(dev) is { } parms)
            SysctlNeigh.NeighSysctlRegister(dev.Net.Sysctl, $"net.ipv4.neigh.{dev.Name}.", dev.Net.Ipv4.ArpTbl, parms);
    }

    /// <summary>Removes them; also those of a name that the device had before.</summary>
    internal static void DevinetSysctlUnregister(InDevice inDev)
    {
        SysctlTable table = inDev.Dev.Net.Sysctl;
        HashSet<string> names = [.. inDev.Dev.Net.Devices.All.Where(dev => dev != inDev.Dev).Select(dev => dev.Name), "all", "default"];
        foreach (string prefix in (string[])["net.ipv4.conf.", "net.ipv4.neigh."])
        {
            foreach (string path in table.Paths.Where(path => path.StartsWith(prefix, StringComparison.Ordinal)))
            {
                string name = path[prefix.Length..path.LastIndexOf('.')];
                if (!names.Contains(name))
                    table.UnregisterAll(path);
            }
        }
    }

    private static void RegisterIcmp(SysctlTable table, NetnsIpv4 ipv4)
    {
        table.Register("net.ipv4.icmp_echo_ignore_all", Bool(() => ipv4.SysctlIcmpEchoIgnoreAll, v => ipv4.SysctlIcmpEchoIgnoreAll = v));
        table.Register("net.ipv4.icmp_echo_ignore_broadcasts", Bool(
            () => ipv4.SysctlIcmpEchoIgnoreBroadcasts, v => ipv4.SysctlIcmpEchoIgnoreBroadcasts = v));
        table.Register("net.ipv4.icmp_ignore_bogus_error_responses", Bool(
            () => ipv4.SysctlIcmpIgnoreBogusErrorResponses, v => ipv4.SysctlIcmpIgnoreBogusErrorResponses = v));
        table.Register("net.ipv4.icmp_errors_use_inbound_ifaddr", Bool(
            () => ipv4.SysctlIcmpErrorsUseInboundIfaddr, v => ipv4.SysctlIcmpErrorsUseInboundIfaddr = v));
        table.Register("net.ipv4.icmp_ratelimit", Int(() => ipv4.SysctlIcmpRatelimit, v => ipv4.SysctlIcmpRatelimit = v, 0));
        table.Register("net.ipv4.icmp_ratemask", Int(() => ipv4.SysctlIcmpRatemask, v => ipv4.SysctlIcmpRatemask = v));
        table.Register("net.ipv4.icmp_msgs_per_sec", Int(() => ipv4.SysctlIcmpMsgsPerSec, v => ipv4.SysctlIcmpMsgsPerSec = v, 0));
        table.Register("net.ipv4.icmp_msgs_burst", Int(() => ipv4.SysctlIcmpMsgsBurst, v => ipv4.SysctlIcmpMsgsBurst = v, 0));
    }

    private static void RegisterRoute(SysctlTable table, NetnsIpv4 ipv4)
    {
        const int LargestMinPmtu = 65535;
        table.Register("net.ipv4.route.min_pmtu", Int(() => ipv4.SysctlIpRtMinPmtu, v => ipv4.SysctlIpRtMinPmtu = v, 68, LargestMinPmtu));
        table.Register("net.ipv4.route.mtu_expires", Int(
            () => ipv4.SysctlIpRtMtuExpires / 1000, v => ipv4.SysctlIpRtMtuExpires = v * 1000, 0, int.MaxValue / 1000));
        table.Register("net.ipv4.route.min_adv_mss", Int(() => ipv4.SysctlMinAdvMss, v => ipv4.SysctlMinAdvMss = v, 0));
        table.Register("net.ipv4.route.error_cost", Int(() => ipv4.SysctlIpRtErrorCost, v => ipv4.SysctlIpRtErrorCost = v));
        table.Register("net.ipv4.route.error_burst", Int(() => ipv4.SysctlIpRtErrorBurst, v => ipv4.SysctlIpRtErrorBurst = v));
        table.Register("net.ipv4.route.redirect_load", Int(() => ipv4.SysctlIpRtRedirectLoad, v => ipv4.SysctlIpRtRedirectLoad = v));
        table.Register("net.ipv4.route.redirect_number", Int(() => ipv4.SysctlIpRtRedirectNumber, v => ipv4.SysctlIpRtRedirectNumber = v));
        table.Register("net.ipv4.route.redirect_silence", Int(
            () => ipv4.SysctlIpRtRedirectSilence, v => ipv4.SysctlIpRtRedirectSilence = v));
        table.Register("net.ipv4.ip_forward_update_priority", Bool(
            () => ipv4.SysctlIpFwdUpdatePriority, v => ipv4.SysctlIpFwdUpdatePriority = v));
        RegisterMultipath(table, ipv4);
    }

    private static void RegisterMultipath(SysctlTable table, NetnsIpv4 ipv4)
    {
        const int AllFields = 0xFFF;
        table.Register("net.ipv4.fib_multipath_use_neigh", Bool(
            () => ipv4.SysctlFibMultipathUseNeigh, v => ipv4.SysctlFibMultipathUseNeigh = v));
        table.Register("net.ipv4.fib_multipath_hash_policy", Int(
            () => ipv4.SysctlFibMultipathHashPolicy, v => ipv4.SysctlFibMultipathHashPolicy = v, 0, 3));
        table.Register("net.ipv4.fib_multipath_hash_fields", Int(
            () => ipv4.SysctlFibMultipathHashFields, v => ipv4.SysctlFibMultipathHashFields = v, 1, AllFields));
        table.Register("net.ipv4.fib_multipath_hash_seed", new SysctlInt(
            () => ipv4.SysctlFibMultipathHashSeed, v => ipv4.SysctlFibMultipathHashSeed = (uint)v, 0, uint.MaxValue));
    }

    private static void RegisterFragments(SysctlTable table, NetnsIpv4 ipv4)
    {
        FragQueues fqdir = ipv4.FragQueues;
        table.Register("net.ipv4.ipfrag_high_thresh", new SysctlInt(
            () => fqdir.HighThresh, v => fqdir.HighThresh = v, fqdir.LowThresh, long.MaxValue));
        table.Register("net.ipv4.ipfrag_low_thresh", new SysctlInt(() => fqdir.LowThresh, v => fqdir.LowThresh = v, 0, long.MaxValue));
        table.Register("net.ipv4.ipfrag_time", Int(
            () => fqdir.Timeout / 1000, v => fqdir.Timeout = v * 1000, 0, int.MaxValue / 1000));
    }

    private static void RegisterDevconf(SysctlTable table, string prefix, Ipv4DevconfTable cnf, NetnsIpv4 ipv4, bool all)
    {
        foreach ((string name, Ipv4Devconf setting) in DevconfNames)
        {
            table.Register(prefix + name, new SysctlInt(() => cnf[setting], value =>
            {
                if (all && setting == Ipv4Devconf.Forwarding)
                {
                    SetForwarding(ipv4, (int)value);
                    return;
                }

                cnf[setting] = (int)value;
                if (cnf == ipv4.DevconfDflt)
                    DevinetCopyDfltConf(ipv4, setting);
                else
                    cnf.MarkSet(setting);
                // Shares of next hops depend on it.
                if (setting == Ipv4Devconf.IgnoreRoutesWithLinkdown)
                    FibSemantics.FibRebalanceAll(ipv4);
                Route.RtCacheFlush(ipv4.Net);
            }));
        }
    }

    // Switching forwarding for all sets every device and what new ones start with (inet_forward_change).
    private static void SetForwarding(NetnsIpv4 ipv4, int on)
    {
        ipv4.DevconfAll[Ipv4Devconf.Forwarding] = on;
        ipv4.DevconfDflt[Ipv4Devconf.Forwarding] = on;
        foreach (NetDevice dev in ipv4.Net.Devices.All)
        {
            if (InDevice.Get(dev) is not { } inDev)
                continue;
            inDev.Cnf[Ipv4Devconf.Forwarding] = on;
            inDev.Cnf.MarkSet(Ipv4Devconf.Forwarding);
        }

        Route.RtCacheFlush(ipv4.Net);
    }

    // A new default holds for the devices too that nobody gave a value of their own.
    [Linux("devinet_copy_dflt_conf", "net/ipv4/devinet.c")]
    private static void DevinetCopyDfltConf(NetnsIpv4 ipv4, Ipv4Devconf setting)
    {
        foreach (NetDevice dev in ipv4.Net.Devices.All)
        {
            if (InDevice.Get(dev) is { } inDev && !inDev.Cnf.IsSet(setting))
                inDev.Cnf[setting] = ipv4.DevconfDflt[setting];
        }
    }

    // A range that ends before it begins lets nobody have ping sockets.
    private static int SetPingGroupRange(NetnsIpv4 ipv4, long[] range)
    {
        if (range is not [>= 0 and <= uint.MaxValue, >= 0 and <= uint.MaxValue])
            return -EINVAL;
        ipv4.PingGroupRange = range[1] < range[0] ? (1, 0) : ((uint)range[0], (uint)range[1]);
        return 0;
    }

    private static SysctlInt Int(Func<int> get, Action<int> set, int min = int.MinValue, int max = int.MaxValue) =>
        new(() => get(), value => set((int)value), min, max);

    private static SysctlInt Bool(Func<bool> get, Action<bool> set) => new(() => get() ? 1 : 0, value => set(value != 0), 0, 1);
}
