using Linnet.Kernel.Net.Core;

namespace Linnet.Kernel.Net.Ipv4;

/// <content>Settings of the IP layer, with Linux's defaults, and the state that goes with them.</content>
public sealed partial class NetnsIpv4
{
    /// <summary><c>net.ipv4.ip_default_ttl</c></summary>
    public int SysctlDefaultTtl = IPDEFTTL;

    /// <summary><c>net.ipv4.ip_early_demux</c></summary>
    public bool SysctlIpEarlyDemux = true;

    /// <summary><c>net.ipv4.ip_forward_use_pmtu</c></summary>
    public bool SysctlIpFwdUsePmtu;

    /// <summary><c>net.ipv4.fwmark_reflect</c></summary>
    public bool SysctlFwmarkReflect;

    /// <summary><c>net.ipv4.ip_no_pmtu_disc</c>: 0 to 3.</summary>
    public int SysctlIpNoPmtuDisc;

    /// <summary><c>net.ipv4.route.min_pmtu</c>, bytes.</summary>
    public int SysctlIpRtMinPmtu = 552;

    /// <summary><c>net.ipv4.route.mtu_expires</c>, ms.</summary>
    public int SysctlIpRtMtuExpires = 600_000;

    /// <summary><c>net.ipv4.route.min_adv_mss</c>, bytes.</summary>
    public int SysctlMinAdvMss = 256;

    /// <summary><c>net.ipv4.icmp_echo_ignore_all</c></summary>
    public bool SysctlIcmpEchoIgnoreAll;

    /// <summary><c>net.ipv4.icmp_echo_ignore_broadcasts</c></summary>
    public bool SysctlIcmpEchoIgnoreBroadcasts = true;

    /// <summary><c>net.ipv4.icmp_ignore_bogus_error_responses</c></summary>
    public bool SysctlIcmpIgnoreBogusErrorResponses = true;

    /// <summary><c>net.ipv4.icmp_errors_use_inbound_ifaddr</c></summary>
    public bool SysctlIcmpErrorsUseInboundIfaddr;

    /// <summary><c>net.ipv4.icmp_ratelimit</c>: ms between messages to one host; 0 for no limit.</summary>
    public int SysctlIcmpRatelimit = 1000;

    /// <summary><c>net.ipv4.icmp_ratemask</c>: a bit for each type that is limited.</summary>
    public int SysctlIcmpRatemask = 0x1818;

    /// <summary><c>net.ipv4.icmp_msgs_per_sec</c></summary>
    public int SysctlIcmpMsgsPerSec = 1000;

    /// <summary><c>net.ipv4.icmp_msgs_burst</c></summary>
    public int SysctlIcmpMsgsBurst = 50;

    /// <summary><c>net.ipv4.ip_forward_update_priority</c>: forwarded packets get the queueing priority of their type of service.</summary>
    public bool SysctlIpFwdUpdatePriority = true;

    /// <summary><c>net.ipv4.route.error_cost</c>, ms: an unreachable message costs its receiver so much.</summary>
    public int SysctlIpRtErrorCost = Clock.Hz;

    /// <summary><c>net.ipv4.route.error_burst</c>, ms: so much may be saved up.</summary>
    public int SysctlIpRtErrorBurst = 5 * Clock.Hz;

    /// <summary><c>net.ipv4.route.redirect_load</c>, ms before the second redirect to a host; doubles with each.</summary>
    public int SysctlIpRtRedirectLoad = Clock.Hz / 50;

    /// <summary><c>net.ipv4.route.redirect_number</c>: most redirects to a host that does not listen.</summary>
    public int SysctlIpRtRedirectNumber = 9;

    /// <summary><c>net.ipv4.route.redirect_silence</c>, ms after which it may get redirects again.</summary>
    public int SysctlIpRtRedirectSilence = Clock.Hz / 50 << (9 + 1);

    /// <summary><c>net.ipv4.fib_multipath_use_neigh</c>: next hops whose neighbour is silent are passed over.</summary>
    public bool SysctlFibMultipathUseNeigh;

    /// <summary>
    /// <c>net.ipv4.fib_multipath_hash_policy</c>: flows are told apart by 0 addresses, 1 addresses and ports, 2 addresses inside of
    /// tunnels, 3 what <see cref="SysctlFibMultipathHashFields"/> says.
    /// </summary>
    public int SysctlFibMultipathHashPolicy;

    /// <summary><c>net.ipv4.fib_multipath_hash_fields</c>; addresses and protocol by default.</summary>
    public int SysctlFibMultipathHashFields = 7;

    /// <summary><c>net.ipv4.fib_multipath_hash_seed</c>; 0 for a secret of the namespace's own.</summary>
    public uint SysctlFibMultipathHashSeed;

    private const int MostPeers = 64 * 1024;

    private SiphashKey multipathSecret;

    /// <summary>Secret for tables whose keys remote hosts choose.</summary>
    internal SiphashKey HashKey { get; private set; }

    /// <summary>Secret of the choice among next hops.</summary>
    internal SiphashKey MultipathKey => SysctlFibMultipathHashSeed is not 0 and uint seed
        ? new SiphashKey(seed, ~(ulong)seed)
        : multipathSecret;

    /// <summary>How many redirects each host still gets.</summary>
    internal RedirectLimits RedirectLimits { get; private set; } = null!;

    /// <summary>How many lines remote hosts may still cause in the log.</summary>
    internal MessageLimit MessageLimit { get; } = new();

    /// <summary>Counters of the identification field.</summary>
    internal IpIdents IpIdents { get; private set; } = null!;

    /// <summary>Incomplete datagrams.</summary>
    internal FragQueues FragQueues { get; private set; } = null!;

    /// <summary>How many "unreachable" messages each sender still gets from a router.</summary>
    internal PeerRateLimits ErrorLimits { get; private set; } = null!;

    /// <summary>How many ICMP messages each host still gets.</summary>
    internal PeerRateLimits IcmpLimits { get; private set; } = null!;

    /// <summary>How many ICMP messages may be sent in all.</summary>
    internal IcmpGlobalBucket IcmpGlobal { get; private set; } = null!;

    private void InitSysctlDefaults()
    {
        Machine machine = Net.Machine;
        HashKey = SiphashKey.New(machine.Random);
        IpIdents = new IpIdents(machine);
        FragQueues = new FragQueues(Net);
        IcmpGlobal = new IcmpGlobalBucket(machine);
        foreach (Ipv4Devconf on in (Ipv4Devconf[])[Ipv4Devconf.AcceptRedirects, Ipv4Devconf.SecureRedirects, Ipv4Devconf.SharedMedia])
        {
            DevconfAll[on] = 1;
            DevconfDflt[on] = 1;
        }

        foreach (Ipv4DevconfTable table in (Ipv4DevconfTable[])[DevconfAll, DevconfDflt])
        {
            table[Ipv4Devconf.Igmpv2UnsolicitedReportInterval] = 10_000;
            table[Ipv4Devconf.Igmpv3UnsolicitedReportInterval] = 1000;
            table[Ipv4Devconf.SendRedirects] = 1;
            table[Ipv4Devconf.ArpEvictNocarrier] = 1;
        }

        DevconfDflt[Ipv4Devconf.AcceptSourceRoute] = 1;
        multipathSecret = SiphashKey.New(machine.Random);
        RedirectLimits = new RedirectLimits(MostPeers, machine.Random);
        ErrorLimits = new PeerRateLimits(MostPeers, machine.Random);
        IcmpLimits = new PeerRateLimits(MostPeers, machine.Random);
        SysctlNetIpv4.Ipv4SysctlInitNet(this);
    }
}
