namespace Linnet.Kernel.Net.Ipv4;

/// <content>Settings of sockets and multicast groups.</content>
public sealed partial class NetnsIpv4
{
    /// <summary><c>ip_nonlocal_bind</c>: sockets may be bound to addresses that are not this host's.</summary>
    public byte SysctlIpNonlocalBind;

    /// <summary><c>ping_group_range</c>: groups that may have ping sockets, the lowest and the highest; none by default.</summary>
    public (uint Low, uint High) PingGroupRange = (1, 0);

    /// <summary>Sockets with <c>IP_ROUTER_ALERT</c>, oldest first; replaced whole, under the lock of this object.</summary>
    internal RawSock[] RaChain = [];

    /// <summary><c>igmp_max_memberships</c>: most groups of one socket.</summary>
    public int SysctlIgmpMaxMemberships = 20;

    /// <summary><c>igmp_max_msf</c>: most sources in the filter of one group.</summary>
    public int SysctlIgmpMaxMsf = 10;

    /// <summary><c>igmp_qrv</c>: how often reports are repeated, for a lossy link (robustness variable, RFC 3376 section 8.1).</summary>
    public int SysctlIgmpQrv = 2;

    /// <summary><c>igmp_link_local_mcast_reports</c>: whether groups of 224.0.0/24 are reported too.</summary>
    public bool SysctlIgmpLlmReports = true;
}
