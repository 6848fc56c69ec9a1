namespace Linnet.Kernel.Net.Ipv4;

/// <content>Local ports.</content>
public sealed partial class NetnsIpv4
{
    /// <summary>
    /// <c>ip_local_port_range</c>, where ports of programs that ask for none are chosen from: the lowest in the lower half,
    /// the highest in the upper. Replaced whole, so that readers see a pair that belongs together.
    /// </summary>
    public uint IpLocalPortRange = 60999u << 16 | 32768;

    /// <summary>
    /// <c>ip_local_reserved_ports</c>: a bit for each port that is not chosen; null for none. Replaced whole.
    /// </summary>
    public ulong[]? IpLocalReservedPorts;

    /// <summary><c>ip_unprivileged_port_start</c>: ports below need <c>CAP_NET_BIND_SERVICE</c>.</summary>
    public int SysctlIpProtSock = 1024;

    /// <summary>
    /// <c>ip_autobind_reuse</c>: ports may be shared by sockets with <c>SO_REUSEADDR</c> when all are taken.
    /// </summary>
    public bool SysctlIpAutobindReuse;

    /// <summary>TCP sockets in the tables, for <c>/proc/net/sockstat</c>; atomic.</summary>
    public int TcpInuse;
}
