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

    private const int MostPeers = 64 * 1024;

    /// <summary>Secret for tables whose keys remote hosts choose.</summary>
    internal SiphashKey HashKey { get; private set; }

    /// <summary>Counters of the identification field.</summary>
    internal IpIdents IpIdents { get; private set; } = null!;

    /// <summary>Incomplete datagrams.</summary>
    internal FragQueues FragQueues { get; private set; } = null!;

    /// <summary>How many "unreachable" messages each sender still gets from a router.</summary>
    internal PeerRateLimits ErrorLimits { get; } = new(MostPeers);

    /// <summary>How many ICMP messages each host still gets.</summary>
    internal PeerRateLimits IcmpLimits { get; } = new(MostPeers);

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

        SysctlNetIpv4.Ipv4SysctlInitNet(this);
    }
}
